# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of config.json: as a task of its own, in a window, and taken back."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import Any, Callable, Iterator, cast

import pytest
import windows
from instance import Instance, make_instance
from mariadb import MariaDB, free_port
from nginx import Nginx
from windows import Killer, at

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import config
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import follow as _follow

Step = dict[str, Any]
LEVEL = {"server": {"log_level": "debug"}}


@pytest.fixture
def shop(site: Callable[..., Instance]) -> Instance:
    return site()


def content(shop: Instance) -> dict[str, Any]:
    return dict(json.loads((shop.dir / "config.json").read_text()))


def options(**given: Any) -> Step:
    return {**{name: option.get("default") for name, option in config.SPEC.items()}, **given}


def steps(change: Step, *after: Step) -> list[Step]:
    return [
        {"graceful_stop": {}},
        {"config": change},
        {"port_released": {}},
        {"verified_start": {"stable_for": 0.2}},
        *after,
    ]


def seen(path: Path) -> tuple[bytes, int, int, int]:
    found = path.stat()
    return path.read_bytes(), found.st_mode, found.st_uid, found.st_gid


def test_as_a_task(shop: Instance) -> None:
    """All but the value stays, the backup is the file of before, and a second one changes nothing."""
    path = shop.dir / "config.json"
    path.write_text('{"server":{"port":%d , "x":1.50},\n"own": "\\u003c"}\n' % shop.port)
    path.chmod(0o640)
    os.setxattr(path, "user.kept", b"1")
    before = seen(path)
    context = windows.context_of(shop)
    result = config.as_a_task(context, options(settings=LEVEL))
    assert path.read_text() == (
        '{"server":{"port":%d , "x":1.50, "log_level":"debug"},\n"own": "\\u003c"}\n' % shop.port
    )
    assert (seen(path)[1:], os.getxattr(path, "user.kept")) == (before[1:], b"1")
    assert (result["changed"], result["restart_required"]) == (True, True)
    assert Path(result["backup_file"]).read_bytes() == before[0]
    again = config.as_a_task(context, options(settings=LEVEL))
    assert again == dict(changed=False, backup_file=None, restart_required=False)


def test_plan_changes_nothing_and_masks_secrets(shop: Instance) -> None:
    path = shop.dir / "config.json"
    before = seen(path)
    planned = config.foresee(windows.context_of(shop), options(settings={"mysql": {"password": "N3w-Secret"}}))
    assert seen(path) == before and planned["changed"]
    assert "N3w-Secret" not in json.dumps(planned) and "(new)" in planned["diff"]["after"]
    old = content(shop)["server"]["token_secret"]
    assert old and old not in json.dumps(planned)


def test_an_empty_dictionary_merges_nothing(shop: Instance) -> None:
    """Dictionaries are merged: it empties no section. Where nothing stands it is written."""
    path = shop.dir / "config.json"
    path.write_text(json.dumps({**content(shop), "sparks": {"a": {"app_id": "x"}}}))
    before, context = seen(path), windows.context_of(shop)
    assert config.as_a_task(context, options(settings={"sparks": {}}))["changed"] is False
    assert config.as_a_task(context, options(settings={"sparks": {"a": {}}, "server": {}}))["changed"] is False
    assert seen(path) == before
    assert config.as_a_task(context, options(settings={"sparks": {"b": {}}}))["changed"]
    assert content(shop)["sparks"] == {"a": {"app_id": "x"}, "b": {}}


def test_unknown_hazards_are_no_permission(shop: Instance) -> None:
    before, pid = seen(shop.dir / "config.json"), shop.pid
    change = {"settings": LEVEL, "accept_hazards": ["proxy_name_port"]}
    with pytest.raises(LifecycleError, match="unknown hazard code: proxy_name_port"):
        windows.run(shop, steps(change))
    for call in (config.as_a_task, config.foresee):
        with pytest.raises(LifecycleError, match="unknown hazard code: proxy_name_port"):
            call(windows.context_of(shop), options(**change))
    assert (seen(shop.dir / "config.json"), shop.pid) == (before, pid)


def test_what_fails_after_it_is_in_place_is_not_said_to_be_as_before(
    shop: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file has its name, and only the flush of the directory fails."""

    def broken(directory: files.InstallDir) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files.InstallDir, "flush", broken)
    with pytest.raises(LifecycleError) as caught:
        config.as_a_task(windows.context_of(shop), options(settings=LEVEL))
    assert content(shop)["server"]["log_level"] == "debug"
    assert "as it was" not in caught.value.msg and "has its new content" in caught.value.msg, caught.value.msg


def test_what_a_killed_writer_left_is_no_hindrance_and_goes(shop: Instance, tmp_path: Path) -> None:
    """Of ours only plain files; what else has such a name is left, and nothing is followed."""
    other = tmp_path / "other"
    other.write_text("kept")
    left = [f".config.json.{os.getpid()}.lifecycle", ".config.json.0123456789abcdef.lifecycle"]
    for name in left:
        (shop.dir / name).write_text("half")
    stays = [".config.json.7.lifecycle", ".config.json.x.lifecycle", ".other.json.7.lifecycle", "config.json.7.tmp"]
    (shop.dir / stays[0]).symlink_to(other)
    for name in stays[1:]:
        (shop.dir / name).write_text("not ours")
    assert config.as_a_task(windows.context_of(shop), options(settings=LEVEL))["changed"]
    assert [name for name in left if (shop.dir / name).exists()] == []
    assert [name for name in stays if not os.path.lexists(shop.dir / name)] == [] and other.read_text() == "kept"


@pytest.mark.root
def test_a_strangers_file_of_such_a_name_stays(shop: Instance) -> None:
    left = shop.dir / ".config.json.8.lifecycle"
    left.write_text("a stranger's")
    os.chown(left, 12345, 12345)
    assert config.as_a_task(windows.context_of(shop), options(settings=LEVEL))["changed"]
    assert left.read_text() == "a stranger's"


WRONG = [
    ({}, "neither settings nor remove"),
    ({"settings": LEVEL, "remove": ["server"]}, "is in both settings and remove"),
    ({"remove": ["server..port"]}, "is not a path"),
    ({"settings": {"server": {"port": "8002"}}}, "server.port is \"8002\", not a number"),
    ({"settings": {"server": {"port": 70000}}}, "not between 1 and 65535"),
    ({"remove": ["server.port"]}, "server.port is missing"),
    ({"settings": {"mysql": {"host": 5}}}, "mysql.host is not a string"),
    ({"settings": {"mysql": "x"}}, "mysql is not an object"),
    ({"settings": {"system": {"site_name": "x"}}}, "in its database"),
]


@pytest.mark.parametrize("given, word", WRONG, ids=[word for _given, word in WRONG])
def test_a_bad_value_never_stops_the_site(shop: Instance, given: Step, word: str) -> None:
    before, pid = seen(shop.dir / "config.json"), shop.pid
    with pytest.raises(LifecycleError, match=word):
        windows.run(shop, steps(given))
    assert (seen(shop.dir / "config.json"), shop.pid) == (before, pid)


def test_a_broken_file_is_not_changed(shop: Instance) -> None:
    path, pid = shop.dir / "config.json", shop.pid
    path.write_text('{"server": ')
    with pytest.raises(LifecycleError, match="not valid JSON"):
        config.as_a_task(windows.context_of(shop), options(settings=LEVEL))
    assert (path.read_text(), shop.pid) == ('{"server": ', pid)


def test_a_link_is_not_followed(shop: Instance, tmp_path: Path) -> None:
    path, other = shop.dir / "config.json", tmp_path / "other.json"
    path.rename(other)
    path.symlink_to(other)
    before = seen(other)
    with pytest.raises(LifecycleError, match="link"):
        config.as_a_task(windows.context_of(shop), options(settings=LEVEL))
    assert seen(other) == before


def test_in_a_window(shop: Instance) -> None:
    pid = shop.pid
    result = windows.run(shop, steps({"settings": LEVEL}))
    assert result["outcome"] == "done" and windows.runs(shop) not in (0, pid)
    assert content(shop)["server"]["log_level"] == "debug"
    step = result["steps"][1]
    assert step["undone"] is False and json.loads(Path(step["result"]["backup_file"]).read_bytes()) != content(shop)


def test_a_failure_puts_it_back(shop: Instance) -> None:
    path, pid = shop.dir / "config.json", shop.pid
    path.chmod(0o600)
    before = seen(path)
    result = windows.run(shop, steps({"settings": LEVEL}, {"command": {"argv": ["false"]}}))
    assert (result["outcome"], seen(path)) == ("rolled_back", before)
    assert windows.runs(shop) not in (0, pid)


FAILS: Step = {"command": {"argv": ["false"]}}


def test_a_run_id_used_twice(shop: Instance) -> None:
    """The second window puts back what was there before it, and not before the first one."""
    path = shop.dir / "config.json"
    first = windows.run(shop, steps({"settings": LEVEL}))
    before, kept = seen(path), first["steps"][1]["result"]["backup_file"]
    result = windows.run(shop, steps({"settings": {"server": {"log_level": "warn"}}}, FAILS))
    assert (result["outcome"], result["run_id"], first["outcome"]) == ("rolled_back", first["run_id"], "done")
    assert seen(path) == before and content(shop)["server"]["log_level"] == "debug"
    assert result["steps"][1]["result"]["backup_file"] != kept


def test_two_changes_of_one_window(shop: Instance) -> None:
    """The file of before the first one is kept, and put back."""
    before = seen(shop.dir / "config.json")
    wanted = steps({"settings": LEVEL}, FAILS)
    wanted.insert(2, {"config": {"settings": {"server": {"log_level": "warn"}}}})
    result = windows.run(shop, wanted)
    backups = {step["result"]["backup_file"] for step in result["steps"] if step["name"] == "config"}
    assert len(backups) == 1 and Path(backups.pop()).read_bytes() == before[0]
    assert (result["outcome"], seen(shop.dir / "config.json")) == ("rolled_back", before)


class TaskCall(windows.ModuleCall):
    """The parts of a module that a task of its own uses; ``said`` is its result."""

    said: Step

    def exit_json(self, **result: Any) -> None:
        self.said = result

    fail_json = exit_json

    def config(self) -> Step:
        on_instance.run_on_instance(cast(Any, self), config.foresee, config.as_a_task, ())
        return self.said


def test_tasks_keep_few_files_of_before(shop: Instance) -> None:
    """And none of them takes away what an unfinished run needs."""
    for number in range(13):
        change = {"server": {"log_level": "debug" if number % 2 else "warn"}}
        assert TaskCall(shop, user=None, **options(settings=change)).config()["changed"], number
    kept = sorted((Path(windows.context_of(shop).state.path) / "runs").iterdir())
    assert len(kept) == 10 and all((one / "config.json").exists() for one in kept)


@pytest.mark.parametrize("check_mode", [False, True])
def test_tasks_keep_away_from_a_half_changed_instance(shop: Instance, check_mode: bool) -> None:
    windows.run(shop, steps({"settings": LEVEL}, FAILS), on_failure="leave")
    before = seen(shop.dir / "config.json")
    said = TaskCall(shop, check_mode, user=None, **options(settings={"server": {"log_level": "warn"}})).config()
    assert said["failed"] and "run-1 has changed" in said["msg"] and "Nothing was done" in said["msg"], said
    assert seen(shop.dir / "config.json") == before


def test_what_the_application_wrote_meanwhile_is_merged(site: Callable[..., Instance]) -> None:
    """2.3.6 writes its settings into the file while it runs, after the plan was made."""
    shop = site("2.3.6")
    context, plan = windows.context_of(shop), windows.plan_of(steps({"settings": LEVEL}))
    pid = shop.pid
    os.kill(pid, signal.SIGSTOP)  # the stop waits: the file is changed behind the plan
    try:
        pipe = windows.begin(context, plan)
        written = {**content(shop), "system": {"site_name": "new"}}
        (shop.dir / "config.json").write_text(json.dumps(written))
    finally:
        os.kill(pid, signal.SIGCONT)
    result = windows.wait(context, plan, pipe)
    assert result["outcome"] == "done", result
    assert content(shop)["system"]["site_name"] == "new" and content(shop)["server"]["log_level"] == "debug"


def test_a_task_refuses_where_the_application_would_undo_it(site: Callable[..., Instance]) -> None:
    shop = site("2.3.6")
    with pytest.raises(LifecycleError, match=r"writes its settings into config\.json while it does"):
        config.as_a_task(windows.context_of(shop), options(settings=LEVEL))


def test_a_task_refuses_where_the_version_is_not_known(shop: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be one that writes its settings into the file."""
    before = seen(shop.dir / "config.json")
    monkeypatch.setattr(Context, "version", None)
    with pytest.raises(LifecycleError, match="as its version is not known"):
        config.as_a_task(windows.context_of(shop), options(settings=LEVEL))
    assert seen(shop.dir / "config.json") == before
    shop.kill()
    assert config.as_a_task(windows.context_of(shop), options(settings=LEVEL))["changed"]


def test_another_port(shop: Instance) -> None:
    old, new = shop.port, free_port()
    result = windows.run(shop, steps({"settings": {"server": {"port": new}}}))
    assert result["outcome"] == "done", result
    assert windows.context_of(shop).look() is not None
    context = windows.context_of(shop)
    context.look()
    assert (context.port, content(shop)["server"]["port"]) == (new, new) and old != new


def test_another_port_that_is_held(shop: Instance, site: Callable[..., Instance]) -> None:
    """By another instance's configuration; by a process; both are refused before anything is stopped."""
    other, pid = site(name="other.example"), shop.pid
    with pytest.raises(LifecycleError, match="is configured in"):
        windows.run(shop, steps({"settings": {"server": {"port": other.port}}}))
    assert shop.pid == pid


def test_a_port_that_a_proxy_names(shop: Instance, tmp_path: Path) -> None:
    pid, new = shop.pid, free_port()
    change = {"settings": {"server": {"port": new}}}
    with Nginx(tmp_path / "nginx", shop) as proxy:
        with pytest.raises(LifecycleError, match=f"sends requests to port {shop.port}"):
            windows.run(shop, steps(change))
        assert shop.pid == pid and proxy
        result = windows.run(shop, steps({**change, "accept_hazards": ["proxy_names_port"]}))
    assert result["outcome"] == "done", result


MOMENTS = {
    "noted": Killer(at("change", kind="config")),
    "written": Killer(at("step_end", name="config")),
    "started": Killer(at("step_end", name="verified_start")),
}


@pytest.mark.parametrize("both", [False, True], ids=["worker", "both"])
@pytest.mark.parametrize("name", MOMENTS)
def test_a_killed_worker(shop: Instance, monkeypatch: pytest.MonkeyPatch, name: str, both: bool) -> None:
    before = seen(shop.dir / "config.json")
    context, plan = windows.context_of(shop), windows.plan_of(steps({"settings": LEVEL}))
    with monkeypatch.context() as patch:
        Killer(MOMENTS[name].wanted, MOMENTS[name].after, both).install(patch)
        pipe = windows.begin(context, plan)
    windows.wait(context, plan, pipe)
    if both:
        assert windows.run(shop, [], run_id="run-2")["state"] == "running"
    assert seen(shop.dir / "config.json") == before and windows.runs(shop)
    assert at_work.interrupted(context.state) is None
    assert _follow.report(context.state, plan.token, True, 1.0)["failed"]


@pytest.fixture
def with_database(tmp_path: Path, db: MariaDB) -> Iterator[Instance]:
    instance = make_instance(tmp_path / "data.example", "3.5.8", db=db, database=f"c_{os.urandom(4).hex()}")
    instance.start(60.0)
    yield instance
    instance.kill()


@pytest.mark.parametrize(
    "mysql, word",
    [
        ({"database": "nobody_has_made_it"}, "no such database"),
        ({"password": "wrong"}, "rejects the user"),
        ({"port": 1}, "cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_used(with_database: Instance, mysql: Step, word: str) -> None:
    """Refused before anything is stopped; one that does not exist would be made, with a default administrator."""
    pid, before = with_database.pid, seen(with_database.dir / "config.json")
    with pytest.raises(LifecycleError, match=word):
        windows.run(with_database, steps({"settings": {"mysql": mysql}}))
    assert (with_database.pid, seen(with_database.dir / "config.json")) == (pid, before)


def test_the_same_database_by_another_name_of_its_host(with_database: Instance) -> None:
    host = content(with_database)["mysql"]["host"]
    other = "localhost" if host == "127.0.0.1" else "127.0.0.1"
    result = windows.run(with_database, steps({"settings": {"mysql": {"host": other}}}))
    assert result["outcome"] == "done", result
