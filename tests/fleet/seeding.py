# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Content for an instance before an upgrade: rows, settings, statistics, files of its owner; and what is left of it."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any, Mapping, NamedTuple

from instance import Instance
from mariadb import MariaDB
from releases import real_releases
from websites import Sites

DAY = 86400
PASSWORDS = {"admin": "$2a$10$" + "a" * 53, "editor": "$2a$10$" + "e" * 53}
TEMPLATE = "shop"
# Of one site, by the keys of the table. In config.json all but the first five have `plugin_` before them.
SETTINGS: dict[str, Any] = {
    "system": {
        "site_name": "安企商店",
        "base_url": "http://shop.example",
        "template_name": TEMPLATE,
        "language": "zh",
        "admin_uri": "/manage",
        "site_close": 0,
    },
    "content": {"remote_download": 1, "thumb_width": 250},
    "index": {"seo_title": "Shop", "seo_keywords": "shop,tea", "seo_description": "茶叶"},
    "contact": {"user_name": "Owner", "cellphone": "000", "email": "owner@shop.example"},
    "safe": {"captcha": 1},
    "push": {"baidu_api": "http://push.example"},
    "sitemap": {"auto_build": 1, "type": "xml"},
    "rewrite": {"mode": 1},
    "anchor": {"anchor_density": 100},
    "guestbook": {"return_message": "thanks"},
    "upload_file": [{"file_name": "proof.txt", "link": "http://shop.example/proof.txt"}],
    "sendmail": {"server": "mail.example"},
    "import_api": {"token": "0f" * 16},
    "storage": {"storage_type": "local"},
}
_IN_FILE = ("system", "content", "index", "contact", "safe")
_OWN_FILES: dict[str, str] = {
    f"template/{TEMPLATE}/config.json": '{"name":"Shop"}',
    f"template/{TEMPLATE}/index/index.html": "<h1>{{system.SiteName}} 自有模板</h1>",
    "template/default/index/index.html": "<!-- edited by its owner -->",
    "template/default/own.html": "<p>own</p>",
    f"public/static/{TEMPLATE}/style.css": "body{color:#333}",
    "public/robots.txt": "User-agent: *\n",
    "public/favicon.ico": "icon",
    "public/proof.txt": "proof",
    "data/cert/shop.pem": "certificate",
    "cache/.history/shop/index.html.1": "edited yesterday",
    "own-start.sh": "#!/bin/sh\n",
}


class Amounts(NamedTuple):
    """Rows. Drafts, deleted and flagged articles are among `articles`; half of the flagged ones are drafts."""

    articles: int = 20000
    drafts: int = 2000
    deleted: int = 5
    flagged: int = 800
    statistics: int = 5000
    comments: int = 1000
    attachments: int = 2000
    tags: int = 500
    body_bytes: int = 3000
    uploads: int = 20


LARGE = Amounts()
SMALL = Amounts(100, 10, 5, 8, 50, 30, 20, 10, 300, 5)


class Seeded(NamedTuple):
    """`files` are those of its owner, with their SHA-256, by the path in the root of the site."""

    amounts: Amounts
    settings: dict[str, Any]
    files: dict[str, str]


def seed(
    instance: Instance,
    db: MariaDB,
    amounts: Amounts = LARGE,
    number: int = 1,
    settings: Mapping[str, Any] | None = None,
) -> Seeded:
    """Fill site `number` of an instance that is stopped. A further site was added with `Sites.add` before.

    Starts and ends the instance once where the site has no tables yet.
    """
    sites = Sites(instance, db)
    database, root = sites.database(number), sites.root(number)
    if not _columns(db, database, "admins"):
        instance.start(60.0)
        instance.kill()
    _fill_rows(db, database, amounts)
    _fill_statistics(db, database, root, amounts.statistics)
    given = dict(SETTINGS if settings is None else settings)
    if number > 1:
        given["system"] = {**given["system"], "base_url": _base_url(db, database)}
    _save_settings(instance, db, database, given)
    return Seeded(amounts, given, _write_files(root, amounts.uploads))


def _base_url(db: MariaDB, database: str) -> str:
    rows = db.run("SELECT `value` FROM `settings` WHERE `key` = 'system'", database)
    return str(json.loads(rows[0][0])["base_url"])


def _columns(db: MariaDB, database: str, table: str) -> list[str]:
    return _all_columns(db, database).get(table, [])


def _all_columns(db: MariaDB, database: str) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for table, column in db.run(
        f"SELECT `table_name`, `column_name` FROM `information_schema`.`columns` WHERE `table_schema` = '{database}'"
    ):
        tables.setdefault(table, []).append(column)
    return tables


def _insert(db: MariaDB, database: str, table: str, values: Mapping[str, str], amount: int, where: str = "1") -> None:
    """One statement; `values` are expressions of `seq`. Columns that the table lacks are left out."""
    there = _columns(db, database, table)
    columns = [name for name in values if name in there]
    if columns and amount:
        db.run(
            f"INSERT INTO `{table}` ({','.join(f'`{name}`' for name in columns)}) "
            f"SELECT {','.join(values[name] for name in columns)} FROM seq_1_to_{amount} WHERE {where}",
            database,
        )


def _fill_rows(db: MariaDB, database: str, amounts: Amounts) -> None:
    stamp = str(int(time.time()) - 30 * DAY)
    common = {"id": "seq", "created_time": f"{stamp} + seq", "updated_time": f"{stamp} + seq"}
    _insert(
        db, database, "categories", {**common, "title": "CONCAT('category ', seq)", "module_id": "1", "status": "1"}, 20
    )
    _fill_articles(db, database, amounts, common)
    text = f"REPEAT(CONCAT('第', seq, '篇文章的正文。'), {max(amounts.body_bytes // 30, 1)})"
    _insert(db, database, "archive_data", {**common, "content": text}, amounts.articles)
    for table, amount, deleted, more in (
        ("comments", amounts.comments, 3, {"archive_id": "seq", "user_name": "'visitor'", "content": "'好'"}),
        (
            "attachments",
            amounts.attachments,
            2,
            {"file_name": "CONCAT(seq, '.jpg')", "file_location": "'uploads'", "file_md5": "MD5(seq)"},
        ),
        ("tags", amounts.tags, 1, {"title": "CONCAT('tag ', seq)", "url_token": "CONCAT('tag-', seq)"}),
    ):
        gone = f"IF(seq > {amount - deleted}, NOW(), NULL)"
        _insert(db, database, table, {**common, "deleted_at": gone, "status": "1", **more}, amount)
    _insert_admins(db, database)


def _fill_articles(db: MariaDB, database: str, amounts: Amounts, common: Mapping[str, str]) -> None:
    first, last = amounts.drafts - amounts.flagged // 2, amounts.drafts + amounts.flagged - amounts.flagged // 2
    flagged, is_draft = f"seq > {first} AND seq <= {last}", f"seq <= {amounts.drafts}"
    values = {
        **common,
        "title": "CONCAT('文章 ', seq)",
        "url_token": "CONCAT('article-', seq)",
        "module_id": "1",
        "category_id": "1 + seq % 20",
        "views": "seq % 97",
        "description": "CONCAT('description ', seq)",
        "deleted_at": f"IF(seq > {amounts.articles - amounts.deleted}, NOW(), NULL)",
        "flag": f"IF({flagged}, 'c,h', NULL)",
    }
    if "status" in _columns(db, database, "archives"):
        _insert(db, database, "archives", {**values, "status": f"IF({is_draft}, 0, 1)"}, amounts.articles)
        return
    _insert(db, database, "archives", values, amounts.articles, f"NOT ({is_draft})")
    _insert(db, database, "archive_drafts", {**values, "status": "0"}, amounts.articles, is_draft)
    _insert(
        db,
        database,
        "archive_flags",
        {"flag": "'c'", "archive_id": "seq"},
        amounts.articles,
        f"{flagged} AND NOT ({is_draft})",
    )


def _insert_admins(db: MariaDB, database: str) -> None:
    for number, (name, password) in enumerate(PASSWORDS.items(), 1):
        db.run(
            "INSERT INTO `admins` (`id`,`user_name`,`password`,`status`,`group_id`) VALUES "
            f"({number},'{name}','{password}',1,1) ON DUPLICATE KEY UPDATE `password` = '{password}'",
            database,
        )


def _fill_statistics(db: MariaDB, database: str, root: Path, amount: int) -> None:
    """Of the last five days: in the table, or in files where there is none any more."""
    begin, now = int(time.time()) - 5 * DAY, int(time.time())
    if _columns(db, database, "statistics"):
        # Without ids: a release has rows of its own there, one for each page that was asked for.
        values = {
            "created_time": f"{begin} + (seq * 97) % {5 * DAY}",
            "host": "'shop.example'",
            "url": "CONCAT('/', seq, '.html')",
            "ip": "'192.0.2.1'",
            "http_code": "200",
            "user_agent": "'Browser'",
        }
        _insert(db, database, "statistics", values, amount)
        return
    (root / "data" / "statistic").mkdir(parents=True, exist_ok=True)
    rows = [
        json.dumps({"id": 0, "created_time": now - DAY, "url": f"/{row}.html", "http_code": 200}) + "\n"
        for row in range(amount)
    ]
    name = time.strftime("%Y%m%d.log", time.localtime(now - DAY))
    with open(root / "data" / "statistic" / name, "a", encoding="utf-8") as file:
        file.writelines(rows)


def _save_settings(instance: Instance, db: MariaDB, database: str, settings: Mapping[str, Any]) -> None:
    if not _columns(db, database, "settings"):
        path = instance.dir / "config.json"
        named = {name if name in _IN_FILE else f"plugin_{name}": value for name, value in settings.items()}
        path.write_text(json.dumps({**json.loads(path.read_text()), **named}, indent="\t", ensure_ascii=False))
        return
    for name, value in settings.items():
        text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'")
        db.run(f"REPLACE INTO `settings` (`key`,`value`) VALUES ('{name}','{text}')", database)


def _write_files(root: Path, uploads: int) -> dict[str, str]:
    files = {
        **_OWN_FILES,
        **{f"public/uploads/202601/{number}.jpg": f"picture {number} " * 500 for number in range(1, uploads + 1)},
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return hashes(root, files)


def hashes(root: Path, names: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of those of the files that are there."""
    return {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names if (root / name).is_file()}


class Content(NamedTuple):
    """What an upgrade must leave as it is, of one site. Rows that are soft-deleted do not count."""

    counts: dict[str, int]  # by table; drafts count as archives; without tables that are meant to change
    bodies: tuple[int, int]  # number and checksum of the texts of all articles
    settings: dict[str, Any]  # by the keys of the table, wherever they are
    admins: tuple[tuple[str, str], ...]  # names and password hashes
    statistics: int  # rows of the table and lines of the files


_DROPPED = ("admin_uri",)  # a field of 2.3.6 that no later release knows
_MEANT_TO_CHANGE = ("settings", "statistics", "statistic_logs", "archive_categories", "archive_flags", "migration_copy")


def content(instance: Instance, db: MariaDB, number: int = 1) -> Content:
    sites = Sites(instance, db)
    database = sites.database(number)
    tables = _all_columns(db, database)
    counts = {
        table: _living(db, database, table, columns)
        for table, columns in tables.items()
        if table not in _MEANT_TO_CHANGE
    }
    counts["archives"] += counts.pop("archive_drafts", 0)
    bodies = db.run("SELECT COUNT(*), COALESCE(SUM(CRC32(`content`)), 0) FROM `archive_data`", database)[0]
    admins = db.run("SELECT `user_name`, `password` FROM `admins` ORDER BY `id`", database)
    return Content(
        counts,
        (int(bodies[0]), int(bodies[1])),
        _settings(instance, db, database, tables),
        tuple((name, password) for name, password in admins),
        statistics(instance, db, number),
    )


def _living(db: MariaDB, database: str, table: str, columns: list[str]) -> int:
    where = " WHERE `deleted_at` IS NULL" if "deleted_at" in columns and table != "archive_data" else ""
    return int(db.run(f"SELECT COUNT(*) FROM `{table}`{where}", database)[0][0])


def _settings(instance: Instance, db: MariaDB, database: str, tables: Mapping[str, Any]) -> dict[str, Any]:
    if "settings" not in tables:
        raw = json.loads((instance.dir / "config.json").read_text())
        return {name.removeprefix("plugin_"): value for name, value in raw.items() if name not in ("mysql", "server")}
    return {name: _parsed(value) for name, value in db.run("SELECT `key`, `value` FROM `settings`", database)}


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def statistics(instance: Instance, db: MariaDB, number: int = 1) -> int:
    """Rows of the table, and lines of the files of the site."""
    sites = Sites(instance, db)
    rows = (
        int(db.run("SELECT COUNT(*) FROM `statistics`", sites.database(number))[0][0])
        if _columns(db, sites.database(number), "statistics")
        else 0
    )
    return rows + sum(
        len(path.read_text(encoding="utf-8").splitlines())
        for path in (sites.root(number) / "data" / "statistic").glob("*.log")
    )


def lost(before: Content, after: Content) -> list[str]:
    """What an upgrade has changed that it must not, in words; empty when all holds. Tables and settings may come.

    A real release writes the settings of a file anew when they move to the database, with all the fields that it knows
    and no other one; and up to 2.5.5 it counts each page that a test has asked for.
    """
    real = real_releases() is not None
    wrong = [
        f"{table}: {count} rows, now {after.counts.get(table)}"
        for table, count in sorted(before.counts.items())
        if after.counts.get(table) != count
    ]
    wrong += [
        f"settings.{name}: {'changed' if name in after.settings else 'gone'}"
        for name, value in sorted(before.settings.items())
        if name != "last_run_version" and not _holds(value, after.settings.get(name), real)
    ]
    wrong += [name for name in ("bodies", "admins") if getattr(before, name) != getattr(after, name)]
    most = 2 * before.statistics - 1 if real else before.statistics
    return wrong if before.statistics <= after.statistics <= most else [*wrong, "statistics"]


def _holds(before: Any, after: Any, real: bool) -> bool:
    """Whether a setting has its value still; in a real release with more fields to it."""
    if real and isinstance(before, dict) and isinstance(after, dict):
        return all(_holds(value, after.get(name), real) for name, value in before.items() if name not in _DROPPED)
    if real and isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return all(_holds(one, other, real) for one, other in zip(before, after))
    return bool(before == after)


def lose_setting(name: str) -> str:
    """A statement for the knob `spoils`."""
    return f"DELETE FROM `settings` WHERE `key` = '{name}'"


def lose_rows(table: str, amount: int) -> str:
    """A statement for the knob `spoils`."""
    return f"DELETE FROM `{table}` ORDER BY `id` DESC LIMIT {amount}"
