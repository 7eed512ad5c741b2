# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures that several integration tests share."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import paths
import pytest
from instance import end_below

sys.path.insert(0, str(paths.link_tree()))  # the collection, for every test that imports from it


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that another user can reach; a test's own temporary directory is closed to others."""
    directory = Path(tempfile.mkdtemp(prefix="anqicms-place-", dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    end_below(directory)
    shutil.rmtree(directory)
