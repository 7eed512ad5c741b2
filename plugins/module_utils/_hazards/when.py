# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""When there is a hazard: one function for each, with what is said then."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import preconditions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.facts import Facts, Row
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import supervisors

LOW_BYTES = 100 << 20
NO_BYTES = 1 << 20
LOW_INODES = 1000


def listing(values: t.Iterable[t.Any], most: int = 8) -> str:
    items = [str(value) for value in values]
    return ', '.join(items[:most]) + (' and %d more' % (len(items) - most) if len(items) > most else '')


def when(seen: t.Any, text: str, *values: t.Any) -> t.Optional[str]:
    return text % values if seen else None


def next_version(facts: Facts) -> t.Optional[str]:
    """The version that the next start runs: that of the files."""
    return facts.files_version or facts.running_version


def config_unreadable(facts: Facts) -> t.Optional[str]:
    if facts.config.state in ('unreadable', 'unsafe'):
        return facts.config.message
    return when(
        facts.config_readable is False,
        'config.json (mode %04o, user id %s) cannot be read by user %s',
        facts.config.mode or 0,
        facts.config.uid,
        facts.user,
    )


def config_port_invalid(facts: Facts) -> t.Optional[str]:
    return when(facts.config.port_error and facts.argv_port is None, 'config.json: %s', facts.config.port_error)


def hidden(facts: Facts) -> t.Optional[str]:
    if facts.unseen:
        return (
            'process %s may be this instance, but this user has no permission to inspect it: the rest of this '
            'report may be wrong'
        ) % (listing(facts.unseen))
    return when(
        facts.hidden and not facts.pids,
        'this host hides the processes of other users (hidepid), and no process of this user is the instance: whether '
        'it runs is not known',
    )


def kills_siblings(facts: Facts) -> t.Optional[str]:
    version = next_version(facts)
    return when(
        facts.siblings and versions.behaviour(version).kills_at_start == 'pidof',
        'version %s kills every process named %s on the host when it starts: pid %s',
        version,
        facts.binary,
        listing(facts.siblings),
    )


def stale_system_dir(facts: Facts) -> t.Optional[str]:
    version = next_version(facts)
    return when(
        facts.system_dir and versions.embeds_admin_pages(version),
        '%s/system is left from an older version and hides the administration pages that are built into version %s',
        facts.dir,
        version,
    )


def locales_missing(facts: Facts) -> t.Optional[str]:
    return preconditions.locales_missing(next_version(facts), facts.dir, facts.locales)


def dictionary_missing(facts: Facts) -> t.Optional[str]:
    return preconditions.dictionary_missing(next_version(facts), facts.dir, facts.dictionary, facts.reads_dictionary)


def world_readable(facts: Facts) -> t.Optional[str]:
    return when(
        (facts.config.mode or 0) & 0o004,
        'config.json holds the database password and has mode %04o, so every user of the host can read it',
        facts.config.mode,
    )


def token_secret(facts: Facts) -> t.Optional[str]:
    version = facts.running_version or facts.files_version
    return when(
        facts.config.token_secret_empty and versions.keeps_token_secret_in_config(version),
        'server.token_secret is empty in config.json: version %s then signs administrator tokens with a publicly known '
        'key',
        version,
    )


def low_disk(facts: Facts) -> t.Optional[str]:
    low = [
        '%s (%d MiB%s free)' % (path, size >> 20, '' if inodes is None else ', %d inodes' % inodes)
        for path, size, inodes in facts.disks
        if size < LOW_BYTES or (inodes is not None and inodes < LOW_INODES)
    ]
    return when(low, 'low disk space: %s', listing(low))


def disk_full(facts: Facts) -> t.Optional[str]:
    full = [path for path, size, inodes in facts.disks if size < NO_BYTES or (inodes is not None and inodes < 10)]
    return when(full, 'no disk space left at %s: neither a journal nor a log can be written', listing(full))


def _with_effect(facts: Facts, effect: str) -> t.List[Row]:
    return [row for row in facts.supervisors if supervisors.effect(row) == effect]


def supervised(facts: Facts) -> t.Optional[str]:
    found = ['%s (%s)' % (row['where'], row['detail']) for row in _with_effect(facts, supervisors.RESTARTS_AT_ONCE)]
    return when(found, 'it is restarted as soon as it exits, by %s', listing(found))


def unit_left(facts: Facts) -> t.Optional[str]:
    found = [row['where'] for row in _with_effect(facts, supervisors.NOTHING) if row['kind'] == 'systemd']
    return when(
        found,
        'systemd has a unit for it, %s, which does not track a process that is started outside the unit',
        listing(found),
    )


def _guards(facts: Facts, cron: bool) -> t.List[str]:
    return [
        '%s: %s' % (row['where'], row.get('command') or row['detail'])
        for row in _with_effect(facts, supervisors.RESTARTS_LATER)
        if (row['kind'] == 'cron') is cron
    ]


def cron_guard(facts: Facts) -> t.Optional[str]:
    found = _guards(facts, cron=True)
    return when(found, 'cron starts it whenever it is down: %s', listing(found))


def cron_kill(facts: Facts) -> t.Optional[str]:
    found = ['%s: %s' % (row['where'], row.get('command')) for row in _with_effect(facts, supervisors.ENDS_IT)]
    return when(found, 'cron ends it, or any process with a matching name: %s', listing(found))


def watched(facts: Facts) -> t.Optional[str]:
    found = _guards(facts, cron=False)
    return when(found, 'it may be started again by: %s', listing(found))


def unseen_supervisors(facts: Facts) -> t.Optional[str]:
    found = [row['detail'] for row in _with_effect(facts, supervisors.UNSEEN)]
    return when(found, 'not everything that could start or stop it could be inspected: %s', listing(found))


def stranger(facts: Facts) -> t.Optional[str]:
    found = ['pid %s, user %s, %s' % (row.get('pid'), row.get('user'), row.get('exe')) for row in facts.strangers]
    if found:
        return 'port %s is held by another process: %s' % (facts.port, '; '.join(found[:8]))
    return when(
        not facts.pids and facts.port_free is False,
        'port %s is in use, and the process that holds it is not visible',
        facts.port,
    )


def no_answer(facts: Facts) -> t.Optional[str]:
    silent = (facts.asked and facts.http_status not in (200, 302, 403)) or (
        facts.http_status == 200 and not facts.running_version
    )
    return when(silent, 'it listens on port %s but does not report its version: %s', facts.port, facts.http_error)


def port_differs(facts: Facts) -> t.Optional[str]:
    differs = facts.listening and facts.argv_port is None and facts.config.port not in (None, facts.port)
    return when(differs, 'it listens on port %s, but config.json has port %s', facts.port, facts.config.port)


def versions_differ(facts: Facts) -> t.Optional[str]:
    running, files = versions.parse(facts.running_version), versions.parse(facts.files_version)
    guessed = ' according to CHANGELOG.md, which may be out of date: this binary has never reported its version'
    return when(
        running and files and running != files,
        'version %s is running, but the files are those of version %s%s',
        facts.running_version,
        facts.files_version,
        guessed if facts.files_version_guessed else '',
    )


def files_version(facts: Facts) -> t.Optional[str]:
    more = (
        ''
        if facts.running_version
        else (', nor is that of the process: hazards that depend on the version were not checked')
    )
    return when(not facts.files_version, 'the version of the files is not known%s', more)


def run(row: t.Optional[Row]) -> str:
    return '%s, step %s' % ((row or {}).get('run_id'), (row or {}).get('step'))
