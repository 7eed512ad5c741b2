# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module evidence takes from a host: the parts of the window, bounded, without secrets, whatever is there."""

from __future__ import annotations

import base64
import gzip
import json
import os
import time
import zlib
from pathlib import Path
from typing import Any, Callable

import pytest
import windows
from instance import Instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import bundle as _bundle
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import secrets

SECRET = "anq-secret"  # the password of the database in the config.json of every stand-in
TOKEN = "0123456789abcdef0123456789abcdef"
NAMES = {
    "instance.json",
    "oom_check.json",
    "log_check.json",
    "config.json",
    "running.log",
    "error.log",
    "panics.log",
    "check.log",
    "kernel.log",
}


class Bundle:
    """The parts by name."""

    def __init__(self, shop: Instance, **options: Any) -> None:
        params = {"since": None, "until": None, "dest": "/nowhere", **options}
        context = windows.context_of(shop)
        try:
            result = _bundle.collect(context, params)
        finally:
            context.close()
        json.dumps(result)
        self.parts = {part["name"]: part for part in result["parts"]}
        assert set(self.parts) == NAMES

    def data(self, name: str) -> bytes:
        return zlib.decompress(base64.b64decode(self.parts[name]["data"]))

    def json(self, name: str) -> Any:
        return json.loads(self.data(name))

    def everything(self) -> bytes:
        return b"".join(self.data(name) for name in self.parts) + json.dumps(self.parts).encode()


def stamp(seconds: float) -> str:
    return time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(seconds))


def test_bundle_of_a_running_instance(site: Callable[..., Instance]) -> None:
    shop = site()
    assert windows.within(10, lambda: "请手动在浏览器输入访问地址" in shop.log_text())  # its last line of a start
    bundle = Bundle(shop)
    assert bundle.json("instance.json")["pids"] == [shop.pid]
    assert bundle.json("oom_check.json")["coverage"]
    assert bundle.json("log_check.json")["verdict"] == "ok"
    assert bundle.data("running.log").decode() == shop.log_text()
    assert bundle.parts["check.log"]["why_not"]
    config = json.loads((shop.dir / "config.json").read_text())
    config["mysql"]["password"] = config["server"]["token_secret"] = secrets.MASK
    assert bundle.json("config.json") == config


def test_secrets_are_masked_wherever_they_stand(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    shop.start(environment={**os.environ, "MYSQL_ROOT_PASSWORD": "deep-secret"})
    with shop.log.open("a") as log:
        log.write(f"{stamp(time.time())} {{anq anq {SECRET} 127.0.0.1 3306}} deep-secret\n")
        log.write(f"panic: dial anq:{SECRET}@tcp(127.0.0.1:3306)/anq?token={TOKEN} password=unknown-one\n")
    (shop.dir / "check.log").write_text(f"20260131 12:00:00 anqicms PID check: 1 {SECRET}\n")
    bundle = Bundle(shop)
    assert b"panic: dial anq:********@tcp(127.0.0.1:3306)" in bundle.data("running.log")
    for secret in (SECRET, TOKEN, "deep-secret", "unknown-one"):
        assert secret.encode() not in bundle.everything(), secret


@pytest.mark.parametrize(
    "text",
    [
        '{"mysql": {"password": "anq-secret",}}',
        '{"mysql": {"password": "anq-secret"',
        "password: anq-secret",
        "[1]",
        "NaN",
        "",
    ],
)
def test_config_that_is_no_json_stays_on_the_host(site: Callable[..., Instance], text: str) -> None:
    shop = site()
    (shop.dir / "config.json").write_text(text)
    with shop.log.open("a") as log:
        log.write(f"{stamp(time.time())} {text} and anq:{SECRET}@tcp(localhost)\n")
    bundle = Bundle(shop)
    assert bundle.data("config.json") == b""
    assert "valid JSON" in bundle.parts["config.json"]["why_not"]
    if '"password"' in text:
        assert SECRET.encode() not in bundle.everything()


def test_only_the_window_is_taken(site: Callable[..., Instance]) -> None:
    """Places are found by halving, so up to half a MiB more on each side comes along."""
    shop = site(start=False)
    begin = time.time() - 40000
    filler = "x" * 150
    lines = [f"{stamp(begin + n)} line {n:06} {filler}" for n in range(40000)]
    shop.log.write_text("\n".join(lines) + "\n")
    since, until = begin + 20000, begin + 21000
    data = Bundle(shop, since=str(since), until=str(until)).data("running.log").decode()
    found = [int(line.split()[3]) for line in data.splitlines()]
    assert found == list(range(found[0], found[-1] + 1)), "whole lines, none left out"
    assert 20000 - 2500 < found[0] <= 20000 and 21000 <= found[-1] < 21000 + 5000


def test_large_logs_are_cut_at_their_begin(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    now = stamp(time.time() - 60)
    shop.log.write_text("".join(f"{now} line {n:07}\n" for n in range(200000)))
    bundle = Bundle(shop)
    part, data = bundle.parts["running.log"], bundle.data("running.log")
    assert _bundle.MOST - 100 < len(data) <= _bundle.MOST
    assert data.startswith(now.encode()) and data.endswith(b"line 0199999\n")
    assert part["cut"] + part["bytes"] <= shop.log.stat().st_size <= part["cut"] + part["bytes"] + 100


def test_rotated_logs_of_the_window_are_taken_too(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    now = time.time()
    shop.log.write_text(f"{stamp(now - 10)} third\n")
    (shop.dir / "running.log.1").write_text(f"{stamp(now - 20)} second\n")
    (shop.dir / "running.log.2.gz").write_bytes(gzip.compress(f"{stamp(now - 30)} first {SECRET}\n".encode()))
    (shop.dir / "running.log.3").write_text(f"{stamp(now - 90000)} of yesterday\n")
    os.utime(shop.dir / "running.log.1", (now - 20, now - 20))
    os.utime(shop.dir / "running.log.2.gz", (now - 30, now - 30))
    os.utime(shop.dir / "running.log.3", (now - 90000, now - 90000))
    data = Bundle(shop).data("running.log").decode()
    assert [line.split()[2] for line in data.splitlines()] == ["first", "second", "third"]


def test_a_packed_log_that_is_broken_says_so(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    shop.log.write_text(f"{stamp(time.time())} last\n")
    (shop.dir / "running.log.1.gz").write_bytes(gzip.compress(os.urandom(5000))[:-900])
    bundle = Bundle(shop)
    assert b"last" in bundle.data("running.log")
    assert bundle.parts["running.log"]["why_not"]


@pytest.mark.parametrize("name", ["running.log", "check.log", "error.log", "config.json"])
@pytest.mark.parametrize("kind", ["link", "directory", "fifo", "hard link", "loop"])
def test_hostile_files_are_not_opened(site: Callable[..., Instance], tmp_path: Path, name: str, kind: str) -> None:
    shop = site(start=False)
    (tmp_path / "foreign").write_text("of somebody else")
    path = shop.dir / name
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(tmp_path / "foreign")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.link(tmp_path / "foreign", path)
    bundle = Bundle(shop)
    assert bundle.parts[name]["why_not"], name
    assert b"of somebody else" not in bundle.everything()


def test_binary_content_comes_as_it_is(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    content = bytes(range(256)) * 100 + b"\n"
    shop.log.write_bytes(content)
    assert Bundle(shop).data("running.log") == content


def test_empty_and_missing_logs(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    shop.log.write_text("")
    parts = Bundle(shop).parts
    assert (parts["running.log"]["bytes"], parts["running.log"]["why_not"]) == (0, None)
    assert "does not exist" in parts["panics.log"]["why_not"]
