# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the virtual environments below .cache/venv, each only when its pins have changed.

Usage: venvs.py NAME...    Exit status 3 when no fitting interpreter is installed for one of them, 1 when pip failed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import paths
import pythons

ANY_CONTROLLER = ((3, 10), (3, 14))
# Which Pythons each ansible-core runs on as a controller, newest core first.
CORES: t.Dict[str, t.Tuple[pythons.Version, pythons.Version]] = {
    "2.21": ((3, 12), (3, 14)),
    "2.19": ((3, 11), (3, 13)),
    "2.16": ((3, 10), (3, 12)),
}
# For single tests of 'make soak': nothing is installed beside these.
MORE_CORES: t.Dict[str, t.Tuple[pythons.Version, pythons.Version]] = {
    "2.20": ((3, 12), (3, 14)),
    "2.18": ((3, 11), (3, 13)),
    "2.17": ((3, 10), (3, 12)),
}
# Environments whose pins include an ansible-core, and the Pythons that it runs on.
WITH_OWN_CORE: t.Dict[str, t.Tuple[pythons.Version, pythons.Version]] = {"awx": ((3, 12), (3, 14))}
# What is installed beside the newest ansible-core that an installed Python can run.
ON_NEWEST_CORE = {
    "dev": ("lint", "pytest", "fleet", "report"),
    "demo": ("fleet",),
    "galaxy": ("galaxy",),
    "rulebook": ("rulebook",),
    "ara": ("ara",),
    "molecule": ("molecule", "fleet"),
    "docs": ("docs",),
    "ci": ("ci",),
}


class Missing(Exception):
    """No interpreter for this environment is installed."""


class Spec(t.NamedTuple):
    """An environment: its interpreter and the requirement files it is made of."""

    name: str
    python: pythons.Python
    files: t.Tuple[str, ...]

    @property
    def path(self) -> Path:
        return paths.VENVS / self.name

    def stamp(self) -> str:
        """What the environment depends on, as one hash."""
        digest = hashlib.sha256(("%s %s\n" % (self.python.path, self.python.release)).encode())
        for name in self.files:
            digest.update((paths.REQUIREMENTS / (name + ".txt")).read_bytes())
        return digest.hexdigest()


def newest_core(found: t.Mapping[pythons.Version, pythons.Python]) -> str:
    """The newest ansible-core that an installed Python can run."""
    for core, (low, high) in CORES.items():
        if pythons.newest(found, low, high):
            return core
    raise Missing("no Python 3.10-3.14 with venv was found")


def default_core(found: t.Mapping[pythons.Version, pythons.Python]) -> str:
    """The core that integration and end-to-end tests run with: 2.19 where it runs, else what does."""
    return "2.19" if pythons.newest(found, *CORES["2.19"]) else newest_core(found)


def core_python(found: t.Mapping[pythons.Version, pythons.Python], core: str) -> pythons.Python:
    """The interpreter for a core, or for an environment with its own: the system's where it fits, else the newest.

    Other users can run that of the system, too.
    """
    low, high = {**CORES, **MORE_CORES, **WITH_OWN_CORE}[core]
    fitting = {version: python for version, python in found.items() if low <= version <= high}
    own = {version: python for version, python in fitting.items() if python.path.startswith("/usr/")}
    python = pythons.newest(own or fitting, low, high)
    if python is None:
        raise Missing("ansible-core %s needs Python %d.%d-%d.%d, and none was found" % (core, *low, *high))
    return python


def spec(name: str, found: t.Mapping[pythons.Version, pythons.Python]) -> Spec:
    """What the environment of this name is made of; raises Missing, or KeyError for an unknown name."""
    kind, _dash, version = name.partition("-")
    if kind == "unit":
        major, minor = version.split(".")
        wanted = (int(major), int(minor))
        if wanted not in found:
            raise Missing("Python %s was not found" % version)
        return Spec(name, found[wanted], ("pytest",))
    if kind == "core":
        beside = ("pytest", "fleet", "report") if version in CORES else ()
        return Spec(name, core_python(found, version), ("core-" + version, *beside))
    if name in WITH_OWN_CORE:
        return Spec(name, core_python(found, name), (name,))
    if name == "paramiko":
        return Spec(name, core_python(found, default_core(found)), ("paramiko",))
    core = newest_core(found)
    return Spec(name, core_python(found, core), ("core-" + core, *ON_NEWEST_CORE[name]))


def make(wanted: Spec) -> None:
    """Make the environment unless it is there and up to date; the stamp is written last."""
    stamp = wanted.path / ".stamp"
    paths.VENVS.mkdir(parents=True, exist_ok=True)
    with open(str(wanted.path) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted.stamp():
            return
        print("making environment %s (Python %d.%d.%d)" % (wanted.name, *wanted.python.release), flush=True)
        shutil.rmtree(wanted.path, ignore_errors=True)
        subprocess.run([wanted.python.path, "-m", "venv", str(wanted.path)], check=True)
        _install(wanted)
        stamp.write_text(wanted.stamp())


def _install(wanted: Spec) -> None:
    arguments = [part for name in wanted.files for part in ("-r", str(paths.REQUIREMENTS / (name + ".txt")))]
    env = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONWARNINGS="ignore")
    env.setdefault("PIP_CACHE_DIR", str(paths.CACHE / "pip"))
    subprocess.run([str(wanted.path / "bin" / "pip"), "install", "--quiet", *arguments], check=True, env=env)


def ensure(name: str, found: t.Optional[t.Mapping[pythons.Version, pythons.Python]] = None) -> Path:
    """The bin directory of this environment, made if needed; raises Missing where its interpreter is not installed."""
    wanted = spec(name, pythons.discover() if found is None else found)
    make(wanted)
    return wanted.path / "bin"


def main(names: t.Sequence[str]) -> int:
    found, status = pythons.discover(), 0
    for name in names:
        try:
            ensure(name, found)
        except Missing as error:
            print("SKIPPED: environment %s: %s" % (name, error), file=sys.stderr)
            status = 3
        except subprocess.CalledProcessError as error:
            print("environment %s was not made: %s" % (name, error), file=sys.stderr)
            return 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
