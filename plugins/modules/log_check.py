#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: log_check
short_description: Check the logs of one AnQiCMS instance since a given point
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads C(running.log) (or the file that the process writes to, such as the log of a panel), C(error.log), and
    C(cache/error.log) of one instance. Distinguishes errors from the red lines that a healthy first start or a healthy
    migration prints.
  - Reports a panic, a failed migration, a lost database, a refused start, and similar lines as findings. Reports the
    start, the arrival of a signal, the end, and similar lines as markers. A panic that follows an invalid
    C(config.json) is reported as V(config_invalid). Lines that result from the stop of the instance itself are not
    findings.
  - Continues reading at a position, even if the log was rotated by renaming or copying, compressed with gzip, or
    truncated. If that is not possible, the module reports this, and the verdict is V(unknown) at best.
  - Requires a limited amount of memory, regardless of the size of the logs.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.run
options:
  since:
    description:
      - Where to start reading.
      - A position, which is RV(position) of this module or RV(anqicms.lifecycle.verified_start#module:log_position).
      - V(last_start) for the last start of the process. If this collection started it, this is the end of the logs at
        that time. Otherwise, it is determined by the last line in the log that marks the start of a process, or by the
        start time of the process.
      - A time in ISO 8601 format, in the time zone of the host or with a time zone, or in seconds since the epoch.
        Lines without a time are treated as being as old as the line before. Logs contain no time zone, so that times
        are ambiguous in the hour in which the clocks change.
      - The default is V(last_start). As a step of M(anqicms.lifecycle.window), the default is the beginning of the
        window.
    type: str
  ignore:
    description:
      - Findings to ignore, by code or by a Python regular expression that is searched for in the line.
      - Ignored findings are counted in RV(ignored).
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - Lowest severity of a finding that makes the module fail.
      - A verdict of V(unknown) alone never makes the module fail.
    type: str
    choices: [error, warning, never]
    default: error
notes:
  - Links, FIFOs, devices, and files of strangers are not opened. They are reported in RV(unread).
  - C(cache/error.log) contains no times before version 3.4.7. If O(since) is a time, only its last block is checked,
    and only if the file was changed after that time.
  - No version prints a line at the end of a migration.
seealso:
  - module: anqicms.lifecycle.verified_start
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Fail if the logs contain an error since the last start
  anqicms.lifecycle.log_check:
    dir: /www/wwwroot/shop.example

- name: Check the logs since the last check, and ignore a known page
  anqicms.lifecycle.log_check:
    dir: /www/wwwroot/shop.example
    since: "{{ last_look.position | default('last_start') }}"
    ignore:
      - charset
      - 'archive/old-page\.html'
    fail_on: never
  register: last_look

- name: Restart, then fail if the new process logs an error
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - port_released: {}
      - verified_start: {}
      - log_check: {}
"""

RETURN = r"""
verdict:
  description:
    - V(error) if there is a finding of that severity.
    - V(unknown) if there is no error, but something could not be read. The verdict is never V(ok) in this case.
    - V(warning) or V(ok) otherwise.
  returned: always
  type: str
  sample: ok
findings:
  description: The problems that were found, errors first. Repeated lines are one finding.
  returned: always
  type: list
  elements: dict
  contains:
    severity:
      description: V(error) or V(warning).
      type: str
    code:
      description: Stable name of the kind of finding.
      type: str
    file:
      description: The file that contains the line.
      type: str
    line:
      description: Number of the (first) line in the file. V(null) if reading started after more than 8 MiB of the file.
      type: int
    text:
      description: The line without colours and with control characters escaped, at most 500 characters.
      type: str
    time:
      description: Local time of the line, or of the line with a time before it. V(null) if there is none nearby.
      type: str
    count:
      description: Number of occurrences.
      type: int
    meaning:
      description: What the line means.
      type: str
    advice:
      description: What to do.
      type: str
  sample:
    - severity: error
      code: database_unreachable
      file: /www/wwwroot/shop.example/running.log
      line: 212
      text: "Failed To Connect Database:  dial tcp 127.0.0.1:3306: connect: connection refused"
      time: "2026-01-31 12:00:07"
      count: 1
      meaning: the database of config.json is not reachable
      advice: Start the database, or correct mysql.host and mysql.port in config.json.
markers:
  description: Events, in the order of each log. Only the last 100 to 200 of each log.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description:
        - Stable name such as V(process_started), V(listening), V(banner), V(signal_arrived), V(exiting),
          V(in_app_restart), V(port_refused), V(database_created), V(admin_created), or V(migration_begins).
      type: str
    file:
      description: As in RV(findings).
      type: str
    line:
      description: As in RV(findings).
      type: int
    text:
      description: As in RV(findings).
      type: str
    time:
      description: As in RV(findings).
      type: str
  sample:
    - code: listening
      file: /www/wwwroot/shop.example/running.log
      line: 215
      text: "Now listening on: http://localhost:8001"
      time: "2026-01-31 12:00:09"
position:
  description: The end of what was read. Use it as O(since) of the next check.
  returned: always
  type: str
  sample: "anqicms-log-1:eNqNzcsKgzAQBdB_mXXIg2B8_EopZZoMaqsxJLEUxH-v2i67cDGb..."
unread:
  description: What could not be read, each with C(file) and C(why). A missing C(error.log) is normal and not listed.
  returned: always
  type: list
  elements: dict
  sample: []
lost:
  description: Whether the place of the position could not be found again. Lines may be missing or repeated.
  returned: always
  type: bool
  sample: false
ignored:
  description: Number of findings that were ignored because of O(ignore).
  returned: always
  type: int
  sample: 0
notes:
  description: Remarks about how the logs were read.
  returned: always
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance, task_of_run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import log_check, logs


def main() -> None:
    module = _module.Module(
        argument_spec=_module.common_spec(**log_check.SPEC, **task_of_run.OPTIONS), supports_check_mode=True
    )

    def work() -> t.Dict[str, t.Any]:
        logs.check_params(module.params)
        context = on_instance.context_of(module.params)
        state = None if module.check_mode else context.state
        return task_of_run.of_run(module.params, 'log_check', state, lambda: log_check.run(context, module.params))

    _module.run(module, work)


if __name__ == '__main__':
    main()
