# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The window: ordered steps on one instance. What a caller asked for, what it would do, and one run of it."""

import time
import traceback
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _procfs, _recovery, _slots, _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context, milliseconds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    NOTHING_DONE,
    LifecycleError,
    NotYet,
    present,
    system_text,
    used_up,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import STEPS
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop

Result = t.Dict[str, t.Any]
_WHY_NOT_HELD = 'holding connections is not part of this release'
START_GRACE_S = 20.0  # for a start after the deadline has passed: the site is down until then
GUARDIAN_LIMIT_S = 3600.0
# What must happen before an unfinished run can be ended.
WAITS_FOR_END, WAITS_FOR_ANSWER, WAITS_FOR_CONDITION = 'end_of_process', 'answer', 'condition'


class Plan(t.NamedTuple):
    """What a caller asked for, validated."""

    steps: t.List[t.Tuple[str, t.Dict[str, t.Any]]]
    run_id: str
    token: str
    deadline: float
    on_failure: str
    guardian_limit: float = GUARDIAN_LIMIT_S

    @property
    def names(self) -> t.List[str]:
        return [name for name, dummy in self.steps]

    @property
    def hosts(self) -> t.List[str]:
        """The host names of the sites that are checked, to ask for the version where localhost gets none."""
        sites = [site for name, params in self.steps if name == 'site_check' for site in params.get('sites') or []]
        return list(dict.fromkeys(str(site['host']) for site in sites if site.get('host')))

    @property
    def force(self) -> str:
        """Of the first stop, for whoever finishes this run."""
        return next((str(params['force']) for name, params in self.steps if name == 'graceful_stop'), 'idle')

    @property
    def wanted_state(self) -> t.Optional[str]:
        """``running`` or ``stopped`` after the last step that decides it; None where no step does."""
        return _recovery.wanted_state(self.names)


def foresee(context: Context, plan: Plan) -> t.List[Result]:
    """The plan of every step. LifecycleError when one of them refuses: nothing is stopped then."""
    planned = []
    context.will_stop = False
    context.look()
    if plan.steps:
        context.refuse_wrong_port(arguments_of(plan))
    for index, (name, params) in enumerate(plan.steps, 1):
        try:
            planned.append(dict(STEPS[name].plan(context, params), name=name))
        except LifecycleError as exc:
            kind = NotYet if isinstance(exc, NotYet) else LifecycleError
            raise kind('Step %d (%s) refuses: %s' % (index, name, exc.msg), **exc.result) from exc
    return planned


def said_of_guardian(result: Result, plan: Plan) -> str:
    """What becomes of an unfinished run, as sentences to add to its message."""
    if not result.get('unfinished'):
        return ''
    stays = {
        WAITS_FOR_END: 'waits for the end of the process, at most %g s' + (
            '' if plan.wanted_state == 'stopped' else ', then starts the instance'),
        WAITS_FOR_ANSWER: 'waits for its answer, at most %g s, and starts the instance if the process ends',
        WAITS_FOR_CONDITION: 'tries to start it for at most %g s',
    }.get(result.get('waits_for') or '')
    guardian = ' A guardian on the host %s.' % (stays % plan.guardian_limit) if stays else ''
    return ' The run is unfinished.%s To finish it now, fix the cause, then run the recover playbook.' % guardian


def start_to_park(plan: Plan) -> t.Optional[t.Dict[str, t.Any]]:
    """The options of the start that follows the first stop, None when none does. Pure."""
    names = plan.names
    if 'graceful_stop' not in names or 'verified_start' not in names:
        return None
    index = names.index('verified_start')
    return plan.steps[index][1] if index > names.index('graceful_stop') else None


def arguments_of(plan: Plan) -> t.Optional[t.List[str]]:
    """The arguments that this run itself starts it with at last, None where they stay as recorded. Pure."""
    given = [params['arguments'] for dummy, params in plan.steps if params.get('arguments') is not None]
    return given[-1] if given else None


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


def waits_for(error: LifecycleError) -> t.Optional[str]:
    """What must happen before the instance can be put right, None where nothing would change by itself."""
    if isinstance(error, _stop.StillAlive):
        return WAITS_FOR_END
    if isinstance(error, _start.Unproven):
        return WAITS_FOR_ANSWER
    return WAITS_FOR_CONDITION if isinstance(error, NotYet) else None


class Window:
    """One run of the steps, in the worker. ``unfinished``: an earlier run that is put right first."""

    def __init__(self, context: Context, plan: Plan, unfinished: t.Optional[_state.Entry] = None) -> None:
        self.context, self.plan, self.unfinished = context, plan, unfinished
        self.begin = time.monotonic()
        self.done: t.List[Result] = []
        self.before: t.Optional[Result] = None
        self.recovered: t.Optional[Result] = None
        self.error: t.Optional[LifecycleError] = None
        self.second_error: t.Optional[LifecycleError] = None
        self.crashed: t.Optional[str] = None
        self.proven = False  # the last process that was started, or that ran, has answered
        context.until, context.hosts = self.begin + plan.deadline, plan.hosts

    def run(self) -> Result:
        """Never raises: what went wrong is in the result."""
        self._guarded(self._work)
        if self.error is not None and self._is_recovered():
            self._after_failure()
        after = state_after(self.context)
        if self.error is None:
            self._compare(after)
        return self.result(after)

    def _compare(self, after: Result) -> None:
        """All steps were done: has it stayed so since?"""
        wanted, running = self.plan.wanted_state, after['pid'] is not None
        if after['state'] != 'unknown' and wanted is not None and running != (wanted == 'running'):
            self.error = LifecycleError('all steps were done, but since then %s. Find out what %s it.' % (
                ('something has started it again', 'starts') if running else ('its process has ended', 'ends')))

    def _is_recovered(self) -> bool:
        """Whether no earlier run is left to be put right."""
        return self.unfinished is None or self.recovered is not None

    def is_settled(self, after: Result) -> bool:
        """Whether nothing is left for a recovery: it is as this run was to leave it, or nothing was touched."""
        if not self._is_recovered():
            return False
        if not self.context.touched:
            return True
        wanted = self.plan.wanted_state or ('running' if self.before else 'stopped')
        return bool(after['state'] == wanted and (self.proven or wanted == 'stopped'))

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
        self.before = self.before or identity_of(self.context)
        self.context.window_position = self.context.log_position()
        self.context.remember()
        parked = start_to_park(self.plan)
        if self.context.candidate and parked is not None:  # made ready while the old process serves
            _start.prepare(self.context, parked)
            self.context.slot.take(self.context.time_left(_slots.WAIT_S))
        for index, (name, params) in enumerate(self.plan.steps):
            self._one_step(index, name, params)

    def _recover_first(self, run: _state.Entry) -> None:
        self.context.progress('putting the unfinished run %s right' % run.get('run_id'))
        self.context.until = time.monotonic() + self.plan.deadline / 2  # the rest is for the steps
        takes_over = start_to_park(self.plan) is not None
        try:
            if takes_over and _recovery.is_ending(self.context, run):
                recovered = self._take_over(run, 'its process is still ending')
            else:
                recovered = _recovery.recover(self.context, run)
                self.proven = bool(recovered['pid'])
        except LifecycleError as exc:
            if not takes_over:
                raise
            recovered = self._take_over(run, exc.msg)
        self.context.until = self.begin + self.plan.deadline
        self.context.look()
        before, how = identity_of(self.context) or self.before, recovered['recovered']
        self.context.state.try_log('recovered', durable=True, before=before, how=how)
        self.recovered = recovered
        self.context.listener_ended_at = self.context.answered_at = None  # the downtime is that of the steps
        foresee(self.context, self.plan)

    def _take_over(self, run: _state.Entry, why: str) -> Result:
        """This run stops and starts the instance itself, which is all that the earlier one had left to do."""
        self.context.touched = True  # so that this run is not settled before it runs again
        self.before = run.get('before')
        return dict(changed=False, pid=None, recovered='this run stops and starts it (%s)' % why)

    def _one_step(self, index: int, name: str, params: t.Dict[str, t.Any]) -> None:
        if time.monotonic() > present(self.context.until):
            raise LifecycleError('the deadline of %g s has passed before step %s.' % (self.plan.deadline, name))
        self.context.state.try_log('step', index=index, name=name)
        entry = dict(name=name, started_ms=milliseconds(self.begin), changed=False)  # type: Result
        self.done.append(entry)
        self.proven = self.proven and name != 'graceful_stop'
        try:
            entry['result'] = STEPS[name].run(self.context, params)
            entry['changed'] = bool(entry['result'].get('changed'))
            self._after_step(name, params, entry['result'])
        except LifecycleError as exc:
            entry.update(failed=True, result=dict(exc.result, msg=exc.msg), changed=bool(exc.result.get('changed')))
            raise
        finally:
            entry['ended_ms'] = milliseconds(self.begin)
            ok = 'result' in entry and not entry.get('failed')
            self.context.state.try_log('step_end', index=index, name=name, ok=ok)

    def _after_step(self, name: str, params: t.Mapping[str, t.Any], result: Result) -> None:
        if name == 'verified_start':
            self.proven = True
        elif name == 'graceful_stop' and (
            result['exit_kind'] == 'forced_timeout' or result['waited_ms'] > params['timeout'] * 1000
        ):  # its requests were waited for, maybe to the deadline: what starts it again is not refused for that
            self.context.until = max(present(self.context.until), time.monotonic() + START_GRACE_S)

    def _after_failure(self) -> None:
        """A restart has nothing to roll back: try the start once more, so that the site is not left down."""
        error = present(self.error)
        self.context.close()
        if self.plan.on_failure == 'leave' or not self._should_run_again() or waits_for(error):
            return
        self.context.until = max(present(self.context.until), time.monotonic() + START_GRACE_S)
        try:
            again = _recovery.make_it_run(self.context, dict(before=self.before, boot_id=_procfs.boot_id()))
            self.proven = True
            if again['changed']:
                error.result['second_try'] = 'The instance runs (pid %s): %s.' % (again['pid'], again['recovered'])
        except LifecycleError as exc:
            self.second_error = exc
            error.result['second_try'] = 'A second try to start it failed too: %s' % exc
        except Exception as exc:
            error.result['second_try'] = 'A second try to start it failed too: %s' % system_text(exc)

    def _should_run_again(self) -> bool:
        return self.before is not None or any(entry['name'] == 'verified_start' for entry in self.done)

    def _left_behind(self, after: Result) -> Result:
        """What is left to do, for the guardian and for people; empty when the run is settled."""
        if self.is_settled(after):
            return {}
        error = self.second_error or present(self.error)
        stays = None if self.plan.on_failure == 'leave' else waits_for(error)
        return dict(unfinished=True, waits_for=stays)

    def result(self, after: Result) -> Result:
        changed = any(entry['changed'] for entry in self.done) or bool(self.recovered and self.recovered['changed'])
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
            result.update(self._left_behind(after), failed=True)
            result['msg'] = self._message(after) + said_of_guardian(result, self.plan)
        if self.crashed:
            result['exception'] = self.crashed
        return result

    def _message(self, after: Result) -> str:
        error = present(self.error)
        said = error.msg
        if self.context.touched:  # true of the step, but not of the run
            said = said.replace(NOTHING_DONE, 'It was stopped before by this run, and nothing was started.')
        where = 'step %s' % self.done[-1]['name'] if self.done else 'its preparation, before any step,'
        parts = ['%s: %s failed: %s' % (self.context.instance.id, where, said)]
        parts += [error.result['second_try']] if error.result.get('second_try') else []
        parts.append('Now it is %s%s.' % (after['state'], ' (pid %d)' % after['pid'] if after['pid'] else ''))
        return ' '.join(parts)
