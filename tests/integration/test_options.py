# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of each value of each variable: the whole table, in this process. e2e/test_options.py plays it."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import option_values
import paths
import pytest
import yaml

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _variables

ROWS = option_values.ROWS
NAMES = sorted(ROWS)


def refusal(name: str, given: Any) -> str:
    with pytest.raises(ValueError) as caught:
        _options.value_of(name, given)
    return str(caught.value)


def test_table_has_every_variable() -> None:
    assert set(ROWS) == set(_options.OPTIONS) == _variables.KNOWN


@pytest.mark.parametrize("name", NAMES)
def test_right_values(name: str) -> None:
    for given, value in ROWS[name].right:
        found = _options.value_of(name, given)
        assert (found, type(found)) == (value, type(value)), given


@pytest.mark.parametrize("name", NAMES)
def test_text_forms(name: str) -> None:
    """As lines, with commas, as JSON, as YAML, and as AWX sends a number."""
    for text, value in ROWS[name].text:
        assert _options.value_of(name, text) == value, text


@pytest.mark.parametrize("blank", [None, "", "  ", "\n"])
@pytest.mark.parametrize("name", NAMES)
def test_null_and_blank_are_the_default(name: str, blank: str | None) -> None:
    assert _options.value_of(name, blank) == ROWS[name].default


@pytest.mark.parametrize("name", NAMES)
def test_wrong_values_are_refused_in_one_line(name: str) -> None:
    for given in ROWS[name].wrong:
        said = refusal(name, given)
        assert said.startswith(f"{name} must be {_options.OPTIONS[name].allowed}. It is "), said
        assert said.isprintable() and said.endswith(".") and "Nothing was" not in said, said


@pytest.mark.parametrize("name", NAMES)
def test_no_empty_value_is_taken_for_nothing(name: str) -> None:
    """0, false and [] are values: each is refused, or it is what was given."""
    values: tuple[Any, ...] = (0, False, [], {})
    for given in values:
        try:
            assert _options.value_of(name, given) in (given, str(given)), given
        except ValueError:
            continue


@pytest.mark.parametrize("name", NAMES)
def test_a_slip_in_the_name_is_understood(name: str) -> None:
    slips = {name.upper(), name + "_", name.replace("anqicms_", "anqicm_"), name.replace("_", "-")}
    for slip in slips:
        assert _variables.judge([slip]).meant == {slip: name}


def test_defaults_and_documentation_are_those_of_the_table() -> None:
    """Each role documents what it reads, and ansible-core checks none of it: its check would come before ours."""
    for path in sorted(paths.ROOT.glob("roles/*/meta/argument_specs.yml")):
        verb = path.parents[1].name
        entries = yaml.safe_load(path.read_text())["argument_specs"]
        defaults = yaml.safe_load((path.parents[1] / "defaults" / "main.yml").read_text()) or {}
        if verb == "common":
            continue
        wanted = set(_options.of_verb(verb)) - _variables.OF_PLAYS
        for entry in entries.values():
            assert set(entry["options"]) == wanted, path
            for name, spec in entry["options"].items():
                option = _options.OPTIONS[name]
                assert (
                    set(spec) <= {"type", "description", "default", "no_log", "version_added"} and spec["type"] == "raw"
                ), (path, name)
                assert spec.get("no_log", False) is option.secret, name
                assert spec["description"][0].lower() == option.allowed.lower() + ".", (path, name)
                default = _options.value_of(name, None)
                assert spec.get("default", default) == default and defaults.get(name, default) == default, name


def test_roles_read_their_variables_through_the_lookup() -> None:
    """One that is read by its name would be null or text for some."""
    names = "|".join(name.removeprefix("anqicms_") for name in _options.OPTIONS)
    plain = re.compile(rf"(?<!')\banqicms_({names})\b(?!['\w])")
    files = [path for path in paths.ROOT.glob("roles/*/*/*.yml") if path.parent.name in ("tasks", "vars")]
    for path in [*files, *paths.ROOT.glob("playbooks/*.yml")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("#")[0]
            assignment = re.match(r"\s*anqicms_\w+:", code)
            words = plain.findall(code[assignment.end() :] if assignment else code)
            is_prose = "{{" not in code and "lookup" not in code and "when:" not in code and "that:" not in code
            assert not words or is_prose, f"{path}:{number}: {line}"


def test_what_is_wrong_only_together() -> None:
    together: dict[str, dict[str, Any]] = {
        "anqicms_site_through": {"anqicms_site_proxy": {"port": 80}},
        "anqicms_instances": {
            "anqicms_site_through": "proxy",
            "anqicms_site_check": True,
            "anqicms_instances": [{"dir": "/a"}],
        },
    }
    for name, given in together.items():
        (said,) = _options.judge("restart", given)[1]
        assert said.startswith(f"{name} must "), said
    (said,) = _options.judge("diagnose", {"anqicms_since": "2026-01-02", "anqicms_until": "2026-01-01"})[1]
    assert said.startswith("anqicms_since must "), said
    assert _options.judge("restart", {"anqicms_site_through": "proxy", "anqicms_site_proxy": {"port": 80}})[1] == []


def test_only_what_a_role_reads_is_judged() -> None:
    given = {"anqicms_stop_timeout": "soon"}
    assert _options.judge("diagnose", given)[1] == [] and len(_options.judge("stop", given)[1]) == 1
    assert len(_options.judge("", given)[1]) == 1


def test_blank_within_an_entry_is_not_given() -> None:
    entry = {"dir": "/a", "port": None, "user": "", "sites": [{"host": "x.example", "contains": "", "id": None}]}
    (found,) = _options.value_of("anqicms_instances", [entry])
    assert found == {"dir": "/a", "sites": [{"host": "x.example"}]}
    assert _options.value_of("anqicms_instances", json.dumps([entry])) == [found]
