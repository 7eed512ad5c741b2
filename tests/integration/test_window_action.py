# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The window as a task: through Ansible, its packed module and the action plugin."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
from pathlib import Path
from typing import Any, Iterator

import paths
import pytest
import pythons
import windows
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.action import window as action

Result = dict[str, Any]
PAIRS = [("2.16", (3, 6)), ("2.16", (3, 13)), ("2.19", (3, 13)), ("2.21", (3, 9)), ("2.21", (3, 13))]
ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Instance]:
    instance = make_instance(tmp_path / "shop.example", "3.5.8")
    instance.start()
    yield instance
    instance.kill()


def command(core: str, shop: Instance, *words: str, **options: Any) -> list[str]:
    bin_dir = paths.VENVS / f"core-{core}" / "bin"
    if not (bin_dir / "ansible").exists():
        pytest.skip(f"ansible-core {core} is not there")
    values = dict(dir=str(shop.dir), state_dir=str(shop.dir.parent / "state"), steps=windows.RESTART, **options)
    return [
        str(bin_dir / "ansible"),
        "localhost",
        "-i",
        "localhost,",
        "-c",
        "local",
        "-m",
        "anqicms.lifecycle.window",
        "-a",
        json.dumps(values),
        *words,
    ]


def environment(python: str, **more: str) -> dict[str, str]:
    return dict(
        paths.private_env(),
        ANSIBLE_PYTHON_INTERPRETER=python,
        ANSIBLE_LOAD_CALLBACK_PLUGINS="1",
        ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal",
        ANSIBLE_DEPRECATION_WARNINGS="0",
        **more,
    )


def interpreter(version: tuple[int, int]) -> str:
    found = pythons.discover().get(version)
    if found is None:
        pytest.skip(f"Python {version[0]}.{version[1]} is not installed")
    return str(found.path)


def result_of(output: str) -> Result:
    """The result in the output of an ad-hoc call: what stands between the first and the last brace of `=> {...}`."""
    return dict(json.loads(output[output.index("=> {") + 3 : output.rindex("}") + 1]))


@pytest.mark.parametrize("core,version", PAIRS, ids=[f"core-{c}-python-{v[0]}.{v[1]}" for c, v in PAIRS])
def test_a_restart_and_a_failure_when_packed(shop: Instance, core: str, version: tuple[int, int]) -> None:
    """The packed module is deleted when the module returns: a worker that imported from it would say so in its log."""
    env = environment(interpreter(version))
    done = subprocess.run(command(core, shop), env=env, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "CHANGED" in done.stdout
    assert result_of(done.stdout)["outcome"] == "done"
    assert windows.worker_log(windows.context_of(shop)) == ""
    broken = [{"graceful_stop": {}}, {"command": {"cmd": "false"}}, {"verified_start": {}}]
    words = command(core, shop)
    values = dict(json.loads(words[words.index("-a") + 1]), steps=broken)
    words[words.index("-a") + 1] = json.dumps(values)
    failed = subprocess.run(words, env=env, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
    assert failed.returncode == 2
    assert "FAILED" in failed.stdout
    assert "exit status 1" in failed.stdout
    assert windows.worker_log(windows.context_of(shop)) == ""
    assert shop.told_version() == "3.5.8"


def _module_process(ansible: int) -> int:
    """The process of the packed module below an ansible process; 0 when it does not run."""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
                packed = any(b"AnsiballZ_window" in word for word in words[1:3]) and b"python" in words[0]
                if packed and _is_below(int(name), ansible):
                    return int(name)
            except OSError:
                continue
    return 0


def _is_below(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


@pytest.mark.parametrize("core", ["2.16", "2.19", "2.21"])
def test_a_killed_module_is_attached_to_again(shop: Instance, core: str) -> None:
    before = shop.pid
    words = command(core, shop)
    values = json.loads(words[words.index("-a") + 1])
    values["steps"] = [{"command": {"argv": ["sleep", "3"]}}, *windows.RESTART]
    words[words.index("-a") + 1] = json.dumps(values)
    process = subprocess.Popen(words, env=environment(interpreter((3, 13))), stdout=subprocess.PIPE, text=True)
    context = windows.context_of(shop)
    assert windows.within(40, lambda: any(entry["event"] == "step" for entry in windows.journal(context)))
    module = windows.within(5, lambda: _module_process(process.pid))
    assert module
    os.kill(module, signal.SIGKILL)
    output = process.communicate(timeout=90)[0]
    assert process.returncode == 0, output
    assert "connection lost, the work on the host continues" in output
    assert sum(entry["event"] == "begin" for entry in windows.journal(context)) == 1
    assert shop.pid not in (0, before)


def test_private_arguments_stay_private(shop: Instance) -> None:
    words = command("2.19", shop, "--check", "-vvv")
    done = subprocess.run(
        words, env=environment(interpreter((3, 13))), stdout=subprocess.PIPE, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout
    shown = done.stdout[done.stdout.index("=> {") :]
    assert '"invocation"' in shown
    assert "internal" not in shown
    document = subprocess.run(
        [words[0] + "-doc", "-t", "module", "anqicms.lifecycle.window"],
        env=environment("auto"),
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    assert "Do not use it in playbooks" in document


LOST: list[tuple[Result, bool]] = [
    ({"module_stdout": "", "module_stderr": "", "rc": -9}, True),
    ({"module_stdout": "", "module_stderr": "", "rc": -1}, True),
    ({"module_stdout": "", "module_stderr": "Killed", "rc": 137}, True),
    ({"module_stdout": "", "module_stderr": "Shared connection closed", "rc": 1}, True),
    ({"module_stdout": "", "module_stderr": "", "rc": 0}, True),
    ({"module_stdout": "", "module_stderr": "Traceback (most recent call last):", "rc": 1}, False),
    ({"module_stdout": "", "module_stderr": "SyntaxError: future feature annotations", "rc": 1}, False),
    ({"module_stdout": "/bin/sh: python9: not found", "module_stderr": "", "rc": 127}, False),
    ({"outcome": "failed", "msg": "no"}, False),
    ({"msg": "The install directory does not exist"}, False),
]


@pytest.mark.parametrize("answer,expected", LOST)
def test_lost(answer: Result, expected: bool) -> None:
    assert action.lost(answer) is expected


def test_progress_line_is_one_harmless_line() -> None:
    line = action.progress_line(
        "web1",
        "/www/a\nb",
        {"step": "verified_start", "index": 3, "of": 3, "text": "\x1b[2Jred", "elapsed_ms": 1500, "left_ms": 61000},
    )
    assert line == "window [web1 /www/a?b]: step 3/3 verified_start (?[2Jred), 1.5 s so far, 61 s until its deadline"
    assert action.progress_line("h", "/d", {}) == "window [h /d]: beginning, 0.0 s so far"
    negative = action.progress_line("h", "/d", {"elapsed_ms": -5, "left_ms": -9000})
    assert negative == "window [h /d]: beginning, 0.0 s so far, 0 s until its deadline"


@pytest.mark.parametrize(
    "where",
    [
        None,
        "text",
        [],
        {"elapsed_ms": "********", "left_ms": []},
        {"elapsed_ms": float("nan"), "left_ms": 1e300},
        {"elapsed_ms": None, "left_ms": True},
    ],
)
def test_progress_line_takes_whatever_a_host_says(where: object) -> None:
    assert action.progress_line("h", "/d", where) == "window [h /d]: beginning, 0.0 s so far"


@pytest.mark.parametrize(
    "steps,seconds",
    [
        ([{"graceful_stop": {}}], 0.0),
        (None, 0.0),
        ("[{graceful_stop: {}}]", 0.0),
        ([None, {"database": None}], 0.0),
        ([{"database": {"state": "migrated", "timeout": 9}}], 0.0),
        ([{"database": {"state": "dumped"}}], 72000.0),
        (
            [{"database": {"state": "dumped", "timeout": "60"}}, {"database": {"state": "dumped", "timeout": 40.0}}],
            2000.0,
        ),
        ([{"database": {"state": "dumped", "timeout": "soon"}}], 0.0),
        ("[{database: {state: dumped}}]", 72000.0),
    ],
)
def test_it_waits_longer_where_databases_may_be_restored(steps: object, seconds: float) -> None:
    assert action.restores(steps) == seconds


def test_without_private() -> None:
    given = {"invocation": {"module_args": {"dir": "/a", "internal": {"token": "x", "wait": 1}}}}
    assert action.without_private(given) == {"invocation": {"module_args": {"dir": "/a"}}}
    assert action.without_private({"msg": "a"}) == {"msg": "a"}


def _looked(core: str, shop: Instance, verb: str, **more: Any) -> tuple[Result, bool]:
    """The result of a look, and whether the module of the window did it."""
    words = command(core, shop, "-vvv", "-e", f"anqicms__verb={verb}")
    words[words.index("anqicms.lifecycle.window")] = "anqicms.lifecycle.instance_info"
    options = dict(dir=str(shop.dir), state_dir=str(shop.dir.parent / "state"), **more)
    words[words.index("-a") + 1] = json.dumps(options)
    env = environment(interpreter((3, 13)))
    done = subprocess.run(words, env=env, stdout=subprocess.PIPE, text=True, timeout=90, check=False)
    return result_of(done.stdout), "AnsiballZ_window" in done.stdout


@pytest.mark.parametrize("core", ["2.16", "2.19", "2.21"])
def test_a_look_before_a_window_is_a_look(shop: Instance, core: str) -> None:
    """Ansible packs a module once in a run: where a window follows, its module does the look, and nobody sees it."""
    (own, packed_own), (other, packed_other) = (_looked(core, shop, verb) for verb in ("stop", "restart"))
    assert (packed_own, packed_other) == (False, True)
    assert own.keys() == other.keys() and "internal" not in json.dumps(other)
    (row,), (same,) = own["instances"], other["instances"]
    assert row.keys() == same.keys()
    assert [row[key] for key in ("id", "dir", "state", "pids", "port", "version")] == [
        same[key] for key in ("id", "dir", "state", "pids", "port", "version")
    ]
    refused, _packed = _looked(core, shop, "restart", serch=["/srv"])
    assert "serch" in refused["msg"] and "Supported parameters" in refused["msg"]
