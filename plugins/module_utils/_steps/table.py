# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The kinds of steps that a window knows. A new kind is a file with these functions, and its line here.

Those that change files, configuration or database stand in ``_window.change_steps``: what a plain restart does not
need is not sent to the host.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import command as _step_command
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import (
    graceful_stop,
    log_check,
    port_released,
    site_check,
    verified_start,
)

Params = t.Mapping[str, t.Any]


class Step(t.NamedTuple):
    """``plan`` changes nothing and raises LifecycleError for what would not end well; ``run`` does it.

    Both return a dict with ``changed``; that of ``plan`` also has ``would``, and ``diff`` where there is one to show.
    ``undo`` takes back a change that ``run`` has recorded before it made it, see ``_change.undo``. ``is_change``:
    whether the step makes such a change with these options. ``settle`` raises LifecycleError while what an unfinished
    run has set going may not be broken off; it gets that run, and how long it may wait.
    ``left`` tells at the end of a window what a change has left, for a later rollback (``_instance.runs``).
    """

    spec: t.Dict[str, t.Dict[str, t.Any]]
    plan: t.Callable[[Context, Params], t.Dict[str, t.Any]]
    run: t.Callable[[Context, Params], t.Dict[str, t.Any]]
    undo: t.Optional[t.Callable[[Context, Params], t.Dict[str, t.Any]]] = None
    is_change: t.Callable[[Params], bool] = lambda params: False
    settle: t.Optional[t.Callable[[Context, Params, float], None]] = None
    left: t.Optional[t.Callable[[Context, Params], t.Dict[str, t.Any]]] = None


_KINDS = (
    ('graceful_stop', graceful_stop),
    ('port_released', port_released),
    ('verified_start', verified_start),
    ('site_check', site_check),
    ('log_check', log_check),
)
STEPS = {name: Step(kind.SPEC, kind.plan, kind.run) for name, kind in _KINDS}
STEPS['command'] = Step(
    _step_command.SPEC, _step_command.plan, _step_command.run, _step_command.undo, _step_command.is_change
)
