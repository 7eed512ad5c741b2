# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which port counts, and which given port is refused: a table of what was seen."""

import socket
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.config_file import ConfigFile
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import port_choice

PLAIN = ("/www/a/anqicms",)
WITH_8002 = PLAIN + ("-port", "8002")


def made(port: t.Optional[int] = 8001, state: str = "ok") -> ConfigFile:
    return ConfigFile(state, port=port)


def sock(port: int, address: str = "::") -> sockdiag.Sock:
    family = int(socket.AF_INET6 if ":" in address else socket.AF_INET)
    return sockdiag.Sock(family, sockdiag.LISTEN, address, port, "::", 0, 33, port, 0, 0, None)


class Case(t.NamedTuple):
    """``own``: ports that the process listens on, or sockets; 'stopped' and None (not readable) as well."""

    own: t.Any
    argv: t.Sequence[str] = PLAIN
    config: ConfigFile = made()
    given: t.Optional[int] = None
    expected: t.Tuple[t.Optional[int], t.Optional[int], t.Optional[bool]] = (8001, 8001, True)  # now, next, listening
    refused: t.Sequence[str] = ()  # what the refusal names; none: it is allowed


LISTENS, STOPPED, BOTH = "pid 7 listens on port 8001", (None, 8001, False), (8001, 8002, True)
CHANGED, MISSING, FROM_CONFIG = made(8002), made(None, "missing"), "would use port 8001 (config.json)"
CASES = {
    # allowed
    "nothing given": Case([8001]),
    "given as it is": Case([8001], given=8001),
    "config.json changed, the old port given": Case([8001], config=CHANGED, given=8001, expected=BOTH),
    "config.json changed, the new port given": Case([8001], config=CHANGED, given=8002, expected=BOTH),
    "config.json changed, nothing given": Case([8001], config=CHANGED, expected=BOTH),
    "-port wins over config.json": Case([8002], WITH_8002, given=8002, expected=(8002, 8002, True)),
    "both families": Case([sock(8001), sock(8001, "0.0.0.0")], given=8001),
    "a second listener, config.json names the site": Case([8001, 6060], given=8001),
    "a second listener, -port names the site": Case([6060, 8002], WITH_8002, expected=(8002, 8002, True)),
    "a second listener, config.json changed, given": Case(
        [6060, 8001], config=CHANGED, given=8001, expected=BOTH),
    "a profiler on one address": Case([sock(6060, "127.0.0.1"), sock(8001)], config=CHANGED, expected=BOTH),
    "a profiler on the port that config.json got": Case(
        [sock(8002, "127.0.0.1"), sock(8001)], config=CHANGED, expected=BOTH),
    "one address only": Case([sock(8001, "127.0.0.1")], given=8001),
    "not listening yet": Case([], given=8001, expected=(8001, 8001, False)),
    "not listening any more, -port": Case([], WITH_8002, given=8002, expected=(8002, 8002, False)),
    "stopped": Case("stopped", given=8001, expected=STOPPED),
    "stopped, -port in the record": Case("stopped", WITH_8002, given=8002, expected=(None, 8002, False)),
    "sockets not readable": Case(None, given=8001, expected=(8001, 8001, None)),
    "sockets and config.json not readable": Case(
        None, config=made(None, "unreadable"), given=8009, expected=(8009, 8009, None)),
    "config.json not readable, stopped": Case(
        "stopped", config=made(None, "unsafe"), given=8009, expected=(None, 8009, False)),
    "config.json missing, stopped": Case("stopped", config=MISSING, given=8009, expected=(None, None, False)),
    "config.json missing, serving": Case([8009], config=MISSING, given=8009, expected=(8009, None, True)),
    # refused
    "another number": Case([8001], given=8099, refused=["port 8099 was given", LISTENS, FROM_CONFIG]),
    "neither of two": Case([8001], config=CHANGED, given=8099, expected=BOTH,
                           refused=["port 8099", LISTENS, "would use port 8002 (config.json)"]),
    "config.json named, but -port wins": Case([8002], WITH_8002, given=8001, expected=(8002, 8002, True),
                                              refused=["port 8001", "pid 7 listens on port 8002", "8002 (-port)"]),
    "the number of its second listener": Case([8001, 6060], given=6060, refused=["port 6060", LISTENS]),
    "config.json broken, serving": Case([8001], config=made(None, "invalid"), given=8099, expected=(8001, None, True),
                                        refused=["port 8099", LISTENS, "next start is not known"]),
    "another number, starting": Case([], given=8099, expected=(8001, 8001, False),
                                     refused=["port 8099", "pid 7 listens on no port now", "port 8001"]),
    "another number, stopped": Case("stopped", given=8099, expected=STOPPED,
                                    refused=["port 8099", "it does not run", "port 8001 (config.json)"]),
    "another number, not readable": Case(None, given=8099, expected=(8001, 8001, None),
                                         refused=["port 8099", "sockets that this user cannot read", "port 8001"]),
    "nothing names one of two": Case([6060, 8001], config=CHANGED, expected=(6060, 8002, True),
                                     refused=["pid 7 listens on ports 6060, 8001", "neither"]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_which_port_counts_and_which_given_port_is_refused(name: str) -> None:
    case = CASES[name]
    runs = case.own != "stopped"
    own = None if case.own is None or not runs else [one if not isinstance(one, int) else sock(one) for one in case.own]
    found = port_choice.decide(runs, own, case.argv, case.config, case.given)
    assert (found.now, found.next, found.listening) == case.expected
    problem = port_choice.problem(found, case.given, 7 if runs else None)
    assert bool(problem) is bool(case.refused), problem
    for words in case.refused:
        assert words in (problem or "")
