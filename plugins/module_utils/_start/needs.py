# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Sees what a start needs: files of the install directory, what the log tells, the database."""

import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _evidence, _files, _hazards, _versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._launch import LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import children as _children
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import database as _database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import preconditions as _preconditions

Params = t.Mapping[str, t.Any]
LOG_BYTES = 16 << 20  # of the log are searched at most; only where dictionary.txt is missing


def next_version(context: Context) -> t.Optional[str]:
    """That a start would run: the version of the process while it runs the file on disk, else that of the files."""
    same = context.handle is not None and _runs_the_file(context.handle.proc.fd, context.instance.executable)
    order = (context.running_version, context.file_version)
    first, second = order if same else order[::-1]
    return first or second


def _runs_the_file(proc: int, path: str) -> bool:
    try:
        running, on_disk = os.stat('exe', dir_fd=proc), os.stat(path)
    except OSError:
        return False
    return (running.st_dev, running.st_ino) == (on_disk.st_dev, on_disk.st_ino)


def has_dictionary(directory: _files.InstallDir) -> t.Optional[bool]:
    try:
        found = directory.lstat(_preconditions.DICTIONARY)
        if found is not None and stat.S_ISLNK(found.st_mode):
            return None  # the application follows it, we do not
        return found is not None and stat.S_ISREG(found.st_mode)
    except (OSError, LifecycleError):
        return None


def databases(context: Context, record: LaunchRecord) -> t.List[_database.Target]:
    configured = context.config.database if context.config is not None else {}
    return _database.targets(configured, record.environment, next_version(context))


def gather(context: Context, record: LaunchRecord, answers: t.Sequence[_database.Answer]) -> _preconditions.Needs:
    """All but the answers of the databases, which were asked by who may."""
    version = next_version(context)
    with _files.InstallDir(context.instance.dir) as directory:
        tree = _evidence.Tree(directory, directory.owners(record.uid))
        locales = tree.has_locales() if _versions.needs_locales(version) else None
        dictionary = has_dictionary(directory) if _versions.may_read_dictionary(version) else None
    read = None  # type: t.Optional[bool]
    if dictionary is False:
        read = _preconditions.dictionary_was_read(context.log_since(0, LOG_BYTES), context.instance.dir)
    return _preconditions.Needs(
        context.instance.dir, version, locales, dictionary, read, answers,
        names_database=bool(databases(context, record)), uid=record.uid)


def ask_databases(context: Context, record: LaunchRecord) -> t.List[_database.Answer]:
    """By processes of their own, as the instance's user."""
    who = _children.Identity(record.uid, record.gid, record.groups)
    return _database.ask_all(databases(context, record),
                             lambda target, limit: _database.ask(target, who, limit))


def accepted(context: Context, params: Params) -> t.FrozenSet[str]:
    """The codes that were accepted by name, for this step or for the whole run. LifecycleError for unknown ones."""
    _hazards.refuse_unknown(params.get('accept_hazards') or ())
    return frozenset(params.get('accept_hazards') or ()) | context.accepted_hazards


def untouched(context: Context) -> str:
    return 'Nothing was stopped or started.' if context.will_stop else 'Nothing was started.'


def require(context: Context, params: Params, record: LaunchRecord, answers: t.Sequence[_database.Answer],
            not_done: t.Optional[str] = None) -> t.List[str]:
    """The notes for the result. LifecycleError (NotYet for what may come back) for what is missing."""
    needs, names = gather(context, record, answers), accepted(context, params)
    _preconditions.require(needs, names, context.instance.id, not_done or untouched(context))
    return _preconditions.notes(needs, names)
