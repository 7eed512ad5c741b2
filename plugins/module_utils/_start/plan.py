# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""How an instance is to be started, and everything that makes a start end badly, before anything is touched."""

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet, present
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders, ports
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import executable, needs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import record as _record

Params = t.Mapping[str, t.Any]


def choose_record(context: Context, params: Params) -> launch.LaunchRecord:
    """How to start it. LifecycleError when it cannot be told as whom, or so not."""
    return _record.choose(context, params).record


def plan(context: Context, params: Params) -> t.Dict[str, t.Any]:
    """What the start would do. LifecycleError for everything that it cannot end well with, NotYet for what may pass."""
    needs.accepted(context, params)
    found = None if context.foreseen.stops else context.look()
    if found is not None:
        _refuse_unfit_process(context, found.pid)
        pid = found.pid
        return dict(changed=False, pid=pid, would='only check it: it already runs as pid %d' % pid)
    _refuse_config(context)
    needs.ask_ahead(context)
    chosen = _choose_for_binary(context, params)
    record = chosen.record
    _refuse_user(context, record)
    output = _record.output(context, chosen, needs.untouched(context))
    output.close()
    refuse_port(context, record)
    # Last, because MySQL counts connections without a login: a start that waits for its port must not add to them.
    notes = needs.require(context, params, record, needs.ask_databases(context, record))
    words = launch.short([context.instance.executable] + record.argv[1:])
    return dict(
        changed=True,
        would='start %s as uid %d' % (' '.join(words), record.uid),
        notes=chosen.notes + list(output.notes) + notes,
    )


def _choose_for_binary(context: Context, params: Params) -> _record.Chosen:
    """A binary that cannot be executed is named first, also where nothing says as whom to execute it."""
    try:
        chosen = _record.choose(context, params)
    except LifecycleError:
        refuse_executable(context, None)
        raise
    refuse_executable(context, chosen.record)
    return chosen


def refuse_executable(context: Context, record: t.Optional[launch.LaunchRecord]) -> None:
    """LifecycleError when the binary cannot be executed by that user; NotYet while somebody writes it."""
    executable.refuse(context.instance, record, context.handle.pid if context.handle is not None else None)


def _refuse_unfit_process(context: Context, pid: int) -> None:
    if not context.listens() and (context.seen() or {}).get('version'):
        raise LifecycleError(
            '%s runs as pid %d with its port %d closed, and will not serve again. Nothing was started. Stop it first '
            '(graceful_stop).' % (context.instance.id, pid, context.port)
        )


def _refuse_config(context: Context) -> None:
    config = present(context.config)
    if config.state == 'ok' and not config.port_error:
        return
    consequence = (
        'The application would start its installer, which is open to everyone.'
        if config.state in ('missing', 'unreadable')
        else 'The application would not start.'
    )
    raise LifecycleError(
        'config.json of %s is %s: %s. %s Nothing was stopped or started. Fix the file first.'
        % (
            context.instance.id,
            config.state if config.state != 'ok' else 'not usable',
            (config.message or config.port_error or '').rstrip('.'),
            consequence,
        )
    )


def _refuse_user(context: Context, record: launch.LaunchRecord) -> None:
    if os.geteuid() not in (0, record.uid):
        raise LifecycleError(
            '%s runs as uid %d, and only root can start it as another user. Nothing was stopped or started. Run as '
            'root or as that user.' % (context.instance.id, record.uid)
        )


class HeldByStranger(NotYet):
    """The port is held by a user who is none of the instance's: nobody knows when that ends."""


def refuse_port(context: Context, record: launch.LaunchRecord) -> None:
    """NotYet when somebody else holds the port that this start would bind; names the holder."""
    port = context.port_for(record.argv)
    if ports.bind_probe(port).free is not False:
        return
    stops_it = context.foreseen.stops and context.handle is not None
    if stops_it and context.handle and holders.owns_listener(context.handle.proc, port) is not False:
        return  # by the process that will have been stopped by then
    found = holders.holders(port)
    names = ', '.join('pid %s (%s, user %s)' % (h.get('pid'), h.get('exe'), h.get('user')) for h in found)
    others = context.strangers_on(port)
    way_out = ' ' + context.way_out(others) if others else ''
    kind = HeldByStranger if others else NotYet
    raise kind(
        'Port %d of %s is held by %s. %s End that process, or change the port.%s'
        % (port, context.instance.id, names or 'a process that is not visible', needs.untouched(context), way_out),
        holders=found,
    )
