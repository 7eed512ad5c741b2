# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a start writes, by what was seen and what was proved: which files, and opened by whom."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import output

DIR = "/www/shop"
OWN, PANEL, OTHER = DIR + "/running.log", "/www/wwwlogs/shop.log", "/www/wwwlogs/other.log"
FILE: t.Dict[str, t.Any] = dict(output="file")
OLD: t.Dict[str, t.Any] = dict(output=None)  # a record of a release that did not note it
NAME, HELD, PROVED, NOWHERE = output.BY_USER, output.HELD, output.PROVED, output.NOWHERE


def record(**fields: t.Any) -> LaunchRecord:
    known: t.Dict[str, t.Any] = dict(
        argv=["x"],
        environment={},
        uid=33,
        gid=33,
        groups=[],
        umask=0,
        limits={},
        nice=0,
        oom_score_adj=0,
        cgroups={},
        label=None,
        cwd="/",
        log=None,
        ignores_hup=True,
    )
    known.update(fields)
    return LaunchRecord(**known)


# Seen so -> what is tried last: its user opens it, by its name.
INSIDE = [
    (dict(FILE, log=OWN, log_found="same"), [(OWN, NAME)]),
    (dict(FILE, log=OWN, log_found="gone"), [(OWN, NAME)]),  # deleted, or replaced
    (dict(FILE, log=OWN), [(OWN, NAME)]),  # of other mounts: opened by the user
    (dict(OLD, log=OWN), [(OWN, NAME)]),
    (dict(FILE, log=DIR + "/app.log", log_found="same"), [(DIR + "/app.log", NAME)]),
    (dict(FILE, log=OWN + ".1", log_found="same"), [(OWN, NAME)]),  # rotated by a rename
    (dict(FILE, log=DIR + "/running-20260131.log", log_found="same"), [(OWN, NAME)]),
    (dict(FILE, log=DIR + "/a.log-20260131", log_found="same"), [(DIR + "/a.log-20260131", NAME)]),
    (dict(output="null"), [(None, NOWHERE)]),
    (dict(output="null", log=DIR + "/err.log", log_found="same"), [(DIR + "/err.log", NAME)]),
] + [(dict(output=kind), [(OWN, NAME)]) for kind in ("pipe", "socket", "terminal", "closed", "other", None)]


@pytest.mark.parametrize("seen,expected", INSIDE)
@pytest.mark.parametrize("running", [True, False])
def test_in_the_directory(seen: t.Dict[str, t.Any], expected: t.Any, running: bool) -> None:
    found = _ways(seen, None, running)
    assert found[-1:] == expected
    assert found[:-1] == (
        [(seen["log"], HELD)] if running and seen.get("log_found") == "same" and found[0][1] == HELD else []
    )


# Seen so -> before that root tries, which fits only where root alone can write the directory.
BY_ROOT: t.List[t.Tuple[t.Dict[str, t.Any], t.Optional[str], bool, t.List[str]]] = [
    (dict(log_found="same"), None, True, [HELD]),
    (dict(log_found="same"), None, False, []),
    (dict(log_found="same", log_file=[1, 2]), None, False, [HELD]),
    (dict(log_found="gone"), None, True, []),
    (dict(), None, True, []),
    (dict(log_found="same"), OWN, True, [HELD, PROVED]),
    (dict(log_found="same"), OWN, False, [PROVED]),
    (dict(log_found="same"), PANEL, False, []),
]


@pytest.mark.parametrize("seen,proved,running,expected", BY_ROOT)
def test_in_a_directory_of_roots(
    seen: t.Dict[str, t.Any], proved: t.Optional[str], running: bool, expected: t.List[str]
) -> None:
    assert _ways(dict(FILE, log=OWN, **seen), proved, running) == [(OWN, how) for how in [*expected, NAME]]


# Seen so, proved log -> while it runs; when it was stopped.
OUTSIDE = [
    (dict(log_found="same"), None, [(PANEL, HELD)], [(PANEL, NAME)]),
    (dict(log_found="same", log_file=[1, 2]), None, [(PANEL, HELD)], [(PANEL, HELD), (PANEL, NAME)]),
    (dict(log_found="same"), PANEL, [(PANEL, HELD), (PANEL, PROVED)], [(PANEL, PROVED), (PANEL, NAME)]),
    (dict(log_found="same"), OTHER, [(PANEL, HELD), (OTHER, PROVED)], [(OTHER, PROVED), (PANEL, NAME)]),
    (dict(log_found="gone"), None, [(PANEL, NAME)], [(PANEL, NAME)]),
    (dict(log_found="gone"), PANEL, [(PANEL, PROVED), (PANEL, NAME)], [(PANEL, PROVED), (PANEL, NAME)]),
    (dict(), None, [], []),  # a text of other mounts is no path
    (dict(), PANEL, [(PANEL, PROVED)], [(PANEL, PROVED)]),
    (
        dict(log=PANEL + ".1", log_found="same"),
        PANEL,
        [(PANEL, PROVED), (PANEL + ".1", HELD)],
        [(PANEL, PROVED), (PANEL + ".1", NAME)],
    ),
    (dict(log_found="same"), OWN, [(PANEL, HELD)], [(PANEL, NAME)]),
    (dict(output="pipe", log_found="same"), None, [(PANEL, HELD), (OWN, NAME)], [(PANEL, NAME), (OWN, NAME)]),
    (dict(output="terminal"), None, [(OWN, NAME)], [(OWN, NAME)]),  # only its standard error went to a file
    (dict(output=None), None, [], [(PANEL, NAME)]),  # of an older release: only the user's right counts
]


@pytest.mark.parametrize("seen,proved,running,stopped", OUTSIDE)
def test_elsewhere(seen: t.Dict[str, t.Any], proved: t.Optional[str], running: t.Any, stopped: t.Any) -> None:
    seen = dict(dict(FILE, log=PANEL), **seen)
    assert _ways(seen, proved, True) == running
    assert _ways(seen, proved, False) == stopped


def _ways(seen: t.Dict[str, t.Any], proved: t.Optional[str], running: bool) -> t.List[t.Any]:
    return [way[:2] for way in output.choices(record(**seen), proved, DIR, running)]


@pytest.mark.parametrize("proved,expected", [(None, (OWN, NAME)), (PANEL, (PANEL, PROVED)), (OWN, (OWN, NAME))])
def test_one_that_was_never_seen(proved: t.Optional[str], expected: t.Any) -> None:
    assert [way[:2] for way in output.choices(None, proved, DIR, False)] == [expected]


SAID: t.List[t.Tuple[t.Dict[str, t.Any], t.Optional[str]]] = [
    (dict(FILE, log=OWN, log_found="same"), None),
    (dict(output="null"), "its output goes to /dev/null, as before"),
    (dict(output="socket"), "its output went to a socket before; it now goes to %s" % OWN),
    (dict(), "its output went to an unknown place before; it now goes to %s" % OWN),
    (
        dict(output="null", log=OWN, log_found="same"),
        "its standard output went to /dev/null before; it now goes to %s" % OWN,
    ),
    (dict(FILE, log=OWN, error_output="pipe"), "its standard error went to a pipe of its own; it now goes to %s" % OWN),
    (dict(FILE, log=OWN + ".1"), "its log was rotated to %s.1; it now writes to %s again" % (OWN, OWN)),
]


@pytest.mark.parametrize("seen,expected", SAID)
def test_what_differs_is_said(seen: t.Dict[str, t.Any], expected: t.Optional[str]) -> None:
    assert output.choices(record(**seen), None, DIR, True)[0].note == expected
