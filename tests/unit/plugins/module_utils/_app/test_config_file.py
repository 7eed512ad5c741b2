# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json as the application takes it, and every way in which it can be wrong."""

import json
import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.config_file import (
    ConfigFile,
    interpret,
    load_json,
    read_config,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir

GOOD = {
    "mysql": {"database": "shop", "user": "u", "password": "secret", "host": "localhost", "port": 3306},
    "server": {"env": "production", "port": 8002, "log_level": "error", "token_secret": "abc"},
}


def made(**changes: t.Any) -> bytes:
    return json.dumps(dict(GOOD, **changes)).encode()


def test_good_file_without_its_password() -> None:
    found = interpret(made())
    assert (found.state, found.message, found.port, found.port_error) == ("ok", None, 8002, None)
    assert found.database == {"database": "shop", "user": "u", "host": "localhost", "port": 3306}
    assert found.token_secret_empty is False and found.raw_keys == ["mysql", "server"]
    assert "secret" not in str(found.database)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"server": {"port": 80', b"[]", b"7", b'{"a": NaN}', b"{'a': 1}", b"\xef\xbb\xbf{}", b"[" * 100000,
     made(server=7), made(mysql={"user": 5}), made(mysql={"port": "3306"}), made(mysql={"use_default": 1}),
     made(server={"port": 80, "token_secret": 4})],
)  # fmt: skip
def test_invalid(data: bytes) -> None:
    found = interpret(data)
    assert found.state == "invalid" and found.message


@pytest.mark.parametrize("value", ["8002", 0, -1, 65536, 80.5, True, [], {}, None])
def test_port_that_cannot_be_used(value: t.Any) -> None:
    found = interpret(made(server={"port": value}))
    assert found.port is None and found.port_error and "server.port" in found.port_error


@pytest.mark.parametrize("value", [1, 8001, 65535])
def test_port(value: int) -> None:
    found = interpret(made(server={"port": value}))
    assert (found.port, found.port_error) == (value, None)


@pytest.mark.parametrize(
    ("server", "empty"), [({"token_secret": "x"}, False), ({"token_secret": ""}, True), ({}, True)]
)
def test_token_secret(server: t.Any, empty: bool) -> None:
    assert interpret(made(server=server)).token_secret_empty is empty


def test_old_files_name_their_site() -> None:
    found = interpret(made(system={"base_url": "https://shop.example", "admin_url": "https://admin.example"}))
    assert (found.base_url, found.admin_url) == ("https://shop.example", "https://admin.example")
    assert interpret(made(system=[1])).base_url is None


def test_load_json_keeps_text_of_another_encoding() -> None:
    assert load_json(b'{"a": "\xff"}') == {"a": "\ufffd"}


@pytest.fixture
def site(tmp_path: t.Any) -> t.Iterator[InstallDir]:
    with InstallDir(os.path.realpath(str(tmp_path))) as directory:
        yield directory


def read(site: InstallDir) -> ConfigFile:
    return read_config(site, site.owners())


def test_read_from_disk(site: InstallDir) -> None:
    assert read(site).state == "missing"
    with open(site.shown("config.json"), "wb") as stream:
        stream.write(made())
    os.chmod(site.shown("config.json"), 0o640)
    found = read(site)
    assert (found.state, found.port, found.mode, found.uid) == ("ok", 8002, 0o640, os.geteuid())


def test_unsafe_is_not_missing(site: InstallDir) -> None:
    os.symlink("/etc/hostname", site.shown("config.json"))
    assert read(site).state == "unsafe"
    os.unlink(site.shown("config.json"))
    os.mkfifo(site.shown("config.json"))
    assert read(site).state == "unsafe"


def test_huge_is_unsafe(site: InstallDir) -> None:
    with open(site.shown("config.json"), "wb") as stream:
        stream.truncate(1 << 40)
    assert read(site).state == "unsafe"


class Denied(InstallDir):
    """As a user who may not read the file; a second user does it for real in the integration tests."""

    def read(self, relative: str, owners: t.Any, limit: int = 0) -> bytes:
        raise PermissionError(13, "Permission denied")


def test_unreadable_is_not_missing(tmp_path: t.Any) -> None:
    (tmp_path / "config.json").write_bytes(made())
    with Denied(os.path.realpath(str(tmp_path))) as directory:
        found = read(directory)
    assert found.state == "unreadable" and found.uid == os.geteuid() and "denied" in (found.message or "")
