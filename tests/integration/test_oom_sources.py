# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deaths as the journal, the kernel's ring, counters and the process history tell them, and what oom_check says."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from integration.noon import KILLED, SIZES, Noon, guard, kern, local, running, write

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import system_logs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.identity import Other
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.lives import Life

FELL = ("12:01:01", "0")
AGAIN = "12:01:02"
EARLYOOM = {"_PID": "700", "_SYSTEMD_UNIT": "earlyoom.service"}
PID_1 = {"_PID": "1", "_SYSTEMD_UNIT": "init.scope"}
TERM = 'sending SIGTERM to process 4711 uid 0 "anqicms": badness 1181, VmRSS 640 MiB'
PRESSURE = "due to memory pressure for /system.slice being 82.36% > 80.00% for > 20s with reclaim activity"
UNIT = "/system.slice/shop.service"
CONTAINER = "/docker/" + "0123456789abcdef" * 4
IN_CONTAINER = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
    f"oom_memcg={CONTAINER},task_memcg={CONTAINER},task=anqicms,pid=31337,uid=0"
)


@pytest.fixture
def noon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Noon:
    """It fell at noon, without a word."""
    made = Noon(tmp_path, monkeypatch)
    made.tell(None, guard(FELL), running(made.dir, AGAIN))
    return made


def judged(found: dict[str, Any]) -> tuple[str, str]:
    return found["verdict"], found["cause"]


# --- who it was


def test_the_history_tells_two_instances_apart(noon: Noon) -> None:
    other = Life(200, local("01:00:00"), local("11:00:00"), False, 0, "/")
    noon.others(Other("1a2b3c4d-blog.example", None, 0, "/", (other,)))
    noon.history((100, "01:00:00", "11:00:00"))
    noon.tell(kern(("12:00:20", KILLED.replace("4711", "200"))))
    found = noon.check()
    assert found["verdict"] == "no", found
    assert [kill["pid"] for kill in found["other_kills"]] == [200]
    noon.tell(kern(("12:00:20", KILLED.replace("4711", "100"))))
    found = noon.check()
    assert (found["verdict"], found["incidents"][0]["identity"][:34]) == (
        "confirmed",
        "pid 100 is in the process history ",
    )


def test_a_kill_of_an_earlier_process_with_that_pid_is_not_its_own(noon: Noon) -> None:
    """nginx with that pid was killed in the morning, and anqicms has had it since noon."""
    noon.history((4711, "12:30:00", "14:00:00"))
    noon.tell(kern(("10:00:20", KILLED.replace("anqicms", "nginx"))))
    found = noon.check(pid=4711)
    assert found["verdict"] == "no", found
    assert [kill["process"] for kill in found["other_kills"]] == ["nginx"]


def test_a_kill_of_another_day_is_mentioned(noon: Noon) -> None:
    noon.tell(kern(("08:59:00", KILLED)))
    found = noon.check()
    assert judged(found) == ("no", "unexplained")
    assert any("Outside of the time window" in note and KILLED in note for note in found["notes"])


def test_a_long_name_is_found_by_the_pid_of_the_history(noon: Noon) -> None:
    noon.binary = "anqicms-production-site-7"
    noon.history((4711, "01:00:00", "11:00:00"))
    noon.tell(kern(("12:00:20", KILLED.replace("anqicms", "anqicms-product"))))
    assert "process history" in noon.check()["incidents"][0]["identity"]


@pytest.mark.parametrize(
    "lines", [[], ["监听到路由更改", "进程结束，开始重启"]], ids=["three_quiet_hours", "a_restart_in_the_application"]
)
def test_a_process_that_lives_is_not_dead(noon: Noon, lines: list[str]) -> None:
    """Three hours without a line, or a restart within the process; no log of the kernel is there."""
    noon.alive(4711, "01:00:00")
    own = running(noon.dir, *lines)
    noon.tell(None, guard(), own if lines else own.replace("13:00:00 google", "14:59:59 google"))
    assert judged(noon.check()) == ("no", "not_dead")


# --- killers in userspace


def test_a_stop_by_earlyoom_is_a_kill_for_memory(noon: Noon) -> None:
    noon.tell(None, None, running(noon.dir, "退出 terminated", "监听到退出信号", AGAIN))
    noon.history((4711, "01:00:00", "11:30:00"))
    noon.journal(
        ("12:00:19", "low memory! at or below SIGTERM limits: mem  8.00%, swap  0.00%", EARLYOOM),
        ("12:00:20", TERM, EARLYOOM),
        ("12:00:20", "process exited after 0.1 seconds", EARLYOOM),
    )
    found = noon.check()
    assert judged(found) == ("confirmed", "userspace_oom")
    (incident,) = found["incidents"]
    assert (incident["pid"], incident["details"]["killer"]) == (4711, "earlyoom")
    assert any("退出 terminated" in row["text"] for row in incident["evidence"])


def test_a_line_of_earlyoom_by_logger_is_only_likely(noon: Noon) -> None:
    noon.history((4711, "01:00:00", "11:30:00"))
    noon.options["kernel_logs"] = [str(noon.root / "syslog")]
    write(noon.root / "syslog", kern() + f"Jan 31 12:00:20 web1 earlyoom: {TERM}\n" + kern().split("\n")[1] + "\n")
    found = noon.check()
    assert judged(found) == ("likely", "userspace_oom")
    assert "it is not known which program wrote the line" in found["summary"]


def test_a_kill_of_its_unit_by_systemd_oomd_is_confirmed(noon: Noon) -> None:
    noon.history((4711, "01:00:00", "11:30:00"), cgroup=UNIT)
    oomd = {"_PID": "600", "_SYSTEMD_UNIT": "systemd-oomd.service"}
    noon.journal(
        ("12:00:20", f"Killed {UNIT} {PRESSURE}", oomd),
        ("12:00:20", "shop.service: systemd-oomd killed 7 process(es) in this unit.", PID_1),
        ("12:00:21", "shop.service: Failed with result 'oom-kill'.", PID_1),
    )
    found = noon.check()
    assert judged(found) == ("confirmed", "userspace_oom")
    assert (found["incidents"][0]["pid"], found["incidents"][0]["details"]["processes"]) == (4711, 7)


def test_systemd_tells_of_a_kill_by_the_kernel_whose_log_is_lost(noon: Noon) -> None:
    noon.history((4711, "01:00:00", "11:30:00"), cgroup=UNIT)
    noon.journal(
        ("12:00:21", "shop.service: A process of this unit has been killed by the OOM killer.", PID_1),
        ("12:00:21", "shop.service: Failed with result 'oom-kill'.", PID_1),
    )
    found = noon.check()
    assert judged(found) == ("confirmed", "kernel_oom_cgroup")
    assert "does not report whether its limit was reached or the host" in found["summary"]


# --- what is covered


def test_go_without_memory_is_no_kill_where_the_kernel_counted_none(noon: Noon) -> None:
    noon.tell(
        None,
        None,
        running(noon.dir, "fatal error: runtime: out of memory", "", "goroutine 7 [running]:", "main.main()", AGAIN),
    )
    noon.counters(0)
    assert judged(noon.check()) == ("no", "go_runtime_oom")


def test_a_ring_that_has_wrapped_does_not_cover_the_death(noon: Noon) -> None:
    noon.ring(("12:30:00", "eth0: link down"), first=900)
    found = noon.check()
    assert judged(found) == ("unknown", "unexplained")
    (ring,) = [row for row in found["coverage"] if row["source"] == "kmsg"]
    assert ring["from"][11:19] == "12:30:00"


def test_where_nothing_may_be_read_the_verdict_is_unknown(noon: Noon) -> None:
    noon.no_ring("no permission to read /dev/kmsg: run it as root or grant CAP_SYSLOG")
    noon.journalctl('echo "No journal files were opened due to insufficient permissions." >&2')
    found = noon.check()
    assert judged(found) == ("unknown", "unexplained")
    told = " ".join(row["why_not"] or "" for row in found["coverage"])
    assert "CAP_SYSLOG" in told and "systemd-journal" in told and "kern.log" in told


@pytest.mark.parametrize(
    "kills, booted, verdict, cause",
    [
        (0, "00:30:00", "no", "unexplained"),
        (0, "12:01:00", "no", "host_reboot"),
        (0, "13:30:00", "unknown", "unexplained"),
        (2, "00:30:00", "likely", "kernel_oom_global"),
        (2, "14:00:00", "unknown", "unexplained"),
    ],
)
def test_where_only_the_counter_may_be_read_it_decides(
    noon: Noon, kills: int, booted: str, verdict: str, cause: str
) -> None:
    noon.counters(kills, booted)
    assert judged(noon.check()) == (verdict, cause)


def test_a_counted_kill_that_is_in_the_log_explains_no_other_death(noon: Noon) -> None:
    noon.tell("\n".join(kern(("10:00:00", KILLED.replace("anqicms", "mysqld"))).split("\n")[:2]) + "\n")
    noon.counters(1)
    assert judged(noon.check()) == ("unknown", "unexplained")


def test_a_count_that_never_falls_is_not_health(noon: Noon) -> None:
    noon.tell(None, guard(usual="3"), running(noon.dir, AGAIN))
    found = noon.check()
    assert judged(found) == ("unknown", "unexplained")
    assert any("does not prove that nothing died" in note for note in found["notes"])


# --- times


def test_a_kill_before_three_days_of_sleep_is_uncertain_by_as_much(noon: Noon) -> None:
    """The clock of the ring stood still, so the kill seems to be of another day."""
    noon.history((4711, "01:00:00", "11:30:00"))
    noon.ring(("12:00:20", KILLED), slept=3 * 86400.0)
    found = noon.check()
    assert found["verdict"] == "confirmed", found
    assert found["incidents"][0]["uncertainty_ms"] >= 3 * 86400 * 1000


def test_a_kill_that_syslog_has_19_seconds_later_is_one_kill(noon: Noon) -> None:
    noon.ring(("12:00:50", KILLED))
    noon.tell(kern(("12:01:09", KILLED)))
    found = noon.check()
    assert [incident["verdict"] for incident in found["incidents"]] == ["confirmed"]
    assert {"kmsg", "kern.log", "check.log"} <= {row["source"] for row in found["incidents"][0]["evidence"]}
    assert found["incidents"][0]["time"][11:19] == "12:00:50"


# --- who wrote it


def test_a_line_that_a_program_wrote_into_the_ring_is_not_believed(noon: Noon) -> None:
    noon.ring(("12:00:20", KILLED), facility=1)
    found = noon.check()
    assert judged(found) == ("no", "unexplained")
    assert any("Ignored a line" in note for note in found["notes"])


def test_a_line_that_the_journal_does_not_have_is_only_likely(noon: Noon) -> None:
    """logger -t kernel writes it into syslog as the kernel would."""
    noon.history((4711, "01:00:00", "11:30:00"))
    noon.tell(kern(("12:00:20", KILLED)))
    usual = [str(noon.root / "kern.log")]
    noon.patch.setattr(system_logs, "USUAL", tuple(usual))
    assert noon.check(kernel_logs=[])["verdict"] == "confirmed"
    noon.journal()
    found = noon.check(kernel_logs=[])
    assert found["verdict"] == "likely"
    assert "the journal covers that time and has no such line" in found["summary"]
    assert noon.check(kernel_logs=usual)["verdict"] == "confirmed", "asked for by name"


# --- containers


def test_the_path_of_its_container_confirms_a_kill(noon: Noon) -> None:
    noon.history((7, "01:00:00", "11:30:00"), cgroup=CONTAINER)
    noon.others(Other("1a2b3c4d-blog.example", None, 0, "/docker/" + "f" * 64))
    noon.tell(kern(("12:00:20", IN_CONTAINER)))
    found = noon.check()
    assert judged(found) == ("confirmed", "kernel_oom_cgroup")
    assert f"control group {CONTAINER}" in found["incidents"][0]["identity"]


def inspected(noon: Noon, **state: Any) -> dict[str, Any]:
    """As docker writes it: it has the install directory, and its process is of another PID namespace."""
    told = dict(Running=False, OOMKilled=True, ExitCode=137, FinishedAt="2026-01-31T12:00:20.38246629Z")
    return dict(
        Id=CONTAINER[-64:],
        Path="/app/anqicms",
        Args=[],
        State={**told, **state},
        Mounts=[dict(Type="bind", Source=str(noon.dir), Destination="/app")],
    )


def test_docker_tells_whose_container_the_path_names(noon: Noon) -> None:
    """Nothing else is known of it: no history, and other instances of the name could have died."""
    noon.others(Other("1a2b3c4d-blog.example", None, None, None))
    noon.tell(kern(("12:00:20", IN_CONTAINER)))
    assert noon.check()["verdict"] == "likely"
    noon.docker(inspected(noon, OOMKilled=False))
    found = noon.check()
    assert judged(found) == ("confirmed", "kernel_oom_cgroup")
    noon.docker(dict(inspected(noon, OOMKilled=False), Mounts=[]))
    assert noon.check()["verdict"] == "likely"
    noon.docker(dict(inspected(noon, OOMKilled=False), Id="f" * 64))
    assert noon.check()["verdict"] == "no", "it was in another container"


def test_docker_says_that_it_was_killed_and_the_kernels_log_is_lost(noon: Noon, utc: None) -> None:
    noon.tell(None, guard(FELL), running(noon.dir, AGAIN))
    noon.docker(inspected(noon))
    found = noon.check()
    assert judged(found) == ("confirmed", "kernel_oom_cgroup")
    assert {"docker", "check.log", "running.log"} == {row["source"] for row in found["incidents"][0]["evidence"]}
    noon.docker(inspected(noon, OOMKilled=False))
    assert noon.check()["verdict"] == "unknown"


@pytest.mark.parametrize("kills, verdict", [(None, "unknown"), (0, "unknown"), (1, "likely")])
def test_inside_a_container_without_logs_the_count_of_its_group_decides(
    noon: Noon, monkeypatch: pytest.MonkeyPatch, kills: int | None, verdict: str
) -> None:
    """Its own group is the root that it sees, of version 2."""
    noon.contained()
    noon.alive(7, AGAIN, "/")
    group = noon.root / "group"
    group.mkdir()
    if kills is not None:
        (group / "memory.events").write_text(f"low 0\nhigh 0\nmax 3\noom {kills}\noom_kill {kills}\n")
    original, mounts = procfs.read_text, f"31 23 0:26 / {group} rw - cgroup2 x rw,memory\n"
    monkeypatch.setattr(
        procfs, "read_text", lambda path, *more: mounts if path == "/proc/self/mountinfo" else original(path, *more)
    )
    record = SimpleNamespace(cgroups={"": "/"}, log=None, environment={}, uid=0, argv=[], limits={})
    monkeypatch.setattr(Context, "stored_record", lambda _self: record)
    noon.counters(5)  # of the whole host, so of others too
    found = noon.check()
    assert found["verdict"] == verdict, found


# --- the journal


def test_a_message_of_the_journal_that_is_a_list_of_bytes_is_read(noon: Noon) -> None:
    odd = list((KILLED.replace("4711", "900").replace("anqicms", "a") + " ").encode() + b"\xff")
    noon.journal(("12:00:10", odd, {}), ("12:00:20", list(KILLED.encode()), {}))
    found = noon.check()
    assert (found["verdict"], [incident["pid"] for incident in found["incidents"]]) == ("confirmed", [4711])
    assert [kill["pid"] for kill in found["other_kills"]] == [900]
    assert any(row["cursor"] for row in found["incidents"][0]["evidence"])


def test_a_journal_of_an_earlier_boot_is_read(noon: Noon) -> None:
    noon.journal(("12:00:20", KILLED, {}))
    found = noon.check()
    assert found["verdict"] == "confirmed"
    (covered,) = [row for row in found["coverage"] if row["source"] == "journal"]
    assert (covered["from"][11:19], covered["to"][11:19]) == ("00:00:10", "23:00:00")


def test_a_volatile_journal_does_not_reach_back(noon: Noon) -> None:
    noon.journal(span=("12:30:00", "23:00:00"))
    assert judged(noon.check()) == ("unknown", "unexplained")


@pytest.mark.parametrize(
    "script, why",
    [
        (None, "is not installed"),
        ("exit 1", "journalctl failed"),
        ("kill -9 $$", "journalctl failed"),
        ('echo "No journal files were found." >&2', "no kernel messages"),
        ("head -c 90000 /dev/urandom", ""),
    ],
)
def test_a_journal_that_cannot_be_read_says_why(
    noon: Noon, monkeypatch: pytest.MonkeyPatch, script: str | None, why: str
) -> None:
    if script is None:
        monkeypatch.setenv("PATH", str(noon.root))
        noon.options["journal"] = True
    else:
        noon.journalctl(script)
    found = noon.check()
    assert judged(found) == ("unknown", "unexplained")
    (covered,) = [row for row in found["coverage"] if row["source"] == "journal"]
    assert why in (covered["why_not"] or ""), covered


# --- a log elsewhere


def test_a_running_log_that_is_given_may_be_anybodys_copy(noon: Noon, tmp_path: Path) -> None:
    copied = tmp_path / "copies"
    copied.mkdir(mode=0o777)
    copied.chmod(0o777)
    shutil.move(str(noon.dir / "running.log"), str(copied / "mine.log"))
    if os.geteuid() == 0:
        os.chown(copied / "mine.log", 12345, 12345)
    noon.tell(kern(("12:00:20", KILLED)))
    found = noon.check(running_log=str(copied / "mine.log"))
    assert found["verdict"] == "confirmed"
    assert str(copied / "mine.log") in {row["file"] for row in found["incidents"][0]["evidence"]}, json.dumps(found)
    assert SIZES in found["incidents"][0]["evidence"][0]["text"]
