# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which nginx configurations of this host send requests to a port. Only looks; what cannot be read names nothing."""

import glob
import os
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _errors
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

_USUAL = (
    '/etc/nginx/nginx.conf',
    '/www/server/nginx/conf/nginx.conf',
    '/usr/local/nginx/conf/nginx.conf',
    '/usr/local/openresty/nginx/conf/nginx.conf',
)
_NAMES = ('nginx', 'openresty')
_MOST_FILES = 500
_COMMENT = re.compile(r'#[^\n]*')
_INCLUDE = re.compile(r'(?:^|[;{}\s])include\s+([^;\s]+)\s*;')
_TARGET = re.compile(
    r'(?:\bproxy_pass\s+https?://|\bserver\s+)(?:localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1?\]):(\d{1,5})(?!\d)'
)


def ports_in(text: str) -> t.Set[int]:
    """The ports of this host that a configuration names as targets. Pure."""
    return {int(port) for port in _TARGET.findall(_COMMENT.sub('', text))}


def includes_in(text: str, prefix: str) -> t.List[str]:
    """The patterns that a configuration includes, as absolute paths. Pure."""
    return [os.path.join(prefix, name.strip('\'"')) for name in _INCLUDE.findall(_COMMENT.sub('', text))]


def main_file_of(argv: t.Sequence[str]) -> t.Optional[str]:
    """The configuration that a main process of nginx was started with; None for the built-in one. Pure."""
    words = ' '.join(argv).split()
    if not words or (words[:2] != ['nginx:', 'master'] and os.path.basename(words[0]) not in _NAMES):
        return None
    found = [words[index + 1] for index, word in enumerate(words[:-1]) if word == '-c']
    return found[-1] if found and found[-1].startswith('/') else None


def naming(port: int, uids: t.Container[int]) -> t.List[str]:
    """The files that name this port. ``uids``: users whose running nginx is asked for its file, beside the usual."""
    found = []
    for path, text in _texts(list(_USUAL) + _running(uids)):
        if port in ports_in(text):
            found.append(path)
    return sorted(set(found))


def _running(uids: t.Container[int]) -> t.List[str]:
    files = []
    for pid in procfs.list_pids():
        try:
            path = main_file_of(procfs.parse_strings(procfs.read('/proc/%d/cmdline' % pid)))
            if path and os.stat('/proc/%d' % pid).st_uid in uids:
                files.append(path)
        except OSError:
            continue
    return files


def _texts(start: t.Sequence[str]) -> t.Iterator[t.Tuple[str, str]]:
    """The files and all that they include, each once."""
    todo = [(path, os.path.dirname(path)) for path in start]
    seen: t.Set[str] = set()
    while todo and len(seen) < _MOST_FILES:
        path, prefix = todo.pop(0)
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        text = _read(real)
        yield path, text
        todo += [(name, prefix) for pattern in includes_in(text, prefix) for name in sorted(glob.glob(pattern))]


def _read(path: str) -> str:
    try:
        return _files.read_system(path, 1 << 20).decode('utf-8', 'replace')
    except (OSError, _errors.LifecycleError):
        return ''
