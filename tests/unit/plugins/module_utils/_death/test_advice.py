# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advice by cause, version and figures: what is said, and what is not."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.advice import Figures, advise

MIB = 1024


def said(cause: str, verdict: str = 'confirmed', **figures: t.Any) -> str:
    return '\n'.join(advise(Figures(verdict, cause, **figures)))


def test_a_limit_is_told_with_its_figures() -> None:
    text = said('kernel_oom_cgroup', limit=512 * MIB, rss=508 * MIB, version='3.5.8', host_memory=8192 * MIB)
    assert 'limit of 512 MiB' in text
    assert 'It used 508 MiB' in text
    assert 'GOMEMLIMIT to about 409MiB' in text
    assert 'use the memory of the host' in text


def test_a_limit_is_no_matter_of_the_host() -> None:
    text = said('kernel_oom_cgroup', largest=('mysqld', 4096 * MIB), host_swap=0)
    assert 'mysqld' not in text
    assert 'swap' not in text


@pytest.mark.parametrize('largest, is_told', [(4096, True), (100, False)])
def test_the_database_is_named_when_it_is_the_real_hog(largest: int, is_told: bool) -> None:
    text = said('kernel_oom_global', rss=500 * MIB, largest=('mysqld', largest * MIB))
    assert ('innodb_buffer_pool_size' in text) is is_told


@pytest.mark.parametrize('swap, is_told', [(0, True), (MIB, False), (None, False)])
def test_swap(swap: t.Optional[int], is_told: bool) -> None:
    assert ('no swap' in said('kernel_oom_global', host_swap=swap)) is is_told


@pytest.mark.parametrize(
    'version, words, others',
    [
        ('2.3.6', ['3.5.5'], ['full-text', 'cache type', 'use the memory of the host']),
        ('2.5.3', ['3.5.5', 'full-text'], ['cache type', 'use the memory of the host']),
        ('3.3.2', ['10000 entries', '3.3.3'], ['no size limit']),
        ('3.5.4', ['3.5.5', 'no size limit', 'use the memory of the host'], ['3.3.3']),
        ('3.5.5', ['no size limit'], ['3.5.5', '3.3.3']),
        (None, ['full-text'], ['3.5.5', '3.3.3']),
    ],
)
def test_by_version(version: t.Optional[str], words: t.List[str], others: t.List[str]) -> None:
    text = said('kernel_oom_cgroup', version=version)
    assert [word for word in words if word not in text] == []
    assert [word for word in others if word in text] == []


def test_a_limit_of_the_runtime_that_is_set_is_not_asked_for() -> None:
    assert 'GOMEMLIMIT' not in said('kernel_oom_global', gomemlimit='400MiB')


@pytest.mark.parametrize('set_to', ['300MiB', '1048576', 'x' * 999, '9' * 99 + 'GiB', '１MiB'])
def test_a_limit_of_the_runtime_that_fits_or_is_odd_is_left_alone(set_to: str) -> None:
    assert 'GOMEMLIMIT' not in said('kernel_oom_cgroup', limit=500 * MIB, gomemlimit=set_to)


@pytest.mark.parametrize(
    'cause, others, is_told', [('unexplained', 2, True), ('unexplained', 0, False), ('kernel_oom_global', 2, False)]
)
def test_all_instances_of_a_host_ended_together(cause: str, others: int, is_told: bool) -> None:
    text = said(cause, causes.VERDICTS[cause][0], ended_together=others, name='anqicms')
    assert ('pkill -9 anqicms' in text) is is_told


def test_three_kills() -> None:
    assert 'killed 3 times' in said('kernel_oom_global', kills=3)
    assert 'times' not in said('kernel_oom_global', kills=2)


def test_what_to_grant_is_told_when_nothing_is_known() -> None:
    grant = ('kmsg: run it as root',)
    assert 'run it as root' in said('unexplained', 'unknown', unreadable=grant)
    assert 'run it as root' not in said('unexplained', 'no', unreadable=grant)


@pytest.mark.parametrize(
    'cause, verdict',
    [(cause, verdict) for cause in sorted(set(causes.VERDICTS) - {'not_dead'}) for verdict in causes.VERDICTS[cause]],
)
def test_there_is_advice_for_each_cause_and_verdict(cause: str, verdict: str) -> None:
    assert said(cause, verdict)


@pytest.mark.parametrize(
    'cause, figures, words',
    [
        ('go_runtime_oom', dict(host_memory=8192 * MIB, address_space=1024 * MIB), 'to about 512MiB'),
        ('go_runtime_oom', dict(limit=512 * MIB, address_space=4096 * MIB), 'to about 409MiB'),
        ('go_runtime_oom', dict(host_memory=1000 * MIB), 'to about 800MiB'),
        ('go_runtime_oom', {}, 'below the limit'),
        (
            'kernel_oom_global',
            dict(host_memory=1000 * MIB, address_space=100 * MIB),
            'to about 50MiB (its address space',
        ),
        (
            'kernel_oom_global',
            dict(host_memory=1000 * MIB, limit=500 * MIB),
            'to about 400MiB (the limit of its control',
        ),
        ('kernel_oom_global', dict(host_memory=1000 * MIB, limit=9000 * MIB), 'to about 800MiB (the host has'),
        ('kernel_oom_cgroup', dict(host_memory=9000 * MIB, rss=200 * MIB), 'to about 160MiB (it used'),
        ('kernel_oom_cgroup', dict(host_memory=9000 * MIB), 'below the limit'),
        ('kernel_oom_cgroup', dict(limit=500 * MIB, gomemlimit='1GiB'), 'GOMEMLIMIT is 1GiB in its environment, which'),
        ('kernel_oom_cgroup', dict(limit=500 * MIB, gomemlimit='off'), 'Lower it to about 400MiB'),
    ],
)
def test_the_limit_for_the_runtime_is_within_what_the_process_may_have(
    cause: str, figures: t.Dict[str, t.Any], words: str
) -> None:
    assert words in said(cause, **figures)


def test_the_limit_of_the_address_space_is_named() -> None:
    assert 'LimitAS=, here 1024 MiB)' in said('go_runtime_oom', address_space=1024 * MIB)
