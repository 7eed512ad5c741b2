# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One window from an old version to a new one, on a real database: what holds after it. Failures in it: walking.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import seeding
import windows
from integration.upgrading import NEWEST, Site, stage

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_path, _upgrade_steps

Step = dict[str, Any]


def way(version: str, archives: dict[str, Path]) -> list[Step]:
    return _upgrade_path.upgrade_path(version, NEWEST, {name: {"src": str(path)} for name, path in archives.items()})


def upgrade(site: Site, archives: dict[str, Path]) -> Step:
    hops = way(site.instance.version, archives)
    stage(site.instance, hops)
    steps = _upgrade_steps.steps(hops, {"verified_start": {"stable_for": 0.1}}, [{"log_check": {"fail_on": "never"}}])
    return windows.run(site.instance, steps, deadline=300.0)


@pytest.mark.parametrize("version", ["2.3.6", "2.5.3", "3.2.8", "3.3.11"])
def test_all_that_must_hold_does(make_site: Any, archives: dict[str, Path], version: str) -> None:
    site = make_site(version)
    result = upgrade(site, archives)
    assert result["outcome"] == "done", (result["msg"], result["steps"][-1])
    assert site.instance.told_version() == NEWEST
    assert seeding.lost(site.before, seeding.content(site.instance, site.db)) == []
    assert seeding.hashes(site.instance.dir, site.seeded.files) == site.seeded.files
