# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Put right what an unfinished run left: the instance runs again, or it is said why not.

Used by the guardian (its worker was killed) and by the next run or ``recover.yml``. What the run has changed is taken
back while the instance is stopped, then it is started as it was.
"""

import contextlib
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import http, versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import undo
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    NotYet,
    after_a_change,
    present,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import journal
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import graceful_stop, verified_start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import inflight, quiet
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop

_SETTLE_S = 0.3  # a SIGTERM that was just sent shows its effect: the port closes within some milliseconds
_STOP_TIMEOUT_S = 120.0
_LOOK_S = 1.0  # for one question to a process that may still be starting
_EXEC_WAIT_S = 5.0  # a child that was released has executed the binary by then
_SETTLE_LIMIT_S = 30.0  # for a look whether a migration goes on; whether one has failed shows after 20 s
WAITS_FOR_MIGRATION = 'migration'

Run = t.Mapping[str, t.Any]


@contextlib.contextmanager
def _accepting(context: Context, run: Run) -> t.Iterator[None]:
    """The hazards that were accepted for the unfinished run count for its recovery, and for nothing after it."""
    before = context.run.accepted_hazards
    context.run.accepted_hazards = before | frozenset(run.get('accepts') or ())
    try:
        yield
    finally:
        context.run.accepted_hazards = before


def _is_the_old_one(context: Context, run: Run) -> bool:
    if not journal.is_of_this_boot(run):
        return False  # pids and start times are counted from nothing at each boot: this one is a new process
    before = run.get('before') or {}
    candidate = context.candidate
    known = (before.get('pid'), before.get('start_ticks'))
    return candidate is not None and (candidate.pid, candidate.start_ticks) == known


def _wait_for_parked(context: Context, run: Run) -> None:
    """A child that was released just before the worker was killed becomes the instance; one that was not, ends."""
    parked = (run.get('parked') or {}) if journal.is_of_this_boot(run) else {}
    handle = process.open_process(parked['pid']) if parked else None
    if handle is None:
        return
    with handle:
        end = time.monotonic() + _EXEC_WAIT_S
        while handle.start_ticks == parked.get('start_ticks') and not handle.gone() and time.monotonic() < end:
            if handle.proc.optional_link('exe') == context.instance.executable:
                return
            time.sleep(0.005)


def _never_ends_by_itself(context: Context) -> bool:
    return versions.behaviour(context.version).on_sigterm == 'stays'


def _stop_what_was_stopping(context: Context, run: Run) -> None:
    """As the run was to stop it. A version that SIGTERM never ends is ended when it is idle, even with never."""
    params = {name: option.get('default') for name, option in graceful_stop.SPEC.items()}
    never = run.get('force') == 'never'
    force = 'never' if never and not _never_ends_by_itself(context) else 'idle'
    try:
        _stop.stop(context, dict(params, timeout=_STOP_TIMEOUT_S, force=force, cut=not never), watch=False)
    except LifecycleError as exc:
        refused_before = {'quiet', 'migration'} & set(exc.result) and 'signals' not in exc.result
        if refused_before:  # it was signalled by the run, and not now
            raise _stop.StillAlive(exc.msg, **exc.result) from exc
        raise


def _is_idle(context: Context) -> bool:
    """Its port is closed, no request is left, and no backup or restore is seen."""
    if context.listens() or inflight.look(context.port):
        return False
    seen = quiet.look_at(context, present(context.handle))
    return seen.known and not seen.files


def wait_for_migration(context: Context, run: Run, limit: float) -> None:
    """LifecycleError (``migrating``) while a process that the run has started migrates: it is not stopped then."""
    if context.candidate is None or _is_the_old_one(context, run):
        return
    if not journal.lasting(run.get('changes') or []) and run.get('waits_for') != WAITS_FOR_MIGRATION:
        return
    for kind in STEPS.values():
        if kind.settle is not None:
            kind.settle(context, run, limit)


def is_ready(context: Context, run: Run) -> bool:
    """Whether a try to put it right can succeed now. Only looks; the lock is not needed."""
    try:
        context.look()
        if context.candidate is None:
            if run.get('changes'):
                return True  # what stands in the way of a start may be what is to be taken back
            if wanted_state(run.get('steps') or []) != 'stopped':
                with _accepting(context, run):
                    _start_plan.plan(context, verified_start.defaults())
            return True
        if run.get('waits_for') == WAITS_FOR_MIGRATION:
            wait_for_migration(context, run, _SETTLE_LIMIT_S)
            return True
        if _is_the_old_one(context, run) and run.get('signalled'):
            return _never_ends_by_itself(context) and _is_idle(context)
        hosts = ['localhost'] + list(run.get('hosts') or [])
        return any(http.version_info(context.port, host, _LOOK_S).alive for host in hosts)
    except NotYet:
        return False
    except LifecycleError as exc:
        return not exc.result.get('migrating')  # the try says what is wrong
    finally:
        context.close()


def is_ending(context: Context, run: Run) -> bool:
    """Whether the process of before the run still lives, on its way to its end."""
    _wait_for_parked(context, run)
    context.look()
    return _is_the_old_one(context, run) and (bool(run.get('signalled')) or not context.listens())


def make_it_run(context: Context, run: Run) -> t.Dict[str, t.Any]:
    """Make the instance run as before the run; returns what was found and done. LifecycleError when it cannot be."""
    time.sleep(_SETTLE_S)
    context.run.hosts = run.get('hosts') or context.run.hosts
    ending = is_ending(context, run)
    if ending:
        _stop_what_was_stopping(context, run)
    untouched = _is_the_old_one(context, run) and not ending and not journal.lasting(run.get('changes') or [])
    undone = [] if untouched else take_back(context, run)
    if journal.has_had_changes(run) and not run.get('before'):
        how = 'its changes were undone; it was not running before'
        return dict(changed=bool(undone), pid=None, undone=undone, recovered=how)
    try:
        with _accepting(context, run):
            result = _start.start(context, verified_start.defaults())
    except LifecycleError as exc:
        exc.result['undone'] = undone
        raise
    how = 'it was started' if result['changed'] else 'it ran'
    if undone:
        how = 'its changes were undone, then ' + how
    elif ending:
        how = 'its last phase was completed, then ' + how
    return dict(result, changed=result['changed'] or ending, recovered=how, undone=undone)


def take_back(context: Context, run: Run) -> t.List[t.Dict[str, t.Any]]:
    """What of a run's changes was taken back now. LifecycleError when it cannot be: it may not be started then."""
    changes = run.get('changes') or []
    return undo.undo(context, changes) if changes else []


def finish(context: Context, run: Run) -> t.Optional[int]:
    """Reach what the run was to reach; returns the pid that runs. LifecycleError when that is not possible yet."""
    if wanted_state(run.get('steps') or []) != 'stopped' or journal.has_had_changes(run):
        return make_it_run(context, run)['pid']  # type: ignore[no-any-return]
    context.look()
    if _is_the_old_one(context, run):
        _stop_what_was_stopping(context, run)
    return None


def wanted_state(names: t.Iterable[str]) -> t.Optional[str]:
    """``running`` or ``stopped`` after the last of these steps that decides it; None where no step does."""
    decide = dict(graceful_stop='stopped', verified_start='running')
    states = [decide[name] for name in names if name in decide]
    return states[-1] if states else None


def should_run(run: Run) -> bool:
    """Whether the instance ran before the unfinished run, or the run was to start it."""
    started = 'verified_start' in (run.get('steps') or [])
    return bool(run.get('before')) or (started and not journal.has_had_changes(run))


def recover(context: Context, run: Run) -> t.Dict[str, t.Any]:
    """Put an unfinished run right. The lock must be held. LifecycleError when the instance does not run after it."""
    if not should_run(run) and not run.get('changes'):
        return dict(changed=False, pid=None, recovered='nothing had to be done, because it was not running before')
    context.run.touched = True  # what can pass is waited for, as far as the limit of this recovery allows
    try:
        context.look()
        wait_for_migration(context, run, context.run.time_left(_SETTLE_LIMIT_S))
        return make_it_run(context, run)
    except LifecycleError as exc:
        said = after_a_change(exc.msg) if run.get('signalled') or context.run.acts else exc.msg  # the run stopped it
        context.state.try_log('recovery_failed', durable=True, msg=said)
        text = 'Recovery of the unfinished run %s of %s failed: %s Fix the cause, then run recover.yml.'
        raise type(exc)(text % (run.get('run_id'), context.instance.id, said), **exc.result) from exc
