# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import release_tidy
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.store import Staged, Switch


def staged(number: int) -> Staged:
    return Staged("3.5.%d" % number, "0" * 64, "new-%d" % number, float(number), [], [], None, {}, {})


def switch(number: int, run: t.Optional[str] = None) -> Switch:
    return Switch(
        "s%d" % number,
        "3.5.%d" % number,
        "0" * 64,
        "new-%d" % number,
        "old-%d" % number,
        "left-%d" % number,
        [1, 2],
        number + 0.5,
        run,
        None,
        None,
        [],
    )


def choose(
    keep: int,
    switched: t.Sequence[int],
    active: t.Optional[int],
    run: t.Optional[str] = None,
    runs: t.Sequence[int] = (),
    used: t.Sequence[str] = (),
) -> t.Tuple[t.List[str], t.List[t.Tuple[str, str]]]:
    """Five staged releases, some of them switched in; those of ``runs`` by one run."""
    releases = [staged(number) for number in range(5, 0, -1)]
    switches = [switch(number, run if number in runs else None) for number in sorted(switched, reverse=True)]
    standing = next((one for one in switches if one.id == "s%s" % active), None)
    names = [one.tree for one in releases] + [one.old for one in switches] + ["left-1-ab", "left-5-cd", "zip-x", "mine"]
    return release_tidy.choose(names, releases, switches, standing, keep, used)


@pytest.mark.parametrize("keep,switched,active,more,gone", [
    # the last two of all
    (2, [], None, {}, "left-1-ab left-5-cd new-1 new-2 new-3 zip-x"),
    (9, [], None, {}, "left-1-ab left-5-cd zip-x"),
    (0, [], None, {}, "left-1-ab left-5-cd new-1 new-2 new-3 new-4 new-5 zip-x"),
    # the active one and what it replaced stay, how old they are
    (0, [1], 1, {}, "left-5-cd new-2 new-3 new-4 new-5 zip-x"),
    (1, [1], 1, {}, "left-5-cd new-2 new-3 new-4 zip-x"),
    # of two switches, the older one is not needed
    (0, [1, 5], 5, {}, "left-1-ab new-1 new-2 new-3 new-4 old-1 zip-x"),
    # but all of one run are: it is taken back as a whole
    (0, [1, 5], 5, {"run": "r", "runs": [1, 5]}, "new-2 new-3 new-4 zip-x"),
    (0, [1, 3, 5], 5, {"run": "r", "runs": [3, 5]}, "left-1-ab new-1 new-2 new-4 old-1 zip-x"),
    # an unfinished run would take this one back
    (0, [1, 5], 5, {"used": ["s1"]}, "new-2 new-3 new-4 zip-x"),
    # nothing is active any more
    (0, [1], None, {}, "left-1-ab left-5-cd new-1 new-2 new-3 new-4 new-5 old-1 zip-x"),
])  # fmt: skip
def test_what_goes(
    keep: int, switched: t.List[int], active: t.Optional[int], more: t.Dict[str, t.Any], gone: str
) -> None:
    names, records = choose(keep, switched, active, **more)
    assert names == gone.split()
    assert {name for kind, name in records if kind == "staged"} == {name for name in names if name.startswith("new-")}
    assert {name for kind, name in records if kind == "switch"} == {
        "s" + name[4:] for name in names if name.startswith("old-")
    }
