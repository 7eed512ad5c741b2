#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: change_window
short_description: The module window with the steps that make changes
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - The action plugin of M(anqicms.lifecycle.window) sends this module to the host if a window has steps that change
    files, the configuration, or the database, or if an unfinished run has made such a change. Code that a plain restart
    does not need is not sent with the other module, which makes a plain restart faster.
  - Do not use this module in playbooks. Use M(anqicms.lifecycle.window), which accepts all steps.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.steps
  - anqicms.lifecycle.window
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - See M(anqicms.lifecycle.window).
seealso:
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Change the log level
  anqicms.lifecycle.window:  # sends change_window
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - config: {settings: {server: {log_level: debug}}}
      - verified_start: {}
"""

RETURN = r"""
outcome:
  description: This and all other return values are those of M(anqicms.lifecycle.window).
  returned: always, unless the window was refused
  type: str
  sample: done
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module


def main() -> None:
    if _module.internal_options().get('look'):
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import instance_info as look

        look.run(internal=dict(type='dict'))
    else:
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import window_call
        from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import change_steps as steps

        steps.register()
        window_call.main()


if __name__ == '__main__':
    main()
