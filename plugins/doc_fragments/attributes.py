# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that all modules of the collection document."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the host.
  diff_mode:
    description: Will return details on what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled by the module has not changed in a relevant way.
  platform:
    description: Platform of the hosts on which the module works.
    support: full
    platforms: posix, Linux
    details:
      - Requires Linux with C(/proc) and Python 3.6 to 3.13. No packages beyond the Python standard library are needed.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module does not change the host.
  diff_mode:
    support: N/A
    details:
      - This module does not change the host.
  idempotent:
    support: full
    details:
      - This module does not change the host.
"""

    ACTIONGROUP_LIFECYCLE = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/anqicms.lifecycle.lifecycle) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - anqicms.lifecycle.lifecycle
"""
