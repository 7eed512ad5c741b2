# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures and hooks shared by all tests; read by Python 3.6 too."""

import os
import typing as t

import pytest


def pytest_configure(config: t.Any) -> None:
    config.addinivalue_line("markers", "root: needs root; skipped, by name, without it")
    config.addinivalue_line("markers", "soak: repeats for long; run by 'make soak' only")


def pytest_collection_modifyitems(config: t.Any, items: t.List[t.Any]) -> None:
    """Skip what needs root where we are not root, and long runs unless they are asked for."""
    wants_soak = "soak" in (config.getoption("markexpr", "") or "")
    for item in list(items):
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        if item.get_closest_marker("soak") and not wants_soak:
            items.remove(item)
            config.hook.pytest_deselected(items=[item])


@pytest.fixture
def requires_root() -> None:
    """A test that takes this fixture is skipped without root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
