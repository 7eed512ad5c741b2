# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether the process that a line names was this instance's. Pure; explained in docs/memory-kills.md (Identity).

A name is no identity: instances of one host share it, and pids are used again. Known processes decide first, then
control group and user, then whether anybody else of that name can have died.
"""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death_types import SYSTEMD, Event, Life

OURS, MAYBE, OTHER = 'ours', 'maybe', 'other'
_CONTAINER = re.compile(r'[0-9a-f]{64}')
COMM_BYTES = 15   # what the kernel keeps of a name
_SLACK_S = 2.0    # between the clocks of /proc, of the log and of the process history


class Other(t.NamedTuple):
    """Another instance, or another process of the same name, on this host."""

    name: str
    begin: t.Optional[float]  # of the process that runs now, None when none does
    uid: t.Optional[int]
    cgroup: t.Optional[str]
    lives: t.Tuple[Life, ...] = ()  # of its process history


class Subject(t.NamedTuple):
    """Whose death is asked for. ``lives`` are in order of their begin."""

    comm: bytes
    pid: t.Optional[int]  # as the user gave it
    uids: t.FrozenSet[int]
    lives: t.Tuple[Life, ...]
    others: t.Tuple[Other, ...]
    is_contained: bool = False  # asked in a container: the kernel's pids are the host's, and its other processes unseen
    containers: t.FrozenSet[str] = frozenset()  # ids of those that it runs in


class Match(t.NamedTuple):
    """``answer``: ours, maybe or other; ``how``: in words; ``candidates``: who else it can have been.

    ``needs_sign``: it is only sure where something else says that this instance died then. ``by_elimination``: it is
    sure unless the instance's own log goes on without an end.
    """

    answer: str
    how: str
    candidates: t.Tuple[str, ...] = ()
    needs_sign: bool = False
    by_elimination: bool = False


def bears_name(event: Event, subject: Subject) -> bool:
    return event.comm is not None and event.comm[:COMM_BYTES] == subject.comm[:COMM_BYTES]


def in_cgroup(path: t.Optional[str], own: t.Optional[str]) -> bool:
    """Whether a path of the log is the group or its unit, or lies below it; a container sees the end of its own."""
    if not path or not own or own == '/':
        return False
    return path == own or path.startswith(own + '/') or path.endswith(own) or own.endswith('/' + path)


def containers_in(*paths: t.Optional[str]) -> t.FrozenSet[str]:
    """Ids of the containers that paths of control groups name."""
    return frozenset(found for path in paths for found in _CONTAINER.findall(path or ''))


def alive_at(life: Life, event: Event) -> bool:
    """Whether this process certainly lived before and after the event."""
    if event.time is None:
        return False
    slack = event.uncertainty + _SLACK_S
    return life.begin < event.time - slack and (life.running or life.last_seen > event.time + slack)


def can_have_ended(life: Life, event: Event, lives: t.Sequence[Life]) -> bool:
    """Whether the end of this process can be the event: begun before it, not seen after it, no successor before it."""
    if event.time is None:
        return not life.running
    slack = event.uncertainty + _SLACK_S
    if life.begin > event.time + slack or alive_at(life, event) or life.running:
        return False
    return not any(life.begin < later.begin < event.time - slack for later in lives)


def match(event: Event, subject: Subject) -> Match:
    """Whose death the event is."""
    return _by_pid(event, subject) or _by_life(event, subject) or _by_name(event, subject)


def _pids(event: Event) -> t.Set[int]:
    return {pid for pid in (event.pid, event.tgid) if pid is not None}


def _by_pid(event: Event, subject: Subject) -> t.Optional[Match]:
    pids = _pids(event)
    for life in reversed(subject.lives):
        if life.pid in pids and can_have_ended(life, event, subject.lives):
            return Match(OURS, 'pid %d is in the process history of this instance' % life.pid)
    for other in subject.others:
        if any(life.pid in pids and can_have_ended(life, event, other.lives) for life in other.lives):
            return Match(OTHER, 'it is in the process history of %s' % other.name)
    if subject.pid is None or not pids:
        return None
    is_thread = event.tgid not in (None, event.pid)  # threads have names of their own
    if subject.pid in pids and (is_thread or event.comm is None or bears_name(event, subject)):
        return Match(OURS, 'pid %d was asked for' % subject.pid)
    return Match(OTHER, 'pid %d was asked for, and this is another process' % subject.pid)


def _by_life(event: Event, subject: Subject) -> t.Optional[Match]:
    for life in subject.lives:
        if alive_at(life, event):
            return Match(OTHER, 'pid %d of this instance lived before and after it' % life.pid)
    return None


def _by_name(event: Event, subject: Subject) -> Match:
    container = containers_in(event.cgroup)
    if container and subject.containers and not container & subject.containers:
        return Match(OTHER, 'it was in another container')
    grouped = bool(container & subject.containers) or any(
        in_cgroup(event.cgroup, life.cgroup) for life in subject.lives)
    if event.comm is not None and not bears_name(event, subject):
        how = 'another program of the same control group' if grouped else 'another program'
        return Match(OTHER, how)
    if event.comm is None and not grouped:
        return Match(OTHER if event.pid is None and event.cgroup else MAYBE, 'the line names no program')
    return _among_others(event, subject, grouped)


def _among_others(event: Event, subject: Subject, grouped: bool) -> Match:
    """By control group, by user, or because nobody else can have died."""
    left = [other for other in subject.others if not _lived_through(other, event)]
    theirs = [other.name for other in subject.others if in_cgroup(event.cgroup, other.cgroup)]
    if theirs and not grouped and any(life.cgroup not in (None, '/') for life in subject.lives):
        return Match(OTHER, 'control group %s is that of %s' % (event.cgroup, theirs[0]))
    if subject.is_contained and event.cgroup and not grouped and _was_elsewhere(event, subject):
        return Match(OTHER, 'this instance was in another control group')
    if grouped and not theirs:
        is_any_of_unit = event.comm is None and event.details.get('killer') == SYSTEMD
        return Match(OURS, 'control group %s is this instance\'s alone' % event.cgroup,
                     needs_sign=is_any_of_unit or subject.is_contained)
    if event.uid is not None and subject.uids:
        left = [other for other in left if other.uid is None or other.uid == event.uid]
        if event.uid not in subject.uids:
            names = tuple(other.name for other in left)
            return Match(OTHER if left else MAYBE, 'uid %d is not this instance\'s' % event.uid, names)
    if not left and subject.is_contained:
        return Match(MAYBE, 'another of the same name can have been it', ('a process outside of this container',))
    if not left:
        return Match(OURS, _nobody_else(event, subject), by_elimination=True)
    return Match(MAYBE, 'another of the same name can have been it', tuple(other.name for other in left))


def _was_elsewhere(event: Event, subject: Subject) -> bool:
    """Whether the process that this instance had then was in a group that the line does not name."""
    return any(life.cgroup not in (None, '/') and can_have_ended(life, event, subject.lives) for life in subject.lives)


def _lived_through(other: Other, event: Event) -> bool:
    if other.begin is None or event.time is None:
        return False
    return other.begin < event.time - event.uncertainty - _SLACK_S


def _nobody_else(event: Event, subject: Subject) -> str:
    name = subject.comm[:COMM_BYTES].decode('utf-8', 'backslashreplace')
    if not subject.others:
        return 'by elimination: nothing else of this host is called %s' % name
    return 'by elimination: every other %s of this host lived before and after it, or runs as another user' % name
