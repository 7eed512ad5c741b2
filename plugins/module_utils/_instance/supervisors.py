# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What else could start or stop an instance: cron lines, a systemd unit, a panel, a container, a watching parent.

``restarts``: True it starts the instance when it ends, False it does not, None that could not be seen. ``prompt`` tells
those that act on the end itself from those that look once in a while: the first always collide with a restart of ours.
``effect`` says what follows from an entry. The stop and the hazards both ask it, so a new kind needs no row elsewhere.
"""

import os
import re
import subprocess
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cron as _cron
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.cgroups import runs_systemd
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import reach
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.executed_file import split_deleted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.selection import Candidate
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.units import ancestors, is_main

Supervisor = t.Dict[str, t.Any]
UNIT_DIRS = ('/etc/systemd/system', '/run/systemd/system', '/usr/local/lib/systemd/system')
PANEL_SCRIPTS = '/www/server/go_project/vhost/scripts'
PANEL_PIDS = '/var/tmp/gopids'
_HOSTS_OF_OTHERS = re.compile(
    r'^(session-|user@|sshd|ssh\.|cron|crond|anacron|atd|bt\.|docker|containerd|init\.scope|anqicms-)'
)
_CONTAINER_INITS = ('tini', 'docker-init', 'dumb-init', 'catatonit', 'containerd-shim', 'conmon')
_SUPERVISORS = re.compile(
    r'(?:^|/)(supervisord|circusd|runsv|s6-supervise|supervise|monit|god|pm2|daemon|start-stop-daemon)(?:$|[\s:])',
    re.IGNORECASE,
)
_BY_NAME = re.compile(r'\b(?:pkill|killall)\b')
_RUN = re.compile(
    r'''(?:^|[;&|({]|\b(?:nohup|setsid|exec|then|else|do|env)\s)\s*'''
    r'''(?=(?:"([^"]{1,4096})"|'([^']{1,4096})'|["']?([^\s;&|<>(){}"']+)["']?)(?:[\s;&|<>)]|$))'''
)
_STOP_SCRIPT = re.compile(r'/stop\.sh\b')
_PLAIN_PARENTS = (
    'systemd',
    'init',
    'sshd',
    'login',
    'sudo',
    'su',
    'tmux',
    'tmux: server',
    'screen',
    'cron',
    'crond',
    'atd',
)
_SHELLS = ('sh', 'bash', 'dash', 'zsh', 'ash', 'ksh', 'busybox', 'nohup')
_GOES_ON = re.compile(r'\b(?:while|until|for|select|trap|wait|eval|exec)\b')  # after the end of what it has started
_BACKGROUND = re.compile(r'(?<!&)&[ \t]*$', re.MULTILINE)
_MOST_SCRIPT = 65536


def entry(
    kind: str, where: str, restarts: t.Optional[bool], detail: str, prompt: bool = False, **more: t.Any
) -> Supervisor:
    return dict(more, kind=kind, where=where, restarts=restarts, prompt=prompt, detail=detail)


RESTARTS_AT_ONCE, RESTARTS_LATER, ENDS_IT, UNSEEN, NOTHING = 'at once', 'later', 'ends it', 'unseen', 'nothing'


def effect(supervisor: t.Mapping[str, t.Any]) -> str:
    """What a supervisor does to the instance, by its attributes. Pure. Unknown counts as a restart.

    RESTARTS_AT_ONCE refuses a stop; RESTARTS_LATER is a warning, and after a stop its restart is watched for.
    """
    if supervisor['kind'] == 'unknown':
        return UNSEEN
    if supervisor['restarts'] is not False:
        return RESTARTS_AT_ONCE if supervisor['prompt'] else RESTARTS_LATER
    return ENDS_IT if supervisor.get('action') in ('stop', 'kill') else NOTHING


# --- cron


def cron_action(command: str, directories: t.Collection[str], binary: str) -> t.Optional[str]:
    """What a cron command does to the instance with these ``directories``: start, stop, kill, names; or None."""
    named = [path for path in _cron.paths(command) if _below(path, directories)]
    tails = {os.path.basename(path) for path in named}
    if 'stop.sh' in tails:
        return 'stop'
    binaries = {path for path in named if os.path.basename(path) == binary}
    if 'start.sh' in tails or (binaries and _run_by(command) & (binaries | {'./' + binary})):
        return 'start'
    by_name = _BY_NAME.search(command)
    if (by_name and binary in command[by_name.end() :]) or _STOP_SCRIPT.search(command):
        return 'kill'
    return 'names' if named else None


def _below(path: str, directories: t.Collection[str]) -> bool:
    return any(path == directory or path.startswith(directory.rstrip('/') + '/') for directory in directories)


def _run_by(command: str) -> t.Set[str]:
    """The words that are commands themselves, not arguments of ls, tail or pgrep."""
    return {double or single or word for double, single, word in _RUN.findall(command)}


def from_cron(lines: t.Iterable[_cron.CronLine], directories: t.Collection[str], binary: str) -> t.List[Supervisor]:
    """Supervisors among the host's cron lines. Pure."""
    found = []
    texts = {
        'start': 'starts it when it finds it not running',
        'stop': 'stops it',
        'kill': 'ends processes by name and may end this one',
        'names': 'names its directory',
    }
    for line in lines:
        action = cron_action(line.command, directories, binary)
        if action:
            found.append(
                entry(
                    'cron',
                    line.source,
                    action == 'start',
                    texts[action],
                    action=action,
                    user=line.user,
                    schedule=line.schedule,
                    command=line.command[:400],
                )
            )
    return found


# --- systemd


def unit_of(cgroups: str) -> t.Optional[str]:
    """The service that a process belongs to by /proc/PID/cgroup, None for login sessions, cron and the like."""
    for line in cgroups.split('\n'):
        fields = line.split(':', 2)
        if len(fields) == 3 and (fields[1] in ('', 'name=systemd')):
            units = [part for part in fields[2].split('/') if part.endswith('.service')]
            if units and not _HOSTS_OF_OTHERS.match(units[-1]):
                return units[-1]
    return None


def parse_unit(text: str) -> t.Dict[str, str]:
    """``Key=value`` lines of a unit file or of systemctl show; a repeated key keeps its last value."""
    pairs = [line.strip().partition('=') for line in text.split('\n') if not line.strip().startswith(('#', ';', '['))]
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def unit_restarts(fields: t.Mapping[str, str]) -> t.Optional[bool]:
    """Whether systemd starts it again when it ends; every kind of Restart but ``no`` may, None when it was not said."""
    value = fields.get('Restart')
    return None if value is None else value != 'no'


def _show(unit: str) -> t.Dict[str, str]:
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # the worker has no module any more
            ['systemctl', 'show', '-p', 'Restart,MainPID,FragmentPath', '--', unit],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_unit(done.stdout.decode('utf-8', 'replace'))


def _from_unit(candidate: Candidate, cgroups: str) -> t.List[Supervisor]:
    unit = unit_of(cgroups) if runs_systemd() else None
    if unit is None:
        return []
    fields = _show(unit)
    restarts = unit_restarts(fields) if is_main(fields, ancestors(candidate.pid)) else False
    detail = 'runs as %s, Restart=%s' % (unit, fields.get('Restart', 'unknown'))
    return [entry('systemd', fields.get('FragmentPath') or unit, restarts, detail, True, unit=unit, active=True)]


def _from_unit_files(instance: Instance, active: t.Collection[str]) -> t.List[Supervisor]:
    """Units that would run this binary but do not now."""
    found = []
    for directory in UNIT_DIRS:
        for name in _listdir(directory):
            if name.endswith('.service') and name not in active:
                fields = parse_unit(_text(os.path.join(directory, name)))
                if instance.executable in _cron.words(fields.get('ExecStart', '').lstrip('-@:+!')):
                    found.append(
                        entry(
                            'systemd',
                            os.path.join(directory, name),
                            False,
                            'a unit for it exists, but it is not running in that unit',
                            unit=name,
                            active=False,
                        )
                    )
    return found


def _listdir(directory: str) -> t.List[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        text = files.read_system(path).decode('utf-8', 'replace')
    except (OSError, files.UnsafePath):
        return ''
    return '\n'.join(line[: _cron.LONGEST_LINE] for line in text.split('\n'))


# --- parents, containers, panels


def only_starts(script: str) -> bool:
    """Whether a shell script puts what it starts into the background and does nothing when that ends. Pure.

    bash stays as the parent of ``cd ... && nohup ... &``, the last line of the vendor's start.sh, until that has ended.
    """
    text = '\n'.join(line for line in script.split('\n') if not line.lstrip().startswith('#'))
    return bool(_BACKGROUND.search(text)) and not _GOES_ON.search(text)


def from_parent(comm: str, argv: t.Sequence[str], pid: int, script: t.Optional[str] = None) -> t.Optional[Supervisor]:
    """What a parent process means for the restart of its child; None when it only started it. Pure.

    ``script``: what it executes where it is a shell and that could be read.
    """
    if comm in _CONTAINER_INITS:
        return entry(
            'container',
            comm,
            True,
            'the container ends with it, and the container runtime decides what happens next',
            True,
            pid=pid,
        )
    match = _SUPERVISORS.search(comm) or next(filter(None, (_SUPERVISORS.search(word) for word in argv[:2])), None)
    if match:
        return entry(match.group(1).lower(), ' '.join(argv)[:200] or comm, True, 'its parent watches it', True, pid=pid)
    if pid == 1 or comm in _PLAIN_PARENTS or (comm in _SHELLS and (len(argv) < 2 or argv[0].startswith('-'))):
        return None
    if script is not None and only_starts(script):
        return None
    return entry(
        'parent',
        ' '.join(argv)[:200] or comm,
        None,
        'it is the child of another process, and whether that process restarts it is not known',
        False,
        pid=pid,
    )


def _script(instance: Instance, candidate: Candidate, proc: procfs.ProcDir, argv: t.Sequence[str]) -> t.Optional[str]:
    """What a shell executes: the text after -c, or a script of the install directory or the panel. None: not known."""
    if len(argv) > 2 and argv[1] == '-c':
        return argv[2]
    path = argv[1] if len(argv) > 1 else ''
    path = os.path.normpath(os.path.join(split_deleted(proc.optional_link('cwd') or '/')[0], path))
    if os.path.dirname(path) == PANEL_SCRIPTS:
        return _text(path) or None
    if os.path.dirname(path) != instance.dir:
        return None
    try:
        with files.InstallDir(instance.dir) as directory:
            data = directory.head(os.path.basename(path), directory.owners(candidate.uid), _MOST_SCRIPT)
    except (OSError, LifecycleError):
        return None
    return data.decode('utf-8', 'replace')


def _from_parents(instance: Instance, candidate: Candidate) -> t.List[Supervisor]:
    if candidate.pid == 1:
        return [
            entry(
                'container', 'pid 1', True, 'it is the first process of its container, which ends with it', True, pid=1
            )
        ]
    try:
        with procfs.ProcDir(candidate.ppid) as proc:
            stat, argv = proc.stat(), proc.argv()
            shell = os.path.basename(proc.optional_link('exe') or '') in _SHELLS  # comm is the name of the script
            script = _script(instance, candidate, proc, argv) if shell else None
            found = from_parent(stat.comm, argv, candidate.ppid, script) if stat is not None else None
    except OSError:
        return []
    return [found] if found else []


def _from_panel(instance: Instance, candidate: t.Optional[Candidate]) -> t.List[Supervisor]:
    found = []
    for name in _listdir(PANEL_SCRIPTS):
        text = _text(os.path.join(PANEL_SCRIPTS, name))
        if name.endswith('.sh') and any(_below(path, (instance.dir,)) for path in _cron.paths(text)):
            pid_file = os.path.join(PANEL_PIDS, name[:-3] + '.pid')
            there = os.path.lexists(pid_file)
            detail = (
                'the panel starts it again when it is down and %s exists' % pid_file
                if there
                else 'a project of the panel, whose pid file %s does not exist, so the panel considers it stopped'
                % pid_file
            )
            found.append(
                entry('baota', os.path.join(PANEL_SCRIPTS, name), None if there else False, detail, pid_file=pid_file)
            )
    return found


def _of_process(instance: Instance, candidate: Candidate) -> t.List[Supervisor]:
    try:
        with procfs.ProcDir(candidate.pid) as proc:
            cgroups = proc.read('cgroup').decode('utf-8', 'surrogateescape')
    except OSError as exc:
        return [entry('unknown', '/proc/%d/cgroup' % candidate.pid, None, 'could not be read: %s' % exc.strerror)]
    return _from_unit(candidate, cgroups) + _from_parents(instance, candidate)


def _names_of(instance: Instance, lines: t.Iterable[_cron.CronLine]) -> t.Set[str]:
    """The paths by which cron lines call the instance's directory: its real path and links to it."""
    tails = ('start.sh', 'stop.sh', instance.binary)
    named = {
        os.path.dirname(path) for line in lines for path in _cron.paths(line.command) if os.path.basename(path) in tails
    }
    return {instance.dir}.union(
        path for path in named if not reach.hangs(path) and os.path.realpath(path) == instance.dir
    )


def detect(
    instance: Instance, candidate: t.Optional[Candidate], cron: t.Optional[_cron.Cron] = None
) -> t.List[Supervisor]:
    """All supervisors of an instance. ``cron`` saves reading it again.

    A source that could not be read is an entry of kind ``unknown``, never left out.
    """
    cron = _cron.read_all() if cron is None else cron
    found = from_cron(cron.lines, _names_of(instance, cron.lines), instance.binary)
    found += _of_process(instance, candidate) if candidate is not None else []
    found += _from_unit_files(instance, [item['unit'] for item in found if item.get('active')])
    found += _from_panel(instance, candidate)
    return found + [
        entry('unknown', text.partition(': ')[0], None, 'could not be read: ' + text) for text in cron.unread
    ]
