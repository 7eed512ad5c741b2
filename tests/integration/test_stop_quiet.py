# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""graceful_stop waits for the application's own backups and restores, and refuses what does not end."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import windows
from instance import Instance, make_instance
from integration.stopping import Actor, directories, gone, signals_of, stop, within
from mariadb import MariaDB, free_port

from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.run import Run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import quiet

VERSIONS = ["2.5.3", "3.3.11", "3.5.8"]

# serve() and a file that is held open for some seconds; what is seen of it and of SIGTERM stands in `events`
HOLDER = """
def event(name):
    with open('events', 'a') as out:
        out.write('%%s %%.4f\\n' %% (name, time.monotonic()))
def terminated(number, frame):
    event('SIGTERM')
    os._exit(0)
signal.signal(signal.SIGTERM, terminated)
serve(%(port)d, %(version)r)
def hold(path, flags, seconds):
    fd = os.open(path, flags, 0o600)
    event('open')
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            os.write(fd, b'x' * 65536)
        time.sleep(0.02)
    event('closed')
    os.close(fd)
%(body)s
ready()
while True:
    time.sleep(600)
"""


@pytest.fixture
def www(tmp_path: Path) -> Iterator[Path]:
    yield from directories(tmp_path / "www")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "state"


class Holder(Actor):
    """An instance that backs up or restores for some seconds."""

    def __init__(self, directory: Path, version: str = "3.5.8") -> None:
        super().__init__(directory, version, free_port())
        self.version, self.pid = version, 0

    def backup(self, name: str = "20261126120000.sql", root: Path | None = None) -> Path:
        """A file of the backup page."""
        path = (root or self.dir) / "data" / "backup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("INSERT INTO `archives` VALUES\n(1);\n")
        return path

    def run(self, body: str) -> int:
        self.pid = self.start(HOLDER % {"port": self.port, "version": self.version, "body": body})
        return self.pid

    def hold(self, path: Path | str, seconds: float, flags: int = os.O_RDONLY, wait: str = "open") -> int:
        pid = self.run(f"threading.Thread(target=hold, args=({os.fspath(path)!r}, {flags}, {seconds})).start()")
        assert within(5, lambda: wait in self.events())
        return pid

    def events(self) -> dict[str, float]:
        try:
            lines = (self.dir / "events").read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {name: float(at) for name, at in (line.split() for line in lines)}


@pytest.fixture
def holder(www: Path) -> Holder:
    return Holder(www / "shop.example")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("flags,kind", [(os.O_RDONLY, "restore"), (os.O_RDWR | os.O_TRUNC, "backup")])
def test_it_ends_before_the_signal(www: Path, base: Path, version: str, flags: int, kind: str) -> None:
    holder = Holder(www / "shop.example", version)
    path = holder.backup()
    pid = holder.hold(path, 1.5, flags)
    texts: list[str] = []
    result = stop(holder.dir, base, progress=texts.append)
    events = holder.events()
    assert result["stopped"] and gone(pid) and signals_of(result)[0] == "SIGTERM", result
    assert events["SIGTERM"] > events["closed"]
    assert result["quiet"]["files"] == [{"path": str(path), "kind": kind}] and result["quiet"]["known"]
    assert 500 < result["quiet"]["waited_ms"] <= result["waited_ms"]
    assert any(f"the end of the {kind}" in text and str(path) in text and "MiB" in text for text in texts), texts


def test_nothing_to_wait_for(holder: Holder, base: Path) -> None:
    """Other files below data/, and backups that somebody else reads, hold nothing up."""
    other = holder.backup("20261126120000.sql.gz")
    with open(holder.backup()):
        holder.hold(other, 60)
        result = stop(holder.dir, base)
    assert result["stopped"] and result["quiet"] == {"waited_ms": 0, "files": [], "known": True}
    again = stop(holder.dir, base)
    assert again["exit_kind"] == "already_stopped" and again["quiet"] == result["quiet"]


@pytest.mark.parametrize("force", ["never", "idle", "timeout"])
@pytest.mark.parametrize("seconds", [0, 0.5])
def test_refused_when_it_does_not_end(holder: Holder, base: Path, force: str, seconds: float) -> None:
    path = holder.backup()
    pid = holder.hold(path, 60)
    begin = time.monotonic()
    result = stop(holder.dir, base, quiet_timeout=seconds, force=force)
    assert result["failed"] and result["pid"] == pid and not gone(pid)
    assert time.monotonic() - begin >= seconds
    assert "SIGTERM" not in holder.events()
    for text in (str(path), f"pid {pid} ", "a restore from this file", "a download of it",
                 "Nothing was signalled", "quiet_timeout", "force does not override this"):  # fmt: skip
        assert text in result["msg"], result["msg"]
    assert result["quiet"]["files"] == [{"path": str(path), "kind": "restore"}]
    assert result["quiet"]["waited_ms"] >= seconds * 1000


def test_refused_at_the_deadline_of_the_window(holder: Holder, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = time.monotonic() + 0.5
    monkeypatch.setattr(Run, "until", property(lambda self: end, lambda self, value: None), raising=False)
    pid = holder.hold(holder.backup(), 60, os.O_RDWR)
    begin = time.monotonic()
    result = stop(holder.dir, base)
    assert result["failed"] and not gone(pid) and time.monotonic() - begin < 20
    assert "deadline of the window" in result["msg"] and "a backup to this file" in result["msg"]


def test_a_restore_that_begins_while_requests_are_waited_for(holder: Holder, base: Path) -> None:
    """A silent client keeps the next one from being accepted. The restore begins meanwhile: the last look sees it."""
    path = holder.backup()
    holder.run(
        "def later():\n"
        "    while not os.path.exists('begin'):\n"
        "        time.sleep(0.01)\n"
        f"    hold({os.fspath(path)!r}, os.O_RDONLY, 2.5)\n"
        "threading.Thread(target=later).start()"
    )
    clients = [socket.create_connection(("127.0.0.1", holder.port)) for _unused in range(2)]

    def close() -> None:
        for client in clients:
            client.close()

    def progress(text: str) -> None:
        if "requests in flight" in text:
            threading.Timer(0.5, (holder.dir / "begin").touch).start()
            threading.Timer(1.5, close).start()

    result = stop(holder.dir, base, idle_timeout=20, progress=progress)
    events = holder.events()
    assert result["stopped"] and events["open"] < events["closed"] < events["SIGTERM"]
    assert result["quiet"]["files"] == [{"path": str(path), "kind": "restore"}] and result["requests"]["in_flight"]


def test_a_second_restore_after_the_first(holder: Holder, base: Path) -> None:
    """The time counts from the first: one after the other cannot hold a stop up for ever."""
    first, second = holder.backup("1.sql"), holder.backup("2.sql")
    body = "".join(f"    hold({os.fspath(path)!r}, os.O_RDONLY, 0.6)\n" for path in (first, second))
    holder.run(f"def both():\n  while True:\n{body}threading.Thread(target=both).start()")
    pid = holder.pid
    begin = time.monotonic()
    result = stop(holder.dir, base, quiet_timeout=3)
    # At the end of the time it is refused; a look that falls between two of them stops it. Both are right.
    assert gone(pid) if result.get("stopped") else result["failed"] and not gone(pid)
    assert time.monotonic() - begin < 20
    assert {row["path"] for row in result["quiet"]["files"]} == {str(first), str(second)}


def test_further_site_elsewhere_and_odd_names(holder: Holder, base: Path, tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/second \xff site"))
    path = holder.backup("before move.sql", root)
    pid = holder.hold(path, 60)
    result = stop(holder.dir, base, quiet_timeout=0)
    assert result["failed"] and not gone(pid) and "/second \\xff site/data/backup/before move.sql" in result["msg"]
    assert result["msg"].encode() and result["quiet"]["files"][0]["path"].encode()


def test_directories_behind_links(holder: Holder, base: Path, tmp_path: Path) -> None:
    """The kernel names the file where it is: the instance behind a link, and data/backup on another disk."""
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    (holder.dir / "data").mkdir()
    (holder.dir / "data" / "backup").symlink_to(dumps)
    link = tmp_path / "link"
    link.symlink_to(holder.dir)
    pid = holder.hold(holder.backup("x.sql", link), 60)
    result = stop(link, base, quiet_timeout=0)
    assert result["failed"] and not gone(pid)
    assert result["quiet"]["files"] == [{"path": str(dumps / "x.sql"), "kind": "restore"}]


def test_instance_info_names_it(holder: Holder, base: Path) -> None:
    def backups() -> list[str]:
        row = describe.describe(resolve(str(holder.dir)), base=str(base))
        assert all(hazard["blocks"] == [] for hazard in row["hazards"] if hazard["code"] == "backup_running")
        return [hazard["message"] for hazard in row["hazards"] if hazard["code"] == "backup_running"]

    path = holder.backup()
    holder.hold(path, 3)
    assert [f"{path} (restore)" in message for message in backups()] == [True]
    assert within(10, lambda: "closed" in holder.events()) and within(5, lambda: not backups())


# --- in a window: the options are the steps', the progress goes to whoever follows


def in_window(holder: Holder, base: Path, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """The result of a window with one stop, and its progress."""
    instance = resolve(str(holder.dir))
    context = Context(instance, state.StateDir(instance, str(base)), None)
    try:
        result = windows.wait(context, *begun(context, [{"graceful_stop": options}]))
        return result, [entry["text"] for entry in windows.journal(context) if entry["event"] == "progress"]
    finally:
        context.close()


def begun(context: Context, steps: list[dict[str, Any]]) -> tuple[Any, int]:
    plan = windows.plan_of(steps)
    return plan, windows.begin(context, plan)


def test_window_waits_and_shows_it(holder: Holder, base: Path) -> None:
    path = holder.backup()
    pid = holder.hold(path, 2.5)
    result, texts = in_window(holder, base)
    events = holder.events()
    assert result["outcome"] == "done" and gone(pid) and events["closed"] < events["SIGTERM"], result
    assert result["steps"][0]["result"]["quiet"]["files"] == [{"path": str(path), "kind": "restore"}]
    assert any(f"waiting for the end of the restore from {path}: " in text for text in texts), texts


def test_window_refuses_and_leaves_it_running(holder: Holder, base: Path) -> None:
    path = holder.backup()
    pid = holder.hold(path, 60)
    result, _unused = in_window(holder, base, quiet_timeout=0.3, force="timeout")
    assert result["failed"] and result["pid_after"] == pid and not gone(pid) and "SIGTERM" not in holder.events()
    assert "Nothing was signalled" in result["msg"] and str(path) in result["msg"]
    assert result["steps"][0]["changed"] is False and not result["changed"]


def test_deleted_meanwhile(holder: Holder, base: Path) -> None:
    path = holder.backup()
    pid = holder.hold(path, 60)
    path.unlink()
    result = stop(holder.dir, base, quiet_timeout=0)
    assert result["failed"] and not gone(pid) and f"{path} open for reading" in result["msg"]


@pytest.mark.parametrize("version", ["2.5.3", "3.3.11"])
@pytest.mark.parametrize("over", [True, False])
def test_finished_backup_that_is_still_open(www: Path, base: Path, version: str, over: bool) -> None:
    """Up to 3.4.2 the descriptor stays until the garbage collector comes; the log says that the backup is over."""
    holder = Holder(www / "shop.example", version)
    holder.backup("old.sql")
    last = "print(time.strftime('%Y/%m/%d %H:%M:%S'), 'dumping.all.done.cost[12.5ms], elapsed', flush=True)"
    pid = holder.run(
        "keep = os.open(time.strftime('data/backup/%Y%m%d%H%M%S.sql'), os.O_RDWR | os.O_CREAT)\n"
        "os.write(keep, b'INSERT')\n" + (last if over else "")
    )
    result = stop(holder.dir, base, quiet_timeout=0)
    assert bool(result.get("stopped")) is over and gone(pid) is over
    assert [row["kind"] for row in result["quiet"]["files"]] == ([] if over else ["backup"])


def test_halted_process_is_not_ended_in_its_middle(holder: Holder, base: Path) -> None:
    pid = holder.hold(holder.backup(), 60)
    os.kill(pid, signal.SIGSTOP)
    result = stop(holder.dir, base, quiet_timeout=0.3)
    assert result["failed"] and not gone(pid) and "suspended (state T)" in result["msg"]
    os.kill(pid, signal.SIGCONT)


def test_it_ends_by_itself_during_the_wait(holder: Holder, base: Path) -> None:
    pid = holder.run(
        f"threading.Thread(target=hold, args=({os.fspath(holder.backup())!r}, os.O_RDONLY, 60)).start()\n"
        "threading.Timer(1.5, os._exit, (3,)).start()"
    )
    result = stop(holder.dir, base)
    assert result["stopped"] and result["quiet"]["files"] and gone(pid)


def test_check_mode(holder: Holder, base: Path) -> None:
    path = holder.backup()
    pid = holder.hold(path, 60)
    result = stop(holder.dir, base, check=True)
    assert f"wait at most 120 s for the end of the restore from {path}, " in result["would"] and result["changed"]
    assert result["quiet"]["files"] == [{"path": str(path), "kind": "restore"}] and not gone(pid)
    assert not base.exists()


def test_descriptors_that_may_not_be_read(holder: Holder, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A security module can do that. Not known is neither a refusal nor 'nothing runs'."""

    def refused(*_unused: Any) -> Iterator[Any]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(quiet, "_descriptors", refused)
    pid = holder.hold(holder.backup(), 60)
    planned = stop(holder.dir, base, check=True)
    result = stop(holder.dir, base)
    assert planned["quiet"] == {"waited_ms": 0, "files": [], "known": False}
    assert result["stopped"] and gone(pid) and result["quiet"] == planned["quiet"]


# --- the stand-in: its own backups, restores and downloads


ARTICLES = 2000


@pytest.fixture
def shop(www: Path, db: MariaDB) -> Callable[..., Instance]:
    """A running instance with articles on a real database. Knobs as keywords."""

    def make(version: str, **knobs: Any) -> Instance:
        instance = make_instance(www / "shop.example", version, db=db, database=f"q_{os.urandom(4).hex()}")
        instance.knobs(**knobs)
        instance.start()
        rows = ",".join(f"({number},'a{number}')" for number in range(1, ARTICLES + 1))
        db.run(f"INSERT INTO `archives` (`id`,`title`) VALUES {rows}", instance.database)
        return instance

    return make


def articles(db: MariaDB, instance: Instance) -> int:
    try:
        return int(db.run("SELECT COUNT(*) FROM `archives`", instance.database)[0][0])
    except Exception:  # a restore drops the table first
        return 0


def in_background(instance: Instance, action: str, name: str = "", host: str = "") -> threading.Thread:
    """Up to 3.3.11 the answer comes at the end."""
    thread = threading.Thread(target=instance.backup, args=(action, name, host), daemon=True)
    thread.start()
    return thread


@pytest.mark.usefixtures("never_a_real_release")
@pytest.mark.parametrize("version", VERSIONS)
def test_restart_in_the_middle_of_a_restore_loses_nothing(
    shop: Callable[..., Instance], db: MariaDB, base: Path, version: str
) -> None:
    instance = shop(version, restore_ms=8000)
    pid = instance.pid
    instance.backup()
    folder = instance.dir / "data" / "backup"
    assert within(10, lambda: folder.is_dir() and any(folder.iterdir()))
    (path,) = folder.iterdir()
    assert within(10, lambda: "dumping.all.done" in instance.log_text())
    asking = in_background(instance, "restore", path.name)
    assert within(10, lambda: 0 < articles(db, instance) < ARTICLES)
    steps = [{"graceful_stop": {"idle_timeout": 0.3}}, *windows.RESTART[1:]]  # it is a request up to 3.3.11
    result = windows.run(instance, steps, base)
    asking.join(10)
    assert result["outcome"] == "done" and gone(pid) and instance.pid != pid, result
    assert articles(db, instance) == ARTICLES
    assert result["steps"][0]["result"]["quiet"]["files"] == [{"path": str(path), "kind": "restore"}]


@pytest.mark.parametrize("version", ["2.5.3", "3.5.8"])
def test_stop_in_the_middle_of_a_backup_leaves_it_whole(www: Path, base: Path, version: str) -> None:
    instance = make_instance(www / "shop.example", version)
    instance.knobs(no_database=True, backup_ms=6000)
    pid = instance.start()
    in_background(instance, "dump")
    folder = instance.dir / "data" / "backup"
    assert within(5, lambda: folder.is_dir() and any(folder.iterdir()))
    result = stop(instance.dir, base, idle_timeout=0.5)
    assert result["stopped"] and gone(pid) and result["quiet"]["waited_ms"] > 0
    assert "dumping.all.done" in instance.log_text()


def test_backup_that_is_over_does_not_hold_up_a_stop(www: Path, base: Path) -> None:
    instance = make_instance(www / "shop.example", "3.4.0")
    instance.knobs(no_database=True, dump_lingers_ms=60000)
    pid = instance.start()
    instance.backup()
    assert within(5, lambda: "dumping.all.done" in instance.log_text())
    result = stop(instance.dir, base, quiet_timeout=0)
    assert result.get("stopped") and gone(pid) and result["quiet"]["files"] == [], result


def test_slow_visitor_who_downloads_a_backup(www: Path, base: Path) -> None:
    """It looks like a restore, which the message says; with its connection it ends."""
    instance = make_instance(www / "shop.example", "3.5.8")
    pid = instance.start()
    path = instance.dir / "data" / "backup" / "big.sql"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"-" * (32 << 20))
    body = b'{"name":"big.sql"}'
    with socket.create_connection(("127.0.0.1", instance.port)) as client:
        client.sendall(
            b"POST /system/api/plugin/backup/export HTTP/1.1\r\nHost: x\r\nadmin: token\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        client.recv(1000)
        result = stop(instance.dir, base, idle_timeout=0.2, quiet_timeout=0.5)
        assert result["failed"] and not gone(pid) and instance.pid == pid
        assert f"{path} open for reading (32.0 MiB)" in result["msg"] and "a download of it" in result["msg"]
    result = stop(instance.dir, base)
    assert result["stopped"] and gone(pid)


def test_backup_of_a_further_site(www: Path, base: Path) -> None:
    instance = make_instance(www / "shop.example", "3.5.8")
    instance.knobs(no_database=True, backup_ms=6000, second_site="second.example")
    pid = instance.start()
    instance.backup(host="second.example")
    root = www / "shop.example-2"
    assert within(5, (root / "data" / "backup").is_dir)
    result = stop(instance.dir, base)
    assert result["stopped"] and gone(pid)
    assert [row["kind"] for row in result["quiet"]["files"]] == ["backup"]
    assert result["quiet"]["files"][0]["path"].startswith(f"{root}/data/backup/")
    assert "dumping.all.done" in instance.log_text()
