# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds a lock, and whether it is heeded."""

import errno
import fcntl
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import at_work, directory_lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import lock as _lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lock import Holder

LOCKS = b"""1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF
2: FLOCK  ADVISORY  WRITE 22 fe:00:77 0 EOF
2: -> FLOCK  ADVISORY  WRITE 23 fe:00:77 0 EOF
3: FLOCK  ADVISORY  READ 24 fe:00:777 0 EOF
4: FLOCK  ADVISORY  READ 25 fe:01:77 0 EOF
5: FLOCK  ADVISORY  READ 0 fe:00:77 0 EOF
6: FLOCK  ADVISORY  READ -1 fe:00:77 0 EOF
7: OFDLCK ADVISORY  WRITE -1 fe:00:77 0 EOF
8: FLOCK
"""
FDINFO = b"pos:\t0\nflags:\t0100000\nmnt_id:\t29\nino:\t77\nlock:\t1: FLOCK  ADVISORY  WRITE 22 fe:00:77 0 EOF\n"
MOUNTS = b"29 1 0:31 /sub / rw shared:1 - btrfs /dev/vda rw\n30 29 254:0 / /data rw - ext4 /dev/vdb rw\n"


def test_holders_of_a_file() -> None:
    assert _lock.parse_holders(LOCKS, ("fe:00", 77)) == [22]
    assert _lock.parse_holders(LOCKS, ("fe:00", 777)) == [24]
    assert _lock.parse_holders(FDINFO, ("fe:00", 77)) == [22]
    assert _lock.parse_holders(b"", ("fe:00", 77)) == []


def test_the_device_is_that_of_the_mount() -> None:
    assert _lock.parse_device(MOUNTS, 29) == "00:1f"
    assert _lock.parse_device(MOUNTS, 30) == "fe:00"
    assert _lock.parse_device(MOUNTS, 31) is None


# who holds the lock of the directory -> whether root heeds it, a word of the note. 33 is a user of the instance.
HELD: t.List[t.Tuple[t.List[Holder], bool, t.Optional[str]]] = [
    ([Holder(5, 0)], True, None),
    ([Holder(5, 33)], True, None),
    ([Holder(5, 65534)], False, "pid 5"),
    ([Holder(5, 65534), Holder(6, 1000)], False, "pid 6"),
    ([Holder(5, 65534), Holder(6, 33)], True, None),
    ([Holder(5, None)], False, "could not be identified"),
    ([], False, "could not be identified"),
]


@pytest.mark.parametrize("found,refuses,word", HELD)
def test_whose_lock_root_heeds(found: t.List[Holder], refuses: bool, word: t.Optional[str]) -> None:
    judged = _lock.judge("/www/a", found, lambda uid: uid in (0, 33))
    assert judged.refuses is refuses
    assert judged.note is None if word is None else word in str(judged.note)


@pytest.fixture(name="instance")
def _instance(tmp_path: Path) -> Instance:
    (tmp_path / "shop").mkdir()
    return resolve(str(tmp_path / "shop"))


@pytest.fixture(name="made")
def _made(instance: Instance, tmp_path: Path) -> _state.StateDir:
    state = _state.StateDir(instance, str(tmp_path / "state"))
    state.make()
    return state


def test_it_is_taken_once_and_ends_with_its_holder(made: _state.StateDir) -> None:
    assert (_lock.own_is_held(made), at_work.is_worked_on(made)) == (None, False)
    lock = _lock.take(made, "abc")
    assert lock is not None and len(lock.descriptors) == 2 and not lock.notes
    assert _lock.take(made) is None
    assert at_work.is_worked_on(made) and _lock.own_is_held(made) and not _lock.has_ended(made)
    assert _lock.is_held_by(made, "abc") and not _lock.is_held_by(made, "ab") and not _lock.is_held_by(made, "")
    assert os.getpid() in _lock.holder_pids(made)
    lock.close()
    assert not at_work.is_worked_on(made) and _lock.has_ended(made) and not _lock.is_held_by(made, "abc")


def test_it_is_given_up_for_those_who_inherited_it(made: _state.StateDir) -> None:
    lock = _lock.take(made)
    assert lock is not None
    inherited = [os.dup(fd) for fd in lock.descriptors]
    lock.unlock()
    again = _lock.take(made)
    assert again is not None
    for fd in inherited:
        os.close(fd)
    lock.close()
    again.close()


def test_each_of_both_locks_refuses(made: _state.StateDir, instance: Instance) -> None:
    directory = directory_lock.take(instance)  # by this user, who owns the directory
    assert directory is not None
    assert at_work.is_worked_on(made) and _lock.take(made) is None
    assert _lock.own_is_held(made) is False  # given back
    os.close(directory)
    with open(_lock.path_of(made)) as own:
        fcntl.flock(own, fcntl.LOCK_EX)
        assert at_work.is_worked_on(made) and _lock.take(made) is None
        assert not directory_lock.is_locked(instance)


def test_the_lock_of_a_state_that_was_moved_aside_is_none(made: _state.StateDir) -> None:
    before = _lock.take(made)
    assert before is not None
    kept = made.put_aside()
    made.make()
    os.close(before.descriptors.difference({before.own}).pop())  # of the directory
    after = _lock.take(made)
    assert after is not None and kept is not None
    assert os.fstat(after.own).st_ino != os.fstat(before.own).st_ino
    os.close(before.own)
    after.close()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EROFS, errno.ENOSPC])
def test_what_keeps_it_from_being_taken_is_said(
    made: _state.StateDir, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_unused: t.Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(LifecycleError, match="Nothing was stopped or started"):
        _lock.take(made)
    assert len([name for name in os.listdir("/proc/self/fd") if _leads_to(name, made.path)]) == 0


def _leads_to(name: str, path: str) -> bool:
    try:
        return os.readlink("/proc/self/fd/" + name).startswith(path)
    except OSError:
        return False


def test_a_link_in_its_place_is_not_followed(made: _state.StateDir) -> None:
    os.symlink("/etc/passwd", _lock.path_of(made))
    with pytest.raises(LifecycleError, match="could not be taken"):
        _lock.take(made)
