# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a file is open for writing, and by whom, on real files."""

import fcntl
import mmap
import os
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable, writers


@pytest.fixture
def path(tmp_path: t.Any) -> str:
    name = str(tmp_path / 'anqicms')
    with open(name, 'wb') as stream:
        stream.write(b'\x7fELF' + b'\0' * 5000)
    return name


def is_written(path: str) -> t.Optional[bool]:
    with executable.Opened(path) as file:
        return file.is_written()


def description(path: str) -> str:
    with executable.Opened(path) as file:
        return file.writers()


@pytest.mark.parametrize('flags', [os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_APPEND])
def test_a_writer_is_seen_and_named(path: str, flags: int) -> None:
    assert is_written(path) is False
    fd = os.open(path, flags)
    try:
        assert is_written(path) is True
        assert 'it is open for writing by pid %d (%s, user ' % (
            os.getpid(),
            os.readlink('/proc/self/exe'),
        ) in description(path)
    finally:
        os.close(fd)
    assert is_written(path) is False


@pytest.mark.parametrize('flags', [os.O_RDONLY, os.O_PATH])
def test_readers_are_no_writers(path: str, flags: int) -> None:
    fd = os.open(path, flags)
    try:
        assert is_written(path) is False
    finally:
        os.close(fd)


def test_another_name_and_a_file_that_was_removed(path: str) -> None:
    os.link(path, path + '.part')
    with open(path + '.part', 'r+b'):
        assert is_written(path) is True
        assert 'by pid %d ' % os.getpid() in description(path)


def test_a_writer_of_another_file_of_this_name_is_not_named(path: str) -> None:
    writer = os.open(path, os.O_WRONLY)
    os.unlink(path)
    with open(path, 'wb') as stream:
        stream.write(b'new')
    try:
        assert is_written(path) is False
        assert 'by a process that this user cannot see' in description(path)
    finally:
        os.close(writer)


def test_a_mapping_keeps_it_open_for_writing(path: str) -> None:
    with open(path, 'r+b') as stream:
        kept = mmap.mmap(stream.fileno(), 4096)
    assert is_written(path) is True
    found = description(path)
    kept.close()
    # Python keeps a descriptor of its own beside the mapping; a process without one is found by its map.
    assert 'by pid %d ' % os.getpid() in found


def test_the_lease_is_given_back(path: str) -> None:
    with executable.Opened(path) as file:
        assert file.is_written() is False
        with open(path, 'r+b') as stream:
            stream.write(b'x')


def test_a_write_lease_of_somebody_else_does_not_hold_us_up(path: str) -> None:
    """As a file server takes it: a plain open would wait for up to 45 seconds."""
    holder = os.open(path, os.O_RDWR)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        fcntl.fcntl(holder, 1024, fcntl.F_WRLCK)
        begin = time.monotonic()
        assert is_written(path) is True
        assert 'it is leased by pid %d (' % os.getpid() in description(path)
        assert time.monotonic() - begin < 10
    finally:
        os.close(holder)
        signal.signal(signal.SIGIO, before)


_LOOKS = """
import sys, time
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable
end, seen = time.monotonic() + 2, set()
while time.monotonic() < end:
    with executable.Opened(sys.argv[1]) as file:
        seen.add(file.is_written())
print(sorted(seen))
"""


def test_a_writer_that_comes_during_the_look_does_no_harm(path: str) -> None:
    """The kernel signals whoever holds a lease that somebody else breaks; by default that ends the process."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    looker = subprocess.Popen([sys.executable, '-c', _LOOKS, path], stdout=subprocess.PIPE, env=environment)
    opened = 0
    while looker.poll() is None:
        os.close(os.open(path, os.O_WRONLY))
        opened += 1
    output = looker.communicate()[0]
    assert looker.returncode == 0
    assert output.strip() == b'[False, True]'
    assert opened > 1000


@pytest.mark.parametrize(
    ('text', 'inode'),
    [
        (b'pos:\t0\nflags:\t0100002\nmnt_id:\t29\nino:\t4711\n', 4711),
        (b'pos:\t0\nflags:\t0100001\nmnt_id:\t29\n', None),
        (b'ino:\tx\n', None),
        (b'', None),
    ],
)
def test_fdinfo(text: bytes, inode: t.Optional[int]) -> None:
    assert writers.parse_inode(text) == inode


MAPS = b"""\
55d0c0000000-55d0c0001000 r-xp 00000000 fe:01 4711                       /www/anqicms
7f0000000000-7f0000001000 rw-s 00000000 fe:01 4712                       /www/a file (deleted)
7f0000001000-7f0000002000 rw-p 00000000 00:00 0
"""


@pytest.mark.parametrize(('inode', 'expected'), [(4711, False), (4712, True), (0, False), (471, False)])
def test_maps(inode: int, expected: bool) -> None:
    assert writers.parse_maps(MAPS, inode, os.makedev(0xFE, 1)) is expected


LOCKS = b"""\
1: POSIX  ADVISORY  WRITE 100 fe:01:4711 0 EOF
2: LEASE  ACTIVE    WRITE 200 fe:01:4711 0 EOF
3: LEASE  BREAKING  READ  300 fe:01:4711 0 EOF
4: LEASE  ACTIVE    READ  400 fe:01:4711 0 EOF
5: LEASE  ACTIVE    WRITE 500 fe:01:4712 0 EOF
2: -> LEASE  BREAKER   READ 0 fe:01:4711 0 EOF
"""


def test_locks() -> None:
    assert writers.parse_leases(LOCKS, 4711, os.makedev(0xFE, 1)) == [200, 300]


@given(st.binary(max_size=300))
def test_any_bytes(noise: bytes) -> None:
    writers.parse_inode(noise)
    writers.parse_maps(noise, 1, 1)
    writers.parse_leases(b'1: LEASE ACTIVE WRITE ' + noise, 1, 1)
    writers.parse_leases(b'1: LEASE ACTIVE WRITE ' + noise + b' 00:01:1', 1, 1)
