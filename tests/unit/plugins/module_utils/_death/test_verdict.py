# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts and identity; docs/memory-kills.md says what they mean."""

import typing as t

import pytest
from death_events import FULL, HOUR, NOON, OWN_LOG, SINCE, UNREADABLE, UNTIL, decide, event, kill, life, outcome

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event, Evidence
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Other, in_cgroup

ABRUPT = event(types.ABRUPT_END, NOON, uncertainty=30.0)
DROP = event(types.GUARD_DROP, NOON + 20, uncertainty=60.0)
START = event(types.STARTED, NOON + 60)


def test_a_kill_for_the_memory_of_the_host_is_confirmed() -> None:
    decision = decide(DROP, ABRUPT, kill(), START)
    assert decision[:2] == ('confirmed', 'kernel_oom_global')
    assert len(decision.incidents) == 1, 'the traces belong to the kill'
    assert decision.incidents[0].traces == (ABRUPT, DROP)


def test_a_kill_in_a_control_group_is_confirmed() -> None:
    assert outcome(kill(scope='cgroup', cgroup='/web/shop'), ABRUPT) == ('confirmed', 'kernel_oom_cgroup')


def test_a_kill_of_its_child_is_not_its_own() -> None:
    chosen = event(types.KERNEL_INTENT, pid=100, tgid=100, comm=b'anqicms')
    decision = decide(chosen, kill(101, comm=b'cwebp'), lives=(life(100, SINCE - HOUR, running=True),))
    assert decision[:2] == ('no', 'not_dead')
    assert [found.comm for found in decision.others] == [b'cwebp']


def test_a_script_that_killed_it_after_a_kill_of_its_child_is_the_cause() -> None:
    stop = event(types.GUARD_ADMIN_STOP, NOON + HOUR)
    gone = event(types.ABRUPT_END, NOON + HOUR)
    assert outcome(kill(101, comm=b'cwebp'), stop, gone) == ('no', 'admin_kill')


def test_a_kill_of_the_other_instance_is_not_its_own() -> None:
    ours = life(100, SINCE - HOUR, running=True)
    assert outcome(kill(200), lives=(ours,)) == ('no', 'not_dead')


def test_where_nothing_tells_which_of_two_the_kill_is_likely() -> None:
    other = Other('1a2b3c4d-blog.example', None, None, None)
    decision = decide(kill(200), others=(other,))
    assert decision[:2] == ('likely', 'kernel_oom_global')
    assert decision.incidents[0].candidates == ('1a2b3c4d-blog.example',)


@pytest.mark.parametrize(
    'others, fields',
    [
        ((Other('blog', SINCE - HOUR, None, None),), {}),
        ((Other('blog', None, 1001, None),), {'uids': frozenset([1000])}),
    ],
)
def test_where_nobody_else_can_have_died_the_kill_is_confirmed(
    others: t.Tuple[Other, ...], fields: t.Dict[str, t.Any]
) -> None:
    decision = decide(kill(200, uid=1000), ABRUPT, others=others, **fields)
    assert decision.verdict == 'confirmed'
    assert 'elimination' in decision.incidents[0].how


def test_the_line_of_the_kernel_alone_confirms_by_elimination() -> None:
    decision = decide(kill())
    assert decision.verdict == 'confirmed'
    assert 'by elimination' in decision.incidents[0].how


def test_the_process_that_ended_then_gives_its_pid() -> None:
    decision = decide(kill(None), lives=(life(200, SINCE - HOUR, NOON - HOUR), life(300, NOON + 30, running=True)))
    assert [incident.event.pid for incident in decision.incidents] == [200]


def test_the_control_group_tells_them_apart() -> None:
    ours = life(100, SINCE - 9 * HOUR, cgroup='/web/shop')
    others = (Other('blog', None, None, '/web/blog'),)
    assert outcome(kill(200, cgroup='/web/shop'), lives=(ours,), others=others)[0] == 'confirmed'
    assert outcome(kill(200, cgroup='/web/blog'), lives=(ours,), others=others)[0] == 'no'
    assert outcome(kill(200, cgroup='/web/blog'), others=others)[0] == 'likely', 'nothing is known of this one'
    assert outcome(kill(200, cgroup='/web/x'), lives=(ours,), others=others)[0] == 'likely', 'nobody is known there'


def test_a_kill_of_another_user_is_not_its_own() -> None:
    others = (Other('blog', None, 1001, None),)
    assert outcome(kill(200, uid=1001), others=others, uids=frozenset([1000]))[0] == 'no'


def test_a_pid_of_the_process_history_confirms_the_kill() -> None:
    others = (Other('blog', None, None, None),)
    lives = (life(200, SINCE - HOUR), life(300, NOON + HOUR, running=True))
    assert outcome(kill(200), lives=lives, others=others)[0] == 'confirmed'


def test_a_pid_that_was_anothers_before_is_not_its_own() -> None:
    lives = (life(4711, NOON + HOUR, running=True),)
    assert outcome(kill(comm=b'nginx'), lives=lives)[0] == 'no'


def test_a_pid_that_is_asked_for_and_was_anothers_is_not_its_own() -> None:
    assert outcome(kill(comm=b'nginx'), pid=4711)[0] == 'no'


def test_a_kill_before_the_window_is_only_noted() -> None:
    decision = decide(kill(time=SINCE - HOUR))
    assert decision.verdict == 'no'
    assert any('Outside of the time window' in note for note in decision.notes)


@pytest.mark.parametrize('coverage, verdict', [((FULL,), 'no'), ((UNREADABLE,), 'unknown')])
def test_a_kill_by_hand_is_unexplained(coverage: t.Tuple[Coverage, ...], verdict: str) -> None:
    assert outcome(ABRUPT, coverage=coverage) == (verdict, 'unexplained')


def test_a_stop_by_earlyoom_is_a_kill_for_memory() -> None:
    killed = event(types.USERSPACE_KILL, pid=4711, comm=b'anqicms', details={'killer': 'earlyoom'})
    decision = decide(killed, event(types.CLEAN_STOP, NOON + 1))
    assert decision[:2] == ('confirmed', 'userspace_oom')
    assert len(decision.incidents) == 1


def test_a_kill_of_its_unit_by_oomd_is_confirmed() -> None:
    killed = event(types.USERSPACE_KILL, cgroup='/system.slice/shop.service', details={'killer': 'systemd-oomd'})
    lives = (life(4711, SINCE - HOUR, cgroup='/system.slice/shop.service'),)
    assert outcome(killed, lives=lives) == ('confirmed', 'userspace_oom')
    assert outcome(killed, lives=(life(4711, SINCE - HOUR, cgroup='/system.slice/blog.service'),))[0] == 'no'


def test_a_runtime_that_got_no_memory_is_no_kill() -> None:
    counted = Counters(SINCE - HOUR, 0)
    decision = decide(event(types.GO_OOM), ABRUPT, coverage=(UNREADABLE,), counters=counted)
    assert decision[:2] == ('no', 'go_runtime_oom')


@pytest.mark.parametrize('crash', [event(types.PANIC), event(types.KERNEL_SEGFAULT, pid=4711, comm=b'anqicms')])
def test_a_crash_is_no_kill(crash: Event) -> None:
    assert outcome(crash, ABRUPT) == ('no', 'crash')


def test_a_boot_of_the_host_is_no_kill() -> None:
    assert outcome(event(types.BOOT), ABRUPT) == ('no', 'host_reboot')


def test_a_panic_of_the_kernel_for_memory_is_its_own_cause() -> None:
    decision = decide(event(types.KERNEL_PANIC_OOM), event(types.BOOT, NOON + 600))
    assert decision[:2] == ('no', 'host_panic')
    assert len(decision.incidents) == 1


def test_a_ring_that_begins_after_the_death_leaves_it_unknown() -> None:
    wrapped = Coverage('kmsg', NOON + HOUR, UNTIL, True, None, True)
    assert outcome(ABRUPT, coverage=(wrapped,)) == ('unknown', 'unexplained')


def test_where_nothing_can_be_read_the_verdict_is_unknown() -> None:
    assert outcome(ABRUPT, coverage=(UNREADABLE,)) == ('unknown', 'unexplained')


def test_where_the_kernel_has_counted_none_there_was_no_kill() -> None:
    assert outcome(ABRUPT, coverage=(UNREADABLE,), counters=Counters(SINCE - HOUR, 0)) == ('no', 'unexplained')


def test_a_count_since_a_boot_after_the_death_excludes_nothing() -> None:
    assert outcome(ABRUPT, coverage=(UNREADABLE,), counters=Counters(NOON + HOUR, 0))[0] == 'unknown'


@pytest.mark.parametrize(
    'counted, cause',
    [(Counters(SINCE - HOUR, 2), 'kernel_oom_global'), (Counters(SINCE - HOUR, 2, 1), 'kernel_oom_cgroup')],
)
def test_a_counted_kill_whose_log_is_lost_is_likely(counted: Counters, cause: str) -> None:
    assert outcome(ABRUPT, DROP, coverage=(UNREADABLE,), counters=counted) == ('likely', cause)


@pytest.mark.parametrize(
    'noted, expected',
    [
        (((SINCE - 9, 2),), ('no', 'unexplained')),  # not one more until now
        (((SINCE - 9, 1),), ('likely', 'kernel_oom_global')),
        (((NOON - 900, 2),), ('unknown', 'unexplained')),  # not this end, but who knows of the hours before
        (((SINCE - 9, 1), (NOON + 900, 1)), ('unknown', 'unexplained')),  # the one more came later
        (((SINCE - 9, 1), (NOON + 900, 2)), ('likely', 'kernel_oom_global')),
        (((NOON + 900, 1), (NOON + 1200, 2)), ('likely', 'kernel_oom_global')),
        (((NOON + 900, 0), (UNTIL, 2)), ('unknown', 'unexplained')),
    ],
)
def test_counts_that_were_noted_earlier_tell_when_the_kill_was(
    noted: t.Tuple[t.Tuple[float, int], ...], expected: t.Tuple[str, str]
) -> None:
    counted = Counters(SINCE - HOUR, 2, noted=noted)
    assert outcome(ABRUPT, coverage=(UNREADABLE,), counters=counted) == expected


def test_a_counted_kill_that_is_in_the_log_explains_no_other_death() -> None:
    earlier = Coverage('kern.log', SINCE - HOUR, NOON - HOUR, True, None, True)
    counted = Counters(SINCE - HOUR, 1)
    logged = kill(5, NOON - 2 * HOUR, comm=b'mysqld')
    assert outcome(logged, ABRUPT, coverage=(earlier,), counters=counted)[0] == 'unknown'


def test_a_kill_that_the_log_has_later_is_the_same_end() -> None:
    assert len(decide(kill(time=NOON + 19), DROP).incidents) == 1


def test_a_long_name_is_known_by_its_first_15_characters() -> None:
    comm = b'anqicms-production-site-7'
    assert outcome(kill(comm=b'anqicms-product'), ABRUPT, comm=comm)[0] == 'confirmed'
    assert outcome(kill(comm=b'anqicms'), comm=comm)[0] == 'no'


def test_a_line_without_a_readable_name_needs_the_pid_of_the_history() -> None:
    assert outcome(kill(comm=None), ABRUPT)[0] == 'likely'
    assert outcome(kill(comm=None), lives=(life(4711, SINCE - HOUR),))[0] == 'confirmed'


def test_a_line_that_names_a_thread_is_known_by_its_process() -> None:
    named = kill(11021, tgid=11020, comm=b'worker-7')
    assert outcome(named, lives=(life(11020, SINCE - HOUR),))[0] == 'confirmed'
    assert outcome(named, pid=11020)[0] == 'confirmed'


def test_a_line_that_a_program_wrote_is_not_believed() -> None:
    decision = decide(event(types.SPOOFED, pid=4711, comm=b'anqicms'), ABRUPT)
    assert decision.verdict == 'no'
    assert any('Ignored a line' in note for note in decision.notes)


def test_a_line_that_the_counter_contradicts_is_not_believed() -> None:
    decision = decide(kill(), ABRUPT, counters=Counters(SINCE - HOUR, 0))
    assert decision.verdict == 'no'
    assert any('Ignored a line' in note for note in decision.notes)


def test_a_line_whose_writer_is_not_known_is_only_likely() -> None:
    assert outcome(kill(trusted=False))[0] == 'likely'


def test_a_choice_without_a_kill_is_no_death() -> None:
    skipped = event(types.KERNEL_NO_KILL, pid=4711, comm=b'anqicms')
    assert outcome(skipped, lives=(life(4711, SINCE - HOUR, running=True),)) == ('no', 'not_dead')


def test_a_kill_of_a_whole_group_is_one_incident_with_victims() -> None:
    details = {'oom_group': True, 'oom_memcg': '/web'}
    kills = [
        kill(pid, NOON + pid / 10000.0, scope='cgroup', details=details, comm=comm)
        for pid, comm in ((4711, b'anqicms'), (4712, b'cwebp'), (4713, b'cwebp'))
    ]
    decision = decide(ABRUPT, *kills)
    assert len(decision.incidents) == 1
    assert {victim.pid for victim in decision.incidents[0].victims} == {4712, 4713}


def test_without_a_log_of_the_guard_a_kill_is_confirmed() -> None:
    absent = Coverage('check.log', None, None, False, 'it does not exist', False)
    assert outcome(kill(), ABRUPT, coverage=(FULL, absent))[0] == 'confirmed'


@pytest.mark.parametrize('noise', [types.LOG_JUMP, types.IN_APP_RESTART])
def test_a_process_that_lives_is_not_dead(noise: str) -> None:
    alive = life(4711, SINCE - HOUR, running=True)
    assert outcome(event(noise), lives=(alive,), coverage=(UNREADABLE,)) == ('no', 'not_dead')


def test_the_path_of_a_container_is_known_by_its_end_or_its_begin() -> None:
    assert in_cgroup('/docker/0a1b', '/docker/0a1b') and in_cgroup('/docker/0a1b/app', '/docker/0a1b')
    assert in_cgroup('/docker/0a1b/app', '/app') and not in_cgroup('/docker/0a1bc', '/docker/0a1b')
    assert not in_cgroup('/docker/0a1b', '/')


INSIDE = dict(is_contained=True, lives=(life(7, SINCE - HOUR, NOON - HOUR, cgroup='/system.slice/shop.service'),))


def test_in_a_container_the_end_of_the_path_is_its_own_and_pids_are_not() -> None:
    killed = kill(31337, scope='cgroup', cgroup='/outside/system.slice/shop.service')
    decision = decide(killed, **INSIDE)
    assert decision[:2] == ('confirmed', 'kernel_oom_cgroup')
    assert [incident.event.pid for incident in decision.incidents] == [7]
    assert decision.incidents[0].event.details['kernel_pid'] == 31337
    assert 'in the process history' not in decision.incidents[0].how


def test_in_a_container_the_same_unit_of_another_one_is_not_this_one() -> None:
    alive = life(7, SINCE - HOUR, running=True, cgroup='/system.slice/shop.service')
    killed = kill(31337, scope='cgroup', cgroup='/another/system.slice/shop.service')
    assert outcome(killed, is_contained=True, lives=(alive,)) == ('no', 'not_dead')
    assert outcome(killed, is_contained=True, lives=(alive._replace(begin=NOON + HOUR),))[0] == 'likely'


def test_in_a_container_a_pid_of_the_kernel_is_no_pid_of_here() -> None:
    assert outcome(kill(7, cgroup='/another'), **INSIDE)[0] == 'unknown', 'it can have been moved to another group'
    decision = decide(kill(7, cgroup='/another'), is_contained=True)
    assert decision.verdict == 'likely'
    assert decision.incidents[0].candidates == ('a process outside this container',)


@pytest.mark.parametrize('group, verdict', [(None, 'unknown'), (1, 'likely')])
def test_inside_a_container_only_the_count_of_its_group_counts(group: t.Optional[int], verdict: str) -> None:
    assert outcome(ABRUPT, coverage=(UNREADABLE,), counters=Counters(None, None, group))[0] == verdict


def test_a_kill_of_the_database_is_not_its_own() -> None:
    decision = decide(kill(99, comm=b'mysqld'), event(types.ABRUPT_END, NOON + 5))
    assert decision[:2] == ('no', 'unexplained')
    assert [found.comm for found in decision.others] == [b'mysqld']


def test_three_kills_in_a_row_are_three_incidents() -> None:
    events = [kill(pid, NOON + 60 * pid) for pid in (1, 2, 3)]
    traces = [event(types.GUARD_DROP, NOON + 60 * pid + 30, uncertainty=60.0) for pid in (1, 2, 3)]
    decision = decide(*(events + traces))
    assert [incident.event.pid for incident in decision.incidents] == [1, 2, 3]
    assert decision.verdict == 'confirmed'


def test_a_kill_in_the_first_minute_is_confirmed() -> None:
    assert outcome(kill(), lives=(life(5000, NOON + 60, running=True),))[0] == 'confirmed'


def test_a_process_of_the_history_that_is_gone() -> None:
    lives = (life(100, SINCE - HOUR, NOON - HOUR),)
    assert outcome(lives=lives) == ('no', 'unexplained')
    assert outcome(lives=lives, coverage=(UNREADABLE,)) == ('unknown', 'unexplained')


def test_a_clean_stop_in_its_own_log_needs_no_log_of_the_kernel() -> None:
    stop = event(types.CLEAN_STOP)
    assert outcome(stop, START, coverage=(OWN_LOG, UNREADABLE)) == ('no', 'admin_stop')
    assert outcome(stop, START, START._replace(time=NOON + HOUR), coverage=(OWN_LOG,))[0] == 'unknown'


def test_a_killer_runs_and_its_log_cannot_be_read() -> None:
    assert outcome(ABRUPT, killers=('earlyoom',))[0] == 'no', 'the journal holds its lines too'
    kernel_only = FULL._replace(source='kmsg')
    assert outcome(ABRUPT, coverage=(kernel_only,), killers=('earlyoom',))[0] == 'unknown'


def test_systemd_tells_of_a_kill_by_the_kernel_too() -> None:
    told = event(types.USERSPACE_KILL, NOON + 1, cgroup='/system.slice/shop.service', details={'killer': 'systemd'})
    decision = decide(kill(scope='cgroup', cgroup='/system.slice/shop.service'), ABRUPT, told)
    assert decision[:2] == ('confirmed', 'kernel_oom_cgroup')
    assert len(decision.incidents) == 1


@pytest.mark.parametrize(
    'killer, cause',
    [('systemd', 'kernel_oom_cgroup'), ('docker', 'kernel_oom_cgroup'), ('systemd-oomd', 'userspace_oom')],
)
def test_systemd_and_docker_tell_of_a_kill_by_the_kernel_whose_log_is_lost(killer: str, cause: str) -> None:
    told = event(types.USERSPACE_KILL, cgroup='shop.service', details={'killer': killer})
    lives = (life(4711, SINCE - HOUR, cgroup='/system.slice/shop.service'),)
    decision = decide(told, lives=lives, coverage=(UNREADABLE,))
    assert decision[:2] == ('confirmed', cause)
    assert ('whether its limit was reached or the host' in decision.incidents[0].how) == (killer == 'systemd')
    assert decision.incidents[0].event.pid == 4711


def test_systemd_tells_of_any_process_of_the_unit() -> None:
    told = event(types.USERSPACE_KILL, NOON + 1, cgroup='shop.service', details={'killer': 'systemd'})
    child = kill(99, comm=b'cwebp', scope='cgroup', cgroup='/system.slice/shop.service')
    own = life(4711, SINCE - HOUR, running=True, cgroup='/system.slice/shop.service')
    assert outcome(child, told, lives=(own,)) == ('no', 'not_dead')
    assert outcome(child, told, lives=(own._replace(begin=NOON + HOUR),))[0] == 'likely'


def test_a_line_of_a_text_log_that_the_journal_does_not_have() -> None:
    """Whoever may use logger can write it, and a source that knows who writes would have it."""
    lives = (life(4711, SINCE - HOUR),)
    written = kill(evidence=(Evidence('syslog', '/var/log/syslog', 7, None, 'Killed process 4711 (anqicms)'),))
    decision = decide(written, lives=lives)
    assert decision.verdict == 'likely'
    assert 'the journal covers that time and has no such line' in decision.incidents[0].how
    assert outcome(written, lives=lives, coverage=(FULL._replace(source='kern.log'),))[0] == 'confirmed'


@pytest.mark.parametrize(
    'given, verdict',
    [
        ('/mnt/old/syslog', 'confirmed'),
        ('/mnt/old/messages', 'likely'),
    ],
)
def test_a_log_that_was_asked_for_can_be_of_another_host(given: str, verdict: str) -> None:
    row = Evidence('syslog', '/mnt/old/syslog.1', 7, None, 'Killed process 4711 (anqicms)')
    assert outcome(kill(evidence=(row,)), lives=(life(4711, SINCE - HOUR),), given=(given,))[0] == verdict


def test_the_ring_of_the_kernel_never_has_what_earlyoom_writes() -> None:
    row = Evidence('syslog', '/var/log/syslog', 7, None, 'sending SIGTERM to process 4711 uid 0 "anqicms"')
    killed = event(types.USERSPACE_KILL, pid=4711, comm=b'anqicms', details={'killer': 'earlyoom'}, evidence=(row,))
    lives = (life(4711, SINCE - HOUR),)
    assert outcome(killed, lives=lives, coverage=(FULL._replace(source='kmsg'),))[0] == 'confirmed'
    assert outcome(killed, lives=lives)[0] == 'likely', 'the journal would have it'


def test_nothing_is_known() -> None:
    assert outcome(coverage=()) == ('unknown', 'unexplained')


def test_by_elimination_and_its_own_log_goes_on() -> None:
    decision = decide(kill(), coverage=(FULL, OWN_LOG))
    assert (decision.verdict, 'its own log shows that it kept running' in decision.incidents[0].how) == ('likely', True)
    assert outcome(kill(), ABRUPT, coverage=(FULL, OWN_LOG))[0] == 'confirmed'
    assert outcome(kill(), coverage=(FULL, OWN_LOG), pid=4711)[0] == 'confirmed'
