# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports in a directory: refused before anything is touched where they cannot be written, else whole and private."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator

import paths
import pytest
import report_documents as documents

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import report

EN = words.of("en")
NAMES = {"run.json", "run.html", "run.prom"}


def write(target: Path | str, run_id: str = "night-7") -> list[str]:
    return report.write({**documents.good(2), "run_id": run_id}, str(target), EN, "UTC")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_directory_is_made_and_private(tmp_path: Path) -> None:
    target = tmp_path / "new" / "reports"
    assert report.refusal(str(target)) == "" and not target.exists()
    assert write(target) == [f"Report: {target}/night-7/run.html"]
    assert {path.name for path in (target / "night-7").iterdir()} == NAMES
    assert json.loads((target / "night-7" / "run.json").read_text())["run_id"] == "night-7"
    assert (mode(target), mode(target / "night-7")) == (0o700, 0o700)
    assert {mode(target / "night-7" / name) for name in NAMES} == {0o600}


@pytest.mark.parametrize(
    ("of_target", "of_run", "of_files"),
    [(0o755, 0o755, 0o644), (0o750, 0o750, 0o640), (0o700, 0o700, 0o600), (0o1777, 0o700, 0o600)],
)
def test_files_are_as_readable_as_the_directory(tmp_path: Path, of_target: int, of_run: int, of_files: int) -> None:
    tmp_path.chmod(of_target)
    old = os.umask(0o077)
    try:
        write(tmp_path)
    finally:
        os.umask(old)
    assert mode(tmp_path / "night-7") == of_run
    assert {mode(tmp_path / "night-7" / name) for name in NAMES} == {of_files}


def test_latest_is_the_last_run_and_earlier_ones_stay(tmp_path: Path) -> None:
    write(tmp_path, "first")
    write(tmp_path, "second")
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", "latest"}
    assert (tmp_path / "latest").resolve() == tmp_path / "second"
    write(tmp_path, "latest")
    assert (tmp_path / "second" / "run.json").is_file()


def test_same_run_again_replaces_its_files_and_leaves_nothing_else(tmp_path: Path) -> None:
    write(tmp_path)
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "night-7" / "run.prom").unlink()
    (tmp_path / "night-7" / "run.prom").symlink_to(outside)
    assert write(tmp_path) == [f"Report: {tmp_path}/night-7/run.html"]
    assert outside.read_text() == "mine"
    assert not (tmp_path / "night-7" / "run.prom").is_symlink()
    assert {path.name for path in (tmp_path / "night-7").iterdir()} == NAMES


@pytest.mark.parametrize("run_id", ["../../etc", "/etc/x", "..", ".hidden", "a/b", "x" * 4000, "夜", documents.EVIL])
def test_name_of_the_run_stays_below_the_directory(tmp_path: Path, run_id: str) -> None:
    (line,) = write(tmp_path / "reports", run_id)
    assert line.startswith(f"Report: {tmp_path}/reports/")
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]
    assert len(list((tmp_path / "reports").iterdir())) == 2


def test_json_path_is_the_document_alone(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    assert report.refusal(str(target)) == ""
    assert write(target) == [f"Report: {target}"]
    assert json.loads(target.read_text())["schema"] == 1 and mode(target) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_home_and_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert write("~/a") == [f"Report: {tmp_path}/a/night-7/run.html"]
    assert write("b") == [f"Report: {tmp_path}/b/night-7/run.html"]


# --- bad input


def link(path: Path) -> None:
    path.symlink_to("/etc")


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def file(path: Path) -> None:
    path.write_text("mine")


def fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "below", "said"),
    [
        (link, "", "is a link to /etc. Use that path, if you mean it"),
        (dangling, "", "is a link to"),
        (file, "", "is not a directory"),
        (fifo, "", "is not a directory"),
        (file, "further/down", "is not a directory"),
    ],
)
def test_what_is_in_the_way_is_refused_and_stays(
    tmp_path: Path, make: Callable[[Path], None], below: str, said: str
) -> None:
    path = tmp_path / "reports"
    make(path)
    before = os.lstat(path)
    target = str(path / below)
    assert said in report.refusal(target)
    (line,) = report.write(documents.good(1), target, EN, None)
    assert line.startswith(f"The report was not written to {target}: ") and "is not affected" in line
    assert os.lstat(path) == before
    assert [one.name for one in tmp_path.iterdir()] == ["reports"]


def test_run_directory_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "night-7").symlink_to(away)
    (line,) = write(tmp_path / "reports")
    assert "it is a link or not a directory" in line and list(away.iterdir()) == []


@pytest.mark.parametrize("make", [link, dangling, fifo])
def test_json_path_that_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "report.json"
    make(path)
    assert str(path) in report.refusal(str(path))


def test_json_path_in_a_directory_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "report.json"
    assert "missing does not exist" in report.refusal(str(target))
    assert "not written" in write(target)[0] and not target.parent.exists()


def test_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    """As another user, since root may write everywhere."""
    target = tmp_path / "reports"
    target.mkdir(0o555)
    if os.geteuid() == 0:
        assert refused_on("/proc/sys/kernel/reports")  # a file system that takes no files, from root either
        return
    assert "Permission denied" in report.refusal(str(target))
    assert "Permission denied" in report.refusal(str(target / "below"))


def refused_on(target: str) -> bool:
    return report.refusal(target).startswith("anqicms_report: the report cannot be written. /proc/sys/kernel: ")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system with hardly any room left."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it mounts a tmpfs")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=True)
    try:
        yield small
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_full_disk_is_refused_and_costs_no_run(full_disk: Path) -> None:
    assert report.refusal(str(full_disk)).endswith("small: No space left on device.")
    (line,) = report.write(documents.good(40), str(full_disk), EN, None)
    assert "No space left on device" in line
    left = [path.name for path in full_disk.rglob("*") if path.is_file()]
    assert "run.html" not in left and not [name for name in left if name.startswith(".")]


def test_locale_that_is_not_installed_changes_nothing(tmp_path: Path) -> None:
    """Nor does a path that it could not name."""
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import report_documents as documents\n"
        "from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import report\n"
        "from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words\n"
        "print(ascii(report.write(documents.bad(), sys.argv[1], words.of(None), None)))\n"
    )
    for name, language in (("zh_XX.UTF-8", "zh-CN"), ("xx_YY", "en"), ("C", "en")):
        target = tmp_path / f"报告-{name}"
        roots = [str(paths.ROOT / "tests"), str(paths.ROOT / "tests" / "tools")]
        env = {"PATH": os.environ["PATH"], "LC_ALL": name, "LANG": name}
        done = subprocess.run(
            [sys.executable, "-c", program, str(target), *roots], env=env, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        page = (target / "latest" / "run.html").read_text(encoding="utf-8")
        assert f'<html lang="{language}">' in page and "web1.example" in page
