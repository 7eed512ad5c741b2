# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mount a directory lies on, and whether its file system is asked first."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.reach import is_asked, mount_of, parse_mounts

MOUNTS = parse_mounts('''\
25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 25 0:30 / /www rw - nfs4 server:/www rw
31 30 8:2 / /www/local\\040disk rw - xfs /dev/sdb rw
32 25 0:31 / /mnt rw shared:2 master:1 - fuse.sshfs it rw
33 25 0:32 / /twice rw - ext4 /dev/sdc rw
34 33 0:33 / /twice rw - cifs //it rw
broken line
''')


@pytest.mark.parametrize(
    'path,kind,asked',
    [
        ('/var/lib', 'ext4', False),
        ('/', 'ext4', False),
        ('/www', 'nfs4', True),
        ('/www/wwwroot/shop', 'nfs4', True),
        ('/wwwroot', 'ext4', False),
        ('/www/local disk/shop', 'xfs', False),
        ('/mnt/x', 'fuse.sshfs', True),
        ('/twice/x', 'cifs', True),
    ],
)
def test_mounts(path: str, kind: str, asked: bool) -> None:
    mount = mount_of(path, MOUNTS)
    assert mount is not None and mount.kind == kind and is_asked(mount) is asked


@pytest.mark.parametrize('text', ['', 'x', '1 2 3 - nfs'])
def test_no_mounts(text: str) -> None:
    found: t.Any = mount_of('/', parse_mounts(text))
    assert found is None and not is_asked(found)
