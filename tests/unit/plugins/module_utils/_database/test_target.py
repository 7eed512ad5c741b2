# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing as t

import ansible_collections
import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import target as _database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Answer, Target, targets
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.sockdiag import Sock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info.database import Answers, is_connected

ME = children.Identity(os.geteuid(), os.getegid(), os.getgroups())
FILE = dict(database="shop", host="db.example", port=3307)
FULL = dict(MYSQL_DATABASE="a", MYSQL_HOST="h", MYSQL_ROOT_PASSWORD="p", MYSQL_PORT="3308")
OTHER = dict(MYSQL_DATABASE="a", MYSQL_HOST="h", MYSQL_PASSWORD="p")
LIMIT = 0.5

TARGETS: t.List[t.Tuple[t.Dict[str, t.Any], t.Dict[str, str], t.Optional[str], t.List[str]]] = [
    (FILE, {}, "3.5.8", ["db.example:3307"]),
    ({}, {}, "3.5.8", []),
    (dict(FILE, database=""), {}, "3.5.8", []),
    (dict(database="shop", host="", port=None), {}, None, ["127.0.0.1:3306"]),
    (dict(FILE, host="::1"), {}, None, ["[::1]:3307"]),
    (dict(FILE, host="[::1]"), {}, None, ["[::1]:3307"]),
    (dict(FILE, host="/run/mysqld.sock"), {}, None, ["/run/mysqld.sock"]),
    (dict(FILE, host="unix(/run/mysqld.sock)"), {}, None, ["/run/mysqld.sock"]),
    (FILE, FULL, "3.5.8", ["h:3308"]),
    (FILE, FULL, "3.4.2", ["h:3308"]),
    (FILE, FULL, "3.4.1", ["db.example:3307"]),
    ({}, FULL, "3.4.1", []),
    (FILE, OTHER, "3.4.10", ["h:3306"]),
    (FILE, OTHER, "3.4.9", ["db.example:3307"]),
    (FILE, dict(FULL, MYSQL_PORT="x"), "3.5.8", ["h:3306"]),
    (FILE, dict(FULL, MYSQL_HOST=""), "3.5.8", ["db.example:3307"]),
    (FILE, dict(FULL, MYSQL_DATABASE=""), "3.5.8", ["db.example:3307"]),
    (FILE, dict(FULL, MYSQL_ROOT_PASSWORD=""), "3.5.8", ["db.example:3307"]),
    (FILE, FULL, None, ["h:3308", "db.example:3307"]),
    (FILE, dict(FULL, MYSQL_HOST="db.example", MYSQL_PORT="3307"), None, ["db.example:3307"]),
    ({}, FULL, None, ["h:3308"]),
]


@pytest.mark.parametrize("configured,environment,version,expected", TARGETS)
def test_which_database_a_start_asks(
    configured: t.Any, environment: t.Any, version: t.Optional[str], expected: t.List[str]
) -> None:
    assert [target.address for target in targets(configured, environment, version)] == expected


def test_what_a_sites_user_wrote_is_shown_without_control_characters() -> None:
    assert Target("a\x1b[2J\u202e", 1).address == "a?[2J?:1"


@pytest.fixture
def listener() -> t.Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(16)
        yield sock


def of(listener: socket.socket, host: str = "127.0.0.1") -> Target:
    return Target(host, listener.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_one_that_listens_is_reached(listener: socket.socket, host: str) -> None:
    assert _database.ask(of(listener, host)).reached
    assert _database.ask(of(listener, host), ME).reached


def test_one_that_closes_at_once_or_says_nothing_is_reached_too(listener: socket.socket) -> None:
    assert _database.ask(of(listener), ME).reached
    listener.accept()[0].close()
    assert _database.ask(of(listener), ME).reached


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_one_that_refuses(listener: socket.socket, host: str) -> None:
    target = of(listener, host)
    listener.close()
    answer = _database.ask(target)
    if host == "::1" and answer.unknown:
        pytest.skip("no IPv6: %s" % answer.unknown)
    # The machine has ::1 or does not: then its address cannot be assigned. Both are right there, and only there.
    without = os.strerror(errno.EADDRNOTAVAIL)
    assert answer.problem == (without if (host, answer.problem) == ("::1", without) else "it refuses connections")


def test_one_that_does_not_answer(listener: socket.socket) -> None:
    listener.listen(0)
    waiting = []
    for _count in range(4):  # fill its queue: the kernel drops what comes then
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(listener.getsockname())
    time.sleep(0.1)
    began = time.monotonic()
    try:
        assert _database.ask(of(listener), None, LIMIT).problem == "it did not answer within 0.5 s"
        assert _database.ask(of(listener), ME, LIMIT).problem == "it did not answer within 0.5 s"
        assert _database.ask(of(listener, "localhost"), ME, LIMIT).problem == "it did not answer within 0.5 s"
    finally:
        for sock in waiting:
            sock.close()
    assert time.monotonic() - began < 10


def test_an_address_that_does_not_answer_uses_up_nobody_elses_time(listener: socket.socket) -> None:
    silent = (int(socket.AF_INET), ("127.0.0.1", listener.getsockname()[1]))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(0)
        full = []
        for _count in range(4):
            full.append(socket.socket())
            full[-1].setblocking(False)
            full[-1].connect_ex(other.getsockname())
        try:
            addresses = [(int(socket.AF_INET), other.getsockname()), silent]
            assert _database._Attempts(5.0).run(addresses) is None
        finally:
            for sock in full:
                sock.close()


@pytest.mark.parametrize(
    "hangs,expected",
    [(True, "its name was not resolved within 0.5 s"), (False, "its name cannot be resolved (Name or service not")],
)
def test_names(monkeypatch: pytest.MonkeyPatch, hangs: bool, expected: str) -> None:
    """getaddrinfo is replaced: the resolver of this machine may do either."""

    def resolve(*_unused: t.Any) -> t.Any:
        if hangs:
            time.sleep(60)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    began = time.monotonic()
    answer = _database.ask(Target("db.example", 3306), None, LIMIT)
    assert (answer.problem or "").startswith(expected)
    assert time.monotonic() - began < 10
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    "target,expected",
    [
        (Target("a\0b", 3306), "cannot be resolved"),
        (Target("x" * 300, 3306), "cannot be resolved"),
        (Target("127.0.0.1", 70000), "not between"),
        (Target("127.0.0.1", -1), "not between"),
    ],
)
def test_nonsense(target: Target, expected: str) -> None:
    answer = _database.ask(target, None, LIMIT)
    assert expected in (answer.problem or "")


@pytest.fixture
def short() -> t.Iterator[str]:
    """The path of a socket has at most 107 bytes; a test's directory is often longer."""
    directory = tempfile.mkdtemp(prefix="anq-")
    yield directory + "/s"
    shutil.rmtree(directory)


def test_a_socket_in_the_file_system(short: str) -> None:
    assert _database.ask(Target(short, 0)).problem == "the socket does not exist"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(short)
        sock.listen(0)
        assert _database.ask(Target(short, 0)).reached
        full = _database.ask(Target(short, 0), None, LIMIT)
        assert full.problem == "it did not answer within 0.5 s"
    assert _database.ask(Target(short, 0)).problem == "it refuses connections"
    assert _database.ask(Target("/" + "x" * 200, 0)).unknown


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_is_loaded_while_it_acts_as_another_user(listener: socket.socket, host: str) -> None:
    """That user may be unable to read this Python's library: what is needed must be there before."""
    code = (
        "import os, sys\n"
        "from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import target as database\n"
        "from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children\n"
        "before = set(sys.modules)\n"
        "answer = database.ask_here(database.Target(sys.argv[1], int(sys.argv[2])))\n"
        "assert answer.reached, answer\nassert set(sys.modules) == before, set(sys.modules) - before\n"
    )
    tree = os.path.join(next(iter(ansible_collections.__path__)), "..")
    subprocess.run(
        [sys.executable, "-c", code, host, str(listener.getsockname()[1])],
        check=True,
        env=dict(os.environ, PYTHONPATH=tree),
    )


def test_no_process_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    assert _database.ask(Target("localhost", 1), ME).unknown == "Resource temporarily unavailable"


def test_all_share_one_limit(listener: socket.socket) -> None:
    asked = []

    def asking(target: Target, limit: float) -> Answer:
        asked.append(round(limit, 1))
        return Answer(target, None if target.port == 2 else "no")

    answers = _database.ask_all([Target("a", 1), Target("a", 2), Target("a", 3)], asking, 3.0)
    assert [answer.reached for answer in answers] == [False, True]
    assert asked == [1.0, 1.5]


def test_one_database_of_many_instances_is_asked_once(listener: socket.socket) -> None:
    answers = Answers()
    for _instance in range(5):
        assert answers.of([of(listener)], ME, set())[0].reached
    listener.setblocking(False)
    listener.accept()[0].close()
    with pytest.raises(BlockingIOError):
        listener.accept()


def sock_to(address: str, port: int, state: int = 1) -> Sock:
    return Sock(2, state, "127.0.0.1", 40000, address, port, 33, 7, 0, 0, None)


@pytest.mark.parametrize(
    "target,sock,expected",
    [
        (Target("10.0.0.5", 3306), sock_to("10.0.0.5", 3306), True),
        (Target("10.0.0.5", 3306), sock_to("::ffff:10.0.0.5", 3306), True),
        (Target("db.example", 3306), sock_to("10.0.0.5", 3306), True),
        (Target("10.0.0.5", 3306), sock_to("10.0.0.6", 3306), False),
        (Target("10.0.0.5", 3306), sock_to("10.0.0.5", 3307), False),
        (Target("10.0.0.5", 3306), sock_to("10.0.0.5", 3306, 8), False),
    ],
)
def test_a_connection_that_is_there_tells_it_too(target: Target, sock: Sock, expected: bool) -> None:
    assert is_connected(target, [sock]) is expected
