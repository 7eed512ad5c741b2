# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a fleet's files come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import freeze
import pytest
import releases
from instance import make_instance


def test_without_real_releases_it_is_the_standin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELEASES", raising=False)
    assert releases.release_of("3.5.8") == freeze.release("3.5.8")


def test_real_releases_are_taken_from_directories_and_archives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RELEASES", str(tmp_path))
    monkeypatch.setattr(freeze, "CACHE", tmp_path / "cache")
    source = tmp_path / "made" / "content"
    source.mkdir(parents=True)
    (source / "anqicms").write_text("#!/bin/sh\n")
    shutil.copytree(source, tmp_path / "2.5.3")
    shutil.make_archive(str(tmp_path / "anqicms-linux-amd64-v3.5.8"), "zip", source)
    assert releases.release_of("2.5.3") == tmp_path / "2.5.3"
    unpacked = releases.release_of("3.5.8")
    assert (unpacked / "anqicms").stat().st_mode & 0o777 == 0o755
    assert releases.release_of("3.5.8") == unpacked
    with pytest.raises(FileNotFoundError, match=r"anqicms-linux-\*-v3\.2\.8\.zip"):
        releases.release_of("3.2.8")


@pytest.mark.parametrize(
    "wanted, found",
    [("2.5.3", "2.5.3"), ("3.2.8", "3.2.8"), ("3.5.8", "3.4.10"), ("3.4.2", "3.2.8"), ("2.3.6", "2.5.3")],
)
def test_version_that_real_releases_lack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str, found: str
) -> None:
    monkeypatch.delenv("RELEASES", raising=False)
    assert releases.nearest(wanted) == wanted
    monkeypatch.setenv("RELEASES", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="nor archives"):
        releases.nearest(wanted)
    for name in ("2.5.3", "v3.4.10", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "anqicms").touch()
    (tmp_path / "3.5.8").mkdir()  # without a binary
    (tmp_path / "anqicms-linux-amd64-v3.2.8.zip").touch()
    assert releases.nearest(wanted) == found


def test_an_instance_without_a_database_stays_with_the_standin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RELEASES", str(tmp_path / "nothing"))
    instance = make_instance(tmp_path / "site", "3.5.8")
    try:
        assert instance.start() == instance.pid
    finally:
        instance.kill()
    assert instance.pid == 0
