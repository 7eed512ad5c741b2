# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON of others: each odd text is one kind of error for whoever reads it, and no other."""

import os
import re
import time
import typing as t

import pytest

import ansible_collections.anqicms.lifecycle.plugins.module_utils as package
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file, http
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import sources as _death_sources
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import records as _records
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import verdict as _site_verdict

ODD = {
    "lists without end": "[" * 200000,
    "closed lists": "[" * 200000 + "]" * 200000,
    "objects": '{"a":' * 100000 + "1" + "}" * 100000,
    "deeper than allowed": "[" * 101 + "]" * 101,
    "a long number": "1" + "0" * 5000,
    "a number that no float holds": "1" + "0" * 400,
    "a negative one": "-1" + "0" * 400,
    "a large fraction": "1e400",
    "a long fraction": "0." + "1" * 5000,
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "nothing": "",
    "torn": '{"a": "b',
}


@pytest.mark.parametrize("text", list(ODD.values()), ids=list(ODD))
@pytest.mark.parametrize("form", ["%s", '{"a": %s}', '{"data": {"version": %s}}'])
def test_what_is_odd_is_a_value_error(text: str, form: str) -> None:
    begin = time.process_time()
    with pytest.raises(ValueError):
        foreign_json.load(form % text)
    whole = (form % text).encode("ascii")
    with pytest.raises(ValueError):
        config_file.load_json(whole)
    with pytest.raises(_records.Odd):
        _records.parse_record(whole, _records.RESULT)
    assert config_file.interpret(whole).state == "invalid"
    assert http.parse_version(200, whole) is None
    assert _site_verdict.parse_siteinfo(whole) is None
    assert _death_sources.parse_journal(whole) is None
    assert time.process_time() - begin < 3.0


def nested(depth: int) -> t.List[t.Any]:
    """Lists in each other."""
    value: t.List[t.Any] = []
    for _level in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("text,value", [
    ("1", 1), ("-1.5", -1.5), ('"\\ud83d\\ude00"', "\U0001f600"), ("[" * 100 + "]" * 100, nested(100)),
    ("1e300", 1e300),
    ("9" * 300, int("9" * 300)), ('{"a": 1, "a": 2}', {"a": 2}), ('"' + "[" * 5000 + '"', "[" * 5000),
    ("[" + "[]," * 5000 + "[]]", [[]] * 5001),
])  # fmt: skip
def test_what_is_sound_is_read(text: str, value: t.Any) -> None:
    assert foreign_json.load(text) == value


def test_a_key_twice() -> None:
    with pytest.raises(foreign_json.Refused, match="has a key twice"):
        foreign_json.load('{"a": 1, "b": {"c": 1, "c": 2}}', unique=True)
    with pytest.raises(_records.Odd, match="has a key twice"):
        _records.parse_record(b'{"outcome": "done", "outcome": "failed"}', _records.RESULT)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ValueError):
        foreign_json.load(b'"\xff"')


def test_everything_is_read_by_the_one_reader() -> None:
    """What is left are lines that a child of the same program wrote, and single strings."""
    directory: str = next(iter(package.__path__))
    found: t.Set[str] = set()
    for place, _names, files in os.walk(directory):
        for name in files:
            path = os.path.join(place, name)
            if name.endswith(".py"):
                with open(path, encoding="utf-8") as stream:
                    reads = re.search(r"(?<!_)json\.loads?\(", stream.read())
                found |= {os.path.relpath(path, directory)} if reads else set()
    assert found <= {
        "_host/foreign_json.py",
        "_host/secrets.py",
        "_start/spawn.py",
        "_database/target.py",
        "_change/json_edit.py",
    }
