# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import random
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.downtime import Downtime


def after(*moments: t.Tuple[str, float]) -> Downtime:
    downtime = Downtime()
    for what, at in moments:
        getattr(downtime, what)(at)
    return downtime


@pytest.mark.parametrize(
    'moments, expected',
    [
        ((), None),
        ((('begin', 5.0), ('end', 5.25)), 250),
        ((('end', 1.0),), None),  # it ran already
        ((('end', 1.0), ('begin', 5.0), ('end', 5.5)), 500),  # it ran, then was restarted
        ((('begin', 5.0),), None),  # still down
        ((('begin', 5.0), ('begin', 6.0), ('end', 7.0)), 2000),  # the first sight of its end counts
        ((('begin', 5.0), ('end', 6.0), ('end', 9.0)), 1000),
        ((('begin', 5.0), ('end', 6.0), ('begin', 8.0), ('end', 8.5)), 1500),  # two restarts in one run
        ((('begin', 5.0), ('end', 6.0), ('begin', 8.0)), None),  # the second one did not answer
        ((('begin', 5.0), ('end', 4.0)), 0),  # no clock makes it negative
    ],
)
def test_downtime(moments: t.Tuple[t.Tuple[str, float], ...], expected: t.Optional[int]) -> None:
    downtime = after(*moments)
    assert downtime.milliseconds == expected
    begins = [at for what, at in moments if what == 'begin']
    assert downtime.first == (begins[0] if begins else None)


def test_it_is_never_negative() -> None:
    chance = random.Random(12)
    for _unused in range(2000):
        moments = [(chance.choice(('begin', 'end')), chance.uniform(-9, 9)) for _moment in range(chance.randrange(7))]
        found = after(*moments).milliseconds
        assert found is None or found >= 0, moments
