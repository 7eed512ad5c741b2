# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether the binary of an instance can be executed here and now: it, its loader, and the interpreters of scripts.

Only headers are read. Every file is opened once, and only what was opened is judged.
"""

import ctypes
import errno
import os
import platform
import re
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import elf, writers

_ACL = 'system.posix_acl_access'
_DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
_PER_LINUX32, _ASK = 8, 0xFFFFFFFF


class Executability(t.NamedTuple):
    """``problem`` stays as it is, ``busy`` passes, ``unknown`` could not be seen by this user."""

    problem: t.Optional[str] = None
    busy: t.Optional[str] = None
    unknown: t.Optional[str] = None


class Opened:
    """A regular file, opened once. OSError for everything else, which is never opened."""

    def __init__(self, path: str) -> None:
        self.path, self.fd, self.leased = path, -1, False
        self.look = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            self.status = os.fstat(self.look)
            if not stat.S_ISREG(self.status.st_mode):
                raise OSError(errno.EINVAL, 'it is not a regular file')
            self._open()
        except OSError:
            self.close()
            raise

    def _open(self) -> None:
        try:  # without O_NONBLOCK a lease of somebody else would hold this open up for 45 s
            self.fd = os.open(self.again, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except BlockingIOError:
            self.leased = True
        except PermissionError:
            pass  # execve needs no right to read

    @property
    def again(self) -> str:
        """This file by another name, which no rename can lead elsewhere."""
        return '/proc/self/fd/%d' % self.look

    def close(self) -> None:
        for fd in (self.fd, self.look):
            if fd >= 0:
                os.close(fd)

    def __enter__(self) -> 'Opened':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self.close()

    def read(self, part: elf.Range) -> bytes:
        return os.pread(self.fd, part.size, part.offset)

    def is_same(self, pid: t.Optional[int]) -> bool:
        """Whether this process executes this very file: then the kernel lets nobody open it for writing."""
        try:
            found = os.stat('/proc/%d/exe' % pid) if pid else None
        except OSError:
            return False
        return found is not None and (found.st_dev, found.st_ino) == (self.status.st_dev, self.status.st_ino)

    def is_written(self) -> t.Optional[bool]:
        return True if self.leased else writers.is_written(self.fd) if self.fd >= 0 else None

    def writers(self) -> str:
        if self.leased:
            return writers.describe_lease(self.status)
        return writers.describe(self.status, os.path.realpath(self.path))


class Busy(Exception):
    """Somebody writes a file that execve needs."""


def may_execute(status: os.stat_result, record: t.Optional[LaunchRecord]) -> bool:
    """Whether the mode lets the user of the record execute the file; without a record, whether it lets anybody."""
    if record is None or record.uid == 0:
        return bool(status.st_mode & 0o111)
    groups = set(record.groups) | {record.gid}
    shift = 6 if status.st_uid == record.uid else 3 if status.st_gid in groups else 0
    return bool(status.st_mode >> shift & 1)


def _has_acl(file: Opened) -> bool:
    try:
        return bool(os.getxattr(file.again, _ACL))
    except OSError:
        return False


def _check_mode(file: Opened, record: t.Optional[LaunchRecord]) -> None:
    mode = stat.S_IMODE(file.status.st_mode)
    if not mode & 0o111:
        raise elf.NotRunnable('it is not executable (mode %04o)' % mode)
    # What an access control list says is known to the kernel alone: the parked child asks it before the stop.
    if not _has_acl(file) and not may_execute(file.status, record):
        raise elf.NotRunnable(
            'uid %d has no permission to execute it (mode %04o, owner %d, group %d)'
            % (record.uid if record else 0, mode, file.status.st_uid, file.status.st_gid)
        )
    if os.fstatvfs(file.look).f_flag & os.ST_NOEXEC:
        raise elf.NotRunnable('it is on a file system that is mounted with noexec')


def _check_set_id(file: Opened, record: t.Optional[LaunchRecord]) -> None:
    """Its process would not run as the user that it is started as, whoever has set that."""
    mode = file.status.st_mode
    if record is None or os.fstatvfs(file.look).f_flag & os.ST_NOSUID:
        return
    if mode & stat.S_ISUID and file.status.st_uid != record.uid:
        raise elf.NotRunnable(
            'it is set-user-ID (mode %04o): its process would run as uid %d, not %d'
            % (stat.S_IMODE(mode), file.status.st_uid, record.uid)
        )
    groups = set(record.groups) | {record.gid}
    if mode & stat.S_ISGID and mode & stat.S_IXGRP and record.uid != 0 and file.status.st_gid not in groups:
        raise elf.NotRunnable(
            'it is set-group-ID (mode %04o): its process would run with gid %d'
            % (stat.S_IMODE(mode), file.status.st_gid)
        )


def own_machines() -> t.Set[elf.Machine]:
    """What this kernel runs: what this interpreter is made for, and programs of the other word size if it has them."""
    with Opened('/proc/self/exe') as file:
        own = elf.parse_header(file.read(elf.Range(0, elf.HEADER_BYTES))).machine
    wide = {('x86_64', elf.I386): elf.X86_64, ('aarch64', elf.ARM): elf.AARCH64}.get((platform.machine(), own))
    return elf.runnable_machines(own, _runs_32_bit(own)) | ({wide} if wide else set())


def _runs_32_bit(own: elf.Machine) -> bool:
    """x32 is not looked for: nothing that Go makes needs it, and most kernels have it switched off."""
    if own == elf.X86_64:
        off = re.search(r'\bia32_emulation=(0|n|off|false)\b', procfs.read_text('/proc/cmdline'))
        return os.path.exists('/proc/sys/abi/vsyscall32') and not off
    return _has_arm_mode() if own == elf.AARCH64 else True


def _has_arm_mode() -> bool:
    """Processors without the 32-bit mode refuse this personality."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        before = libc.personality(ctypes.c_ulong(_ASK))
        found = libc.personality(ctypes.c_ulong(before & ~0xFF | _PER_LINUX32)) != -1
        libc.personality(ctypes.c_ulong(before))
        return bool(found)
    except (OSError, AttributeError):
        return True


def _check_elf(file: Opened, machines: t.Collection[elf.Machine]) -> t.Optional[str]:
    """The path of its loader, None when it needs none."""
    size = os.fstat(file.fd).st_size
    header = elf.parse_header(file.read(elf.Range(0, elf.HEADER_BYTES)))
    elf.check_kind(header, size, machines)
    segments = elf.parse_segments(header, file.read(header.segments))
    loader = elf.check_segments(header, segments, size, os.sysconf('SC_PAGESIZE'))
    first = file.read(header.sections._replace(size=header.section_size)) if header.sections.size else b''
    elf.check_sections(header, file.read(elf.section_table(header, first, size)), size)
    return os.fsdecode(elf.parse_loader(file.read(loader))) if loader else None


def _script_bytes() -> int:
    release = re.match(r'(\d+)\.(\d+)', platform.release())
    old = release is not None and (int(release.group(1)), int(release.group(2))) < (5, 1)
    return 128 if old else elf.SCRIPT_BYTES


class Chain:
    """What one execve opens, one file after another: scripts, a program, its loader."""

    def __init__(self, instance: Instance, record: t.Optional[LaunchRecord], pid: t.Optional[int]) -> None:
        self.instance, self.record, self.pid = instance, record, pid
        self.what = instance.executable
        self.unknown: t.Optional[str] = None
        self.is_script = False

    def judge(self) -> Executability:
        try:
            self._check(self.instance.executable)
            self._refuse_script()
        except Busy as exc:
            return Executability(busy='%s: %s' % (self.what, exc))
        except elf.NotRunnable as exc:
            return Executability(problem='%s: %s' % (self.what, exc))
        except OSError as exc:
            text = '%s: %s' if self.what == self.instance.executable else '%s is missing: %s'
            return Executability(problem=text % (self.what, exc.strerror))
        return Executability(unknown=self.unknown)

    def _refuse_script(self) -> None:
        """A process is recognized by its program, which would be the interpreter: after the start it would be lost."""
        if self.is_script:
            self.what = self.instance.executable
            raise elf.NotRunnable('it is a script, and its process could not be recognized as this instance')

    def _check(self, path: str) -> None:
        for _depth in range(elf.MAX_SCRIPTS + 1):
            interpreter = self._one(path)
            if interpreter is None:
                return
            path = interpreter
            self.what = '%s: its interpreter %s' % (self.instance.executable, elf.shown(os.fsencode(path)))
        raise elf.NotRunnable('it is a script as well, and Linux follows at most %d in a row' % elf.MAX_SCRIPTS)

    def _one(self, path: str) -> t.Optional[str]:
        """The interpreter of a script, None after the last file. What is being written is not complete: not judged."""
        with Opened(os.path.join(self._directory(), path)) as file:
            self._check_busy(file)
            _check_mode(file, self.record)
            _check_set_id(file, self.record)
            if file.fd < 0:
                self._note('this user cannot read %s, so whether it is complete is not known' % path)
                return None
            head = file.read(elf.Range(0, elf.SCRIPT_BYTES))
            if not head.startswith(elf.SHEBANG):
                self._program(file)
                return None
            script = elf.parse_script(head, _script_bytes())
            self._check_env(script)
            self.is_script = True
            return os.fsdecode(script.interpreter)

    def _program(self, file: Opened) -> None:
        loader = _check_elf(file, own_machines())
        if loader is not None:
            self.what = '%s: its loader %s' % (self.instance.executable, elf.shown(os.fsencode(loader)))
            with Opened(os.path.join(self._directory(), loader)) as found:
                self._check_busy(found)
                _check_mode(found, self.record)
                if found.fd >= 0:
                    _check_elf(found, [elf.parse_header(file.read(elf.Range(0, elf.HEADER_BYTES))).machine])

    def _directory(self) -> str:
        """Where a relative path begins: the working directory of the new process."""
        return (self.record.cwd if self.record else None) or self.instance.dir

    def _check_busy(self, file: Opened) -> None:
        written = file.is_written()
        if written:
            raise Busy(file.writers())
        if written is None and file.path == self.instance.executable and not file.is_same(self.pid):
            self._note('this user cannot see whether a process has %s open for writing' % file.path)

    def _note(self, text: str) -> None:
        self.unknown = self.unknown or text

    def _check_env(self, script: elf.Script) -> None:
        """``env`` itself is executed, and ends at once when it does not find the program."""
        sought = os.fsdecode(elf.sought_by_env(script) or b'')
        if not sought or self.record is None:
            return
        places = (self.record.environment.get('PATH') or _DEFAULT_PATH).split(':')
        paths = [sought] if '/' in sought else [os.path.join(place or '.', sought) for place in places]
        if not any(os.access(os.path.join(self._directory(), path), os.X_OK) for path in paths):
            raise elf.NotRunnable('its first line looks for %s, which is not in PATH' % elf.shown(os.fsencode(sought)))


def judge(instance: Instance, record: t.Optional[LaunchRecord], pid: t.Optional[int] = None) -> Executability:
    """Whether execve of the binary by the user of the record would work now. ``pid``: what runs of the instance."""
    return Chain(instance, record, pid).judge()


def refuse(instance: Instance, record: t.Optional[LaunchRecord], pid: t.Optional[int] = None) -> None:
    """LifecycleError when the binary cannot be executed; NotYet while somebody writes it."""
    found = judge(instance, record, pid)
    if found.busy:
        raise NotYet(
            '%s cannot be started now: %s. Nothing was stopped or started. Wait until the file is complete (it may be '
            'a running upload), or end that process.' % (instance.id, found.busy)
        )
    if found.problem:
        raise LifecycleError(
            '%s cannot be started: %s. Nothing was stopped or started. Install the binary of this release there (mode '
            '0755).' % (instance.id, found.problem)
        )
