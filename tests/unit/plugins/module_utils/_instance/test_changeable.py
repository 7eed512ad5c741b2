# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who could change what root would run."""

import os
import stat
import struct
import typing as t
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import changeable

DIRECTORY, FILE, LINK = stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK
OWNER, GROUP, OTHER, NOBODY = 0x01, 0x04, 0x20, 0xFFFFFFFF


def acl(*entries: t.Tuple[int, int, int]) -> bytes:
    base = [(OWNER, 7, NOBODY), (GROUP, 5, NOBODY), (OTHER, 5, NOBODY)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in base + list(entries))


ACLS: t.List[t.Tuple[bytes, t.Optional[t.List[t.Tuple[str, int]]]]] = [
    (acl(), []),
    (acl((0x02, 7, 33), (0x10, 7, NOBODY)), [("user id", 33)]),
    (acl((0x02, 5, 33), (0x10, 7, NOBODY)), []),
    (acl((0x02, 7, 33), (0x10, 5, NOBODY)), []),  # masked
    (acl((0x02, 7, 0), (0x10, 7, NOBODY)), []),
    (acl((0x08, 6, 33), (0x10, 7, NOBODY)), [("group id", 33)]),
    (b"", None),
    (b"\2\0\0\0\1", None),
]


@pytest.mark.parametrize("data,expected", ACLS)
def test_whom_an_access_control_list_lets_write(data: bytes, expected: t.Optional[t.List[t.Tuple[str, int]]]) -> None:
    assert changeable.parse_acl(data) == expected


# mode, owner, group, list -> changeable?
PARTS: t.List[t.Tuple[int, int, int, bytes, bool]] = [
    (DIRECTORY | 0o755, 0, 0, b"", False),
    (DIRECTORY | 0o755, 33, 0, b"", True),
    (DIRECTORY | 0o775, 0, 33, b"", True),
    (DIRECTORY | 0o775, 0, 0, b"", False),
    (DIRECTORY | 0o777, 0, 0, b"", True),
    (DIRECTORY | 0o1777, 0, 0, b"", False),
    (DIRECTORY | 0o1777, 33, 0, b"", True),
    (FILE | 0o755, 0, 0, b"", False),
    (FILE | 0o4755, 0, 0, b"", False),
    (FILE | 0o757, 0, 0, b"", True),
    (FILE | 0o1757, 0, 0, b"", True),
    (FILE | 0o755, 65534, 0, b"", True),
    (LINK | 0o777, 0, 0, b"", False),
    (LINK | 0o777, 33, 33, b"", True),
    (FILE | 0o775, 0, 0, acl((0x02, 7, 33), (0x10, 7, NOBODY)), True),
    (FILE | 0o775, 0, 0, acl((0x02, 5, 33), (0x10, 7, NOBODY)), False),
]


@pytest.mark.parametrize("mode,uid,gid,entries,expected", PARTS)
def test_one_part(mode: int, uid: int, gid: int, entries: bytes, expected: bool) -> None:
    info = os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))
    assert (changeable.why_changeable(info, entries) is not None) is expected


def test_file_systems_of_a_users_own_program() -> None:
    text = (
        b"40 29 0:52 / /www/a rw,nosuid shared:1 - fuse.sshfs h:/ rw,user_id=33,group_id=33,allow_other\n"
        b"41 29 0:53 / /mnt rw - fuse.lxcfs lxcfs rw,user_id=0,group_id=0,allow_other\n"
        b"29 1 254:0 / / rw - ext4 /dev/vda rw\n\nodd\n"
    )
    assert changeable.parse_mounts_of_users(text) == {(0, 52): 33}


def test_links_are_followed_as_the_kernel_does(tmp_path: Path) -> None:
    there = tmp_path / "a" / "b"
    there.mkdir(parents=True)
    (there / "file").write_text("")
    (tmp_path / "a" / "link").symlink_to("../a/./b//file")
    (tmp_path / "absolute").symlink_to(tmp_path / "a" / "link")
    found = os.stat(str(there / "file"))
    before = len(os.listdir("/proc/self/fd"))
    for path in (there / "file", tmp_path / "a" / "link", tmp_path / "absolute"):
        assert changeable.look(str(path)).identity == (found.st_dev, found.st_ino)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path in ("loop", "missing", "missing/more"):
        with pytest.raises(OSError):
            changeable.look(str(tmp_path / path))
        assert str(tmp_path / path) in changeable.changeable(str(tmp_path / path))[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="root's own files")
def test_a_missing_directory_is_what_others_can_make_it(tmp_path: Path) -> None:
    assert changeable.place(str(tmp_path / "missing")) == []
    tmp_path.chmod(0o1777)
    assert changeable.place(str(tmp_path / "missing")) == ["%s (mode 1777)" % tmp_path]
    assert changeable.place("/tmp/missing-%d" % os.getpid()) == ["/tmp (mode 1777)"]
    os.chown(str(tmp_path), 33, 33)
    assert changeable.place(str(tmp_path / "missing"))
