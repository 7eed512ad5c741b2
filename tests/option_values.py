# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One row for each variable of the collection: right values, text forms, the default, and wrong values."""

from __future__ import annotations

import datetime
import json
from typing import Any, NamedTuple


class Row(NamedTuple):
    """``right`` and ``text``: what is given, and the value that it is."""

    right: list[tuple[Any, Any]]
    text: list[tuple[str, Any]]
    default: Any
    wrong: list[Any]


ID, OTHER = "4b1d0a7e-shop.example", "0123abcd-b"
DATE = datetime.date(2026, 1, 31)
# What YAML makes of answers such as 10:30, 3.10, on, 2026-01-31 and [a]: none of them is a text any more.
NO_TEXT = [3.1, True, DATE, {"a": 1}, ["a"]]
NO_LIST = [7, 3.1, True, DATE, {"a": 1}, [None], [""], [["a"]], "[a", "[a]\n}"]


def _same(*values: Any) -> list[tuple[Any, Any]]:
    return [(value, value) for value in values]


def _text(right: str, default: str | None = None, *wrong: Any) -> Row:
    return Row([*_same(right), (60001234, "60001234")], [(f" {right}\n", right)], default, [*NO_TEXT, "a\nb", *wrong])


def _seconds(default: float, *wrong: Any) -> Row:
    zero = [] if wrong else [(0, 0.0), (0.0, 0.0)]
    return Row(
        [(5, 5.0), (0.5, 0.5), *zero],
        [("5", 5.0), (" 5.5 ", 5.5), ("1e3", 1000.0)],
        default,
        ["soon", -1, "-1", True, False, [], [5], {}, float("inf"), float("nan"), "1_000", "10:30", DATE, *wrong],
    )


def _flag(default: bool | None) -> Row:
    return Row(
        [*_same(True, False), (1, True), (0, False)],
        [("true", True), ("false", False), ("Yes", True), ("off", False), ("1", True), ("0", False)],
        default,
        ["maybe", 2, 0.5, [], [True], {}, DATE],
    )


def _choice(default: str, *others: str) -> Row:
    choices = (default, *others)
    return Row(
        _same(*choices),
        [(f" {choice}\n", choice) for choice in choices],
        default,
        ["sometimes", default.upper(), 0, 1, True, False, [default], {}, [], DATE],
    )


def _words(one: str, two: str, *wrong: Any) -> Row:
    both = [one, two]
    quoted = json.dumps(both)
    texts = [f"{one}\n{two}", f"{one},{two}", f" {one} ,\n{two}\n", quoted, f"- {one}\n- {two}\n"]
    return Row(
        [([], []), (both, both), ([one], [one])],
        [*((text, both) for text in texts), (one, [one]), ("[]", [])],
        [],
        [*NO_LIST, *wrong],
    )


_HOOKS = _words("/etc/hooks/out.yml", "in.yml")
_SITE = {"host": "shop.example"}
_TARGET = {"type": "slack", "url": "https://chat.example/1"}
_RUN = {"schema": 1, "run_id": "night-7", "instances": [{"host": "web1", "id": ID, "outcome": "done"}]}
_SENT = {**_TARGET, "timeout": 5.0, "validate_certs": True}
_ENTRIES = [{"dir": "/srv/a", "port": 8001}, {"dir": "/srv/b"}]
ROWS = {
    "anqicms_" + name: row
    for name, row in {
        "instances": Row(
            [*_same([], _ENTRIES, "discover"), ([{"dir": "/a", "port": "8001"}], [{"dir": "/a", "port": "8001"}])],
            [
                (json.dumps(_ENTRIES), _ENTRIES),
                ("- dir: /srv/a\n  port: 8001\n- {dir: /srv/b}", _ENTRIES),
                (" discover\n", "discover"),
                ("[]", []),
            ],
            None,
            [
                "all",
                "/srv/a",
                7,
                False,
                {"dir": "/a"},
                ["/srv/a"],
                [{}],
                [{"dir": "/a", "prot": 1}],
                "[",
                DATE,
                [None],
                [{"dir": "/a", "port": "x"}],
                [{"dir": "/a", "port": 0}],
                [{"dir": "/a", "sites": []}],
                [{"dir": "/a", "sites": [{}]}],
                [{"dir": "/a", "sites": [{**_SITE, "status": 7}]}],
                [{"dir": "/a", "sites": [{**_SITE, "path": "x"}]}],
                [{"dir": "/a", "sites": [{"host": "a b"}]}],
            ],
        ),
        "only": _words(ID, OTHER, ["shop.example"], "shop.example", "all"),
        "user": _text("www"),
        "run_id": _text("night-7"),
        "state_dir": _text("/var/lib/x"),
        "strict": _flag(False),
        "unreachable": _choice("stop", "skip"),
        "unreachable_fails": _flag(False),
        "accept_hazards": _words("config_missing", "several_processes", ["no_such_hazard"], "no_such_hazard"),
        "only_if_needed": _flag(False),
        "before_window": _HOOKS,
        "after_window": _HOOKS,
        "boot_hook": _flag(True),
        "config": Row(
            _same({"server": {"port": 8002, "env": ""}, "mysql": {"password": None}}, {"own": [], "other": {}}),
            [
                ('{"server": {"port": 8002}}', {"server": {"port": 8002}}),
                ("server: {env: x}\n", {"server": {"env": "x"}}),
            ],
            {},
            [7, 3.1, True, DATE, [], ["server"], "server", "[1]", "{"],
        ),
        "config_remove": _words("server.env", "own"),
        "upgrade_to": Row(_same("3.5.8"), [(" v3.5.8\n", "3.5.8")], None, [*NO_TEXT, 3, False, [], "3.5", "newest"]),
        "releases": Row(
            [
                ({"3.5.8": {"src": "/a.zip"}}, {"3.5.8": {"src": "/a.zip"}}),
                ({"v3.5.8": "/a.zip"}, {"3.5.8": {"src": "/a.zip"}}),
                (
                    {"3.5.8": {"src": "/a", "sha256": "0" * 64, "remote_src": True}},
                    {"3.5.8": {"src": "/a", "sha256": "0" * 64, "remote_src": True}},
                ),
            ],
            [
                ('{"3.5.8": {"src": "/a.zip"}}', {"3.5.8": {"src": "/a.zip"}}),
                ("3.5.8: /a.zip\n", {"3.5.8": {"src": "/a.zip"}}),
            ],
            None,
            [
                7,
                3.1,
                True,
                DATE,
                [],
                {"a": 1},
                {"newest": "/a.zip"},
                {"3.5.8": {}},
                {"3.5.8": {"sha256": "0" * 64}},
                {"3.5.8": {"src": "/a", "sha256": "0"}},
                {"3.5.8": {"src": "/a", "sha": "0"}},
                "3.5.8",
                "{",
            ],
        ),
        "direct": _flag(False),
        "confirm_after_canary": _flag(False),
        "confirmed": _text("night-7"),
        "hop_windows": _flag(False),
        "rollback_run": _text("night-7"),
        "accept_data_loss": _flag(False),
        "client_dir": _text("/www/server/mysql/bin"),
        "database_timeout": _seconds(3600.0),
        "database_method": _choice("dump", "shadow"),
        "stop_timeout": _seconds(30.0),
        "idle_timeout": _seconds(5.0),
        "quiet_timeout": _seconds(120.0),
        "migration_timeout": _seconds(3600.0),
        "force": _choice("idle", "never", "timeout"),
        "release_timeout": _seconds(30.0),
        "ready_timeout": _seconds(120.0),
        "ready_limit": _seconds(900.0),
        "stable_for": _seconds(1.0),
        "log_check": _flag(True),
        "log_ignore": _words(
            "sql_error", "timed? out", ["no_such_code"], "no_such_code", "(", ["a**"], ["a++"], ["a(?>b)"], ["a(?i)b"]
        ),
        "log_fail_on": _choice("error", "warning", "never"),
        "site_check": _flag(None),
        "site_through": _choice("direct", "proxy"),
        "site_proxy": Row(
            [*_same({}, {"address": "10.0.0.1", "port": 443, "scheme": "https"}), ({"port": None}, {})],
            [('{"port": 8080}', {"port": 8080}), ("port: 8080\nscheme: http\n", {"port": 8080, "scheme": "http"})],
            None,
            [
                "10.0.0.1",
                7,
                False,
                [],
                ["a"],
                {"prot": 1},
                {"port": "x"},
                {"port": 70000},
                {"scheme": "ftp"},
                {"address": "a b"},
                DATE,
                "{",
            ],
        ),
        "site_timeout": _seconds(10.0, 0, 0.0, "0"),
        "warm_up": Row(
            [*_same(0, 5, 10000), (5.0, 5)],
            [("5", 5), (" 0 ", 0)],
            0,
            [-1, 10001, 5.5, "many", True, [], {}, [5], "5.5", DATE],
        ),
        "deadline": _seconds(900.0),
        "guardian_limit": _seconds(3600.0),
        "put_aside": Row(
            _same(ID), [(f" {ID}\n", ID)], None, [*NO_TEXT, 7, False, [ID], "shop.example", f"{ID}\n{OTHER}"]
        ),
        "since": Row(
            [
                *_same("2026-01-31T12:00:00", "2026-01-31"),
                (1764230000, "1764230000"),
                (1764230000.25, "1764230000.25"),
                (DATE, "2026-01-31"),
                (datetime.datetime(2026, 1, 31, 10, 30), "2026-01-31T10:30:00"),
            ],
            [(" 2026-01-31 10:00\n", "2026-01-31 10:00"), ("1764230000.25", "1764230000.25")],
            None,
            [630, 37800, "10:30", "yesterday", True, False, [], {}, 20260131, 3.1, "2026-13-01"],
        ),
        "report": _text("/tmp/report"),
        "resume": _text("night-7"),
        "language": Row(
            _same("en", "zh"), [(" zh\n", "zh")], None, ["fr", "EN", "zh_CN", 0, 1, True, False, ["en"], {}, [], DATE]
        ),
        "time_zone": Row(
            _same("Asia/Shanghai", "UTC"),
            [(" Asia/Shanghai\n", "Asia/Shanghai")],
            None,
            [*NO_TEXT, 8, "+08:00", "Mars/Olympus", "/etc/localtime", "../UTC"],
        ),
        "notify": Row(
            [
                ([], []),
                ([_TARGET], [_SENT]),
                ([{**_TARGET, "events": ["failed"]}], [{**_SENT, "events": ["failed"]}]),
                ([{**_TARGET, "events": "failed, lost"}], [{**_SENT, "events": ["failed", "lost"]}]),
                ([{**_TARGET, "timeout": "2.5", "secret": None}], [{**_SENT, "timeout": 2.5}]),
                ([{**_TARGET, "validate_certs": "no"}], [{**_SENT, "validate_certs": False}]),
                ([{**_TARGET, "type": "feishu", "secret": "x"}], [{**_SENT, "type": "feishu", "secret": "x"}]),
            ],
            [(json.dumps([_TARGET]), [_SENT]), ("- type: slack\n  url: https://chat.example/1", [_SENT]), ("[]", [])],
            [],
            [
                7,
                True,
                DATE,
                {},
                "all",
                ["all"],
                [{}],
                [{"type": "slack"}],
                [{**_TARGET, "type": "fax"}],
                [{**_TARGET, "to": "ops"}],
                [{**_TARGET, "url": "chat.example/1"}],
                [{**_TARGET, "url": "file:///etc/passwd"}],
                [{**_TARGET, "url": "https://"}],
                [{**_TARGET, "url": "https://chat.example:0/1"}],
                [{**_TARGET, "url": "https://chat.example:http/1"}],
                [{**_TARGET, "url": "https://[chat.example/1"}],
                [{**_TARGET, "url": "https://chat.example/a b"}],
                [{**_TARGET, "url": ["https://chat.example/1"]}],
                [{**_TARGET, "events": ["never"]}],
                [{**_TARGET, "events": []}],
                [{**_TARGET, "timeout": 0}],
                [{**_TARGET, "timeout": 31}],
                [{**_TARGET, "timeout": "soon"}],
                [{**_TARGET, "validate_certs": "perhaps"}],
                [{**_TARGET, "secret": "no signature there"}],
                [{**_TARGET, "type": "feishu", "secret": ["x"]}],
            ],
        ),
        "notify_event": _choice("finished", "start", "canary", "failed", "lost"),
        "notify_text": _text("All shops are back"),
        "notify_document": Row(
            [({"instances": []}, {"instances": []}), (_RUN, _RUN)],
            [(json.dumps(_RUN), _RUN), ("instances: []\n", {"instances": []})],
            None,
            [
                7,
                3.1,
                True,
                DATE,
                [],
                {},
                "web1",
                "{",
                {"instances": {}},
                {"instances": [{}]},
                {"instances": [{"host": "web1", "outcome": "fine"}]},
                {"web1": "done"},
                {"web1": {ID: {"outcome": "fine"}}},
            ],
        ),
        "collect": _flag(False),
        "collect_dir": _text("/tmp/evidence", "./anqicms-diagnose"),
        "search": _words("/srv/*", "/www/wwwroot/*"),
        "hosts": Row(
            _same("web1", "anqicms:!web2", ["web1", "web2"]),
            [(" web1,web2\n", "web1,web2")],
            "anqicms",
            [7, False, True, [], {}, {"a": 1}, [None], DATE],
        ),
        "serial": Row(
            [*_same([1, "10%", "25%"], ["50%"]), (3, [3]), ("50%", ["50%"])],
            [("1", [1]), ("1,10%", [1, "10%"]), ("1\n10%\n", [1, "10%"]), ("[1, '10%']", [1, "10%"])],
            [1, "10%", "25%"],
            [0, "0", -1, False, True, [], {}, "half", "10 %", [0], [None], 1.5, DATE],
        ),
        "serial_by": Row(
            [({}, {}), *_same({"customer": 1}, {"rack": "50%", "edge": 2})],
            [('{"customer": 1}', {"customer": 1}), ("customer: 1\nrack: 50%\n", {"customer": 1, "rack": "50%"})],
            {},
            [7, 3.1, True, DATE, [], ["a"], "customer", {"a": 0}, {"a": "half"}, {"a": [1, 2]}, {"a": None}, "{"],
        ),
    }.items()
}
ROWS["anqicms_until"] = ROWS["anqicms_since"]
