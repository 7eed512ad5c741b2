# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of a window. Two modules share them: one of the two is sent with the code of all steps."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  run_id:
    description:
      - Name of the run. It is recorded in the journal, and shown to another run that is refused in the meantime.
      - The default consists of the current time and a random part.
    type: str
  deadline:
    description:
      - Seconds that the whole window can take. No step starts after the deadline, and no step waits beyond it.
      - If requests still keep a process alive that has closed its port after C(SIGTERM), the window waits for them
        until the deadline. Then it cuts and counts them, unless the steps set C(force=never), or the process migrates
        its database, or writes or restores a backup, or this cannot be ruled out. In these cases a guardian stays, see
        O(guardian_limit).
      - The start of the instance after such a wait can take an additional 20 seconds. A worker that exceeds the
        deadline by 60 seconds is killed, and the guardian recovers the instance. The guardian has as much time as the
        deadline, and at least 60 seconds.
      - A rollback of changes, including the start after it, can take 600 seconds regardless of the remaining time. In a
        window with steps that make changes, the worker has an additional 600 seconds, and the guardian has at least 600
        seconds.
    type: float
    default: 900
  guardian_limit:
    description:
      - Seconds that a guardian stays on the host after a window that could not be finished. This happens if a process
        did not end after it was signalled, if the new process does not answer, or if the database, the port, or the
        binary is not available.
      - The guardian starts the instance as soon as that is possible. It ends an idle process of a version up to 3.2.1
        that does not end after C(SIGTERM). It exits when another run, stop, start, or recovery takes over.
      - After this time, the run remains unfinished. M(anqicms.lifecycle.instance_info) reports it as C(interrupted),
        and the C(recover) playbook finishes it.
    type: float
    default: 3600
  on_failure:
    description:
      - V(rollback) rolls back the changes of the steps C(config), C(release), C(database), and C(keep_files), and of
        C(command) with C(undo), and starts the instance again if it ran before. A plain restart has nothing to roll
        back. Its start is tried a second time.
      - V(leave) leaves everything as it is. If the instance does not run after that, or if it was changed, the run is
        unfinished. The C(recover) playbook or the next window then recovers the instance and rolls back the changes.
    type: str
    choices: [rollback, leave]
    default: rollback
  only_if_changed:
    description:
      - Whether to do nothing, and not to stop the instance, if none of the steps that change files, the configuration,
        or the database would change anything. Steps of other kinds are ignored, including a C(command) without C(undo).
        A C(command) with C(undo) always counts as a change.
      - This option has no effect if no step makes such changes, or if an unfinished run must be recovered first.
    type: bool
    default: false
  boot_hook:
    description:
      - Whether a reboot during the window is followed by a recovery. Applies only if root runs the window and the
        window has steps that make changes.
      - The recovery is ordered before cron and after the database. A systemd unit of the instance itself may start
        earlier. The recovery then stops what that unit has started.
      - The hook is a systemd unit, or a file in C(/etc/cron.d) if systemd is not running. It is created before the
        first step and removed at the end of the run. If neither can be created, the notes in the result report it.
    type: bool
    default: true
  recover:
    description:
      - V(auto) recovers an unfinished run of this instance before the first step.
      - V(only) recovers it and does nothing else. O(steps) must be empty.
    type: str
    choices: [auto, only]
    default: auto
  accept_hazards:
    description:
      - Codes of hazards that do not prevent a start in this window, the second attempt of that start, or a recovery.
        Read what a hazard means before you accept it.
      - C(root_runs_writable), C(files_left_behind), C(locales_missing), C(dictionary_missing), and
        C(database_unreachable) have an effect here. C(proxy_names_port) has an effect on the step C(config). All other
        codes are hazards of M(anqicms.lifecycle.instance_info). An unknown code makes the module fail.
      - The codes are recorded in the journal. A later recovery of this window accepts these codes and no others.
    type: list
    elements: str
    default: []
  put_aside:
    description:
      - Whether to move the whole state of this instance aside instead of recovering it. Use this for a state that
        cannot be used because a newer release has written it or because it is damaged. Requires O(recover=only).
      - The directory is renamed within the state directory, and nothing is removed. An unfinished run in it is no
        longer recovered, and the next start of a stopped instance does not know how the instance was started before.
      - The module fails if a run is working on the instance.
    type: bool
    default: false
  internal:
    description:
      - Set by the action plugin of this module, which follows a window in several calls. Do not use it in playbooks.
    type: dict
    suboptions:
      token:
        description: Identifier of this window. It is the same in all calls that follow the window.
        type: str
      wait:
        description: Maximum time in seconds to stay in this call.
        type: float
        default: 0
      follow:
        description: Only follow a window that an earlier call has started.
        type: bool
        default: false
      look:
        description: Do what M(anqicms.lifecycle.instance_info) does, with its options.
        type: bool
        default: false
"""
