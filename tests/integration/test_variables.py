# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of variables are known, which come close to one, and which are somebody else's."""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

import paths
import pytest
import yaml

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _batches, _options, _variables

MEANT = {
    "anqicms_instance_": "anqicms_instances",
    "anqicms_instnces": "anqicms_instances",
    "anqicms_insances": "anqicms_instances",
    "anqicms_insatnces": "anqicms_instances",
    "anqicms_intances": "anqicms_instances",
    "anqicms_instancess": "anqicms_instances",
    "anqicms_Instances": "anqicms_instances",
    "ANQICMS_INSTANCES": "anqicms_instances",
    "anqicms-instances": "anqicms_instances",
    "anqicms__instances": "anqicms_instances",
    "anqicmsinstances": "anqicms_instances",
    "anqicm_instances": "anqicms_instances",
    "anqcims_only": "anqicms_only",
    "anqicms_instance": "anqicms_instances",
    "anqicms_onyl": "anqicms_only",
    "anqicms_onlyifneeded": "anqicms_only_if_needed",
    "anqicms_only_if_need": "anqicms_only_if_needed",
    "anqicms_host": "anqicms_hosts",
    "anqicms_serials": "anqicms_serial",
    "anqicms_stop_time": "anqicms_stop_timeout",
    "anqicms_stop_timout": "anqicms_stop_timeout",
    "anqicms_stoptimeout": "anqicms_stop_timeout",
    "anqicms_stop_timeouts": "anqicms_stop_timeout",
    "anqicms_accept_hazard": "anqicms_accept_hazards",
    "anqicms_accepted_hazards": "",  # two letters more in a short word: not sure
    "anqicms_unreacheable": "anqicms_unreachable",
    "anqicms_statedir": "anqicms_state_dir",
    "anqicms_site_checks": "anqicms_site_check",
    "anqicms_force_": "anqicms_force",
    "anqicms_strikt": "anqicms_strict",
    "anqicms_deadlin": "anqicms_deadline",
}
# What other teams call things of theirs.
OTHERS = (
    "anqicms_backup_dir",
    "anqicms_db_password",
    "anqicms_version_pin",
    "anqicms_db_user",
    "anqicms_username",
    "anqicms_version",
    "anqicms_static_dir",
    "anqicms_site_dir",
    "anqicms_data_dir",
    "anqicms_port",
    "anqicms_repo",
    "anqicms_import",
    "anqicms_export",
    "anqicms_script",
    "anqicms_posts",
    "anqicms_sites",
    "anqicms_site",
    "anqicms_domain",
    "anqicms_check_log",
    "anqicms_log_dir",
    "anqicms_log_level",
    "anqicms_admin_user",
    "anqicms_backup_before_window",
    "anqicms_download_url",
    "anqicms_server",
    "anqicms_source",
    "anqicms_state",
    "anqicms_start_timeout",
    "anqicms_hostname",
    "anqicms_region",
    "anqicms_connect",
    "anqicms_mysql_user",
    "anqicms_upgrade_from",
    "anqicms_dump_timeout",
    "anqicms_owner",
    "anqicms_service_name",
    "ANQICMS_DB",
)
NOT_OURS = (
    "ansible_user",
    "anqicms",
    "anq_instances",
    "anyms_foo",
    "instances",
    "ansible_host",
    "app_serial",
    "anqi_db",
    "inventory_dir",
)


@pytest.mark.parametrize("name", MEANT)
def test_slip_is_understood(name: str) -> None:
    expected = MEANT[name]
    assert _variables.judge([name]).meant == ({name: expected} if expected else {})


@pytest.mark.parametrize("name", OTHERS)
def test_name_of_others_is_only_unknown(name: str) -> None:
    assert _variables.judge([name]) == ({}, [name])


@pytest.mark.parametrize(
    "name",
    [
        *sorted(_variables.KNOWN),
        *NOT_OURS,
        "anqicms_results",
        "anqicms_results_web",
        "anqicms_diagnosis",
        "anqicms_diagnosis_night",
        "anqicms__found",
        "anqicms__restart_result",
    ],
)
def test_known_names_and_what_is_not_ours_pass(name: str) -> None:
    assert _variables.judge([name]) == ({}, [])


def test_table_is_what_roles_and_playbooks_read() -> None:
    specs = [yaml.safe_load(path.read_text()) for path in paths.ROOT.glob("roles/*/meta/argument_specs.yml")]
    options = {name for spec in specs for entry in spec["argument_specs"].values() for name in entry["options"]}
    assert options == _variables.OF_ROLES
    plays = "".join(path.read_text() for path in paths.ROOT.glob("playbooks/*.yml"))
    named = set(re.findall(r"\banqicms_[a-z]\w*", plays))
    assert named - _variables.OF_ROLES - {"anqicms_status"} == _variables.OF_PLAYS  # which is handed over, not read
    defaults = [yaml.safe_load(path.read_text()) or {} for path in paths.ROOT.glob("roles/*/defaults/main.yml")]
    assert {name for one in defaults for name in one} <= options


class Row(NamedTuple):
    """What docs/variables.md says of a variable: its default as it stands there, and the playbooks that read it."""

    default: str
    playbooks: str


def documented() -> dict[str, Row]:
    """The rows of the tables; a variable that has two of them fails here."""
    lines = (paths.ROOT / "docs" / "variables.md").read_text(encoding="utf-8").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `anqicms_")]
    rows = {name.strip("`"): Row(default, playbooks) for name, default, playbooks, _english, _chinese in cells}
    assert len(rows) == len(cells)
    return rows


def specifications() -> dict[str, dict[str, Any]]:
    """The options of each role for users."""
    files = {path.parents[1].name: path for path in paths.ROOT.glob("roles/*/meta/argument_specs.yml")}
    entries = {role: yaml.safe_load(path.read_text())["argument_specs"] for role, path in files.items()}
    return {role: entry["main"]["options"] for role, entry in entries.items() if role != "common"}


def test_every_variable_has_a_row_with_the_playbooks_that_read_it() -> None:
    rows, specs = documented(), specifications()
    assert set(rows) == _variables.KNOWN
    for name, row in rows.items():
        verbs = _options.OPTIONS[name].verbs  # playbooks alone have no specification
        readers = {role for role, options in specs.items() if name in options} | (verbs & {"discover", "status"})
        readers |= verbs if name in _options.OF_KEYWORDS else set()
        told = {*specs, "discover", "status"} if row.playbooks == "all" else set(row.playbooks.split(", "))
        assert told == readers, name


def test_every_row_has_the_default_of_the_roles() -> None:
    """A default that is a value stands there as code; what the module decides is said in words."""
    rows = documented()
    written = {name: yaml.safe_load(row.default.strip("`")) for name, row in rows.items() if row.default[-1] == "`"}
    values = {name: _options.value_of(name, None) for name in rows}
    assert written == {name: value for name, value in values.items() if value is not None}
    for role, options in specifications().items():
        defaults = yaml.safe_load((paths.ROOT / "roles" / role / "defaults" / "main.yml").read_text()) or {}
        specified = {name: spec["default"] for name, spec in options.items() if "default" in spec}
        for name, value in [*specified.items(), *defaults.items()]:
            assert written[name] == value, (role, name)


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md", "docs/variables.md"])
def test_documents_name_no_unknown_variable(document: str) -> None:
    named = set(re.findall(r"\banqicms_[a-z]\w*", (paths.ROOT / document).read_text(encoding="utf-8")))
    assert named - _variables.KNOWN - set(_variables.HANDED_OVER) <= {_variables.OF_HOOKS, _batches.CANARIES}
