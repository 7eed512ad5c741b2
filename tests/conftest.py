# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures and hooks shared by all tests; read by Python 3.6 too."""

import os
import signal
import typing as t

import pytest


def pytest_configure(config: t.Any) -> None:
    heed_the_keyboard()
    config.addinivalue_line("markers", "root: needs root; skipped, by name, without it")
    config.addinivalue_line("markers", "standin(why): rests on what only the stand-in does; skipped with RELEASES")
    config.addinivalue_line("markers", "soak: repeats for long; run by 'make soak' only")


def heed_the_keyboard() -> None:
    """A shell that starts us in the background leaves these ignored, and all that we start would ignore them too."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_modifyitems(config: t.Any, items: t.List[t.Any]) -> None:
    """Skip what needs root without it, and the stand-in with real releases; long runs only when they are asked for."""
    wants_soak = "soak" in (config.getoption("markexpr", "") or "")
    for item in list(items):
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        standin = item.get_closest_marker("standin")
        if standin and os.environ.get("RELEASES"):
            item.add_marker(pytest.mark.skip(reason="stand-in only: %s" % standin.args[0]))
        if item.get_closest_marker("soak") and not wants_soak:
            items.remove(item)
            config.hook.pytest_deselected(items=[item])


def pytest_make_parametrize_id(val: t.Any, argname: str) -> t.Optional[str]:
    """A text of many characters makes a name that no report can be read with; None leaves the name to pytest."""
    if isinstance(val, (str, bytes)) and len(val) > 100:
        return "%s of %d" % (argname, len(val))
    return None


@pytest.fixture
def requires_root() -> None:
    """A test that takes this fixture is skipped without root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
