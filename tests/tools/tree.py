# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies the working copy into a collection tree of its own, for ansible-test: that refuses links and writes there."""

import shutil
import subprocess
import typing as t
from pathlib import Path

import paths


def listed_files() -> t.List[str]:
    """What git knows or would add: neither ignored files nor caches."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(argv, cwd=paths.ROOT, stdout=subprocess.PIPE, check=True)
    names = done.stdout.decode().split("\0")
    return [name for name in names if name and (paths.ROOT / name).exists()]


def copy_collection(top: Path) -> Path:
    """A fresh copy below this directory, without history; returns the collection's directory in it."""
    target = top / paths.COLLECTION
    shutil.rmtree(target, ignore_errors=True)
    for name in listed_files():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(paths.ROOT / name, copy, follow_symlinks=False)
    return target
