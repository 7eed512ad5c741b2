# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a kill for memory would be known of a time: by the logs that cover it, and by the kernel's counters. Pure."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import events as types
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.case import Case
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.separate import covers

SERVICE_LOGS = ('journal', 'syslog', 'messages')
_MOST_NAMED = 3  # other victims that a text names
END_SLACK_S = 60.0  # between the last record of a source and now


def spans_of(coverage: t.Iterable[Coverage], services: bool = False) -> t.List[t.Tuple[float, float]]:
    """What sources cover, without the gaps in what they have of the kernel, or of killers in userspace."""
    return [
        span
        for entry in coverage
        if entry.readable and entry.begin is not None and entry.end is not None
        for span in types.without_gaps(
            (entry.begin, entry.end + END_SLACK_S),
            [gap for gap in entry.gaps if (gap.services if services else gap.kernel)],
        )
    ]


class Exclusion:
    """What is excluded for one case."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def counted_scope(self, begin: float, end: float) -> t.Optional[str]:
        """What a counter says of a time for which the kernel's log is lost."""
        if covers(self._kernel_spans(), begin, end):
            return None
        if self.case.counters.group:
            return types.CGROUP
        return types.GLOBAL if self._uncounted(begin, end) else None

    def _uncounted(self, begin: float, end: float) -> bool:
        """Whether the kernel has counted more kills from before ``begin`` until after ``end`` than its log shows."""
        counts = self._counts()
        if self.case.subject.is_contained or not counts or counts[0][0] > end:
            return False
        first = [count for count in counts if count[0] <= begin][-1:] or counts[:1]
        last = [count for count in counts if count[0] >= end][:1] or counts[-1:]
        logged = [
            event
            for event in self.case.events
            if event.kind == types.KERNEL_KILL and first[0][0] <= (event.time or 0.0) <= last[0][0]
        ]
        return last[0][1] - first[0][1] > len(logged)

    def _counts(self) -> t.List[t.Tuple[float, int]]:
        """What the kernel had counted at which times, from its boot on; none where it is not known."""
        counters = self.case.counters
        if counters.host is None or counters.booted is None:
            return []
        return [(counters.booted, 0)] + list(counters.noted) + [(max(self.case.until, counters.booted), counters.host)]

    def why_not(self, begin: float, end: float) -> t.Optional[str]:
        """None where a kill for memory between begin and end would be known."""
        if not covers(self._kernel_spans(), begin, end):
            return self._gap(begin, end) or 'no source that would show an OOM kill by the kernel covers that time'
        if self.case.killers and not covers(spans_of(self._of_services(), services=True), begin, end):
            return '%s runs on this host, and no readable log shows what it killed at that time' % self.case.killers[0]
        return None

    def _gap(self, begin: float, end: float) -> t.Optional[str]:
        """Why a source that covers that time does not tell of all of it."""
        return next(
            (
                gap.why
                for entry in self.case.coverage
                if entry.readable and entry.complete
                for gap in entry.gaps
                if gap.kernel and gap.begin <= end and begin <= gap.end
            ),
            None,
        )

    def _kernel_spans(self) -> t.List[t.Tuple[float, float]]:
        counts = self._counts()
        return self._logged_spans() + [
            (before[0], after[0]) for before, after in zip(counts, counts[1:]) if before[1] == after[1]
        ]

    def _logged_spans(self) -> t.List[t.Tuple[float, float]]:
        return spans_of(entry for entry in self.case.coverage if entry.complete and entry.source != 'vmstat')

    def _of_services(self) -> t.List[Coverage]:
        return [entry for entry in self.case.coverage if entry.source in SERVICE_LOGS]

    def covered_by(self, begin: float, end: float) -> t.List[str]:
        """The sources that cover it whole; where only several do together, all that tell of a part of it."""
        logs = [
            entry for entry in self.case.coverage if entry.complete and entry.source != 'vmstat' and spans_of([entry])
        ]
        whole = [entry.source for entry in logs if covers(spans_of([entry]), begin, end)]
        parts = [entry.source for entry in logs if (entry.begin or 0.0) <= end and begin <= (entry.end or 0.0)]
        counted = [] if covers(self._logged_spans(), begin, end) else ["the kernel's count of OOM kills"]
        return list(dict.fromkeys((whole or parts) + counted))

    def words(self, begin: float, end: float, victims: t.Sequence[Event]) -> str:
        """Which source excludes a kill for memory, and which kills of that time were of others."""
        sources = ', '.join(self.covered_by(begin, end))
        if not victims:
            return 'no OOM kill was recorded at that time, which is covered by %s' % sources
        names = ', '.join(_victim(event) for event in victims[:_MOST_NAMED])
        more = ' and %d more' % (len(victims) - _MOST_NAMED) if len(victims) > _MOST_NAMED else ''
        return 'the OOM kill at that time was of %s%s, not of this instance; that time is covered by %s' % (
            names,
            more,
            sources,
        )


def _victim(event: Event) -> str:
    name = event.comm.decode('utf-8', 'backslashreplace') if event.comm is not None else event.cgroup or 'a process'
    return name if event.pid is None else '%s (pid %d)' % (name, event.pid)
