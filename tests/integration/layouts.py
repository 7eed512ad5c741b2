# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How instances lie on hosts: builders of real directories and processes of several users, for tables of layouts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Sequence

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tools"), str(HERE.parent / "fleet")]

from integration.stopping import PRELUDE, Actor, start_of, within
from mariadb import free_port

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import plan as _start_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.verified_start import defaults
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import stop as _stop

WWW, TENANT, DEPLOY = 33, 65534, 1234
STOP = {"timeout": 30.0, "idle_timeout": 5.0, "quiet_timeout": 120.0, "migration_timeout": 3600.0, "force": "idle"}
Row = dict[str, Any]


def give(path: Path, uid: int) -> None:
    """The whole tree to one user."""
    for directory, names, files in os.walk(path):
        for name in [directory, *(os.path.join(directory, name) for name in names + files)]:
            os.chown(name, uid, uid, follow_symlinks=False)


def as_user(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []


class Scene:
    """One layout below `place`, which root alone writes. `pids`: all that runs; `site`: the process that serves."""

    def __init__(self, place: Path) -> None:
        self.place, self.base, self.dir = place, place / "state", place / "www" / "shop"
        self.pids: list[int] = []
        self.site = 0
        self.port = free_port()
        self.made: list[Path] = []  # outside of the place

    def install(self, directory: Path | None = None, uid: int = WWW, files: int | None = None) -> Path:
        """An install directory of `uid`. With `files` these own config.json, data/ and running.log in it."""
        actor = Actor(directory or self.dir, port=self.port)
        (actor.dir / "data").mkdir(exist_ok=True)
        (actor.dir / "running.log").touch()
        give(actor.dir, uid)
        actor.binary.chmod(0o755)
        for name in ("config.json", "data", "running.log") if files is not None else ():
            os.chown(actor.dir / name, files or 0, files or 0)
        return actor.dir

    def code(self, serves: bool = True) -> str:
        return PRELUDE + (f"serve({self.port}, '3.5.8')\n" if serves else "") + "time.sleep(600)"

    def run(
        self,
        uid: int,
        path: Path | str | None = None,
        cwd: Path | None = None,
        before: Sequence[object] = (),
        serves: bool = True,
        arguments: Sequence[str] = (),
        program: Path | None = None,
    ) -> int:
        """Execute the instance's path, or `path`, as a user; its pid, when it serves. `before`: a wrapper that execs.

        As an orphan with running.log as its output. `program`: what to execute in its place, with `arguments`.
        """
        cwd = cwd or self.dir
        words = [*before, *as_user(uid), str(program or path or self.dir / "anqicms")]
        words += list(arguments) if program else ["-c", self.code(serves), *arguments]
        log = self.dir / "running.log"
        with open(log if log.exists() else os.devnull, "ab") as log_file:
            process = subprocess.Popen(
                [str(word) for word in words], cwd=cwd, env=Actor.environment(), stdout=log_file, stderr=log_file,
                stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        self.pids.append(process.pid)
        first = str(program or path or self.dir / "anqicms")
        is_there = self._listens if serves else lambda: bool(before) or runs(process.pid, first)
        assert within(20, lambda: is_there() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        return process.pid

    def _listens(self) -> bool:
        return subprocess.run(["ss", "-Htln", f"sport = :{self.port}"], check=True, capture_output=True).stdout != b""

    def close(self) -> None:
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        for path in self.made:
            shutil.rmtree(path, ignore_errors=True)


def runs(pid: int, program: str) -> bool:
    """Whether it has come to the program, through the wrappers before it."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode() == program


# --- what the collection says and does, here or as another user in a process of its own


def look(scene: Scene, directory: Path, user: Any = None, record: bool = False) -> Row:
    return dict(describe.describe(resolve(str(directory)), base=str(scene.base), record=record, user=user))


def context_of(base: Path, directory: Path, user: Any = None) -> Context:
    instance = resolve(str(directory))
    return Context(instance, state.StateDir(instance, str(base)), user=user)


def stop(base: Path, directory: Path, user: Any = None) -> Row:
    try:
        context = context_of(base, directory, user)
        try:
            return dict(_stop.stop(context, STOP))
        finally:
            context.close()
    except LifecycleError as error:
        return {**error.result, "stopped": False, "msg": error.msg}


def start(base: Path, directory: Path, user: Any = None) -> Row:
    """What a start would do, or why it is refused."""
    try:
        context = context_of(base, directory, user)
        try:
            return dict(_start_plan.plan(context, {**defaults(), "user": user}))
        finally:
            context.close()
    except LifecycleError as error:
        return {**error.result, "msg": error.msg}


def elsewhere(what: str, base: Path, directory: Path, before: Sequence[str] = (), uid: int = 0) -> Row:
    """`look`, `stop` or `start` in a process of its own: behind a command, as another user."""
    words = [*before, *as_user(uid), sys.executable, __file__, what, str(base), str(directory)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def alive(pid: int) -> bool:
    return start_of(pid) is not None


def main() -> None:
    what, base, directory = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if what == "look":
        print(json.dumps(describe.describe(resolve(str(directory)), base=str(base))))
    else:
        print(json.dumps({"stop": stop, "start": start}[what](base, directory)))


if __name__ == "__main__":
    main()
