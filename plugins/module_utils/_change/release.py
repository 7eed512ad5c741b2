# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``release``: stages, switches in, takes back and tidies the files of a version."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import (
    archive,
    file_plan,
    places,
    release_desk,
    release_moves,
    release_tidy,
    staging,
    switch,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Staged, Store, Switch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present, reason
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import foreseen
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

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

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]


# --- options


# --- results


# --- staged


def _fresh(desk: release_desk.Desk, version: str, sha256: str, old: file_plan.Known) -> t.Optional[Staged]:
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


def _plan_staged(desk: release_desk.Desk, params: Params) -> Result:
    manifest = release_desk.manifest_of(params)
    parts = release_desk.parts_of(desk, params, manifest)
    old = release_desk.old_of(params, desk.context.instance.binary)
    plan, seen = desk.look(parts, old)
    if _fresh(desk, parts.version, manifest.sha256, old) is not None:
        return release_desk.unchanged(desk, parts.version, 'the release is staged already')
    sizes = [file.size for file in parts.files]
    staging.refuse_no_room(desk.install, 2 * staging.size_on_disk(sizes), len(sizes) + len(parts.directories))
    return release_desk.planned(desk, parts, plan, seen, 'stage the release %s for later' % parts.version)


def _run_staged(desk: release_desk.Desk, params: Params) -> Result:
    context, version = desk.context, release_desk.version_of(params)
    old = release_desk.old_of(params, context.instance.binary)
    with staging.open_source(present(params['src'])) as source:
        digest = archive.digest_of(source)
        archive.refuse_digest(digest, params['sha256'])
        release_desk.refuse_known(desk.store, version, digest)
        if _fresh(desk, version, digest, old) is not None:
            return release_desk.unchanged(desk, version, 'the release is staged already')
        desk.store.make()
        plan: t.Optional[file_plan.FilePlan] = None

        def dressed(files: t.Sequence[archive.File], directories: t.Sequence[str]) -> t.Dict[str, file_plan.Owned]:
            nonlocal plan
            plan, _seen = desk.look(release_desk.Parts(version, list(files), list(directories)), old)
            return _looks(desk, files, directories, plan)

        stager = staging.Stager(context.instance, desk.install, desk.bulk(make=True), version)
        staged = stager.stage(source, digest, desk.record(), dressed, context.progress)
    desk.store.write_staged(staged._replace(old={path: list(digests) for path, digests in old.items()}))
    return dict(
        changed=True,
        version=version,
        previous=context.file_version,
        files=release_desk.files_result(present(plan)),
        journal=None,
    )


def _looks(
    desk: release_desk.Desk, files: t.Sequence[archive.File], directories: t.Sequence[str], plan: file_plan.FilePlan
) -> t.Dict[str, file_plan.Owned]:
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
        raise LifecycleError(
            '%s runs (pid %d). Nothing was renamed. Stop it first: put graceful_stop before this step '
            'of a window.' % (context.instance.id, context.candidate.pid)
        )


def _find_staged(desk: release_desk.Desk, params: Params) -> t.Optional[Staged]:
    """The newest that fits."""
    version, wanted = release_desk.version_of(params), (params['sha256'] or '').strip().lower()
    return next((one for one in desk.store.staged() if one.version == version and wanted in ('', one.sha256)), None)


def _staged(desk: release_desk.Desk, params: Params) -> Staged:
    found = _find_staged(desk, params)
    if found is None:
        raise LifecycleError(
            'The release %s is not staged. Nothing was changed. Stage it first, with state staged.'
            % (release_desk.version_of(params))
        )
    return found


def _refuse_used(desk: release_desk.Desk, staged: Staged) -> None:
    """A tree is used once: what came back from its places may have been altered there. LifecycleError."""
    if desk.store.is_used(staged.tree):
        raise LifecycleError(
            'The staged files of %s have already been used. Nothing was changed. Stage the release again, with state '
            'staged.' % staged.version
        )


def _plan_switched(desk: release_desk.Desk, params: Params) -> Result:
    _refuse_running(desk.context)
    if params['src'] or params['manifest'] is not None:
        return _plan_before_staging(desk, params)
    staged = _staged(desk, params)
    parts = release_desk.Parts(staged.version, staged.files, staged.directories)
    plan, seen = desk.look(parts, {})
    if not plan.renames:
        return release_desk.unchanged(desk, staged.version, 'the files of the release are there already')
    _refuse_used(desk, staged)
    with places.open_below(desk.bulk(), staged.tree) as tree:
        staging.refuse_altered(tree, staged, [file.path for file in staged.files], content=True)
        staging.refuse_binary(desk.context.instance, tree, desk.record())
    return _switch_planned(desk, parts, plan, seen)


def _switch_planned(
    desk: release_desk.Desk, parts: release_desk.Parts, plan: file_plan.FilePlan, seen: file_plan.Listing
) -> Result:
    """Whatever switch comes after it in a window is planned on top of this one."""
    planned = release_desk.planned(desk, parts, plan, seen, 'switch the release %s in' % parts.version)
    return dict(planned, then=dict(files=desk.context.foreseen.files + ((plan, parts.files),)))


def _plan_before_staging(desk: release_desk.Desk, params: Params) -> Result:
    """In check mode nothing is staged yet, or what is left of an earlier try, which may be used up."""
    parts = release_desk.parts_of(desk, params, release_desk.manifest_of(params))
    plan, seen = desk.look(parts, release_desk.old_of(params, desk.context.instance.binary))
    if not plan.renames:
        return release_desk.unchanged(desk, parts.version, 'the files of the release are there already')
    return _switch_planned(desk, parts, plan, seen)


def _run_switched(desk: release_desk.Desk, params: Params) -> Result:
    context, store = desk.context, desk.store
    staged = _staged(desk, params)
    plan, _seen = desk.look(release_desk.Parts(staged.version, staged.files, staged.directories), {})
    if not plan.renames:
        return release_desk.unchanged(desk, staged.version, 'the files of the release are there already')
    _refuse_used(desk, staged)
    previous, active = context.file_version, store.active()
    one = switch.prepare(desk.install, desk.bulk(), staged, plan, context.run.id or None, active, previous)
    with places.open_below(desk.bulk(), staged.tree) as tree:
        staging.refuse_binary(context.instance, tree, desk.record())
    switch.write(desk.install, store, one)
    context.run.record_change(release_desk.KIND, switch=one.id, direction='switched', version=one.version)
    context.run.act()
    count, left = release_moves.move(desk, one, switch.forward)
    store.set_active(one.id)
    release_moves.expect(context, one.version)
    return release_moves.moved(one.version, previous, count, left, store, one, files=release_desk.files_result(plan))


# --- reverted


def _to_revert(desk: release_desk.Desk, params: Params) -> t.List[Switch]:
    """The switches to take back, the newest first: one, or all down to the one that replaced ``version``."""
    here: t.Optional[Switch] = desk.store.active()
    found: t.List[Switch] = []
    wanted = release_desk.version_of(params) if params['version'] else None
    while here is not None:
        found.append(here)
        if wanted is None or versions.parse(here.previous) == versions.parse(wanted):
            return found
        here = desk.store.switch(here.before) if here.before else None
    if found and wanted is not None:
        raise LifecycleError(
            'No recorded switch has replaced %s. Nothing '
            'was changed. Versions that can be restored: %s.' % (wanted, ', '.join(str(one.previous) for one in found))
        )
    return found


def _plan_reverted(desk: release_desk.Desk, params: Params) -> Result:
    _refuse_running(desk.context)
    found = _to_revert(desk, params)
    if not found:
        return release_desk.unchanged(desk, desk.context.file_version, 'no release was switched in')
    for one in found:
        desk.refuse_file_systems(one.renames, one.version)
        for name in (one.tree, one.old):
            if desk.bulk().lstat(name) is None:
                raise LifecycleError(
                    '%s is gone: %s cannot be taken back. Nothing was changed. Restore the files from '
                    'a backup.' % (desk.bulk().shown(name), one.version)
                )
    return dict(
        changed=True,
        version=found[-1].previous,
        previous=found[0].version,
        would='take %s back, to the files of %s'
        % (', '.join(one.version for one in found), found[-1].previous or 'before'),
    )


def _run_reverted(desk: release_desk.Desk, params: Params) -> Result:
    context: Context = desk.context
    store: Store = desk.store
    result: t.Optional[Result] = None
    found = _to_revert(desk, params)
    if not found:
        return release_desk.unchanged(desk, context.file_version, 'no release was switched in')
    for one in found:
        context.run.record_change(release_desk.KIND, switch=one.id, direction='reverted', version=one.version)
        context.run.act()
        count, left = release_moves.move(desk, one, switch.back)
        store.set_active(one.before)
        notes = result['notes'] if result else []
        result = release_moves.moved(one.previous, found[0].version, count, left, store, one)
        result['notes'] = notes + result['notes']
    release_moves.expect(context, None)
    return present(result)


# --- a later rollback


def left(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """The files in their places and those that wait for a rollback, by what tells whether they are altered."""
    with release_desk.Desk(context) as desk:
        one = desk.store.switch(change['switch'])
        return dict(zip(('placed', 'kept'), release_moves.looks_of(desk, one, change))) if one is not None else {}


# --- tidied


def _plan_tidied(desk: release_desk.Desk, params: Params) -> Result:
    gone = _to_tidy(desk, params)
    if not gone.names and not gone.records:
        return release_desk.unchanged(desk, desk.context.file_version, 'there is nothing to tidy')
    return dict(
        changed=True,
        would='remove %s' % (', '.join(gone.names) or 'records of releases that are gone'),
        version=desk.context.file_version,
        previous=None,
        removed=gone.names,
    )


def _to_tidy(desk: release_desk.Desk, params: Params) -> release_tidy.Gone:
    if params['keep'] < 0:
        raise LifecycleError('keep must not be negative, got %d. Nothing was done.' % params['keep'])
    names = desk.bulk().names() if desk.has_bulk() else []
    run = desk.context.state.last_unfinished() or {}
    used = {
        change['data'].get('switch') for change in run.get('changes') or [] if change.get('kind') == release_desk.KIND
    }
    return release_tidy.choose(
        names, desk.store.staged(), desk.store.switches(), desk.store.active(), params['keep'], used
    )


def _run_tidied(desk: release_desk.Desk, params: Params) -> Result:
    gone = _to_tidy(desk, params)
    if not gone.names and not gone.records:
        return release_desk.unchanged(desk, desk.context.file_version, 'there is nothing to tidy')
    for name in gone.names:
        try:
            desk.bulk().remove(name)
        except OSError as exc:
            raise LifecycleError(
                '%s could not be removed: %s. What was removed before it stays removed. Remove it '
                'manually.' % (desk.bulk().shown(name), reason(exc)),
                changed=True,
            ) from exc
    for kind, name in gone.records:
        (desk.store.forget_staged if kind == 'staged' else desk.store.forget_switch)(name)
    return dict(
        changed=True, version=desk.context.file_version, previous=None, removed=gone.names, files=None, journal=None
    )


# --- the step, and the module

_PLANS = dict(staged=_plan_staged, switched=_plan_switched, reverted=_plan_reverted, tidied=_plan_tidied)
_RUNS = dict(staged=_run_staged, switched=_run_switched, reverted=_run_reverted, tidied=_run_tidied)


def changes_files(params: Params) -> bool:
    """Whether the step changes what the next start runs, so that it can be taken back. Pure."""
    return params.get('state') in ('switched', 'reverted')


def plan(context: Context, params: Params) -> Result:
    if params['state'] == 'staged' and not params['src'] and params['manifest'] is None:
        raise LifecycleError('release: state staged needs src, the path of the archive on this host. Nothing was done.')
    with release_desk.Desk(context) as desk:
        planned = _PLANS[params['state']](desk, params)
    if not changes_files(params):
        return planned
    then = planned.get('then', {})
    return dict(planned, then=dict(then, version=planned.get('version') or context.foreseen.version))


def run(context: Context, params: Params) -> Result:
    if changes_files(params):
        context.look()
        _refuse_running(context)
    with release_desk.Desk(context) as desk:
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
