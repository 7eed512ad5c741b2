# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of variables are known, which come close to one, and which are somebody else's."""

from __future__ import annotations

import re
import sys

import paths
import pytest
import yaml

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _variables

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
    "anqicms_backup_dir", "anqicms_db_password", "anqicms_version_pin", "anqicms_db_user", "anqicms_username",
    "anqicms_version", "anqicms_static_dir", "anqicms_site_dir", "anqicms_data_dir", "anqicms_port",
    "anqicms_repo", "anqicms_import", "anqicms_export", "anqicms_script", "anqicms_posts", "anqicms_sites",
    "anqicms_site", "anqicms_domain", "anqicms_check_log", "anqicms_log_dir", "anqicms_log_level",
    "anqicms_admin_user", "anqicms_backup_before_window", "anqicms_download_url", "anqicms_server",
    "anqicms_source", "anqicms_state", "anqicms_start_timeout", "anqicms_hostname", "anqicms_region",
    "anqicms_connect", "anqicms_mysql_user", "anqicms_upgrade_from", "anqicms_dump_timeout", "anqicms_owner",
    "anqicms_service_name", "ANQICMS_DB",
)
NOT_OURS = (
    "ansible_user", "anqicms", "anq_instances", "anyms_foo", "instances", "ansible_host", "app_serial", "anqi_db",
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
    "name", [*sorted(_variables.KNOWN), *NOT_OURS, "anqicms_results", "anqicms_results_web", "anqicms_diagnosis",
             "anqicms_diagnosis_night", "anqicms__found", "anqicms__restart_result"]
)
def test_known_names_and_what_is_not_ours_pass(name: str) -> None:
    assert _variables.judge([name]) == ({}, [])


def test_table_is_what_roles_and_playbooks_read() -> None:
    specs = [yaml.safe_load(path.read_text()) for path in paths.ROOT.glob("roles/*/meta/argument_specs.yml")]
    options = {name for spec in specs for entry in spec["argument_specs"].values() for name in entry["options"]}
    assert options == _variables.OF_ROLES
    plays = "".join(path.read_text() for path in paths.ROOT.glob("playbooks/*.yml"))
    named = set(re.findall(r"\banqicms_[a-z]\w*", plays))
    assert named - _variables.OF_ROLES == _variables.OF_PLAYS
    defaults = [yaml.safe_load(path.read_text()) or {} for path in paths.ROOT.glob("roles/*/defaults/main.yml")]
    assert {name for one in defaults for name in one} <= options


def test_readme_names_the_variables_of_restart_and_no_unknown_one() -> None:
    readme = (paths.ROOT / "README.md").read_text()
    named = set(re.findall(r"\banqicms_[a-z]\w*", readme))
    assert named - _variables.KNOWN - set(_variables.HANDED_OVER) - {_variables.OF_HOOKS} == set()
    spec = yaml.safe_load((paths.ROOT / "roles/restart/meta/argument_specs.yml").read_text())
    assert set(spec["argument_specs"]["main"]["options"]) <= named
