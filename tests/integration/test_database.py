# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module database on an instance: what it refuses before anything is done, and what it never shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest
import releases
import windows
from instance import Instance
from integration import databases
from integration.database_calls import call, refused
from integration.databases import SECRET, configure
from mariadb import MariaDB, free_port
from websites import Sites

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import access, database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client, dump_file, migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

Make = Callable[..., Instance]


def test_a_dump_and_its_restore(shop: Make, db: MariaDB) -> None:
    instance = shop()
    before = databases.state(db, instance.database)
    planned = call(instance, "dumped", check=True)
    assert planned["changed"] and planned["estimate_ms"] >= 0 and instance.database in planned["would"]
    done = call(instance, "dumped")
    assert not done["online"] and done["databases"][0]["version"] == "3.5.8"
    assert Path(done["directory"]).stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in Path(done["directory"]).iterdir()} == {0o600}
    db.run("DELETE FROM archives", instance.database)
    db.run("DROP TABLE admins", instance.database)
    assert call(instance, "restored", path=done["directory"])["databases"][0]["restored"]
    assert databases.state(db, instance.database) == before
    assert call(instance, "restored", path=done["directory"])["changed"] is False


def test_not_under_a_running_instance(shop: Make, db: MariaDB) -> None:
    instance = shop(start=True)
    done = call(instance, "dumped")
    assert done["online"] and any("plain backup" in note for note in done["notes"])
    assert "Stop it first" in refused(instance, "restored", path=done["directory"])


def test_wrong_logins_are_told_apart(shop: Make, db: MariaDB) -> None:
    instance = shop()
    right = json.loads((instance.dir / "config.json").read_text())["mysql"]
    for change, kind in (
        (dict(password="wrong-pass-word"), "access_denied"),
        (dict(user="nobody_at_all"), "access_denied"),
        (dict(port=free_port()), "cannot_connect"),
        (dict(host="no-such-host.invalid"), "cannot_connect"),
        (dict(user=db.user, password=db.password, database="not_there"), "unknown_database"),
    ):
        configure(instance, **{**right, **change})
        with pytest.raises(client.DatabaseError) as caught:
            call(instance, "dumped", check=True)
        assert caught.value.kind == kind, (change, caught.value.msg)
        assert "Nothing was done" in caught.value.msg and "wrong-pass-word" not in caught.value.msg
    configure(instance, **right)
    (instance.dir / "config.json").write_text("{broken")
    assert "not valid JSON" in refused(instance)


def scripts(directory: Path, code: str, query: bool = True) -> Path:
    """A client directory whose dump program is this shell script."""
    directory.mkdir(parents=True)
    programs = client.find()
    (directory / "mysqldump").write_text(f"#!/bin/sh\n{code}\n")
    (directory / "mysqldump").chmod(0o755)
    if query:
        (directory / "mysql").symlink_to(programs.query)
    return directory


def test_a_missing_client_is_named(shop: Make, place: Path) -> None:
    instance = shop()
    (place / "none").mkdir()
    assert "No MySQL client was found" in refused(instance, client_dir=str(place / "none"))
    only_dump = scripts(place / "half", "exit 0", query=False)
    assert "mariadb-client" in refused(instance, client_dir=str(only_dump))


MYSQL_8 = (
    (
        "mysqldump: Couldn't execute 'SELECT COLUMN_NAME, JSON_EXTRACT(HISTOGRAM, ...) FROM "
        "information_schema.COLUMN_STATISTICS': Unknown table 'column_statistics' in information_schema (1109)"
    ),
    "mysqldump: [ERROR] unknown variable 'no-autocommit'",
    (
        "mysqldump: Error: 'Access denied; you need (at least one of) the PROCESS privilege(s) for this operation' "
        "when trying to dump tablespaces"
    ),
)


@pytest.mark.parametrize("text", MYSQL_8)
def test_a_client_whose_trial_dump_fails(shop: Make, place: Path, text: str) -> None:
    """With the words of MySQL 8's client, which is not run here."""
    instance = shop()
    (place / "words").write_text(text + "\n")
    version = "mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)"
    fake = scripts(
        place / "mysql8", f"[ \"$1\" = --version ] && echo '{version}' && exit\ncat {place}/words >&2\nexit 2"
    )
    message = refused(instance, client_dir=str(fake))
    assert "trial dump" in message and text.split("'")[1][:12] in message, message


def test_a_client_that_writes_no_last_line(shop: Make, place: Path) -> None:
    instance = shop()
    fake = scripts(place / "quiet", f"{client.find().dump} \"$@\" | grep -v -- '-- Dump completed'")
    assert "no last line" in refused(instance, client_dir=str(fake))


def test_a_client_that_others_can_change(shop: Make, place: Path) -> None:
    instance = shop()
    fake = scripts(place / "open", "exit 0")
    (fake / "mysqldump").chmod(0o777)
    assert "can change it" in refused(instance, client_dir=str(fake))


def test_a_dump_that_leaves_a_table_out(shop: Make, place: Path) -> None:
    """It ends with 0 and has its last line."""
    instance = shop()
    fake = scripts(
        place / "filter",
        f"case \"$*\" in *--no-data*) exec {client.find().dump} \"$@\";; esac\n"
        f"exec {client.find().dump} \"$@\" admins archives",
    )
    with pytest.raises(LifecycleError, match=r"tables are missing in it: .*archive_data"):
        call(instance, "dumped", path=str(place / "d"), client_dir=str(fake))
    assert os.listdir(place / "d") == []


@pytest.mark.parametrize("compression", ["none", "zstd", "gzip"])
def test_a_dump_that_breaks_off(shop: Make, place: Path, compression: str) -> None:
    instance = shop()
    fake = scripts(
        place / "broken",
        f"case \"$*\" in *--no-data*) exec {client.find().dump} \"$@\";; esac\n"
        f"{client.find().dump} \"$@\" | head -c 3000\nkill -9 $$",
    )
    with pytest.raises(LifecycleError) as caught:
        call(instance, "dumped", path=str(place / "d"), client_dir=str(fake), compression=compression)
    assert "The dump was not taken" in caught.value.msg and os.listdir(place / "d") == []


def test_what_cannot_be_restored_is_refused(shop: Make, db: MariaDB) -> None:
    instance = shop()
    db.run("CREATE VIEW seen AS SELECT 1", instance.database)
    assert "views or other objects that are not tables: seen" in refused(instance)
    db.run("DROP VIEW seen", instance.database)
    db.administer("CREATE TRIGGER trig BEFORE INSERT ON archives FOR EACH ROW SET NEW.title = 'x'", instance.database)
    assert "triggers: trig" in refused(instance)
    db.administer("DROP TRIGGER trig", instance.database)
    user = json.loads((instance.dir / "config.json").read_text())["mysql"]["user"]
    db.administer(f"REVOKE DROP, INDEX ON `{instance.database}`.* FROM '{user}'@'127.0.0.1'")
    assert "DROP, INDEX" in refused(instance)


def test_no_dump_in_the_middle_of_a_restore(shop: Make, db: MariaDB) -> None:
    instance = shop()
    db.run("RENAME TABLE archives TO _alr1_archives", instance.database)
    assert "in the middle of a restore: _alr1_archives" in refused(instance)


def test_no_room_for_the_dump(shop: Make, place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    instance, small = shop(), place / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "none", str(small)], check=True)
    try:
        assert "no room for the dump" in refused(instance, path=str(small))
        assert os.listdir(small) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_directory_that_others_can_write(shop: Make, place: Path) -> None:
    instance = shop()
    (place / "open").mkdir()
    (place / "open").chmod(0o777)
    assert "cannot be used for dumps" in refused(instance, path=str(place / "open"))


# --- the login


def noting(directory: Path) -> Path:
    """Clients that note their arguments and environment, and read option files of whoever runs them."""
    programs = client.find()
    directory.mkdir()
    for name, real in (("mariadb", programs.query), ("mariadb-dump", programs.dump)):
        (directory / name).write_text(
            f"#!/bin/bash\ncat /proc/$$/cmdline /proc/$$/environ >> {directory}/seen\nexec {real} \"$@\"\n"
        )
        (directory / name).chmod(0o755)
    return directory


def test_the_password_is_nowhere(shop: Make, db: MariaDB, place: Path) -> None:
    instance, clients = shop(), noting(place / "clients")
    done = call(instance, "dumped", client_dir=str(clients))
    db.run("DELETE FROM archives", instance.database)
    again = call(instance, "restored", path=done["directory"], client_dir=str(clients))
    seen = (clients / "seen").read_bytes()
    assert again["changed"] and b"--defaults-file=/dev/fd/" in seen and SECRET.encode() not in seen
    assert SECRET not in json.dumps([done, again])
    state = windows.context_of(instance).state.path
    manifests = [path for path in Path(state).rglob("*") if path.is_file() and path.suffix != ".sql"]
    assert manifests and all(SECRET.encode() not in path.read_bytes() for path in manifests)


def test_nothing_is_left_by_a_kill(db: MariaDB, tmp_path: Path) -> None:
    """The option file has no name while the client runs."""
    name = f"k_{os.urandom(4).hex()}"
    databases.make_shop(db, name)
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\nfrom integration import databases\n"
        f"from mariadb import MariaDB\nimport types\ndb = types.SimpleNamespace(port={db.port})\n"
        f"with databases.session(db, {name!r}) as one:\n    print('ready', flush=True)\n"
        "    one.query('SELECT SLEEP(60)', 90)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        child = windows.within(10, lambda: children(process.pid)) and children(process.pid)[0]
        open_files = [os.readlink(f"/proc/{child}/fd/{fd}") for fd in os.listdir(f"/proc/{child}/fd")]
        assert any(".anqicms-lifecycle." in path and path.endswith("(deleted)") for path in open_files), open_files
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert windows.within(10, lambda: not Path(f"/proc/{child}/exe").exists())  # the client dies with its parent
    left = [one for place in ("/dev/shm", "/tmp") for one in os.listdir(place) if one.startswith(".anqicms-lifecycle.")]
    assert left == []


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in text if b"mariadb" in Path(f"/proc/{one}/cmdline").read_bytes()]


def test_option_files_of_the_caller_do_not_count(shop: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's ~/.my.cnf often names root's own login."""
    (tmp_path / ".my.cnf").write_text("[client]\nuser=root\npassword=of-root\nport=1\n[mysqldump]\nno-data\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MYSQL_PWD", "other")
    done = call(shop(), "dumped")
    assert done["databases"][0]["rows"] > 0 and b"INSERT INTO" in (Path(done["directory"]) / "site-1.sql").read_bytes()


# --- several sites


def test_the_databases_of_all_sites(shop: Make, db: MariaDB) -> None:
    instance = shop()
    user = json.loads((instance.dir / "config.json").read_text())["mysql"]["user"]
    sites = Sites(instance, db)
    for number in (2, 3):
        sites.add(number, f"site{number}.example")
        db.give(user, SECRET, sites.database(number))
    sites.enable(3, False)
    sites.article(2, 7)
    before = [databases.state(db, sites.database(number)) for number in (1, 2)]
    done = call(instance, "dumped", all_sites=True)
    assert [one["database"] for one in done["databases"]] == [sites.database(1), sites.database(2)]
    for number in (1, 2):
        db.run("DELETE FROM archives", sites.database(number))
    db.run("UPDATE websites SET mysql = ''", instance.database)  # the restored table says it again
    context = windows.context_of(instance)
    result = database.undo(context, dict(directory=done["directory"], sites=[1, 2]))
    context.close()
    assert [one["restored"] for one in result["databases"]] == [True, True]
    assert [databases.state(db, sites.database(number)) for number in (1, 2)] == before
    sites.drop_database(2)
    message = refused(instance, all_sites=True)
    assert sites.database(2) in message
    assert call(instance, "dumped", check=True)["changed"]  # its own database can be reached


# --- migrations


def test_a_background_migration_is_waited_for(shop: Make, db: MariaDB) -> None:
    instance = shop("3.3.11")
    done = call(instance, "dumped")
    releases.unpack(releases.release_of("3.5.8"), instance.dir)
    instance.version = "3.5.8"
    instance.knobs(migration_ms=1500)
    instance.start()
    with pytest.raises(LifecycleError, match="has not ended within") as caught:
        call(instance, "migrated", timeout=0.1)
    assert caught.value.result.get("migrating")
    began = time.monotonic()
    result = call(instance, "migrated", timeout=30)
    assert result["databases"][0]["state"] == "done" and time.monotonic() - began < 20
    assert call(instance, "compared", path=done["directory"])["databases"][0]["version"] == "3.5.8"
    db.run("DELETE FROM archives LIMIT 1", instance.database)
    with pytest.raises(LifecycleError, match="archives and archive_drafts have 1 rows, not 2"):
        call(instance, "compared", path=done["directory"])


def test_a_database_newer_than_the_binary(shop: Make, db: MariaDB) -> None:
    instance = shop("3.5.8")
    login = access.Databases(windows.context_of(instance), False)
    with login as opened:
        seen = migration.look(opened.opened[0].session)
    assert migration.is_newer("3.5.8", seen).newer is False and migration.is_newer("3.5.7", seen).newer is False
    assert migration.is_newer("3.5.6", seen).newer is True and migration.is_newer("2.3.6", seen).newer is True
    db.run("UPDATE settings SET value = '3.3.11' WHERE `key` = 'last_run_version'", instance.database)
    with access.Databases(windows.context_of(instance), False) as opened:
        seen = migration.look(opened.opened[0].session)
    assert migration.is_newer("3.4.0", seen).newer is True  # by its shape: an old binary has set the version back
    assert migration.is_newer("3.5.4", seen, recorded="3.5.8").newer is True


def test_what_is_remembered_of_a_database(shop: Make, db: MariaDB) -> None:
    """The highest version that was seen work on it; a restore sets it back."""
    instance = shop("3.3.11")
    context = windows.context_of(instance)
    context.state.make()
    key = f"127.0.0.1:{db.port}/{instance.database}"
    migration.remember(context.state.path, key, "3.5.8")
    migration.remember(context.state.path, key, "3.4.0")
    assert migration.recorded(context.state.path, key) == "3.5.8"
    done = call(instance, "dumped")
    db.run("DELETE FROM archives", instance.database)
    call(instance, "restored", path=done["directory"])
    assert migration.recorded(context.state.path, key) == "3.3.11"  # that of the restored dump


def test_not_packed_where_there_is_no_room(shop: Make, db: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files stand beside each other for a while. The dump stays as it is, and can be restored."""
    instance = shop()
    before = databases.state(db, instance.database)
    done = call(instance, "dumped")
    with monkeypatch.context() as patch:
        patch.setattr(dump_file, "free_bytes", lambda _directory: 64 << 20)
        with pytest.raises(LifecycleError, match="There is no room to compress the dump"):
            call(instance, "packed", path=done["directory"])
    assert sorted(path.name for path in Path(done["directory"]).iterdir()) == ["site-1.json", "site-1.sql"]
    db.run("DELETE FROM archives", instance.database)
    assert call(instance, "restored", path=done["directory"])["changed"]
    assert databases.state(db, instance.database) == before


def test_packed_afterwards(shop: Make, db: MariaDB) -> None:
    instance = shop()
    before = databases.state(db, instance.database)
    done = call(instance, "dumped")
    packed = call(instance, "packed", path=done["directory"])
    assert packed["changed"] and packed["databases"][0]["compression"] == "zstd"
    assert call(instance, "packed", path=done["directory"])["changed"] is False
    db.run("DELETE FROM archives", instance.database)
    path = Path(done["directory"]) / packed["databases"][0]["file"]
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "its hash differs" in refused(instance, "restored", path=done["directory"])
    path.write_bytes(data)
    assert call(instance, "restored", path=done["directory"])["changed"]
    assert databases.state(db, instance.database) == before


# --- limits


def test_every_call_has_a_limit(db: MariaDB, shop: Make, place: Path) -> None:
    name = f"l_{os.urandom(4).hex()}"
    databases.make_shop(db, name)
    with databases.session(db, name) as one:
        with pytest.raises(client.DatabaseError) as caught:
            one.query("SELECT SLEEP(30)", 0.3)
        assert caught.value.kind == "timed_out" and one.query("SELECT 1") == [["1"]]
    instance = shop()
    hanging = scripts(
        place / "hanging", f"case \"$*\" in *--no-data*) exec {client.find().dump} \"$@\";; esac\nexec sleep 60"
    )
    with pytest.raises(client.DatabaseError) as caught:
        call(instance, "dumped", path=str(place / "d"), client_dir=str(hanging), timeout=1.5)
    assert caught.value.kind == "timed_out" and os.listdir(place / "d") == []
