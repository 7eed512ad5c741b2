# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the next boot runs, see ``boot_hook``."""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import boot_hook
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import instance as _instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window as _window
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import worker as _worker

_LIMIT_S = 3600.0


def main(directory: str, binary: str, base: str) -> int:
    """At the boot: take the run back as soon as that is possible, at most for an hour. Whether it has not ended."""
    instance = _instance.resolve(directory, binary)
    state = _state.StateDir(instance, base)
    context = Context(instance, state, progress=lambda text: state.try_log('progress', text=text))
    run = state.last_unfinished()
    if run is not None:
        plan = window_plan.Plan([], run['run_id'] or '', run['token'] or '', _LIMIT_S, 'rollback', _LIMIT_S)
        _worker.Vigil(context, plan, dict(waits_for=_window.WAITS_FOR_CONDITION)).keep(None)
    if state.last_unfinished() is not None:
        return 1
    boot_hook.disarm(state)
    return 0
