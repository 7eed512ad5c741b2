# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a death can be: the verdicts, the causes, and what explains one by itself."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event

CONFIRMED, LIKELY, NO, UNKNOWN = 'confirmed', 'likely', 'no', 'unknown'
URGENCY = (CONFIRMED, LIKELY, UNKNOWN, NO)
GLOBAL_OOM, CGROUP_OOM, USERSPACE_OOM = 'kernel_oom_global', 'kernel_oom_cgroup', 'userspace_oom'
GO_RUNTIME_OOM, CRASH, ADMIN_STOP, ADMIN_KILL = 'go_runtime_oom', 'crash', 'admin_stop', 'admin_kill'
HOST_REBOOT, HOST_PANIC, NOT_DEAD, UNEXPLAINED = 'host_reboot', 'host_panic', 'not_dead', 'unexplained'
VERDICTS: t.Dict[str, t.Tuple[str, ...]] = {
    GLOBAL_OOM: (CONFIRMED, LIKELY),
    CGROUP_OOM: (CONFIRMED, LIKELY),
    USERSPACE_OOM: (CONFIRMED, LIKELY),
    GO_RUNTIME_OOM: (NO,),
    CRASH: (NO,),
    ADMIN_STOP: (NO,),
    ADMIN_KILL: (NO,),
    HOST_REBOOT: (NO,),
    HOST_PANIC: (NO,),
    NOT_DEAD: (NO,),
    UNEXPLAINED: (NO, UNKNOWN),
}
# What explains a death by itself, and as what; a kill for memory comes before these, and the first before the others.
EXPLAINS = {
    types.KERNEL_PANIC_OOM: HOST_PANIC,
    types.GO_OOM: GO_RUNTIME_OOM,
    types.PANIC: CRASH,
    types.KERNEL_SEGFAULT: CRASH,
    types.GUARD_ADMIN_STOP: ADMIN_KILL,
    types.CLEAN_STOP: ADMIN_STOP,
    types.BOOT: HOST_REBOOT,
}
TRACES = (types.ABRUPT_END, types.GUARD_DROP)  # it is gone, and this does not say why
# What says that it died about then, or was started again after that.
SIGNS = (types.CLEAN_STOP, types.STARTED, types.PANIC, types.GO_OOM) + TRACES
OF_KERNEL = (types.KERNEL_KILL, types.KERNEL_INTENT, types.KERNEL_NO_KILL, types.KERNEL_SEGFAULT)
NAME_PROCESSES = OF_KERNEL + (types.USERSPACE_KILL,)
KNOW_WRITER = ('journal', 'kmsg', 'dmesg')  # sources that tell who wrote a line


class Incident(t.NamedTuple):
    """One death. ``event`` is what tells of it, ``traces`` what else was left of it; ``victims``: killed together."""

    verdict: str
    cause: str
    event: Event
    how: str
    candidates: t.Tuple[str, ...] = ()
    traces: t.Tuple[Event, ...] = ()
    victims: t.Tuple[Event, ...] = ()


class Decision(t.NamedTuple):
    verdict: str
    cause: str
    incidents: t.Tuple[Incident, ...]
    others: t.Tuple[Event, ...]  # kills of the window that were not this instance's
    notes: t.Tuple[str, ...]


LEAVES = {
    (USERSPACE_OOM, ADMIN_STOP),
    (GO_RUNTIME_OOM, CRASH),
    (HOST_PANIC, HOST_REBOOT),
    (ADMIN_KILL, ADMIN_STOP),
    (HOST_REBOOT, ADMIN_STOP),
}


EXPLANATION = {
    HOST_PANIC: 'the kernel panicked because it was out of memory, instead of killing a process',
    GO_RUNTIME_OOM: 'the Go runtime could not allocate memory and ended the process; nothing killed it',
    CRASH: 'it crashed by itself',
    ADMIN_KILL: 'a stop script killed it',
    ADMIN_STOP: 'it received a signal to end and logged it',
    HOST_REBOOT: 'the host was rebooted',
}
