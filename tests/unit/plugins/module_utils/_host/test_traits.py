# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs, traits

STATUS = dict(Uid="33\t33\t33\t33", CapEff="0", CapPrm="0", CapInh="0", CapAmb="0", Seccomp="0")
LOST = [
    (dict(), False, []),
    (dict(CapEff="400", CapPrm="400", CapInh="400", CapAmb="400"), False, ["the capabilities 0x400"]),
    (dict(CapEff="400", CapPrm="400"), True, []),  # by its file: the next process has them too
    (dict(CapEff="1ff", Uid="0\t0\t0\t0"), False, []),
    (dict(Seccomp="2"), False, ["a seccomp filter"]),
]


@pytest.mark.parametrize("status,by_its_file,expected", LOST)
def test_what_cannot_be_given_again(status: t.Dict[str, str], by_its_file: bool, expected: t.List[str]) -> None:
    assert traits.lost(dict(STATUS, **status), by_its_file) == expected


NAMED = [
    (traits.Traits(), []),
    (traits.Traits(scheduler=3, io_priority=3 << 13, lost=[]), []),
    (traits.Traits(scheduler=2), ["SCHED_RR"]),
    (traits.Traits(scheduler=6 | 0x40000000), ["SCHED_DEADLINE"]),
    (traits.Traits(scheduler=99), ["99"]),
    (traits.Traits(io_priority=(1 << 13) + 4), ["realtime class"]),
    (traits.Traits(lost=["namespaces of its own (mnt)"]), ["namespaces of its own (mnt)"]),
]


@pytest.mark.parametrize("seen,words", NAMED)
def test_what_is_named(seen: traits.Traits, words: t.List[str]) -> None:
    found = traits.named(seen)
    assert len(found) == len(words)
    assert all(word in note for word, note in zip(words, found))


def after(wanted: traits.Traits) -> t.Tuple[t.List[str], traits.Traits]:
    """What a child tells that was given them, and what it has then."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            notes = traits.give(wanted)
            with procfs.ProcDir(os.getpid()) as proc:
                os.write(write, json.dumps([notes, traits.of(proc, proc.status())]).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        notes, values = json.load(stream)
    os.waitpid(pid, 0)
    return notes, traits.Traits(*values)


def own() -> traits.Traits:
    with procfs.ProcDir(os.getpid()) as proc:
        return traits.of(proc, proc.status())


def test_all_of_them_are_given() -> None:
    mine = own()
    processors = [min(os.sched_getaffinity(0))] if (os.cpu_count() or 1) > 1 else []
    wanted = mine._replace(
        no_new_privs=True, affinity=processors, scheduler=3, io_priority=3 << 13, coredump_filter=7, timer_slack=60000
    )
    if mine.personality is not None:
        wanted = wanted._replace(personality=0x0040000)
    notes, found = after(wanted)
    assert notes == []
    assert found == wanted


def test_all_processors_are_all_that_there_will_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has grown since must not keep its site on the processors of before."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    assert own().affinity == []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2})
    assert own().affinity == [0, 2]
    given: t.List[t.Any] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, processors: given.append(list(processors)))
    assert traits.give(traits.Traits(affinity=[])) == []
    assert given == [[0, 1, 2, 3]]


def test_what_was_not_known_is_left_alone() -> None:
    assert after(traits.Traits()) == ([], own())
    assert after(own()) == ([], own())


@pytest.mark.parametrize("wanted", [traits.Traits(scheduler=1), traits.Traits(io_priority=(1 << 13) + 4)])
def test_nothing_that_takes_root_is_given(wanted: traits.Traits) -> None:
    assert after(wanted) == ([], own())


def test_fewer_capabilities() -> None:
    mine = own()
    if os.geteuid() or not mine.bounding_set:
        pytest.skip("only root can drop them")
    wanted = mine.bounding_set & ~1
    notes, found = after(traits.Traits(bounding_set=wanted))
    assert (notes, found.bounding_set) == ([], wanted)


def test_where_it_cannot_be_given_it_is_said() -> None:
    notes, _found = after(traits.Traits(affinity=[100000]))
    assert len(notes) == 1
    assert notes[0].startswith("the processors 100000: ")
