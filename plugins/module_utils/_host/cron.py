# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The host's cron lines: what runs which script as whom. Parsing is pure; ``read_all`` reads the host once."""

import os
import pwd
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files as _files

SPOOLS = ('/var/spool/cron/crontabs', '/var/spool/cron')
_SYSTEM = (
    '/etc/crontab',
    '/etc/cron.d',
    '/etc/cron.hourly',
    '/etc/cron.daily',
    '/etc/cron.weekly',
    '/etc/cron.monthly',
)
_PANEL_JOBS = '/www/server/cron/'
LONGEST_LINE = 4096  # characters that are looked at; some crons take 1000, some 131072
_MOST_TEXT = 256 << 10  # bytes of one file
_MOST_JOBS = 500  # scripts of the panel
_LEFT_BY_PACKAGES = re.compile(r'^\.|~$|\.(dpkg-\w+|rpm\w+|swp)$|^\.placeholder$')
_ENVIRONMENT = re.compile(r'''^\s*["']?[A-Za-z_][A-Za-z0-9_]*["']?\s*=''')
_WORD = re.compile(r'''(?:[^\s"'\\;&|<>()]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+''')
_PERCENT = re.compile(r'(?<!\\)%')
_QUOTES = re.compile(r'''\\(.)|["']''')


class CronLine(t.NamedTuple):
    """``source`` is the file, ``user`` who runs it, ``command`` with cron's own percent signs resolved."""

    source: str
    user: t.Optional[str]
    schedule: str
    command: str


class Cron(t.NamedTuple):
    """``unread``: sources that exist but could not be read, each with the reason."""

    lines: t.List[CronLine]
    unread: t.List[str]


def _command(text: str) -> str:
    """A bare % ends the command (the rest is its input); \\% is a percent sign."""
    return _PERCENT.split(text, maxsplit=1)[0].replace('\\%', '%').strip()


def parse_line(line: str, source: str, user: t.Optional[str]) -> t.Optional[CronLine]:
    """One line of a crontab; ``user`` None means that the line names its user. None for comments and environment."""
    line = line.strip()
    if not line or line.startswith('#') or _ENVIRONMENT.match(line):
        return None
    line = line[1:] if line.startswith('-') else line  # SUSE: do not log
    times = 1 if line.startswith('@') else 5
    fields = line.split(None, times + (user is None))
    if len(fields) < times + 1 + (user is None):
        return None
    who = fields[times] if user is None else user
    return CronLine(source, who, ' '.join(fields[:times]), _command(fields[-1]))


def parse(text: str, source: str, user: t.Optional[str]) -> t.List[CronLine]:
    """All lines of a crontab; ``user`` None: the format of /etc/crontab, with a user field."""
    found = [parse_line(line, source, user) for line in text.replace('\r\n', '\n').split('\n')]
    return [line for line in found if line is not None]


def words(command: str) -> t.List[str]:
    """The words of a shell command, quotes and backslashes removed; unlike a shell's parser it never fails."""
    return [_QUOTES.sub(r'\1', match.group(0)) for match in _WORD.finditer(command)]


def paths(command: str) -> t.List[str]:
    """The absolute paths that a command names; ``cd DIR && ./x`` gives ``DIR/x`` as well."""
    found, here = [], ''
    items = words(command)
    for before, word in zip([''] + items, items):
        if '=/' in word:
            found.append(os.path.normpath(word.rpartition('=')[2]))
        elif word.startswith('/'):
            found.append(os.path.normpath(word))
            here = word if before == 'cd' else here
        elif here and (word.startswith('./') or word in ('start.sh', 'stop.sh')):
            found.append(os.path.normpath(os.path.join(here, word)))
    return found


class _Reader:
    def __init__(self) -> None:
        self.lines: t.List[CronLine] = []
        self.unread: t.List[str] = []
        self.jobs: t.Set[t.Tuple[str, t.Optional[str]]] = set()

    def text(self, path: str) -> str:
        """A file, cut where it or a line of it is longer than anybody writes; that is told like one not read."""
        data = self._read(path)
        if len(data) > _MOST_TEXT:
            self.unread.append('%s: only its first %d KiB were read' % (path, _MOST_TEXT >> 10))
        lines = data[:_MOST_TEXT].decode('utf-8', 'replace').split('\n')
        longest = max(map(len, lines))
        if longest > LONGEST_LINE:
            self.unread.append(
                '%s: only the first %d characters of a line of %d were read' % (path, LONGEST_LINE, longest)
            )
        return '\n'.join(line[:LONGEST_LINE] for line in lines)

    def _read(self, path: str) -> bytes:
        try:
            return _files.read_system(path, _MOST_TEXT + 1).replace(b'\0', b'?')  # no path holds a NUL
        except FileNotFoundError:
            return b''
        except OSError as exc:
            self.unread.append('%s: %s' % (path, exc.strerror))
        except _files.UnsafePath as exc:
            self.unread.append(exc.msg)
        return b''

    def files(self, directory: str) -> t.List[str]:
        try:
            names = sorted(os.listdir(directory))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            self.unread.append('%s: %s' % (directory, exc.strerror))
            return []
        listed = [os.path.join(directory, name) for name in names if not _LEFT_BY_PACKAGES.search(name)]
        return [path for path in listed if not os.path.isdir(path)]

    def spool(self, directory: str) -> None:
        for path in self.files(directory):
            self.lines += parse(self.text(path), path, os.path.basename(path))
        own = os.path.join(directory, pwd.getpwuid(os.geteuid()).pw_name) if _has_name(os.geteuid()) else ''
        if own and any(entry.startswith(directory + ': ') for entry in self.unread):
            self.lines += parse(self.text(own), own, os.path.basename(own))

    def system(self) -> None:
        self.lines += parse(self.text(_SYSTEM[0]), _SYSTEM[0], None)
        for path in self.files(_SYSTEM[1]):
            self.lines += parse(self.text(path), path, None)
        for directory in _SYSTEM[2:]:
            for path in self.files(directory):
                self.script(path, 'root', '@' + directory.rpartition('.')[2])

    def script(self, path: str, user: t.Optional[str], schedule: str) -> None:
        for line in self.text(path).split('\n'):
            if line.strip() and not line.strip().startswith('#'):
                self.lines.append(CronLine(path, user, schedule, line.strip()))

    def panel_jobs(self) -> None:
        """A panel's crontab lines only name its job files; what they do stands in those."""
        for line in list(self.lines):
            for path in paths(line.command):
                if path.startswith(_PANEL_JOBS) and not path.endswith('.log'):
                    self.job(path, line)

    def job(self, path: str, line: CronLine) -> None:
        """Once for each user, however many lines name it."""
        if len(self.jobs) >= _MOST_JOBS:
            self.unread.append('%s: it names more than %d scripts of the panel' % (line.source, _MOST_JOBS))
        elif (path, line.user) not in self.jobs:
            self.jobs.add((path, line.user))
            self.script(path, line.user, line.schedule)


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def read_all() -> Cron:
    """Every cron line of the host that this user may read."""
    reader = _Reader()
    for directory in SPOOLS:
        reader.spool(directory)
    reader.system()
    reader.panel_jobs()
    return Cron(reader.lines, list(dict.fromkeys(reader.unread)))
