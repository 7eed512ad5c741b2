# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which containers of this host an instance runs in, and what their engine says of their end.

An engine kills nothing for memory: it only notes that the kernel did (docs/memory-kills.md).
"""

import os
import re
import subprocess
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import log_time
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import sources as _death_sources
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    CGROUP,
    DOCKER,
    USERSPACE_KILL,
    Coverage,
    Event,
    Evidence,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance

PROGRAM = 'docker'
_ID = re.compile(r'[0-9a-f]{64}')
_MOST = 500  # containers that are asked about
_MOST_BYTES = 16 << 20
_TIMEOUT = 10.0
_ERROR_S = 2.0  # from the death of a process to what the engine notes

Inspected = t.Mapping[str, t.Any]


class Reading(t.NamedTuple):
    """``ids``: of the containers that are this instance's. ``coverage`` is None where there is no engine to ask."""

    ids: t.FrozenSet[str]
    events: t.List[Event]
    coverage: t.Optional[Coverage]


def is_of(instance: Instance, inspected: Inspected) -> bool:
    """Whether a container has the install directory, or one above it and runs a program of that name. Pure."""
    sources = [str(mount.get('Source') or '') for mount in _list(inspected.get('Mounts')) if isinstance(mount, dict)]
    if instance.dir in sources:
        return True
    words = [inspected.get('Path')] + _list(inspected.get('Args'))
    runs_it = any(isinstance(word, str) and os.path.basename(word) == instance.binary for word in words)
    return runs_it and any(instance.dir.startswith(source.rstrip('/') + '/') for source in sources if source)


def end_of(inspected: Inspected) -> t.Optional[Event]:
    """The kill that an engine has noted of a container that has ended. Pure."""
    state, name = inspected.get('State'), str(inspected.get('Id'))
    if not isinstance(state, dict) or state.get('OOMKilled') is not True or state.get('Running'):
        return None
    moment = log_time.of_stamp(str(state.get('FinishedAt')).encode('utf-8', 'replace'), 0.0)
    text = 'State of %s: OOMKilled true, ExitCode %s, FinishedAt %s' % (
        name[:12],
        state.get('ExitCode'),
        state.get('FinishedAt'),
    )
    return Event(
        USERSPACE_KILL,
        moment.time if moment else None,
        _ERROR_S,
        None,
        None,
        None,
        None,
        name,
        CGROUP,
        True,
        {'killer': DOCKER, 'container': name},
        (Evidence('docker', None, None, name, text),),
    )


def _list(value: t.Any) -> t.List[t.Any]:
    return value if isinstance(value, list) else []


def read(instance: Instance, known: t.FrozenSet[str], program: str = PROGRAM) -> Reading:
    """``known``: the containers that the instance's control groups name."""
    try:
        found, why_not = _inspected(program)
    except (OSError, subprocess.SubprocessError) as exc:
        found, why_not = [], None if isinstance(exc, FileNotFoundError) else '%s cannot be run: %s' % (program, exc)
    mine = [each for each in found if each.get('Id') in known or is_of(instance, each)]
    ids = known | frozenset(str(each['Id']) for each in mine if _ID.match(str(each.get('Id'))))
    events = [event for event in map(end_of, mine) if event is not None]
    is_missed = why_not is not None and bool(known)  # an engine that is down matters where it ran this instance
    coverage = Coverage('docker', None, None, not is_missed, why_not, False) if is_missed or mine else None
    return Reading(ids, events, coverage)


def _inspected(program: str) -> t.Tuple[t.List[Inspected], t.Optional[str]]:
    told, why_not = _told([program, 'ps', '-aq', '--no-trunc'])
    names = _ID.findall(told.decode('ascii', 'replace'))[:_MOST]
    if not names:
        return [], why_not
    told, why_not = _told([program, 'inspect'] + names)
    try:
        found = _list(foreign_json.load(told.decode('utf-8', 'replace')))
    except ValueError:
        return [], why_not or 'the output of %s inspect could not be read' % program
    return [each for each in found if isinstance(each, dict)], None


def _told(argv: t.List[str]) -> t.Tuple[bytes, t.Optional[str]]:
    """What a program says, and why it may not be all."""
    blocks: t.List[bytes] = []

    def take(block: bytes) -> bool:
        blocks.append(block)
        return sum(map(len, blocks)) <= _MOST_BYTES

    ended = _death_sources.run(argv, take, _TIMEOUT)
    why_not = ended.errors[:200] if ended.status else None
    return b''.join(blocks), why_not and '%s: %s' % (argv[0], why_not)
