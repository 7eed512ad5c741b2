#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: graceful_stop
short_description: Stop exactly one AnQiCMS instance and verify that it is gone
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Waits until no request is in flight, signals the process of the instance to end, and returns when the process is
    gone.
  - The process is identified by its executable, and a handle on it is held until its end is verified. If not exactly
    one process matches, nothing is signalled. A process is never selected or killed by its name.
  - The effect of C(SIGTERM) depends on the version. Versions 2.1.2 to 3.2.1 close their port and never end. Versions
    3.2.2 to 3.5.1 end when their requests have ended. Versions 3.5.2 and later end immediately and cut the requests in
    flight.
  - As a separate task, this module fails while a window that has made changes has not ended. Only a recovery can
    stop or start the instance during that time.
  - A process that is known to be migrating its database never gets C(SIGKILL), regardless of O(force). From version
    3.4.5 on, which migrates in the background, C(SIGTERM) itself ends the process.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.run
attributes:
  check_mode:
    support: full
    details:
      - Reports which process would be signalled. No signal is sent.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  timeout:
    description:
      - Seconds to wait for the process to end after C(SIGTERM).
    type: float
    default: 30
  idle_timeout:
    description:
      - Seconds to wait before C(SIGTERM) until no request is in flight. With V(0), the module checks once and does not
        wait.
      - Requests that are still in flight after this time are counted in RV(requests). Whether they are cut depends on
        the version.
    type: float
    default: 5
  quiet_timeout:
    description:
      - Seconds to wait before C(SIGTERM) until the application neither backs up nor restores its database. With V(0),
        the module checks once and does not wait. In a window, the wait ends at its deadline at the latest.
      - During a backup or restore, the process holds a file C(data/backup/*.sql) of the instance or of a further site
        open. A file that is written is a backup, or the upload of a backup. A file that is read is a restore, or the
        download of a backup by a visitor, which looks the same.
      - If the backup or restore has not ended after this time, the module fails and nothing is signalled, regardless of
        O(force).
      - If the file descriptors of the process cannot be read, backups and restores cannot be detected, and this does
        not prevent the stop. See RV(quiet).
    type: float
    default: 120
  migration_timeout:
    description:
      - Seconds to wait before C(SIGTERM) until the application is not migrating its database. With V(0), the module
        checks once and does not wait. In a window, the wait ends at its deadline at the latest.
      - From version 3.4.5 on, the application migrates its database after its port has opened, and C(SIGTERM) would
        interrupt the migration. Therefore, the module queries the database, and those of further sites, with the MySQL
        client of the host. It does this if the version is 3.4.5 or later or not known, and for all versions while the
        port has not opened yet.
      - If the migration has not ended after this time, the module fails and nothing is signalled, regardless of
        O(force).
      - If the database cannot be queried, because there is no client, no privilege, no name, or no answer, this does
        not prevent the stop. See RV(migration).
    type: float
    default: 3600
  force:
    description:
      - V(never) sends C(SIGTERM) only. If the process does not end within O(timeout), it is left alive and the module
        fails.
      - V(idle) also kills a process that is verified to be idle. A process is idle if its port was closed by the
        C(SIGTERM) of this module, no connection is in use, and no migration is running.
      - V(timeout) also kills a process that has not ended after O(timeout), unless a migration is running.
    type: str
    choices: [never, idle, timeout]
    default: idle
seealso:
  - module: anqicms.lifecycle.port_released
  - module: anqicms.lifecycle.verified_start
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Stop one instance, and kill it only if it is idle
  anqicms.lifecycle.graceful_stop:
    dir: /www/wwwroot/shop.example
  register: stopped

- name: Stop one instance, but leave it alive if it does not end within a minute
  anqicms.lifecycle.graceful_stop:
    dir: /www/wwwroot/shop.example
    timeout: 60
    force: never

- name: Make sure that no request was cut
  ansible.builtin.assert:
    that: stopped.requests.cut == 0

- name: Make sure that no child of the process and no other process holds its files before they are copied
  ansible.builtin.assert:
    that: (stopped.survivors + stopped.open_files) | length == 0
"""

RETURN = r"""
stopped:
  description: Whether the instance is stopped now.
  returned: always, unless the stop was refused
  type: bool
  sample: true
exit_kind:
  description:
    - V(already_stopped), V(graceful), V(forced_idle), or V(forced_timeout). V(null) if the process is still alive, and
      in check mode.
  returned: always, unless the stop was refused
  type: str
  sample: graceful
pid:
  description: The process that was stopped. V(null) if none was running.
  returned: always, unless the stop was refused
  type: int
  sample: 4711
signals:
  description: The signals that were sent, in order.
  returned: always, unless the stop was refused
  type: list
  elements: dict
  contains:
    signal:
      description: Name of the signal.
      type: str
      returned: always
    at_ms:
      description: Milliseconds since the start of the stop.
      type: int
      returned: always
  sample: [{"signal": "SIGTERM", "at_ms": 21}]
requests:
  description: Number of requests at the first check, and how many of them ended without a response.
  returned: always, unless the stop was refused
  type: dict
  contains:
    in_flight:
      description: Connections in use at the first check.
      type: int
      returned: always
    cut:
      description: Connections in use when the process ended. This is the maximum number of requests that were cut.
      type: int
      returned: always
  sample: {"in_flight": 2, "cut": 0}
notes:
  description: Reports that the lock of the directory is held by someone who is not a user of the instance and was
    ignored.
  returned: when there are any
  type: list
  elements: str
  sample:
    - "the lock of /www/wwwroot/shop.example is held by pid 4711 (guest), no user of this instance: it was ignored"
quiet:
  description: Backups and restores by the application itself that were detected before the signal and waited for.
  returned: always, unless the stop was refused for another reason
  type: dict
  contains:
    waited_ms:
      description: Time that the module waited for them, in milliseconds.
      type: int
      returned: always
    files:
      description: The files that the process held open.
      type: list
      elements: dict
      returned: always
      contains:
        path:
          description: Path of the file.
          type: str
          returned: always
        kind:
          description: V(backup) if the file was written, V(restore) if it was read.
          type: str
          returned: always
    known:
      description: Whether the file descriptors of the process could be read. If not, a backup or restore cannot be
        ruled out.
      type: bool
      returned: always
  sample:
    waited_ms: 8120
    files:
      - path: /www/shop/data/backup/20261126120000.sql
        kind: restore
    known: true
migration:
  description: The migrations of the database that were running.
  returned: always, unless the stop was refused for another reason
  type: dict
  contains:
    waited_ms:
      description: Time that the module waited for them, in milliseconds.
      type: int
      returned: always
    seen:
      description: The migrations that the module waited for, each with the name of the database.
      type: list
      elements: str
      returned: always
    unknown:
      description: What could not be queried, or a migration that has not finished and does not continue.
      type: list
      elements: str
      returned: always
  sample:
    waited_ms: 1840
    seen: ['shop: last_run_version is 3.3.11, not 3.5.8']
    unknown: []
waited_ms:
  description: Milliseconds from the first check to the verdict.
  returned: always, unless the stop was refused
  type: int
  sample: 22
last_log_line:
  description: The last line of the log of the instance. V(null) if it cannot be read.
  returned: always, unless the stop was refused
  type: str
  sample: 监听到退出信号
survivors:
  description: Children of the process that are still alive, at most 100. They are not signalled.
  returned: always, unless the stop was refused
  type: list
  elements: dict
  sample: []
  contains:
    pid:
      description: Process ID.
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
  description: Process ID of a process that something else started in its place, which makes the module fail.
  returned: always, unless the stop was refused
  type: int
  sample: null
open_files:
  description:
    - Processes, except readers of logs, that hold files below the install directory open.
    - At most 100 processes and 200 files of each, found within 3 seconds.
  returned: always, unless the stop was refused
  type: list
  elements: dict
  sample: []
  contains:
    pid:
      description: Process ID.
      type: int
      returned: always
    exe:
      description: Executable.
      type: str
      returned: always
    path:
      description: Path of the file.
      type: str
      returned: always
version:
  description: The version that was running, or the version of the files.
  returned: always, unless the stop was refused
  type: str
  sample: 3.5.8
would:
  description: What would be done.
  returned: in check mode
  type: str
  sample: wait at most 5 s for requests in flight, then send SIGTERM to pid 1506
zombie_parent:
  description: Process ID of the parent that has not reaped the process after it ended. V(null) in the normal case.
  returned: always, unless the stop was refused
  type: int
  sample: null
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
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import graceful_stop
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop


def main() -> None:
    module = _module.Module(
        argument_spec=_module.common_spec(**graceful_stop.SPEC, **task_of_run.OPTIONS), supports_check_mode=True
    )
    on_instance.run_on_instance(
        module,
        _stop.foresee,
        _stop.stop_as_task,
        ('timeout', 'idle_timeout', 'quiet_timeout', 'migration_timeout'),
        'graceful_stop',
    )


if __name__ == '__main__':
    main()
