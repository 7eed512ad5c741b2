# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an ssh session may and may not do to an instance: end with it, change it, or lose a window."""

from __future__ import annotations

import time
from typing import NamedTuple

import pytest
import releases
from e2e.bed import Bed, Host
from e2e.playing import Player, Run, until
from e2e.sites import Site, write_inventory

pytestmark = pytest.mark.root
QUICK = ("-e", "anqicms_stable_for=0.1")
# A session of its own kind: limits, umask, priorities and a control group that sshd does not give.
PREPARATION = (
    "ulimit -Sn 1234; ulimit -Hn 4321; ulimit -c 0; umask 027; renice -n 5 $$ >/dev/null; "
    "echo 321 > /proc/$$/oom_score_adj; "
    "mkdir -p /sys/fs/cgroup/pids/kept 2>/dev/null && echo $$ > /sys/fs/cgroup/pids/kept/cgroup.procs"
)


SHIM = "/var/lib/anqicms-lifecycle/kill-at-start-shim"


class Nature(NamedTuple):
    """What a process is made of, apart from its number."""

    environment: list[str]
    limits: str
    ids: list[str]
    umask: str
    nice: str
    oom_score_adj: str
    cgroup: str
    cwd: str
    arguments: str


def nature(host: Host, pid: int) -> Nature:
    def read(name: str) -> str:
        return host.run("/bin/cat", f"/proc/{pid}/{name}").output

    status = {line.split(":")[0]: line for line in read("status").splitlines()}
    # Each start has one directory of the collection at the head of its PATH, which protects siblings.
    environment = [word.replace(f"PATH={SHIM}:", "PATH=") for word in read("environ").split("\0")]
    return Nature(
        sorted(environment),
        read("limits"),
        [status[key] for key in ("Uid", "Gid", "Groups")],
        status["Umask"],
        read("stat").rpartition(")")[2].split()[16],
        read("oom_score_adj").strip(),
        read("cgroup"),
        host.run("/bin/readlink", f"/proc/{pid}/cwd").output,
        read("cmdline"),
    )


def restart(bed: Bed, player: Player, site: Site, user: str) -> Run:
    run = player.play("restart", write_inventory(bed, [site], player.directory / "hosts.json", user), *QUICK)
    assert run.status == 0, run.output
    assert run.outcomes == {site.host.name: ["done"]}
    return run


def end_sessions(host: Host, user: str) -> None:
    """End every ssh session of a user, with the master connections that Ansible keeps."""
    sessions = host.pids_of(f"sshd: {user}")
    assert sessions, "Ansible keeps its connection"
    host.kill(sessions)
    until(lambda: not host.pids_of(f"sshd: {user}"), "the end of the sessions", pause=0.05)


@pytest.mark.parametrize("user", ["root", "ops"])
def test_process_after_a_restart_is_as_before(bed: Bed, remote: Player, site: Site, user: str) -> None:
    before = site.start(PREPARATION)
    was = nature(site.host, before)
    assert "ANQ_MARK=kept by the restart" in was.environment
    assert "4321" in was.limits and ("1234" in was.limits or releases.real_releases()), "Go raises the soft limit"
    assert was.umask.split()[-1] == "0027" and was.nice == "5" and was.oom_score_adj == "321"
    assert was.ids[2].split()[1:] == ["1001", "1500"]
    run = restart(bed, remote, site, user)
    after = site.pid
    assert after not in (0, before)
    now = nature(site.host, after)
    assert now._replace(cgroup=was.cgroup) == was
    assert "/kept" in was.cgroup and "/kept" not in now.cgroup, "no proved start had this control group"
    (record,) = run.results[site.host.name]
    assert any("pids:/kept" in note for note in record["notes"]), "and the run says so"
    end_sessions(site.host, user)
    time.sleep(0.5)
    assert site.pid == after and site.answers()


def test_process_leaves_the_login_session_on_systemd(bed: Bed, remote: Player, systemd_site: Site) -> None:
    site, host = systemd_site, systemd_site.host
    before = site.start()
    assert "session-" in host.run("/bin/cat", f"/proc/{before}/cgroup").output, "started in a login, as start.sh is"
    host.run(
        "/bin/sh",
        "-c",
        "mkdir -p /etc/systemd/logind.conf.d; printf '[Login]\\nKillUserProcesses=yes\\nKillExcludeUsers=\\n' "
        "> /etc/systemd/logind.conf.d/kill.conf; systemctl restart systemd-logind",
    )
    restart(bed, remote, site, "root")
    after = site.pid
    groups = host.run("/bin/cat", f"/proc/{after}/cgroup").output
    assert "session-" not in groups and "user.slice" not in groups, groups
    end_sessions(host, "root")
    time.sleep(2)
    assert site.pid == after and site.answers(), "it outlives the login that restarted it"


@pytest.mark.standin("the time that it takes to end")
def test_connection_lost_for_ten_seconds_is_no_failure(bed: Bed, each_remote: Player, site: Site) -> None:
    site.knobs(exit_delay_ms=14000)
    before = site.start()
    inventory = write_inventory(bed, [site], each_remote.directory / "hosts.json")
    with each_remote.begin("restart", inventory, *QUICK) as playing:
        until(lambda: "退出" in site.instance.log_text(), "the end of its service", pause=0.02)
        site.host.unplug()
        try:
            time.sleep(10)
        finally:
            site.host.plug()
        run = playing.wait(90)
    assert run.status == 0, run.output
    assert run.outcomes == {site.host.name: ["done"]}, run.output
    assert "connection lost" in run.output
    assert site.pid not in (0, before) and site.answers()
