#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: oom_check
short_description: Say whether one AnQiCMS instance was killed for memory, and how that is known
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms)
description:
  - Reads what the kernel says (journal, C(/dev/kmsg) or C(dmesg), and the system's log files with what they were
    rotated to), what killers for memory in userspace say (earlyoom, systemd-oomd, nohang and others), the log of the
    vendor's watchdog, the instance's own log, docker where its program is installed, and the counters of the kernel,
    and judges all of it together.
  - Tells the instance from others of the same name by the process history that this collection keeps, by control
    group and user, or because nobody else can have died.
  - Says V(no) only where a source that would have shown a kill covers the window. What could not be looked at makes it
    V(unknown), and RV(coverage) says what to grant.
  - Needs a bounded amount of memory and reads only what overlaps the window.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
options:
  since:
    description:
      - Begin of the window, in ISO 8601, in the time zone of the host or with a zone, or seconds since the epoch.
      - The default is a day before O(until).
    type: str
  until:
    description:
      - End of the window, as O(since). The default, and the latest, is now.
    type: str
  pid:
    description:
      - The process whose death is asked for, where it is known, for example from a log of a panel.
      - Without it the process history decides, and what else is known.
    type: int
  check_log:
    description:
      - The log of the vendor's watchdog. The default is C(check.log) in O(dir).
    type: path
  running_log:
    description:
      - The log of the application. The default is where the process writes, or wrote when it was last seen.
    type: path
  kernel_logs:
    description:
      - Log files of the system. What they were rotated to is found beside them.
      - The default is C(/var/log/kern.log), C(/var/log/syslog) and C(/var/log/messages), as far as they exist.
    type: list
    elements: path
    default: []
  journal:
    description:
      - Whether to ask C(journalctl).
    type: bool
    default: true
  counters:
    description:
      - Whether to use the counters of the kernel, C(oom_kill) of C(/proc/vmstat) and those of the control group.
    type: bool
    default: true
notes:
  - Needs root for most of what it reads. Without root it says what it could not read.
  - A process of another name that was killed, such as a child or the database, is listed in RV(other_kills).
  - How it decides is explained in C(docs/memory-kills.md).
seealso:
  - module: anqicms.lifecycle.log_check
  - module: anqicms.lifecycle.instance_info
"""

EXAMPLES = r"""
- name: Was it killed for memory within the last day?
  anqicms.lifecycle.oom_check:
    dir: /www/wwwroot/shop.example

- name: Look at one night
  anqicms.lifecycle.oom_check:
    dir: /www/wwwroot/shop.example
    since: "2026-01-31T01:00:00"
    until: "2026-01-31T05:00:00"
  register: night

- name: Stop here when it was
  ansible.builtin.fail:
    msg: "{{ night.summary }}"
  when: night.verdict in ['confirmed', 'likely']
"""

RETURN = r"""
verdict:
  description:
    - V(confirmed) when a trusted source names this instance's process as killed for memory.
    - V(likely) when it may have been another process of that name, when nothing else says that this instance died then,
      when nobody knows who wrote the line, or when only a counter tells of a kill.
    - V(no) when no such kill is known and one would be known.
    - V(unknown) otherwise.
  returned: always
  type: str
  sample: confirmed
cause:
  description:
    - With V(confirmed) and V(likely) one of V(kernel_oom_global), V(kernel_oom_cgroup) and V(userspace_oom).
    - With V(no) one of V(go_runtime_oom), V(crash), V(admin_stop), V(admin_kill), V(host_reboot), V(host_panic),
      V(not_dead) and V(unexplained).
    - With V(unknown) it is V(unexplained).
  returned: always
  type: str
  sample: kernel_oom_cgroup
summary:
  description: Both in one line, with pid, time, and how it is known.
  returned: always
  type: str
  sample: >-
    confirmed (kernel_oom_cgroup) pid 4711 at 2026-01-31T03:12:09+01:00: pid 4711 is in the process history of this
    instance
since:
  description: Begin of the window.
  returned: always
  type: str
  sample: "2026-01-30T12:00:00+01:00"
until:
  description: End of the window.
  returned: always
  type: str
  sample: "2026-01-31T12:00:00+01:00"
incidents:
  description: The deaths of this instance in the window, in order. The last 20 of RV(incident_count).
  returned: always
  type: list
  elements: dict
  contains:
    verdict:
      description: As RV(verdict), of this death.
      type: str
    cause:
      description: As RV(cause), of this death.
      type: str
    time:
      description: When, in ISO 8601 in the time zone of the host, V(null) when no source says.
      type: str
    epoch:
      description: The same in seconds since the epoch.
      type: float
    uncertainty_ms:
      description: How far the real moment may lie to either side.
      type: int
    pid:
      description: The process, V(null) when no source says.
      type: int
    thread:
      description: The thread that the line names, where that is not the process.
      type: int
    process:
      description: The name that the line gives, 15 bytes at most.
      type: str
    uid:
      description: The user, where the line tells.
      type: int
    scope:
      description: V(global) when the host ran out of memory, V(cgroup) when a control group reached its limit.
      type: str
    cgroup:
      description: The control group of the process, where the line tells.
      type: str
    identity:
      description: How it is known that it was this instance's, or what explains the death.
      type: str
    candidates:
      description: Who else it can have been.
      type: list
      elements: str
    details:
      description:
        - Figures of the line, such as C(anon_rss_kb), C(score) and C(oom_memcg).
        - C(kernel_pid) is the pid on the host, where this was asked in a container.
        - Of a stop by this collection, C(by) is V(window) or V(graceful_stop), a task of its own. C(run_id) is the run
          of a window, and C(signals) is what was sent.
        - C(process) numbers the processes of C(running.log), from the first one that was read.
      type: dict
    victims:
      description: Who was killed together with it, each with C(pid), C(process), C(time) and C(rss_kb).
      type: list
      elements: dict
    evidence:
      description:
        - The lines that tell of it, each with C(source), C(file), C(line), C(cursor) (of the journal) and C(text). The
          first 20 of RV(incidents[].evidence_count).
      type: list
      elements: dict
    evidence_count:
      description: How many lines tell of it.
      type: int
  sample:
    - verdict: confirmed
      cause: kernel_oom_cgroup
      time: "2026-01-31T03:12:09.482000+01:00"
      epoch: 1769825529.482
      uncertainty_ms: 100
      pid: 4711
      thread: null
      process: anqicms
      uid: 1000
      scope: cgroup
      cgroup: /system.slice/shop.service
      identity: pid 4711 is in the process history of this instance
      candidates: []
      details: {anon_rss_kb: 523112, oom_memcg: /system.slice/shop.service}
      victims: []
      evidence:
        - source: kmsg
          file: /dev/kmsg
          line: null
          cursor: seq=2207
          text: "Memory cgroup out of memory: Killed process 4711 (anqicms) total-vm:1048576kB, anon-rss:523112kB"
      evidence_count: 1
incident_count:
  description: How many deaths there were in the window.
  returned: always
  type: int
  sample: 1
other_kills:
  description: Kills for memory in the window that were not this instance's, as RV(incidents[].victims). The last 20
    of RV(other_kill_count).
  returned: always
  type: list
  elements: dict
  sample: []
other_kill_count:
  description: How many kills for memory in the window were not this instance's.
  returned: always
  type: int
  sample: 0
coverage:
  description:
    - What each source tells about. C(source), C(from), C(to), C(readable), C(complete) (it would have shown every kill
      by the kernel between the two; false where a line of the window says that others were lost, or is not
      understood), and C(why_not), which says what is missing and what to grant, and quotes such a line.
  returned: always
  type: list
  elements: dict
  sample:
    - source: kmsg
      from: "2026-01-12T08:30:00+01:00"
      to: "2026-01-31T12:00:00+01:00"
      readable: true
      complete: true
      why_not: null
counters:
  description: What the counters of the kernel say, as RV(incidents[].evidence).
  returned: always
  type: list
  elements: dict
  sample:
    - {source: vmstat, file: /proc/vmstat, line: null, cursor: null, text: oom_kill 1}
advice:
  description: What to do, the most telling first, with the figures that were seen.
  returned: always
  type: list
  elements: str
  sample:
    - >-
      Its control group reached its limit of 512 MiB, the host did not run out of memory. It had 510 MiB when it was
      killed. Raise the limit (MemoryMax= of the unit, --memory of the container), or lower what it takes.
notes:
  description:
    - What is worth knowing and decides nothing, such as kills outside of the window, and starts that ended by
      themselves with the line of the log that says why.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import check as _oom_check


def main() -> None:
    module = _module.Module(argument_spec=_module.common_spec(**_oom_check.SPEC), supports_check_mode=True)
    on_instance.look_at_instance(module, _oom_check.check)


if __name__ == '__main__':
    main()
