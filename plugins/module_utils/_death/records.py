# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One line for each record of ``journalctl -o export`` and ``-o json-pretty``, which take several. Pure.

The line is like one of ``journalctl -o short-unix``, with the facility before it and line breaks written out.
"""

import re
import struct
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import wrappers
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json

_EXPORT = re.compile(rb'\n*__(?:CURSOR|REALTIME_TIMESTAMP|SEQNUM)[A-Z_]*=')
_PRETTY = re.compile(rb'\s*\{\n\s+"')
_MOST_RECORD = 1 << 20  # of a larger one its fields are left out
_BREAKS = re.compile(rb'[\n\r\0]')
_NEEDED = (
    'MESSAGE',
    '__REALTIME_TIMESTAMP',
    '_TRANSPORT',
    'SYSLOG_FACILITY',
    'SYSLOG_IDENTIFIER',
    '_PID',
    '_SYSTEMD_UNIT',
)


def is_of_records(head: bytes) -> bool:
    return _EXPORT.match(head) is not None or _PRETTY.match(head) is not None


def line_of(record: t.Mapping[str, t.Any]) -> bytes:
    """Nothing for a record that has no message or no time."""
    inner = wrappers.of_record(record)
    if inner is None or inner.stamp is None or inner.tag is None:
        return b''
    facility = int(inner.facility) if inner.facility and inner.facility.isdigit() and len(inner.facility) < 3 else 0
    head = b'<%d>' % (facility << 3) if inner.tag == b'kernel' else b''
    tag = inner.tag if inner.tag == b'kernel' else inner.tag + b'[%d]' % (inner.tag_pid or 0)
    return (
        head
        + inner.stamp
        + b' - '
        + tag
        + b': '
        + _BREAKS.sub(lambda match: b'\\x%02x' % ord(match.group(0)), inner.text)
        + b'\n'
    )


class Joiner:
    """Takes blocks of any size."""

    def __init__(self) -> None:
        self.rest = b''
        self.fields: t.Dict[str, t.Any] = {}
        self.pretty: t.Optional[bool] = None

    def feed(self, data: bytes) -> bytes:
        self.rest += data
        if self.pretty is None:
            begin = self.rest.lstrip()[:1]
            self.pretty = begin == b'{' if begin else None
        made = self._pretty() if self.pretty else self._export()
        if len(self.rest) > _MOST_RECORD:
            self.rest = self.rest[-_MOST_RECORD // 2 :]
        return made

    def finish(self) -> bytes:
        """The last record, when nothing follows it."""
        made = self.feed(b'\n}\n' if self.pretty else b'\n\n')
        self.rest = b''
        return made

    def _pretty(self) -> bytes:
        made: t.List[bytes] = []
        while True:
            end = self.rest.find(b'\n}')
            if end < 0:
                return b''.join(made)
            text, self.rest = self.rest[: end + 2], self.rest[end + 2 :]
            try:
                record = foreign_json.load(text[text.index(b'{') :].decode('utf-8', 'replace'))
            except ValueError:
                continue
            made.append(line_of(record) if isinstance(record, dict) else b'')

    def _export(self) -> bytes:
        """``FIELD=text``, or the name alone, the length in eight bytes and what has line breaks or is no text."""
        made: t.List[bytes] = []
        at: int = 0
        while True:
            end = self.rest.find(b'\n', at)
            if end < 0:
                break
            line = self.rest[at:end]
            name, equals, value = line.partition(b'=')
            if not line:
                made.append(line_of(self.fields) if self.fields else b'')
                self.fields = {}
            elif not equals:
                size = struct.unpack('<Q', self.rest[end + 1 : end + 9])[0] if len(self.rest) >= end + 9 else None
                if size is None or (size <= _MOST_RECORD and len(self.rest) < end + 10 + size):
                    break
                if size <= _MOST_RECORD:
                    value, end = self.rest[end + 9 : end + 9 + size], end + 9 + size
            self._keep(name, value)
            at = end + 1
        self.rest = self.rest[at:]
        return b''.join(made)

    def _keep(self, name: bytes, value: bytes) -> None:
        key = name.decode('ascii', 'replace')
        if key == 'MESSAGE':
            self.fields[key] = value.decode('utf-8', 'surrogateescape')
        elif key in _NEEDED:
            self.fields[key] = value.decode('utf-8', 'replace')
