# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real kills for memory on a host with systemd and a journal, deaths there that are none, and what oom_check says.

The log of the kernel is that of the whole machine, with its pids: the host is a container in this respect.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from e2e.bed import Bed, Host
from e2e.conftest import VERSION
from e2e.playing import Player, until
from e2e.sites import Site, write_inventory

pytestmark = [
    pytest.mark.root,
    pytest.mark.standin("it takes memory when it is asked to"),
    pytest.mark.usefixtures("kernel_log"),
]
Result = dict[str, Any]
UNIT = """\
[Service]
WorkingDirectory={dir}
ExecStart={dir}/anqicms
StandardOutput=append:{dir}/running.log
StandardError=append:{dir}/running.log
TimeoutStopSec=20
{more}
"""
LIMIT = 192
DECOYS = 40


class Unit(Site):
    """An instance that systemd runs, as root."""

    def serve(self, more: str = "") -> int:
        place = Path(f"/proc/{self.host.init}/root/etc/systemd/system/{self.name}.service")
        place.write_text(UNIT.format(dir=self.dir, more=more))
        self.host.run("/bin/systemctl", "daemon-reload")
        done = self.host.run("/bin/systemctl", "restart", self.name)
        assert done.status == 0, done.output
        until(self.answers, f"{self.name} answers", 20, 0.05)
        return self.pid

    def eat(self, megabytes: int) -> None:
        ask = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{self.instance.port}/eat?mb={megabytes}')"
        self.host.run("/usr/bin/python3", "-c", ask)

    def has_ended(self) -> bool:
        return "active" not in self.host.run("/bin/systemctl", "is-active", self.name).output.split()

    def end(self) -> None:
        self.host.run("/bin/systemctl", "stop", self.name)
        super().end()


@pytest.fixture(scope="module")
def host(bed: Bed) -> Host:
    made = bed.add("systemd-kmsg")
    until(lambda: made.run("/bin/journalctl", "-q", "-k", "-n", "1").output, "the journal has the kernel's log", 20)
    return made


@pytest.fixture
def units(host: Host) -> Iterator[list[Unit]]:
    """Two instances of one host."""
    made = [Unit(host, f"{name}{os.urandom(3).hex()}", VERSION) for name in ("shop", "blog")]
    yield made
    for unit in made:
        unit.end()


class Asker:
    """Calls modules of the collection on a host, over ssh."""

    def __init__(self, bed: Bed, player: Player) -> None:
        self.bed, self.player = bed, player

    def ask(self, module: str, unit: Unit, user: str = "root", **options: Any) -> Result:
        """A user other than root does not become root."""
        inventory = write_inventory(self.bed, [unit], self.player.directory / "hosts.json", user)
        inventory.write_text(inventory.read_text().replace('"ansible_become": true', '"ansible_become": false'))
        arguments = json.dumps(dict(dir=unit.dir, **options))
        done = self.player.ad_hoc(unit.host.name, module, arguments, inventory)
        assert done.status == 0, done.output
        return dict(json.loads(done.output.partition("=>")[2]))


@pytest.fixture
def asker(bed: Bed, remote: Player) -> Asker:
    return Asker(bed, remote)


def journal_of(host: Host) -> str:
    return host.run("/bin/journalctl", "--no-pager", "-n", "60").output


def test_a_unit_reaches_its_limit(units: list[Unit], asker: Asker) -> None:
    """And of two instances of the host only the killed one was killed."""
    shop, blog = units
    pid, since = shop.serve(f"MemoryMax={LIMIT}M"), str(time.time() - 1)
    blog.serve()
    time.sleep(2.5)  # they began before the window of the second question
    late = str(time.time())
    for unit in units:
        asker.ask("instance_info", unit)
    shop.eat(LIMIT + 64)
    until(shop.has_ended, "the end of the unit", 20)
    found = asker.ask("oom_check", shop, since=since)
    assert (found["verdict"], found["cause"]) == ("confirmed", "kernel_oom_cgroup"), (found, journal_of(shop.host))
    assert len(found["incidents"]) == 1, json.dumps(found["incidents"])
    (incident,) = found["incidents"]
    assert (incident["pid"], incident["scope"]) == (pid, "cgroup"), incident
    assert incident["cgroup"].endswith(f"/system.slice/{shop.name}.service")
    assert incident["details"]["kernel_pid"] != pid
    assert incident["details"]["anon_rss_kb"] > 100_000
    assert {"journal", "kmsg"} <= {row["source"] for row in incident["evidence"]}
    found = asker.ask("oom_check", blog, since=late)
    assert (found["verdict"], found["cause"]) == ("no", "not_dead"), found
    blog.host.kill([blog.pid])
    until(blog.has_ended, "the end of the other unit")
    found = asker.ask("oom_check", blog, since=since)
    assert (found["verdict"], found["cause"]) == ("no", "unexplained"), found


def test_earlyoom_asks_it_to_end(units: list[Unit], asker: Asker) -> None:
    """It picks its victim among all processes that it sees, and goes on to the next: those are there for it."""
    shop, blog = units
    pid, since = shop.serve(), str(time.time() - 1)
    blog.serve()
    for unit in units:
        asker.ask("instance_info", unit)
    host = shop.host
    shop.eat(200)
    root = Path(f"/proc/{host.init}/root")
    (root / "etc/default/earlyoom").write_text("EARLYOOM_ARGS=\"-m 99,1 -s 100,1 -r 0 --prefer ^anqicms$\"\n")
    decoys = [f"( echo 200 > /proc/self/oom_score_adj; exec sleep 60 ) & # {number}" for number in range(DECOYS)]
    host.run(
        "/bin/systemd-run", "--unit=decoys", "-p", "KillSignal=SIGKILL", "/bin/sh", "-c", "\n".join([*decoys, "wait"])
    )
    try:
        host.run("/bin/systemctl", "start", "earlyoom")
        until(shop.has_ended, "the end that earlyoom asked for", 20, 0.02)
    finally:
        host.run("/bin/systemctl", "stop", "earlyoom")
        host.run("/bin/systemctl", "kill", "-s", "KILL", "decoys")
    found = asker.ask("oom_check", shop, since=since)
    assert (found["verdict"], found["cause"]) == ("confirmed", "userspace_oom"), (found, journal_of(host))
    assert len(found["incidents"]) == 1, json.dumps(found["incidents"])
    (incident,) = found["incidents"]
    assert (incident["pid"], incident["details"]["killer"]) == (pid, "earlyoom"), incident
    assert any(row["source"] == "journal" and f"to process {pid}" in row["text"] for row in incident["evidence"])


def test_an_ordinary_user_is_told_what_to_grant(units: list[Unit], asker: Asker) -> None:
    """The journal of a real daemon, and the ring: nothing that may be read would have shown a kill."""
    shop = units[0]
    shop.serve()
    since = str(time.time() - 1)
    kill_9(shop)
    until(shop.has_ended, "the end of the unit", 20)
    found = asker.ask("oom_check", shop, user="ops", since=since)
    assert (found["verdict"], found["cause"]) == ("unknown", "unexplained"), found
    told = {row["source"]: row["why_not"] for row in found["coverage"] if not row["readable"]}
    assert "systemd-journal" in told["journal"]
    assert "CAP_SYSLOG" in told["kmsg"]


def kill_9(unit: Unit) -> None:
    unit.host.kill([unit.pid])


def stop_script(unit: Unit) -> None:
    """The vendor's old one, on a host of its own: it kills by name."""
    script = (
        """cd %s; exists=$(ps -ef | grep '\\<anqicms\\>' | grep -v grep | awk '{printf $2}')
    echo "$(date +'%%Y%%m%%d %%H:%%M:%%S') anqicms PID check: $exists" >> check.log
    kill -9 $(pgrep -x anqicms)"""
        % unit.dir
    )
    unit.host.run("/bin/sh", "-c", script)


def new_stop_script(unit: Unit) -> None:
    unit.host.run("/usr/bin/pkill", "-9", "anqicms")


def panic(unit: Unit) -> None:
    """What Go's runtime prints before it ends the process."""
    with unit.instance.log.open("a") as log:
        log.write(
            "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\n"
            "main.main()\n\t/src/main.go:12 +0x1d\n"
        )
    kill_9(unit)


def clean_stop(unit: Unit) -> None:
    unit.host.run("/bin/systemctl", "stop", unit.name)


@pytest.mark.parametrize(
    "end, cause",
    [
        (kill_9, "unexplained"),
        (stop_script, "admin_kill"),
        (new_stop_script, "unexplained"),
        (panic, "crash"),
        (clean_stop, "admin_stop"),
    ],
)
def test_deaths_that_are_none_for_memory(units: list[Unit], asker: Asker, end: Any, cause: str) -> None:
    shop = units[0]
    shop.serve()
    asker.ask("instance_info", shop)
    since = str(time.time() - 1)
    end(shop)
    until(shop.has_ended, "the end of the unit", 20)
    found = asker.ask("oom_check", shop, since=since)
    assert (found["verdict"], found["cause"]) == ("no", cause), (found, journal_of(shop.host))
    assert found["incidents"]
