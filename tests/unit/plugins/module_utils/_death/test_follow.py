# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import select
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.follow import (
    Follower,
    JournalFollower,
    KmsgFollower,
)

KILL = r'{"MESSAGE":"Out of memory: Killed process 7 (anqicms) total-vm:1kB","_TRANSPORT":"kernel"}'


Made = t.Callable[[str], t.Tuple[JournalFollower, t.List[str]]]


def names() -> t.Set[bytes]:
    return {b"anqicms"}


@pytest.fixture
def journal(tmp_path: Path) -> t.Iterator[Made]:
    """A program in the place of journalctl; whoever it is ends with the test."""
    made: t.List[JournalFollower] = []

    def make(script: str) -> t.Tuple[JournalFollower, t.List[str]]:
        program = tmp_path / "journalctl"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        notes: t.List[str] = []
        follower = JournalFollower(names, notes.append, str(program))
        made.append(follower)
        return follower, notes

    yield make
    for follower in made:
        follower.close()


def wait(follower: Follower, seconds: float = 10.0) -> t.Tuple[bool, int]:
    """Whether it was woken by something that is worth a look, and how many reads that took."""
    end, reads = time.time() + seconds, 0
    while time.time() < end:
        follower.tick()
        if follower.fd is None:
            time.sleep(0.02)
            continue
        if select.select([follower.fd], [], [], 0.1)[0]:
            reads += 1
            if follower.woken():
                return True, reads
    return False, reads


def test_a_kill_of_that_name_wakes(journal: Made) -> None:
    follower, notes = journal("echo '%s'\nexec sleep 100\n" % KILL)
    assert wait(follower)[0]
    assert notes == []


@pytest.mark.parametrize(
    "line", [KILL.replace("anqicms", "mysqld"), '{"MESSAGE":"usb 1-1: new device of anqicms"}', "no json", ""]
)
def test_other_lines_do_not(journal: Made, line: str) -> None:
    follower, _notes = journal("echo '%s'\nexec sleep 100\n" % line)
    assert not wait(follower, 0.7)[0]


def test_a_flood_of_lines_is_read_and_what_comes_after_it_is_seen(journal: Made) -> None:
    follower, _notes = journal("yes '%s' | head -n 200000\necho '%s'\nexec sleep 100\n" % ("x" * 60, KILL))
    woken, reads = wait(follower, 60)
    assert woken
    assert reads > 40


def test_one_that_ends_is_begun_anew_later_and_later(journal: Made, tmp_path: Path) -> None:
    count = tmp_path / "count"
    follower, notes = journal("echo x >> %s\nexit 1\n" % count)
    begin = time.time()
    while len(notes) < 2 and time.time() < begin + 20:
        wait(follower, 0.2)
    assert len(count.read_text().split()) >= 2
    assert "status 1" in notes[0]
    assert "in 1 s" in notes[0]
    assert "in 2 s" in notes[1]
    assert time.time() - begin >= 1


def test_its_end_is_worth_a_look(journal: Made) -> None:
    follower, _notes = journal("exit 0\n")
    assert wait(follower)[0]


def test_a_program_that_is_not_there_is_noted(tmp_path: Path) -> None:
    notes: t.List[str] = []
    follower = JournalFollower(names, notes.append, str(tmp_path / "none"))
    assert follower.fd is None
    assert "cannot be run" in notes[0]


def test_following_ends_its_program(journal: Made) -> None:
    follower, _notes = journal("exec sleep 100\n")
    assert follower.process is not None
    pid = follower.process.pid
    follower.close()
    assert not os.path.exists("/proc/%d" % pid)


def test_without_anything_to_follow() -> None:
    follower = Follower(names, print)
    follower.tick()
    assert not follower.woken()
    follower.close()


def readable_kmsg() -> bool:
    try:
        os.close(os.open("/dev/kmsg", os.O_RDWR | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not readable_kmsg(), reason="/dev/kmsg may not be read or written here")
def test_what_a_program_writes_to_the_kernels_log_does_not_wake() -> None:
    follower = KmsgFollower(names, print)
    try:
        with open("/dev/kmsg", "w") as kmsg:
            kmsg.write("<6>Out of memory: Killed process 7 (anqicms) total-vm:1kB\n")  # the kernel makes it 'user'
        assert follower.fd is not None
        assert select.select([follower.fd], [], [], 5)[0]
        assert not follower.woken()
    finally:
        follower.close()
