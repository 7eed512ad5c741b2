# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import executed_file as files
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.executed_file import (
    OWN,
    RECORDED,
    RENAMED,
    REPLACED,
    SHARED,
    Sight,
    Target,
)

OURS, OTHER, HERE, AWAY = (8, 100), (8, 200), (8, 7), (8, 9)
SITE = Target("/www/shop", "anqicms", OURS, HERE, "/www/shop/anqicms")
LINKED = Target("/www/shop", "anqicms", OURS, HERE, "/opt/app/anqicms")
GONE = SITE._replace(file=None)
PATH = "/www/shop/anqicms"


def sight(file: t.Optional[files.FileId] = OURS, text: str = PATH, **more: t.Any) -> Sight:
    seen: t.Dict[str, t.Any] = dict(dict(same_mounts=True, uid=33, argv=[PATH], cwd=HERE), **more)
    return Sight(file, text, **seen)


NAMELESS: t.Dict[str, t.Any] = dict(argv=["python"], cwd=AWAY)
ELSEWHERE: t.Dict[str, t.Any] = dict(NAMELESS, same_mounts=False)

MATCHES = [
    ("its file by its path", SITE, sight(), OWN),
    ("whatever its arguments and directory", SITE, sight(**NAMELESS), OWN),
    ("in mounts of its own (PrivateTmp)", SITE, sight(**ELSEWHERE), OWN),
    ("another file under its path, by a bind mount of a stranger", SITE, sight(OTHER, **ELSEWHERE), None),
    ("another file under its path in other mounts, called so", SITE, sight(OTHER, same_mounts=False), None),
    ("its file by another path, a bind mount or hard link", SITE, sight(text="/x/anqicms", **NAMELESS), None),
    ("the same, in its directory", SITE, sight(text="/x/anqicms", argv=["/x/anqicms"]), SHARED),
    ("the same, called by its path", SITE, sight(text="/x/anqicms", cwd=AWAY), SHARED),
    ("a shared file behind its link", LINKED, sight(text="/opt/app/anqicms"), SHARED),
    ("a shared file behind the link of another", LINKED, sight(text="/opt/app/anqicms", **NAMELESS), None),
    ("a shared file, by its name in the directory", LINKED, sight(text="/opt/app/anqicms", argv=["./anqicms"]), SHARED),
    (
        "root in the directory with the program behind the link",
        LINKED,
        sight(text="/opt/app/anqicms", uid=0, argv=["-bash"]),
        None,
    ),
    ("root, by the link", LINKED, sight(text="/opt/app/anqicms", uid=0), SHARED),
    ("root, by its name in the directory", LINKED, sight(text="/opt/app/anqicms", uid=0, argv=["anqicms"]), SHARED),
    (
        "root's shell, of which the web user made a hard link",
        SITE,
        sight(text="/usr/bin/bash", uid=0, argv=["bash"]),
        None,
    ),
    ("deleted", GONE, sight(OTHER, PATH + " (deleted)", **NAMELESS), REPLACED),
    ("replaced", SITE, sight(OTHER, PATH + " (deleted)", **NAMELESS), REPLACED),
    (
        "replaced, in mounts of its own and not recorded",
        SITE,
        sight(OTHER, PATH + " (deleted)", same_mounts=False),
        None,
    ),
    (
        "replaced, in mounts of its own and recorded",
        SITE,
        sight(OTHER, PATH + " (deleted)", same_mounts=False, recorded=True),
        RECORDED,
    ),
    ("kept as .old by an upgrade", SITE, sight(OTHER, PATH + ".old", **NAMELESS), REPLACED),
    ("renamed to .bak, called by its path", SITE, sight(OTHER, PATH + ".bak", cwd=AWAY), RENAMED),
    ("renamed to .bak, called by its name", SITE, sight(OTHER, PATH + ".bak", argv=["./anqicms"]), RENAMED),
    ("renamed to .bak, recorded", SITE, sight(OTHER, PATH + ".bak", recorded=True, **NAMELESS), RECORDED),
    ("another program in the directory", SITE, sight(OTHER, "/www/shop/helper", argv=["./helper"]), None),
    ("moved away", GONE, sight(OTHER, "/backup/anqicms", cwd=AWAY), RENAMED),
    ("removed on NFS", SITE, sight(OTHER, "/www/shop/.nfs0000000012", argv=["./anqicms"]), RENAMED),
    ("a release link was switched", LINKED, sight(OTHER, "/opt/app-1/anqicms"), RENAMED),
    ("a release link was switched, started elsewhere", LINKED, sight(OTHER, "/opt/app-1/anqicms", **NAMELESS), None),
    ("the shared file was replaced", LINKED, sight(OTHER, "/opt/app/anqicms (deleted)", argv=["x"]), REPLACED),
    (
        "the shared file was replaced under another instance",
        LINKED,
        sight(OTHER, "/opt/app/anqicms (deleted)", **NAMELESS),
        None,
    ),
    ("an instance elsewhere", SITE, sight(OTHER, "/www/other/anqicms", argv=["./anqicms"], cwd=AWAY), None),
    ("its file cannot be looked at", SITE, sight(None, "/mnt/fuse/app", **NAMELESS), None),
    ("nothing is known of either file", GONE, sight(None, "/mnt/fuse/app", **NAMELESS), None),
]


@pytest.mark.parametrize("what,target,seen,how", MATCHES, ids=[row[0] for row in MATCHES])
def test_how_a_process_is_the_instances(what: str, target: Target, seen: Sight, how: t.Optional[str]) -> None:
    assert files.match(target, seen) == how
    assert how in (None, RECORDED) or files.may_be(target, seen.file, seen.text), "it would never have been looked at"


@pytest.mark.parametrize("text,worth", [
    ("/usr/bin/bash", False), ("/www/shopping/python", False), ("/usr/bin/bash (deleted)", True),
    ("/www/shop/anything", True), ("/x/anqicms.bak", True), ("/nfs/.nfs001", True), ("", False),
])  # fmt: skip
def test_few_processes_are_worth_a_closer_look(text: str, worth: bool) -> None:
    assert files.may_be(SITE, OTHER, text) is worth
