# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import units, users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance

ROWS: t.List[t.Tuple[str, t.Dict[str, t.Any], t.Set[int]]] = [
    ("the owner of the directory", dict(directory=33), {0, 33}),
    ("root's directory, and nothing else known", dict(directory=0), {0}),
    ("root's directory with files of a user", dict(directory=0, files={"config.json": 33, "data": 34}), {0, 33, 34}),
    ("a verified start", dict(directory=33, proved=1000), {0, 33, 1000}),
    ("its unit", dict(directory=0, unit=("shop.service", 70)), {0, 70}),
    ("the option", dict(directory=33, user=1000), {0, 33, 1000}),
]


@pytest.mark.parametrize("what,seen,uids", ROWS, ids=[row[0] for row in ROWS])
def test_users(what: str, seen: t.Dict[str, t.Any], uids: t.Set[int]) -> None:
    found = users.decide(seen.pop("directory"), seen.pop("files", {}), **seen)
    assert found.uids == uids and set(found.why) == uids and all(map(found.has, uids)) and not found.has(65534)


def test_messages_name_the_users_and_why() -> None:
    assert users.decide(0, {}).text() == "root alone"
    assert users.decide(0, {"data": 4242}, user=4243).text() == (
        "user id 4242 (owns data), user id 4243 (given as user)"
    )


@pytest.mark.parametrize("user,uid", [(None, None), ("", None), ("root", 0), ("0", 0), (33, 33), ("4242", 4242)])
def test_user_by_name_or_number(user: t.Any, uid: t.Optional[int]) -> None:
    assert users.uid_of(user) == uid


@pytest.mark.parametrize("user", ["no-such-user", "-1", "4294967295", "1 "])
def test_no_such_user(user: str) -> None:
    with pytest.raises(LifecycleError, match="There is no user"):
        users.uid_of(user)


UNIT = "/system.slice/shop.service"


@pytest.mark.parametrize("cgroups,unit", [
    ({"": UNIT}, "shop.service"),
    ({"name=systemd": UNIT, "": "/"}, "shop.service"),
    ({"": UNIT + "/made-by-itself.service"}, "shop.service"),
    ({"": "/system.slice/system-shop.slice/shop@1.service"}, "shop@1.service"),
    ({"": "/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service"}, None),
    ({"": "/user.slice/user-1000.slice/session-1.scope"}, None),
    ({"": "/"}, None),
    ({}, None),
])  # fmt: skip
def test_unit_of_control_groups(cgroups: t.Dict[str, str], unit: t.Optional[str]) -> None:
    assert units.system_unit(cgroups) == unit


@pytest.mark.parametrize("text,found", [
    ("ExecStart=/www/shop/anqicms -port 8001\nUser=www", ["/www/shop/anqicms"]),
    ("ExecStart=-/bin/sh -c 'cd /www/shop && exec ./anqicms'", ["/bin/sh", "/www/shop"]),
    ("WorkingDirectory=/www/shop\nExecStart=@/opt/a b", ["/opt/a", "/www/shop"]),
    ("ExecStart={ path=/www/shop/anqicms ; argv[]=/www/shop/anqicms ; }", ["/www/shop/anqicms"] * 2),
    ("ExecStart=/a/b \\\n /c", ["/a/b", "/c"]),
    ("# ExecStart=/www/shop/anqicms", []),
])  # fmt: skip
def test_paths_of_a_unit(text: str, found: t.List[str]) -> None:
    assert units.paths(units.parse(text)) == found


@pytest.mark.parametrize("text,uid", [
    ("[Service]\nExecStart={dir}/anqicms\nUser=4242\n", 4242),
    ("[Service]\nWorkingDirectory={dir}\nExecStart=/bin/true\n", 0),
    ("[Service]\nExecStart=/srv/other/anqicms\nUser=4242\n", None),  # his unit, not one of this instance
    ("[Service]\nExecStart={dir}/anqicms\nUser=no-such-user\n", None),
])  # fmt: skip
def test_user_of_a_unit(text: str, uid: t.Optional[int], tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "units"
    place.mkdir()
    (place / "shop.service").write_text(text.format(dir=tmp_path))
    monkeypatch.setattr(units, "UNIT_DIRS", (str(place),))
    monkeypatch.setattr(units, "SYSTEM_DIR", str(tmp_path / "none"))
    found = units.unit_and_uid(Instance(os.path.realpath(str(tmp_path)), "anqicms", "0-x"), {"": UNIT})
    assert found == (None if uid is None else ("shop.service", uid))


def test_what_is_added_to_a_unit_counts(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.service").write_text("[Service]\nExecStart=%s/anqicms\nUser=1\n" % tmp_path)
    (tmp_path / "shop.service.d").mkdir()
    (tmp_path / "shop.service.d" / "user.conf").write_text("[Service]\nUser=4242\n")
    monkeypatch.setattr(units, "UNIT_DIRS", (str(tmp_path),))
    monkeypatch.setattr(units, "SYSTEM_DIR", str(tmp_path / "none"))
    instance = Instance(os.path.realpath(str(tmp_path)), "anqicms", "0-x")
    assert units.unit_and_uid(instance, {"": UNIT}) == ("shop.service", 4242)
