# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Decides what is left to do of an earlier run, from what each host has recorded of it. Pure.

A run and those that have resumed it are one *family*: what one of them has finished is finished.
"""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import plans as _plans
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]
FINISHED, LEFT, NOT_PART, REFUSED = 'finished', 'left', 'not_part', 'refused'
_ENDED_WELL = ('done', 'unchanged')
_RECOVER = 'recover'


class Verdict(t.NamedTuple):
    """``kind``: FINISHED, LEFT to do, NOT_PART of that run, or REFUSED. ``text`` says why, for people.

    ``other_verb``: what that run was, if it was another verb.
    """

    kind: str
    text: str
    other_verb: str = ''


class Run(t.NamedTuple):
    """What an instance knows of a run. ``names``: of its family; ``own``: those that the run and its resumes have."""

    name: str
    plan: Data | None  # the newest of the family
    last: Data | None  # the last run that worked on the instance, but for recoveries
    family: frozenset[str]
    own: frozenset[str]

    @property
    def is_known(self) -> bool:
        return bool(self.own)

    def has(self, name: str) -> bool:
        return name in self.family or any(_plans.is_hop_of(name, one) for one in self.family)


def of_run(instance: Data, name: str) -> Run:
    """What the instance knows of it. ``instance``: as instance_info describes it."""
    planned = list(instance.get('planned') or [])  # the newest first
    own = {name} | _followers(planned, name)
    family = own | _ancestors(planned, name)
    work = [run for run in instance.get('last_runs') or [] if run.get('verb') != _RECOVER]
    begun = {str(run['run_id']) for run in work}
    known = {str(plan['run_id']) for plan in planned} | {
        one for one in own if one in begun or any(_plans.is_hop_of(found, one) for found in begun)
    }
    plan = next((plan for plan in planned if plan['run_id'] in own), None)
    return Run(name, plan, work[0] if work else None, frozenset(family), frozenset(own & known))


def _followers(planned: t.Sequence[Data], name: str) -> set[str]:
    """The runs that have resumed it, and those that have resumed them. One of another verb was refused."""
    found: set[str] = set()
    verb = next((plan['verb'] for plan in planned if plan['run_id'] == name), None)
    for plan in reversed(planned):
        if plan.get('resumes') in {name, *found} and verb in (None, plan['verb']):
            found.add(str(plan['run_id']))
    return found - {name}


def _ancestors(planned: t.Sequence[Data], name: str) -> set[str]:
    found: set[str] = set()
    for plan in planned:
        if plan['run_id'] in {name, *found} and plan.get('resumes'):
            found.add(str(plan['resumes']))
    return found


def decide(instance: Data, verb: str, name: str) -> Verdict:
    """What the run that resumes ``name`` does with an instance."""
    if instance.get('planned') is None or instance.get('last_runs') is None:
        return Verdict(REFUSED, f'its records cannot be read, so it is not known whether run {shown(name)} is finished')
    run = of_run(instance, name)
    if not run.is_known:
        return Verdict(NOT_PART, f'not part of run {shown(name)}')
    was = [one['verb'] for one in (run.plan, run.last) if one and one.get('verb') and run.has(str(one['run_id']))]
    if was and was[0] != verb:
        return Verdict(REFUSED, f'run {shown(name)} was a {shown(was[0])}, not a {verb}', str(was[0]))
    return _by_last_work(instance, run)


def _by_last_work(instance: Data, run: Run) -> Verdict:
    last = run.last
    if last is None or not run.has(str(last['run_id'])):
        return _untouched(instance, run)
    if last['outcome'] not in _ENDED_WELL or last['run_id'] not in run.family:
        return Verdict(LEFT, f'{_named(last)}: {shown(last["outcome"])}')
    if last.get('as_left'):
        return Verdict(FINISHED, f'finished by run {shown(last["run_id"])}')
    if last.get('as_left') is None:
        return Verdict(
            REFUSED, f'whether it is still as {_named(last)} has left it ({_left(last)}) is not known: {_now(instance)}'
        )
    return Verdict(REFUSED, f'it was changed since {_named(last)}, which left it {_left(last)}: {_now(instance)}')


def _untouched(instance: Data, run: Run) -> Verdict:
    plan, last = run.plan, run.last
    if last is not None and (last.get('began_at') or 0) > ((plan or {}).get('at') or 0):
        return Verdict(REFUSED, f'it was changed since run {shown(run.name)}: {_named(last)} has worked on it')
    before, now = (plan or {}).get('version'), (instance.get('version') or {}).get('running')
    if before and now and before != now:
        return Verdict(
            REFUSED, f'it was changed since run {shown(run.name)}, which saw version {shown(before)}: {_now(instance)}'
        )
    return Verdict(LEFT, f'not started by run {shown(run.name)}')


def _named(last: Data) -> str:
    verb = f' ({shown(last["verb"])})' if last.get('verb') else ''
    return f'run {shown(last["run_id"])}{verb}'


def _left(last: Data) -> str:
    return f'running as pid {last["pid"]}' if last.get('pid') else shown(last.get('state') or 'in an unknown state')


def _now(instance: Data) -> str:
    pids = ', '.join(str(pid) for pid in instance.get('pids') or [])
    running = f' as pid {pids}' if pids else ''
    version = (instance.get('version') or {}).get('running')
    return f'now it is {shown(instance.get("state"))}{running}{f", version {shown(version)}" if version else ""}'


def refusal(instance: Data, verb: str, name: str) -> str:
    """Why the run that resumes ``name`` cannot work on the instance, with both ways out; '' if it can."""
    verdict = decide(instance, verb, name)
    if verdict.kind != REFUSED:
        return ''
    said = f'{shown(instance.get("dir"))}: {verdict.text}. Nothing was done.'
    if verdict.other_verb:
        return f'{said} Use the playbook {shown(verdict.other_verb)} to resume it.'
    return (
        f'{said} If the instance is as it should be, leave it out of this run, with --limit or anqicms_only. Otherwise '
        f'run {verb} on it without anqicms_resume (-e anqicms_only={shown(instance.get("id"))}) first, and then leave '
        'it out here.'
    )


def of_fleet(name: str, found: t.Sequence[tuple[str, Data]], inventory: t.Container[str], limited: bool) -> str:
    """Why a run cannot be resumed with these hosts at all; '' if it can.

    ``found``: the instances with their hosts. ``inventory``: all of its hosts. ``limited``: whether --limit is given.
    """
    known = [run for run in (of_run(instance, name) for _host, instance in found) if run.is_known]
    unread = [host for host, instance in found if instance.get('planned') is None]
    if not known and not unread:
        return (
            f'No host{" within --limit" if limited else ""} knows run {shown(name)}. Nothing was done. Check the name, '
            'for example with the playbook status, and that this is the inventory of that run. An instance remembers '
            'its last 20 runs.'
        )
    for run in known:
        missing = [host for host in (run.plan or {}).get('fleet') or [] if host not in inventory]
        if missing:
            return (
                f'Run {shown(name)} is of another fleet: it had the host {shown(missing[0])}, which is not in this '
                'inventory. Nothing was done. Use the inventory of that run, or work on the instances without '
                'anqicms_resume, with --limit or anqicms_only.'
            )
    return ''


def summary(name: str, found: t.Sequence[tuple[str, Data]], verb: str, limited: bool) -> str:
    """What is left of the run, in one line."""
    kinds = [decide(instance, verb, name).kind for _host, instance in found]
    count = {kind: kinds.count(kind) for kind in (LEFT, FINISHED, NOT_PART, REFUSED)}
    texts = [f'{count[LEFT]} to do', f'{count[FINISHED]} finished', f'{count[NOT_PART]} not part of it']
    texts += [f'{count[REFUSED]} refused'] if count[REFUSED] else []
    line = f'Resumes run {shown(name)}: {", ".join(texts)}.'
    line += '' if count[LEFT] or count[REFUSED] else ' Nothing is left to do.'
    return line + (' Hosts outside --limit were not checked.' if limited else '')
