# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``command``: a command on the host with a time limit, without a shell."""

import os
import shlex
import shutil
import signal
import subprocess
import threading
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    cmd=dict(type='str'),
    argv=dict(type='list', elements='str'),
    chdir=dict(type='path'),
    timeout=dict(type='float', default=60.0),
    undo=dict(type='list', elements='str'),
)
_SHOWN = 4096  # bytes of its output
_KILL_WAIT_S = 5.0
_DRAIN_S = 0.5  # for the rest of the output of a command that has ended
# Never the caller's: root's command is not looked up in it.
_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


def words(params: t.Mapping[str, t.Any]) -> t.List[str]:
    """The command as a list, its program with its full path. LifecycleError when it cannot be executed."""
    if bool(params.get('cmd')) == bool(params.get('argv')):
        raise LifecycleError('command: exactly one of cmd and argv is required. Nothing was done. Set one of them.')
    try:
        argv = list(params['argv'] or shlex.split(params['cmd']))
    except ValueError as exc:
        raise LifecycleError('command: cmd cannot be split into words: %s. Nothing was done.' % exc) from exc
    return _with_path(argv)


def _with_path(argv: t.List[str]) -> t.List[str]:
    program = shutil.which(argv[0], path=_PATH) if argv else None
    if program is None:
        raise LifecycleError(
            'command: %r is not a program that can be executed (looked for in %s). Nothing was done.'
            % (argv[0] if argv else '', _PATH)
        )
    return [program] + argv[1:]


def plan(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    argv = words(params)
    if params.get('undo'):
        _with_path(params['undo'])
    if params['chdir'] and not os.path.isdir(params['chdir']):
        raise LifecycleError('command: the directory %s does not exist. Nothing was done.' % params['chdir'])
    return dict(changed=True, would='run %s, at most %g s' % (' '.join(argv), params['timeout']))


class _Output(threading.Thread):
    """Reads what a command prints, keeps its end. Nobody waits for a child that it leaves behind with the pipe."""

    def __init__(self, stream: t.IO[bytes]) -> None:
        threading.Thread.__init__(self, daemon=True)
        self.stream, self.end = stream, b''
        self.start()

    def run(self) -> None:
        while True:
            chunk = os.read(self.stream.fileno(), 65536)
            if not chunk:
                return
            self.end = (self.end + chunk)[-_SHOWN:]

    def text(self) -> str:
        self.join(_DRAIN_S)
        return self.end.decode('utf-8', 'replace').strip()


def _end(process: 't.Any') -> None:
    """SIGKILL to all of its session's first group; what waits in the kernel is left behind."""
    os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(_KILL_WAIT_S)
    except subprocess.TimeoutExpired:
        pass


def run(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Run it. LifecycleError unless it exits with 0. One that can be taken back is recorded before."""
    argv = words(params)
    if params.get('undo'):
        context.run.record_change('command', argv=params['undo'], chdir=params['chdir'], timeout=params['timeout'])
    return _run(context, argv, params)


def is_change(params: t.Mapping[str, t.Any]) -> bool:
    return bool(params.get('undo'))


def undo(context: Context, change: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Run the command that takes it back; it has to do so however far the first one came."""
    return _run(context, _with_path(change['argv']), change)


def _run(context: Context, argv: t.List[str], params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Run it in a session of its own: a time-out ends all that it started."""
    name = argv[0]
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # the worker has no module any more
            argv,
            cwd=params['chdir'] or '/',
            env=dict(os.environ, PATH=_PATH),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as exc:
        raise LifecycleError(
            '%s could not be executed: %s. The following steps were not run. Check the command.' % (name, exc.strerror)
        ) from exc
    output = _Output(present(process.stdout))
    limit = context.run.time_left(params['timeout'])
    context.progress('running %s, at most %.3g s' % (name, limit))
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired as exc:
        _end(process)
        raise LifecycleError(
            '%s was ended after %.3g s (%s). The following steps were not run. Its output: %s'
            % (
                name,
                limit,
                'timeout' if limit == params['timeout'] else 'the deadline of the window',
                output.text() or '(none).',
            ),
            changed=True,
        ) from exc
    if process.returncode:
        raise LifecycleError(
            '%s ended with exit status %d. The following steps were not run. Its output: %s'
            % (name, process.returncode, output.text() or '(none).'),
            changed=True,
            exit_code=process.returncode,
        )
    return dict(changed=True, exit_code=0, output=output.text())
