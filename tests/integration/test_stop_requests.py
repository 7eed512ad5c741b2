# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""graceful_stop: requests in flight, idle connections, and what each force may do, by version."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from instance import Instance, make_instance
from integration.stopping import directories, gone, signals_of, stop, within
from request import Request

Site = Callable[..., Instance]
STAYS, DRAINS, EXITS = ["2.5.3", "3.2.1"], ["3.2.8", "3.5.1"], "3.5.8"


@pytest.fixture
def www(tmp_path: Path) -> Iterator[Path]:
    yield from directories(tmp_path / "www")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def site(www: Path) -> Site:
    def make(version: str, **knobs: Any) -> Instance:
        instance = make_instance(www / "site", version)
        instance.knobs(no_database=True, **knobs)
        return instance

    return make


def keep_alive(instance: Instance) -> socket.socket:
    """A connection that was answered once and is idle now."""
    client = socket.create_connection(("127.0.0.1", instance.port))
    client.sendall(b"GET /system/api/version/info HTTP/1.1\r\nHost: x\r\n\r\n")
    assert instance.version.encode() in client.recv(4096)
    return client


@pytest.mark.parametrize("version", [*STAYS, *DRAINS, EXITS])
def test_slow_request_in_flight_is_answered(site: Site, base: Path, version: str) -> None:
    instance = site(version)
    pid = instance.start()
    request = Request(instance, "/slow?ms=1200")
    result = stop(instance.dir, base)
    request.join(5)
    assert request.outcome == 200
    assert result["requests"] == {"in_flight": 1, "cut": 0} and gone(pid)
    assert result["exit_kind"] == ("forced_idle" if version in STAYS else "graceful")
    assert result["waited_ms"] >= 500 and result["signals"][0]["at_ms"] >= 500


@pytest.mark.parametrize("version", [*STAYS, *DRAINS])
def test_request_that_outlasts_idle_timeout_is_still_answered(site: Site, base: Path, version: str) -> None:
    """These versions finish what they have begun; one that never ends is killed only when nothing is in use."""
    instance = site(version)
    pid = instance.start()
    request = Request(instance, "/slow?ms=1500")
    result = stop(instance.dir, base, idle_timeout=0.2)
    request.join(5)
    assert request.outcome == 200 and result["requests"] == {"in_flight": 1, "cut": 0} and gone(pid)
    assert result["signals"][0]["at_ms"] < 900


def test_request_that_outlasts_idle_timeout_is_cut_and_counted(site: Site, base: Path) -> None:
    instance = site(EXITS)
    pid = instance.start()
    requests = [Request(instance, "/slow?ms=8000") for _unused in range(2)]
    result = stop(instance.dir, base, idle_timeout=0.3)
    for request in requests:
        request.join(5)
        assert isinstance(request.outcome, str) and request.outcome
    assert result["requests"] == {"in_flight": 2, "cut": 2} and gone(pid)
    assert 300 <= result["signals"][0]["at_ms"] < 2000


@pytest.mark.parametrize("version", [*STAYS, *DRAINS, EXITS])
def test_idle_connections_do_not_hinder(site: Site, base: Path, version: str) -> None:
    instance = site(version)
    pid = instance.start()
    kept = [keep_alive(instance) for _unused in range(5)]
    time.sleep(0.6)  # also where request and answer fell into one tick
    result = stop(instance.dir, base)
    assert result["stopped"] and gone(pid) and result["requests"] == {"in_flight": 0, "cut": 0}
    assert result["signals"][0]["at_ms"] < 500
    for client in kept:
        client.close()


@pytest.mark.parametrize("version", STAYS)
def test_an_idle_old_version_is_killed_at_once(site: Site, base: Path, version: str) -> None:
    instance = site(version)
    pid = instance.start()
    result = stop(instance.dir, base)
    assert (result["exit_kind"], signals_of(result)) == ("forced_idle", ["SIGTERM", "SIGKILL"]) and gone(pid)
    assert result["signals"][1]["at_ms"] - result["signals"][0]["at_ms"] < 500


@pytest.mark.parametrize("version", STAYS)
def test_force_never_leaves_it_alive_and_fails(site: Site, base: Path, version: str) -> None:
    instance = site(version)
    pid = instance.start()
    result = stop(instance.dir, base, force="never", timeout=0.6)
    assert result["failed"] and not result["stopped"] and result["exit_kind"] is None and result["changed"]
    assert "still running" in result["msg"] and f"port {instance.port} is closed" in result["msg"]
    assert not gone(pid) and signals_of(result) == ["SIGTERM"]


@pytest.mark.parametrize("version", ["2.5.3", "3.2.8"])
def test_force_idle_does_not_kill_with_a_request_in_flight(site: Site, base: Path, version: str) -> None:
    instance = site(version)
    pid = instance.start()
    request = Request(instance, "/slow?ms=2500")
    result = stop(instance.dir, base, idle_timeout=0, timeout=0.8)
    assert result["failed"] and "1 connections in use" in result["msg"] and not gone(pid)
    request.join(5)
    assert request.outcome == 200


@pytest.mark.parametrize("version", ["2.5.3", "3.2.8"])
def test_force_timeout_kills_after_the_timeout_and_counts(site: Site, base: Path, version: str) -> None:
    instance = site(version)
    pid = instance.start()
    request = Request(instance, "/slow?ms=9000")
    result = stop(instance.dir, base, idle_timeout=0, timeout=1.0, force="timeout")
    request.join(5)
    assert (result["exit_kind"], signals_of(result)) == ("forced_timeout", ["SIGTERM", "SIGKILL"]) and gone(pid)
    assert result["requests"] == {"in_flight": 1, "cut": 1} and isinstance(request.outcome, str)
    assert 1000 <= result["signals"][1]["at_ms"] < 2500


def test_stream_is_waited_for(site: Site, base: Path) -> None:
    instance = site(EXITS)
    pid = instance.start()
    stream = Request(instance, "/stream?ms=1500")
    result = stop(instance.dir, base)
    stream.join(5)
    assert stream.outcome == 200 and gone(pid) and result["requests"]["cut"] == 0


@pytest.mark.parametrize("version", STAYS)
def test_undead_process_of_an_earlier_sigterm_is_ended(site: Site, base: Path, version: str) -> None:
    """Its port was closed by somebody else's SIGTERM; its log says that it had been open, so no migration runs."""
    instance = site(version)
    pid = instance.start()
    os.kill(pid, signal.SIGTERM)
    assert within(5, lambda: not instance.told_version(0.3))
    result = stop(instance.dir, base)
    assert (result["pid"], result["exit_kind"]) == (pid, "forced_idle") and gone(pid)
