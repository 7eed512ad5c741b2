# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import socket
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import migrating

INFO = sockdiag.TcpInfo(0, 5000, 5000, 5000, 9, 9, 9, 9)
SOCK = sockdiag.Sock(2, 1, "127.0.0.1", 40000, "127.0.0.1", 3306, 33, 77, 0, 0, INFO)


def sock(sent: t.Optional[int], received: t.Optional[int]) -> sockdiag.Sock:
    return SOCK._replace(info=INFO._replace(last_data_sent=sent, last_data_recv=received))


@pytest.mark.parametrize("socks,seconds", [
    ([], None), ([SOCK._replace(info=None)], None), ([sock(None, None)], None), ([sock(4000, 3000)], 3.0),
    ([sock(9000, 8000), sock(250, 7000)], 0.25), ([SOCK._replace(info=None), sock(1000, 2000)], 1.0),
])  # fmt: skip
def test_silence(socks: t.List[sockdiag.Sock], seconds: t.Optional[float]) -> None:
    assert migrating.silence(socks) == seconds


@pytest.fixture
def database() -> t.Iterator[socket.socket]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        yield server


def test_own_connections(database: socket.socket) -> None:
    with procfs.ProcDir(os.getpid()) as proc:
        watch = migrating.Watch(proc, port=1)
        first = watch.look()
        assert first is not None and not first.waiting and first.silent_s == float("inf")
        with socket.create_connection(database.getsockname()) as client:
            peer = database.accept()[0]
            came = watch.look()
            assert came is not None and came.silent_s < 0.5
            client.sendall(b"ALTER")
            peer.recv(10)
            time.sleep(0.3)
            asked = watch.look()
            peer.close()
        if asked is None:
            pytest.skip("this kernel does not tell when a socket was last used")
        assert asked.waiting and asked.silent_s >= 0.25
        went = watch.look()
        assert went is not None and not went.waiting and went.silent_s < 0.5


def test_served_connections_are_none_of_a_database(database: socket.socket) -> None:
    port = database.getsockname()[1]
    with procfs.ProcDir(os.getpid()) as proc, socket.create_connection(("127.0.0.1", port)) as client:
        peer = database.accept()[0]
        mine = peer.getsockname()[1] == port
        watch = migrating.Watch(proc, port=client.getsockname()[1])
        seen = watch.look()
        peer.close()
    assert mine and seen is not None
