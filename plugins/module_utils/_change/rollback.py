# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``rollback``: takes back what an earlier window has changed: files, databases and config.json together.

It is itself a change that can be taken back: the window has a dump and a ``keep_files`` of its own before it, and every
switch of files is recorded before it is made.
"""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import (
    access,
    config,
    database,
    database_plan,
    keep_files,
    release_desk,
    release_moves,
    rollback_point,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import dump_manifest
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import kept_launch as launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import runs as _runs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

KIND = _runs.ROLLBACK
SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    run_id=dict(type='str', required=True),
    accept_data_loss=dict(type='bool', default=False),
    client_dir=dict(type='path'),
    timeout=dict(type='float', default=3600.0),
)
_MOST_NAMED = 8

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]
Run = _runs.Run


class Loss(t.NamedTuple):
    """What is not as the run has left it, and would be gone."""

    rows: t.List[Result]
    files: t.List[str]

    def __bool__(self) -> bool:
        return bool(self.rows or self.files)

    @property
    def text(self) -> str:
        parts = [rollback_point.shown(self.rows)] if self.rows else []
        return '; '.join(parts + (['files: %s' % ', '.join(self.files[:_MOST_NAMED])] if self.files else []))


# --- which run: pure


def find(runs: t.Sequence[Run], run_id: str, instance_id: str) -> Run:
    """LifecycleError where it is not known, something came after it, or it has done what cannot be taken back."""
    run = _runs.named(runs, run_id)
    if run is None:
        known = ', '.join(one.run_id for one in reversed(_runs.standing(runs)))
        raise LifecycleError(
            '%s knows no run %s that has changed something and succeeded. Nothing was done. Known '
            'are: %s.' % (instance_id, run_id, known or 'none')
        )
    if _runs.rolled_back_by(runs, run) is None:
        _refuse_later(runs, run)
        commands = [change for change in run.changes if change['kind'] not in _BACK]
        if commands:
            raise LifecycleError(
                'Run %s has made a change of the kind %s, which cannot be rolled back later. Nothing was done. Undo it '
                'manually.' % (run_id, commands[0]['kind'])
            )
    return run


def _refuse_later(runs: t.Sequence[Run], run: Run) -> None:
    later = _runs.later(runs, run)
    if later:
        texts = ['%s (%s)' % (one.run_id, _versions_of(one) or ', '.join(one.kinds)) for one in reversed(later)]
        raise LifecycleError(
            'After run %s, changes were made by %s. Nothing '
            'was done. Roll those back first, the latest one first.' % (run.run_id, ', '.join(texts))
        )


def _versions_of(run: Run) -> str:
    return '%s -> %s' % (run.before or '?', run.after or '?') if run.before != run.after else ''


# --- plan


def plan(context: Context, params: Params) -> Result:
    runs = _runs.read_all(context.state)
    run = find(runs, params['run_id'], context.instance.id)
    by = _runs.rolled_back_by(runs, run)
    if by is not None:
        return _nothing(run, by)
    loss = _refuse(context, run, params)
    would = 'take run %s back%s' % (run.run_id, ': %s' % _backwards(run))
    notes = ['This would be lost: %s' % loss.text] if loss else []
    return dict(
        changed=True,
        would=would,
        version=run.before,
        previous=run.after,
        lost=loss.rows,
        files=loss.files,
        notes=notes,
        then=dict(restores_databases=access.KIND in run.kinds),
    )


def _nothing(run: Run, by: Run) -> Result:
    return dict(
        changed=False,
        would='nothing, run %s was rolled back by %s' % (run.run_id, by.run_id),
        version=run.before,
        lost=[],
        files=[],
    )


def _backwards(run: Run) -> str:
    databases = [change['data']['directory'] for change in run.changes if change['kind'] == access.KIND]
    named = [dump_manifest.read(one, site).database for one in databases for site in dump_manifest.sites_in(one)]
    parts = ['from %s to %s' % (run.after or '?', run.before or '?')] if run.before != run.after else []
    parts += ['restore %s' % ', '.join(named)] if named else []
    return ', '.join(parts) or ', '.join(run.kinds)


def _refuse(context: Context, run: Run, params: Params) -> Loss:
    """LifecycleError for everything that would not end well, and for what is lost where that was not accepted."""
    if None not in (context.version, run.after) and context.version != run.after:
        raise LifecycleError(
            'The instance has the version %s, but run %s left %s. Nothing was done. Undo the later changes, then try '
            'again.' % (context.version, run.run_id, run.after)
        )
    newest_first = run.changes[::-1]
    switches = [change for change in newest_first if change['kind'] == release_desk.KIND]
    files = release_moves.refuse_take_back(context, switches) if switches else []
    _refuse_gone(newest_first)
    files += _config_if_changed(context, newest_first)
    loss = Loss(_written_since(context, newest_first, params), files)
    if loss and not params['accept_data_loss']:
        raise LifecycleError(
            'Data that was written since run %s would be lost: %s. Nothing was done. If this is acceptable, set '
            'accept_data_loss (in the role: anqicms_accept_data_loss).' % (run.run_id, loss.text),
            lost=loss.rows,
            files=loss.files,
        )
    return loss


def _refuse_gone(changes: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    """LifecycleError when a file that the run has kept is not there any more."""
    paths = [change['data'].get(key) for change in changes for key in ('kept', 'statistics')]
    gone = [path for path in paths if path and not os.path.isfile(path)]
    if gone:
        raise LifecycleError(
            '%s is missing, which the run had kept for a rollback. Nothing was done. Restore files and database from a '
            'backup.' % gone[0]
        )


def _config_if_changed(context: Context, newest_first: t.Sequence[t.Mapping[str, t.Any]]) -> t.List[str]:
    left = next((change['left']['config'] for change in newest_first if change['left'].get('config')), None)
    return ['config.json'] if left is not None and left != config.digest(context) else []


def _written_since(context: Context, newest_first: t.Sequence[t.Mapping[str, t.Any]], params: Params) -> t.List[Result]:
    found: t.List[Result] = []
    for change in newest_first:
        if change['kind'] != access.KIND:
            continue
        directory = change['data']['directory']
        database_plan.plan(context, dict(params, state='restored', path=directory, all_sites=True, compression='auto'))
        now = rollback_point.look(context, params)
        first = dump_manifest.read(directory, 1)
        if first.key not in now:
            raise LifecycleError(
                'The dump of the run is of %s, which the instance does not use any more. Nothing was '
                'done. Put its config.json right first.' % first.key
            )
        found += rollback_point.written_since(directory, now, first.database)
    return found


# --- run


def run(context: Context, params: Params) -> Result:
    runs = _runs.read_all(context.state)
    target = find(runs, params['run_id'], context.instance.id)
    by = _runs.rolled_back_by(runs, target)
    if by is not None:
        return _nothing(target, by)
    if context.look() is not None:
        raise LifecycleError(
            '%s runs as pid %d. It was not rolled back. Stop it first: put graceful_stop before this '
            'step of a window.' % (context.instance.id, context.candidate.pid if context.candidate else 0)
        )
    _refuse_without_inverse(context, target)
    loss = _refuse(context, target, params)
    context.run.record_change(KIND, run=target.name, run_id=target.run_id)
    notes = ['This was lost: %s' % loss.text] if loss else []
    for change in reversed(target.changes):
        context.progress('taking %s of run %s back' % (change['kind'], target.run_id))
        notes += _BACK[change['kind']](context, change['data'], params).get('notes', [])
    context.read_files()
    return dict(
        changed=True, version=target.before, previous=target.after, lost=loss.rows, files=loss.files, notes=notes
    )


def _refuse_without_inverse(context: Context, target: Run) -> None:
    """LifecycleError when a failure of this window could not be taken back."""
    needed = {'keep_files'} | ({access.KIND} & set(target.kinds))
    missing = needed - {change['kind'] for change in context.run.changes}
    if missing:
        raise LifecycleError(
            'It was not rolled back: the window has no %s before this step, so that a failure could '
            'not be taken back. Put database (state dumped, all_sites true) and keep_files behind '
            'graceful_stop.' % ' and no '.join(sorted(missing))
        )


def _restore(context: Context, change: t.Mapping[str, t.Any], params: Params) -> Result:
    """What they hold then is noted: this run may be rolled back itself."""
    client_dir = params['client_dir'] or change.get('client_dir')
    # A restore uses the shadow tables up, and this rollback may itself be taken back, and made again.
    database.files_of_shadows(context, change['directory'], client_dir, context.run.time_left(params['timeout']))
    done = database.restore_all(
        context, change['directory'], change['sites'], client_dir, context.run.time_left(params['timeout'])
    )
    database.drop_shadows(context, change['directory'], client_dir, change['sites'])
    rollback_point.write_of_dumps(change['directory'], os.path.join(context.run.dir(), access.KIND))
    return done


def _leave(context: Context, change: t.Mapping[str, t.Any], params: Params) -> Result:
    """Of a rollback that is taken back: the changes beside it are what it did."""
    return dict(changed=False)


_BACK: t.Dict[str, t.Callable[[Context, t.Mapping[str, t.Any], Params], Result]] = {
    config.KIND: lambda context, change, params: config.undo(context, change),
    access.KIND: _restore,
    keep_files.KIND: lambda context, change, params: keep_files.take_back(context, change),
    launch.KIND: lambda context, change, params: launch.undo(context, change),
    release_desk.KIND: lambda context, change, params: release_moves.take_back(context, change),
    KIND: _leave,
}


def undo(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """The changes beside it are taken back each for itself."""
    return dict(changed=False)
