# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Decides from what the hosts reported which instances a run works on, and why it refuses."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data, is_hostile, shown

Data = t.Mapping[str, t.Any]
# What tasks and hooks get to know of an instance. No more than that: it is templated anew wherever a task names it.
KEPT = ('id', 'dir', 'binary', 'user', 'state', 'pids', 'port', 'version', 'sites')


class Plan(t.NamedTuple):
    """``instances`` to work on, in order; ``skipped`` with a reason each; ``refusals`` that forbid the whole run."""

    instances: list[dict[str, t.Any]]
    skipped: list[dict[str, t.Any]]
    refusals: list[str]
    unreachable: bool


def words(value: t.Any) -> list[str]:
    """A list of words, given as a list or as one text with commas."""
    return [word.strip() for word in value.split(',') if word.strip()] if isinstance(value, str) else list(value or [])


def truth(value: t.Any) -> bool:
    """A yes or no that may come as text, from a command line for example."""
    return value if isinstance(value, bool) else str(value).lower() in ('true', 'yes', 'on', '1', 'y', 't')


def answers(found: t.Any) -> list[Data]:
    """The single answers of a registered task, looped or not; none when the task did not run."""
    if not found:
        return []
    return list(found.get('results', [found]))


def chosen(found: t.Any, only: t.Sequence[str]) -> list[Data]:
    """The answers without the instances that are not among ``only``, which are ids; all where there are none."""
    if not only:
        return answers(found)
    kept: list[Data] = []
    for answer in answers(found):
        instances = [one for one in answer.get('instances') or [] if one.get('id') in only]
        if instances:
            kept.append({**answer, 'instances': instances})
        elif 'instances' not in answer:
            kept.append(answer)
    return kept


def make_plan(
    found: t.Any,
    verb: str,
    accept: t.Sequence[str] = (),
    only_if_needed: bool = False,
    only: t.Sequence[str] = (),
) -> Plan:
    """The plan for one host from its registered ``instance_info`` answers."""
    plan = Plan([], [], [], bool(found) and any(a.get('unreachable') for a in [found, *answers(found)]))
    if plan.unreachable:
        return plan
    if not found:
        plan.refusals.append('The host was not looked at. Nothing was done. Run the preflight first.')
    left = chosen(found, only)
    if found and not left:
        plan.refusals.append(
            f'None of its instances has the id {shown(", ".join(only))}. Nothing was done. Leave the host out with '
            '--limit, or correct anqicms_only. An instance that never ran while this collection looked is only found '
            'where anqicms_instances lists it.'
        )
    for answer in left:
        _add_answer(plan, answer, verb, accept, only_if_needed)
    _refuse_twice(plan)
    return plan


def _add_answer(plan: Plan, answer: Data, verb: str, accept: t.Sequence[str], only_if_needed: bool) -> None:
    listed = answer.get('anqicms__listed') or {}
    # A Python that is missing is so for the whole host: one refusal for all its instances.
    where = shown('this host' if answer.get('python_missing') else listed.get('dir', 'this host'))
    if 'instances' not in answer:
        refusal = f'{where}: {_why_no_answer(answer)}'
        plan.refusals.extend([] if refusal in plan.refusals else [refusal])
        return
    if not answer['instances']:
        plan.refusals.append(
            f'{where}: no instance was found. Nothing was done. Correct anqicms_instances, or take the '
            'host out of the group.'
        )
    for instance in answer['instances']:
        refusals = refused(instance, verb, accept)
        reason = 'runs its newest binary' if only_if_needed and not needs_restart(instance) else ''
        if refusals:
            plan.refusals.extend(refusals)
        elif reason:
            plan.skipped.append({'dir': instance['dir'], 'reason': reason})
        else:
            plan.instances.append({**{key: instance.get(key) for key in KEPT}, 'given': dict(listed)})


def _why_no_answer(answer: Data) -> str:
    said = ' '.join(str(answer.get(key) or '') for key in ('msg', 'module_stderr', 'module_stdout'))
    end = '' if 'Nothing was ' in said else ' Nothing was done.'
    return f'it could not be looked at: {shown(said.strip(), 1000)}{end}'


def _refuse_twice(plan: Plan) -> None:
    ids = [instance['id'] for instance in plan.instances]
    for instance in plan.instances:
        if ids.count(instance['id']) > 1:
            plan.refusals.append(
                f'{shown(instance["dir"])}: listed more than once. Nothing was done. List every '
                'instance once in anqicms_instances.'
            )
            return


def refused(instance: Data, verb: str, accept: t.Sequence[str] = ()) -> list[str]:
    """Why nothing may be done to this instance, one text per hazard that blocks the verb and was not accepted."""
    where = shown(instance.get('dir'))
    for key in ('id', 'dir', 'binary'):
        if is_hostile(instance.get(key)):
            return [f'{where}: its {key} holds control characters or template marks. Nothing was done. Rename it.']
    return [
        f'{where}: {shown(hazard["code"])}: {_advice(hazard)}'
        for hazard in blocking(instance, verb)
        if hazard['code'] not in accept
    ]


def _advice(hazard: Data) -> str:
    """What was seen and what to do, each a sentence."""
    message, advice = shown(hazard['message']), shown(hazard.get('advice') or '')
    return f'{message}{"" if message.endswith(".") else "."} {advice}'.rstrip()


def blocking(instance: Data, verb: str) -> list[Data]:
    """The hazards that block this verb, accepted or not."""
    return [hazard for hazard in instance.get('hazards') or [] if verb in (hazard.get('blocks') or [])]


def needs_restart(instance: Data) -> bool:
    """Whether it is not running, or runs another binary than the one on disk."""
    codes = {hazard['code'] for hazard in instance.get('hazards') or []}
    return instance.get('state') != 'running' or 'binary_replaced' in codes


def as_result(plan: Plan) -> dict[str, t.Any]:
    """The plan as plain values for playbooks, safe from being templated."""
    return t.cast('dict[str, t.Any]', as_data(plan._asdict()))


def inventory(instances: t.Sequence[Data]) -> list[dict[str, t.Any]]:
    """What an inventory would say of these instances; those whose values could be templates are left out."""
    keys = ('dir', 'binary', 'port')
    return [
        {key: instance[key] for key in keys if instance.get(key)}
        for instance in instances
        if not any(is_hostile(instance.get(key)) for key in keys)
    ]
