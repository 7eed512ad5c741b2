# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order and in which batches a run works on its hosts, whatever the order of the inventory."""

from __future__ import annotations

import random
import sys
from collections import Counter
from typing import Any

import paths
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _batches

WEB = [f"web{number}" for number in range(1, 13)]


def limit(most: int | str, **hosts: str) -> _batches.Limit:
    """The hosts by value: `limit(1, acme="web1 web2")`."""
    values: dict[str, list[str]] = {}
    for value, names in hosts.items():
        for name in names.split():
            values.setdefault(name, []).append(value)
    return _batches.Limit(values, most)


@pytest.mark.parametrize(
    "names, expected",
    [
        ("web10 web2 web1", "web1 web2 web10"),
        ("web02 web2 web1", "web1 web02 web2"),
        ("Web2 web1 web3", "web1 Web2 web3"),
        ("10.0.0.10 10.0.0.2 9.0.0.1", "9.0.0.1 10.0.0.2 10.0.0.10"),
        ("web2.example web10.example web2-b.example", "web2-b.example web2.example web10.example"),
        ("b a1b2 a1b10 a a1", "a a1 a1b2 a1b10 b"),
        ("1 a 01 0 00", "0 00 01 1 a"),
        ("web web web", "web"),
        ("\u670d10 \u670d2", "\u670d2 \u670d10"),
        (f"web{'9' * 5000} web1", f"web1 web{'9' * 5000}"),
    ],
)
def test_order_of_names(names: str, expected: str) -> None:
    assert _batches.ordered(names.split()) == expected.split()
    assert _batches.ordered(reversed(names.split())) == expected.split()


def test_canaries_come_first() -> None:
    assert _batches.ordered(WEB, {"web12", "web3", "other"})[:3] == ["web3", "web12", "web1"]


PAIRS = limit(1, acme="web1 web2", bolt="web3 web4", coop="web5 web6")


@pytest.mark.parametrize(
    "count, sizes, canaries, limits, expected",
    [
        # sizes alone are what Ansible makes of them
        (4, [1, 2], "", [], "1/2 3/4"),
        (12, [1, "10%", "25%"], "", [], "1/2/3 4 5/6 7 8/9 10 11/12"),
        (5, ["10%"], "", [], "1/2/3/4/5"),
        (3, ["100%"], "", [], "1 2 3"),
        # canaries by the first size, the others by those behind it
        (6, [1, 2], "web5 web6", [], "5/6/1 2/3 4"),
        (6, [2, 3], "web6", [], "6/1 2 3/4 5"),
        (6, ["50%"], "web6 web5", [], "5 6/1 2 3/4"),
        (4, [1, "50%"], "web1 web2 web3 web4", [], "1/2/3/4"),
        (12, [1, "10%", "25%"], "web9", [], "9/1/2 3 4/5 6 7/8 10 11/12"),
        # one host of each customer at once: who has to wait comes with the next batch
        (6, [1, "100%"], "", [PAIRS], "1/2 3 5/4 6"),
        (6, [3], "", [PAIRS], "1 3 5/2 4 6"),
        (8, [3], "", [PAIRS], "1 3 5/2 4 6/7 8"),
        (8, [4], "", [PAIRS], "1 3 5 7/2 4 6 8"),
        (6, [2], "web2", [PAIRS], "2/1 3/4 5/6"),
        # 50% is of the hosts with that value, and at least one
        (6, ["100%"], "", [limit("50%", acme="web1 web2 web3 web4", bolt="web5")], "1 2 5 6/3 4"),
        (6, ["100%"], "", [limit("10%", acme="web1 web2 web3")], "1 4 5 6/2/3"),
        (4, ["100%"], "", [limit(9, acme="web1 web2")], "1 2 3 4"),
        # several entries hold together
        (6, ["100%"], "", [PAIRS, limit(2, rack="web1 web3 web5")], "1 3 6/2 4 5"),
        (4, ["100%"], "", [limit(1, all="web1 web2 web3 web4"), limit(1, acme="web1 web2")], "1/2/3/4"),
        # a host with two values waits for both
        (3, ["100%"], "", [limit(1, acme="web1 web2", bolt="web2 web3")], "1 3/2"),
        (0, [1], "web1", [], ""),
    ],
)
def test_layouts(count: int, sizes: list[Any], canaries: str, limits: list[_batches.Limit], expected: str) -> None:
    batches = _batches.plan(WEB[:count], sizes, canaries.split(), limits)
    assert "/".join(" ".join(name.removeprefix("web") for name in batch) for batch in batches) == expected


def test_no_sizes() -> None:
    with pytest.raises(ValueError):
        _batches.plan(WEB, [])


# --- properties

HOSTS = st.integers(0, 40).map(lambda count: [f"h{number}" for number in range(count)])
SIZES = st.lists(st.integers(1, 9) | st.sampled_from(["1%", "10%", "25%", "50%", "100%"]), min_size=1, max_size=4)
VALUES = st.dictionaries(
    st.integers(0, 40).map("h{}".format), st.lists(st.sampled_from("abcde"), max_size=2, unique=True)
)
LIMITS = st.lists(st.builds(_batches.Limit, VALUES, st.integers(1, 4) | st.sampled_from(["10%", "50%"])), max_size=3)
CANARIES = st.sets(st.integers(0, 40).map("h{}".format), max_size=5)


def allowed(most: int | str, count: int) -> int:
    return most if isinstance(most, int) else max(1, int(int(most[:-1]) * count / 100))


def one_by_one(hosts: list[str], sizes: list[int], limits: list[_batches.Limit], every: list[str]) -> list[list[str]]:
    """The batches by definition: each takes, in order, whoever fits into it."""
    found: list[list[str]] = []
    while hosts:
        size, used = sizes[min(len(found), len(sizes) - 1)], Counter[tuple[int, str]]()
        batch: list[str] = []
        for host in hosts:
            keys = [(number, value) for number, one in enumerate(limits) for value in one.values.get(host, ())]
            most = [
                allowed(limits[number].most, sum(value in limits[number].values.get(other, ()) for other in every))
                for number, value in keys
            ]
            if len(batch) < size and all(used[key] < count for key, count in zip(keys, most)):
                batch.append(host)
                used.update(keys)
        found.append(batch)
        hosts = [host for host in hosts if host not in batch]
    return found


@settings(deadline=None, max_examples=300, derandomize=True)
@given(HOSTS, SIZES, CANARIES, LIMITS, st.randoms())
def test_any_layout(
    hosts: list[str], sizes: list[Any], canaries: set[str], limits: list[_batches.Limit], chance: random.Random
) -> None:
    batches = _batches.plan(hosts, sizes, canaries, limits)
    shuffled = hosts[:]
    chance.shuffle(shuffled)
    assert _batches.plan(shuffled, sizes, canaries, limits) == batches, "the order of the inventory does not matter"
    assert Counter(host for batch in batches for host in batch) == Counter(hosts), "every host exactly once"
    numbers = [allowed(size, len(hosts)) for size in sizes]
    first = [host for host in hosts if host in canaries]
    others = [host for host in hosts if host not in canaries]
    expected = one_by_one(first, numbers[:1], limits, hosts) if first else []
    assert batches == expected + one_by_one(others, numbers[1:] or numbers if first else numbers, limits, hosts)


def test_a_thousand_hosts_are_planned_in_linear_work() -> None:
    """Each host, and each batch that is full for its value, is looked at a few times: counted, not timed."""
    looks = {count: _looks(count) for count in (250, 1000)}
    assert looks[1000] < 5 * looks[250], looks


def _looks(count: int) -> int:
    hosts = [f"web{number}" for number in range(count)]
    customers = _batches.Limit({host: [f"c{number // 4}"] for number, host in enumerate(hosts)}, 1)
    racks = _batches.Limit({host: [f"r{number % 10}"] for number, host in enumerate(hosts)}, 2)
    every = _batches.Limit({host: ["all"] for host in hosts}, 20)
    shared = _batches._Shared(hosts, [customers, racks, every])
    looked = 0

    class Counting(_batches._Batches):
        def _has_room(self, number: int, key: Any) -> bool:
            nonlocal looked
            looked += 1
            return super()._has_room(number, key)

    batches = Counting([count // 4], shared).of(hosts)
    assert sum(map(len, batches)) == count
    return looked
