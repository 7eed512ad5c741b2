# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""run.prom holds what a run did, in a form that promtool accepts, whatever names hosts give."""

from __future__ import annotations

import subprocess
from typing import Callable

import promtool
import pytest
import report_documents as documents
from report_documents import EVIL, Row

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import metrics

ALL = [documents.good, documents.upgraded, documents.bad, documents.plan_only, documents.hostile, documents.diagnosed]


@pytest.mark.parametrize("make", ALL)
def test_promtool_accepts_it(make: Callable[[], Row]) -> None:
    program = promtool.ensure()
    if program is None:
        pytest.skip("no promtool: it is in the Debian package prometheus, which could not be downloaded")
    text = metrics.text(make())
    assert checked(str(program), text) == (0, "")
    assert checked(str(program), text + text)[0] != 0, "it would see a mistake"


def checked(program: str, text: str) -> tuple[int, str]:
    done = subprocess.run([program, "check", "metrics"], input=text.encode(), capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def lines(found: Row, name: str) -> list[str]:
    return [line for line in metrics.text(found).splitlines() if line.startswith(name + "{")]


def test_every_metric_is_described_and_used() -> None:
    texts = [metrics.text(make()) for make in ALL]
    for name in metrics.METRICS:
        assert any(f"\n{name}{{" in text or text.startswith(f"# HELP {name} ") for text in texts), name


def test_values() -> None:
    found = documents.bad()
    assert 'anqicms_run_instances{verb="configure",outcome="not_touched"} 4' in metrics.text(found)
    assert sum(line.endswith(" 1") for line in lines(found, "anqicms_instance_failed")) == 3
    (shop, *_rest) = lines(found, "anqicms_instance_downtime_seconds")
    assert shop == (
        'anqicms_instance_downtime_seconds{verb="configure",host="web1.example",id="0a1b2c3d-shop.example",'
        'dir="/www/wwwroot/shop.example"} 0.4'
    )
    assert len(lines(found, "anqicms_instance_downtime_seconds")) == 3, "unknown is no number"


def test_deaths_of_a_diagnosis() -> None:
    found = documents.diagnosed()
    assert [line.rpartition("} ")[2] for line in lines(found, "anqicms_instance_deaths")] == ["2", "1"]
    assert 'cause="kernel_oom_cgroup"} 2' in lines(found, "anqicms_instance_deaths")[0]
    assert lines(found, "anqicms_instance_last_death_timestamp_seconds")[0].endswith(" 1764213129.482")


def test_hostile_name_stays_one_label() -> None:
    (line,) = lines(documents.hostile(), "anqicms_instance_downtime_seconds")
    escaped = EVIL.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert f'host="{escaped}"' in line
