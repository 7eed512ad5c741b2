# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal's formats of several lines give one line for each record, whatever is in it."""

import json
import os
import struct
import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel as _kernel_oom
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import records, system_logs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Evidence, RawLine

T0 = 1783872554.0
KILL = 'Out of memory: Killed process 4711 (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB'
Record = t.Dict[str, t.Union[str, bytes]]


def record(message: t.Union[str, bytes] = KILL, when: float = T0, **fields: str) -> Record:
    found: Record = {
        '__CURSOR': 's=1;i=2',
        '__REALTIME_TIMESTAMP': '%d' % (when * 1e6),
        '_TRANSPORT': 'kernel',
        'PRIORITY': '3',
        'SYSLOG_FACILITY': '0',
        'MESSAGE': message,
    }
    found.update(fields)
    return found


def export(*rows: Record) -> bytes:
    made = []
    for row in rows:
        for key, value in row.items():
            data = value if isinstance(value, bytes) else value.encode()
            is_text = all(31 < byte < 127 for byte in bytearray(data))
            head = b'=' if is_text else b'\n' + struct.pack('<Q', len(data))
            made.append(key.encode() + head + data + b'\n')
        made.append(b'\n')
    return b''.join(made)


def pretty(*rows: Record) -> bytes:
    plain = [
        {key: list(bytearray(value)) if isinstance(value, bytes) else value for key, value in row.items()}
        for row in rows
    ]
    return b''.join(json.dumps(row, indent=8).replace('": ', '" : ').encode() + b'\n' for row in plain)


FORMATS = {'export': export, 'json-pretty': pretty}
NOISE = [
    record('eth0: up', T0 - 3600),
    record('started', T0 - 60, _TRANSPORT='syslog', _PID='7', _SYSTEMD_UNIT='x.service'),
]


@pytest.mark.parametrize('form', sorted(FORMATS))
@pytest.mark.parametrize(
    'message, comm',
    [
        (KILL, b'anqicms'),
        (KILL.replace('anqicms', 'a\nb').encode(), b'a\nb'),
        (KILL.replace('anqicms', 'a\n\nb').encode(), b'a\n\nb'),
        (KILL.encode().replace(b'anqicms', b'\xff\xfe'), b'\xff\xfe'),
    ],
)
def test_a_kill_in_a_file_of_the_journal(tmp_path: Path, form: str, message: t.Union[str, bytes], comm: bytes) -> None:
    path = tmp_path / 'journal'
    path.write_bytes(FORMATS[form](*NOISE, record(message), record('eth0: down', T0 + 3600)))
    os.utime(str(path), (T0 + 3600, T0 + 3600))
    (reading,) = system_logs.read_files(T0 - 600, T0 + 600, [str(path)])
    assert reading.coverage[1:6] == (T0 - 3600, T0 + 3600, True, None, True)
    (event,) = _kernel_oom.events(reading.lines)
    assert (event.pid, event.comm, event.time) == (4711, comm, T0)


@pytest.mark.parametrize('form', sorted(FORMATS))
@pytest.mark.parametrize(
    'fields', [dict(SYSLOG_FACILITY='1'), dict(_TRANSPORT='syslog', SYSLOG_IDENTIFIER='kernel', _PID='7')]
)
def test_what_a_program_wrote_is_not_the_kernels(form: str, fields: t.Dict[str, t.Any]) -> None:
    joiner = records.Joiner()
    line = joiner.feed(FORMATS[form](record(**fields))) + joiner.finish()
    raw = RawLine(line.rstrip(b'\n'), T0, 1.0, Evidence('j', None, 1, None, ''), 'syslog', None, None)
    assert [event.kind for event in _kernel_oom.events([raw])] == ['spoofed'], (form, fields)


@settings(deadline=None, max_examples=60)
@given(
    form=st.sampled_from(sorted(FORMATS)),
    noise=st.lists(st.binary(max_size=40), max_size=4),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=30),
)
def test_records_do_not_depend_on_the_blocks(form: str, noise: t.List[bytes], sizes: t.List[int]) -> None:
    data = FORMATS[form](*[record(each) for each in noise], record())
    assert records.is_of_records(data)
    joiner, found, at = records.Joiner(), [], 0
    for size in sizes:
        found.append(joiner.feed(data[at : at + size]))
        at += size
    found += [joiner.feed(data[at:]), joiner.finish()]
    whole = records.Joiner()
    assert b''.join(found) == whole.feed(data) + whole.finish()
    assert b''.join(found).count(KILL.encode()) == 1


@settings(deadline=None)
@given(st.sampled_from([b'__CURSOR=', b'{\n\t"', b'']), st.binary(max_size=300))
def test_any_bytes(head: bytes, data: bytes) -> None:
    joiner = records.Joiner()
    joiner.feed(head + data)
    joiner.feed(export(record())[:50] + data)
    joiner.finish()
