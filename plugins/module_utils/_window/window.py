# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The window: ordered steps on one instance. What a caller asked for, what it would do, and one run of it."""

import time
import traceback
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import undo
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    NotYet,
    after_a_change,
    present,
    system_text,
    used_up,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import downtime, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    journal,
    kept_launch,
    runs,
    slots,
    state,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context, milliseconds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import refusals
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import recovery, window_plan

Result = t.Dict[str, t.Any]
_WHY_NOT_HELD = 'holding connections is not part of this release'
START_GRACE_S = 20.0  # for a start after the deadline has passed: the site is down until then
# What must happen before an unfinished run can be ended.
WAITS_FOR_END, WAITS_FOR_ANSWER, WAITS_FOR_CONDITION = 'end_of_process', 'answer', 'condition'
WAITS_FOR_MIGRATION = recovery.WAITS_FOR_MIGRATION


def said_of_guardian(result: Result, plan: window_plan.Plan) -> str:
    """What becomes of an unfinished run, as sentences to add to its message."""
    if not result.get('unfinished'):
        return ''
    if result.get('waits_for') == WAITS_FOR_MIGRATION:
        then = 'then undoes the changes' if plan.makes_changes else 'then checks the instance'
        return (
            ' The run is unfinished, and the process was left running. Do not end it. A guardian on the host waits for '
            'the migration to end, at most %g s, and %s. If the migration takes longer, run the recover playbook after '
            'it has ended.' % (plan.guardian_limit, then)
        )
    stays = {
        WAITS_FOR_END: 'waits for the process to end, at most %g s'
        + ('' if plan.wanted_state == 'stopped' else ', then starts the instance'),
        WAITS_FOR_ANSWER: 'waits for its answer, at most %g s, and starts the instance again if the process ends',
        WAITS_FOR_CONDITION: 'tries to start it for at most %g s',
        WAITS_FOR_MIGRATION: 'waits for the migration to end, at most %g s, then recovers the instance',
    }.get(result.get('waits_for') or '')
    guardian = ' A guardian on the host %s.' % (stays % plan.guardian_limit) if stays else ''
    return ' The run is unfinished.%s To finish it now, fix the cause, then run the recover playbook.' % guardian


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
            return dict(pid=None, state='ambiguous' if context.on_its_port() else 'stopped')
        return dict(pid=candidate.pid, state='running' if context.listens() else 'undead')
    except Exception as exc:
        return dict(pid=None, state='unknown', why=str(exc))


def waits_for(error: LifecycleError) -> t.Optional[str]:
    """What must happen before the instance can be put right, None where nothing would change by itself."""
    if error.result.get('migrating'):
        return WAITS_FOR_MIGRATION
    if isinstance(error, _stop.StillAlive):
        return WAITS_FOR_END
    if isinstance(error, _start.Unproven):
        return WAITS_FOR_ANSWER
    return WAITS_FOR_CONDITION if isinstance(error, NotYet) else None


class Window:
    """One run of the steps, in the worker. ``unfinished``: an earlier run that is put right first."""

    def __init__(self, context: Context, plan: window_plan.Plan, unfinished: t.Optional[state.Entry] = None) -> None:
        self.context, self.plan, self.unfinished = context, plan, unfinished
        self.begin = time.monotonic()
        self.done: t.List[Result] = []
        self.before: t.Optional[Result] = None
        self.recovered: t.Optional[Result] = None
        self.error: t.Optional[LifecycleError] = None
        self.second_error: t.Optional[LifecycleError] = None
        self.crashed: t.Optional[str] = None
        self.acts_before = 0  # when its own work began
        self.undone: t.Optional[t.List[Result]] = None  # what was taken back
        self.proven = False  # the last process that was started, or that ran, has answered
        self.version_before: t.Optional[str] = None
        self.notes: t.List[str] = []
        context.run.until, context.run.hosts = self.begin + plan.deadline, plan.hosts
        context.run.knows_databases = unfinished is None  # whoever began this has foreseen it

    def run(self) -> Result:
        """Never raises: what went wrong is in the result."""
        self._guarded(self._work)
        failed_step = self.error is not None
        after = state_after(self.context)
        if not failed_step:
            self._compare(after)
        if self.error is not None and self._is_recovered() and (failed_step or self._has_to_take_back()):
            self._after_failure()
            after = state_after(self.context)
        if self.error is None:
            self._keep_for_a_rollback()
        return self.result(after)

    def _keep_for_a_rollback(self) -> None:
        """All was done: what a later rollback needs, before the end is noted. Without it the run is as good."""
        changes = self.context.run.changes
        if not runs.lasts(changes):
            return
        try:
            versions = (self.version_before, self.context.version)
            runs.keep(
                self.context.state,
                self.context.run.dir(),
                self.plan.run_id,
                round(time.time(), 3),
                versions,
                undo.what_was_left(self.context, changes),
            )
        except Exception as exc:
            self.notes.append(
                'This run cannot be rolled back later, because the data for it could not be saved: %s'
                % system_text(exc)
            )

    def _compare(self, after: Result) -> None:
        """All steps were done: has it stayed so since?"""
        wanted, running = self.plan.wanted_state, after['pid'] is not None
        if after['state'] != 'unknown' and wanted is not None and running != (wanted == 'running'):
            self.error = LifecycleError(
                'all steps were done, but afterwards %s. Find out what %s it.'
                % (('something has started it again', 'starts') if running else ('its process has ended', 'ends'))
            )

    def _has_to_take_back(self) -> bool:
        """Whether there is something: the launch record counts as soon as a process was signalled or started."""
        changes = self.context.run.changes
        return bool(journal.lasting(changes)) or bool(changes and self.context.run.acts > self.acts_before)

    def _is_recovered(self) -> bool:
        """Whether no earlier run is left to be put right."""
        return self.unfinished is None or self.recovered is not None

    def is_settled(self, after: Result) -> bool:
        """Whether nothing is left for a recovery: it is as this run was to leave it, or nothing was touched."""
        if not self._is_recovered():
            return False
        if not self.context.run.touched:
            return True
        before = 'running' if self.before else 'stopped'
        if self.error is not None and self._has_to_take_back():
            return self.undone is not None and self.second_error is None and after['state'] == before
        wanted = self.plan.wanted_state or before
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
        self.version_before = self.context.version
        self.context.run.window_position = self.context.logs.position()
        self.context.remember()
        self.acts_before = self.context.run.acts
        if self.plan.makes_changes:
            kept_launch.keep(self.context)
        if 'graceful_stop' in self.plan.names:
            refusals.ask_ahead(self.context)
        parked = window_plan.start_to_park(self.plan)
        if self.context.candidate and parked is not None:  # made ready while the old process serves
            _start.prepare(self.context, parked)
        if self.context.candidate and 'graceful_stop' in self.plan.names and self.plan.wanted_state == 'running':
            self.context.run.slot.take(self.context.run.time_left(slots.WAIT_S))
        for index, (name, params) in enumerate(self.plan.steps):
            self._one_step(index, name, params)

    def _recover_first(self, run: state.Entry) -> None:
        self.context.progress('recovering the unfinished run %s' % run.get('run_id'))
        changes = run.get('changes') or []
        half = self.plan.deadline / 2  # the rest is for the steps
        self.context.run.until = time.monotonic() + max(half, window_plan.rollback_s(changes) if changes else 0.0)
        takes_over = window_plan.start_to_park(self.plan) is not None and not run.get('changes')
        try:
            if takes_over and recovery.is_ending(self.context, run):
                recovered = self._take_over(run, 'its process is still exiting')
            else:
                recovered = recovery.recover(self.context, run)
                self.proven = bool(recovered['pid'])
        except LifecycleError as exc:
            if not takes_over:
                raise
            recovered = self._take_over(run, exc.msg)
        self.context.run.until = self.begin + self.plan.deadline
        self.context.look()
        before, how = identity_of(self.context) or self.before, recovered['recovered']
        self._note_recovered(run, before=before, how=how)
        self.recovered = recovered
        self.context.run.downtime = downtime.Downtime()  # that of the steps
        window_plan.foresee(self.context, self.plan)
        asking.forget(self.context)
        self.context.run.knows_databases = True

    def _note_recovered(self, run: state.Entry, **fields: t.Any) -> None:
        """LifecycleError where changes follow and it cannot be noted: they would count for the earlier run."""
        try:
            self.context.state.log('recovered', durable=True, **fields)
        except OSError as exc:
            if self.plan.makes_changes:
                raise LifecycleError(
                    'The unfinished run %s was recovered, but this could not be recorded in %s: %s. No step was run. '
                    'Free space there, then try again.' % (run.get('run_id'), self.context.state.path, system_text(exc))
                ) from exc

    def _take_over(self, run: state.Entry, why: str) -> Result:
        """This run stops and starts the instance itself, which is all that the earlier one had left to do."""
        self.context.run.touched = True  # so that this run is not settled before it runs again
        self.before = run.get('before')
        return dict(changed=False, pid=None, recovered='this run stops and starts it (%s)' % why)

    def _one_step(self, index: int, name: str, params: t.Dict[str, t.Any]) -> None:
        if time.monotonic() > present(self.context.run.until):
            raise LifecycleError('the deadline of %g s has passed before step %s.' % (self.plan.deadline, name))
        self.context.state.try_log('step', index=index, name=name)
        entry: Result = dict(name=name, started_ms=milliseconds(self.begin), changed=False)
        self.done.append(entry)
        self.proven = self.proven and name != 'graceful_stop'
        acts = self.context.run.acts
        try:
            entry['result'] = STEPS[name].run(self.context, params)
            entry['changed'] = bool(entry['result'].get('changed'))
            self._after_step(name, params, entry['result'])
        except LifecycleError as exc:
            entry['changed'] = bool(exc.result.get('changed')) or self.context.run.acts > acts
            entry.update(failed=True, result=dict(exc.result, changed=entry['changed'], msg=self._said(exc.msg)))
            raise
        except Exception:
            entry['changed'] = self.context.run.acts > acts
            raise
        finally:
            entry['ended_ms'] = milliseconds(self.begin)
            ok = 'result' in entry and not entry.get('failed')
            self.context.state.try_log('step_end', index=index, name=name, ok=ok, changed=entry['changed'])

    def _after_step(self, name: str, params: t.Mapping[str, t.Any], result: Result) -> None:
        if name == 'verified_start':
            self.proven = True
        elif name == 'graceful_stop' and (
            result['exit_kind'] == 'forced_timeout' or result['waited_ms'] > params['timeout'] * 1000
        ):  # its requests were waited for, maybe to the deadline: what starts it again is not refused for that
            self.context.run.until = max(present(self.context.run.until), time.monotonic() + START_GRACE_S)

    def _after_failure(self) -> None:
        """Take back what was changed. A restart has nothing to roll back: try the start once more."""
        error = present(self.error)
        self.context.close()
        self.context.run.knows_databases = False
        back = self._has_to_take_back()
        if self.plan.on_failure == 'leave' or not (back or self._should_run_again()) or self._has_to_wait(error):
            return
        grace = window_plan.rollback_s(self.context.run.changes) if back else START_GRACE_S
        self.context.run.until = max(present(self.context.run.until), time.monotonic() + grace)
        run = dict(before=self.before, boot_id=procfs.boot_id(), changes=self.context.run.changes if back else [])
        try:
            again = recovery.make_it_run(self.context, run)
            self.proven = True
            self.undone = again.get('undone')
            if again['changed']:
                error.result['second_try'] = 'The instance %s: %s.' % (
                    'runs (pid %s)' % again['pid'] if again['pid'] else 'is stopped',
                    again['recovered'],
                )
        except LifecycleError as exc:
            self.second_error = exc
            self.undone = exc.result.get('undone')
            error.result['second_try'] = self._what_failed(back, self._said(exc.msg))
        except Exception as exc:
            error.result['second_try'] = self._what_failed(back, system_text(exc))

    def _what_failed(self, back: bool, why: str) -> str:
        """Of the rollback, or of the second try to start it."""
        if not back:
            return 'A second attempt to start it failed as well: %s' % why
        if self.undone is None:
            return 'Its changes could not be undone, and it was not started: %s' % why
        return 'Its changes were undone, but it could not be started: %s' % why

    def _has_to_wait(self, error: LifecycleError) -> bool:
        """Whether only the guardian can go on: a process still ends, or may be migrating, which is never cut.

        What stands in the way of a start with the change may be the change.
        """
        wait = waits_for(error)
        if not self._has_to_take_back() or wait in (WAITS_FOR_END, WAITS_FOR_MIGRATION):
            return wait is not None
        return wait == WAITS_FOR_ANSWER and any(
            change['kind'] in window_plan.MIGRATING for change in self.context.run.changes
        )

    def _should_run_again(self) -> bool:
        """What did not run before is left so by a window that makes changes: that is what a rollback comes to."""
        started = any(entry['name'] == 'verified_start' for entry in self.done)
        return self.before is not None or (started and not self.plan.makes_changes)

    def _left_behind(self, after: Result) -> Result:
        """What is left to do, for the guardian and for people; empty when the run is settled."""
        if self.is_settled(after):
            return {}
        error = self.second_error or present(self.error)
        stays = None if self.plan.on_failure == 'leave' else waits_for(error)
        return dict(unfinished=True, waits_for=stays)

    def result(self, after: Result) -> Result:
        changed, down = self._has_changed(), self.context.run.downtime
        result: Result = dict(
            outcome=self._outcome(after, changed),
            changed=changed,
            steps=self.done,
            run_id=self.plan.run_id,
            instance=describe_instance(self.context),
            downtime_ms=down.milliseconds,
            verified_ms=None if self.error or down.milliseconds is None else milliseconds(present(down.first)),
            pid_before=self.before['pid'] if self.before else None,
            pid_after=after['pid'],
            state=after['state'],
            version=self.context.running_version or self.context.version,
            held=dict(connections=0, longest_ms=0, why_not=_WHY_NOT_HELD),
        )
        notes = list(self.context.run.lock_notes) + self.notes
        if notes:
            result['notes'] = notes
        if self.recovered and self.unfinished:
            result['recovered'] = 'unfinished run %s: %s' % (self.unfinished.get('run_id'), self.recovered['recovered'])
        if self.context.run.changes:
            self._say_what_was_undone()
        if self.error:
            result.update(self._left_behind(after), failed=True)
            result['msg'] = self._message(after) + said_of_guardian(result, self.plan)
        if self.crashed:
            result['exception'] = self.crashed
        return result

    def _outcome(self, after: Result, changed: bool) -> str:
        if self.error:
            return 'rolled_back' if self.undone and self.is_settled(after) else 'failed'
        return 'done' if changed else 'unchanged'

    def _has_changed(self) -> bool:
        """Whether this run has done anything yet, by a step, a recovery, or a second try."""
        recovered = bool(self.recovered and self.recovered['changed'])
        return recovered or self.context.run.acts > 0 or any(entry['changed'] for entry in self.done)

    def _said(self, text: str) -> str:
        """What a step says of itself, in the middle of a run."""
        return after_a_change(text) if self._has_changed() else text

    def _say_what_was_undone(self) -> None:
        """Of each step that changes what lasts, whether it was taken back."""
        kinds = {undone['kind'] for undone in self.undone or []}
        for entry, (name, params) in zip(self.done, self.plan.steps):
            if undo.is_change(name, params):
                entry['undone'] = name in kinds

    def _message(self, after: Result) -> str:
        error = present(self.error)
        where = 'step %s' % self.done[-1]['name'] if self.done else 'its preparation, before any step,'
        parts = ['%s: %s failed: %s' % (self.context.instance.id, where, self._said(error.msg))]
        before = [entry['name'] for entry in self.done[:-1] if entry['changed']]
        parts += ['Done before it: %s.' % ', '.join(before)] if before else []
        parts += [error.result['second_try']] if error.result.get('second_try') else []
        parts.append('Now it is %s%s.' % (after['state'], ' (pid %d)' % after['pid'] if after['pid'] else ''))
        return ' '.join(parts)
