# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which place speaks for an install of somebody else."""

import os
import pwd
import typing as t
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import foreign
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.foreign import Part

WWW, MALLORY = 1001, 1234
TOP = [Part('/', 0, 0o40755), Part('/www', 0, 0o40755)]
SRV = [Part('/', 0, 0o40755), Part('/srv', 0, 0o40777)]
TMP = [Part('/', 0, 0o40755), Part('/tmp', 0, 0o41777)]


@pytest.mark.parametrize(
    'parts, uid, word',
    [
        (TOP + [Part('/www/shop', WWW, 0o40755)], WWW, None),
        (TOP + [Part('/www/shop', WWW, 0o40775)], WWW, None),
        (TOP + [Part('/www/shop', 0, 0o40755)], WWW, None),
        (TOP + [Part('/www/shop', 0, 0o40755)], 0, None),
        (TOP + [Part('/www/home', WWW, 0o40700), Part('/www/home/shop', WWW, 0o40755)], WWW, None),
        (TMP + [Part('/tmp/fleet', 0, 0o40700), Part('/tmp/fleet/shop', WWW, 0o40755)], WWW, None),
        (TOP + [Part('/www/shop', WWW, 0o40755)], MALLORY, 'its directory belongs to'),
        (TOP + [Part('/www/shop', WWW, 0o40755)], 0, None),
        (TOP + [Part('/www/bob', MALLORY, 0o40755), Part('/www/bob/shop', WWW, 0o40755)], 0, 'below /www/bob'),
        (TOP + [Part('/www/shop', WWW, 0o40777)], WWW, 'all users may write to its directory'),
        (TOP + [Part('/www/bob', MALLORY, 0o40755), Part('/www/bob/shop', WWW, 0o40755)], WWW, 'below /www/bob'),
        (TMP + [Part('/tmp/shop', MALLORY, 0o40755)], MALLORY, 'below /tmp, where all users'),
        (SRV + [Part('/srv/shop', 0, 0o40755)], 0, 'below /srv, where all users'),
    ],
)
def test_place(parts: t.Sequence[Part], uid: int, word: t.Optional[str]) -> None:
    found = foreign.judge(parts, uid)
    assert found is None if word is None else word in str(found)


def test_what_an_operator_has_put_into_a_sticky_directory_is_his() -> None:
    parts = TMP + [Part('/tmp/fleet', WWW, 0o40700), Part('/tmp/fleet/shop', WWW, 0o40755)]
    assert foreign.judge(parts, WWW, ours=WWW) is None
    assert 'below /tmp' in str(foreign.judge(parts, WWW, ours=MALLORY))
    assert 'below /srv' in str(foreign.judge(SRV + [Part('/srv/shop', WWW, 0o40755)], WWW, ours=WWW))


@pytest.mark.parametrize(
    'shell, home, word',
    [
        ('/bin/bash', '{0}', 'who can log in'),
        ('', '{0}', 'who can log in'),
        ('/usr/sbin/nologin', '{0}', None),
        ('/bin/bash', '{0}/elsewhere', None),
        ('/bin/bash', '/', None),
    ],
)
def test_home_of_a_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shell: str, home: str, word: t.Optional[str]
) -> None:
    home = home.format(tmp_path)
    row = pwd.struct_passwd(('mallory', 'x', os.geteuid() + 1, 1, '', home, shell))
    monkeypatch.setattr(pwd, 'getpwuid', lambda uid: row)
    found = foreign._in_a_home(str(tmp_path / 'shop'), os.geteuid() + 1)
    assert found is None if word is None else word in str(found)
    assert foreign._in_a_home(str(tmp_path / 'shop'), os.geteuid()) is None, 'what is ours'


def test_directory_that_is_gone(tmp_path: Path) -> None:
    assert 'cannot be seen' in str(foreign.of_directory(str(tmp_path / 'gone')))
