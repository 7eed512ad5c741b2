# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real browser without a window: what it makes of a page, and a photograph of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Sequence

import paths
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
OUTPUT = paths.ROOT / "tests" / "output"


def _program() -> str:
    found = next((path for path in (shutil.which(name) for name in NAMES) if path), None)
    if found is None:
        pytest.skip("no chromium is installed (Debian package chromium)")
    return found


def _run(page: Path, *options: str) -> str:
    """With a profile of its own, and no way to any other machine."""
    with tempfile.TemporaryDirectory(prefix="anqicms-browser-", ignore_cleanup_errors=True) as profile:
        argv = [
            _program(),
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # it refuses to start otherwise
            *options,
            page.as_uri(),
        ]
        env = {**paths.private_env(), "HOME": profile}
        done = subprocess.run(argv, env=env, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode()


def dom(page: Path, options: Sequence[str] = ()) -> str:
    """The document as HTML, after all scripts of the page have run."""
    return _run(page, "--dump-dom", *options)


def photograph(page: Path, name: str, width: int, height: int, dark: bool = False) -> Path:
    """In tests/output, to look at."""
    OUTPUT.mkdir(exist_ok=True)
    picture = OUTPUT / f"{name}.png"
    picture.unlink(missing_ok=True)
    options = ["--blink-settings=preferredColorScheme=0"] if dark else []
    _run(page, f"--window-size={width},{height}", f"--screenshot={picture}", *options)
    return picture
