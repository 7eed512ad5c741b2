# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that take only a password, over ssh and over paramiko, also where the connection is lost in a window."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import paths
import pytest
import pythons
import venvs
from e2e.bed import Bed, Host
from e2e.conftest import Maker, for_standin, laid_out, player_of
from e2e.playing import Player, Run, kill, until
from e2e.sites import Site, write_inventory

QUICK = ("-e", "anqicms_stable_for=0.1")
PASSWORD = "p4ss w'rd; $HOME"
SERVER = Path(__file__).with_name("paramiko_host.py")
STOPPING = "退出"


@pytest.fixture(scope="module")
def paramiko() -> Path:
    """The Python of the environment that has paramiko."""
    try:
        return venvs.ensure("paramiko", pythons.discover()) / "python"
    except venvs.Missing as error:
        pytest.skip(str(error))


def give_paramiko(player: Player, python: Path) -> None:
    """Where the core runs on the same Python: paramiko is not part of the environments of the cores."""
    minor = "import sys; print('python%d.%d' % sys.version_info[:2])"
    names = {
        subprocess.run([str(one), "-c", minor], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        for one in (python, player.bin / "python")
    }
    if len(names) > 1:
        pytest.skip("paramiko was installed for another Python than that of this ansible-core")
    player.env["PYTHONPATH"] = str(python.parents[1] / "lib" / names.pop() / "site-packages")


# --- a real sshd


@pytest.fixture(scope="module")
def locked_host(bed: Bed) -> Host:
    """Its user ops has no key, only a password."""
    host = bed.add()
    script = (
        "rm -r /home/ops/.ssh && printf 'ops:%s\\n' \"$1\" | chpasswd -c SHA512 && "
        "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/a.conf"
    )
    done = host.run("/bin/sh", "-c", script, "sh", PASSWORD)
    assert done.status == 0, done.output
    host.kill(host.pids_of("[listener]"), signal.SIGHUP)
    assert host.ssh("true", user="ops").status != 0
    return host


@pytest.fixture
def locked_site(locked_host: Host) -> Iterator[Site]:
    with laid_out(locked_host) as made:
        yield made


def with_password(bed: Bed, site: Site, path: Path, **variables: str) -> Path:
    write_inventory(bed, [site], path, "ops")
    whole = json.loads(path.read_text())
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=3"
    options += " -o ServerAliveInterval=2 -o ServerAliveCountMax=3"
    more = {"ansible_password": PASSWORD, "ansible_ssh_common_args": options, **variables}
    whole["anqicms"]["vars"].update(more)
    path.write_text(json.dumps(whole))
    return path


def lose_connection(site: Site, player: Player, inventory: Path) -> None:
    """In the middle of a window, for ten seconds."""
    site.knobs(exit_delay_ms=14000)
    before = site.start()
    with player.begin("restart", inventory, *QUICK) as playing:
        until(
            lambda: STOPPING in site.instance.log_text() or playing.process.poll() is not None, "the stop", pause=0.02
        )
        assert playing.process.poll() is None, playing.output()
        site.host.unplug()
        try:
            time.sleep(10)
        finally:
            site.host.plug()
        run = playing.wait(120)
    check(run, site.host.name)
    assert site.pid not in (0, before) and site.answers()


def check(run: Run, host: str) -> None:
    assert run.status == 0, run.output
    assert run.outcomes == {host: ["done"]}, run.output
    assert "connection lost" in run.output
    assert PASSWORD not in run.output


SSH = [
    ("2.19", {"ansible_ssh_password_mechanism": "sshpass"}),
    pytest.param("2.16", {}, marks=pytest.mark.soak),
    pytest.param("2.21", {"ansible_ssh_password_mechanism": "sshpass"}, marks=pytest.mark.soak),
    pytest.param("2.21", {}, marks=pytest.mark.soak),  # by SSH_ASKPASS
]


@pytest.mark.root
@pytest.mark.standin("the time that it takes to end")
@pytest.mark.parametrize(("core", "variables"), SSH)
def test_connection_with_sshpass_is_lost(
    bed: Bed, locked_site: Site, tmp_path: Path, core: str, variables: dict[str, str]
) -> None:
    if not shutil.which("sshpass", path=paths.clean_path()):
        pytest.skip("sshpass is not installed")
    player = player_of(core, tmp_path, bed)
    inventory = with_password(bed, locked_site, tmp_path / "hosts.json", ansible_connection="ssh", **variables)
    lose_connection(locked_site, player, inventory)


@pytest.mark.root
@pytest.mark.standin("the time that it takes to end")
@pytest.mark.parametrize("core", ["2.19", pytest.param("2.16", marks=pytest.mark.soak)])
def test_connection_of_paramiko_is_lost(bed: Bed, locked_site: Site, tmp_path: Path, core: str, paramiko: Path) -> None:
    player = player_of(core, tmp_path, bed)
    give_paramiko(player, paramiko)
    inventory = with_password(bed, locked_site, tmp_path / "hosts.json", ansible_connection="paramiko")
    lose_connection(locked_site, player, inventory)


# --- a host that paramiko serves


class Served:
    """The server on a port of loopback; it can be killed and started again."""

    def __init__(self, python: Path, home: Path) -> None:
        self.python, self.home = python, home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [str(self.python), str(SERVER), str(self.port), PASSWORD],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=(self.home / "log").open("ab"),
            env={**paths.private_env(), "HOME": str(self.home)},
            start_new_session=True,
        )
        assert self.process.stdout and self.process.stdout.readline() == b"ready\n", (self.home / "log").read_text()

    def end(self) -> None:
        if self.process:
            kill(self.process.pid)
            self.process.wait(10)


@contextmanager
def served(python: Path, home: Path) -> Iterator[Served]:
    server = Served(python, home)
    server.start()
    try:
        yield server
    finally:
        server.end()


def over_paramiko(inventory: Path, port: int) -> Path:
    """The inventory of a fleet, with the connection of paramiko to the server."""
    text = inventory.read_text()
    variables = {
        "ansible_connection": "paramiko",
        "ansible_host": "127.0.0.1",
        "ansible_port": port,
        "ansible_user": "ops",
        "ansible_password": PASSWORD,
    }
    lines = "\n".join(f"    {name}: {json.dumps(value)}" for name, value in variables.items())
    inventory.write_text(text.replace("    ansible_connection: local", lines))
    return inventory


@pytest.mark.standin("the time that it takes to end")
@pytest.mark.parametrize("core", [pytest.param("2.16", marks=pytest.mark.soak), "2.19"])
def test_host_that_paramiko_serves(make_fleet: Maker, tmp_path: Path, core: str, paramiko: Path) -> None:
    """The server and all its connections end in the middle of the window, and it comes back."""
    player = player_of(core, tmp_path)
    give_paramiko(player, paramiko)
    fleet = make_fleet(1, **for_standin(exit_delay_ms=5000))
    (instance,) = fleet.instances
    before = instance.pid
    with served(paramiko, tmp_path / "home") as server:
        inventory = over_paramiko(fleet.inventory, server.port)
        with player.begin("restart", inventory, *QUICK) as playing:
            until(lambda: STOPPING in instance.log_text() or playing.process.poll() is not None, "the stop", pause=0.02)
            assert playing.process.poll() is None, playing.output()
            server.end()
            time.sleep(2)
            server.start()
            run = playing.wait(120)
    check(run, "h1")
    assert instance.pid not in (0, before)


# --- where there is no paramiko


def test_missing_connection_is_named_before_anything_is_done(player: Player, tmp_path: Path) -> None:
    """On any host, by each name that a core has had for it."""
    for number, name in ((1, "paramiko"), (2, "ansible.builtin.paramiko_ssh")):
        bad = {"ansible_connection": name, "anqicms_instances": [{"dir": "/srv/shop"}]}
        hosts = {"h1": {"ansible_connection": "local", "anqicms_instances": []}, f"h{number}": bad}
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"anqicms": {"hosts": hosts}}))
        run = player.play("restart", inventory)
        assert run.status == 2, run.output
        why = (
            f"which ansible-core {player.core}" if player.core == "2.21" else "which needs the Python package paramiko"
        )
        assert f"It is {name}, {why}" in run.output, run.output
        assert f"(variable of h{number}). Nothing was" in run.output, run.output
        assert "Traceback" not in run.output and "Check the instances" not in run.output
