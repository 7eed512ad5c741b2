# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Everything that a verdict on the deaths of one instance is made from. Pure."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Event, Evidence
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Subject


class Counters(t.NamedTuple):
    """``host``: kills of the kernel since the boot; ``group``: those in the instance's own memory group.

    ``noted``: times since the boot with what ``host`` was then, oldest first.
    """

    booted: t.Optional[float] = None
    host: t.Optional[int] = None
    group: t.Optional[int] = None
    evidence: t.Tuple[Evidence, ...] = ()
    noted: t.Tuple[t.Tuple[float, int], ...] = ()


class Case(t.NamedTuple):
    """Everything that a verdict is made from.

    ``killers``: killers in userspace that run on this host. ``given``: the log files that were asked for by name.
    """

    since: float
    until: float
    subject: Subject
    events: t.Tuple[Event, ...]
    coverage: t.Tuple[Coverage, ...]
    counters: Counters = Counters()
    killers: t.Tuple[str, ...] = ()
    given: t.Tuple[str, ...] = ()
