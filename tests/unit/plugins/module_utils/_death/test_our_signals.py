# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the journal tells of the signals that this collection sent."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import our_signals as signals_sent
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import CLEAN_STOP, GUARD_ADMIN_STOP, Event

NOON = 1769860800.0
PATH = '/state/journal.jsonl'


def sent(name: str, pid: int, at: float = NOON, **fields: t.Any) -> t.Dict[str, t.Any]:
    return dict(event='signal', signal=name, pid=pid, at=at, **fields)


def begin(run_id: str = 'r1', **fields: t.Any) -> t.Dict[str, t.Any]:
    return dict(event='begin', run_id=run_id, token='t', **fields)


def told(*entries: t.Dict[str, t.Any]) -> t.List[Event]:
    return signals_sent.events(entries, PATH)


@pytest.mark.parametrize(
    'entries, by, run_id, how',
    [
        ([begin(), sent('SIGTERM', 7)], 'window', 'r1', 'a window of this collection (run r1) sent SIGTERM'),
        (
            [begin(), sent('SIGTERM', 7, run_id='r0')],
            'window',
            'r0',
            'a window of this collection (run r0) sent SIGTERM',
        ),
        ([sent('SIGTERM', 7)], 'window', None, 'a window of this collection sent SIGTERM'),
        (
            [begin(), sent('SIGTERM', 7, by='graceful_stop')],
            'graceful_stop',
            None,
            'the task graceful_stop of this collection sent SIGTERM',
        ),
    ],
)
def test_who_did_it(entries: t.List[t.Dict[str, t.Any]], by: str, run_id: t.Optional[str], how: str) -> None:
    (event,) = told(*entries)
    assert (event.kind, event.pid, event.time, event.trusted) == (CLEAN_STOP, 7, NOON, True)
    assert (event.details['by'], event.details['run_id'], event.details['how']) == (by, run_id, how)
    assert [(row.source, row.file) for row in event.evidence] == [('journal.jsonl', PATH)]
    assert 'SIGTERM to pid 7' in event.evidence[0].text


def test_two_signals_to_one_process_are_one_end() -> None:
    (event,) = told(begin(), sent('SIGTERM', 7), sent('SIGCONT', 7, NOON + 1), sent('SIGKILL', 7, NOON + 30))
    assert (event.kind, event.time, event.uncertainty) == (GUARD_ADMIN_STOP, NOON + 15, 16)
    assert event.details['signals'] == ['SIGTERM', 'SIGKILL']
    assert len(event.evidence) == 2


def test_each_process_is_an_end_of_its_own() -> None:
    events = told(sent('SIGTERM', 7, by='graceful_stop'), sent('SIGTERM', 8, NOON + 1, by='graceful_stop'))
    assert [event.pid for event in events] == [7, 8]


def test_a_pid_that_was_used_again_is_another_process() -> None:
    assert len(told(sent('SIGTERM', 7), sent('SIGTERM', 7, NOON + 86400))) == 2


@pytest.mark.parametrize(
    'odd',
    [
        dict(event='signal'),
        sent('SIGTERM', 7, at=None),  # type: ignore[arg-type]
        dict(event='signal', signal='SIGTERM', at=NOON),
        sent('SIGCONT', 7),
        dict(event='progress', signal='SIGTERM', pid=7, at=NOON),
    ],
)
def test_what_is_no_signal_that_ends_anything(odd: t.Dict[str, t.Any]) -> None:
    assert told(odd) == []
