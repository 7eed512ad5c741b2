# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the settings of a site are: in config.json up to 2.3.6, moved by 2.5.x, in the table afterwards.

The application rewrites config.json from what it knows, so that other keys get lost.
"""

from __future__ import annotations

import json
import os
from typing import Any

from standin.behaviours import Behaviour
from standin.config import Config, write
from standin.database import Database

_MYSQL = ("database", "user", "password", "host", "port")
_SERVER = ("site_name", "env", "port", "log_level", "token_secret")
_PLUGINS_2_3_6 = (
    "push",
    "sitemap",
    "rewrite",
    "anchor",
    "guestbook",
    "upload_file",
    "sendmail",
    "import_api",
    "storage",
)
_PLUGINS = _PLUGINS_2_3_6 + ("pay", "weapp", "wechat", "retailer", "user", "order")
_PARTS = ("system", "content", "index", "contact", "safe")
_OTHER_FILES = ("collector", "keyword")

Raw = dict[str, Any]


def complete_file(behaviour: Behaviour, config: Config, root: str) -> Config:
    """Up to 2.3.6: a start without a token of the import API makes one and writes the file, with all keys it knows."""
    if not (behaviour.settings_in_file and config.raw) or _token(config.raw.get("plugin_import_api")):
        return config
    raw = _server_part(config.raw)
    for name in (*_PARTS, *(f"plugin_{plugin}" for plugin in _PLUGINS_2_3_6)):
        raw[name] = config.raw.get(name) or ([] if name.endswith("upload_file") else {})
    raw["plugin_import_api"] = {**raw["plugin_import_api"], "token": _new_token()}
    _write_if_allowed(root, raw)
    return config._replace(raw=raw)


def transfer(database: Database, root: str, config: Config, port: int) -> None:
    """2.5.x: move the settings of config.json to the table if that is empty, and cut the file.

    All keys get a row, whether the file had them or not. `port` is the one in use, of `-port` if that was given.
    """
    if database.run("SELECT 1 FROM `settings` LIMIT 1"):
        return
    for name in _PARTS:
        _save(database, name, config.raw.get(name) or {})
    for name in _PLUGINS:
        _save(database, name, config.raw.get(f"plugin_{name}") or {})
    raw = _server_part(config.raw)
    raw["server"]["port"] = port
    _write_if_allowed(root, raw)
    for name in _OTHER_FILES:
        try:
            with open(os.path.join(root, f"{name}.json"), encoding="utf-8") as file:
                _save(database, name, json.load(file))
        except (OSError, ValueError):
            continue


def ensure_token(database: Database) -> None:
    """2.5.0 and later: the import API of each site has a token from its first start on."""
    rows = database.run("SELECT `value` FROM `settings` WHERE `key` = 'import_api'")
    value = json.loads(rows[0][0]) if rows else {}
    if not _token(value):
        _save(database, "import_api", {**value, "token": _new_token()})


def _server_part(raw: Raw) -> Raw:
    """The keys of both blocks that the version knows, and only these."""
    mysql, server = raw.get("mysql") or {}, raw.get("server") or {}
    return {
        "mysql": {name: mysql[name] for name in _MYSQL if name in mysql},
        "server": {name: server[name] for name in _SERVER if name in server},
    }


def _token(value: Any) -> str:
    return str(value.get("token") or "") if isinstance(value, dict) else ""


def _new_token() -> str:
    return os.urandom(16).hex()


def _save(database: Database, name: str, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    database.run("REPLACE INTO `settings` (`key`,`value`) VALUES (%s,%s)", (name, text))


def _write_if_allowed(root: str, raw: Raw) -> None:
    """In place; where it may not, it says nothing and goes on."""
    try:
        write(root, raw)
    except OSError:
        pass
