# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole releases of the stand-in, as a directory and as the vendor's archive, with the files that a real one has.

Texts are made up, but change between versions where those of the application do, so that an upgrade replaces, adds and
leaves behind what a real one does. The directory lib/ is the stand-in's own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import zipfile
from pathlib import Path

import freeze
from releases import numbers, real_releases, release_of

# First heading of CHANGELOG.md in the releases where it is behind the version.
CHANGELOG_BEHIND = {"2.3.6": "2.2.5", "3.1.9": "3.1.6", "3.5.1": "3.5.0"}
_EXECUTABLE = (freeze.BINARY, "start.sh", "stop.sh", "source/cwebp_linux_amd64")
_TEMPLATES = (
    "config.json",
    "index/index.html",
    "article/list.html",
    "article/detail.html",
    "product/list.html",
    "product/detail.html",
    "page/detail.html",
    "search/index.html",
    "tag/index.html",
    "tag/list.html",
    "comment/list.html",
    "guestbook/index.html",
    "errors/404.html",
    "errors/500.html",
    "errors/close.html",
    "partial/header.html",
    "partial/footer.html",
    "partial/aside.html",
    "partial/pagination.html",
    "partial/breadcrumb.html",
    "partial/comment.html",
    "partial/article-item.html",
    "partial/product-item.html",
)
_OFTEN_CHANGED = ("index/index.html", "partial/header.html")  # also within 3.5
_PUBLIC = ("css/style.css", "js/app.js", *(f"images/{number}.svg" for number in range(12)))
_PUBLIC_OFTEN_CHANGED = ("css/style.css", "js/app.js")
_PUBLIC_UP_TO_3_2 = tuple(f"layui/{number}.js" for number in range(31))  # gone since, and still used by old templates
# They do nothing, and never by name: whoever runs one in a test must not end a stranger's process.
_SCRIPT = '#!/bin/bash\n# {name} of the stand-in, generation {generation}\nexit 0\n'


def full_release(version: str, scripts: bool | None = None) -> Path:
    """A directory with all files of a release; made once.

    `scripts` is whether it has start.sh and stop.sh, by default up to 3.2.8 as the vendor's.
    """
    source = freeze.release(version)
    wanted = numbers(version) <= (3, 2, 8) if scripts is None else scripts
    target = freeze.CACHE / "standin" / "full" / f"{version}{'-scripts' if wanted else ''}"
    target.parent.mkdir(parents=True, exist_ok=True)
    stamp = (source / "lib" / "stamp").read_text() + str(Path(__file__).stat().st_mtime_ns)
    with open(target.parent / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = target.with_name(f"{target.name}.stamp")
        if not mark.exists() or mark.read_text() != stamp:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
            _write(target, texts_of(version, wanted))
            mark.write_text(stamp)
    return target


def release_zip(
    version: str, directory: Path, changelog: str = "", modes: bool = True, scripts: bool | None = None
) -> Path:
    """The vendor's archive of a version below `directory`: flat, with its empty cache/.

    `changelog` is another version for the heading of CHANGELOG.md; without `modes` the entries carry none.
    With RELEASES it holds the files of the real release, whatever is asked for otherwise.
    """
    source = release_of(version) if real_releases() else full_release(version, scripts)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / archive_name(version)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(source.rglob("*")):
            name = str(file.relative_to(source))
            if file.is_dir():
                _add(archive, f"{name}/", b"", 0o40755 if modes else 0)
            elif name == "CHANGELOG.md" and changelog:
                _add(archive, name, _changelog(changelog).encode(), 0o100644 if modes else 0)
            else:
                mode = 0o100755 if name in _EXECUTABLE else 0o100644
                _add(archive, name, file.read_bytes(), mode if modes else 0)
    return path


def archive_name(version: str) -> str:
    """With the architecture since 3.4.5."""
    return f"anqicms-linux-{'amd64-' if numbers(version) >= (3, 4, 5) else ''}v{version}.zip"


def texts_of(version: str, scripts: bool = False) -> dict[str, str]:
    """The files beside the binary, by their path; those of freeze.py are not all in it."""
    parts = numbers(version)
    line = ".".join(version.split(".")[:2])
    files = {
        "README.md": "# AnQiCMS stand-in\n",
        "License": "stand-in\n",
        "doc/api.md": f"api of {line}\n",
        "CHANGELOG.md": _changelog(CHANGELOG_BEHIND.get(version, version)),
        "clientFiles/import.php": f"<?php // {line}\n",
        "public/sitemap.xsl": "<xsl/>\n",
        "public/anqi.xsl": f"<!-- {line} -->\n",
    }
    files.update(
        {
            f"template/default/{name}": f"{name} of {version if name in _OFTEN_CHANGED else line}\n"
            for name in _TEMPLATES
        }
    )
    files.update(
        {
            f"public/static/default/{name}": f"{name} of {line if name in _PUBLIC_OFTEN_CHANGED else 'all'}\n"
            for name in _PUBLIC
        }
    )
    if parts < (3, 3):
        files.update({f"public/static/default/{name}": f"{name}\n" for name in _PUBLIC_UP_TO_3_2})
    files.update(_languages(parts, line))
    if parts < (3, 4, 5):
        files.update(
            {
                "system/index.html": f"<!DOCTYPE html><title>admin {version}</title>\n",
                f"system/umi.{version}.js": "admin\n",
                "system/favicon.ico": "icon\n",
            }
        )
    if scripts:
        generation = "new" if parts >= (3, 3, 11) else "old"
        files.update({name: _SCRIPT.format(name=name, generation=generation) for name in ("start.sh", "stop.sh")})
    return files


def _languages(parts: tuple[int, ...], line: str) -> dict[str, str]:
    """language/ until 3.3.8, then locales/."""
    if parts < (3, 3, 9):
        return {"language/zh.yml": f"# {line}\nHello: 你好\n"}
    return {f"locales/{name}/default.yml": f"# {line}\nHello: Hello\n" for name in ("en", "en-US", "zh-CN")}


def _changelog(first: str) -> str:
    return f"# CHANGELOG\n\n## v{first}\n\n- stand-in\n\n## v2.1.1\n\n- begin\n"


def _write(target: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.chmod(path, 0o755 if name in _EXECUTABLE else 0o644)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, mode: int) -> None:
    """With a fixed time, so that the same files make the same archive."""
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.external_attr = mode << 16 or 0x20  # else writestr would put a mode there
    entry.compress_type = zipfile.ZIP_DEFLATED if data else zipfile.ZIP_STORED
    archive.writestr(entry, data, compresslevel=1)
