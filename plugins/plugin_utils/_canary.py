# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""When an upgrade asks a person whether to go on, and whether an earlier run is its canary. Pure.

The canary is the first batch with an instance that a recorded run, this one or an earlier one, has brought to the
version that is wanted. Where hosts are canaries by their group, all their batches together count as one.
"""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions as _versions
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Data = t.Mapping[str, t.Any]


class Member(t.NamedTuple):
    """An instance as ``instance_info`` told it before this run, its host, and the version that it is to have."""

    host: str
    instance: Data
    wanted: str

    @property
    def name(self) -> str:
        return f'{shown(self.host)} ({shown(self.instance["id"])})'

    @property
    def has_it(self) -> bool:
        """As the role decides that there is nothing to do."""
        version = self.instance.get('version') or {}
        return _same(version.get('running') or version.get('files'), self.wanted)

    def brought_by(self) -> list[str]:
        """The runs that have brought it to that version, and that nobody has rolled back, the newest first."""
        runs = self.instance.get('runs') or []
        return [str(run['run_id']) for run in runs if run['stands'] and _brings(run, self.wanted)]


class Question(t.NamedTuple):
    """``run_id``: of the run that is to be confirmed."""

    run_id: str
    versions: list[str]
    hosts: list[str]
    left: list[str]


def _same(one: t.Any, other: t.Any) -> bool:
    return _versions.parse(one) is not None and _versions.parse(one) == _versions.parse(other)


def _brings(run: Data, version: str) -> bool:
    return 'release' in run['changes'] and _same(run['version_after'], version)


def _once(texts: t.Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


# --- after a batch


def parts(
    hosts: t.Sequence[str], batch: t.Sequence[str], canaries: t.Container[str]
) -> tuple[t.Sequence[str], t.Sequence[str], t.Sequence[str]]:
    """The hosts before what may be the canary, those in it, and those after it, as this batch ends.

    Canaries by their group come first. It is empty as long as a batch of them follows.
    """
    begins, ends = hosts.index(batch[0]), hosts.index(batch[-1]) + 1
    of_group = sum(host in canaries for host in hosts)
    if ends < of_group:
        begins = ends
    elif ends == of_group:
        begins = 0
    return hosts[:begins], hosts[begins:ends], hosts[ends:]


def question(
    earlier: t.Iterable[Member], batch: t.Iterable[Member], later: t.Iterable[Member], run_id: str
) -> Question | None:
    """What to ask after a batch that went well; None where there is nothing to ask, or where it was asked before.

    The members are those that this run works on, of all batches. In a batch after the canary, only the first is read.
    """
    if _canary(earlier, run_id):
        return None
    members = list(batch)
    canary = _canary(members, run_id)
    left = _once(member.host for member in later if not member.has_it) if canary else []
    if not left:
        return None
    return Question(canary, _once(one.wanted for one in members), _once(one.host for one in members), left)


def _canary(members: t.Iterable[Member], run_id: str) -> str:
    """The run that has made a canary of them, '' for none."""
    by_earlier_run = ''
    for member in members:
        if not member.has_it:
            return run_id
        by_earlier_run = by_earlier_run or next(iter(member.brought_by()), '')
    return by_earlier_run


def seen(asked: Question) -> list[str]:
    """What a person should know before the answer, line by line."""
    versions, hosts, left = (shown(', '.join(words)) for words in (asked.versions, asked.hosts, asked.left))
    return [
        f'The canary has {versions}, by run {shown(asked.run_id)}: {hosts}',
        f'Not upgraded yet, hosts: {len(asked.left)}: {left}',
    ]


def how_to_go_on(asked: Question) -> list[str]:
    run = shown(asked.run_id)
    return [
        'The run ends here, because no one confirmed it with yes (anqicms_confirm_after_canary).',
        'Nothing was done on the hosts that are not upgraded yet.',
        f'Check the canary. To continue without a prompt, start the same run with -e anqicms_confirmed={run}',
        f'To roll the canary back, run the rollback playbook with -e anqicms_rollback_run={run}',
    ]


# --- before anything is touched


def refusal(run_id: str, members: t.Sequence[Member]) -> str:
    """Why a run that is said to be the canary is none, '' where it is one. ``members``: all that were found."""
    why = _why_not(run_id, members)
    if not why:
        return ''
    return (
        f'anqicms_confirmed: {why} Nothing was done. Give the id of another run, or leave anqicms_confirmed out: with '
        'anqicms_confirm_after_canary the run asks again after its first batch.'
    )


def _why_not(run_id: str, members: t.Sequence[Member]) -> str:
    run = shown(run_id)
    failed = [(one, bad) for one in members for bad in one.instance.get('badly_ended') or [] if bad['run_id'] == run_id]
    if failed:
        said = ', '.join(f'{member.name}: {shown(bad["outcome"])}' for member, bad in failed)
        return f'Run {run} did not succeed on {said}.'
    own = [one for one in members if any(known['run_id'] == run_id for known in one.instance.get('runs') or [])]
    if not own:
        known = ', '.join(_once(by for member in members for by in member.brought_by()))
        return (
            f'No instance on the hosts of this run knows a run {run} that has changed it and succeeded. Known are: '
            f'{shown(known) or "none"}.'
        )
    return next(filter(None, (_why_not_now(run_id, member) for member in own)), '')


def _why_not_now(run_id: str, member: Member) -> str:
    """Why an instance that the run has changed is no canary."""
    runs = [run for run in member.instance['runs'] if run['run_id'] == run_id]
    run, wanted = shown(run_id), shown(member.wanted)
    brings = [one for one in runs if _brings(one, member.wanted)]
    if not brings:
        versions = shown(', '.join(_once(str(one['version_after']) for one in runs if 'release' in one['changes'])))
        did = f'has brought {member.name} to {versions}' if versions else f'has upgraded nothing on {member.name}'
        return f'Run {run} {did}, and {wanted} is wanted.'
    if not any(one['stands'] for one in brings):
        return f'Run {run} was rolled back on {member.name}.'
    running = (member.instance.get('version') or {}).get('running')
    if not _same(running, member.wanted):
        now = f'it runs {shown(running)}' if running else f'its state is {shown(member.instance.get("state"))}'
        return f'{member.name} does not run {wanted} any more: {now}.'
    return ''
