# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a file can be executed, on real files: what the kernel does with them is what is expected."""

import os
import shutil
import sys
import time
import typing as t

import elf_files
import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import elf, executable

SHELL = os.path.realpath('/bin/sh')
FINE = executable.Executability()
WORKS = 'it is a script, and its process could not be recognized'  # the kernel would execute it
STRANGER = 54321  # neither owner nor group of anything here


@pytest.fixture
def instance(tmp_path: t.Any) -> Instance:
    return resolve(str(tmp_path))


@pytest.fixture
def record(instance: Instance) -> launch.LaunchRecord:
    with procfs.ProcDir(os.getpid()) as proc:
        return launch.capture(proc)._replace(cwd=instance.dir, environment=dict(PATH='/usr/bin:/bin'))


def put(path: str, data: bytes, mode: int = 0o755) -> str:
    with open(path, 'wb') as stream:
        stream.write(data)
    os.chmod(path, mode)
    return path


def content(path: str) -> bytes:
    with open(path, 'rb') as stream:
        return stream.read()


def problem(instance: Instance, record: t.Optional[launch.LaunchRecord] = None) -> str:
    found = executable.judge(instance, record)
    assert found.busy is None
    return found.problem or ''


def runs(path: str) -> bool:
    """What the kernel says: the new process ends at once, by its input."""
    pid = os.fork()
    if not pid:
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            os.execv(path, [path])
        finally:
            os._exit(99)
    return os.waitpid(pid, 0)[1] >> 8 != 99


@pytest.mark.parametrize('path', [SHELL, os.path.realpath(sys.executable), '/bin/ls', '/usr/bin/env'])
def test_programs_of_this_host(path: str) -> None:
    directory, name = os.path.split(path)
    assert not problem(Instance(directory, name, 'x'))


def test_all_programs_of_this_host() -> None:
    """Whatever a distribution ships in its directory of programs can be executed."""
    for name in sorted(os.listdir('/usr/bin')):
        path = os.path.join('/usr/bin', name)
        if os.path.isfile(path) and os.access(path, os.X_OK) and not begins_as_script(path):
            assert not executable.judge(Instance('/usr/bin', name, 'x'), None).problem, path


def begins_as_script(path: str) -> bool:
    with open(path, 'rb') as stream:
        return stream.read(2) == b'#!'


def test_a_link_is_judged_by_what_it_leads_to(instance: Instance, record: launch.LaunchRecord) -> None:
    os.symlink(SHELL, instance.executable)
    assert executable.judge(instance, record).problem is None
    os.unlink(instance.executable)
    os.symlink('nowhere', instance.executable)
    assert 'No such file' in problem(instance)
    os.unlink(instance.executable)
    os.symlink(os.path.basename(instance.executable), instance.executable)
    assert 'symbolic links' in problem(instance)


def test_a_fifo_or_a_link_to_a_device_is_never_opened(instance: Instance) -> None:
    os.mkfifo(instance.executable)
    assert 'not a regular file' in problem(instance)
    os.unlink(instance.executable)
    os.symlink('/dev/zero', instance.executable)
    assert 'not a regular file' in problem(instance)


@pytest.mark.parametrize('part', [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_copy_of_a_program(instance: Instance, part: float) -> None:
    data = content(SHELL)
    put(instance.executable, data)
    assert not problem(instance)
    put(instance.executable, data[: int(len(data) * part)])
    assert ('truncated' if part else 'it is empty') in problem(instance)


def with_loader(loader: bytes) -> bytes:
    """The shell with another loader; the new path is shorter than the old one."""
    data = content(SHELL)
    header = elf.parse_header(data[:64])
    for segment in elf.parse_segments(header, data[header.segments.offset : header.segments.end]):
        if segment.kind == 3:
            assert len(loader) < segment.data.size
            return data[: segment.data.offset] + loader.ljust(segment.data.size, b'\0') + data[segment.data.end :]
    raise AssertionError('the shell of this host has no loader')


@pytest.fixture
def short_directory() -> t.Iterator[str]:
    """A directory whose name fits in the place of a loader's."""
    path = '/tmp/anq%d' % (os.getpid() % 10000)
    os.mkdir(path)
    yield path
    shutil.rmtree(path)


def loaders(path: str) -> t.List[t.Tuple[str, str]]:
    os.mkdir(path + '/d')
    os.symlink('nowhere', path + '/l')
    put(path + '/e', b'')
    put(path + '/n', b'no program')
    put(path + '/c', elf_files.make(loader=b'')[:-1])
    put(path + '/m', elf_files.make(machine=243))
    put(path + '/x', content(SHELL), 0o644)
    return [
        ('/none', 'is missing: No such file'),
        ('/d', 'is missing: it is not a regular file'),
        ('/l', 'is missing: No such file'),
        ('/e', 'it is empty'),
        ('/n', 'not a Linux program'),
        ('/c', 'truncated'),
        ('/m', 'another processor architecture (ELF machine 243'),
        ('/x', 'not executable (mode 0644)'),
    ]


def test_the_loader_of_the_program(instance: Instance, short_directory: str) -> None:
    for name, expected in loaders(short_directory):
        path = short_directory + name
        put(instance.executable, with_loader(path.encode()))
        text = problem(instance)
        assert '%s: its loader %r' % (instance.executable, path) in text
        assert expected in text
        assert runs(instance.executable) is (name == '/c'), name  # the kernel reads no more than the head of a loader


def test_a_script_and_its_interpreter(instance: Instance, record: launch.LaunchRecord) -> None:
    directory = instance.dir
    put(directory + '/plain', content(SHELL), 0o644)
    os.symlink('nowhere', directory + '/broken')
    table = [
        ('#!%s\n' % SHELL, WORKS),
        ('#! /bin/sh -e\n', WORKS),
        ('#!/no/such/sh\n', "its interpreter '/no/such/sh' is missing"),
        ('#!/bin/sh\r\n', 'CR LF'),
        ('#!%s\n' % directory, 'is missing: it is not a regular file'),
        ('#!%s/plain\n' % directory, 'not executable (mode 0644)'),
        ('#!%s/broken\n' % directory, 'is missing'),
        ('#!/usr/bin/env sh\n', WORKS),
        ('#!/usr/bin/env -S sh -e\n', WORKS),
        ('#!/usr/bin/env no-such-shell\n', "looks for 'no-such-shell', which is not in PATH"),
        ('#!/usr/bin/env sh -e\n', "looks for 'sh -e'"),
        ('no script\n', 'not a Linux program'),
        ('#!%s\n' % ('/' * 300 + 'bin/sh'), 'no end within'),
    ]
    for line, expected in table:
        put(instance.executable, line.encode())
        text = problem(instance, record)
        assert expected in text, (line, text)
        assert runs(instance.executable) == (expected == WORKS or 'looks for' in text), line


def test_scripts_that_name_scripts(instance: Instance) -> None:
    """As many as this kernel follows, and one more."""
    previous = SHELL
    for number in range(1, elf.MAX_SCRIPTS + 2):
        previous = put('%s/%d' % (instance.dir, number), b'#!%s\n' % previous.encode())
        text = problem(Instance(instance.dir, str(number), 'x'))
        assert (WORKS in text) == runs(previous) == (number <= elf.MAX_SCRIPTS), number
    assert 'it is a script as well, and Linux follows at most' in text


@pytest.mark.parametrize(
    ('mode', 'uid', 'groups', 'expected'),
    [
        (0o755, 5, [6], True),
        (0o100, 5, [6], True),
        (0o677, 5, [6], False),
        (0o010, 9, [6], True),
        (0o701, 9, [6], False),
        (0o001, 9, [8], True),
        (0o776, 9, [8], False),
        (0o010, 0, [], True),
        (0o666, 0, [], False),
    ],
)
def test_modes(record: launch.LaunchRecord, mode: int, uid: int, groups: t.List[int], expected: bool) -> None:
    status = os.stat_result((0o100000 | mode, 0, 0, 1, 5, 6, 0, 0, 0, 0))
    record = record._replace(uid=uid, gid=groups[0] if groups else 0, groups=groups)
    assert executable.may_execute(status, record) is expected
    assert executable.may_execute(status, None) is bool(mode & 0o111)


def test_whether_the_user_of_the_instance_may_execute_it(instance: Instance, record: launch.LaunchRecord) -> None:
    put(instance.executable, content(SHELL), 0o700)
    stranger = record._replace(uid=STRANGER, gid=STRANGER, groups=[])
    assert not problem(instance, record)
    assert 'uid %d has no permission to execute it (mode 0700' % STRANGER in problem(instance, stranger)
    os.chmod(instance.executable, 0o600)
    assert 'not executable (mode 0600)' in problem(instance, record)


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads everything')
def test_what_may_not_be_read_is_unknown_not_broken(instance: Instance, record: launch.LaunchRecord) -> None:
    put(instance.executable, content(SHELL), 0o111)
    found = executable.judge(instance, record)
    assert (found.problem, found.busy) == (None, None)
    assert 'this user cannot ' in (found.unknown or '')


def test_what_is_written_is_busy_and_not_judged_yet(instance: Instance, record: launch.LaunchRecord) -> None:
    with open(instance.executable, 'wb') as writer:
        writer.write(content(SHELL)[:1000])
        writer.flush()
        os.chmod(instance.executable, 0o644)
        found = executable.judge(instance, record)
        assert found.problem is None
        assert 'open for writing by pid %d (' % os.getpid() in (found.busy or '')
    assert 'not executable' in problem(instance, record)


def test_only_headers_are_read(instance: Instance, record: launch.LaunchRecord) -> None:
    """80 MB of a program, with all its sections: the same look as at a small one."""
    data = elf_files.make(kind=3)
    put(instance.executable, data)
    with open(instance.executable, 'r+b') as stream:
        stream.truncate(80 << 20)
    executable.judge(instance, record)
    begin = time.process_time()
    for _look in range(20):
        assert executable.judge(instance, record) == FINE
    assert time.process_time() - begin < 1.0
