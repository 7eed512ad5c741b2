# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things of the development environment lie; all that it writes is below the cache directory."""

import os
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
VENVS = CACHE / "venv"
TREE = CACHE / "tree"
RESULTS = CACHE / "results"
REQUIREMENTS = ROOT / "requirements"
COLLECTION = Path("ansible_collections", "anqicms", "lifecycle")


def link_tree() -> Path:
    """The tree in which Ansible and Python find the working copy as a collection: one link to the repository."""
    link = TREE / COLLECTION
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(ROOT)
    except FileExistsError:
        if link.resolve() != ROOT:
            link.unlink()
            link.symlink_to(ROOT)
    return TREE


def clean_path(first: t.Iterable[Path] = ()) -> str:
    """PATH with these directories in front, the sbin directories behind, and no shims: they start something else."""
    kept = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if os.path.basename(entry) != "shims"]
    entries = [str(path) for path in first] + kept + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    return os.pathsep.join(dict.fromkeys(entry for entry in entries if entry))


def private_env(first: t.Iterable[Path] = ()) -> t.Dict[str, str]:
    """The environment of a tool: a home of its own in the cache, this working copy as the only collection, no shims."""
    home = CACHE / "home"
    home.mkdir(parents=True, exist_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYENV_", "MAKE"))}
    env.update(
        HOME=str(home),
        PYENV_ROOT=os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")),  # its interpreters stay findable
        PATH=clean_path(first),
        ANSIBLE_COLLECTIONS_PATH=str(link_tree()),
        ANSIBLE_INJECT_FACT_VARS="false",
        ANSIBLE_NOCOLOR="1",
        PYTHONDONTWRITEBYTECODE="1",
        LC_ALL="C.UTF-8",
    )
    env.pop("PYTHONPATH", None)
    env.setdefault("PIP_CACHE_DIR", str(CACHE / "pip"))
    return env
