# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events, lives and cases of a made-up death, for the tests of verdicts; read by Python 3.6 too."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import verdict as _oom_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.causes import Decision
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event, Evidence
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Subject
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
    return Life(
        pid, begin, begin if last_seen is None else last_seen, running, fields.get('uid', 1000), fields.get('cgroup')
    )


def decide(*events: Event, **fields: t.Any) -> Decision:
    """What a subject has goes to the subject, the rest to the case."""
    names = ('lives', 'others', 'pid', 'uids', 'comm', 'is_contained')
    parts = {name: fields.pop(name) for name in names if name in fields}
    values: t.Dict[str, t.Any] = dict(
        since=SINCE, until=UNTIL, subject=SUBJECT._replace(**parts), events=events, coverage=(FULL,)
    )
    values.update(fields)
    decision = _oom_verdict.decide(Case(**values))
    assert decision.verdict in causes.VERDICTS[decision.cause]
    for incident in decision.incidents:
        assert incident.verdict in causes.VERDICTS[incident.cause]
    return decision


def outcome(*events: Event, **fields: t.Any) -> t.Tuple[str, str]:
    return decide(*events, **fields)[:2]
