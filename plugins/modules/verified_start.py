#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: verified_start
short_description: Start one AnQiCMS instance as it was started before, and verify that it answers
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Starts the instance from its launch record. Arguments, environment, umask, limits, priority, and working directory
    are those that the instance was last seen running with as the same user. The group and the supplementary groups come
    from the user database. The control group and the security label come from the last start that was verified or from
    the systemd unit of the instance. RV(notes) reports all differences from what was seen.
  - The output goes to the same place as before. A log outside of the install directory must be exactly the file that
    the running process has open, or the file of the last verified start. Otherwise, the start is refused before
    anything is stopped. If the output went to a pipe, a socket, or a terminal, it goes to C(running.log) in the install
    directory.
  - The module fails before it starts anything if the start cannot succeed, because C(config.json) is missing,
    unreadable, or invalid, the port is held, or the executable is missing or built for another architecture. Without
    C(config.json), the application would open its installer to everyone.
  - The same applies if C(locales/) or C(dictionary.txt) is missing and this version with its settings requires it, or
    if the user of the instance cannot connect to the database within two seconds. From version 3.4.2 on, C(MYSQL_*)
    variables in the environment of the start select the database. You can accept these hazards with O(accept_hazards).
  - As a separate task, this module fails while a window that has made changes has not ended. Only a recovery can
    stop or start the instance during that time.
  - A start as root fails if another user can change what root would execute, which is the binary, the directories and
    links in its path, and the targets of links. This is checked again immediately before the binary is executed, and
    the file that the new process executes is compared with it. Set O(user) to the owner of the files, or accept
    C(root_runs_writable).
  - A start as root uses no C(LD_*) variable of an earlier process, and no entry of C(PATH) and no working directory
    that other users can change. RV(notes) lists what was left out.
  - The instance is started when a listener of exactly this process answers the request for the version, and the process
    stays alive for O(stable_for). The start banner of the application and an open port prove nothing.
  - Versions 2.1.2 to 2.5.5 answer every page with status 500 for one second after that. For these versions, and if the
    version is not known, the module waits at most 3 seconds for a home page with a status below 500. After that, the
    start still succeeds, with the finding C(page_5xx), because a template may be broken permanently.
  - Versions 3.2.2 to 3.4.5 kill every process with their own name when they start. At every start, sibling instances
    are protected from that by a directory with a harmless C(pidof) as the first entry of C(PATH). This entry is never
    stored in the launch record.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.run
attributes:
  check_mode:
    support: full
    details:
      - Performs all checks that are performed before a start. Nothing is started.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  ready_timeout:
    description:
      - Seconds without progress after which the start has failed. A migration that advances is progress, which is
        detected by its log and by the traffic with its database.
      - A database statement that may still be waiting for its result counts as progress only until the port is open.
    type: float
    default: 120
  ready_limit:
    description:
      - Seconds after which the start has failed, even if there is progress. In a window, the limit is the deadline of
        the window at the latest.
      - The process is not ended in this case, because it may be migrating its database.
    type: float
    default: 900
  hosts:
    description:
      - Host names of the sites of the instance. If C(localhost) returns a page instead of the version, for example
        because the first site is disabled, the version is also requested with these host names. In a window, the
        default is the sites of a C(site_check) step.
    type: list
    elements: str
  stable_for:
    description:
      - Seconds that the process must stay alive after its first correct answer.
    type: float
    default: 1
  environment:
    description:
      - Environment variables to add to, or to replace in, the launch record. They are kept for later starts.
      - They are not shown among the options, and their values are masked in the texts of the result. Values with fewer
        than four characters, numbers with fewer than eight digits, and values that another option shows are not masked.
    type: dict
  arguments:
    description:
      - Arguments to use instead of those in the launch record, without the program itself.
    type: list
    elements: str
  private_port:
    description:
      - Starts the instance with C(-port) and a free port from 20000 to 31999, which no proxy knows, so that the other
        steps of a window can check it before visitors reach it. The instance counts as down during that time. Later
        starts do not use this port.
      - The instance listens on all addresses, as it does on its own port.
    type: bool
    default: false
  accept_hazards:
    description:
      - Codes of hazards that do not prevent a start with this module. Read what a hazard means before you accept it.
      - C(root_runs_writable), C(files_left_behind), C(locales_missing), C(dictionary_missing), C(database_unreachable),
        and C(database_newer) have an effect here. All other codes are hazards of M(anqicms.lifecycle.instance_info). An
        unknown code makes the module fail.
    type: list
    elements: str
    default: []
seealso:
  - module: anqicms.lifecycle.graceful_stop
  - module: anqicms.lifecycle.log_check
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Start an instance that was stopped
  anqicms.lifecycle.verified_start:
    dir: /www/wwwroot/shop.example

- name: Start an instance with a memory limit for the Go runtime
  anqicms.lifecycle.verified_start:
    dir: /www/wwwroot/shop.example
    environment:
      GOMEMLIMIT: 512MiB

- name: Start an instance that was never seen running, and allow a large migration more time without progress
  anqicms.lifecycle.verified_start:
    dir: /www/wwwroot/shop.example
    user: www
    ready_timeout: 600
"""

RETURN = r"""
pid:
  description: The process that answers. V(null) if none is running.
  returned: always, unless the start was refused
  type: int
  sample: 4712
ready_ms:
  description: Milliseconds from the execution of the binary until the process is ready, which is its first correct
    answer and, for versions whose pages are available later than their version, a working page.
  returned: success
  type: int
  sample: 234
version:
  description: The version in that answer. If an admin host prevents an answer, the version that this binary reported
    before, or the version in C(CHANGELOG.md), which RV(notes) then reports.
  returned: success
  type: str
  sample: 3.5.8
log_position:
  description: The end of the logs before the start, for O(anqicms.lifecycle.log_check#module:since).
  returned: always
  type: str
  sample: "anqicms-log-1:eNqNzcsKgzAQBdB_mXXIg2B8_EopZZoMaqsxJLEUxH-v2i67cDGb..."
exit_code:
  description: Exit status of a start that failed. If a signal killed the process, the negative number of the signal.
    V(null) if the process is alive.
  returned: when known
  type: int
  sample: 255
exit_meaning:
  description: What the exit code and the log mean for this version.
  returned: when the process ended
  type: str
  sample: the database of config.json is not reachable
log_tail:
  description: The last lines that a failed start wrote, without colours. Empty if the start succeeded.
  returned: always, unless the start was refused
  type: list
  elements: str
  sample:
    - 2024/01/02 15:04:05 /www/wwwroot/shop.example/
    - 2024/01/02 15:04:05 端口已经被占用，可能软件已经启动
findings:
  description: Problems with the pages, for versions whose pages are available later than their version. Empty if the
    pages work, and for all other versions.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(warning).
      type: str
    code:
      description: V(page_5xx), which means that the home page still returns a server error.
      type: str
    text:
      description: What was seen.
      type: str
    advice:
      description: What to do.
      type: str
  sample: []
hazards:
  description: The codes of the missing requirements. Each can be accepted with O(accept_hazards).
  returned: when the start was refused for that reason
  type: list
  elements: str
  sample: [database_unreachable]
notes:
  description: What differs from how the instance was last seen running, what could not be restored, what could not be
    seen, and what is missing but was accepted. In check mode, what is known of this before the start.
  returned: success
  type: list
  elements: str
  sample: [it was already running]
would:
  description: What would be done.
  returned: in check mode
  type: str
  sample: start /www/wwwroot/shop.example/anqicms as uid 1000
began_at:
  description: When it started, in seconds since 1970 by the clock of the controller.
  returned: always, if the host answered
  type: float
  sample: 1795329902.118
ended_at:
  description: When it ended, in seconds since 1970 by the clock of the controller.
  returned: always, if the host answered
  type: float
  sample: 1795329903.914
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance, task_of_run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import verified_start


def main() -> None:
    module = _module.Module(
        argument_spec=_module.common_spec(**verified_start.SPEC, **task_of_run.OPTIONS), supports_check_mode=True
    )
    on_instance.run_on_instance(
        module, _start.foresee, _start.start, ('ready_timeout', 'ready_limit', 'stable_for'), 'verified_start'
    )


if __name__ == '__main__':
    main()
