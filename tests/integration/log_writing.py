# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of log_check share: an instance with a log, ways to write and rotate it, and the check."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import windows
from instance import Instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import logs

Result = dict[str, Any]
PANIC = "panic: number %d\n\ngoroutine 1 [running]:\n"
LOST = (
    "\n2026/01/31 12:00:01 \x1b[31;1mkandaoni.com/anqicms/provider/a.go:7 \x1b[35;1mdial tcp 127.0.0.1:3306: "
    "connect: connection refused\n\x1b[0m\x1b[33m[0.2ms] \x1b[34;1m[rows:0]\x1b[0m SELECT 1\n"
)


def quiet_shop(site: Callable[..., Instance]) -> Instance:
    """For fixtures: not running, with a log of some size."""
    instance = site(start=False)
    write(instance.log, "".join(f"2026/01/31 12:00:00 line {number}\n" for number in range(200)))
    return instance


def write(path: Path, text: str) -> None:
    """By a process of its own, as a redirection of the shell does it."""
    path.parent.mkdir(exist_ok=True)
    subprocess.run(["/bin/sh", "-c", f"cat >> {path}"], input=text.encode(), check=True)


def check(shop: Instance, since: str | None = None, **options: Any) -> Result:
    params: Result = dict(dict(since=since, ignore=[], fail_on="never"), **options)
    context = windows.context_of(shop)
    try:
        context.look()
        return logs.check(context, params, since or "last_start")
    finally:
        context.close()


def position(shop: Instance) -> str:
    """Where the logs end now; the checks of a rotation that follow must not fall into the same moment."""
    token = str(check(shop)["position"])
    time.sleep(0.02)
    return token


def texts(result: Result) -> list[str]:
    return [finding["text"] for finding in result["findings"]]


def rename(log: Path) -> Path:
    rotated = log.with_name(log.name + ".1")
    log.rename(rotated)
    return rotated


def copy_and_truncate(log: Path) -> Path:
    rotated = log.with_name(log.name + "-20260131")
    shutil.copyfile(log, rotated)
    os.truncate(log, 0)
    return rotated


def pack(path: Path) -> None:
    """As gzip(1): a new file with the time of the old one, which goes."""
    status = path.stat()
    with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    os.utime(f"{path}.gz", ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
