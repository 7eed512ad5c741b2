# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Crontabs that any user of the host may write: bounded in time and size, and what was cut is told."""

import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import supervisors

SIZE = 120000
LONG = {
    "killers": "pkill " * (SIZE // 6),
    "paths": " ".join("/www/a%d/anqicms" % number for number in range(8000)),
    "runs": ";/www/x/anqicms;" * 8000,
    "open quotes": '"\\' * (SIZE // 2),
    "both quotes": "'\"" * (SIZE // 2),
    "blanks": ";" + " " * SIZE,
    "braces": "{" * SIZE,
    "quoted braces": '{"' * (SIZE // 2),
    "nohup": "nohup " * (SIZE // 6),
    "backslashes": "\\" * SIZE,
    "percent": "\\%" * (SIZE // 2),
}


@pytest.mark.parametrize("command", list(LONG.values()), ids=list(LONG))
def test_a_long_line_takes_little_time(command: str) -> None:
    begin = time.process_time()
    line = cron.parse_line("* * * * * " + command, "crontab", "www")
    assert line is not None
    supervisors.cron_action(line.command, ["/www"], "anqicms")
    assert time.process_time() - begin < 2.0


@pytest.fixture
def spool(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    monkeypatch.setattr(cron, "SPOOLS", (str(tmp_path),))
    monkeypatch.setattr(cron, "_SYSTEM", tuple(str(tmp_path / "none") for _dummy in range(6)))
    return tmp_path


def test_what_was_cut_is_told(spool: t.Any) -> None:
    (spool / "www").write_text("* * * * * %s /www/shop/start.sh\n* * * * * /www/shop/stop.sh\n" % ("x" * 5000))
    (spool / "data").write_text("#\n" * (200 << 10))
    found = cron.read_all()
    assert [line.command for line in found.lines][-1] == "/www/shop/stop.sh"
    assert found.unread == [
        "%s: only its first 256 KiB were read" % (spool / "data"),
        "%s: only the first 4096 characters of a line of 5029 were read" % (spool / "www"),
    ]


def test_a_job_of_the_panel_is_read_once_for_each_user(spool: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = spool / "jobs"
    jobs.mkdir()
    monkeypatch.setattr(cron, "_PANEL_JOBS", "%s/" % jobs)
    (jobs / "one").write_text("/www/shop/start.sh\n" * 1000)
    (spool / "www").write_text(("* * * * * %s/one\n" % jobs) * 1000)
    assert len(cron.read_all().lines) == 2000


def test_too_many_jobs_are_told(spool: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cron, "_PANEL_JOBS", "%s/jobs/" % spool)
    (spool / "www").write_text("".join("* * * * * %s/jobs/%d\n" % (spool, number) for number in range(600)))
    assert cron.read_all().unread == ["%s: it names more than 500 scripts of the panel" % (spool / "www")]
