# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs that are none, and a user who may not look: oom_check never breaks, and never says 'no' for want of evidence."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import kernel_lines
import paths
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.noon import DAY, KILLED, Noon, guard, kern, local, running, write

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes

NOBODY = 65534
FELL = ("12:01:01", "0")
AGAIN = "12:01:02"
SPARSE = 2 << 30


def sparse(path: Path) -> None:
    """2 GiB of the holes that a power cut or a copytruncate leaves, with a line at each end."""
    with path.open("wb") as log:
        log.write(b"Jan 31 01:00:00 web1 kernel: eth0\n")
        log.seek(SPARSE)
        log.write(b"\nJan 31 22:00:00 web1 kernel: eth0\n")


BAD: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 4096),
    "nuls": lambda path: path.write_bytes(b"\0" * (1 << 20)),
    "one long line": lambda path: path.write_bytes(b"x" * (8 << 20)),
    "cut": lambda path: path.write_bytes(b"20260131 12:0"),
    "a directory": lambda path: path.mkdir(),
    "a FIFO": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "2 GiB": sparse,
}


@pytest.fixture
def noon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Noon:
    return Noon(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """No case takes long, or much memory."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.monotonic() - began < 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def bad(path: Path, kind: str) -> None:
    BAD[kind](path)
    if path.is_file():
        os.utime(path, (local("23:00:01"),) * 2)


@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_bad_log_of_the_kernel(noon: Noon, kind: str) -> None:
    noon.tell(None, guard(FELL), running(noon.dir, AGAIN))
    bad(noon.root / "kern.log", kind)
    found = noon.check()
    if kind == "2 GiB":  # it has lines of the kernel at both ends, and no kill between them
        assert found["verdict"] == "no"
    else:
        assert (found["verdict"], found["cause"]) == ("unknown", "unexplained")
        (entry,) = [row for row in found["coverage"] if row["source"] == "kern.log"]
        assert entry["why_not"] and entry["from"] is None and not entry["complete"]


@pytest.mark.parametrize("name", ["check.log", "running.log"])
@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_bad_log_of_the_instance(noon: Noon, kind: str, name: str) -> None:
    """The other one still says that it died, and the kernel's that it was killed."""
    noon.tell(kern(("12:00:20", KILLED)), guard(FELL), running(noon.dir, AGAIN))
    (noon.dir / name).unlink()
    bad(noon.dir / name, kind)
    found = noon.check()
    assert (found["verdict"], found["cause"]) == ("confirmed", "kernel_oom_global")
    assert [incident["pid"] for incident in found["incidents"] if incident["verdict"] == "confirmed"] == [4711]


@pytest.mark.parametrize("kind", sorted(set(BAD) - {"2 GiB"}))
def test_bad_logs_everywhere(noon: Noon, kind: str) -> None:
    for path in (noon.root / "kern.log", noon.dir / "check.log", noon.dir / "running.log"):
        bad(path, kind)
    assert noon.check()["verdict"] == "unknown"
    given = {name: str(noon.root / "given") for name in ("check_log", "running_log")}
    bad(noon.root / "given", kind)
    assert noon.check(**given)["verdict"] == "unknown"


def test_nuls_of_a_power_cut_in_all_logs(noon: Noon) -> None:
    """Blocks of them amid the lines."""

    def cut(text: str) -> bytes:
        lines = text.encode().splitlines(keepends=True)
        return b"".join(lines[:-2]) + b"\0" * 4096 + b"".join(lines[-2:])

    noon.tell(cut(kern(("12:00:20", KILLED))), cut(guard(FELL)), cut(running(noon.dir, AGAIN)))
    found = noon.check()
    assert (found["verdict"], [incident["pid"] for incident in found["incidents"]]) == ("confirmed", [4711])


@pytest.mark.parametrize(
    "zone, since, until, verdict",
    [
        ("Asia/Shanghai", "12:00:00", "22:00:00", "confirmed"),
        ("Asia/Shanghai", "04:00:00Z", "14:00:00Z", "confirmed"),
        ("Asia/Shanghai", "12:00:00Z", "14:00:00Z", "no"),
        ("America/New_York", "17:00:00+00:00", "22:00:00Z", "confirmed"),
    ],
)
def test_times_without_a_zone_are_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, since: str, until: str, verdict: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        noon = Noon(tmp_path, patch)
        noon.tell(kern(("12:00:20", KILLED)), guard(FELL), running(noon.dir, AGAIN))
        assert noon.check(since=f"{DAY}T{since}", until=f"{DAY}T{until}")["verdict"] == verdict
    time.tzset()


# --- anything in all three logs

KERNEL = [line for said in kernel_lines.FORMS.values() for line in said.lines]
OWN = [
    line.encode()
    for line in (
        "panic: x",
        "goroutine 7 [running]:",
        "fatal error: runtime: out of memory",
        "退出 terminated",
        "监听到退出信号",
        "监听到路由更改",
        "2026/01/31 12:00:10 a line",
        "2026/01/31 12:0",
        "Now listening on: x",
        "端口已经被占用，可能软件已经启动",
    )
]
GUARD = [
    b"20260131 12:00:01 anqicms PID check: 1",
    b"20260131 12:01:01 anqicms PID check: 0",
    b"20260131 12:00:30 anqicms PID check: 47114712",
    b"20260131 12:01:",
    b"anqicms NOT running",
]
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([*KERNEL, *OWN, *GUARD, b"\0" * 100, b"\r"]),
    st.sampled_from(KERNEL).map(lambda line: b"Jan 31 12:00:20 web1 kernel: " + line[: len(line) // 2]),
)


def seldom_broken(pieces: list[bytes]) -> bytes:
    """Pieces with a line break after most of them: lines that are cut, and lines that run into each other."""
    return b"".join(piece + (b"" if len(piece) % 7 == 0 else b"\n") for piece in pieces)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=12))
def test_anything_in_all_logs(noon: Noon, kernel: list[bytes], guards: list[bytes], own: list[bytes]) -> None:
    """No line names an anqicms as killed, so nothing is confirmed; and no answer that the table of verdicts has not."""
    noon.tell(*(seldom_broken(pieces) for pieces in (kernel, guards, own)))
    found = noon.check()
    assert found["verdict"] in causes.VERDICTS[found["cause"]]
    named = any(b"anqicms" in piece and b"il" in piece for piece in kernel)
    assert found["verdict"] != "confirmed" or named, found
    if found["verdict"] == "no" and not any(row["verdict"] == "no" for row in found["incidents"]):
        assert any(row["complete"] for row in found["coverage"]), "said for want of evidence"


# --- an ordinary user


# All is imported before the rights are dropped: the user may not be allowed to read this Python.
AS_USER = (
    "import os; from ansible_collections.anqicms.lifecycle.plugins.modules import oom_check\n"
    "user = int(os.environ['ASK_AS'])\n"
    "if user >= 0: os.setgroups([]); os.setgid(user); os.setuid(user)\n"
    "oom_check.main()"
)


def ask(user: int | None, **options: Any) -> tuple[int, dict[str, Any]]:
    env = dict(os.environ, PYTHONPATH=str(paths.link_tree()), ASK_AS=str(-1 if user is None else user))
    done = subprocess.run(
        [sys.executable, "-c", AS_USER],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        env=env,
        text=True,
        capture_output=True,
        check=False,
        cwd="/",
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, dict(json.loads(done.stdout))


@pytest.mark.root
def test_an_ordinary_user_is_told_what_to_grant(place: Path) -> None:
    """It died just now: neither dmesg, nor the journal, nor the log of the kernel may be read."""
    if subprocess.run(["dmesg"], user=NOBODY, extra_groups=[], capture_output=True, check=False).returncode == 0:
        pytest.skip("every user may read the log of this kernel")
    directory = place / "shop"
    directory.mkdir()
    (place / "state").mkdir()
    for name in ("shop", "state"):
        os.chown(place / name, NOBODY, NOBODY)
    kernel = place / "kern.log"
    kernel.write_text("Jan 31 01:00:00 web1 kernel: eth0\n")
    kernel.chmod(0o600)
    stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(time.time() - 5))
    (directory / "running.log").write_text(f"{stamp} {directory}/\nNow listening on: http://localhost:8001\n")
    os.chown(directory / "running.log", NOBODY, NOBODY)
    options = dict(
        dir=str(directory),
        state_dir=str(place / "state"),
        since=str(time.time() - 60),
        kernel_logs=[str(kernel)],
        counters=False,
    )
    status, found = ask(NOBODY, **options)
    assert (status, found["verdict"], found["cause"]) == (0, "unknown", "unexplained"), found
    told = {row["source"]: row["why_not"] for row in found["coverage"]}
    assert "adm" in told["kern.log"]
    assert "CAP_SYSLOG" in told["kmsg"]
    assert any("CAP_SYSLOG" in text for text in found["advice"])


def test_since_after_until_is_a_plain_failure(tmp_path: Path) -> None:
    status, found = ask(None, dir=str(tmp_path), since=f"{DAY}T12:00:00", until=f"{DAY}T11:00:00")
    assert status == 1 and found["failed"] and "Swap the two" in found["msg"]


def test_a_container_without_logs_of_the_host(noon: Noon) -> None:
    noon.contained()
    noon.tell(None, guard(FELL), running(noon.dir, AGAIN))
    noon.options["kernel_logs"] = [str(noon.root / "none" / "kern.log")]
    noon.journalctl('echo "No journal files were found." >&2')
    found = noon.check()
    assert (found["verdict"], found["cause"]) == ("unknown", "unexplained")


def test_a_log_amid_which_reading_fails_is_said(noon: Noon) -> None:
    write(noon.root / "kern.log.1.gz", b"\x1f\x8b\x08\0 and no more")
    noon.tell(kern().split("\n")[1] + "\n", guard(FELL), running(noon.dir, AGAIN))
    assert noon.check()["verdict"] == "unknown"
