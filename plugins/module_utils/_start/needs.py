# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Sees what a start needs: files of the install directory, what the log tells, the database."""

import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking, migration
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import target as _database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Answer
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import install_tree, preconditions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import children, files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import left_behind, root_runs

Params = t.Mapping[str, t.Any]
LOG_BYTES = 16 << 20  # of the log are searched at most; only where dictionary.txt is missing


def next_version(context: Context) -> t.Optional[str]:
    """That a start would run: the version of the process while it runs the file on disk, else that of the files."""
    another = context.runs_another_file()
    if another is False and context.running_version:
        return context.running_version
    return context.file_version or (None if another else context.running_version)


def ask_ahead(context: Context) -> None:
    """Begin to ask the database where a start will, while something else is done."""
    if not (context.run.knows_databases or context.foreseen.restores_databases):
        asking.begin(context)


def has_dictionary(directory: files.InstallDir) -> t.Optional[bool]:
    try:
        found = directory.lstat(preconditions.DICTIONARY)
        if found is not None and stat.S_ISLNK(found.st_mode):
            return None  # the application follows it, we do not
        return found is not None and stat.S_ISREG(found.st_mode)
    except (OSError, LifecycleError):
        return None


def databases(context: Context, record: LaunchRecord) -> t.List[_database.Target]:
    configured = context.config.database if context.config is not None else {}
    return _database.targets(configured, record.environment, next_version(context))


def gather(context: Context, record: LaunchRecord, answers: t.Sequence[_database.Answer]) -> preconditions.Needs:
    """All but the answers of the databases, which were asked by who may."""
    there = context.foreseen.version is None  # else a release will be switched in, which was looked at by itself
    version = context.foreseen.version or next_version(context)
    newer = ask(context, version, answers)
    with files.InstallDir(context.instance.dir) as directory:
        tree = install_tree.Tree(directory, directory.owners(record.uid))
        locales = tree.has_locales() if there and versions.needs_locales(version) else None
        dictionary = has_dictionary(directory) if there and versions.may_read_dictionary(version) else None
    read: t.Optional[bool] = None
    if dictionary is False:
        read = preconditions.dictionary_was_read(context.logs.since(0, LOG_BYTES), context.instance.dir)
    return preconditions.Needs(
        context.instance.dir,
        version,
        locales,
        dictionary,
        read,
        answers,
        names_database=bool(databases(context, record)),
        uid=record.uid,
        writable=root_runs.writable(context.instance) if record.uid == 0 else [],
        owner=name_of(os.stat(context.instance.dir).st_uid),
        user=name_of(record.uid),
        left_behind=left_behind.of(context.instance, ran_as(context), record),
        newer=newer.newer,
        newer_than=version,
        newer_unknown=newer.unknown,
    )


def ran_as(context: Context) -> t.Optional[int]:
    """The user of the process that runs, or ran last."""
    if context.candidate is not None:
        return context.candidate.uid
    record = context.stored_record()
    return record.uid if record is not None else None


def ask_databases(context: Context, record: LaunchRecord) -> t.List[_database.Answer]:
    """By processes of their own, as the instance's user."""
    who = children.Identity(record.uid, record.gid, record.groups)
    return _database.ask_all(databases(context, record), lambda target, limit: _database.ask(target, who, limit))


def accepted(context: Context, params: Params) -> t.FrozenSet[str]:
    """The codes that were accepted by name, for this step or for the whole run. LifecycleError for unknown ones."""
    _hazards.refuse_unknown(params.get('accept_hazards') or ())
    return frozenset(params.get('accept_hazards') or ()) | context.run.accepted_hazards


def untouched(context: Context) -> str:
    return 'Nothing was stopped or started.' if context.foreseen.stops else 'Nothing was started.'


def require(
    context: Context,
    params: Params,
    record: LaunchRecord,
    answers: t.Sequence[_database.Answer],
    not_done: t.Optional[str] = None,
) -> t.List[str]:
    """The notes for the result. LifecycleError (NotYet for what may come back) for what is missing."""
    needs, names = gather(context, record, answers), accepted(context, params)
    preconditions.require(needs, names, context.instance.id, not_done or untouched(context))
    return preconditions.notes(needs, names)


# --- whether a database is newer than the version that would be started on it, which would change its tables


class Said(t.NamedTuple):
    """``newer``: databases that are, and how that is seen. ``unknown``: why it could not be asked."""

    newer: t.Sequence[str] = ()
    unknown: t.Sequence[str] = ()


def judge(
    version: t.Optional[str], found: t.Sequence[asking.Found], recorded: t.Callable[[str], t.Optional[str]]
) -> Said:
    """``recorded``: the highest version that we have seen work on the database of a key. Pure."""
    newer, unknown = [], []
    for one in found:
        if one.seen is None:
            unknown.append('whether it is newer than this version is not known: %s: %s' % (one.name, one.why))
            continue
        answer = migration.is_newer(version, one.seen, recorded(one.key))
        if answer.newer:
            newer.append('%s by %s' % (one.name, answer.why))
        elif answer.newer is None:
            unknown.append('whether %s is newer than this version is not known: %s' % (one.name, answer.why))
    return Said(newer, unknown)


def ask(context: Context, version: t.Optional[str], answers: t.Sequence[Answer]) -> Said:
    """Nothing where the plan of this run has asked, or a step before this start puts the databases back."""
    if context.run.knows_databases or context.foreseen.restores_databases:
        return Said()
    if answers and all(answer.problem for answer in answers):
        return Said()  # that is what is said then
    return judge(version, asking.found(context), lambda key: migration.recorded(context.state.path, key))


def remember(path: str, found: t.Iterable[asking.Found]) -> None:
    """Note the version that each has now: an old one may set its mark back. What cannot be noted is asked again.

    ``path``: the trusted state of the instance.
    """
    for one in found:
        if one.seen is not None:
            try:
                migration.remember(path, one.key, migration.version_of(one.seen))
            except OSError:
                return
