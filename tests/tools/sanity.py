# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-test sanity, with a home and a collection tree of its own below the cache directory."""

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import paths
import pythons
import results
import tree
import venvs

# ansible-test bootstraps pip in its own environments from a script that it downloads, unless the script is in its
# cache. Python's bundled pip does the same without that server.
BOOTSTRAPS = ("get_pip_25_2.py", "get_pip_24_2.py", "get_pip_23_1_2.py")
BOOTSTRAP = """\
import os, subprocess, sys
if __name__ == "__main__":
    args = [arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel")]
    env = {name: value for name, value in os.environ.items() if name != "GET_PIP"}
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], env=env, stdout=subprocess.DEVNULL)
    sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", "--upgrade"] + args, env=env))
"""


def prepare_home() -> None:
    """Put the bootstrap script where ansible-test looks for it first, in the private home only."""
    cache = paths.CACHE / "home" / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for name in BOOTSTRAPS:
        (cache / name).write_text(BOOTSTRAP)


def environment(bin_dir: Path, found: t.Mapping[pythons.Version, pythons.Python]) -> t.Dict[str, str]:
    """Interpreters by their real directories, and no collections but the copy."""
    first = [bin_dir] + [Path(os.path.dirname(python.path)) for _version, python in sorted(found.items(), reverse=True)]
    env = paths.private_env(first)
    del env["ANSIBLE_COLLECTIONS_PATH"]
    return env


def sanity() -> results.Counts:
    """ansible-test sanity with the newest ansible-core that runs here, or the one that CORE names."""
    found = pythons.discover()
    core = os.environ.get("CORE") or venvs.newest_core(found)
    bin_dir = venvs.ensure("core-" + core, found)
    prepare_home()
    copy = tree.copy_collection(paths.CACHE / "collections")
    # Without a name for the content it would be looked for in the repository around the copy, which ignores the copy.
    env = dict(environment(bin_dir, found), ANSIBLE_TEST_CONTENT_ROOT=str(copy), PIP_QUIET="1")
    argv = [str(bin_dir / "ansible-test"), "sanity", "--color=no"]
    process = subprocess.Popen(argv, cwd=copy, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = _shown(process)
    (paths.RESULTS / "sanity.log").write_text(output)
    return results.of_sanity(output, process.wait())


def _shown(process: "subprocess.Popen[bytes]") -> str:
    """Pass its output on line by line, and return it."""
    lines = []
    for raw in process.stdout or ():
        line = raw.decode(errors="replace")
        lines.append(line)
        sys.stdout.write("  " + line)
        sys.stdout.flush()
    return "".join(lines)
