# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import exit_codes

TRANSCRIPTS = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "..", "fixtures", "transcripts"
)
CAUSES = {
    "wrong-password": "refused the user or password",
    "port-in-use": "port",
    "database-down": "database of config.json is not reachable",
    "locales-missing": "locales/",
    "config-not-json": "not valid JSON",
}
CASES = sorted(
    (version, name[:-4])
    for version in os.listdir(TRANSCRIPTS)
    for name in os.listdir(os.path.join(TRANSCRIPTS, version))
    if name[:-4] in CAUSES
)


@pytest.mark.parametrize("version,cause", CASES)
def test_the_log_of_the_application_says_why(version: str, cause: str) -> None:
    with open(os.path.join(TRANSCRIPTS, version, cause + ".txt"), encoding="utf-8") as stream:
        log = stream.read().replace("<time>", "2026/01/31 12:00:00").replace("<minute>", "2026/01/31 12:00")
    code = 1 if cause == "locales-missing" else 255
    if cause == "locales-missing" and version.startswith("3.5"):
        return  # harmless there: that it goes on is what the transcript shows
    found = exit_codes.explain(code, version, log)
    assert CAUSES[cause] in found.meaning
    assert found.line
    assert found.advice


BY_CODE = [
    (0, "3.5.8", "exit code 0"),
    (1, "3.3.11", "locales/ is missing"),
    (1, "3.5.8", "a file that it needs"),
    (2, "3.2.8", "Go panic"),
    (126, None, "could not be executed"),
    (127, None, "could not be executed"),
    (255, "2.5.3", "port in use"),
    (70, "3.5.8", "does not use itself"),
    (-9, "3.5.8", "SIGKILL"),
    (-15, "2.5.3", "signal 15"),
]


@pytest.mark.parametrize("code,version,expected", BY_CODE)
def test_a_silent_log_leaves_the_code(code: int, version: t.Optional[str], expected: str) -> None:
    assert expected in exit_codes.explain(code, version, "").meaning


LINES = [
    ("\x1b[31m[ERRO]\x1b[0m listen tcp :8001: bind: address already in use", 0, "taken while it started"),
    ("listen tcp :80: bind: permission denied", 0, "no permission to bind"),
    ("Failed To Connect Database:  Error 1044 (42000): Access denied for user", 255, "no permission to use or create"),
    ("Failed To Connect Database:  Error 1146: Table 'shop.settings' doesn't exist", 255, "answered with an error"),
    ("[ERRO] 连接数据库失败 Error 1114 (HY000): The table 'archives' is full", 255, "answered with an error"),
    ("fatal error: runtime: out of memory", 2, "could not allocate memory"),
    ("nohup: failed to run command './anqicms': Text file busy", 126, "open for writing by another process"),
    ("panic: runtime error: index out of range [3] with length 3", 2, "crashed"),
    ("SIGABRT: abort", 2, "the Go runtime ended the program because of a signal"),
    ("SIGSEGV: segmentation violation", 2, "because of a fault"),
    ("SIGBUS: bus error", 2, "because of a fault"),
    ("2026/01/01 无法载入字典文件 dictionary.txt", 1, "dictionary.txt is missing"),
]


@pytest.mark.parametrize("line,code,expected", LINES)
def test_lines_of_the_log(line: str, code: int, expected: str) -> None:
    found = exit_codes.explain(code, "3.5.8", "/www/shop/\n" + line + "\nmore\n")
    assert expected in found.meaning
    assert found.line is not None
    assert "\x1b" not in found.line


@pytest.mark.parametrize(
    "error,passes",
    [
        ("dial tcp 127.0.0.1:3306: connect: connection refused", True),
        ("Error 1040 (HY000): Too many connections", True),
        ("Error 1040: Too many connections", True),
        ("Error 1053 (08S01): Server shutdown in progress", True),
        ("Error 1146 (42S02): Table 'shop.settings' doesn't exist", False),
        ("Error 1045: Access denied", False),
    ],
)
def test_what_is_worth_another_try(error: str, passes: bool) -> None:
    """An answer of the server is the same a second later: in an upgrade that would be waited for to the deadline."""
    log = "/www/shop/\nFailed To Connect Database:  %s\n" % error
    assert exit_codes.explain(255, "2.5.3", log).passes is passes


@pytest.mark.parametrize(
    "log, meaning, line",
    [
        (
            "2026/01/01 10:00:00 /www/shop/\nsomething new\nNow listening on: x\n",
            "the last line of its log says why",
            "something new",
        ),
        ("2026/01/01 10:00:00 /www/shop/\nNow listening on: x\n", "port in use, invalid config.json", None),
        ("", "port in use, invalid config.json", None),
    ],
)
def test_a_start_that_ended_with_255_is_explained_by_its_last_line(
    log: str, meaning: str, line: t.Optional[str]
) -> None:
    found = exit_codes.explain(255, "3.5.8", log)
    assert meaning in found.meaning
    assert found.line == line


@pytest.mark.parametrize(
    "number, advice",
    [
        (11, "the line of the kernel log"),
        (7, "the line of the kernel log"),
        (8, "report it"),
        (4, "report it"),
        (15, "Find out who sent it"),
        (6, "Find out who sent it"),
        (25, "ulimit -f"),
        (99, "Find out who sent it"),
    ],
)
def test_nobody_has_sent_a_segmentation_fault(number: int, advice: str) -> None:
    assert advice in exit_codes.explain(-number, "3.5.8", "").advice
    for name in ("SEGV: segmentation violation", "BUS: bus error", "FPE: floating-point exception"):
        assert "who sent" not in exit_codes.explain(2, "3.5.8", "SIG%s\nPC=0x0\n" % name).advice


def test_a_kill_is_a_kill_whatever_the_log_says() -> None:
    found = exit_codes.explain(-9, "3.2.8", "listen tcp :8001: bind: address already in use\n")
    assert "SIGKILL" in found.meaning


def test_plain_lines() -> None:
    assert exit_codes.plain_lines("\x1b[1ma\x1b[0m \n\n b\n") == ["a", " b"]


def test_without_an_exit_code_the_log_says_why() -> None:
    found = exit_codes.explain(None, "3.5.8", "2024/01/02 15:04:05 /www/shop/\nInvalid Config:  unexpected end\n")
    assert "not valid JSON" in found.meaning and found.line
    unknown = exit_codes.explain(None, "3.5.8", "hello\n")
    assert (unknown.meaning, unknown.line) == ("its exit code is not known", None)


def test_only_the_last_start_counts() -> None:
    log = "2024/01/01 15:04:05 /www/shop/\npanic: old\n2024/01/02 15:04:05 /www/shop/\nnew\n"
    assert exit_codes.of_last_start(log, "/www/shop") == "2024/01/02 15:04:05 /www/shop/\nnew\n"
    assert exit_codes.of_last_start("15:04:05 /www/shop/\nnew\n", "/www/shop") == "15:04:05 /www/shop/\nnew\n"
    assert exit_codes.of_last_start("panic: cut\n", "/www/shop") == "panic: cut\n"
