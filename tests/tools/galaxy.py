# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""galaxy-importer on a copy of the collection; a warning of it is a failure too. Run with its environment's Python.

ansible-lint is left out: 'make lint' runs it, more strictly.
"""

import os
import re
import subprocess
import sys

import paths
import tree

PLACE = paths.CACHE / "galaxy"
COMPLAINT = re.compile(r"^(WARNING|ERROR|CRITICAL)\b", re.MULTILINE)


def main() -> int:
    copy = tree.copy_collection(PLACE)
    argv = [sys.executable, "-m", "galaxy_importer.main", "--git-clone-path", str(copy), "--output-path", str(PLACE)]
    env = dict(os.environ, GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false")
    for archive in PLACE.glob("*.tar.gz"):
        archive.unlink()
    done = subprocess.run(argv, env=env, cwd=PLACE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode(errors="replace")
    print(said)
    return 1 if done.returncode or COMPLAINT.search(said) else 0


if __name__ == "__main__":
    sys.exit(main())
