# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Decides from what the hosts reported which instances a run works on, and why it refuses."""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _resume
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._readers import DISCOVER, ENTRY
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data, is_hostile, shown

Data = t.Mapping[str, t.Any]
# The hazard of a user who may not look at a process, for the lack of become mostly.
HIDDEN = 'hidden_processes'
# What tasks and hooks get to know of an instance. No more than that: it is templated anew wherever a task names it.
KEPT = ('id', 'dir', 'binary', 'user', 'state', 'pids', 'port', 'version', 'sites', 'runs')

# Verbs that find the instances by themselves where nobody says which: they change nothing, or end what was begun.
FINDING = ('discover', 'diagnose', 'recover', 'status')


class Plan(t.NamedTuple):
    """``instances`` to work on, in order; ``refusals`` that forbid the whole run.

    ``skipped``: the others, with a reason for people and ``why`` as in ``_run/document.py`` each.

    ``unlisted``: nobody said which instances to work on.
    """

    instances: list[dict[str, t.Any]]
    skipped: list[dict[str, t.Any]]
    refusals: list[str]
    unreachable: bool
    unlisted: bool = False


def listed(value: t.Any, verb: str) -> list[dict[str, t.Any]]:
    """What to look at on a host by its ``anqicms_instances``: its entries, or one entry without ``dir`` for all of it.

    Each carries the verb and how it came about, so that the answer is never taken for that of another look.
    Raises ValueError for what is neither a list of instances nor the word 'discover'.
    """
    found = _options.value_of('anqicms_instances', value)
    if found is None:
        return [{'verb': verb, 'how': 'nothing'}]
    if found == DISCOVER:
        return [{'verb': verb, 'how': DISCOVER}]
    return [{**entry, 'verb': verb, 'how': 'list'} for entry in found]


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
    resume: str | None = None,
) -> Plan:
    """The plan for one host from its registered ``instance_info`` answers. ``resume``: the run that it resumes."""
    plan = Plan([], [], [], bool(found) and any(a.get('unreachable') for a in [found, *answers(found)]))
    if plan.unreachable:
        return plan
    if not found or any(_how(answer).get('verb', verb) != verb for answer in answers(found)):
        return plan._replace(
            refusals=['There is no preflight result for this host. Nothing was done. Run the preflight first.']
        )
    left = chosen(found, only)
    if verb not in FINDING and not only and any(_how(answer).get('how') == 'nothing' for answer in left):
        unseen = list(dict.fromkeys(_not_seen(answer) for answer in left if 'instances' not in answer))
        return plan._replace(refusals=unseen or [_UNLISTED], unlisted=not unseen)
    if only and not left:
        plan.refusals.append(
            f'None of its instances has the id {shown(", ".join(only))}. Nothing was done. Leave the host out with '
            '--limit, or correct anqicms_only. An instance that this collection has never seen running is only found '
            'where anqicms_instances lists it.'
        )
    for answer in left:
        _add_answer(plan, answer, _Wanted(verb, accept, only_if_needed, bool(only), resume))
    _refuse_twice(plan)
    return plan._replace(refusals=_once(plan.refusals))


def _once(refusals: list[str]) -> list[str]:
    """Of those for a user who may not look, the first: they are one mistake, of the whole host."""
    hidden = [text for text in refusals if f': {HIDDEN}: ' in text]
    return [text for text in refusals if text not in hidden[1:]]


_UNLISTED = (
    'anqicms_instances is not set for this host, and anqicms_only names no ids. Nothing was done. List the instances '
    'in the inventory, as shown above for those that were found, or set anqicms_instances to discover to work on all '
    'that are found.'
)


def _how(answer: Data) -> Data:
    """Why it was looked at; see ``listed``."""
    return t.cast(Data, answer.get('anqicms__listed') or {})


class _Wanted(t.NamedTuple):
    """``named``: whether the ids of its instances were given."""

    verb: str
    accept: t.Sequence[str]
    only_if_needed: bool
    named: bool
    resume: str | None


def _add_answer(plan: Plan, answer: Data, wanted: _Wanted) -> None:
    given = {key: value for key, value in _how(answer).items() if key in ENTRY}
    if 'instances' not in answer:
        refusal = _not_seen(answer)
        plan.refusals.extend([] if refusal in plan.refusals else [refusal])
        return
    if not answer['instances']:
        unseen = ''.join(f' Not seen: {shown(text, 300)}.' for text in answer.get('problems') or [])
        plan.refusals.append(
            f'{shown(given.get("dir", "this host"))}: no instance was found.{unseen} Nothing was done. '
            'Correct anqicms_instances, or take the host out of the group.'
        )
    for instance in answer['instances']:
        skipped = _skipped(instance, wanted, given)
        refusals = [] if skipped else refused(instance, wanted.verb, wanted.accept, wanted.resume)
        if skipped:
            plan.skipped.append({'dir': instance['dir'], **skipped})
        elif refusals:
            plan.refusals.extend(refusals)
        elif wanted.only_if_needed and not needs_restart(instance):
            plan.skipped.append({'dir': instance['dir'], 'why': 'not_needed', 'reason': 'runs its newest binary'})
        else:
            plan.instances.append({**{key: instance.get(key) for key in KEPT}, 'given': given})


def _skipped(instance: Data, wanted: _Wanted, given: Data) -> dict[str, str]:
    """Why it is left out, before anything can refuse the run for it; empty where nothing speaks against it."""
    why = left_alone(instance, wanted.verb, discovered=not (given or wanted.named))
    if why:
        return {'why': 'foreign', 'reason': f'not worked on: {why}'}
    verdict = _resume.decide(instance, wanted.verb, wanted.resume) if wanted.resume else None
    if verdict and verdict.kind in (_resume.FINISHED, _resume.NOT_PART):
        return {'why': verdict.kind, 'reason': verdict.text}
    return {}


def left_alone(instance: Data, verb: str, discovered: bool) -> str:
    """Why nothing is done to an instance that was found and that nobody named; '' where nothing speaks against it.

    Whoever has an account on a host can make something that is found. It must not end the run of the others.
    """
    if not discovered or verb == 'diagnose' or (verb == 'recover' and instance.get('interrupted')):
        return ''
    for key in ('id', 'dir', 'binary'):
        if is_hostile(instance.get(key)):
            return f'its {key} holds control characters or template marks'
    return shown(instance.get('foreign') or '', 300)


def _not_seen(answer: Data) -> str:
    """Why there is no answer. A Python that is missing is so for the whole host: one refusal for all its instances."""
    where = 'this host' if answer.get('python_missing') else _how(answer).get('dir', 'this host')
    return f'{shown(where)}: {_why_no_answer(answer)}'


def _why_no_answer(answer: Data) -> str:
    said = ' '.join(str(answer.get(key) or '') for key in ('msg', 'module_stderr', 'module_stdout'))
    end = '' if 'Nothing was ' in said else ' Nothing was done.'
    return f'it could not be inspected: {shown(said.strip(), 1000)}{end}'


def _refuse_twice(plan: Plan) -> None:
    ids = [instance['id'] for instance in plan.instances]
    for instance in plan.instances:
        if ids.count(instance['id']) > 1:
            plan.refusals.append(
                f'{shown(instance["dir"])}: listed more than once. Nothing was done. List every '
                'instance once in anqicms_instances.'
            )
            return


def refused(instance: Data, verb: str, accept: t.Sequence[str] = (), resume: str | None = None) -> list[str]:
    """Why nothing may be done to this instance, one text per hazard that blocks the verb and was not accepted."""
    where = shown(instance.get('dir'))
    for key in ('id', 'dir', 'binary'):
        if is_hostile(instance.get(key)):
            return [f'{where}: its {key} holds control characters or template marks. Nothing was done. Rename it.']
    standing = [hazard for hazard in blocking(instance, verb) if hazard['code'] not in accept]
    said = [f'{where}: {shown(hazard["code"])}: {_advice(hazard)}' for hazard in cause(standing)]
    return said or ([text for text in [_resume.refusal(instance, verb, resume)] if text] if resume else [])


def cause(hazards: list[Data]) -> list[Data]:
    """Only the cause, where the others are but its symptoms: a user who may not look sees nothing as it is."""
    return [hazard for hazard in hazards if hazard['code'] == HIDDEN] or hazards


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
    """What an inventory would say of these instances, without those that ``left_alone`` names."""
    keys = ('dir', 'binary', 'port')
    return [
        {key: instance[key] for key in keys if instance.get(key)}
        for instance in instances
        if not left_alone(instance, DISCOVER, discovered=True)
    ]
