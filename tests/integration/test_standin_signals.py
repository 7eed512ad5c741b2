# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in does with signals: the port, requests in flight, a start, a migration."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from instance import Instance
from integration.standin_sites import (
    ABRUPT,
    DRAINING,
    END_MARKER,
    MARKER,
    OLD,
    count,
    last_run_version,
    listens,
    ready,
    standins,
    within,
)
from mariadb import MariaDB
from request import Request

pytestmark = pytest.mark.usefixtures("never_a_real_release")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    yield from standins(tmp_path)


def test_old_closes_the_port_and_stays_for_ever(site: Callable[..., Instance]) -> None:
    instance = site(OLD)
    process = ready(instance)
    before = instance.log_text()
    process.send_signal(signal.SIGTERM)
    assert within(1, lambda: not listens(instance.port))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    time.sleep(0.5)
    assert process.poll() is None
    assert "退出" not in instance.log_text() and instance.log_text().startswith(before)
    process.kill()
    assert process.wait(5) == -signal.SIGKILL


def test_old_dies_of_a_signal_before_its_port_is_open(site: Callable[..., Instance]) -> None:
    instance = site(OLD, start_delay_ms=5000)
    process = instance.spawn()
    assert within(5, lambda: bool(instance.log_text()))
    process.send_signal(signal.SIGTERM)
    assert process.wait(2) == -signal.SIGTERM


def test_old_lets_a_request_finish(site: Callable[..., Instance]) -> None:
    instance = site(OLD)
    process = ready(instance)
    request = Request(instance, "/slow?ms=800")
    process.send_signal(signal.SIGTERM)
    assert within(0.4, lambda: not listens(instance.port))
    request.join(5)
    assert request.outcome == 200
    assert process.poll() is None


def test_draining_exits_when_the_request_has_ended(site: Callable[..., Instance]) -> None:
    instance = site(DRAINING)
    process = ready(instance)
    request = Request(instance, "/slow?ms=1200")
    process.send_signal(signal.SIGTERM)
    assert within(0.5, lambda: not listens(instance.port))
    assert instance.log_text().endswith(MARKER + END_MARKER)
    assert process.poll() is None
    request.join(5)
    assert request.outcome == 200
    assert process.wait(3) == 0


def test_draining_does_not_wait_for_idle_connections(site: Callable[..., Instance]) -> None:
    instance = site(DRAINING)
    process = ready(instance)
    with socket.create_connection(("127.0.0.1", instance.port)) as kept:
        kept.sendall(b"GET /system/api/version/info HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b'{"code":0,"msg":"","data":{"version":"3.2.8"}}' in kept.recv(4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(2) == 0
        assert kept.recv(1) == b""


def test_abrupt_cuts_the_request(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = ready(instance)
    request = Request(instance, "/slow?ms=3000")
    process.send_signal(signal.SIGTERM)
    assert process.wait(1) == 0
    request.join(5)
    assert isinstance(request.outcome, str) and request.outcome
    assert instance.log_text().endswith(MARKER + END_MARKER)


def test_abrupt_cuts_a_stream_and_leaves_half_an_upload(site: Callable[..., Instance]) -> None:
    instance = site(ABRUPT)
    process = ready(instance)
    stream = Request(instance, "/stream?ms=5000")
    with socket.create_connection(("127.0.0.1", instance.port)) as upload:
        upload.sendall(b"POST /upload.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"a" * 100)
        path = instance.dir / "public" / "uploads" / "upload.bin"
        assert within(2, lambda: path.exists() and path.stat().st_size == 100)
        process.send_signal(signal.SIGTERM)
        assert process.wait(1) == 0
    stream.join(5)
    assert stream.outcome == "IncompleteRead"


@pytest.mark.parametrize(("version", "status"), [(OLD, None), (DRAINING, 0), (ABRUPT, 0)])
def test_hangup_under_nohup(site: Callable[..., Instance], version: str, status: int | None) -> None:
    instance = site(version)
    pid = instance.start()
    os.kill(pid, signal.SIGHUP)
    if status is None:
        time.sleep(0.3)
        assert instance.told_version() == version
    else:
        assert within(3, lambda: not instance.pids())
        assert "退出 hangup\n" in instance.log_text()


@pytest.mark.parametrize(("version", "status", "text"), [(OLD, 2, "goroutine 1 ["), (DRAINING, 0, "退出 quit\n")])
def test_quit(site: Callable[..., Instance], version: str, status: int, text: str) -> None:
    instance = site(version)
    process = ready(instance)
    process.send_signal(signal.SIGQUIT)
    assert process.wait(3) == status
    assert text in instance.log_text()


@pytest.mark.parametrize("version", [DRAINING, ABRUPT])
def test_signal_during_the_start_is_marked_at_once_and_obeyed_at_its_end(
    site: Callable[..., Instance], version: str
) -> None:
    instance = site(version, start_delay_ms=1500)
    process = instance.spawn()
    assert within(5, lambda: bool(instance.log_text()))
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert within(0.5, lambda: instance.log_text().endswith(MARKER))
    assert process.poll() is None
    assert process.wait(5) == 0
    assert "Now listening" not in instance.log_text()


def test_signal_in_a_migration_waits_for_its_end(site: Callable[..., Instance], db: MariaDB) -> None:
    instance = site("3.3.11", db=db, migration_ms=1500)
    process = instance.spawn()
    assert within(5, lambda: count(db, instance, "migration_copy") > 5)
    process.send_signal(signal.SIGTERM)
    assert within(0.5, lambda: instance.log_text().endswith(MARKER))
    assert process.poll() is None
    assert process.wait(10) == 0
    assert instance.log_text().endswith(END_MARKER)
    assert "Now listening" not in instance.log_text()
    assert last_run_version(db, instance) == "3.3.11"
