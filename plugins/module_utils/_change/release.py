# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``release``: stages, switches in, takes back and tidies the files of a version."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import (
    archive,
    file_plan,
    hops,
    listing,
    places,
    release_tidy,
    staging,
    switch,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Staged, Store, Switch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import binary as _binary
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import foreseen, launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable

SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    state=dict(type='str', required=True, choices=['staged', 'switched', 'reverted', 'tidied']),
    src=dict(type='path'),
    sha256=dict(type='str'),
    version=dict(type='str'),
    old_src=dict(type='path'),
    known_files=dict(type='dict'),
    manifest=dict(type='dict'),
    keep=dict(type='int', default=3),
)
KIND = 'release'
_MOST_SHOWN = 500  # paths of one kind in a result
_MANIFESTS: t.Dict[t.Tuple[int, int, int, int], archive.Manifest] = {}

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]


class Parts(t.NamedTuple):
    """What a release brings: from a staged tree, or from a manifest alone."""

    version: str
    files: t.List[archive.File]
    directories: t.List[str]


class Desk:
    """One instance, opened for work on its releases. Use it as a context manager."""

    def __init__(self, context: Context) -> None:
        self.context, self.store = context, Store(context.state)
        uid = context.candidate.uid if context.candidate else None
        with _files.InstallDir(context.instance.dir) as directory:
            info = os.fstat(directory.fd)
            self.owners = directory.owners(uid) | set(context.users().uids) | {os.geteuid()}
            self.install = places.open_install(directory, self.owners)
        self.top = file_plan.Owned(info.st_uid, info.st_gid, info.st_mode & 0o7777)
        self._bulk: t.Optional[places.Tree] = None

    def __enter__(self) -> 'Desk':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        for tree in (self._bulk, self.install):
            if tree is not None:
                tree.close()

    def bulk(self, make: bool = False) -> places.Tree:
        """``.lifecycle``. LifecycleError where it is not ours, and where it is missing and is not to be made."""
        if self._bulk is None:
            self._bulk = places.open_bulk(self.install, make, self.store.bulk())
            if self._bulk is None:
                raise LifecycleError(
                    '%s is missing, and with it the staged and replaced files. Nothing was changed. Stage the release '
                    'again.' % self.install.shown(file_plan.BULK))
            if make:
                info = os.fstat(self._bulk.fd)
                self.store.set_bulk([info.st_dev, info.st_ino])
        return self._bulk

    def has_bulk(self) -> bool:
        return self.install.lstat(file_plan.BULK) is not None

    def record(self) -> t.Optional[launch.LaunchRecord]:
        """As whom the binary is executed; None where that cannot be seen: then it is asked whether anybody may."""
        try:
            return launch.capture(self.context.handle.proc) if self.context.handle else self.context.stored_record()
        except OSError:
            return None

    def proofs(self, old: file_plan.Known) -> t.Dict[str, t.List[str]]:
        """The checksums of every release that is known, by path; in check mode also of those that will be staged."""
        known = [old] + _to_be_staged(self.context)
        for staged in self.store.staged():
            known += [{path: [digest] for path, digest in staged.proofs().items()}, staged.old]
        return file_plan.joined(known)

    def look(self, parts: Parts, old: file_plan.Known) -> t.Tuple[file_plan.FilePlan, file_plan.Listing]:
        """The plan of the files as the install directory is now, or will be after the steps before this one.

        LifecycleError for what stands in the way.
        """
        seen = listing.Look(self.install, self.owners).at(parts.files, parts.directories)
        for earlier, files in self.context.foreseen.files:
            seen = file_plan.after(seen, earlier, files)
        plan = file_plan.make(parts.version, parts.files, parts.directories, seen, self.top,
                              self.context.instance.binary, self.owners, self.proofs(old))
        self.refuse_file_systems(plan.renames, parts.version)
        if os.geteuid() != 0:
            self._refuse_without_rights(plan, parts.version)
        return plan, seen

    def refuse_file_systems(self, renames: t.Sequence[file_plan.Rename], version: str) -> None:
        """LifecycleError where files cannot be renamed: read-only, or between two mounts."""
        staging.refuse_read_only(self.install)
        mounts = listing.mounts(self.install.path)
        file_plan.refuse_mounts(renames, mounts, version)
        file_plan.refuse_mounted_bulk(mounts, self.install.path)

    def _refuse_without_rights(self, plan: file_plan.FilePlan, version: str) -> None:
        """Another user than root gives files to nobody else, and renames only where he may write."""
        groups = set(os.getgroups()) | {os.getegid()}
        foreign = [path for path, owned in plan.owned.items() if owned.uid != os.geteuid() or owned.gid not in groups]
        if foreign:
            raise LifecycleError(
                'The release %s cannot be staged by this user: %s would belong to uid %d, gid %d. Nothing was changed. '
                'Run as root, or as that user.' % (version, foreign[0], *plan.owned[foreign[0]][:2]))
        above = {one.path.rpartition('/')[0] for one in plan.renames} | {''}
        closed = [path for path in sorted(above) if not path or self.install.lstat(path) is not None]
        closed = [path for path in closed if not os.access('/proc/self/fd/%d' % self.install.directory(path), os.W_OK)]
        if closed:
            raise LifecycleError('This user may not write in %s. Nothing was changed. Run as root, or as the user of '
                                 'the instance.' % self.install.shown(closed[0]))


# --- options


def version_of(params: Params) -> str:
    """LifecycleError where none is named, or one that is no version."""
    parsed = versions.parse(params['version'])
    if parsed is None:
        raise LifecycleError('release: version is %s. Nothing was done. Name the version that the program of the '
                             'release reports, such as 3.5.8.' % (params['version'] or 'not given'))
    return hops.text(parsed)


def _old_of(params: Params, binary: str) -> file_plan.Known:
    """The files of releases that are known: of the archive of the one that runs, and those that are named."""
    given = file_plan.known_of(params.get('known_files') or {})
    if not params['old_src']:
        return given
    with staging.open_source(params['old_src']) as stream:
        files, _directories, _ignored = file_plan.staged_files(archive.manifest_of(stream), binary)
    return file_plan.joined([given, {file.path: [file.sha256] for file in files}])


def _to_be_staged(context: Context) -> t.List[file_plan.Known]:
    """The files of the releases that a window in check mode switches in, which the real one stages before it begins."""
    found: t.List[file_plan.Known] = []
    for name, params in context.foreseen.steps:
        if name == KIND and params['state'] == 'switched' and (params['src'] or params['manifest'] is not None):
            files, _directories, _ignored = file_plan.staged_files(_manifest_of(params), context.instance.binary)
            found.append({file.path: [file.sha256] for file in files})
    return found


def _manifest_of(params: Params) -> archive.Manifest:
    """Of the archive on this host, or the one that the controller has made where it is not here yet."""
    if params['src'] and (params['manifest'] is None or os.path.exists(params['src'])):
        with staging.open_source(params['src']) as stream:
            return _read_once(stream, params['sha256'])
    if params['manifest'] is None:
        raise LifecycleError('release: neither src nor manifest is given. Nothing was done. Give the path of the '
                             'archive on this host as src.')
    manifest = archive.from_json(params['manifest'])
    archive.refuse_digest(manifest.sha256, params['sha256'])
    return manifest


def _read_once(stream: t.IO[bytes], sha256: t.Optional[str]) -> archive.Manifest:
    """For plans alone: each of a window asks for all of its archives."""
    info = os.fstat(stream.fileno())
    key = info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns
    if key not in _MANIFESTS:
        _MANIFESTS[key] = archive.manifest_of(stream, sha256)
    archive.refuse_digest(_MANIFESTS[key].sha256, sha256)
    return _MANIFESTS[key]


def _parts_of(desk: Desk, params: Params, manifest: archive.Manifest) -> Parts:
    """What the manifest would bring. LifecycleError for a release that is not to be used here."""
    version = version_of(params)
    if manifest.machine is not None:
        archive.refuse_machine(manifest.machine, executable.own_machines())
    _refuse_known(desk.store, version, manifest.sha256)
    staging.refuse_version(version, manifest)
    files, directories, _ignored = file_plan.staged_files(manifest, desk.context.instance.binary)
    file_plan.refuse_missing_parts(version, files)
    return Parts(version, files, directories)


def _refuse_known(store: Store, version: str, sha256: str) -> None:
    """LifecycleError for an archive that was used as another version before."""
    others = [one.version for one in store.staged() if one.sha256 == sha256 and one.version != version]
    if others:
        raise LifecycleError('The archive is not the release %s: it was staged as %s before. Nothing was staged. Give '
                             'the archive of %s.' % (version, others[0], version))


# --- results


def _files_result(plan: file_plan.FilePlan) -> Result:
    lists = dict(added=plan.added, replaced=plan.replaced, kept=plan.kept, removed=plan.removed)
    return dict({name: paths[:_MOST_SHOWN] for name, paths in lists.items()}, counts=plan.counts)


def _planned(desk: Desk, parts: Parts, plan: file_plan.FilePlan, seen: file_plan.Listing, would: str) -> Result:
    counts = plan.counts
    text = '%s: %d added, %d replaced, %d kept because they count as edited, %d removed, %d the same' % (
        would, counts['added'], counts['replaced'], counts['kept'], counts['removed'], counts['same'])
    text += file_plan.why_kept(plan)
    name = desk.install.path
    diff = dict(file_plan.diff(plan, parts.files, seen), before_header=name, after_header=name)
    previous = desk.context.foreseen.version or desk.context.file_version
    return dict(changed=True, would=text, version=parts.version, previous=previous, diff=diff,
                files=_files_result(plan))


def _unchanged(desk: Desk, version: t.Optional[str], why: str) -> Result:
    return dict(changed=False, would='nothing, ' + why, version=version, previous=desk.context.file_version, files=None,
                journal=None)


# --- staged


def _fresh(desk: Desk, version: str, sha256: str, old: file_plan.Known) -> t.Optional[Staged]:
    """A staged tree of this very archive that was never switched in, is whole, and was staged with this knowledge: that
    decides which files are replaced, and so how each has to look.
    """
    used = {one.tree for one in desk.store.switches()}
    for one in desk.store.staged():
        same = one.version == version and one.sha256 == sha256 and file_plan.covers(one.old, old)
        if same and one.tree not in used and desk.has_bulk():
            if desk.bulk().lstat(one.tree) is None:
                continue
            with places.open_below(desk.bulk(), one.tree) as tree:
                try:
                    staging.refuse_altered(tree, one, [file.path for file in one.files])
                except LifecycleError:
                    continue
            return one
    return None


def _plan_staged(desk: Desk, params: Params) -> Result:
    manifest = _manifest_of(params)
    parts = _parts_of(desk, params, manifest)
    old = _old_of(params, desk.context.instance.binary)
    plan, seen = desk.look(parts, old)
    if _fresh(desk, parts.version, manifest.sha256, old) is not None:
        return _unchanged(desk, parts.version, 'the release is staged already')
    sizes = [file.size for file in parts.files]
    staging.refuse_no_room(desk.install, 2 * staging.size_on_disk(sizes), len(sizes) + len(parts.directories))
    return _planned(desk, parts, plan, seen, 'stage the release %s for later' % parts.version)


def _run_staged(desk: Desk, params: Params) -> Result:
    context, version = desk.context, version_of(params)
    old = _old_of(params, context.instance.binary)
    with staging.open_source(present(params['src'])) as source:
        digest = archive.digest_of(source)
        archive.refuse_digest(digest, params['sha256'])
        _refuse_known(desk.store, version, digest)
        if _fresh(desk, version, digest, old) is not None:
            return _unchanged(desk, version, 'the release is staged already')
        desk.store.make()
        plan: t.Optional[file_plan.FilePlan] = None

        def dressed(files: t.Sequence[archive.File], directories: t.Sequence[str]) -> t.Dict[str, file_plan.Owned]:
            nonlocal plan
            plan, _seen = desk.look(Parts(version, list(files), list(directories)), old)
            return _looks(desk, files, directories, plan)

        stager = staging.Stager(context.instance, desk.install, desk.bulk(make=True), version)
        staged = stager.stage(source, digest, desk.record(), dressed, context.progress)
    desk.store.write_staged(staged._replace(old={path: list(digests) for path, digests in old.items()}))
    return dict(changed=True, version=version, previous=context.file_version, files=_files_result(present(plan)),
                journal=None)


def _looks(desk: Desk, files: t.Sequence[archive.File], directories: t.Sequence[str],
           plan: file_plan.FilePlan) -> t.Dict[str, file_plan.Owned]:
    """Owner and mode of all that is staged: of what is switched in as planned, of the rest as it comes."""
    uid, gid, _mode = desk.top
    binary = desk.context.instance.binary
    found = {path: file_plan.Owned(uid, gid, file_plan.DEFAULT_DIRECTORY) for path in directories}
    for file in files:
        program = file_plan.is_program(file.path, binary)
        found[file.path] = file_plan.Owned(uid, gid, file_plan.DEFAULT_PROGRAM if program else file_plan.DEFAULT_FILE)
    found.update(plan.owned)
    return found


# --- switched


def _refuse_running(context: Context) -> None:
    if context.candidate is not None and not context.foreseen.stops:
        raise LifecycleError('%s runs (pid %d). Nothing was renamed. Stop it first: put graceful_stop before this step '
                             'of a window.' % (context.instance.id, context.candidate.pid))


def _find_staged(desk: Desk, params: Params) -> t.Optional[Staged]:
    """The newest that fits."""
    version, wanted = version_of(params), (params['sha256'] or '').strip().lower()
    return next((one for one in desk.store.staged()
                 if one.version == version and wanted in ('', one.sha256)), None)


def _staged(desk: Desk, params: Params) -> Staged:
    found = _find_staged(desk, params)
    if found is None:
        raise LifecycleError('The release %s is not staged. Nothing was changed. Stage it first, with state staged.' % (
            version_of(params)))
    return found


def _refuse_used(desk: Desk, staged: Staged) -> None:
    """A tree is used once: what came back from its places may have been altered there. LifecycleError."""
    if any(one.tree == staged.tree for one in desk.store.switches()):
        raise LifecycleError(
            'The staged files of %s have already been used. Nothing was changed. Stage the release again, with state '
            'staged.' % staged.version)


def _plan_switched(desk: Desk, params: Params) -> Result:
    _refuse_running(desk.context)
    if params['src'] or params['manifest'] is not None:
        return _plan_before_staging(desk, params)
    staged = _staged(desk, params)
    parts = Parts(staged.version, staged.files, staged.directories)
    plan, seen = desk.look(parts, {})
    if not plan.renames:
        return _unchanged(desk, staged.version, 'the files of the release are there already')
    _refuse_used(desk, staged)
    with places.open_below(desk.bulk(), staged.tree) as tree:
        staging.refuse_altered(tree, staged, [file.path for file in staged.files], content=True)
        staging.refuse_binary(desk.context.instance, tree, desk.record())
    return _switch_planned(desk, parts, plan, seen)


def _switch_planned(desk: Desk, parts: Parts, plan: file_plan.FilePlan, seen: file_plan.Listing) -> Result:
    """Whatever switch comes after it in a window is planned on top of this one."""
    planned = _planned(desk, parts, plan, seen, 'switch the release %s in' % parts.version)
    return dict(planned, then=dict(files=desk.context.foreseen.files + ((plan, parts.files),)))


def _plan_before_staging(desk: Desk, params: Params) -> Result:
    """In check mode nothing is staged yet, or what is left of an earlier try, which may be used up."""
    parts = _parts_of(desk, params, _manifest_of(params))
    plan, seen = desk.look(parts, _old_of(params, desk.context.instance.binary))
    if not plan.renames:
        return _unchanged(desk, parts.version, 'the files of the release are there already')
    return _switch_planned(desk, parts, plan, seen)


def _run_switched(desk: Desk, params: Params) -> Result:
    context, store = desk.context, desk.store
    staged = _staged(desk, params)
    plan, _seen = desk.look(Parts(staged.version, staged.files, staged.directories), {})
    if not plan.renames:
        return _unchanged(desk, staged.version, 'the files of the release are there already')
    _refuse_used(desk, staged)
    previous, active = context.file_version, store.active()
    one = switch.prepare(desk.install, desk.bulk(), staged, plan, context.run.id or None, active, previous)
    with places.open_below(desk.bulk(), staged.tree) as tree:
        staging.refuse_binary(context.instance, tree, desk.record())
    switch.write(desk.install, store, one)
    context.run.record_change(KIND, switch=one.id, direction='switched', version=one.version)
    context.run.act()
    count, left = _move(desk, one, switch.forward)
    store.set_active(one.id)
    _expect(context, one.version)
    return _moved(one.version, previous, count, left, store, one, files=_files_result(plan))


def _expect(context: Context, version: t.Optional[str]) -> None:
    """What the next start of this run runs: until it tells, it counts as what the operator has named."""
    context.run.expected_version = version
    if version is not None:
        context.binaries.learn(_binary.of_file(context.instance.executable), version)
    context.read_files()


def _move(desk: Desk, one: Switch, work: t.Callable[[switch.Trees], int]) -> t.Tuple[int, t.Optional[str]]:
    return switch.run(desk.install, desk.bulk(), one, work)


def _moved(version: t.Optional[str], previous: t.Optional[str], count: int, left: t.Optional[str], store: Store,
           one: Switch, **more: t.Any) -> Result:
    notes = ['Files that were in the way of restored files were moved to %s.' % left] if left else []
    journal = os.path.join(store.path, 'switch-%s.json' % one.id)
    return dict(more, changed=True, version=version, previous=previous, renames=count, journal=journal, notes=notes)


# --- reverted


def _to_revert(desk: Desk, params: Params) -> t.List[Switch]:
    """The switches to take back, the newest first: one, or all down to the one that replaced ``version``."""
    here: t.Optional[Switch] = desk.store.active()
    found: t.List[Switch] = []
    wanted = version_of(params) if params['version'] else None
    while here is not None:
        found.append(here)
        if wanted is None or versions.parse(here.previous) == versions.parse(wanted):
            return found
        here = desk.store.switch(here.before) if here.before else None
    if found and wanted is not None:
        raise LifecycleError(
            'No recorded switch has replaced %s. Nothing '
            'was changed. Versions that can be restored: %s.' % (wanted, ', '.join(str(one.previous) for one in found)))
    return found


def _plan_reverted(desk: Desk, params: Params) -> Result:
    _refuse_running(desk.context)
    found = _to_revert(desk, params)
    if not found:
        return _unchanged(desk, desk.context.file_version, 'no release was switched in')
    for one in found:
        desk.refuse_file_systems(one.renames, one.version)
        for name in (one.tree, one.old):
            if desk.bulk().lstat(name) is None:
                raise LifecycleError('%s is gone: %s cannot be taken back. Nothing was changed. Restore the files from '
                                     'a backup.' % (desk.bulk().shown(name), one.version))
    return dict(changed=True, version=found[-1].previous, previous=found[0].version,
                would='take %s back, to the files of %s' % (
                    ', '.join(one.version for one in found), found[-1].previous or 'before'))


def _run_reverted(desk: Desk, params: Params) -> Result:
    context: Context = desk.context
    store: Store = desk.store
    result: t.Optional[Result] = None
    found = _to_revert(desk, params)
    if not found:
        return _unchanged(desk, context.file_version, 'no release was switched in')
    for one in found:
        context.run.record_change(KIND, switch=one.id, direction='reverted', version=one.version)
        context.run.act()
        count, left = _move(desk, one, switch.back)
        store.set_active(one.before)
        notes = result['notes'] if result else []
        result = _moved(one.previous, found[0].version, count, left, store, one)
        result['notes'] = notes + result['notes']
    _expect(context, None)
    return present(result)


def undo(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """The inverse of a recorded change, from wherever it, or an inverse of before, has died."""
    with Desk(context) as desk:
        one = desk.store.switch(change['switch'])
        if one is None:
            raise LifecycleError(
                'The record %s of a switch is missing in %s. The files were left as they are. Restore them from a '
                'backup, then run the recover playbook.' % (
                                     change['switch'], desk.store.path))
        again = change['direction'] == 'reverted'
        count, left = _move(desk, one, switch.again if again else switch.back)
        desk.store.set_active(one.id if again else one.before)
        _expect(context, None)
        return _moved(one.version if again else one.previous, one.version, count, left, desk.store, one)


# --- a later rollback


def left(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """The files in their places and those that wait for a rollback, by what tells whether they are altered."""
    with Desk(context) as desk:
        one = desk.store.switch(change['switch'])
        return dict(zip(('placed', 'kept'), _looks_of(desk, one, change))) if one is not None else {}


def _looks_of(desk: Desk, one: Switch, change: t.Mapping[str, t.Any]) -> t.Tuple[listing.Stats, listing.Stats]:
    out = [rename.path for rename in one.renames if rename.out]
    new = [rename.path for rename in one.renames if not rename.out]
    forward = change['direction'] == 'switched'
    with places.open_below(desk.bulk(), one.old if forward else one.tree) as kept:
        placed = listing.stats_of(desk.install, new if forward else out)
        return placed, listing.stats_of(kept, out if forward else new)


def refuse_take_back(context: Context, changes: t.Sequence[t.Mapping[str, t.Any]]) -> t.List[str]:
    """Of the changes of an earlier run, the newest first: the files that somebody has changed since.

    LifecycleError for what cannot be taken back, or is not what stands now.
    """
    altered: t.List[str] = []
    with Desk(context) as desk:
        active = desk.store.active()
        for number, change in enumerate(changes):
            one = desk.store.switch(change['data']['switch'])
            if one is None or any(desk.bulk().lstat(name) is None for name in (one.tree, one.old)):
                raise LifecycleError('The files that were replaced are gone: %s cannot be taken back. Nothing was '
                                     'done. Restore files and database from a backup.' % change['data'].get('version'))
            stands = one.id if change['data']['direction'] == 'switched' else one.before
            if number == 0 and (active.id if active else None) != stands:
                raise LifecycleError('The files are not those that the run has left: another release was switched in '
                                     'or taken back since. Nothing was done. Take that back first.')
            desk.refuse_file_systems(one.renames, one.version)
            placed, kept = _looks_of(desk, one, change['data'])
            bad = listing.altered(change['left'].get('kept') or {}, kept)
            if bad:
                raise LifecycleError('Replaced files were altered or are gone: %s. Nothing was done. Restore files and '
                                     'database from a backup.' % ', '.join(bad[:5]))
            altered += listing.altered(change['left'].get('placed') or {}, placed)
    return list(dict.fromkeys(altered))


def take_back(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """The inverse of a change of an earlier run, as a change of this one, which has its own inverse."""
    direction = 'switched' if change['direction'] == 'reverted' else 'reverted'
    context.run.record_change(KIND, switch=change['switch'], direction=direction, version=change.get('version'))
    context.run.act()
    return undo(context, change)


# --- tidied


def _plan_tidied(desk: Desk, params: Params) -> Result:
    gone = _to_tidy(desk, params)
    if not gone.names and not gone.records:
        return _unchanged(desk, desk.context.file_version, 'there is nothing to tidy')
    return dict(changed=True, would='remove %s' % (', '.join(gone.names) or 'records of releases that are gone'),
                version=desk.context.file_version, previous=None, removed=gone.names)


def _to_tidy(desk: Desk, params: Params) -> release_tidy.Gone:
    if params['keep'] < 0:
        raise LifecycleError('keep must not be negative, got %d. Nothing was done.' % params['keep'])
    names = desk.bulk().names() if desk.has_bulk() else []
    run = desk.context.state.last_unfinished() or {}
    used = {change['data'].get('switch') for change in run.get('changes') or [] if change.get('kind') == KIND}
    return release_tidy.choose(names, desk.store.staged(), desk.store.switches(), desk.store.active(), params['keep'],
                               used)


def _run_tidied(desk: Desk, params: Params) -> Result:
    gone = _to_tidy(desk, params)
    if not gone.names and not gone.records:
        return _unchanged(desk, desk.context.file_version, 'there is nothing to tidy')
    for name in gone.names:
        try:
            desk.bulk().remove(name)
        except OSError as exc:
            raise LifecycleError('%s could not be removed: %s. What was removed before it stays removed. Remove it by '
                                 'hand.' % (desk.bulk().shown(name), reason(exc)), changed=True) from exc
    for kind, name in gone.records:
        (desk.store.forget_staged if kind == 'staged' else desk.store.forget_switch)(name)
    return dict(changed=True, version=desk.context.file_version, previous=None, removed=gone.names, files=None,
                journal=None)


# --- the step, and the module

_PLANS = dict(staged=_plan_staged, switched=_plan_switched, reverted=_plan_reverted, tidied=_plan_tidied)
_RUNS = dict(staged=_run_staged, switched=_run_switched, reverted=_run_reverted, tidied=_run_tidied)


def changes_files(params: Params) -> bool:
    """Whether the step changes what the next start runs, so that it can be taken back. Pure."""
    return params.get('state') in ('switched', 'reverted')


def plan(context: Context, params: Params) -> Result:
    if params['state'] == 'staged' and not params['src'] and params['manifest'] is None:
        raise LifecycleError('release: state staged needs src, the path of the archive on this host. Nothing was done.')
    with Desk(context) as desk:
        planned = _PLANS[params['state']](desk, params)
    if not changes_files(params):
        return planned
    then = planned.get('then', {})
    return dict(planned, then=dict(then, version=planned.get('version') or context.foreseen.version))


def run(context: Context, params: Params) -> Result:
    if changes_files(params):
        context.look()
        _refuse_running(context)
    with Desk(context) as desk:
        return _RUNS[params['state']](desk, params)


def foresee(context: Context, params: Params) -> Result:
    """As a task of its own in check mode."""
    context.look()
    return foreseen.of_a_task(plan(context, params))


def as_a_task(context: Context, params: Params) -> Result:
    """Outside of a window: nothing is taken back by itself."""
    context.look()
    if params['state'] != 'staged' or not params['src']:
        planned = plan(context, params)
        if not planned['changed']:
            return foreseen.of_a_task(planned)
    return run(context, params)
