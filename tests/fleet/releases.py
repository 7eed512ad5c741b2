# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of a version come from: the stand-in, or real releases when RELEASES=<dir> is set."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import freeze

_VERSION = re.compile(r"\d+(\.\d+)+")


def real_releases() -> Path | None:
    """The directory that RELEASES names, if any."""
    named = os.environ.get("RELEASES")
    return Path(named).expanduser().resolve() if named else None


def release_of(version: str) -> Path:
    """A directory with the files of this version. Raise FileNotFoundError if RELEASES has none."""
    real = real_releases()
    if real is None:
        return freeze.release(version)
    for name in (version, f"v{version}"):
        if (real / name / freeze.BINARY).is_file():
            return real / name
    for archive in sorted(real.glob(f"anqicms-linux*v{version}.zip")):
        return _unpacked(archive, version)
    raise FileNotFoundError(
        f"{real} has neither {version}/{freeze.BINARY} nor anqicms-linux-*-v{version}.zip for version {version}"
    )


def nearest(version: str) -> str:
    """This version; where RELEASES lacks it the newest one there that is older, or else the oldest one there.

    Raise FileNotFoundError if RELEASES has none at all.
    """
    real = real_releases()
    if real is None:
        return version
    offered = sorted(_offered(real), key=numbers)
    if not offered:
        raise FileNotFoundError(f"{real} has neither directories <version>/{freeze.BINARY} nor archives of releases")
    return ([one for one in offered if numbers(one) <= numbers(version)] or offered[:1])[-1]


def _offered(real: Path) -> set[str]:
    directories = [path.parent.name.removeprefix("v") for path in real.glob(f"*/{freeze.BINARY}") if path.is_file()]
    archives = [path.stem.rpartition("-v")[2] for path in real.glob("anqicms-linux*-v*.zip")]
    return {name for name in directories + archives if _VERSION.fullmatch(name)}


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _unpacked(archive: Path, version: str) -> Path:
    target = freeze.CACHE / "releases" / f"{version}-{archive.stat().st_size}-{archive.stat().st_mtime_ns}"
    if not target.exists():
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(partial)
        os.chmod(partial / freeze.BINARY, 0o755)
        try:
            partial.rename(target)
        except OSError:  # another run was faster
            shutil.rmtree(partial)
    return target


def unpack(source: Path, directory: Path) -> None:
    """Copy the files of a release into an install directory (which may exist): every instance has its own binary."""
    shutil.copytree(source, directory, dirs_exist_ok=True, symlinks=True)
    os.chmod(directory / freeze.BINARY, 0o755)
