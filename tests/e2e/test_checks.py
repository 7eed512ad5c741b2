# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What playbooks do with the logs and the sites after a start, on every supported ansible-core."""

from __future__ import annotations

import json
from typing import Any

import pytest
import releases
from e2e.conftest import VERSION, Maker
from e2e.playing import Player
from instance import Instance

QUICK = ("-e", "anqicms_stable_for=0.1")
HAS_SITEINFO = releases.numbers(VERSION) >= (3, 0, 5)


def listing(instance: Instance, **site: Any) -> list[str]:
    """The option that lists the instance with one site."""
    entry = {"dir": str(instance.dir), "port": instance.port, "sites": [{"host": "shop.example", **site}]}
    return ["-e", json.dumps({"anqicms_instances": [entry]})]


def test_restart_reads_the_log_and_asks_the_sites(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    instance = fleet.instances[0]
    run = player.play("restart", fleet.inventory, *QUICK, *listing(instance, id=1))
    assert run.status == 0, run.output
    (record,) = run.results["h1"]
    assert (record["findings"], record["pid_after"]) == ([], instance.pid)
    identity = "id" if HAS_SITEINFO else "not_proven"
    assert record["sites"] == [{"host": "shop.example", "ok": True, "reason": "ok", "identity": identity}]
    assert "log: clean  sites: 1 ok" in run.output and ("not_proven" in run.output) == (not HAS_SITEINFO)


def test_site_that_is_not_itself_fails_and_its_instance_runs(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    instance = fleet.instances[0]
    before = instance.pid
    run = player.play("restart", fleet.inventory, *QUICK, *listing(instance, contains="no page of ours says this"))
    assert run.status == 2, run.output
    (record,) = run.results["h1"]
    assert record["failed"]
    assert not record["sites"][0]["ok"], record
    assert "shop.example" in record["reason"]
    assert instance.pid not in (0, before), "it was restarted, and runs on"


@pytest.mark.standin("a migration that fails")
def test_error_in_the_log_fails_unless_ignored(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1, says="migrate table error  Error 1146 (42S02): Table 'shop.tags' doesn't exist")
    run = player.play("restart", fleet.inventory, *QUICK)
    assert run.status == 2, run.output
    (record,) = run.results["h1"]
    (finding,) = record["findings"]
    assert (finding["severity"], finding["code"]) == ("error", "migration_failed")
    assert "log: migration_failed" in run.output
    ignoring = json.dumps({"anqicms_log_ignore": ["migration_failed"]})
    again = player.play("restart", fleet.inventory, *QUICK, "-e", ignoring)
    assert again.status == 0, again.output


def test_start_reads_the_log_and_asks_the_sites(player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    instance = fleet.instances[0]
    stopped = player.play("stop", fleet.inventory, *QUICK)
    assert (stopped.status, instance.pid) == (0, 0), stopped.output
    plan = player.play("start", fleet.inventory, "--check", *QUICK, *listing(instance))
    assert (plan.status, instance.pid) == (0, 0), plan.output
    run = player.play("start", fleet.inventory, *QUICK, *listing(instance))
    assert run.status == 0, run.output
    assert "log: clean  sites: 1 ok (identity: not_proven for shop.example)" in run.output, "it has no base URL"
    assert run.results["h1"][0]["pid_after"] == instance.pid


@pytest.mark.skipif(not HAS_SITEINFO, reason="an older version has one site, and no siteinfo")
def test_a_site_that_the_default_one_answers_for_fails_where_several_are_listed(
    player: Player, make_fleet: Maker
) -> None:
    """The role hands all of them to one check, where they are compared."""
    fleet = make_fleet(1)
    instance = fleet.instances[0]
    sites = [{"host": "shop.example", "id": 1}, {"host": "blog.example"}]
    entry = {"dir": str(instance.dir), "port": instance.port, "sites": sites}
    run = player.play("restart", fleet.inventory, *QUICK, "-e", json.dumps({"anqicms_instances": [entry]}))
    assert run.status == 2, run.output
    (record,) = run.results["h1"]
    assert [(site["ok"], site["reason"]) for site in record["sites"]] == [(True, "ok"), (False, "answered_by_default")]
    assert "sites: blog.example answered_by_default" in run.output
