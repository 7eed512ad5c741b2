# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.json as the application reads it, and the stand-in's own knobs."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple


class InvalidConfig(Exception):
    """The text is what Go's encoding/json says."""


class Mysql(NamedTuple):
    database: str = ""
    user: str = ""
    password: str = ""
    host: str = "127.0.0.1"
    port: int = 3306


class Config(NamedTuple):
    """`installed` is false when there is no (readable) config.json or no database in it: install mode."""

    installed: bool
    port: int
    mysql: Mysql
    raw: dict[str, Any]


# How it hangs. The port of the first four is open, that of the others never.
NOT_ACCEPTED = "not_accepted"  # nobody takes the connections
SILENT = "silent"  # takes them, reads nothing and sends nothing
HELD = "held"  # reads every request and never answers
DRIPPING = "dripping"  # answers byte by byte; the headers never end
NO_PORT = "no_port"  # its connections to the database stay open and idle
ASKING = "asking"  # asks the database without end
HANGS = ("", NOT_ACCEPTED, SILENT, HELD, DRIPPING, NO_PORT, ASKING)


# Points of a migration, in their order, at which it can be stopped. Each is reached by every version that has it.
BEGIN = "begin"  # nothing was changed
TABLES = "tables"  # half of the tables have their new columns
PURGED = "purged"  # soft-deleted rows are gone (3.3.0: archives; 3.5.3: all), the drafts still in place
DRAFTS = "drafts"  # drafts are in both tables
FLAGS = "flags"  # drafts have moved, flags have not
END = "end"  # all is done but the mark, last_run_version
STATISTICS = "statistics"  # 3.3.11: marked; the statistics are copied, and their table is still there
POINTS = ("", BEGIN, TABLES, PURGED, DRAFTS, FLAGS, END, STATISTICS)


class Knobs(NamedTuple):
    """Test-only: read from standin.json beside the binary. Times in milliseconds; 0 or empty: off.

    Those of `migration_…` and `spoils` count at a start that migrates. `when` is no knob but a list of more of them:
    {"version": "3.5.8", "flag": true, "knobs": {…}} for that version only, and with or without `-port` only. So a file
    that lies in the install directory can make the new version fail and spare the old one.
    """

    start_delay_ms: int = 0  # after the signal handler is there and before the port opens
    exit_delay_ms: int = 0  # between the signal's marker and the exit
    migration_ms: int = 0  # least time that a due migration copies rows
    background_copy_ms: int = 0  # least time that the background copy of categories takes
    ignore_sigterm: bool = False
    hang_on_shutdown: bool = False  # closes the port on a signal and never exits
    child: str = ""  # name under source/ of a child that survives, e.g. cwebp_linux_amd64
    crash_after_ms: int = 0  # panic and exit 2, counted from the open port
    exit_code: int = -1  # exits with it instead of opening the port
    no_database: bool = False  # serves one site from memory: for tests that need no MariaDB
    wrong_version: str = ""  # what version/info answers instead of the truth
    limited: bool = False  # the memory limiter is at work: pages answer 429 (3.4.7)
    says: str = ""  # a line in its log at each start, e.g. of a failure that does not end it
    panics_at: str = ""  # a handler that panics: this path answers 500
    redirects: tuple[tuple[str, str], ...] = ()  # path and where it leads to with 301, as in the admin pages
    hangs: str = ""  # one of HANGS
    disabled: bool = False  # site 1 is disabled: every path answers 200 with a page, version/info too
    second_site: str = ""  # host of a further site that is served from memory
    backup_ms: int = 0  # least time that a backup takes
    restore_ms: int = 0  # least time that a restore takes
    dump_lingers_ms: int = 0  # how long the file of a backup stays open after its end (until 3.4.2)
    fulltext: bool = False  # the full-text search is open, without a database; with one it is a setting
    fulltext_ms: int = 0  # time that its dictionary takes
    log_before_port_ms: int = 0  # a line in its log each time, while the port is closed
    log_after_port_ms: int = 0  # the same from the open port on
    statistics_flush_ms: int = 10000  # how long statistics stay in memory (3.5.0)
    migration_site: int = 0  # the site whose migration is meant below; 0: each one's
    migration_fails_at: str = ""  # one of POINTS: it says so in its log, goes on without a mark and serves
    migration_dies_at: str = ""  # one of POINTS: SIGKILL to itself there
    migration_waits_at: str = ""  # one of POINTS: it waits there, with an INSERT … SELECT in the server …
    migration_waits_for: str = ""  # … until there is a file at this path
    spoils: tuple[str, ...] = ()  # statements that are executed before the mark: rows or settings get lost
    crash_after_migration: bool = False  # panic and exit 2 when it is over: before the port, or behind it


def _load(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_knobs(root: str, version: str = "", flag: bool = False) -> Knobs:
    """`flag` is whether it was started with `-port`."""
    try:
        found = _load(os.path.join(root, "standin.json"))
    except FileNotFoundError:
        return Knobs()
    for one in found.pop("when", ()):
        if one.get("version", version) == version and one.get("flag", flag) == flag:
            found.update(one["knobs"])
    knobs = Knobs(**found)
    _one_of("hangs", knobs.hangs, HANGS)
    for name in ("migration_fails_at", "migration_dies_at", "migration_waits_at"):
        _one_of(name, getattr(knobs, name), POINTS)
    return knobs


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"standin.json: {name} is {value!r}, not one of {known}")


def read(root: str) -> Config:
    try:
        with open(os.path.join(root, "config.json"), encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:  # of any kind, as the application does
        return Config(False, 8001, Mysql(), {})
    return parse(text)


def parse(text: str) -> Config:
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise InvalidConfig(_go_syntax_error(text, error)) from None
    if not isinstance(raw, dict):
        raise InvalidConfig(f"json: cannot unmarshal {_go_kind(raw)} into Go value of type config.configData")
    server, mysql = _section(raw, "server"), _section(raw, "mysql")
    port = _number(server, "server", "port") or 8001
    texts = {key: _text(mysql, key) for key in ("database", "user", "password")}
    settings = Mysql(host=_text(mysql, "host") or "127.0.0.1", port=_number(mysql, "mysql", "port") or 3306, **texts)
    return Config(bool(settings.database), port, settings, raw)


def write(root: str, raw: dict[str, Any]) -> None:
    """As the application does: truncate and write, tab-indented, no newline at the end."""
    with open(os.path.join(root, "config.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(raw, indent="\t", ensure_ascii=False))


def _section(raw: dict[str, Any], name: str) -> dict[str, Any]:
    section = raw.get(name) or {}
    if not isinstance(section, dict):
        raise InvalidConfig(_go_type_error(section, name, f"config.{name.title()}Json"))
    return section


def _number(section: dict[str, Any], name: str, key: str) -> int:
    value: object = section.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidConfig(_go_type_error(value, f"{name}.{key}", "int"))
    return value


def _text(section: dict[str, Any], key: str) -> str:
    value: object = section.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidConfig(_go_type_error(value, f"mysql.{key}", "string"))
    return value


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    for kind, name in ((str, "string"), (list, "array"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "null"


def _go_type_error(value: Any, field: str, wanted: str) -> str:
    return f"json: cannot unmarshal {_go_kind(value)} into Go struct field configData.{field} of type {wanted}"


def _go_syntax_error(text: str, error: ValueError) -> str:
    position = getattr(error, "pos", 0)
    unterminated = str(error).startswith("Unterminated")
    if unterminated or not text[position:].strip():
        return "unexpected end of JSON input"
    return f"invalid character '{text[position:].lstrip()[0]}' looking for beginning of value"
