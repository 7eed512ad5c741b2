# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the AWX kit agree with the collection and with the pins."""

from __future__ import annotations

import configparser
import re
import sys
from typing import Any

import paths
import pytest
import yaml

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options

KIT = paths.ROOT / "extensions" / "awx"
OTHER_NAMES = {"report": "workflow_report"}  # AWX calls it a report; the collection has several kinds of reports


class Loader(yaml.SafeLoader):
    """Takes the marks of Ansible for what they mark."""


def marked(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


Loader.add_constructor("!unsafe", marked)


def loaded(*names: str) -> Any:
    return yaml.load(KIT.joinpath(*names).read_text(encoding="utf-8"), Loader)


def pins(name: str) -> dict[str, str]:
    text = (paths.ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE))


def version() -> str:
    return str(yaml.safe_load((paths.ROOT / "galaxy.yml").read_text())["version"])


def test_the_project_has_a_playbook_for_each_of_the_collection() -> None:
    imported = {}
    for path in (KIT / "project").glob("*.yml"):
        (play,) = loaded("project", path.name)
        imported[path.stem] = play["ansible.builtin.import_playbook"]
    names = {path.stem for path in paths.ROOT.glob("playbooks/[!_]*.yml")} - {"after_death"}
    assert set(imported.values()) == {f"anqicms.lifecycle.{name}" for name in names}
    for name, playbook in imported.items():
        assert playbook == f"anqicms.lifecycle.{OTHER_NAMES.get(name, name)}"


def test_the_objects_are_those_of_the_project() -> None:
    variables = loaded("awx.yml")[0]["vars"]
    playbooks = {path.stem for path in (KIT / "project").glob("*.yml")}
    assert set(variables["anqicms_awx_verbs"]) == playbooks - {"report"}
    assert set(variables["anqicms_awx_changing"]) == _options.CHANGING
    assert variables["anqicms_awx_chat"] == variables["anqicms_awx_database"] == {}
    assert (KIT / "project" / variables["anqicms_awx_inventory_file"]).is_file()
    wrong = [
        name for name, value in variables["anqicms_awx_variables"].items() if _options.value_of(name, value) is None
    ]
    assert not wrong


def test_the_settings_of_the_project() -> None:
    settings = configparser.ConfigParser()
    settings.read(KIT / "project" / "ansible.cfg")
    assert settings["defaults"]["callbacks_enabled"] == "anqicms.lifecycle.summary"
    assert settings["defaults"].getboolean("show_custom_stats") is False
    assert settings["connection"].getboolean("pipelining") is True


def test_the_image_has_the_pinned_versions() -> None:
    image = loaded("execution-environment.yml")
    needs = image["dependencies"]
    archive = f"anqicms-lifecycle-{version()}.tar.gz"
    assert needs["galaxy"]["collections"] == [{"name": f"collections/{archive}", "type": "file"}]
    assert image["additional_build_files"] == [{"src": archive, "dest": "collections"}]
    assert needs["ansible_core"]["package_pip"] == f"ansible-core=={pins('core-2.19')['ansible-core']}"
    assert needs["ansible_runner"]["package_pip"] == f"ansible-runner=={pins('awx')['ansible-runner']}"
    (collection,) = loaded("project", "collections", "requirements.yml")["collections"]
    assert collection["version"] == f"v{version()}"


@pytest.mark.parametrize("package", ["ansible", "ansible-builder"])
def test_the_guide_installs_the_pinned_versions(package: str) -> None:
    guide = (paths.ROOT / "docs" / "awx.md").read_text(encoding="utf-8")
    assert f" {package}=={pins('awx')[package]}" in guide
