# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""/proc: pure parsers, and one process's directory held open so that a reused pid can never answer for it."""

import errno
import itertools
import os
import time
import typing as t

GONE = (errno.ENOENT, errno.ESRCH)
MOST = 4 << 20  # bytes of one file of /proc: what stands after them is not looked at
MOST_STRINGS_BYTES = 2 << 20  # of all arguments, and of the environment: as much as execve takes by default
MOST_STRING_BYTES = 128 << 10  # of one of them: execve takes no longer one
MOST_STRINGS = 10000
MOST_DESCRIPTORS = 1 << 18  # of one process
MOST_THREADS = 1 << 16
SHOWN_ARGUMENTS = 64 << 10  # bytes of the arguments that a look takes: only a record needs all


class TooMuch(PermissionError):
    """More than is looked at. Whoever goes on where something may not be seen goes on here too: it is not known."""

    def __init__(self, what: str) -> None:
        PermissionError.__init__(self, errno.EACCES, what)


class Strings(t.NamedTuple):
    """Arguments or environment. ``why_cut``: why not all is here, None when all is."""

    items: t.List[str]
    why_cut: t.Optional[str]


class Stat(t.NamedTuple):
    pid: int
    comm: str
    state: str
    ppid: int
    pgrp: int
    session: int
    tty: int
    nice: int
    threads: int
    start_ticks: int


def parse_stat(data: bytes) -> Stat:
    """Parse /proc/PID/stat. The name may hold blanks and parentheses: it ends at the last ``)``."""
    left, right = data.index(b'('), data.rindex(b')')
    rest = data[right + 2 :].split()
    numbers = [int(rest[index]) for index in (1, 2, 3, 4, 16, 17, 19)]
    return Stat(int(data[:left]), os.fsdecode(data[left + 1 : right]), rest[0].decode(), *numbers)


def is_kernel_thread(data: bytes) -> bool:
    """Whether /proc/PID/stat is that of a thread of the kernel (PF_KTHREAD)."""
    return bool(int(data[data.rindex(b')') + 2 :].split()[6]) & 0x00200000)


def parse_status(data: bytes) -> t.Dict[str, str]:
    """Parse /proc/PID/status into its fields, values stripped."""
    fields = {}
    for line in data.decode('utf-8', 'surrogateescape').split('\n'):
        key, colon, value = line.partition(':')
        if colon:
            fields[key] = value.strip()
    return fields


def real_uid(data: bytes) -> int:
    """The real user id, from /proc/PID/status: the effective one can be that of a setuid program."""
    return int(parse_status(data)['Uid'].split()[0])


def parse_strings(data: bytes) -> t.List[str]:
    """Parse cmdline or environ: strings that each end in NUL."""
    return [os.fsdecode(item) for item in data.split(b'\0')[:-1]] if data else []


def limited_strings(data: bytes, most: int) -> Strings:
    """The same from at most ``most`` bytes; a process can make more of both than any program could be given."""
    why = 'are larger than %d KiB' % (most >> 10) if len(data) > most else None
    parts = data[:most].split(b'\0', MOST_STRINGS)
    if len(parts) > MOST_STRINGS:
        why = why or ('are more than %d' % MOST_STRINGS if parts[-1] else None)
    if len(max(parts, key=len)) >= MOST_STRING_BYTES:
        why = why or 'hold one of more than %d KiB' % (MOST_STRING_BYTES >> 10)
    whole = parts[:MOST_STRINGS] if len(parts) > MOST_STRINGS else parts[:-1]
    return Strings([os.fsdecode(item[:MOST_STRING_BYTES]) for item in whole], why)


def signal_in_mask(mask: str, signum: int) -> bool:
    """Whether a hexadecimal mask of /proc/PID/status (SigIgn, SigBlk, SigCgt) holds the signal."""
    return bool(int(mask, 16) >> (signum - 1) & 1)


def parse_flags(fdinfo: bytes) -> int:
    """The open flags of /proc/PID/fdinfo/N, which prints them in octal; 0, to read only, where it has none."""
    try:
        return int(parse_status(fdinfo).get('flags', '0'), 8)
    except ValueError:
        return 0


def parse_oom_kills(data: bytes) -> t.Optional[int]:
    """Kills for memory since the boot, from /proc/vmstat; None where the kernel does not count them (before 4.13)."""
    for line in data.split(b'\n'):
        name, _blank, count = line.partition(b' ')
        if name == b'oom_kill' and count.isdigit():
            return int(count)
    return None


def is_dead(stat: t.Optional[Stat]) -> bool:
    """A zombie counts as dead only without other threads: a zombie leader's threads still hold its sockets."""
    return stat is None or (stat.state in 'ZX' and stat.threads <= 1)


def read(path: str, dir_fd: t.Optional[int] = None, most: int = MOST) -> bytes:
    """A file of /proc, at most its first ``most`` bytes: users decide how large those of their processes are.

    A look at all processes reads hundreds: without the layers of ``open`` it takes half.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        chunks: t.List[bytes] = []
        while most > 0:
            chunk = os.read(fd, min(most, 65536))
            if not chunk:
                break
            chunks.append(chunk)
            most -= len(chunk)
        return b''.join(chunks)
    finally:
        os.close(fd)


def read_all(path: str, most: int = MOST) -> bytes:
    """A whole file of /proc; TooMuch where it is larger than ``most`` bytes."""
    data = read(path, most=most + 1)
    if len(data) > most:
        raise TooMuch('%s is larger than %d MiB' % (path, most >> 20))
    return data


def read_text(path: str) -> str:
    return os.fsdecode(read(path))


class ProcDir:
    """/proc/PID opened once. Reads raise OSError ESRCH or ENOENT when it is gone, even if its pid lives again."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd = os.open('/proc/%d' % pid, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> 'ProcDir':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self.close()

    def read(self, name: str, most: int = MOST) -> bytes:
        return read(name, self.fd, most)

    def link(self, name: str) -> str:
        return os.readlink(name, dir_fd=self.fd)

    def optional_link(self, name: str) -> t.Optional[str]:
        """The link's target, None when it may not be read or does not exist (a zombie has no exe)."""
        try:
            return self.link(name)
        except OSError:
            return None

    def names(self, name: str, most: int = MOST_THREADS) -> t.List[str]:
        """At most ``most`` entries of a subdirectory (``task``); empty when it may not be read."""
        try:
            return list(itertools.islice(self.entries(name), most))
        except OSError:
            return []

    def entries(self, name: str) -> t.Iterator[str]:
        """Entries of a subdirectory, one after the other. OSError when it may not be read."""
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            with os.scandir('/proc/self/fd/%d' % fd) as entries:
                for entry in entries:
                    yield entry.name
        finally:
            os.close(fd)

    def descriptors(self, table: str = '') -> t.Iterator[str]:
        """Its descriptors, as names below ``fd``. TooMuch after so many that a look at all would take seconds."""
        for count, name in enumerate(self.entries(table + 'fd')):
            if count >= MOST_DESCRIPTORS:
                raise TooMuch('process %d has more than %d files open' % (self.pid, MOST_DESCRIPTORS))
            yield name

    def stat(self) -> t.Optional[Stat]:
        """Its stat, None when the process is gone."""
        try:
            return parse_stat(self.read('stat'))
        except OSError as exc:
            if exc.errno in GONE:
                return None
            raise

    def status(self) -> t.Dict[str, str]:
        return parse_status(self.read('status'))

    def argv(self) -> t.List[str]:
        """Its arguments for a look, at most 64 KiB of them."""
        return parse_strings(self.read('cmdline', SHOWN_ARGUMENTS))[:MOST_STRINGS]

    def strings(self, name: str) -> Strings:
        """All of ``cmdline`` or ``environ`` that a program could be given."""
        return limited_strings(self.read(name, MOST_STRINGS_BYTES + 1), MOST_STRINGS_BYTES)


def list_pids() -> t.List[int]:
    return [int(name) for name in os.listdir('/proc') if name.isdigit()]


def boot_id() -> str:
    return read_text('/proc/sys/kernel/random/boot_id').strip()


def oom_kills() -> t.Optional[int]:
    """How many kills for memory the kernel has counted since the boot; None where that cannot be told."""
    try:
        return parse_oom_kills(read('/proc/vmstat'))
    except OSError:
        return None


def uptime() -> float:
    """Seconds since the boot."""
    return float(read_text('/proc/uptime').split()[0])


def booted_at() -> float:
    """When this boot began, in seconds since the epoch. Start times of /proc count from here."""
    return time.time() - uptime()


def seconds_of(ticks: int) -> float:
    """Start times of /proc are counted in ticks of the clock."""
    return ticks / float(os.sysconf('SC_CLK_TCK'))


def hides_processes(mounts: str) -> bool:
    """Whether /proc is mounted so that other users' processes cannot be seen (hidepid 1 and 2, by number or name)."""
    hidden = False
    for line in mounts.split('\n'):
        fields = line.split()
        if len(fields) > 3 and fields[1] == '/proc' and fields[2] == 'proc':  # the last of several covers the others
            values = [option.partition('=')[2] for option in fields[3].split(',') if option.startswith('hidepid=')]
            hidden = bool(values) and values[0] not in ('0', 'off')
    return hidden


def some_are_hidden() -> bool:
    """Whether processes may exist that this user cannot see at all."""
    if os.geteuid() == 0:
        return False
    return hides_processes(read_text('/proc/self/mounts'))
