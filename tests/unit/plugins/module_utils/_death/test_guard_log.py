# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor's watchdog log as it really is: counts and PIDs in one format, and whatever a power cut leaves."""

import calendar
import os
import time
import tracemalloc
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import guard_log
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event

MIDNIGHT = calendar.timegm((2026, 1, 31, 0, 0, 0))
BERLIN = 'CET-1CEST,M3.5.0,M10.5.0/3'


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[[str], None]]:
    """UTC, unless a test sets another zone."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv('TZ', name)
        time.tzset()

    set_zone('UTC0')
    yield set_zone
    monkeypatch.undo()
    time.tzset()


def line(seconds: float, number: t.Any, name: str = 'anqicms') -> str:
    stamp = time.strftime('%Y%m%d %H:%M:%S', time.gmtime(MIDNIGHT + seconds))
    return '%s %s PID check: %s' % (stamp, name, number)


def minutes(*numbers: t.Any) -> t.List[str]:
    """One line a minute, as cron makes start.sh write it."""
    return [line(60 * index + 1, number) for index, number in enumerate(numbers)]


def read(
    tmp_path: t.Any,
    lines: t.Union[bytes, t.Sequence[str]],
    since: t.Optional[float] = None,
    until: t.Optional[float] = None,
) -> guard_log.Reading:
    data = lines if isinstance(lines, bytes) else ''.join(text + '\n' for text in lines).encode('utf-8')
    path = str(tmp_path / 'check.log')
    with open(path, 'wb') as file:
        file.write(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        return guard_log.read(fd, path, since, until)
    finally:
        os.close(fd)


def kinds(reading: guard_log.Reading) -> t.List[str]:
    return [event.kind for event in reading.events]


def one(reading: guard_log.Reading, kind: str) -> Event:
    found = [event for event in reading.events if event.kind == kind]
    assert len(found) == 1, reading
    return found[0]


# --- counts


@pytest.mark.parametrize('spoken', [(), ('anqicms NOT running',), ('PID anqicms check: 0', 'anqicms NOT running')])
def test_a_drop_and_a_start_are_found(tmp_path: t.Any, spoken: t.Sequence[str]) -> None:
    lines = minutes(1, 1, 1, 0, 1, 1)
    reading = read(tmp_path, lines[:4] + list(spoken) + lines[4:])
    drop = one(reading, 'guard_drop')
    assert drop.time == MIDNIGHT + 151.5 and drop.uncertainty == 30.5
    assert (drop.details['baseline'], drop.details['count']) == (1, 0)
    assert drop.details['back_at'] == MIDNIGHT + 241.5
    assert not drop.details['stopped_by_hand'] and drop.pid is None and not drop.trusted
    assert [(evidence.line, evidence.text) for evidence in drop.evidence] == [(3, lines[2]), (4, lines[3])]
    assert one(reading, 'guard_start').time == MIDNIGHT + 181.5
    assert reading.notes == []
    assert reading.coverage.begin == MIDNIGHT + 1 and reading.coverage.end == MIDNIGHT + 302
    assert reading.coverage.readable and not reading.coverage.complete


def test_steady_log_tells_nothing(tmp_path: t.Any) -> None:
    reading = read(tmp_path, minutes(*[1] * 100))
    assert reading.events == [] and reading.baseline == 1
    assert 'does not prove that nothing died' in reading.notes[0]


def test_a_fall_below_a_usual_count_of_three_is_a_drop(tmp_path: t.Any) -> None:
    reading = read(tmp_path, minutes(*[3] * 40 + [2, 2, 2]))
    drop = one(reading, 'guard_drop')
    assert (drop.details['baseline'], drop.details['count'], drop.details['back_at']) == (3, 2, None)
    assert kinds(reading) == ['guard_drop']


def test_a_usual_count_that_never_falls_is_no_proof(tmp_path: t.Any) -> None:
    reading = read(tmp_path, minutes(*[3] * 40))
    assert reading.events == [] and 'never fell below its usual 3' in reading.notes[0]


def test_two_instances_one_of_them_for_good(tmp_path: t.Any) -> None:
    reading = read(tmp_path, minutes(*[2] * 20 + [1] * 60 + [0]))
    assert [
        (event.details['baseline'], event.details['count']) for event in reading.events if event.kind == 'guard_drop'
    ] == [(2, 1), (1, 0)]
    assert reading.baseline == 1


def test_an_editor_that_is_open_for_a_while_is_no_drop(tmp_path: t.Any) -> None:
    assert read(tmp_path, minutes(*[1] * 30 + [2] * 10 + [1] * 30)).events == []


def test_first_count_is_too_low(tmp_path: t.Any) -> None:
    assert kinds(read(tmp_path, minutes(1, 2, 2, 2, 1))) == ['guard_drop']


def test_a_drop_across_a_gap_may_be_any_time_in_it(tmp_path: t.Any) -> None:
    reading = read(tmp_path, [line(0, 1), line(60, 1), line(36060, 0)])
    drop = one(reading, 'guard_drop')
    assert drop.time == MIDNIGHT + 18060.5 and drop.uncertainty == 18000.5
    assert reading.notes == ['check.log has 1 gap(s) of more than 15 minutes']


@pytest.mark.parametrize(
    ('numbers', 'count'),
    [
        ((1, 0, 1, 0, 1, 0, 1), 3),
        ((1, 0, 0, 0, 0, 1), 4),
    ],
)
def test_starts_close_together_are_a_crash_loop(tmp_path: t.Any, numbers: t.Sequence[int], count: int) -> None:
    loop = one(read(tmp_path, minutes(*numbers)), 'guard_crash_loop')
    assert loop.details['count'] == count
    assert loop.details['not_before'] == MIDNIGHT + 61


def test_starts_far_apart_are_no_loop(tmp_path: t.Any) -> None:
    lines = minutes(*([1] * 15 + [0]) * 4)
    assert 'guard_crash_loop' not in kinds(read(tmp_path, lines))


def test_a_start_that_never_stays_is_one_start_with_its_attempts(tmp_path: t.Any) -> None:
    reading = read(tmp_path, minutes(1, 0, 0, 1))
    start = one(reading, 'guard_start')
    assert start.details['attempts'] == 2 and start.uncertainty == 30.5
    assert kinds(reading) == ['guard_drop', 'guard_start']


# --- stops by hand


@pytest.mark.parametrize('digits', ['4567', '1234567', '2982729828', '201'])
def test_pids_are_a_stop_by_hand(tmp_path: t.Any, digits: str) -> None:
    lines = minutes(*[1] * 10 + [0, 1])
    reading = read(tmp_path, lines[:10] + [line(572, digits)] + lines[10:])
    stop = one(reading, 'guard_admin_stop')
    assert stop.details['digits'] == digits and stop.details['certain'] and stop.time == MIDNIGHT + 572.5
    drop = one(reading, 'guard_drop')
    assert drop.details['stopped_by_hand'] and drop.details['not_before'] == MIDNIGHT + 572
    assert reading.baseline == 1


def test_stop_of_nothing_has_no_number(tmp_path: t.Any) -> None:
    reading = read(tmp_path, minutes(1, 1) + [line(90, '')])
    assert one(reading, 'guard_admin_stop').details == dict(
        digits='', certain=True, not_before=MIDNIGHT + 90, not_after=MIDNIGHT + 91
    )


def test_a_small_pid_off_the_minute(tmp_path: t.Any) -> None:
    """In a container PIDs are as small as counts."""
    lines = minutes(*[1] * 10 + [0])
    reading = read(tmp_path, lines[:10] + [line(575, 7)] + lines[10:])
    assert one(reading, 'guard_admin_stop').details['certain'] is False
    assert one(reading, 'guard_drop').details['stopped_by_hand']


def test_start_by_hand_off_the_minute_is_a_count(tmp_path: t.Any) -> None:
    lines = minutes(*[1] * 10 + [1])
    assert read(tmp_path, lines[:10] + [line(575, 1)] + lines[10:]).events == []


def test_thousands_of_digits(tmp_path: t.Any) -> None:
    reading = read(tmp_path, minutes(1, '9' * 10000, 1))
    assert len(one(reading, 'guard_admin_stop').details['digits']) == 500


# --- lines that are none, and clocks


def test_corrupt_lines_nuls_and_crlf_are_skipped_and_counted(tmp_path: t.Any) -> None:
    lines = minutes(1, 1, 1, 0, 1)
    data = '\r\n'.join([lines[0], '2026013', lines[1], '20261399 00:00:00 anqicms PID check: 0', lines[2]])
    nuls = '\0' * 5000
    reading = read(tmp_path, ('%s\r\n%s%s\r\n20260131 00:%s%s\r\n' % (data, nuls, lines[3], nuls, lines[4])).encode())
    assert kinds(reading) == ['guard_drop', 'guard_start']
    assert [evidence.line for evidence in reading.events[0].evidence] == [5, 6]
    assert reading.notes == ['3 line(s) of check.log cannot be read, the first is line 2']


def test_a_clock_that_goes_back_is_noted(tmp_path: t.Any) -> None:
    reading = read(tmp_path, [line(3600, 1), line(3660, 1), line(3000, 0), line(3060, 1)])
    assert one(reading, 'guard_drop').uncertainty == 330.5
    assert 'the clock went back 1 time(s) in check.log' in reading.notes


def test_a_large_log_is_read_in_bounded_memory_and_time(tmp_path: t.Any) -> None:
    """The window is looked for by halving: 27 MiB here, the size does not matter."""
    path = tmp_path / 'check.log'
    with open(str(path), 'wb') as file:
        for day in range(150):
            stamp = time.strftime('%Y%m%d', time.gmtime(MIDNIGHT + 86400 * day))
            file.write(
                ''.join(
                    '%s %02d:%02d:%02d anqicms PID check: %d\n'
                    % (stamp, at // 180, at // 3 % 60, at % 3, day != 147 or at != 2500)
                    for at in range(4320)
                ).encode('ascii')
            )
    size = os.path.getsize(str(path))
    fd = os.open(str(path), os.O_RDONLY)
    tracemalloc.start()
    try:
        began = time.monotonic()
        since = MIDNIGHT + 86400 * 147
        reading = guard_log.read(fd, 'check.log', since, since + 86400)
        taken = time.monotonic() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        os.close(fd)
    assert size > 24 << 20
    assert kinds(reading) == ['guard_drop', 'guard_start']
    assert reading.events[1].evidence[0].line == 147 * 4320 + 2501
    assert peak < 8 << 20 and taken < 10.0


def test_of_a_large_log_only_the_end_is_read(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_log, '_MOST_READ', 1 << 20)
    text = ''.join(line(60 * at, 1) + '\n' for at in range(40000)) + line(60 * 40000, 0) + '\n'
    reading = read(tmp_path, text.encode('ascii'))
    assert reading.notes[0] == 'only the last 1 MiB of check.log were read'
    assert reading.events[0].evidence[1].line == 40001
    assert len(reading.notes) == 1, 'the line that was cut is not counted as corrupt'


def test_an_hour_that_comes_twice_is_uncertain(tmp_path: t.Any, zone: t.Callable[[str], None]) -> None:
    zone(BERLIN)
    lines = ['20261025 02:%02d:01 anqicms PID check: %d' % (at % 60, at != 90) for at in range(55, 115)]
    reading = read(tmp_path, lines)
    drop = one(reading, 'guard_drop')
    assert drop.time is not None and drop.uncertainty > 1800
    assert abs(drop.time - calendar.timegm((2026, 10, 25, 1, 30, 0))) <= drop.uncertainty
    assert not any('clock' in note for note in reading.notes)


def test_window(tmp_path: t.Any) -> None:
    lines = minutes(*([1] * 20 + [0]) * 3)
    assert len(read(tmp_path, lines).events) == 6
    reading = read(tmp_path, lines, MIDNIGHT + 41 * 60 - 70, MIDNIGHT + 42 * 60)
    assert [(event.kind, event.evidence[-1].line) for event in reading.events] == [
        ('guard_drop', 42),
        ('guard_start', 42),
    ]


@pytest.mark.parametrize(
    ('data', 'why_not'),
    [
        (b'', 'it is empty'),
        (b'\0' * 100000, 'it is empty'),
        (b'\x7fELF\x02\x01' * 10000, 'none of its lines can be parsed'),
        (b'x' * 1000000, 'none of its lines can be parsed'),
    ],
)
def test_files_without_a_line(tmp_path: t.Any, data: bytes, why_not: str) -> None:
    reading = read(tmp_path, data)
    assert reading.events == []
    assert (reading.coverage.begin, reading.coverage.end, reading.coverage.why_not) == (None, None, why_not)


_PIECE = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda at, number: (line(at, number) + '\n').encode(), st.integers(0, 10**8), st.integers(0, 10**6)),
    st.builds(
        lambda at, number, cut: line(at, number).encode()[cut:],
        st.integers(0, 10**5),
        st.integers(0, 3),
        st.integers(0, 30),
    ),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(_PIECE, max_size=60), st.one_of(st.none(), st.integers(0, 2**33)))
def test_any_bytes(pieces: t.List[bytes], since: t.Optional[int]) -> None:
    """Never a traceback; a drop is always below its baseline, and no event lies outside its own lines."""
    watch = guard_log.Watch()
    for raw in b''.join(pieces).split(b'\n'):
        watch.take(raw)
    for event in watch.events('check.log'):
        assert event.time is None or event.uncertainty >= 0.5
        assert event.kind != 'guard_drop' or event.details['count'] < event.details['baseline']
        assert 1 <= len(event.evidence) <= 2
    watch.notes()
