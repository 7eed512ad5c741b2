# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the sources of evidence on a death tell, in one form. Pure; the facts are in docs/memory-kills.md.

Times are seconds since the epoch; ``uncertainty`` is how far the real moment may lie from ``time`` to either side.
"""

import typing as t

GLOBAL, CGROUP = 'global', 'cgroup'  # scopes: the whole host ran out of memory, or a control group reached its limit

# of the kernel's log
KERNEL_KILL, KERNEL_INTENT, KERNEL_NO_KILL = 'kernel_kill', 'kernel_intent', 'kernel_no_kill'
KERNEL_SEGFAULT, KERNEL_PANIC_OOM, BOOT, SPOOFED = 'kernel_segfault', 'kernel_panic_oom', 'boot', 'spoofed'
# of the logs of services
USERSPACE_KILL = 'userspace_kill'
SYSTEMD, DOCKER = 'systemd', 'docker'  # who tells of a kill by the kernel
# of check.log
GUARD_DROP, GUARD_ADMIN_STOP = 'guard_drop', 'guard_admin_stop'
GUARD_CRASH_LOOP, GUARD_START = 'guard_crash_loop', 'guard_start'
# of running.log
CLEAN_STOP, PANIC, GO_OOM, IN_APP_RESTART = 'clean_stop', 'panic', 'go_oom', 'in_app_restart'
STARTED, ABRUPT_END, LOG_JUMP = 'started', 'abrupt_end', 'log_jump'


class Evidence(t.NamedTuple):
    """One line, and where it stands."""

    source: str  # 'journal', 'kmsg', 'kern.log', 'check.log', 'running.log', 'vmstat', 'memory.events' ...
    file: t.Optional[str]
    line: t.Optional[int]
    cursor: t.Optional[str]
    text: str


class Event(t.NamedTuple):
    """Something that happened once, with every line that says so."""

    kind: str
    time: t.Optional[float]
    uncertainty: float
    pid: t.Optional[int]
    tgid: t.Optional[int]
    comm: t.Optional[bytes]
    uid: t.Optional[int]
    cgroup: t.Optional[str]
    scope: t.Optional[str]
    trusted: bool  # written by the kernel or by a unit of root's, as far as the transport can tell
    details: t.Dict[str, t.Any]
    evidence: t.Tuple[Evidence, ...]


class Gap(t.NamedTuple):
    """A time of which a source does not tell, though it tells of the times before and after it."""

    begin: float
    end: float
    why: str
    kernel: bool  # a line of the kernel can be missing
    services: bool  # one of a killer in userspace can be


class Coverage(t.NamedTuple):
    """Which span of time a source tells about, or why it does not."""

    source: str
    begin: t.Optional[float]  # None: nothing known to be covered
    end: t.Optional[float]
    readable: bool
    why_not: t.Optional[str]
    complete: bool  # it would have shown every kill by the kernel between begin and end, but for the gaps
    gaps: t.Tuple[Gap, ...] = ()


class RawLine(t.NamedTuple):
    """One line of a log of the kernel or of services, before anything is read out of it."""

    text: bytes
    time: t.Optional[float]
    uncertainty: float
    evidence: Evidence
    transport: t.Optional[str]  # 'kernel', 'syslog', 'journal', 'stdout'
    facility: t.Optional[int]
    boot_id: t.Optional[str]
    # Where its own time is not understood: those of the nearest lines before and after it that have one.
    around: t.Tuple[t.Optional[float], t.Optional[float]] = (None, None)


Span = t.Tuple[float, float]


def without_gaps(span: Span, gaps: t.Iterable[Gap]) -> t.List[Span]:
    """What is left of a span when the gaps are cut out of it."""
    left = [span]
    for gap in gaps:
        left = [
            part
            for begin, end in left
            for part in ((begin, min(end, gap.begin)), (max(begin, gap.end), end))
            if part[0] <= part[1]
        ]
    return left
