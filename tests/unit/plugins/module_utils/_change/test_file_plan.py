# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import file_plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.archive import File, Manifest
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.file_plan import (
    DIRECTORY,
    FILE,
    Owned,
    Rename,
    Seen,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

WWW, STRANGER = 33, 1234
TOP = Owned(WWW, WWW, 0o755)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def release(**contents: str) -> t.List[File]:
    """Paths as keywords, with two underscores for the slash."""
    return [File(path.replace("__", "/"), len(text), digest(text)) for path, text in sorted(contents.items())]


def there(contents: t.Mapping[str, t.Union[str, Seen]]) -> t.Dict[str, Seen]:
    """What stands in the install directory: text for a file, with the directories above it."""
    found: t.Dict[str, Seen] = {}
    for path, what in contents.items():
        for up in file_plan.parents(path):
            found.setdefault(up, Seen(DIRECTORY, WWW, WWW, 0o755))
        found[path] = what if isinstance(what, Seen) else Seen(FILE, WWW, WWW, 0o644, len(what), digest(what))
    return found


def make(
    new: t.Sequence[File],
    now: t.Mapping[str, t.Union[str, Seen]],
    version: str = "3.5.8",
    old: t.Optional[t.Mapping[str, str]] = None,
    empty: t.Sequence[str] = (),
) -> file_plan.FilePlan:
    directories = sorted({up for file in new for up in file_plan.parents(file.path)} | set(empty))
    proof = {path: [digest(text)] for path, text in old.items()} if old is not None else None
    return file_plan.make(version, new, directories, there(now), TOP, "anqicms", {0, WWW}, proof)


def renames(plan: file_plan.FilePlan) -> t.List[str]:
    return ["%s %s" % ("out" if one.out else "in", one.path) for one in plan.renames]


@pytest.mark.parametrize("new,now,old,expected", [
    (dict(a="1"), {}, None, ["in a"]),
    (dict(a="1"), {"a": "1"}, None, []),
    (dict(a="2"), {"a": "1"}, None, ["out a", "in a"]),
    (dict(lib__a="2"), {"lib/b": "1"}, None, ["in lib/a"]),
    # a directory that is not there goes in as a whole
    (dict(lib__a="2", lib__sub__b="1"), {}, None, ["in lib"]),
    (dict(lib__sub__b="1", lib__sub__deep__c="1"), {"lib/x": "1"}, None, ["in lib/sub"]),
    # the default template counts as edited, until it is proved not to be
    (dict(template__default__a="2"), {"template/default/a": "1"}, None, []),
    (dict(template__default__a="2"), {"template/default/a": "1"}, {}, []),
    (dict(template__default__a="2"), {"template/default/a": "1"}, {"template/default/a": "0"}, []),
    (dict(template__default__a="2"), {"template/default/a": "1"}, {"template/default/a": "1"},
     ["out template/default/a", "in template/default/a"]),
    (dict(template__default__a="2"), {"template/default/b": "1"}, None, ["in template/default/a"]),
    (dict(public__a_xsl="2"), {"public/a_xsl": "1"}, None, []),
    (dict(public__a_xsl="2"), {"public/a_xsl": "1"}, {"public/a_xsl": "1"}, ["out public/a_xsl", "in public/a_xsl"]),
    # directories of the release
    (dict(locales__en="2"), {}, None, ["in locales"]),
    (dict(locales__en="1"), {"locales/en": "1"}, None, []),
    (dict(locales__en="2"), {"locales/en": "1"}, None, ["out locales", "in locales"]),
    (dict(locales__en="1", locales__zh="1"), {"locales/en": "1"}, None, ["out locales", "in locales"]),
    (dict(locales__en="1"), {"locales/en": "1", "locales/own": "1"}, None, []),
    (dict(a="1"), {"a": "1", "locales/en": "1", "language/en": "1"}, None, []),
    # the pages of the administration that the binary has itself
    (dict(a="1"), {"a": "1", "system/index.html": "1"}, None, ["out system"]),
    (dict(a="1"), {"a": "1", "system": Seen(DIRECTORY, WWW, WWW, 0o755)}, None, ["out system"]),
    # nothing is started in the middle
    (dict(a="2", anqicms="2", z="2"), {"a": "1", "anqicms": "1", "z": "1"}, None,
     ["out anqicms", "out a", "in a", "out z", "in z", "in anqicms"]),
])  # fmt: skip
def test_renames(
    new: t.Dict[str, str], now: t.Dict[str, t.Any], old: t.Optional[t.Dict[str, str]], expected: t.List[str]
) -> None:
    assert renames(make(release(**new), now, old=old)) == expected


def test_the_administration_pages_of_older_versions_are_of_the_release() -> None:
    now = {"system/index.html": "1"}
    assert renames(make(release(a="1"), dict(now, a="1"), "3.4.4")) == []
    assert renames(make(release(system__x="2"), now, "3.4.4")) == ["out system", "in system"]


def test_what_is_said_of_the_files() -> None:
    new = release(added="1", replaced="2", same="1", template__default__own="2", locales__en="2", locales__new="1")
    now = {"replaced": "1", "same": "1", "template/default/own": "1", "locales/en": "1", "locales/mine": "1"}
    plan = make(new, now)
    assert plan.added == ["locales/new", "added"]
    assert plan.replaced == ["locales/en", "replaced"]
    assert plan.kept == ["template/default/own"]
    assert plan.removed == ["locales/mine"]
    assert plan.counts == dict(added=2, replaced=2, kept=1, removed=1, same=1)


def test_the_plan_says_which_files_stay_and_why() -> None:
    new = release(template__default__a="3", template__default__b="3")
    plan = make(new, {"template/default/a": "1", "template/default/b": "edited"}, old={"template/default/a": "1"})
    text = file_plan.why_kept(plan)
    assert "(no release that is known has them as they are here): template/default/b. " in text
    assert "template/default/a" not in text and "anqicms_releases" in text
    assert file_plan.why_kept(make(new, {"template/default/a": "3"})) == ""
    many = make(
        release(**{"template__%03d" % number: "2" for number in range(50)}),
        {"template/%03d" % number: "1" for number in range(50)},
    )
    assert "template/039 and 10 more. " in file_plan.why_kept(many)


def manifest(**contents: str) -> Manifest:
    return Manifest(digest("zip"), release(**contents), [], None, None)


def test_what_is_known_of_releases() -> None:
    """Only of files that people edit, and that the new release has and would replace."""
    one = manifest(template__a="1", template__b="1", template__gone="1", README="1")
    two = manifest(template__a="2", template__b="3", start_sh="1")
    new = manifest(template__a="3", template__b="3")
    assert file_plan.known_in([one, two, new], new) == {
        "template/a": [digest("1"), digest("2")],
        "template/b": [digest("1")],
    }
    assert sorted(file_plan.known_in([one])) == ["template/a", "template/b", "template/gone"]
    known = file_plan.joined([{"a": ["1"]}, {"a": ["1", "2"], "b": ["3"]}])
    assert known == {"a": ["1", "2"], "b": ["3"]}
    assert file_plan.covers(known, {"a": ["2"]}) and file_plan.covers(known, {})
    assert not file_plan.covers(known, {"a": ["3"]}) and not file_plan.covers(known, {"c": ["1"]})


@pytest.mark.parametrize("given", [{"a": "x" * 64}, {"a": ["0"]}, {"a": [None]}, {"a": {}}, {"a": ["F" * 64]}])
def test_what_is_no_knowledge_is_refused(given: t.Dict[str, t.Any]) -> None:
    with pytest.raises(LifecycleError, match="known_files has no list of SHA-256 for a"):
        file_plan.known_of(given)
    assert file_plan.known_of({"a": [digest("1")]}) == {"a": [digest("1")]}


def test_an_empty_directory_is_made() -> None:
    plan = make(release(a="1"), {"a": "1"}, empty=["cache", "doc/deep"])
    assert renames(plan) == ["in cache"]  # doc is the release's as a whole, and has no file in it
    assert plan.owned == {"cache": Owned(WWW, WWW, 0o755)}


@pytest.mark.parametrize("path", [
    "config.json", "data/x", "data", "public/uploads/x", "cache/pc/x", "running.log", "check.log", "collector.json",
])  # fmt: skip
def test_never_touched(path: str) -> None:
    manifest = Manifest("0" * 64, [File(path, 1, digest("1")), File("anqicms", 1, digest("2"))], [], None, None)
    files, directories, ignored = file_plan.staged_files(manifest, "shop")
    assert ([file.path for file in files], directories, ignored) == (["shop"], [], [path])


@pytest.mark.parametrize("path", ["database.txt", "public/x", "template/x.log", "config.json.sample", "datax/a"])
def test_of_the_release(path: str) -> None:
    assert not file_plan.is_never_touched(path)


def test_a_file_that_has_the_name_of_the_binary() -> None:
    manifest = Manifest("0" * 64, [File("shop", 1, digest("1")), File("anqicms", 1, digest("2"))], [], None, None)
    with pytest.raises(LifecycleError, match="a file shop, which is the name"):
        file_plan.staged_files(manifest, "shop")


# --- owners and modes


@pytest.mark.parametrize("path,now,expected", [
    ("a", None, (WWW, WWW, 0o644)),
    ("anqicms", None, (WWW, WWW, 0o755)),
    ("start.sh", None, (WWW, WWW, 0o755)),
    ("source/cwebp_linux_amd64", None, (WWW, WWW, 0o755)),
    ("a", Seen(FILE, 0, 7, 0o640), (0, 7, 0o640)),
    ("a", Seen(FILE, WWW, 7, 0o666), (WWW, 7, 0o664)),
    ("a", Seen(FILE, STRANGER, STRANGER, 0o600), (WWW, WWW, 0o600)),
    ("anqicms", Seen(FILE, WWW, WWW, 0o777), (WWW, WWW, 0o775)),
    ("anqicms", Seen(FILE, WWW, WWW, 0o700), (WWW, WWW, 0o700)),
    ("anqicms", Seen(FILE, WWW, WWW, 0o644), (WWW, WWW, 0o755)),
    ("anqicms", Seen(FILE, WWW, WWW, 0o4755), (WWW, WWW, 0o755)),
])  # fmt: skip
def test_owner_and_mode(path: str, now: t.Optional[Seen], expected: t.Tuple[int, int, int]) -> None:
    there_now: t.Dict[str, t.Union[str, Seen]] = {path: now} if now else {}
    plan = make([File(path, 1, digest("2"))], there_now)
    assert plan.owned[path] == Owned(*expected)


def test_what_is_new_in_a_directory_belongs_to_its_owner() -> None:
    now: t.Dict[str, t.Union[str, Seen]] = {
        "lib": Seen(DIRECTORY, 0, 5, 0o750),
        "lib/x": "1",
        "odd": Seen(DIRECTORY, STRANGER, STRANGER, 0o777),
    }
    plan = make(release(lib__a="1", lib__sub__b="1", odd__c="1"), now)
    assert plan.owned["lib/a"] == Owned(0, 5, 0o644)
    assert plan.owned["lib/sub"] == Owned(0, 5, 0o755) and plan.owned["lib/sub/b"] == Owned(0, 5, 0o644)
    assert plan.owned["odd/c"] == Owned(WWW, WWW, 0o644)


def test_a_whole_directory_keeps_its_mode() -> None:
    now = {"locales": Seen(DIRECTORY, WWW, 9, 0o2750), "locales/en": Seen(FILE, WWW, 9, 0o640, 1, digest("1"))}
    plan = make(release(locales__en="2", locales__zh="2"), now)
    assert plan.owned == {
        "locales": Owned(WWW, 9, 0o2750),
        "locales/en": Owned(WWW, 9, 0o640),
        "locales/zh": Owned(WWW, 9, 0o644),
    }


# --- refusals

LINK = Seen("a symbolic link", WWW, WWW, 0o777)


@pytest.mark.parametrize("new,now,said", [
    (dict(a="1"), {"a": LINK}, "a (a symbolic link)"),
    (dict(template__default__a="1"), {"template": LINK}, "template (a symbolic link)"),
    (dict(template__default__a="1"), {"template/default": LINK}, "template/default (a symbolic link)"),
    (dict(template__default__a="1"), {"template/default/a": LINK}, "template/default/a (a symbolic link)"),
    (dict(locales__en="1"), {"locales": LINK}, "locales (a symbolic link)"),
    (dict(locales__en="1"), {"locales/en": LINK}, "locales/en (a symbolic link)"),
    (dict(a="1"), {"system": LINK}, "system (a symbolic link)"),
    (dict(a="1"), {"a/b": "1"}, "a (directory)"),
    (dict(a__b="1"), {"a": "1"}, "a (a file, not a directory)"),
    (dict(locales__en="1"), {"locales": "1"}, "locales (a file, not a directory)"),
    (dict(a="1"), {"a": Seen("a FIFO", WWW, WWW, 0o644)}, "a (a FIFO)"),
])  # fmt: skip
def test_refused(new: t.Dict[str, str], now: t.Dict[str, t.Any], said: str) -> None:
    with pytest.raises(LifecycleError) as caught:
        make(release(**new), now)
    assert said in caught.value.msg and "Nothing was changed." in caught.value.msg


def test_a_link_where_the_release_writes_nothing_is_no_fault() -> None:
    assert renames(make(release(public__a="1"), {"public/a": "1", "public/uploads": LINK, "data": LINK})) == []


def test_many_refusals_are_counted() -> None:
    with pytest.raises(LifecycleError, match=r"f4 \(a symbolic link\) and 3 more"):
        make(release(**{"f%d" % n: "1" for n in range(8)}), {"f%d" % n: LINK for n in range(8)})


@pytest.mark.parametrize("mounts,refused", [
    ([], False), (["public/uploads"], False), (["data"], False), (["lib"], True), (["lib/a"], True),
    (["locales/en"], True), (["locales"], True), (["li"], False), (["template"], False),
])  # fmt: skip
def test_mounts(mounts: t.List[str], refused: bool) -> None:
    plan = make(
        release(lib__a="2", locales__en__x="2", template__a="2"),
        {"lib/a": "1", "locales/en/x": "1", "template/a": "1", "public/uploads/x": "1", "data/x": "1"},
    )
    if refused:
        with pytest.raises(LifecycleError, match="another file system is mounted there"):
            file_plan.refuse_mounts(plan.renames, mounts, "3.5.8")
    else:
        file_plan.refuse_mounts(plan.renames, mounts, "3.5.8")


def test_mounts_below() -> None:
    text = (
        "36 35 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "37 36 8:2 / /www/shop/public/uploads rw shared:1 - ext4 /dev/sdb rw\n"
        "38 36 8:2 / /www/shop/with\\040blank\\134x rw - ext4 /dev/sdb rw\n"
        "39 36 8:2 / /www/shop2 rw - ext4 /dev/sdb rw\n"
        "40 36 8:2 / /www/shop rw - ext4 /dev/sdb rw\n\nodd\n"
    )
    assert file_plan.mounts_below(text, "/www/shop") == ["public/uploads", "with blank\\x"]
    assert file_plan.mounts_below(text, "/") == [
        "www/shop",
        "www/shop/public/uploads",
        "www/shop/with blank\\x",
        "www/shop2",
    ]


@pytest.mark.parametrize("version,path,refused", [
    ("3.3.11", "locales/en.yml", False), ("3.3.11", "language/en.yml", True), ("3.3.8", "language/en.yml", False),
    ("3.5.8", "a", False), ("3.4.0", "locales", True),
])  # fmt: skip
def test_locales(version: str, path: str, refused: bool) -> None:
    files = [File(path, 1, digest("1"))]
    if refused:
        with pytest.raises(LifecycleError, match="no locales/"):
            file_plan.refuse_missing_parts(version, files)
    else:
        file_plan.refuse_missing_parts(version, files)


def test_diff() -> None:
    new = release(a="1", b="2")
    now = there({"b": "1"})
    found = file_plan.diff(make(new, {"b": "1"}), new, now)
    assert found == dict(
        before="b  %s\n" % digest("1")[:12], after="a  %s\nb  %s\n" % (digest("1")[:12], digest("2")[:12])
    )


def test_order_of_a_rename_list_is_that_of_paths() -> None:
    plan = make(release(b="2", a="2"), {"a": "1", "b": "1"})
    assert plan.renames == [Rename(True, "a"), Rename(False, "a"), Rename(True, "b"), Rename(False, "b")]


@pytest.mark.parametrize(
    "new,now,expected",
    [
        (dict(a="1", lib__b="2"), {}, {"a": "1", "lib/b": "2"}),
        (dict(a="2"), {"a": "1", "own": "mine"}, {"a": "2", "own": "mine"}),
        # what is kept and what is the same stay as they are
        (
            dict(template__default__a="2", same="x"),
            {"template/default/a": "1", "same": "x"},
            {"template/default/a": "1", "same": "x"},
        ),
        # a directory of the release goes as a whole, with what was in it
        (dict(locales__en="2"), {"locales/en": "1", "locales/own": "1"}, {"locales/en": "2"}),
        (dict(a="1"), {"system/index.html": "1"}, {"a": "1"}),
    ],
)
def test_what_stands_there_after_a_plan(
    new: t.Dict[str, str], now: t.Dict[str, t.Union[str, Seen]], expected: t.Dict[str, t.Union[str, Seen]]
) -> None:
    files = release(**new)
    found = file_plan.after(there(now), make(files, now), files)
    assert found == there(expected)
    # planned again on top of it, the same release has nothing left to do
    directories = sorted({up for file in files for up in file_plan.parents(file.path)})
    assert file_plan.make("3.5.8", files, directories, found, TOP, "anqicms", {0, WWW}).renames == []


def test_owners_and_modes_after_a_plan() -> None:
    files = release(anqicms="2", start_sh="1", new__a="1")
    found = file_plan.after({}, make(files, {}), files)
    assert (found["anqicms"].mode, found["new/a"].mode, found["new"].kind) == (0o755, 0o644, DIRECTORY)
    assert {(one.uid, one.gid) for one in found.values()} == {(WWW, WWW)}
