# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook `upgrade` where the archive of the version that runs is at hand, and default templates are unedited."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import release_files
from e2e.playing import Player
from e2e.test_upgrade import FAST, NEWEST, Old
from fleet import Fleet

SOURCE, MIDDLE = "3.2.8", "3.3.11"
EDITED = "template/default/index/index.html"  # by the seeding


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("archives")
    return {version: release_files.release_zip(version, directory) for version in (SOURCE, MIDDLE, NEWEST)}


def templates(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {
            name: opened.read(name)
            for name in opened.namelist()
            if name.startswith("template/default/") and not name.endswith("/")
        }


@pytest.mark.parametrize(("remote", "by_hop"), [(False, False), (True, True)], ids=["controller", "host-by-hop"])
def test_templates_that_nobody_has_edited_are_replaced(
    default_player: Player, fleet: Fleet, archives: dict[str, Path], remote: bool, by_hop: bool
) -> None:
    """Over two hops. Without that archive they stay, and the plan names them."""
    old = Old(fleet, 1, SOURCE)
    before, after = templates(archives[SOURCE]), templates(archives[NEWEST])
    changed = {path for path, data in after.items() if path in before and before[path] != data and path != EDITED}
    assert changed and EDITED in after
    fleet.write_inventory()

    def upgrade(releases: list[str], *arguments: str) -> Any:
        named = {one: {"src": str(archives[one]), **({"remote_src": True} if remote else {})} for one in releases}
        given = {"anqicms_upgrade_to": NEWEST, "anqicms_releases": named, "anqicms_hop_windows": by_hop}
        return default_player.play("upgrade", fleet.inventory, "-e", json.dumps(given), *FAST, *arguments)

    blind = upgrade([MIDDLE, NEWEST], "--check", "--diff")
    assert blind.status == 0 and "nothing proves that they are unedited" in blind.output, blind.output
    assert all(path in blind.output for path in changed)
    run = upgrade([SOURCE, MIDDLE, NEWEST])
    assert run.outcomes == {"h1": ["done"]}, run.output
    now = {path: (old.instance.dir / path).read_bytes() for path in after}
    assert {path for path in after if now[path] != after[path]} == {EDITED}
    old.assert_holds()
