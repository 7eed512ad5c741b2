# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What one message of the kernel says about memory, crashes and boots, in every wording since 2.6.18. Pure.

Distributions carry newer wordings back to older kernels, so the version of a kernel says nothing about its wording:
all of them are accepted (docs/memory-kills.md). ``_death.kernel`` makes events out of these records.
"""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import log_prefix
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import CGROUP, GLOBAL, RawLine

# Forms of a record. A victim is gone:
KILLED, SHARING, REAPED, PINNED = 'killed', 'sharing', 'reaped', 'pinned'
NAMED, ANDROID = 'named', 'low_memory_killer'
# Somebody was chosen, and what came of it stands elsewhere:
CHOSEN, INTENT, TASK_IN, GROUP, INVOKED, SYSRQ, ROW = (
    'chosen',
    'intent',
    'task_in',
    'group',
    'invoked',
    'sysrq',
    'row',
)
# Nobody was killed:
WOULD_HAVE, SKIPPED, NOBODY, NO_PAGES, LEAKED = (
    'would_have',
    'already_exiting',
    'nobody_killable',
    'allocation_failure',
    'fault_leaked',
)
# Others:
SEGFAULT, PANIC, BOOT = 'segfault', 'panic', 'boot'

# What a message may say without being one of these: that something was killed, or that memory ran out.
_SPEAKS = re.compile(
    rb'(?i)(?:memory cgroup )?out of memory\b|(?<![a-z])oom[-_ ]?kill(?:ed|ing|er)?\b|(?<![a-z])oom: ?kill'
    rb'|low ?memory ?killer|(?<![a-z])kill(?:ed|ing)? (?:process|task|pid|victim)\b|sen[dt](?:ing)? sigkill\b'
    rb'|sacrifice child\b|no killable\b|memory (?:is )?exhausted\b'
)
# And what belongs to a kill that is told elsewhere, or is none: stacks, the table of tasks, buffers of sockets.
_SAYS_NO_KILL = re.compile(
    rb'\+0x[0-9a-f]+/0x|\[ *pid *\] +uid|oom_(?:score_)?adj is deprecated|TCP: out of memory'
    rb'|RIP: 00|Call Trace|Comm: '
)
# Another program: its own log may hold anything.
_OTHER = re.compile(rb'(?:^|[\s\]>])(?!kernel\b)([A-Za-z][\w./@-]{0,63})(?:\[\d{1,10}\])?: ')
_OTHER_WITH_PID = re.compile(rb'[^\s\[\]:]{1,64}\[\d{1,10}\]: ')

_FROM_ESCAPE = re.compile(rb'\\x([0-9a-f]{2})|#(0[0-3][0-7]|177|[23][0-7][0-7])')
_WHY = (
    rb'(?:(?P<why>[Oo]ut of [Mm]emory(?: in UB (?P<ub>\d{1,10}))?|Memory cgroup out of memory'
    rb'|No available memory(?: \(MPOL_BIND\)| in cpuset)?)'
    rb'(?P<current> \(oom_kill_allocating_task\))?: )?'
)
_NAME = rb'\((?P<comm>.*)\)'
_UID = rb'(?:, UID (?P<%s>\d{1,10}),)?'
_PATTERNS: t.Tuple[t.Tuple[str, t.Pattern[bytes]], ...] = tuple(
    (form, re.compile(pattern, re.DOTALL))
    for form, pattern in (
        (KILLED, _WHY + rb'(?:OOM k|K)illed process (?:(?P<pid>\d{1,10})(?=[ ,])|\d*\Z)(?P<rest>.*)'),
        (CHOSEN, rb'oom-kill:constraint=(?P<constraint>[A-Z_]+)(?P<rest>,.*)'),
        (SHARING, rb'Kill process (?P<pid>\d{1,10}) ' + _NAME + rb' sharing same memory'),
        (
            INTENT,
            _WHY + rb'[Kk]ill process (?P<pid>\d{1,10})(?=[ ,])(?:(?:, UID \d{1,10},)? ' + _NAME + rb')?'
            rb'(?:.* score (?P<score>\d{1,10})\b)?',
        ),
        (REAPED, rb'oom_reaper: (?:reaped process |unable to reap pid:)(?P<pid>\d{1,10}) ' + _NAME),
        (PINNED, rb'oom killer (?P<pid>\d{1,10}) \((?P<comm>.*)\) has mm pinned by \d+ \('),
        (GROUP, rb'Tasks in (?P<cgroup>/.*) are going to be killed due to memory\.oom\.group set'),
        (TASK_IN, rb'Task in (?P<cgroup>/.*) killed as a result of limit of (?P<limit>.*)'),
        (INVOKED, rb'(?P<comm>.{0,64}?) invoked oom-killer: (?P<rest>.*)'),
        (SYSRQ, rb'Workqueue: \S+ moom_callback|(?i:sysrq ?: )Manual OOM execution'),
        (WOULD_HAVE, rb'Would have killed process (?P<pid>\d{1,10}) ' + _NAME),
        (SKIPPED, _WHY + rb'OOM victim (?P<pid>\d{1,10}) ' + _NAME + rb' is already exiting'),
        (NOBODY, rb'(?:Out of memory|Memory cgroup out of memory) and no killable processes'),
        (NO_PAGES, rb'(?P<comm>.{0,64}?): page allocation failure[:.]'),
        (LEAKED, rb'Huh VM_FAULT_OOM leaked'),
        (
            ANDROID,
            (
                rb"lowmemorykiller: Kill(?:ing)? '(?P<comm>.{0,64}?)' \((?P<pid>\d{1,10})\)"
                rb'(?: \(tgid (?P<tgid>\d{1,10})\))?'
            ),
        ),
        (
            ANDROID,
            (
                rb'(?:lowmemorykiller: |lowmem_shrink: ?)?send sigkill to (?P<pid>\d{1,10}) '
                rb'\((?P<comm>.{0,64}?)\), (?:oom_)?adj '
            ),
        ),
        (NAMED, rb'VM: killing process (?P<comm>.{1,64})\Z'),
        (PANIC, rb'Kernel panic - not syncing: (?:[Oo]ut of memory|System is deadlocked on memory)'),
        (
            SEGFAULT,
            rb'(?:traps: )?(?P<comm>.{1,64})\[(?P<pid>\d{1,10})\]:? (?:segfault at|general prot|trap |unhandled )',
        ),
        (BOOT, rb'Linux version \d'),
        (
            ROW,
            (
                rb'\[ *(?P<pid>\d{1,10})\] +(?P<uid>\d{1,10}) +(?P<tgid>\d{1,10})(?: +-?\d{1,20}){4,12} '
                rb'(?P<comm>.{1,64})\Z'
            ),
        ),
    )
)
# A name may hold whatever follows a name, so the last place that fits counts; the sizes hold no name.
_VICTIM = tuple(
    re.compile(_UID % b'before' + rb',? ?' + _NAME + rest, re.DOTALL)
    for rest in (_UID % b'after' + rb',? ?(?P<sizes>(?:total-vm|vsz|score \d{1,10} vm):\d+.*)', rb'(?P<sizes>.*)')
)
_SIZE = re.compile(rb'\b(total-vm|vsz|vm|anon-rss|file-rss|shmem-rss|rss|pgtables):(\d{1,20})kB')
_SIZES = {
    b'total-vm': 'total_vm_kb',
    b'vsz': 'total_vm_kb',
    b'vm': 'total_vm_kb',
    b'rss': 'anon_rss_kb',
    b'anon-rss': 'anon_rss_kb',
    b'file-rss': 'file_rss_kb',
    b'shmem-rss': 'shmem_rss_kb',
    b'pgtables': 'pgtables_kb',
}
_UID_AFTER = re.compile(rb'\bUID:(\d{1,10})\b(?!\Z)')
_SCORE_ADJ = re.compile(rb'\boom_score_adj:(-?\d{1,4})')
_ORDER = re.compile(rb'\border=(-?\d{1,3})')
_TASK = re.compile(rb',task=(?P<comm>.*),pid=(?P<pid>\d{1,10}),uid=(?P<uid>\d{1,10})', re.DOTALL)


_OF_DEATH = (KILLED, NAMED, ANDROID, SHARING, REAPED, PINNED, CHOSEN, INTENT, TASK_IN, GROUP, INVOKED, PANIC)
FORMS = tuple(dict.fromkeys(form for form, dummy in _PATTERNS))  # as docs/memory-kills.md tells them


class Record(t.NamedTuple):
    """What one line says. ``scope``: global, cgroup, or None where the line does not tell."""

    form: str
    pid: t.Optional[int]
    comm: t.Optional[bytes]
    uid: t.Optional[int]
    cgroup: t.Optional[str]
    scope: t.Optional[str]
    details: t.Dict[str, t.Any]


def parse(message: bytes) -> t.Optional[Record]:
    """What a message without its prefix says; None for all that does not concern a death."""
    for form, pattern in _PATTERNS:
        match = pattern.match(message)
        if match:
            return _READERS.get(form, _plain)(form, match)
    return None


def parse_line(line: RawLine) -> t.Tuple[t.Optional[Record], bool]:
    """The record of a line, and whether the kernel wrote it as far as can be told.

    A journal knows the transport, /dev/kmsg the facility. In a file the tag is all there is.
    """
    prefix = log_prefix.split(line.text)
    from_journal = line.evidence.cursor is not None and line.transport not in (None, 'kernel')
    facility = line.facility if line.facility is not None else prefix.facility
    message = log_prefix.split_tag(prefix).message if from_journal else prefix.message
    trusted = (
        not from_journal
        and facility in (None, log_prefix.KERN)
        and prefix.tag in (None, b'kernel')
        and prefix.tag_pid is None
    )
    return parse(message), trusted


def is_of_death(record: t.Optional[Record]) -> bool:
    """Whether it tells of a kill for memory, or of the choice of whom to kill."""
    return record is not None and record.form in _OF_DEATH


def is_not_understood(line: RawLine) -> bool:
    """Whether the kernel says something of a kill, or of memory that ran out, in words or at a time nobody knows.

    Where not even the begin of the line is known, it is the kernel's unless another program is named in it.
    """
    record, trusted = parse_line(line)
    if record is not None:
        return trusted and line.time is None and is_of_death(record)
    prefix = log_prefix.split(line.text)
    if not trusted or prefix.tag == log_prefix.CONTAINER or _OTHER_WITH_PID.match(prefix.message):
        return False
    found = _SPEAKS.search(prefix.message)
    if found is None or _SAYS_NO_KILL.search(prefix.message):
        return False
    return (
        line.transport == 'kernel'
        or log_prefix.is_known(prefix)
        or _OTHER.search(prefix.message, 0, found.start() + 1) is None
    )


def unescaped(comm: bytes) -> bytes:
    r"""The bytes of a name: /dev/kmsg writes ``\xff``, rsyslog ``#012`` for what is no text."""
    return _FROM_ESCAPE.sub(
        lambda match: bytes([int(match.group(1), 16) if match.group(1) else int(match.group(2), 8)]), comm
    )


def _plain(form: str, match: t.Match[bytes]) -> Record:
    groups = match.groupdict()
    return Record(form, _number(groups.get('pid')), _comm(groups.get('comm')), None, None, _scope(groups), {})


def _killed(form: str, match: t.Match[bytes]) -> Record:
    record = _plain(form, match)
    details: t.Dict[str, t.Any] = {'allocating_task': True} if match.group('current') else {}
    details.update(_constraint(match.group('why')))
    if match.group('ub'):
        details['beancounter'] = int(match.group('ub'))
    for victim in _VICTIM:
        found = victim.match(match.group('rest'))
        if found:
            groups = found.groupdict()
            details.update(_sizes(groups['sizes']))
            uid = _UID_AFTER.search(groups['sizes'])
            number = groups['before'] or groups.get('after') or (uid.group(1) if uid else None)
            return record._replace(comm=_comm(groups['comm']), uid=_number(number), details=details)
    return record._replace(details=details)


def _sizes(text: bytes) -> t.Dict[str, t.Any]:
    details = {_SIZES[name]: int(value) for name, value in _SIZE.findall(text)}
    adjusted = _SCORE_ADJ.search(text)
    return dict(details, oom_score_adj=int(adjusted.group(1))) if adjusted else details


def _constraint(why: t.Optional[bytes]) -> t.Dict[str, str]:
    if why is None or not why.startswith(b'No available'):
        return {}
    return {'constraint': 'CONSTRAINT_CPUSET' if b'cpuset' in why else 'CONSTRAINT_MEMORY_POLICY'}


def _between(text: bytes, before: bytes, after: bytes) -> t.Optional[bytes]:
    """What stands between two words, None where they do not follow each other."""
    begin = text.find(before)
    end = text.find(after, begin + len(before)) if begin >= 0 else -1
    return text[begin + len(before) : end] if end >= 0 else None


def _chosen(form: str, match: t.Match[bytes]) -> Record:
    """A long path of a group can fill the line, so that its end is missing."""
    rest, constraint = match.group('rest'), match.group('constraint').decode('ascii')
    memcg = _between(rest, b',oom_memcg=', b',task_memcg=')
    cgroup = _between(rest, b',task_memcg=', b',task=')
    task = _TASK.match(rest, rest.find(b',task=')) if b',task=' in rest else None
    details: t.Dict[str, t.Any] = {'constraint': constraint}
    if memcg is not None:
        details['oom_memcg'] = _path(memcg)
    record = Record(
        form,
        None,
        None,
        None,
        None if cgroup is None else _path(cgroup),
        CGROUP if constraint == 'CONSTRAINT_MEMCG' else GLOBAL,
        details,
    )
    if task is None:
        return record
    return record._replace(pid=int(task.group('pid')), comm=_comm(task.group('comm')), uid=int(task.group('uid')))


def _intent(form: str, match: t.Match[bytes]) -> Record:
    details: t.Dict[str, t.Any] = _constraint(match.group('why'))
    if match.group('current'):
        details['allocating_task'] = True
    if match.group('score'):
        details['score'] = int(match.group('score'))
    return _plain(form, match)._replace(details=details)


def _of_group(form: str, match: t.Match[bytes]) -> Record:
    path, limit = _path(match.group('cgroup')), match.groupdict().get('limit')
    if form == GROUP:
        return Record(form, None, None, None, path, CGROUP, {'oom_group': path})
    if limit == b'host':
        return Record(form, None, None, None, path, GLOBAL, {})
    return Record(form, None, None, None, path, CGROUP, {'oom_memcg': _path(limit or b'')})


def _invoked(form: str, match: t.Match[bytes]) -> Record:
    order = _ORDER.search(match.group('rest'))
    by_hand = {'sysrq': True} if order and order.group(1) == b'-1' else {}
    return _plain(form, match)._replace(comm=None, details=by_hand)


def _android(form: str, match: t.Match[bytes]) -> Record:
    """It is printed before the signal is sent."""
    return _plain(form, match)._replace(scope=GLOBAL, details={'killer': 'lowmemorykiller'})


def _named(form: str, match: t.Match[bytes]) -> Record:
    return _plain(form, match)._replace(scope=GLOBAL)


def _row(form: str, match: t.Match[bytes]) -> Record:
    return _plain(form, match)._replace(details={'tgid': int(match.group('tgid'))})


_READERS: t.Dict[str, t.Callable[[str, t.Match[bytes]], Record]] = {
    KILLED: _killed,
    CHOSEN: _chosen,
    INTENT: _intent,
    GROUP: _of_group,
    TASK_IN: _of_group,
    INVOKED: _invoked,
    ROW: _row,
    ANDROID: _android,
    NAMED: _named,
}


def _scope(groups: t.Mapping[str, t.Optional[bytes]]) -> t.Optional[str]:
    why = groups.get('why')
    return None if why is None else CGROUP if why.startswith(b'Memory cgroup') or groups.get('ub') else GLOBAL


def _comm(name: t.Optional[bytes]) -> t.Optional[bytes]:
    return unescaped(name) if name else None


def _path(path: bytes) -> str:
    return unescaped(path).decode('utf-8', 'surrogateescape')


def _number(digits: t.Optional[bytes]) -> t.Optional[int]:
    return int(digits) if digits else None
