# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What was seen of one instance, for the table of hazards."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.config_file import ConfigFile
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Answer

Row = t.Dict[str, t.Any]


class Facts(t.NamedTuple):
    """What was seen of one instance. None is 'not known', and ``problems`` says why something is not."""

    dir: str = ''
    binary: str = 'anqicms'
    user: t.Optional[str] = None
    state: str = 'stopped'
    pids: t.Sequence[int] = ()
    unseen: t.Sequence[int] = ()  # pids that may be the instance but cannot be looked at
    hidden: bool = False  # /proc hides the processes of others
    config: ConfigFile = ConfigFile('ok')
    config_readable: t.Optional[bool] = None  # by the user that the process runs as
    argv_port: t.Optional[int] = None
    port: t.Optional[int] = None
    listening: t.Optional[bool] = None
    port_problem: t.Optional[str] = None  # why the port that the caller gave cannot be its
    port_free: t.Optional[bool] = None  # whether a new instance could bind it
    strangers: t.Sequence[Row] = ()  # other holders of the port: pid, exe, user
    replaced: bool = False  # the running binary is not the file on disk any more
    running_version: t.Optional[str] = None
    files_version: t.Optional[str] = None
    files_version_guessed: bool = False  # by CHANGELOG.md: this binary never told
    http_status: t.Optional[int] = None
    http_error: t.Optional[str] = None
    asked: bool = False  # whether it was asked over HTTP
    siblings: t.Sequence[int] = ()  # other processes of the same binary name
    sharing: t.Sequence[str] = ()  # other install directories with the same port
    system_dir: t.Optional[bool] = None
    locales: t.Optional[bool] = None
    dictionary: t.Optional[bool] = None  # there is a dictionary.txt
    reads_dictionary: t.Optional[bool] = None  # the process that runs, or ran last, has loaded it
    databases: t.Sequence[Answer] = ()  # of those that a start could ask
    newer: t.Sequence[str] = ()  # databases that are newer than the version of the next start
    database_unknown: t.Optional[str] = None  # why a database that can be reached could not be asked
    uid: t.Optional[int] = None  # as whom they were asked
    executable_problem: t.Optional[str] = None
    executable_busy: t.Optional[str] = None  # who writes it now
    runs_as_root: t.Optional[bool] = None  # the next start
    writable: t.Sequence[str] = ()  # what root would execute and others can change
    owner: t.Optional[str] = None  # of the directory, by name
    starts_as: t.Optional[str] = None  # the user of the next start
    left_behind: t.Sequence[str] = ()  # what that user cannot write
    cron_writable: t.Sequence[str] = ()  # scripts that root's cron runs and others can change
    fragile: t.Sequence[str] = ()  # vendor scripts in cron
    cut: t.Sequence[str] = ()  # files that end in the middle
    backups: t.Sequence[str] = ()  # what the application backs up or restores now
    interrupted: t.Optional[Row] = None
    running_run: t.Optional[Row] = None
    state_problem: t.Optional[str] = None
    state_damaged: t.Optional[str] = None  # a record of a newer format, or one that nobody has written so
    disks: t.Sequence[t.Tuple[str, int, t.Optional[int]]] = ()  # path, bytes free, inodes free
    supervisors: t.Sequence[Row] = ()
    marks: t.Sequence[str] = ()  # values with template marks
    problems: t.Sequence[str] = ()
