# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Collects what is known of the runs of one ansible-playbook: their plans, records, and lost hosts. Pure.

The action ``preflight`` returns the plan of a run as ``run``, the action ``report`` the records of a host as
``records``. The callback gets them as results, tasks as registered variables.
"""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _outcome
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document

Data = t.Mapping[str, t.Any]
_CANARY = ('anqicms__canary', 'anqicms__batch')  # one of them has sent its notification
_OF_HEAD = ('check_mode', 'resumes', 'message', 'awx_job')


class Run:
    """One run: a verb in a play. The roles have a plan for each batch of a play of somebody else."""

    def __init__(self, play: str, verb: str) -> None:
        self.play, self.verb, self.run_id = play, verb, ''
        self.began_at = self.ended_at = 0.0
        self.has_artifact = False
        self.language: str | None = None
        self.time_zone: str | None = None
        self._head: dict[str, t.Any] = {}
        self._planned: dict[tuple[str, str], document.Planned] = {}
        self._records: dict[tuple[str, str], Data] = {}
        self._notifications: list[Data] = []
        self._lost: dict[str, str] = {}
        self._working: set[str] = set()

    def add_plan(self, plan: Data, now: float) -> None:
        """``plan``: the ``run`` of the action ``preflight``, before or after the instances are known."""
        self.run_id = plan.get('run_id') or self.run_id
        self.began_at, self.ended_at = self.began_at or plan.get('began_at') or now, now
        self.language, self.time_zone = plan.get('language'), plan.get('time_zone')
        self._head.update({key: plan[key] for key in _OF_HEAD if plan.get(key)})
        self._notifications += plan.get('notifications') or []
        for row in plan.get('planned') or []:
            one = document.Planned(*row)
            self._planned[one.host, one.id] = one

    def add_record(self, record: Data, now: float) -> None:
        host = str(record['host'])
        self.run_id, self.began_at = self.run_id or str(record['run_id']), self.began_at or now
        self.ended_at = now
        self._records[host, str(record['id'])] = record
        self._working.discard(host)
        self._lost.pop(host, None)

    def add_notifications(self, notifications: t.Iterable[Data]) -> None:
        self._notifications += notifications

    def add_work(self, host: str) -> None:
        """The work on an instance of the host has started. Its record follows."""
        self._working.add(host)

    def add_lost(self, host: str, reason: str, now: float) -> None:
        """The host does not answer any more."""
        self.ended_at = now
        self._lost[host] = reason

    def add_unreachable(self, host: str) -> None:
        """The host did not answer before the work on any host started."""
        reason = 'the host was unreachable'
        of_host = [one for one in self._planned.values() if one.host == host and not one.why]
        for one in of_host or [document.Planned(host)]:
            self._planned[one.host, one.id] = one._replace(reason=reason)

    def has_failed(self, host: str) -> bool:
        return any(record['outcome'] in document.BAD for (name, _id), record in self._records.items() if name == host)

    def document(self, interrupted: bool = False) -> dict[str, t.Any]:
        head = document.Head(
            run_id=self.run_id,
            verb=self.verb,
            began_at=self.began_at,
            ended_at=self.ended_at,
            ended='interrupted' if interrupted else '',
            notifications=self._notifications,
            **self._head,
        )
        return document.make(
            head, list(self._planned.values()), [*self._records.values(), *self._without_end(interrupted)]
        )

    def _without_end(self, interrupted: bool) -> t.Iterator[Data]:
        """Records of instances whose work was seen to start, but not to end."""
        reasons = dict.fromkeys(sorted(self._working), self._interrupted()) if interrupted else {}
        for host, reason in {**reasons, **self._lost}.items():
            open_ones = [key for key, one in self._planned.items() if key[0] == host and one.id and not one.why]
            name = next((name for _host, name in open_ones if (host, name) not in self._records), '')
            if name:
                planned = {'host': host, 'id': name, 'dir': self._planned[host, name].dir}
                yield {**planned, 'outcome': 'lost', 'failed': True, 'reason': reason}

    def _interrupted(self) -> str:
        if self.verb in _outcome.WITH_WORKER:
            return 'the run was interrupted; the host completes the started work or rolls it back by itself.'
        return 'the run was interrupted during the work on this instance; its state is not known.'


class Collector:
    """The runs in the order in which they started."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def add_plan(self, plan: Data, now: float) -> Run:
        play, verb = str(plan.get('play', '')), str(plan['verb'])
        last = self.runs[-1] if self.runs else None
        if last is None or (last.play, last.verb) != (play, verb):
            last = Run(play, verb)
            self.runs.append(last)
        last.add_plan(plan, now)
        return last

    def add_records(self, records: t.Sequence[Data], now: float) -> None:
        for record in records:
            run = next((one for one in reversed(self.runs) if one.verb == record['verb']), None)
            if run is None:  # a role without its preflight
                run = Run('', str(record['verb']))
                self.runs.append(run)
            run.add_record(record, now)

    def add_notifications(self, notifications: t.Iterable[Data]) -> None:
        if self.runs:
            self.runs[-1].add_notifications(notifications)

    def add_work(self, host: str) -> None:
        if self.runs:
            self.runs[-1].add_work(host)

    def add_artifact(self) -> None:
        """A task has put the report of the latest run into the artifacts."""
        for run in self.runs[-1:]:
            run.has_artifact = True

    def add_unreachable(self, host: str, reason: str, play: str, now: float) -> None:
        """``play``: the one in which it happened."""
        if not self.runs:
            return
        run = self.runs[-1]
        if run.play == play and host not in run._working:
            run.add_unreachable(host)
        else:
            run.add_lost(host, reason, now)


def of_tasks(of_hosts: t.Mapping[str, Data], own: Data, lost: t.Iterable[str], now: float) -> Run:
    """The run of a task. ``of_hosts``: the variables of all hosts of its play; ``own``: the plan that it has seen.

    A plan is registered on all hosts that it is for. Records of another run may be left over from an earlier play.
    """
    run = Run(str(own.get('play', '')), str(own['verb']))
    plans = {plan.get('began_at'): plan for plan in map(plan_of, of_hosts.values()) if is_same(plan, own)}
    for plan in [*plans.values()] or [own]:
        run.add_plan(plan, now)
    for facts in of_hosts.values():
        for reported in kept('anqicms__reported', {'': facts}, own):
            for record in reported.get('records') or []:
                run.add_record(record, now)
    for host in lost:
        if not run.has_failed(host):
            run.add_lost(host, 'the connection was lost', now)
    of_canary = [one for name in _CANARY for one in kept(name, of_hosts, own) if one.get('notifications')]
    run.add_notifications(of_canary[0]['notifications'] if of_canary else [])
    return run


def kept(name: str, of_hosts: t.Mapping[str, Data], own: Data) -> list[Data]:
    """What the tasks of this run have registered under a name, on any host."""
    found = [facts.get(name) or {} for facts in of_hosts.values()]
    return [one for one in found if is_same(one.get('of') or {}, own)]


def plan_of(facts: Data) -> Data:
    """The latest plan that a host was in; empty if there was none."""
    return t.cast(Data, (facts.get('anqicms__shown') or {}).get('run') or {})


def is_same(one: Data, other: Data) -> bool:
    """Whether two plans, or what is kept of them, are of the same run."""
    return all(one.get(key) == other.get(key) for key in ('play', 'verb'))
