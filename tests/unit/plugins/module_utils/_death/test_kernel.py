# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel did, from every wording behind every prefix, and from the lines that are left of many."""

import random
import typing as t

import kernel_lines
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel as _kernel_oom
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel_lines as _kernel_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event, Evidence, RawLine

T0 = 1783872554.0
SIZES = ' total-vm:900kB, anon-rss:800kB, file-rss:1kB, shmem-rss:0kB, UID:33 pgtables:128kB oom_score_adj:0'
GROUP = (
    'oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,'
    'task=%s,pid=%d,uid=33'
)


def line(
    text: t.Union[str, bytes],
    time: t.Optional[float] = T0,
    number: int = 1,
    source: str = 'kern.log',
    transport: t.Optional[str] = None,
    facility: t.Optional[int] = None,
    boot_id: t.Optional[str] = None,
    uncertainty: float = 1.0,
) -> RawLine:
    raw = text if isinstance(text, bytes) else text.encode('utf-8', 'surrogateescape')
    evidence = Evidence(
        source,
        '/var/log/' + source,
        number,
        's=1' if source == 'journal' else None,
        raw.decode('utf-8', 'backslashreplace'),
    )
    return RawLine(raw, time, uncertainty, evidence, transport, facility, boot_id)


def of(*texts: str, **options: t.Any) -> t.List[Event]:
    return _kernel_oom.events([line(text, number=number, **options) for number, text in enumerate(texts, 1)])


def one(*texts: str, **options: t.Any) -> Event:
    found = of(*texts, **options)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize('form', sorted(kernel_lines.FORMS))
def test_every_wording_is_understood_behind_every_prefix(form: str) -> None:
    said = kernel_lines.FORMS[form]
    for name, before in kernel_lines.PREFIXES.items():
        texts = [before.prefix + text for text in said.lines]
        found = _kernel_oom.events([line(text, number=number) for number, text in enumerate(texts, 1)])
        assert len(found) == 1, name
        event = found[0]
        assert (event.kind, event.pid, event.comm, event.uid) == (said.kind, said.pid, said.comm, said.uid), name
        assert (event.scope, event.cgroup, event.trusted) == (said.scope, said.cgroup, True), name
        assert {key: event.details.get(key) for key in said.details} == said.details, name
        assert [entry.line for entry in event.evidence] == list(range(1, len(said.lines) + 1)), name


def test_a_limit_above_the_group_of_the_victim_names_both_groups() -> None:
    event = one(GROUP % ('anqicms', 955), 'Memory cgroup out of memory: Killed process 955 (anqicms)' + SIZES)
    assert (event.scope, event.cgroup, event.details['oom_memcg'], event.uid) == ('cgroup', '/a/b', '/a', 33)
    assert len(event.evidence) == 2


def test_thirty_kills_at_once_are_thirty_events() -> None:
    texts = []
    for pid in range(100, 130):
        texts += ['worker invoked oom-killer: gfp_mask=0x0, order=0', GROUP % ('anqicms', pid)] if pid < 110 else []
        texts.append('Memory cgroup out of memory: Killed process %d (anqicms)%s' % (pid, SIZES))
    found = of(*texts)
    assert [event.pid for event in found] == list(range(100, 130))
    assert {event.kind for event in found} == {'kernel_kill'}
    assert [event.cgroup for event in found] == ['/a/b'] * 10 + [None] * 20


def test_a_kill_whose_line_was_lost_is_found_by_the_lines_around_it() -> None:
    event = one(
        GROUP % ('anqicms', 955),
        'oom_reaper: reaped process 955 (anqicms), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB',
    )
    assert (event.kind, event.pid, event.scope, len(event.evidence)) == ('kernel_kill', 955, 'cgroup', 2)


@pytest.mark.parametrize('chosen', [(), (GROUP % ('anqicms', 100),)])
def test_a_child_that_was_sacrificed_is_the_kill_and_its_parent_the_intent(chosen: t.Tuple[str, ...]) -> None:
    texts = chosen + (
        'Memory cgroup out of memory: Kill process 100 (anqicms) score 900 or sacrifice child',
        'Killed process 101 (cwebp) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB',
    )
    found = {event.kind: event for event in of(*texts)}
    assert set(found) == {'kernel_kill', 'kernel_intent'}
    kill, intent = found['kernel_kill'], found['kernel_intent']
    assert (kill.pid, kill.tgid, kill.comm, kill.scope, kill.details['children_intent']) == (
        101,
        None,
        b'cwebp',
        'cgroup',
        100,
    )
    assert (intent.pid, intent.comm, intent.details['child_killed']) == (100, b'anqicms', 101)


def test_a_log_that_has_only_the_choice_adds_no_kill() -> None:
    lines = [
        line('Out of memory: Kill process 100 (anqicms) score 900 or sacrifice child', number=1),
        line('Killed process 101 (cwebp) total-vm:9kB', number=2),
        line(GROUP % ('anqicms', 100), source='messages'),
    ]
    assert {(event.kind, event.pid) for event in _kernel_oom.events(lines)} == {
        ('kernel_kill', 101),
        ('kernel_intent', 100),
    }


def test_odd_names_are_read_as_they_are() -> None:
    sizes = b' total-vm:33kB, anon-rss:2kB, file-rss:1kB, shmem-rss:12kB'
    for written, name in (
        (b'a) total-vm:1', b'a) total-vm:1'),
        (b'\xff\xfe', b'\xff\xfe'),
        (rb'\xff\xfe', b'\xff\xfe'),
        (rb'a\x0ab', b'a\nb'),
        (b'a#012b', b'a\nb'),
        (b'x (y) z', b'x (y) z'),
        (b'[', b'['),
        (b'Plex Media Serv', b'Plex Media Serv'),
        (b'"quoted"', b'"quoted"'),
        (b'()', b'()'),
        (b'a, UID 0, b', b'a, UID 0, b'),
        ('安企'.encode(), '安企'.encode()),
    ):
        found = _kernel_oom.events([line(b'Out of memory: Killed process 955 (' + written + b')' + sizes)])
        assert [(event.pid, event.comm, event.details['total_vm_kb']) for event in found] == [(955, name, 33)]
        found = _kernel_oom.events([line((GROUP % ('NAME', 955)).encode().replace(b'NAME', written))])
        assert [(event.pid, event.comm, event.uid, event.cgroup) for event in found] == [(955, name, 33, '/a/b')]


@pytest.mark.parametrize(
    'text',
    ['Killed process 955 (a', 'Killed process 955 (', 'Killed process 955 ', 'Out of memory: Killed process 955 (a b'],
)
def test_a_name_that_is_cut_off_is_not_known(text: str) -> None:
    event = one(text)
    assert (event.kind, event.pid, event.comm) == ('kernel_kill', 955, None)


def test_a_pid_that_is_cut_off_is_not_believed() -> None:
    event = one('Out of memory: Killed process 95')
    assert (event.kind, event.pid) == ('kernel_kill', None)
    event = one((GROUP % ('anqicms', 955))[:-5])
    assert (event.kind, event.pid, event.cgroup) == ('kernel_kill', None, '/a/b')


def test_a_thread_whose_leader_had_ended_is_one_kill() -> None:
    event = one(
        GROUP % ('anqicms', 11020),
        'Memory cgroup out of memory: Killed process 11021 (worker-7)' + SIZES,
        'oom_reaper: reaped process 11021 (worker-7), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB',
    )
    assert (event.pid, event.tgid, event.comm, event.details['thread_comm']) == (11021, 11020, b'anqicms', 'worker-7')
    assert len(event.evidence) == 3


def test_a_killed_thread_is_one_kill_with_a_second_log_that_lost_a_line() -> None:
    kill = 'Memory cgroup out of memory: Killed process 11021 (worker-7)' + SIZES
    for left in (kill, GROUP % ('anqicms', 11020)):
        for order in (1, -1):
            lines = [line(GROUP % ('anqicms', 11020), number=1), line(kill, number=2), line(left, source='journal')]
            lines = lines if order == 1 else lines[2:] + lines[:2]
            found = _kernel_oom.events(lines)
            assert [(event.pid, event.tgid, event.comm) for event in found] == [(11021, 11020, b'anqicms')]


def test_the_table_of_tasks_tells_the_leader() -> None:
    event = one(
        '[  11021]    33 11020     5000      100    45056        0             0 worker-7',
        'Out of memory (oom_kill_allocating_task): Killed process 11021 (worker-7)' + SIZES,
    )
    assert (event.pid, event.tgid) == (11021, 11020)
    event = one(
        '[  11021]    33 11020     5000      100    45056        0             0 worker-7',
        GROUP % ('anqicms', 11020),
        'Memory cgroup out of memory: Killed process 11021 (worker-7)' + SIZES,
    )
    assert (event.pid, event.tgid, event.comm) == (11021, 11020, b'anqicms')


def test_the_table_of_tasks_tells_two_processes() -> None:
    found = of(
        '[    956]    33   956     5000      100    45056        0             0 other',
        GROUP % ('anqicms', 955),
        'Memory cgroup out of memory: Killed process 956 (other)' + SIZES,
    )
    assert [(event.pid, event.tgid, event.comm) for event in found] == [(955, None, b'anqicms'), (956, 956, b'other')]


def test_two_users_are_no_threads_of_each_other() -> None:
    found = of(GROUP % ('anqicms', 955), 'Out of memory: Killed process 956 (x) total-vm:1kB, UID:0 pgtables:1kB')
    assert [(event.pid, event.tgid) for event in found] == [(955, None), (956, None)]


@pytest.mark.parametrize(
    'options',
    [
        {'transport': 'kernel', 'facility': 1, 'source': 'kmsg'},
        {'transport': 'syslog', 'facility': 1, 'source': 'syslog'},
        {'transport': 'stdout', 'source': 'journal'},
        {'transport': 'syslog', 'source': 'journal', 'facility': 3},
    ],
)
def test_a_line_that_a_program_wrote_is_spoofed(options: t.Dict[str, t.Any]) -> None:
    text = 'Out of memory: Killed process 955 (spoofed)' + SIZES
    event = one('root[7]: ' + text if options['source'] == 'journal' else text, **options)
    assert (event.kind, event.pid, event.trusted) == ('spoofed', 955, False)


@pytest.mark.parametrize(
    'text',
    [
        'Jul 12 16:09:14 web1 root: Out of memory: Killed process 955 (spoofed)',
        'Jul 12 16:09:14 web1 kernel[12]: Out of memory: Killed process 955 (spoofed)',
        '12,77,5,-;Out of memory: Killed process 955 (spoofed)',
        '<12>[ 5.5] Out of memory: Killed process 955 (spoofed)',
        'user  :warn  : [    5.500000] Out of memory: Killed process 955 (spoofed)',
    ],
)
def test_a_prefix_tells_a_program(text: str) -> None:
    assert [(event.kind, event.pid) for event in of(text)] == [('spoofed', 955)]


def test_a_spoofed_line_is_no_part_of_a_real_kill() -> None:
    text = 'Out of memory: Killed process 955 (anqicms)' + SIZES
    found = _kernel_oom.events([line('3,1,5,-;' + text, source='kmsg'), line('12,2,5,-;' + text, source='kmsg')])
    assert sorted((event.kind, len(event.evidence)) for event in found) == [('kernel_kill', 1), ('spoofed', 1)]


@pytest.mark.parametrize(
    'text',
    [
        'EXT4-fs (loop0): Unrecognized mount option "x of memory: Killed process 1 (x)" or missing value',
        'audit: type=1300 comm="Killed process 1 (x)"',
        'docker0: Killed process 1',
        'Mem-Info:',
        'x Killed process 1 (x)',
        'usb 1-1: Out of memory: Killed process 955 (x)',
    ],
)
def test_only_the_begin_of_a_message_counts(text: str) -> None:
    assert of(text) == []


@pytest.mark.parametrize(
    'last',
    [
        'Would have killed process 955 (anqicms). But continuing instead.',
        'Memory cgroup out of memory: OOM victim 955 (anqicms) is already exiting. Skip killing the task',
        'Out of memory and no killable processes...',
    ],
)
def test_a_choice_without_a_kill_is_no_kill(last: str) -> None:
    event = one('anqicms invoked oom-killer: gfp_mask=0x0, order=0', GROUP % ('anqicms', 955), last)
    assert (event.kind, len(event.evidence)) == ('kernel_no_kill', 3)


def test_a_choice_that_another_log_takes_back_is_no_kill() -> None:
    lines = [
        line(GROUP % ('anqicms', 955), source='journal'),
        line('Memory cgroup out of memory: OOM victim 955 (anqicms) is already exiting. Skip killing the task'),
    ]
    assert [event.kind for event in _kernel_oom.events(lines)] == ['kernel_no_kill']


def test_a_kill_of_a_group_is_a_kill_of_each_process() -> None:
    kill = 'Memory cgroup out of memory: Killed process %d (anqicms)' + SIZES
    found = of(
        GROUP % ('anqicms', 100),
        kill % 100,
        'Tasks in /a/b are going to be killed due to memory.oom.group set',
        kill % 100,
        kill % 101,
        kill % 102,
    )
    assert [event.pid for event in found] == [100, 101, 102]
    assert {event.details['oom_group'] for event in found} == {'/a/b'}
    assert {event.details['oom_memcg'] for event in found} == {'/a'}
    assert {event.scope for event in found} == {'cgroup'}


def test_by_hand_from_the_keyboard() -> None:
    event = one(
        'kworker/0:0 invoked oom-killer: gfp_mask=0x0, order=-1, oom_score_adj=0',
        'Workqueue: events moom_callback',
        'Out of memory: Killed process 955 (anqicms)' + SIZES,
    )
    assert event.details['sysrq'] is True


def test_one_kill_in_three_logs() -> None:
    text = 'Out of memory: Killed process 955 (anqicms)' + SIZES
    lines = [
        line('3,9,5000000,-;' + text, T0, source='kmsg', transport='kernel', facility=0, uncertainty=0.1),
        line('Jul 12 16:09:14 web1 kernel: ' + text, T0 + 19, source='messages', uncertainty=1.0),
        line(text, T0 + 0.1, source='journal', transport='kernel', facility=0, boot_id='b', uncertainty=0.2),
    ]
    for order in range(3):
        found = _kernel_oom.events(lines[order:] + lines[:order])
        assert [(event.pid, event.time, event.uncertainty, len(event.evidence)) for event in found] == [
            (955, T0, 0.1, 3)
        ]


def test_a_pid_that_comes_back_is_another_kill() -> None:
    text = 'Out of memory: Killed process 955 (anqicms)' + SIZES
    assert len(_kernel_oom.events([line(text, T0, 1), line(text, T0 + 86400, 2)])) == 2
    other = text.replace('anqicms', 'nginx')
    assert len(_kernel_oom.events([line(text, T0), line(other, T0, source='journal')])) == 2
    first, second = line(text, boot_id='a'), line(text, boot_id='b')
    assert len(_kernel_oom.events([first, second])) == 2


def test_a_panic_for_memory_is_followed_by_a_boot() -> None:
    found = of(
        'anqicms invoked oom-killer: gfp_mask=0x0, order=0',
        'Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled',
        'Linux version 6.1.0 (x)',
    )
    assert [(event.kind, len(event.evidence)) for event in found] == [('kernel_panic_oom', 2), ('boot', 1)]


def test_lines_without_a_time_come_last() -> None:
    found = _kernel_oom.events([line('Killed process 1 (x)', None), line('Killed process 2 (y)', T0)])
    assert [(event.pid, event.time) for event in found] == [(2, T0), (1, None)]


@settings(deadline=None)
@given(st.binary(max_size=400), st.sampled_from(sorted(kernel_lines.FORMS)), st.integers(0, 200))
def test_any_bytes(noise: bytes, form: str, cut: int) -> None:
    _kernel_lines.parse(noise)
    for text in kernel_lines.FORMS[form].lines:
        _kernel_oom.events([line(text[:cut] + noise), line(noise), line(text)])


NAMES = st.binary(min_size=1, max_size=15).filter(lambda name: not set(b'\0\n\r\\#') & set(name))


@settings(deadline=None)
@given(NAMES, st.integers(1, 4194304))
@example(b'\x1b[m', 1)
@example(b'anqi\x1b[mcms', 955)
@example(b'a) \x1b[0m (b', 955)
def test_any_name(name: bytes, pid: int) -> None:
    """Whatever a process calls itself, its pid is told, and so is its name."""
    text = b'Out of memory: Killed process %d (%s) total-vm:5kB, anon-rss:4kB, file-rss:0kB' % (pid, name)
    for before in kernel_lines.PREFIXES.values():
        found = _kernel_oom.events([line(before.prefix + text)])
        assert [(event.pid, event.comm, event.details['total_vm_kb']) for event in found] == [(pid, name, 5)]


@pytest.mark.parametrize(
    'text, name',
    [
        # dmesg --color=always, grep --color=always, and both at once.
        (b'\x1b[33mOut of memory: \x1b[0mKilled process 955 (anqicms) total-vm:5kB', b'anqicms'),
        (b'Out of memory: \x1b[01;31m\x1b[KKilled process\x1b[m\x1b[K 955 (anqicms) total-vm:5kB', b'anqicms'),
        (b'Out of memory: Killed process 955 (\x1b[01;31m\x1b[Kanqicms\x1b[m\x1b[K) total-vm:5kB', b'anqicms'),
        (b'\x1b[31mOut of memory: Killed process 955 (a) total-vm:5kB\x1b[0m', b'a'),
        # A name that would be another one without its colour.
        (b'\x1b[33mOut of memory: \x1b[0mKilled process 955 (anqi\x1b[mcms) total-vm:5kB', b'anqi\x1b[mcms'),
        (b'Out of memory: Killed process 955 (anqi#033[mcms) total-vm:5kB', b'anqi\x1b[mcms'),
    ],
)
def test_colours_are_taken_off_the_line_and_left_in_a_name(text: bytes, name: bytes) -> None:
    found = _kernel_oom.events([line(b'[    7.000000] ' + text)])
    assert [(event.pid, event.comm) for event in found] == [(955, name)]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_no_line_makes_another_victim(seed: int, kills: int) -> None:
    """Mixed and lost lines: every named victim is found once, and nobody else was killed."""
    chance = random.Random(seed)
    texts, named = [], set()
    for pid in range(1000, 1000 + 10 * kills, 10):
        printed = [
            GROUP % ('anqicms', pid),
            'Memory cgroup out of memory: Killed process %d (anqicms)%s' % (pid, SIZES),
            'oom_reaper: reaped process %d (anqicms), now anon-rss:0kB' % pid,
        ]
        kept = [text for text in printed[:1] + printed[2:] if chance.random() < 0.5] + printed[1:2]
        texts += sorted(kept, key=printed.index)
        named.add(pid)
    found = of(*texts)
    assert [event.pid for event in found] == sorted(named)
    assert {event.tgid for event in found} == {None}


ROW = '[%7d]  1000 %5d   203101   163780  1433600        0             0 %s'


@pytest.mark.parametrize(
    'rows, same',
    [
        ([(5, 5, 'anqicms')], None),
        ([(5, 5, 'anqicms'), (6, 5, 'anqicms')], None),  # a thread
        ([(5, 5, 'anqicms'), (8, 8, 'anqicms'), (9, 9, 'mysqld')], [8]),
        ([(8, 8, 'anqicms'), (7, 7, 'anqicms')], [7, 8]),
    ],
)
def test_others_of_the_name_in_the_table_of_tasks(
    rows: t.List[t.Tuple[int, int, str]], same: t.Optional[t.List[int]]
) -> None:
    event = one(*[ROW % row for row in rows], 'Out of memory: Killed process 5 (anqicms)' + SIZES)
    assert event.details.get('same_name') == same


def test_the_one_that_was_chosen_is_another_of_the_name() -> None:
    intent, killed = 'Out of memory: Kill process 4 (%s) score 68 or sacrifice child', 'Killed process 5 (anqicms)'
    found = {event.pid: event for event in of(intent % 'anqicms', killed + SIZES)}
    assert found[5].details['same_name'] == [4]
    found = {event.pid: event for event in of(intent % 'nginx', killed + SIZES)}
    assert 'same_name' not in found[5].details
