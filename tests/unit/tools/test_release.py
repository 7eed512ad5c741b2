# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a version from being released is named."""

import re
from pathlib import Path

import paths
import pytest
import release


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "changelogs" / "fragments").mkdir(parents=True)
    (tmp_path / "galaxy.yml").write_text("namespace: anqicms\nname: lifecycle\nversion: 1.2.3\nreadme: README.md\n")
    (tmp_path / "changelogs" / "changelog.yaml").write_text(
        "releases:\n  1.2.2:\n    changes: {}\n  1.2.3:\n    changes: {}\n"
    )
    for name in ("README.md", "README.zh-CN.md"):
        (tmp_path / name).write_text("$ ansible-galaxy collection install anqicms-lifecycle-1.2.3.tar.gz\n")
    return tmp_path


def test_a_version_that_is_ready(root: Path) -> None:
    assert release.wrong(root, "1.2.3") == []


@pytest.mark.parametrize(("file", "text", "said"), [
    ("galaxy.yml", "namespace: anqicms\nname: lifecycle\nversion: 1.2.4\n", "galaxy.yml has version 1.2.4"),
    ("changelogs/changelog.yaml", "releases:\n  1.2.2:\n", "changelogs/changelog.yaml has no version 1.2.3"),
    ("changelogs/fragments/more.yml", "bugfixes: []\n", "fragments are left: more.yml. Run 'make release'"),
    ("README.zh-CN.md", "anqicms-lifecycle-1.2.2.tar.gz\n", "README.zh-CN.md has version 1.2.2"),
    ("README.md", "$ build --tag registry.example/anqicms-ee:1.2.2   # then\n", "README.md has version 1.2.2"),
])  # fmt: skip
def test_a_version_that_is_not_ready(root: Path, file: str, text: str, said: str) -> None:
    (root / file).write_text(text)
    assert release.wrong(root, "1.2.3") == [said]


def test_a_version_is_written_where_it_is_named(root: Path) -> None:
    readme = root / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8") + "AnQiCMS 1.2.3, ansible-core 1.2.3\n")
    release.write_version(root, "1.3.0")
    assert (
        root / "galaxy.yml"
    ).read_text() == "namespace: anqicms\nname: lifecycle\nversion: 1.3.0\nreadme: README.md\n"
    assert readme.read_text() == (
        "$ ansible-galaxy collection install anqicms-lifecycle-1.3.0.tar.gz\nAnQiCMS 1.2.3, ansible-core 1.2.3\n"
    )


def listed_in(version: str) -> set[str]:
    """The plugins and roles that the changelog of a version lists as new."""
    text = (paths.ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8")
    entry = re.findall(rf"^  {re.escape(version)}:\n((?:    .*\n)+)", text, re.MULTILINE)[0]
    return set(re.findall(r"^ +(?:- )?name: (\w+)$", entry, re.MULTILINE))


def added() -> dict[str, str]:
    """When each plugin and role was added, as its documentation says."""
    files = {path.stem: path for kind in ("modules", "filter", "lookup", "callback") for path in plugins(kind)}
    files.update({path.parts[-3]: path for path in paths.ROOT.glob("roles/*/meta/argument_specs.yml")})
    found = {}
    for name, path in files.items():
        found[name] = re.findall(r"^ *version_added: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)[0]
    return found


def plugins(kind: str) -> list[Path]:
    return sorted((paths.ROOT / "plugins" / kind).glob("*.py"))


def test_what_the_first_changelog_does_not_list_is_newer() -> None:
    first = listed_in("0.1.0")
    assert len(first) > 40
    assert {name for name, version in added().items() if version == "0.1.0"} == first


def test_the_changelog_has_only_marks_that_are_rendered() -> None:
    files = [*paths.ROOT.glob("changelogs/fragments/*.yml"), paths.ROOT / "changelogs" / "changelog.yaml"]
    for path in files:
        assert not re.findall(r"\b[CVOMPU]\([^)\n]*\)", path.read_text(encoding="utf-8")), path.name
