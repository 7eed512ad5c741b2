# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run on a fleet writes its report, wherever it ends, and a report that cannot be written costs no run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import paths
import promtool
from e2e.conftest import Maker
from e2e.playing import Player, Run
from e2e.test_closing_table import ENABLED, with_and_without
from e2e.test_rolling import ends_at_once, moved, pids

SECRET = "anq-secret"  # the password of the database in the config.json of every instance
QUICK = ("-e", "anqicms_stable_for=0.1", "-e", "anqicms_run_id=night-7", "-e", "anqicms_time_zone=UTC")
Report = dict[str, Any]


def written(directory: Path, schema: str = "run") -> Report:
    """All three files of the last run, each in its form."""
    latest = directory / "latest"
    assert latest.resolve().name == "night-7"
    texts = {path.name: path.read_text(encoding="utf-8") for path in latest.iterdir()}
    assert set(texts) == {"run.json", "run.html", "run.prom"}
    assert not [name for name, text in texts.items() if SECRET in text]
    assert texts["run.html"].rstrip().endswith("</html>")
    program = promtool.ensure()
    if program is not None:
        subprocess.run([program, "check", "metrics"], input=texts["run.prom"].encode(), check=True)
    found: Report = json.loads(texts["run.json"])
    rules = json.loads((paths.ROOT / "docs" / f"{schema}-report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(rules).validate(found)
    for row in found["instances"]:
        assert row["host"] in texts["run.html"] and f'host="{row["host"]}"' in texts["run.prom"]
    return found


def test_run_writes_all_three(player: Player, make_fleet: Maker, tmp_path: Path) -> None:
    fleet, target = make_fleet(3), tmp_path / "reports"
    run = player.play("restart", fleet.inventory, *QUICK, "-e", f"anqicms_report={target}")
    assert run.status == 0 and f"Report: {target}/night-7/run.html" in run.output, run.output
    found = written(target)
    assert (found["verb"], found["ended"], found["totals"]["done"]) == ("restart", "finished", 3)
    for row in found["instances"]:
        assert found["began_at"] <= row["began_at"] < row["ended_at"] <= found["ended_at"]
        assert row["downtime_known"] and 0 < row["downtime_ms"] < row["verified_ms"]
        lasts = (row["ended_at"] - row["began_at"]) * 1000
        assert all(0 <= step["started_ms"] <= step["ended_ms"] <= lasts + 1 for step in row["steps"])
    page = (target / "latest" / "run.html").read_text(encoding="utf-8")
    assert "All is well: 3 of 3 instances are done" in page and page.count('<svg class="time"') == 3


@with_and_without
def test_report_of_a_roll_that_stopped(
    default_player: Player, make_fleet: Maker, tmp_path: Path, callback: bool
) -> None:
    fleet, target = make_fleet(3), tmp_path / "reports"
    ends_at_once(fleet.hosts[1].instances[0])
    default_player.env.update(ENABLED if callback else {})
    options = ("-e", "anqicms_serial=1", "-e", f"anqicms_report={target}", "-e", "anqicms_language=zh")
    run = default_player.play("restart", fleet.inventory, *QUICK, *options)
    assert run.status == 2 and f"{target}/night-7/run.html" in run.output, run.output
    found = written(target)
    assert {row["host"]: row["outcome"] for row in found["instances"]} == {
        "h1": "done",
        "h2": "failed",
        "h3": "not_touched",
    }
    (failed,) = (row for row in found["instances"] if row["failed"])
    assert [step["name"] for step in failed["steps"] if not step["ok"]] == ["verified_start"] and failed["reason"]
    page = (target / "latest" / "run.html").read_text(encoding="utf-8")
    assert "3 个实例中有 1 个需要处理" in page and "anqicms_resume=night-7" in page


@with_and_without
def test_report_in_the_artifacts(default_player: Player, make_fleet: Maker, callback: bool) -> None:
    fleet = make_fleet(1)
    default_player.env.update(ENABLED if callback else {})
    run = default_player.play("restart", fleet.inventory, *QUICK, "-e", "anqicms_report=artifacts")
    assert run.status == 0 and "Report: anqicms_report_night_7" in run.output, run.output
    found = run.stats["anqicms_report_night_7"]
    assert found["totals"]["done"] == 1 and found["html"].startswith("<!DOCTYPE html>")
    assert list(run.results) == ["h1"]


def refused(run: Run, said: str) -> None:
    assert run.status == 2 and "anqicms_report: the report cannot be written. " in run.output
    assert said in run.output and "Nothing was done. Correct anqicms_report, or leave it out." in run.output, run.output


def test_target_that_cannot_be_written_is_refused_first(
    default_player: Player, make_fleet: Maker, tmp_path: Path
) -> None:
    fleet = make_fleet(1)
    before = pids(fleet)
    (tmp_path / "link").symlink_to("/etc")
    address = "ftp://user:word@a.example/"
    for target, said in ((tmp_path / "link", "is a link to /etc"), (address, "ftp://a.example/ is not an address")):
        run = default_player.play("restart", fleet.inventory, *QUICK, "-e", f"anqicms_report={target}")
        refused(run, said)
    assert moved(fleet, before) == []


def test_report_that_is_lost_at_the_end_costs_no_run(default_player: Player, make_fleet: Maker) -> None:
    fleet = make_fleet(1)
    before = pids(fleet)
    target = "anqicms_report=http://user:word@127.0.0.1:1/x"
    run = default_player.play("restart", fleet.inventory, *QUICK, "-e", target)
    assert run.status == 0 and moved(fleet, before) == ["h1"], run.output
    (line,) = (line for line in run.output.splitlines() if line.startswith("The report was not written to "))
    assert "to http://127.0.0.1:1/x: " in line and "Connection refused" in line, line
    assert line.endswith(". The run itself is not affected.")


def test_diagnosis_has_the_same_report(default_player: Player, make_fleet: Maker, tmp_path: Path) -> None:
    fleet, target = make_fleet(2), tmp_path / "reports"
    fleet.instances[0].kill()
    options = (*QUICK[2:], "-e", f"anqicms_report={target}", "-e", "anqicms_language=en")
    run = default_player.play("diagnose", fleet.inventory, "--check", *options)
    assert run.status == 0 and f"Report: {target}/night-7/run.html" in run.output, run.output
    found = written(target, "diagnosis")
    assert {row["host"]: row["state"] for row in found["instances"]} == {"h1": "stopped", "h2": "running"}
    assert found["instances"][0]["host"] == "h1", "most urgent first"
    assert "Attention needed: " in (target / "latest" / "run.html").read_text(encoding="utf-8")
    run = default_player.play("diagnose", fleet.inventory, *options[:4], "-e", "anqicms_report=artifacts")
    assert run.stats["anqicms_report_night_7"]["verb"] == "diagnose"
