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

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import separate
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import SYSTEMD, USERSPACE_KILL, Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.separate import Starts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.local_time import iso
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

OURS, MAYBE, OTHER = 'ours', 'maybe', 'other'
_CONTAINER = re.compile(r'[0-9a-f]{64}')
COMM_BYTES = 15  # what the kernel keeps of a name
_SLACK_S = 2.0  # between the clocks of /proc, of the log and of the process history
_SOON_S = 120.0  # from a death to the start of the next process, where a log was begun anew by that
_MOST_NAMED = 20
_KILL_ALL = ('systemd-oomd', 'oomd')  # killers that end all groups below the one that they name


class Other(t.NamedTuple):
    """Another instance, or another process of the same name, on this host; one that was recorded counts as well."""

    name: str
    begin: t.Optional[float]  # of the process that runs now, None when none does
    uid: t.Optional[int]
    cgroup: t.Optional[str]
    lives: t.Tuple[Life, ...] = ()  # of its process history
    pid: t.Optional[int] = None  # of the process that runs now
    dir: t.Optional[str] = None  # of an instance


class Subject(t.NamedTuple):
    """Whose death is asked for. ``lives`` are in order of their begin."""

    comm: bytes
    pid: t.Optional[int]  # as the user gave it
    uids: t.FrozenSet[int]
    lives: t.Tuple[Life, ...]
    others: t.Tuple[Other, ...]
    is_contained: bool = False  # asked in a container: the kernel's pids are the host's, and its other processes unseen
    containers: t.FrozenSet[str] = frozenset()  # ids of those that it runs in
    known_since: t.Optional[float] = None  # its own log begins then, with a start, and nothing else is older


class Seen(t.NamedTuple):
    """What the logs tell beside the event: starts of the instance, and ``named``: what names processes of its name."""

    starts: Starts = Starts()
    named: t.Tuple[Event, ...] = ()


class Match(t.NamedTuple):
    """``answer``: ours, maybe or other; ``how``: in words; ``candidates``: who else it can have been.

    ``needs_sign``: it is only sure where something else says that this instance died then. ``by_elimination``: it is
    sure unless the instance's own log goes on without an end. ``against``: something speaks against it, so that it
    is only a maybe where something else says that this instance died then.
    """

    answer: str
    how: str
    candidates: t.Tuple[str, ...] = ()
    needs_sign: bool = False
    by_elimination: bool = False
    against: bool = False


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
    return life.became < event.time - slack and (life.running or life.last_seen > event.time + slack)


def can_have_ended(life: Life, event: Event, lives: t.Sequence[Life]) -> bool:
    """Whether the end of this process can be the event: begun before it, not seen after it, no successor before it."""
    if event.time is None:
        return not life.running
    slack = event.uncertainty + _SLACK_S
    if life.became > event.time + slack or alive_at(life, event) or life.running:
        return False
    return not any(life.became < later.became < event.time - slack for later in lives)


def holds_cgroup(path: t.Optional[str], own: t.Optional[str]) -> bool:
    """Whether the group lies below a slice, or another group, that a log names by its path or by its unit."""
    if not path or not own or path.strip('/') == '' or own == '/':
        return False
    return ('/%s/' % path.strip('/')) in own + '/' if not path.startswith('/') else own.startswith(path + '/')


_NOTHING = Seen()


def match(event: Event, subject: Subject, seen: Seen = _NOTHING) -> Match:
    """Whose death the event is."""
    return (
        _by_pid(event, subject) or _by_life(event, subject) or _by_age(event, subject) or _by_name(event, subject, seen)
    )


def _by_pid(event: Event, subject: Subject) -> t.Optional[Match]:
    pids = separate.pids(event)
    is_foreign = subject.is_contained and event.kind == USERSPACE_KILL  # by a killer here, or by one on the host
    for life in reversed(subject.lives):
        if life.pid in pids and can_have_ended(life, event, subject.lives):
            return Match(OURS, 'pid %d is in the process history of this instance' % life.pid, needs_sign=is_foreign)
    if is_foreign:
        return None
    for other in subject.others:
        if any(life.pid in pids and _can_be_of(life, event, other) for life in other.lives):
            return Match(OTHER, 'it is in the process history of %s' % other.name)
    return _by_given_pid(event, subject, pids)


def _by_given_pid(event: Event, subject: Subject, pids: t.Set[int]) -> t.Optional[Match]:
    if subject.pid is None or not pids:
        return None
    is_thread = event.tgid not in (None, event.pid)  # threads have names of their own
    if subject.pid in pids and (is_thread or event.comm is None or bears_name(event, subject)):
        return Match(OURS, 'pid %d is the requested pid' % subject.pid)
    return Match(OTHER, 'pid %d was requested, and this is another process' % subject.pid)


def _can_be_of(life: Life, event: Event, other: Other) -> bool:
    """Whether the pid was that of the other instance then, whether or not it seems to have died of it."""
    if can_have_ended(life, event, other.lives):
        return True
    slack = event.uncertainty + _SLACK_S
    return (
        event.time is not None
        and life.begin - slack <= event.time
        and (life.running or event.time <= life.last_seen + slack)
    )


def _by_life(event: Event, subject: Subject) -> t.Optional[Match]:
    for life in subject.lives:
        if alive_at(life, event):
            return Match(OTHER, 'pid %d of this instance was running before and after it' % life.pid)
    return None


def _by_age(event: Event, subject: Subject) -> t.Optional[Match]:
    """What happened long before the instance is known to exist: a log that was begun anew looks alike."""
    if subject.known_since is None or event.time is None or not bears_name(event, subject):
        return None
    if event.time + event.uncertainty + _SOON_S >= subject.known_since:
        return None
    return Match(MAYBE, 'nothing is known about this instance before %s' % iso(subject.known_since), against=True)


def _by_name(event: Event, subject: Subject, seen: Seen) -> Match:
    container = containers_in(event.cgroup)
    if container and subject.containers and not container & subject.containers:
        return Match(OTHER, 'it was in another container')
    grouped = bool(container & subject.containers) or any(
        in_cgroup(event.cgroup, life.cgroup) for life in subject.lives
    )
    if event.comm is not None and not bears_name(event, subject):
        how = 'another program in the same control group' if grouped else 'another program'
        return Match(OTHER, how)
    if event.comm is None and not grouped:
        return _nameless(event, subject)
    return _among_others(event, subject, grouped, seen)


def _kills_below(event: Event) -> bool:
    return bool(event.details.get('oom_group')) or event.details.get('killer') in _KILL_ALL


def _nameless(event: Event, subject: Subject) -> Match:
    """The line names neither this instance's group nor a program."""
    if event.cgroup is None or event.pid is not None:
        return Match(MAYBE, 'the line names no program')
    theirs = _in_groups_of(event, subject)
    if theirs:
        return Match(OTHER, 'control group %s belongs to %s' % (event.cgroup, theirs[0]))
    known = _groups_then(event, subject)
    if any(holds_cgroup(event.cgroup, group) for group in known):
        return _of_slice(event)
    if known:
        return Match(OTHER, 'this instance was in control group %s' % known[-1])
    return Match(
        MAYBE,
        'the line names %s but no program, and the control '
        'group of this instance at that time is not known' % event.cgroup,
        against=True,
    )


def _of_slice(event: Event) -> Match:
    """Some killers end all that is below a group; others say that one of its processes was killed."""
    if _kills_below(event):
        return Match(
            OURS,
            'everything in %s was killed, which contains the control group of this instance' % event.cgroup,
            needs_sign=True,
        )
    return Match(MAYBE, '%s contains the control group of this instance and others' % event.cgroup, against=True)


def _in_groups_of(event: Event, subject: Subject) -> t.List[str]:
    return [other.name for other in subject.others if in_cgroup(event.cgroup, other.cgroup)]


def _groups_then(event: Event, subject: Subject) -> t.List[str]:
    """Control groups in which the process that this instance had then was seen; the root is anybody's."""
    lives = [life for life in subject.lives if can_have_ended(life, event, subject.lives)] or list(subject.lives)
    return [life.cgroup for life in lives if life.cgroup not in (None, '/')]  # type: ignore[misc]


def _among_others(event: Event, subject: Subject, grouped: bool, seen: Seen) -> Match:
    """By control group, by user, or because nobody else can have died."""
    left = [other for other in subject.others if not _lived_through(other, event)]
    theirs = _in_groups_of(event, subject)
    if theirs and not grouped and any(life.cgroup not in (None, '/') for life in subject.lives):
        return Match(OTHER, 'control group %s belongs to %s' % (event.cgroup, theirs[0]))
    if grouped and not theirs:
        is_any_of_unit = event.comm is None and event.details.get('killer') == SYSTEMD
        return Match(
            OURS,
            'control group %s belongs to this instance alone' % event.cgroup,
            needs_sign=is_any_of_unit or subject.is_contained,
        )
    was_another = _by_last_known(event, subject, seen)
    if was_another is not None and (was_another.answer == OTHER or not left):
        return was_another
    if event.uid is not None and subject.uids:
        left = [other for other in left if other.uid is None or other.uid == event.uid]
        if event.uid not in subject.uids:
            names = tuple(other.name for other in left)
            return Match(OTHER if left else MAYBE, 'uid %d is not a user of this instance' % event.uid, names)
    if subject.is_contained:
        return _seen_from_inside(event, subject, grouped, left)
    if not left:
        return _by_elimination(event, subject, seen)
    return Match(MAYBE, 'another of the same name can have been it', tuple(other.name for other in left))


def _seen_from_inside(event: Event, subject: Subject, grouped: bool, left: t.Sequence[Other]) -> Match:
    """The numbers of the kernel are those of another namespace, and a process may be moved to another group."""
    names = tuple(other.name for other in left) + ('a process outside this container',)
    groups = _groups_then(event, subject)
    if event.cgroup and groups and not grouped:
        return Match(
            MAYBE,
            'this instance was last seen in control group %s, but the line names %s' % (groups[-1], event.cgroup),
            names,
            against=True,
        )
    return Match(MAYBE, 'another of the same name can have been it', names)


def _by_last_known(event: Event, subject: Subject, seen: Seen) -> t.Optional[Match]:
    """Where the process that was seen last before the event had another pid, and no start is known since."""
    last, pids = _last_known(event, subject), separate.pids(event)
    if last is None or not pids or last.pid in pids or seen.starts.any_within(last.begin + _SLACK_S, event):
        return None
    if event.time is not None and separate.covers(seen.starts.spans, last.last_seen, event.time):
        return Match(
            OTHER, 'at that time pid %d was the process of this instance, and no other was started after it' % last.pid
        )
    return Match(
        MAYBE,
        'the last known process of this instance before that was pid %d' % last.pid,
        ('an unknown process',),
        against=True,
    )


def _by_elimination(event: Event, subject: Subject, seen: Seen) -> Match:
    """Only where no line tells of another process of that name."""
    names = _namesakes(event, subject, seen)
    if names:
        return Match(MAYBE, 'another process of the same name was running at that time', names)
    return Match(OURS, _nobody_else(event, subject), by_elimination=True)


def _last_known(event: Event, subject: Subject) -> t.Optional[Life]:
    """The process of the history that is the last one to have begun before the event."""
    at = None if event.time is None else event.time - event.uncertainty - _SLACK_S
    before = [life for life in subject.lives if at is not None and life.begin < at]
    return before[-1] if before else None


def _namesakes(event: Event, subject: Subject, seen: Seen) -> t.Tuple[str, ...]:
    """Processes of the name that the kernel's lines show at that time, and that are no known instance's."""
    own = separate.pids(event)
    found: t.Set[int] = set(event.details.get('same_name') or ())
    for named in seen.named:
        if (
            own
            and separate.pids(named)
            and not separate.pids(named) & own
            and not seen.starts.possible_between(named, event)
        ):
            found |= separate.pids(named)
    known = {life.pid for other in subject.others for life in other.lives} | {
        other.pid for other in subject.others if other.pid is not None
    }
    return tuple('pid %d, of the same name' % pid for pid in sorted(found - own - known)[:_MOST_NAMED])


def _lived_through(other: Other, event: Event) -> bool:
    if other.begin is None or event.time is None:
        return False
    return other.begin < event.time - event.uncertainty - _SLACK_S


def _nobody_else(event: Event, subject: Subject) -> str:
    name = subject.comm[:COMM_BYTES].decode('utf-8', 'backslashreplace')
    if not subject.others:
        return 'by elimination: no other known process on this host is called %s' % name
    return 'by elimination: every other %s on this host was running before and after it, or runs as another user' % name
