# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import gc
import os
import socket
import traceback
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children


class Owner:
    """A file that only the collector closes: it lies in a cycle, as one that an exception's frames hold."""

    def __init__(self) -> None:
        self.itself, self.socket = self, socket.socket(socket.AF_UNIX)


def in_a_child(work: t.Callable[[], None]) -> int:
    """Its exit status."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


def test_an_inherited_object_does_not_close_a_file_of_ours(tmp_path: t.Any) -> None:
    gc.collect()
    Owner()

    def work() -> None:
        children.close_all_but({0, 1, 2})
        opened = [os.open(str(tmp_path / str(number)), os.O_WRONLY | os.O_CREAT) for number in range(50)]
        gc.collect()
        for fd in opened:
            os.write(fd, b'x')

    assert in_a_child(work) == 0


@pytest.mark.parametrize('null', ['opened', 'refused'])
def test_everything_else_is_given_up(monkeypatch: pytest.MonkeyPatch, null: str) -> None:
    reading, writing = os.pipe()
    kept, kept_writing = os.pipe()
    if null == 'refused':
        monkeypatch.setattr(os, 'devnull', '/nowhere/null')

    def work() -> None:
        children.close_all_but({0, 1, 2, kept_writing})
        if null == 'opened':
            assert os.read(writing, 1) == b''
        os.write(kept_writing, b'x')

    status = in_a_child(work)
    for fd in (writing, kept_writing):
        os.close(fd)
    assert (status, os.read(reading, 1), os.read(kept, 1)) == (0, b'', b'x')
    for fd in (reading, kept):
        os.close(fd)


def test_what_ends_with_the_last_writer_ends_at_once() -> None:
    """A caller waits for the end of a pipe while the child lives on."""
    reading, writing = os.pipe()
    go, gone = os.pipe()

    def work() -> None:
        children.close_all_but({0, 1, 2, go})
        os.read(go, 1)

    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.close(writing)
    assert os.read(reading, 1) == b''
    os.close(gone)
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(go)
