# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks for the programs that a target needs, and names the Debian packages of those that are missing.

Usage: prereqs.py TARGET [--install]    With --install, root on Debian or Ubuntu installs them.
Exit status 1 when one that is needed is missing, 2 when there is no such target.
"""

import os
import shutil
import subprocess
import sys
import typing as t

import paths
import pythons
import venvs


class Package(t.NamedTuple):
    """A Debian package, the programs that show that it is there, and who needs it.

    Without one that is ``optional``, its tests are skipped: some systems do not have it as a package.
    """

    name: str
    programs: t.Tuple[str, ...]
    targets: t.FrozenSet[str]
    root_only: bool = False
    optional: bool = False


FLEET = frozenset(("demo", "demo-upgrade", "bench", "test", "soak", "integration", "e2e", "molecule"))
TESTS = frozenset(("test", "soak", "integration", "e2e"))
EVERY = FLEET | {"lint", "sanity", "unit", "check", "build", "docs"}
PACKAGES = (
    Package("git", ("git",), EVERY),
    Package("binutils", ("objdump",), FLEET),
    Package("procps", ("ps",), FLEET),
    Package("iproute2", ("ss", "ip"), FLEET),
    Package("mariadb-server-core", ("mariadbd", "mariadb-install-db"), FLEET),
    Package("mariadb-client", ("mariadb", "mariadb-dump"), TESTS | {"demo-upgrade", "bench", "molecule"}),
    Package("shellcheck", ("shellcheck",), frozenset(("test", "sanity"))),
    Package("util-linux", ("unshare", "nsenter"), TESTS),
    Package("nginx-light", ("nginx",), TESTS),
    Package("unzip", ("unzip",), frozenset(("bench",))),
    Package("zstd", ("zstd",), TESTS | {"unit", "check"}),
    Package("openssl", ("openssl",), TESTS),
    Package("openssh-client", ("ssh", "ssh-keygen"), TESTS | {"molecule"}, root_only=True),
    Package("sshpass", ("sshpass",), TESTS, root_only=True),
    Package("debootstrap", ("debootstrap",), TESTS | {"molecule"}, root_only=True),
    Package("podman", ("podman",), TESTS | {"molecule"}, root_only=True),
    Package("runc", ("runc",), TESTS | {"molecule"}, root_only=True),
    Package("chromium", ("chromium",), TESTS, optional=True),
)


def missing_packages(target: str, is_root: bool, path: str, optional: bool = False) -> t.List[str]:
    """Names of the packages that this target needs, or that are optional for it, and whose programs are not found."""
    return [
        package.name
        for package in PACKAGES
        if target in package.targets
        and package.optional == optional
        and (is_root or not package.root_only)
        and not all(shutil.which(program, path=path) for program in package.programs)
    ]


def library_packages(target: str) -> t.List[str]:
    """The packages of missing shared libraries of the interpreters that the stand-in is frozen with."""
    if target not in FLEET:
        return []
    found = pythons.discover()
    cores = (venvs.newest_core(found), venvs.default_core(found))
    users = {venvs.core_python(found, core) for core in cores}
    return sorted("libpython%d.%d" % python.version for python in users if not python.has_library())


def install(packages: t.Sequence[str]) -> None:
    """Install by apt-get, for root on Debian and its like; announced in one line."""
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    print("installing: " + " ".join(command), flush=True)
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for step in (["apt-get", "update", "-qq"], command):
        subprocess.run(step, env=env, stdout=subprocess.DEVNULL, check=False)


def main(arguments: t.Sequence[str]) -> int:
    target, may_install = arguments[0], "--install" in arguments
    if target not in EVERY:
        print("There is no part %s. The parts are %s." % (target, ", ".join(sorted(EVERY))), file=sys.stderr)
        return 2
    is_root = os.geteuid() == 0

    def missing() -> t.List[t.List[str]]:
        """What is needed, and what is optional."""
        found = [missing_packages(target, is_root, paths.clean_path(), optional) for optional in (False, True)]
        return [found[0] + library_packages(target), found[1]]

    groups = missing()
    if any(groups) and may_install and is_root and shutil.which("apt-get"):
        for group in filter(None, groups):  # apart: a package that a system does not have hinders no other
            install(group)
        groups = missing()
    needed, optional = groups
    if optional:
        print("SKIPPED: tests that need %s, which is not installed" % ", ".join(optional), file=sys.stderr)
    if needed:
        print("'make %s' needs packages that are missing here. On Debian or Ubuntu:" % target, file=sys.stderr)
        print("  apt-get install --no-install-recommends " + " ".join(needed + optional), file=sys.stderr)
    return 1 if needed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
