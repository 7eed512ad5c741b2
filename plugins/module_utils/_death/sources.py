# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Lines that may tell of a death, from where the host keeps them: the journal, the kernel's ring, log files, pstore.

Every source gives its lines and a coverage: the span in which it would have shown a kill by the kernel. The span is
taken from what was read, never from what should be there; what cannot be read says what to grant.
"""

import os
import re
import select
import stat
import subprocess
import tempfile
import time
import typing as t
import uuid

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import counters as _oom_counters
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import (
    log_prefix,
    log_time,
    system_logs,
    wrappers,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Coverage, Evidence, RawLine
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.log_time import Clocks
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.needles import concerns
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.system_logs import (
    MOST_LINES,
    Reading,
    shown,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.userspace import SERVICES
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, foreign_json, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.local_time import Moment
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import LineCutter

KMSG = '/dev/kmsg'
PSTORES = ('/sys/fs/pstore', '/var/lib/systemd/pstore')
_KMSG_DEVICE = os.makedev(1, 11)
_TIMEOUT = 30.0  # seconds for one source that is a program
_MOST_TEXT = 4096  # bytes of one line
_RECORD = 8192  # the kernel refuses to read a record into less than it needs, and this is the most
_CRASH_NOTED = 60.0  # seconds from the last words of a kernel to the file that keeps them
_DRIFT = 5e-5  # how far the clock of the kernel's log may run from the host's, per second since
# Who may say that a userspace killer acted: fields with a leading underscore are written by the journal itself.
# The journal itself speaks as a driver: of what it has lost.
MATCHES = ('_TRANSPORT=kernel', '+', '_TRANSPORT=driver', '+', '_PID=1') + tuple(
    part for name in SERVICES for part in ('+', '_SYSTEMD_UNIT=%s.service' % name)
)
_GRANT_JOURNAL = 'run it as root or add the user to the group systemd-journal'
_GRANT_RING = 'run it as root or grant CAP_SYSLOG'
_NOT_ALL = re.compile('not seeing messages from other users|insufficient permissions|Permission denied', re.I)


def clocks() -> Clocks:
    now, monotonic = time.time(), time.monotonic()
    return Clocks(now, monotonic, monotonic + _oom_counters.suspended())


def _moment(seconds: float, at: Clocks) -> Moment:
    """Of a stamp of the kernel's log; its clock is not corrected and runs away from the host's."""
    moment = log_time.of_printk(seconds, at)
    return Moment(moment.time, moment.uncertainty + max(0.0, at.monotonic - seconds) * _DRIFT)


def unread(source: str, why_not: str) -> Reading:
    return Reading([], Coverage(source, None, None, False, why_not, False))


def read_ring(since: float, until: float) -> Reading:
    """The kernel's ring, by dmesg where /dev/kmsg may not be read."""
    ring = read_kmsg(since, until)
    if not ring.coverage.readable:
        by_program = read_dmesg(since, until)
        ring = by_program if by_program.coverage.readable else ring
    return ring


def read_all(since: float, until: float, kernel_logs: t.Sequence[str] = (), journal: bool = True) -> t.List[Reading]:
    """Every source of this host, and the given files; without any the usual files of the system's log."""
    readings = [read_journal(since, until)] if journal else []
    return readings + [read_ring(since, until)] + system_logs.read_files(since, until, kernel_logs) + [read_pstore()]


# --- programs


class Ended(t.NamedTuple):
    """``cut``: why not all of its output was taken."""

    status: t.Optional[int]
    errors: str
    cut: t.Optional[str]


def run(argv: t.Sequence[str], take: t.Callable[[bytes], bool], timeout: float = _TIMEOUT) -> Ended:
    """Give whole lines of a program's output to ``take`` until it returns False. OSError: it cannot be started."""
    environment = dict(os.environ, LC_ALL='C', LANGUAGE='C', SYSTEMD_COLORS='0', SYSTEMD_PAGER='')
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # its output is not held in memory
            list(argv), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            cut = _pump(process, take, time.monotonic() + timeout)
        finally:
            if process.stdout is not None:
                process.stdout.close()
            if process.poll() is None:
                process.kill()
            process.wait()
        errors.seek(0)
        return Ended(process.returncode, errors.read(_MOST_TEXT).decode('utf-8', 'replace').strip(), cut)


def _pump(process: 'subprocess.Popen[bytes]', take: t.Callable[[bytes], bool], end: float) -> t.Optional[str]:
    cutter = LineCutter()
    fd = process.stdout.fileno() if process.stdout is not None else -1
    while True:
        poller = select.poll()  # unlike select it takes descriptors above 1023
        poller.register(fd, select.POLLIN)
        if not poller.poll(max(0, int((end - time.monotonic()) * 1000 + 0.999))):
            return 'it took too long'
        block = os.read(fd, 262144)
        if not take(cutter.feed(block) if block else cutter.finish()):
            return 'the output was too long'
        if not block:
            process.wait(timeout=max(0.1, end - time.monotonic()))
            return None


# --- journal


def parse_journal(line: bytes) -> t.Optional[RawLine]:
    """One record of ``journalctl -o json``; None for what is none, or has no message. Pure.

    What did not come from the kernel is given the prefix of ``journalctl -o short-unix``, with the service as its tag.
    """
    try:
        record = foreign_json.load(line.decode('utf-8', 'replace'))
        text, realtime = wrappers.message_of(record.get('MESSAGE')), int(record['__REALTIME_TIMESTAMP']) / 1e6
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    if text is None:
        return None
    lag, boot_id = _lag(record), _boot_id(wrappers.field_of(record, '_BOOT_ID'))
    evidence = Evidence('journal', None, None, wrappers.field_of(record, '__CURSOR'), shown(text))
    when, uncertainty = realtime - lag, 0.1 + lag * 0.1
    if wrappers.field_of(record, '_TRANSPORT') == 'kernel':
        facility = wrappers.field_of(record, 'SYSLOG_FACILITY') or ''
        return RawLine(
            text[:_MOST_TEXT],
            when,
            uncertainty,
            evidence,
            'kernel',
            int(facility) if facility.isdigit() else None,
            boot_id,
        )
    tag = '%s[%s]: ' % (wrappers.service_of(record), wrappers.field_of(record, '_PID') or 0)
    evidence = evidence._replace(text=tag + evidence.text)
    return RawLine(
        ('%.6f - %s' % (when, tag)).encode('ascii', 'replace') + text[:_MOST_TEXT],
        when,
        uncertainty,
        evidence,
        'journal',
        None,
        boot_id,
    )


def _lag(record: t.Mapping[str, t.Any]) -> float:
    """Seconds from a message of the kernel to its entry in the journal: at a boot the journal reads what is there."""
    try:
        lag = (int(record['__MONOTONIC_TIMESTAMP']) - int(record['_SOURCE_MONOTONIC_TIMESTAMP'])) / 1e6
    except (KeyError, ValueError, TypeError):
        return 0.0
    return min(3600.0, max(0.0, lag))


def _boot_id(text: t.Optional[str]) -> t.Optional[str]:
    """As the kernel writes it, with dashes."""
    try:
        return str(uuid.UUID(text)) if text else None
    except ValueError:
        return None


class _Journal:
    """What a run of journalctl gave, and what it did not."""

    def __init__(self, program: str, most: int) -> None:
        self.program, self.most = program, most
        self.lines: t.List[RawLine] = []
        self.broken = 0

    def records(self, options: t.Sequence[str], wanted: t.Callable[[bytes], bool]) -> Ended:
        def take(block: bytes) -> bool:
            for line in block.split(b'\n'):
                if len(self.lines) >= self.most:
                    return False
                if line.startswith(b'{') and wanted(line):
                    record = parse_journal(line)
                    self.broken += record is None
                    self.lines += [record] if record is not None else []
            return len(self.lines) < self.most

        return run([self.program, '--no-pager', '-o', 'json'] + list(options), take)


def _may_concern(line: bytes) -> bool:
    """A message that is a list of bytes does not show its text before it is decoded."""
    return concerns(line) or re.search(rb'"MESSAGE" ?: ?\[', line) is not None


def read_journal(since: float, until: float, program: str = 'journalctl') -> Reading:
    """Messages of the kernel, of PID 1 and of the killers for memory, of this boot and of earlier ones."""
    span = ['--since=@%d' % max(0, int(since)), '--until=@%d' % (max(0, int(until)) + 1)]
    found, first, last = _Journal(program, MOST_LINES), _Journal(program, 1), _Journal(program, 1)
    try:
        errors = first.records(['_TRANSPORT=kernel'], lambda dummy: True).errors
        if not first.lines:  # with -o json it does not say that there is more
            errors += run([program, '--no-pager', '-n', '1', '_TRANSPORT=kernel'], lambda dummy: True).errors
        last.records(['-n', '1', '_TRANSPORT=kernel'], lambda dummy: True)
        ended = found.records(span + list(MATCHES), _may_concern)
    except FileNotFoundError:
        return unread('journal', '%s is not installed' % program)
    except (OSError, subprocess.SubprocessError) as exc:
        return unread('journal', '%s cannot be run: %s' % (program, exc))
    lines = [line for line in found.lines if concerns(line.text)]
    return Reading(lines, _journal_coverage(first.lines, last.lines, ended, errors, found.broken))


def _journal_coverage(
    first: t.List[RawLine], last: t.List[RawLine], ended: Ended, errors: str, broken: int
) -> Coverage:
    if _NOT_ALL.search(errors) or _NOT_ALL.search(ended.errors):
        return unread('journal', 'this user cannot see system messages: %s' % _GRANT_JOURNAL).coverage
    if ended.cut is None and ended.status:
        return unread('journal', 'journalctl failed: %s' % ended.errors[:200]).coverage
    if not first or not last or first[0].time is None or last[0].time is None:
        return Coverage('journal', None, None, True, 'it contains no kernel messages', False)
    why_not = ended.cut or ('%d records could not be parsed' % broken if broken else None)
    end = time.time() if last[0].boot_id == procfs.boot_id() and _journal_runs() else last[0].time
    return Coverage('journal', first[0].time, end, True, why_not, why_not is None)


def _journal_runs() -> bool:
    """Whether the journal's daemon is there to note what the kernel says now."""
    for pid in procfs.list_pids():
        try:
            if procfs.parse_stat(procfs.read('/proc/%d/stat' % pid)).comm == 'systemd-journal':
                return True
        except (OSError, ValueError):
            continue
    return False


# --- ring of the kernel


def parse_kmsg(record: bytes, at: Clocks) -> t.Optional[t.Tuple[int, RawLine]]:
    """One record of /dev/kmsg, ``pri,seq,usec,flags;message``: its sequence number and its line. Pure."""
    head, semicolon, message = record.partition(b';')
    fields = head.split(b',')
    if not semicolon or len(fields) < 3 or not all(field.isdigit() for field in fields[:3]):
        return None
    priority, sequence, usec = (int(field) for field in fields[:3])
    text = message.split(b'\n', 1)[0][:_MOST_TEXT]
    when, uncertainty = _moment(usec / 1e6, at)
    evidence = Evidence('kmsg', KMSG, None, 'seq=%d' % sequence, shown(text))
    return sequence, RawLine(text, when, uncertainty, evidence, 'kernel', priority >> 3, None)


class _Ring:
    """Lines of the ring within a window; ``begin`` is from when on nothing is missing."""

    def __init__(self, since: float, until: float) -> None:
        self.since, self.until = since, until
        self.lines: t.List[RawLine] = []
        self.begin: t.Optional[float] = None
        self.cut: t.Optional[str] = None

    def take(self, line: RawLine, boot: t.Optional[float]) -> None:
        """``boot``: when the ring began, where this line is the first that was ever in it."""
        if self.begin is None:
            self.begin = boot if boot is not None else line.time
        if line.time is None or not concerns(line.text):
            return
        if self.since - line.uncertainty <= line.time <= self.until + line.uncertainty:
            if len(self.lines) >= MOST_LINES:
                self.cut = 'it has more than %d lines about memory or crashes' % MOST_LINES
            else:
                self.lines.append(line)

    def reading(self, source: str, now: float) -> Reading:
        if self.begin is None:
            return unread(source, 'it is empty')
        return Reading(self.lines, Coverage(source, self.begin, now, True, self.cut, self.cut is None))


def read_kmsg(since: float, until: float, path: str = KMSG) -> Reading:
    """The kernel's ring as records, which tell the kernel's own from those of a program that wrote there."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except PermissionError:
        return unread('kmsg', 'no permission to read %s: %s' % (path, _GRANT_RING))
    except OSError as exc:
        return unread('kmsg', '%s cannot be read: %s' % (path, exc.strerror))
    try:
        info = os.fstat(fd)
        if not stat.S_ISCHR(info.st_mode) or info.st_rdev != _KMSG_DEVICE:
            return unread('kmsg', '%s is not the kernel log on this host' % path)
        return ring_of(lambda: os.read(fd, _RECORD), since, until, clocks())
    except PermissionError:
        return unread('kmsg', 'no permission to read %s: %s' % (path, _GRANT_RING))
    except OSError as exc:
        return unread('kmsg', '%s cannot be read: %s' % (path, exc.strerror))
    finally:
        os.close(fd)


def ring_of(read: t.Callable[[], bytes], since: float, until: float, at: Clocks) -> Reading:
    """What ``read`` gives, a record at a time: BlockingIOError at the end, BrokenPipeError where records were lost."""
    ring = _Ring(since, until)
    while True:
        try:
            record = read()
        except BlockingIOError:
            return ring.reading('kmsg', at.real)
        except BrokenPipeError:
            ring.begin = None
            continue
        if not record:
            return ring.reading('kmsg', at.real)
        if ring.begin is not None and not concerns(record):
            continue
        parsed = parse_kmsg(record, at)
        if parsed is not None:
            ring.take(parsed[1], _moment(0.0, at).time if parsed[0] == 0 else None)


def parse_dmesg(line: bytes, at: Clocks) -> t.Optional[RawLine]:
    """``<pri>[seconds] message``; None without a time. Pure."""
    prefix = log_prefix.split(line)
    if prefix.printk is None:
        return None
    when, uncertainty = _moment(prefix.printk, at)
    evidence = Evidence('dmesg', None, None, None, shown(line))
    return RawLine(prefix.message[:_MOST_TEXT], when, uncertainty, evidence, 'kernel', prefix.facility, None)


def read_dmesg(since: float, until: float, program: str = 'dmesg') -> Reading:
    """The ring by the system call: with -S the priorities are whole; the program of busybox has no other way."""
    why_not = ''
    for options in (['-S', '-r'], ['-r']):
        ring, at = _Ring(since, until), clocks()

        def take(block: bytes, ring: _Ring = ring, at: Clocks = at) -> bool:
            for text in block.split(b'\n'):
                line = parse_dmesg(text, at)
                if line is not None:
                    ring.take(line, _moment(0.0, at).time if b'Linux version ' in line.text else None)
            return True

        try:
            ended = run([program] + options, take)
        except (OSError, subprocess.SubprocessError) as exc:
            return unread('dmesg', '%s cannot be run: %s' % (program, exc))
        if ended.status == 0 and ring.begin is not None:
            return ring.reading('dmesg', at.real)
        why_not = '%s: %s' % (program, ended.errors[:200] or 'it is empty')
    return unread('dmesg', '%s; %s' % (why_not, _GRANT_RING))


# --- what a crash left behind


def read_pstore(directories: t.Sequence[str] = PSTORES) -> Reading:
    """The last messages of a kernel that crashed, which firmware kept over the boot."""
    lines: t.List[RawLine] = []
    problems: t.List[str] = []
    for directory in directories:
        try:
            paths = sorted(_files_below(directory))
        except OSError as exc:
            problems.append('%s cannot be read: %s; run it as root' % (directory, exc.strerror))
            continue
        for path in paths[:100]:
            try:
                lines += parse_pstore(files.read_system(path, files.MIB), path, os.stat(path).st_mtime)
            except (OSError, LifecycleError) as exc:
                problems.append('%s: %s' % (path, exc))
    return Reading(lines[:MOST_LINES], Coverage('pstore', None, None, not problems, '; '.join(problems) or None, False))


def _files_below(directory: str) -> t.List[str]:
    if not os.path.isdir(directory):
        return []
    found = []
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        below = [os.path.join(path, each) for each in os.listdir(path)] if os.path.isdir(path) else [path]
        found += [each for each in below if os.path.basename(each).startswith('dmesg')]
    return found


def parse_pstore(data: bytes, path: str, changed: float) -> t.List[RawLine]:
    """Its last line was printed when the file was made. Pure."""
    split = [(number, line, log_prefix.split(line)) for number, line in enumerate(data.split(b'\n'), 1)]
    last = max([prefix.printk for dummy, dummy_line, prefix in split if prefix.printk is not None] or [0.0])
    found = []
    for number, line, prefix in split:
        if prefix.printk is not None and concerns(line):
            evidence = Evidence('pstore', path, number, None, shown(line))
            found.append(
                RawLine(
                    prefix.message[:_MOST_TEXT],
                    changed - (last - prefix.printk),
                    _CRASH_NOTED,
                    evidence,
                    'kernel',
                    prefix.facility,
                    None,
                )
            )
    return found
