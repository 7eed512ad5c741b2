# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of a window out of log files: the right file, the right place in it, and no claim about what was not read."""

import bz2
import calendar
import gzip
import lzma
import os
import re
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import needles, system_logs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.system_logs import Reading
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import unpack

KILL = b'Out of memory: Killed process 955 (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB'
HOUR, DAY = 3600.0, 86400.0
PACKERS: t.Dict[str, t.Callable[[bytes], bytes]] = {'.gz': gzip.compress, '.bz2': bz2.compress, '.xz': lzma.compress}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    monkeypatch.setenv('TZ', 'UTC')
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> float:
    return float(calendar.timegm(time.strptime(text, '%Y-%m-%d %H:%M:%S')))


def syslog(when: float, message: bytes = b'usb 1-1: new device', tag: bytes = b'kernel') -> bytes:
    return time.strftime('%b %d %H:%M:%S', time.gmtime(when)).encode() + b' host ' + tag + b': ' + message + b'\n'


def iso(when: float, message: bytes = b'usb 1-1: new device', tag: bytes = b'kernel') -> bytes:
    stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(when)) + '.%06d+00:00' % (when % 1 * 1e6)
    return stamp.encode() + b' host ' + tag + b': ' + message + b'\n'


def put(path: Path, data: bytes, changed: float) -> Path:
    path.write_bytes(PACKERS[path.suffix](data) if path.suffix in PACKERS else data)
    os.utime(str(path), (changed, changed))
    return path


def read(path: Path, since: float, until: float) -> Reading:
    return system_logs.read_files(since, until, [str(path)])[0]


def numbers(reading: Reading) -> t.List[t.Tuple[str, t.Optional[int]]]:
    return [(os.path.basename(line.evidence.file or ''), line.evidence.line) for line in reading.lines]


def test_a_line_of_the_window_with_its_place(tmp_path: Path) -> None:
    noon = at('2026-07-12 12:00:00')
    data = b''.join(iso(noon + minute * 60) for minute in range(-60, 0)) + iso(noon, KILL) + iso(noon + 60)
    found = read(put(tmp_path / 'kern.log', data, noon + 60), noon - 600, noon + 60)
    assert numbers(found) == [('kern.log', 61)]
    line = found.lines[0]
    assert line.time == noon and KILL in line.text
    assert line.evidence.source == 'kern.log' and KILL.decode() in line.evidence.text
    assert (found.coverage.begin, found.coverage.end) == (noon - HOUR, noon + 60)
    assert found.coverage.complete and found.coverage.readable


def test_a_kill_in_a_syslog_that_lags_is_found(tmp_path: Path) -> None:
    noon = at('2026-07-12 12:00:00')
    data = syslog(noon - HOUR) + syslog(noon + 19, KILL) + syslog(noon + 20)
    found = read(put(tmp_path / 'messages', data, noon + 20), noon - 60, noon)
    assert [line.time for line in found.lines] == [noon + 19]
    assert found.lines[0].uncertainty >= 19


@pytest.mark.parametrize('stamp', [syslog, iso])
@pytest.mark.parametrize('share', [0.0, 0.02, 0.5, 0.97, 1.0])
def test_the_place_in_a_large_plain_file_is_found_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamp: t.Callable[..., bytes], share: float
) -> None:
    begin, count = at('2025-11-01 00:00:00'), 80000
    spot = int((count - 1) * share)
    data = b''.join(stamp(begin + number * 60, KILL if number == spot else b'x' * 100) for number in range(count))
    path = put(tmp_path / 'kern.log', data, begin + count * 60)
    real: t.Callable[[int, int, int], bytes] = os.pread
    read_bytes: t.List[int] = []

    def pread(fd: int, size: int, at: int) -> bytes:
        read_bytes.append(size)
        return real(fd, size, at)

    monkeypatch.setattr(os, 'pread', pread)
    monkeypatch.setattr(system_logs, '_COUNTED', 0)
    wanted = begin + spot * 60
    found = read(path, wanted - 300, wanted + 300)
    assert [line.time for line in found.lines] == [wanted]
    assert found.coverage.complete
    assert len(data) > 9 << 20 and sum(read_bytes) < len(data) // 4


def test_a_file_without_years_that_covers_two_of_them(tmp_path: Path) -> None:
    """The same day a year before is another time."""
    begin = at('2023-01-10 00:00:00')
    data = b''.join(syslog(begin + number * 900, KILL if number % 96 == 40 else b'y' * 60) for number in range(50000))
    path = put(tmp_path / 'kern.log', data, begin + 50000 * 900)
    for day in ('2023-03-15', '2024-03-15'):
        found = read(path, at(day + ' 00:00:00'), at(day + ' 23:00:00'))
        assert [line.time for line in found.lines] == [at(day + ' 10:00:00')]


def test_a_clock_that_was_wrong_for_a_moment_takes_no_year_away(tmp_path: Path) -> None:
    """A host without a clock of its own begins with the first of January until it has asked for the time."""
    begin = at('2026-06-01 00:00:00')
    lines = [syslog(begin + number * 60, KILL if number == 100 else b'z' * 100) for number in range(30000)]
    for number in range(15900, 16200):
        lines[number] = syslog(at('2026-01-01 00:00:05'), b'z' * 100)
    found = read(put(tmp_path / 'kern.log', b''.join(lines), begin + 30000 * 60), begin, begin + 3 * HOUR)
    assert [line.time for line in found.lines] == [begin + 6000]
    assert found.coverage.begin == begin


def test_new_year_lies_between_rotated_files(tmp_path: Path) -> None:
    eve = at('2025-12-31 23:59:00')
    put(tmp_path / 'kern.log', syslog(eve + DAY) + syslog(eve + 2 * DAY), eve + 2 * DAY)
    put(tmp_path / 'kern.log.1', syslog(eve - DAY) + syslog(eve, KILL) + syslog(eve + 30), eve + 30)
    put(tmp_path / 'kern.log.2.gz', syslog(eve - 9 * DAY, KILL) + syslog(eve - 2 * DAY), eve - 2 * DAY)
    found = read(tmp_path / 'kern.log', eve - 300, eve + 300)
    assert [line.time for line in found.lines] == [eve]
    assert numbers(found) == [('kern.log.1', 2)]
    assert found.coverage.complete and found.coverage.begin is not None and found.coverage.begin <= eve - DAY
    older = read(tmp_path / 'kern.log', eve - 10 * DAY, eve - 8 * DAY)
    assert [line.time for line in older.lines] == [eve - 9 * DAY]


def test_the_29th_of_february_has_the_right_year(tmp_path: Path) -> None:
    leap = at('2024-02-29 12:00:00')
    path = put(tmp_path / 'syslog', syslog(leap, KILL) + syslog(leap + 60), at('2025-01-10 00:00:00'))
    assert [line.time for line in read(path, leap - 60, leap + 60).lines] == [leap]


@pytest.mark.parametrize('ending', ['.gz', '.bz2', '.xz', '.zst'])
def test_of_forty_packed_files_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    if ending == '.zst' and shutil.which('zstd') is None:
        pytest.skip('zstd is not installed')
    end = at('2026-07-12 12:00:00')
    put(tmp_path / 'kern.log', iso(end), end)
    for number in range(1, 41):
        last = end - number * DAY
        path = put(
            tmp_path / ('kern.log.%d%s' % (number, '' if ending == '.zst' else ending)),
            iso(last - 23 * HOUR) + iso(last - 12 * HOUR, KILL) + iso(last),
            last,
        )
        if ending == '.zst':
            subprocess.run(['zstd', '-q', '--rm', str(path)], check=True)
            os.utime(str(path) + ending, (last, last))
    opened: t.List[str] = []
    real: t.Callable[[str], int] = system_logs.open_regular

    def open_regular(path: str) -> int:
        opened.append(os.path.basename(path))
        return real(path)

    monkeypatch.setattr(system_logs, 'open_regular', open_regular)
    wanted = end - 20 * DAY - 12 * HOUR
    found = read(tmp_path / 'kern.log', wanted - 600, wanted + 600)
    assert [line.time for line in found.lines] == [wanted]
    assert opened == ['kern.log.20' + ending, 'kern.log']
    assert found.coverage.complete
    assert found.coverage.begin is not None and found.coverage.begin < wanted - 600


def test_zst_without_the_program_is_said_to_be_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = at('2026-07-12 12:00:00')
    put(tmp_path / 'kern.log', iso(noon), noon)
    put(tmp_path / 'kern.log.1.zst', b'\x28\xb5\x2f\xfd....', noon - HOUR)
    monkeypatch.setenv('PATH', str(tmp_path))
    found = read(tmp_path / 'kern.log', noon - 2 * HOUR, noon)
    assert not found.coverage.complete
    assert 'kern.log.1.zst: it was skipped: zstd is not installed' in (found.coverage.why_not or '')


@pytest.mark.parametrize('ending', sorted(PACKERS))
@pytest.mark.parametrize(
    'spoil',
    [
        lambda data: data[:-20],
        lambda data: b'no archive at all',
        lambda data: data[:40] + b'\xff' * 40 + data[80:],
        lambda data: b'',
    ],
)
def test_a_packed_file_that_is_broken_covers_nothing(
    tmp_path: Path, ending: str, spoil: t.Callable[[bytes], bytes]
) -> None:
    noon = at('2026-07-12 12:00:00')
    path = put(tmp_path / ('kern.log.1' + ending), iso(noon - HOUR, KILL) + os.urandom(4000) + b'\n' + iso(noon), noon)
    path.write_bytes(spoil(path.read_bytes()))
    os.utime(str(path), (noon, noon))
    put(tmp_path / 'kern.log', iso(noon + 60), noon + 60)
    found = read(tmp_path / 'kern.log', noon - 2 * HOUR, noon)
    assert not found.coverage.complete
    assert 'could not be unpacked' in (found.coverage.why_not or '')


@pytest.mark.parametrize('ending', sorted(PACKERS))
def test_packed_parts_that_follow_each_other(tmp_path: Path, ending: str) -> None:
    parts = [os.urandom(300000), b'', b'end\n']
    path = tmp_path / ('x' + ending)
    path.write_bytes(b''.join(PACKERS[ending](part) for part in parts))
    with path.open('rb') as stream:
        assert b''.join(unpack.blocks(stream.fileno(), str(path))) == b''.join(parts)


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    'make,why',
    [
        (lambda path: None, 'does not exist|No such file'),
        (Path.mkdir, 'is a directory'),
        (os.mkfifo, 'is a FIFO'),
        (lambda path: path.symlink_to('/dev/zero'), 'is a device'),
        (link_to_itself, 'symbolic links'),
    ],
)
def test_what_is_no_file_is_named(tmp_path: Path, make: t.Callable[[Path], object], why: str) -> None:
    make(tmp_path / 'kern.log')
    found = read(tmp_path / 'kern.log', 0.0, time.time())
    assert found.lines == []
    assert (found.coverage.begin, found.coverage.readable, found.coverage.complete) == (None, False, False)
    assert re.search(why, found.coverage.why_not or '')


@pytest.mark.parametrize(
    'data', [b'', b'\n\n\n', b'\0' * 5000, bytes(range(256)) * 3000, b'x' * 3000000, b'no time in here\n' * 40000]
)
def test_what_has_no_time_covers_nothing(tmp_path: Path, data: bytes) -> None:
    found = read(put(tmp_path / 'kern.log', data, time.time()), 0.0, time.time())
    assert found.lines == []
    assert (found.coverage.begin, found.coverage.complete) == (None, False)


def test_nuls_of_a_power_cut(tmp_path: Path) -> None:
    noon = at('2026-07-12 12:00:00')
    data = iso(noon - 60) + b'\0' * 70000 + iso(noon, KILL) + b'\0' * 3000
    found = read(put(tmp_path / 'kern.log', data, noon), noon - 60, noon)
    assert [line.time for line in found.lines] == [noon]
    assert b'\0' not in found.lines[0].text


def test_a_log_without_the_kernel_is_not_complete(tmp_path: Path) -> None:
    noon = at('2026-07-12 12:00:00')
    data = b''.join(syslog(noon + minute * 60, b'(root) CMD (true)', b'CRON[7]') for minute in range(-60, 1))
    found = read(put(tmp_path / 'syslog', data, noon), noon - 600, noon)
    assert (found.coverage.begin, found.coverage.end) == (noon - HOUR, noon)
    assert not found.coverage.complete
    assert found.coverage.why_not == 'it has no kernel lines in the time window'


def test_a_window_before_the_log_is_not_covered(tmp_path: Path) -> None:
    noon = at('2026-07-12 12:00:00')
    found = read(put(tmp_path / 'kern.log', iso(noon, KILL) + iso(noon + 60), noon + 60), noon - DAY, noon - HOUR)
    assert found.lines == []
    assert found.coverage.begin == noon


def test_a_window_after_the_log_is_not_covered(tmp_path: Path) -> None:
    noon = at('2026-07-12 12:00:00')
    found = read(put(tmp_path / 'kern.log', iso(noon, KILL) + iso(noon + 60), noon + 60), noon + HOUR, noon + DAY)
    assert found.lines == []
    assert (found.coverage.begin, found.coverage.end, found.coverage.complete) == (None, None, False)


def test_since_after_until_finds_nothing(tmp_path: Path) -> None:
    noon = at('2026-07-12 12:00:00')
    data = b''.join(iso(noon + minute * 60, KILL) for minute in range(-600, 600))
    assert read(put(tmp_path / 'kern.log', data, noon + DAY), noon + HOUR, noon - HOUR).lines == []


def test_more_lines_than_are_kept_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_logs, 'MOST_LINES', 10)
    noon = at('2026-07-12 12:00:00')
    found = read(put(tmp_path / 'kern.log', iso(noon, KILL) * 11, noon), noon - 60, noon + 60)
    assert len(found.lines) == 10 and not found.coverage.complete
    assert 'more than 10 lines' in (found.coverage.why_not or '')


@pytest.mark.root
def test_a_log_that_may_not_be_read_says_what_to_grant(tmp_path: Path) -> None:
    """As another user, in a child: root may read everything."""
    path = put(tmp_path / 'kern.log', iso(time.time(), KILL), time.time())
    os.chmod(str(path), 0o600)
    directory = path.parent
    while directory != Path('/') and directory != Path('/tmp'):
        os.chmod(str(directory), os.stat(str(directory)).st_mode | 0o055)
        directory = directory.parent
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        why_not = read(path, 0.0, time.time()).coverage.why_not or 'read'
        os.write(writer, why_not.encode())
        os._exit(0)
    os.close(writer)
    assert os.waitpid(child, 0)[1] == 0
    said = os.read(reader, 4096).decode()
    os.close(reader)
    assert 'no permission to read' in said and 'group adm' in said


@pytest.mark.parametrize(
    'line',
    [
        'Out of Memory: Killed process 16498 (java).',
        'Out of Memory: Kill process 16498 (java) score 12345 and children.',
        'No available memory in cpuset: kill process 1 (x) score 2 or a child',
        'Would have killed process 1 (x). But continuing instead.',
        'oom_reaper: reaped process 1381 (g), now anon-rss:0kB',
        'oom-kill:constraint=CONSTRAINT_MEMCG',
        'Tasks in /A1 are going to be killed due to memory.oom.group set',
        'Memory cgroup out of memory: OOM victim 3804877 (stress) is already exiting. Skip killing the task',
        'Task in /lxc/A killed as a result of limit of /lxc/A',
        'oom killer 1 (x) has mm pinned by 2 (y)',
        'Out of memory and no killable processes...',
        'Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled',
        'Workqueue: events moom_callback',
        'x invoked oom-killer: gfp_mask=0x1201d2',
        'Killing process 9994 termshark',
        'sending SIGTERM to process 9994',
        'escalating to SIGKILL after 2.8 seconds',
        'process exited after 2.8 seconds',
        'Killed /path/x.service due to memory pressure',
        'x.service: A process of this unit has been killed by the OOM killer.',
        "Failed with result 'oom-kill'.",
        'x.service: Main process exited, code=killed, status=9/KILL',
        'oomd kill: 81.28',
        '[ OK ] Sending SIGTERM',
        'systemd-oomd killed 19 process(es) in this unit.',
        'State.OOMKilled=true',
        'a.out[1]: segfault at 0 ip',
        'traps: x[1] trap divide error ip',
        'traps: x[1] general protection fault ip',
    ],
)
def test_no_line_that_tells_of_a_death_is_passed_over(line: str) -> None:
    data = b'noise\n' + line.encode() + b'\nmore noise\n'
    assert needles.matching(data, needles.rare_bytes(data)) == [(6, 6 + len(line))]


def test_what_needles_have_of_rare_bytes_is_enough_to_be_rare() -> None:
    assert not [needle for needle in needles.NEEDLES if len(needles.rare_bytes(needle)) < 3]


@pytest.mark.parametrize(
    'line,escaped',
    [
        (b'plain', 'plain'),
        (b'a\xff\xfeb', 'a\\xff\\xfeb'),
        ('内存'.encode(), '内存'),
        (b'a\x1b[31m\0', 'a\\x1b[31m\\x00'),
    ],
)
def test_lines_are_shown_without_control_characters(line: bytes, escaped: str) -> None:
    assert system_logs.shown(line) == escaped


@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.sampled_from([KILL, b'oom', b'\n', b'Linux version \n', b'\0'])),
        max_size=30,
    ),
    st.integers(1, 70),
)
@settings(max_examples=60, deadline=None)
def test_what_is_found_does_not_depend_on_the_blocks(parts: t.List[bytes], size: int) -> None:
    data = b''.join(parts)
    found = []
    for step in (size, max(1, len(data))):
        taker = system_logs.Taker(system_logs.Window(0.0, 1e10), 'x', 'x', time.time())
        for begin in range(0, len(data), step):
            taker.feed(data[begin : begin + step])
        taker.finish()
        found.append(taker.lines)
    assert found[0] == found[1]
    assert len(found[0]) == sum(needles.concerns(line) for line in re.split(b'[\n\0]', data))


@pytest.mark.parametrize(
    'line',
    [
        b'earlyoom[700]: dryrun, not actually sending any signal',  # without it the line before it reads like a kill
        b'nohang[800]: The victim: PID 9994, Name anqicms, badness 712',
    ],
)
def test_lines_beside_a_kill_that_change_its_meaning_are_found(line: bytes) -> None:
    assert needles.concerns(line)
