# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether a stop can be begun: what refuses it, before anything is signalled."""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import asking
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process, procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import supervisors as _supervisors
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import (
    Context,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop import (
    kill_policy,
    migrating,
    quiet,
)

Params = t.Mapping[str, t.Any]
_MOST_THREADS = 1000  # whose signal masks are looked at
_DEAF_LOOKS, _DEAF_PAUSE = 20, 0.002  # a Go program blocks all signals for a moment whenever it starts a thread


def refuse_supervised(context: Context) -> t.List[t.Dict[str, t.Any]]:
    """The supervisors of the instance; LifecycleError when one of them would start it again at once."""
    supervisors = _supervisors.detect(context.instance, context.candidate)
    strong = [entry for entry in supervisors if _supervisors.effect(entry) == _supervisors.RESTARTS_AT_ONCE]
    if strong and context.candidate is not None:
        raise LifecycleError(
            '%s is run by %s (%s), which %s start it again. Nothing was signalled. Stop it through that supervisor.'
            % (
                context.instance.id,
                strong[0]['kind'],
                strong[0]['where'],
                'would' if strong[0]['restarts'] else 'may',
            ),
            supervisors=supervisors,
        )
    return supervisors


def prepare(context: Context, params: Params) -> t.List[t.Dict[str, t.Any]]:
    """Find the process and refuse whatever makes the stop impossible; its supervisors. Nothing is signalled."""
    candidate, handle = context.look(), context.handle
    if candidate is None or handle is None:
        _refuse_blindness(context)
        context.refuse_unclear()
        return []
    if not handle.may_signal():
        raise LifecycleError(
            'No permission to signal pid %d of %s, which runs as uid %d. Nothing was signalled. Run as root or as that '
            'user.' % (candidate.pid, context.instance.id, candidate.uid),
            pid=candidate.pid,
        )
    supervisors = refuse_supervised(context)
    _refuse_deaf(context, handle, params)
    return supervisors


def _refuse_blindness(context: Context) -> None:
    """Where /proc hides other users' processes, only the directory's own owner knows that none runs."""
    owner = os.stat(context.instance.dir).st_uid
    if owner != os.geteuid() and procfs.some_are_hidden():
        raise LifecycleError(
            '/proc hides other users\' processes (hidepid), and %s belongs to uid %d: whether it runs is not known. '
            'Nothing was signalled. Run as root or as that user.' % (context.instance.dir, owner)
        )


def _deafness(handle: process.ProcessHandle) -> t.Optional[str]:
    """What all threads do with SIGTERM at every one of a few looks: ``ignores``, ``blocks`` or None."""
    verb = None
    for look in range(_DEAF_LOOKS):
        time.sleep(_DEAF_PAUSE if look else 0.0)
        try:
            tasks = [handle.proc.read('task/%s/status' % task) for task in handle.proc.names('task', _MOST_THREADS)]
        except OSError:
            continue  # a thread or the process has ended meanwhile
        verb = process.deafness([procfs.parse_status(data) for data in tasks])
        if verb is None:
            return None
    return verb


def _refuse_deaf(context: Context, handle: process.ProcessHandle, params: Params) -> None:
    """A process that ignores or blocks SIGTERM goes on serving: it is left alone unless force says timeout."""
    verb = _deafness(handle) if params['force'] != 'timeout' else None
    if verb:
        raise LifecycleError(
            'pid %d of %s %s SIGTERM, so it cannot be stopped gracefully. Nothing was signalled, and it continues '
            'serving. Set force: timeout to kill it.' % (handle.pid, context.instance.id, verb),
            pid=handle.pid,
        )


def _has_answered(context: Context) -> bool:
    """Whether the port is open, or was in this life of the process, as far as that is told at once."""
    return context.running_version is not None or context.listens()


def ask_ahead(context: Context) -> None:
    """Begin to ask the database where a stop will, while something else is done. The process has been looked at."""
    if context.candidate is not None and migrating.can_migrate(context.version, _has_answered(context)):
        asking.begin(context)


def plan(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """What the stop would do. LifecycleError for everything that makes it impossible."""
    ask_ahead(context)
    prepare(context, params)
    if context.candidate is None or context.handle is None:
        return dict(changed=False, would='nothing: it is not running')
    pid, seen = context.candidate.pid, quiet.look_at(context, context.handle)
    migration = migrating.Wait(context, context.handle, params['migration_timeout'], _has_answered(context))
    judged = migration.look() if migration.asks and not context.run.begins else migration.judged
    return dict(
        changed=True,
        pid=pid,
        quiet=dict(quiet.nothing(), files=quiet.rows(seen.files), known=seen.known),
        migration=migration.result(),
        notes=list(judged.unknown),
        would='%s%swait at most %g s for requests in flight, then send SIGTERM to pid %d%s'
        % (
            migrating.would_wait(judged, params['migration_timeout']),
            quiet.would_wait(seen, params['quiet_timeout']),
            params['idle_timeout'],
            pid,
            kill_policy.would_kill(context.version, params['force']),
        ),
    )
