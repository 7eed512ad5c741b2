# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation site, built without a network, and one of its pages as a browser shows it."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import browser
import docsite
import paths
import pytest
import venvs

NOWHERE = "http://127.0.0.1:1"  # the proxy: nobody listens there


@pytest.fixture(scope="module")
def site() -> Path:
    try:
        venvs.ensure("docs")
    except (venvs.Missing, subprocess.CalledProcessError) as error:
        pytest.skip(f"the tools of the site cannot be installed here: {error}")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, NOWHERE)
        return docsite.build()


def pages(site: Path) -> set[str]:
    return {path.relative_to(site).as_posix() for path in site.rglob("*.html")}


def test_the_guides_and_what_users_use_have_pages(site: Path) -> None:
    roles = {path.name for path in paths.ROOT.glob("roles/*")} - {"common"}
    expected = {f"guides/{page.stem}.html" for page in paths.ROOT.glob("docs/*.md")}
    expected |= {f"collection/{role}_role.html" for role in roles}
    expected |= {f"collection/{name}.html" for name in ("window_module", "instance_info_module", "docsite/guides")}
    assert expected <= pages(site)
    reference = (site / "guides" / "reference.html").read_text(encoding="utf-8")
    for playbook in paths.ROOT.glob("playbooks/[!_]*.yml"):
        assert f">{playbook.stem}</span>" in reference
    assert "anqicms.lifecycle.process_death" in (site / "guides" / "event-source.html").read_text(encoding="utf-8")


def test_what_is_internal_has_no_page(site: Path) -> None:
    internal = {path.stem for path in docsite.internal_plugins(paths.ROOT)} | {"common"}
    page = re.compile(r"collection/(\w+)_(?:module|filter|lookup|role)\.html")
    found = {name for path in pages(site) for name in page.findall(path)}
    assert found and not found & internal


def test_a_page_in_a_browser(site: Path) -> None:
    page = site / "guides" / "upgrade.html"
    picture = browser.photograph(page, "documentation-site", 1200, 900).read_bytes()
    assert struct.unpack(">II", picture[16:24]) == (1200, 900)
    assert len(picture) > 40_000, "an empty page is a tenth of that"
    assert "<h1>Upgrade" in browser.dom(page)
