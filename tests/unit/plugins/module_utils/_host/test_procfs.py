# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import os
import signal
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs

STAT = b"4711 (%s) %s 17 4711 4710 0 -1 4194304 900 0 1 0 12 8 0 0 20 -5 %d 0 8712345 1234567 321 0 0 0 0 0\n"


@pytest.mark.parametrize("name", [b"anqicms", b"a b", b"a) R 1 (b", b"x\n)", b"((((", b"\xff\xe4", b""])
def test_stat_survives_every_name(name: bytes) -> None:
    stat = procfs.parse_stat(STAT % (name, b"S", 9))
    assert os.fsencode(stat.comm) == name
    assert stat == procfs.Stat(4711, stat.comm, "S", 17, 4711, 4710, 0, -5, 9, 8712345)


def test_stat_of_this_process() -> None:
    with procfs.ProcDir(os.getpid()) as proc:
        stat = proc.stat()
    assert stat is not None
    assert (stat.pid, stat.ppid, stat.pgrp, stat.session) == (os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0))
    assert stat.state == "R" and stat.threads >= 1 and stat.nice == os.nice(0)


@pytest.mark.parametrize("state,threads,dead", [
    (b"Z", 1, True), (b"Z", 2, False), (b"Z", 0, True), (b"X", 0, True), (b"S", 1, False), (b"T", 5, False),
    (b"D", 1, False),
])  # fmt: skip
def test_zombie_is_dead_only_without_other_threads(state: bytes, threads: int, dead: bool) -> None:
    assert procfs.is_dead(procfs.parse_stat(STAT % (b"anqicms", state, threads))) is dead


def test_no_stat_is_dead() -> None:
    assert procfs.is_dead(None)


def test_status_fields() -> None:
    fields = procfs.parse_status(b"Name:\ta:b\nUid:\t33\t33\t33\t33\nSigIgn:\t0000000000001000\nbroken\n\nGroups:\t\n")
    assert fields == {"Name": "a:b", "Uid": "33\t33\t33\t33", "SigIgn": "0000000000001000", "Groups": ""}


@pytest.mark.parametrize("data,strings", [
    (b"", []), (b"a\0", ["a"]), (b"a\0\0b c\0", ["a", "", "b c"]), (b"\0", [""]), (b"a\0torn", ["a"]),
])  # fmt: skip
def test_strings(data: bytes, strings: t.List[str]) -> None:
    assert procfs.parse_strings(data) == strings


@pytest.mark.parametrize("mask,number,held", [
    ("0000000000004000", 15, True), ("0000000000004000", 14, False), ("0", 15, False), ("fffffffffffbfeff", 15, True),
    ("0000000000000001", 1, True), ("8000000000000000", 64, True),
])  # fmt: skip
def test_masks(mask: str, number: int, held: bool) -> None:
    assert procfs.signal_in_mask(mask, number) is held


PROC = "proc /proc proc rw,nosuid,nodev,noexec,relatime%s 0 0\n"


@pytest.mark.parametrize("mounts,hidden", [
    ("", False),
    (PROC % "", False),
    (PROC % ",hidepid=2", True),
    (PROC % ",hidepid=1,gid=5", True),
    (PROC % ",gid=5,hidepid=invisible", True),
    (PROC % ",hidepid=noaccess", True),
    (PROC % ",hidepid=ptraceable", True),
    (PROC % ",hidepid=0", False),
    (PROC % ",hidepid=off", False),
    ("proc /srv/jail/proc proc rw,hidepid=2 0 0\n", False),
    (PROC % "" + PROC % ",hidepid=2", True),
    (PROC % ",hidepid=2" + "tmpfs /tmp tmpfs rw 0 0\n" + PROC % "", False),
])  # fmt: skip
def test_hidden_processes_by_the_mount_that_is_on_top(mounts: str, hidden: bool) -> None:
    assert procfs.hides_processes(mounts) is hidden


def test_a_directory_outlives_its_process_and_says_so() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    with procfs.ProcDir(child.pid) as proc:
        assert proc.stat() is not None
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert proc.stat() is None
        assert proc.optional_link("exe") is None and proc.names("fd") == []
        with pytest.raises(OSError) as caught:
            proc.argv()
        assert caught.value.errno in (errno.ESRCH, errno.ENOENT)  # kernels differ; both say that it is gone
    with pytest.raises(FileNotFoundError):
        procfs.ProcDir(child.pid)


def test_close_twice() -> None:
    proc = procfs.ProcDir(os.getpid())
    proc.close()
    proc.close()


def test_pids_and_boot_id() -> None:
    assert os.getpid() in procfs.list_pids()
    assert len(procfs.boot_id()) == 36


@pytest.mark.parametrize(
    "data,expected",
    [
        (b"pgfault 7\noom_kill 3\nballoon 1\n", 3),
        (b"oom_kill 0\n", 0),
        (b"pgfault 7\n", None),
        (b"", None),
        (b"drop_oom_kill 5\n", None),
    ],
)
def test_kills_that_the_kernel_has_counted(data: bytes, expected: t.Optional[int]) -> None:
    assert procfs.parse_oom_kills(data) == expected


MIB = 1 << 20
TOO_LARGE = [
    (b"\0" * (20 * MIB), "larger than 2048 KiB"),
    (b"a" * (3 * MIB), "larger than 2048 KiB"),
    (b"a\0" * 10001, "more than 10000"),
    (b"a" * (128 << 10) + b"\0b\0", "more than 128 KiB"),
]


@pytest.mark.parametrize("data,why", TOO_LARGE)
def test_strings_that_no_program_could_be_given_are_cut(data: bytes, why: str) -> None:
    found = procfs.limited_strings(data[: procfs.MOST_STRINGS_BYTES + 1], procfs.MOST_STRINGS_BYTES)
    assert why in (found.why_cut or "")
    assert len(found.items) <= procfs.MOST_STRINGS and sum(map(len, found.items)) <= 2 * MIB


@pytest.mark.parametrize("data", [
    b"", b"a\0", b"a\0\0b c\0", b"\0", b"a\0torn", b"a\0" * 10000, b"a" * ((128 << 10) - 1) + b"\0",
    (b"b" * 99999 + b"\0") * 20,
])  # fmt: skip
def test_strings_within_the_limits_are_whole(data: bytes) -> None:
    expected = procfs.Strings(procfs.parse_strings(data), None)
    assert procfs.limited_strings(data, procfs.MOST_STRINGS_BYTES) == expected


def test_reads_end_at_a_limit() -> None:
    assert len(procfs.read("/dev/zero", most=100000)) == 100000
    with pytest.raises(procfs.TooMuch, match="/dev/zero is larger than 1 MiB"):
        procfs.read_all("/dev/zero", MIB)
    assert procfs.read_all("/proc/self/stat") != b""


def test_descriptors_end_at_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with procfs.ProcDir(os.getpid()) as proc:
        assert {"0", "1", "2"} <= set(proc.descriptors())
        monkeypatch.setattr(procfs, "MOST_DESCRIPTORS", 2)
        with pytest.raises(PermissionError, match="more than 2 files open"):
            list(proc.descriptors())
        assert proc.names("task", 0) == [] and str(os.getpid()) in proc.names("task")
        assert proc.names("no-such") == []


def test_flags_of_a_descriptor_are_octal() -> None:
    assert procfs.parse_flags(b"pos:\t0\nflags:\t02102001\nmnt_id:\t25\n") == 0o2102001
    assert procfs.parse_flags(b"") == procfs.parse_flags(b"flags:\tnonsense\n") == 0
