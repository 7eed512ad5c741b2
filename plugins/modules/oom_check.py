#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: oom_check
short_description: Determine whether an AnQiCMS instance was killed for memory, with evidence
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads the messages of the kernel (journal, C(/dev/kmsg) or C(dmesg), and the log files of the system including
    rotated files), the messages of userspace OOM killers (earlyoom, systemd-oomd, nohang, and others), the log of the
    vendor's watchdog, the log of the instance, docker if its program is installed, and the counters of the kernel. The
    verdict is based on all of them.
  - Distinguishes the instance from other processes of the same name by the process history that this collection keeps,
    by control group and user, or because no other process can have died.
  - Reports V(no) only if a source that would have shown a kill covers the time range. If something could not be
    checked, the verdict is V(unknown), and RV(coverage) lists the permissions to grant.
  - Requires a limited amount of memory, and reads only what overlaps the time range.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
options:
  since:
    description:
      - Start of the time range, in ISO 8601 format, in the time zone of the host or with a time zone, or in seconds
        since the epoch.
      - The default is one day before O(until).
    type: str
  until:
    description:
      - End of the time range, in the format of O(since). The default, and the latest possible value, is the current
        time.
    type: str
  pid:
    description:
      - ID of the process whose death is to be explained, if it is known, for example from a log of a panel.
      - Without this option, the process is determined by the process history and other evidence.
    type: int
  check_log:
    description:
      - Path of the log of the vendor's watchdog. The default is C(check.log) in O(dir).
    type: path
  running_log:
    description:
      - Path of the log of the application. The default is the file that the process writes to, or wrote to when it was
        last seen.
    type: path
  kernel_logs:
    description:
      - Log files of the system. Rotated files are found in the same directories.
      - By default, C(/var/log/kern.log), C(/var/log/syslog), and C(/var/log/messages) are read if they exist.
    type: list
    elements: path
    default: []
  journal:
    description:
      - Whether to read the journal with C(journalctl).
    type: bool
    default: true
  counters:
    description:
      - Whether to use the counters of the kernel, which are C(oom_kill) in C(/proc/vmstat) and the counters of the
        control group.
    type: bool
    default: true
notes:
  - Most of the sources can be read only by root. As another user, the output lists what could not be read.
  - Kills of processes with other names, such as a child or the database, are listed in RV(other_kills).
  - How the verdict is reached is explained in C(docs/memory-kills.md).
seealso:
  - module: anqicms.lifecycle.log_check
  - module: anqicms.lifecycle.instance_info
"""

EXAMPLES = r"""
- name: Check whether the instance was killed for memory within the last day
  anqicms.lifecycle.oom_check:
    dir: /www/wwwroot/shop.example

- name: Check one night
  anqicms.lifecycle.oom_check:
    dir: /www/wwwroot/shop.example
    since: "2026-01-31T01:00:00"
    until: "2026-01-31T05:00:00"
  register: night

- name: Fail if the instance was killed
  ansible.builtin.fail:
    msg: "{{ night.summary }}"
  when: night.verdict in ['confirmed', 'likely']
"""

RETURN = r"""
verdict:
  description:
    - V(confirmed) if a trusted source names the process of this instance as killed for memory.
    - V(likely) if it may have been another process of the same name, if nothing else indicates that this instance died
      at that time, if the author of the line is not known, or if only a counter indicates a kill.
    - V(no) if no such kill is known, and a kill would be known.
    - V(unknown) otherwise.
  returned: always
  type: str
  sample: confirmed
cause:
  description:
    - With V(confirmed) and V(likely), one of V(kernel_oom_global), V(kernel_oom_cgroup), and V(userspace_oom).
    - With V(no), one of V(go_runtime_oom), V(crash), V(admin_stop), V(admin_kill), V(host_reboot), V(host_panic),
      V(not_dead), and V(unexplained).
    - With V(unknown), always V(unexplained).
  returned: always
  type: str
  sample: kernel_oom_cgroup
summary:
  description: Verdict and cause in one line, with process ID, time, and how it is known.
  returned: always
  type: str
  sample: >-
    confirmed (kernel_oom_cgroup) pid 4711 at 2026-01-31T03:12:09+01:00: pid 4711 is in the process history of this
    instance
since:
  description: Start of the time range.
  returned: always
  type: str
  sample: "2026-01-30T12:00:00+01:00"
until:
  description: End of the time range.
  returned: always
  type: str
  sample: "2026-01-31T12:00:00+01:00"
incidents:
  description: The deaths of this instance in the time range, in order. Only the last 20 of RV(incident_count).
  returned: always
  type: list
  elements: dict
  contains:
    verdict:
      description: The verdict on this death, see RV(verdict).
      type: str
    cause:
      description: The cause of this death, see RV(cause).
      type: str
    time:
      description: Time of the death, in ISO 8601 format in the time zone of the host. V(null) if no source contains it.
      type: str
    epoch:
      description: The same time in seconds since the epoch.
      type: float
    uncertainty_ms:
      description: Maximum difference to the real time, in either direction, in milliseconds.
      type: int
    pid:
      description: Process ID. V(null) if no source contains it.
      type: int
    thread:
      description: The thread that the line names, if it is not the process.
      type: int
    process:
      description: The process name in the line, at most 15 bytes.
      type: str
    uid:
      description: User ID, if the line contains it.
      type: int
    scope:
      description: V(global) if the host ran out of memory, V(cgroup) if a control group reached its limit.
      type: str
    cgroup:
      description: The control group of the process, if the line contains it.
      type: str
    identity:
      description: How the process was identified as the process of this instance, or what explains the death.
      type: str
    candidates:
      description: Other processes that this could have been.
      type: list
      elements: str
    details:
      description:
        - Values in the line, such as C(anon_rss_kb), C(score), and C(oom_memcg).
        - C(kernel_pid) is the process ID on the host, if the module runs in a container.
        - For a stop by this collection, C(by) is V(window), or V(graceful_stop) for a separate task. C(run_id) is the
          run of a window, and C(signals) are the signals that were sent.
        - C(process) numbers the processes in C(running.log), starting with the first one that was read.
      type: dict
    victims:
      description: Processes that were killed together with it, each with C(pid), C(process), C(time), and C(rss_kb).
      type: list
      elements: dict
    evidence:
      description:
        - The lines that report the death, each with C(source), C(file), C(line), C(cursor) (of the journal), and
          C(text). Only the first 20 of RV(incidents[].evidence_count).
      type: list
      elements: dict
    evidence_count:
      description: Number of lines that report the death.
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
  description: Number of deaths in the time range.
  returned: always
  type: int
  sample: 1
other_kills:
  description: Kills for memory in the time range that did not hit this instance, in the format of
    RV(incidents[].victims). Only the last 20 of RV(other_kill_count).
  returned: always
  type: list
  elements: dict
  sample: []
other_kill_count:
  description: Number of kills for memory in the time range that did not hit this instance.
  returned: always
  type: int
  sample: 0
coverage:
  description:
    - What each source covers, with C(source), C(from), C(to), C(readable), C(complete), and C(why_not).
    - C(complete) means that the source would have shown every kill by the kernel between C(from) and C(to). It is false
      if a line in the time range reports that other lines were lost, or is not understood.
    - C(why_not) lists what is missing and which permissions to grant, and quotes such a line.
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
  description: The counters of the kernel, in the format of RV(incidents[].evidence).
  returned: always
  type: list
  elements: dict
  sample:
    - {source: vmstat, file: /proc/vmstat, line: null, cursor: null, text: oom_kill 1}
advice:
  description: What to do, the most significant advice first, with the values that were found.
  returned: always
  type: list
  elements: str
  sample:
    - >-
      Its control group reached its limit of 512 MiB, the host did not run out of memory. It had 510 MiB when it was
      killed. Raise the limit (MemoryMax= of the unit, --memory of the container), or lower what it takes.
notes:
  description:
    - Additional information that does not affect the verdict, such as kills outside of the time range, and starts that
      exited by themselves, with the log line that contains the reason.
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
