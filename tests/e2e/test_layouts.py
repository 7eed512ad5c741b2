# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two layouts of real hosts from end to end: files of www that root starts, as panels do; and a hardened unit."""

from __future__ import annotations

import json
from typing import Iterator, Sequence

import pytest
import releases
from e2e.bed import Bed, Host
from e2e.conftest import laid_out
from e2e.playing import Player, Run, until
from e2e.sites import WWW, Site, write_inventory

pytestmark = pytest.mark.root
VERSIONS = tuple(dict.fromkeys(releases.nearest(version) for version in ("2.5.3", "3.2.8", "3.5.8")))
ACCEPTED = ("root_runs_writable",)
WRITTEN = ("config.json", "running.log", "data", "cache", "public")  # by the application
NAMED = ("namespaces of its own (mnt)", "systemd ends every process left in")  # what a restart takes from it
UNIT = """[Service]
ExecStart={dir}/anqicms
WorkingDirectory={dir}
User=www
StandardOutput=append:{dir}/running.log
StandardError=append:{dir}/running.log
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=yes
ReadWritePaths={dir}
NoNewPrivileges=yes
UMask=0027
TimeoutStopSec=3
"""


@pytest.fixture(params=VERSIONS)
def panel_site(plain_host: Host, request: pytest.FixtureRequest) -> Iterator[Site]:
    with laid_out(plain_host, str(request.param)) as made:
        yield made


@pytest.fixture(params=VERSIONS)
def unit_site(systemd_host: Host, request: pytest.FixtureRequest) -> Iterator[Site]:
    with laid_out(systemd_host, str(request.param)) as made:
        yield made


def play(bed: Bed, player: Player, site: Site, verb: str, user: str = "", accept: Sequence[str] = ()) -> Run:
    entry = {"dir": site.dir, "port": site.instance.port, **({"user": user} if user else {})}
    given = {"anqicms_stable_for": 0.1, "anqicms_instances": [entry], "anqicms_accept_hazards": list(accept)}
    player.directory.mkdir(parents=True, exist_ok=True)
    inventory = write_inventory(bed, [site], player.directory / "hosts.json")
    return player.play(verb, inventory, "-e", json.dumps(given))


def test_files_of_www_that_root_starts(bed: Bed, remote: Player, panel_site: Site) -> None:
    """No start as root, before it is stopped; a stop; and both ways out."""
    site = panel_site
    first = site.start(as_root=True)
    run = play(bed, remote, site, "restart")
    assert run.status != 0 and "root_runs_writable" in run.output and site.pid == first, run.output
    assert play(bed, remote, site, "restart", accept=ACCEPTED).status == 0
    assert site.owner_of_process() == 0 and site.pid != first and site.answers()
    assert play(bed, remote, site, "stop").status == 0 and not site.pid
    run = play(bed, remote, site, "start")
    assert run.status != 0 and "root_runs_writable" in run.output and not site.pid, run.output
    assert play(bed, remote, site, "start", accept=ACCEPTED).status == 0
    second = site.pid
    assert site.owner_of_process() == 0 and site.answers()

    run = play(bed, remote, site, "restart", "www")
    assert run.status != 0 and "files_left_behind" in run.output and site.pid == second, run.output
    site.give(WWW)
    run = play(bed, remote, site, "restart", "www")
    assert run.status == 0 and site.owner_of_process() == WWW and site.answers(), run.output
    run = play(bed, remote, site, "restart")
    assert run.status == 0 and site.owner_of_process() == WWW and site.answers(), run.output


def test_hardened_unit(bed: Bed, remote: Player, unit_site: Site) -> None:
    """All is root's but what the application writes; systemd starts it as www, with a view of files of its own."""
    site = unit_site
    for name in WRITTEN:
        path = site.instance.dir / name
        path.touch() if "." in name else path.mkdir(exist_ok=True)
    site.give(WWW, WRITTEN)
    unit = f"/etc/systemd/system/{site.name}.service"
    (site.host.www / "unit").write_text(UNIT.format(dir=site.dir))
    # With linger the manager of root's services stays: a login that has to start it is slow, and taken for lost.
    done = site.host.ssh(
        f"loginctl enable-linger root; cp /www/unit {unit}; systemctl daemon-reload; systemctl start {site.name}",
        timeout=90,
    )
    assert done.status == 0, done.output
    until(site.answers, f"{site.name} answers", 90, 0.05)
    run = restarted(bed, remote, site)
    notes = " ".join(run.results[site.host.name][0]["notes"])
    assert all(words in notes for words in NAMED), notes
    assert play(bed, remote, site, "stop").status == 0 and not site.pid
    assert play(bed, remote, site, "start").status == 0 and site.answers()
    restarted(bed, remote, site)


def restarted(bed: Bed, player: Player, site: Site) -> Run:
    """It has another process of www, which is still there when systemd has ended what was left in the unit."""
    before = site.pid
    run = play(bed, player, site, "restart")
    after = site.pid
    assert run.status == 0 and after not in (0, before), run.output
    until(lambda: unit_state(site) in ("dead", "failed"), "the end of the unit", 30, 0.1)
    assert site.pid == after and site.owner_of_process() == WWW and site.answers(), run.output
    return run


def unit_state(site: Site) -> str:
    return site.host.run("/usr/bin/systemctl", "show", "-p", "SubState", "--value", site.name).output.strip()
