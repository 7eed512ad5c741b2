# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is known of deaths, as rows of a result and as text. Pure."""

import math
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.causes import Decision, Incident
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event, Evidence
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.local_time import iso

Result = t.Dict[str, t.Any]
_MOST_GAPS = 3  # of one source that are shown
MOST_SHOWN = 20  # incidents, notes, and lines of one incident


def within(event: Event, since: float, until: float) -> t.List[Event]:
    """The part of its time that lies in the window, if any: a log may have ended long before somebody asks."""
    if event.time is None:
        return [event]
    begin, end = max(event.time - event.uncertainty, since), min(event.time + event.uncertainty, until)
    return [event._replace(time=(begin + end) / 2, uncertainty=(end - begin) / 2)] if begin <= end else []


def resident(event: Event) -> t.Optional[int]:
    """Memory of the victim in kB, from the figures of the kernel's line."""
    sizes = [event.details.get(name) for name in ('anon_rss_kb', 'file_rss_kb', 'shmem_rss_kb')]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _name(comm: t.Optional[bytes]) -> t.Optional[str]:
    return None if comm is None else comm.decode('utf-8', 'backslashreplace')


def evidence_row(evidence: Evidence) -> Result:
    return dict(evidence._asdict())


def incident_row(incident: Incident) -> Result:
    event = incident.event
    lines = [row for each in (event,) + incident.victims + incident.traces for row in each.evidence]
    return dict(
        verdict=incident.verdict,
        cause=incident.cause,
        time=iso(event.time),
        epoch=event.time,
        uncertainty_ms=round(event.uncertainty * 1000),
        pid=event.tgid if event.tgid is not None else event.pid,
        thread=event.pid if event.tgid not in (None, event.pid) else None,
        process=_name(event.comm),
        uid=event.uid,
        scope=event.scope,
        cgroup=event.cgroup,
        identity=incident.how,
        candidates=list(incident.candidates),
        details=_plain(event.details),
        victims=[victim_row(victim) for victim in incident.victims],
        evidence=[evidence_row(row) for row in lines[:MOST_SHOWN]],
        evidence_count=len(lines),
    )


def victim_row(event: Event) -> Result:
    return dict(pid=event.pid, process=_name(event.comm), time=iso(event.time), rss_kb=resident(event))


def _plain(details: t.Mapping[str, t.Any]) -> Result:
    """Without what JSON does not know."""
    return {key: _name(value) if isinstance(value, bytes) else value for key, value in sorted(details.items())}


def coverage_row(coverage: Coverage) -> Result:
    """It is not complete where a line of the kernel can be missing at any time of it."""
    gaps = [gap for gap in coverage.gaps if gap.kernel]
    why_not = [coverage.why_not] if coverage.why_not else []
    why_not += [
        'from %s to %s %s' % (_bound(gap.begin), _bound(gap.end), gap.why) for gap in coverage.gaps[:_MOST_GAPS]
    ]
    return {
        'source': coverage.source,
        'from': iso(coverage.begin),
        'to': iso(coverage.end),
        'readable': coverage.readable,
        'complete': coverage.complete and not gaps,
        'why_not': '; '.join(why_not) or None,
    }


def _bound(epoch: float) -> str:
    return 'its start' if epoch == -math.inf else 'its end' if epoch == math.inf else iso(epoch) or ''


def summary(decision: Decision) -> str:
    """One line for people."""
    known = [incident for incident in decision.incidents if incident.verdict == decision.verdict]
    if not known:
        return '%s (%s)' % (decision.verdict, decision.cause)
    last = known[-1]
    pid = ' pid %d' % last.event.pid if last.event.pid is not None else ''
    return '%s (%s)%s %s: %s' % (decision.verdict, decision.cause, pid, when(last.event), last.how)


def when(event: Event) -> str:
    """For people: how far off it can be is only said where it is a second or more."""
    if event.time is None:
        return 'at an unknown time'
    give_or_take = ' (give or take %d s)' % math.ceil(event.uncertainty) if event.uncertainty >= 1 else ''
    return 'at %s%s' % (iso(event.time), give_or_take)


def of_how_many(decision: Decision) -> t.List[str]:
    """What is left out of the lists of a result."""
    return [
        'Of %d %s, only the last %d are listed.' % (len(found), what, MOST_SHOWN)
        for found, what in ((decision.incidents, 'deaths'), (decision.others, 'kills of other processes'))
        if len(found) > MOST_SHOWN
    ]


def shortened(notes: t.List[str]) -> t.List[str]:
    more = len(notes) - MOST_SHOWN
    return notes if more <= 0 else notes[:MOST_SHOWN] + ['%d more notes are not shown.' % more]
