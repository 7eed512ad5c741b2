# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keywords `hosts` and `serial` of a play get from the variables. e2e/test_batches.py plays it."""

from __future__ import annotations

import random
import sys
from typing import Any

import paths
import pytest

sys.path.insert(0, str(paths.link_tree()))

from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _play_keywords

FLEET = [f"web{number}" for number in range(1, 11)]
OF_HOSTS = {name: {"customer": f"c{number // 2}", "inventory_hostname": name} for number, name in enumerate(FLEET)}


class Asked:
    """The inventory of a run, in any order, and what it says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups: dict[str, list[str]] = {"all": FLEET[:], "ungrouped": [], "anqicms": FLEET[:]}
        self.of_hosts: dict[str, dict[str, Any]] = {name: dict(values) for name, values in OF_HOSTS.items()}
        self.first_play = False
        self._monkeypatch = monkeypatch
        self.limit(None)

    def limit(self, pattern: str | None) -> None:
        self._monkeypatch.setattr(context, "CLIARGS", ImmutableDict(subset=pattern, syntax=False))

    def set(self, **values: Any) -> None:
        for of_host in self.of_hosts.values():
            of_host.update({f"anqicms_{name}": value for name, value in values.items()})

    def ask(self, name: str, **extra: Any) -> Any:
        for hosts in self.groups.values():
            random.shuffle(hosts)
        variables = {"groups": self.groups, **extra}
        if not self.first_play:
            variables["hostvars"] = self.of_hosts
        loader = DataLoader()
        return _play_keywords.PlayKeywords(variables, Templar(loader=loader), loader).value_of(name)

    def batches(self, **extra: Any) -> list[list[str]]:
        hosts, sizes = self.ask("anqicms_hosts", **extra), self.ask("anqicms_serial", **extra)
        assert all(isinstance(size, int) for size in sizes)
        return [[hosts.pop(0) for _unused in range(size)] for size in sizes]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_order_is_by_name_and_sizes_stay_those_that_are_given(asked: Asked) -> None:
    assert (asked.ask("anqicms_hosts"), asked.ask("anqicms_serial")) == (FLEET, [1, "10%", "25%"])
    asked.limit("web10,web9,&anqicms")
    assert asked.ask("anqicms_hosts") == ["web9", "web10"]
    asked.limit(None)
    assert asked.ask("anqicms_hosts", anqicms_hosts="web1*:!web1") == ["web10"]


def test_the_first_host_by_name_decides_whatever_the_limit(asked: Asked) -> None:
    asked.set(serial=3)
    asked.of_hosts["web1"]["anqicms_serial"] = "2,4"
    asked.limit("web7")
    assert asked.ask("anqicms_serial") == [2, 4]
    assert asked.ask("anqicms_serial", anqicms_serial=5) == [5]
    asked.groups["anqicms_canary"] = ["web3"]
    assert asked.ask("anqicms_serial") == [3], "canaries come first"


def test_canaries_make_exact_batches(asked: Asked) -> None:
    asked.groups["anqicms_canary"] = ["web10", "web4", "db1"]
    asked.groups["all"].append("db1")
    asked.set(serial="1,50%")
    expected = [["web4"], ["web10"], ["web1", "web2", "web3", "web5", "web6"], ["web7", "web8", "web9"]]
    assert asked.batches() == expected
    asked.limit("!anqicms_canary")
    assert asked.ask("anqicms_serial") == [1, "50%"], "canaries that are left out are none"
    asked.limit("anqicms_canary")
    assert asked.batches() == [["web4"], ["web10"]]


def test_at_most_one_host_of_each_customer(asked: Asked) -> None:
    asked.set(serial="100%", serial_by={"customer": 1})
    assert asked.batches() == [FLEET[::2], FLEET[1::2]]
    asked.limit("web1,web2,web3")
    assert asked.batches() == [["web1", "web3"], ["web2"]]
    assert asked.ask("anqicms_serial", anqicms_serial_by="{}", anqicms_serial="2") == [2]


def test_group_and_variable_hold_together(asked: Asked) -> None:
    asked.groups["front"] = FLEET[:5]
    asked.set(serial="100%", serial_by="{front: 50%, customer: 1}")
    assert asked.batches() == [["web1", "web3", "web6", "web7", "web9"], ["web2", "web4", "web8", "web10"], ["web5"]]


def test_values(asked: Asked) -> None:
    """Numbers and texts are the same value, a list has several, and what is blank is none."""
    given: list[Any] = [7, "7", " 7 ", ["7", "8"], "8", None, "", [], "{ 7 }", True]
    for name, value in zip(FLEET, given):
        asked.of_hosts[name]["customer"] = value
    asked.set(serial="100%", serial_by={"customer": 1})
    assert asked.batches() == [["web1", "web5", *FLEET[5:]], ["web2"], ["web3"], ["web4"]]


def test_a_variable_that_the_limit_has_left_no_host_of(asked: Asked) -> None:
    del asked.of_hosts["web3"]["customer"]
    asked.set(serial=1, serial_by={"customer": 1})
    asked.limit("web3")
    assert asked.batches() == [["web3"]]


@pytest.mark.parametrize(
    "name, said",
    [
        ("custmer", "Similar are: customer."),
        ("frnt", "Similar are: front."),
        ("zzz", "The groups are: all, anqicms, front, ungrouped."),
        ("{% x %}", "names {\\% x %}, which is neither"),
    ],
)
def test_unknown_names(asked: Asked, name: str, said: str) -> None:
    asked.groups["front"] = FLEET[:5]
    asked.set(serial_by={name: 1})
    for keyword in ("anqicms_hosts", "anqicms_serial"):
        with pytest.raises(
            ValueError, match=r"^anqicms_serial_by names .* is neither a group nor a variable"
        ) as caught:
            asked.ask(keyword)
        assert said in str(caught.value) and str(caught.value).isprintable()


def test_before_the_first_play_only_names_decide(asked: Asked) -> None:
    asked.first_play = True
    asked.groups["anqicms_canary"] = ["web7"]
    hosts = asked.ask("anqicms_hosts", anqicms_serial_by={"nothing": 1}, anqicms_serial="wrong")
    assert hosts == ["web7", *FLEET[:6], *FLEET[7:]]


def test_a_value_that_cannot_be_read(asked: Asked) -> None:
    asked.of_hosts["web2"]["customer"] = "{{ nowhere }}"
    asked.set(serial_by={"customer": 1})
    with pytest.raises(ValueError, match=r"^anqicms_serial_by names customer, which cannot be read on web2: "):
        asked.ask("anqicms_hosts")


@pytest.mark.parametrize("name", ["a,b", "!web1", "&web1"])
def test_a_name_that_is_another_pattern(asked: Asked, name: str) -> None:
    for hosts in (asked.groups["all"], asked.groups["anqicms"]):
        hosts.append(name)
    with pytest.raises(ValueError, match="means something else as a pattern"):
        asked.ask("anqicms_hosts")


def test_names_that_are_addresses(asked: Asked) -> None:
    names = ["10.0.0.10", "10.0.0.9", "2001:db8::1", "web-1.example"]
    asked.groups["anqicms"] = names[:]
    assert asked.ask("anqicms_hosts") == ["10.0.0.9", "10.0.0.10", "2001:db8::1", "web-1.example"]
