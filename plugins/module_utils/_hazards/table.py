# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What is dangerous about an instance: one table from what was seen to what it forbids. Pure.

A hazard blocks a verb only when carrying it out would do harm or could not succeed. Why the choices stand as they do is
told in docs/hazards.md.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import preconditions, when
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.facts import Facts, Row

VERBS = ('restart', 'stop', 'start', 'configure', 'upgrade', 'rollback')
_STARTING = ('restart', 'start', 'configure', 'upgrade', 'rollback')
_ENDING = ('restart', 'stop', 'configure', 'upgrade', 'rollback')
_BUT_RESTART = ('stop', 'start', 'configure', 'upgrade', 'rollback')
NOT_DESCRIBED = 'not_described'
OF_CHANGES = ('proxy_names_port',)  # what a change of the configuration meets, and no look


class Hazard(t.NamedTuple):
    code: str
    severity: str
    blocks: t.Sequence[str]
    find: t.Callable[[Facts], t.Optional[str]]
    advice: str


_PLAIN_FILE = "Replace it by a regular file with mode 0600 that the instance's user owns."
_BECOME = 'Set become: true (ansible_become in the inventory), or log in as root or as the user of the instance.'
HAZARDS = (
    Hazard(
        'several_processes',
        'block',
        VERBS,
        lambda f: when.when(len(f.pids) > 1, 'processes %s all run this instance', when.listing(f.pids)),
        'End the processes that do not belong there, or set port to the port of the right one.',
    ),
    Hazard('hidden_processes', 'block', VERBS, when.hidden, _BECOME),
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
        lambda f: when.when(f.state_damaged, '%s. It was not used', f.state_damaged),
        'Update the collection on the controller, or move this state aside: run recover with anqicms_put_aside=ID, '
        'where ID is the id of the instance.',
    ),
    Hazard(
        'run_in_progress',
        'block',
        VERBS,
        lambda f: when.when(f.running_run, 'run %s is working on it', when.run(f.running_run)),
        'Wait until that run has ended. Its result is then in the state directory.',
    ),
    Hazard(
        'unfinished_run',
        'block',
        _BUT_RESTART,
        lambda f: when.when(f.interrupted, 'run %s was interrupted and is unfinished', when.run(f.interrupted)),
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
        lambda f: when.when(
            f.config.state == 'missing',
            'config.json is missing: a start would open the installer on port 8001 to everyone',
        ),
        'Restore config.json from a backup.',
    ),
    Hazard(
        'config_unreadable',
        'block',
        _STARTING,
        when.config_unreadable,
        _PLAIN_FILE + ' The application treats a file that it cannot read as missing, and opens its installer.',
    ),
    Hazard(
        'config_invalid',
        'block',
        _STARTING,
        lambda f: when.when(f.config.state == 'invalid', 'config.json: %s', f.config.message),
        'Correct config.json, or restore it from a backup. With this file the application exits at startup.',
    ),
    Hazard(
        'config_port_invalid',
        'block',
        _STARTING,
        when.config_port_invalid,
        'Set server.port to a number from 1 to 65535.',
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
    Hazard('locales_missing', 'block', _STARTING, when.locales_missing, preconditions.ADVICE['locales_missing']),
    Hazard(
        'dictionary_missing', 'block', _STARTING, when.dictionary_missing, preconditions.ADVICE['dictionary_missing']
    ),
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
        lambda f: preconditions.database_newer(f.newer, when.next_version(f)),
        preconditions.ADVICE['database_newer'],
    ),
    Hazard(
        'port_held_by_stranger',
        'block',
        _STARTING,
        when.stranger,
        'End that process, or configure another port for the instance.',
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
        when.supervised,
        'Stop and start the instance through that supervisor, or disable it there first.',
    ),
    Hazard('disk_full', 'block', _STARTING, when.disk_full, 'Free space first.'),
    Hazard(
        'undead_process',
        'block',
        ('start',),
        lambda f: when.when(
            f.state == 'undead', 'process %s has closed its port %s but is still running', when.listing(f.pids), f.port
        ),
        'Restart or stop the instance: this process cannot serve requests any more.',
    ),
    Hazard(
        'installer_open',
        'warn',
        (),
        lambda f: when.when(f.http_status == 302, 'its installer is open on port %s', f.port),
        'Stop the instance and restore config.json: until then, anyone can take it over.',
    ),
    Hazard('no_answer', 'warn', (), when.no_answer, 'Check its logs.'),
    Hazard(
        'binary_replaced',
        'warn',
        (),
        lambda f: when.when(f.replaced, 'process %s runs a binary that is no longer on the disk', when.listing(f.pids)),
        'A restart runs the new file. Make sure that it is the right one.',
    ),
    Hazard(
        'versions_differ',
        'info',
        (),
        when.versions_differ,
        'A restart changes the running version, and may change the database.',
    ),
    Hazard(
        'kills_siblings',
        'warn',
        (),
        when.kills_siblings,
        "Start the instance only with this collection, which protects those processes. The vendor's scripts and panels "
        'do not.',
    ),
    Hazard(
        'port_shared',
        'warn',
        (),
        lambda f: when.when(f.sharing, 'port %s is also configured in %s', f.port, when.listing(f.sharing)),
        'Configure a different port for each instance. Only one of them can run.',
    ),
    Hazard(
        'port_differs',
        'info',
        (),
        when.port_differs,
        'The next start uses the port of config.json. Check that the proxy uses it too.',
    ),
    Hazard(
        'stale_system_dir', 'warn', (), when.stale_system_dir, 'Back it up, then move it out of the install directory.'
    ),
    Hazard(
        'config_world_readable',
        'warn',
        (),
        when.world_readable,
        'Set the mode of config.json to 0600 and keep its owner.',
    ),
    Hazard(
        'token_secret_empty',
        'warn',
        (),
        when.token_secret,
        'Set server.token_secret to a long random string, then restart.',
    ),
    Hazard(
        'root_cron_runs_writable',
        'warn',
        (),
        lambda f: when.when(
            f.cron_writable, "root's cron runs files that other users can change: %s", when.listing(f.cron_writable)
        ),
        'Make root the owner of the script and its directories, with mode 0755, or run the cron line as another user.',
    ),
    Hazard(
        'vendor_guard',
        'warn',
        (),
        lambda f: when.when(
            f.fragile,
            'cron runs vendor scripts that count or kill processes '
            'by name, which affects all instances of the host: %s',
            when.listing(f.fragile),
        ),
        'Remove these cron lines, or replace the scripts.',
    ),
    Hazard(
        'cron_guard',
        'warn',
        (),
        when.cron_guard,
        'It may act in the middle of a run. Disable the cron line during maintenance.',
    ),
    Hazard('cron_kill', 'warn', (), when.cron_kill, 'Remove the cron line: it interrupts requests and writes.'),
    Hazard('watched', 'warn', (), when.watched, 'Disable that supervision during maintenance.'),
    Hazard('unit_left', 'warn', (), when.unit_left, 'Use systemctl to start and stop this instance.'),
    Hazard(
        'cut_writes',
        'warn',
        (),
        lambda f: when.when(
            f.cut, 'files are truncated, as after a SIGKILL or on a full disk: %s', when.listing(f.cut)
        ),
        'Rebuild or restore these files, and find out what killed the process.',
    ),
    Hazard(
        'backup_running',
        'warn',
        (),
        lambda f: when.when(
            f.backups,
            'the application is running a backup or a restore, or is transferring a backup file: %s',
            when.listing(f.backups),
        ),
        'Wait until it has ended. restart and stop wait as well, and refuse if it does not end in time.',
    ),
    Hazard('low_disk', 'warn', (), when.low_disk, 'Free space before an upgrade or a dump.'),
    Hazard(
        'template_marks',
        'warn',
        (),
        lambda f: when.when(f.marks, 'values with template marks: %s', when.listing(f.marks)),
        'They are treated as plain text. Rename them unless they are intended.',
    ),
    Hazard(
        'admin_host',
        'info',
        (),
        lambda f: when.when(
            f.http_status == 403 and not f.running_version,
            'an admin host is set but not known here, so the running version could not be read',
        ),
        'The version of the files is used instead.',
    ),
    Hazard(
        'files_version_unknown',
        'info',
        (),
        when.files_version,
        'Start the instance, which then reports its version, or copy CHANGELOG.md of the release to the directory of '
        'the binary.',
    ),
    Hazard(
        'database_not_asked',
        'info',
        (),
        lambda f: when.when(f.database_unknown, 'its database could not be queried: %s', f.database_unknown),
        'Install a MySQL client (the package mariadb-client), or correct the login in config.json. The database shows '
        'whether a migration runs, and whether it is newer than the version.',
    ),
    Hazard('supervisors_unseen', 'info', (), when.unseen_supervisors, 'Run as root to see all.'),
    Hazard(
        'not_all_seen',
        'warn',
        (),
        lambda f: when.when(f.problems, '%s', '; '.join(f.problems)),
        'Run as root to see all.',
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
        raise LifecycleError(
            'accept_hazards: unknown hazard code: %s. Nothing was done. Known codes: %s.'
            % (', '.join(unknown), ', '.join(known))
        )


def refusals(hazards: t.Iterable[Row], verb: str, accepted: t.Collection[str] = ()) -> t.List[Row]:
    """The hazards that refuse ``verb`` and were not accepted by their code."""
    return [row for row in hazards if verb in row['blocks'] and row['code'] not in accepted]
