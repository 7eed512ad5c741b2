#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: verified_start
short_description: Start one AnQiCMS instance as it was started before, and prove it
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Starts the instance from its launch record. Arguments, environment, umask, limits, priority and working directory
    are those that it was last seen running with as the same user. Group and groups come from the user database, control
    group and security label from the last start that was proved or from its systemd unit. What differs from what was
    seen is told in RV(notes).
  - Its output goes where it went. A log outside of the install directory must be the very file that the running process
    has open, or that of the last proved start; else the start is refused before anything is stopped. Output that went
    to a pipe, a socket or a terminal goes to C(running.log) of the install directory.
  - Refuses before launching when it cannot end well, because C(config.json) is missing, unreadable or invalid, the port
    is held, or the executable is missing or of another architecture. Without C(config.json) the application would open
    its installer to anybody.
  - The same is so when C(locales/) or C(dictionary.txt) is missing and this version and its settings need it, or when
    the database cannot be connected to, as the user of the instance and within two seconds. C(MYSQL_*) variables of the
    start's environment name the database from version 3.4.2 on. These can be accepted with O(accept_hazards).
  - Refused, as a task of its own, while a window that has changed something has not ended. Only a recovery may stop or
    start it then.
  - A start as root is refused when somebody else can change what root would run, which is the binary, the directories
    and links on the way to it, and what a link leads to. It is looked at again right before the binary is executed,
    and what the new process executes is compared with it. Give the user of the files, or accept C(root_runs_writable).
  - Root takes over no C(LD_*) variable of an earlier process, no place of C(PATH) and no working directory that others
    can change. What is left out is in RV(notes).
  - Started means that the version endpoint is answered by a listener of exactly this process, and that the process
    lives on for O(stable_for). The application's start banner and an open port are no proof.
  - Versions 2.1.2 to 2.5.5 answer every page with 500 for a second after that. For them, and for a version that is not
    known, a home page below 500 is waited for, at most 3 seconds. After that the start is good all the same, with the
    finding C(page_5xx), because a template may be broken for good.
  - Versions 3.2.2 to 3.4.5 kill every process of their own name when they start. Siblings are protected from that at
    every start, by a directory with a harmless C(pidof) at the head of C(PATH). It never becomes part of the launch
    record.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
attributes:
  check_mode:
    support: full
    details:
      - Makes all checks that are made before a start; nothing is started.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  ready_timeout:
    description:
      - Seconds without progress after which the start has failed. A migration that advances is progress, seen by its
        log and by the traffic with its database.
      - A statement of the database that may still wait for its answer is progress only until the port is open.
    type: float
    default: 120
  ready_limit:
    description:
      - Seconds after which the start has failed whatever moves. In a window it ends with the deadline of the window.
      - The process is not ended then, because it may be migrating its database.
    type: float
    default: 900
  hosts:
    description:
      - Host names of its sites. The version is also asked for by them where C(localhost) gets a page instead, as when
        the first site is disabled. In a window the sites of a C(site_check) step are used where this is not given.
    type: list
    elements: str
  stable_for:
    description:
      - Seconds that the process must live on after its first correct answer.
    type: float
    default: 1
  environment:
    description:
      - Environment variables to add to those of the launch record, or to replace there. They are kept for later starts.
      - They are not shown among the options, and masked in texts of the result, but for values of fewer than four
        characters, numbers of fewer than eight digits, and what another option shows.
    type: dict
  arguments:
    description:
      - Arguments in place of those of the launch record, without the program itself.
    type: list
    elements: str
  private_port:
    description:
      - Starts it with C(-port) and a free port from 20000 to 31999, that no proxy knows, for the rest of a window to
        look at it before visitors reach it. The instance counts as down meanwhile, and later starts do not follow this
        one.
      - It listens on all addresses there, as on its own port.
    type: bool
    default: false
  accept_hazards:
    description:
      - Codes of hazards that refuse no start of this module, after you have read what they mean.
      - C(root_runs_writable), C(files_left_behind), C(locales_missing), C(dictionary_missing), C(database_unreachable)
        and C(database_newer) have an effect here; the others are hazards of M(anqicms.lifecycle.instance_info). A code
        that does not exist is refused.
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

- name: Start it with a memory limit for the Go runtime
  anqicms.lifecycle.verified_start:
    dir: /www/wwwroot/shop.example
    environment:
      GOMEMLIMIT: 512MiB

- name: Start an instance that was never seen running, give a large migration more time without progress
  anqicms.lifecycle.verified_start:
    dir: /www/wwwroot/shop.example
    user: www
    ready_timeout: 600
"""

RETURN = r"""
pid:
  description: The process that answers, V(null) when none runs.
  returned: always, unless it was refused
  type: int
  sample: 4712
ready_ms:
  description: Milliseconds from the execution of the binary until it is ready, which is its first correct answer and,
    for versions whose pages come later, a page that works.
  returned: success
  type: int
  sample: 234
version:
  description: The version that it answered. When an admin host keeps it from answering, what this binary reported
    before, or that of C(CHANGELOG.md), which RV(notes) says.
  returned: success
  type: str
  sample: 3.5.8
log_position:
  description: The end of the logs before the start, for O(anqicms.lifecycle.log_check#module:since).
  returned: always
  type: str
  sample: "anqicms-log-1:eNqNzcsKgzAQBdB_mXXIg2B8_EopZZoMaqsxJLEUxH-v2i67cDGb..."
exit_code:
  description: Exit status of a start that failed, minus the signal's number when one killed it, V(null) when it lives.
  returned: when known
  type: int
  sample: 255
exit_meaning:
  description: What the exit code and the log of this version mean.
  returned: when it ended
  type: str
  sample: the database of config.json cannot be reached
log_tail:
  description: The last lines that a failed start wrote, without colours. Empty when it went well.
  returned: always, unless it was refused
  type: list
  elements: str
  sample:
    - 2024/01/02 15:04:05 /www/wwwroot/shop.example/
    - 2024/01/02 15:04:05 端口已经被占用，可能软件已经启动
findings:
  description: What is wrong with its pages, for versions whose pages come later than their version. Empty when they
    work, and for all other versions.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(warning).
      type: str
    code:
      description: V(page_5xx), the home page still answers with an error of the server.
      type: str
    text:
      description: What was seen.
      type: str
    advice:
      description: What to do.
      type: str
  sample: []
hazards:
  description: The codes of what was missing. Each can be accepted with O(accept_hazards).
  returned: when it was refused for that
  type: list
  elements: str
  sample: [database_unreachable]
notes:
  description: What differs from how it was seen running, what could not be restored, what could not be seen, and what
    is missing and was accepted. In check mode what is known of that before the start.
  returned: success
  type: list
  elements: str
  sample: [it was already running]
would:
  description: What would be done.
  returned: in check mode
  type: str
  sample: start /www/wwwroot/shop.example/anqicms as uid 1000
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import start as _start
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import verified_start


def main() -> None:
    module = _module.Module(argument_spec=_module.common_spec(**verified_start.SPEC), supports_check_mode=True)
    _module.run_on_instance(module, _start.foresee, _start.start, ('ready_timeout', 'ready_limit', 'stable_for'))


if __name__ == '__main__':
    main()
