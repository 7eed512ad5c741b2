# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host on the day around a noon, told by its logs: check.log, running.log, kernel log, journal, ring, counters.

Everything is written to files and read by the whole of oom_check. What this machine itself knows is kept out.
"""

from __future__ import annotations

import functools
import json
import os
import time
from pathlib import Path
from typing import Any, Sequence

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import check as _oom_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import containers as _containers
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import counters as _oom_counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import sources as _death_sources
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import subject as _oom_subject
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Other
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.log_time import Clocks
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.system_logs import Reading
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lives as _lives
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

Result = dict[str, Any]
DAY = "2026-01-31"
BEGIN = "Now listening on: http://localhost:8001\nApplication started. Press CTRL+C to shut down.\n"
SIZES = "total-vm:812404kB, anon-rss:655120kB, file-rss:0kB, shmem-rss:0kB"
KILLED = f"Out of memory: Killed process 4711 (anqicms) {SIZES}"
TICKS = os.sysconf("SC_CLK_TCK")


def local(clock: str, day: str = DAY) -> float:
    return time.mktime(time.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%S"))


def kern(*rows: tuple[str, str]) -> str:
    """Lines of a kern.log that spans the day; rows are time and message."""
    noise = [("00:00:10", "eth0: link up"), ("23:00:00", "eth0: link down")]
    return "".join(
        f"Jan 31 {clock} web1 kernel: [{int(local(clock)) % 100000:5d}.123456] {text}\n"
        for clock, text in sorted([*noise, *rows], key=lambda row: row[0])
    )


def guard(*rows: tuple[str, str], usual: str = "1") -> str:
    """Lines of a check.log: the usual count each minute from 11:00 on, but what rows say."""
    said = {f"11:{minute:02d}:01": usual for minute in range(60)}
    said.update({f"12:{minute:02d}:01": usual for minute in range(60)})
    said.update(rows)
    return "".join(f"20260131 {clock} anqicms PID check: {count}\n" for clock, count in sorted(said.items()))


def running(directory: Path, *lines: str) -> str:
    """A log of one process from 01:00 on; lines that are a time begin another process."""
    text = f"2026/01/31 01:00:00 {directory}/\n{BEGIN}2026/01/31 11:59:50 finished convert to webp\n"
    for line in lines:
        is_time = len(line) == 8 and line[2] == ":"
        text += f"2026/01/31 {line} {directory}/\n{BEGIN}" if is_time else line + "\n"
    return text + "2026/01/31 13:00:00 google-status 200\n"


def write(path: Path, text: str | bytes, clock: str = "23:00:01", day: str = DAY) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (local(clock, day), local(clock, day)))


class Noon:
    """``dir``: of the instance; ``root``: where the host's own logs are."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.dir, self.patch = root, root / "shop.example", monkeypatch
        self.dir.mkdir()
        self.binary = "anqicms"
        self.options: Result = dict(
            since=f"{DAY}T09:00:00",
            until=f"{DAY}T15:00:00",
            pid=None,
            check_log=None,
            running_log=None,
            kernel_logs=[str(root / "kern.log")],
            journal=False,
            counters=False,
        )
        self.others()
        self.no_ring("not asked here")
        docker = functools.partial(_containers.read, program=str(root / "bin" / "docker"))
        monkeypatch.setattr(_containers, "read", docker)
        monkeypatch.setattr(_death_sources, "read_pstore", functools.partial(_death_sources.read_pstore, ()))

    def tell(
        self, kernel: str | bytes | None = None, guards: str | bytes | None = None, own: str | bytes | None = None
    ) -> None:
        for path, text in (
            (self.root / "kern.log", kernel),
            (self.dir / "check.log", guards),
            (self.dir / "running.log", own),
        ):
            if text is not None:
                write(path, text)

    def check(self, **options: Any) -> Result:
        instance = resolve(str(self.dir), self.binary)
        context = Context(instance, _state.StateDir(instance, str(self.root / "state")))
        try:
            found = _oom_check.check(context, {**self.options, **options})
        finally:
            context.close()
        json.dumps(found)
        return found

    # --- what else is known

    def others(self, *others: Other) -> None:
        self.patch.setattr(_oom_subject, "others", lambda *_: others)

    def contained(self) -> None:
        self.patch.setattr(_oom_subject, "is_contained", lambda: True)

    def alive(self, pid: int, begin: str, cgroup: str | None = None) -> None:
        now = Life(pid, local(begin), time.time(), True, 0, cgroup)
        self.patch.setattr(_lives, "running_lives", lambda _candidates: [now])

    def history(self, *lives: tuple[int, str, str], cgroup: str = "/", uid: int = 0) -> None:
        """Processes that were met: pid, its begin, and when it was last seen."""
        state = _state.StateDir(resolve(str(self.dir), self.binary), str(self.root / "state"))
        state.make()
        rows = [
            dict(
                pid=pid,
                start_ticks=100 * TICKS,
                boot_id="a",
                at=local(seen),
                uid=uid,
                monotonic=local(seen) - local(begin) + 100,
                cgroups={"memory": cgroup},
            )
            for pid, begin, seen in lives
        ]
        path = Path(state.path, "history.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        path.chmod(0o600)

    def signals(self, *rows: tuple[str, str, int], by: str | None = None) -> None:
        """What this collection sent: clock, signal and pid. ``by``: the task; without it, each pid has a run."""
        state = _state.StateDir(resolve(str(self.dir), self.binary), str(self.root / "state"))
        state.make()
        entries: list[Result] = []
        for clock, name, pid in rows:
            entry = dict(event="signal", signal=name, pid=pid, at=local(clock), monotonic=1.0, format=1)
            if by:
                entries.append({**entry, "by": by})
                continue
            if not entries or entries[-2].get("pid") != pid:
                entries.append(dict(event="begin", run_id=f"run-{pid}", at=local(clock), monotonic=1.0))
            else:
                entries.pop()
            entries += [{**entry, "run_id": f"run-{pid}"}, dict(event="end", outcome="done", at=local(clock))]
        path = Path(state.path, "journal.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in entries))
        path.chmod(0o600)

    def counters(self, kills: int, booted: str = "00:30:00") -> None:
        proc = self.root / "proc"
        proc.mkdir(exist_ok=True)
        (proc / "vmstat").write_text(f"pgfault 7\noom_kill {kills}\n")
        (proc / "stat").write_text(f"cpu 1 2\nbtime {int(local(booted))}\n")
        self.patch.setattr(_oom_counters, "read_host", functools.partial(_oom_counters.read_host, str(proc)))
        self.options["counters"] = True

    # --- the ring of the kernel

    def no_ring(self, why: str) -> None:
        self.patch.setattr(_death_sources, "read_kmsg", lambda *_: _death_sources.unread("kmsg", why))
        self.patch.setattr(_death_sources, "read_dmesg", lambda *_: _death_sources.unread("dmesg", why))

    def ring(self, *rows: tuple[str, str], facility: int = 0, first: int = 0, slept: float = 0.0) -> None:
        """Records as /dev/kmsg gives them, read at 23:00 of a host that booted at 00:00."""
        end, boot = local("23:00:00"), local("00:00:00")
        records = [
            b"%d,%d,%d,-;%s\n" % (facility * 8 + 3, number, (local(clock) - boot) * 1e6, text.encode())
            for number, (clock, text) in enumerate([("00:00:01", "eth0: up"), *rows], first)
        ]
        if first:
            del records[0]

        def read_kmsg(since: float, until: float) -> Reading:
            left = list(records)

            def read() -> bytes:
                if not left:
                    raise BlockingIOError
                return left.pop(0)

            return _death_sources.ring_of(read, since, until, Clocks(end, end - boot, end - boot + slept))

        self.patch.setattr(_death_sources, "read_kmsg", read_kmsg)

    # --- a container engine

    def docker(self, *containers: Result) -> None:
        (self.root / "containers").write_text(json.dumps(containers))
        (self.root / "ids").write_text("".join(each["Id"] + "\n" for each in containers))
        self._program("docker", f'cd {self.root}; case "$1" in ps) cat ids;; *) cat containers;; esac')

    # --- the journal

    def journal(self, *rows: tuple[str, Any, dict[str, str]], span: Sequence[str] = ("00:00:10", "23:00:00")) -> None:
        """A journalctl that answers as the real one: rows are time, message, and fields that are not the kernel's."""
        ends = [_record(clock, "eth0: link", {}) for clock in span]
        found = [_record(*row) for row in rows]
        for name, records in (("first", ends[:1]), ("last", ends[1:]), ("found", found)):
            (self.root / name).write_text("".join(json.dumps(record) + "\n" for record in records))
        self.journalctl(f'cd {self.root}; case "$*" in *--since*) cat found;; *"-n 1"*) cat last;; *) cat first;; esac')

    def journalctl(self, script: str) -> None:
        program = self._program("journalctl", script)
        self.patch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        self.options["journal"] = True

    def _program(self, name: str, script: str) -> Path:
        program = self.root / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n" + script + "\n")
        program.chmod(0o755)
        return program


def _record(clock: str, message: Any, fields: dict[str, str]) -> Result:
    kernel = dict(_TRANSPORT="kernel", SYSLOG_FACILITY="0") if "_PID" not in fields else dict(_TRANSPORT="journal")
    return dict(
        __REALTIME_TIMESTAMP=str(int(local(clock) * 1e6)),
        MESSAGE=message,
        __CURSOR=f"s={clock}",
        _BOOT_ID="0123456789abcdef0123456789abcdef",
        **kernel,
        **fields,
    )
