# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import selection
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.selection import Candidate, Found

SITE = Instance("/www/shop", "anqicms", "0-shop")


def candidate(pid: int, ppid: int = 1, argv: t.Sequence[str] = ("/www/shop/anqicms",)) -> Candidate:
    return Candidate(pid, 7, "/www/shop/anqicms", False, "/www/shop", list(argv), 33, ppid, "S", 9)


@pytest.mark.parametrize("exe,expected", [
    ("/www/shop/anqicms", ("/www/shop/anqicms", False)),
    ("/www/shop/anqicms (deleted)", ("/www/shop/anqicms", True)),
    ("/www/shop (deleted)/anqicms", ("/www/shop (deleted)/anqicms", False)),
])  # fmt: skip
def test_the_mark_of_a_deleted_executable_is_split_off(exe: str, expected: t.Tuple[str, bool]) -> None:
    assert selection.split_deleted(exe) == expected


@pytest.mark.parametrize("words,port", [
    ([], None), (["-port", "8002"], 8002), (["--port", "8002"], 8002), (["-port=8002"], 8002), (["--port=8002"], 8002),
    (["-port"], None), (["-port", "x"], None), (["-port", "0"], None), (["-port", "65536"], None), (["-port="], None),
    (["-v", "-port", "9"], 9), (["port", "9"], None), (["-port", "1", "-port", "2"], 1),
])  # fmt: skip
def test_port_of_the_arguments(words: t.List[str], port: t.Optional[int]) -> None:
    assert selection.argv_port(["/www/shop/anqicms"] + words) == port


def test_a_child_before_its_exec_looks_like_its_parent() -> None:
    assert selection.is_own_child([candidate(10), candidate(11, ppid=10)])
    assert not selection.is_own_child([candidate(10), candidate(11)])
    assert not selection.is_own_child([])


def test_one_is_picked() -> None:
    assert selection.pick(SITE, Found([candidate(10)], [], False)) == candidate(10)
    assert selection.pick(SITE, Found([], [], False)) is None


def test_two_are_refused_by_name() -> None:
    with pytest.raises(LifecycleError) as caught:
        selection.pick(SITE, Found([candidate(10), candidate(12)], [], False))
    assert "No process was signalled" in caught.value.msg and caught.value.result == {"pids": [10, 12]}


def test_a_process_that_cannot_be_seen_is_refused_by_name() -> None:
    with pytest.raises(LifecycleError) as caught:
        selection.pick(SITE, Found([], [12, 13], False))
    assert "Process 12, 13 may be instance 0-shop" in caught.value.msg


def test_nothing_of_an_empty_directory_runs() -> None:
    found = selection.find(Instance("/nonexistent/shop", "anqicms", "0-none"))
    assert found.candidates == []
