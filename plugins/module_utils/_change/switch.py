# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Switches a staged release in by renames alone, and back.

The plan is on the disk before the first rename, and there is no record of progress: where each of the three is, the
place, the staged file and the replaced one, tells how far it is. So the inverse is right from any point of death, its
own too. One syncfs before the first rename (with what was staged) and one after the last: that the order holds over a
power cut rests on the file system, as docs/upgrade.md says.
"""

import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import file_plan, places, staging
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.file_plan import FilePlan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Staged, Store, Switch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, system_text
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files


class Trees:
    """The four directories that renames go between. Use it as a context manager."""

    def __init__(self, install: places.Tree, bulk: places.Tree, switch: Switch) -> None:
        self.place, self.bulk, self.switch = install, bulk, switch
        self._opened: t.List[places.Tree] = []
        self.new, self.old = self._open(switch.tree), self._open(switch.old)
        self._left: t.Optional[places.Tree] = None

    def _open(self, name: str, make: bool = False) -> places.Tree:
        tree = places.open_below(self.bulk, name, make)
        self._opened.append(tree)
        return tree

    @property
    def left(self) -> places.Tree:
        """For what somebody has put where a file of before is to come back. Made when it is needed."""
        if self._left is None:
            name = '%s-%s' % (self.switch.left, os.urandom(3).hex())
            self._left = self._open(name, make=True)
        return self._left

    @property
    def left_behind(self) -> t.Optional[str]:
        return self._left.path if self._left is not None else None

    def __enter__(self) -> 'Trees':
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        for tree in self._opened:
            tree.close()


def prepare(
    install: places.Tree,
    bulk: places.Tree,
    staged: Staged,
    plan: FilePlan,
    run_id: t.Optional[str],
    active: t.Optional[Switch],
    previous: t.Optional[str],
) -> Switch:
    """All that can be done before the plan is written: nothing in the install directory is touched yet."""
    mark = os.urandom(4).hex()
    info = os.fstat(bulk.fd)
    switch = Switch(
        mark,
        staged.version,
        staged.sha256,
        staged.tree,
        'old-%s' % mark,
        'left-%s' % mark,
        [info.st_dev, info.st_ino],
        time.time(),
        run_id,
        previous,
        active.id if active else None,
        plan.renames,
    )
    with places.open_below(bulk, staged.tree) as tree:
        tops = [one.path for one in plan.renames if not one.out]
        known = {file.path for file in staged.files}
        moved = [path for path in plan.owned if path in known]
        staging.refuse_altered(tree, staged, moved)
        for path in sorted(plan.owned, reverse=True):  # what is in a directory before the directory
            if path in known or file_plan.below(path, tops):
                tree.dress(path, *plan.owned[path])
    with places.open_below(bulk, switch.old, make=True) as old:
        for above in sorted({one.path.rpartition('/')[0] for one in plan.renames if one.out} - {''}):
            old.make_directory(above)
    return switch


def write(install: places.Tree, store: Store, switch: Switch) -> None:
    """The plan is on the disk, and so is everything that it names."""
    staging.sync_file_system(install)
    store.write_switch(switch)


def forward(trees: Trees) -> int:
    """Put the release in, right after the plan was made: only a place that was free is looked at again."""
    left = {one.path for one in trees.switch.renames if one.out}
    for one in trees.switch.renames:
        if one.out:
            places.rename(trees.place, trees.old, one.path)
        elif one.path in left:
            places.rename(trees.new, trees.place, one.path)
        else:
            _in(trees, trees.new, one.path)
    staging.sync_file_system(trees.place)
    return len(trees.switch.renames)


def again(trees: Trees) -> int:
    """Put the release in again, from wherever the inverse has come to, or an earlier call has died."""
    count = 0
    for one in trees.switch.renames:
        count += _out(trees, trees.old, one.path) if one.out else _in(trees, trees.new, one.path)
    staging.sync_file_system(trees.place)
    return count


def _out(trees: Trees, to: places.Tree, path: str) -> int:
    """Out of its place; nothing where it is there already, or where nothing stands in the place."""
    if to.lstat(path) is not None or trees.place.lstat(path) is None:
        return 0
    places.rename(trees.place, to, path)
    return 1


def _in(trees: Trees, source: places.Tree, path: str) -> int:
    """Into its place; what somebody has put there meanwhile is moved aside."""
    if source.lstat(path) is None:
        return 0
    if trees.place.lstat(path) is not None:
        _put_aside(trees, path)
    places.rename(source, trees.place, path)
    return 1


def back(trees: Trees) -> int:
    """Put back what was there before. Also goes on where an earlier call has died; right when nothing was done yet."""
    count = 0
    for one in reversed(trees.switch.renames):
        count += _in(trees, trees.old, one.path) if one.out else _out(trees, trees.new, one.path)
    staging.sync_file_system(trees.place)
    return count


def _put_aside(trees: Trees, path: str) -> None:
    above = path.rpartition('/')[0]
    if above:
        trees.left.make_directory(above)
    places.rename(trees.place, trees.left, path)


def run(
    install: places.Tree, bulk: places.Tree, switch: Switch, work: t.Callable[[Trees], int]
) -> t.Tuple[int, t.Optional[str]]:
    """Renames, and where something was put aside. LifecycleError when it could not be done to the end."""
    try:
        with Trees(install, bulk, switch) as trees:
            return work(trees), trees.left_behind
    except (OSError, files.UnsafePath) as exc:
        raise LifecycleError(
            'Not all files of %s were renamed: %s. Some of them are those of %s, others are not. Fix the cause, then '
            'run the recover playbook, which continues from there.' % (install.path, system_text(exc), switch.version),
            changed=True,
        ) from exc
