# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An answer to a survey means the same on each ansible-core, or it is refused; e2e/test_awx_answers.py plays it."""

from __future__ import annotations

import sys
from typing import Any

import paths
import pytest
from awx_answers import ANSWERS, OF_YAML, arrives

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _options, _readers

REFUSED = "refused"
NAMES = sorted(_options.OPTIONS)
TIMES = ("anqicms_since", "anqicms_until")
# Other ways to write whole numbers. A name or a path of that kind arrives as the digits of the number.
NOTATIONS = ("007", "1_000", "0x1f", "10:30", "10:30:00")


def outcome(name: str, given: Any) -> Any:
    """The value, or that it is refused in one line."""
    try:
        value = _options.value_of(name, given)
    except ValueError as error:
        assert str(error).isprintable()
        return REFUSED
    return _readers.epoch(value) if name in TIMES and value is not None else value


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_means_the_same_as_text_and_as_what_yaml_makes_of_it(name: str) -> None:
    for answer in ANSWERS:
        text, made = (outcome(name, arrives(answer, core)) for core in ("2.18", "2.19"))
        if REFUSED in (text, made) or text == made:
            continue
        assert answer in NOTATIONS and (text, made) == (answer, str(OF_YAML[answer])), (answer, text, made)


@pytest.mark.parametrize("answer", ["", "null", "~"])
@pytest.mark.parametrize("name", NAMES)
def test_no_answer_is_the_default_on_each_core(name: str, answer: str) -> None:
    assert outcome(name, arrives(answer, "2.18")) == outcome(name, arrives(answer, "2.19")) == outcome(name, None)


@pytest.mark.parametrize(("name", "answer", "value"), [
    ("anqicms_only", "6000dee9-shop.example\n4b1d0a7e-b\n", ["6000dee9-shop.example", "4b1d0a7e-b"]),
    ("anqicms_only", "6000dee9-shop.example, 4b1d0a7e-b", ["6000dee9-shop.example", "4b1d0a7e-b"]),
    ("anqicms_only", "12345678", REFUSED),
    ("anqicms_resume", "12345678", "12345678"), ("anqicms_rollback_run", "60001234", "60001234"),
    ("anqicms_since", "10:30", REFUSED), ("anqicms_since", "10:30:00", REFUSED),
    ("anqicms_until", "2026-01-01T10:00:00+08:00", 1767232800.0),
    ("anqicms_upgrade_to", "3.10", REFUSED), ("anqicms_upgrade_to", "3.5.8", "3.5.8"),
    ("anqicms_only_if_needed", "yes", True), ("anqicms_force", "idle", "idle"), ("anqicms_force", "no", REFUSED),
    ("anqicms_serial", "1", [1]), ("anqicms_serial", "1,10%", [1, "10%"]), ("anqicms_serial", "50%", ["50%"]),
    ("anqicms_warm_up", "1.5", REFUSED), ("anqicms_stop_timeout", ".inf", REFUSED),
    ("anqicms_accept_hazards", "{{ 1 }}", REFUSED),
])  # fmt: skip
def test_what_the_answers_of_a_person_mean(name: str, answer: str, value: Any) -> None:
    for core in ("2.18", "2.19"):
        assert outcome(name, arrives(answer, core)) == value, core
