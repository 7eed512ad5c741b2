# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter upgrade_path: what it takes for releases, and what it gives to playbooks."""

from __future__ import annotations

import sys
from typing import Any

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible.errors import AnsibleFilterError
from ansible.template import Templar

from ansible_collections.anqicms.lifecycle.plugins.filter.upgrade_path import FilterModule, upgrade_path

VERSIONS = ["2.5.3", "3.3.11", "3.5.8"]


@pytest.mark.parametrize("available", [VERSIONS, tuple(VERSIONS), "2.5.3, 3.3.11 3.5.8", dict.fromkeys(VERSIONS)])
def test_what_may_name_the_releases(available: Any) -> None:
    assert [hop["version"] for hop in upgrade_path("2.3.6", "3.5.8", available)] == VERSIONS


def test_each_hop_has_what_the_mapping_says_of_its_release() -> None:
    releases = {f"v{version}": {"src": f"/srv/{version}.zip"} for version in VERSIONS}
    hops = upgrade_path("2.3.6", "3.5.8", releases)
    assert [hop["release"]["src"] for hop in hops] == ["/srv/2.5.3.zip", "/srv/3.3.11.zip", "/srv/3.5.8.zip"]
    assert [(hop["from"], hop["version"]) for hop in hops] == [
        ("2.3.6", "2.5.3"), ("2.5.3", "3.3.11"), ("3.3.11", "3.5.8")]  # fmt: skip
    assert [hop["from_release"] for hop in hops] == [None, {"src": "/srv/2.5.3.zip"}, {"src": "/srv/3.3.11.zip"}]
    keys = "from from_release version release mandatory why one_way schema changes checks waits"
    assert set(hops[0]) == set(keys.split())


@pytest.mark.parametrize(("arguments", "said"), [
    (("3.5.8", "3.3.11", VERSIONS), "is older than 3.5.8"),
    ((None, "3.5.8", VERSIONS), "is not known"),
    (("2.3.6", "3.5.8", ["3.5.8"]), "requires 2.5.0 to 2.5.5"),
    (("2.3.6", "3.5.8", {"nightly": None}), "'nightly', which is not a version"),
    (("2.3.6", "3.5.8", 358), "must be a mapping"),
    (("2.3.6", "3.5.8", None), "must be a mapping"),
    (("2.3.6", "3.5.8", ["{{ evil }}"]), "which is not a version"),
])  # fmt: skip
def test_refused(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        upgrade_path(*arguments)


def test_a_host_that_tells_a_template_for_its_version_is_only_shown() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        upgrade_path("{{ lookup('pipe', 'id') }}", "3.5.8", VERSIONS)
    assert "not a version such as 3.5.8" in str(caught.value)


def test_a_release_stays_data() -> None:
    (hop,) = upgrade_path("3.4.0", "3.5.8", {"3.5.8": "/srv/{{ x }}.zip"})
    assert hop["release"] == "/srv/{{ x }}.zip"
    assert Templar(loader=None, variables={"x": "templated"}).template(hop["release"]) == "/srv/{{ x }}.zip"


def test_it_is_given_to_ansible() -> None:
    assert list(FilterModule().filters()) == ["upgrade_path"]
