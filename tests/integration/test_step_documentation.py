# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The suboptions of ``window.steps`` are documented as the steps validate them; ansible-test does not see the specs."""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import paths
import pytest
import yaml

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.doc_fragments.steps import ModuleDocFragment
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import change_steps

Option = dict[str, Any]
DOCUMENTED: dict[str, Option] = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["steps"]["suboptions"]


def specs() -> dict[str, dict[str, Option]]:
    with mock.patch.dict(STEPS):
        change_steps.register()
        return {name: step.spec for name, step in STEPS.items()}


SPECS = specs()


def without_texts(documented: dict[str, Option]) -> dict[str, Option]:
    """Options as an argument spec has them. Each must have a description."""
    assert all(option["description"] for option in documented.values()), documented
    found = {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in documented.items()
    }
    for option in found.values():
        if "suboptions" in option:
            option["options"] = without_texts(option.pop("suboptions"))
    return found


def documentable(spec: dict[str, Option]) -> dict[str, Option]:
    """An argument spec without what documentation does not state."""
    found = {name: {key: value for key, value in option.items() if key != "no_log"} for name, option in spec.items()}
    for option in found.values():
        if "options" in option:
            option["options"] = documentable(option["options"])
    return found


def test_every_kind_of_step_is_documented() -> None:
    assert set(DOCUMENTED) == set(SPECS)
    assert all(step["type"] == "dict" and step["description"] for step in DOCUMENTED.values())


@pytest.mark.parametrize("name", sorted(SPECS))
def test_documented_options_are_those_of_the_step(name: str) -> None:
    assert without_texts(DOCUMENTED[name]["suboptions"]) == documentable(SPECS[name])
