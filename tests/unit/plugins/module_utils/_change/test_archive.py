# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
import io
import os
import stat
import struct
import typing as t
import zipfile

import elf_files
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import archive
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import elf

PROGRAM = elf_files.make()
RELEASE = {"anqicms": PROGRAM, "CHANGELOG.md": b"# CHANGELOG\n\n## v3.5.8\n", "locales/en/default.yml": b"a: b\n"}
Made = t.Union[bytes, t.Tuple[zipfile.ZipInfo, bytes]]


def entry(name: str, mode: int = 0, data: bytes = b"", **values: t.Any) -> t.Tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    for key, value in values.items():
        setattr(info, key, value)
    return info, data


def make(files: t.Optional[t.Mapping[str, bytes]] = None, *more: t.Tuple[zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in (RELEASE if files is None else files).items():
            made.writestr(name, data)
        for info, data in more:
            made.writestr(info, data)
    return out.getvalue()


def read(data: bytes, **options: t.Any) -> archive.Manifest:
    return archive.read(io.BytesIO(data), **options)


def without(name: str) -> t.Dict[str, bytes]:
    return {key: value for key, value in RELEASE.items() if key != name}


def corrupted() -> bytes:
    """One byte of the stored program is another one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name, data in RELEASE.items():
            made.writestr(name, data)
    changed = bytearray(out.getvalue())
    changed[changed.index(PROGRAM) + 70] ^= 1
    return bytes(changed)


def declares(size: int) -> bytes:
    """The directory says another size for a file than its data has."""
    data = bytearray(make(dict(RELEASE, big=b"x" * 1000)))
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"big"))
    data[at + 24 : at + 28] = struct.pack("<I", size)
    return bytes(data)


GOOD = make()
BAD = [
    ("empty", b"", "not a zip archive"),
    ("text", b"<html>404</html>" * 50, "not a zip archive"),
    ("tar", b"\x1f\x8b" + b"\0" * 500, "not a zip archive"),
    ("truncated", GOOD[:-30], "or is truncated"),
    ("half", GOOD[: len(GOOD) // 2], "or is truncated"),
    ("head cut off", GOOD[40:], "damaged"),
    ("damaged", corrupted(), "'anqicms' in it is damaged"),
    ("escape", make(None, entry("../evil")), "leads out of the directory"),
    ("deep escape", make(None, entry("template/../../evil")), "leads out of the directory"),
    ("absolute", make(None, entry("/etc/passwd")), "absolute path"),
    ("drive", make(None, entry("c:evil")), "absolute path"),
    ("backslash", make(None, entry("a\\..\\evil")), "backslash"),
    ("empty part", make(None, entry("a//b")), "empty part"),
    ("dot", make(None, entry("./b")), "empty part"),
    ("newline", make(None, entry("a\nb")), "cannot be shown"),
    ("bidi", make(None, entry("a\u202eb")), "cannot be shown"),
    ("long", make(None, entry("x" * 300)), "too long"),
    ("ours", make(None, entry(".lifecycle/new-1/x")), "taken by this collection"),
    ("link", make(None, entry("public/x", stat.S_IFLNK | 0o777, b"/etc")), "a symbolic link"),
    ("fifo", make(None, entry("public/x", stat.S_IFIFO | 0o644)), "no file"),
    ("device", make(None, entry("public/x", stat.S_IFCHR | 0o644)), "no file"),
    ("twice", make(None, entry("CHANGELOG.md", data=b"other")), "'CHANGELOG.md' twice"),
    ("file and directory", make(None, entry("a"), entry("a/b")), "'a' as a file and as a directory"),
    ("file and entry of a directory", make(None, entry("a"), entry("a/")), "'a' twice"),
    ("directory with content", make(None, entry("a/", data=b"x")), "a directory with content"),
    ("bzip2", make(None, entry("x", compress_type=zipfile.ZIP_BZIP2)), "method 12"),
    ("bomb", make(dict(RELEASE, zeros=b"\0" * (11 << 20))), "grows from"),
    ("larger than it says", declares(10), "in it is"),
    ("smaller than it says", declares(2000), "in it is"),
    ("nothing", make({}), "no anqicms in it"),
    ("no binary", make(without("anqicms")), "no anqicms in it"),
    ("windows", make(dict(without("anqicms"), **{"anqicms.exe": b"MZ"})), "for Windows"),
    ("in a directory", make({"release/" + name: data for name, data in RELEASE.items()}), "not at its top"),
    ("script", make(dict(RELEASE, anqicms=b"#!/bin/sh\n")), "cannot be executed"),
    ("empty binary", make(dict(RELEASE, anqicms=b"")), "cannot be executed"),
    ("arm", make(dict(RELEASE, anqicms=elf_files.make(machine=183))), "another processor architecture (ELF machine"),
]


@pytest.mark.parametrize("data,said", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_archives(data: bytes, said: str) -> None:
    with pytest.raises(archive.BadArchive) as caught:
        read(data, runnable={elf.X86_64, elf.I386})
    assert said in caught.value.msg and "Nothing was staged." in caught.value.msg


def test_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    with pytest.raises(archive.BadArchive, match="bytes together, more than 1000"):
        read(make(dict(RELEASE, big=os.urandom(2000))))
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    with pytest.raises(archive.BadArchive, match="3 entries, more than 2"):
        read(GOOD)


def test_encrypted() -> None:
    data = bytearray(GOOD)
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    with pytest.raises(archive.BadArchive, match="encrypted"):
        read(bytes(data))


def test_overlapping_entries() -> None:
    """Many names for the same bytes: the declared sizes are more than the archive has."""
    infos = [entry("f%d" % number)[0] for number in range(9)]
    for info in infos:
        info.compress_size = info.file_size = 100
    archive.judge(infos, 900)
    with pytest.raises(archive.BadArchive, match="overlap"):
        archive.judge(infos, 899)


def test_checksum() -> None:
    digest = hashlib.sha256(GOOD).hexdigest()
    for wanted in (digest, digest.upper(), " %s\n" % digest, None, ""):
        assert read(GOOD, sha256=wanted).sha256 == digest
    with pytest.raises(archive.BadArchive) as caught:
        read(GOOD, sha256="0" * 64)
    assert digest in caught.value.msg and "0" * 64 in caught.value.msg


def test_manifest() -> None:
    found = archive.manifest_of(io.BytesIO(make(None, entry("cache/", stat.S_IFDIR | 0o755))))
    assert found.files == sorted(
        archive.File(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in RELEASE.items()
    )
    assert found.directories == ["cache", "locales", "locales/en"]
    assert (found.changelog, found.machine) == ("3.5.8", elf.X86_64)
    assert found.size == sum(map(len, RELEASE.values()))
    assert archive.from_json(found.to_json()) == found


def test_another_architecture_is_no_fault_where_it_does_not_run() -> None:
    found = archive.manifest_of(io.BytesIO(make(dict(RELEASE, anqicms=elf_files.make(machine=183)))))
    assert found.machine == elf.AARCH64


@pytest.mark.parametrize("change", [
    {"files": None}, {"files": [["a"]]}, {"files": [["../a", 1, "0" * 64]]}, {"files": [["a", 1, "0"]]},
    {"files": [["a", "x", "0" * 64]]}, {"directories": ["/etc"]}, {"directories": None}, {"sha256": ""},
    {"machine": [1]}, {"machine": 7},
])  # fmt: skip
def test_a_manifest_from_elsewhere_is_checked(change: t.Dict[str, t.Any]) -> None:
    with pytest.raises(archive.BadArchive):
        archive.from_json(dict(read(GOOD).to_json(), **change))


def test_all_bytes_reach_the_sink() -> None:
    taken: t.Dict[str, bytes] = {}

    class Sink:
        def __init__(self, path: str) -> None:
            self.path = path
            taken[path] = b""

        def __enter__(self) -> t.Callable[[bytes], None]:
            return self.write

        def write(self, piece: bytes) -> None:
            taken[self.path] += piece

        def __exit__(self, *dummy: t.Any) -> None:
            pass

    big = os.urandom(1 << 20)
    read(make(dict(RELEASE, big=big)), sink=Sink)
    assert taken == dict(RELEASE, big=big)


@pytest.mark.parametrize("version,changelog,said", [
    ("3.5.8", "3.5.8", None), ("v3.5.8", "3.5.8", None), ("3.5.8", None, None), ("3.5.8", "nonsense", None),
    ("2.3.6", "2.2.5", None), ("3.1.9", "3.1.6", None), ("2.1.6", "2.1.1", None), ("3.5.4", "3.5.2", None),
    ("3.5.8", "3.5.5", None),
    ("3.5.8", "3.4.0", "of another line"), ("2.3.6", "2.2.4", "of another line"), ("3.5.8", "2.5.3", "of another line"),
    ("3.5.1", "3.5.2", "which is newer"), ("2.5.3", "3.5.8", "which is newer"), ("latest", "3.5.8", "no version"),
])  # fmt: skip
def test_version(version: str, changelog: t.Optional[str], said: t.Optional[str]) -> None:
    found = archive.why_not_version(version, changelog)
    assert found is None if said is None else said in str(found)


@given(st.text(max_size=30))
def test_no_accepted_path_leads_out(path: str) -> None:
    if archive.why_path_is_bad(path) is None:
        assert os.path.normpath(os.path.join("/base", path)) == "/base/" + path


@given(st.binary(max_size=40), st.integers(0, len(GOOD) - 1))
def test_whatever_is_changed_it_is_refused_or_whole(noise: bytes, at: int) -> None:
    try:
        found = read(GOOD[:at] + noise + GOOD[at + len(noise) :])
    except archive.BadArchive:
        return
    known = {(name, hashlib.sha256(data).hexdigest()) for name, data in RELEASE.items()}
    assert {one.sha256 for one in found.files} <= {digest for _name, digest in known}
