# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deaths as check.log, running.log and the kernel's log of one noon tell them, and what oom_check says of them.

Cases that need a journal, a ring, counters or a process history are in test_oom_sources.py.
"""

from __future__ import annotations

import gzip
import os
import re
import time
from pathlib import Path

import kernel_lines
import pytest
from integration.noon import KILLED, SIZES, Noon, guard, kern, local, running, write

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import rows
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Event
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Other

IN_GROUP = f"Memory cgroup out of memory: Killed process 4711 (anqicms) {SIZES}"
INTENT = "Out of memory: Kill process 4711 (anqicms) score 651 or sacrifice child"
CHILD = f"Killed process 4712 (cwebp) {SIZES}"
CHOSEN = (
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,"
    "task=anqicms,pid=4711,uid=0"
)
LIMITED = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/web,"
    "task_memcg=/web/shop,task=anqicms,pid=4711,uid=0"
)
SEGFAULT = "anqicms[4711]: segfault at 0 ip 0000000000401136 sp 00007ffd error 6 in anqicms[401000+1000]"
SKIPPED = "Out of memory: OOM victim 4711 (anqicms) is already exiting. Skip killing the task"
BOOT = "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)"
FELL = ("12:01:01", "0")
AGAIN = "12:01:02"
DUMP = ["", "goroutine 7 [running]:", "main.main()", AGAIN]


@pytest.fixture
def noon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Noon:
    return Noon(tmp_path, monkeypatch)


# fmt: off
CASES = [
    ("memory_of_the_host", kern(("12:00:20", KILLED)), guard(FELL), [AGAIN], "confirmed", "kernel_oom_global"),
    ("memory_of_its_group", kern(("12:00:20", LIMITED), ("12:00:20", IN_GROUP)), guard(FELL), [AGAIN], "confirmed",
     "kernel_oom_cgroup"),
    ("only_the_bare_line", kern(("12:00:20", KILLED.partition(": ")[2])), guard(FELL), [AGAIN], "confirmed",
     "kernel_oom_global"),
    ("the_line_of_the_kill_is_lost", kern(
        ("12:00:20", CHOSEN),
        ("12:00:21", "oom_reaper: reaped process 4711 (anqicms), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB")),
     guard(FELL), [AGAIN], "confirmed", "kernel_oom_global"),
    ("a_child", kern(("12:00:20", INTENT), ("12:00:20", CHILD)), guard(), [], "no", "unexplained"),
    ("a_child_and_later_a_script", kern(("12:00:20", INTENT), ("12:00:20", CHILD)),
     guard(("12:10:30", "4711"), ("12:11:01", "0")), ["12:11:02"], "no", "admin_kill"),
    ("a_kill_before_the_window", kern(("00:30:00", KILLED)), guard(), [], "no", "unexplained"),
    ("a_stop_by_a_script", kern(), guard(("12:00:30", "4711"), FELL), [AGAIN], "no", "admin_kill"),
    ("a_new_script_that_prints_nothing", kern(), None, [AGAIN], "no", "unexplained"),
    ("a_signal_without_a_killer_in_a_log", kern(), guard(FELL), ["退出 terminated", "监听到退出信号", AGAIN], "no",
     "admin_stop"),
    ("go_has_no_memory", kern(), guard(FELL), ["fatal error: runtime: out of memory", *DUMP], "no", "go_runtime_oom"),
    ("a_panic", kern(), guard(FELL), ["panic: assignment to entry in nil map", *DUMP], "no", "crash"),
    ("concurrent_map_writes", kern(), guard(FELL), ["fatal error: concurrent map writes", *DUMP], "no", "crash"),
    ("a_segfault", kern(("12:00:20", SEGFAULT)), guard(FELL), [AGAIN], "no", "crash"),
    ("a_boot", kern(("12:01:00", BOOT)), guard(FELL), ["12:01:30"], "no", "host_reboot"),
    ("a_panic_of_the_kernel", kern(
        ("12:00:20", "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled"),
        ("12:01:00", BOOT)), guard(FELL), ["12:01:30"], "no", "host_panic"),
    ("no_log_of_the_kernel", "", guard(FELL), [AGAIN], "unknown", "unexplained"),
    ("already_exiting", kern(("12:00:20", SKIPPED)), guard(), [], "no", "unexplained"),
    ("would_have_been_killed", kern(("12:00:20", "Would have killed process 4711 (anqicms). But continuing instead.")),
     guard(), [], "no", "unexplained"),
    ("allocation_failure", kern(("12:00:20", "anqicms: page allocation failure: order:4, mode:0x40c0")), guard(),
     [], "no", "unexplained"),
    ("only_invoked", kern(("12:00:20", "anqicms invoked oom-killer: gfp_mask=0x0, order=0")), guard(), [],
     "unknown", "unexplained"),
    ("nobody_to_kill", kern(("12:00:20", "anqicms invoked oom-killer: gfp_mask=0x0, order=0"),
                            ("12:00:20", "Out of memory and no killable processes...")), guard(), [], "no",
     "unexplained"),
    ("invoked_and_it_ended_then", kern(("12:00:20", "anqicms invoked oom-killer: gfp_mask=0x0, order=0")),
     guard(FELL), [AGAIN], "unknown", "unexplained"),
    ("invoked_and_it_ended_an_hour_later", kern(("11:00:20", "anqicms invoked oom-killer: gfp_mask=0x0, order=0")),
     guard(FELL), [AGAIN], "no", "unexplained"),
    ("chosen_and_no_victim", kern(("12:00:20", INTENT.replace("4711", "99").replace("anqicms", "mysqld"))),
     guard(FELL), [AGAIN], "unknown", "unexplained"),
    ("three_of_the_guard_are_usual", kern(("12:00:20", KILLED)), guard(("12:01:01", "2"), usual="3"), None,
     "confirmed", "kernel_oom_global"),
    ("a_count_that_never_falls_is_no_sign_of_life", "", guard(usual="3"), None, "unknown", "unexplained"),
    ("no_log_of_the_guard", kern(("12:00:20", KILLED)), None, [AGAIN], "confirmed", "kernel_oom_global"),
    ("a_corrupt_log_of_the_guard", kern(("12:00:20", KILLED)), "\0" * 4096 + guard(FELL) + "\r\n2026013\n",
     [AGAIN], "confirmed", "kernel_oom_global"),
    ("a_log_of_the_guard_with_crlf", kern(("12:00:20", KILLED)), guard(FELL).replace("\n", "\r\n"), [AGAIN],
     "confirmed", "kernel_oom_global"),
    ("a_clock_that_goes_back", kern(("12:00:20", KILLED)), guard(FELL) + guard(), [AGAIN], "confirmed",
     "kernel_oom_global"),
    ("a_kill_of_the_database", kern(("12:00:20", KILLED.replace("anqicms", "mysqld"))), guard(FELL), [AGAIN], "no",
     "unexplained"),
    ("a_kill_of_the_database_and_then_a_signal", kern(("12:00:20", KILLED.replace("anqicms", "mysqld"))), guard(FELL),
     ["退出 terminated", "监听到退出信号", AGAIN], "no", "admin_stop"),
    ("killed_in_its_first_minute", kern(("12:00:20", KILLED)), guard(FELL, ("12:02:01", "0")),
     ["12:00:05", "12:02:02"], "confirmed", "kernel_oom_global"),
]
# fmt: on


@pytest.mark.parametrize("kernel, guards, lines, verdict, cause", [one[1:] for one in CASES], ids=[c[0] for c in CASES])
def test_a_death(
    noon: Noon, kernel: str, guards: str | None, lines: list[str] | None, verdict: str, cause: str
) -> None:
    noon.tell(kernel, guards, None if lines is None else running(noon.dir, *lines))
    found = noon.check()
    assert (found["verdict"], found["cause"]) == (verdict, cause), found
    if verdict == "confirmed":
        (killed,) = [incident for incident in found["incidents"] if incident["verdict"] == "confirmed"]
        assert killed["pid"] == 4711
        assert "kern.log" in {row["source"] for row in killed["evidence"]}
        assert len(found["incidents"]) == (1 if lines is None else sum(line[2:3] == ":" for line in lines)), found


def test_a_kill_at_a_limit_names_both_groups(noon: Noon) -> None:
    noon.tell(kern(("12:00:20", LIMITED), ("12:00:20", IN_GROUP)), guard(FELL), running(noon.dir, AGAIN))
    (incident,) = noon.check()["incidents"]
    assert (incident["scope"], incident["cgroup"], incident["details"]["oom_memcg"]) == ("cgroup", "/web/shop", "/web")
    assert {row["source"] for row in incident["evidence"]} == {"kern.log", "check.log", "running.log"}


# --- every form of the kernel's lines, behind every prefix, as the only evidence


def dated(text: bytes) -> bytes:
    """The lines of the tables are of a day in July 2026, which may be to come: a year earlier."""
    return text.replace(b"2026", b"2025").replace(b"1783872554", b"1752336554")


def check_form(noon: Noon, form: str, prefix: str) -> None:
    said, before = kernel_lines.FORMS[form], kernel_lines.PREFIXES[prefix]
    comm = said.comm or b"anqicms"
    lines = [
        text.replace(b"(%s)" % comm, b"(anqicms)")
        .replace(b"task=%s," % comm, b"task=anqicms,")
        .replace(b"%s[" % comm, b"anqicms[")
        .replace(b"%s: " % comm, b"anqicms: ")
        .replace(b"'%s'" % comm, b"'anqicms'")
        for text in said.lines
    ]
    kernel = b"".join(dated(before.prefix) + line + b"\n" for line in lines)
    day = "2025-07-02" if prefix == "syslog day below 10" else "2025-07-12"
    if before.stamp is None:  # seconds since a boot, or nothing: a file does not say when that was
        kernel = b"".join(b"Jul 12 16:09:14 web1 kernel: " + line + b"\n" for line in lines)
        kernel = kernel if prefix == "bare" else b"".join(before.prefix + line + b"\n" for line in lines)
    slashed = day.replace("-", "/")
    around = b"Jul %2d %%s web1 kernel: eth0\n" % int(day[-2:])
    write(noon.root / "kern.log", around % b"10:00:00" + kernel + around % b"22:00:00", "22:00:01", day)
    own = f"{slashed} 09:00:00 {noon.dir}/\nNow listening on: http://localhost:8001\n{slashed} 16:09:10 a line\n"
    if said.kind == kernel_lines.KILL:
        own += f"{slashed} 16:10:00 {noon.dir}/\nNow listening on: http://localhost:8001\n"
    write(noon.dir / "running.log", own + f"{slashed} 22:00:00 a line\n", "22:00:01", day)
    found = noon.check(since=f"{day}T12:00:00", until=f"{day}T21:00:00")
    has_time = before.stamp is not None or prefix == "bare"
    if said.kind == kernel_lines.KILL and said.pid is not None:
        assert found["verdict"] == ("confirmed" if has_time else "likely"), found
        scope = "kernel_oom_cgroup" if said.scope == "cgroup" else "kernel_oom_global"
        killed = [incident for incident in found["incidents"] if incident["verdict"] == found["verdict"]]
        assert [(incident["cause"], incident["pid"]) for incident in killed] == [(scope, said.pid)], found
    elif said.kind == kernel_lines.KILL:  # without a pid: nobody is named, or a program of another name
        assert found["verdict"] == ("likely" if said.comm is None else "no"), found
    elif said.kind == kernel_lines.INTENT or said.details.get("reason") == "invoked":
        assert found["verdict"] == "unknown", found  # what came of it is not told
    else:
        assert found["verdict"] == "no", found


@pytest.mark.parametrize("form", sorted(kernel_lines.FORMS))
def test_every_wording_of_the_kernel_is_judged(noon: Noon, utc: None, form: str) -> None:
    for prefix in ("bare", "syslog printk", "RFC 3339"):
        check_form(noon, form, prefix)


@pytest.mark.parametrize("prefix", sorted(kernel_lines.PREFIXES))
def test_a_kill_is_found_behind_every_prefix(noon: Noon, utc: None, prefix: str) -> None:
    for form in ("EL6", "5.0 memcg", "5.4", "2.6.36 intent"):
        check_form(noon, form, prefix)


# --- what a log does not have, or says in words and at times that nobody knows

OTHERS = "Jan 31 12:00:20 web1 %s\n"
LOST = {
    "journald": "systemd-journald[412]: Missed 2034 kernel messages",
    "the kernel's log": "kernel: [1.5] systemd-journald[381]: /dev/kmsg buffer overrun, some messages lost.",
    "imjournal": "rsyslogd: imjournal: 84667 messages lost due to rate-limiting (20000 allowed within 600 seconds)",
    "imjournal begins": "rsyslogd-2177: imjournal: begin to drop messages due to rate-limiting",
    "rsyslog": "rsyslogd: main Q: 12 messages lost",
    "a burst": "kernel: [641.2] oom_kill_process: 132 callbacks suppressed",
    "other words": "kernel: [1.5] Out of memory: Slain process 4711 (anqicms)",
    "words of a vendor": "kernel: VENDOR OOM killing anqicms",
}


@pytest.mark.parametrize("text", LOST.values(), ids=list(LOST))
def test_a_log_that_lacks_something_then_excludes_nothing(noon: Noon, text: str) -> None:
    noon.tell(kern().replace("\n", "\n" + OTHERS % text, 1), guard(FELL), running(noon.dir, AGAIN))
    found = noon.check()
    assert (found["verdict"], found["cause"]) == ("unknown", "unexplained"), found
    (row,) = [row for row in found["coverage"] if row["source"] == "kern.log"]
    assert not row["complete"] and text in row["why_not"], row
    assert text in found["summary"], found["summary"]
    later = running(noon.dir, AGAIN).replace(AGAIN, "14:30:00")
    noon.tell(
        kern().replace("\n", "\n" + OTHERS % text, 1),
        guard(("14:30:01", "0")),
        later.replace("2026/01/31 13:00:00 google-status 200\n", "") + "2026/01/31 16:00:00 a line\n",
    )
    assert noon.check(since="2026-01-31T13:30:00", until="2026-01-31T15:30:00")["verdict"] == "no"


@pytest.mark.parametrize(
    "text",
    [
        "shop[7]: Missed 2034 kernel messages",
        "shop: Out of memory: Slain process 4711 (x)",
        f"shop[12]: kernel: {KILLED}",
        f"shop: Jan 31 12:00:20 web1 kernel: {KILLED}",
    ],
)
def test_what_another_tenant_logs_is_not_the_kernels(noon: Noon, text: str) -> None:
    noon.tell(kern().replace("\n", "\n" + OTHERS % text, 1), guard(FELL), running(noon.dir, AGAIN))
    found = noon.check()
    assert (found["verdict"], found["cause"]) == ("no", "unexplained"), found


@pytest.mark.parametrize(
    "stamp", ["@@12h00@@ web1 kernel: ", "Jan 31 12:00:20 QQT web1 kernel: ", "12:00:20.5 kernel: "]
)
def test_a_time_that_is_not_understood_is_not_said_to_be_another(noon: Noon, stamp: str) -> None:
    noon.tell(
        "".join(f"{stamp}{text}\n" for text in ("eth0: up", KILLED, "eth0: down")),
        guard(FELL),
        running(noon.dir, AGAIN),
    )
    found = noon.check()
    assert (found["verdict"], found["cause"]) == ("unknown", "unexplained"), found
    (row,) = [row for row in found["coverage"] if row["source"] == "kern.log"]
    assert "cannot be parsed" in row["why_not"] and stamp in row["why_not"], row


def test_a_boot_without_a_time_is_no_reboot_of_the_window(noon: Noon) -> None:
    noon.tell(kern().replace("\n", f"\n{BOOT}\n", 1), guard(FELL), running(noon.dir, AGAIN))
    assert noon.check()["cause"] == "unexplained"


EARLYOOM = 'earlyoom[7]: sending %s to process 4711 uid 0 "anqicms": badness 9, VmRSS 10 MiB'
FAILED = ("earlyoom[7]: process 4711 did not exit", "earlyoom[7]: kill failed: Timer expired")


@pytest.mark.parametrize(
    "texts, verdict",
    [
        ((EARLYOOM % "SIGTERM", *FAILED), "no"),
        (
            (EARLYOOM % "SIGTERM", *FAILED, EARLYOOM % "SIGKILL", "earlyoom[7]: process 4711 exited after 0.3 seconds"),
            "likely",
        ),
    ],
)
def test_a_kill_by_earlyoom_that_failed_is_none(noon: Noon, texts: tuple[str, ...], verdict: str) -> None:
    lines = "".join(f"Jan 31 12:00:2{number} web1 {text}\n" for number, text in enumerate(texts))
    noon.tell(kern().replace("\n", "\n" + lines, 1), guard(FELL), running(noon.dir, AGAIN))
    assert noon.check()["verdict"] == verdict


def test_nuls_before_the_line_of_a_kill(noon: Noon) -> None:
    rows = kern(("12:00:20", KILLED)).split("\n")
    noon.tell("\n".join([rows[0], "\0" * 70000 + rows[1], *rows[2:]]), guard(FELL), running(noon.dir, AGAIN))
    assert noon.check()["verdict"] == "confirmed"


# --- several things in one log


def test_without_a_history_the_other_instance_is_a_candidate(noon: Noon) -> None:
    noon.others(Other("1a2b3c4d-blog.example", None, None, None))
    noon.tell(kern(("12:00:20", KILLED)), guard(FELL), running(noon.dir, AGAIN))
    found = noon.check()
    assert (found["verdict"], found["incidents"][0]["candidates"]) == ("likely", ["1a2b3c4d-blog.example"])


def test_a_long_name_is_known_by_its_first_15_characters(noon: Noon) -> None:
    noon.binary = "anqicms-production-site-7"
    noon.tell(kern(("12:00:20", KILLED.replace("anqicms", "anqicms-product"))), guard(FELL), running(noon.dir, AGAIN))
    found = noon.check()
    assert (found["verdict"], found["incidents"][0]["process"]) == ("confirmed", "anqicms-product")
    noon.tell(kern(("12:00:20", KILLED)))
    assert noon.check()["verdict"] == "no", "anqicms is another name"


@pytest.mark.parametrize("name", [b"a) total-vm:1", b"a\\x0ab", b"a#012b", b"\xff\xfe", b"\\xff\\xfe", b")", b"(("])
def test_a_kill_of_a_process_with_an_odd_name_is_not_its_own(noon: Noon, name: bytes) -> None:
    other = kern(("12:00:10", KILLED.replace("4711", "900"))).encode().replace(b"(anqicms)", b"(%s)" % name)
    noon.tell(other + kern(("12:00:20", KILLED)).encode(), guard(FELL), running(noon.dir, AGAIN))
    found = noon.check()
    assert (found["verdict"], [incident["pid"] for incident in found["incidents"]]) == ("confirmed", [4711])
    assert [kill["pid"] for kill in found["other_kills"]] == [900]


def test_a_kill_of_an_instance_with_an_odd_name_is_found(noon: Noon) -> None:
    noon.binary = "a) total-vm:1"
    noon.tell(kern(("12:00:20", KILLED.replace("anqicms", noon.binary))), guard(FELL), running(noon.dir, AGAIN))
    found = noon.check()
    assert (found["verdict"], found["incidents"][0]["pid"]) == ("confirmed", 4711)


@pytest.mark.parametrize("user, thread", [(", UID:0 pgtables:1696kB", 4715), ("", None), (", UID:33", None)])
def test_a_killed_thread_is_its_process_where_both_lines_name_the_user(
    noon: Noon, user: str, thread: int | None
) -> None:
    """Without the same user in both lines the second can be the end of another kill, whose begin is lost."""
    killed = f"Out of memory: Killed process 4715 (worker-7) {SIZES}{user}"
    noon.tell(kern(("12:00:20", CHOSEN), ("12:00:20", killed)), guard(FELL), running(noon.dir, AGAIN))
    (incident,) = noon.check()["incidents"]
    assert (incident["verdict"], incident["pid"], incident["thread"]) == ("confirmed", 4711, thread)


def test_the_table_of_tasks_tells_whose_thread_it_was(noon: Noon) -> None:
    """Where the line that names the leader is lost; most rows of the table have no word that a kill has."""
    rows = [
        ("12:00:20", f"[   {pid}]     0  {pid}   203101   163780  1433600        0             0 other")
        for pid in range(3000, 3100)
    ]
    rows += [("12:00:20", "[   4715]     0  4711   203101   163780  1433600        0             0 worker-7")]
    head = ("12:00:19", "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name")
    noon.history((4711, "01:00:00", "11:30:00"))
    noon.tell(
        kern(head, *rows, ("12:00:21", f"Out of memory: Killed process 4715 (worker-7) {SIZES}")),
        guard(FELL),
        running(noon.dir, AGAIN),
    )
    (incident,) = noon.check()["incidents"]
    assert (incident["verdict"], incident["pid"], incident["thread"]) == ("confirmed", 4711, 4715)


def test_a_line_that_a_program_wrote_is_not_believed(noon: Noon) -> None:
    noon.tell(kern() + f"Jan 31 12:00:20 web1 root: {KILLED}\n", guard(FELL), running(noon.dir, AGAIN))
    found = noon.check()
    assert (found["verdict"], found["cause"]) == ("no", "unexplained")
    assert any("Ignored a line" in note and KILLED in note for note in found["notes"])


def test_a_kill_of_a_whole_group_is_one_incident_with_victims(noon: Noon) -> None:
    line = "Memory cgroup out of memory: Killed process %d (%s) " + SIZES
    rows = [
        LIMITED,
        line % (4711, "anqicms"),
        "Tasks in /web/shop are going to be killed due to memory.oom.group set",
        line % (4711, "anqicms"),
        line % (4712, "cwebp"),
        line % (4713, "cwebp"),
    ]
    noon.tell(kern(*[("12:00:20", row) for row in rows]), guard(FELL), running(noon.dir, AGAIN))
    (incident,) = noon.check()["incidents"]
    assert (incident["verdict"], incident["pid"]) == ("confirmed", 4711)
    assert [victim["pid"] for victim in incident["victims"]] == [4712, 4713]


def test_a_large_log_of_the_guard_is_read_in_seconds(noon: Noon) -> None:
    """200 MB, most of it a hole that a power cut left."""
    noon.tell(kern(("12:00:20", KILLED)), guard(FELL), running(noon.dir, AGAIN))
    with (noon.dir / "check.log").open("r+b") as log:
        said = log.read()
        log.truncate(0)
        log.seek(200 << 20)
        log.write(b"\n" + said)
    began = time.monotonic()
    found = noon.check()
    assert time.monotonic() - began < 5
    assert found["verdict"] == "confirmed"
    assert "check.log" in {row["source"] for row in found["incidents"][0]["evidence"]}


def test_a_log_that_was_rotated_by_copytruncate_shows_no_death(noon: Noon) -> None:
    own = running(noon.dir)
    middle = own.index("finished convert") + 7
    noon.tell(kern(), guard(), own[middle:])
    write(noon.dir / "running.log.1", own[:middle], "12:00:00")
    found = noon.check()
    assert (found["verdict"], found["incidents"]) == ("no", []), found


def test_three_kills_in_a_row_are_three_incidents(noon: Noon) -> None:
    kills = [(f"12:0{minute}:20", KILLED.replace("4711", str(4711 + minute))) for minute in (0, 1, 2)]
    falls = [(f"12:0{minute}:01", "0") for minute in (1, 2, 3)]
    noon.tell(kern(*kills), guard(*falls), running(noon.dir, "12:01:02", "12:02:02", "12:03:02"))
    found = noon.check()
    assert [incident["pid"] for incident in found["incidents"]] == [4711, 4712, 4713], found
    assert any("killed 3 times" in text for text in found["advice"])


# --- rotated files, years, zones


def test_a_kill_before_new_year_is_found_in_rotated_files(noon: Noon) -> None:
    killed = re.sub("Jan 31 12:00:20", "Dec 31 23:59:00", kern(("12:00:20", KILLED)).split("\n")[1])
    early, late = "Dec 31 01:00:00 web1 kernel: eth0\n", "Jan  1 00:00:10 web1 kernel: eth0\n"
    packed = noon.root / "kern.log.2.gz"
    packed.write_bytes(gzip.compress(early.encode()))
    os.utime(packed, (local("06:00:00", "2025-12-31"),) * 2)
    write(noon.root / "kern.log.1", early.replace("01:00", "07:00") + killed + "\n" + late, "06:00:00", "2026-01-01")
    write(noon.root / "kern.log", late.replace("Jan  1", "Jan  2"), "10:00:00", "2026-01-02")
    own = running(noon.dir).replace("2026/01/31", "2025/12/31").replace("13:00:00 google", "23:58:50 google")
    write(
        noon.dir / "running.log",
        own + f"2026/01/01 00:00:02 {noon.dir}/\nNow listening on: x\n",
        "00:00:02",
        "2026-01-01",
    )
    found = noon.check(since="2025-12-31T20:00:00", until="2026-01-01T04:00:00")
    assert (found["verdict"], found["incidents"][0]["pid"]) == ("confirmed", 4711), found
    assert found["incidents"][0]["time"].startswith("2025-12-31T23:59:00")


def test_a_kill_on_the_29th_of_february_has_the_right_year(noon: Noon) -> None:
    kernel = kern(("12:00:20", KILLED)).replace("Jan 31", "Feb 29")
    write(noon.root / "kern.log", kernel + "Mar  1 01:00:00 web1 kernel: eth0\n", "01:00:00", "2024-03-01")
    write(
        noon.dir / "running.log", running(noon.dir, AGAIN).replace("2026/01/31", "2024/02/29"), "23:00:00", "2024-02-29"
    )
    found = noon.check(since="2024-02-29T09:00:00", until="2024-02-29T15:00:00")
    assert (found["verdict"], found["incidents"][0]["time"][:19]) == ("confirmed", "2024-02-29T12:00:20"), found


@pytest.mark.parametrize("clock", ["00:30:20", "01:30:20"])
def test_a_kill_in_an_hour_that_comes_twice_is_one(
    noon: Noon, monkeypatch: pytest.MonkeyPatch, utc: None, clock: str
) -> None:
    """02:30 of the local clock of the logs, once in summer time and once in winter time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    night = [f"20251026 02:{minute:02d}:01 anqicms PID check: 1\n" for minute in range(60)]
    before = "".join(line.replace(" 02:", " 01:") for line in night)
    fell = night[:31] + [night[31].replace("check: 1", "check: 0")] + night[32:]
    (noon.dir / "check.log").write_text(before + "".join(fell + night if clock < "01" else night + fell))
    write(
        noon.root / "kern.log",
        f"2025-10-25T20:00:00+00:00 web1 kernel: eth0\n2025-10-26T{clock}+00:00 web1 kernel: "
        f"{KILLED}\n2025-10-26T09:00:00+00:00 web1 kernel: eth0\n",
        "10:00:00",
        "2025-10-26",
    )
    own = f"2025/10/26 02:30:10 a line\n2025/10/26 02:31:02 {noon.dir}/\nNow listening on: x\n"
    write(
        noon.dir / "running.log",
        f"2025/10/25 12:00:00 {noon.dir}/\nNow listening on: x\n{own}",
        "10:00:00",
        "2025-10-26",
    )
    found = noon.check(since="2025-10-25T23:00:00Z", until="2025-10-26T03:00:00Z")
    assert (found["verdict"], found["incidents"][-1]["pid"]) == ("confirmed", 4711), found
    assert [row["verdict"] for row in found["incidents"]] == ["confirmed"], found


def test_only_the_rotated_file_of_the_window_is_read(noon: Noon) -> None:
    write(noon.root / "kern.log", "Feb 28 10:00:00 web1 kernel: [    1.000000] later\n", day="2026-02-28")
    packed = noon.root / "kern.log.2.gz"
    packed.write_bytes(gzip.compress(kern(("12:00:20", KILLED)).encode()))
    os.utime(packed, (local("23:00:01"), local("23:00:01")))
    for number, ending in enumerate([".gz", ".xz", ".bz2", ".zst"] * 10, 3):
        broken = noon.root / f"kern.log.{number}{ending}"
        broken.write_bytes(b"it would be an error to read this")
        os.utime(broken, (local("00:00:05") - 86400 * number, local("00:00:05") - 86400 * number))
    noon.tell(guards=guard(FELL), own=running(noon.dir, AGAIN))
    found = noon.check()
    assert (found["verdict"], found["incidents"][0]["pid"]) == ("confirmed", 4711), found
    assert any(row["file"] == str(packed) and row["line"] for row in found["incidents"][0]["evidence"])
    assert not any(row["why_not"] for row in found["coverage"] if row["source"] == "kern.log")


def test_zst_without_its_program_is_said_to_be_skipped(noon: Noon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(noon.root))
    write(noon.root / "kern.log", "Feb  1 10:00:00 web1 kernel: [    1.000000] later\n", day="2026-02-01")
    write(noon.root / "kern.log.2.zst", "anything")
    noon.tell(guards=guard(FELL), own=running(noon.dir, AGAIN))
    found = noon.check()
    assert found["verdict"] == "unknown"
    assert any("zstd is not installed" in (row["why_not"] or "") for row in found["coverage"])


@pytest.mark.parametrize("uncertainty, said", [(0.1, "at 2026-01-31T12:00:20"), (30.5, " (give or take 31 s)")])
def test_the_summary_says_how_far_off_the_time_can_be(uncertainty: float, said: str) -> None:
    event = Event("kernel_kill", local("12:00:20"), uncertainty, 4711, None, b"x", 0, None, "global", True, {}, ())
    assert said in rows.when(event)
    assert ("give or take" in rows.when(event)) == (uncertainty > 1)
