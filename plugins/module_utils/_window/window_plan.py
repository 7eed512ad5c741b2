# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The plan of a window: its steps, what they would do, and what follows from its options."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import undo
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import (
    LifecycleError,
    NotYet,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    foreseen,
    runs,
    state,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import recovery

Result = t.Dict[str, t.Any]
MIGRATING = ('release', 'database', 'keep_files')  # after such a change a start may migrate
ROLLBACK_S = 600.0  # for taking changes back: it must not end half way because the steps took their time
GUARDIAN_LIMIT_S = 3600.0


class Plan(t.NamedTuple):
    """What a caller asked for, validated."""

    steps: t.List[t.Tuple[str, t.Dict[str, t.Any]]]
    run_id: str
    token: str
    deadline: float
    on_failure: str
    guardian_limit: float = GUARDIAN_LIMIT_S
    boot_hook: bool = False

    @property
    def names(self) -> t.List[str]:
        return [name for name, dummy in self.steps]

    @property
    def makes_changes(self) -> bool:
        """Whether a step changes what lasts: files, configuration, database."""
        return any(undo.is_change(name, params) or params.get('private_port') for name, params in self.steps)

    @property
    def restores_s(self) -> float:
        """Seconds that restores of what its steps dump may take at most."""
        timeouts = [
            float(params['timeout'])
            for name, params in self.steps
            if name == 'database' and undo.is_change(name, params)
        ]
        return runs.RESTORE_FACTOR * sum(timeouts)

    @property
    def hosts(self) -> t.List[str]:
        """The host names of the sites that are checked, to ask for the version where localhost gets none."""
        sites = [site for name, params in self.steps if name == 'site_check' for site in params.get('sites') or []]
        return list(dict.fromkeys(str(site['host']) for site in sites if site.get('host')))

    @property
    def force(self) -> str:
        """Of the first stop, for whoever finishes this run."""
        return next((str(params['force']) for name, params in self.steps if name == 'graceful_stop'), 'idle')

    @property
    def wanted_state(self) -> t.Optional[str]:
        """``running`` or ``stopped`` after the last step that decides it; None where no step does."""
        return recovery.wanted_state(self.names)


def foresee(context: Context, plan: Plan) -> t.List[Result]:
    """The plan of every step. LifecycleError when one of them refuses: nothing is stopped then."""
    planned = []
    context.run.next_arguments, context.run.next_environment = arguments_of(plan), environment_of(plan)
    context.run.knows_databases, context.foreseen = False, foreseen.Foreseen(steps=plan.steps)
    context.look()
    if plan.steps:
        context.refuse_wrong_port(arguments_of(plan))
    try:
        for index, (name, params) in enumerate(plan.steps, 1):
            planned.append(_foresee_step(context, index, name, params))
    finally:  # each step of the run looks at what is there by then
        context.foreseen = foreseen.NOTHING
    return planned


def _foresee_step(context: Context, index: int, name: str, params: t.Dict[str, t.Any]) -> Result:
    try:
        planned = dict(STEPS[name].plan(context, params), name=name)
        context.foresee(context.foreseen._replace(**planned.pop('then', {})))
        return planned
    except LifecycleError as exc:
        kind = NotYet if isinstance(exc, NotYet) else LifecycleError
        raise kind('Step %d (%s) cannot run: %s' % (index, name, exc.msg), **exc.result) from exc


def rollback_s(changes: t.Sequence[state.Entry]) -> float:
    """Seconds for taking these changes back, with the start after it. Pure."""
    return ROLLBACK_S + runs.restores_s(changes)


def start_to_park(plan: Plan) -> t.Optional[t.Dict[str, t.Any]]:
    """The options of the start that follows the first stop, None when none does or what is started may change. Pure."""
    names = plan.names
    if 'graceful_stop' not in names or 'verified_start' not in names or plan.makes_changes:
        return None
    index = names.index('verified_start')
    return plan.steps[index][1] if index > names.index('graceful_stop') else None


def arguments_of(plan: Plan) -> t.Optional[t.List[str]]:
    """The arguments that this run itself starts it with at last, None where they stay as recorded. Pure."""
    given = [params['arguments'] for dummy, params in plan.steps if params.get('arguments') is not None]
    return given[-1] if given else None


def environment_of(plan: Plan) -> t.Dict[str, str]:
    """The variables that this run itself starts it with at last. Pure."""
    given = [params['environment'] for dummy, params in plan.steps if params.get('environment')]
    return dict(given[-1]) if given else {}
