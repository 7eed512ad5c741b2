# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a call has compiled serves the next one, and nobody else can say what runs."""

import os
import pathlib
import sys
import typing as t
import zlib

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import code_cache

SOURCE = b'ANSWER = 42\n'
ALL_MAY_WRITE = 0o777


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    tmp_path.chmod(0o700)
    monkeypatch.setenv('HOME', str(tmp_path))
    return str(tmp_path)


def place(home: str) -> str:
    return os.path.join(home, '.cache', 'anqicms-lifecycle')


def file_of(home: str) -> str:
    return os.path.join(place(home), 'code.' + str(sys.implementation.cache_tag))


def code_of(cache: t.Any, source: bytes) -> t.Any:
    return cache.code_of('one.py', (len(source), zlib.crc32(source)), lambda: source)


def kept(source: bytes = SOURCE) -> t.Any:
    cache = code_cache.load()
    code_of(cache, source)
    code_cache.keep(cache)
    return cache


def answer(cache: t.Any, source: bytes = SOURCE) -> t.Any:
    values: t.Dict[str, t.Any] = {}
    exec(code_of(cache, source), values)  # noqa: S102
    return values['ANSWER']


def test_the_next_call_compiles_nothing(home: str) -> None:
    kept()
    cache = code_cache.load()
    assert answer(cache) == 42 and not cache.grown


def test_another_source_is_compiled_anew(home: str) -> None:
    kept()
    cache = code_cache.load()
    assert answer(cache, b'ANSWER = 43\n') == 43 and cache.grown
    code_cache.keep(cache)
    assert answer(code_cache.load(), b'ANSWER = 43\n') == 43 and len(code_cache.load().entries) == 1


def test_a_second_call_writes_nothing(home: str) -> None:
    kept()
    before = os.stat(file_of(home))
    kept()
    after = os.stat(file_of(home))
    assert (before.st_ino, before.st_mtime) == (after.st_ino, after.st_mtime)
    assert os.listdir(place(home)) == [os.path.basename(file_of(home))]


def test_it_is_private(home: str) -> None:
    kept()
    assert [os.stat(path).st_mode & 0o777 for path in (place(home), file_of(home))] == [0o700, 0o600]


@pytest.mark.parametrize('path', ['', '.cache', '.cache/anqicms-lifecycle', '.cache/anqicms-lifecycle/FILE'])
def test_what_others_can_write_is_not_read(home: str, path: str) -> None:
    kept()
    os.chmod(os.path.join(home, path.replace('FILE', os.path.basename(file_of(home)))), ALL_MAY_WRITE)
    assert not code_cache.load().entries


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root')
@pytest.mark.parametrize('path', ['', '.cache', '.cache/anqicms-lifecycle', '.cache/anqicms-lifecycle/FILE'])
def test_what_belongs_to_another_user_is_not_read(home: str, path: str) -> None:
    kept()
    os.chown(os.path.join(home, path.replace('FILE', os.path.basename(file_of(home)))), 33, 33)
    assert not code_cache.load().entries


def test_a_link_is_not_followed(home: str) -> None:
    kept()
    os.rename(file_of(home), file_of(home) + '.other')
    os.symlink(file_of(home) + '.other', file_of(home))
    assert not code_cache.load().entries


def test_a_second_name_is_not_read(home: str) -> None:
    kept()
    os.link(file_of(home), file_of(home) + '.other')
    assert not code_cache.load().entries


@pytest.mark.parametrize('damage', ['empty', 'cut', 'bit', 'magic', 'huge'])
def test_what_is_damaged_is_made_again(home: str, damage: str) -> None:
    kept()
    with open(file_of(home), 'rb') as stream:
        data = stream.read()
    changed = {
        'empty': b'',
        'cut': data[:-1],
        'bit': data[:-1] + bytes([data[-1] ^ 1]),
        'magic': b'\0\0\r\n' + data[4:],
        'huge': data + b'\0' * (16 << 20),
    }[damage]
    with open(file_of(home), 'wb') as stream:
        stream.write(changed)
    cache = code_cache.load()
    assert not cache.entries and answer(cache) == 42
    code_cache.keep(cache)
    assert code_cache.load().entries


def test_a_home_that_is_not_there_or_cannot_be_written_is_no_failure(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv('HOME', os.path.join(home, 'none'))
        assert answer(kept()) == 42
    assert not os.path.exists(os.path.join(home, 'none'))
    os.mkdir(os.path.join(home, '.cache'), 0o700)
    with open(place(home), 'w'):
        pass
    assert answer(kept()) == 42


def test_a_source_of_the_same_size_is_another(home: str) -> None:
    kept()
    assert answer(code_cache.load(), SOURCE.replace(b'42', b'41')) == 41


def never() -> bytes:
    raise ZeroDivisionError


def test_what_is_known_is_not_read(home: str) -> None:
    kept()
    with pytest.raises(ZeroDivisionError):
        code_cache.load().code_of('two.py', (1, 1), never)
    assert code_cache.load().code_of('one.py', (len(SOURCE), zlib.crc32(SOURCE)), never)
