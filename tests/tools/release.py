# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release is made of.

release.py changelog [VERSION]
                             fold the fragments into the changelog of the version that galaxy.yml names; with a version,
                             write that one to all files that name it before
release.py check VERSION     exit with 1 if a file names another version, or fragments are left
release.py publish ARCHIVE   publish the archive on Galaxy, with the token of GALAXY_API_KEY
"""

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import paths
import venvs

# Files that name the version of the archive, of the image that contains it, or of the tag; and how.
NAMING = ("galaxy.yml", "README*.md", "docs/*.md", "docs/zh/*.md", "extensions/awx/**/*.yml")
NAMED = re.compile(
    r"(anqicms-lifecycle-|anqicms-ee:|    version: v|\nname: lifecycle\nversion: )(\d+\.\d+\.\d+)(?=\s|\.tar\.gz)"
)


def naming(root: Path) -> t.List[Path]:
    """The files that name the version."""
    found = sorted({path for glob in NAMING for path in root.glob(glob)})
    return [path for path in found if NAMED.search(path.read_text(encoding="utf-8"))]


def wrong(root: Path, version: str) -> t.List[str]:
    """What keeps this version from being released."""
    found = []
    for path in naming(root):
        for _before, named in NAMED.findall(path.read_text(encoding="utf-8")):
            if named != version:
                found.append("%s has version %s" % (path.relative_to(root), named))
    releases = (root / "changelogs" / "changelog.yaml").read_text(encoding="utf-8")
    if not re.search(r"^  %s:$" % re.escape(version), releases, re.MULTILINE):
        found.append("changelogs/changelog.yaml has no version %s" % version)
    left = sorted(path.name for path in (root / "changelogs" / "fragments").glob("*.yml"))
    if left:
        found.append("fragments are left: %s. Run 'make release'" % ", ".join(left))
    return found


def write_version(root: Path, version: str) -> None:
    for path in naming(root):
        path.write_text(NAMED.sub(r"\g<1>" + version, path.read_text(encoding="utf-8")), encoding="utf-8")


def changelog(version: str = "") -> int:
    """An existing entry of the version is extended, so this can be repeated until the version is published."""
    if version:
        write_version(paths.ROOT, version)
    env = paths.private_env([venvs.ensure("dev")])
    argv = ["antsibull-changelog", "release", "--update-existing"]
    return subprocess.run(argv, env=env, cwd=paths.ROOT, check=False).returncode


def check(version: str) -> int:
    found = wrong(paths.ROOT, version)
    for one in found:
        print(one, file=sys.stderr)
    return 1 if found else 0


def publish(archive: str) -> int:
    """The token is in the environment of ansible-galaxy, never in its arguments."""
    env = paths.private_env([venvs.ensure("core-" + next(iter(venvs.CORES)))])
    env.update(
        ANSIBLE_GALAXY_SERVER_LIST="galaxy",
        ANSIBLE_GALAXY_SERVER_GALAXY_URL="https://galaxy.ansible.com/",
        ANSIBLE_GALAXY_SERVER_GALAXY_TOKEN=os.environ["GALAXY_API_KEY"],
    )
    argv = ["ansible-galaxy", "collection", "publish", str(Path(archive).resolve())]
    return subprocess.run(argv, env=env, check=False).returncode


def main(arguments: t.Sequence[str]) -> int:
    commands: t.Dict[str, t.Callable[..., int]] = {"changelog": changelog, "check": check, "publish": publish}
    return commands[arguments[0]](*arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
