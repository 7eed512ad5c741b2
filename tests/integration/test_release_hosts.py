# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`release` where the host is against it: mounts, no room, other users, and a web user who exchanges directories.

As a script it makes calls in a process of its own, see `calls`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Sequence

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("tools", "fleet", "")]

import pytest
import release_zips
from release_zips import NEW, OLD, USERS, bulk, call, give_to, lay_out, make_zip, snapshot, stage, switch

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import places, release_moves
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

WWW = 33
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for mounts and other users")


@pytest.fixture
def shop(place: Path) -> Path:
    return lay_out(place / "shop", OLD, USERS)


@pytest.fixture
def new(place: Path) -> Path:
    return make_zip(place / "new.zip", NEW)


def calls(shop: Path, *wanted: dict[str, Any], before: str = "true", uid: int = 0) -> list[dict[str, Any]]:
    """Calls one after another in a mount namespace, behind a shell command; a failure is a row with `failed`."""
    script = f"{before} && exec {sys.executable} {__file__} '{json.dumps([str(shop), uid, list(wanted)])}'"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def answer(directory: str, uid: int, wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    if uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    rows = []
    for given in wanted:
        base = Path(directory).parent / f"state-{uid}"
        try:
            rows.append(call(Path(directory), base, **given))
        except LifecycleError as error:
            rows.append({"failed": True, "msg": error.msg})
    return rows


def both(new: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return ({"state": "staged", "src": str(new), "version": "3.5.8"}, {"state": "switched", "version": "3.5.8"})


def bound(shop: Path, name: str) -> str:
    """A shell command that mounts the directory on itself."""
    return f"mount --bind {shop / name} {shop / name}"


@AS_ROOT
def test_uploads_may_be_a_mount(shop: Path, new: Path) -> None:
    (shop / "data").mkdir(exist_ok=True)
    command = f"{bound(shop, 'public/uploads')} && mount -t tmpfs none {shop / 'data'}"
    staged, switched = calls(shop, *both(new), before=command)
    assert (staged["changed"], switched["changed"]) == (True, True), (staged, switched)
    assert (shop / "README.md").read_bytes() == b"new\n"


@AS_ROOT
@pytest.mark.parametrize(("name", "kind"), [
    ("template/default", "tmpfs"), ("locales", "bind"), ("locales/en", "bind"), ("public", "tmpfs"),
    ("system/js", "bind"), ("README.md", "bind"),
])  # fmt: skip
def test_mounts_where_the_release_writes(shop: Path, new: Path, name: str, kind: str) -> None:
    before = snapshot(shop)
    command = bound(shop, name) if kind == "bind" else f"mount -t tmpfs none {shop / name}"
    (row,) = calls(shop, both(new)[0], before=command)
    assert row.get("failed") and "file system" in row["msg"] and str(name) in row["msg"], row
    assert snapshot(shop) == before and bulk(shop) == []


@AS_ROOT
def test_a_mount_for_staged_files(shop: Path, new: Path) -> None:
    (shop / ".lifecycle").mkdir(mode=0o700)
    for command in (bound(shop, ".lifecycle"), f"mount -t tmpfs -o mode=700 none {shop / '.lifecycle'}"):
        (row,) = calls(shop, both(new)[0], before=command)
        assert row.get("failed") and "file system" in row["msg"], row


@AS_ROOT
def test_read_only(shop: Path, new: Path) -> None:
    command = f"{bound(shop, '')} && mount -o remount,ro,bind {shop}"
    for given in (both(new)[0], dict(both(new)[0], check=True)):
        (row,) = calls(shop, given, before=command)
        assert row.get("failed") and "read-only" in row["msg"], row


@AS_ROOT
@pytest.mark.parametrize("size", ["1m", "20m"])
def test_no_room(place: Path, size: str) -> None:
    """Before the archive is copied, and when its files are known."""
    files = {**NEW, "big": os.urandom(2 << 20), "zeros": b"\0" * (8 << 20)}
    archive = make_zip(place / "new.zip", files)
    shop = place / "disk" / "shop"
    (place / "disk").mkdir()
    code = f"import release_zips as r; from pathlib import Path; r.lay_out(Path('{shop}'), r.OLD, r.USERS)"
    search = ":".join(str(HERE.parent / name) for name in ("", "tools", "fleet"))
    laid_out = f"PYTHONPATH={search} {sys.executable} -c \"{code}\""
    command = f"mount -t tmpfs -o size={size} none {place / 'disk'} && {laid_out}"
    row, tidied = calls(shop, both(archive)[0], {"state": "tidied"}, before=command)
    assert row.get("failed") and "MB are free. Nothing was staged." in row["msg"], row
    assert tidied["changed"] is False  # nothing was left behind


@AS_ROOT
def test_the_disk_becomes_full_while_it_is_unpacked(shop: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    original = os.write

    def write(fd: int, data: bytes) -> int:
        if b"new css" in bytes(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(fd, data)

    before = snapshot(shop)
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(LifecycleError, match=r"could not be staged .* no space is left on the disk"):
        stage(shop, new)
    assert snapshot(shop) == before and bulk(shop) == []


# --- users


@AS_ROOT
def test_the_owner_of_a_site_does_without_root(shop: Path, new: Path, place: Path) -> None:
    give_to(shop, WWW)
    (place / f"state-{WWW}").mkdir()
    os.chown(place / f"state-{WWW}", WWW, WWW)
    before = snapshot(shop)
    rows = calls(shop, *both(new), {"state": "reverted"}, {"state": "tidied", "keep": 0}, uid=WWW)
    assert [row.get("changed") for row in rows] == [True, True, True, True], rows
    assert snapshot(shop) == before and bulk(shop) == []


@AS_ROOT
@pytest.mark.parametrize(("name", "said"), [
    ("README.md", "README.md would belong to uid 0"), ("locales", "would belong to uid 0"),
    (".", "Run as root"),
])  # fmt: skip
def test_what_is_roots_needs_root(shop: Path, new: Path, place: Path, name: str, said: str) -> None:
    give_to(shop, WWW)
    os.chown(shop / name, 0, 0)
    (place / f"state-{WWW}").mkdir()
    os.chown(place / f"state-{WWW}", WWW, WWW)
    before = snapshot(shop)
    (row,) = calls(shop, both(new)[0], uid=WWW)
    assert row.get("failed") and said in row["msg"], row
    assert snapshot(shop) == before


@AS_ROOT
@pytest.mark.parametrize("what", ["directory", "link", "open"])
def test_a_directory_of_somebody_else_is_not_ours(shop: Path, new: Path, place: Path, what: str) -> None:
    target = shop / ".lifecycle"
    if what == "link":
        (place / "roots").mkdir(mode=0o700)
        target.symlink_to(place / "roots")
    else:
        target.mkdir(mode=0o777 if what == "open" else 0o700)
        target.chmod(0o777 if what == "open" else 0o700)
        os.chown(target, WWW if what == "directory" else 0, 0)
    with pytest.raises(LifecycleError, match=r"\.lifecycle is not used"):
        stage(shop, new)


@AS_ROOT
def test_a_directory_that_took_the_place_of_ours(shop: Path, new: Path) -> None:
    """Only root's own directories can be put there by the web user, and none of them is the one that was made."""
    stage(shop, new)
    (shop / ".lifecycle").rename(shop / "stolen")
    (shop / ".lifecycle").mkdir(mode=0o700)
    with pytest.raises(LifecycleError, match="another directory than the one that was made"):
        switch(shop)


@AS_ROOT
@pytest.mark.parametrize("moment", ["template/default/new", "README.md", "source", "locales"])
def test_a_directory_becomes_a_link_in_the_middle(
    shop: Path, new: Path, place: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the web user does between two renames, nothing outside is written, and what is left can be put right."""
    give_to(shop, WWW)
    outside = place / "outside"
    (outside / "default").mkdir(parents=True)
    (outside / "default" / "list.html").write_text("of root")
    was = snapshot(outside)
    stage(shop, new, old_src=str(make_zip(place / "old.zip", OLD)))
    before = snapshot(shop)
    original = places.rename

    def rename(source: places.Tree, destination: places.Tree, relative: str) -> None:
        if relative == moment and not (shop / "template").is_symlink():
            (shop / "template").rename(shop / "away")
            (shop / "template").symlink_to(outside)
        original(source, destination, relative)

    monkeypatch.setattr(places, "rename", rename)
    try:
        switch(shop)
    except LifecycleError as error:
        assert "Not all files of" in error.msg and "template" in error.msg, error.msg
    assert snapshot(outside) == was
    monkeypatch.setattr(places, "rename", original)
    (shop / "template").unlink()
    (shop / "away").rename(shop / "template")
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Store

    context = release_zips.context_of(shop)
    (one,) = Store(context.state).switches()
    release_moves.undo(context, dict(switch=one.id, direction="switched"))
    assert snapshot(shop) == before


@AS_ROOT
def test_a_web_user_who_exchanges_directories_all_the_time(shop: Path, new: Path, place: Path) -> None:
    """Staging, switching and going back while directories become links to root's, and directories again."""
    give_to(shop, WWW)
    outside = place / "outside"
    names = "default/index.html default/list.html en/default.yml static/default/a.css anqicms config.json"
    lay_out(outside, dict.fromkeys(names.split(), b"of root"))
    outside.chmod(0o700)
    was = snapshot(outside)
    ends = threading.Event()

    def exchange() -> None:
        names = ("template", "locales", "public", ".lifecycle")
        while not ends.is_set():
            for name in names:
                try:
                    os.rename(shop / name, shop / f"{name}.away")
                    os.symlink(outside, shop / name)
                except OSError:
                    pass
            for name in names:
                try:
                    os.unlink(shop / name)
                    os.rename(shop / f"{name}.away", shop / name)
                except OSError:
                    pass

    enemy = threading.Thread(target=exchange, daemon=True)
    enemy.start()
    outcomes: dict[str, int] = {}
    try:
        for _round in range(25):
            for given in (*both(new), {"state": "reverted"}, {"state": "tidied", "keep": 0}):
                try:
                    call(shop, **given)
                    outcome = "done"
                except (LifecycleError, OSError):
                    outcome = "refused"
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
    finally:
        ends.set()
        enemy.join()
    assert snapshot(outside) == was
    assert sum(outcomes.values()) == 100 and outcomes.get("refused"), outcomes


if __name__ == "__main__":
    print(json.dumps(answer(*json.loads(sys.argv[1]))))
