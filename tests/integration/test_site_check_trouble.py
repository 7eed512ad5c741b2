# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""site_check against sites in trouble, hostile servers and wrong options; as a step, and packed by Ansible."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import nginx
import paths
import pytest
import pythons
import windows
from instance import Instance, make_instance
from integration.asking import FIRST, Row, check, options

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import check as _site_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import site_check


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """An instance that serves one site from memory; it ends with the test."""
    made: list[Instance] = []

    def make(version: str = "3.5.8", **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / f"site-{len(made)}", version)
        instance.knobs(no_database=True, **knobs)
        made.append(instance)
        instance.start()
        return instance

    yield make
    for instance in made:
        instance.kill()


@pytest.mark.parametrize(
    ("knobs", "site", "reason", "status"),
    [
        ({"limited": True}, {}, "limited", 429),
        ({"panics_at": "/"}, {}, "server_error", 500),
        ({"panics_at": "/system/api/siteinfo"}, {}, "server_error", 500),
        ({}, {"path": "/slow?ms=3000"}, "timeout", None),
    ],
)
@pytest.mark.parametrize("through", ["direct", "proxy"])
def test_trouble(
    single: Callable[..., Instance],
    tmp_path: Path,
    through: str,
    knobs: Row,
    site: Row,
    reason: str,
    status: int | None,
) -> None:
    instance, site = single(**knobs), {"host": "first.example", "id": 1, **site}
    begin = time.monotonic()
    if through == "direct":
        (row,) = check(instance, site, timeout=1.0)
    elif not nginx.find_nginx():
        pytest.skip("nginx is not installed (package nginx-light)")
    else:
        with nginx.Nginx(tmp_path / "nginx", instance) as server:
            (row,) = check(instance, site, timeout=1.0, through="proxy", proxy={"port": server.http})
    assert (row["reason"], row["status"]) == (reason, status), row
    assert time.monotonic() - begin < 2.8


def test_installer(tmp_path: Path) -> None:
    instance = make_instance(tmp_path / "site", "3.5.8")
    (instance.dir / "config.json").unlink()
    process = instance.spawn("-port", str(instance.port))
    try:
        assert windows.within(10, lambda: b"install" in Path(instance.log).read_bytes() or process.poll() is None)
        assert windows.within(10, lambda: socket.socket().connect_ex(("127.0.0.1", instance.port)) == 0)
        (row,) = check(instance, FIRST)
        assert (row["reason"], row["status"]) == ("installer", 302)
    finally:
        instance.kill()


@pytest.mark.parametrize("version", ["2.3.6", "2.5.3"])
def test_versions_without_siteinfo_are_known_by_their_page(single: Callable[..., Instance], version: str) -> None:
    rows = check(
        single(version),
        {"host": "first.example", "contains": "Default Website"},
        {"host": "first.example", "contains": "elsewhere"},
        {"host": "first.example", "path": "/9.html"},
    )
    assert [row["reason"] for row in rows] == ["ok", "content_missing", "unexpected_status"]
    assert "no siteinfo" in rows[0]["message"] and rows[0]["identity"] == "page"


@pytest.mark.parametrize("version", ["3.1.9", "3.3.11", "3.4.0", "3.5.1"])
def test_versions_with_siteinfo(single: Callable[..., Instance], version: str) -> None:
    (row,) = check(single(version), FIRST)
    assert (row["reason"], row["id"], row["message"]) == ("ok", 1, "")


def test_instance_that_does_not_run(single: Callable[..., Instance]) -> None:
    instance = single()
    instance.kill()
    with pytest.raises(LifecycleError, match="does not run"):
        _site_check.check(windows.context_of(instance), options())


def test_only_its_own_port_is_asked_whatever_was_given(single: Callable[..., Instance]) -> None:
    instance, other = single(), single()
    other.kill()
    context = windows.context_of(instance, port=other.port)
    (row,) = _site_check.check(context, options(sites=[FIRST]))["sites"]
    context.close()
    assert row["ok"], row


def test_a_stranger_on_its_port_is_not_asked(single: Callable[..., Instance]) -> None:
    """2.5.3 closes its port at SIGTERM and lives on; then the port is anybody's."""
    instance = single("2.5.3")
    os.kill(instance.pid, signal.SIGTERM)
    assert windows.within(10, lambda: not instance.told_version())
    stranger = socket.socket(socket.AF_INET6)
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with stranger:
        stranger.bind(("::", instance.port))
        stranger.listen()
        context = windows.context_of(instance)
        with pytest.raises(LifecycleError, match="not belong to process"):
            _site_check.check(context, options(sites=[FIRST]))
        context.close()


class Wire:
    """Answers every connection by a function of the test; ends with the test."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self._serve, args=(answer,), daemon=True).start()

    def _serve(self, answer: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            self.asked += 1
            with peer:
                try:
                    answer(peer)
                except OSError:
                    pass

    def end(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept() keeps a closed socket listening
        self.listener.close()


def _reset(peer: socket.socket) -> None:
    peer.recv(1000)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _says(data: bytes) -> Callable[[socket.socket], None]:
    def answer(peer: socket.socket) -> None:
        peer.recv(1000)
        peer.sendall(data)

    return answer


def _trickles(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        time.sleep(0.05)
        peer.sendall(b"x")


def _endless(peer: socket.socket) -> None:
    peer.recv(1000)
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.sendall(b"x" * 65536)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_reset, "no_answer"),
        (_says(b""), "no_answer"),
        (_says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "no_answer"),
        (_says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "no_answer"),
        (_says(b"SSH-2.0-OpenSSH_9.2\r\n"), "not_http"),
        (_says(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100000), "unexpected_answer"),
        (_says(b"HTTP/1.1 301 Moved\r\nLocation: http://[\r\n\r\n"), "redirect"),
        (_trickles, "timeout"),
        (_endless, "unexpected_answer"),
    ],
    ids=["reset", "nothing", "torn", "torn chunks", "ssh", "deep", "bad redirect", "trickle", "endless"],
)
def test_wires(single: Callable[..., Instance], answer: Callable[[socket.socket], None], reason: str) -> None:
    wire, instance = Wire(answer), single()
    begin = time.monotonic()
    (row,) = check(instance, FIRST, through="proxy", proxy={"port": wire.port}, timeout=1.0)
    wire.end()
    assert row["reason"] == reason, row
    assert time.monotonic() - begin < 4.0
    (row,) = check(instance, FIRST, through="proxy", proxy={"port": wire.port}, timeout=1.0)
    assert row["reason"] == "no_answer"


def test_redirect_to_another_host_is_never_followed(single: Callable[..., Instance]) -> None:
    trap = Wire(_says(b"HTTP/1.1 200 OK\r\n\r\ntrapped"))
    instance = single(redirects=[["/", f"http://127.0.0.1:{trap.port}/"]])
    (row,) = check(instance, FIRST)
    assert (row["reason"], trap.asked) == ("redirect", 0)
    trap.end()


def test_warm_up_of_a_plain_sitemap_ends_in_time(single: Callable[..., Instance]) -> None:
    instance = single()
    (instance.dir / "public" / "sitemap.txt").write_text(
        "\r\n".join(f"http://first.example/slow?ms={number}" for number in range(400, 500))
    )
    begin = time.monotonic()
    (row,) = check(instance, FIRST, warm_up=1000, warm_up_timeout=1.0)
    assert row["reason"] == "ok"
    assert row["warm_up"]["found"] == 100 and 2 <= row["warm_up"]["pages"] <= 3
    assert time.monotonic() - begin < 2.5


def test_a_window_ends_with_it_and_does_not_start_again(single: Callable[..., Instance]) -> None:
    instance = single()
    steps = [*windows.RESTART, {"site_check": {"sites": [FIRST]}}]
    result = windows.run(instance, steps)
    assert result["outcome"] == "done", result
    assert result["steps"][-1]["result"]["sites"][0]["reason"] == "ok"
    steps[-1] = {"site_check": {"sites": [{**FIRST, "id": 2}]}}
    result = windows.run(instance, steps)
    assert (result["outcome"], result["state"]) == ("failed", "running")
    assert result["steps"][-1]["result"]["sites"][0]["reason"] == "answered_by_default"
    assert "answered_by_default: first.example" in result["msg"]
    starts = instance.log_text().count("Now listening on")
    assert starts == 3 and result["pid_after"] == instance.pid


@pytest.mark.parametrize(
    "given",
    [
        {"sites": []},
        {"sites": [{"host": "a b"}]},
        {"sites": [{"host": "a\r\nX-Evil: 1"}]},
        {"sites": [{"host": "a.example/x"}]},
        {"sites": [{"host": ""}]},
        {"sites": [{"host": "a.example:70000"}]},
        {"sites": [{"host": "a.example", "path": "x"}]},
        {"sites": [{"host": "a.example", "path": "/x y"}]},
        {"sites": [{"host": "a.example", "path": "/x\x00"}]},
        {"sites": [{"host": "a.example", "status": 99}]},
        {"sites": [{"host": "a.example", "id": 0}]},
        {"sites": [{"host": "a.example", "contain": "x"}]},
        {"sites": [{"host": "a.example", "admin_host": "/"}]},
        {"through": "proxy"},
        {"proxy": {"port": 80}},
        {"through": "proxy", "sites": [FIRST], "proxy": {"port": 65536}},
        {"through": "proxy", "sites": [FIRST], "proxy": {"address": "a b"}},
        {"timeout": 0},
        {"warm_up": -1},
        {"warm_up_timeout": 0},
    ],
    ids=str,
)
def test_wrong_options_are_refused_before_anything_is_asked(single: Callable[..., Instance], given: Row) -> None:
    instance = single()
    before = instance.log_text()
    context = windows.context_of(instance)
    for refuse in (_site_check.check, site_check.plan):
        with pytest.raises(LifecycleError, match="No site was asked"):
            refuse(context, options(**given))
    context.close()
    assert instance.log_text() == before


@pytest.mark.parametrize(("core", "version"), [("2.16", (3, 6)), ("2.21", (3, 13))], ids=["2.16", "2.21"])
@pytest.mark.parametrize("words", [(), ("--check",)], ids=["run", "check"])
def test_packed_by_ansible(
    single: Callable[..., Instance], core: str, version: tuple[int, int], words: tuple[str, ...]
) -> None:
    ansible, python = paths.VENVS / f"core-{core}" / "bin" / "ansible", pythons.discover().get(version)
    if python is None or not ansible.exists():
        pytest.skip(f"ansible-core {core} with Python {version[0]}.{version[1]} is not there")
    instance = single()

    def run(number: int) -> Row:
        values = {
            "dir": str(instance.dir),
            "state_dir": str(instance.dir.parent / "state"),
            "warm_up": 1,
            "sites": [{"host": "first.example", "id": number}],
        }
        argv = [
            str(ansible),
            "localhost",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-m",
            "anqicms.lifecycle.site_check",
            "-a",
            json.dumps(values),
            *words,
        ]
        env = dict(
            paths.private_env(),
            ANSIBLE_PYTHON_INTERPRETER=str(python.path),
            ANSIBLE_LOAD_CALLBACK_PLUGINS="1",
            ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
            ANSIBLE_DEPRECATION_WARNINGS="0",
        )
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
        result = dict(json.loads(done.stdout[done.stdout.index("=> {") + 3 : done.stdout.rindex("}") + 1]))
        return dict(result, failed=done.returncode != 0)

    good, bad = run(1), run(2)
    assert (good["changed"], good["failed"], good["sites"][0]["reason"]) == (False, False, "ok")
    assert good["sites"][0]["warm_up"]["pages"] == 0  # it has no sitemap
    assert (bad["changed"], bad["failed"], bad["sites"][0]["reason"]) == (False, True, "answered_by_default")
    assert "1 of 1 sites of " in bad["msg"] and "first.example" in bad["msg"]
