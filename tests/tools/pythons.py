# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the Python interpreters of this machine by running them.

A version manager's shim may stand for any version or for none, so a name proves nothing: each candidate is executed and
its own answer counts, and what is used from then on is the interpreter's real path.
"""

import glob
import json
import os
import re
import subprocess
import sys
import typing as t

Version = t.Tuple[int, int]

# The versions that host-side code is written for.
TARGETS: t.Tuple[Version, ...] = tuple((3, minor) for minor in range(6, 14))
_NAME = re.compile(r"python3(\.[0-9]+)?\Z")
_PROBE = (
    "import sys, sysconfig, json; import venv, ensurepip;"
    "print(json.dumps([list(sys.version_info[:3]), sys.executable, sys.prefix != sys.base_prefix,"
    "sysconfig.get_config_var('Py_ENABLE_SHARED') and"
    "[sysconfig.get_config_var('LIBDIR'), sysconfig.get_config_var('INSTSONAME')]]))"
)


class Python(t.NamedTuple):
    """One interpreter that can make virtual environments."""

    path: str
    release: t.Tuple[int, int, int]
    library: t.Optional[str]

    @property
    def version(self) -> Version:
        return self.release[:2]

    def has_library(self) -> bool:
        """Whether its shared library is installed, which programs are frozen with; Debian packages it apart."""
        return self.library is not None and os.path.exists(self.library)


def search_dirs(environ: t.Mapping[str, str]) -> t.List[str]:
    """Directories of PATH, then those of pyenv; shims are left out: they start something else."""
    on_path = [entry for entry in environ.get("PATH", "").split(os.pathsep) if entry]
    home = os.path.expanduser(environ.get("HOME", "~"))
    root = environ.get("PYENV_ROOT", os.path.join(home, ".pyenv"))
    managed = sorted(glob.glob(os.path.join(glob.escape(root), "versions", "*", "bin")))
    dirs = [entry for entry in on_path + managed if os.path.basename(entry) != "shims"]
    return list(dict.fromkeys(dirs))


def candidates(dirs: t.Iterable[str]) -> t.List[str]:
    """Real paths of what is named like a Python 3 in these directories, each once, in order."""
    found: t.Dict[str, None] = {}
    for directory in dirs:
        for name in sorted(_names(directory)):
            path = os.path.realpath(os.path.join(directory, name))
            if os.access(path, os.X_OK):
                found[path] = None
    return list(found)


def _names(directory: str) -> t.List[str]:
    try:
        return [name for name in os.listdir(directory) if _NAME.match(name)]
    except OSError:
        return []


def probe(path: str) -> t.Optional[Python]:
    """Run the interpreter; None unless it answers, is no virtual environment and has venv and ensurepip."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", _PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=True
        )
        release, executable, in_venv, library = json.loads(done.stdout.decode())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if in_venv or not executable:
        return None
    shared = os.path.join(*library) if library and all(library) else None
    return Python(os.path.realpath(executable), (release[0], release[1], release[2]), shared)


def discover(environ: t.Optional[t.Mapping[str, str]] = None) -> t.Dict[Version, Python]:
    """One interpreter per minor version: the system's own where there is one, else the first found."""
    found: t.Dict[Version, Python] = {}
    paths = candidates(search_dirs(os.environ if environ is None else environ))
    for path in sorted(paths, key=lambda path: not path.startswith("/usr/")):
        python = probe(path)
        if python is not None:
            found.setdefault(python.version, python)
    return found


def newest(found: t.Mapping[Version, Python], low: Version, high: Version) -> t.Optional[Python]:
    """The newest interpreter with low <= version <= high."""
    fitting = [version for version in found if low <= version <= high]
    return found[max(fitting)] if fitting else None


def main() -> int:
    found = discover()
    for version in sorted(set(found) | set(TARGETS)):
        python = found.get(version)
        print("%d.%d %s" % (version[0], version[1], python.path if python else "missing"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
