# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site without a base URL takes that of the first request that has one; it is never the collection's.

With RELEASES this runs on the real application.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest
import releases
import windows
from instance import Instance, make_instance
from integration.asking import check
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

CHECKS: list[Any] = [*windows.RESTART, {"log_check": {}}, {"site_check": {}}]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, db: MariaDB) -> Iterator[Instance]:
    instance = make_instance(tmp_path_factory.mktemp("www") / "shop", releases.nearest("3.5.8"), db=db)
    instance.start(90.0)  # a first start makes a hundred tables
    yield instance
    instance.kill()


def base_url(instance: Instance) -> str:
    return str(json.loads(instance.get("/system/api/siteinfo")[1])["data"]["base_url"])


def test_it_is_that_of_the_first_visitor(shop: Instance) -> None:
    windows.run(shop)
    assert base_url(shop) == ""
    shop.get("/", headers={"Host": "www.shop.example"})
    shop.get("/", headers={"Host": "other.example"})
    assert base_url(shop) == "http://www.shop.example"


def test_no_question_of_a_restart_gives_it_one(shop: Instance, tmp_path: Path) -> None:
    result = windows.run(shop, CHECKS)
    assert result["outcome"] == "done", result
    assert base_url(shop) == ""
    for site in ({"host": "shop.example", "id": 1}, {"host": "no.example"}, {"host": "shop.example:8001"}):
        check(shop, site, warm_up=2)
        assert base_url(shop) == ""
    found = describe.describe(resolve(str(shop.dir)), base=str(tmp_path / "state"))
    assert found["version"]["running"] == shop.version
    assert base_url(shop) == ""
