# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What known lines mean: every situation of every version, the same with one more line, and any bytes at all."""

import os
import re
import tracemalloc
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from log_line_cases import CASES, Case

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import log_lines, versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import scan as _log_scan

_DIRECTORY = os.path.dirname(os.path.abspath(__file__))
_FIXTURES = os.path.join(_DIRECTORY, *[os.pardir] * 4, 'fixtures')
_TEXTS = (
    ('<time>', '2026/01/31 12:00:00'),
    ('<date>', '2026-01-31'),
    ('<minute>', '2026/01/31 12:00'),
    ('<esc>', '\x1b'),
    ('<root>', '/www/wwwroot/shop.example'),
    ('<duration>', '0.231ms'),
    ('<port>', '8001'),
    ('<database>', 'shop'),
)
RED = (
    '\n2026/01/31 12:00:01 \x1b[31;1mkandaoni.com/anqicms/provider/a.go:7 \x1b[35;1m%s\n'
    '\x1b[0m\x1b[33m[0.2ms] \x1b[34;1m[rows:0]\x1b[0m %s\n'
)


def _read(directory: str, version: str, name: str) -> t.Dict[str, str]:
    with open(os.path.join(directory, version, name), encoding='utf-8') as file:
        text = file.read()
    for mark, value in _TEXTS:
        text = text.replace(mark, value)
    parts = re.split(r'(?m)^--- (.*)\n', text)
    return {parts[index]: parts[index + 1] for index in range(1, len(parts), 2)}


def _situations() -> t.Dict[t.Tuple[str, str], t.Dict[str, str]]:
    found = {}
    for directory in ('transcripts', 'logs'):
        top = os.path.join(_FIXTURES, directory)
        for version in os.listdir(top):
            for name in os.listdir(os.path.join(top, version)):
                found[(version, name[:-4])] = _read(top, version, name)
    return found


SITUATIONS = _situations()
_STARTED = ['process_started', 'listening', 'banner']
_ENDED = ['signal_arrived', 'exiting']


def scan(
    text: t.Union[str, bytes],
    kind: str = 'running',
    serving: bool = False,
    since: t.Optional[str] = None,
    sizes: t.Optional[t.List[int]] = None,
) -> _log_scan.Scanner:
    data = text if isinstance(text, bytes) else text.encode('utf-8')
    scanner = _log_scan.Scanner(kind, serving, since)
    scanner.begin('a.log')
    begin = 0
    for size in sizes or [len(data)]:
        scanner.feed(data[begin : begin + size])
        begin += size
    scanner.feed(data[begin:])
    scanner.finish()
    return scanner


def codes(scanner: _log_scan.Scanner) -> t.List[t.Tuple[str, str]]:
    return sorted((entry['severity'], entry['code']) for entry in scanner.findings.values())


def markers(scanner: _log_scan.Scanner) -> t.List[str]:
    return [entry['code'] for entry in scanner.markers]


def expected(version: str, situation: str) -> t.List[t.Tuple[str, str]]:
    """Severity and code that the logs of a situation must show."""
    if situation == 'port-in-use':
        return [('error', 'bind_failed' if version.startswith('2.') else 'port_in_use')]
    if situation == 'locales-missing':
        return [('error', 'locales_missing')] if version in ('3.3.11', '3.4.0') else []
    return {
        'config-not-json': [('error', 'config_invalid')],
        'wrong-password': [('error', 'database_denied')],
        'database-down': [('error', 'database_unreachable')],
    }.get(situation, [])


@pytest.mark.parametrize('blank', ['\n', '\r\n'])
@pytest.mark.parametrize(('version', 'situation'), sorted(SITUATIONS))
def test_every_situation_of_every_version(version: str, situation: str, blank: str) -> None:
    logs = SITUATIONS[(version, situation)]
    running = logs['running.log'].replace('\n\n2026', '\n%s2026' % blank)
    found = scan(running)
    charset = [entry for entry in codes(found) if entry == ('warning', 'charset')]
    assert [entry for entry in codes(found) if entry not in charset] == expected(version, situation)
    assert bool(charset) == (version == '2.3.6' and 'Error 1366' in running)
    assert found.worst() == ('error' if expected(version, situation) else 'warning' if charset else None)
    in_error_log = codes(scan(logs.get('error.log', ''), 'error'))
    assert set(in_error_log) <= set(expected(version, situation))
    if 'error.log' in logs and situation in ('wrong-password', 'database-down'):
        assert in_error_log == expected(version, situation)


@pytest.mark.parametrize(('version', 'situation'), sorted(SITUATIONS))
def test_markers_of_every_situation(version: str, situation: str) -> None:
    found = markers(scan(SITUATIONS[(version, situation)]['running.log']))
    running = situation in ('warm-start-sigterm', 'first-start', 'upgrade', 'page-in-first-second') or (
        situation == 'locales-missing' and version.startswith('3.5')
    )
    is_ended = situation in ('warm-start-sigterm', 'upgrade', 'sigterm-in-migration')
    ends = _ENDED if is_ended and version not in ('2.3.6', '2.5.3', '3.1.9', '3.2.1') else []
    wanted = (_STARTED if running else _STARTED[:1]) + ends
    assert [code for code in found if code in _STARTED + _ENDED] == wanted
    assert ('port_refused' in found) == (situation == 'port-in-use')
    assert found.count('views_missing') == (situation == 'page-in-first-second')
    if situation == 'first-start':
        assert ('database_created' in found) == (version != '3.5.8')
        silent = version in ('3.1.9', '3.2.1', '3.2.8')
        assert ('migration_begins' in found) == (version.startswith('3.') and not silent)
        assert ('admin_created' in found) == (version != '3.1.9')


@pytest.mark.parametrize(('version', 'situation'), sorted(SITUATIONS))
def test_the_table_says_which_version_prints_a_line(version: str, situation: str) -> None:
    """Each row that a real log shows claims the version that printed it."""
    number = versions.parse(version) or ()
    for text in SITUATIONS[(version, situation)]['running.log'].split('\n'):
        found = log_lines.known('running', log_lines.plain(text.encode('utf-8')))
        if found is None:
            continue
        line = found.line
        assert (versions.parse(line.first) or ()) <= number, line.code
        assert number <= (versions.parse(line.last) or (9,)), line.code


def test_pages_that_were_asked_for_too_early_are_one_marker() -> None:
    """2.1.2 to 2.5.5 register their templates a second after the port is open; each request has two such lines."""
    started = SITUATIONS[('2.5.3', 'warm-start-sigterm')]['running.log']
    error = '[ERRO] 2026/01/31 12:00 view engine is missing, use `RegisterView`\n'
    coloured = error.replace('[ERRO]', '\x1b[31m[ERRO]\x1b[0m')
    found = scan(started + (error + coloured) * 150)
    assert (codes(found), markers(found).count('views_missing')) == ([], 1)
    assert markers(found)[0] == 'process_started'
    again = scan((started + error) * 2 + '[ERRO] 2026/01/31 12:00 template index.html does not exist\n')
    assert (codes(again), markers(again).count('views_missing')) == ([('warning', 'web_server_error')], 2)


HEALTHY = sorted(key for key in SITUATIONS if not expected(*key) and key[1] != 'sigterm-in-migration')


ADDED = [
    case
    for case in CASES
    if case.severity in ('error', 'warning')
    and not {'error', 'panics'} & set(case.words)
    and case.code != 'schema_mismatch'
]  # that depends on where it stands, and has tests below


@pytest.mark.parametrize('case', ADDED, ids=lambda case: case.name)
def test_a_line_added_to_a_healthy_log_is_found(case: Case) -> None:
    """After the first line, before it serves, and right after the banner."""
    refused = case.code in ('port_in_use', 'bind_failed')  # an error of this start, a warning where another one serves
    for key in HEALTHY:
        text = SITUATIONS[key]['running.log']
        first, banner = text.index('\n') + 1, text.index('Press CTRL+C to shut down.\n') + 27
        places = [] if 'serving' in case.words else [first]
        for at in places + ([] if refused and places else [banner]):
            found = scan(text[:at] + case.text + text[at:])
            assert set(codes(found)) == set(codes(scan(text))) | {(case.severity, case.code)}


@pytest.mark.parametrize(
    ('added', 'severity'),
    [
        ("Error 1054 (42S22): Unknown column 'user_id' in 'where clause'", 'error'),
        ("Error 1054 (42S22): Unknown column 'token_secret' in 'SET'", 'error'),
        ("Error 1146 (42S02): Table 'shop.archives' doesn't exist", 'error'),
        ("Error 1062 (23000): Duplicate entry '7' for key 'PRIMARY'", 'warning'),
    ],
)
def test_missing_tables_and_columns_are_no_harm_before_the_banner_only(added: str, severity: str) -> None:
    text = SITUATIONS[('3.5.8', 'warm-start-sigterm')]['running.log']
    banner = text.index('Press CTRL+C to shut down.\n') + 27
    found = scan(text[:banner] + RED % (added, 'UPDATE `websites` SET a=1') + text[banner:])
    assert found.worst() == severity


def test_an_unknown_column_before_the_banner_is_harmless_for_known_tables_only() -> None:
    first = '2026/01/31 12:00:00 /www/wwwroot/shop.example/\n'
    column = "Error 1054 (42S22): Unknown column 'name' in 'SET'"
    assert codes(scan(first + RED % (column, "UPDATE `modules` SET `name`='x'"))) == []
    assert codes(scan(first + RED % (column, "UPDATE `orders` SET `name`='x'"))) == [('warning', 'sql_error')]
    other = "Error 1146 (42S02): Table 'shop.orders' doesn't exist"
    assert codes(scan(first + RED % (other, 'SELECT 1'))) == [('warning', 'sql_error')]


def test_the_empty_statement_that_ends_a_restore_is_harmless() -> None:
    first = '2026/01/31 12:00:00 /www/wwwroot/shop.example/\n'
    assert codes(scan(first + RED % ('Error 1065 (42000): Query was empty', ''))) == []
    assert codes(scan(first + RED % ('Error 1064 (42000): You have an error', 'x'))) == [('warning', 'sql_error')]


def test_a_panic_after_an_invalid_config_is_its_own_only_in_that_life() -> None:
    text = SITUATIONS[('3.5.8', 'config-not-json')]['running.log']
    later = SITUATIONS[('3.5.8', 'warm-start-sigterm')]['running.log'] + 'panic: boom\n'
    assert codes(scan(text + later)) == [('error', 'config_invalid'), ('error', 'panic')]


def test_a_second_start_beside_the_first_one_is_a_warning() -> None:
    """A guard that starts what runs is refused: the instance itself is well."""
    lives = SITUATIONS[('3.5.8', 'warm-start-sigterm')]['running.log'].replace('退出 terminated\n监听到退出信号\n', '')
    refused = SITUATIONS[('3.5.8', 'port-in-use')]['running.log']
    found = scan(lives + refused * 3)
    assert codes(found) == [('warning', 'port_in_use')]
    assert next(iter(found.findings.values()))['count'] == 3
    assert codes(scan(refused, serving=True)) == [('warning', 'port_in_use')]
    assert codes(scan(lives + '退出 terminated\n监听到退出信号\n' + refused)) == [('error', 'port_in_use')]


def test_what_follows_our_own_stop_is_no_finding() -> None:
    lost = RED % ('sql: database is closed', 'SELECT 1')
    assert codes(scan('退出 terminated\n' + lost + '监听到退出信号\n', serving=True)) == []
    assert codes(scan(lost + '退出 terminated\n', serving=True)) == [('error', 'database_lost')]


def test_an_in_app_restart_is_told_by_markers() -> None:
    text = '监听到路由更改\n进程结束，开始重启\n2026/01/31 12:00:00 /www/x/\n重载模板\n'
    assert markers(scan(text, serving=True)) == [
        'restart_requested',
        'in_app_restart',
        'process_started',
        'templates_reloaded',
    ]


def test_repeated_handler_panics_are_counted_by_what_they_are() -> None:
    block = "Recovered from a route's Handler('a.go:%d')\nAt Request: 500 /x%d GET 1.2.3.4\nTrace: %s\n" + 'stack\n' * 9
    text = ''.join(block % (7, number, 'boom') for number in range(5)) + block % (7, 1, 'other')
    found = scan(text, 'panics')
    assert sorted(entry['count'] for entry in found.findings.values()) == [1, 5]
    assert codes(found) == [('error', 'handler_panic')] * 2


def test_undated_blocks_count_since_a_time_only_when_they_are_the_last() -> None:
    block = "Recovered from a route's Handler('a.go:%d')\nAt Request: 500 / GET 1.2.3.4\nTrace: boom%s\n"
    found = scan(block % (1, 'a') + block % (1, 'b'), 'panics', since='2026-01-31 12:00:00')
    assert found.drop_undated() == 1
    assert len(found.findings) == 1
    dated = scan(block % (1, 'a') + '2026-02-01 12:00:00 ' + block % (1, 'b'), 'panics', since='2026-01-31 12:00:00')
    dated.drop_undated()
    assert [entry['time'] for entry in dated.findings.values()] == ['2026-02-01 12:00:00']


def test_lines_before_a_time_do_not_count_and_still_tell_the_state() -> None:
    text = (
        '2026/01/31 12:00:00 /www/x/\nNow listening on: http://localhost:1\npanic: old\n'
        '2026/01/31 13:00:00 /www/x/\npanic: new\n'
    )
    found = scan(text, since='2026-01-31 12:30:00')
    assert [entry['text'] for entry in found.findings.values()] == ['panic: new']
    assert markers(found) == ['process_started']


def test_time_and_line_of_a_finding() -> None:
    found = scan('x\n2026/01/31 12:00:05 hello\nworld\npanic: boom\n')
    entry = next(iter(found.findings.values()))
    assert (entry['line'], entry['time'], entry['text']) == (4, '2026-01-31 12:00:05', 'panic: boom')


def test_nothing_that_a_log_says_reaches_a_terminal() -> None:
    found = scan(b'panic: \x1b[2J\x1b]0;x\x07\xff\xfe\xe2\x80\xae{{ evil }}\tx\n')
    entry = next(iter(found.findings.values()))
    assert entry['text'].isprintable()
    assert '\\u202e' in entry['text']
    assert '\\t' in entry['text']


def test_findings_are_bounded_and_an_error_is_kept_after_many_warnings() -> None:
    text = ''.join(RED % ('Error 1062 (23000): %s' % ('x' * number), 'S') for number in range(300)) + 'panic: boom\n'
    found = scan(text)
    assert found.worst() == 'error'
    assert len(found.findings) == 101
    assert found.left_out == 200
    assert len(scan('退出 terminated\n' * 5000).markers) <= 200


def test_a_line_of_64_mib_takes_little_memory() -> None:
    scanner = _log_scan.Scanner('running')
    scanner.begin('a.log')
    block = b'x' * 262144
    tracemalloc.start()
    try:
        scanner.feed(b'panic: ')
        for _number in range(256):
            scanner.feed(block)
        scanner.feed(b'\npanic: second\n')
        scanner.finish()
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert len(scanner.findings) == 2
    assert scanner.line == 3


@pytest.mark.parametrize('before', ['', 'the end of a line\n', 'a line that a power cut'])
@pytest.mark.parametrize('size', [1, 300, 5000000])
def test_a_panic_right_after_nuls_is_found(before: str, size: int) -> None:
    """A log was cut while its writer went on at the old place: the hole before its next line reads as NULs."""
    text = before.encode() + b'\0' * size + b'panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n'
    for sizes in (None, [262144] * 20, [len(before) + 1, 7]):
        found = scan(text, sizes=sizes)
        assert ('error', 'panic') in codes(found)
        assert [entry['text'] for entry in found.findings.values()] == ['panic: boom']


_PIECES = st.sampled_from(
    [
        b'\0',
        b'\0' * 20000,
        b'\n\0\0\n',
        b'\n',
        b'\r\n',
        b'panic: boom\n',
        b'Invalid Config:  x\n',
        b'2026/01/31 12:00:00 /www/x/\n',
        b'/\n',
        b'2026/01/31 12:00:07 hello\n',
        (RED % ('Error 1146 (42S02): Table \'a.archives\' doesn\'t exist', 'S')).encode(),
        (RED % ('invalid connection', 'S')).encode(),
        '端口已经被占用\n'.encode(),
        '退出 terminated\n'.encode(),
        b'Now listening on: http://localhost:1\n',
        b'x' * 9000,
        b'y' * 20000 + b'\n',
        b'\x1b[35;1m',
        b'\xff\xfe\x00',
        b'Error 1054',
        b"Recovered from a route's Handler('a')\n",
        b'At Request: 1\n',
        b'Trace: boom\n',
        b'FROM `admins`',
    ]
)
_DATA = st.lists(st.one_of(_PIECES, st.binary(max_size=40)), max_size=30).map(b''.join)
_SIZES = st.lists(st.integers(min_value=0, max_value=3000), max_size=60)
_MODEST = settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def _seen(scanner: _log_scan.Scanner) -> t.Tuple[t.Any, ...]:
    return list(scanner.findings.values()), scanner.markers, scanner.line, scanner.left_out


@_MODEST
@given(data=_DATA, sizes=_SIZES, kind=st.sampled_from(['running', 'error', 'panics']))
def test_what_is_found_does_not_depend_on_the_blocks(data: bytes, sizes: t.List[int], kind: str) -> None:
    assert _seen(scan(data, kind, sizes=sizes)) == _seen(scan(data, kind))


@_MODEST
@given(data=_DATA, cut=st.integers(min_value=0, max_value=5000), kind=st.sampled_from(['running', 'error', 'panics']))
def test_any_bytes_cut_anywhere_are_survived(data: bytes, cut: int, kind: str) -> None:
    for entry in list(scan(data[:cut], kind).findings.values()) + scan(data[cut:], kind).markers:
        assert entry['text'].isprintable()
        assert len(entry['text']) <= 500


@_MODEST
@given(key=st.sampled_from(HEALTHY), cut=st.integers(min_value=0, max_value=4000))
def test_a_healthy_log_cut_after_any_line_holds_no_error(key: t.Tuple[str, str], cut: int) -> None:
    text = SITUATIONS[key]['running.log']
    assert scan(text[: text.rfind('\n', 0, cut) + 1]).worst() != 'error'
