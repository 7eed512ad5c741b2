# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""In which order and in which batches a run works on its hosts. Pure.

The order is that of the names, never that of the inventory: AWX lists the hosts of a group in any order.
"""

from __future__ import annotations

import re
import typing as t

CANARIES = 'anqicms_canary'  # the group whose hosts come first
Size = t.Union[int, str]  # a number of hosts, or a percentage of some hosts such as '10%'
_Key = t.Tuple[int, str]  # which limit, and the value that the hosts have in common


class Limit(t.NamedTuple):
    """At most ``most`` hosts with the same value at once; a percentage is of the hosts with that value.

    ``values`` of each host. One that is missing there has none, and is not limited.
    """

    values: t.Mapping[str, t.Collection[str]]
    most: Size


def ordered(hosts: t.Iterable[str], canaries: t.Container[str] = ()) -> list[str]:
    """The names, each once: canaries first, and web2 before web10."""
    return sorted(set(hosts), key=lambda host: (host not in canaries, _natural(host)))


def _natural(name: str) -> tuple[list[t.Any], str]:
    parts: list[t.Any] = re.split('([0-9]+)', name.casefold())  # text and digits in turns
    parts[1::2] = [(len(number), number) for number in (digits.lstrip('0') for digits in parts[1::2])]
    return parts, name


def plan(
    hosts: t.Iterable[str], sizes: t.Sequence[Size], canaries: t.Container[str] = (), limits: t.Sequence[Limit] = ()
) -> list[list[str]]:
    """The batches. The last size holds for all that follow, and a percentage is of all hosts.

    Canaries are in batches of the first size, the others in batches of those behind it. ValueError without sizes.
    """
    every = ordered(hosts, canaries)
    numbers = [_number(size, len(every)) for size in sizes]
    shared = _Shared(every, limits)
    first = [host for host in every if host in canaries]
    others = every[len(first) :]
    if not first:
        return _Batches(numbers, shared).of(others)
    return [*_Batches(numbers[:1], shared).of(first), *_Batches(numbers[1:] or numbers, shared).of(others)]


def _number(size: Size, count: int) -> int:
    """At least 1, as Ansible counts batches."""
    part = size.rstrip('%') if isinstance(size, str) else ''
    return max(1, int(int(part) / 100.0 * count) if part else int(size))


class _Shared:
    """What hosts have in common, and how many of them may be worked on at once."""

    def __init__(self, hosts: t.Sequence[str], limits: t.Sequence[Limit]) -> None:
        self._keys = {
            host: [(number, value) for number, limit in enumerate(limits) for value in limit.values.get(host, ())]
            for host in hosts
        }
        counts: dict[_Key, int] = {}
        for keys in self._keys.values():
            for key in keys:
                counts[key] = counts.get(key, 0) + 1
        self._most = {key: _number(limits[key[0]].most, count) for key, count in counts.items()}

    def keys(self, host: str) -> list[_Key]:
        return self._keys[host]

    def most(self, key: _Key) -> int:
        return self._most[key]


class _Batches:
    """Puts each host into the first batch with room for it.

    Room never comes back, so the first batch with room for a key is looked for from the last one on.
    """

    def __init__(self, sizes: t.Sequence[int], shared: _Shared) -> None:
        if not sizes:
            raise ValueError('no size of a batch is given')
        self._sizes, self._shared = sizes, shared
        self._batches: list[list[str]] = []
        self._used: dict[tuple[int, _Key | None], int] = {}
        self._first_open: dict[_Key | None, int] = {}

    def of(self, hosts: t.Iterable[str]) -> list[list[str]]:
        for host in hosts:
            self._add(host, [None, *self._shared.keys(host)])
        return self._batches

    def _add(self, host: str, keys: t.Sequence[_Key | None]) -> None:
        number = max(self._first_open.get(key, 0) for key in keys)
        while not all(self._has_room(number, key) for key in keys):
            number += 1
        if number == len(self._batches):
            self._batches.append([])
        self._batches[number].append(host)
        for key in keys:
            self._used[number, key] = self._used.get((number, key), 0) + 1
            while not self._has_room(self._first_open.get(key, 0), key):
                self._first_open[key] = self._first_open.get(key, 0) + 1

    def _has_room(self, number: int, key: _Key | None) -> bool:
        """``key``: None for the batch as such."""
        most = self._sizes[min(number, len(self._sizes) - 1)] if key is None else self._shared.most(key)
        return self._used.get((number, key), 0) < most
