# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Writes the files of a bundle that a host sent below a directory of the controller."""

from __future__ import annotations

import base64
import binascii
import os
import re
import typing as t
import zlib

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data, shown

Data = t.Mapping[str, t.Any]
NAMES = (
    'instance.json',
    'oom_check.json',
    'log_check.json',
    'config.json',
    'running.log',
    'error.log',
    'panics.log',
    'check.log',
    'kernel.log',
)
_MOST = 16 << 20  # bytes of one file
_HOST = re.compile(r'[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}')
_ID = re.compile(r'[0-9a-f]{8}-[A-Za-z0-9._-]{0,40}')


class Refused(Exception):
    """The host sent what no bundle holds; the text says what."""


def place(dest: str, host: str, instance_id: str) -> str:
    """The directory of the bundle. Refused for names that are no plain name of a directory."""
    if not _HOST.fullmatch(host):
        raise Refused(f'the name of the host, {shown(host, 100)}, cannot be the name of a directory')
    if not _ID.fullmatch(instance_id):
        raise Refused(f'the host sent {shown(instance_id, 100)} where the id of an instance is expected')
    return os.path.join(os.path.abspath(os.path.expanduser(dest)), host, instance_id)


def unpack(part: Data) -> bytes:
    """The content of one file. Refused for a name that is none of a bundle's, and for what cannot be unpacked."""
    if part.get('name') not in NAMES:
        raise Refused(f'the host sent a file named {shown(part.get("name"), 100)}')
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(base64.b64decode(str(part.get('data')), validate=True), _MOST)
    except (ValueError, binascii.Error, zlib.error) as exc:
        raise Refused(f'{part["name"]} cannot be unpacked: {exc}') from exc
    if not reader.eof:
        raise Refused(f'{part["name"]} is cut, or larger than {_MOST} bytes')
    return data


def write(directory: str, parts: t.Iterable[Data]) -> list[dict[str, t.Any]]:
    """Write the files that have content, remove those that an earlier bundle had; return a row for each."""
    _make(directory)
    rows = []
    for part in parts:
        data = unpack(part)
        path = os.path.join(directory, part['name'])
        if data:
            _replace(path, data)
        elif os.path.lexists(path):
            os.unlink(path)
        why_not = part.get('why_not')
        rows.append(
            {
                'name': part['name'],
                'bytes': len(data),
                'cut': int(part.get('cut') or 0),
                'why_not': shown(why_not, 500) if why_not else None,
            }
        )
    return t.cast('list[dict[str, t.Any]]', as_data(rows))


def _make(directory: str) -> None:
    """Each one that is missing with mode 0700: os.makedirs gives it to the last one only."""
    if not os.path.isdir(directory):
        _make(os.path.dirname(directory))
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:
            pass  # another host's bundle was quicker


def _replace(path: str, data: bytes) -> None:
    temporary = f'{path}.{os.getpid()}.tmp'
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, 'wb') as stream:
            stream.write(data)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
