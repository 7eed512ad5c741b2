# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counters of kills for memory: what is missing or unreadable is not zero."""

import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import counters as _oom_counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

STAT = b'cpu  1 2 3\nintr 5 0 0\nctxt 99\nbtime 1769832000\nprocesses 12\n'


def proc_with(tmp_path: Path, vmstat: t.Optional[bytes], stat: t.Optional[bytes] = STAT) -> str:
    for name, data in (('vmstat', vmstat), ('stat', stat)):
        if data is not None:
            (tmp_path / name).write_bytes(data)
    return str(tmp_path)


@pytest.mark.parametrize(
    'data,counts',
    [
        (b'nr_free_pages 12\noom_kill 3\n', {'nr_free_pages': 12, 'oom_kill': 3}),
        (
            b'low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 1\n',
            {'low': 0, 'high': 0, 'max': 7, 'oom': 2, 'oom_kill': 1, 'oom_group_kill': 1},
        ),
        (b'oom_kill_disable 0\nunder_oom 0\noom_kill 4', {'oom_kill_disable': 0, 'under_oom': 0, 'oom_kill': 4}),
        (b'', {}),
        (b'oom_kill\noom_kill x\noom_kill -1\noom_kill 1 2\n\0\xff\n', {}),
    ],
)
def test_lines_of_a_word_and_a_number(data: bytes, counts: t.Dict[str, int]) -> None:
    assert _oom_counters.parse_counts(data) == counts


def test_a_host_that_counts(tmp_path: Path) -> None:
    before = time.time()
    host = _oom_counters.read_host(proc_with(tmp_path, b'pgfault 1\noom_kill 0\n'))
    assert (host.oom_kills, host.why_not, host.booted) == (0, None, 1769832000.0)
    coverage = _oom_counters.host_coverage(host)
    assert coverage.readable and coverage.complete
    assert coverage.begin == 1769832001.0
    assert coverage.end is not None and before <= coverage.end <= time.time()
    assert _oom_counters.host_evidence(host).text == 'oom_kill 0'


def test_a_kernel_that_does_not_count_excludes_nothing(tmp_path: Path) -> None:
    host = _oom_counters.read_host(proc_with(tmp_path, b'pgfault 1\n'))
    assert host.oom_kills is None
    coverage = _oom_counters.host_coverage(host)
    assert (coverage.begin, coverage.end, coverage.readable, coverage.complete) == (None, None, False, False)
    assert 'does not count' in (coverage.why_not or '')


def test_counters_that_cannot_be_read_exclude_nothing(tmp_path: Path) -> None:
    host = _oom_counters.read_host(str(tmp_path))
    assert (host.oom_kills, host.booted) == (None, None)
    coverage = _oom_counters.host_coverage(host)
    assert not coverage.readable and not coverage.complete
    assert str(tmp_path) in (coverage.why_not or '')


def test_a_count_without_a_boot_time_covers_nothing(tmp_path: Path) -> None:
    coverage = _oom_counters.host_coverage(_oom_counters.read_host(proc_with(tmp_path, b'oom_kill 0\n', None)))
    assert (coverage.begin, coverage.complete) == (None, False)


def test_this_host() -> None:
    host = _oom_counters.read_host()
    assert host.boot_id == procfs.boot_id()
    assert host.booted is not None and host.booted < host.now
    uptime = float(procfs.read('/proc/uptime').split()[0])
    assert abs(host.now - uptime - host.booted) < 5
    assert 0 <= host.suspended < uptime + 1


def mount_text(point: Path, kind: str) -> str:
    return '31 23 0:26 / %s rw - %s x rw,memory\n' % (point, kind)


@pytest.mark.parametrize(
    'controllers,kind,name', [('', 'cgroup2', 'memory.events'), ('memory', 'cgroup', 'memory.oom_control')]
)
def test_counters_of_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, controllers: str, kind: str, name: str
) -> None:
    """The files of both versions, in a directory of our own that stands for the mount."""
    group = tmp_path / 'system.slice' / 'anq.service'
    group.mkdir(parents=True)
    (group / name).write_bytes(b'oom 2\noom_kill 1\noom_group_kill 0\n')
    monkeypatch.setattr(procfs, 'read_text', lambda dummy: mount_text(tmp_path, kind))
    found = _oom_counters.read_groups({controllers: '/system.slice/anq.service', 'pids': '/elsewhere'})
    assert [(one.oom, one.oom_kills, one.oom_group_kills, one.why_not) for one in found] == [(2, 1, 0, None)]
    assert _oom_counters.group_evidence(found[0]).file == str(group / name)
    coverage = _oom_counters.group_coverage(found[0], time.time() + 1)
    assert coverage.readable and not coverage.complete
    assert coverage.begin is not None and coverage.end is not None and coverage.begin < coverage.end


@pytest.mark.parametrize(
    'make,why',
    [
        (lambda group: None, 'does not exist'),
        (lambda group: os.mkfifo(str(group / 'memory.events')), 'a FIFO'),
        (lambda group: (group / 'memory.events').mkdir(), 'a directory'),
        (lambda group: (group / 'memory.events').write_bytes(b'low 0\nhigh 0\n'), 'does not count'),
    ],
)
def test_a_group_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: t.Callable[[Path], object], why: str
) -> None:
    make(tmp_path)
    monkeypatch.setattr(procfs, 'read_text', lambda dummy: mount_text(tmp_path, 'cgroup2'))
    found = _oom_counters.read_groups({'': '/'})
    assert [one.oom_kills for one in found] == [None]
    coverage = _oom_counters.group_coverage(found[0], time.time())
    assert (coverage.begin, coverage.readable) == (None, False)
    assert why in (coverage.why_not or '')


def test_no_mounted_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procfs, 'read_text', lambda dummy: '')
    found = _oom_counters.read_groups({'memory': '/a'})
    assert [(one.oom_kills, one.why_not) for one in found] == [(None, 'control groups are not mounted here')]
