# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say where instances are looked for, and whom to ask about them."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  search:
    description:
      - Additional directories to search. Each can be an install directory or contain install directories directly below
        it. Used only without O(dir).
    type: list
    elements: path
    default: []
  recorded:
    description:
      - Whether to also find the instances that earlier runs of this collection have seen running and that are still
        installed. This finds an instance that has died. Used only without O(dir).
      - An instance whose last run did not end, because the run was killed, is always found.
    type: bool
    default: false
    version_added: 0.1.0
  http:
    description:
      - Whether to request the version from running instances. Only a listener that belongs to the process itself is
        used.
      - Also whether to connect to the databases that a start would use. The module connects to each of them once, for
        at most two seconds, as the user of the instance.
    type: bool
    default: true
"""
