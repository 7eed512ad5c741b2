# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of the tables that matter, by generation of the schema, in the order in which the application makes them.

A generation holds until the next one; a table that did not change is not repeated, None means that it is dropped.
"""

from __future__ import annotations

_2_3_6: dict[str, str | None] = {
    "archives": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), title "
        "varchar(250), seo_title varchar(250), url_token varchar(250), keywords varchar(250), description "
        "varchar(250), module_id int(10) unsigned, category_id int(10) unsigned, views int(10) unsigned, "
        "comment_count int(10) unsigned, images text, template varchar(250), status tinyint(1) unsigned, "
        "canonical_url varchar(250), fixed_link varchar(250), flag set('c','h','p','f','s','j','a','b'), user_id "
        "int(10) unsigned, price bigint(20), stock bigint(20), has_pseudo tinyint(1), keyword_id bigint(20), "
        "origin_url varchar(250), origin_title varchar(250)"
    ),
    "archive_data": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), content longtext"
    ),
    "categories": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), title "
        "varchar(250), seo_title varchar(250), keywords varchar(250), url_token varchar(250), description "
        "varchar(250), content longtext, module_id int(10) unsigned, parent_id int(10) unsigned, type int(10) "
        "unsigned, sort int(10) unsigned, template varchar(250), detail_template varchar(250), is_inherit int(1) "
        "unsigned, images text, logo varchar(250), status tinyint(1) unsigned"
    ),
    "admins": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), user_name "
        "varchar(32), password varchar(128), status tinyint(1) unsigned, login_time int(11), group_id int(10) "
        "unsigned"
    ),
    "statistics": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), spider "
        "varchar(20), host varchar(100), url varchar(250), ip varchar(15), device varchar(20), http_code int(3), "
        "user_agent varchar(255)"
    ),
    "modules": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), table_name "
        "varchar(50), url_token varchar(50), title varchar(250), fields longtext, is_system tinyint(1) unsigned, "
        "title_name varchar(50), status tinyint(1) unsigned"
    ),
}
_2_5_3: dict[str, str | None] = {
    "archives": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), title "
        "varchar(250), seo_title varchar(250), url_token varchar(190), keywords varchar(250), description "
        "varchar(250), module_id int(10) unsigned, category_id int(10) unsigned, views int(10) unsigned, "
        "comment_count int(10) unsigned, images text, template varchar(250), status tinyint(1) unsigned, "
        "canonical_url varchar(250), fixed_link varchar(190), flag set('c','h','p','f','s','j','a','b'), user_id "
        "int(10) unsigned, price bigint(20), stock bigint(20), read_level int(10), has_pseudo tinyint(1), "
        "keyword_id bigint(20), origin_url varchar(190), origin_title varchar(190)"
    ),
    "categories": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), title "
        "varchar(250), seo_title varchar(250), keywords varchar(250), url_token varchar(190), description "
        "varchar(250), content longtext, module_id int(10) unsigned, parent_id int(10) unsigned, type int(10) "
        "unsigned, sort int(10) unsigned, template varchar(250), detail_template varchar(250), is_inherit int(1) "
        "unsigned, images text, logo varchar(250), status tinyint(1) unsigned"
    ),
    "settings": ("key varchar(190), value longtext"),
}
_3_2_8: dict[str, str | None] = {
    "archives": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), title "
        "varchar(250), seo_title varchar(250), url_token varchar(190), keywords varchar(250), description "
        "varchar(1000), module_id int(10) unsigned, category_id int(10) unsigned, views int(10) unsigned, "
        "comment_count int(10) unsigned, images text, template varchar(250), status tinyint(1) unsigned, "
        "canonical_url varchar(250), fixed_link varchar(190), flag set('c','h','p','f','s','j','a','b'), user_id "
        "int(10) unsigned, price bigint(20), stock bigint(20), read_level int(10), password varchar(32), sort "
        "int(10) unsigned, has_pseudo tinyint(1), keyword_id bigint(20), origin_url varchar(190), origin_title "
        "varchar(190), origin_id tinyint(1) unsigned"
    ),
    "categories": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), title "
        "varchar(250), seo_title varchar(250), keywords varchar(250), url_token varchar(190), description "
        "varchar(1000), content longtext, module_id int(10) unsigned, parent_id int(10) unsigned, type int(10) "
        "unsigned, sort int(10) unsigned, template varchar(250), detail_template varchar(250), is_inherit int(1) "
        "unsigned, images text, logo varchar(250), status tinyint(1) unsigned"
    ),
    "websites": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), root_path "
        "varchar(190), name varchar(128), mysql text, status tinyint(1) unsigned"
    ),
}
_3_3_0: dict[str, str | None] = {
    "archives": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), title varchar(190), seo_title "
        "varchar(250), url_token varchar(190), keywords varchar(250), description varchar(1000), module_id int(10)"
        " unsigned, category_id int(10) unsigned, views int(10) unsigned, comment_count int(10) unsigned, images "
        "text, template varchar(250), canonical_url varchar(250), fixed_link varchar(190), user_id int(10) "
        "unsigned, price bigint(20), stock bigint(20), read_level int(10), password varchar(32), sort int(10) "
        "unsigned, has_pseudo tinyint(1), keyword_id bigint(20), origin_url varchar(190), origin_title "
        "varchar(190), origin_id tinyint(1) unsigned"
    ),
    "archive_data": ("id int(10) unsigned, content longtext"),
    "archive_drafts": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), title varchar(190), seo_title "
        "varchar(250), url_token varchar(190), keywords varchar(250), description varchar(1000), module_id int(10)"
        " unsigned, category_id int(10) unsigned, views int(10) unsigned, comment_count int(10) unsigned, images "
        "text, template varchar(250), canonical_url varchar(250), fixed_link varchar(190), user_id int(10) "
        "unsigned, price bigint(20), stock bigint(20), read_level int(10), password varchar(32), sort int(10) "
        "unsigned, has_pseudo tinyint(1), keyword_id bigint(20), origin_url varchar(190), origin_title "
        "varchar(190), origin_id tinyint(1) unsigned, status tinyint(1) unsigned"
    ),
}
_3_5_8: dict[str, str | None] = {
    "websites": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), root_path varchar(190), name "
        "varchar(128), mysql text, token_secret varchar(128), status tinyint(1) unsigned, parent_id int(10), "
        "sync_time int(11), language_icon varchar(255)"
    ),
    "archives": (
        "id bigint(20), parent_id bigint(20), created_time int(11), updated_time int(11), title varchar(190), "
        "seo_title varchar(250), url_token varchar(190), keywords varchar(250), description varchar(1000), "
        "module_id int(10) unsigned, category_id int(10) unsigned, views int(10) unsigned, comment_count int(10) "
        "unsigned, images text, template varchar(250), canonical_url varchar(250), fixed_link varchar(190), "
        "user_id int(10) unsigned, price bigint(20), stock bigint(20), read_level int(10), password varchar(32), "
        "sort int(10) unsigned, has_pseudo tinyint(1), keyword_id bigint(20), origin_url varchar(190), "
        "origin_title varchar(190), origin_id tinyint(1) unsigned"
    ),
    "archive_drafts": (
        "id bigint(20), parent_id bigint(20), created_time int(11), updated_time int(11), title varchar(190), "
        "seo_title varchar(250), url_token varchar(190), keywords varchar(250), description varchar(1000), "
        "module_id int(10) unsigned, category_id int(10) unsigned, views int(10) unsigned, comment_count int(10) "
        "unsigned, images text, template varchar(250), canonical_url varchar(250), fixed_link varchar(190), "
        "user_id int(10) unsigned, price bigint(20), stock bigint(20), read_level int(10), password varchar(32), "
        "sort int(10) unsigned, has_pseudo tinyint(1), keyword_id bigint(20), origin_url varchar(190), "
        "origin_title varchar(190), origin_id tinyint(1) unsigned, status tinyint(1) unsigned"
    ),
    "archive_data": ("id bigint(20) unsigned, content longtext"),
    "categories": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), title varchar(250), seo_title "
        "varchar(250), keywords varchar(250), url_token varchar(190), description varchar(1000), content longtext,"
        " module_id int(10) unsigned, parent_id int(10) unsigned, type int(10) unsigned, sort int(10) unsigned, "
        "template varchar(250), detail_template varchar(250), is_inherit int(1) unsigned, images text, logo "
        "varchar(250), extra longtext, archive_count int(10) unsigned, status tinyint(1) unsigned"
    ),
    "admins": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), user_name varchar(32), password "
        "varchar(128), status tinyint(1) unsigned, login_time int(11), group_id int(10) unsigned"
    ),
    "modules": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), table_name varchar(50), name "
        "varchar(50), url_token varchar(50), title varchar(250), keywords varchar(250), description varchar(1000),"
        " fields longtext, category_fields longtext, is_system tinyint(1) unsigned, title_name varchar(50), status"
        " tinyint(1) unsigned"
    ),
}

# Columns of these are not those of the application, but for the ones that a migration looks at.
_MORE_2_3_6: dict[str, str | None] = {
    "comments": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), archive_id int(10) "
        "unsigned, user_name varchar(32), content text, status tinyint(1) unsigned"
    ),
    "attachments": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), file_name "
        "varchar(100), file_location varchar(250), file_size bigint(20), status tinyint(1) unsigned"
    ),
    "tags": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), deleted_at datetime(3), title varchar(250), "
        "url_token varchar(190), status tinyint(1) unsigned"
    ),
}
_MORE_3_2_8: dict[str, str | None] = {
    "archive_categories": "id int(10) unsigned, category_id int(10) unsigned, archive_id int(10) unsigned",
}
_MORE_3_3_0: dict[str, str | None] = {
    "archive_flags": "id int(10) unsigned, flag varchar(2), archive_id int(10) unsigned",
}
_MORE_3_3_11: dict[str, str | None] = {
    "statistics": None,
    "statistic_logs": "id int(10) unsigned, created_time int(11), spider_count text, visit_count text",
}
_3_5_1: dict[str, str | None] = {
    "tag_contents": "id int(10) unsigned, content longtext",
}
_MORE_3_5_8: dict[str, str | None] = {
    "archive_favorites": "id int(10) unsigned, archive_id bigint(20), user_id int(10) unsigned",
    "comments": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), archive_id bigint(20), user_name "
        "varchar(32), content text, status tinyint(1) unsigned"
    ),
    "attachments": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), file_name varchar(100), file_location "
        "varchar(250), file_size bigint(20), status tinyint(1) unsigned"
    ),
    "tags": (
        "id int(10) unsigned, created_time int(11), updated_time int(11), title varchar(250), url_token varchar(190), "
        "status tinyint(1) unsigned"
    ),
}
_INDEXES = {"archive_categories": "archive_id", "archive_flags": "archive_id"}


def _with_big_ids(tables: dict[str, str | None]) -> dict[str, str | None]:
    """From 3.4.5 on new tables number articles with bigint."""
    return {
        name: columns and columns.replace("id int(10) unsigned", "id bigint(20)", 1)
        for name, columns in tables.items()
        if name.startswith("archive")
    }


_GENERATIONS: tuple[tuple[str, dict[str, str | None]], ...] = (
    ("2.3.6", {**_2_3_6, **_MORE_2_3_6}),
    ("2.5.3", _2_5_3),
    ("3.2.8", {**_3_2_8, **_MORE_3_2_8}),
    ("3.3.0", {**_3_3_0, **_MORE_3_3_0}),
    ("3.3.11", _MORE_3_3_11),
    ("3.5.1", {**_with_big_ids(_3_3_0), **_3_5_1}),
    ("3.5.8", {**_3_5_8, **_MORE_3_5_8}),
)


def index_of(table: str) -> str:
    """The column that has an index beside the key; empty when there is none."""
    return _INDEXES.get(table, "")


def tables_of(generation: str) -> dict[str, dict[str, str]]:
    """Table name -> column name -> type, for one generation."""
    tables: dict[str, dict[str, str]] = {}
    for name, changes in _GENERATIONS:
        for table, columns in changes.items():
            if columns is None:
                tables.pop(table, None)
            else:
                tables[table] = dict(column.split(" ", 1) for column in columns.split(", "))
        if name == generation:
            return tables
    raise KeyError(generation)
