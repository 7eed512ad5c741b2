# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal, the kernel's ring and what a crash left: what each gives, and what it claims to cover."""

import json
import os
import time
import typing as t
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import log_prefix
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import sources as _death_sources
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.log_time import Clocks
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.system_logs import Reading
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

KILL = 'Out of memory: Killed process 955 (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB'
NOW = 1783857600.0
AT = Clocks(NOW, 10000.0, 10000.0)
BOOT = uuid.UUID('0123456789abcdef0123456789abcdef')


def record(message: t.Any = KILL, when: float = NOW, **fields: t.Optional[str]) -> bytes:
    entry = {
        '__REALTIME_TIMESTAMP': '%d' % (when * 1e6),
        '__MONOTONIC_TIMESTAMP': '5000000000',
        'MESSAGE': message,
        '__CURSOR': 's=1;i=2',
        '_BOOT_ID': BOOT.hex,
        '_TRANSPORT': 'kernel',
        'SYSLOG_FACILITY': '0',
        '_SOURCE_MONOTONIC_TIMESTAMP': '5000000000',
    }
    return json.dumps({key: value for key, value in dict(entry, **fields).items() if value is not None}).encode()


def program(tmp_path: Path, script: str, name: str = 'journalctl') -> str:
    path = tmp_path / name
    path.write_text('#!/bin/sh\n' + script)
    path.chmod(0o755)
    return str(path)


def journal(tmp_path: Path, first: bytes, last: bytes, found: t.Sequence[bytes]) -> str:
    """A program that answers as journalctl does to the three questions."""
    for name, lines in (('first', [first]), ('last', [last]), ('found', found)):
        (tmp_path / name).write_bytes(b''.join(line + b'\n' for line in lines))
    return program(
        tmp_path,
        'cd %s; echo "$*" >> asked\ncase "$*" in\n*--since*) cat found;;\n*"-n 1"*) cat last;;\n'
        '*) cat first;;\nesac\n' % tmp_path,
    )


# --- journal


def test_a_record_of_the_kernel() -> None:
    line = _death_sources.parse_journal(record())
    assert line is not None
    assert (line.text, line.time, line.transport, line.facility) == (KILL.encode(), NOW, 'kernel', 0)
    assert (line.boot_id, line.evidence.cursor, line.evidence.text) == (str(BOOT), 's=1;i=2', KILL)


@pytest.mark.parametrize(
    'message,text',
    [
        ([79, 255, 254, 41], b'O\xff\xfe)'),
        ('内存', '内存'.encode()),
        (['first', 'second'], b'first'),
        ([[79, 75], 'x'], b'OK'),
        ('a\nb', b'a\nb'),
    ],
)
def test_a_message_that_is_a_list_is_read(message: t.Any, text: bytes) -> None:
    line = _death_sources.parse_journal(record(message))
    assert line is not None and line.text == text


@pytest.mark.parametrize(
    'line',
    [
        b'',
        b'{',
        b'[]',
        b'null',
        b'{"MESSAGE": "x"}',
        b'-- No entries --',
        record(None),
        record([]),
        record([256]),
        record([True, 300]),
        record({'a': 1}),
        record(when=0, __REALTIME_TIMESTAMP='x'),
        b'\xff\xfe{}',
        b'"MESSAGE": [',
        b'{"MESSAGE": "x", "__REALTIME_TIMESTAMP": ["1"]}',
        record(7),
    ],
)
def test_what_is_no_record(line: bytes) -> None:
    assert _death_sources.parse_journal(line) is None


def test_the_time_is_that_of_the_message_and_not_of_its_entry() -> None:
    """What the kernel said before the journal was there is entered when that starts."""
    line = _death_sources.parse_journal(record(_SOURCE_MONOTONIC_TIMESTAMP='4970000000'))
    assert line is not None and line.time == NOW - 30 and line.uncertainty >= 3


def test_a_program_that_wrote_to_the_kernels_log_keeps_its_facility() -> None:
    line = _death_sources.parse_journal(record(SYSLOG_FACILITY='1'))
    assert line is not None and (line.transport, line.facility) == ('kernel', 1)


@pytest.mark.parametrize(
    'fields,tag',
    [
        (dict(_SYSTEMD_UNIT='earlyoom.service', _PID='812'), (b'earlyoom', 812)),
        (dict(_SYSTEMD_UNIT='init.scope', _PID='1'), (b'systemd', 1)),
        (dict(_SYSTEMD_UNIT='user@1000.service', _PID='7'), (b'user@1000', 7)),
    ],
)
def test_who_spoke_is_told_by_the_journal_and_not_by_the_program(
    fields: t.Dict[str, t.Any], tag: t.Tuple[bytes, int]
) -> None:
    line = _death_sources.parse_journal(record('sending SIGTERM', _TRANSPORT='syslog', SYSLOG_IDENTIFIER='x', **fields))
    assert line is not None and line.transport == 'journal'
    prefix = log_prefix.split(line.text)
    assert (prefix.tag, prefix.tag_pid, prefix.message) == (tag[0], tag[1], b'sending SIGTERM')
    assert line.evidence.text == '%s[%d]: sending SIGTERM' % (tag[0].decode(), tag[1])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=6,
    )
)
def test_no_message_breaks_it(message: t.Any) -> None:
    _death_sources.parse_journal(record(message))
    _death_sources.parse_journal(json.dumps(message).encode())


def test_the_journal_gives_the_lines_of_the_window_of_all_boots(tmp_path: Path) -> None:
    first, last = record('Linux version 6.1', NOW - 9e5), record('usb', NOW - 5)
    odd = record(list(KILL.replace('anqicms', 'a').encode() + b'\xff'))
    found = _death_sources.read_journal(
        NOW - 600, NOW, journal(tmp_path, first, last, [record('eth0: up'), record(), odd])
    )
    assert [line.text for line in found.lines] == [KILL.encode(), KILL.replace('anqicms', 'a').encode() + b'\xff']
    assert found.coverage[:6] == ('journal', NOW - 9e5, NOW - 5, True, None, True)
    asked = (tmp_path / 'asked').read_text()
    assert '--since=@%d' % (NOW - 600) in asked and '_SYSTEMD_UNIT=earlyoom.service' in asked
    assert ' -b' not in asked and ' -k' not in asked


def test_the_journal_of_this_boot_reaches_to_now_while_its_daemon_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = uuid.UUID(procfs.boot_id()).hex
    path = journal(tmp_path, record(), record(when=NOW - 60, _BOOT_ID=mine), [])
    for runs in (True, False):
        monkeypatch.setattr(_death_sources, '_journal_runs', lambda runs=runs: runs)
        end = _death_sources.read_journal(NOW - 600, NOW, path).coverage.end
        assert end is not None and (abs(end - time.time()) < 60) == runs


def test_without_journalctl_the_journal_is_not_readable(tmp_path: Path) -> None:
    found = _death_sources.read_journal(0.0, NOW, str(tmp_path / 'journalctl'))
    assert (found.lines, found.coverage.readable, found.coverage.complete) == ([], False, False)
    assert 'is not installed' in (found.coverage.why_not or '')


@pytest.mark.parametrize(
    'script,readable,why',
    [
        ('echo "No journal files were opened due to insufficient permissions." >&2', False, 'systemd-journal'),
        (
            'echo "Hint: You are currently not seeing messages from other users and the system." >&2; cat first',
            False,
            'systemd-journal',
        ),
        (
            'case "$*" in *json*) ;; *) echo "Hint: You are currently not seeing messages from other users" >&2;; esac',
            False,
            'systemd-journal',
        ),
        ('echo "No journal files were found." >&2', True, 'no kernel messages'),
        ('echo "journalctl: unrecognized option" >&2; exit 1', False, 'unrecognized option'),
        ('kill -9 $$', False, 'failed'),
    ],
)
def test_a_journal_that_cannot_be_read_covers_nothing(tmp_path: Path, script: str, readable: bool, why: str) -> None:
    (tmp_path / 'first').write_bytes(record() + b'\n')
    found = _death_sources.read_journal(0.0, NOW, program(tmp_path, 'cd %s; %s\n' % (tmp_path, script)))
    assert (found.coverage.begin, found.coverage.readable, found.coverage.complete) == (None, readable, False)
    assert why in (found.coverage.why_not or '')


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    path = program(tmp_path, 'echo $$ > %s/pid; echo one; exec sleep 600\n' % tmp_path)
    taken: t.List[bytes] = []

    def take(block: bytes) -> bool:
        taken.append(block)
        return True

    ended = _death_sources.run([path], take, 0.5)
    assert ended.cut == 'it took too long' and b'one\n' in taken
    assert not os.path.exists('/proc/%s' % (tmp_path / 'pid').read_text().strip())


def test_records_that_are_broken_are_said(tmp_path: Path) -> None:
    path = journal(tmp_path, record(), record(), [b'{"MESSAGE": "oom', record()])
    found = _death_sources.read_journal(0.0, NOW, path)
    assert len(found.lines) == 1 and not found.coverage.complete
    assert found.coverage.why_not == '1 records could not be parsed'


def test_more_records_than_are_kept_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_death_sources, 'MOST_LINES', 5)
    found = _death_sources.read_journal(0.0, NOW, journal(tmp_path, record(), record(), [record()] * 9))
    assert len(found.lines) == 5 and not found.coverage.complete


# --- ring


def kmsg(sequence: int, seconds: float, message: str, priority: int = 3) -> bytes:
    return b'%d,%d,%d,-;%s\n SUBSYSTEM=x\n' % (priority, sequence, seconds * 1e6, message.encode())


def ring(records: t.Sequence[t.Any], since: float = NOW - 9000, until: float = NOW) -> Reading:
    """As the kernel gives them, one a read; an exception stands for what it raises."""
    left = list(records)

    def read() -> bytes:
        item = left.pop(0) if left else BlockingIOError()
        if isinstance(item, Exception):
            raise item
        assert isinstance(item, bytes)
        return item

    return _death_sources.ring_of(read, since, until, AT)


def test_a_ring_that_holds_all_since_the_boot() -> None:
    found = ring([kmsg(0, 0, 'Linux version 6.1'), kmsg(1, 9000, KILL), kmsg(2, 9001, 'oom fake', 11)], NOW - 2000)
    assert [(line.text.decode(), line.facility, line.evidence.cursor) for line in found.lines] == [
        (KILL, 0, 'seq=1'),
        ('oom fake', 1, 'seq=2'),
    ]
    assert found.lines[0].time == NOW - 1000
    assert found.coverage[:6] == ('kmsg', NOW - 10000, NOW, True, None, True)


def test_a_ring_that_wrapped_covers_from_its_first_record_on() -> None:
    found = ring([kmsg(700, 9500, 'usb'), kmsg(701, 9600, KILL)])
    assert (found.coverage.begin, found.coverage.complete) == (NOW - 500, True)


def test_records_that_were_overwritten_while_reading() -> None:
    found = ring([kmsg(0, 0, 'boot'), kmsg(1, 5000, KILL), BrokenPipeError(), kmsg(90, 9000, 'usb')])
    assert len(found.lines) == 1 and found.coverage.begin == NOW - 1000


def test_a_host_that_slept_says_how_far_off_the_time_is() -> None:
    slept = Clocks(NOW, 10000.0, 10000.0 + 3 * 86400)
    line = _death_sources.parse_kmsg(kmsg(5, 9000, KILL), slept)
    assert line is not None and line[1].uncertainty >= 3 * 86400
    found = _death_sources.ring_of(iter([kmsg(5, 9000, KILL), b'']).__next__, NOW - 3 * 86400, NOW - 2 * 86400, slept)
    assert len(found.lines) == 1


@pytest.mark.parametrize(
    'data', [b'', b';', b'3,1;x', b'a,b,c;x', b'3,1,-5,-;x', b'no record', b'\xff\0;', b'3,1,\xb2,-;x']
)
def test_what_is_no_record_of_the_ring(data: bytes) -> None:
    assert _death_sources.parse_kmsg(data, AT) is None


def test_a_ring_that_holds_nothing_covers_nothing() -> None:
    found = ring([])
    assert (found.coverage.readable, found.coverage.complete) == (False, False)


@pytest.mark.parametrize(
    'make',
    [
        lambda path: path.write_bytes(kmsg(0, 0, KILL)),
        lambda path: os.mkfifo(str(path)),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to('/dev/null'),
        lambda path: path.symlink_to('/dev/full'),
        lambda path: None,
    ],
)
def test_what_is_not_the_kernels_log_is_not_read(tmp_path: Path, make: t.Callable[[Path], object]) -> None:
    """A container may have anything at that place."""
    make(tmp_path / 'kmsg')
    found = _death_sources.read_kmsg(0.0, time.time(), str(tmp_path / 'kmsg'))
    assert found.lines == [] and not found.coverage.complete
    assert found.coverage.why_not


def test_the_ring_of_this_host() -> None:
    found = _death_sources.read_kmsg(0.0, time.time())
    if not found.coverage.readable:
        pytest.skip('the log of the kernel cannot be read here: %s' % found.coverage.why_not)
    assert found.coverage.begin is not None and found.coverage.end is not None
    assert found.coverage.begin < found.coverage.end <= time.time()


@pytest.mark.parametrize(
    'line,message,facility',
    [
        (b'<3>[ 9000.000000] oom', b'oom', 0),
        (b'<12>[ 9000.000000] oom', b'oom', 1),
        (b'<4>[ 9000.0][ T91] oom', b'oom', 0),
        (b'[ 9000.000000] oom', b'oom', None),
    ],
)
def test_lines_of_dmesg(line: bytes, message: bytes, facility: t.Optional[int]) -> None:
    found = _death_sources.parse_dmesg(line, AT)
    assert found is not None and (found.text, found.facility, found.time) == (message, facility, NOW - 1000)


@pytest.mark.parametrize(
    'script,readable',
    [
        ('[ "$1" = -S ] || exit 1; echo "<5>[    0.0] Linux version 6"; echo "<3>[    1.0] oom"', True),
        ('[ "$1" = -S ] && { echo "dmesg: invalid option" >&2; exit 1; }; echo "<3>[    1.0] oom"', True),
        ('echo "dmesg: read kernel buffer failed: Operation not permitted" >&2; exit 1', False),
        ('echo "a log without times: oom"', False),
        ('exit 0', False),
    ],
)
def test_dmesg_is_read_where_the_ring_cannot_be_opened(tmp_path: Path, script: str, readable: bool) -> None:
    found = _death_sources.read_dmesg(0.0, time.time(), program(tmp_path, script + '\n', 'dmesg'))
    assert found.coverage.readable == readable
    assert bool([line for line in found.lines if line.text == b'oom']) == readable
    assert readable or 'CAP_SYSLOG' in (found.coverage.why_not or '')


def test_without_dmesg(tmp_path: Path) -> None:
    found = _death_sources.read_dmesg(0.0, time.time(), str(tmp_path / 'dmesg'))
    assert not found.coverage.readable and 'cannot be run' in (found.coverage.why_not or '')


# --- pstore


def test_the_last_words_of_a_kernel_are_read(tmp_path: Path) -> None:
    below = tmp_path / '176' / 'dmesg-efi-1'
    below.parent.mkdir()
    below.write_bytes(
        b'Oops#1 Part1\n<4>[  90.000000] usb\n'
        b'<0>[  97.500000] Kernel panic - not syncing: Out of memory\n'
        b'<0>[ 100.000000] Rebooting\n'
    )
    os.utime(str(below), (NOW, NOW))
    (tmp_path / 'console-ramoops').write_bytes(b'<0>[  1.0] oom\n')
    found = _death_sources.read_pstore([str(tmp_path), str(tmp_path / 'missing')])
    assert [(line.text, line.time, line.evidence.line) for line in found.lines] == [
        (b'Kernel panic - not syncing: Out of memory', NOW - 2.5, 3)
    ]
    assert found.coverage[:6] == ('pstore', None, None, True, None, False)


def test_a_pstore_of_anything(tmp_path: Path) -> None:
    os.mkfifo(str(tmp_path / 'dmesg-a'))
    (tmp_path / 'dmesg-b').write_bytes(os.urandom(5000))
    found = _death_sources.read_pstore([str(tmp_path)])
    assert not found.coverage.readable and 'a FIFO' in (found.coverage.why_not or '')


def test_all_sources_of_a_host_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('read_journal', 'read_kmsg', 'read_dmesg'):
        real = getattr(_death_sources, name)
        monkeypatch.setattr(
            _death_sources, name, lambda since, until, real=real: real(since, until, str(tmp_path / 'missing'))
        )
    found = _death_sources.read_all(0.0, time.time(), [str(tmp_path / 'kern.log')])
    assert [reading.coverage.source for reading in found] == ['journal', 'kmsg', 'kern.log', 'pstore']
    assert not any(reading.coverage.complete or reading.lines for reading in found)
