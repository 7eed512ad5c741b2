# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of real processes that end by a signal, by SIGKILL, or that are refused because one runs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import running_log
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read


def read(shop: Instance, since: float) -> running_log.Reading:
    with InstallDir(str(shop.dir)) as directory:
        reader = _log_read.Reader(directory, os.getuid())
        return running_log.read(reader, str(shop.dir / "running.log"), since, None)


def end(shop: Instance, pid: int, number: int) -> None:
    os.kill(pid, number)
    until = time.monotonic() + 20
    while shop.pids():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("version", ["3.2.8", "3.5.8"])
def test_ends_of_real_processes(tmp_path: Path, version: str) -> None:
    began = time.time()
    shop = make_instance(tmp_path / "shop.example", version)
    try:
        end(shop, shop.start(), signal.SIGTERM)
        time.sleep(1.1)  # times have whole seconds
        end(shop, shop.start(), signal.SIGKILL)
        killed = time.time()
        shop.start()
        reading = read(shop, began)
    finally:
        shop.kill()
    kinds = [event.kind for event in reading.events if event.kind != "log_jump"]
    assert kinds == ["started", "clean_stop", "started", "abrupt_end", "started"]
    gone = next(event for event in reading.events if event.kind == "abrupt_end")
    assert gone.time is not None and abs(gone.time - killed) <= gone.uncertainty + 1.0
    assert gone.details["is_proven"]
    assert reading.unfinished is not None and reading.coverage.readable
