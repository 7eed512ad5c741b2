# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guides lead to each other, or to the repository; what is internal has no page."""

import re
from pathlib import Path

import docsite
import paths
import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("docs/upgrade.md", "docs/zh/upgrade.md", "roles/restart/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(("page", "link", "becomes"), [
    ("docs/upgrade.md", "upgrade.md#files", "upgrade.md#files"),
    ("docs/upgrade.md", "zh/upgrade.md", "zh/upgrade.md"),
    ("docs/zh/upgrade.md", "../upgrade.md", "../upgrade.md"),
    ("docs/upgrade.md", "images/report.png", "images/report.png"),
    ("docs/upgrade.md", "#files", "#files"),
    ("docs/upgrade.md", "images/page.png", "images/page.png"),
    ("docs/zh/upgrade.md", "../images/page.png", "../images/page.png"),
    ("docs/upgrade.md", "https://forum.ansible.com/", "https://forum.ansible.com/"),
    ("docs/upgrade.md", "../roles/restart/README.md#results", docsite.REPOSITORY + "roles/restart/README.md#results"),
])  # fmt: skip
def test_links_of_a_guide(root: Path, page: str, link: str, becomes: str) -> None:
    text = docsite.with_links_of_the_site(f"See [there]({link}).", root / page, root)
    assert text == f"See [there]({becomes})."


def test_internal_plugins_are_those_that_no_guide_names() -> None:
    found = {path.stem for path in docsite.internal_plugins(paths.ROOT)}
    assert {"change_window", "preflight", "report", "plan", "outcome_line"} <= found
    assert not found & {"window", "instance_info", "upgrade_path"}


def test_every_guide_is_in_the_index_of_the_guides() -> None:
    index = (paths.ROOT / "docs" / "docsite" / "rst" / "guides.rst").read_text(encoding="utf-8")
    named = set(re.findall(re.escape(docsite.REPOSITORY) + r"(docs/\S+\.md)", index))
    there = {page.relative_to(paths.ROOT).as_posix() for page in docsite.guides(paths.ROOT)}
    assert {name for name in there if ".zh" not in name and "/zh/" not in name} == named
