# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives of releases and install directories for tests of `release`, and what may have become of them.

Import `windows` or link the tree before anything of the collection.
"""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any, Iterator, Mapping

import paths

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import release
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import change_steps as steps
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import validate

steps.register()
PROGRAM = Path("/bin/true").read_bytes()
OTHER_PROGRAM = Path("/bin/false").read_bytes()
OLD = {
    "anqicms": OTHER_PROGRAM,
    "CHANGELOG.md": b"# CHANGELOG\n\n## v3.4.0\n",
    "README.md": b"old\n",
    "start.sh": b"#!/bin/bash\n# old\n",
    "locales/en/default.yml": b"old: 1\n",
    "system/index.html": b"<title>old admin</title>",
    "system/js/app.js": b"old()",
    "template/default/index.html": b"old index",
    "template/default/list.html": b"old list",
    "public/static/default/a.css": b"old css",
    "dictionary.txt": b"word 100 n\n",
}
NEW = {
    "anqicms": PROGRAM,
    "CHANGELOG.md": b"# CHANGELOG\n\n## v3.5.8\n",
    "README.md": b"new\n",
    "start.sh": b"#!/bin/bash\n# new\n",
    "locales/en/default.yml": b"new: 1\n",
    "locales/zh/default.yml": b"new: 2\n",
    "source/cwebp_linux_amd64": PROGRAM,
    "template/default/index.html": b"new index",
    "template/default/list.html": b"new list",
    "template/default/new/part.html": b"new part",
    "public/static/default/a.css": b"new css",
    "public/a.xsl": b"new xsl",
    "dictionary.txt": b"word 100 n\n",
    "config.json": b"{}",
    "data/x": b"of the archive",
    "public/uploads/x.png": b"of the archive",
}
USERS = {
    "config.json": b'{"server": {"port": 8001}}',
    "data/cert/key": b"secret",
    "public/uploads/a.png": b"picture",
    "template/mine/index.html": b"mine",
    "template/default/index.html": b"edited index",
    "running.log": b"line\n",
    "my.sh": b"#!/bin/sh\n",
}


def make_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
        made.writestr("cache/", b"")
    return path


def zip_of(directory: Path, path: Path) -> Path:
    """A release directory as the vendor's archive has it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for file in sorted(directory.rglob("*")):
            made.write(file, file.relative_to(directory))
    return path


def lay_out(directory: Path, *layers: Mapping[str, bytes]) -> Path:
    """An install directory with these files, the later ones over the earlier ones."""
    directory.mkdir(parents=True, exist_ok=True)
    for layer in layers:
        for name, data in layer.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (directory / "anqicms").chmod(0o755)
    (directory / "config.json").chmod(0o600)
    return directory


def options(**given: Any) -> dict[str, Any]:
    ((_name, values),) = validate.validate([{"release": given}], set())
    return values


def context_of(directory: Path, base: Path | None = None, run_id: str = "") -> Context:
    instance = resolve(str(directory))
    context = Context(instance, state.StateDir(instance, str(base or directory.parent / "state")))
    context.run.id = run_id
    if run_id:
        context.state.make()
    return context


def call(
    directory: Path, base: Path | None = None, check: bool = False, run_id: str = "", **given: Any
) -> dict[str, Any]:
    """`release` as a task of its own."""
    context = context_of(directory, base, run_id)
    try:
        return dict((release.foresee if check else release.as_a_task)(context, options(**given)))
    finally:
        context.close()


def stage(directory: Path, archive: Path, version: str = "3.5.8", **given: Any) -> dict[str, Any]:
    return call(directory, state="staged", src=str(archive), version=version, **given)


def switch(directory: Path, version: str = "3.5.8", **given: Any) -> dict[str, Any]:
    return call(directory, state="switched", version=version, **given)


def snapshot(directory: Path, without: str = ".lifecycle") -> dict[str, tuple[Any, ...]]:
    """Every path: kind and mode, owner, content or target, and of files the time of the last change."""
    found = {}
    for path in _walk(directory, without):
        info = path.lstat()
        content: Any = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        time = None if path.is_dir() and not path.is_symlink() else info.st_mtime_ns
        found[str(path.relative_to(directory))] = (oct(info.st_mode), info.st_uid, info.st_gid, time, content)
    return found


def _walk(directory: Path, without: str) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        if path.name == without:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, without)


def give_to(directory: Path, uid: int) -> None:
    """The install directory and all in it to another user; needs root."""
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, uid, uid, follow_symlinks=False)


def bulk(directory: Path) -> list[str]:
    """What is kept below .lifecycle."""
    place = directory / ".lifecycle"
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def remove_state(directory: Path) -> None:
    shutil.rmtree(directory / ".lifecycle", ignore_errors=True)
    shutil.rmtree(directory.parent / "state", ignore_errors=True)
