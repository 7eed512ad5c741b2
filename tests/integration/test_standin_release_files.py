# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of the stand-in: the files that a real release of the version has, and what differs between two."""

from __future__ import annotations

import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from instance import make_instance
from release_files import archive_name, full_release, release_zip, texts_of

pytestmark = pytest.mark.usefixtures("never_a_real_release")

VERSIONS = ["2.3.6", "2.5.3", "3.2.8", "3.3.5", "3.3.11", "3.4.0", "3.5.8"]


def own_files(version: str) -> set[str]:
    """Of the archive, but those of the stand-in's runtime."""
    source = full_release(version)
    names = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith("lib/")}


@pytest.mark.parametrize("version", VERSIONS)
def test_files_by_version(version: str) -> None:
    numbers = tuple(map(int, version.split(".")))
    files = own_files(version)
    tops = {name.split("/")[0] for name in files}
    assert {"anqicms", "CHANGELOG.md", "README.md", "License", "template", "public", "doc", "clientFiles"} <= tops
    assert ("locales" in tops, "language" in tops) == ((True, False) if numbers >= (3, 3, 9) else (False, True))
    assert ("system" in tops) is (numbers < (3, 4, 5))
    assert ("start.sh" in tops and "stop.sh" in tops) is (numbers < (3, 3))
    assert "dictionary.txt" in tops
    assert len([name for name in files if name.startswith("template/default/")]) == 23
    assert 45 <= len(files) <= 100


@pytest.mark.parametrize(
    ("old", "new", "templates", "public", "left"),
    [("2.5.3", "3.3.11", 23, 2, 31), ("3.3.11", "3.5.8", 23, 2, 0), ("3.5.1", "3.5.8", 2, 0, 0)],
)
def test_what_an_upgrade_replaces(old: str, new: str, templates: int, public: int, left: int) -> None:
    before, after = texts_of(old), texts_of(new)

    def changed(under: str) -> int:
        return sum(before[name] != after[name] for name in before.keys() & after.keys() if name.startswith(under))

    assert (changed("template/default/"), changed("public/static/")) == (templates, public)
    assert sum(name.startswith("public/") for name in before.keys() - after.keys()) == left


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("2.5.3", "anqicms-linux-v2.5.3.zip"),
        ("3.4.0", "anqicms-linux-v3.4.0.zip"),
        ("3.5.8", "anqicms-linux-amd64-v3.5.8.zip"),
    ],
)
def test_archive(tmp_path: Path, version: str, name: str) -> None:
    path = release_zip(version, tmp_path / "one")
    assert path.name == name == archive_name(version)
    assert path.read_bytes() == release_zip(version, tmp_path / "two").read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = {entry.filename for entry in archive.infolist()}
        assert own_files(version) <= names and "cache/" in names
        modes = {entry.filename: stat.S_IMODE(entry.external_attr >> 16) for entry in archive.infolist()}
    assert (modes["anqicms"], modes["CHANGELOG.md"], modes["template/default/"]) == (0o755, 0o644, 0o755)


def test_archive_that_is_not_as_usual(tmp_path: Path) -> None:
    path = release_zip("3.5.8", tmp_path, changelog="3.4.0", modes=False, scripts=True)
    with zipfile.ZipFile(path) as archive:
        assert b"## v3.4.0" in archive.read("CHANGELOG.md")
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0}
        assert {"start.sh", "stop.sh"} <= set(archive.namelist())


def test_binaries_tell_their_version(tmp_path: Path) -> None:
    """The file alone decides, whatever lies beside it."""
    instance = make_instance(tmp_path / "site", "3.2.8", full=True)
    assert (instance.dir / "system" / "umi.3.2.8.js").exists()
    instance.binary.unlink()
    instance.binary.write_bytes((full_release("3.5.8") / "anqicms").read_bytes())
    instance.binary.chmod(0o755)
    try:
        instance.start()
        assert instance.told_version() == "3.5.8"
    finally:
        instance.kill()


def test_left_over_admin_pages_hide_the_new_ones(tmp_path: Path) -> None:
    """From 3.4.5 they are inside the binary."""
    instance = make_instance(tmp_path / "site", "3.4.0", full=True)
    try:
        for title in (b"admin 3.4.0", b"admin 3.5.8"):
            instance.become("3.5.8")
            instance.start()
            assert title in instance.get("/system/")[1]
            instance.kill()
            shutil.rmtree(instance.dir / "system", ignore_errors=True)
    finally:
        instance.kill()


def test_unpacked_archive_runs(tmp_path: Path) -> None:
    instance = make_instance(tmp_path / "site", "3.2.8")
    instance.binary.unlink()
    with zipfile.ZipFile(release_zip("3.5.8", tmp_path)) as archive:
        archive.extractall(instance.dir)
    instance.binary.chmod(0o755)
    try:
        instance.start()
        assert instance.told_version() == "3.5.8"
    finally:
        instance.kill()


def test_scripts_do_nothing(tmp_path: Path) -> None:
    """The vendor's end everything of this name on the host; these must not."""
    source = full_release("2.5.3")
    for name in ("start.sh", "stop.sh"):
        assert subprocess.run([source / name], check=True, capture_output=True).stdout == b""
        assert "kill" not in (source / name).read_text()
