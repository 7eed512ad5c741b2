# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The window: ordered steps on one instance, done by a worker that nothing of the caller's can take down."""

import os
import signal
import time
import traceback
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import (
    _detach, _process, _procfs, _recovery, _start, _state, _step_verified_start)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context, milliseconds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import STEPS

Result = t.Dict[str, t.Any]


class Plan(t.NamedTuple):
    """What a caller asked for, validated."""

    steps: t.List[t.Tuple[str, t.Dict[str, t.Any]]]
    run_id: str
    token: str
    deadline: float
    on_failure: str

    @property
    def names(self) -> t.List[str]:
        return [name for name, dummy in self.steps]


def foresee(context: Context, plan: Plan) -> t.List[Result]:
    """The plan of every step. LifecycleError when one of them refuses: nothing is stopped then."""
    planned = []
    context.look()
    for index, (name, params) in enumerate(plan.steps, 1):
        try:
            planned.append(dict(STEPS[name].plan(context, params), name=name))
        except LifecycleError as exc:
            raise LifecycleError('Step %d (%s) refuses: %s' % (index, name, exc.msg), **exc.result)
    return planned


def identity_of(context: Context) -> t.Optional[Result]:
    candidate = context.candidate
    return None if candidate is None else dict(pid=candidate.pid, start_ticks=candidate.start_ticks)


class Window:
    """One run of the steps, in the worker."""

    def __init__(self, context: Context, plan: Plan) -> None:
        self.context, self.plan = context, plan
        self.begin = time.monotonic()
        self.done = []  # type: t.List[Result]
        self.before = None  # type: t.Optional[Result]
        self.error = None  # type: t.Optional[LifecycleError]
        self.crashed = None  # type: t.Optional[str]

    def run(self) -> Result:
        """Never raises: what went wrong is in the result."""
        self.context.look()
        self.before = identity_of(self.context)
        self.context.remember()
        self._each_step()
        if self.error is not None:
            self._after_failure()
        return self.result()

    def _each_step(self) -> None:
        try:
            self._park_the_start()
            for index, (name, params) in enumerate(self.plan.steps):
                self._one_step(index, name, params)
        except LifecycleError as exc:
            self.error = exc
        except Exception as exc:  # a defect of ours must not leave the instance down
            self.crashed = traceback.format_exc()
            self.error = LifecycleError('unexpected %s: %s' % (type(exc).__name__, exc))

    def _park_the_start(self) -> None:
        """Prepare the child that will become the instance while the old process still serves."""
        names = self.plan.names
        if self.before and 'graceful_stop' in names and 'verified_start' in names[names.index('graceful_stop'):]:
            _start.prepare(self.context, self.plan.steps[names.index('verified_start')][1])

    def _one_step(self, index: int, name: str, params: t.Dict[str, t.Any]) -> None:
        if milliseconds(self.begin) > self.plan.deadline * 1000:
            raise LifecycleError('the deadline of %g s has passed before step %s' % (self.plan.deadline, name))
        self.context.state.try_log('step', index=index, name=name)
        entry = dict(name=name, started_ms=milliseconds(self.begin), changed=False)  # type: Result
        self.done.append(entry)
        try:
            entry['result'] = STEPS[name].run(self.context, params)
            entry['changed'] = bool(entry['result'].get('changed'))
        except LifecycleError as exc:
            entry.update(failed=True, result=dict(exc.result, msg=exc.msg), changed=bool(exc.result.get('changed')))
            raise
        finally:
            entry['ended_ms'] = milliseconds(self.begin)
            self.context.state.try_log('step_end', index=index, name=name, ok=not entry.get('failed'))

    def _after_failure(self) -> None:
        """A restart has nothing to roll back: try the start once more, so that the site is not left down."""
        assert self.error is not None
        self.context.close()
        if self.plan.on_failure == 'leave' or not self._should_run_again():
            return
        try:
            again = _recovery.make_it_run(self.context, dict(before=self.before))
            self.error.result['second_try'] = 'The instance runs (pid %s): %s.' % (again['pid'], again['recovered'])
        except LifecycleError as exc:
            self.error.result['second_try'] = 'A second try to start it failed too: %s' % exc.msg

    def _should_run_again(self) -> bool:
        return self.before is not None or 'verified_start' in self.plan.names

    def result(self) -> Result:
        changed = any(entry['changed'] for entry in self.done)
        after = self._state_after()
        ended, answered = self.context.listener_ended_at, self.context.answered_at
        result = dict(
            outcome='failed' if self.error else 'done' if changed else 'unchanged', changed=changed, steps=self.done,
            run_id=self.plan.run_id, instance=dict(id=self.context.instance.id, dir=self.context.instance.dir),
            downtime_ms=milliseconds(ended, answered) if ended and answered else None,
            verified_ms=milliseconds(ended) if ended and answered and not self.error else None,
            pid_before=self.before['pid'] if self.before else None, pid_after=after['pid'], state=after['state'],
            version=self.context.running_version or self.context.version,
            held=dict(connections=0, longest_ms=0, why_not='holding connections is not part of this release'))  # type: Result
        if self.error:
            result.update(failed=True, msg=self._message(after), exception=self.crashed)
        return result

    def _state_after(self) -> Result:
        try:
            candidate = self.context.look()
        except LifecycleError as exc:
            return dict(pid=None, state='unknown', why=exc.msg)
        if candidate is None:
            return dict(pid=None, state='stopped')
        return dict(pid=candidate.pid, state='running' if self.context.listens() else 'undead')

    def _message(self, after: Result) -> str:
        assert self.error is not None
        step = self.done[-1]['name'] if self.done else 'prepare'
        parts = ['%s: step %s failed: %s' % (self.context.instance.id, step, self.error.msg)]
        parts += [self.error.result['second_try']] if self.error.result.get('second_try') else []
        parts.append('Now it is %s%s.' % (after['state'], ' (pid %d)' % after['pid'] if after['pid'] else ''))
        return ' '.join(parts)


class Guardian:
    """The parent of the worker: when the worker is killed or overstays its deadline, it puts the instance right at once."""

    def __init__(self, context: Context, plan: Plan) -> None:
        self.context, self.plan = context, plan

    def run(self) -> None:
        """The whole detached work: hold the door for followers, run the worker, recover when it dies."""
        alive = open_alive(self.context.state)
        state = self.context.state
        state.try_log('guardian', pid=os.getpid())
        worker = os.fork()
        if worker == 0:
            self._work()
        state.try_log('worker', pid=worker)
        if not self._worker_ended_well(worker):
            self._recover(worker)
        os.close(alive)

    def _work(self) -> None:
        """The worker. Never returns."""
        code = 1
        try:
            finish(self.context.state, self.plan, Window(self.context, self.plan).run())
            code = 0
        except BaseException:
            os.write(2, traceback.format_exc().encode('utf-8', 'replace'))
        finally:
            os._exit(code)

    def _worker_ended_well(self, worker: int) -> bool:
        with _process.ProcessHandle(worker) as handle:
            if not handle.wait_gone(self.plan.deadline + 30.0):
                handle.signal(signal.SIGKILL)
                handle.wait_gone(10.0)
        return os.waitpid(worker, 0)[1] == 0 and self.context.state.result(self.plan.token) is not None

    def _recover(self, worker: int) -> None:
        state = self.context.state
        run = _state.unfinished(_state.last_run(state.journal())) or dict(steps=self.plan.names)
        result = dict(outcome='failed', failed=True, run_id=self.plan.run_id, steps=[], downtime_ms=None, verified_ms=None,
                      instance=dict(id=self.context.instance.id, dir=self.context.instance.dir), changed=True,
                      pid_before=(run.get('before') or {}).get('pid'))  # type: Result
        killed = '%s: the worker (pid %d) was killed in step %s.' % (self.context.instance.id, worker, run.get('step') or 'prepare')
        try:
            found = _recovery.recover(self.context, run)
            result.update(pid_after=found['pid'], state='running', msg='%s The guardian put it right: %s; it runs as pid %s.' % (
                killed, found['recovered'], found['pid']))
        except LifecycleError as exc:
            result.update(pid_after=None, state='unknown', msg='%s %s' % (killed, exc.msg))
        state.write_result(self.plan.token, result)


def finish(state: _state.StateDir, plan: Plan, result: Result) -> None:
    state.write_result(plan.token, result)
    state.try_log('end', durable=True, outcome=result['outcome'])
    state.tidy()


def open_alive(state: _state.StateDir) -> int:
    """Hold the FIFO that tells followers of a later call when we are gone."""
    path = os.path.join(state.path, 'alive')
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        pass
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)


def refuse_busy(context: Context) -> t.NoReturn:
    """Somebody else holds the lock."""
    run = context.state.running_run()
    who = ('run %s (step %s)' % (run.get('run_id'), run.get('step')) if run
           else 'pid %s, which is no run of this collection' % (', '.join(map(str, _state.lock_holders(context.instance))) or 'unknown'))
    raise LifecycleError('%s is being worked on by %s. Nothing was done. Wait until that has ended, then try again.' % (
        context.instance.id, who), holder=run)


def begin(context: Context, plan: Plan) -> int:
    """Lock, recover what is unfinished, journal, detach. Returns a descriptor that ends with the work."""
    context.state.make()
    lock = _state.lock(context.instance)
    if lock is None:
        refuse_busy(context)
    try:
        recover_unfinished(context)
        foresee(context, plan)
        write_begin(context, plan)
        context.close()
        fresh = Context(context.instance, context.state, context.port_option,
                        lambda text: context.state.try_log('progress', text=text))
        return _detach.detach(Guardian(fresh, plan).run, {lock}, os.path.join(context.state.path, 'worker.log'),
                              'anqicms-%s-%d' % (context.instance.id, os.getpid()))
    finally:
        os.close(lock)


def write_begin(context: Context, plan: Plan) -> None:
    try:
        context.state.reserve()
        context.state.log('begin', durable=True, run_id=plan.run_id, token=plan.token, steps=plan.names,
                          before=identity_of(context), boot_id=_procfs.boot_id())
    except OSError as exc:
        raise LifecycleError('The journal in %s could not be written: %s. Nothing was done. Free space there, then try again.'
                             % (context.state.path, exc.strerror))


def recover_unfinished(context: Context) -> t.Optional[Result]:
    """Put an unfinished run right. The lock must be held; None when there is none."""
    run = _state.unfinished(_state.last_run(context.state.journal()))
    return _recovery.recover(context, run) if run else None


def recover_only(context: Context) -> Result:
    """What ``recover.yml`` does. LifecycleError when it cannot be put right."""
    lock = _state.lock(context.instance)
    if lock is None:
        refuse_busy(context)
    try:
        found = recover_unfinished(context)
    finally:
        os.close(lock)
        context.close()
    if found is None:
        return dict(outcome='unchanged', changed=False, steps=[], msg='no unfinished run')
    return dict(outcome='done' if found['changed'] else 'unchanged', changed=bool(found['changed']), steps=[], pid_after=found['pid'],
                msg='unfinished run put right: %s' % found['recovered'])
