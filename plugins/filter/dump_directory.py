# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: dump_directory
short_description: Get the directory of the dumps of a window
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Gets the directory of the dumps from the result of a window.
  - The role C(upgrade) uses this filter to compress the dumps afterwards.
options:
  _input:
    description: The registered result of M(anqicms.lifecycle.window).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Compress the dumps of a window while the site serves requests
  anqicms.lifecycle.database:
    dir: /www/wwwroot/shop.example
    state: packed
    path: "{{ window_result | anqicms.lifecycle.dump_directory }}"
"""

RETURN = r"""
_value:
  description: The directory. Empty if the window has taken no dump, or did not succeed.
  type: str
  sample: /var/lib/anqicms-lifecycle/4b1d0a7e-shop.example/runs/night-7-1f0c2a3b/database
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _windows_done
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data


def dump_directory(result: t.Any) -> str:
    """The directory of the dumps; see ``_windows_done.dump_directory``."""
    return t.cast(str, as_data(_windows_done.dump_directory(result)))


class FilterModule:
    """Gives the filter to Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"dump_directory": dump_directory}
