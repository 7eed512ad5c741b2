# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of a window, which two modules take: one of them is sent with the code of all steps."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  steps:
    description:
      - The steps in order, each a dictionary with one key, the name of the step, and its options as value.
      - C(graceful_stop), C(port_released), C(verified_start), C(log_check), C(site_check), C(config), C(release) and
        C(database) take the options of the module of that name, without those that name the instance.
      - C(config) belongs between C(graceful_stop) and C(verified_start). It merges into the file as it is then, because
        versions up to 2.3.6 write it while they run. Its C(accept_hazards) and O(accept_hazards) count both.
      - C(database) with C(state=dumped) belongs behind C(graceful_stop). Its dump is restored when a later step fails,
        or when the window is broken off.
      - C(release) with C(state=switched) or C(state=reverted) belongs between C(graceful_stop) and C(verified_start).
        Where the new version may lay out the database anew, it belongs behind a dump, as in the playbook C(upgrade).
      - C(keep_files) with C(state=kept), behind the stop, keeps C(config.json) and the sizes of the files of
        C(data/statistic) of each site that was dumped before, because a new version changes both itself. A failure puts
        them back. With C(state=port_back) it puts the port in C(config.json) back that a start with C(private_port) may
        have changed there.
      - C(rollback) takes back what an earlier run, C(run_id), has changed. It needs C(database) and C(keep_files)
        behind the stop. Use the role C(rollback).
      - The C(user) of a C(verified_start) step is that of the whole window, as O(user) is.
      - C(command) runs a command on the host without a shell. It takes C(cmd) (a string) or C(argv) (a list), C(chdir)
        (a path) and C(timeout) (seconds, 60 by default).
      - C(undo) of a C(command) is a list of words like C(argv), a command that takes back what the first one does. It
        is run in the same C(chdir) and with the same C(timeout), with the instance stopped. It must do its work, or
        find that there is none, when the first one was done whole, half or not at all, and when it was itself broken
        off and is run again. When it fails, the instance is not started, and the run stays unfinished. Its words are in
        the journal, so put no secrets in them.
    type: list
    elements: dict
    default: []
  run_id:
    description:
      - Name of the run, for the journal and for whoever is refused meanwhile. By default the time and a random part.
    type: str
  deadline:
    description:
      - Seconds that the whole window may take. No step begins after it, and no step waits longer.
      - Requests that still hold a process whose port has closed after C(SIGTERM) are waited for until then, and then
        cut and counted, unless O(steps) say C(force=never), or the process migrates its database, writes or restores a
        backup, or that cannot be ruled out. Then a guardian stays, see O(guardian_limit).
      - What starts the instance again after such a wait may take 20 seconds more. A worker that overstays the deadline
        by 60 seconds is ended, and the guardian puts the instance right within the time of the deadline, at least 60
        seconds.
      - Taking changes back, and the start after it, may take 600 seconds whatever is left. In a window with such steps
        the worker has 600 seconds more, and the guardian at least 600.
    type: float
    default: 900
  guardian_limit:
    description:
      - Seconds that a guardian stays on the host after a window that could not be finished, because a process that was
        asked to end has not ended, the new process has not answered, or the database, the port or the binary is not
        available. It starts the instance as soon as that is possible, ends an idle process of a version up to 3.2.1
        that no C(SIGTERM) ends, and leaves when another run, stop, start or recovery takes over.
      - At its limit the run stays unfinished. M(anqicms.lifecycle.instance_info) shows it as C(interrupted), and
        the C(recover) playbook finishes it.
    type: float
    default: 3600
  on_failure:
    description:
      - V(rollback) takes back what C(config), C(release), C(database), C(keep_files) and a C(command) with C(undo) have
        changed, and makes the instance run again if it ran before. A plain restart has nothing to take back, its start
        is tried once more.
      - V(leave) leaves everything as it is. An instance that does not run then, or in which something was changed, has
        an unfinished run, which the C(recover) playbook or the next window puts right. Changes are taken back by that.
    type: str
    choices: [rollback, leave]
    default: rollback
  only_if_changed:
    description:
      - Does nothing, and stops nothing, when none of the steps that change files, configuration or database would
        change anything. Steps of other kinds do not count, nor does a C(command) without C(undo). One with C(undo)
        always counts as a change.
      - It has no effect where no step makes such changes, or where an unfinished run has to be put right first.
    type: bool
    default: false
  boot_hook:
    description:
      - Where a window has steps that change something, and is run by root, whether a reboot in the middle of it is
        followed by a recovery. It is ordered before cron and after the database; a unit of the instance itself may come
        first, and what it has started is stopped then.
      - It is a systemd unit, or where systemd does not run a file in C(/etc/cron.d), that is made before the first step
        and removed with the end of the run. Where neither can be made, the notes of the result say so.
    type: bool
    default: true
  recover:
    description:
      - V(auto) puts an unfinished run of this instance right before the first step.
      - V(only) does that and nothing else; O(steps) must be empty then.
    type: str
    choices: [auto, only]
    default: auto
  accept_hazards:
    description:
      - Codes of hazards that refuse no start of this window, of its second try and of a recovery, after you have read
        what they mean.
      - C(root_runs_writable), C(files_left_behind), C(locales_missing), C(dictionary_missing) and
        C(database_unreachable) have an effect here, and C(proxy_names_port) on a step C(config); the others are hazards
        of M(anqicms.lifecycle.instance_info). A code that does not exist is refused.
      - They are noted in the journal, so that a later recovery of this window may use them too, and nothing else.
    type: list
    elements: str
    default: []
  put_aside:
    description:
      - Moves the whole state of this instance aside instead, for one that cannot be used because a newer release has
        written it or because it is damaged. O(recover=only) is needed.
      - The directory is renamed within the state directory, and nothing is removed. An unfinished run in it is not
        recovered any more, and the next start of a stopped instance does not know how it was started before.
      - Refused while a run is at work on the instance.
    type: bool
    default: false
  internal:
    description:
      - Set by the action plugin of this module, which follows a window in several calls. Not for playbooks.
    type: dict
    suboptions:
      token:
        description: Name of this window, the same in all calls that follow it.
        type: str
      wait:
        description: Seconds to stay in this call at most.
        type: float
        default: 0
      follow:
        description: Only follow a window that an earlier call has begun.
        type: bool
        default: false
      look:
        description: Do what M(anqicms.lifecycle.instance_info) does, with its options.
        type: bool
        default: false
"""
