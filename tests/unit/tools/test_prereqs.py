# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is missing is named by its package, and only for those who need it."""

from pathlib import Path

import prereqs
import pytest


def test_missing_programs_are_named_by_package(tmp_path: Path) -> None:
    for program in ("git", "objdump", "ps", "ip", "mariadbd", "mariadb-install-db"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    assert prereqs.missing_packages("demo", False, str(tmp_path)) == ["iproute2"]


def test_root_parts_ask_for_their_packages_as_root_only(tmp_path: Path) -> None:
    as_user = prereqs.missing_packages("test", False, str(tmp_path))
    as_root = prereqs.missing_packages("test", True, str(tmp_path))
    assert "debootstrap" not in as_user
    assert "debootstrap" in as_root
    assert set(as_user) < set(as_root)


def test_tests_do_without_what_is_optional(tmp_path: Path) -> None:
    assert "chromium" not in prereqs.missing_packages("test", True, str(tmp_path))
    assert prereqs.missing_packages("test", True, str(tmp_path), optional=True) == ["chromium"]
    assert prereqs.missing_packages("demo", True, str(tmp_path), optional=True) == []


def test_linters_need_nothing_but_git(tmp_path: Path) -> None:
    assert prereqs.missing_packages("lint", True, str(tmp_path)) == ["git"]


def test_a_part_asks_for_nothing_that_others_need(tmp_path: Path) -> None:
    assert prereqs.missing_packages("check", True, str(tmp_path)) == ["git", "zstd"]
    assert prereqs.missing_packages("build", True, str(tmp_path)) == ["git"]


def test_a_part_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert prereqs.main(["chek"]) == 2
    assert "There is no part chek. The parts are" in capsys.readouterr().err
