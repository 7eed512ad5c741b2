# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The work of a window, detached: nothing of the caller's takes it down, a guardian puts right what it leaves."""

import functools
import os
import signal
import time
import traceback
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import boot_hook
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    after_a_change,
    nothing_done,
    system_text,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children, process, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    journal,
    last_runs,
    one_at_a_time,
    runs,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lock as _lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import detach, recovery, window_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window as _window

OVERSTAY_S = 60.0  # after the deadline: the start that a late stop is followed by, twice, then the worker is ended
_KILL_WAIT_S = 10.0
_LEAST_RECOVERY_S = 60.0
_REPORT_S = 30.0
# A guardian that stays: its pauses, and the longest single try where nothing is to be taken back. It holds the lock for
# no longer than that.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _TRY_S = 0.25, 5.0, 60.0


class Guardian:
    """The parent of the worker: when that is killed or overstays its deadline, it puts the instance right at once.

    Where the run stays unfinished and only time can help, it stays behind without the lock, see ``Vigil``.
    """

    def __init__(
        self,
        context: Context,
        plan: window_plan.Plan,
        unfinished: t.Optional[_state.Entry],
        lock: t.Optional[_lock.Lock] = None,
    ) -> None:
        self.context, self.plan, self.unfinished, self.lock = context, plan, unfinished, lock
        self.overstayed = False
        self.overstay = overstay(plan)

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
        result = state.result(self.plan.token)
        if result is None:
            result = self._recover(worker, status)
        os.close(alive)
        if result.get('waits_for'):
            Vigil(self.context, self.plan, result).keep(self.lock)

    def _work(self) -> None:
        """The worker. Never returns."""
        code = 1
        try:
            result = _window.Window(self.context, self.plan, self.unfinished).run()
            finish(self.context.state, self.plan, result)
            if self.lock is not None:
                self.lock.unlock()  # also of a guardian that cannot run: the work is over
            code = 0
        except BaseException:
            os.write(2, traceback.format_exc().encode('utf-8', 'replace'))
        finally:
            os._exit(code)

    def _wait_for(self, worker: int) -> t.Optional[int]:
        """Its exit status; None where even SIGKILL did not end it in time."""
        with process.ProcessHandle(worker) as handle:
            if not handle.wait_gone(self.plan.deadline + self.overstay) and not self._restores(handle):
                self.overstayed = True
                handle.signal(signal.SIGKILL)
                if not handle.wait_gone(_KILL_WAIT_S):
                    return None
        return os.waitpid(worker, 0)[1]

    def _restores(self, handle: process.ProcessHandle) -> bool:
        """Whether it has ended in the time that it has on top where databases may be restored."""
        last = journal.unfinished(journal.last_run(self.context.state.journal())) or {}
        more = sum(runs.restores_s(run.get('changes') or []) for run in (last, self.unfinished or {}))
        self.overstay += more
        return more > 0 and handle.wait_gone(more)

    def _how_it_ended(self, worker: int, status: t.Optional[int]) -> str:
        if self.overstayed:
            return 'the worker (pid %d) had not ended %g s after the deadline of %g s and was %s' % (
                worker,
                self.overstay,
                self.plan.deadline,
                'ended' if status is not None else 'sent SIGKILL',
            )
        if status is not None and os.WIFSIGNALED(status):
            return 'the worker (pid %d) was killed by signal %d' % (worker, os.WTERMSIG(status))
        return 'the worker (pid %d) ended without a result; see %s' % (
            worker,
            os.path.join(self.context.state.path, 'worker.log'),
        )

    def _recover(self, worker: int, status: t.Optional[int]) -> _window.Result:
        state = self.context.state
        run = journal.last_run(state.journal())
        todo = journal.unfinished(run) or dict(steps=self.plan.names)
        result: _window.Result = dict(
            outcome='failed',
            failed=True,
            run_id=self.plan.run_id,
            downtime_ms=None,
            verified_ms=None,
            steps=journal.steps_begun(run),
            instance=_window.describe_instance(self.context),
            pid_before=(todo.get('before') or {}).get('pid'),
        )
        what = '%s: %s in step %s.' % (
            self.context.instance.id,
            self._how_it_ended(worker, status),
            todo.get('step') or 'prepare',
        )
        try:
            changes = todo.get('changes') or []
            self.context.run.until = time.monotonic() + max(
                recovery_limit(self.plan), window_plan.rollback_s(changes) if changes else 0.0
            )
            found = recovery.recover(self.context, todo)
            result['msg'] = '%s The guardian recovered the instance: %s.' % (what, found['recovered'])
            lost = _end(state, 'recovered', dict(pid=found['pid']))
            if lost is not None and journal.has_had_changes(todo):
                result.update(unfinished=True, waits_for=None, msg='%s %s' % (result['msg'], _not_noted(state, lost)))
        except LifecycleError as exc:
            result.update(unfinished=True, waits_for=_window.waits_for(exc), msg='%s %s' % (what, exc))
        except Exception as exc:
            result.update(unfinished=True, waits_for=None, msg='%s %s' % (what, exc))
        result['changed'] = journal.has_changed(run) or self.context.run.acts > 0
        result['msg'] = after_a_change(result['msg']) if result['changed'] else result['msg']
        after = _window.state_after(self.context)
        result.update(pid_after=after['pid'], state=after['state'])
        result['msg'] += ' Now it is %s%s.' % (after['state'], ' (pid %d)' % after['pid'] if after['pid'] else '')
        result['msg'] += _window.said_of_guardian(result, self.plan)
        state.write_result(self.plan.token, result)
        return result


class Vigil:
    """A guardian that stays behind an unfinished run, without the lock: whoever comes next goes first.

    It finishes the run as soon as that can be done, and leaves when somebody else has taken the run over, or at its
    limit.
    """

    def __init__(self, context: Context, plan: window_plan.Plan, result: _window.Result) -> None:
        self.context, self.plan, self.waits_for = context, plan, result['waits_for']
        self.end = time.monotonic() + plan.guardian_limit
        self.pid: t.Optional[int] = result.get('pid_after')

    def keep(self, lock: t.Optional[_lock.Lock]) -> None:
        state = self.context.state
        state.try_log('guardian_stays', pid=os.getpid(), waits_for=self.waits_for, limit_s=self.plan.guardian_limit)
        self.context.close()
        if lock is not None:
            lock.unlock()
        children.close_all_but({0, 1, 2})  # followers wait for the ends of some
        handle = process.open_process(self.pid) if self.pid else None
        pause = _FIRST_PAUSE_S
        while time.monotonic() < self.end:
            if self._try():
                return
            self._wait(handle, min(pause, max(0.0, self.end - time.monotonic())))
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        state.try_log('guardian_left', durable=True, why='its time limit of %g s has passed' % self.plan.guardian_limit)

    def _wait(self, handle: t.Optional[process.ProcessHandle], seconds: float) -> None:
        """Until the process ends, at most so long; what may look for something else is asked less often."""
        if handle is not None and not handle.gone():
            handle.wait_gone(seconds)
        else:
            time.sleep(seconds)

    def _our_run(self) -> t.Optional[_state.Entry]:
        """What is unfinished of the run; None when it has ended, or another one has begun."""
        run = journal.last_run(self.context.state.journal())
        found = journal.unfinished(run) if run and run[0].get('token') == self.plan.token else None
        return None if found is None else dict(found, waits_for=self.waits_for)

    def _try(self) -> bool:
        """Whether nothing is left to do for this guardian."""
        try:
            run = self._our_run()
            if run is None:
                return True
            if not recovery.is_ready(self.context, run):
                return False
            lock = _lock.take(self.context.state, self.plan.token)
            if lock is None:
                return False
            try:
                run = self._our_run()  # somebody may have worked on it before we got the lock
                return run is None or self._finish(run)
            finally:
                self.context.close()
                lock.close()
        except (OSError, LifecycleError):  # no descriptor or process left, or no lock to be had: later, maybe
            return False

    def _finish(self, run: _state.Entry) -> bool:
        """Try once to put the instance right. The lock is held."""
        limit = window_plan.rollback_s(run['changes']) if run.get('changes') else _TRY_S
        self.context.run.until = time.monotonic() + limit
        state = self.context.state
        try:
            pid = recovery.finish(self.context, run)
        except LifecycleError as exc:
            if _window.waits_for(exc) is None:
                state.try_log('guardian_left', durable=True, why=after_a_change(exc.msg))
                return True
            return False
        lost = _end(state, 'recovered', dict(pid=pid))
        return lost is None or not journal.has_had_changes(run)


def _end(state: _state.StateDir, outcome: str, fields: _state.Entry) -> t.Optional[OSError]:
    """Note the end of a run; why it could not be noted. What the next boot was to do goes away with it."""
    lost = state.log_end(outcome, **fields)
    if lost is None:
        boot_hook.disarm(state)
    return lost


def overstay(plan: window_plan.Plan) -> float:
    """Seconds after its deadline that a worker has for what must not be broken off, without restores of databases."""
    return OVERSTAY_S + (window_plan.ROLLBACK_S if plan.makes_changes else 0.0)


def recovery_limit(plan: window_plan.Plan) -> float:
    """Seconds that a guardian has, from the end of its worker, to put the instance right with the lock held."""
    return max(plan.deadline, window_plan.ROLLBACK_S if plan.makes_changes else _LEAST_RECOVERY_S)


def longest(plan: window_plan.Plan) -> float:
    """Seconds after which worker and guardian have certainly reported."""
    return plan.deadline + overstay(plan) + _KILL_WAIT_S + recovery_limit(plan) + _REPORT_S + 2 * plan.restores_s


def finish(state: _state.StateDir, plan: window_plan.Plan, result: _window.Result) -> None:
    """The end in the journal comes first: a run with a result is over, whoever is killed now."""
    if not result.get('unfinished'):
        left = last_runs.left(result['state'], result['pid_after'], result['version'])
        lost = _end(state, result['outcome'], left)
        if lost is not None and plan.makes_changes:
            if _is_unfinished(state):
                _say_unfinished(state, plan, result, lost)
            else:  # it is written, and whether that is on the disk is not known
                note = 'The end of the run may not survive a power cut: %s.' % system_text(lost)
                result['notes'] = [*result.get('notes', []), note]
    state.write_result(plan.token, result)
    state.tidy()


def _is_unfinished(state: _state.StateDir) -> bool:
    try:
        return state.last_unfinished() is not None
    except LifecycleError:
        return True


def _say_unfinished(state: _state.StateDir, plan: window_plan.Plan, result: _window.Result, lost: OSError) -> None:
    """Without the end in the journal whoever comes next takes the changes back: nothing else may be told."""
    said = result.get('msg')
    if said is None:
        said = (
            '%s: all steps were done, but the commit could not be recorded. The next run or recovery will undo its '
            'changes.' % state.instance.id
        )
    result.update(outcome='failed', failed=True, unfinished=True, waits_for=None)
    result['msg'] = '%s %s%s' % (said, _not_noted(state, lost), _window.said_of_guardian(result, plan))


def _not_noted(state: _state.StateDir, lost: OSError) -> str:
    return 'The end of the run could not be recorded in %s: %s. Free space there, or fix the other cause.' % (
        state.path,
        system_text(lost),
    )


def begin(context: Context, plan: window_plan.Plan) -> int:
    """Lock, foresee, journal, detach. Returns a descriptor that ends with the work.

    What an earlier run left unfinished is put right by the worker, which then foresees the steps itself.
    LifecycleError for all that goes wrong before the worker is there: nothing was touched then.
    """
    try:
        return _begin(context, plan)
    except OSError as exc:
        raise nothing_done('The work on %s could not start' % context.instance.id, exc) from exc


def _begin(context: Context, plan: window_plan.Plan) -> int:
    context.state.refuse_damaged()  # such a state is not touched at all
    lock = one_at_a_time.take(context, plan.token)
    try:
        context.state.refuse_damaged()
        unfinished = journal.unfinished(journal.last_run(context.state.journal()))
        if unfinished is None:
            context.run.begins = True
            window_plan.foresee(context, plan)
            _start.note_databases(context)
        _arm(context, plan)
        _write_begin(context, plan, unfinished)
        context.close()
        return _detach_guardian(context, plan, unfinished, lock)
    finally:
        lock.close()


def _arm(context: Context, plan: window_plan.Plan) -> None:
    """Have a reboot followed by a recovery; where that cannot be, the notes of the result say so."""
    if plan.boot_hook and plan.makes_changes:
        why_not = boot_hook.arm(context.state)
        context.run.lock_notes = list(context.run.lock_notes) + ([why_not] if why_not else [])


def _detach_guardian(
    context: Context, plan: window_plan.Plan, unfinished: t.Optional[_state.Entry], lock: _lock.Lock
) -> int:
    work = Guardian(_context_of_worker(context, plan), plan, unfinished, lock).run
    name = 'anqicms-%s-%d' % (context.instance.id, os.getpid())
    try:
        return detach.detach(work, lock.descriptors, os.path.join(context.state.path, 'worker.log'), name)
    except OSError as exc:
        raise not_begun(context, plan, unfinished, exc) from exc


def not_begun(
    context: Context, plan: window_plan.Plan, unfinished: t.Optional[_state.Entry], exc: OSError
) -> LifecycleError:
    """End a run that has no worker: nothing was touched, so nothing of it is left for a recovery.

    An earlier run that was to be put right first stays unfinished. Returns what the caller is to be told.
    """
    error = nothing_done('The work on %s could not start' % context.instance.id, exc)
    if unfinished is None:
        context.state.try_log('end', durable=True, outcome='not_begun', msg=error.msg)
        boot_hook.disarm(context.state)
    after = _window.state_after(context)
    context.close()
    result: _window.Result = dict(
        outcome='failed',
        failed=True,
        changed=False,
        msg=error.msg,
        run_id=plan.run_id,
        steps=[],
        downtime_ms=None,
        verified_ms=None,
        instance=_window.describe_instance(context),
        pid_before=after['pid'],
        pid_after=after['pid'],
        state=after['state'],
    )
    try:
        context.state.write_result(plan.token, result)
    except OSError:
        pass  # then the end in the journal says it
    return error


def _context_of_worker(context: Context, plan: window_plan.Plan) -> Context:
    state = context.state
    fresh = Context(
        context.instance, state, context.port_option, lambda text: state.try_log('progress', text=text), context.user
    )
    fresh.run.note = functools.partial(state.try_log, run_id=plan.run_id)
    fresh.run.id, fresh.run.token = plan.run_id, plan.token
    fresh.run.accepted_hazards = context.run.accepted_hazards
    fresh.run.lock_notes = context.run.lock_notes
    return fresh


def _write_begin(context: Context, plan: window_plan.Plan, unfinished: t.Optional[_state.Entry]) -> None:
    try:
        context.state.reserve()
        context.state.log(
            'begin',
            durable=True,
            run_id=plan.run_id,
            token=plan.token,
            steps=plan.names,
            before=_window.identity_of(context),
            boot_id=procfs.boot_id(),
            recovers=unfinished,
            force=plan.force,
            hosts=plan.hosts,
            accepts=sorted(context.run.accepted_hazards),
        )
    except OSError as exc:
        context.state.release_reserve()
        raise nothing_done('The journal in %s could not be written' % context.state.path, exc) from exc
