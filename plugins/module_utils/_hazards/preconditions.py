# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a start needs beside a usable configuration, binary, user, log and port: one table. Pure.

Each has the code of a hazard (docs/hazards.md), and is accepted by it. ``needs.py`` sees, this decides.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Answer
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet

DICTIONARY = 'dictionary.txt'
DICTIONARY_IS_READ = '载入sego词典'


class Needs(t.NamedTuple):
    """What was seen. None is 'not known'."""

    directory: str
    version: t.Optional[str] = None  # that the next start will run
    locales: t.Optional[bool] = None  # there are language files
    dictionary: t.Optional[bool] = None  # there is a dictionary.txt
    reads_dictionary: t.Optional[bool] = None  # the process that runs, or ran last, has loaded it
    databases: t.Sequence[Answer] = ()  # of those that the start could ask
    names_database: bool = True
    uid: t.Optional[int] = None  # as whom the database was asked
    writable: t.Sequence[str] = ()  # what root would run and others can change
    owner: t.Optional[str] = None  # of the directory, by name
    left_behind: t.Sequence[str] = ()  # what its new user cannot write
    user: t.Optional[str] = None  # as whom it is started, by name
    newer: t.Sequence[str] = ()  # databases that are newer, and how that is seen
    newer_than: t.Optional[str] = None  # the version that they were compared with
    newer_unknown: t.Sequence[str] = ()  # why that could not be asked


def locales_missing(version: t.Optional[str], directory: str, there: t.Optional[bool]) -> t.Optional[str]:
    if there is False and versions.needs_locales(version):
        return ('version %s exits at startup without the language files in %s/locales, and they are missing') % (
            version,
            directory,
        )
    return None


def _lacks_dictionary(version: t.Optional[str], there: t.Optional[bool]) -> bool:
    return there is False and versions.may_read_dictionary(version)


def dictionary_missing(
    version: t.Optional[str], directory: str, there: t.Optional[bool], read: t.Optional[bool]
) -> t.Optional[str]:
    if read and _lacks_dictionary(version, there):
        return (
            '%s/%s is missing: the full-text search is enabled, and without that file the application exits at startup'
        ) % (directory, DICTIONARY)
    return None


def database_unreachable(databases: t.Sequence[Answer], uid: t.Optional[int]) -> t.Optional[str]:
    """None when one is reached, or when it is not known of one: that one may be the right one."""
    if not databases or not all(answer.problem for answer in databases):
        return None
    each = ['%s (%s): %s' % (answer.target.address, answer.target.source, answer.problem) for answer in databases]
    return 'its database is not reachable%s: %s' % ('' if uid is None else ' by uid %d' % uid, '; '.join(each))


def root_runs_writable(directory: str, writable: t.Sequence[str], owner: t.Optional[str]) -> t.Optional[str]:
    if not writable:
        return None
    way_out = '' if owner in (None, 'root') else '; with user: %s it would run as the owner of its files' % owner
    return 'root would run files that other users can change in %s: %s%s' % (directory, _listing(writable), way_out)


def files_left_behind(left_behind: t.Sequence[str], user: t.Optional[str]) -> t.Optional[str]:
    if not left_behind:
        return None
    return 'it ran as another user before, and %s cannot write files of that time: %s' % (user, _listing(left_behind))


def database_newer(newer: t.Sequence[str], version: t.Optional[str]) -> t.Optional[str]:
    """An old version changes the tables of a newer one: it adds columns, and hides or takes back what is in them."""
    if not newer:
        return None
    return 'its database is newer than version %s, and starting this version would change its tables: %s' % (
        version,
        '; '.join(newer),
    )


def _listing(values: t.Sequence[str], most: int = 8) -> str:
    return ', '.join(values[:most]) + (' and %d more' % (len(values) - most) if len(values) > most else '')


class Precondition(t.NamedTuple):
    """``comes_back``: what is missing may be there again without anybody's changing the instance."""

    code: str
    find: t.Callable[[Needs], t.Optional[str]]
    advice: str
    comes_back: bool


PRECONDITIONS = (
    Precondition(
        'root_runs_writable',
        lambda n: root_runs_writable(n.directory, n.writable, n.owner),
        'Set user, so that the instance does not run as root; or make root the owner of the binary and the '
        'directories, with mode 0755; or accept root_runs_writable if everyone who can change these files '
        'may act as root.',
        False,
    ),
    Precondition(
        'files_left_behind',
        lambda n: files_left_behind(n.left_behind, n.user),
        'Change their owner to that user first (chown).',
        False,
    ),
    Precondition(
        'locales_missing',
        lambda n: locales_missing(n.version, n.directory, n.locales),
        'Unpack locales/ of the release again.',
        False,
    ),
    Precondition(
        'dictionary_missing',
        lambda n: dictionary_missing(n.version, n.directory, n.dictionary, n.reads_dictionary),
        'Copy dictionary.txt of the release there.',
        False,
    ),
    Precondition(
        'database_unreachable',
        lambda n: database_unreachable(n.databases, n.uid),
        'Start the database, or correct mysql.host and mysql.port (or the variables that name it).',
        True,
    ),
    Precondition(
        'database_newer',
        lambda n: database_newer(n.newer, n.newer_than),
        'Install the files of the newer version, or restore the database from an earlier dump.',
        False,
    ),
)
ADVICE = {precondition.code: precondition.advice for precondition in PRECONDITIONS}


class Failed(t.NamedTuple):
    precondition: Precondition
    message: str


def failed(needs: Needs) -> t.List[Failed]:
    """What is missing, in the order of the table."""
    found = [Failed(precondition, precondition.find(needs) or '') for precondition in PRECONDITIONS]
    return [one for one in found if one.message]


def notes(needs: Needs, accepted: t.Collection[str]) -> t.List[str]:
    """What could not be found out, and what is missing and was accepted."""
    found = [
        '%s is accepted: %s' % (one.precondition.code, one.message)
        for one in failed(needs)
        if one.precondition.code in accepted
    ]
    if needs.reads_dictionary is None and _lacks_dictionary(needs.version, needs.dictionary):
        found.append('%s is missing. Whether the full-text search is enabled and needs it is not known' % DICTIONARY)
    if not needs.names_database:
        found.append('config.json names no database, so none was checked')
    if needs.names_database:
        found += list(needs.newer_unknown)
    if not any(answer.reached for answer in needs.databases):
        found += [
            'whether %s can be reached is not known: %s' % (answer.target.address, answer.unknown)
            for answer in needs.databases
            if answer.unknown
        ]
    elif len(needs.databases) > 1:
        found.append(
            '%s is reachable, %s is not, and which of them version %s uses is not known'
            % (needs.databases[-1].target.address, needs.databases[0].target.address, needs.version or '(unknown)')
        )
    return found


def require(needs: Needs, accepted: t.Collection[str], who: str, untouched: str) -> None:
    """LifecycleError when something is missing that was not accepted; NotYet when all of that may come back."""
    missing = [one for one in failed(needs) if one.precondition.code not in accepted]
    if not missing:
        return
    kind = NotYet if all(one.precondition.comes_back for one in missing) else LifecycleError
    codes = [one.precondition.code for one in missing]
    raise kind(
        '%s cannot be started: %s. %s %s To start it anyway, add %s to accept_hazards (in a role: '
        'anqicms_accept_hazards).'
        % (
            who,
            '; '.join(one.message for one in missing),
            untouched,
            ' '.join(one.precondition.advice for one in missing),
            ' and '.join(codes),
        ),
        hazards=codes,
    )


def dictionary_was_read(log: str, directory: str) -> t.Optional[bool]:
    """Whether the log says so since its last start, whose first line names the directory. None: it does not tell."""
    begin = log.rfind(' %s/\n' % directory)
    if DICTIONARY_IS_READ in log[max(begin, 0) :]:
        return True
    return False if begin >= 0 else None
