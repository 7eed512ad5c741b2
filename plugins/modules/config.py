#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: config
short_description: Merge keys into config.json of an AnQiCMS instance
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Sets and removes single keys of C(config.json). All other characters of the file stay as they are, unknown keys,
    their order and the indentation too.
  - The file is replaced in one step, with its owner, mode, access list and label. The one of before is kept in the
    trusted state.
  - As a task of its own it restarts nothing, and nothing takes its change back. It is refused while a window that has
    changed something has not ended, and where a process up to 2.3.6 runs, which would write its own settings over it,
    or one whose version is not known.
  - A running process does not read the file again, so a change needs a restart. The role C(configure) makes both in one
    window, which puts the old file back when the instance does not start with the new one.
  - A change that the version of the instance would not heed, would undo, or would not start with is refused. The rules
    stand in C(docs/application.md).
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Secrets are masked. One that changes is shown as new.
  idempotent:
    support: full
options:
  settings:
    description:
      - >-
        Keys to set, as nested dictionaries, for example V({server: {port: 8002}}). Dictionaries are merged, so
        that an empty one changes nothing where there is one; everything else is replaced.
      - From 2.5.0 on the application reads C(server), C(mysql) and, from 3.3.9 on, C(sparks); other keys are refused
        there. Up to 2.3.6 the settings of the site are in this file too.
      - From 3.4.2 on a process with the variables C(MYSQL_*) writes the file anew at each start. What would get lost by
        that is refused.
    type: dict
    default: {}
  remove:
    description:
      - Keys to remove, with dots between the levels, for example V(server.env). One that does not exist is no failure.
      - C(server.token_secret) of a version up to 3.3.3 is never removed or emptied.
      - Keys that the version does not read may be removed.
    type: list
    elements: str
    default: []
  accept_hazards:
    description:
      - C(proxy_names_port) allows a change of C(server.port) though an nginx configuration of this host still sends
        requests to the old port. Whoever accepts it changes that configuration too.
    type: list
    elements: str
    default: []
seealso:
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Set the log level, in one window with the restart that it needs
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - config: {settings: {server: {log_level: debug}}}
      - port_released: {}
      - verified_start: {}

- name: Change the password of the database in the file alone
  anqicms.lifecycle.config:
    dir: /www/wwwroot/shop.example
    settings:
      mysql:
        password: "{{ vault_mysql_password }}"
"""

RETURN = r"""
backup_file:
  description: Where the file of before is kept; V(null) when nothing was changed.
  returned: always
  type: str
  sample: /var/lib/anqicms-lifecycle/4b1d0a7e-shop.example/runs/20261126T101500Z-3f2a10/config.json
restart_required:
  description: Whether a process runs that still has the old values.
  returned: always
  type: bool
  sample: true
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import config


def main() -> None:
    module = _module.Module(argument_spec=_module.common_spec(**config.SPEC), supports_check_mode=True)
    on_instance.run_on_instance(module, config.foresee, config.as_a_task, times=())


if __name__ == '__main__':
    main()
