# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Small decisions about what was seen of an instance."""

import os
import pwd
import typing as t
from urllib.parse import urlsplit

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import exit_codes
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.config_file import ConfigFile
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.children import Identity

SERVED_LOG_BYTES = 1 << 18  # of the log's end: the start of a process that prints much is further away
_MARKS = ('{{', '{%', '{#')


def identity(uid: int) -> t.Optional[Identity]:
    """A user with the groups that it would get; None when there is no such user."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Identity(uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid))


def decide_state(pids: int, unsure: bool, listening: t.Optional[bool], has_listened: bool) -> str:
    """``pids``: how many processes match; ``unsure``: whether one serves that was not found. Pure."""
    if pids > 1 or (pids == 0 and unsure):
        return 'ambiguous'
    if pids == 0:
        return 'stopped'
    if listening:
        return 'running'
    if listening is None:
        return 'ambiguous'
    return 'undead' if has_listened else 'starting'


def has_served(
    seen: t.Optional[t.Mapping[str, t.Any]],
    port: t.Optional[int],
    inodes: t.Collection[int],
    directory: str,
    log: t.Callable[[int], str],
) -> bool:
    """Whether a process has opened its port in this life: noted, a connection of the port is left, or its log says so.

    ``seen``: what is noted of this very process; ``inodes``: its sockets; ``log``: the end of what it prints.
    """
    if seen and (seen.get('listened') or seen.get('version')):
        return True
    if port and any(sock.inode in inodes for sock in sockdiag.connections(port)):
        return True
    return 'Now listening on: ' in exit_codes.of_last_start(log(SERVED_LOG_BYTES), directory)


def marks_in(value: t.Any, where: str = '') -> t.List[str]:
    """Names of the values with template marks in a nested result. Pure."""
    if isinstance(value, dict):
        return [
            found
            for key in sorted(value)
            for found in marks_in(value[key], '%s.%s' % (where, key) if where else key)
            + marks_in(key, (where or 'a') + ' key')
        ]
    if isinstance(value, (list, tuple)):
        return [found for item in value for found in marks_in(item, where)]
    return [where] if isinstance(value, str) and any(mark in value for mark in _MARKS) else []


def readable_by(config: ConfigFile, uid: t.Optional[int], groups: t.Collection[int]) -> t.Optional[bool]:
    """Whether a user may read the file by its mode; None when the user or the file is not known. Pure."""
    if uid is None or config.mode is None:
        return None
    if uid == 0:
        return True
    shift = 6 if config.uid == uid else 3 if config.gid in groups else 0
    return bool(config.mode >> shift & 4)


def site_hosts(*urls: t.Optional[str]) -> t.Optional[t.List[str]]:
    """Host names in the given addresses, None when there are none."""
    hosts = [host for host in (_host_of(url) for url in urls) if host]
    return sorted(set(hosts)) or None


def _host_of(url: t.Optional[str]) -> t.Optional[str]:
    try:
        return urlsplit(url or '').hostname
    except ValueError:
        return None
