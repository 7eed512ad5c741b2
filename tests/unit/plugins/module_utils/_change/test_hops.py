# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import hops
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

ALL = ["2.3.6", "2.5.0", "2.5.3", "3.0.4", "3.0.5", "3.1.9", "3.2.8", "3.3.5", "3.3.11", "3.4.0", "3.5.1", "3.5.8"]
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[".."] * 5))


@pytest.mark.parametrize("source,target,direct,expected", [
    ("2.3.6", "3.5.8", False, ["2.5.3", "3.3.11", "3.5.8"]),
    ("2.0.1", "3.5.8", False, ["2.5.3", "3.3.11", "3.5.8"]),
    ("v2.3.6", "v3.5.8", False, ["2.5.3", "3.3.11", "3.5.8"]),
    ("2.3.6", "3.5.8", True, ["2.5.3", "3.5.8"]),
    ("2.3.6", "2.5.3", False, ["2.5.3"]),
    ("2.3.6", "2.5.0", False, ["2.5.0"]),
    ("2.3.6", "3.0.5", False, ["2.5.3", "3.0.5"]),
    ("2.3.6", "3.3.11", False, ["2.5.3", "3.3.11"]),
    ("2.5.3", "3.5.8", False, ["3.3.11", "3.5.8"]),
    ("2.5.3", "3.5.8", True, ["3.5.8"]),
    ("2.5.0", "2.5.3", False, ["2.5.3"]),
    ("2.5.3", "3.2.8", False, ["3.2.8"]),
    ("3.2.8", "3.5.8", False, ["3.3.11", "3.5.8"]),
    ("3.2.8", "3.5.8", True, ["3.5.8"]),
    ("3.2.8", "3.3.5", False, ["3.3.5"]),
    ("3.3.5", "3.5.8", True, ["3.3.11", "3.5.8"]),  # MyISAM
    ("3.3.10", "3.5.8", True, ["3.3.11", "3.5.8"]),
    ("3.3.5", "3.3.11", False, ["3.3.11"]),
    ("3.3.11", "3.5.8", False, ["3.5.8"]),
    ("3.4.0", "3.5.8", False, ["3.5.8"]),
    ("3.5.1", "3.5.8", False, ["3.5.8"]),
    ("3.5.8", "3.5.8", False, []),
])  # fmt: skip
def test_path(source: str, target: str, direct: bool, expected: t.List[str]) -> None:
    way = hops.path(source, target, ALL, direct)
    assert [hop.version for hop in way] == expected
    assert [hop.source for hop in way] == ([source.strip("v")] + expected)[: len(expected)]


@pytest.mark.parametrize("source,target,available,said", [
    ("3.5.8", "3.3.11", ALL, "3.3.11 is older than 3.5.8, which runs"),
    ("2.5.3", "2.3.6", ALL, "copy of the database"),
    ("2.3.6", "3.5.8", ["3.3.11", "3.5.8"], "requires 2.5.0 to 2.5.5, and no release of it is available: only 2.5.0"),
    ("2.3.6", "3.5.8", ["3.0.4", "3.3.11", "3.5.8"], "requires 2.5.0 to 2.5.5"),  # what a tag is called is no release
    ("2.3.6", "3.5.8", ["2.5.3", "3.5.8"], "from 2.5.3 to 3.5.8 requires 3.3.11"),
    ("3.2.8", "3.5.8", ["3.5.8"], "Or jump directly"),
    ("3.3.5", "3.5.8", ["3.5.8"], "back to InnoDB"),
    ("3.4.0", "3.5.8", ["3.5.1"], "No release of 3.5.8 is available; there are: 3.5.1."),
    ("3.4.0", "3.5.8", [], "there are: none"),
    (None, "3.5.8", ALL, "The version of the instance is not known"),
    ("", "3.5.8", ALL, "The version of the instance is not known"),
    ("nightly", "3.5.8", ALL, "'nightly': not a version such as 3.5.8"),
    ("1.9.0", "3.5.8", ALL, "knows 2.0.0 to 3.5.x"),
    ("3.5.8", "4.0.0", ALL, "Update the collection"),
    ("3.5.8", "3.6.0", ALL, "Update the collection"),
    ("3.4.0", "latest", ALL, "The requested version is 'latest'"),
    ("2.5.0", "3.0.4", ALL, "3.0.4 is a tag whose program reports 2.5.3"),
    ("2.3.6", "v3.2.5", ALL, "reports 3.2.4"),
])  # fmt: skip
def test_refused(source: t.Optional[str], target: str, available: t.List[str], said: str) -> None:
    with pytest.raises(LifecycleError) as caught:
        hops.path(source, target, available)
    assert said in caught.value.msg and "Nothing was planned." in caught.value.msg


def test_a_stage_that_cannot_be_skipped_offers_no_jump() -> None:
    for source, target in (("2.3.6", "3.5.8"), ("3.3.5", "3.5.8")):
        with pytest.raises(LifecycleError) as caught:
            hops.path(source, target, ["3.5.8"])
        assert "jump directly" not in caught.value.msg


def test_what_a_hop_says() -> None:
    first, second, last = hops.path("2.3.6", "3.5.8", ALL)
    assert (first.mandatory, second.mandatory, last.mandatory) == (True, False, True)
    assert hops.path("3.3.5", "3.5.8", ALL)[0].mandatory
    assert "config.json to the database" in first.why and "MyISAM" in second.why
    assert len(first.changes) == len(first.checks) == 1
    assert any("statistics becomes" in change for change in second.changes)
    assert not any("statistics" in change for change in last.changes)  # they are files already
    assert (last.one_way, last.schema) == (True, True)
    assert "background" in last.waits[0] and not any("ten seconds" in wait for wait in last.waits)


def test_a_direct_jump_waits_for_the_statistics() -> None:
    (hop,) = hops.path("3.2.8", "3.5.8", ALL, True)
    assert any("ten seconds" in wait for wait in hop.waits)


def test_a_newer_patch_of_a_known_line_is_said_to_be_new() -> None:
    (hop,) = hops.path("3.5.8", "3.5.9", ["3.5.9"])
    assert "newer than this release of the collection has seen" in hop.why and hop.one_way


@pytest.mark.parametrize("one,other,expected", [
    ("3.5.0", "3.5.1", True), ("3.5.1", "3.5.0", True), ("3.5.7", "3.5.8", True), ("3.5.8", "v3.5.8", True),
    ("3.5.1", "3.5.2", False), ("3.5.4", "3.5.5", False), ("3.5.3", "3.5.5", False), ("3.5.0", None, False),
    ("nightly", "nightly", False),
])  # fmt: skip
def test_same_schema(one: str, other: t.Any, expected: bool) -> None:
    assert hops.same_schema(one, other) is expected


def test_a_hop_within_one_schema_can_be_gone_back() -> None:
    (hop,) = hops.path("3.5.7", "3.5.8", ALL)
    assert (hop.one_way, hop.schema, hop.changes) == (False, False, [])


@pytest.mark.parametrize(
    "table", [hops.documented_stages, hops.documented_changes, hops.documented_tags, hops.documented_schemas]
)
def test_the_upgrade_guide_has_the_tables(table: t.Callable[[], str]) -> None:
    with open(os.path.join(ROOT, "docs", "upgrade.md"), encoding="utf-8") as file:
        assert "\n\n%s\n" % table() in file.read()
