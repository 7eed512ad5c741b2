# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Answer, Target
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, NotYet
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import preconditions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards

FINE = preconditions.Needs("/www/a", "3.3.11", True, True, True, [Answer(Target("db", 3306))], True, 33)
DOWN = Answer(Target("db", 3306), "it refuses connections")
UNKNOWN = Answer(Target("db", 3306), unknown="Too many open files")
ALSO = Answer(Target("other", 3306, "MYSQL_* of the environment"), "it did not answer within 2 s")

CASES: t.List[t.Tuple[t.Dict[str, t.Any], t.List[str]]] = [
    (dict(), []),
    (dict(locales=False), ["locales_missing"]),
    (dict(locales=False, version="3.5.8"), []),
    (dict(locales=False, version="3.3.8"), []),
    (dict(locales=None), []),
    (dict(dictionary=False), ["dictionary_missing"]),
    (dict(dictionary=False, version=None), ["dictionary_missing"]),
    (dict(dictionary=False, version="2.3.6"), []),
    (dict(dictionary=False, reads_dictionary=False), []),
    (dict(dictionary=False, reads_dictionary=None), []),
    (dict(databases=[DOWN]), ["database_unreachable"]),
    (dict(databases=[ALSO, DOWN]), ["database_unreachable"]),
    (dict(databases=[ALSO, Answer(Target("db", 3306))]), []),
    (dict(databases=[UNKNOWN]), []),
    (dict(databases=[DOWN, UNKNOWN]), []),
    (dict(databases=[]), []),
    (dict(locales=False, databases=[DOWN]), ["locales_missing", "database_unreachable"]),
    (dict(writable=["/www/a (owner www)"], owner="www"), ["root_runs_writable"]),
    (dict(writable=[], owner="www"), []),
    (dict(left_behind=["running.log (owner root, mode 0644)"], user="www"), ["files_left_behind"]),
    (dict(writable=["/www/a (owner www)"], databases=[DOWN]), ["root_runs_writable", "database_unreachable"]),
]


@pytest.mark.parametrize("seen,expected", CASES)
def test_what_is_missing(seen: t.Dict[str, t.Any], expected: t.List[str]) -> None:
    assert [one.precondition.code for one in preconditions.failed(FINE._replace(**seen))] == expected


def test_each_is_a_hazard_that_blocks_starts_and_no_stop() -> None:
    hazards = {hazard.code: hazard for hazard in _hazards.HAZARDS}
    for precondition in preconditions.PRECONDITIONS:
        assert "start" in hazards[precondition.code].blocks
        assert "stop" not in hazards[precondition.code].blocks


def refusal(accepted: t.Sequence[str] = (), **seen: t.Any) -> LifecycleError:
    with pytest.raises(LifecycleError) as caught:
        preconditions.require(FINE._replace(**seen), accepted, "shop", "Nothing was started.")
    return caught.value


def test_what_comes_back_is_an_error_of_its_own_kind() -> None:
    assert isinstance(refusal(databases=[DOWN]), NotYet)
    assert not isinstance(refusal(locales=False), NotYet)
    assert not isinstance(refusal(locales=False, databases=[DOWN]), NotYet)
    assert isinstance(refusal(["locales_missing"], locales=False, databases=[DOWN]), NotYet)


def test_the_message_says_what_was_seen_what_was_not_done_and_what_to_do() -> None:
    error = refusal(databases=[ALSO, DOWN])
    assert "by uid 33" in error.msg
    assert "db:3306 (config.json): it refuses connections" in error.msg
    assert "other:3306 (MYSQL_* of the environment): it did not answer within 2 s" in error.msg
    assert "Nothing was started." in error.msg
    assert "Start the database" in error.msg
    assert error.result["hazards"] == ["database_unreachable"]


def test_both_ways_out_of_a_start_as_root_are_named() -> None:
    error = refusal(writable=["/www/a (owner www)"], owner="www")
    assert "with user: www it would run as the owner of its files" in error.msg
    assert "add root_runs_writable to accept_hazards" in error.msg
    assert "user: root" not in refusal(writable=["/www/a (mode 0777)"], owner="root").msg


def test_what_was_accepted_refuses_nothing_and_is_noted() -> None:
    needs = FINE._replace(locales=False)
    preconditions.require(needs, ["locales_missing"], "shop", "")
    assert "locales_missing is accepted: version 3.3.11" in preconditions.notes(needs, ["locales_missing"])[0]


@pytest.mark.parametrize(
    "seen,expected",
    [
        (dict(), []),
        (dict(dictionary=False, reads_dictionary=None), ["dictionary.txt is missing. Whether"]),
        (dict(databases=[], names_database=False), ["config.json names no database"]),
        (dict(databases=[UNKNOWN]), ["whether db:3306 can be reached is not known: Too many"]),
        (dict(databases=[ALSO, Answer(Target("db", 3306))], version=None), ["db:3306 is reachable, other:3306 is not"]),
    ],
)
def test_notes(seen: t.Dict[str, t.Any], expected: t.List[str]) -> None:
    found = preconditions.notes(FINE._replace(**seen), [])
    assert len(found) == len(expected)
    assert all(note.startswith(text) for note, text in zip(found, expected))


START = "2026/11/26 20:00:00 /www/a/\n"
READ = "2026/11/26 20:00:01 载入sego词典 /www/a/dictionary.txt\n"


@pytest.mark.parametrize(
    "log,expected",
    [
        ("", None),
        ("something\n", None),
        (START, False),
        (READ, True),
        (START + READ, True),
        (READ + START, False),
        (START + READ + START, False),
        (START + READ + "2026/11/26 20:00:00 /www/ab/\n", True),
    ],
)
def test_the_log_tells_whether_the_dictionary_was_read(log: str, expected: t.Optional[bool]) -> None:
    assert preconditions.dictionary_was_read(log, "/www/a") is expected


def test_unknown_codes() -> None:
    _hazards.refuse_unknown(["database_unreachable", "not_described"])
    with pytest.raises(LifecycleError, match=r"unknown hazard code: database_down.*database_unreachable"):
        _hazards.refuse_unknown(["locales_missing", "database_down"])
