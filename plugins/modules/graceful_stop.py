#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: graceful_stop
short_description: Stop exactly one AnQiCMS instance and prove that it is gone
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Waits until no request is in flight, asks the process of the instance to end, and returns when it is gone.
  - The process is found by its executable and held from its selection to the proof. Exactly one process matches, or
    nothing is signalled. Nothing is ever found or killed by its name.
  - What C(SIGTERM) does depends on the version. 2.1.2 to 3.2.1 close their port and never end; 3.2.2 to 3.5.1 end when
    their requests have ended; 3.5.2 and later end at once and cut the requests in flight.
  - Refused, as a task of its own, while a window that has changed something has not ended. Only a recovery may stop or
    start it then.
  - A process whose database migration is seen running is never sent C(SIGKILL), whatever O(force) says. From 3.4.5 on,
    where a migration runs in the background, C(SIGTERM) itself ends the process.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
attributes:
  check_mode:
    support: full
    details:
      - Tells which process would be signalled; nothing is sent.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  timeout:
    description:
      - Seconds to wait for the end of the process after C(SIGTERM).
    type: float
    default: 30
  idle_timeout:
    description:
      - Seconds to wait before C(SIGTERM) until no request is in flight. V(0) looks once and does not wait.
      - Requests that are still in flight then are counted in RV(requests); the version decides whether they are cut.
    type: float
    default: 5
  quiet_timeout:
    description:
      - Seconds to wait before C(SIGTERM) until the application neither backs up nor restores its database. V(0) looks
        once and does not wait. In a window the wait ends at its deadline at the latest.
      - The process holds a file C(data/backup/*.sql) of its own or of a further site open for as long as that lasts. A
        file that is written is a backup, or its upload; one that is read is a restore, or a visitor's download of it,
        which looks the same.
      - When it has not ended by then, the module fails and nothing is signalled, whatever O(force) says.
      - Where the descriptors of the process cannot be read, that is not known and does not hinder the stop; see
        RV(quiet).
    type: float
    default: 120
  migration_timeout:
    description:
      - Seconds to wait before C(SIGTERM) until the application does not migrate its database. V(0) looks once and does
        not wait. In a window the wait ends at its deadline at the latest.
      - From version 3.4.5 on it migrates after its port has opened, and C(SIGTERM) would end it in the middle. So the
        database, and those of further sites, are asked with the host's MySQL client where the version is 3.4.5 or
        later or not known, and for all versions while the port has not opened yet.
      - When it has not ended by then, the module fails and nothing is signalled, whatever O(force) says.
      - Where the database cannot be asked, because there is no client, no right, no name or no answer, that does not
        hinder the stop; see RV(migration).
    type: float
    default: 3600
  force:
    description:
      - V(never) only asks. A process that does not end in O(timeout) is left alive, and the module fails.
      - V(idle) also kills a process that is proven idle, which means that its port was closed by our C(SIGTERM), no
        connection is in use, and no migration runs.
      - V(timeout) also kills what has not ended after O(timeout), unless a migration runs.
    type: str
    choices: [never, idle, timeout]
    default: idle
seealso:
  - module: anqicms.lifecycle.port_released
  - module: anqicms.lifecycle.verified_start
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Stop one instance, killing it only when it is idle
  anqicms.lifecycle.graceful_stop:
    dir: /www/wwwroot/shop.example
  register: stopped

- name: Stop it, leave it alive when it does not end in a minute
  anqicms.lifecycle.graceful_stop:
    dir: /www/wwwroot/shop.example
    timeout: 60
    force: never

- name: Make sure that no request was cut
  ansible.builtin.assert:
    that: stopped.requests.cut == 0

- name: Make sure that no child of it and nobody else holds its files, before they are copied
  ansible.builtin.assert:
    that: (stopped.survivors + stopped.open_files) | length == 0
"""

RETURN = r"""
stopped:
  description: Whether the instance does not run now.
  returned: always, unless it was refused
  type: bool
  sample: true
exit_kind:
  description:
    - V(already_stopped), V(graceful), V(forced_idle) or V(forced_timeout); V(null) when it lives on, and in check mode.
  returned: always, unless it was refused
  type: str
  sample: graceful
pid:
  description: The process that was stopped, V(null) when none ran.
  returned: always, unless it was refused
  type: int
  sample: 4711
signals:
  description: What was sent, in order.
  returned: always, unless it was refused
  type: list
  elements: dict
  contains:
    signal:
      description: Name of the signal.
      type: str
      returned: always
    at_ms:
      description: Milliseconds since the begin of the stop.
      type: int
      returned: always
  sample: [{"signal": "SIGTERM", "at_ms": 21}]
requests:
  description: Requests at the first look, and how many of them ended without an answer.
  returned: always, unless it was refused
  type: dict
  contains:
    in_flight:
      description: Connections in use at the first look.
      type: int
      returned: always
    cut:
      description: Connections in use when the process ended; at most so many requests were cut.
      type: int
      returned: always
  sample: {"in_flight": 2, "cut": 0}
notes:
  description: That somebody who is no user of the instance holds the lock of its directory, which was ignored.
  returned: when there are any
  type: list
  elements: str
  sample:
    - "the lock of /www/wwwroot/shop.example is held by pid 4711 (guest), no user of this instance: it was ignored"
quiet:
  description: Backups and restores of the application itself that were seen before the signal, and waited for.
  returned: always, unless it was refused for another reason
  type: dict
  contains:
    waited_ms:
      description: Milliseconds that they were waited for.
      type: int
      returned: always
    files:
      description: The files that the process held open.
      type: list
      elements: dict
      returned: always
      contains:
        path:
          description: The file.
          type: str
          returned: always
        kind:
          description: V(backup) when it was written, V(restore) when it was read.
          type: str
          returned: always
    known:
      description: Whether the descriptors of the process could be read; if not, nothing is ruled out.
      type: bool
      returned: always
  sample:
    waited_ms: 8120
    files:
      - path: /www/shop/data/backup/20261126120000.sql
        kind: restore
    known: true
migration:
  description: The migrations of the database that ran.
  returned: always, unless it was refused for another reason
  type: dict
  contains:
    waited_ms:
      description: Milliseconds that they were waited for.
      type: int
      returned: always
    seen:
      description: What was waited for, each with the name of the database.
      type: list
      elements: str
      returned: always
    unknown:
      description: What could not be asked, or a migration that has not ended and does not go on.
      type: list
      elements: str
      returned: always
  sample:
    waited_ms: 1840
    seen: ['shop: last_run_version is 3.3.11, not 3.5.8']
    unknown: []
waited_ms:
  description: Milliseconds from the first look to the verdict.
  returned: always, unless it was refused
  type: int
  sample: 22
last_log_line:
  description: The last line of its log, V(null) when it cannot be read.
  returned: always, unless it was refused
  type: str
  sample: 监听到退出信号
survivors:
  description: Children of the process that live on, at most 100. They are not signalled.
  returned: always, unless it was refused
  type: list
  elements: dict
  sample: []
  contains:
    pid:
      description: Process id.
      type: int
      returned: always
    exe:
      description: Executable.
      type: str
      returned: always
    argv:
      description: Arguments.
      type: list
      elements: str
      returned: always
respawned:
  description: Pid of a process that something else started in its place, which makes the module fail.
  returned: always, unless it was refused
  type: int
  sample: null
open_files:
  description:
    - Processes other than readers of logs that hold files below the install directory open.
    - At most 100 of them and 200 files of each, found within 3 seconds.
  returned: always, unless it was refused
  type: list
  elements: dict
  sample: []
  contains:
    pid:
      description: Process id.
      type: int
      returned: always
    exe:
      description: Executable.
      type: str
      returned: always
    path:
      description: The file.
      type: str
      returned: always
version:
  description: The running version, or that of the files.
  returned: always, unless it was refused
  type: str
  sample: 3.5.8
would:
  description: What would be done.
  returned: in check mode
  type: str
  sample: wait at most 5 s for requests in flight, then send SIGTERM to pid 1506
zombie_parent:
  description: Pid of the parent that has not collected the ended process, V(null) in the ordinary case.
  returned: always, unless it was refused
  type: int
  sample: null
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import graceful_stop
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop


def main() -> None:
    module = _module.Module(argument_spec=_module.common_spec(**graceful_stop.SPEC), supports_check_mode=True)
    _module.run_on_instance(module, _stop.foresee, _stop.stop_as_task, (
        'timeout', 'idle_timeout', 'quiet_timeout', 'migration_timeout'))


if __name__ == '__main__':
    main()
