# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Python of a host is chosen from what a shell there tells, with all that a login may say around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.filter.python_choice import python_choice
from ansible_collections.anqicms.lifecycle.plugins.filter.python_installation import python_installation
from ansible_collections.anqicms.lifecycle.plugins.filter.python_probe import python_probe
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _python, _python_shell

OLD_OWN = "python:3.6.8:complete:/usr/libexec/platform-python"
OWN_311 = "python:3.11.2:complete:/usr/bin/python3"
EXTRA_39 = "python:3.9.18:complete:/usr/bin/python3.9"
EXTRA_312 = "python:3.12.1:complete:/usr/local/bin/python3.12"
NEW_314 = "python:3.14.0:complete:/usr/bin/python3"
TWO = "python:2.7.18:complete:/usr/bin/python"
CUT_DOWN = "python:3.11.2:incomplete:/usr/bin/python3"
EL8 = ("uid:0", 'system:"Alibaba Cloud Linux 3"', "manager:dnf")
DEBIAN = ("uid:0", 'system:"Debian GNU/Linux 12 (bookworm)"', "manager:apt-get")


def told(*lines: str) -> str:
    return "\n" + "".join(f"anqicms-probe:{line}\n" for line in ("begin", *lines, "end"))


@pytest.mark.parametrize(
    "core, lines, configured, interpreter",
    [
        ("2.16.19", [*EL8, OLD_OWN], "", "/usr/libexec/platform-python"),
        ("2.21.5", [*EL8, OLD_OWN, EXTRA_39], "", "/usr/bin/python3.9"),
        ("2.21.5", [*EL8, OLD_OWN, EXTRA_39, EXTRA_312], "", "/usr/local/bin/python3.12"),
        ("2.21.5", [*DEBIAN, OWN_311, EXTRA_312], "", "/usr/bin/python3"),
        ("2.21.5", [*DEBIAN, OWN_311, EXTRA_312], "/usr/local/bin/python3.12", "/usr/local/bin/python3.12"),
        ("2.21.5", [*EL8, OLD_OWN, EXTRA_39], "/usr/libexec/platform-python", "/usr/bin/python3.9"),
        ("2.19.14", [*DEBIAN, NEW_314, EXTRA_312], "", "/usr/local/bin/python3.12"),
        ("2.16.19", [*DEBIAN, TWO, NEW_314], "", "/usr/bin/python3"),
        ("2.30.0", [*EL8, OLD_OWN, EXTRA_39], "", "/usr/bin/python3.9"),
    ],
)
def test_what_fits_is_used(core: str, lines: list[str], configured: str, interpreter: str) -> None:
    choice = python_choice(told(*lines), core, configured)
    assert (choice["action"], choice["interpreter"]) == ("use", interpreter)
    assert choice["message"].endswith(f"ansible_python_interpreter: {interpreter}")
    assert choice["command"] == ""


def test_newer_than_tested_is_said_to_be_so() -> None:
    assert "newer than what is tested" in python_choice(told(*DEBIAN, NEW_314), "2.16.19")["message"]


@pytest.mark.parametrize(
    "core, lines, packages",
    [
        ("2.21.5", [*EL8, OLD_OWN], ["python3.11", "python3.12", "python39"]),
        ("2.19.14", [*EL8, OLD_OWN, TWO], ["python3.11", "python3.12", "python39", "python38"]),
        ("2.16.19", ["uid:0", "manager:yum", TWO], ["python3.11", "python3.12", "python39", "python38", "python3"]),
        ("2.21.5", [*DEBIAN, CUT_DOWN], [*(f"python3.{minor}" for minor in (12, 10, 11, 13, 9)), "python3"]),
        ("2.16.19", [*DEBIAN], [*(f"python3.{minor}" for minor in (12, 10, 11, 9, 8, 7, 6)), "python3"]),
    ],
)
def test_what_is_asked_for_where_nothing_fits(core: str, lines: list[str], packages: list[str]) -> None:
    choice = python_choice(told(*lines), core)
    assert (choice["action"], choice["packages"]) == ("install", packages)
    assert all(package in choice["message"] for package in packages)
    assert packages[0] in choice["command"]


@pytest.mark.parametrize(
    "lines, word",
    [
        (["uid:0", "manager:zypper", OLD_OWN], "No package manager was found that this collection can use"),
        (["uid:0"], "No Python was found"),
        (["uid:1000", "manager:dnf", OLD_OWN], "become root"),
        (["manager:dnf", OLD_OWN], "become root"),
        (["uid:0", OLD_OWN], "or ansible-core 2.16 used"),
        (["uid:0", CUT_DOWN], "incomplete"),
        (["uid:0", OLD_OWN], "an unknown system"),
    ],
)
def test_what_cannot_be_prepared_says_what_to_do(lines: list[str], word: str) -> None:
    choice = python_choice(told(*lines), "2.21.5")
    assert (choice["action"], choice["interpreter"], choice["command"]) == ("none", "", "")
    assert word in choice["message"] and "set ansible_python_interpreter" in choice["message"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "Welcome to web1!\n\n*** authorized use only ***\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\nLast login: today\n"),
        lambda text: text + "logout\n\x1b[0m",
        lambda text: "anqicms-probe\n: python\n" + text,
    ],
)
def test_whatever_a_login_says_around_it_is_no_part_of_the_answer(change: object) -> None:
    text = told(*EL8, OLD_OWN, EXTRA_39)
    assert callable(change)
    assert python_choice(change(text), "2.21.5") == python_choice(text, "2.21.5")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sh: syntax error",
        told(*EL8, EXTRA_39).replace("anqicms-probe:end\n", ""),
        "\x00\xff{{ x }}\x1b[2J",
        "a" * 100000,
    ],
)
def test_half_an_answer_is_none(text: str) -> None:
    choice = python_choice(text, "2.21.5")
    assert choice["action"] == "none" and "did not report" in choice["message"]
    assert choice["message"].isprintable() and "{{" not in choice["message"] and len(choice["message"]) < 400


@pytest.mark.parametrize(
    "line",
    [
        "3.11.2:complete:/usr/bin/{{ x }}",
        "3.11.2:complete:python3",
        "3.11:complete:/usr/bin/python3",
        "3.11.2:complete:/a b",
        "x",
    ],
)
def test_interpreter_that_is_no_plain_path_is_not_taken(line: str) -> None:
    assert python_choice(told(*DEBIAN, "python:" + line), "2.21.5")["action"] == "install"


def test_module_that_did_not_start_is_explained_only_by_its_python() -> None:
    text = told(*EL8, OLD_OWN, EXTRA_39)
    why = _python.explain(text, "2.21.5", "/usr/libexec/platform-python")
    assert "did not start with /usr/libexec/platform-python (3.6.8)" in why
    assert "Found: /usr/bin/python3.9 (3.9.18)" in why
    assert "Set in the inventory: ansible_python_interpreter: /usr/bin/python3.9 (anqicms.lifecycle.prepare" in why
    assert "/opt/python, which is missing" in _python.explain(text, "2.21.5", "/opt/python")
    assert "anqicms.lifecycle.prepare does that" in _python.explain(told(*EL8, OLD_OWN), "2.21.5", "/usr/bin/python3")
    assert _python.explain(text, "2.21.5", "/usr/bin/python3.9") == "", "its Python is not the reason"
    assert _python.explain("garbage", "2.21.5", "/opt/python") == "", "and unknown is no reason"


@pytest.mark.parametrize(
    "text, check_mode, package, word",
    [
        ("\nanqicms-probe:installed:python3.11\r\n", False, "python3.11", "was installed"),
        ("motd\nanqicms-probe:would:python39\n", True, "python39", "would be installed"),
        ("\nanqicms-probe:would:python39\n", False, "", "the host knows none"),
        ("\nanqicms-probe:said:E: no space left\n", False, "", "E: no space left"),
        ("", True, "", "the host knows none"),
    ],
)
def test_end_of_an_installation(text: str, check_mode: bool, package: str, word: str) -> None:
    end = python_installation(text, check_mode)
    assert end["package"] == package and word in end["message"]


def test_signatures_are_checked_and_nobody_is_asked() -> None:
    for manager in _python.PACKAGES:
        script = _python_shell.install(manager, ["python3.11"], False)
        assert not [word for word in ("nogpg", "unauth", "insecure", "allow", "--force") if word in script]
        assert " -y " in script and "DEBIAN_FRONTEND=noninteractive" in script


def test_probe_of_this_machine(tmp_path: Path) -> None:
    """The real script: its own interpreter is found, once, and what only looks like one is not."""
    hostile = tmp_path / "bin"
    hostile.mkdir()
    (hostile / "python3.9").write_text("#!/bin/sh\necho 9.9.9:complete\nexit 1\n")
    (hostile / "python3.10").write_text("no program at all")
    (hostile / "python3.11").symlink_to("/nonexistent")
    (hostile / "python").symlink_to(sys.executable)
    for name in ("python3.9", "python3.10"):
        (hostile / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{hostile}:/usr/bin:/bin"}
    argv = ["/bin/sh", "-c", python_probe(sys.executable)]
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, timeout=60)
    assert done.stderr == b""
    answer = _python.parse(done.stdout.decode())
    assert answer.whole and answer.root == (os.geteuid() == 0)
    mine = [python for python in answer.pythons if os.path.realpath(python.path) == os.path.realpath(sys.executable)]
    assert [(python.path, python.version, python.complete) for python in mine] == [
        (sys.executable, sys.version_info[:3], True)
    ]
    assert not [python for python in answer.pythons if python.path.startswith(str(hostile))]
