# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the collection importable as ansible_collections.anqicms.lifecycle, on every Python and without Ansible."""

import os
import sys
import typing as t

from hypothesis import HealthCheck, settings

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.join(ROOT, ".cache", "tree")
LINK = os.path.join(TREE, "ansible_collections", "anqicms", "lifecycle")


def link_collection() -> None:
    """Make the tree with its one link to the repository; other test processes may do the same at the same time."""
    os.makedirs(os.path.dirname(LINK), exist_ok=True)
    try:
        os.symlink(ROOT, LINK)
    except FileExistsError:
        if os.path.realpath(LINK) != os.path.realpath(ROOT):
            raise


# The tools of this repository run on the controller's Python only.
collect_ignore = ["tools"] if sys.version_info < (3, 10) else []

link_collection()
if TREE not in sys.path:
    sys.path.insert(0, TREE)

# How long one example takes says something of the machine, not of the code. 'make test' says the same of the same code
# each time: its examples are derived from the test. The soak looks for new ones.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None
)
settings.register_profile(
    "search", settings.get_profile("unhurried"), derandomize=False, max_examples=3000, print_blob=True
)
settings.load_profile("search" if os.environ.get("HYPOTHESIS_SEARCH") else "unhurried")


def pytest_addoption(parser: t.Any) -> None:
    parser.addoption("--first-cases", action="store_true", help="of each test only its first case")


def pytest_collection_modifyitems(config: t.Any, items: t.List[t.Any]) -> None:
    """A Python between the oldest and the newest has what both have: one case shows that it can run the code."""
    if not config.getoption("--first-cases"):
        return
    seen: t.Set[str] = set()
    others = []
    for item in list(items):
        name = item.nodeid.partition("[")[0]
        if name in seen:
            items.remove(item)
            others.append(item)
        seen.add(name)
    config.hook.pytest_deselected(items=others)
