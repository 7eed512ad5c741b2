# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the collection importable as ansible_collections.anqicms.lifecycle, on every Python and without Ansible."""

import os
import sys

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

# How long one example takes says something of the machine, not of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
