# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Whether ``--tags`` and ``--skip-tags`` let the tasks of a role run: a run that does nothing must not end well."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

SPECIAL = frozenset({'all', 'tagged', 'untagged', 'always', 'never'})
# Molecule skips these in each of its runs, whether tasks have them or not.
SKIPPED_BY_MOLECULE = frozenset({'notest', 'molecule-notest', 'molecule-idempotence-notest'})


class Tags(t.NamedTuple):
    """``run`` and ``skip`` as given; ``own``: of the role's tasks; ``known``: of the whole run, None: not known."""

    run: frozenset[str]
    skip: frozenset[str]
    own: frozenset[str]
    known: frozenset[str] | None = None

    @property
    def restrict(self) -> bool:
        return bool(self.skip) or 'all' not in self.run

    @property
    def select(self) -> bool:
        """Whether the tasks of the role run."""
        return self._match(self.run) and not self._match(self.skip)

    def _match(self, given: frozenset[str]) -> bool:
        kind = 'tagged' if self.own else 'untagged'
        return bool(given & (self.own | {'all', kind}))


def refusal(tags: Tags, is_included: bool) -> str:
    """Why the run is refused; '' where it goes on, or somebody else's tasks were meant.

    ``is_included``: the role was included by a task that ran, and that does not hand its tags on.
    """
    given = shown(', '.join(sorted((tags.run | tags.skip) - {'all'})))
    meant = (tags.run | (tags.skip - SKIPPED_BY_MOLECULE)) - SPECIAL
    unknown = [] if tags.known is None else sorted(meant - tags.known)
    if unknown:
        names, there = shown(', '.join(unknown)), ', '.join(sorted(tags.known or ())) or 'none'
        return f'--tags and --skip-tags: no task of this run has the tag {names}. Known are: {there}.'
    if tags.select:
        return ''
    if is_included:
        return f'--tags and --skip-tags ({given}) select include_role, not the tasks in it: use import_role, or apply.'
    if tags.known is not None and not tags.known:
        return f'--tags and --skip-tags ({given}) leave nothing to do: no task of this run has tags.'
    return ''


def known(playbooks: t.Iterable[str], loader: t.Any, manager: t.Any) -> frozenset[str] | None:
    """The tags of all plays and tasks of these playbooks; None where something is only loaded when it runs."""
    from ansible.playbook import Playbook
    from ansible.utils.collection_loader._collection_finder import _get_collection_playbook_path

    found: set[str] = set()
    for name in playbooks:
        in_collection = None if os.path.exists(name) else _get_collection_playbook_path(name)
        path = in_collection[1] if in_collection else name
        for play in Playbook.load(path, variable_manager=manager, loader=loader).get_plays():
            found |= set(play.tags)
            for task in _tasks(play.compile()):
                found |= set(task.tags)
                if _is_dynamic(task):
                    return None
    return frozenset(found) - SPECIAL


def _tasks(blocks: t.Iterable[t.Any]) -> t.Iterator[t.Any]:
    for block in blocks:
        if hasattr(block, 'rescue'):
            yield from _tasks([*block.block, *block.rescue, *block.always])
        else:
            yield block


def _is_dynamic(task: t.Any) -> bool:
    """Whether a task of somebody else includes what may have further tags."""
    role = task.get_path() or ''
    ours = os.path.join('anqicms', 'lifecycle', 'roles') in role
    return task.action.rpartition('.')[2] in ('include_tasks', 'include_role') and not ours
