# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the steps of a release share: the directory, the staged releases, the options, the plan as a result."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import (
    archive,
    file_plan,
    hops,
    listing,
    places,
    staging,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Store
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]
KIND = 'release'
_MOST_SHOWN = 500  # paths of one kind in a result
_MANIFESTS: t.Dict[t.Tuple[int, int, int, int], archive.Manifest] = {}


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
                    'again.' % self.install.shown(file_plan.BULK)
                )
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
        plan = file_plan.make(
            parts.version,
            parts.files,
            parts.directories,
            seen,
            self.top,
            self.context.instance.binary,
            self.owners,
            self.proofs(old),
        )
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
                'Run as root, or as that user.' % (version, foreign[0], *plan.owned[foreign[0]][:2])
            )
        above = {one.path.rpartition('/')[0] for one in plan.renames} | {''}
        closed = [path for path in sorted(above) if not path or self.install.lstat(path) is not None]
        closed = [path for path in closed if not os.access('/proc/self/fd/%d' % self.install.directory(path), os.W_OK)]
        if closed:
            raise LifecycleError(
                'This user may not write in %s. Nothing was changed. Run as root, or as the user of '
                'the instance.' % self.install.shown(closed[0])
            )


def version_of(params: Params) -> str:
    """LifecycleError where none is named, or one that is no version."""
    parsed = versions.parse(params['version'])
    if parsed is None:
        raise LifecycleError(
            'release: version is %s. Nothing was done. Name the version that the program of the '
            'release reports, such as 3.5.8.' % (params['version'] or 'not given')
        )
    return hops.text(parsed)


def old_of(params: Params, binary: str) -> file_plan.Known:
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
            files, _directories, _ignored = file_plan.staged_files(manifest_of(params), context.instance.binary)
            found.append({file.path: [file.sha256] for file in files})
    return found


def manifest_of(params: Params) -> archive.Manifest:
    """Of the archive on this host, or the one that the controller has made where it is not here yet."""
    if params['src'] and (params['manifest'] is None or os.path.exists(params['src'])):
        with staging.open_source(params['src']) as stream:
            return _read_once(stream, params['sha256'])
    if params['manifest'] is None:
        raise LifecycleError(
            'release: neither src nor manifest is given. Nothing was done. Give the path of the '
            'archive on this host as src.'
        )
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


def parts_of(desk: Desk, params: Params, manifest: archive.Manifest) -> Parts:
    """What the manifest would bring. LifecycleError for a release that is not to be used here."""
    version = version_of(params)
    if manifest.machine is not None:
        archive.refuse_machine(manifest.machine, executable.own_machines())
    refuse_known(desk.store, version, manifest.sha256)
    staging.refuse_version(version, manifest)
    files, directories, _ignored = file_plan.staged_files(manifest, desk.context.instance.binary)
    file_plan.refuse_missing_parts(version, files)
    return Parts(version, files, directories)


def refuse_known(store: Store, version: str, sha256: str) -> None:
    """LifecycleError for an archive that was used as another version before."""
    others = [one.version for one in store.staged() if one.sha256 == sha256 and one.version != version]
    if others:
        raise LifecycleError(
            'The archive is not the release %s: it was staged as %s before. Nothing was staged. Give '
            'the archive of %s.' % (version, others[0], version)
        )


def files_result(plan: file_plan.FilePlan) -> Result:
    lists = dict(added=plan.added, replaced=plan.replaced, kept=plan.kept, removed=plan.removed)
    return dict({name: paths[:_MOST_SHOWN] for name, paths in lists.items()}, counts=plan.counts)


def planned(desk: Desk, parts: Parts, plan: file_plan.FilePlan, seen: file_plan.Listing, would: str) -> Result:
    counts = plan.counts
    text = '%s: %d added, %d replaced, %d kept because they count as edited, %d removed, %d the same' % (
        would,
        counts['added'],
        counts['replaced'],
        counts['kept'],
        counts['removed'],
        counts['same'],
    )
    text += file_plan.why_kept(plan)
    name = desk.install.path
    diff = dict(file_plan.diff(plan, parts.files, seen), before_header=name, after_header=name)
    previous = desk.context.foreseen.version or desk.context.file_version
    return dict(changed=True, would=text, version=parts.version, previous=previous, diff=diff, files=files_result(plan))


def unchanged(desk: Desk, version: t.Optional[str], why: str) -> Result:
    return dict(
        changed=False,
        would='nothing, ' + why,
        version=version,
        previous=desk.context.file_version,
        files=None,
        journal=None,
    )
