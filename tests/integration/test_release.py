# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`release` on real files: what is staged, what goes where, and what comes back."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import release_zips
from release_zips import NEW, OLD, USERS, bulk, call, give_to, lay_out, make_zip, snapshot, stage, switch

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import archive, file_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet

NOBODY = 65534


@pytest.fixture
def shop(place: Path) -> Path:
    return lay_out(place / "shop", OLD, USERS)


@pytest.fixture
def new(place: Path) -> Path:
    return make_zip(place / "new.zip", NEW)


@pytest.fixture
def old(place: Path) -> Path:
    return make_zip(place / "old.zip", OLD)


def content(shop: Path) -> dict[str, bytes]:
    return {path: row[4] for path, row in snapshot(shop).items() if row[4] is not None}


def test_staging_touches_nothing_in_its_place(shop: Path, new: Path) -> None:
    before = snapshot(shop)
    result = stage(shop, new)
    assert (result["changed"], result["version"], result["previous"]) == (True, "3.5.8", "3.4.0")
    assert snapshot(shop) == before
    (tree,) = bulk(shop)
    assert tree.startswith("new-3.5.8-")
    staged = content(shop / ".lifecycle" / tree)
    assert staged == {
        path: data
        for path, data in NEW.items()
        if path.partition("/")[0] not in ("config.json", "data") and not path.startswith("public/uploads")
    }
    assert stat.S_IMODE((shop / ".lifecycle").stat().st_mode) == 0o700


def test_staging_twice_is_once(shop: Path, new: Path) -> None:
    stage(shop, new)
    names = bulk(shop)
    again = stage(shop, new)
    assert (again["changed"], bulk(shop)) == (False, names)


def test_a_staged_file_that_is_gone_is_staged_anew(shop: Path, new: Path) -> None:
    stage(shop, new)
    (shop / ".lifecycle" / bulk(shop)[0] / "README.md").unlink()
    with pytest.raises(LifecycleError, match=r"README.md is not used: it is missing"):
        switch(shop)
    assert stage(shop, new)["changed"] and switch(shop)["changed"]


def test_switched(shop: Path, new: Path) -> None:
    stage(shop, new)
    result = switch(shop)
    now = content(shop)
    kept = ["template/default/index.html", "template/default/list.html", "public/static/default/a.css", "start.sh"]
    assert result["files"]["kept"] == sorted(kept)
    assert {path for path in now if path in NEW and now[path] == NEW[path]} == {
        path for path in NEW if path not in (*kept, "config.json", "data/x", "public/uploads/x.png")
    }
    assert {path: now[path] for path in USERS} == USERS
    assert not (shop / "system").exists() and not (shop / "data" / "x").exists() and (shop / "cache").is_dir()
    assert result["files"]["removed"] == ["system/index.html", "system/js/app.js"]
    assert result["files"]["counts"] == {"added": 4, "replaced": 4, "kept": 4, "removed": 2, "same": 1}
    assert Path(result["journal"]).is_file()
    assert (result["previous"], result["version"]) == ("3.4.0", "3.5.8")


@pytest.mark.parametrize("how", ["manifest", "src"])
def test_what_was_taken_back_is_planned_again(shop: Path, new: Path, how: str) -> None:
    """In check mode: whoever gives the archive stages it again before the window."""
    stage(shop, new)
    files = switch(shop)["files"]
    call(shop, state="reverted")
    with new.open("rb") as stream:
        given: dict[str, Any] = {"src": str(new), "manifest": archive.manifest_of(stream).to_json()}
    planned = switch(shop, check=True, **{how: given[how]})
    assert planned["changed"] and planned["files"] == files
    with pytest.raises(LifecycleError, match="have already been used"):
        switch(shop, check=True)


@pytest.mark.parametrize("how", ["old_src", "known_files", "staged", "staged before without"])
def test_a_template_that_is_proved_to_be_the_old_releases_is_replaced(
    shop: Path, new: Path, old: Path, how: str
) -> None:
    if how == "staged":
        stage(shop, old, "3.4.0")
        stage(shop, new)
    elif how == "known_files":
        with old.open("rb") as stream:
            known = file_plan.known_in([archive.manifest_of(stream)])
        stage(shop, new, known_files=known)
        assert stage(shop, new, known_files=known)["changed"] is False
    else:
        (shop / "template/default/list.html").chmod(0o640)
        if how == "staged before without":
            stage(shop, new)
        assert stage(shop, new, old_src=str(old))["changed"]
        assert stage(shop, new, old_src=str(old))["changed"] is False
    mode = (shop / "template/default/list.html").stat().st_mode
    result = switch(shop)
    assert (shop / "template/default/list.html").stat().st_mode == mode
    assert result["files"]["kept"] == ["template/default/index.html"]
    assert (shop / "template/default/list.html").read_bytes() == b"new list"
    assert (shop / "template/default/index.html").read_bytes() == b"edited index"


def test_the_plan_names_the_templates_that_nothing_proves(shop: Path, new: Path, old: Path) -> None:
    stage(shop, new)
    planned = call(shop, check=True, state="switched", version="3.5.8")["would"]
    assert "nothing proves that they are unedited" in planned and "template/default/index.html" in planned
    assert "template/default/list.html" in planned
    planned = call(shop, check=True, state="switched", version="3.5.8", src=str(new), old_src=str(old))["would"]
    assert "as they are here): template/default/index.html. " in planned and "list.html" not in planned


def test_what_was_used_before_is_planned_as_staged_anew(shop: Path, new: Path) -> None:
    """The plan of an upgrade comes before it is staged; what one that was taken back has left must not refuse it."""
    stage(shop, new)
    switch(shop)
    call(shop, state="reverted")
    with new.open("rb") as stream:
        manifest = archive.manifest_of(stream).to_json()
    with pytest.raises(LifecycleError, match="have already been used"):
        call(shop, check=True, state="switched", version="3.5.8")
    for given in ({"manifest": manifest}, {"src": str(new)}):
        assert call(shop, check=True, state="switched", version="3.5.8", **given)["changed"]
    assert stage(shop, new)["changed"] and switch(shop)["changed"]
    assert call(shop, check=True, state="switched", version="3.5.8", manifest=manifest)["changed"] is False


def test_reverted_is_the_inverse_to_the_byte(shop: Path, new: Path) -> None:
    (shop / "README.md").chmod(0o640)
    os.utime(shop / "README.md", (1, 1))
    before = snapshot(shop)
    stage(shop, new)
    switch(shop)
    assert snapshot(shop) != before
    result = call(shop, state="reverted")
    assert (result["changed"], result["version"], result["previous"]) == (True, "3.4.0", "3.5.8")
    assert snapshot(shop) == before
    assert call(shop, state="reverted")["changed"] is False


def test_a_chain_goes_back_to_the_version_that_is_named(shop: Path, place: Path, new: Path) -> None:
    middle = make_zip(
        place / "middle.zip",
        {**NEW, "anqicms": OLD["anqicms"] + b"", "README.md": b"middle", "CHANGELOG.md": b"## v3.5.1\n"},
    )
    before = snapshot(shop)
    stage(shop, middle, "3.5.1")
    stage(shop, new)
    switch(shop, "3.5.1")
    between = snapshot(shop)
    switch(shop)
    with pytest.raises(LifecycleError, match=r"has replaced 2.5.3. .* that can be restored: 3.5.1, 3.4.0"):
        call(shop, state="reverted", version="2.5.3")
    call(shop, state="reverted", version="3.5.1")
    assert snapshot(shop) == between
    stage(shop, new)
    switch(shop)
    call(shop, state="reverted", version="3.4.0")
    assert snapshot(shop) == before


def test_switching_what_is_there_changes_nothing(shop: Path, new: Path, old: Path) -> None:
    stage(shop, new, old_src=str(old))
    switch(shop)
    before = snapshot(shop)
    assert switch(shop)["changed"] is False
    assert snapshot(shop) == before


def test_a_tree_is_used_once(shop: Path, new: Path) -> None:
    """What comes back from its place may have been altered there."""
    stage(shop, new)
    switch(shop)
    (shop / "README.md").write_text("altered in its place")
    call(shop, state="reverted")
    with pytest.raises(LifecycleError, match="have already been used"):
        switch(shop)
    assert stage(shop, new)["changed"]
    switch(shop)
    assert (shop / "README.md").read_text() == "new\n"


def test_what_the_new_version_has_made_goes_with_it(shop: Path, new: Path) -> None:
    before = snapshot(shop)
    stage(shop, new)
    switch(shop)
    (shop / "source" / "made").write_text("by the new version")
    call(shop, state="reverted")
    assert snapshot(shop) == before
    assert list((shop / ".lifecycle").glob("new-*/source/made"))


def test_what_stands_in_the_way_of_the_old_files_is_moved_aside(shop: Path, new: Path) -> None:
    before = snapshot(shop)
    stage(shop, new)
    switch(shop)
    (shop / "system").mkdir()
    (shop / "system" / "x").write_text("of somebody")
    result = call(shop, state="reverted")
    assert snapshot(shop) == before
    (left,) = (shop / ".lifecycle").glob("left-*")
    assert (left / "system" / "x").read_text() == "of somebody" and str(left) in result["notes"][0]


# --- check mode


def test_check_mode_shows_the_files_and_changes_nothing(shop: Path, new: Path) -> None:
    before = snapshot(shop, without="nothing")
    planned = stage(shop, new, check=True)
    also = switch(shop, check=True, src=str(new))
    assert snapshot(shop, without="nothing") == before and not (shop.parent / "state").exists()
    assert planned["files"] == also["files"] and planned["changed"] and also["changed"]
    assert "4 added, 4 replaced, 4 kept because they count as edited, 2 removed, 1 the same" in planned["would"]
    stage(shop, new)
    assert switch(shop)["files"] == planned["files"]


def test_the_controllers_manifest_stands_for_an_archive_that_is_not_here_yet(shop: Path, new: Path) -> None:
    with new.open("rb") as stream:
        manifest = archive.manifest_of(stream).to_json()
    planned = stage(shop, shop.parent / "later.zip", manifest=manifest, check=True)
    assert planned["files"] == stage(shop, new, check=True)["files"]
    assert "README.md  %s\n" % hashlib.sha256(b"new\n").hexdigest()[:12] in planned["diff"]["after"]
    with pytest.raises(LifecycleError, match="its SHA-256 is"):
        stage(shop, shop.parent / "later.zip", manifest=manifest, sha256="0" * 64, check=True)


# --- owners and modes


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_owners_and_modes_are_those_of_the_files_before(shop: Path, new: Path) -> None:
    give_to(shop, NOBODY)
    (shop / "README.md").chmod(0o600)
    os.chown(shop / "README.md", 0, 0)
    (shop / "anqicms").chmod(0o777)
    before = snapshot(shop)
    stage(shop, new)
    switch(shop)
    names = ("README.md", "anqicms", "source", "locales/zh/default.yml", "source/cwebp_linux_amd64", "cache")
    info = {name: (shop / name).stat() for name in names}
    assert {name: (row.st_uid, oct(stat.S_IMODE(row.st_mode))) for name, row in info.items()} == {
        "README.md": (0, "0o600"),
        "anqicms": (NOBODY, "0o775"),
        "source": (NOBODY, "0o755"),
        "locales/zh/default.yml": (NOBODY, "0o644"),
        "source/cwebp_linux_amd64": (NOBODY, "0o755"),
        "cache": (NOBODY, "0o755"),
    }
    call(shop, state="reverted")
    assert snapshot(shop) == before
    bulk_info = (shop / ".lifecycle").stat()
    assert (bulk_info.st_uid, stat.S_IMODE(bulk_info.st_mode)) == (0, 0o700)


def test_a_binary_of_another_name(place: Path, new: Path) -> None:
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import release
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

    shop = lay_out(place / "shop", OLD, USERS)
    (shop / "anqicms").rename(shop / "shop-web")
    instance = resolve(str(shop), "shop-web")
    for given in ({"state": "staged", "src": str(new)}, {"state": "switched"}):
        context = Context(instance, state.StateDir(instance, str(place / "state")))
        release.as_a_task(context, release_zips.options(version="3.5.8", **given))
    assert (shop / "shop-web").read_bytes() == NEW["anqicms"] and not (shop / "anqicms").exists()


# --- refusals


def test_bad_options(shop: Path, new: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"state": "staged", "src": str(new)}, "version is not given"),
        ({"state": "staged", "src": str(new), "version": "latest"}, "version is latest"),
        ({"state": "staged", "version": "3.5.8"}, "needs src"),
        ({"state": "staged", "version": "3.5.8", "src": str(shop / "none.zip")}, "No such file"),
        ({"state": "staged", "version": "3.5.8", "src": str(shop)}, "is a directory"),
        ({"state": "switched", "version": "3.5.8"}, "3.5.8 is not staged"),
        ({"state": "switched"}, "version is not given"),
        ({"state": "tidied", "keep": -1}, "must not be negative"),
        ({"state": "staged", "version": "3.5.8", "src": str(new), "sha256": "0" * 64}, "its SHA-256 is"),
        ({"state": "staged", "version": "3.5.1", "src": str(new)}, "which is newer"),
    ]
    before = snapshot(shop)
    for given, said in cases:
        with pytest.raises(LifecycleError) as caught:
            call(shop, **given)
        assert said in caught.value.msg, given
    assert bulk(shop) == [] and snapshot(shop) == before


def test_an_archive_is_one_version(shop: Path, new: Path) -> None:
    stage(shop, new)
    with pytest.raises(LifecycleError, match=r"not the release 3.5.9: it was staged as 3.5.8"):
        stage(shop, new, "3.5.9")


@pytest.mark.parametrize("name,files,said", [
    ("no zip", None, "not a zip archive"),
    ("no binary", {"README.md": b""}, "no anqicms in it"),
    ("escape", {**NEW, "../x": b""}, "leads out of the directory"),
    ("script", {**NEW, "anqicms": b"#!/bin/sh\n"}, "cannot be executed"),
    ("cut binary", {**NEW, "anqicms": NEW["anqicms"][:5000]}, "it is truncated"),
    ("no locales", {path: data for path, data in OLD.items() if not path.startswith("locales")}, "no locales/"),
])  # fmt: skip
def test_nothing_is_left_of_a_bad_archive(
    shop: Path, place: Path, name: str, files: dict[str, bytes] | None, said: str
) -> None:
    bad = place / "bad.zip"
    if files is None:
        bad.write_text("<html>not found</html>")
    else:
        make_zip(bad, files)
    before = snapshot(shop)
    with pytest.raises(LifecycleError, match=said):
        stage(shop, bad, "3.4.0" if name == "no locales" else "3.5.8")
    assert snapshot(shop) == before and bulk(shop) == []


def test_an_archive_that_is_still_being_written(shop: Path, new: Path) -> None:
    with new.open("ab"), pytest.raises(NotYet, match="is not complete: it is open for writing by pid"):
        stage(shop, new)
    assert stage(shop, new)["changed"]


def test_a_staged_binary_that_somebody_writes(shop: Path, new: Path) -> None:
    stage(shop, new)
    staged = shop / ".lifecycle" / bulk(shop)[0] / "anqicms"
    with staged.open("r+b"), pytest.raises(NotYet, match="open for writing"):
        switch(shop)
    assert switch(shop)["changed"]


def test_a_staged_file_that_was_altered(shop: Path, new: Path) -> None:
    stage(shop, new)
    path = shop / ".lifecycle" / bulk(shop)[0] / "README.md"
    info = path.stat()
    path.write_bytes(b"NEW\n")
    with pytest.raises(LifecycleError, match="is not the file that was unpacked"):
        switch(shop)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    with pytest.raises(LifecycleError, match="its content is another one"):
        switch(shop, check=True)


@pytest.mark.parametrize("name", ["template", "template/default", "locales", "public", "README.md", "system"])
def test_links_where_the_release_writes(shop: Path, new: Path, place: Path, name: str) -> None:
    (shop / name).rename(place / "elsewhere")
    (shop / name).symlink_to(place / "elsewhere")
    before = snapshot(shop)
    with pytest.raises(LifecycleError) as caught:
        stage(shop, new)
    assert f"{name} (a symbolic link)" in caught.value.msg
    assert snapshot(shop) == before and bulk(shop) == []


def test_a_link_for_the_uploads_is_none_of_the_releases(shop: Path, new: Path, place: Path) -> None:
    (shop / "public/uploads").rename(place / "uploads")
    (shop / "public/uploads").symlink_to(place / "uploads")
    stage(shop, new)
    assert switch(shop)["changed"]
    assert os.listdir(place / "uploads") == ["a.png"]


# --- tidied


def test_tidied_keeps_the_active_and_what_it_replaced(shop: Path, place: Path) -> None:
    versions = ["3.5.1", "3.5.3", "3.5.5", "3.5.8"]
    for version in versions:
        files = {**NEW, "README.md": version.encode(), "CHANGELOG.md": f"## v{version}\n".encode()}
        stage(shop, make_zip(place / "x.zip", files), version)
        switch(shop, version)
    assert len(bulk(shop)) == 8
    planned = call(shop, state="tidied", keep=2, check=True)
    assert len(bulk(shop)) == 8 and "remove new-3.5.1-" in planned["would"]
    result = call(shop, state="tidied", keep=2)
    assert len(result["removed"]) == 4
    assert sorted(name.rsplit("-", 1)[0] for name in bulk(shop)) == ["new-3.5.5", "new-3.5.8", "old", "old"]
    call(shop, state="tidied", keep=0)
    assert sorted(name.rsplit("-", 1)[0] for name in bulk(shop)) == ["new-3.5.8", "old"]
    assert call(shop, state="tidied", keep=0)["changed"] is False
    assert call(shop, state="reverted")["version"] == "3.5.5"
    assert (shop / "README.md").read_text() == "3.5.5"


def test_tidied_removes_what_a_killed_staging_left(shop: Path, new: Path) -> None:
    stage(shop, new)
    for name in ("new-3.5.9-abcd", "zip-abcd", "left-abcd-1"):
        (shop / ".lifecycle" / name).mkdir()
    (shop / ".lifecycle" / "of somebody").mkdir()
    call(shop, state="tidied")
    assert [name.rsplit("-", 1)[0] for name in bulk(shop)] == ["new-3.5.8", "of somebody"]


def test_tidying_removes_links_and_not_what_they_lead_to(shop: Path, new: Path, place: Path) -> None:
    precious = place / "precious"
    precious.mkdir()
    (precious / "file").write_text("precious")
    stage(shop, new)
    switch(shop)
    (shop / "source" / "link").symlink_to(precious)
    call(shop, state="reverted")
    call(shop, state="tidied", keep=0)
    assert bulk(shop) == [] and (precious / "file").read_text() == "precious"
