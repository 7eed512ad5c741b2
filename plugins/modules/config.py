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
  - Sets and removes individual keys of C(config.json). All other characters of the file stay unchanged, including
    unknown keys, the order of the keys, and the indentation.
  - The file is replaced atomically and keeps its owner, mode, access control list, and security label. The previous
    file is kept in the trusted state.
  - As a separate task, this module restarts nothing, and its change is not rolled back. It fails while a window that
    has made changes has not ended. It also fails while a process up to version 2.3.6 runs, which would overwrite
    the file with its own settings, or a process whose version is not known.
  - A running process does not read the file again, so that a change requires a restart. The role C(configure) does both
    in one window, which restores the old file if the instance does not start with the new one.
  - A change that the version of the instance would ignore or revert, or that would prevent a start, makes the module
    fail. The rules are listed in C(docs/application.md).
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
      - Secrets are masked. A secret that changes is shown as new.
  idempotent:
    support: full
options:
  settings:
    description:
      - >-
        Keys to set, as nested dictionaries, for example V({server: {port: 8002}}). Dictionaries are merged. An empty
        dictionary changes nothing if the file already has a dictionary there. All other values are replaced.
      - From version 2.5.0 on, the application reads C(server), C(mysql), and, from 3.3.9 on, C(sparks). Other keys make
        the module fail for these versions. Up to 2.3.6, the settings of the site are also in this file.
      - From version 3.4.2 on, a process with C(MYSQL_*) environment variables rewrites the file at each start. The
        module fails if values would be lost by that.
    type: dict
    default: {}
  remove:
    description:
      - Keys to remove, with dots between the levels, for example V(server.env). A key that does not exist is ignored.
      - C(server.token_secret) of a version up to 3.3.3 is never removed or emptied.
      - Keys that the version does not read can be removed.
    type: list
    elements: str
    default: []
  accept_hazards:
    description:
      - C(proxy_names_port) allows a change of C(server.port) even if an nginx configuration of this host still sends
        requests to the old port. If you accept it, update that configuration, too.
    type: list
    elements: str
    default: []
seealso:
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Set the log level, in one window with the restart that it requires
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - config: {settings: {server: {log_level: debug}}}
      - port_released: {}
      - verified_start: {}

- name: Change the database password in the file only
  anqicms.lifecycle.config:
    dir: /www/wwwroot/shop.example
    settings:
      mysql:
        password: "{{ vault_mysql_password }}"
"""

RETURN = r"""
backup_file:
  description: Path of the copy of the previous file. V(null) if nothing was changed.
  returned: always
  type: str
  sample: /var/lib/anqicms-lifecycle/4b1d0a7e-shop.example/runs/20261126T101500Z-3f2a10/config.json
restart_required:
  description: Whether a process is running that still has the old values.
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
