# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""promtool, which checks metrics: that of the machine, else that of the Debian package, unpacked into the cache.

The package is not installed: it would start a server.
"""

import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import paths

_MEMBER = "./usr/bin/promtool"


def ensure() -> t.Optional[Path]:
    """The program; None where there is none and it cannot be downloaded."""
    found = shutil.which("promtool", path=paths.clean_path())
    if found:
        return Path(found)
    program = paths.CACHE / "promtool"
    if not program.is_file() and shutil.which("apt-get"):
        _unpack(program)
    return program if program.is_file() else None


def _unpack(program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=str(paths.CACHE)) as directory:
        subprocess.run(
            ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "prometheus"],
            cwd=directory,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for package in Path(directory).glob("prometheus_*.deb"):
            tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE, check=True)
            subprocess.run(["tar", "-x", "-C", directory, _MEMBER], input=tar.stdout, check=True)
            os.replace(str(Path(directory, _MEMBER)), str(program))
