# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The opener against everything that an instance's own user can put in its way."""

import os
import socket
import stat
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import (
    InstallDir,
    UnsafePath,
    read_system,
    trusted_owners,
    why_unsafe,
)

ME = os.geteuid()


@pytest.fixture
def site(tmp_path: t.Any) -> t.Iterator[InstallDir]:
    (tmp_path / "site" / "data" / "backup").mkdir(parents=True)
    (tmp_path / "site" / "config.json").write_bytes(b"{}")
    (tmp_path / "secret").write_bytes(b"another tenant's")
    with InstallDir(os.path.realpath(str(tmp_path / "site"))) as directory:
        yield directory


def info(mode: int, uid: int, links: int = 1) -> os.stat_result:
    return os.stat_result((mode, 1, 1, links, uid, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("found", "owners", "word"),
    [
        (info(stat.S_IFREG, 1000), {0, 1000}, None),
        (info(stat.S_IFREG, 0), {0, 1000}, None),
        (info(stat.S_IFREG, 1001), {0, 1000}, "1001"),
        (info(stat.S_IFREG, 1001), None, None),
        (info(stat.S_IFREG, 1000, 2), {0, 1000}, "hard links"),
        (info(stat.S_IFLNK, 1000), {0, 1000}, "symbolic link"),
        (info(stat.S_IFIFO, 1000), {0, 1000}, "FIFO"),
        (info(stat.S_IFCHR, 0), {0, 1000}, "device"),
        (info(stat.S_IFBLK, 0), {0, 1000}, "device"),
        (info(stat.S_IFSOCK, 1000), {0, 1000}, "socket"),
        (info(stat.S_IFDIR, 1000), {0, 1000}, "directory"),
    ],
)
def test_what_is_opened(found: os.stat_result, owners: t.Any, word: t.Optional[str]) -> None:
    why = why_unsafe(found, owners)
    assert why is None if word is None else word in (why or "")


def test_plain_file_is_read(site: InstallDir) -> None:
    assert site.read("config.json", site.owners()) == b"{}"
    assert site.owners(7) == trusted_owners(ME, 7)


def plant(path: str, kind: str, outside: str) -> None:
    if kind == "link":
        os.symlink(outside, path)
    elif kind == "dangling":
        os.symlink(outside + "-none", path)
    elif kind == "hard link":
        os.link(outside, path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as sock:
            here = os.getcwd()
            os.chdir(os.path.dirname(path))  # the path of a socket has at most 107 bytes
            try:
                sock.bind(os.path.basename(path))
            finally:
                os.chdir(here)


@pytest.mark.parametrize("kind", ["link", "dangling", "hard link", "fifo", "directory", "socket"])
def test_planted_file_is_refused_without_blocking(site: InstallDir, tmp_path: t.Any, kind: str) -> None:
    plant(site.shown("running.log"), kind, str(tmp_path / "secret"))
    for relative in ("running.log", "data/../running.log"):
        with pytest.raises(UnsafePath):
            site.read(relative, site.owners())
    with pytest.raises(UnsafePath):
        site.open_log(site.shown("running.log"), ME)


@pytest.mark.parametrize("relative", ["", "/etc/passwd", "../secret", "data/./x", "a//b", "x\0y"])
def test_path_that_leaves_is_refused(site: InstallDir, relative: str) -> None:
    with pytest.raises(UnsafePath):
        site.open_file(relative, site.owners())


def test_link_in_the_middle_is_not_followed(site: InstallDir, tmp_path: t.Any) -> None:
    os.symlink(str(tmp_path), site.shown("out"))
    for call in (lambda: site.read("out/secret", {ME}), lambda: site.lstat("out/secret"), lambda: site.names("out")):
        with pytest.raises(UnsafePath):
            call()


def test_link_in_the_install_path_is_refused(tmp_path: t.Any) -> None:
    (tmp_path / "real").mkdir()
    os.symlink(str(tmp_path / "real"), str(tmp_path / "linked"))
    with pytest.raises(UnsafePath):
        InstallDir(os.path.join(os.path.realpath(str(tmp_path)), "linked"))


def test_foreign_owner_is_refused(site: InstallDir) -> None:
    with pytest.raises(UnsafePath):
        site.read("config.json", {ME + 1})


def test_huge_file_is_refused_and_its_ends_are_readable(site: InstallDir) -> None:
    with open(site.shown("big"), "wb") as stream:
        stream.write(b"first")
        stream.truncate(1 << 40)
        stream.seek(0, 2)
        stream.write(b"last")
    with pytest.raises(UnsafePath) as refusal:
        site.read("big", site.owners(), 4096)
    assert "4096" in refusal.value.msg
    assert site.head("big", site.owners(), 5) == b"first"
    assert site.tail("big", site.owners(), 4) == b"last"


def test_lstat_and_names(site: InstallDir) -> None:
    assert site.lstat("none") is None and site.lstat("none/below") is None
    assert site.names("none") == [] and site.names() == ["config.json", "data"] and site.names("data") == ["backup"]
    for number in range(5):
        open(site.shown("data/%d" % number), "w").close()
    assert len(site.names("data", most=3)) == 3


def test_new_file_never_replaces_what_stands_there(site: InstallDir, tmp_path: t.Any) -> None:
    os.close(site.create_file("new.log"))
    os.symlink(str(tmp_path / "made"), site.shown("link.log"))
    for name in ("new.log", "link.log"):
        with pytest.raises(FileExistsError):
            site.create_file(name)
    assert not (tmp_path / "made").exists()


def test_log_may_be_appended_to(site: InstallDir) -> None:
    fd = site.open_log("config.json", ME, os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"x")
    os.close(fd)
    assert site.read("config.json", {ME}) == b"{}x"


def test_log_elsewhere_needs_a_directory_that_root_alone_can_write(site: InstallDir, tmp_path: t.Any) -> None:
    os.chmod(str(tmp_path), 0o777)
    with pytest.raises(UnsafePath):
        site.open_log(str(tmp_path / "secret"), ME)


def test_relative(site: InstallDir) -> None:
    assert site.relative(site.path + "/a/b") == "a/b" and site.relative("a") == "a"
    for path in ("/etc/passwd", "../x", site.path + "2/x"):
        assert site.relative(path) is None


def test_files_of_the_system(tmp_path: t.Any) -> None:
    (tmp_path / "cron").write_bytes(b"x" * 10)
    os.symlink(str(tmp_path / "cron"), str(tmp_path / "link"))
    os.mkfifo(str(tmp_path / "fifo"))
    assert read_system(str(tmp_path / "cron"), 4) == b"xxxx"
    for name in ("link", "fifo"):
        with pytest.raises(UnsafePath):
            read_system(str(tmp_path / name))


def test_no_descriptor_is_left_open(site: InstallDir, tmp_path: t.Any) -> None:
    before = len(os.listdir("/proc/self/fd"))
    test_planted_file_is_refused_without_blocking(site, tmp_path, "fifo")
    test_link_in_the_middle_is_not_followed(site, tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
