# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process history as lives, and which control group counts."""

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lives as _lives

TICKS = os.sysconf('SC_CLK_TCK')


def entry(pid: int, boot: str, started_after: float, seen_after: float, **more: t.Any) -> t.Dict[str, t.Any]:
    """A sight of a process; times are seconds since a boot at 1000000."""
    return dict(
        dict(
            pid=pid,
            start_ticks=int(started_after * TICKS),
            boot_id=boot,
            at=1e6 + seen_after,
            monotonic=seen_after,
            uid=1000,
            cgroups={'cpu,memory': '/web'},
        ),
        **more,
    )


def test_lives_are_in_order_of_their_begin() -> None:
    lives = _lives.lives_of_history([entry(7, 'a', 500, 600), entry(5, 'a', 100, 200)])
    assert [(life.pid, life.begin, life.last_seen, life.cgroup) for life in lives] == [
        (5, 1000100.0, 1000200.0, '/web'),
        (7, 1000500.0, 1000600.0, '/web'),
    ]


def test_a_process_that_was_seen_again_is_one_life() -> None:
    lives = _lives.lives_of_history([entry(5, 'a', 100, 200), entry(5, 'a', 100, 900)])
    assert [(life.begin, life.last_seen) for life in lives] == [(1000100.0, 1000900.0)]


def test_a_pid_of_two_boots_is_two_lives() -> None:
    assert len(_lives.lives_of_history([entry(5, 'a', 100, 200), entry(5, 'b', 100, 200)])) == 2


def test_counts_of_this_boot_and_of_one_clock() -> None:
    entries = [
        entry(5, 'a', 100, 300, oom_kills=2),
        entry(5, 'a', 100, 200, oom_kills=1),
        entry(5, 'a', 100, 250),
        entry(5, 'b', 100, 400, oom_kills=9),
        dict(entry(5, 'a', 100, 500, oom_kills=3), at=1e6 + 503.0),
        entry(5, 'a', 100, 600, oom_kills=None),
        dict(entry(5, 'a', 100, 700, oom_kills=4), at=None),
        {},
    ]
    assert _lives.noted_counts(entries, 'a', 1e6) == ((1000200.0, 1), (1000300.0, 2))


@pytest.mark.parametrize(
    'broken', [{}, {'pid': 5}, dict(entry(5, 'a', 1, 2), at=None), dict(entry(5, 'a', 1, 2), pid='x')]
)
def test_entries_that_cannot_be_read_are_left_out(broken: t.Dict[str, t.Any]) -> None:
    assert _lives.lives_of_history([broken]) == []


@pytest.mark.parametrize(
    'cgroups, path',
    [({'': '/a'}, '/a'), ({'': '/a', 'memory': '/b'}, '/b'), ({'cpu,memory': '/c', 'pids': '/d'}, '/c'), ({}, None)],
)
def test_the_group_whose_limit_counts(cgroups: t.Dict[str, str], path: t.Optional[str]) -> None:
    assert _lives.memory_cgroup(cgroups) == path


def test_a_child_that_was_parked_became_the_instance_at_the_stop_of_the_one_before() -> None:
    lives = _lives.lives_of_history([entry(5, 'a', 100, 200), entry(7, 'a', 500, 600), entry(9, 'a', 700, 800)])
    found = _lives.after_stops(lives, [(5, 1e6 + 520), (9, 1e6 + 710), (77, 1e6 + 650)])
    assert [(life.pid, life.begin - 1e6, life.became - 1e6) for life in found] == [
        (5, 100, 100),
        (7, 500, 520),
        (9, 700, 700),
    ]
