# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which open files are a backup or a restore of the application, and when a backup that is still open is over."""

import calendar
import os
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import quiet

READ, WRITE, BOTH = os.O_RDONLY | os.O_CLOEXEC, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT | os.O_TRUNC
OWN = "/www/shop/data/backup/20261126120000.sql"
AT = calendar.timegm((2026, 11, 26, 12, 0, 0))
DONE = "2026/11/26 12:01:30 dumping.all.done.cost[1m29.84s], elapsed\n"


@pytest.mark.parametrize("path,flags,expected", [
    (OWN, READ, [(OWN, "restore")]),
    (OWN, WRITE, [(OWN, "backup")]),
    (OWN, BOTH, [(OWN, "backup")]),  # os.Create of Go opens for both
    (OWN, None, [(OWN, "restore")]),
    (OWN + " (deleted)", READ, [(OWN, "restore")]),
    ("/data2/second.example/data/backup/before move.sql", READ,
     [("/data2/second.example/data/backup/before move.sql", "restore")]),
    ("/data/backup/x.sql", READ, [("/data/backup/x.sql", "restore")]),  # a site whose root is /
    ("/mnt/dumps/x.sql", READ, [("/mnt/dumps/x.sql", "restore")]),  # where data/backup of the instance leads
    ("/www/\udcc9/data/backup/a\udcff.sql", WRITE, [("/www/\\xc9/data/backup/a\\xff.sql", "backup")]),
    ("/www/shop/data/backup/x.sql.gz", READ, []),
    ("/www/shop/data/backup/x.SQL", READ, []),
    ("/www/shop/data/backup/sql", READ, []),
    ("/www/shop/data/backup/.sql/x", READ, []),
    ("/www/shop/data/backup", READ, []),
    ("/www/shop/data/backup/old/x.sql", READ, []),
    ("/www/shop/mydata/backup/x.sql", READ, []),
    ("/www/shop/data/backups/x.sql", READ, []),
    ("/mnt/dumps2/x.sql", READ, []),
    ("data/backup/x.sql", READ, []),
    ("socket:[4711]", BOTH, []),
])  # fmt: skip
def test_kind_of_a_file(path: str, flags: t.Optional[int], expected: t.List[t.Tuple[str, str]]) -> None:
    found = quiet.judge([quiet.Descriptor(path, flags, 7)], "/mnt/dumps")
    assert found == {quiet.File(*entry): 7 for entry in expected}


def test_one_file_for_many_descriptors() -> None:
    entries = [quiet.Descriptor(OWN, READ), quiet.Descriptor(OWN, READ), quiet.Descriptor(OWN, WRITE)]
    assert sorted(quiet.judge(entries)) == [quiet.File(OWN, "backup"), quiet.File(OWN, "restore")]


@pytest.mark.parametrize("log,changed,over", [
    (DONE, AT + 90, True),
    ("before\n" + DONE + "2026/11/26 12:02:00 after\n", AT + 89.4, True),
    (DONE, AT + 90 - 8 * 3600, True),  # local time is eight hours ahead
    (DONE, AT + 90 - 20700, True),  # 5:45
    ("", AT + 90, False),
    (DONE, AT + 120, False),  # written later than that: it is the end of another backup
    (DONE, AT + 40, False),
    (DONE.replace("1m29.84s", "29.84s"), AT + 90, False),  # that one began a minute later
    (DONE.replace("1m29.84s", "2h1m29.84s"), AT + 90, False),
    ("x" + DONE, AT + 90, False),  # part of a line, such as an INSERT that is logged
    ("2026/11/26 12:00:00 dumping.all.done.cost[812.3\xb5s], elapsed\n", AT, True),
    ("2026/11/26 12:00:01 dumping.all.done.cost[350.12ms], elapsed\n", AT + 0.5, True),
    ("2026/99/99 12:00:01 dumping.all.done.cost[1s], elapsed\n", AT, False),
])  # fmt: skip
def test_end_of_a_backup_in_the_log(log: str, changed: float, over: bool) -> None:
    assert quiet.is_over(OWN, changed, log) is over
    written = quiet.Descriptor(OWN, WRITE, 0, changed)
    assert bool(quiet.judge([written], log=lambda: log)) is not over


def test_end_of_a_backup_says_nothing_of_other_files() -> None:
    assert not quiet.is_over("/www/shop/data/backup/mine.sql", AT + 90, DONE)
    assert not quiet.is_over("/www/shop/data/backup/99999999999999.sql", AT + 90, DONE)
    assert quiet.judge([quiet.Descriptor(OWN, READ, 0, AT + 90)], log=lambda: DONE) == {quiet.File(OWN, "restore"): 0}


def test_log_is_read_only_for_backups() -> None:
    def log() -> str:
        raise AssertionError("it was read")

    assert len(quiet.judge([quiet.Descriptor(OWN, READ), quiet.Descriptor("/x.sql", WRITE)], log=log)) == 1


def test_what_check_mode_says() -> None:
    files = {quiet.File("/a/data/backup/1.sql", "restore"): 5, quiet.File("/b/data/backup/2.sql", "backup"): 6}
    assert quiet.would_wait(quiet.Seen(True, files), 120.0) == (
        "wait at most 120 s for the end of the restore from /a/data/backup/1.sql and the backup to "
        "/b/data/backup/2.sql, "
    )
    assert quiet.would_wait(quiet.Seen(True, {}), 120.0) == ""


def test_this_process(tmp_path: t.Any) -> None:
    """Regular files only, deleted ones too, and where data/backup of the instance is a link."""
    root, elsewhere = tmp_path / "shop", tmp_path / "elsewhere"
    for folder in (root / "data", elsewhere, tmp_path / "second" / "data" / "backup"):
        folder.mkdir(parents=True)
    (root / "data" / "backup").symlink_to(elsewhere)
    second = tmp_path / "second" / "data" / "backup"
    os.mkfifo(str(second / "pipe.sql"))
    for name in ("old.sql", "gone.sql"):
        (second / name).write_text("12345")
    before = len(os.listdir("/proc/self/fd"))
    pipe = os.open(str(second / "pipe.sql"), os.O_RDONLY | os.O_NONBLOCK)
    with open(str(root / "data" / "backup" / "new.sql"), "w"), open(str(second / "old.sql")), open(
        str(second / "gone.sql")
    ), procfs.ProcDir(os.getpid()) as proc:
        (second / "gone.sql").unlink()
        seen = quiet.look(proc, str(root))
    os.close(pipe)
    assert seen.known and seen.sizes == {
        quiet.File(str(elsewhere / "new.sql"), "backup"): 0,
        quiet.File(str(second / "gone.sql"), "restore"): 5,
        quiet.File(str(second / "old.sql"), "restore"): 5,
    }
    assert len(os.listdir("/proc/self/fd")) == before


def test_process_that_has_ended() -> None:
    pid = os.fork()
    if pid == 0:
        time.sleep(0.1)
        os._exit(0)
    with procfs.ProcDir(pid) as proc:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert quiet.look(proc, "/nowhere") == quiet.Seen(True, {})
        os.waitpid(pid, 0)
        assert quiet.look(proc, "/nowhere") == quiet.Seen(True, {})
