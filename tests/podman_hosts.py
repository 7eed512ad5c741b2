# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Podman with a storage of its own, and hosts that are containers with sshd, with systemd where it is asked for."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import paths
from e2e import bed
from instance import make_instance

CONFIG = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""
_BOOT_SECONDS = 30.0
_WAIT = """\
import sys, time, urllib.request
for _attempt in range(300):
    try:
        sys.exit(not urllib.request.urlopen(sys.argv[1]).read())
    except OSError:
        time.sleep(0.1)
sys.exit('no answer')"""
_IDLE = "while :; do sleep 3600 & wait $!; done"
_PURGE = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge 'python3*' 'libpython3*' media-types"
P = TypeVar("P", bound="Podman")


class Unusable(Exception):
    """Podman cannot run containers here; the text says why."""


class Podman:
    """Its own storage and state, so that nothing else of the machine is seen or touched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files, processes = (
            min(resource.getrlimit(kind)[1] % (1 << 63), 20000)  # no more than we may
            for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
        )
        (root / "containers.conf").write_text(CONFIG.format(files=files, processes=processes))
        shim = root / "bin" / "docker"
        shim.parent.mkdir(exist_ok=True)
        places = " ".join(f"--{name} {root / name}" for name in ("root", "runroot", "tmpdir"))
        shim.write_text(f"#!/bin/sh\nexport CONTAINERS_CONF={root}/containers.conf\nexec podman {places} \"$@\"\n")
        shim.chmod(0o755)
        self.program = str(shim)

    @classmethod
    def usable(cls: type[P], *options: str) -> P:
        """One that has run a container with these options. Raise Unusable."""
        if os.geteuid() != 0:
            raise Unusable("podman is set up here for root")
        if any(shutil.which(program, path=paths.clean_path()) is None for program in ("podman", "runc")):
            raise Unusable("podman and runc are not installed")
        if (bed.CGROUPS / "cgroup.controllers").exists():
            raise Unusable("podman is set up here for control groups of version 1")
        made = cls(Path(tempfile.mkdtemp(prefix="anqicms-", dir="/var/tmp")))  # podman takes no longer path
        base = bed.make_base()
        tried = made("run", "--rm", "--net", "host", *options, "--rootfs", f"{base}:O", "/bin/true")
        if tried.returncode:
            made.remove()
            raise Unusable(f"podman cannot run a container here: {tried.stderr.strip()[-300:]}")
        return made

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.root,
            env=dict(os.environ, PATH=paths.clean_path()),
        )

    def remove(self) -> None:
        self("rm", "--all", "--force", "--time", "0")
        for line in Path("/proc/self/mountinfo").read_text().splitlines()[::-1]:
            if line.split()[4].startswith(f"{self.root}/"):
                # One may have gone with the one above it.
                subprocess.run(["umount", "-l", line.split()[4]], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.root)
        for parent in bed.CGROUPS.glob("*/libpod_parent"):
            for directory, _names, _files in os.walk(parent, topdown=False):
                with suppress(OSError):  # another podman's
                    os.rmdir(directory)


class Hosts:
    """Containers that are reached over ssh without a network: sshd answers on the standard input of a command."""

    def __init__(self, podman: Podman, directory: Path) -> None:
        self.podman, self.key = podman, directory / "id"

    def make_key(self) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def add(self, name: str, kind: str, www: Path) -> None:
        """Start a host: 'systemd', 'plain', or 'bare' for one without Python. `www` becomes its /www."""
        www.mkdir(parents=True, exist_ok=True)
        command = ["/sbin/init"] if kind == "systemd" else ["/bin/sh", "-c", _IDLE]
        options = ["--systemd=always" if kind == "systemd" else "--systemd=false", "--net", "none", "--hostname", name]
        options += [
            "--cap-add",
            "SYS_PTRACE",
        ]  # root of a machine may inspect the processes of all users
        made = self.podman(
            "run", "-d", "--name", name, *options, "-v", f"{www}:/www", "--rootfs", f"{bed.make_base()}:O", *command
        )
        if made.returncode:
            raise Unusable(f"{name} does not start: {made.stderr.strip()[-300:]}")
        key = self.key.with_suffix(".pub").read_text().strip()
        self.run(name, f"mkdir -p -m 700 /root/.ssh /run/sshd && echo '{key}' > /root/.ssh/authorized_keys")
        if kind == "systemd":
            self._wait_for_boot(name)
        if kind == "bare":
            self.run(name, _PURGE)

    def _wait_for_boot(self, name: str) -> None:
        end = time.monotonic() + _BOOT_SECONDS
        state = ""
        while state not in ("running", "degraded"):
            if time.monotonic() > end:
                raise Unusable(f"{name}: systemd is not up after {_BOOT_SECONDS:g} s: {state}")
            state = self.podman("exec", name, "systemctl", "is-system-running").stdout.strip()
            time.sleep(0.1)

    def run(self, name: str, script: str) -> str:
        """Run a shell script on a host as root, not over ssh."""
        done = self.podman("exec", name, "/bin/sh", "-c", script)
        if done.returncode:
            raise Unusable(f"{name}: {script}: {done.stdout}{done.stderr}")
        return done.stdout

    def ssh(self, name: str, command: str) -> None:
        """Run a shell command on a host over ssh, as an operator would."""
        argv = ["ssh", "-i", str(self.key), *self.ssh_options(name), f"root@{name}", command]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def ssh_options(self, name: str) -> list[str]:
        options = {
            "ProxyCommand": f"{self.podman.program} exec -i {name} /usr/sbin/sshd -i",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
        }
        return [part for key, value in options.items() for part in ("-o", f"{key}={value}")]


def www(directory: Path, name: str) -> Path:
    """The directory that is /www on a host."""
    return directory / "hosts" / name / "www"


def start(hosts: Hosts, name: str, www: Path, given: dict[str, Any]) -> None:
    """Lay out an instance on a host and start it in a session of ssh, as its user www."""
    one = make_instance(www / given["name"], given.get("version", "3.5.8"))
    one.knobs(no_database=True, **given.get("knobs", {}))
    place = f"/www/{given['name']}"
    hosts.run(name, f"getent passwd www > /dev/null || useradd -u 1001 -d /www -M www; chown -R www: {place}")
    inner = f"cd {place} && exec nohup ./anqicms >> running.log 2>&1 < /dev/null"
    hosts.ssh(name, f"setpriv --reuid=www --regid=www --init-groups sh -c '{inner}' > /dev/null 2>&1 < /dev/null &")
    ask = f"http://127.0.0.1:{one.port}/system/api/version/info"
    hosts.run(name, f'python3 -c "{_WAIT}" {ask}')
