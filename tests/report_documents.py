# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents of runs and of a diagnosis, as the collection makes them, for the tests of reports."""

from __future__ import annotations

import sys
from typing import Any

import paths

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _diagnosis
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import diagnosis_view
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document

Row = dict[str, Any]
BEGAN = 1764230400.0  # 2025-11-27 08:00:00 UTC
# What a script would do is seen in the document.
SCRIPT = "document.documentElement.dataset.evil=1"
EVIL = f"</title><script>{SCRIPT}</script>\"'><img src=x onerror={SCRIPT}>&amp;{{{{ 7*7 }}}}\u202e\x1b[31m\n\\end"
_SITES = ("shop", "blog", "news", "docs", "forum", "media", "store", "wiki", "jobs", "events", "press", "labs")


def steps(start_ms: int, extra: str = "", failed: str = "") -> list[Row]:
    """Those of a window whose process takes so long to start."""
    lasts = {"graceful_stop": 130, "port_released": 6, extra: 420, "verified_start": start_ms, "log_check": 24}
    found: list[Row] = []
    at = 60
    for name, length in {**lasts, "site_check": 210}.items():
        if not name:
            continue
        step = {"name": name, "started_ms": at, "ended_ms": at + length, "changed": name != "log_check"}
        found.append({**step, "ok": name != failed})
        at += length
        if name == failed:
            break
    return found


def record(host: str, name: str, began: float, start_ms: int = 1100, **values: Any) -> Row:
    done = values.pop("steps", None) or steps(start_ms)
    return {
        "run_id": "run",
        "host": host,
        "id": f"0a1b2c3d-{name}.example",
        "dir": f"/www/wwwroot/{name}.example",
        "version": "3.5.8",
        "version_before": "3.5.8",
        "outcome": "done",
        "failed": False,
        "changed": True,
        "pid_before": 4100,
        "pid_after": 5200,
        "state": "running",
        "began_at": began,
        "ended_at": began + done[-1]["ended_ms"] / 1000 + 0.05,
        "downtime_ms": start_ms - 700,
        "verified_ms": start_ms + 300,
        "steps": done,
        "findings": [],
        "sites": [{"host": f"{name}.example", "ok": True, "reason": "ok", "identity": "id"}],
        "pages": [],
        "notes": [],
        "hops": [],
        "reason": "graceful",
        **values,
    }


def planned(record: Row, **values: Any) -> document.Planned:
    known = {key: record[key] for key in ("host", "id", "dir")}
    return document.Planned(**known, version=record["version_before"], state="running", **values)


def good(count: int = 12, verb: str = "restart", **values: Any) -> Row:
    """A roll of three batches in which all went well."""
    records = []
    at = BEGAN + 8
    for number in range(count):
        start_ms = 1000 + 170 * (number * 7 % 5)
        host = f"web{number // 2 + 1}.example"
        records.append(record(host, _SITES[number % len(_SITES)], at, start_ms, **values))
        at += 0.4 if number % 4 in (1, 2) else 1.9
    head = document.Head("20251127T080000Z-5b1e90", verb, began_at=BEGAN, ended_at=at + 6)
    return document.make(head, [planned(one) for one in records], records)


def upgraded() -> Row:
    hops = [
        {"from": "2.5.3", "version": "3.3.11", "run_id": "a", "outcome": "done", "downtime_ms": 2100, "verified_ms": 1},
        {"from": "3.3.11", "version": "3.5.8", "run_id": "b", "outcome": "done", "downtime_ms": 1400, "verified_ms": 1},
    ]
    return good(4, "upgrade", version_before="3.3.11", steps=steps(1500, "database"), hops=hops)


FINDING = {
    "severity": "error",
    "code": "database_unreachable",
    "text": "Failed To Connect Database:  dial tcp 127.0.0.1:3306: connect: connection refused",
    "count": 3,
}


def bad() -> Row:
    """A roll that stopped: done, rolled back, failed, lost, left out, not touched."""
    at = BEGAN + 5
    worked = [
        record("web1.example", "shop", at),
        record("web1.example", "blog", at + 2.4, 1400, pages=[{**FINDING, "code": "page_5xx", "severity": "warning"}]),
        record(
            "web2.example",
            "news",
            at + 5,
            steps=steps(900, "config", failed="verified_start"),
            outcome="rolled_back",
            failed=True,
            findings=[FINDING],
            reason="Run the window: step verified_start: the process ended with exit code 1 before it was ready.",
        ),
        record(
            "web3.example",
            "docs",
            at + 5.2,
            steps=steps(2400, failed="site_check"),
            outcome="failed",
            failed=True,
            downtime_ms=None,
            verified_ms=None,
            sites=[{"host": "docs.example", "ok": False, "reason": "status 502", "identity": None}],
            reason="Run the window: step site_check: docs.example answered with status 502.",
        ),
        record("web4.example", "forum", 0, outcome="lost", failed=True, reason="connection lost"),
    ]
    worked[-1].update(began_at=None, ended_at=None, steps=[], downtime_ms=None, verified_ms=None, pid_after=None)
    rest = [record(f"web{number}.example", _SITES[number], 0) for number in range(5, 11)]
    plan = [planned(one) for one in worked + rest[:4]]
    plan += [planned(rest[4], why="limit"), document.Planned("web11.example", why="unreachable", reason="No route")]
    head = document.Head("20251127T080000Z-0c44d1", "configure", began_at=BEGAN, ended_at=BEGAN + 20, ended="failed")
    sent = ({"type": "dingtalk", "event": "failed", "ok": False, "reason": "no answer within 5 s"},)
    head = head._replace(notifications=sent)
    return document.make(head, plan, worked)


def plan_only() -> Row:
    found = good(3)
    records = [
        {**row, "outcome": "planned", "steps": [], "began_at": None, "downtime_ms": None} for row in found["instances"]
    ]
    head = document.Head("20251127T080000Z-77aa01", "restart", True, BEGAN, BEGAN + 4)
    return document.make(head, [], records)


def hostile() -> Row:
    """Every text that a host, a log or a person gives is hostile."""
    one = record(EVIL, "x", BEGAN, dir=f"/www/{EVIL}", version=EVIL, version_before=EVIL, state=EVIL, notes=[EVIL])
    one.update(id=EVIL, reason=EVIL, outcome="failed", failed=True)
    one["findings"] = [dict.fromkeys(("severity", "code", "text", "file", "time", "meaning", "advice"), EVIL)]
    one["pages"], one["sites"] = one["findings"], [{"host": EVIL, "ok": False, "reason": EVIL, "identity": None}]
    one["steps"] = [{"name": EVIL, "started_ms": 0, "ended_ms": 500, "ok": False}]
    one["hops"] = [{"from": EVIL, "version": EVIL, "outcome": EVIL, "downtime_ms": 1}]
    away = document.Planned(EVIL, EVIL, EVIL, EVIL, EVIL, "only", EVIL)
    sent = ({"type": EVIL, "event": EVIL, "ok": False, "reason": EVIL},)
    head = document.Head(EVIL, "restart", False, BEGAN, BEGAN + 2, "failed", EVIL, EVIL, EVIL, sent)
    return document.make(head, [planned(one), away, away._replace(id="2", why="")], [one])


# --- a diagnosis


def diagnosed(*records: Row) -> Row:
    return diagnosis_view.document("20251127T080000Z-d1a600", records or sick(), BEGAN)


def sick() -> list[Row]:
    """One killed for memory, one that panicked, one with errors in its log, one that is fine, one out of reach."""
    killed = incident("kernel_oom_cgroup", "confirmed", "2025-11-27T03:12:09.482000+00:00", KERNEL_LINE)
    earlier = incident("kernel_oom_cgroup", "confirmed", "2025-11-26T22:40:51.020000+00:00", KERNEL_LINE)
    panic = incident("crash", "no", "2025-11-27T06:01:00+00:00", "panic: runtime error: index out of range [3]")
    facts = {
        "web1.example": registered(
            ("shop", {"state": "stopped"}, death("confirmed", "kernel_oom_cgroup", earlier, killed), []),
            ("blog", {}, death("no", "crash", panic), []),
            ("news", {}, death("no", "not_dead"), [FINDING]),
            ("docs", {}, death("no", "not_dead"), []),
        ),
        "web9.example": {
            "anqicms__diagnose_found": {
                "unreachable": True,
                "msg": "ssh: connect to host web9 port 22: No route to host",
            }
        },
    }
    return _diagnosis.records(facts, list(facts))


def hostile_diagnosis() -> Row:
    """Every text that a host, a log or a person gives is hostile."""
    (one, *_rest) = sick()
    for key in ("host", "id", "dir", "version", "state", "summary", "cause", "bundle"):
        one[key] = EVIL
    finding = dict.fromkeys(("severity", "code", "text", "file", "line", "time", "meaning", "advice"), EVIL)
    one["log"], one["problems"], one["advice"], one["notes"] = {"findings": [finding]}, [EVIL], [EVIL], [EVIL]
    one["hazards"] = [{"severity": "warn", "code": EVIL, "message": EVIL, "advice": EVIL}]
    for died in one["incidents"]:
        died.update(dict.fromkeys(("time", "cause", "identity"), EVIL))
        died["evidence"] = [dict.fromkeys(("text", "file", "line"), EVIL)]
    return {**diagnosed(one), "run_id": EVIL}


KERNEL_LINE = (
    "Memory cgroup out of memory: Killed process 4711 (anqicms) total-vm:1048576kB, anon-rss:523112kB, file-rss:2048kB"
)
_ADVICE = (
    "Its control group reached its limit of 512 MiB, the host did not run out of memory. It had 510 MiB when it was "
    "killed. Raise the limit (MemoryMax= of the unit), or lower what it takes."
)


def incident(cause: str, verdict: str, time: str, text: str) -> Row:
    return {
        "cause": cause,
        "verdict": verdict,
        "time": time,
        "epoch": diagnosis_view._epoch(time),
        "uncertainty_ms": 100,
        "pid": 4711,
        "identity": "pid 4711 is in the process history of this instance",
        "details": {"anon_rss_kb": 523112},
        "evidence": [{"source": "kmsg", "file": "/var/log/kern.log", "line": 2207, "text": text}],
    }


def death(verdict: str, cause: str, *incidents: Row) -> Row:
    said = "" if cause == "not_dead" else f" pid 4711 at {incidents[-1]['time']}: {incidents[-1]['identity']}"
    return {
        "verdict": verdict,
        "cause": cause,
        "summary": f"{verdict} ({cause}){said}",
        "since": "2025-11-26T08:00:00+00:00",
        "until": "2025-11-27T08:00:00+00:00",
        "incidents": list(incidents),
        "advice": [_ADVICE] if verdict == "confirmed" else [],
    }


def registered(*told: tuple[str, Row, Row, list[Row]]) -> Row:
    """What one host registered for each of its instances."""
    found, deaths, logs = [], [], []
    for number, (name, values, died, findings) in enumerate(told):
        one = {
            "id": f"0a1b2c3d-{name}.example",
            "dir": f"/www/wwwroot/{name}.example",
            "binary": "anqicms",
            "state": "running",
            "pids": [4711],
            "version": {"running": "3.5.8"},
            "memory": {"rss_kb": 182400, "limit_kb": 524288},
            **values,
        }
        if one["state"] == "stopped":
            one["memory"] = None
        found.append({"anqicms__listed": {"dir": one["dir"]}, "instances": [one]})
        deaths.append({"anqicms__index": number, **died})
        logs.append({"anqicms__index": number, "verdict": "ok", "findings": findings, "markers": [], "unread": []})
    return {
        "anqicms__diagnose_found": {"results": found},
        "anqicms__diagnose_deaths": {"results": deaths},
        "anqicms__diagnose_logs": {"results": logs},
    }
