# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What killers in userspace say, by version, and what is no kill of theirs."""

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import userspace
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event, Evidence, RawLine

T0 = 1783872554.0
ID = '0123456789abcdef'
PRESSURE = 'due to memory pressure for /a being 82.36% > 80.00% for > 20s with reclaim activity'
STAMP = 'Jul 12 16:09:14 web1 '
# fmt: off
KILLS: t.Dict[str, t.Tuple[t.Any, ...]] = {
    'earlyoom 1.0': ('earlyoom', 9994, 'anqicms', None, None, {}, 'Killing process 9994 anqicms'),
    'earlyoom 1.1': ('earlyoom', 5874, 'bash', None, None, {'score': 538, 'rss_kb': 3160 * 1024, 'signal': 'SIGTERM'},
                     "Killing process 'bash' with signal 15, pid: 5874, badness: 538, VmRSS: 3160 MiB"),
    'earlyoom 1.2': ('earlyoom', 27541, 'bash', None, None, {'score': 550, 'signal': 'SIGKILL'},
                     'killing process 27541 "bash" with signal 9: badness 550, VmRSS 7609 MiB'),
    'earlyoom 1.3': ('earlyoom', 12006, 'a "b": c', None, None, {'score': 209, 'signal': 'SIGTERM'},
                     'sending SIGTERM to process 12006 "a "b": c": badness 209, VmRSS 2891 MiB'),
    'earlyoom 1.7': ('earlyoom', 9994, 'anqicms', 1000, None, {'score': 1181, 'rss_kb': 4568 * 1024},
                     'sending SIGTERM to process 9994 uid 1000 "anqicms": badness 1181, VmRSS 4568 MiB'),
    'earlyoom 1.8': ('earlyoom', 2232050, 'bun', 1000, None, {'score': 712, 'rss_kb': 4514 * 1024},
                     '%s oom_score 712, oom_score_adj 0, VmRSS 4514 MiB, cmdline "x": badness 1"'
                     % 'sending SIGTERM to process 2232050 uid 1000 "bun":'),
    'systemd-oomd pressure': ('systemd-oomd', None, None, None, '/a/x.service', {},
                              'Killed /a/x.service ' + PRESSURE),
    'systemd-oomd swap': ('systemd-oomd', None, None, None, '/a/x.service', {},
                          'Killed /a/x.service due to memory used (7) / total (8) and swap used (9) / total (9)'),
    'systemd-oomd, marked': ('systemd-oomd', None, None, None, '/system.slice/x.service', {},
                             ('Marked /system.slice/x.service for killing due to memory pressure for /system.slice '
                              'being 83.52% > 80.00% for > 20s with reclaim activity')),
    'systemd-oomd, marked for swap': (
        'systemd-oomd', None, None, None, '/a/x.scope', {},
        ('Marked /a/x.scope for killing due to memory used (16260780032) / total (16419115008) and swap used '
         '(29560922112) / total (32838500352) being more than 90.00%')),
    'systemd-oomd, rule': ('systemd-oomd', None, None, None, '/system.slice/x.service', {},
                           'Rule low-memory matched for /system.slice/x.service, taking action kill'),
    'systemd-oomd, rule alone': ('systemd-oomd', None, None, None, None, {}, "Rule 'x' fired, taking action"),
    'lmkd': ('lmkd', 24017, 'com.example.app', 10123, None, {},
             "Kill 'com.example.app' (24017), uid 10123, oom_score_adj 900 to free 4963256kB rss, 0kB swap; reason: x"),
    'systemd of oomd': ('systemd-oomd', None, None, None, 'x.service', {'processes': 19, 'unit': 'x.service'},
                        'x.service: systemd-oomd killed 19 process(es) in this unit.'),
    'systemd of the kernel': ('systemd', None, None, None, 'x.service', {'by_kernel': True},
                              'x.service: A process of this unit has been killed by the OOM killer.'),
    'systemd of the kernel, newer': ('systemd', None, None, None, 'x.service', {'by_kernel': True},
                                     'x.service: The kernel OOM killer killed some processes in this unit.'),
    'systemd': ('systemd', None, None, None, 'x.service', {'unit': 'x.service'},
                "x.service: Failed with result 'oom-kill'."),
    'oomd': ('oomd', None, None, None, 'user.slice/x.scope', {'memory_kb': 134268936},
             'oomd kill: 81.28 80.05 42.78 user.slice/x.scope 137491390464 ruleset:[r] detectorgroup:[d]'),
    'nohang': ('nohang', None, None, None, None, {'signal': 'SIGTERM'}, '  [ OK ] Sending SIGTERM'),
    'docker': ('docker', None, None, None, ID, {'container': ID},
               '2026-07-12T16:09:14.1+08:00 container oom %s (image=anqicms, name=web)' % ID),
    'containerd': ('docker', None, None, None, ID, {}, r'level=info msg="TaskOOM event container_id:\"%s\""' % ID),
}
# fmt: on


def line(text: str, time: t.Optional[float] = T0, number: int = 1, source: str = 'syslog') -> RawLine:
    cursor = 's=1' if source == 'journal' else None
    evidence = Evidence(source, None if cursor else '/var/log/' + source, number, cursor, text)
    transport = 'stdout' if cursor else 'kernel' if source == 'kmsg' else 'syslog'
    return RawLine(text.encode('utf-8', 'surrogateescape'), time, 1.0, evidence, transport, None, None)


def of(*texts: str) -> t.List[Event]:
    return userspace.events([line(text, number=number) for number, text in enumerate(texts, 1)])


@pytest.mark.parametrize('name', sorted(KILLS))
def test_every_killer(name: str) -> None:
    killer, pid, comm, uid, cgroup, details, text = KILLS[name]
    tag = {'systemd': 'systemd', 'docker': 'dockerd', 'oomd': 'kernel'}.get(killer, killer)
    for source, written in (
        ('syslog', '%s%s: %s' % (STAMP, tag, text)),
        ('syslog', '%s%s[1]: %s' % (STAMP, tag, text)),
        ('journal', '%s[1]: %s' % (tag, text)),
        ('kmsg', text),
    ):
        found = userspace.events([line(written, source=source)])
        assert len(found) == 1, written
        event = found[0]
        assert (event.kind, event.pid, event.comm, event.uid, event.cgroup, event.trusted) == (
            'userspace_kill',
            pid,
            comm and comm.encode(),
            uid,
            cgroup,
            source != 'syslog',
        )
        assert event.details['killer'] == killer
        assert {key: event.details.get(key) for key in details} == details
    if tag != 'kernel':
        assert of('%sbash[7]: %s' % (STAMP, text)) == []
        assert any(needle in text.encode() for needle in userspace.NEEDLES)


def test_the_lines_of_earlyoom_are_one_kill() -> None:
    found = of(
        STAMP + 'earlyoom[700]: low memory! at or below SIGTERM limits: mem  8.00%, swap 30.42%',
        STAMP + 'earlyoom[700]: sending SIGTERM to process 9994 uid 33 "anqicms": badness 9, VmRSS 10 MiB',
        STAMP + 'earlyoom[700]: escalating to SIGKILL after 2.8 seconds',
        STAMP + 'earlyoom[700]: process exited after 2.8 seconds',
    )
    assert [(event.pid, event.uid, event.details['signal']) for event in found] == [(9994, 33, 'SIGKILL')]
    assert [entry.line for entry in found[0].evidence] == [1, 2, 3, 4]


def test_asked_twice_and_noted_twice_is_one_kill() -> None:
    text = 'sending SIGTERM to process 9994 uid 33 "anqicms": badness 9, VmRSS 10 MiB'
    lines = [
        line(STAMP + 'earlyoom[700]: ' + text, T0, 1),
        line(STAMP + 'earlyoom[700]: ' + text, T0 + 10, 2),
        line('earlyoom[700]: ' + text, T0, source='journal'),
    ]
    assert [len(event.evidence) for event in userspace.events(lines)] == [3]
    lines.append(line(STAMP + 'earlyoom[700]: ' + text, T0 + 86400, 3))
    assert [event.time for event in userspace.events(lines)] == [T0, T0 + 86400]


@pytest.mark.parametrize(
    'after',
    [
        'dryrun, not actually sending any signal',
        'kill failed: No such process',
        'kill failed: Operation not permitted',
        'kill failed: Timer expired',
        'process 9994 did not exit',
        'process did not exit',
    ],
)
def test_earlyoom_that_killed_nobody(after: str) -> None:
    text = STAMP + 'earlyoom[700]: sending SIGTERM to process 9994 uid 33 "anqicms": badness 9, VmRSS 10 MiB'
    assert of(text, STAMP + 'earlyoom[700]: ' + after) == []
    assert (
        of(
            STAMP + 'earlyoom[700]: low memory! at or below',
            text,
            STAMP + 'earlyoom[700]: escalating to SIGKILL after 2.8 seconds',
            STAMP + 'earlyoom[700]: ' + after,
        )
        == []
    )
    assert len(of(text, STAMP + 'earlyoom[700]: process 7 did not exit')) == 1


def test_earlyoom_whose_second_signal_worked() -> None:
    text = '%searlyoom[700]: sending %s to process 9994 uid 33 "anqicms": badness 9, VmRSS 10 MiB'
    failed = [STAMP + 'earlyoom[700]: process 9994 did not exit', STAMP + 'earlyoom[700]: kill failed: Timer expired']
    after = STAMP + 'earlyoom[700]: process 9994 exited after 0.3 seconds'
    for sources in (['syslog'], ['journal', 'syslog']):
        found = userspace.events(
            [
                line(each if source == 'syslog' else each[len(STAMP) :], number=number, source=source)
                for source in sources
                for number, each in enumerate([text % (STAMP, 'SIGTERM'), *failed, text % (STAMP, 'SIGKILL'), after], 1)
            ]
        )
        assert [(event.pid, event.details['signal'], [row.line for row in event.evidence]) for event in found] == [
            (9994, 'SIGKILL', [4, 5] * len(sources))
        ]


def test_systemd_oomd_and_systemd_tell_of_one_kill() -> None:
    found = of(
        STAMP + 'systemd-oomd[600]: Killed /system.slice/x.service ' + PRESSURE,
        STAMP + 'systemd[1]: x.service: systemd-oomd killed 19 process(es) in this unit.',
        STAMP + "systemd[1]: x.service: Failed with result 'oom-kill'.",
        STAMP + "systemd[1]: y.service: Failed with result 'oom-kill'.",
    )
    assert [(event.details['killer'], event.cgroup, len(event.evidence)) for event in found] == [
        ('systemd-oomd', '/system.slice/x.service', 3),
        ('systemd', 'y.service', 1),
    ]
    assert found[0].details['processes'] == 19


def test_systemd_tells_how_the_unit_ended() -> None:
    found = of(
        STAMP + 'systemd[1]: x.service: The kernel OOM killer killed some processes in this unit.',
        STAMP + 'systemd[1]: x.service: Main process exited, code=killed, status=9/KILL',
        STAMP + 'systemd[1]: y.service: Main process exited, code=killed, status=9/KILL',
    )
    assert [(event.details['unit'], event.details['by_kernel'], len(event.evidence)) for event in found] == [
        ('x.service', True, 2)
    ]


@pytest.mark.parametrize('pid, trusted', [(900, False), (1, True)])
def test_a_users_own_systemd_is_not_the_hosts(pid: int, trusted: bool) -> None:
    found = userspace.events([line("systemd[%d]: x.service: Failed with result 'oom-kill'." % pid, source='journal')])
    assert [event.trusted for event in found] == [trusted]


def test_a_tag_in_a_log_file_can_be_anybodys() -> None:
    """Any user may call logger -t earlyoom; the journal knows the unit that spoke."""
    text = 'sending SIGTERM to process 9994 uid 33 "anqicms": badness 9, VmRSS 10 MiB'
    written, noted = line(STAMP + 'earlyoom: ' + text), line('earlyoom[700]: ' + text, source='journal')
    assert [event.trusted for event in userspace.events([written])] == [False]
    assert [event.trusted for event in userspace.events([written, noted])] == [True]


def test_nohang_names_its_victim_before() -> None:
    found = of(
        STAMP + 'nohang[700]:   PID: 903309, name: anqicms, badness: 849',
        STAMP + 'nohang[700]:   [ OK ] Sending SIGTERM',
        STAMP + 'nohang[700]: The victim died in 0.1 sec',
        STAMP + 'nohang[700]: <<=== FINISHING implement_corrective_action() ===<<',
    )
    assert [(event.pid, event.comm, event.details['score'], len(event.evidence)) for event in found] == [
        (903309, b'anqicms', 849, 4)
    ]


@pytest.mark.parametrize(
    'text',
    [
        'earlyoom[7]: mem avail:  9700 of 13855 MiB (70 %), swap free:    0 of    0 MiB ( 0 %)',
        'earlyoom[7]: sending SIGTERM when mem <= 10.00% and swap <= 10.00%,',
        'earlyoom[7]: low memory! at or below',
        'kernel: oomd kill: 1.00 1.00 1.00 a.scope 10 ruleset:[r] (dry) detectorgroup:[d]',
        'systemd[1]: x.service: Main process exited, code=killed, status=9/KILL',
        "systemd[1]: x.service: Failed with result 'signal'.",
        'systemd[1]: x.service: Killing process 7 (x) with signal SIGKILL.',
        'nohang[7]: PID: 7, name: x, badness: 8',
        'dockerd[7]: container die 0123456789abcdef',
    ],
)
def test_no_kill(text: str) -> None:
    assert of(STAMP + text) == []


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(KILLS)), st.integers(0, 120))
def test_any_bytes(noise: bytes, name: str, cut: int) -> None:
    text = KILLS[name][-1].encode()
    first = line('')
    userspace.events([first._replace(text=each) for each in (noise, text[:cut] + noise, text, noise)])
