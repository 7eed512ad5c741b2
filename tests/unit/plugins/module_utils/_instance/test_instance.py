# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.names import name_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Way

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")
WEB, TENANT = 33, 65534
WAYS: t.List[t.Tuple[str, t.List[Way], int, int, t.Optional[str]]] = [
    ("root's", [Way("/", 0, False), Way("/www", 0, True)], 33, 0, None),
    (
        "the owner's of the directory",
        [Way("/home/deploy", 1000, False), Way("/home/deploy/now", 1000, True)],
        1000,
        0,
        None,
    ),
    ("a link of somebody else's", [Way("/", 0, False), Way("/www/now", 1000, True)], 33, 0, "/www/now"),
    ("a directory of somebody else's", [Way("/", 0, False), Way("/home/b", 65534, False)], 33, 0, "/home/b"),
    ("a user's, to a directory of root's", [Way("/home/deploy", 1000, False)], 0, 0, "/home/deploy"),
    ("this user's own", [Way("/home/me", 1000, True)], 33, 1000, None),
]


@pytest.mark.parametrize("what,ways,uid,me,path", WAYS, ids=[row[0] for row in WAYS])
def test_who_may_lead_to_a_directory(what: str, ways: t.List[Way], uid: int, me: int, path: t.Optional[str]) -> None:
    found = instance.misleading(ways, uid, me)
    assert (None if found is None else found.path) == path


@pytest.fixture
def releases(tmp_path: t.Any) -> t.Any:
    (tmp_path / "releases" / "2").mkdir(parents=True)
    (tmp_path / "data").symlink_to("releases")
    (tmp_path / "current").symlink_to("data/2")
    return tmp_path


def test_links_are_followed_to_the_real_path(releases: t.Any) -> None:
    real = os.path.realpath(str(releases / "releases" / "2"))
    for text in ("current", "data/2", "./data/../current/.", "releases//2/"):
        assert instance.real_directory(str(releases / text)) == real
    os.chdir(str(releases))
    assert instance.real_directory("current") == real


@pytest.mark.parametrize("text", ["missing", "missing/x", "file", "file/x", "loop", "dangling", "a\0b"])
def test_what_is_no_directory(text: str, releases: t.Any) -> None:
    (releases / "file").write_text("")
    (releases / "loop").symlink_to("loop")
    (releases / "dangling").symlink_to("nowhere")
    with pytest.raises(LifecycleError, match="does not exist or is not a directory"):
        instance.real_directory(str(releases / text))


@AS_ROOT
@pytest.mark.parametrize("link,below,directory,refused", [
    (0, 0, WEB, False), (WEB, 0, WEB, False), (TENANT, 0, WEB, True), (0, TENANT, WEB, True), (0, WEB, WEB, False),
    (WEB, 0, 0, True), (TENANT, TENANT, TENANT, False),
])  # fmt: skip
def test_the_owners_are_named(link: int, below: int, directory: int, refused: bool, releases: t.Any) -> None:
    os.lchown(str(releases / "current"), link, link)
    os.chown(str(releases / "releases"), below, below)
    os.chown(str(releases / "releases" / "2"), directory, directory)
    if not refused:
        assert instance.real_directory(str(releases / "current")).endswith("releases/2")
        return
    with pytest.raises(LifecycleError) as caught:
        instance.real_directory(str(releases / "current"))
    names = [name_of(uid) for uid in (link or below, directory)]
    assert all("belongs to %s" % name in caught.value.msg for name in names), caught.value.msg
