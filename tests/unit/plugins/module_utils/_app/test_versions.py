# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions


@pytest.mark.parametrize("text,parsed", [
    ("3.5.8", (3, 5, 8)), ("v3.5.8", (3, 5, 8)), ("3.5.8-beta1", (3, 5, 8)), ("2.0.0-alpha", (2, 0, 0)),
    ("3.3.11", (3, 3, 11)), ("10.20.30", (10, 20, 30)), ("3.5", None), ("3.5.8.1", None), ("3.5.", None), ("", None),
    (None, None), ("latest", None), ("x3.5.8", None), ("3.5.80000", None), ("3.5.x", None),
])  # fmt: skip
def test_parse(text: t.Optional[str], parsed: t.Optional[t.Tuple[int, int, int]]) -> None:
    assert versions.parse(text) == parsed


@pytest.mark.parametrize("version,on_sigterm,kills,migration", [
    ("2.0.1", "drains", "none", "before_port"),
    ("2.1.1", "stays", "none", "before_port"),
    ("2.1.2", "stays", "none", "before_port"),
    ("2.5.3", "stays", "none", "before_port"),
    ("3.2.1", "stays", "none", "before_port"),
    ("3.2.2", "drains", "pidof", "before_port"),
    ("3.3.11", "drains", "pidof", "before_port"),
    ("3.4.4", "drains", "pidof", "before_port"),
    ("3.4.5", "drains", "pidof", "background"),
    ("3.4.6", "drains", "pidof", "background"),
    ("3.4.7", "drains", "pgrep", "background"),
    ("3.5.1", "drains", "pgrep", "background"),
    ("3.5.2", "exits", "pgrep", "background"),
    ("3.5.8", "exits", "pgrep", "background"),
    ("4.0.0", "exits", "pgrep", "background"),
    (None, "unknown", "unknown", "unknown"),
    ("nightly", "unknown", "unknown", "unknown"),
])  # fmt: skip
def test_behaviour(version: t.Optional[str], on_sigterm: str, kills: str, migration: str) -> None:
    assert versions.behaviour(version) == versions.Behaviour(on_sigterm, kills, migration)


RANGES: t.List[t.Tuple[t.Callable[[t.Optional[str]], bool], t.List[str], t.List[str]]] = [
    (versions.needs_locales, ["3.3.9", "3.3.11", "3.4.0", "3.4.10"], ["3.3.8", "3.5.0"]),
    (versions.embeds_admin_pages, ["3.4.5", "3.5.8"], ["3.4.4", "2.5.3"]),
    (versions.keeps_token_secret_in_config, ["2.1.1", "2.1.2", "3.3.3"], ["2.0.1", "3.3.4"]),
]


@pytest.mark.parametrize("rule,yes,no", RANGES)
def test_ranges(rule: t.Callable[[t.Optional[str]], bool], yes: t.List[str], no: t.List[str]) -> None:
    assert [rule(version) for version in yes] == [True] * len(yes)
    assert [rule(version) for version in no] == [False] * len(no)
    assert rule(None) is False


def test_which_pages_come_late() -> None:
    late = ["2.1.1", "2.1.2", "2.5.3", "2.5.5", None, "", "nightly"]
    assert [versions.pages_come_late(version) for version in late] == [True] * len(late)
    assert not any(map(versions.pages_come_late, ["2.0.1", "3.0.5", "3.2.1", "3.5.8"]))


def test_which_versions_copy_categories() -> None:
    copy = ["3.2.0", "3.2.1", "3.2.2", "3.4.4", "3.5.8", None, "nightly"]
    assert [versions.copies_categories_in_background(version) for version in copy] == [True] * len(copy)
    assert not any(map(versions.copies_categories_in_background, ["2.5.3", "3.0.5", "3.1.9"]))


def test_at_least() -> None:
    assert versions.at_least("3.4.5", (3, 4, 5)) is True
    assert versions.at_least("3.4.4", (3, 4, 5)) is False
    assert versions.at_least("?", (3, 4, 5)) is None
