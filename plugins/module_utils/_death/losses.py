# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Where a log proves that it does not have everything. Pure; the facts are in docs/memory-kills.md.

Lost lines, a killer that was invoked and named no victim, and lines of the kernel that nobody understands: of such a
time the log excludes no kill. It still covers the times before and after.
"""

import math
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as _death_types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel_lines, log_prefix, userspace
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event, Gap, RawLine
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.log_prefix import Prefix

# Which logs lack something: the one that says so; all that come from the journal; all files; every log.
OWN, JOURNAL, FILES, ALL = 'own', 'journal', 'files', 'all'
_RINGS = ('kmsg', 'dmesg', 'pstore')
_AROUND = 60.0  # seconds on both sides of a line that is not understood
_AFTER = 60.0  # from the invocation of a killer to the line that names the victim
_SHOWN = 200  # characters of a line that is quoted

_JOURNALD = (b'systemd-journald', b'systemd-journal', b'journald', b'journal')
_RSYSLOGD = re.compile(rb'(?:[^\s#]{1,64}#)?rsyslogd(?:[-0-9]{0,8})\Z')
_KILLERS = rb'(?:earlyoom|systemd-oomd|oomd|nohang|init\.scope)'


class Loss(t.NamedTuple):
    """A line that tells of lost lines. ``before``, ``after``: seconds around it in which those can have been.

    ``by``: who says so. A tag of a log file can be anybody's: then too much is called unknown, never too little.
    """

    code: str
    by: str
    pattern: t.Pattern[bytes]
    before: float
    after: float
    where: str
    kernel: bool  # lines of the kernel
    services: bool  # lines of the killers in userspace


JOURNALD, RSYSLOG, KERNEL = 'journald', 'rsyslog', 'kernel'
# fmt: off
_ROWS: t.Tuple[t.Tuple[str, str, bytes, float, float, str, bool, bool], ...] = (
    ('missed', JOURNALD, rb'(?:Missed|Lost|Dropped) \d{1,20} (?:kernel )?messages?\b', 300, 5, JOURNAL, True, False),
    ('overrun', JOURNALD, rb'/dev/kmsg buffer overrun, some messages lost', 300, 5, JOURNAL, True, False),
    ('not_written', JOURNALD, rb'Failed to write entry ', 5, 5, JOURNAL, True, True),
    ('suppressed', JOURNALD, rb'Suppressed \d{1,20} messages from [^\n]{0,255}?' + _KILLERS, 60, 5, JOURNAL, False,
     True),
    ('imjournal_begins', RSYSLOG, rb'imjournal[^\n]{0,200}?begin to drop messages', 5, 600, FILES, True, True),
    ('imjournal_lost', RSYSLOG, rb'imjournal[^\n]{0,200}?\d{1,20} messages lost', 600, 5, FILES, True, True),
    ('imuxsock', RSYSLOG, (rb'imuxsock(?!\[[^\]\n]{0,200}?name: )[^\n]{0,200}?(?:begins? to drop messages|messages lost'
     rb'|lost \d{1,20} messages)'), 60, 60, FILES, False, True),
    ('imuxsock_killer', RSYSLOG, rb'imuxsock\[[^\]\n]{0,200}?' + _KILLERS + rb'\b', 60, 60, FILES, False, True),
    ('queue', RSYSLOG, (rb'(?!imjournal|imuxsock)[^\n]{0,200}?'
     rb'(?:messages (?:lost|dropped)\b|drop messages due to rate-limiting)'), 600, 60, FILES, True, True),
    ('console', KERNEL, rb'\*\* \d{1,20} printk messages dropped \*\*', 60, 5, OWN, True, False),
    ('burst', KERNEL, (rb'(?:oom_kill_process|dump_header|out_of_memory|mem_cgroup_out_of_memory|__ratelimit): '
     rb'\d{1,20} callbacks suppressed'), 300, 5, ALL, True, False),
    ('printk', KERNEL, rb'printk: \d{1,20} (?:level \d )?messages suppressed', 300, 5, ALL, True, False),
)
# fmt: on
LOSSES = tuple(
    Loss(code, by, re.compile(pattern), before, after, where, kernel, services)
    for code, by, pattern, before, after, where, kernel, services in _ROWS
)
# What a block of a log is searched for, so that its lines are looked at. Each costs a pass, so they are few.
NEEDLES = (
    b'kernel messages',
    b'messages lost',
    b'messages dropped',
    b'due to rate-limiting',
    b'uppressed',
    b'to write entry',
)

_WITHIN = re.compile(rb'within (\d{1,5}) seconds')
_WHY = {
    JOURNALD: 'the journal lost messages at that time: "%s"',
    RSYSLOG: 'syslog lost messages at that time: "%s"',
    KERNEL: 'the kernel did not print all messages at that time: "%s"',
}


class _Hole(t.NamedTuple):
    gap: Gap
    where: str
    source: str


def loss_of(prefix: Prefix, trusted: bool) -> t.Optional[Loss]:
    """What a line without its prefix proves to be lost. ``trusted``: the kernel may have written it."""
    by = _speaker(prefix, trusted)
    return next((loss for loss in LOSSES if loss.by == by and loss.pattern.match(prefix.message)), None)


def _speaker(prefix: Prefix, trusted: bool) -> t.Optional[str]:
    if prefix.tag in _JOURNALD:
        return JOURNALD
    if prefix.tag is not None and _RSYSLOGD.match(prefix.tag):
        return RSYSLOG
    return KERNEL if trusted and prefix.tag in (None, log_prefix.KERNEL) else None


def with_gaps(
    coverage: t.Sequence[Coverage], lines: t.Iterable[RawLine], events: t.Iterable[Event]
) -> t.List[Coverage]:
    """The same with the gaps that the lines and the events of the kernel prove. The events of all sources together."""
    holes = [hole for hole in map(_of_line, lines) if hole is not None]
    for event in events:
        holes += _unfinished(event)
    return [_with(entry, [hole.gap for hole in holes if _applies(hole, entry.source)]) for entry in coverage]


def _with(coverage: Coverage, gaps: t.List[Gap]) -> Coverage:
    if not gaps or coverage.begin is None:
        return coverage
    return coverage._replace(gaps=coverage.gaps + tuple(_joined(gaps)))


def _joined(gaps: t.Sequence[Gap]) -> t.List[Gap]:
    """Those that overlap as one: a storm of lines makes thousands."""
    joined: t.List[Gap] = []
    for gap in sorted(gaps, key=lambda gap: (gap.kernel, gap.services, gap.begin)):
        last = joined[-1] if joined else None
        if last and (last.kernel, last.services) == (gap.kernel, gap.services) and gap.begin <= last.end:
            joined[-1] = last._replace(end=max(last.end, gap.end))
        else:
            joined.append(gap)
    return joined


def _applies(hole: _Hole, source: str) -> bool:
    if hole.where == ALL or source == hole.source:
        return True
    if hole.where == OWN or source in _RINGS:
        return False
    return hole.where == JOURNAL or source != 'journal'


def _quoted(why: str, line: RawLine) -> str:
    return why % line.evidence.text[:_SHOWN]


def _span(line: RawLine, before: float, after: float) -> t.Tuple[float, float]:
    """Where a line has no time that is understood, those beside it bound it."""
    if line.time is not None:
        return line.time - line.uncertainty - before, line.time + line.uncertainty + after
    first, last = line.around
    return (-math.inf if first is None else first - before), (math.inf if last is None else last + after)


def _of_line(line: RawLine) -> t.Optional[_Hole]:
    record, trusted = kernel_lines.parse_line(line)
    prefix = log_prefix.split(line.text)
    if trusted and prefix.tag == log_prefix.KERNEL:  # services write to the kernel's log as well
        prefix = prefix._replace(tag=None)
    prefix = log_prefix.split_tag(prefix)
    loss = loss_of(prefix, trusted) if record is None else None
    if loss is not None:
        within = _WITHIN.search(prefix.message)
        longer = float(within.group(1)) if within and loss.by == RSYSLOG else 0.0
        begin, end = _span(line, max(loss.before, longer), loss.after)
        return _Hole(
            Gap(begin, end, _quoted(_WHY[loss.by], line), loss.kernel, loss.services),
            loss.where,
            _source_of(loss, line),
        )
    if not kernel_lines.is_not_understood(line) or (record is None and userspace.parse(prefix) is not None):
        return None
    begin, end = _span(line, _AROUND, _AROUND)
    why = (
        'the time of this kernel message cannot be parsed: "%s"'
        if line.time is None
        else 'this kernel message of that time cannot be parsed: "%s"'
    )
    return _Hole(Gap(begin, end, _quoted(why, line), True, False), OWN, line.evidence.source)


def _source_of(loss: Loss, line: RawLine) -> str:
    """The ring itself has what the journal did not read in time."""
    return '' if loss.by == JOURNALD and line.evidence.source in _RINGS else line.evidence.source


def _unfinished(event: Event) -> t.List[_Hole]:
    """A killer that was invoked, or has chosen, and of whom no victim is told by any log."""
    if event.kind == _death_types.KERNEL_INTENT and 'child_killed' not in event.details:
        why = 'the kernel chose a process to kill at that time, and no line shows the outcome: "%s"'
    elif event.kind == _death_types.KERNEL_NO_KILL and event.details.get('reason') == kernel_lines.INVOKED:
        why = 'the kernel was looking for a process to kill at that time, and no line shows the outcome: "%s"'
    else:
        return []
    if event.time is None:
        return []  # its line is one whose time is not understood
    gap = Gap(
        event.time - event.uncertainty - 5.0,
        event.time + event.uncertainty + _AFTER,
        why % event.evidence[0].text[:_SHOWN],
        True,
        False,
    )
    return [_Hole(gap, OWN, source) for source in sorted({row.source for row in event.evidence})]
