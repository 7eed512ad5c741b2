# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which connection a host cannot have with this ansible-core: the one of paramiko, which ansible-core 2.21 removed."""

from __future__ import annotations

import importlib.util

from ansible.plugins.loader import connection_loader
from ansible.release import __version__

_OF_PARAMIKO = ('paramiko', 'paramiko_ssh', 'ansible.builtin.paramiko', 'ansible.builtin.paramiko_ssh')
_MUST_BE = 'ansible_connection must be ssh, also for hosts with only a password: set ansible_password.'


def refusal(name: object) -> str:
    """'' where it can be used, or where ansible-core itself says what is wrong."""
    if name not in _OF_PARAMIKO:
        return ''
    plugin = connection_loader.aliases.get(name, name)
    return judge(str(name), connection_loader.has_plugin(plugin), importlib.util.find_spec('paramiko') is not None)


def judge(name: str, has_plugin: bool, has_library: bool) -> str:
    if not has_plugin:
        return f'{_MUST_BE} It is {name}, which ansible-core {__version__} does not have.'
    if not has_library:
        return f'{_MUST_BE} It is {name}, which needs the Python package paramiko on the controller.'
    return ''
