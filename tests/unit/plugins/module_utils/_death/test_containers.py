# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docker says of containers: which are the instance's, and which of them ended for memory."""

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import containers as _containers
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import identity as _oom_identity
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance

SHOP, BLOG = 'ab' * 32, 'cd' * 32
INSTANCE = Instance('/www/shop', 'anqicms', '1a2b3c4d-shop')


def inspected(name: str = SHOP, source: str = '/www/shop', path: str = '/app/start.sh', **state: t.Any) -> t.Any:
    """As docker 20 to 28 and podman 4 write it, with what is of no matter here left out."""
    told = dict(
        {
            'Status': 'exited',
            'Running': False,
            'Paused': False,
            'OOMKilled': True,
            'Dead': False,
            'Pid': 0,
            'ExitCode': 137,
            'StartedAt': '2026-01-31T10:00:00.123456789Z',
            'FinishedAt': '2026-01-31T12:00:20.38246629Z',
        },
        **state,
    )
    return {
        'Id': name,
        'Path': path,
        'Args': [],
        'State': told,
        'Mounts': [{'Type': 'bind', 'Source': source, 'Destination': '/app', 'RW': True}],
    }


def docker(tmp_path: Path, *containers: t.Any, script: t.Optional[str] = None) -> str:
    (tmp_path / 'all').write_text(json.dumps(containers, indent=4))
    (tmp_path / 'ids').write_text(''.join(each['Id'] + '\n' for each in containers))
    program = tmp_path / 'docker'
    program.write_text('#!/bin/sh\ncd %s\n%s\n' % (tmp_path, script or 'case $1 in ps) cat ids;; *) cat all;; esac'))
    program.chmod(0o755)
    return str(program)


def test_the_container_that_has_the_directory_was_killed(tmp_path: Path) -> None:
    reading = _containers.read(INSTANCE, frozenset(), docker(tmp_path, inspected(BLOG, '/www/blog'), inspected()))
    assert reading.ids == {SHOP}
    (event,) = reading.events
    assert (event.kind, event.cgroup, event.scope, event.trusted) == ('userspace_kill', SHOP, 'cgroup', True)
    assert event.time is not None and abs(event.time - 1769860820.382) < 0.01
    assert 'OOMKilled true, ExitCode 137' in event.evidence[0].text


@pytest.mark.parametrize(
    'source, path, known, expected',
    [
        ('/www/shop', '/bin/sh', (), True),
        ('/www', '/www/shop/anqicms', (), True),
        ('/www', 'nginx', (), False),
        ('/www/shop2', '/app/anqicms', (), False),
        ('/www/shop/public', 'nginx', (), False),
        ('/x', '/x', (SHOP,), True),
    ],
)
def test_whose_container_it_is(
    tmp_path: Path, source: str, path: str, known: t.Tuple[str, ...], expected: bool
) -> None:
    reading = _containers.read(INSTANCE, frozenset(known), docker(tmp_path, inspected(SHOP, source, path)))
    assert (reading.ids == {SHOP}) == expected and bool(reading.events) == expected


@pytest.mark.parametrize('state', [{'OOMKilled': False}, {'Running': True}, {'OOMKilled': 'true'}, {'OOMKilled': None}])
def test_a_container_that_did_not_end_for_memory(tmp_path: Path, state: t.Dict[str, t.Any]) -> None:
    reading = _containers.read(INSTANCE, frozenset(), docker(tmp_path, inspected(**state)))
    assert reading.ids == {SHOP} and not reading.events


@pytest.mark.parametrize(
    'broken',
    [
        {'Id': SHOP},
        {'Id': SHOP, 'State': 7, 'Mounts': [None, 7], 'Args': 'x', 'Path': 7},
        dict(inspected(), State=dict(inspected()['State'], FinishedAt='0001-01-01T00:00:00Z')),
    ],
)
def test_what_is_odd_breaks_nothing(tmp_path: Path, broken: t.Any) -> None:
    reading = _containers.read(INSTANCE, frozenset([SHOP]), docker(tmp_path, broken))
    assert all(event.time is None for event in reading.events)


def test_without_docker_nothing_is_said(tmp_path: Path) -> None:
    assert _containers.read(INSTANCE, frozenset(), str(tmp_path / 'none')) == (frozenset(), [], None)


@pytest.mark.parametrize('script', ['echo "Cannot connect to the Docker daemon" >&2; exit 1'])
def test_an_engine_that_is_down_matters_where_it_ran_the_instance(tmp_path: Path, script: str) -> None:
    program = docker(tmp_path, script=script)
    assert _containers.read(INSTANCE, frozenset(), program).coverage is None
    coverage = _containers.read(INSTANCE, frozenset([SHOP]), program).coverage
    assert coverage is not None and not coverage.readable and 'Cannot connect' in (coverage.why_not or '')


@pytest.mark.parametrize(
    'script', ['head -c 100000 /dev/urandom', 'echo null', 'echo %s; echo "[]"' % SHOP, 'kill -9 $$']
)
def test_any_answer(tmp_path: Path, script: str) -> None:
    reading = _containers.read(INSTANCE, frozenset(), docker(tmp_path, script=script))
    assert (reading.ids, reading.events) == (frozenset(), [])


def test_ids_of_control_groups() -> None:
    paths = ['/docker/' + SHOP, '/libpod_parent/libpod-%s' % BLOG, '/system.slice/docker-%s.scope' % SHOP, None, '/']
    assert _oom_identity.containers_in(*paths) == {SHOP, BLOG}
