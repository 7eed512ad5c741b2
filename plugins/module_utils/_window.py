# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The window: ordered steps on one instance. What a caller asked for, what it would do, and one run of it."""

import time
import traceback
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _procfs, _recovery, _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context, milliseconds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    present,
    system_text,
    used_up,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import STEPS

Result = t.Dict[str, t.Any]
_WHY_NOT_HELD = 'holding connections is not part of this release'


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
    context.will_stop = False
    context.look()
    for index, (name, params) in enumerate(plan.steps, 1):
        try:
            planned.append(dict(STEPS[name].plan(context, params), name=name))
        except LifecycleError as exc:
            raise LifecycleError('Step %d (%s) refuses: %s' % (index, name, exc.msg), **exc.result) from exc
    return planned


def start_to_park(plan: Plan) -> t.Optional[t.Dict[str, t.Any]]:
    """The options of the start that follows the first stop, None when none does. Pure."""
    names = plan.names
    if 'graceful_stop' not in names or 'verified_start' not in names:
        return None
    index = names.index('verified_start')
    return plan.steps[index][1] if index > names.index('graceful_stop') else None


def identity_of(context: Context) -> t.Optional[Result]:
    candidate = context.candidate
    return None if candidate is None else dict(pid=candidate.pid, start_ticks=candidate.start_ticks)


def describe_instance(context: Context) -> Result:
    return dict(id=context.instance.id, dir=context.instance.dir)


def state_after(context: Context) -> Result:
    """What runs now, for the result; never raises."""
    try:
        candidate = context.look()
        if candidate is None:
            return dict(pid=None, state='stopped')
        return dict(pid=candidate.pid, state='running' if context.listens() else 'undead')
    except Exception as exc:
        return dict(pid=None, state='unknown', why=str(exc))


class Window:
    """One run of the steps, in the worker. ``unfinished``: an earlier run that is put right first."""

    def __init__(self, context: Context, plan: Plan, unfinished: t.Optional[_state.Entry] = None) -> None:
        self.context, self.plan, self.unfinished = context, plan, unfinished
        self.begin = time.monotonic()
        self.done = []  # type: t.List[Result]
        self.before = None  # type: t.Optional[Result]
        self.recovered = None  # type: t.Optional[Result]
        self.error = None  # type: t.Optional[LifecycleError]
        self.crashed = None  # type: t.Optional[str]

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left for a recovery: an earlier run that could not be put right stays unfinished."""
        return self.unfinished is None or self.recovered is not None

    def run(self) -> Result:
        """Never raises: what went wrong is in the result."""
        self._guarded(self._work)
        if self.error is not None and self.is_settled:
            self._after_failure()
        return self.result()

    def _guarded(self, work: t.Callable[[], None]) -> None:
        try:
            work()
        except LifecycleError as exc:
            self.error = exc
        except Exception as exc:  # a defect of ours must not leave the instance down
            lack = used_up(exc)
            self.crashed = None if lack else traceback.format_exc()
            self.error = LifecycleError('%s. %s' % lack if lack else 'unexpected %s: %s' % (type(exc).__name__, exc))

    def _work(self) -> None:
        if self.unfinished is not None:
            self._recover_first(self.unfinished)
        self.context.look()
        self.before = identity_of(self.context)
        self.context.window_position = self.context.log_position()
        self.context.remember()
        parked = start_to_park(self.plan)
        if self.before and parked is not None:  # the child that will become the instance, while the old one serves
            _start.prepare(self.context, parked)
            self.context.slot.take()
        for index, (name, params) in enumerate(self.plan.steps):
            self._one_step(index, name, params)

    def _recover_first(self, run: _state.Entry) -> None:
        self.context.progress('putting the unfinished run %s right' % run.get('run_id'))
        recovered = _recovery.recover(self.context, run)
        self.context.look()
        before, how = identity_of(self.context), recovered['recovered']
        self.context.state.try_log('recovered', durable=True, before=before, how=how)
        self.recovered = recovered
        foresee(self.context, self.plan)

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
            ok = 'result' in entry and not entry.get('failed')
            self.context.state.try_log('step_end', index=index, name=name, ok=ok)

    def _after_failure(self) -> None:
        """A restart has nothing to roll back: try the start once more, so that the site is not left down."""
        error = present(self.error)
        self.context.close()
        if self.plan.on_failure == 'leave' or not self._should_run_again():
            return
        try:
            again = _recovery.make_it_run(self.context, dict(before=self.before, boot_id=_procfs.boot_id()))
            if again['changed']:
                error.result['second_try'] = 'The instance runs (pid %s): %s.' % (again['pid'], again['recovered'])
        except Exception as exc:
            error.result['second_try'] = 'A second try to start it failed too: %s' % system_text(exc)

    def _should_run_again(self) -> bool:
        return self.before is not None or any(entry['name'] == 'verified_start' for entry in self.done)

    def result(self) -> Result:
        changed = any(entry['changed'] for entry in self.done) or bool(self.recovered and self.recovered['changed'])
        after = state_after(self.context)
        ended, answered = self.context.listener_ended_at, self.context.answered_at
        result = dict(
            outcome='failed' if self.error else 'done' if changed else 'unchanged', changed=changed, steps=self.done,
            run_id=self.plan.run_id, instance=describe_instance(self.context),
            downtime_ms=milliseconds(ended, answered) if ended and answered else None,
            verified_ms=milliseconds(ended) if ended and answered and not self.error else None,
            pid_before=self.before['pid'] if self.before else None, pid_after=after['pid'], state=after['state'],
            version=self.context.running_version or self.context.version,
            held=dict(connections=0, longest_ms=0, why_not=_WHY_NOT_HELD))  # type: Result
        if self.recovered and self.unfinished:
            result['recovered'] = 'unfinished run %s: %s' % (self.unfinished.get('run_id'), self.recovered['recovered'])
        if self.error:
            result.update(failed=True, msg=self._message(after))
        if self.crashed:
            result['exception'] = self.crashed
        return result

    def _message(self, after: Result) -> str:
        error = present(self.error)
        where = 'step %s' % self.done[-1]['name'] if self.done else 'its preparation, before any step,'
        parts = ['%s: %s failed: %s' % (self.context.instance.id, where, error.msg)]
        parts += [error.result['second_try']] if error.result.get('second_try') else []
        parts.append('Now it is %s%s.' % (after['state'], ' (pid %d)' % after['pid'] if after['pid'] else ''))
        return ' '.join(parts)
