# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes, news
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel as _kernel_oom
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import verdict as _oom_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case, Counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.causes import Incident
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event, Evidence, RawLine
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Subject
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

T = 1000000.0


def life(pid: int = 7, begin: float = T - 500, last_seen: float = T, running: bool = False) -> Life:
    return Life(pid, begin, last_seen, running, 1000, None)


def event(
    kind: str = types.KERNEL_KILL,
    time: float = T,
    pid: t.Optional[int] = 7,
    uncertainty: float = 0.1,
    text: str = "a line",
    trusted: bool = True,
    tgid: t.Optional[int] = None,
) -> Event:
    return Event(
        kind,
        time,
        uncertainty,
        pid,
        tgid,
        b"anqicms",
        1000,
        None,
        types.GLOBAL,
        trusted,
        {},
        (Evidence("kmsg", "/dev/kmsg", None, None, text),),
    )


def incident(cause: str = causes.GLOBAL_OOM, verdict: str = causes.CONFIRMED, **values: t.Any) -> Incident:
    return Incident(verdict, cause, event(**values), "so")


def decision(*incidents: Incident) -> causes.Decision:
    return causes.Decision("confirmed", "x", incidents, (), ())


def clean_stop(time: float = T, text: str = "bye") -> Incident:
    return incident(causes.ADMIN_STOP, causes.NO, kind=types.CLEAN_STOP, pid=None, time=time, text=text)


UNEXPLAINED = incident(causes.UNEXPLAINED, causes.NO, kind=types.ABRUPT_END, text="")


@pytest.mark.parametrize(
    "incidents, cause",
    [
        ((UNEXPLAINED, incident()), causes.GLOBAL_OOM),
        ((UNEXPLAINED, clean_stop()), causes.ADMIN_STOP),
        ((clean_stop(), incident()), causes.GLOBAL_OOM),
        ((UNEXPLAINED, incident(pid=8)), causes.UNEXPLAINED),
        ((UNEXPLAINED, incident(pid=9, tgid=7)), causes.GLOBAL_OOM),
        ((UNEXPLAINED, clean_stop(T - 60)), causes.UNEXPLAINED),
        ((clean_stop(T - 8, "first"), clean_stop(T, "second")), causes.ADMIN_STOP),
        ((), causes.UNEXPLAINED),
    ],
)
def test_what_is_told_of_an_end(incidents: t.Sequence[Incident], cause: str) -> None:
    found = news.of_death(decision(*incidents), life(), T + 1, [])
    assert found.cause == cause
    assert 7 in news.pids_of(found.event)


def test_the_closest_explanation_counts() -> None:
    found = news.of_death(decision(clean_stop(T - 8, "first"), clean_stop(T, "second")), life(), T + 0.5, [])
    assert found.event.evidence[0].text == "second"


def test_what_was_before_its_begin_is_not_its_end() -> None:
    before = incident(pid=8, time=T - 2)
    found = news.of_death(decision(before, clean_stop(T - 2), UNEXPLAINED), life(begin=T - 1), T + 1, [])
    assert found.cause == causes.UNEXPLAINED


def test_one_line_explains_one_end() -> None:
    first = news.of_death(decision(clean_stop(), UNEXPLAINED), life(), T + 1, [])
    later = UNEXPLAINED._replace(event=UNEXPLAINED.event._replace(pid=8, time=T + 5))
    moved = clean_stop(T + 3)  # the next look may place the same line elsewhere
    second = news.of_death(decision(moved, later), life(8, T + 1, T + 5), T + 6, [news.as_told(first)])
    assert (first.cause, second.cause) == (causes.ADMIN_STOP, causes.UNEXPLAINED)


def test_an_end_without_any_word_is_told_all_the_same() -> None:
    found = news.of_death(decision(), life(), T + 10, [])
    assert (found.verdict, found.cause, found.event.pid) == ("unknown", "unexplained", 7)
    assert abs((found.event.time or 0.0) - (T + 5)) < 0.1
    assert found.event.uncertainty == 5


@pytest.mark.parametrize(
    "one, known",
    [
        (incident(), True),
        (incident(pid=8), False),
        (incident(trusted=False), False),
        (incident(verdict=causes.LIKELY), False),
        (clean_stop(), False),
        (UNEXPLAINED, False),
    ],
)
def test_kills_that_nobody_saw_are_told_only_of_known_pids(one: Incident, known: bool) -> None:
    assert bool(news.kills(decision(one), [life()], [])) == known


def test_nothing_is_told_twice() -> None:
    told = [news.as_told(incident())]
    assert news.kills(decision(incident(time=T + 30)), [life()], told) == []
    assert news.kills(decision(incident(time=T + 3000)), [life()], told), "a pid that was used again"
    assert len(news.kills(decision(incident(), incident(time=T + 1)), [life()], [])) == 1


def test_what_is_kept_has_a_bound() -> None:
    told = [news.Told(pid, T + pid, "crash", "m") for pid in range(5000)]
    assert len(news.kept(told, T)) == news.KEPT
    assert news.kept(told, T + 5000 + news.KEPT_S) == []


@pytest.mark.parametrize(
    "rows, count",
    [([[7, T, "crash", "m"]], 1), ([[None, 5, "crash", "m"]], 1), (["x", 7, None, [1], ["7", T, "c", "m"]], 0)],
)
def test_stored_rows(rows: t.Any, count: int) -> None:
    assert len(news.told_of(rows)) == count


def test_what_was_watched_is_known_better_than_the_history_says() -> None:
    subject = Subject(b"anqicms", None, frozenset(), (life(last_seen=T - 400), life(9, T - 900, T - 600)), ())
    lives = news.with_lives(subject, [life()]).lives
    assert [(one.pid, one.last_seen) for one in lives] == [(9, T - 600), (7, T)]


@pytest.mark.parametrize(
    "counts, since_boot, expected",
    [
        ([(T - 600, 205), (T - 2, 205)], 205, (T - 2, 0)),
        ([(T - 2, 205)], 206, (T - 2, 1)),
        ([(T - 0.5, 205)], 205, (T - 9000, None)),
        ([], 205, (T - 9000, None)),
        ([], 0, (T - 9000, 0)),
        ([(T - 2, 0)], None, (T - 9000, None)),
    ],
)
def test_kills_are_counted_from_shortly_before_the_end(
    counts: t.List[t.Tuple[float, int]], since_boot: t.Optional[int], expected: t.Tuple[float, t.Optional[int]]
) -> None:
    subject = Subject(b"anqicms", None, frozenset(), (), ())
    case = Case(T - 60, T + 60, subject, (), (), Counters(T - 9000, since_boot))
    found = news.counted(case, [life()], [news.Count(*count) for count in counts]).counters
    assert (found.booted, found.host) == expected


def test_counts_of_the_history_do_not_mix_with_those_of_the_watch() -> None:
    """The history has them since the boot, the watch since shortly before the end."""
    subject = Subject(b"anqicms", None, frozenset(), (), ())
    end = event(types.ABRUPT_END, uncertainty=1.0)
    for noted in ((), ((T - 500, 205),), ((T - 1, 205),)):
        case = Case(T - 1.5, T + 60, subject, (end,), (), Counters(T - 9000, 205, noted=noted))
        found = _oom_verdict.decide(news.counted(case, [life()], [news.Count(T - 2, 205)]))
        assert (found.verdict, found.cause) == ("no", "unexplained"), noted


def test_a_storm_of_kills_tells_each_once_and_ends() -> None:
    count = 1000
    lines: t.List[RawLine] = []
    lives: t.List[Life] = []
    for pid in range(1, count + 1):
        at = T + pid * 0.01
        text = "Out of memory: Killed process %d (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB" % pid
        lines.append(
            RawLine(
                text.encode(), at, 0.1, Evidence("kmsg", "/dev/kmsg", None, "seq=%d" % pid, text), "kernel", 0, None
            )
        )
        lives.append(life(pid, at - 0.01, at))
    subject = Subject(b"anqicms", None, frozenset([1000]), tuple(lives), ())
    case = Case(
        T - 60,
        T + 60,
        subject,
        tuple(_kernel_oom.events(lines)),
        (Coverage("kmsg", T - 900, T + 60, True, None, True),),
    )
    begin = time.time()
    verdict = _oom_verdict.decide(case)
    found = news.kills(verdict, lives, [])
    assert sorted(one.event.pid or 0 for one in found) == list(range(1, count + 1))
    told = [news.as_told(one) for one in found]
    assert news.kills(_oom_verdict.decide(case), lives, told) == []
    assert time.time() - begin < 60


def test_a_clock_that_was_set_back_makes_no_negative_uncertainty() -> None:
    found = news.of_death(decision(), life(last_seen=T), T - 3600, [])
    assert (found.event.time, found.event.uncertainty) == (T - 1800, 1800)
