# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The row of an instance that cannot be described: it says why, and hides nothing of the others."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import foreign
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import memory, printable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import discovery, reach, state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance

Row = t.Dict[str, t.Any]


def why(exc: BaseException) -> str:
    """A failure as the row shows it: that of the system, or a defect of ours, with its type."""
    return exc.msg if isinstance(exc, LifecycleError) else '%s: %s' % (type(exc).__name__, exc)


def row(
    instance: Instance, exc: BaseException, table: t.Iterable[discovery.Process], base: t.Optional[str] = None
) -> Row:
    """``table``: the processes of the host, of which those with its executable are shown."""
    return dict(
        id=instance.id,
        dir=instance.dir,
        binary=instance.binary,
        user=None,
        state='ambiguous',
        pids=sorted(process.pid for process in table if process.exe == instance.executable),
        strangers=[],
        port=None,
        listening=None,
        version={'running': None, 'files': None, 'from': None, 'database': None},
        launch=None,
        memory=memory.report(None, {}, None),
        restarts=[],
        logs=[],
        sites=None,
        supervisors=[],
        interrupted=_unfinished(instance, base),
        runs=[],
        badly_ended=[],
        last_runs=[],
        planned=None,
        foreign=_foreign_to_us(instance),
        hazards=[_hazards.not_described(why(exc))],
    )


def _unfinished(instance: Instance, base: t.Optional[str]) -> t.Optional[Row]:
    try:
        return state.StateDir(instance, base).last_unfinished()
    except Exception:  # it is odd anyway
        return None


def _foreign_to_us(instance: Instance) -> t.Optional[str]:
    """With a name that nobody can list it must not hold up the run of the others."""
    if not printable.is_printable(instance.executable):
        return 'its name contains characters that cannot be shown'
    return 'its file system does not answer' if reach.hangs(instance.dir) else foreign.of_directory(instance.dir)
