# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a start follows of what was seen: one table of who was seen how, and what is given."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.traits import Traits
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.launch import LaunchRecord, Proved
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import sighting

WEB = sighting.Account(33, 33, [33], "/var/www", "www-data")
NUMBER = sighting.Account(4000, 77, [], "/srv/shop", "4000", known=False)
OWN = sighting.Own("ours", {"": "/worker", "memory": "/"})


def record(**fields: t.Any) -> LaunchRecord:
    known: t.Dict[str, t.Any] = dict(
        argv=["/a/anqicms", "-port", "8002"],
        environment={"A": "1"},
        uid=33,
        gid=33,
        groups=[],
        umask=0o027,
        limits={},
        nice=-3,
        oom_score_adj=0,
        cgroups={},
        label=None,
        cwd="/a",
        log="/a/running.log",
        ignores_hup=True,
    )
    known.update(fields)
    return LaunchRecord(**known)


PLAIN = record(argv=["/a/anqicms"], environment={"PATH": "/bin"}, umask=0o022, nice=0, groups=[33])


def proved(**fields: t.Any) -> Proved:
    known: t.Dict[str, t.Any] = dict(
        uid=33,
        gid=33,
        groups=[33],
        log=None,
        label="proved",
        cgroups={"": "/proved"},
        pid=7,
        start_ticks=8,
        boot_id="b",
    )
    known.update(fields)
    return Proved(**known)


# What was seen, the last proved start, the account -> gid, groups, label, control group; and words of the notes.
GIVEN: t.List[t.Tuple[t.Dict[str, t.Any], t.Optional[Proved], sighting.Account, t.Any, t.List[str]]] = [
    (dict(), None, WEB, (33, [], None, {}), []),
    (dict(groups=[33]), None, WEB, (33, [33], None, {}), []),
    (dict(gid=42), None, WEB, (33, [33], None, {}), ["group 42"]),  # through a setgid program
    (dict(groups=[33, 4, 27]), None, WEB, (33, [33], None, {}), ["groups [33, 4, 27]"]),
    (dict(gid=42), proved(gid=42, groups=[42]), WEB, (33, [33], "proved", {"": "/proved"}), ["group 42"]),
    (dict(label="httpd"), None, WEB, (33, [], None, {}), ["security label httpd"]),
    (dict(label="ours"), None, WEB, (33, [], None, {}), []),
    (dict(label="proved"), proved(), WEB, (33, [], "proved", {"": "/proved"}), []),
    (dict(cgroups={"": "/system.slice/php-fpm.service"}), None, WEB, (33, [], None, {}), ["control group :/system"]),
    (dict(cgroups={"": "/worker", "memory": "/"}), None, WEB, (33, [], None, {}), []),
    (dict(cgroups={"": "/worker", "memory": "/unlimited"}), None, WEB, (33, [], None, {}), ["group memory:/unlimited"]),
    (dict(cgroups={"": "/user.slice/user-33.slice/session-4.scope"}), None, WEB, (33, [], None, {}), []),
    (dict(cgroups={"": "/elsewhere"}), proved(), WEB, (33, [], "proved", {"": "/proved"}), ["control group :/else"]),
    (dict(), proved(uid=34), WEB, (33, [], None, {}), []),  # of another user: nothing
    (dict(uid=4000, gid=77), None, NUMBER, (77, [], None, {}), []),
    (dict(uid=4000, gid=0), None, NUMBER, (77, [], None, {}), ["group 0"]),
    (dict(uid=4000, gid=5), proved(uid=4000, gid=5, groups=[6]), NUMBER, (5, [6], "proved", {"": "/proved"}), ["[6]"]),
]


@pytest.mark.parametrize("seen,proof,account,given,said", GIVEN)
def test_what_gives_rights_comes_from_elsewhere(
    seen: t.Dict[str, t.Any], proof: t.Optional[Proved], account: sighting.Account, given: t.Any, said: t.List[str]
) -> None:
    settled = sighting.settle(record(**seen), PLAIN, account, proof, OWN)
    found = settled.record
    assert (found.gid, found.groups, found.label, found.cgroups) == given
    assert [word in note for word, note in zip(said, settled.notes)] == [True] * len(said)
    assert len(settled.notes) == len(said), settled.notes
    assert (found.argv, found.environment, found.umask, found.nice) == (
        ["/a/anqicms", "-port", "8002"],
        {"A": "1"},
        0o027,
        -3,
    ), "what its user decides itself is followed"


def test_the_control_group_of_its_unit_is_followed() -> None:
    seen = record(cgroups={"": "/system.slice/shop.service"})
    settled = sighting.settle(seen, PLAIN, WEB, None, OWN, in_its_unit=True)
    assert (settled.record.cgroups, settled.notes) == (seen.cgroups, [])


def test_a_unit_that_ends_with_it_is_left() -> None:
    """Of the unit that it was seen in, and of that of a proved start; also as root."""
    group = {"": "/system.slice/shop.service", "memory": "/system.slice/shop.service"}
    seen = record(cgroups=group)
    for settled in (
        sighting.settle(seen, PLAIN, WEB, None, OWN, in_its_unit=True, ending="shop.service"),
        sighting.settle(seen, PLAIN, WEB, proved(cgroups=group, label=None), OWN, ending="shop.service"),
        sighting.as_seen(seen, "shop.service"),
    ):
        assert settled.record.cgroups == {}
        assert len(settled.notes) == 1 and "every process left in shop.service" in settled.notes[0], settled.notes
    kept = sighting.settle(seen, PLAIN, WEB, proved(), OWN, ending="shop.service")
    assert kept.record.cgroups == {"": "/proved"}


@pytest.mark.parametrize("uid", [0, 34])
def test_a_process_of_another_user_gives_nothing(uid: int) -> None:
    seen = record(uid=uid, cgroups={"": "/x"}, label="x", traits=Traits(no_new_privs=True))
    settled = sighting.settle(seen, PLAIN, WEB, None, OWN, in_its_unit=True)
    assert settled.record == PLAIN
    assert len(settled.notes) == 1
    assert "last ran as uid %d and starts as uid 33" % uid in settled.notes[0]
    assert "(arguments: -port 8002)" in settled.notes[0]


def test_one_that_was_never_seen() -> None:
    assert sighting.settle(None, PLAIN, WEB, None, OWN) == (PLAIN, [])
    settled = sighting.settle(None, PLAIN, WEB, proved(), OWN)
    assert (settled.record.label, settled.record.cgroups, settled.notes) == ("proved", {"": "/proved"}, [])


def test_what_no_process_can_be_given_is_named() -> None:
    seen = record(traits=Traits(scheduler=1, io_priority=1 << 13, lost=["a seccomp filter"]))
    for settled in (sighting.settle(seen, PLAIN, WEB, None, OWN), sighting.as_seen(seen)):
        text = "; ".join(settled.notes)
        for word in ("a seccomp filter", "SCHED_FIFO", "realtime class of ionice"):
            assert word in text
