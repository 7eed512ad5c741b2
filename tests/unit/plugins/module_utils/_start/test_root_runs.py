# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a start as root leaves out, and what the user of the next start cannot write."""

import os
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import left_behind, root_runs

THEIRS = 65534  # no user of these tests
root = pytest.mark.skipif(os.geteuid() != 0, reason="makes files of other users")


def record(**changes: t.Any) -> launch.LaunchRecord:
    with procfs.ProcDir(os.getpid()) as proc:
        found = launch.capture(proc)
    return found._replace(**dict(dict(uid=0, gid=0, groups=[], cwd="/", environment=dict(A="1")), **changes))


@pytest.fixture(name="theirs")
def _theirs(tmp_path: Path) -> str:
    """A directory that another user owns."""
    path = tmp_path / "theirs"
    path.mkdir()
    os.chown(str(path), THEIRS, THEIRS)
    return str(path)


def test_a_user_keeps_all() -> None:
    own = record(uid=33, cwd="/tmp", environment=dict(LD_PRELOAD="/tmp/x.so", PATH=".:/tmp"))
    assert root_runs.harden(own, "/www/a") == (own, [])


ENVIRONMENTS: t.List[t.Tuple[t.Dict[str, str], t.Tuple[str, ...], t.Dict[str, str]]] = [
    (dict(A="1", PATH="/usr/bin:/bin"), (), dict(A="1", PATH="/usr/bin:/bin")),
    (dict(A="1"), (), dict(A="1")),
    (dict(LD_PRELOAD="/x.so", LD_AUDIT="", PATH="/bin"), (), dict(PATH="/bin")),
    (dict(LD_PRELOAD="/x.so", LD_DEBUG="all"), ("LD_PRELOAD",), dict(LD_PRELOAD="/x.so")),
    (dict(PATH="bin:/bin::/tmp:."), (), dict(PATH="/bin")),
    (dict(PATH="/tmp"), (), dict(PATH=root_runs.DEFAULT_PATH)),
    (dict(PATH="/tmp:/bin"), ("PATH",), dict(PATH="/tmp:/bin")),
]


@pytest.mark.parametrize("before,given,after", ENVIRONMENTS)
def test_variables_of_a_start_as_root(
    before: t.Dict[str, str], given: t.Tuple[str, ...], after: t.Dict[str, str]
) -> None:
    found, notes = root_runs.harden(record(environment=before), "/www/a", given)
    assert found.environment == after
    assert bool(notes) is (before != after)


@root
def test_the_working_directory_of_a_start_as_root(theirs: str) -> None:
    found, notes = root_runs.harden(record(cwd=theirs), "/www/a")
    assert found.cwd is None and theirs in notes[0]
    assert root_runs.harden(record(cwd=theirs), theirs)[1] == []  # judged with the binary
    for kept in ("/", "/usr"):
        assert root_runs.harden(record(cwd=kept), "/www/a")[0].cwd == kept
    assert root_runs.harden(record(cwd="/tmp"), "/www/a")[0].cwd is None


@root
def test_what_another_user_cannot_write(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "data").mkdir(parents=True)
    (site / "cache").symlink_to("/etc")
    for name, uid, mode in (
        ("config.json", THEIRS, 0o600),
        ("running.log", 0, 0o644),
        ("mine.log", 0, 0o644),
        ("other", 0, 0o600),
        ("data/a", 0, 0o666),
        ("data/b", 0, 0o664),
        ("data/c", 0, 0o400),
    ):
        (site / name).write_text("")
        os.chown(str(site / name), uid, THEIRS if name == "data/b" else 0)
        (site / name).chmod(mode)
    os.chown(str(site / "data"), THEIRS, 0)
    as_them = record(uid=THEIRS, gid=THEIRS, log=str(site / "mine.log"))
    found = left_behind.of(resolve(str(site)), 0, as_them)
    assert [text.split(" ")[0] for text in found] == ["running.log", "data/c", "mine.log"]
    assert "owner root, mode 0644" in found[0]
    assert left_behind.of(resolve(str(site)), THEIRS, as_them) == []
    assert left_behind.of(resolve(str(site)), None, as_them) == []
    assert left_behind.of(resolve(str(site)), THEIRS, record()) == []  # root writes all


@root
def test_what_another_user_cannot_write_further_down(tmp_path: Path) -> None:
    """3.3.11 writes data/statistic/DATE.log and public/robots.txt, uploads go below public/uploads/."""
    site = tmp_path / "site"
    roots = (
        "data/statistic/today.log",
        "cache/pc/a/index.html",
        "public/uploads/202611",
        "public/robots.txt",
        "public/static/site.css",
    )
    for name in roots:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("")
    for directory, _names, _files in os.walk(str(site)):
        os.chown(directory, THEIRS, THEIRS)
    (site / "data" / "elsewhere").symlink_to(site / "public" / "static")
    found = left_behind.of(resolve(str(site)), 0, record(uid=THEIRS, gid=THEIRS))
    assert [text.split(" ")[0] for text in found] == [
        "public/robots.txt",
        "cache/pc/a/index.html",
        "data/statistic/today.log",
        "public/uploads/202611",
    ]


@root
@pytest.mark.parametrize("owner,expected", [(THEIRS, ["config.json", "public", "public/robots.txt"]), (0, [])])
def test_what_root_keeps_in_a_directory_of_its_own_is_not_left_behind(
    tmp_path: Path, owner: int, expected: t.List[str]
) -> None:
    site = tmp_path / "site"
    (site / "public" / "uploads").mkdir(parents=True)
    for name in ("config.json", "public/robots.txt"):
        (site / name).write_text("")
    os.chown(str(site), owner, 0)
    os.chown(str(site / "public" / "uploads"), THEIRS, 0)
    found = left_behind.of(resolve(str(site)), 0, record(uid=THEIRS, gid=THEIRS))
    assert [text.split(" ")[0] for text in found] == expected


@root
def test_what_another_user_cannot_write_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    for number in range(9):
        (site / "data" / str(number) / "below").mkdir(parents=True)
    monkeypatch.setattr(left_behind, "_MOST_NAMES", 12)
    found = left_behind.of(resolve(str(site)), 0, record(uid=THEIRS, gid=THEIRS))
    assert [text.split(" ")[0] for text in found] == (
        ["data"] + [f"data/{number}" for number in range(9)] + [f"data/{number}/below" for number in range(3)]
    )


def test_links_are_left_to_the_application() -> None:
    info = os.stat_result((stat.S_IFLNK | 0o777, 1, 1, 1, 0, 0, 0, 0, 0, 0))
    assert left_behind.may_write(info, record(uid=THEIRS))
