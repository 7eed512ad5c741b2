# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is dangerous about an instance: one table from what was seen to what it forbids. Pure.

A hazard blocks a verb only when carrying it out would do harm or could not succeed. Why the choices stand as they do is
told in docs/hazards.md.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import preconditions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.facts import Facts, Row
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import supervisors

VERBS = ('restart', 'stop', 'start', 'configure', 'upgrade', 'rollback')
_STARTING = ('restart', 'start', 'configure', 'upgrade', 'rollback')
_ENDING = ('restart', 'stop', 'configure', 'upgrade', 'rollback')
_BUT_RESTART = ('stop', 'start', 'configure', 'upgrade', 'rollback')
LOW_BYTES = 100 << 20
NO_BYTES = 1 << 20
LOW_INODES = 1000
NOT_DESCRIBED = 'not_described'
OF_CHANGES = ('proxy_names_port',)  # what a change of the configuration meets, and no look


class Hazard(t.NamedTuple):
    code: str
    severity: str
    blocks: t.Sequence[str]
    find: t.Callable[[Facts], t.Optional[str]]
    advice: str


def _listing(values: t.Iterable[t.Any], most: int = 8) -> str:
    items = [str(value) for value in values]
    return ', '.join(items[:most]) + (' and %d more' % (len(items) - most) if len(items) > most else '')


def _when(seen: t.Any, text: str, *values: t.Any) -> t.Optional[str]:
    return text % values if seen else None


def _next_version(facts: Facts) -> t.Optional[str]:
    """The version that the next start runs: that of the files."""
    return facts.files_version or facts.running_version


def _config_unreadable(facts: Facts) -> t.Optional[str]:
    if facts.config.state in ('unreadable', 'unsafe'):
        return facts.config.message
    return _when(
        facts.config_readable is False,
        'config.json (mode %04o, user id %s) cannot be read by user %s',
        facts.config.mode or 0,
        facts.config.uid,
        facts.user,
    )


def _config_port_invalid(facts: Facts) -> t.Optional[str]:
    return _when(facts.config.port_error and facts.argv_port is None, 'config.json: %s', facts.config.port_error)


def _hidden(facts: Facts) -> t.Optional[str]:
    if facts.unseen:
        return 'process %s may be this instance, but this user may not look at it: nothing else is seen as it is' % (
            _listing(facts.unseen))
    return _when(
        facts.hidden and not facts.pids,
        'this host hides the processes of other users (hidepid), and none of this '
        'user\'s own is the instance: whether it runs is not known',
    )


def _kills_siblings(facts: Facts) -> t.Optional[str]:
    version = _next_version(facts)
    return _when(
        facts.siblings and versions.behaviour(version).kills_at_start == 'pidof',
        'version %s kills every process named %s on the host when it starts: pid %s',
        version,
        facts.binary,
        _listing(facts.siblings),
    )


def _stale_system_dir(facts: Facts) -> t.Optional[str]:
    version = _next_version(facts)
    return _when(
        facts.system_dir and versions.embeds_admin_pages(version),
        '%s/system is left from an older version and hides the administration pages that version %s brings',
        facts.dir,
        version,
    )


def _locales_missing(facts: Facts) -> t.Optional[str]:
    return preconditions.locales_missing(_next_version(facts), facts.dir, facts.locales)


def _dictionary_missing(facts: Facts) -> t.Optional[str]:
    return preconditions.dictionary_missing(_next_version(facts), facts.dir, facts.dictionary, facts.reads_dictionary)


def _world_readable(facts: Facts) -> t.Optional[str]:
    return _when(
        (facts.config.mode or 0) & 0o004,
        'config.json holds the database password and has mode %04o: every user of the host can read it',
        facts.config.mode,
    )


def _token_secret(facts: Facts) -> t.Optional[str]:
    version = facts.running_version or facts.files_version
    return _when(
        facts.config.token_secret_empty and versions.keeps_token_secret_in_config(version),
        'server.token_secret is '
        'empty in config.json: version %s then signs administrator tokens with a key that everybody knows',
        version,
    )


def _low_disk(facts: Facts) -> t.Optional[str]:
    low = [
        '%s (%d MiB%s free)' % (path, size >> 20, '' if inodes is None else ', %d inodes' % inodes)
        for path, size, inodes in facts.disks
        if size < LOW_BYTES or (inodes is not None and inodes < LOW_INODES)
    ]
    return _when(low, 'little room: %s', _listing(low))


def _disk_full(facts: Facts) -> t.Optional[str]:
    full = [path for path, size, inodes in facts.disks if size < NO_BYTES or (inodes is not None and inodes < 10)]
    return _when(full, 'no room left at %s: neither a journal nor a log can be written', _listing(full))


def _with_effect(facts: Facts, effect: str) -> t.List[Row]:
    return [row for row in facts.supervisors if supervisors.effect(row) == effect]


def _supervised(facts: Facts) -> t.Optional[str]:
    found = ['%s (%s)' % (row['where'], row['detail']) for row in _with_effect(facts, supervisors.RESTARTS_AT_ONCE)]
    return _when(found, 'it is started again as soon as it ends by %s', _listing(found))


def _unit_left(facts: Facts) -> t.Optional[str]:
    found = [row['where'] for row in _with_effect(facts, supervisors.NOTHING) if row['kind'] == 'systemd']
    return _when(
        found, 'systemd has a unit for it, %s, which will not know of a start that it did not do', _listing(found)
    )


def _guards(facts: Facts, cron: bool) -> t.List[str]:
    return [
        '%s: %s' % (row['where'], row.get('command') or row['detail'])
        for row in _with_effect(facts, supervisors.RESTARTS_LATER)
        if (row['kind'] == 'cron') is cron
    ]


def _cron_guard(facts: Facts) -> t.Optional[str]:
    found = _guards(facts, cron=True)
    return _when(found, 'cron starts it when it is down: %s', _listing(found))


def _cron_kill(facts: Facts) -> t.Optional[str]:
    found = ['%s: %s' % (row['where'], row.get('command')) for row in _with_effect(facts, supervisors.ENDS_IT)]
    return _when(found, 'cron ends it, or whatever has such a name: %s', _listing(found))


def _watched(facts: Facts) -> t.Optional[str]:
    found = _guards(facts, cron=False)
    return _when(found, 'something may start it again: %s', _listing(found))


def _unseen_supervisors(facts: Facts) -> t.Optional[str]:
    found = [row['detail'] for row in _with_effect(facts, supervisors.UNSEEN)]
    return _when(found, 'whether something else starts or stops it is not known in full: %s', _listing(found))


def _stranger(facts: Facts) -> t.Optional[str]:
    found = ['pid %s, user %s, %s' % (row.get('pid'), row.get('user'), row.get('exe')) for row in facts.strangers]
    if found:
        return 'port %s is held by another process: %s' % (facts.port, '; '.join(found[:8]))
    return _when(
        not facts.pids and facts.port_free is False, 'port %s is in use, and no holder can be seen', facts.port
    )


def _no_answer(facts: Facts) -> t.Optional[str]:
    silent = (facts.asked and facts.http_status not in (200, 302, 403)) or (
        facts.http_status == 200 and not facts.running_version
    )
    return _when(silent, 'it listens on port %s but does not tell its version: %s', facts.port, facts.http_error)


def _port_differs(facts: Facts) -> t.Optional[str]:
    differs = facts.listening and facts.argv_port is None and facts.config.port not in (None, facts.port)
    return _when(differs, 'it listens on port %s, config.json says %s', facts.port, facts.config.port)


def _versions_differ(facts: Facts) -> t.Optional[str]:
    running, files = versions.parse(facts.running_version), versions.parse(facts.files_version)
    guessed = ' by CHANGELOG.md, which can be behind: this binary has not told its own'
    return _when(
        running and files and running != files,
        'version %s is running, the files are of version %s%s',
        facts.running_version,
        facts.files_version,
        guessed if facts.files_version_guessed else '',
    )


def _files_version(facts: Facts) -> t.Optional[str]:
    more = '' if facts.running_version else ', nor is that of the process: dangers that depend on it were not judged'
    return _when(not facts.files_version, 'the version of the files is not known%s', more)


def _run(row: t.Optional[Row]) -> str:
    return '%s, step %s' % ((row or {}).get('run_id'), (row or {}).get('step'))


_PLAIN_FILE = 'Make it a plain file of the instance\'s user with mode 0600.'
_BECOME = 'Set become: true (ansible_become in the inventory), or log in as root, or as the user of the instance.'
HAZARDS = (
    Hazard(
        'several_processes',
        'block',
        VERBS,
        lambda f: _when(len(f.pids) > 1, 'processes %s all run this instance', _listing(f.pids)),
        'End those that do not belong there, or give port to tell them apart.',
    ),
    Hazard('hidden_processes', 'block', VERBS, _hidden, _BECOME),
    Hazard(
        'state_untrusted',
        'block',
        VERBS,
        lambda f: f.state_problem,
        'Mend the state directory or give another state_dir.',
    ),
    Hazard(
        'state_damaged',
        'block',
        VERBS,
        lambda f: _when(f.state_damaged, '%s. It was not used', f.state_damaged),
        'Update the collection on the controller, or move this state aside: run recover with anqicms_put_aside=ID, '
        'the id of the instance.',
    ),
    Hazard(
        'run_in_progress',
        'block',
        VERBS,
        lambda f: _when(f.running_run, 'run %s is at work on it', _run(f.running_run)),
        'Wait for its end; its result is in the state directory.',
    ),
    Hazard(
        'unfinished_run',
        'block',
        _BUT_RESTART,
        lambda f: _when(f.interrupted, 'run %s did not end', _run(f.interrupted)),
        'Run the recover playbook, or restart, which recovers first.',
    ),
    Hazard(
        'port_mismatch',
        'block',
        VERBS,
        lambda f: f.port_problem,
        'Correct port in the inventory, or leave it out: it is read from the process and from config.json then.',
    ),
    Hazard(
        'config_missing',
        'block',
        _STARTING,
        lambda f: _when(
            f.config.state == 'missing',
            'there is no config.json: a start would open the installer on port 8001 to everybody',
        ),
        'Restore config.json from a backup.',
    ),
    Hazard(
        'config_unreadable',
        'block',
        _STARTING,
        _config_unreadable,
        _PLAIN_FILE + ' The application takes a file that it cannot read for a missing one and opens its installer.',
    ),
    Hazard(
        'config_invalid',
        'block',
        _STARTING,
        lambda f: _when(f.config.state == 'invalid', 'config.json: %s', f.config.message),
        'Correct config.json, or restore it from a backup: the application ends at once with it.',
    ),
    Hazard(
        'config_port_invalid', 'block', _STARTING, _config_port_invalid, 'Set server.port to a number from 1 to 65535.'
    ),
    Hazard(
        'executable_unusable',
        'block',
        _STARTING,
        lambda f: f.executable_problem,
        'Put the complete binary of this release and this architecture there, with mode 0755.',
    ),
    Hazard(
        'executable_busy',
        'block',
        _STARTING,
        lambda f: f.executable_busy,
        'Wait until the file is complete (is it being uploaded?), or end the process that writes it: a program that is '
        'open for writing cannot be started.',
    ),
    Hazard('locales_missing', 'block', _STARTING, _locales_missing, preconditions.ADVICE['locales_missing']),
    Hazard('dictionary_missing', 'block', _STARTING, _dictionary_missing, preconditions.ADVICE['dictionary_missing']),
    Hazard(
        'database_unreachable',
        'block',
        _STARTING,
        lambda f: preconditions.database_unreachable(f.databases, f.uid),
        preconditions.ADVICE['database_unreachable'],
    ),
    Hazard(
        'database_newer',
        'block',
        ('restart', 'start', 'configure'),  # an upgrade may be the way out, and a rollback puts the database back
        lambda f: preconditions.database_newer(f.newer, _next_version(f)),
        preconditions.ADVICE['database_newer'],
    ),
    Hazard(
        'port_held_by_stranger', 'block', _STARTING, _stranger, 'End that process, or give the instance another port.'
    ),
    Hazard(
        'root_runs_writable',
        'block',
        _STARTING,
        lambda f: preconditions.root_runs_writable(f.dir, f.writable if f.runs_as_root else (), f.owner),
        preconditions.ADVICE['root_runs_writable'],
    ),
    Hazard(
        'files_left_behind',
        'block',
        _STARTING,
        lambda f: preconditions.files_left_behind(f.left_behind, f.starts_as),
        preconditions.ADVICE['files_left_behind'],
    ),
    Hazard(
        'supervised',
        'block',
        _ENDING,
        _supervised,
        'Stop and start it through that supervisor, or disable it there first.',
    ),
    Hazard('disk_full', 'block', _STARTING, _disk_full, 'Free space first.'),
    Hazard(
        'undead_process',
        'block',
        ('start',),
        lambda f: _when(
            f.state == 'undead', 'process %s has closed its port %s and is still alive', _listing(f.pids), f.port
        ),
        'Restart or stop it: it cannot serve any more.',
    ),
    Hazard(
        'installer_open',
        'warn',
        (),
        lambda f: _when(f.http_status == 302, 'it answers with its installer on port %s', f.port),
        'Stop it and restore config.json: anybody can take it over.',
    ),
    Hazard('no_answer', 'warn', (), _no_answer, 'Look into its logs.'),
    Hazard(
        'binary_replaced',
        'warn',
        (),
        lambda f: _when(f.replaced, 'process %s runs a binary that is not on disk any more', _listing(f.pids)),
        'A restart will run the new file. Make sure that it is the wanted one.',
    ),
    Hazard(
        'versions_differ', 'info', (), _versions_differ, 'A restart changes the version, and may change the database.'
    ),
    Hazard(
        'kills_siblings',
        'warn',
        (),
        _kills_siblings,
        'Start it with this collection only: it protects them. The vendor\'s scripts and a panel do not.',
    ),
    Hazard(
        'port_shared',
        'warn',
        (),
        lambda f: _when(f.sharing, 'port %s is also configured in %s', f.port, _listing(f.sharing)),
        'Give each instance a port of its own; only one of them can run.',
    ),
    Hazard('port_differs', 'info', (), _port_differs, 'The next start uses the port of config.json. Mind the proxy.'),
    Hazard('stale_system_dir', 'warn', (), _stale_system_dir, 'Move it out of the way after a backup.'),
    Hazard('config_world_readable', 'warn', (), _world_readable, 'chmod 0600 config.json, keeping its owner.'),
    Hazard(
        'token_secret_empty', 'warn', (), _token_secret, 'Set server.token_secret to a long random text and restart.'
    ),
    Hazard(
        'root_cron_runs_writable',
        'warn',
        (),
        lambda f: _when(f.cron_writable, 'root\'s cron runs what others can change: %s', _listing(f.cron_writable)),
        'Give script and directories to root with mode 0755, or run the line as another user.',
    ),
    Hazard(
        'vendor_guard',
        'warn',
        (),
        lambda f: _when(
            f.fragile,
            'cron runs scripts of the vendor that count or kill by name, all instances of the host: %s',
            _listing(f.fragile),
        ),
        'Remove these lines or replace the scripts.',
    ),
    Hazard(
        'cron_guard', 'warn', (), _cron_guard, 'It may act in the middle of a run. Disable the line while you work.'
    ),
    Hazard('cron_kill', 'warn', (), _cron_kill, 'Remove the line: it cuts requests and writes.'),
    Hazard('watched', 'warn', (), _watched, 'Stop it there while you work.'),
    Hazard('unit_left', 'warn', (), _unit_left, 'Prefer systemctl for this instance.'),
    Hazard(
        'cut_writes',
        'warn',
        (),
        lambda f: _when(
            f.cut, 'files end in the middle, as a hard kill or a full disk leaves them: %s', _listing(f.cut)
        ),
        'Build or restore them anew, and find out what killed it.',
    ),
    Hazard(
        'backup_running',
        'warn',
        (),
        lambda f: _when(
            f.backups,
            'a backup or restore of the application, or a download or upload of its file, is under way: %s',
            _listing(f.backups),
        ),
        'Wait for its end: restart and stop wait too, and refuse when it does not end in time.',
    ),
    Hazard('low_disk', 'warn', (), _low_disk, 'Free space before an upgrade or a dump.'),
    Hazard(
        'template_marks',
        'warn',
        (),
        lambda f: _when(f.marks, 'values with template marks: %s', _listing(f.marks)),
        'They are treated as plain text. Rename them unless they are meant so.',
    ),
    Hazard(
        'admin_host',
        'info',
        (),
        lambda f: _when(
            f.http_status == 403 and not f.running_version,
            'an admin host is set and not known here: the running version could not be asked',
        ),
        'The version of the files is taken instead.',
    ),
    Hazard(
        'files_version_unknown',
        'info',
        (),
        _files_version,
        'Start it: it tells its version then. Or put CHANGELOG.md of the release beside the binary.',
    ),
    Hazard(
        'database_not_asked',
        'info',
        (),
        lambda f: _when(f.database_unknown, 'what its database says is not known: %s', f.database_unknown),
        'Install a MySQL client (the package mariadb-client), or correct the login in config.json: whether a migration '
        'runs, and whether the database is newer than the version, is asked there.',
    ),
    Hazard('supervisors_unseen', 'info', (), _unseen_supervisors, 'Run as root to see all.'),
    Hazard(
        'not_all_seen', 'warn', (), lambda f: _when(f.problems, '%s', '; '.join(f.problems)), 'Run as root to see all.'
    ),
)


def evaluate(facts: Facts) -> t.List[Row]:
    """The hazards of an instance, in the order of the table: what blocks comes first."""
    found = []
    for hazard in HAZARDS:
        message = hazard.find(facts)
        if message:
            found.append(row_of(hazard, message))
    return found


def row_of(hazard: Hazard, message: str) -> Row:
    return dict(
        code=hazard.code, severity=hazard.severity, blocks=list(hazard.blocks), message=message, advice=hazard.advice
    )


def not_described(problem: str) -> Row:
    """For an instance that could not be described at all: nothing may be done to it."""
    return dict(
        code=NOT_DESCRIBED,
        severity='block',
        blocks=list(VERBS),
        advice='Mend that first.',
        message='the instance could not be looked at: %s' % problem,
    )


def refuse_unknown(codes: t.Iterable[str]) -> None:
    """LifecycleError for accepted codes that no hazard has: a typing mistake must not look like a permission."""
    known = sorted([hazard.code for hazard in HAZARDS] + [NOT_DESCRIBED] + list(OF_CHANGES))
    unknown = [code for code in codes if code not in known]
    if unknown:
        raise LifecycleError('accept_hazards: %s is not the code of a hazard. Nothing was done. Known are %s.' % (
            ', '.join(unknown), ', '.join(known)))


def refusals(hazards: t.Iterable[Row], verb: str, accepted: t.Collection[str] = ()) -> t.List[Row]:
    """The hazards that refuse ``verb`` and were not accepted by their code."""
    return [row for row in hazards if verb in row['blocks'] and row['code'] not in accepted]
