# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freeze the stand-in once with cx_Freeze and lay out one release directory per version in .cache/standin."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache"
RELEASES = CACHE / "standin"
BINARY = "anqicms"
VERSION_MARK = "\nanqicms stand-in "
_REQUIREMENTS = ROOT / "requirements" / "fleet.txt"
_EXCLUDED = (
    "_hashlib asyncio bz2 concurrent cryptography ctypes curses dbm doctest email ftplib html http lzma logging "
    "multiprocessing optparse pdb pickle pydoc sqlite3 ssl subprocess test tkinter unittest xml xmlrpc zipimport"
)
_SETUP = """
from cx_Freeze import setup, Executable
setup(
    name="anqicms",
    options={{"build_exe": {{"build_exe": {target!r}, "excludes": {excluded!r}.split(), "path": {path!r},
                           "includes": ["standin.booting"], "optimize": 1, "silent": True}}}},
    executables=[Executable({script!r}, target_name="anqicms")],
)
"""


def release(version: str) -> Path:
    """The release directory of a version; freezes the program first if its sources changed (about 10 s)."""
    RELEASES.mkdir(parents=True, exist_ok=True)
    with open(RELEASES / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = _fingerprint()
        target = RELEASES / version
        if not _is_current(target, stamp):
            bundle = _bundle(stamp)
            _lay_out(bundle, target, version, stamp)
        return target


def _is_current(directory: Path, stamp: str) -> bool:
    try:
        return (directory / "lib" / "stamp").read_text() == stamp
    except OSError:
        return False


def _sources() -> Iterator[Path]:
    yield from sorted((HERE / "standin").glob("*.py"))
    yield from (Path(__file__), _REQUIREMENTS)


def _fingerprint() -> str:
    """Of the sources alone: whichever interpreter froze it, it behaves alike."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _bundle(stamp: str) -> Path:
    bundle = RELEASES / "bundle"
    if _is_current(bundle, stamp):
        return bundle
    shutil.rmtree(bundle, ignore_errors=True)
    setup = RELEASES / "setup.py"
    setup.write_text(
        _SETUP.format(
            target=str(bundle),
            excluded=_EXCLUDED,
            path=[str(HERE), *_import_path()],
            script=str(HERE / "standin" / "__main__.py"),
        )
    )
    made = subprocess.run(
        [_python(), str(setup), "build_exe"],
        cwd=RELEASES,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if made.returncode or not (bundle / BINARY).exists():
        raise RuntimeError(f"the stand-in could not be frozen:\n{made.stdout[-4000:]}")
    (bundle / "lib" / "stamp").write_text(stamp)
    return bundle


def _import_path() -> list[str]:
    code = "import sys; print('\\n'.join(sys.path[1:]))"
    return subprocess.check_output([_python(), "-c", code], text=True).split()


def _python() -> Path:
    """The interpreter of an environment with the pinned tools; this one if it has them."""
    probe = "import cx_Freeze, pymysql"
    if subprocess.run([sys.executable, "-c", probe], check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return Path(sys.executable)
    directory = CACHE / "venv" / f"freeze-{sys.version_info[0]}.{sys.version_info[1]}"
    python = directory / "bin" / "python"
    if not (directory / ".complete").exists():
        shutil.rmtree(directory, ignore_errors=True)
        venv.create(directory, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", _REQUIREMENTS], check=True)
        (directory / ".complete").touch()
    return python


def _lay_out(bundle: Path, target: Path, version: str, stamp: str) -> None:
    """The files of a release: binary, its libraries, and what the real archive has beside it (as far as it matters)."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(bundle, target)
    (target / "frozen_application_license.txt").unlink(missing_ok=True)
    (target / "lib" / "version").write_text(version)  # to be seen by people and tests; the program reads its own end
    (target / "CHANGELOG.md").write_text(f"# CHANGELOG\n\n## v{version}\n\n- stand-in\n")
    (target / "source").mkdir()
    shutil.copy2(shutil.which("sleep") or "/bin/sleep", target / "source" / "cwebp_linux_amd64")
    numbers = tuple(int(part) for part in version.split("."))
    if numbers >= (2, 3, 5):
        (target / "dictionary.txt").write_text("安企 100 n\n内容 100 n\n")
    language = target / ("locales" if numbers >= (3, 3, 9) else "language") / "en"
    language.mkdir(parents=True)
    (language / "default.yml").write_text("Hello: Hello\n")
    for name in ("template/default", "public/static/default", "cache"):
        (target / name).mkdir(parents=True)
    if numbers < (3, 4, 5):
        (target / "system").mkdir()
        (target / "system" / "index.html").write_text("<!DOCTYPE html><title>admin</title>\n")
    # Binaries differ by version as real ones do, and the file alone decides which version runs.
    with open(target / BINARY, "ab") as binary:
        binary.write(f"{VERSION_MARK}{version}\n".encode())
    os.chmod(target / BINARY, 0o755)


if __name__ == "__main__":
    for name in sys.argv[1:] or ("2.5.3", "3.2.8", "3.5.8"):
        print(release(name))
