# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding instances by their processes, by cron lines, and below given directories."""

import os
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import changelog
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.config_file import ConfigFile
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.cron import Cron, CronLine
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import discovery, judge

NOTHING = Cron([], [])


def install(path: t.Any, binary: str = "anqicms") -> str:
    path.mkdir(parents=True)
    (path / binary).write_bytes(b"\x7fELF")
    for name in ("config.json", "CHANGELOG.md"):
        (path / name).write_text("{}")
    for name in ("template", "public"):
        (path / name).mkdir()
    return os.path.realpath(str(path))


def dirs(search: t.Sequence[str], cron: Cron = NOTHING, table: t.Any = ()) -> t.List[str]:
    return [instance.dir for instance in discovery.discover_all(search, "anqicms", cron, list(table))[0]]


def test_search_looks_in_the_directory_and_directly_below(tmp_path: t.Any) -> None:
    first, second = install(tmp_path / "www" / "a"), install(tmp_path / "www" / "b")
    deep = install(tmp_path / "www" / "group" / "c")
    root = str(tmp_path / "www")
    assert dirs([root]) == [first, second]
    assert dirs([first, first, deep]) == [first, deep]


def test_links_below_a_search_directory_are_not_followed(tmp_path: t.Any) -> None:
    hidden = install(tmp_path / "elsewhere" / "a")
    (tmp_path / "www").mkdir()
    os.symlink(hidden, str(tmp_path / "www" / "a"))
    assert dirs([str(tmp_path / "www")]) == []


def test_missing_search_directory_is_told_and_hides_nothing(tmp_path: t.Any) -> None:
    first = install(tmp_path / "www" / "a")
    found, problems = discovery.discover_all([str(tmp_path / "none"), first], "anqicms", NOTHING, [])
    assert [instance.dir for instance in found] == [first]
    assert len(problems) == 1 and "none" in problems[0]


def test_binary_alone_is_no_install(tmp_path: t.Any) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "anqicms").write_bytes(b"")
    assert dirs([str(tmp_path / "bin")]) == []


def test_cron_lines_name_installs(tmp_path: t.Any) -> None:
    first = install(tmp_path / "a")
    lines = [CronLine("f", "root", "@daily", first + "/start.sh"), CronLine("f", "root", "@daily", "/nowhere/start.sh")]
    assert dirs([], Cron(lines, [])) == [first]


def test_running_process_is_found_by_its_executable(tmp_path: t.Any) -> None:
    first, other = install(tmp_path / "a"), install(tmp_path / "b", "shop")
    started = []
    try:
        for path in (first + "/anqicms", other + "/shop"):
            shutil.copy(shutil.which("sleep") or "/bin/sleep", path)
            started.append(subprocess.Popen([path, "60"], cwd="/"))
        table = discovery.processes()
        assert {process.pid for process in started} <= {row.pid for row in table}
        found = discovery.discover_all([], "anqicms", NOTHING, table)[0]
        assert (first, "anqicms") in [(instance.dir, instance.binary) for instance in found]
        assert (other, "shop") in [(instance.dir, instance.binary) for instance in found]  # enough other evidence
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_process_of_a_removed_directory_is_left_out() -> None:
    assert dirs([], NOTHING, [discovery.Process(1, "/nowhere/anqicms", True)]) == []


@pytest.mark.parametrize(
    ("names", "named_so", "result"),
    [({"config.json"}, True, True), (set(), True, False), ({"template", "public"}, False, False),
     ({"template", "public", "config.json", "system"}, False, True)],
)  # fmt: skip
def test_looks_like_install(names: t.Set[str], named_so: bool, result: bool) -> None:
    assert discovery.looks_like_install(names, named_so) is result


def test_processes_are_listed_fast() -> None:
    import time

    begin = time.perf_counter()
    count = len(discovery.processes())
    assert (time.perf_counter() - begin) / max(
        count, 1
    ) < 0.001  # 2,000 processes need well under 50 ms on an idle host


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("# Log\n\n## v3.5.8\n- x\n## v3.5.7\n", "3.5.8"),
        ("## 3.2.8 (2024)\n", "3.2.8"),
        ("##v2.5.3", "2.5.3"),
        ("## [v3.0.1]\n", "3.0.1"),
        ("### v3.0.1\n", None),
        ("no heading v3.0.1", None),
        ("## v{{ 7 * 7 }}", None),
        ("", None),
    ],
)
def test_version_of_the_files(text: str, version: t.Optional[str]) -> None:
    assert changelog.newest(text) == version


@pytest.mark.parametrize(
    ("pids", "unsure", "listening", "has_listened", "state"),
    [
        (0, False, None, False, "stopped"),
        (0, True, None, False, "ambiguous"),
        (2, False, None, False, "ambiguous"),
        (1, False, True, False, "running"),
        (1, True, True, False, "running"),
        (1, False, False, False, "starting"),
        (1, False, False, True, "undead"),
        (1, False, None, False, "ambiguous"),
    ],
)
def test_state(pids: int, unsure: bool, listening: t.Optional[bool], has_listened: bool, state: str) -> None:
    assert judge.decide_state(pids, unsure, listening, has_listened) == state


def test_template_marks_are_found_anywhere() -> None:
    value = {"dir": "/a{{b", "logs": [{"path": "{% x"}], "ok": "{ {", "n": 3, "c": ["{#"]}
    assert judge.marks_in(value) == ["c", "dir", "logs.path"]


@pytest.mark.parametrize(
    ("mode", "uid", "groups", "result"),
    [(0o600, 33, [], True), (0o600, 34, [33], False), (0o640, 34, [33], True), (0o640, 34, [5], False),
     (0o604, 34, [33], False), (0o604, 34, [5], True), (0o000, 0, [], True), (0o600, None, [], None)],
)  # fmt: skip
def test_readable_by(mode: int, uid: t.Optional[int], groups: t.List[int], result: t.Optional[bool]) -> None:
    assert judge.readable_by(ConfigFile("ok", mode=mode, uid=33, gid=33), uid, groups) is result


def test_site_hosts() -> None:
    assert judge.site_hosts("https://Shop.example:8080/x", None, "http://[bad", "http://a.example") == [
        "a.example",
        "shop.example",
    ]
    assert judge.site_hosts(None, "") is None


START = "2026/01/31 12:00:00 /www/a/\n"
SERVED = "Now listening on: http://localhost:8001\n"


@pytest.mark.parametrize(
    ("seen", "log", "served"),
    [
        (dict(version="3.5.8"), "", True),
        (dict(listened=True), "", True),
        (dict(port=8001), "", False),
        (None, START + SERVED, True),
        (None, START + SERVED + START, False),
        (None, SERVED + "more of a long life\n", True),  # its first line is further away than what is read
        (None, START + "/www/b/\n", False),
        (None, "", False),
    ],
)
def test_whether_it_has_served(seen: t.Optional[t.Dict[str, t.Any]], log: str, served: bool) -> None:
    """What is noted, or else what it printed since its start; the kernel is not asked without a port."""
    asked: t.List[int] = []

    def text(limit: int) -> str:
        asked.append(limit)
        return log

    assert judge.has_served(seen, None, (), "/www/a", text) is served
    assert asked == ([] if seen and "port" not in seen else [judge.SERVED_LOG_BYTES])
