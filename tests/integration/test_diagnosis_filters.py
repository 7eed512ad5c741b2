# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the diagnosis of a fleet says, with answers as hosts give them, hostile ones too."""

from __future__ import annotations

import base64
import os
import stat
import zlib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.anqicms.lifecycle.plugins.filter.diagnosis import diagnosis
from ansible_collections.anqicms.lifecycle.plugins.filter.diagnosis_stats import diagnosis_stats
from ansible_collections.anqicms.lifecycle.plugins.filter.diagnosis_table import diagnosis_table
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _bundle, _diagnosis

Row = dict[str, Any]
EVIL = 'x {{ lookup("pipe", "id") }}\x1b[31m\r\nfine \u202e'
WINDOW = {"since": "2026-01-30T12:00:00+01:00", "until": "2026-01-31T12:00:00+01:00"}


def instance(name: str = "shop", **values: Any) -> Row:
    facts: Row = {
        "id": f"1234abcd-{name}",
        "dir": f"/www/{name}",
        "binary": "anqicms",
        "state": "running",
        "pids": [7],
        "version": {"running": "3.5.8", "files": "3.5.8"},
        "memory": {"rss_kb": 102400, "limit_kb": 524288, "host_total_kb": 2048000},
        "restarts": [],
        "supervisors": [],
        "hazards": [],
    }
    return {**facts, **values}


def death(verdict: str = "no", cause: str = "not_dead", **values: Any) -> Row:
    return {"verdict": verdict, "cause": cause, "summary": f"{verdict} ({cause})", "incidents": [], **WINDOW, **values}


def incident(cause: str, when: str = "2026-01-31T03:12:09.482000+01:00", **values: Any) -> Row:
    return {"verdict": "confirmed", "cause": cause, "time": when, "epoch": 1769825529.482, "pid": 4711, **values}


def log(*findings: Row, **values: Any) -> Row:
    return {"verdict": "ok", "findings": list(findings), "markers": [], "unread": [], **values}


def facts(*told: tuple[Row, Row, Row]) -> Row:
    """What one host registered for each of its instances: instance_info, oom_check, log_check."""
    found = [{"anqicms__listed": {"dir": one["dir"]}, "instances": [one]} for one, *_rest in told]
    return {
        "anqicms__diagnose_found": {"results": found},
        "anqicms__diagnose_deaths": {
            "results": [{"anqicms__index": n, **row} for n, (_one, row, _log) in enumerate(told)]
        },
        "anqicms__diagnose_logs": {"results": [{"anqicms__index": n, **row} for n, (*_rest, row) in enumerate(told)]},
    }


def only(one: Row, row: Row | None = None, said: Row | None = None) -> Row:
    told = (one, death() if row is None else row, log() if said is None else said)
    (record,) = diagnosis({"web1": facts(told)}, ["web1"])
    return record


HAZARD = {"code": "config_world_readable", "severity": "warn", "message": "everybody can read it"}


@pytest.mark.parametrize(
    "urgency, one, row, said",
    [
        ("killed", instance(), death("confirmed", "kernel_oom_cgroup"), log()),
        ("killed", instance(state="stopped"), death("confirmed", "userspace_oom"), log()),
        ("likely killed", instance(), death("likely", "kernel_oom_global"), log()),
        ("crashed", instance(), death("no", "crash"), log()),
        ("crashed", instance(state="stopped"), death("no", "go_runtime_oom"), log()),
        ("crashed", instance(), death("no", "host_panic"), log()),
        ("unknown", instance(), death("unknown", "unexplained"), log()),
        ("unknown", instance(), {"msg": "since: 'x' is no time"}, log()),
        ("unknown", instance(), {}, log()),
        ("unknown", instance(), death(), {"msg": "it could not be told which process it is"}),
        ("unknown", instance(), {"unreachable": True, "msg": "ssh: connection reset"}, {}),
        ("unknown", instance(), death("no", "a cause of later"), log()),
        ("died", instance(), death("no", "unexplained"), log()),
        ("down", instance(state="stopped"), death(), log()),
        ("down", instance(state="undead"), death(), log()),
        ("down", instance(state="ambiguous"), death("no", "admin_stop"), log()),
        ("attention", instance(hazards=[HAZARD]), death(), log()),
        ("attention", instance(), death(), log({"severity": "error", "code": "panic", "text": "p"})),
        ("attention", instance(), death(), log(unread=[{"file": "/x", "why": "it is a FIFO"}])),
        ("restarted", instance(), death("no", "admin_stop"), log()),
        ("restarted", instance(), death("no", "admin_kill"), log()),
        ("restarted", instance(), death("no", "host_reboot"), log()),
        ("fine", instance(hazards=[{**HAZARD, "severity": "info"}]), death(), log()),
    ],
)
def test_urgency(urgency: str, one: Row, row: Row, said: Row) -> None:
    assert only(one, row, said)["urgency"] == urgency


def test_most_urgent_first() -> None:
    rows = [
        (instance("fine"), death(), log()),
        (instance("alive"), death("confirmed", "kernel_oom_global", incidents=[incident("kernel_oom_global")]), log()),
        (instance("down", state="stopped"), death("confirmed", "kernel_oom_global"), log()),
        (instance("unknown"), death("unknown", "unexplained"), log()),
        (instance("likely"), death("likely", "kernel_oom_global"), log()),
        (instance("stopped", state="stopped"), death(), log()),
    ]
    found = diagnosis({"web1": facts(*rows)}, ["web1"])
    assert [record["dir"] for record in found] == [
        f"/www/{name}" for name in ("down", "alive", "likely", "unknown", "stopped", "fine")
    ]
    assert [name for name, _fits in _diagnosis.URGENCY][-1] == "fine"


def test_every_host_is_a_row_whatever_became_of_it() -> None:
    refusing = {"results": [{"anqicms__listed": {"dir": "/www/gone"}, "msg": "/www/gone does not exist."}]}
    hostvars: Row = {
        "well": facts((instance(), death(), log())),
        "away": {
            "anqicms__diagnose_found": {
                "unreachable": True,
                "msg": "All items completed",
                "results": [{"unreachable": True, "msg": "ssh: connect to host away port 22: No route to host"}],
            }
        },
        "early": {},
        "empty": {"anqicms__diagnose_found": {"results": [{"instances": []}]}},
        "broken": {"anqicms__diagnose_found": refusing},
        "hostile": facts((instance("a{{b}}"), death(), log())),
    }
    found = diagnosis(hostvars, list(hostvars))
    urgencies = {record["host"]: record["urgency"] for record in found}
    assert urgencies == {**dict.fromkeys(hostvars, "unknown"), "well": "fine"}
    said = {record["host"]: record["problems"][0] for record in found if record["problems"]}
    assert "No route to host" in said["away"]
    assert "no preflight result" in said["early"]
    assert "no instance was found" in said["empty"]
    assert "/www/gone does not exist" in said["broken"]
    assert "template marks" in said["hostile"]
    table = diagnosis_table(found)
    assert table[-1] == "from 2026-01-30 12:00:00 to 2026-01-31 12:00:00: 5 unknown, 1 fine."
    assert all(any(host in line for line in table) for host in hostvars)


def test_only_some_instances() -> None:
    rows = [(instance("first"), death(), log()), (instance("second"), death("no", "crash"), log())]
    for hostvars, only in (({}, ["1234abcd-second"]), ({"anqicms_only": ["1234abcd-second"]}, [])):
        told = facts(*rows)
        told["anqicms__diagnose_deaths"]["results"] = [{"anqicms__index": 0, **death("no", "crash")}]
        told["anqicms__diagnose_logs"]["results"] = [{"anqicms__index": 0, **log()}]
        (record,) = diagnosis({"web1": {**told, **hostvars}}, ["web1"], only)
        assert (record["dir"], record["urgency"]) == ("/www/second", "crashed")
    (missing,) = diagnosis({"web1": facts(*rows)}, ["web1"], ["none"])
    assert (missing["urgency"], missing["dir"]) == ("unknown", None)


def test_a_row_of_the_table() -> None:
    advice = [f"advice {number}" for number in range(5)]
    memory = {
        "limit_kb": 524288,
        "gomemlimit": "",
        "host_total_kb": 2048000,
        "host_available_kb": 1024000,
        "host_swap_total_kb": 0,
        "host_swap_free_kb": 0,
    }
    guard = {"kind": "cron", "where": "/etc/crontab", "detail": "starts it", "schedule": "@daily", "command": "s.sh"}
    finding = {"severity": "error", "code": "panic", "text": "panic: oh", "count": 3, "time": "2026-01-31 03:00:00"}
    killed = incident("kernel_oom_cgroup", details={"anon_rss_kb": 512000, "file_rss_kb": 2048})
    record = only(
        instance(
            state="stopped",
            memory=memory,
            supervisors=[guard],
            hazards=[HAZARD],
            restarts=[{"pid": 4711, "time": "2026-01-29T08:00:00+01:00"}],
        ),
        death("confirmed", "kernel_oom_cgroup", incidents=[incident("crash"), killed], advice=advice),
        log(finding, markers=[{"code": "process_started", "time": "2026-01-31 03:00:00"}] * 2),
    )
    heading, row, *below = diagnosis_table([record])
    assert heading.split() == ["urgency", "host", "instance", "state", "version", "cause", "died", "starts", "memory"]
    assert row.split() == [
        *("killed", "web1", "/www/shop", "stopped", "3.5.8", "kernel_oom_cgroup", "2026-01-31", "03:12:09", "2"),
        *("502", "MiB", "at", "its", "end"),
    ]
    assert below == [
        "  ! confirmed (kernel_oom_cgroup)",
        (
            "  ! 2 incidents in this time window, the last: 2026-01-31 03:12:09 crash, 2026-01-31 03:12:09 "
            "kernel_oom_cgroup"
        ),
        "  > advice 0",
        "  > advice 1",
        "  > advice 2",
        "    2 more in the report (-e anqicms_report=DIR)",
        "  - log: panic (3 times): panic: oh",
        "  - config_world_readable: everybody can read it",
        "  . cron /etc/crontab: starts it: @daily s.sh",
        "  . memory: limit 512 MiB, GOMEMLIMIT not set, host 1000 of 2000 MiB available, no swap",
        "  . starts found: 2026-01-29 08:00:00 (pid 4711)",
        "from 2026-01-30 12:00:00 to 2026-01-31 12:00:00: 1 killed.",
    ]


def test_the_incident_that_decided_is_told() -> None:
    told = [incident("crash"), incident("crash", pid=8, verdict="no"), incident("userspace_oom", pid=9, verdict="no")]
    assert only(instance(), death("no", "crash", incidents=told))["pid"] == 8
    assert only(instance(), death("no", "not_dead", incidents=told))["pid"] is None


@pytest.mark.parametrize(
    "uncertainty, said",
    [
        (None, ""),
        (100, ""),
        (1999, ""),
        (2000, " ±2 s"),
        (119_000, " ±119 s"),
        (150_000, " ±3 min"),
        (7_200_000, " ±2 h"),
        (27_000_000, " ±8 h"),
    ],
)
def test_time_that_is_not_certain(uncertainty: int | None, said: str) -> None:
    died = incident("unexplained", uncertainty_ms=uncertainty, verdict="no")
    record = only(instance(state="stopped"), death("no", "unexplained", incidents=[died]))
    assert f"2026-01-31 03:12:09{said}  " in diagnosis_table([record])[1]


def test_nothing_stands_below_what_is_fine() -> None:
    table = diagnosis_table([only(instance(supervisors=[{"kind": "cron", "where": "x", "detail": "y"}]))])
    assert [line.split()[0] for line in table] == ["urgency", "fine", "from"]
    assert table[1].endswith("100 of 512 MiB")


def test_what_is_not_seen_stands_there_once_for_all_hosts() -> None:
    missing = {"source": "kmsg", "readable": False, "why_not": "no permission to read /dev/kmsg: run it as root"}
    absent = {"source": "syslog", "readable": False, "why_not": "/var/log/syslog: No such file or directory"}
    no_guard = {**absent, "source": "check.log"}
    row = death("unknown", "unexplained", coverage=[missing, absent, no_guard], advice=["To know more: a long text"])
    hosts = [f"web{number}" for number in range(7)]
    table = diagnosis_table(diagnosis({host: facts((instance(), row, log())) for host in hosts}, hosts))
    assert [line for line in table if "kmsg" in line] == [
        "not seen on web0, web1, web2, web3, web4 and 2 more: kmsg: no permission to read /dev/kmsg: run it as root"
    ]
    assert sum("syslog" in line for line in table) == 1, "where nobody knows, it is said that there is none"
    assert not any("check.log" in line or "To know more" in line for line in table)


def test_files_that_do_not_exist_are_not_missed_where_it_is_known() -> None:
    absent = {"source": "syslog", "readable": False, "why_not": "/var/log/syslog: No such file or directory"}
    table = diagnosis_table([only(instance(), death(coverage=[absent]))])
    assert not any("syslog" in line for line in table)


def test_findings_of_after_the_window_do_not_count() -> None:
    late = {"severity": "error", "code": "panic", "text": "p", "time": "2026-01-31 12:00:01"}
    said = only(instance(), death(), log(late, verdict="error"))["log"]
    assert said == {"verdict": "ok", "findings": [], "unread": []}
    start = {"code": "process_started", "time": "2026-01-31 12:00:01"}
    assert only(instance(), death(), log(markers=[start]))["starts"] == 0


def test_starts_that_were_met_count() -> None:
    met = [{"time": f"2026-01-{day}T13:00:00+01:00"} for day in (29, 30, 30, 31)]
    assert only(instance(restarts=met))["starts"] == 2


def test_hostile_answers_stay_data() -> None:
    evil = {"severity": "error", "code": EVIL, "text": EVIL, "time": None}
    record = only(
        instance(version={"running": EVIL}, supervisors=[{"kind": EVIL, "where": EVIL, "detail": EVIL}]),
        death(
            "confirmed",
            "kernel_oom_cgroup",
            summary=EVIL,
            advice=[EVIL],
            coverage=[{"source": EVIL, "readable": False, "why_not": EVIL}],
        ),
        log(evil, unread=[{"file": EVIL, "why": EVIL}]),
    )
    text = "\n".join(diagnosis_table([record]))
    assert not any(mark in text for mark in ("{{", "\x1b", "\r", "\u202e", "x fine"))
    assert len(text.splitlines()) < 15


def test_stats_are_short_and_by_host_and_id() -> None:
    told = incident("kernel_oom_cgroup", evidence=[{"text": "line"}])
    killed = death("confirmed", "kernel_oom_cgroup", incidents=[told])
    hostvars = {"web1": facts((instance(), killed, log())), "web2": {}}
    stats = diagnosis_stats(diagnosis(hostvars, ["web1", "web2"]))
    short = stats["web1"]["1234abcd-shop"]
    assert (short["urgency"], short["pid"], short["starts"]) == ("killed", 4711, 0)
    assert "line" not in str(stats)
    assert stats["web2"]["-"]["urgency"] == "unknown"


# --- what is written on the controller


def part(name: str, data: bytes = b"data", **values: Any) -> Row:
    return {"name": name, "data": base64.b64encode(zlib.compress(data)).decode(), "cut": 0, "why_not": None, **values}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_bundle_is_private_and_can_be_written_again(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        path = Path(_bundle.place(str(tmp_path / "a" / "b"), "web1", "1234abcd-shop.example"))
        _bundle.write(str(path), [part("running.log"), part("check.log")])
        (path / "running.log").chmod(0o644)
        rows = _bundle.write(str(path), [part("running.log", b"later", cut=7), part("check.log", b"", why_not="\x1b")])
    finally:
        os.umask(umask)
    assert {mode(path), mode(path.parent), mode(tmp_path / "a")} == {0o700}
    assert [entry.name for entry in path.iterdir()] == ["running.log"]
    assert mode(path / "running.log") == 0o600 and (path / "running.log").read_bytes() == b"later"
    assert rows == [
        {"name": "running.log", "bytes": 5, "cut": 7, "why_not": None},
        {"name": "check.log", "bytes": 0, "cut": 0, "why_not": "\\x1b"},
    ]


def test_a_link_in_the_bundle_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "running.log").symlink_to(tmp_path / "mine")
    _bundle.write(str(tmp_path), [part("running.log")])
    assert (tmp_path / "mine").read_text() == "mine" and not (tmp_path / "running.log").is_symlink()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", "running.log/..", ".bashrc", None, 7])
def test_other_names_are_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(_bundle.Refused, match="sent a file named"):
        _bundle.write(str(tmp_path), [part("running.log") | {"name": name}])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "host, instance_id",
    [
        ("../x", "1234abcd-a"),
        ("", "1234abcd-a"),
        (".", "1234abcd-a"),
        ("a/b", "1234abcd-a"),
        ("a\nb", "1234abcd-a"),
        ("web1", "../../x"),
        ("web1", ""),
        ("web1", "1234abcd-a/../b"),
        ("web1", "None"),
        ("web1", "1234abcd-a\n"),
    ],
)
def test_other_places_are_refused(host: str, instance_id: str) -> None:
    with pytest.raises(_bundle.Refused):
        _bundle.place("/tmp/x", host, instance_id)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "no base64!",
        base64.b64encode(b"no zlib").decode(),
        base64.b64encode(zlib.compress(b"x" * (17 << 20))).decode(),
        base64.b64encode(zlib.compress(os.urandom(999))[:-9]).decode(),
    ],
    ids=["empty", "base64", "zlib", "bomb", "cut"],
)
def test_what_cannot_be_unpacked_is_refused(data: str) -> None:
    with pytest.raises(_bundle.Refused):
        _bundle.unpack({"name": "running.log", "data": data})
