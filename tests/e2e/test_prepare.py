# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host whose Python this ansible-core cannot use: what the operator is told, and how prepare gives it another."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import pythons
from e2e.bed import Bed, Host
from e2e.conftest import Maker
from e2e.playing import Player, Run, until
from fleet import Fleet

PURGE = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge 'python3*' 'libpython3*' media-types"
PACKAGES = "dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n' | sort; dpkg --audit"
# What is too old for the core, and for the oldest one what is just enough.
OLD = {"2.16": (3, 6), "2.19": (3, 7), "2.21": (3, 8)}


def without_python(bed: Bed) -> Host:
    host = bed.add()
    done = host.run("/bin/sh", "-c", PURGE, timeout=60)
    assert done.status == 0, done.output
    assert not pythons_of(host)
    return host


def pythons_of(host: Host) -> list[str]:
    return host.run("/bin/sh", "-c", "ls /usr/bin/python3* 2>/dev/null").output.split()


def packages_of(host: Host) -> str:
    return host.run("/bin/sh", "-c", PACKAGES).output


def write_inventory(bed: Bed, hosts: list[Host], path: Path) -> Path:
    patience = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3", "-o", "ConnectTimeout=3"]
    variables = {
        "ansible_user": "ops",
        "ansible_become": True,
        "ansible_ssh_common_args": " ".join([*bed.ssh_options(), *patience]),
    }
    rows = {host.name: {"ansible_host": host.address} for host in hosts}
    path.write_text(json.dumps({"anqicms": {"hosts": rows, "vars": variables}}))
    return path


def changed(run: Run, host: str) -> str:
    """Its line of the recap, from 'changed' on."""
    (line,) = [line for line in run.output.splitlines() if line.startswith(f"{host} ") and "changed=" in line]
    return line.split("changed=")[1]


@pytest.mark.root
def test_python_is_installed_where_there_is_none(bed: Bed, remote: Player) -> None:
    host = without_python(bed)
    inventory = write_inventory(bed, [host], remote.directory / "hosts.json")
    before = packages_of(host)

    run = remote.play("restart", inventory)
    assert run.status != 0 and "No Python was found" in run.output, run.output
    assert "anqicms.lifecycle.prepare does that" in run.output

    run = remote.play("prepare", inventory, "--check")
    assert run.status == 0 and "python3.11 would be installed" in run.output, run.output
    assert changed(run, host.name).startswith("1 ")
    assert packages_of(host) == before and not pythons_of(host)

    run = remote.play("prepare", inventory)
    assert run.status == 0 and "python3.11 was installed" in run.output, run.output
    assert "ansible_python_interpreter: /usr/bin/python3.11" in run.output
    assert changed(run, host.name).startswith("1 ")
    assert "ii  python3.11\n" in packages_of(host)

    run = remote.play("prepare", inventory)
    assert run.status == 0 and changed(run, host.name).startswith("0 "), run.output


@pytest.mark.root
def test_installation_goes_on_when_the_connection_is_lost(bed: Bed, remote: Player) -> None:
    host, other = without_python(bed), bed.add()
    inventory = write_inventory(bed, [host, other], remote.directory / "hosts.json")
    with remote.begin("prepare", inventory, "-e", "anqicms_serial=1") as playing:
        until(lambda: host.pids_of("/usr/bin/dpkg"), "the installation", 60, 0.02)
        host.unplug()
        try:
            run = playing.wait(60)
        finally:
            host.plug()
    assert run.status != 0 and "UNREACHABLE" in run.output, run.output
    assert "Verify that modules run" not in run.output, "the next host was not touched"
    until(lambda: not host.pids_of("apt-get"), "the end of the installation", 60, 0.2)
    assert "ii  python3.11\n" in packages_of(host)
    run = remote.play("prepare", inventory)
    assert run.status == 0 and changed(run, host.name).startswith("0 "), run.output


@pytest.mark.root
def test_host_that_knows_none_of_the_packages(bed: Bed, remote: Player) -> None:
    host = without_python(bed)
    host.run("/bin/sh", "-c", "rm -r /var/lib/apt/lists /etc/apt/sources.list")
    inventory = write_inventory(bed, [host], remote.directory / "hosts.json")
    for options in (["--check"], []):
        run = remote.play("prepare", inventory, *options)
        assert run.status != 0 and changed(run, host.name).startswith("0 "), run.output
        assert "None of the packages can be installed" in run.output
        assert ("apt-get is told to update its lists first" in run.output) == bool(options)
        assert "Install one yourself" in run.output


def test_preflight_names_the_mismatch_and_the_way_out(player: Player, make_fleet: Maker) -> None:
    """One host whose interpreter is missing, and one whose is too old, which on 2.16 is just enough."""
    version = OLD[player.core]
    python = pythons.discover().get(version)
    if python is None:
        pytest.skip("Python %d.%d was not found" % version)
    fleet = make_fleet(2)
    use(fleet, "/nonexistent/python3", python.path)
    before = pids(fleet)
    run = player.play("restart", fleet.inventory)
    assert run.status != 0 and pids(fleet) == before, run.output
    assert "did not start with /nonexistent/python3, which is missing or does not run" in run.output
    assert (f"did not start with {python.path} (" in run.output) == (player.core != "2.16"), run.output
    assert "Set in the inventory: ansible_python_interpreter: /" in run.output
    assert "anqicms.lifecycle.prepare verifies it" in run.output
    assert "SyntaxError" not in run.output and len(run.output) < 15000, "no traceback stands in the way"

    run = player.play("prepare", fleet.inventory)
    assert run.status == 0 and {changed(run, host)[:2] for host in before} == {"0 "}, run.output
    use(fleet, *re.findall(r"Modules run. Set in the inventory: ansible_python_interpreter: ([^\"]+)", run.output))
    run = player.play("restart", fleet.inventory, "-e", "anqicms_stable_for=0.1")
    assert run.outcomes == {"h1": ["done"], "h2": ["done"]}, run.output


def pids(fleet: Fleet) -> dict[str, int]:
    return {host.name: host.instances[0].pid for host in fleet.hosts}


def use(fleet: Fleet, *interpreters: str) -> None:
    """Give its hosts these interpreters, in their order."""
    text = fleet.write_inventory().read_text()
    for host, python in zip(fleet.hosts, interpreters):
        text = text.replace(f"    {host.name}:\n", f"    {host.name}:\n      ansible_python_interpreter: {python}\n")
    fleet.inventory.write_text(text)
