# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the files of an install directory say about it: cut writes, missing parts, what cron does with them."""

import os
import stat
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import changelog
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.config_file import load_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import MIB, InstallDir, why_unsafe

T = t.TypeVar('T')
_FRESH = 60.0  # seconds: a file that changed since is perhaps still being written
_LOGS = (('running', 'running.log'), ('check', 'check.log'), ('error', 'error.log'), ('panics', 'cache/error.log'))
_BY_NAME = (b'grep', b'pkill', b'killall', b'pgrep', b'pidof', b'kill -9')


class Tree:
    """An install directory with its trusted owners; what cannot be read is told in ``problems`` and not guessed."""

    def __init__(self, directory: InstallDir, owners: t.Collection[int]) -> None:
        self.directory, self.owners = directory, owners
        self.problems: t.List[str] = []

    def _attempt(self, relative: str, work: t.Callable[[], t.Optional[T]]) -> t.Optional[T]:
        """None when it does not exist or cannot be looked at; the second is noted."""
        try:
            return work()
        except FileNotFoundError:
            return None
        except OSError as exc:
            self.problems.append('%s: %s' % (self.directory.shown(relative), exc.strerror))
        except LifecycleError as exc:
            self.problems.append(exc.msg)
        return None

    def lstat(self, relative: str) -> t.Optional[os.stat_result]:
        return self._attempt(relative, lambda: self.directory.lstat(relative))

    def tail(self, relative: str, limit: int) -> t.Optional[bytes]:
        return self._attempt(relative, lambda: self.directory.tail(relative, self.owners, limit))

    def version(self) -> t.Optional[str]:
        """The version of the files; None when CHANGELOG.md does not tell, and noted when it may not be opened."""
        data = self._attempt(changelog.NAME, lambda: self.directory.head(changelog.NAME, self.owners, 65536))
        return changelog.newest(data.decode('utf-8', 'replace')) if data is not None else None

    def note_foreign_store(self) -> None:
        """``.lifecycle`` is this collection's place for bulk data: anything but a directory was planted."""
        found = self.lstat('.lifecycle')
        if found is not None and not stat.S_ISDIR(found.st_mode):
            self.problems.append('%s is not a directory: it is not used' % self.directory.shown('.lifecycle'))

    def names(self, relative: str) -> t.List[str]:
        return self._attempt(relative, lambda: self.directory.names(relative)) or []

    def is_dir(self, relative: str) -> bool:
        found = self.lstat(relative)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def has_locales(self) -> t.Optional[bool]:
        """Whether there is a language file below locales/; None when that could not be seen."""
        before = len(self.problems)
        found = any(
            name.endswith('.yml')
            for language in self.names('locales')
            if self.is_dir('locales/' + language)
            for name in self.names('locales/' + language)
        )
        return True if found else (None if len(self.problems) > before else False)

    def logs(self, launch_log: t.Optional[str], uid: t.Optional[int]) -> t.List[t.Dict[str, t.Any]]:
        """The logs that exist: path, kind, size in bytes, usable, and why not."""
        paths = [(kind, self.directory.shown(relative)) for kind, relative in _LOGS]
        if launch_log and launch_log not in [path for dummy, path in paths]:
            paths.insert(0, ('running', launch_log))
        return [row for row in (self._log(kind, path, uid) for kind, path in paths) if row is not None]

    def _log(self, kind: str, path: str, uid: t.Optional[int]) -> t.Optional[t.Dict[str, t.Any]]:
        row: t.Dict[str, t.Any] = dict(path=path, kind=kind, size=None, usable=False, reason=None)
        try:
            fd = self.directory.open_log(path, uid)
        except FileNotFoundError:
            return None
        except OSError as exc:
            return dict(row, reason=exc.strerror)
        except LifecycleError as exc:
            return dict(row, reason=exc.msg)
        try:
            return dict(row, size=os.fstat(fd).st_size, usable=True)
        finally:
            os.close(fd)

    # --- signs of a hard kill

    def cut_files(self, running: bool, now: t.Optional[float] = None) -> t.List[str]:
        """Files that end in the middle: JSON, sitemaps and backups that a killed process leaves so."""
        newest = (time.time() if now is None else now) - (_FRESH if running else 0.0)
        candidates = [(name, _json_is_cut) for name in ('collector.json', 'keyword.json')]
        candidates += [
            ('public/' + name, _sitemap_is_cut)
            for name in self.names('public')
            if name.startswith('sitemap') and name.endswith('.xml')
        ]
        backups = [name for name in self.names('data/backup') if name.endswith('.sql')]
        candidates += [('data/backup/' + name, _backup_is_cut) for name in backups[-3:]]
        return [
            self.directory.shown(relative) for relative, test in candidates[:60] if self._is_cut(relative, test, newest)
        ]

    def _is_cut(self, relative: str, test: t.Callable[[bytes], bool], newest: float) -> bool:
        found = self.lstat(relative)
        if found is None or not stat.S_ISREG(found.st_mode) or found.st_mtime > newest:
            return False
        if test is _json_is_cut and found.st_size > MIB:
            return False
        data = self.tail(relative, MIB if test is _json_is_cut else 4096)
        return data is not None and test(data)


def _json_is_cut(data: bytes) -> bool:
    try:
        load_json(data)
    except ValueError as exc:
        return 'an object is expected' not in str(exc)
    return False


def _sitemap_is_cut(data: bytes) -> bool:
    return not data.rstrip().endswith((b'</urlset>', b'</sitemapindex>'))


def _backup_is_cut(data: bytes) -> bool:
    return not data.rstrip().endswith((b';', b'*/'))


# --- what cron does with them


def runs_by_root(lines: t.Iterable[cron.CronLine], directory: str) -> t.List[str]:
    """Scripts below a directory that cron runs as root. Pure."""
    found = {
        path
        for line in lines
        if line.user == 'root'
        for path in cron.paths(line.command)
        if path.startswith(directory.rstrip('/') + '/') and path.endswith('.sh')
    }
    return sorted(found)


def fragile_scripts(tree: Tree, lines: t.Iterable[cron.CronLine]) -> t.List[str]:
    """start.sh and stop.sh in cron that count or kill by name; one that cannot be read counts, with the reason."""
    prefix = tree.directory.path.rstrip('/') + '/'
    named = {path[len(prefix) :] for line in lines for path in cron.paths(line.command) if path.startswith(prefix)}
    found = []
    for relative in sorted(named & {'start.sh', 'stop.sh'}):
        info = tree.lstat(relative)
        why = why_unsafe(info, tree.owners) if info is not None else None
        data = tree.tail(relative, 65536) if info is not None and why is None else None
        if why or (data is not None and any(mark in data for mark in _BY_NAME)):
            found.append('%s%s' % (tree.directory.shown(relative), ' (%s)' % why if why else ''))
    return found
