#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: change_window
short_description: The module window with the steps that change something
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - What the action plugin of M(anqicms.lifecycle.window) sends to the host where a window has steps that change files,
    configuration or database, or where an unfinished run has made such a change. What a plain restart does not need is
    not sent with it, so that it is faster.
  - Not for playbooks. Use M(anqicms.lifecycle.window), which takes all steps.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.window
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - As M(anqicms.lifecycle.window).
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
  description: As M(anqicms.lifecycle.window), and so are all other results.
  returned: always, unless it was refused
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
