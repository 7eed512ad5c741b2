# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the steps before one step of a window will have done, while the plans are made."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file


class Foreseen(t.NamedTuple):
    """Handed from plan to plan; each step of the run looks at what is there by then."""

    stops: bool = False  # a stop stands before this step: what runs now will be gone
    starts: bool = False  # a start stands before this step: what runs then is not what runs now
    version: t.Optional[str] = None  # what will have been switched in
    config: t.Optional[config_file.ConfigFile] = None  # config.json as it will be; None: as it is
    files: t.Tuple[t.Any, ...] = ()  # the plans of the releases, of _change/release.py
    restores_databases: bool = False
    steps: t.Sequence[t.Tuple[str, t.Dict[str, t.Any]]] = ()  # all of the window


NOTHING = Foreseen()


def of_a_task(planned: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    """A plan as the result of a task of its own, after which no step comes."""
    return {key: value for key, value in planned.items() if key != 'then'}
