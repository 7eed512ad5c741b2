# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Staging and renaming real files, on every Python and as any user."""

import json
import os
import pathlib
import stat
import typing as t
import zipfile

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import listing, places, release, staging
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Store
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state, trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

DEFAULTS = {name: option.get("default") for name, option in release.SPEC.items()}
PROGRAM = pathlib.Path("/bin/true").read_bytes()
NEW = {"anqicms": PROGRAM, "CHANGELOG.md": b"## v3.5.8\n", "lib/deep/a": b"new", "locales/en.yml": b"new"}


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> pathlib.Path:
    directory = tmp_path / "shop"
    for path, data in (
        ("anqicms", b"old"),
        ("config.json", b"{}"),
        ("locales/en.yml", b"old"),
        ("lib/x", b"old"),
        ("system/index.html", b"old"),
    ):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    with zipfile.ZipFile(str(tmp_path / "new.zip"), "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in NEW.items():
            made.writestr(name, data)
    return directory


def call(shop: pathlib.Path, **given: t.Any) -> t.Dict[str, t.Any]:
    instance = resolve(str(shop))
    context = Context(instance, state.StateDir(instance, str(shop.parent / "state")))
    try:
        return release.as_a_task(context, dict(DEFAULTS, **given))
    finally:
        context.close()


def content(shop: pathlib.Path) -> t.Dict[str, bytes]:
    return {
        str(path.relative_to(shop)): path.read_bytes()
        for path in sorted(shop.rglob("*"))
        if path.is_file() and ".lifecycle" not in path.parts
    }


def test_there_and_back(shop: pathlib.Path) -> None:
    before = content(shop)
    assert call(shop, state="staged", src=str(shop.parent / "new.zip"), version="3.5.8")["changed"]
    assert content(shop) == before
    assert call(shop, state="switched", version="3.5.8")["renames"] == 7
    assert content(shop) == dict(NEW, **{"config.json": b"{}", "lib/x": b"old"})
    assert stat.S_IMODE((shop / "anqicms").stat().st_mode) == 0o755
    assert call(shop, state="reverted")["renames"] == 7
    assert content(shop) == before
    assert call(shop, state="tidied", keep=0)["changed"]
    assert list((shop / ".lifecycle").iterdir()) == []


def test_records_that_cannot_be_read_are_refused(shop: pathlib.Path) -> None:
    call(shop, state="staged", src=str(shop.parent / "new.zip"), version="3.5.8")
    (record,) = (shop.parent / "state").glob("*/releases/staged-*.json")
    for data in (b"", b"{", b"[]", json.dumps(dict(json.loads(record.read_text()), format=2)).encode()):
        record.write_bytes(data)
        with pytest.raises(trusted.DamagedState):
            call(shop, state="switched", version="3.5.8")


def test_records_are_for_their_owner_alone(shop: pathlib.Path) -> None:
    call(shop, state="staged", src=str(shop.parent / "new.zip"), version="3.5.8")
    call(shop, state="switched", version="3.5.8")
    (directory,) = (shop.parent / "state").glob("*/releases")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    assert sorted(path.name.split("-")[0] for path in directory.iterdir()) == [
        "active.json",
        "bulk.json",
        "staged",
        "switch",
    ]


# --- places


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> t.Iterator[places.Tree]:
    (tmp_path / "tree" / "a" / "b").mkdir(parents=True)
    with files.InstallDir(str(tmp_path / "tree")) as directory, places.open_install(
        directory, {os.geteuid(), 0}
    ) as opened:
        yield opened


def test_no_link_is_entered(tree: places.Tree, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tree" / "link").symlink_to(tmp_path)
    (tmp_path / "tree" / "a" / "link").symlink_to(tmp_path)
    for path in ("link/x", "a/link/x", "a/link/tree/y"):
        with pytest.raises(places.Moved):
            tree.lstat(path)
        with pytest.raises(places.Moved):
            tree.create(path)
    assert stat.S_ISLNK(t.cast(os.stat_result, tree.lstat("link")).st_mode)


@pytest.mark.parametrize("path", ["..", "a/..", "../x", "a/../x", ".", "a/./x", "a//x", "/x", "", "a/"])
def test_odd_paths(tree: places.Tree, path: str) -> None:
    with pytest.raises(files.UnsafePath):
        tree.create(path)


def test_what_is_missing(tree: places.Tree) -> None:
    assert tree.lstat("x") is None and tree.lstat("x/y/z") is None
    tree.make_directory("x/y")
    tree.make_directory("x/y/z")
    assert tree.lstat("x/y/z") is not None


def test_nothing_is_created_over_anything(tree: places.Tree, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tree" / "dangling").symlink_to("nowhere")
    os.close(tree.create("file"))
    for name in ("file", "dangling", "a"):
        with pytest.raises(FileExistsError):
            tree.create(name)


def test_a_link_or_second_name_is_not_dressed(tree: places.Tree, tmp_path: pathlib.Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("x")
    victim.chmod(0o600)
    (tmp_path / "tree" / "link").symlink_to(victim)
    os.link(str(victim), str(tmp_path / "tree" / "second"))
    with pytest.raises(OSError):
        tree.dress("link", os.geteuid(), os.getegid(), 0o644)
    with pytest.raises(places.Moved):
        tree.dress("second", os.geteuid(), os.getegid(), 0o644)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


def test_many_directories_take_few_descriptors(tree: places.Tree, tmp_path: pathlib.Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(500):
        tree.make_directory("d%d" % number)
        tree.lstat("d%d/x" % number)
    assert len(os.listdir("/proc/self/fd")) - before <= places._MOST_HANDLES + 2


def test_removing_a_tree_removes_its_links_only(tree: places.Tree, tmp_path: pathlib.Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("x")
    (tmp_path / "tree" / "a" / "b" / "link").symlink_to(tmp_path / "outside")
    tree.remove("a")
    tree.remove("a")
    assert tree.lstat("a") is None and (tmp_path / "outside" / "file").exists()


@pytest.mark.parametrize("make,said", [
    (lambda path: path.mkdir(mode=0o755), "with mode 0755"),
    (lambda path: path.symlink_to("/"), "a link or no directory"),
    (lambda path: path.write_text("x"), "a link or no directory"),
])  # fmt: skip
def test_bulk_that_is_not_ours(
    tree: places.Tree, tmp_path: pathlib.Path, make: t.Callable[[pathlib.Path], t.Any], said: str
) -> None:
    assert places.open_bulk(tree) is None
    make(tmp_path / "tree" / ".lifecycle")
    for making in (False, True):
        with pytest.raises(LifecycleError, match=said):
            places.open_bulk(tree, making)


def test_bulk_that_was_exchanged(tree: places.Tree, tmp_path: pathlib.Path) -> None:
    with t.cast(places.Tree, places.open_bulk(tree, make=True)) as bulk:
        info = os.fstat(bulk.fd)
    t.cast(places.Tree, places.open_bulk(tree, expected=[info.st_dev, info.st_ino])).close()
    with pytest.raises(LifecycleError, match="another directory"):
        places.open_bulk(tree, True, [info.st_dev, info.st_ino + 1])


def test_a_staging_that_is_broken_off_leaves_nothing(shop: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*dummy: t.Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(staging, "refuse_binary", broken)
    with pytest.raises(KeyboardInterrupt):
        call(shop, state="staged", src=str(shop.parent / "new.zip"), version="3.5.8")
    assert list((shop / ".lifecycle").iterdir()) == []


def test_what_is_read_of_the_site_has_a_bound(shop: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sparse file costs its owner nothing, and a reader hours."""
    with zipfile.ZipFile(str(shop.parent / "new.zip"), "a") as made:
        made.writestr("template/default/a.html", b"new")
        made.writestr("plain", b"new")
    for name in ("template/default/a.html", "plain", "locales/en.yml", "locales/more"):
        (shop / name).parent.mkdir(parents=True, exist_ok=True)
        with (shop / name).open("wb") as file:
            file.truncate(1 << 40)
    read: t.List[int] = []
    original = listing.digest_of

    def noted(fd: int) -> str:
        read.append(os.fstat(fd).st_size)
        return original(fd)

    monkeypatch.setattr(listing, "digest_of", noted)
    result = call(shop, state="staged", src=str(shop.parent / "new.zip"), version="3.5.8")
    assert result["files"]["kept"] == ["template/default/a.html"] and "plain" in result["files"]["replaced"]
    assert all(size < 1 << 20 for size in read)


def test_directories_without_end_are_refused(shop: pathlib.Path) -> None:
    (shop / "/".join(["locales"] + ["d"] * 50)).mkdir(parents=True)
    with pytest.raises(LifecycleError, match="directories deeper than 40"):
        call(shop, state="staged", src=str(shop.parent / "new.zip"), version="3.5.8")


def test_nothing_is_known_of_an_instance_without_records(shop: pathlib.Path) -> None:
    store = Store(state.StateDir(resolve(str(shop)), str(shop.parent / "state")))
    assert (store.staged(), store.switches(), store.active(), store.switch("x")) == ([], [], None, None)
