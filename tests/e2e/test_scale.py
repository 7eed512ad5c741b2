# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A roll over a thousand hosts costs the controller five times as much as one over two hundred."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import scale
from fleet import Fleet

MANY, BATCH = 1000, 200


@pytest.mark.soak
@pytest.mark.standin("200 instances without a database")
def test_a_thousand_hosts(tmp_path: Path) -> None:
    with Fleet(tmp_path / "scale", with_database=False) as fleet:
        made = scale.Scale(fleet, BATCH)
        fleet.start()
        few, many = made.ours(BATCH), made.ours(MANY)
    assert many.tasks <= few.tasks + 0.1
    assert many.cpu <= scale.LINEAR * few.cpu, (many, few)
    assert scale.growth(few, many) <= scale.MOST_MIB, (many, few)
