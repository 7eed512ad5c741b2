# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cron lines, units and parents: what could start or stop an instance."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.supervisors import (
    cron_action,
    effect,
    entry,
    from_cron,
    from_parent,
    only_starts,
    parse_unit,
    unit_of,
    unit_restarts,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.units import is_main

DIR = "/www/wwwroot/anqicms.com"
LINES = [
    ("*/1 * * * * /www/wwwroot/anqicms.com/start.sh", "*/1 * * * *", "/www/wwwroot/anqicms.com/start.sh"),
    ("  0 0 1 * *\t/x/stop.sh  ", "0 0 1 * *", "/x/stop.sh"),
    ("@reboot /x/start.sh", "@reboot", "/x/start.sh"),
    ("-*/5 * * * * /x/start.sh", "*/5 * * * *", "/x/start.sh"),
    ("* * * * * date +\\%F >> /x/log", "* * * * *", "date +%F >> /x/log"),
    ("* * * * * mail -s hi root%line one%line two", "* * * * *", "mail -s hi root"),
]


@pytest.mark.parametrize(("line", "schedule", "command"), LINES)
def test_user_crontab(line: str, schedule: str, command: str) -> None:
    assert cron.parse_line(line, "f", "www") == cron.CronLine("f", "www", schedule, command)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "# * * * * * /x/start.sh",
        "MAILTO=root",
        'PATH = "/bin:/x"',
        "'A'=b",
        "* * * *",
        "@daily",
        "* * * * *",
    ],
)
def test_line_that_runs_nothing(line: str) -> None:
    assert cron.parse_line(line, "f", "www") is None


def test_system_crontab_names_the_user() -> None:
    text = "SHELL=/bin/sh\r\n17 * * * *\troot  cd / && run-parts /etc/cron.hourly\r\n"
    text += "@daily www /x/start.sh\n* * * * * root\n"
    assert cron.parse(text, "/etc/crontab", None) == [
        cron.CronLine("/etc/crontab", "root", "17 * * * *", "cd / && run-parts /etc/cron.hourly"),
        cron.CronLine("/etc/crontab", "www", "@daily", "/x/start.sh"),
    ]


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("/a/start.sh >/dev/null 2>&1", ["/a/start.sh", "/dev/null"]),
        ("cd '/www/my site' && ./start.sh", ["/www/my site", "/www/my site/start.sh"]),
        ('"/www/my site/start.sh"', ["/www/my site/start.sh"]),
        ("/www/my\\ site/start.sh;/b", ["/www/my site/start.sh", "/b"]),
        ("A=/x/y /b", ["/x/y", "/b"]),
        ("bash -c '/a/start.sh'", ["/a/start.sh"]),
        ("(/a/b)", ["/a/b"]),
        ('echo "open quote /a', ["/a"]),
    ],
)
def test_paths_of_a_command(command: str, found: t.List[str]) -> None:
    assert cron.paths(command) == found


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (DIR + "/start.sh", "start"),
        ("sh " + DIR + "/start.sh >> /dev/null", "start"),
        ("cd " + DIR + " && ./start.sh", "start"),
        ("cd " + DIR + " && nohup " + DIR + "/anqicms >> running.log 2>&1 &", "start"),
        ("pgrep -x anqicms || " + DIR + "/anqicms", "start"),
        (DIR + "/stop.sh", "stop"),
        (DIR + "/stop.sh && " + DIR + "/start.sh", "stop"),
        ("/www/wwwroot/other/stop.sh", "kill"),
        ("pkill -9 anqicms", "kill"),
        ("killall anqicms", "kill"),
        ("tar czf /b/x.tgz " + DIR, "names"),
        ("ls -l " + DIR + "/anqicms", "names"),
        ("tail " + DIR + "/running.log", "names"),
        ("/www/wwwroot/anqicms.com2/start.sh", None),
        ("/usr/bin/certbot renew", None),
        ("pkill nginx", None),
    ],
)
def test_cron_action(command: str, action: t.Optional[str]) -> None:
    assert cron_action(command, [DIR], "anqicms") == action


def test_only_a_start_counts_as_a_restart() -> None:
    lines = [cron.CronLine("/etc/crontab", "root", "* * * * *", DIR + "/" + name) for name in ("start.sh", "stop.sh")]
    assert [row["restarts"] for row in from_cron(lines, [DIR], "anqicms")] == [True, False]
    assert from_cron(lines, ["/elsewhere"], "other") != [] and from_cron(lines[:1], ["/elsewhere"], "anqicms") == []


def test_link_to_the_directory_counts() -> None:
    lines = [cron.CronLine("f", "root", "@daily", "/site/start.sh")]
    assert from_cron(lines, [DIR, "/site"], "anqicms")[0]["action"] == "start"


@pytest.mark.parametrize(
    ("cgroups", "unit"),
    [
        ("0::/system.slice/anqicms-shop.service\n", None),  # made by this collection for its own starts
        ("0::/system.slice/shop.service\n", "shop.service"),
        ("12:memory:/x\n1:name=systemd:/system.slice/shop.service\n", "shop.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n", "shop.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", None),
        ("0::/user.slice/user-0.slice/session-5.scope\n", None),
        ("0::/system.slice/cron.service\n", None),
        ("0::/system.slice/crond.service\n", None),
        ("0::/system.slice/ssh.service\n", None),
        ("0::/system.slice/bt.service\n", None),
        ("0::/\n", None),
        ("", None),
    ],
)
def test_unit_of(cgroups: str, unit: t.Optional[str]) -> None:
    assert unit_of(cgroups) == unit


@pytest.mark.parametrize(
    ("text", "restarts"),
    [
        ("Restart=always\nMainPID=5\n", True),
        ("Restart=on-failure", True),
        ("Restart=no", False),
        ("MainPID=5", None),
        ("", None),
    ],
)
def test_unit_restarts(text: str, restarts: t.Optional[bool]) -> None:
    assert unit_restarts(parse_unit(text)) is restarts


def test_unit_file_is_parsed() -> None:
    fields = parse_unit("[Service]\n# Restart=no\nExecStart=/www/a/anqicms -port 8001\nRestart = always\n")
    assert fields == {"ExecStart": "/www/a/anqicms -port 8001", "Restart": "always"}


@pytest.mark.parametrize(
    ("text", "result"), [("MainPID=7", True), ("MainPID=8", False), ("MainPID=0", True), ("", True)]
)
def test_main_process_of_the_unit(text: str, result: bool) -> None:
    assert is_main(parse_unit(text), [7, 3]) is result


@pytest.mark.parametrize(
    ("comm", "argv", "pid", "kind", "restarts", "prompt"),
    [
        ("supervisord", ["/usr/bin/python3", "/usr/bin/supervisord", "-n"], 50, "supervisord", True, True),
        ("python3", ["/usr/bin/python3", "/usr/bin/supervisord"], 50, "supervisord", True, True),
        ("PM2 v5.3.0: God", ["PM2 v5.3.0: God Daemon (/root/.pm2)"], 50, "pm2", True, True),
        ("runsv", ["runsv", "shop"], 50, "runsv", True, True),
        ("tini", ["/sbin/tini", "--", "/app/anqicms"], 1, "container", True, True),
        ("docker-init", ["/sbin/docker-init"], 1, "container", True, True),
        ("bash", ["/bin/bash", "/root/keep.sh"], 50, "parent", None, False),
        ("node", ["node", "runner.js"], 50, "parent", None, False),
    ],
)
def test_parent_that_matters(comm: str, argv: t.List[str], pid: int, kind: str, restarts: t.Any, prompt: bool) -> None:
    found = from_parent(comm, argv, pid)
    assert found is not None and (found["kind"], found["restarts"], found["prompt"]) == (kind, restarts, prompt)


@pytest.mark.parametrize(
    ("comm", "argv", "pid"),
    [("systemd", ["/sbin/init"], 1), ("systemd", ["systemd", "--user"], 900), ("bash", ["-bash"], 50),
     ("bash", ["bash"], 50),
     ("anything", [], 1), ("tmux: server", ["tmux"], 50)],
)  # fmt: skip
def test_parent_that_only_started_it(comm: str, argv: t.List[str], pid: int) -> None:
    assert from_parent(comm, argv, pid) is None


OLD_START = """#!/bin/bash
### check 502, for whatever waits
BINNAME=anqicms
BINPATH="$( cd "$( dirname "$0"  )" && pwd  )"
exists=`ps -ef | grep '\\<anqicms\\>' |grep -v grep |wc -l`
if [ $exists -eq 0 ]; then
    cd $BINPATH && nohup $BINPATH/$BINNAME >> $BINPATH/running.log 2>&1 &
fi
"""
SCRIPTS: t.List[t.Tuple[str, bool]] = [
    (OLD_START, True),
    ("cd /www/shop && nohup /www/shop/anqicms >> running.log 2>&1 &", True),
    ("cd /www/shop && nohup /www/shop/anqicms >> running.log 2>&1 & \n", True),
    ("#!/bin/bash\nwhile true; do ./anqicms; done &\n", False),
    ("#!/bin/bash\nuntil ./anqicms; do sleep 1; done\n", False),
    ("#!/bin/bash\n./anqicms &\nwait $!\n./anqicms &\n", False),
    ("#!/bin/bash\ntrap 'exec $0' CHLD\n./anqicms &\n", False),
    ("#!/bin/bash\n./anqicms\n./anqicms\n", False),
    ("#!/bin/bash\n./anqicms && echo ended\n", False),
    ("", False),
]


@pytest.mark.parametrize(("script", "only"), SCRIPTS)
def test_a_script_that_only_starts(script: str, only: bool) -> None:
    assert only_starts(script) is only
    argv = ["/bin/bash", "/www/shop/start.sh"]
    assert (from_parent("start.sh", argv, 50, script) is None) is only
    assert from_parent("start.sh", argv, 50, None) is not None
    assert from_parent("supervisord", argv, 50, script) is not None


EFFECTS: t.List[t.Tuple[str, t.Optional[bool], bool, t.Optional[str], str]] = [
    ("systemd", True, True, None, "at once"),
    ("systemd", None, True, None, "at once"),  # Restart could not be asked: that is no permission
    ("systemd", False, False, None, "nothing"),
    ("runit", True, True, None, "at once"),
    ("runit", True, False, None, "later"),
    ("baota", None, False, None, "later"),
    ("parent", None, False, None, "later"),
    ("cron", True, False, "start", "later"),
    ("cron", False, False, "stop", "ends it"),
    ("cron", False, False, "kill", "ends it"),
    ("cron", False, False, "names", "nothing"),
    ("unknown", None, False, None, "unseen"),
]


@pytest.mark.parametrize(("kind", "restarts", "prompt", "action", "expected"), EFFECTS)
def test_effect_of_a_supervisor(
    kind: str, restarts: t.Optional[bool], prompt: bool, action: t.Optional[str], expected: str
) -> None:
    more = {} if action is None else dict(action=action)
    assert effect(entry(kind, "where", restarts, "detail", prompt, **more)) == expected
