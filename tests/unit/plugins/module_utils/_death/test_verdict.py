# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts and identity. The numbers of the cases are those of docs/memory-kills.md (Cases)."""

import random
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import excluded
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import verdict as _oom_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case, Counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event, Evidence
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Other, Subject, in_cgroup
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.verdict import Decision
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

NOON = 1769860800.0
HOUR = 3600.0
SINCE, UNTIL = NOON - 12 * HOUR, NOON + 12 * HOUR
FULL = Coverage('journal', SINCE - HOUR, UNTIL, True, None, True)
OWN_LOG = Coverage('running.log', SINCE - HOUR, UNTIL, True, None, False)
UNREADABLE = Coverage('kmsg', None, None, False, 'Operation not permitted: run it as root', False)
SUBJECT = Subject(b'anqicms', None, frozenset(), (), ())


def event(kind: str, time: t.Optional[float] = NOON, **fields: t.Any) -> Event:
    evidence = (Evidence('journal', None, None, 's=1', '%s at %s' % (kind, time)),)
    values: t.Dict[str, t.Any] = dict(
        kind=kind,
        time=time,
        uncertainty=0.5,
        pid=None,
        tgid=None,
        comm=None,
        uid=None,
        cgroup=None,
        scope=None,
        trusted=True,
        details={},
        evidence=evidence,
    )
    values.update(fields)
    return Event(**values)


def kill(pid: t.Optional[int] = 4711, time: float = NOON, **fields: t.Any) -> Event:
    values: t.Dict[str, t.Any] = dict(pid=pid, comm=b'anqicms', scope='global')
    values.update(fields)
    return event(types.KERNEL_KILL, time, **values)


def life(pid: int, begin: float, last_seen: t.Optional[float] = None, running: bool = False, **fields: t.Any) -> Life:
    return Life(pid, begin, begin if last_seen is None else last_seen, running, fields.get('uid', 1000),
                fields.get('cgroup'))


def decide(*events: Event, **fields: t.Any) -> Decision:
    """What a subject has goes to the subject, the rest to the case."""
    names = ('lives', 'others', 'pid', 'uids', 'comm', 'is_contained')
    parts = {name: fields.pop(name) for name in names if name in fields}
    values: t.Dict[str, t.Any] = dict(since=SINCE, until=UNTIL, subject=SUBJECT._replace(**parts), events=events,
                  coverage=(FULL,))
    values.update(fields)
    decision = _oom_verdict.decide(Case(**values))
    assert decision.verdict in _oom_verdict.VERDICTS[decision.cause]
    for incident in decision.incidents:
        assert incident.verdict in _oom_verdict.VERDICTS[incident.cause]
    return decision


def outcome(*events: Event, **fields: t.Any) -> t.Tuple[str, str]:
    return decide(*events, **fields)[:2]


ABRUPT = event(types.ABRUPT_END, NOON, uncertainty=30.0)
DROP = event(types.GUARD_DROP, NOON + 20, uncertainty=60.0)
START = event(types.STARTED, NOON + 60)


def test_a6_1_a_kill_of_the_whole_host() -> None:
    decision = decide(DROP, ABRUPT, kill(), START)
    assert decision[:2] == ('confirmed', 'kernel_oom_global')
    assert len(decision.incidents) == 1, 'the traces belong to the kill'
    assert decision.incidents[0].traces == (ABRUPT, DROP) or decision.incidents[0].traces == (DROP, ABRUPT)


def test_a6_2_a_kill_in_a_control_group() -> None:
    assert outcome(kill(scope='cgroup', cgroup='/web/shop'), ABRUPT) == ('confirmed', 'kernel_oom_cgroup')


def test_a6_6_the_kernel_chose_it_and_killed_its_child() -> None:
    chosen = event(types.KERNEL_INTENT, pid=100, tgid=100, comm=b'anqicms')
    decision = decide(chosen, kill(101, comm=b'cwebp'), lives=(life(100, SINCE - HOUR, running=True),))
    assert decision[:2] == ('no', 'not_dead')
    assert [found.comm for found in decision.others] == [b'cwebp']


def test_a6_7_its_child_was_killed_and_later_a_script_killed_it() -> None:
    stop = event(types.GUARD_ADMIN_STOP, NOON + HOUR)
    gone = event(types.ABRUPT_END, NOON + HOUR)
    assert outcome(kill(101, comm=b'cwebp'), stop, gone) == ('no', 'admin_kill')


def test_a6_8_the_other_of_two_instances_was_killed() -> None:
    ours = life(100, SINCE - HOUR, running=True)
    assert outcome(kill(200), lives=(ours,)) == ('no', 'not_dead')


def test_a6_8_one_of_two_and_nothing_tells_which() -> None:
    other = Other('1a2b3c4d-blog.example', None, None, None)
    decision = decide(kill(200), others=(other,))
    assert decision[:2] == ('likely', 'kernel_oom_global')
    assert decision.incidents[0].candidates == ('1a2b3c4d-blog.example',)


@pytest.mark.parametrize('others, fields', [
    ((Other('blog', SINCE - HOUR, None, None),), {}),
    ((Other('blog', None, 1001, None),), {'uids': frozenset([1000])}),
])
def test_a6_8_nobody_else_can_have_died(others: t.Tuple[Other, ...], fields: t.Dict[str, t.Any]) -> None:
    decision = decide(kill(200, uid=1000), ABRUPT, others=others, **fields)
    assert decision.verdict == 'confirmed'
    assert 'elimination' in decision.incidents[0].how


def test_a6_3_the_line_of_the_kernel_is_all_there_is() -> None:
    decision = decide(kill())
    assert decision.verdict == 'confirmed'
    assert 'by elimination' in decision.incidents[0].how


def test_a6_8_the_process_that_ended_then_gives_its_pid() -> None:
    decision = decide(kill(None), lives=(life(200, SINCE - HOUR, NOON - HOUR), life(300, NOON + 30, running=True)))
    assert [incident.event.pid for incident in decision.incidents] == [200]


def test_a6_8_the_control_group_tells_them_apart() -> None:
    ours = life(100, SINCE - 9 * HOUR, cgroup='/web/shop')
    others = (Other('blog', None, None, '/web/blog'),)
    assert outcome(kill(200, cgroup='/web/shop'), lives=(ours,), others=others)[0] == 'confirmed'
    assert outcome(kill(200, cgroup='/web/blog'), lives=(ours,), others=others)[0] == 'no'
    assert outcome(kill(200, cgroup='/web/blog'), others=others)[0] == 'likely', 'nothing is known of this one'
    assert outcome(kill(200, cgroup='/web/x'), lives=(ours,), others=others)[0] == 'likely', 'nobody is known there'


def test_a6_8_the_user_is_anothers() -> None:
    others = (Other('blog', None, 1001, None),)
    assert outcome(kill(200, uid=1001), others=others, uids=frozenset([1000]))[0] == 'no'


def test_a6_8_the_process_history_knows_the_pid() -> None:
    others = (Other('blog', None, None, None),)
    lives = (life(200, SINCE - HOUR), life(300, NOON + HOUR, running=True))
    assert outcome(kill(200), lives=lives, others=others)[0] == 'confirmed'


def test_a6_9_the_pid_was_anothers_months_ago() -> None:
    lives = (life(4711, NOON + HOUR, running=True),)
    assert outcome(kill(comm=b'nginx'), lives=lives)[0] == 'no'


def test_a6_9_the_pid_was_anothers_and_is_asked_for() -> None:
    assert outcome(kill(comm=b'nginx'), pid=4711)[0] == 'no'


def test_a6_10_a_kill_before_the_window() -> None:
    decision = decide(kill(time=SINCE - HOUR))
    assert decision.verdict == 'no'
    assert any('Outside of the time window' in note for note in decision.notes)


@pytest.mark.parametrize('coverage, verdict', [((FULL,), 'no'), ((UNREADABLE,), 'unknown')])
def test_a6_11_it_was_killed_by_hand(coverage: t.Tuple[Coverage, ...], verdict: str) -> None:
    assert outcome(ABRUPT, coverage=coverage) == (verdict, 'unexplained')


def test_a6_12_earlyoom_asked_it_to_end() -> None:
    killed = event(types.USERSPACE_KILL, pid=4711, comm=b'anqicms', details={'killer': 'earlyoom'})
    decision = decide(killed, event(types.CLEAN_STOP, NOON + 1))
    assert decision[:2] == ('confirmed', 'userspace_oom')
    assert len(decision.incidents) == 1


def test_a6_13_oomd_killed_its_unit() -> None:
    killed = event(types.USERSPACE_KILL, cgroup='/system.slice/shop.service', details={'killer': 'systemd-oomd'})
    lives = (life(4711, SINCE - HOUR, cgroup='/system.slice/shop.service'),)
    assert outcome(killed, lives=lives) == ('confirmed', 'userspace_oom')
    assert outcome(killed, lives=(life(4711, SINCE - HOUR, cgroup='/system.slice/blog.service'),))[0] == 'no'


def test_a6_14_its_own_runtime_got_no_memory() -> None:
    counted = Counters(SINCE - HOUR, 0)
    decision = decide(event(types.GO_OOM), ABRUPT, coverage=(UNREADABLE,), counters=counted)
    assert decision[:2] == ('no', 'go_runtime_oom')


@pytest.mark.parametrize('crash', [event(types.PANIC), event(types.KERNEL_SEGFAULT, pid=4711, comm=b'anqicms')])
def test_a6_15_it_crashed(crash: Event) -> None:
    assert outcome(crash, ABRUPT) == ('no', 'crash')


def test_a6_16_the_host_was_started_anew() -> None:
    assert outcome(event(types.BOOT), ABRUPT) == ('no', 'host_reboot')


def test_a6_17_the_kernel_panicked_for_lack_of_memory() -> None:
    decision = decide(event(types.KERNEL_PANIC_OOM), event(types.BOOT, NOON + 600))
    assert decision[:2] == ('no', 'host_panic')
    assert len(decision.incidents) == 1


def test_a6_18_the_ring_begins_after_the_death() -> None:
    wrapped = Coverage('kmsg', NOON + HOUR, UNTIL, True, None, True)
    assert outcome(ABRUPT, coverage=(wrapped,)) == ('unknown', 'unexplained')


def test_a6_19_nothing_can_be_read() -> None:
    assert outcome(ABRUPT, coverage=(UNREADABLE,)) == ('unknown', 'unexplained')


def test_a6_19_nothing_can_be_read_and_the_kernel_has_counted_none() -> None:
    assert outcome(ABRUPT, coverage=(UNREADABLE,), counters=Counters(SINCE - HOUR, 0)) == ('no', 'unexplained')


def test_a6_19_it_has_counted_none_since_a_boot_after_the_death() -> None:
    assert outcome(ABRUPT, coverage=(UNREADABLE,), counters=Counters(NOON + HOUR, 0))[0] == 'unknown'


@pytest.mark.parametrize('counted, cause', [
    (Counters(SINCE - HOUR, 2), 'kernel_oom_global'), (Counters(SINCE - HOUR, 2, 1), 'kernel_oom_cgroup')])
def test_a6_20_the_log_is_lost_and_the_kernel_has_counted_a_kill(counted: Counters, cause: str) -> None:
    assert outcome(ABRUPT, DROP, coverage=(UNREADABLE,), counters=counted) == ('likely', cause)


@pytest.mark.parametrize('noted, expected', [
    (((SINCE - 9, 2),), ('no', 'unexplained')),  # not one more until now
    (((SINCE - 9, 1),), ('likely', 'kernel_oom_global')),
    (((NOON - 900, 2),), ('unknown', 'unexplained')),  # not this end, but who knows of the hours before
    (((SINCE - 9, 1), (NOON + 900, 1)), ('unknown', 'unexplained')),  # the one more came later
    (((SINCE - 9, 1), (NOON + 900, 2)), ('likely', 'kernel_oom_global')),
    (((NOON + 900, 1), (NOON + 1200, 2)), ('likely', 'kernel_oom_global')),
    (((NOON + 900, 0), (UNTIL, 2)), ('unknown', 'unexplained')),
])
def test_a6_20_what_was_noted_earlier_tells_when_it_rose(
    noted: t.Tuple[t.Tuple[float, int], ...], expected: t.Tuple[str, str]
) -> None:
    counted = Counters(SINCE - HOUR, 2, noted=noted)
    assert outcome(ABRUPT, coverage=(UNREADABLE,), counters=counted) == expected


def test_a6_20_every_kill_that_was_counted_is_in_the_log() -> None:
    earlier = Coverage('kern.log', SINCE - HOUR, NOON - HOUR, True, None, True)
    counted = Counters(SINCE - HOUR, 1)
    logged = kill(5, NOON - 2 * HOUR, comm=b'mysqld')
    assert outcome(logged, ABRUPT, coverage=(earlier,), counters=counted)[0] == 'unknown'


def test_a6_24_the_log_lags() -> None:
    assert len(decide(kill(time=NOON + 19), DROP).incidents) == 1


def test_a6_25_a_long_name_is_cut() -> None:
    comm = b'anqicms-production-site-7'
    assert outcome(kill(comm=b'anqicms-product'), ABRUPT, comm=comm)[0] == 'confirmed'
    assert outcome(kill(comm=b'anqicms'), comm=comm)[0] == 'no'


def test_a6_26_a_line_without_a_readable_name() -> None:
    assert outcome(kill(comm=None), ABRUPT)[0] == 'likely'
    assert outcome(kill(comm=None), lives=(life(4711, SINCE - HOUR),))[0] == 'confirmed'


def test_a6_27_the_line_names_a_thread() -> None:
    named = kill(11021, tgid=11020, comm=b'worker-7')
    assert outcome(named, lives=(life(11020, SINCE - HOUR),))[0] == 'confirmed'
    assert outcome(named, pid=11020)[0] == 'confirmed'


def test_a6_28_a_program_wrote_the_line() -> None:
    decision = decide(event(types.SPOOFED, pid=4711, comm=b'anqicms'), ABRUPT)
    assert decision.verdict == 'no'
    assert any('Ignored a line' in note for note in decision.notes)


def test_a6_28_a_line_that_the_counter_contradicts() -> None:
    decision = decide(kill(), ABRUPT, counters=Counters(SINCE - HOUR, 0))
    assert decision.verdict == 'no'
    assert any('Ignored a line' in note for note in decision.notes)


def test_a6_28_nobody_knows_who_wrote_the_line() -> None:
    assert outcome(kill(trusted=False))[0] == 'likely'


def test_a6_29_nothing_was_killed() -> None:
    skipped = event(types.KERNEL_NO_KILL, pid=4711, comm=b'anqicms')
    assert outcome(skipped, lives=(life(4711, SINCE - HOUR, running=True),)) == ('no', 'not_dead')


def test_a6_30_a_whole_group_was_killed() -> None:
    details = {'oom_group': True, 'oom_memcg': '/web'}
    kills = [kill(pid, NOON + pid / 10000.0, scope='cgroup', details=details, comm=comm)
             for pid, comm in ((4711, b'anqicms'), (4712, b'cwebp'), (4713, b'cwebp'))]
    decision = decide(ABRUPT, *kills)
    assert len(decision.incidents) == 1
    assert {victim.pid for victim in decision.incidents[0].victims} == {4712, 4713}


def test_a6_32_without_a_log_of_the_guard() -> None:
    absent = Coverage('check.log', None, None, False, 'it does not exist', False)
    assert outcome(kill(), ABRUPT, coverage=(FULL, absent))[0] == 'confirmed'


@pytest.mark.parametrize('noise', [types.LOG_JUMP, types.IN_APP_RESTART])
def test_a6_35_36_it_lives(noise: str) -> None:
    alive = life(4711, SINCE - HOUR, running=True)
    assert outcome(event(noise), lives=(alive,), coverage=(UNREADABLE,)) == ('no', 'not_dead')


def test_a6_37_a_container_seen_from_the_host() -> None:
    assert in_cgroup('/docker/0a1b', '/docker/0a1b') and in_cgroup('/docker/0a1b/app', '/docker/0a1b')
    assert in_cgroup('/docker/0a1b/app', '/app') and not in_cgroup('/docker/0a1bc', '/docker/0a1b')
    assert not in_cgroup('/docker/0a1b', '/')


INSIDE = dict(is_contained=True, lives=(life(7, SINCE - HOUR, NOON - HOUR, cgroup='/system.slice/shop.service'),))


def test_a6_37_in_a_container_the_end_of_the_path_is_its_own_and_pids_are_not() -> None:
    killed = kill(31337, scope='cgroup', cgroup='/outside/system.slice/shop.service')
    decision = decide(killed, **INSIDE)
    assert decision[:2] == ('confirmed', 'kernel_oom_cgroup')
    assert [incident.event.pid for incident in decision.incidents] == [7]
    assert decision.incidents[0].event.details['kernel_pid'] == 31337
    assert 'in the process history' not in decision.incidents[0].how


def test_a6_37_in_a_container_the_same_unit_of_another_one_is_not_this_one() -> None:
    alive = life(7, SINCE - HOUR, running=True, cgroup='/system.slice/shop.service')
    killed = kill(31337, scope='cgroup', cgroup='/another/system.slice/shop.service')
    assert outcome(killed, is_contained=True, lives=(alive,)) == ('no', 'not_dead')
    assert outcome(killed, is_contained=True, lives=(alive._replace(begin=NOON + HOUR),))[0] == 'likely'


def test_a6_37_in_a_container_a_pid_of_the_kernel_is_no_pid_of_here() -> None:
    assert outcome(kill(7, cgroup='/another'), **INSIDE)[0] == 'unknown', 'it can have been moved to another group'
    decision = decide(kill(7, cgroup='/another'), is_contained=True)
    assert decision.verdict == 'likely'
    assert decision.incidents[0].candidates == ('a process outside this container',)


@pytest.mark.parametrize('group, verdict', [(None, 'unknown'), (1, 'likely')])
def test_a6_37_inside_a_container(group: t.Optional[int], verdict: str) -> None:
    assert outcome(ABRUPT, coverage=(UNREADABLE,), counters=Counters(None, None, group))[0] == verdict


def test_a6_38_the_database_was_killed() -> None:
    decision = decide(kill(99, comm=b'mysqld'), event(types.ABRUPT_END, NOON + 5))
    assert decision[:2] == ('no', 'unexplained')
    assert [found.comm for found in decision.others] == [b'mysqld']


def test_a6_39_three_kills_in_a_row() -> None:
    events = [kill(pid, NOON + 60 * pid) for pid in (1, 2, 3)]
    traces = [event(types.GUARD_DROP, NOON + 60 * pid + 30, uncertainty=60.0) for pid in (1, 2, 3)]
    decision = decide(*(events + traces))
    assert [incident.event.pid for incident in decision.incidents] == [1, 2, 3]
    assert decision.verdict == 'confirmed'


def test_a6_40_killed_in_its_first_minute() -> None:
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


@pytest.mark.parametrize('killer, cause', [
    ('systemd', 'kernel_oom_cgroup'), ('docker', 'kernel_oom_cgroup'), ('systemd-oomd', 'userspace_oom')])
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


@pytest.mark.parametrize('given, verdict', [
    ('/mnt/old/syslog', 'confirmed'),
    ('/mnt/old/messages', 'likely'),
])
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
    assert (decision.verdict, 'its own log shows that it went on' in decision.incidents[0].how) == ('likely', True)
    assert outcome(kill(), ABRUPT, coverage=(FULL, OWN_LOG))[0] == 'confirmed'
    assert outcome(kill(), coverage=(FULL, OWN_LOG), pid=4711)[0] == 'confirmed'


# --- whatever is thrown at it

KINDS = (types.KERNEL_KILL, types.KERNEL_INTENT, types.KERNEL_NO_KILL, types.KERNEL_SEGFAULT, types.KERNEL_PANIC_OOM,
         types.BOOT, types.SPOOFED, types.USERSPACE_KILL, types.GUARD_DROP, types.GUARD_ADMIN_STOP, types.CLEAN_STOP,
         types.PANIC, types.GO_OOM, types.STARTED, types.ABRUPT_END, types.LOG_JUMP, types.IN_APP_RESTART)
GROUPS = (None, '/', '/web', '/web/shop', 'shop.service', '/system.slice/shop.service', '/docker/' + 'a' * 64)


def any_event(dice: random.Random) -> Event:
    details: t.Dict[str, t.Any] = {}
    for name, values in (('killer', (None, 'systemd', 'docker', 'earlyoom', 'systemd-oomd')),
                         ('process', (None, 1, 2)), ('same_name', (None, [3])), ('oom_group', (None, '/web')),
                         ('failed', (None, 'config_invalid')), ('is_complete', (True, False)),
                         ('listening', (True, False))):
        value = dice.choice(values)
        details.update({} if value is None else {name: value})
    if dice.random() < 0.1:
        details['failed_line'] = 'Invalid Config: x'
    time = dice.choice([None, SINCE - 100, NOON, NOON + dice.uniform(-300, 300)])
    return event(dice.choice(KINDS), time, uncertainty=dice.choice([0.1, 21.0, 400.0]),
                 pid=dice.choice([None, 3, 4, 5]), comm=dice.choice([None, b'anqicms', b'mysqld', b'\xff']),
                 uid=dice.choice([None, 0, 1000]), cgroup=dice.choice(GROUPS), trusted=dice.choice([True, False]),
                 details=details)


def any_life(dice: random.Random) -> Life:
    begin = NOON + dice.uniform(-900, 300)
    return life(dice.choice([3, 4, 5]), begin, begin + dice.uniform(0, 600), dice.random() < 0.3,
                cgroup=dice.choice(GROUPS))


def any_case(dice: random.Random) -> Case:
    others = tuple(Other('blog', dice.choice([None, NOON - 900, NOON]), dice.choice([None, 1000]), dice.choice(GROUPS),
                         tuple(any_life(dice) for _each in range(dice.randint(0, 1))))
                   for _each in range(dice.randint(0, 2)))
    subject = SUBJECT._replace(
        pid=dice.choice([None, None, 4]), uids=dice.choice([frozenset(), frozenset([1000])]), others=others,
        lives=tuple(sorted((any_life(dice) for _each in range(dice.randint(0, 3))), key=lambda each: each.begin)),
        is_contained=dice.random() < 0.3, known_since=dice.choice([None, NOON]))
    coverage = tuple(entry for entry in (FULL, OWN_LOG, UNREADABLE, FULL._replace(source='syslog', end=NOON))
                     if dice.random() < 0.5)
    counters = dice.choice([Counters(), Counters(SINCE - HOUR, 0), Counters(SINCE - HOUR, 2, 1)])
    events = tuple(any_event(dice) for _each in range(dice.randint(0, 6)))
    return Case(SINCE, UNTIL, subject, events, coverage, counters, dice.choice([(), ('earlyoom',)]))


def check_decision(case: Case, decision: Decision) -> None:
    exclusion = excluded.Exclusion(case)
    assert decision.verdict in _oom_verdict.VERDICTS[decision.cause]
    for incident in decision.incidents:
        assert incident.verdict in _oom_verdict.VERDICTS[incident.cause] and incident.how
        if incident.verdict == 'confirmed':
            assert incident.event.trusted and incident.event.time is not None and not incident.candidates
        if (incident.verdict, incident.cause) == ('no', 'unexplained'):
            middle = incident.event.time if incident.event.time is not None else (SINCE + UNTIL) / 2
            begin, end = middle - incident.event.uncertainty, middle + incident.event.uncertainty
            assert exclusion.why_not(max(begin, SINCE), min(end, UNTIL)) is None, 'no without coverage'
            others = [other for other in decision.others if other.time is not None and begin <= other.time <= end]
            assert not (others and 'no OOM kill was recorded at that time' in incident.how)
            assert 'covered by ' in incident.how and not incident.how.endswith('covered by ')
    if decision.verdict == 'no' and not decision.incidents and decision.cause != 'not_dead':
        assert exclusion.why_not(SINCE, UNTIL) is None


def test_whatever_is_said_there_is_no_traceback_and_no_guess() -> None:
    for seed in range(1500):
        case = any_case(random.Random(seed))
        try:
            check_decision(case, _oom_verdict.decide(case))
        except Exception as exc:
            raise AssertionError('seed %d: %r' % (seed, case)) from exc
