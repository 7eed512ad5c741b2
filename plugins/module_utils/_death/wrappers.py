# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What other programs put around a line of a log: colours, names of files, containers, JSON. Pure.

A wrapper does not say who wrote the line. That stands in the line, or in a field that the journal itself has set; what
a container printed is no line of the kernel unless it looks like one by itself (docs/memory-kills.md).
"""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json

_MOST_JSON = 65536
# A process may have a colour for a name, or in it: without it, it would be called like another one. The kernel prints
# at most 15 bytes of a name; the colours of grep around one are longer.
_NAMES = rb'(?<=\d )\([^\n]{1,15}\)(?=[ ,:]|\Z)|(?<=task=)[^\n]{1,15}(?=,pid=\d)'
_COLOURS = re.compile(rb'(?P<name>' + _NAMES + rb')|(?:\x1b|#033|\^\[)\[[0-9;]{0,20}[mK]')
# grep, with the name of the file, the number of the line, or both; docker compose, with the name of the container.
_GREP = re.compile(rb'(?:(?:\(standard input\)|[^\s:\[\](){}<>"=,;]{1,255})[:-])?(?:\d{1,9}[:\t-])?')
_GREP_ISO = re.compile(rb'[^\s\[\](){}<>"=,;]{1,255}?[:-](?:\d{1,9}[:-])?(?=\d{4}[-/]\d\d[-/]\d\d[T _]\d\d:)')
_COMPOSE = re.compile(rb'[\w.-]{1,64} {0,64}\| ')
_JSON = re.compile(rb'(?:data: ?|\x1e)?\{ ?"')
_DIGITS = re.compile(r'\d{9,19}\Z')
_TEXTS = ('MESSAGE', 'message', 'log', 'msg', '@message', 'short_message')
_TIMES = ('@timestamp', 'timestamp', 'time', 'timereported', 'timegenerated', 'ts')
_TAGS = ('SYSLOG_IDENTIFIER', 'program', 'programname', 'syslogtag', 'ident', 'tag', 'appname', 'app-name', 'app_name')
_FACILITIES = ('SYSLOG_FACILITY', 'facility', 'syslogfacility')
# How many digits a time in seconds has, and in thousandths, millionths and so on.
_UNITS = {10: 1.0, 13: 1e3, 16: 1e6, 19: 1e9}


class Inner(t.NamedTuple):
    """What was in a wrapper. ``tag``: who wrote it, None where it says so itself; ``stamp``: when it was wrapped."""

    text: bytes
    stamp: t.Optional[bytes] = None
    tag: t.Optional[bytes] = None
    tag_pid: t.Optional[int] = None
    facility: t.Optional[bytes] = None


def without_colours(line: bytes) -> bytes:
    if b'\x1b[' not in line and b'033[' not in line and b'^[[' not in line:
        return line
    return _COLOURS.sub(lambda match: match.group('name') or b'', line)


def behind_names(line: bytes) -> t.List[bytes]:
    """The line without what grep or docker compose may have put before it, each as far as it may go."""
    found = []
    for form in (_GREP, _GREP_ISO, _COMPOSE):
        match = form.match(line)
        if match and match.end():
            found.append(line[match.end() :])
    return found


def of_json(line: bytes) -> t.Optional[Inner]:
    """One record of the journal, of docker, or of a program that ships logs; None for what is none of these."""
    match = _JSON.match(line)
    if match is None or len(line) > _MOST_JSON:
        return None
    try:
        record = foreign_json.load(line[line.index(b'{') :].decode('utf-8', 'replace'))
    except ValueError:
        return None
    return of_record(record) if isinstance(record, dict) else None


def of_record(record: t.Mapping[str, t.Any]) -> t.Optional[Inner]:
    text = next((message_of(record[key]) for key in _TEXTS if key in record), None)
    if text is None:
        return None
    text = text.rstrip(b'\r\n')
    if '__REALTIME_TIMESTAMP' in record or '_TRANSPORT' in record:
        return _of_journal(record, text)
    stamp = next((_stamp(record[key]) for key in _TIMES if key in record), None)
    facility = next((field_of(record, key) for key in _FACILITIES if key in record), None)
    tag = next((field_of(record, key) for key in _TAGS if key in record), None)
    name, pid = re.match(r'([^\[\]:]*)(?:\[(\d{1,10})\])?', tag or '').groups()  # type: ignore[union-attr]
    return Inner(
        text,
        stamp,
        name.strip().encode('utf-8', 'replace') or None,
        int(pid) if pid else None,
        facility.lower().encode('utf-8', 'replace') if facility else None,
    )


def _of_journal(record: t.Mapping[str, t.Any], text: bytes) -> Inner:
    """Fields with an underscore are written by the journal itself; without them a name is only what a program says."""
    stamp = _stamp(field_of(record, '__REALTIME_TIMESTAMP'))
    pid, facility = field_of(record, '_PID') or '', field_of(record, 'SYSLOG_FACILITY')
    by = field_of(record, '_TRANSPORT') or (
        'kernel' if field_of(record, 'SYSLOG_IDENTIFIER') == 'kernel' and '_PID' not in record else None
    )
    if by == 'kernel':
        return Inner(text, stamp, b'kernel', None, facility.encode('utf-8', 'replace') if facility else None)
    return Inner(
        text, stamp, service_of(record).encode('ascii', 'replace'), int(pid) if re.match(r'\d{1,10}\Z', pid) else 0
    )


def service_of(record: t.Mapping[str, t.Any]) -> str:
    """Who spoke, from what the journal itself found out: whatever a program calls itself does not count."""
    if field_of(record, '_PID') == '1':
        return 'systemd'
    if field_of(record, '_TRANSPORT') == 'driver':
        return 'systemd-journald'
    unit = field_of(record, '_SYSTEMD_UNIT') or 'unknown'
    return re.sub(r'[^\w.@-]', '_', unit[: -len('.service')] if unit.endswith('.service') else unit)


def message_of(value: t.Any) -> t.Optional[bytes]:
    """A message is text, or a list of bytes where it is not UTF-8, or a list of messages where there are several."""
    if isinstance(value, str):
        return value.encode('utf-8', 'surrogateescape')
    if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        return bytes(value) if all(0 <= item < 256 for item in value) else None
    if isinstance(value, list) and value:
        return message_of(value[0])
    return None


def field_of(record: t.Mapping[str, t.Any], key: str) -> t.Optional[str]:
    value = record.get(key)
    return (
        str(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        else value
        if isinstance(value, str)
        else None
    )


def _stamp(value: t.Any) -> t.Optional[bytes]:
    """A time as text, or a number of seconds or parts of them."""
    if isinstance(value, float) and 1e9 <= value < 1e10:
        return b'%.6f' % value
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ''
    unit = _UNITS.get(len(text)) if _DIGITS.match(text) else None
    if unit is not None:
        return b'%.6f' % (int(text) / unit)
    return text.encode('utf-8', 'replace') or None
