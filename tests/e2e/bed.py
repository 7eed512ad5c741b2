# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real hosts on one machine, for what a local connection cannot show: sshd, sudo, sessions, lost connections, systemd.

A host is an overlay over a Debian tree with its own network, pid, mount, uts, ipc and cgroup namespaces. The controller
runs in a network namespace of its own too, so the machine's network, sysctls and processes are left as they are.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import time
import zlib
from pathlib import Path
from typing import NamedTuple, Sequence

import paths

CACHE = paths.CACHE / "bed"
INIT = Path(__file__).with_name("bed_init.sh")
PACKAGES = (
    "openssh-server,python3,cron,procps,iproute2,sudo,lsof,"
    "systemd,systemd-sysv,dbus,libpam-systemd,earlyoom,mariadb-client"
)
SUITE = "bookworm"
BASE = CACHE / f"base-{zlib.crc32(f'{SUITE}:{PACKAGES}'.encode()):08x}"  # another list makes another tree
CGROUPS = Path("/sys/fs/cgroup")
TOOLS = ("debootstrap", "ip", "nsenter", "ssh", "ssh-keygen", "unshare")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class BedError(Exception):
    """The bed cannot be made here; the text says what is missing."""


class Finished(NamedTuple):
    """A command on a host that has ended."""

    status: int
    output: str


def make_base() -> Path:
    """The Debian tree of all hosts, made once by debootstrap (about two minutes, 330 MB)."""
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=paths.clean_path())]
    if missing:
        raise BedError("the test bed needs " + ", ".join(missing))
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not BASE.is_dir():
            _debootstrap(CACHE / f"base.{os.getpid()}")
    return BASE


def _debootstrap(partial: Path) -> None:
    argv = ["debootstrap", "--variant=minbase", "--include=" + PACKAGES, SUITE, str(partial)]
    with open(CACHE / "debootstrap.log", "wb") as log:
        done = subprocess.run(argv, stdout=log, stderr=log, env={**os.environ, "PATH": paths.clean_path()}, check=False)
    if done.returncode:
        raise BedError(f"debootstrap failed, see {CACHE / 'debootstrap.log'}")
    partial.rename(BASE)


def cgroup_hierarchies() -> list[str]:
    """Version 1 hierarchies that hosts get their own part of, or ['unified'] where there is only version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return ["unified"]
    return [name for name in ("systemd", "memory", "pids") if (CGROUPS / name).is_dir()]


def _run(*argv: str, **options: object) -> None:
    done = subprocess.run(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env={**os.environ, "PATH": paths.clean_path()},
        **options,
    )  # type: ignore[call-overload]
    if done.returncode:
        raise BedError("%s: %s" % (" ".join(argv), done.stdout.decode(errors="replace").strip()))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


class Host:
    """One host. ``www`` is its /www, seen from here; ``address`` is reached from the controller's namespace only."""

    def __init__(self, bed: "Bed", number: int, kind: str) -> None:
        self.bed, self.kind = bed, kind
        self.name = f"{'s' if kind.startswith('systemd') else 'h'}{number}"
        self.address = f"10.77.1.{number}"
        self.namespace = f"{bed.prefix}{self.name}"
        self.www = bed.root / self.name / "www"
        self.link = f"v{number}"
        self.place = bed.root / self.name / "place"
        self.disk: subprocess.Popen[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make its network, its disk and its first process, and wait until sshd answers."""
        self.www.mkdir(parents=True)
        self.place.mkdir()
        self._make_network()
        self._make_disk()
        self._boot()

    def _make_disk(self) -> None:
        """What the host writes lies in memory, in a mount namespace that outlives its processes: a boot finds it."""
        ready = self.bed.root / self.name / "disk"
        script = f"mount -t tmpfs -o mode=755 tmpfs {self.place} && touch {ready} && exec sleep infinity"
        self.disk = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PATH": paths.clean_path()},
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it only makes a system call
        )
        end = time.monotonic() + 20.0
        while not ready.exists():
            if self.disk.poll() is not None or time.monotonic() > end:
                raise BedError(f"{self.name}: no disk")
            time.sleep(0.005)

    def _boot(self) -> None:
        assert self.disk is not None
        argv = [
            "nsenter",
            f"--mount=/proc/{self.disk.pid}/ns/mnt",
            f"--net=/run/netns/{self.namespace}",
            "unshare",
            "--cgroup",
            "--pid",
            "--fork",
            "--mount",
            "--uts",
            "--ipc",
            "--kill-child",
            "--propagation",
            "private",
            "/bin/bash",
            str(INIT),
            str(BASE),
            str(self.place),
            self.name,
            str(self.www),
            str(self.bed.key) + ".pub",
            self.kind,
            ",".join(self.bed.hierarchies),
        ]
        with open(self.bed.root / self.name / "log", "ab") as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PATH": paths.clean_path()},
                preexec_fn=self._before_exec,  # noqa: PLW1509 - it only makes system calls
            )
        self._wait_for_sshd()

    def _before_exec(self) -> None:
        """In the child: end with the test, and begin in the host's own cgroups, the roots that it will see."""
        _die_with_parent()
        for group in self._cgroups():
            group.mkdir(parents=True, exist_ok=True)
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def _cgroups(self) -> list[Path]:
        name = f"{self.bed.prefix}{self.name}"
        return [CGROUPS / ("" if part == "unified" else part) / name for part in self.bed.hierarchies]

    def _make_network(self) -> None:
        controller, here = self.bed.namespace, self.namespace
        _run("ip", "netns", "add", here)
        _run("ip", "-n", controller, "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", here)
        _run("ip", "-n", controller, "link", "set", self.link, "master", "br0", "up")
        _run("ip", "-n", here, "addr", "add", self.address + "/16", "dev", "eth0")
        _run("ip", "-n", here, "link", "set", "eth0", "up")
        _run("ip", "-n", here, "link", "set", "lo", "up")

    def _wait_for_sshd(self, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.ssh("true").status == 0:
                return
            time.sleep(0.1)
        log = (self.bed.root / self.name / "log").read_text(errors="replace")
        raise BedError(f"{self.name}: no sshd after {seconds} s: {log[-2000:]}")

    @property
    def init(self) -> int:
        """Its first process, as the machine numbers it."""
        assert self.process is not None
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def enter(self, *argv: str) -> list[str]:
        """The command line that runs a command on the host, beside sshd."""
        return ["nsenter", "--target", str(self.init), "--all", "--", *argv]

    def run(self, *argv: str, timeout: float = 30.0) -> Finished:
        """Run a command on the host as root, not over ssh."""
        done = subprocess.run(
            self.enter(*argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
        return Finished(done.returncode, done.stdout.decode(errors="replace"))

    def ssh(self, command: str, user: str = "root", timeout: float = 30.0) -> Finished:
        """Run a shell command on the host over ssh."""
        argv = self.bed.on_controller(
            "ssh", *self.bed.ssh_options(), "-o", "ConnectTimeout=2", f"{user}@{self.address}", command
        )
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            env={**os.environ, "PATH": paths.clean_path()},
        )
        return Finished(done.returncode, done.stdout.decode(errors="replace"))

    def unplug(self) -> None:
        """Take it off the network and end its ssh sessions: every connection to it is lost, nothing else happens."""
        _run("ip", "-n", self.bed.namespace, "link", "set", self.link, "down")
        self.kill([pid for pid in self.pids_of("sshd: ") if pid not in self.pids_of("[listener]")])

    def plug(self) -> None:
        """Put it back on the network."""
        _run("ip", "-n", self.bed.namespace, "link", "set", self.link, "up")

    def pids_of(self, text: str) -> list[int]:
        """Processes of this host, by its own numbers, whose command line contains a text."""
        found = []
        for line in self.run("/bin/ps", "-eo", "pid=,args=", "-ww").output.splitlines():
            pid, _space, arguments = line.strip().partition(" ")
            if text in arguments and "/bin/ps" not in arguments:
                found.append(int(pid))
        return found

    def kill(self, pids: Sequence[int], number: signal.Signals = signal.SIGKILL) -> None:
        """Signal processes of this host, by its own numbers, all at once."""
        self.run("/bin/kill", f"-{int(number)}", *(str(pid) for pid in pids))

    def reset(self) -> None:
        """What the button of a machine does: all its processes end at once, and it is off. Its disk stays."""
        assert self.process is not None
        with os.fdopen(os.pidfd_open(self.init)) as first:
            self.process.kill()  # its child dies with it, and with that first process all the others
            self.process.wait(20)
            select.select([first], [], [], 20)
        for group in self._cgroups():
            _remove_cgroups(group)

    def boot(self) -> None:
        """Start it again after a ``reset``, and wait until sshd answers.

        As after a real boot /run is empty and the kernel tells another boot id. That is simulated: the kernel is the
        machine's, which goes on, so process numbers begin anew, and the times since the boot do not.
        """
        self._boot()

    def stop(self) -> None:
        """End all its processes and remove its namespaces and cgroups."""
        for process in (self.process, self.disk):
            if process is not None:
                process.kill()  # the child of the first dies with it, and with that first process all the others
                process.wait(20)
        subprocess.run(["ip", "netns", "del", self.namespace], stderr=subprocess.DEVNULL, check=False)
        for group in self._cgroups():
            _remove_cgroups(group)


def _remove_cgroups(group: Path) -> None:
    """Remove a cgroup with all below it, as soon as its processes are gone."""
    for _attempt in range(100):
        try:
            for directory, _names, _files in os.walk(group, topdown=False):
                os.rmdir(directory)
        except OSError:
            time.sleep(0.05)
        else:
            return


class Bed:
    """The controller's network and its hosts; a context manager that removes all of it."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root).resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self.prefix = f"anqbed-{os.getpid()}-{os.urandom(2).hex()}-"
        self.namespace = self.prefix + "c"
        self.key = self.root / "id"
        self.hierarchies = cgroup_hierarchies()
        self.hosts: list[Host] = []

    def __enter__(self) -> "Bed":
        make_base()
        try:
            _run("ip", "netns", "add", self.namespace)
            _run("ip", "-n", self.namespace, "link", "set", "lo", "up")
            _run("ip", "-n", self.namespace, "link", "add", "br0", "type", "bridge")
            _run("ip", "-n", self.namespace, "addr", "add", "10.77.0.1/16", "dev", "br0")
            _run("ip", "-n", self.namespace, "link", "set", "br0", "up")
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        for host in self.hosts:
            host.stop()
        subprocess.run(["ip", "netns", "del", self.namespace], stderr=subprocess.DEVNULL, check=False)

    def add(self, kind: str = "plain") -> Host:
        """Start one more host: 'plain', 'cron' with cron, or 'systemd' for one with systemd as its first process.

        'systemd-kmsg' has the log of the machine's kernel too, and root of that host may write to it.
        """
        host = Host(self, len(self.hosts) + 1, kind)
        self.hosts.append(host)
        host.start()
        return host

    def on_controller(self, *argv: str) -> list[str]:
        """The command line that runs a command in the controller's network."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "--", *argv]

    def ssh_options(self) -> list[str]:
        return [
            "-i",
            str(self.key),
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "BatchMode=yes",
        ]
