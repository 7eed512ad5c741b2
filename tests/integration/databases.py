# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of dumps and restores share: a small database of a site, and its exact state.

As a script it copies tables or restores a dump, and kills itself at a chosen moment, as its JSON argument says (see
`dying` and `dying_at_statement`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tools"), str(HERE.parent / "fleet")]

import paths
from instance import Instance
from mariadb import MariaDB

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import (
    client,
    dump,
    dump_manifest,
    restore,
    shadow,
    texts,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import content as facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Target

USER, PASSWORD = "shop", "pa\"ss'w#r\\d; ü $1 `x` %s"
SECRET = "eight-rights-only-1"  # the password of the user of an instance
TEXTS = ("标题 \U0001f600", "quote ' and \" and \\ and \x00 zero", "line\r\nbreak\ttab", "-- Dump completed", "\\! id")


_ID = "id int unsigned AUTO_INCREMENT PRIMARY KEY"


def make_shop(db: MariaDB, name: str, user: str = USER, password: str = PASSWORD) -> None:
    """A database with what makes dumps go wrong, and a user with the eight rights on it."""
    db.run(f"CREATE DATABASE `{name}` DEFAULT CHARACTER SET utf8mb4")
    db.give(user, password, name)
    for statement in (
        f"CREATE TABLE archives ({_ID}, title varchar(190), deleted_at datetime(3), flag set('c','h'), KEY (title))",
        f"CREATE TABLE archive_data ({_ID}, content longtext, deleted_at datetime(3))",
        "CREATE TABLE settings (`key` varchar(190) PRIMARY KEY, value longtext)",
        f"CREATE TABLE admins ({_ID}, user_name varchar(32), password varchar(128))",
        f"CREATE TABLE statistics ({_ID}, url varchar(250)) ENGINE=MyISAM",
        "CREATE TABLE `with a comma, 表; x` (id int, `order` int)",
        "CREATE TABLE empty_one (id int AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT=77",
        "INSERT INTO admins VALUES (1, 'admin', '$2a$10$abc')",
        """INSERT INTO settings VALUES ('system', '{"base_url":"http://shop.example","site_name":"店"}')""",
        "INSERT INTO statistics (url) VALUES ('/a'), ('/b')",
    ):
        db.run(statement, name)
    texts = [(number, text.encode().hex()) for number, text in enumerate(TEXTS * 40)]
    db.run("INSERT INTO archives (id, title) VALUES " + ",".join(f"({n + 1}, x'{text}')" for n, text in texts), name)
    db.run(
        "INSERT INTO archive_data (id, content) VALUES "
        + ",".join(f"({n + 1}, REPEAT(x'{text}', {n * 20}))" for n, text in texts),
        name,
    )
    db.run("DELETE FROM archives WHERE id > 198", name)  # its next id stays 201
    db.run("UPDATE archives SET deleted_at = NOW() WHERE id < 4", name)


def configure(instance: Instance, **mysql: Any) -> None:
    path = instance.dir / "config.json"
    values = json.loads(path.read_text())
    values["mysql"].update(mysql)
    path.write_text(json.dumps(values))


def login(db: MariaDB, name: str, user: str = USER, password: str = PASSWORD) -> texts.Login:
    return texts.Login(Target("127.0.0.1", db.port), user, password, name)


def session(db: MariaDB, name: str, programs: client.Programs | None = None, **given: Any) -> client.Session:
    return client.Session(programs or client.find(), login(db, name, **given))


def damage(db: MariaDB, name: str) -> None:
    """What a new version may do to it."""
    for statement in (
        "UPDATE archives SET title = 'x' WHERE id = 5",
        "DROP TABLE statistics",
        "CREATE TABLE new_one (id int)",
        "INSERT INTO new_one VALUES (1)",
        "ALTER TABLE archives DROP COLUMN flag, MODIFY id bigint AUTO_INCREMENT",
        "INSERT INTO archives (title) VALUES ('later')",
        "DELETE FROM settings",
    ):
        db.run(statement, name)


def state(db: MariaDB, name: str) -> dict[str, tuple[Any, ...]]:
    """Each table: its definition and its checksum, seen by somebody who may see all."""
    names = [
        str(row[0])
        for row in db.run("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()", name)
    ]
    checksums = [row[1] for row in db.run("CHECKSUM TABLE " + ", ".join(f"`{one}`" for one in names), name)]
    return {
        one: (db.run(f"SHOW CREATE TABLE `{one}`", name)[0][1], checksum) for one, checksum in zip(names, checksums)
    }


def taken(session: client.Session, directory: Path, compression: str = "none", **given: Any) -> dump_manifest.Manifest:
    directory.mkdir(mode=0o700, exist_ok=True)
    seen = facts.look(session)
    return dump.take(dump.Wanted(session, seen, str(directory), 1, "/", "key", compression, **given), 60.0)


def record(directory: Path) -> shadow.Record:
    return shadow.record_of(str(directory), "key")


def copied(session: client.Session, directory: Path, **given: Any) -> dump_manifest.Manifest:
    """A dump that is copies inside the database."""
    directory.mkdir(mode=0o700, exist_ok=True)
    seen = facts.look(session)
    wanted = dump.Wanted(session, seen, str(directory), 1, "/", "key", "none", **given)
    return shadow.take(wanted, record(directory), 60.0)


def restored(session: client.Session, directory: Path) -> dict[str, Any]:
    manifest, own = dump_manifest.read(str(directory), 1), shadow.is_of(record(directory), str(directory))
    return restore.restore(session, str(directory), manifest, restore.Journal(str(directory), "key"), 60.0, shadows=own)


def dying(
    db: MariaDB, name: str, directory: Path, at: int, recovering: bool = False
) -> subprocess.CompletedProcess[str]:
    """A restore in a process that kills itself before its step `at`: a write of the journal or a start of a client.

    With a negative number it dies 20 ms after that step has begun. It prints the steps.
    """
    argument = json.dumps(dict(port=db.port, name=name, directory=str(directory), at=at, recovering=recovering))
    return subprocess.run(
        [sys.executable, __file__, argument],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def dying_at_statement(db: MariaDB, name: str, directory: Path, at: int, what: str) -> subprocess.CompletedProcess[str]:
    """The same before the statement `at` that changes tables, or before that write of a record of ours.

    `what`: copy, restore or recover.
    """
    argument = json.dumps(dict(port=db.port, name=name, directory=str(directory), at=at, what=what))
    return subprocess.run(
        [sys.executable, __file__, argument],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def without_copies(found: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    return {one: table for one, table in found.items() if not one.startswith(facts.SHADOW)}


class _AtStatement:
    """Counts what changes something, and kills this process before one."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def install(self) -> None:
        queries, add, write, forget, noted = (
            client.Session.queries,
            restore.Journal.add,
            shadow.Record.write,
            shadow.Record.forget,
            dump_manifest.write,
        )

        def querying(session: client.Session, statements: Any, *args: Any, **given: Any) -> Any:
            for number, one in enumerate(statements):
                if one.split()[0] in ("CREATE", "ALTER", "INSERT", "RENAME", "DROP"):
                    self.step(one, lambda number=number: queries(session, statements[:number]))
            return queries(session, statements, *args, **given)

        def before(what: str, original: Any) -> Any:
            def call(*args: Any, **given: Any) -> Any:
                self.step(what)
                return original(*args, **given)

            return call

        for owner, method, original in (
            (client.Session, "queries", querying),
            (restore.Journal, "add", before("journal", add)),
            (shadow.Record, "write", before("record", write)),
            (shadow.Record, "forget", before("forget", forget)),
            (dump_manifest, "write", before("manifest", noted)),
        ):
            setattr(owner, method, original)

    def step(self, name: str, first: Any = lambda: None) -> None:
        self.count += 1
        print(self.count, name.split(maxsplit=1)[0], flush=True)
        if self.count == self.at:
            first()
            os.kill(os.getpid(), signal.SIGKILL)


class _Dying:
    """Counts steps, and kills this process at one."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def install(self) -> None:
        run, add = client.Session.run, restore.Journal.add

        def running(session: client.Session, argv: Any, *args: Any, **given: Any) -> client.Running:
            self.step("client")
            found = run(session, argv, *args, **given)
            self.begun()
            return found

        def adding(journal: restore.Journal, state: str, **data: Any) -> None:
            self.step(state)
            add(journal, state, **data)

        client.Session.run = running  # type: ignore[method-assign,assignment]
        restore.Journal.add = adding  # type: ignore[method-assign,assignment]

    def step(self, name: str) -> None:
        self.count += 1
        print(self.count, name, flush=True)
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def begun(self) -> None:
        if self.count == -self.at:
            import time

            time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    given = json.loads(sys.argv[1])
    (_AtStatement if "what" in given else _Dying)(given["at"]).install()
    target = Target("127.0.0.1", given["port"])
    with client.Session(client.find(), texts.Login(target, USER, PASSWORD, given["name"])) as one:
        if given.get("what") == "copy":
            print(copied(one, Path(given["directory"])))
        elif given.get("recovering") or given.get("what") == "recover":
            print(restore.recover(one, restore.Journal(given["directory"], "key")))
        else:
            print(restored(one, Path(given["directory"])))


if __name__ == "__main__":
    main()
