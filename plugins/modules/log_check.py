#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: log_check
short_description: Say what the logs of one AnQiCMS instance hold since a point
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Reads C(running.log) (or wherever the process writes, such as the log of a panel), C(error.log) and
    C(cache/error.log) of one instance, and tells errors from the red lines that a healthy first start or a healthy
    migration prints.
  - Reports a panic, a failed migration, a lost database, a refused start and the like as findings, and the start, the
    arrival of a signal, the end and the like as markers. A panic that follows an invalid C(config.json) is called
    V(config_invalid), and what follows the instance's own stop is no finding.
  - Reads on from a position, also when the log was rotated by renaming or copying, compressed by gzip, or cut. Where
    that is not possible it says so, and the verdict is V(unknown) at best.
  - Needs a bounded amount of memory, whatever the size of the logs.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
options:
  since:
    description:
      - From where to read on.
      - A position, as RV(position) of this module or RV(anqicms.lifecycle.verified_start#module:log_position).
      - V(last_start) for the last start of the process. Where this collection started it, that is where the logs ended
        then. Otherwise the last line in the log that begins a process decides, or the time of its start.
      - A time in ISO 8601, in the time zone of the host or with a zone, or seconds since the epoch. Lines without a
        time are taken to be as old as the one before. Logs carry no zone, so the hour of a change of clocks is unclear.
      - The default is V(last_start), and as a step of M(anqicms.lifecycle.window) the start of the window.
    type: str
  ignore:
    description:
      - Findings to leave out, by code or by a Python regular expression that is searched for in the line.
      - They are counted in RV(ignored).
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - The severity from which on findings make the module fail.
      - A verdict of V(unknown) alone never does.
    type: str
    choices: [error, warning, never]
    default: error
notes:
  - Links, FIFOs, devices and files of strangers are not opened, and reported in RV(unread).
  - C(cache/error.log) carries no times before version 3.4.7. When reading since a time only its last block counts
    there, and only when the file was changed since.
  - No version prints a line at the end of a migration.
seealso:
  - module: anqicms.lifecycle.verified_start
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Fail when the logs hold an error since the last start
  anqicms.lifecycle.log_check:
    dir: /www/wwwroot/shop.example

- name: Look at the logs since the last look, and let a known page be
  anqicms.lifecycle.log_check:
    dir: /www/wwwroot/shop.example
    since: "{{ last_look.position | default('last_start') }}"
    ignore:
      - charset
      - 'archive/old-page\.html'
    fail_on: never
  register: last_look

- name: Restart, then fail when the new process logs an error
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
    - V(error) when there is a finding of that severity.
    - V(unknown) when there is none but something could not be read. It is never V(ok) then.
    - V(warning) or V(ok) otherwise.
  returned: always
  type: str
  sample: ok
findings:
  description: What is wrong, errors first. Repeated lines are one finding.
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
      description: The file in which the line stands.
      type: str
    line:
      description: Number of the (first) line in the file, V(null) when reading began after more than 8 MiB of it.
      type: int
    text:
      description: The line without colours, control characters written out, at most 500 characters.
      type: str
    time:
      description: Local time of the line or of the one with a time before it, V(null) when there is none near.
      type: str
    count:
      description: How often it stands there.
      type: int
    meaning:
      description: What it means.
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
      meaning: the default database cannot be reached; the start ends with exit code 255
      advice: Start the database, or correct mysql.host and mysql.port in config.json.
markers:
  description: What happened, in the order of each log. The last 100 to 200 of each.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description:
        - Stable name such as V(process_started), V(listening), V(banner), V(signal_arrived), V(exiting),
          V(in_app_restart), V(port_refused), V(database_created), V(admin_created) or V(migration_begins).
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
  description: The end of what was read, for O(since) of the next look.
  returned: always
  type: str
  sample: "anqicms-log-1:eNqNzcsKgzAQBdB_mXXIg2B8_EopZZoMaqsxJLEUxH-v2i67cDGb..."
unread:
  description: What could not be read, each with C(file) and C(why). C(error.log) may be missing, that is not listed.
  returned: always
  type: list
  elements: dict
  sample: []
lost:
  description: Whether the place of the position was not found again. Lines may be missing, or old ones come again.
  returned: always
  type: bool
  sample: false
ignored:
  description: How many findings O(ignore) left out.
  returned: always
  type: int
  sample: 0
notes:
  description: What is worth knowing about the reading itself.
  returned: always
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import log_check, logs


def main() -> None:
    module = _module.Module(argument_spec=_module.common_spec(**log_check.SPEC), supports_check_mode=True)

    def work() -> t.Dict[str, t.Any]:
        logs.check_params(module.params)
        context = _module.context_of(module.params)
        return log_check.run(context, module.params)

    _module.run(module, work)


if __name__ == '__main__':
    main()
