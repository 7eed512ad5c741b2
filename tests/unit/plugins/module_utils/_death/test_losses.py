# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A log that proves that it lacks lines, or has one that nobody understands, excludes no kill of that time."""

import math
import os
import time
import typing as t
from pathlib import Path

import kernel_lines
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import (
    causes,
    losses,
    needles,
    system_logs,
    userspace,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as _death_types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel as _kernel_oom
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel_lines as _kernel_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import verdict as _oom_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    Coverage,
    Event,
    Evidence,
    Gap,
    RawLine,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Subject

T0 = 1783872554.0  # 12 July 2026, 16:09:14 UTC
HOUR = 3600.0
SUBJECT = Subject(b'anqicms', None, frozenset(), (), ())
KILL = b'Out of memory: Killed process 4711 (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB'


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    monkeypatch.setenv('TZ', 'UTC')
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def line(text: str, when: t.Optional[float] = T0, source: str = 'messages', **fields: t.Any) -> RawLine:
    transport = {'journal': 'journal', 'kmsg': 'kernel'}.get(source, 'syslog')
    evidence = Evidence(source, None, 1, 's=1' if source == 'journal' else None, text)
    return RawLine(text.encode(), when, 1.0, evidence, transport, None, None)._replace(**fields)


def sources(*lines: RawLine) -> t.Dict[str, t.Tuple[Gap, ...]]:
    """The gaps that these lines make in each source."""
    names = ('journal', 'kmsg', 'messages', 'kern.log')
    full = [Coverage(name, T0 - HOUR, T0 + HOUR, True, None, True) for name in names]
    found = losses.with_gaps(full, lines, _kernel_oom.events(lines))
    return {entry.source: entry.gaps for entry in found if entry.gaps}


SYSLOG = 'Jul 12 16:09:14 web1 %s'
SAID = {
    'missed': (
        'systemd-journald[412]: Missed 2034 kernel messages',
        'systemd-journal[1770]: Missed 1427 kernel messages',
        'journal: Missed 3 kernel messages',
    ),
    'overrun': (
        'systemd-journald[381]: /dev/kmsg buffer overrun, some messages lost.',
        'kernel: [771.88] systemd-journald[381]: /dev/kmsg buffer overrun, some messages lost.',
    ),
    'not_written': ('systemd-journald[381]: Failed to write entry (22 items, 800 bytes), ignoring: No space left',),
    'suppressed': ('systemd-journald[1]: Suppressed 917 messages from /system.slice/earlyoom.service',),
    'imjournal_begins': (
        'rsyslogd-2177: imjournal: begin to drop messages due to rate-limiting',
        'rsyslogd[812]: imjournal from <web1:kernel>: begin to drop messages due to rate-limiting',
    ),
    'imjournal_lost': (
        'rsyslogd: imjournal: 84667 messages lost due to rate-limiting',
        'rsyslogd: imjournal: 9 messages lost due to rate-limiting (20000 allowed within 600 seconds)',
    ),
    'imuxsock': (
        'rsyslogd: imuxsock lost 41 messages from pid 567 due to rate-limiting',
        'rsyslogd: imuxsock begins to drop messages from pid 5 due to rate-limiting',
    ),
    'imuxsock_killer': (
        'host#rsyslogd: imuxsock[pid: 51, name: /usr/bin/earlyoom]: 48 messages lost due to rate-limiting',
    ),
    'queue': ('rsyslogd: main Q: 12 messages lost', 'rsyslogd: action-1 queue: 7 messages dropped'),
    'console': ('kernel: ** 34 printk messages dropped **',),
    'burst': (
        'kernel: [641.27] oom_kill_process: 132 callbacks suppressed',
        'kernel: [641.27] __ratelimit: 7 callbacks suppressed',
    ),
    'printk': ('kernel: printk: 443 messages suppressed.',),
}
WHERE = {
    losses.OWN: {'messages'},
    losses.FILES: {'messages', 'kern.log'},
    losses.JOURNAL: {'journal', 'messages', 'kern.log'},
    losses.ALL: {'journal', 'kmsg', 'messages', 'kern.log'},
}


def test_each_loss_has_a_case() -> None:
    assert set(SAID) == {loss.code for loss in losses.LOSSES}


@pytest.mark.parametrize('loss', losses.LOSSES, ids=[loss.code for loss in losses.LOSSES])
def test_a_loss_is_seen(loss: losses.Loss) -> None:
    for text in SAID[loss.code]:
        said = line(SYSLOG % text)
        assert needles.concerns(said.text), text
        found = sources(said)
        assert set(found) == WHERE[loss.where], text
        (gap,) = found['messages']
        assert (gap.kernel, gap.services) == (loss.kernel, loss.services)
        assert gap.begin <= T0 - loss.before and T0 + loss.after <= gap.end
        assert text in gap.why


@pytest.mark.parametrize(
    'text',
    [
        'shop[7]: Missed 2034 kernel messages',
        'shop: oom_kill_process: 132 callbacks suppressed',
        'kernel: [1.2] net_ratelimit: 7 callbacks suppressed',
        'rsyslogd: [origin software="rsyslogd"] start',
        'systemd-journald[1]: Suppressed 917 messages from /system.slice/shop.service',
        'shop: imjournal: 9 messages lost',
        'rsyslogd: imuxsock[pid: 51, name: /usr/bin/syncd]: 48 messages lost due to rate-limiting',
        'rsyslogd: imjournal: journal files changed, reloading...',
        'systemd-journald[1]: Journal started',
    ],
)
def test_what_loses_nothing_of_these(text: str) -> None:
    assert sources(line(SYSLOG % text)) == {}


def test_the_journals_own_word_for_it() -> None:
    said = line('systemd-journald[412]: Missed 2034 kernel messages', source='journal')
    assert set(sources(said)) == {'journal', 'messages', 'kern.log'}
    noted = line('systemd-journald[381]: /dev/kmsg buffer overrun, some messages lost.', source='kmsg', facility=5)
    assert set(sources(noted)) == {'journal', 'messages', 'kern.log'}, 'the ring itself has them'


# --- invoked, or chosen, and nobody killed

INVOKED = SYSLOG % 'kernel: anqicms invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0'
INTENT = SYSLOG % 'kernel: Out of memory: Kill process 4711 (anqicms) score 651 or sacrifice child'
KILLED = SYSLOG % 'kernel: Killed process 4711 (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB'
CHILD = SYSLOG % 'kernel: Killed process 4712 (cwebp) total-vm:1kB, anon-rss:1kB, file-rss:0kB'
SKIPPED = SYSLOG % 'kernel: Out of memory: OOM victim 4711 (anqicms) is already exiting. Skip killing the task'
NOBODY = SYSLOG % 'kernel: Out of memory and no killable processes...'


@pytest.mark.parametrize(
    'texts, is_gap',
    [
        ([INVOKED], True),
        ([INTENT], True),
        ([INVOKED, INTENT], True),
        ([INVOKED, KILLED], False),
        ([INTENT, KILLED], False),
        ([INVOKED, INTENT, CHILD], False),
        ([INVOKED, SKIPPED], False),
        ([INVOKED, NOBODY], False),
        ([INVOKED, KILLED, INVOKED], True),
        ([SYSLOG % 'kernel: anqicms: page allocation failure: order:4'], False),
    ],
)
def test_a_killer_without_a_victim(texts: t.List[str], is_gap: bool) -> None:
    lines = [
        line(text)._replace(evidence=Evidence('messages', None, number, None, text))
        for number, text in enumerate(texts)
    ]
    found = sources(*lines)
    assert set(found) == ({'messages'} if is_gap else set())
    assert all('no line shows the outcome' in gap.why for gap in found.get('messages', ()))


def test_another_log_that_has_the_victim_settles_it() -> None:
    chosen, killed = line(INTENT), line(KILLED, source='kern.log')
    assert sources(chosen, killed) == {}


# --- not understood

NOT_UNDERSTOOD = (
    'Jul 12 16:09:14 web1 kernel: [1.5] Out of memory: Slain process 4711 (anqheld)',
    'Jul 12 16:09:14 web1 kernel: [1.5] oom: killed task 4711',
    'Jul 12 16:09:14 web1 kernel: VENDOR OOM killing anqheld',
    'Jul 12 16:09:14 web1 kernel: memcg: killed process 12 (x)',
    '[    5.1] the kernel ran out of memory',
    '<3>[    5.1] send sigkill to anqheld',
    'FOO@@16h09 web1 kernel: Out of memory: Killed process 4711 (anqheld) total-vm:812404kB',
    '%%%12/07 Out of memory: Killed process 4711 (anqheld) total-vm:812404kB',
    '{"x":1,"y":"Out of memory: Killed process 1 (x)"}',
)
UNDERSTOOD = (
    'Jul 12 16:09:14 web1 shop: Out of memory: Slain process 4711 (anqheld)',
    'Jul 12 16:09:14 web1 shop[2]: OOM killed somebody',
    'Jul 12 16:09:14 web1 kernel: [1.5]  oom_kill_process.cold+0xb/0x10',
    'Jul 12 16:09:14 web1 kernel: [1.5]  out_of_memory+0x1bd/0x4e0',
    'Jul 12 16:09:14 web1 kernel: [1.5] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name',
    'Jul 12 16:09:14 web1 kernel: [1.5] Memory cgroup stats for /a: cache:0KB',
    'Jul 12 16:09:14 web1 kernel: [1.5] TCP: out of memory -- consider tuning tcp_mem',
    'Jul 12 16:09:14 web1 kernel: [5.1] systemd[1]: Starting Userspace Out-Of-Memory (OOM) Killer...',
    '[    5.1] systemd[1]: Listening on Userspace Out-Of-Memory (OOM) Killer Socket.',
    'Jul 12 16:09:14 web1 kernel: [1.5] oomd kill: 1.0 1.0 1.0 a.scope 1 ruleset:[r] detectorgroup:[d]',
    'Jul 12 16:09:14 web1 kernel: [1.5] anqicms[955]: segfault at 0 ip 00 sp 00 error 4',
    'Jul 12 16:09:14 web1 earlyoom[7]: sending SIGTERM to process 9 "x": badness 1, VmRSS 1 MiB',
    'WEIRD 12 web1 shop[12]: Out of memory: Slain process 1',
    '2026.07.12-16:09:14 web1 shop: kernel: Out of memory: Killed process 1 (x)',
)


@pytest.mark.parametrize('text', NOT_UNDERSTOOD)
def test_a_line_that_nobody_understands_is_quoted(text: str) -> None:
    assert needles.concerns(text.encode())
    (gap,) = sources(line(text))['messages']
    assert gap.kernel and 'cannot be parsed' in gap.why and text[:20] in gap.why
    assert gap.begin < T0 < gap.end < T0 + 120


@pytest.mark.parametrize('text', UNDERSTOOD)
def test_what_is_understood_or_not_the_kernels_is_no_gap(text: str) -> None:
    assert sources(line(text)) == {}


@pytest.mark.parametrize(
    'around, begin, end',
    [
        ((T0 - 10, T0 + 10), T0 - 70, T0 + 70),
        ((None, T0), -math.inf, T0 + 60),
        ((None, None), -math.inf, math.inf),
    ],
)
def test_a_time_that_is_not_understood_lies_between_its_neighbours(
    around: t.Tuple[t.Optional[float], t.Optional[float]], begin: float, end: float
) -> None:
    said = line('Quux 99 16h09 web1 kernel: Out of memory: Killed process 4711 (x)', None, around=around)
    (gap,) = sources(said)['messages']
    assert (gap.begin, gap.end) == (begin, end)


def test_a_boot_without_a_time_is_no_event() -> None:
    lines = [line('Linux version 6.1.0-18-amd64', None), line('Kernel panic - not syncing: Out of memory', None)]
    assert _kernel_oom.events(lines) == []
    assert [event.kind for event in _kernel_oom.events([line('Linux version 6.1.0')])] == ['boot']


# --- a whole file, and the verdict on a death of that minute


def verdict(path: Path, data: bytes) -> causes.Decision:
    path.write_bytes(data)
    os.utime(str(path), (T0 + HOUR, T0 + HOUR))
    (reading,) = system_logs.read_files(T0 - HOUR, T0 + HOUR - 300, [str(path)])
    of_kernel = _kernel_oom.events(reading.lines)
    events = (
        of_kernel
        + userspace.events(reading.lines)
        + [
            Event(
                _death_types.ABRUPT_END,
                T0,
                20.0,
                None,
                None,
                None,
                None,
                None,
                None,
                True,
                {},
                (Evidence('running.log', None, 1, None, 'gone'),),
            )
        ]
    )
    coverage = losses.with_gaps([reading.coverage], reading.lines, of_kernel)
    case = Case(T0 - HOUR, T0 + HOUR - 300, SUBJECT, tuple(events), tuple(coverage), given=(str(path),))
    return _oom_verdict.decide(case)


def around(data: bytes) -> bytes:
    return (
        b'Jul 12 14:00:00 web1 kernel: [1.0] eth0: up\n'
        + data
        + (b'' if data.endswith(b'\n') else b'\n')
        + b'Jul 12 17:09:10 web1 kernel: [2.0] eth0: up\n'
    )


def test_a_quiet_log_excludes_a_kill(tmp_path: Path) -> None:
    assert verdict(tmp_path / 'messages', around(b'')).verdict == 'no'


@pytest.mark.parametrize(
    'text',
    [SYSLOG % text for texts in SAID.values() for text in texts if 'imuxsock' not in text and 'Suppressed' not in text]
    + list(NOT_UNDERSTOOD)
    + [INVOKED, INTENT],
)
def test_a_log_that_lacks_something_excludes_none(tmp_path: Path, text: str) -> None:
    found = verdict(tmp_path / 'messages', around(text.encode()))
    assert found.verdict == 'unknown', found
    assert any(text[20:60] in incident.how for incident in found.incidents), found


@pytest.mark.parametrize(
    'data, why',
    [
        (b'@@16h09 eth0: up\n@@16h10 eth0: down\n', 'cannot be parsed: "@@16h09 eth0: up"'),
        (b'[12345.678901] eth0: up\n[12346.678901] eth0: down\n', 'count from an unknown boot'),
        (b'', 'it has no lines in the time window'),
    ],
)
def test_why_a_file_covers_nothing(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / 'dmesg.txt'
    path.write_bytes(data)
    os.utime(str(path), (T0, T0))
    (reading,) = system_logs.read_files(T0 - HOUR, T0 + HOUR, [str(path)])
    assert (reading.coverage.begin, reading.coverage.complete) == (None, False)
    assert why in (reading.coverage.why_not or '')
    assert verdict(path, data).verdict == 'unknown'


_PREFIXES = sorted(name for name, before in kernel_lines.PREFIXES.items() if 'below' not in name)
_TEXTS = sorted(kernel_lines.FORMS)
_SLOW = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def _pieces() -> 'st.SearchStrategy[bytes]':
    known = st.tuples(st.sampled_from(_PREFIXES), st.sampled_from(_TEXTS)).map(
        lambda pair: b''.join(
            kernel_lines.PREFIXES[pair[0]].prefix + text + b'\n' for text in kernel_lines.FORMS[pair[1]].lines
        )
    )
    wrapped = st.tuples(st.sampled_from(sorted(kernel_lines.WRAPPED)), st.sampled_from(_TEXTS)).map(
        lambda pair: kernel_lines.WRAPPED[pair[0]] % kernel_lines.FORMS[pair[1]].lines[-1] + b'\n'
    )
    said = st.sampled_from([text.encode() + b'\n' for text in NOT_UNDERSTOOD + UNDERSTOOD])
    cut = st.tuples(st.one_of(known, wrapped, said), st.integers(0, 80), st.integers(0, 80)).map(
        lambda parts: parts[0][parts[1] : len(parts[0]) - parts[2]]
    )
    return st.one_of(known, wrapped, said, cut, st.binary(max_size=60), st.just(b'\0' * 50))


@_SLOW
@given(pieces=st.lists(_pieces(), max_size=12))
def test_nothing_breaks_it_and_no_kill_is_denied(tmp_path_factory: t.Any, pieces: t.List[bytes]) -> None:
    """Forms interleaved and cut: where a line of the kernel speaks of this program's end, the answer is never no."""
    path = tmp_path_factory.mktemp('any') / 'messages'
    verdict(path, around(b''.join(pieces)))
    with_kill = pieces + [b'\n', b'Jul 12 16:09:14 web1 kernel: [9.0] ' + KILL + b'\n']
    assert verdict(path, around(b''.join(with_kill))).verdict != 'no'


@_SLOW
@given(name=st.sampled_from(_PREFIXES), cut=st.integers(0, 60), noise=st.binary(max_size=20))
def test_a_kill_behind_any_begin_is_never_denied(tmp_path_factory: t.Any, name: str, cut: int, noise: bytes) -> None:
    """Known, cut off, or with anything before it, as long as no other program is named."""
    prefix = noise.translate(None, b'\n\0') + kernel_lines.PREFIXES[name].prefix[cut:]
    text = prefix + KILL
    raw = line('')._replace(text=text, time=None)
    is_others = not _kernel_lines.parse_line(raw)[1] or _kernel_lines._OTHER.search(prefix + b' ') is not None
    found = verdict(tmp_path_factory.mktemp('any') / 'messages', around(text))
    assert found.verdict != 'no' or is_others, text
