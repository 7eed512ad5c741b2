# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How processes ended, as their log tells: with marks, with a crash, without a word; rotations, refusals, any bytes."""

import calendar
import gzip
import os
import time
import tracemalloc
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import running_log
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read

MIDNIGHT = calendar.timegm((2026, 1, 31, 0, 0, 0))
NOW = MIDNIGHT + 86400.0
ROOT = '/www/wwwroot/shop.example'
ENDED = '退出 terminated\n监听到退出信号\n'
DUMP = '\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:10 +0x1b9\n\ngoroutine 7 gp=0xc000 m=3 [select]:\nx()\n'


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    monkeypatch.setenv('TZ', 'UTC0')
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(seconds: float, text: str) -> str:
    return time.strftime('%Y/%m/%d %H:%M:%S ', time.gmtime(MIDNIGHT + seconds)) + text + '\n'


def start(seconds: float, root: str = ROOT) -> str:
    return at(seconds, root + '/') + '\nNow listening on: http://localhost:8001\nApplication started. Press CTRL+C\n'


def scan(*texts: t.Union[str, bytes], **more: t.Any) -> running_log.DeathScanner:
    """One text is one file, oldest first."""
    scanner = running_log.DeathScanner(more.get('root'))
    for index, text in enumerate(texts):
        data = text if isinstance(text, bytes) else text.encode('utf-8')
        scanner.begin('running.log' if index == len(texts) - 1 else 'running.log.%d' % (len(texts) - 1 - index))
        begin = 0
        for size in more.get('sizes') or []:
            scanner.feed(data[begin : begin + size])
            begin += size
        scanner.feed(data[begin:])
    scanner.finish()
    return scanner


def story(*texts: t.Union[str, bytes], **more: t.Any) -> running_log.Reading:
    return running_log.told(scan(*texts, **more), NOW - 60, NOW, more.get('since'), more.get('until'))


def kinds(reading: running_log.Reading) -> t.List[str]:
    """But for pauses, which prove nothing."""
    return [event.kind for event in reading.events if event.kind != 'log_jump']


def one(reading: running_log.Reading, kind: str) -> Event:
    found = [event for event in reading.events if event.kind == kind]
    assert len(found) == 1, reading
    return found[0]


# --- without a word


def test_abrupt_end_lies_between_its_neighbours() -> None:
    reading = story(start(0) + at(100, 'a') + 'undated\n' + start(160))
    assert kinds(reading) == ['started', 'abrupt_end', 'started']
    end = one(reading, 'abrupt_end')
    assert end.time == MIDNIGHT + 130.5 and end.uncertainty == 30.5
    assert end.details == dict(is_proven=True, not_before=MIDNIGHT + 100, not_after=MIDNIGHT + 161, process=1)
    assert [(line.line, line.text) for line in end.evidence] == [(6, 'undated'), (7, at(160, ROOT + '/')[:-1])]
    assert reading.coverage.begin == MIDNIGHT and reading.coverage.end == NOW - 60


def test_order_is_that_of_the_log_within_one_second_too() -> None:
    assert kinds(story(start(0) + start(0) + ENDED + start(0))) == [
        'started',
        'abrupt_end',
        'started',
        'clean_stop',
        'started',
    ]


def test_log_that_stops_is_only_the_end_of_what_does_not_run() -> None:
    reading = story(start(0) + at(100, 'a'))
    assert kinds(reading) == ['started']
    assert reading.unfinished is not None and reading.unfinished.kind == 'abrupt_end'
    assert reading.unfinished.details['not_before'] == MIDNIGHT + 100
    assert reading.unfinished.details['not_after'] == NOW
    assert reading.unfinished.details['last_write'] == NOW - 60
    assert [line.text for line in reading.unfinished.evidence] == [at(100, 'a')[:-1]]


def test_three_quiet_hours_are_no_end() -> None:
    reading = story(start(0) + at(60, 'a') + at(3 * 3600 + 60, 'b'))
    assert kinds(reading) == ['started']
    jump = one(reading, 'log_jump')
    assert (jump.details['seconds'], jump.uncertainty) == (10800, 5400.5)


def test_clock_that_goes_back_and_lines_that_change_places() -> None:
    assert one(story(start(7200) + at(3600, 'a')), 'log_jump').details['seconds'] == -3600
    assert kinds(story(start(600) + at(599, 'a'))) == ['started']
    assert len(story(start(600) + at(599, 'a')).events) == 1


def test_start_that_is_killed_before_it_listens() -> None:
    """Three processes, the second one never bound the port."""
    reading = story(start(0) + at(50, 'a') + at(60, ROOT + '/') + start(120))
    assert kinds(reading) == ['started', 'abrupt_end', 'started', 'abrupt_end', 'started']
    assert [event.details['listening'] for event in reading.events if event.kind == 'started'] == [True, False, True]


def test_second_start_without_a_port_proves_nothing() -> None:
    reading = story(start(0) + at(50, 'a') + at(60, ROOT + '/'))
    assert one(reading, 'abrupt_end').details['is_proven'] is False


# --- with marks


@pytest.mark.parametrize('signal', ['terminated', 'interrupt', 'hangup', 'quit'])
def test_clean_stop(signal: str) -> None:
    reading = story(start(0) + at(100, 'a') + ENDED.replace('terminated', signal) + start(160))
    assert kinds(reading) == ['started', 'clean_stop', 'started']
    stop = one(reading, 'clean_stop')
    assert (stop.details['signal'], stop.details['is_complete']) == (signal, True)
    assert stop.time == MIDNIGHT + 130.5 and stop.uncertainty == 30.5


def test_time_of_the_file_is_up_to_a_tick_too_early() -> None:
    """A window that begins with the crash has it, though the kernel stamps the file with the tick before."""
    log = start(0) + 'panic: boom\n' + DUMP
    assert kinds(story(log, since=NOW - 60 + 0.008)) == ['panic']
    assert kinds(story(log, since=NOW - 60 + 0.05)) == []


def test_clean_stop_at_the_end_lies_before_the_last_write() -> None:
    reading = story(start(0) + ENDED)
    assert one(reading, 'clean_stop').details['not_after'] == NOW - 60 + 0.01
    assert reading.unfinished is None


def test_a_signal_that_arrived_is_no_end() -> None:
    reading = story(start(0) + '退出 terminated\n退出 terminated\n' + at(20, 'a'))
    assert one(reading, 'clean_stop').details['is_complete'] is False
    assert reading.unfinished is not None
    assert kinds(story(start(0) + '退出 terminated\n' + start(20))) == [
        'started',
        'clean_stop',
        'abrupt_end',
        'started',
    ]


@pytest.mark.parametrize('time_of_it', ['', at(50, '')[:-1]])
def test_a_restart_in_the_application_is_no_end(time_of_it: str) -> None:
    reading = story(start(0) + '监听到路由更改\n%s进程结束，开始重启\n' % time_of_it + start(51))
    assert kinds(reading) == ['started', 'in_app_restart', 'started']


def test_templates_are_read_again() -> None:
    assert kinds(story(start(0) + '重载模板\n' + at(9, '重载模板'))) == ['started']


# --- crashes


@pytest.mark.parametrize(
    'text',
    [
        (
            'panic: runtime error: invalid memory address or nil pointer dereference\n'
            '[signal SIGSEGV: segmentation violation]'
        ),
        'panic: a [recovered]\n\tpanic: a',
        'panic: a\npanic: b',
        'fatal error: concurrent map writes',
        'fatal error: all goroutines are asleep - deadlock!',
        'runtime: goroutine stack exceeds 1000000000-byte limit\nfatal error: stack overflow',
        'runtime: failed to create new OS thread (have 12 already; errno=11)\nfatal error: newosproc',
        'SIGABRT: abort\nPC=0x46 m=0 sigcode=0',
    ],
)
def test_a_crash_with_its_stacks_is_a_panic(text: str) -> None:
    reading = story(start(0) + at(100, 'a') + text + '\n' + DUMP + start(160))
    assert kinds(reading) == ['started', 'panic', 'started']
    assert one(reading, 'panic').details['has_dump'] and one(reading, 'panic').time == MIDNIGHT + 130.5


@pytest.mark.parametrize(
    'text',
    [
        'fatal error: runtime: out of memory',
        'fatal error: out of memory',
        'fatal error: runtime: cannot allocate memory',
        'fatal error: failed to reserve page summary memory',
        'fatal error: pageAlloc: out of memory',
        'fatal error: out of memory (stackalloc)',
        'fatal error: out of memory allocating heap arena map',
        'fatal error: runtime: cannot map pages in arena address space',
    ],
)
def test_each_word_of_go_for_no_memory_is_known(text: str) -> None:
    asked = 'runtime: out of memory: cannot allocate 67108864-byte block (742129664 in use)\n'
    for before in ('', asked):
        reading = story(start(0) + at(100, 'a') + before + text + '\n' + DUMP + start(160))
        assert kinds(reading) == ['started', 'go_oom', 'started']
        details = one(reading, 'go_oom').details
        assert details.get('asked_bytes') == (67108864 if before else None)
        assert details.get('in_use_bytes') == (742129664 if before else None)


def test_words_of_a_crash_without_stacks_end_nothing() -> None:
    reading = story(start(0) + 'panic: said a visitor\n' + at(5, 'a'))
    assert one(reading, 'panic').details['has_dump'] is False and reading.unfinished is not None
    for text in (
        'http: panic serving 10.0.0.1:1: boom\ngoroutine 9 [running]:\n',
        at(5, 'x panic: y'),
        'fork/exec /usr/bin/cwebp: cannot allocate memory\n',
    ):
        assert kinds(story(start(0) + text)) == ['started']


def test_sigquit_is_somebodys_wish() -> None:
    reading = story(start(0) + 'SIGQUIT: quit\nPC=0x46\n' + DUMP + start(60))
    assert kinds(reading) == ['started', 'clean_stop', 'started']
    assert one(reading, 'clean_stop').details['signal'] == 'quit'


# --- starts that fail


@pytest.mark.parametrize('words', ['端口已经被占用，可能软件已经启动', 'listen tcp :8001: bind: address in use'])
def test_a_guard_that_tries_again_ends_nothing(words: str) -> None:
    tries = ''.join(at(60 * index, ROOT + '/') + at(60 * index, words) for index in range(1, 3000))
    reading = story(start(0) + tries + at(60 * 3000, 'a'))
    assert kinds(reading) == ['started'] and reading.unfinished is not None
    assert len(scan(start(0) + tries).markers) < 10


@pytest.mark.parametrize(
    ('line', 'code'),
    [
        ('Invalid Config:  unexpected end of JSON input\npanic: runtime error: x\n' + DUMP, 'config_invalid'),
        ('Failed To Connect Database:  dial tcp 127.0.0.1:3306: connect: connection refused\n', 'database_unreachable'),
        ("Failed To Connect Database:  Error 1045 (28000): Access denied for user 'a'\n", 'database_denied'),
        ('languages err catalog: empty languages\n', 'locales_missing'),
        ('无法载入字典文件 "dictionary.txt"\n', 'dictionary_missing'),
    ],
)
def test_failed_start_is_no_crash_and_no_proof(line: str, code: str) -> None:
    reading = story(start(0) + ENDED + at(60, ROOT + '/') + line + start(120))
    assert kinds(reading) == ['started', 'clean_stop', 'started', 'started']
    assert [event.details['failed'] for event in reading.events if event.kind == 'started'] == [None, code, None]


def test_complaint_of_the_database_layer_ends_no_start() -> None:
    text = at(1, ROOT + '/') + 'failed to initialize database, got error Error 1049: x\nNow listening on: x\n'
    reading = story(text)
    assert one(reading, 'started').details['failed'] is None and reading.unfinished is not None


def test_up_to_2_1_5_a_start_has_no_first_line() -> None:
    reading = story('Now listening on: x\n' + at(5, 'a') + at(90, 'b') + 'Now listening on: x\n' + at(100, 'c'))
    assert kinds(reading) == ['started', 'abrupt_end', 'started']
    assert one(reading, 'abrupt_end').details['not_before'] == MIDNIGHT + 90


def test_path_in_a_line_is_no_start() -> None:
    assert kinds(story(start(0) + at(5, '/news/'), root=ROOT)) == ['started']
    assert kinds(story(start(0) + at(5, '/news/'), root=ROOT + '/')) == ['started']


# --- what real versions print

_TRANSCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 4 + ['fixtures', 'transcripts'])
_FAILURES = {
    'config-not-json': 'config_invalid',
    'database-down': 'database_unreachable',
    'wrong-password': 'database_denied',
}


@pytest.mark.parametrize(
    ('version', 'name'),
    [
        (version, name)
        for version in sorted(os.listdir(_TRANSCRIPTS))
        for name in sorted(os.listdir(os.path.join(_TRANSCRIPTS, version)))
    ],
)
def test_transcripts(version: str, name: str) -> None:
    with open(os.path.join(_TRANSCRIPTS, version, name), encoding='utf-8') as file:
        text = file.read().split('--- running.log\n')[1].split('--- ')[0]
    for mark, value in (('<time>', '2026/01/31 00:00:00'), ('<root>', ROOT), ('<esc>', '\x1b')):
        text = text.replace(mark, value)
    found, situation = kinds(story(text)), name[:-4]
    is_told = situation == 'warm-start-sigterm' and version not in ('2.3.6', '2.5.3', '3.1.9', '3.2.1')
    expected = [] if situation == 'port-in-use' else ['started'] + ['clean_stop'] * is_told
    assert found == expected
    if situation in _FAILURES:
        assert one(story(text), 'started').details['failed'] == _FAILURES[situation]
    if situation in ('first-start', 'warm-start-sigterm'):
        assert one(story(text), 'started').details['listening']


# --- rotation


def test_copytruncate_is_no_abrupt_end() -> None:
    reading = story('d of a sentence\n' + at(100, 'a'))
    assert kinds(reading) == [] and reading.unfinished is not None
    both = story(start(0) + at(90, 'begin'), 'd of a sentence\n' + at(100, 'a') + ENDED)
    assert kinds(both) == ['started', 'clean_stop']
    hole = story(b'\0' * 100000 + at(100, 'a').encode())
    assert kinds(hole) == []


def test_process_from_before_the_rotation_ends_abruptly() -> None:
    reading = story('d of a sentence\n' + at(100, 'a') + start(160))
    assert kinds(reading) == ['abrupt_end', 'started']


def test_log_that_begins_with_a_start() -> None:
    assert kinds(story(start(0))) == ['started']
    assert kinds(story(start(0) + ENDED, start(60))) == ['started', 'clean_stop', 'started']


def test_window() -> None:
    text = start(0) + at(100, 'a') + start(160) + at(7200, 'a') + start(7260)
    assert len([kind for kind in kinds(story(text)) if kind == 'abrupt_end']) == 2
    reading = story(text, since=MIDNIGHT + 7000.0, until=MIDNIGHT + 8000.0)
    assert kinds(reading) == ['abrupt_end', 'started']


# --- files


def files(tmp_path: t.Any, since: t.Optional[float], until: t.Optional[float] = None) -> running_log.Reading:
    path = str(tmp_path / 'running.log')
    with InstallDir(str(tmp_path)) as directory:
        return running_log.read(_log_read.Reader(directory, os.getuid()), path, since, until)


def test_rotated_files_are_read_too(tmp_path: t.Any) -> None:
    root = str(tmp_path)
    for name, text in (
        ('running.log.2.gz', start(0, root) + at(10, 'a')),
        ('running.log.1', at(20, 'b')),
        ('running.log', at(30, 'c') + start(60, root) + ENDED),
    ):
        data = text.encode('utf-8')
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith('.gz') else data)
    order = ('running.log.2.gz', 'running.log.1', 'running.log')
    for age, name in enumerate(order):
        os.utime(str(tmp_path / name), (MIDNIGHT + 100 + age,) * 2)
    reading = files(tmp_path, MIDNIGHT + 15.0)
    assert kinds(reading) == ['abrupt_end', 'started', 'clean_stop']
    end = one(reading, 'abrupt_end')
    assert end.details['not_before'] == MIDNIGHT + 30 and end.evidence[1].line == 2
    assert end.evidence[1].file == str(tmp_path / 'running.log')
    assert one(reading, 'clean_stop').details['not_after'] == MIDNIGHT + 102 + 0.01


def test_missing_log_is_not_covered(tmp_path: t.Any) -> None:
    reading = files(tmp_path, None)
    assert reading.events == [] and not reading.coverage.readable and 'No such file' in (reading.coverage.why_not or '')


@pytest.mark.parametrize('what', ['directory', 'fifo', 'link'])
def test_what_is_no_file_is_not_opened(tmp_path: t.Any, what: str) -> None:
    path = str(tmp_path / 'running.log')
    if what == 'directory':
        os.mkdir(path)
    elif what == 'fifo':
        os.mkfifo(path)
    else:
        os.symlink('/etc/passwd', path)
    reading = files(tmp_path, None)
    assert not reading.coverage.readable and reading.coverage.why_not and reading.events == []


def test_large_log_is_read_from_the_window_on(tmp_path: t.Any) -> None:
    path = str(tmp_path / 'running.log')
    with open(path, 'wb') as file:
        for minute in range(3000):
            file.write((at(60 * minute, 'a line of some length ' * 3) * 100).encode('ascii'))
            if minute == 2900:
                file.write(start(60 * minute, str(tmp_path)).encode('ascii'))
    fd = os.open(path, os.O_RDONLY)
    tracemalloc.start()
    try:
        reading = running_log.read_one(fd, path, str(tmp_path), MIDNIGHT + 60.0 * 2895, MIDNIGHT + 60.0 * 2905)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        os.close(fd)
    assert os.path.getsize(path) > 20 << 20 and peak < 8 << 20
    assert kinds(reading) == ['abrupt_end', 'started']
    assert one(reading, 'started').time == MIDNIGHT + 60 * 2900 + 0.5


# --- any bytes


_TEXTS = [
    text.encode('utf-8')
    for text in (
        start(0),
        start(90),
        at(60, ROOT + '/'),
        at(100, 'a'),
        ENDED,
        DUMP,
        'panic: x\n',
        'fatal error: out of memory\n',
        '退出 terminated\n',
        '\n',
        'Invalid Config: x\n',
        at(7, '端口已经被占用'),
        'SIGQUIT: quit\n',
        '进程结束，开始重启\n',
        '9999/99/99 99:99:99 x\n',
        '2023/02/31 00:00:00 x\n',
    )
]
_PIECES = st.lists(st.one_of(st.binary(max_size=30), st.sampled_from(_TEXTS)), max_size=30)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(_PIECES, st.lists(st.integers(1, 300), max_size=20))
def test_any_bytes_in_any_blocks(pieces: t.List[bytes], sizes: t.List[int]) -> None:
    """Never a traceback, and what is found does not depend on how the bytes come."""
    data = b''.join(pieces)
    whole, cut = story(data), story(data, sizes=sizes)
    assert whole == cut
    ends = [event for event in whole.events if event.kind == 'abrupt_end']
    starts = data.count(b'Now listening on:') + data.count(b'/\n')
    assert len(ends) <= starts
    assert all(event.uncertainty >= 0.0 for event in whole.events)
