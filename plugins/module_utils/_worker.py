# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The work of a window, detached: nothing of the caller's takes it down, a guardian puts right what it leaves."""

import os
import signal
import traceback
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _detach,
    _follow,
    _one_at_a_time,
    _process,
    _procfs,
    _recovery,
    _state,
    _window,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, nothing_done

OVERSTAY_S = 30.0      # after the deadline the step that runs may end, then the worker is ended
_KILL_WAIT_S = 10.0


class Guardian:
    """The parent of the worker: when that is killed or overstays its deadline, it puts the instance right at once."""

    def __init__(self, context: Context, plan: _window.Plan, unfinished: t.Optional[_state.Entry]) -> None:
        self.context, self.plan, self.unfinished = context, plan, unfinished
        self.overstayed = False

    def run(self) -> None:
        """The whole detached work: hold the door for followers, run the worker, recover when it dies."""
        state = self.context.state
        try:
            alive = _follow.open_alive(state)
            state.try_log('guardian', pid=os.getpid())
            worker = os.fork()
        except OSError as exc:
            not_begun(self.context, self.plan, self.unfinished, exc)
            return
        if worker == 0:
            self._work()
        state.try_log('worker', pid=worker)
        status = self._wait_for(worker)
        if state.result(self.plan.token) is None:
            self._recover(worker, status)
        os.close(alive)

    def _work(self) -> None:
        """The worker. Never returns."""
        code = 1
        try:
            window = _window.Window(self.context, self.plan, self.unfinished)
            result = window.run()
            finish(self.context.state, self.plan, result, window.is_settled)
            code = 0
        except BaseException:
            os.write(2, traceback.format_exc().encode('utf-8', 'replace'))
        finally:
            os._exit(code)

    def _wait_for(self, worker: int) -> int:
        with _process.ProcessHandle(worker) as handle:
            if not handle.wait_gone(self.plan.deadline + OVERSTAY_S):
                self.overstayed = True
                handle.signal(signal.SIGKILL)
                handle.wait_gone(_KILL_WAIT_S)
        return os.waitpid(worker, 0)[1]

    def _how_it_ended(self, worker: int, status: int) -> str:
        if self.overstayed:
            return 'the worker (pid %d) had not ended %g s after the deadline of %g s and was ended' % (
                worker, OVERSTAY_S, self.plan.deadline)
        if os.WIFSIGNALED(status):
            return 'the worker (pid %d) was killed by signal %d' % (worker, os.WTERMSIG(status))
        return 'the worker (pid %d) ended without a result; see %s' % (
            worker, os.path.join(self.context.state.path, 'worker.log'))

    def _recover(self, worker: int, status: int) -> None:
        state = self.context.state
        run = _state.last_run(state.journal())
        todo = _state.unfinished(run) or dict(steps=self.plan.names)
        result = dict(
            outcome='failed', failed=True, changed=True, run_id=self.plan.run_id, downtime_ms=None, verified_ms=None,
            steps=_state.steps_begun(run), instance=_window.describe_instance(self.context),
            pid_before=(todo.get('before') or {}).get('pid'))  # type: _window.Result
        what = '%s: %s in step %s.' % (
            self.context.instance.id, self._how_it_ended(worker, status), todo.get('step') or 'prepare')
        try:
            found = _recovery.recover(self.context, todo)
            state.try_log('end', durable=True, outcome='recovered', pid=found['pid'])
            result['msg'] = '%s The guardian put it right: %s.' % (what, found['recovered'])
        except Exception as exc:
            result['msg'] = '%s %s' % (what, exc)
        after = _window.state_after(self.context)
        result.update(pid_after=after['pid'], state=after['state'])
        result['msg'] += ' Now it is %s%s.' % (after['state'], ' (pid %d)' % after['pid'] if after['pid'] else '')
        state.write_result(self.plan.token, result)


def finish(state: _state.StateDir, plan: _window.Plan, result: _window.Result, settled: bool) -> None:
    """The end in the journal comes first: a run with a result is over, whoever is killed now."""
    if settled:
        state.try_log('end', durable=True, outcome=result['outcome'])
    state.write_result(plan.token, result)
    state.tidy()


def begin(context: Context, plan: _window.Plan) -> int:
    """Lock, foresee, journal, detach. Returns a descriptor that ends with the work.

    What an earlier run left unfinished is put right by the worker, which then foresees the steps itself.
    LifecycleError for all that goes wrong before the worker is there: nothing was touched then.
    """
    try:
        return _begin(context, plan)
    except OSError as exc:
        raise nothing_done('The work on %s could not start' % context.instance.id, exc) from exc


def _begin(context: Context, plan: _window.Plan) -> int:
    context.state.make()
    lock = _state.lock(context.instance)
    if lock is None:
        _one_at_a_time.refuse(context)
    try:
        context.state.refuse_damaged()
        unfinished = _state.unfinished(_state.last_run(context.state.journal()))
        if unfinished is None:
            _window.foresee(context, plan)
        _write_begin(context, plan, unfinished)
        context.close()
        return _detach_guardian(context, plan, unfinished, lock)
    finally:
        os.close(lock)


def _detach_guardian(context: Context, plan: _window.Plan, unfinished: t.Optional[_state.Entry], lock: int) -> int:
    work = Guardian(_context_of_worker(context), plan, unfinished).run
    name = 'anqicms-%s-%d' % (context.instance.id, os.getpid())
    try:
        return _detach.detach(work, {lock}, os.path.join(context.state.path, 'worker.log'), name)
    except OSError as exc:
        raise not_begun(context, plan, unfinished, exc) from exc


def not_begun(context: Context, plan: _window.Plan, unfinished: t.Optional[_state.Entry],
              exc: OSError) -> LifecycleError:
    """End a run that has no worker: nothing was touched, so nothing of it is left for a recovery.

    An earlier run that was to be put right first stays unfinished. Returns what the caller is to be told.
    """
    error = nothing_done('The work on %s could not start' % context.instance.id, exc)
    if unfinished is None:
        context.state.try_log('end', durable=True, outcome='not_begun', msg=error.msg)
    after = _window.state_after(context)
    context.close()
    result = dict(outcome='failed', failed=True, changed=False, msg=error.msg, run_id=plan.run_id, steps=[],
                  downtime_ms=None, verified_ms=None, instance=_window.describe_instance(context),
                  pid_before=after['pid'], pid_after=after['pid'], state=after['state'])  # type: _window.Result
    try:
        context.state.write_result(plan.token, result)
    except OSError:
        pass  # then the end in the journal says it
    return error


def _context_of_worker(context: Context) -> Context:
    state = context.state
    fresh = Context(context.instance, state, context.port_option, lambda text: state.try_log('progress', text=text))
    fresh.note = state.try_log
    return fresh


def _write_begin(context: Context, plan: _window.Plan, unfinished: t.Optional[_state.Entry]) -> None:
    try:
        context.state.reserve()
        context.state.log('begin', durable=True, run_id=plan.run_id, token=plan.token, steps=plan.names,
                          before=_window.identity_of(context), boot_id=_procfs.boot_id(), recovers=unfinished)
    except OSError as exc:
        context.state.release_reserve()
        raise nothing_done('The journal in %s could not be written' % context.state.path, exc) from exc
