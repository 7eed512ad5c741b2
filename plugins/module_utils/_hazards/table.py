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
        return ('process %s may be this instance, but this user has no permission to inspect it: the rest of this '
                'report may be wrong') % (
            _listing(facts.unseen))
    return _when(
        facts.hidden and not facts.pids,
        'this host hides the processes of other users (hidepid), and no process of this user is the instance: whether '
        'it runs is not known',
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
        '%s/system is left from an older version and hides the administration pages that are built into version %s',
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
        'config.json holds the database password and has mode %04o, so every user of the host can read it',
        facts.config.mode,
    )


def _token_secret(facts: Facts) -> t.Optional[str]:
    version = facts.running_version or facts.files_version
    return _when(
        facts.config.token_secret_empty and versions.keeps_token_secret_in_config(version),
        'server.token_secret is empty in config.json: version %s then signs administrator tokens with a publicly known '
        'key',
        version,
    )


def _low_disk(facts: Facts) -> t.Optional[str]:
    low = [
        '%s (%d MiB%s free)' % (path, size >> 20, '' if inodes is None else ', %d inodes' % inodes)
        for path, size, inodes in facts.disks
        if size < LOW_BYTES or (inodes is not None and inodes < LOW_INODES)
    ]
    return _when(low, 'low disk space: %s', _listing(low))


def _disk_full(facts: Facts) -> t.Optional[str]:
    full = [path for path, size, inodes in facts.disks if size < NO_BYTES or (inodes is not None and inodes < 10)]
    return _when(full, 'no disk space left at %s: neither a journal nor a log can be written', _listing(full))


def _with_effect(facts: Facts, effect: str) -> t.List[Row]:
    return [row for row in facts.supervisors if supervisors.effect(row) == effect]


def _supervised(facts: Facts) -> t.Optional[str]:
    found = ['%s (%s)' % (row['where'], row['detail']) for row in _with_effect(facts, supervisors.RESTARTS_AT_ONCE)]
    return _when(found, 'it is restarted as soon as it exits, by %s', _listing(found))


def _unit_left(facts: Facts) -> t.Optional[str]:
    found = [row['where'] for row in _with_effect(facts, supervisors.NOTHING) if row['kind'] == 'systemd']
    return _when(
        found,
        'systemd has a unit for it, %s, which does '
        'not track a process that is started outside the unit', _listing(found)
    )


def _guards(facts: Facts, cron: bool) -> t.List[str]:
    return [
        '%s: %s' % (row['where'], row.get('command') or row['detail'])
        for row in _with_effect(facts, supervisors.RESTARTS_LATER)
        if (row['kind'] == 'cron') is cron
    ]


def _cron_guard(facts: Facts) -> t.Optional[str]:
    found = _guards(facts, cron=True)
    return _when(found, 'cron starts it whenever it is down: %s', _listing(found))


def _cron_kill(facts: Facts) -> t.Optional[str]:
    found = ['%s: %s' % (row['where'], row.get('command')) for row in _with_effect(facts, supervisors.ENDS_IT)]
    return _when(found, 'cron ends it, or any process with a matching name: %s', _listing(found))


def _watched(facts: Facts) -> t.Optional[str]:
    found = _guards(facts, cron=False)
    return _when(found, 'it may be started again by: %s', _listing(found))


def _unseen_supervisors(facts: Facts) -> t.Optional[str]:
    found = [row['detail'] for row in _with_effect(facts, supervisors.UNSEEN)]
    return _when(found, 'not everything that could start or stop it could be inspected: %s', _listing(found))


def _stranger(facts: Facts) -> t.Optional[str]:
    found = ['pid %s, user %s, %s' % (row.get('pid'), row.get('user'), row.get('exe')) for row in facts.strangers]
    if found:
        return 'port %s is held by another process: %s' % (facts.port, '; '.join(found[:8]))
    return _when(
        not facts.pids and facts.port_free is False,
        'port %s is in use, and the process that holds it is not visible', facts.port
    )


def _no_answer(facts: Facts) -> t.Optional[str]:
    silent = (facts.asked and facts.http_status not in (200, 302, 403)) or (
        facts.http_status == 200 and not facts.running_version
    )
    return _when(silent, 'it listens on port %s but does not report its version: %s', facts.port, facts.http_error)


def _port_differs(facts: Facts) -> t.Optional[str]:
    differs = facts.listening and facts.argv_port is None and facts.config.port not in (None, facts.port)
    return _when(differs, 'it listens on port %s, but config.json has port %s', facts.port, facts.config.port)


def _versions_differ(facts: Facts) -> t.Optional[str]:
    running, files = versions.parse(facts.running_version), versions.parse(facts.files_version)
    guessed = ' according to CHANGELOG.md, which may be out of date: this binary has never reported its version'
    return _when(
        running and files and running != files,
        'version %s is running, but the files are those of version %s%s',
        facts.running_version,
        facts.files_version,
        guessed if facts.files_version_guessed else '',
    )


def _files_version(facts: Facts) -> t.Optional[str]:
    more = '' if facts.running_version else (', nor is that of the process: hazards that depend on the version were '
                                             'not checked')
    return _when(not facts.files_version, 'the version of the files is not known%s', more)


def _run(row: t.Optional[Row]) -> str:
    return '%s, step %s' % ((row or {}).get('run_id'), (row or {}).get('step'))


_PLAIN_FILE = "Replace it by a regular file with mode 0600 that the instance's user owns."
_BECOME = 'Set become: true (ansible_become in the inventory), or log in as root or as the user of the instance.'
HAZARDS = (
    Hazard(
        'several_processes',
        'block',
        VERBS,
        lambda f: _when(len(f.pids) > 1, 'processes %s all run this instance', _listing(f.pids)),
        'End the processes that do not belong there, or set port to the port of the right one.',
    ),
    Hazard('hidden_processes', 'block', VERBS, _hidden, _BECOME),
    Hazard(
        'state_untrusted',
        'block',
        VERBS,
        lambda f: f.state_problem,
        'Fix the owner and mode of the state directory, or set another state_dir.',
    ),
    Hazard(
        'state_damaged',
        'block',
        VERBS,
        lambda f: _when(f.state_damaged, '%s. It was not used', f.state_damaged),
        'Update the collection on the controller, or move this state aside: run recover with anqicms_put_aside=ID, '
        'where ID is the id of the instance.',
    ),
    Hazard(
        'run_in_progress',
        'block',
        VERBS,
        lambda f: _when(f.running_run, 'run %s is working on it', _run(f.running_run)),
        'Wait until that run has ended. Its result is then in the state directory.',
    ),
    Hazard(
        'unfinished_run',
        'block',
        _BUT_RESTART,
        lambda f: _when(f.interrupted, 'run %s was interrupted and is unfinished', _run(f.interrupted)),
        'Run the recover playbook, or the restart playbook, which recovers first.',
    ),
    Hazard(
        'port_mismatch',
        'block',
        VERBS,
        lambda f: f.port_problem,
        'Correct port in the inventory, or omit it: the port is then read from the process and from config.json.',
    ),
    Hazard(
        'config_missing',
        'block',
        _STARTING,
        lambda f: _when(
            f.config.state == 'missing',
            'config.json is missing: a start would open the installer on port 8001 to everybody',
        ),
        'Restore config.json from a backup.',
    ),
    Hazard(
        'config_unreadable',
        'block',
        _STARTING,
        _config_unreadable,
        _PLAIN_FILE + ' The application treats a file that it cannot read as missing, and opens its installer.',
    ),
    Hazard(
        'config_invalid',
        'block',
        _STARTING,
        lambda f: _when(f.config.state == 'invalid', 'config.json: %s', f.config.message),
        'Correct config.json, or restore it from a backup. With this file the application exits at startup.',
    ),
    Hazard(
        'config_port_invalid', 'block', _STARTING, _config_port_invalid, 'Set server.port to a number from 1 to 65535.'
    ),
    Hazard(
        'executable_unusable',
        'block',
        _STARTING,
        lambda f: f.executable_problem,
        'Install the complete binary of this release and this architecture there, with mode 0755.',
    ),
    Hazard(
        'executable_busy',
        'block',
        _STARTING,
        lambda f: f.executable_busy,
        'Wait until the file is complete (it may be a running upload), or end the process that writes it. A program '
        'that is open for writing cannot be started.',
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
        'port_held_by_stranger', 'block', _STARTING, _stranger,
        'End that process, or configure another port for the instance.'
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
        'Stop and start the instance through that supervisor, or disable it there first.',
    ),
    Hazard('disk_full', 'block', _STARTING, _disk_full, 'Free space first.'),
    Hazard(
        'undead_process',
        'block',
        ('start',),
        lambda f: _when(
            f.state == 'undead', 'process %s has closed its port %s but is still running', _listing(f.pids), f.port
        ),
        'Restart or stop the instance: this process cannot serve requests any more.',
    ),
    Hazard(
        'installer_open',
        'warn',
        (),
        lambda f: _when(f.http_status == 302, 'its installer is open on port %s', f.port),
        'Stop the instance and restore config.json: until then, anybody can take it over.',
    ),
    Hazard('no_answer', 'warn', (), _no_answer, 'Check its logs.'),
    Hazard(
        'binary_replaced',
        'warn',
        (),
        lambda f: _when(f.replaced, 'process %s runs a binary that is no longer on the disk', _listing(f.pids)),
        'A restart runs the new file. Make sure that it is the right one.',
    ),
    Hazard(
        'versions_differ', 'info', (), _versions_differ,
        'A restart changes the running version, and may change the database.'
    ),
    Hazard(
        'kills_siblings',
        'warn',
        (),
        _kills_siblings,
        "Start the instance only with this collection, which protects those processes. The vendor's scripts and panels "
        'do not.',
    ),
    Hazard(
        'port_shared',
        'warn',
        (),
        lambda f: _when(f.sharing, 'port %s is also configured in %s', f.port, _listing(f.sharing)),
        'Configure a different port for each instance. Only one of them can run.',
    ),
    Hazard('port_differs', 'info', (), _port_differs,
        'The next start uses the port of config.json. Check that the proxy uses it too.'),
    Hazard('stale_system_dir', 'warn', (), _stale_system_dir, 'Back it up, then move it out of the install directory.'),
    Hazard('config_world_readable', 'warn', (), _world_readable,
        'Set the mode of config.json to 0600 and keep its owner.'),
    Hazard(
        'token_secret_empty', 'warn', (), _token_secret,
        'Set server.token_secret to a long random string, then restart.'
    ),
    Hazard(
        'root_cron_runs_writable',
        'warn',
        (),
        lambda f: _when(f.cron_writable,
            "root's cron runs files that other users can change: %s", _listing(f.cron_writable)),
        'Make root the owner of the script and its directories, with mode 0755, or run the cron line as another user.',
    ),
    Hazard(
        'vendor_guard',
        'warn',
        (),
        lambda f: _when(
            f.fragile,
            'cron runs vendor scripts that count or kill processes '
            'by name, which affects all instances of the host: %s',
            _listing(f.fragile),
        ),
        'Remove these cron lines, or replace the scripts.',
    ),
    Hazard(
        'cron_guard', 'warn', (), _cron_guard,
        'It may act in the middle of a run. Disable the cron line during maintenance.'
    ),
    Hazard('cron_kill', 'warn', (), _cron_kill, 'Remove the cron line: it interrupts requests and writes.'),
    Hazard('watched', 'warn', (), _watched, 'Disable that supervision during maintenance.'),
    Hazard('unit_left', 'warn', (), _unit_left, 'Use systemctl to start and stop this instance.'),
    Hazard(
        'cut_writes',
        'warn',
        (),
        lambda f: _when(
            f.cut, 'files are truncated, as after a SIGKILL or on a full disk: %s', _listing(f.cut)
        ),
        'Rebuild or restore these files, and find out what killed the process.',
    ),
    Hazard(
        'backup_running',
        'warn',
        (),
        lambda f: _when(
            f.backups,
            'the application is running a backup or a restore, or is transferring a backup file: %s',
            _listing(f.backups),
        ),
        'Wait until it has ended. restart and stop wait as well, and refuse if it does not end in time.',
    ),
    Hazard('low_disk', 'warn', (), _low_disk, 'Free space before an upgrade or a dump.'),
    Hazard(
        'template_marks',
        'warn',
        (),
        lambda f: _when(f.marks, 'values with template marks: %s', _listing(f.marks)),
        'They are treated as plain text. Rename them unless they are intended.',
    ),
    Hazard(
        'admin_host',
        'info',
        (),
        lambda f: _when(
            f.http_status == 403 and not f.running_version,
            'an admin host is set but not known here, so the running version could not be read',
        ),
        'The version of the files is used instead.',
    ),
    Hazard(
        'files_version_unknown',
        'info',
        (),
        _files_version,
        'Start the instance, which then reports its version, or copy CHANGELOG.md of the release to the directory of '
        'the binary.',
    ),
    Hazard(
        'database_not_asked',
        'info',
        (),
        lambda f: _when(f.database_unknown, 'its database could not be queried: %s', f.database_unknown),
        'Install a MySQL client (the package mariadb-client), or correct the login in config.json. The database shows '
        'whether a migration runs, and whether it is newer than the version.',
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
        advice='Fix that first.',
        message='the instance could not be inspected: %s' % problem,
    )


def refuse_unknown(codes: t.Iterable[str]) -> None:
    """LifecycleError for accepted codes that no hazard has: a typing mistake must not look like a permission."""
    known = sorted([hazard.code for hazard in HAZARDS] + [NOT_DESCRIBED] + list(OF_CHANGES))
    unknown = [code for code in codes if code not in known]
    if unknown:
        raise LifecycleError('accept_hazards: unknown hazard code: %s. Nothing was done. Known codes: %s.' % (
            ', '.join(unknown), ', '.join(known)))


def refusals(hazards: t.Iterable[Row], verb: str, accepted: t.Collection[str] = ()) -> t.List[Row]:
    """The hazards that refuse ``verb`` and were not accepted by their code."""
    return [row for row in hazards if verb in row['blocks'] and row['code'] not in accepted]
