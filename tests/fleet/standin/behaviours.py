# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each version does differently. The one table that the rest of the stand-in reads.

Written from docs/application.md; to play another version add a row.
"""

from __future__ import annotations

from typing import NamedTuple

# How a version answers SIGTERM.
OLD = "closes the port and stays for ever"  # 2.1.2 - 3.2.1
DRAINING = "waits for requests, then exits 0"  # 3.2.2 - 3.5.1
ABRUPT = "exits 0 at once"  # 3.5.2 -

# When a backup or a restore from the admin pages is answered.
AT_END = "at its end"  # 2.5.1 - 3.3.11
BACKGROUND = "at its begin"  # 3.4.0 -


class Panic(NamedTuple):
    """Numbers in the Go panic that an invalid config.json causes from 3.x on."""

    pc: str
    line: int
    offset: str
    init_line: int


class Behaviour(NamedTuple):
    """One version. Locations are the source positions that its log lines carry."""

    version: str
    iris: str = ""  # empty: prints no `Iris Version`
    schema: str = "2.3.6"  # generation of the tables, see schema.py
    on_signal: str = OLD
    port_scan: bool = False  # dials the port before anything else (3.1.7)
    error_log: bool = False  # 3.0.6
    panic: Panic | None = None  # else an invalid config.json exits 255
    sqlstate: bool = True  # `Error 1045 (28000): ` instead of `Error 1045: `
    coloured_iris_error: bool = False
    kill_at_start: str = ""  # pidof (3.2.2 - 3.4.5), pgrep (3.4.7)
    needs_locales: bool = False  # 3.3.9 - 3.4.x
    multi_site: bool = False  # 3.0.5: table websites, siteinfo
    records_version: bool = False  # 3.3.0: settings.last_run_version gates the migration
    background_migration: bool = False  # 3.4.5, when last_run_version is set
    background_categories: bool = False  # 3.2.0: unless settings.upgrade_archive_category is there
    archives_engine: str = ""  # of articles and drafts: MyISAM (3.3.0 - 3.3.10), InnoDB (3.3.11)
    statistics_in_files: bool = False  # 3.3.11: data/statistic of each site; the table is emptied into it
    buffers_statistics: bool = False  # 3.5.0: and stay in memory for ten seconds
    pages_fail_beside: str = ""  # a table of a newer version with which pages answer 500
    mysql_environment: bool = False  # 3.4.2
    settings_in_file: bool = False  # up to 2.3.6
    closing_status: int = 403  # of the page of a closed site; older: 200
    admin_host_status: int = 200  # of /system/api by another host: 403 (3.5.8); older: 200 with code 1001
    html_cache: bool = False  # 3.1.4
    limiter: bool = False  # 3.4.7: 429 when memory is short
    transfers_settings: bool = False  # 2.5.x moves them from config.json to the table
    restart_by_exec: bool = True  # 3.0.4
    soft_delete: bool = True  # until 3.5.3
    connections: int = 1  # to the database, that stay open
    backup: str = ""  # 2.5.1
    leaves_dump_open: bool = False  # 2.5.1 - 3.4.2: only the garbage collector closes the file of a backup
    says_restored: bool = False  # 3.4.7
    fulltext: bool = False  # 2.5.1
    marks_fulltext: bool = False  # `fulltext init` around the dictionary
    late_views: bool = False  # 2.1.2 - 2.5.5: pages answer 500 for a second after the port is open
    at_connect: str = ""
    at_settings: tuple[str, ...] = ()
    at_archives: str = ""
    at_modules: str = ""
    at_module_update: str = ""
    at_site_update: str = ""
    at_restore: str = ""
    at_websites: tuple[str, ...] = ()
    at_admin: str = ""
    at_admin_save: str = ""  # looks for the first administrator again before it writes it


# fmt: off
_TABLE = (
    Behaviour(
        "2.3.6", settings_in_file=True, closing_status=200, restart_by_exec=False, sqlstate=False,
        coloured_iris_error=True, late_views=True, at_connect="dao/dao.go:34", at_admin="provider/admin.go:24",
        at_admin_save="model/admin.go:104",
    ),
    Behaviour(
        "2.5.3", iris="12.2.0-beta5", schema="2.5.3", closing_status=200, sqlstate=False,
        transfers_settings=True, restart_by_exec=False, late_views=True, pages_fail_beside="archive_drafts",
        at_connect="dao/dao.go:32", at_admin="provider/admin.go:24",
        backup=AT_END, leaves_dump_open=True, fulltext=True, at_restore="provider/backup.go:185",
    ),
    Behaviour(
        "3.1.9", iris="12.2.0-beta7", schema="3.2.8", port_scan=True, error_log=True, multi_site=True,
        html_cache=True, panic=Panic("0xbff179", 82, "+0x219", 102), pages_fail_beside="archive_drafts",
        at_connect="provider/dao.go:43",
        backup=AT_END, leaves_dump_open=True, fulltext=True, at_restore="provider/backup.go:177",
        at_websites=("provider/website.go:99", "provider/website.go:101"),
    ),
    Behaviour(
        "3.2.1", iris="12.2.0-beta7", schema="3.2.8", port_scan=True, error_log=True, multi_site=True,
        html_cache=True, panic=Panic("0xbff179", 82, "+0x219", 102), background_categories=True,
        pages_fail_beside="archive_drafts", at_connect="provider/dao.go:43", at_admin="provider/admin.go:24",
        backup=AT_END, leaves_dump_open=True, fulltext=True, at_restore="provider/backup.go:177",
        at_websites=("provider/website.go:99", "provider/website.go:101"),
    ),
    Behaviour(
        "3.2.8", iris="12.2.5", schema="3.2.8", on_signal=DRAINING, port_scan=True, error_log=True, multi_site=True,
        html_cache=True, panic=Panic("0xbb4c99", 82, "+0x219", 102), kill_at_start="pidof",
        background_categories=True, pages_fail_beside="archive_drafts",
        at_connect="provider/dao.go:43", at_admin="provider/admin.go:24",
        backup=AT_END, leaves_dump_open=True, fulltext=True, at_restore="provider/backup.go:177",
        at_websites=("provider/website.go:102", "provider/website.go:104"),
    ),
    Behaviour(  # never run: positions of its log lines are left out, those of the panic are another version's
        "3.3.5", iris="12.2.7", schema="3.3.0", on_signal=DRAINING, port_scan=True, error_log=True, multi_site=True,
        html_cache=True, panic=Panic("0xbc0519", 82, "+0x1f9", 101),
        kill_at_start="pidof", records_version=True, background_categories=True, archives_engine="MyISAM",
        pages_fail_beside="tag_contents",
        at_connect="provider/dao.go:45", backup=AT_END, leaves_dump_open=True, fulltext=True,
        at_restore="provider/backup.go:177",
    ),
    Behaviour(
        "3.3.11", iris="12.2.7", schema="3.3.11", on_signal=DRAINING, port_scan=True, error_log=True, multi_site=True,
        html_cache=True, panic=Panic("0xbc0519", 82, "+0x1f9", 101),
        kill_at_start="pidof", needs_locales=True, records_version=True, background_categories=True,
        archives_engine="InnoDB", statistics_in_files=True, pages_fail_beside="tag_contents",
        at_connect="provider/dao.go:45", at_settings=("provider/dao.go:85",), at_archives="provider/dao.go:347",
        at_admin="provider/admin.go:23",
        backup=AT_END, leaves_dump_open=True, fulltext=True, at_restore="provider/backup.go:177",
        at_websites=("provider/website.go:106", "provider/website.go:108"),
    ),
    Behaviour(
        "3.4.0", iris="12.2.7", schema="3.3.11", on_signal=DRAINING, port_scan=True, error_log=True, multi_site=True,
        html_cache=True, panic=Panic("0xbc0519", 82, "+0x1f9", 101),
        kill_at_start="pidof", needs_locales=True, records_version=True, background_categories=True,
        statistics_in_files=True, pages_fail_beside="tag_contents",
        at_connect="provider/dao.go:45", at_settings=("provider/dao.go:85",), at_archives="provider/dao.go:354",
        at_modules="provider/dao.go:253", at_admin="provider/admin.go:23",
        backup=BACKGROUND, leaves_dump_open=True, fulltext=True, at_restore="provider/backup.go:267",
        at_websites=("provider/website.go:114", "provider/website.go:116"),
    ),
    Behaviour(
        "3.5.1", iris="12.2.11", schema="3.5.1", on_signal=DRAINING, port_scan=True, error_log=True, multi_site=True,
        html_cache=True, limiter=True, panic=Panic("0xc4ee39", 83, "+0x1f9", 102),
        kill_at_start="pgrep", records_version=True,
        background_migration=True, mysql_environment=True, connections=2, background_categories=True,
        statistics_in_files=True, buffers_statistics=True,
        at_connect="provider/dao.go:44", at_settings=("provider/website.go:347", "provider/dao.go:89"),
        at_archives="provider/dao.go:361", at_modules="provider/dao.go:260", at_admin="provider/admin.go:23",
        backup=BACKGROUND, says_restored=True, fulltext=True, marks_fulltext=True,
        at_restore="provider/backup.go:291",
        at_websites=("provider/website.go:232", "provider/website.go:234"),
    ),
    Behaviour(  # never run: positions of its log lines are left out, those of the panic are another version's
        "3.5.7", iris="12.2.11", schema="3.5.8", on_signal=ABRUPT, port_scan=True, error_log=True, multi_site=True,
        html_cache=True, limiter=True, admin_host_status=403, panic=Panic("0xc66319", 84, "+0x1b9", 103),
        kill_at_start="pgrep", records_version=True,
        background_migration=True, mysql_environment=True, connections=2, soft_delete=False,
        background_categories=True, statistics_in_files=True, buffers_statistics=True,
        backup=BACKGROUND, says_restored=True, fulltext=True, marks_fulltext=True,
        at_restore="provider/backup.go:292",
    ),
    Behaviour(
        "3.5.8", iris="12.2.11", schema="3.5.8", on_signal=ABRUPT, port_scan=True, error_log=True, multi_site=True,
        html_cache=True, limiter=True, admin_host_status=403, panic=Panic("0xc66319", 84, "+0x1b9", 103),
        kill_at_start="pgrep", records_version=True,
        background_migration=True, mysql_environment=True, connections=2, soft_delete=False,
        background_categories=True, statistics_in_files=True, buffers_statistics=True,
        at_settings=("provider/website.go:361", "provider/dao.go:91"), at_archives="provider/dao.go:360",
        at_modules="provider/dao.go:259", at_module_update="provider/dao.go:267",
        at_site_update="provider/website.go:310", at_admin="provider/admin.go:24",
        backup=BACKGROUND, says_restored=True, fulltext=True, marks_fulltext=True,
        at_restore="provider/backup.go:292",
    ),
)
# fmt: on

BEHAVIOURS = {row.version: row for row in _TABLE}
