#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: database
short_description: Dump, restore, and compare the databases of an AnQiCMS instance
version_added: 0.1.0
description:
  - Dumps the database of an instance with the MySQL or MariaDB client of the host, and verifies that the dump is
    complete.
  - Restores such a dump with privileges on the database only. The current tables are renamed in one statement, the dump
    is loaded and compared, then the old tables are dropped. If a restore is interrupted at any point, the next call
    repairs it.
  - Waits for the end of a migration by the application, and compares the content of the database with what was
    recorded.
  - This module is also a step of M(anqicms.lifecycle.window). There, a dump that was taken after the stop is restored
    if the window fails, or if it was interrupted and is recovered.
  - The credentials are read from the section C(mysql) of C(config.json), or from the C(MYSQL_*) variables if the
    application uses those. They are passed to the client in an option file without a name. They never appear in
    arguments, in the environment, in a result, or in the journal.
  - The client reads no other option file. Options in C(/etc/mysql) and C(~/.my.cnf) are ignored.
extends_documentation_fragment:
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
options:
  state:
    description:
      - V(dumped) dumps the database to O(path). A dump that is taken while the instance runs is a plain backup. Its
        expected content cannot be determined, so that it is not compared when it is restored.
      - V(restored) restores the database to its state at the time of the dump in O(path). The instance must be stopped.
        A database that already has that state is not changed.
      - V(migrated) waits until the application has finished its migration.
      - V(compared) fails if the database no longer contains what it contained at the time of the dump in O(path),
        except for the changes that a new version makes.
      - V(packed) compresses a dump that was written uncompressed, and records the hash of the file. Shadow tables are
        converted to such a dump. Use it when the instance serves requests again.
    type: str
    required: true
    choices: [dumped, restored, migrated, compared, packed]
  path:
    description:
      - Directory of the dump, with one dump file and one manifest for each database.
      - This directory and the directories above it must be writable only by root or by the user who runs the module.
      - In a window, the default is a directory of that run. As a separate task, V(dumped) creates a new directory in
        the state of the instance and keeps the newest three, and V(restored) and V(compared) require this option.
    type: path
  all_sites:
    description:
      - Whether to include the databases of the other enabled sites of the instance, as listed in its table C(websites).
        If the module cannot connect to one of them, it fails before it does anything.
    type: bool
    default: false
  client_dir:
    description:
      - Directory of the client programs, C(mariadb) and C(mariadb-dump) or C(mysql) and C(mysqldump).
      - By default, the module looks for them in the system directories, and then in the directories where panels
        install them, such as C(/www/server/mysql/bin).
      - The module refuses programs that anyone other than root and the user who runs the module can change.
    type: path
  method:
    description:
      - Where the dump is stored with O(state=dumped).
      - V(dump) writes a file in O(path).
      - V(shadow) copies every table inside the database, under a name that starts with C(_als1_). O(path) contains only
        the manifest. The instance must be stopped. The copies are compared with the tables by number of rows, by
        C(CHECKSUM TABLE), and by definition including AUTO_INCREMENT.
      - Restoring shadow tables takes one rename, about 0.2 seconds for any size, after they were compared. The shadow
        tables are gone after that.
      - Creating shadow tables takes two to three times as long as a dump, and as much space on the server as the
        tables. They are as durable as the writes of the server. A dump is flushed to the disk of the host.
      - V(packed) converts them to an ordinary dump and drops them. Until then, they stay in the database. The
        migrations of the application ignore them, but its own backups include them.
      - New shadow tables replace earlier ones, which are converted to a dump before. Shadow tables whose manifest is
        gone are dropped by the next V(dumped).
    type: str
    choices: [dump, shadow]
    default: dump
  compression:
    description:
      - How to compress the dump. With V(auto), the dump is uncompressed, and compressed only if the disk does not have
        enough space for an uncompressed dump.
      - Compressing takes two to five times as long as writing an uncompressed dump. In a window, the instance is down
        during that time.
    type: str
    choices: [auto, none, zstd, gzip]
    default: auto
  timeout:
    description:
      - Maximum time in seconds. In a window, the deadline of the window also applies.
      - When V(migrated) reaches the limit, the migration continues and nothing is ended.
    type: float
    default: 3600.0
attributes:
  check_mode:
    support: full
    details:
      - Performs all checks and returns RV(would).
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - V(restored) changes nothing the second time. V(dumped) always writes a dump. The other two change nothing.
notes:
  - The module refuses a database with foreign keys, views, or triggers, because it could not be restored by renaming.
    AnQiCMS itself creates none of these. Routines and events are not part of a dump, and a restore does not touch them.
  - The database user needs the privileges SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, and INDEX on the whole
    database. The application itself needs the same privileges.
  - Tested with the client and server of MariaDB 10.11. The options are also valid for the client of MySQL 8, which was
    not tested. Before each dump, a trial dump without rows shows whether the client can create one.
seealso:
  - module: anqicms.lifecycle.window
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
"""

EXAMPLES = r"""
- name: Take a backup of the database while the site runs
  anqicms.lifecycle.database:
    dir: /www/wwwroot/shop.example
    state: dumped
    path: /backup/shop.example

- name: Run a command that changes the database, and restore the database if the window fails
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - database: {state: dumped, all_sites: true}
      - command: {argv: [/root/bin/import-products]}
      - verified_start: {}

- name: Wait until a migration has finished
  anqicms.lifecycle.database:
    dir: /www/wwwroot/shop.example
    state: migrated
    timeout: 600
"""

RETURN = r"""
directory:
  description: Directory of the dumps.
  returned: with O(state=dumped), O(state=restored), and O(state=packed), outside check mode
  type: str
  sample: /var/lib/anqicms-lifecycle/4b1d0a7e-shop.example/dumps/20261127T101500Z
online:
  description: Whether the instance was running while the dump was taken, so that the dump is a plain backup.
  returned: with O(state=dumped), outside check mode
  type: bool
  sample: false
databases:
  description: The databases that were processed.
  returned: outside check mode; with O(state=dumped) always
  type: list
  elements: dict
  contains:
    site:
      description: Number of the first site that uses the database.
      type: int
    database:
      description: Name of the database.
      type: str
    file:
      description: With O(state=dumped), the name of the dump in RV(directory). Empty for shadow tables.
      type: str
    method:
      description: With O(state=dumped) and O(state=packed), how the dump was taken, V(dump) or V(shadow).
      type: str
    compression:
      description: With O(state=dumped), the compression of the dump.
      type: str
    bytes:
      description: With O(state=dumped), the size of the dump.
      type: int
    tables:
      description: With O(state=dumped), the number of tables.
      type: int
    server:
      description: With O(state=dumped) in check mode, the version of the server.
      type: str
    data_bytes:
      description: With O(state=dumped) in check mode, the size of the data without indexes.
      type: int
    all_bytes:
      description: With O(state=dumped) in check mode, the size of the data including indexes.
      type: int
    not_utf8mb4:
      description: With O(state=dumped) in check mode, the tables whose character set cannot store every text.
      type: list
      elements: str
    not_innodb:
      description: With O(state=dumped) in check mode, the tables that use a storage engine other than InnoDB.
      type: list
      elements: str
    rows:
      description: With O(state=dumped) and O(state=compared), the number of rows of all tables.
      type: int
    version:
      description:
        - With O(state=dumped) and O(state=compared), the version whose migration has finished, as recorded in the
          database.
        - V(null) before 3.3.0.
      type: str
    restored:
      description:
        - With O(state=restored), whether the dump was loaded, or shadow tables replaced the tables. V(false) if the
          database already had the expected state.
      type: bool
    changed:
      description: With O(state=restored), whether anything was done.
      type: bool
    recovered:
      description:
        - With O(state=restored), how an earlier restore that was interrupted was repaired, V(back) or V(forward).
          V(nothing) if there was none.
      type: str
    strays:
      description: With O(state=restored), the number of connections of a dead process that were ended.
      type: int
    state:
      description: With O(state=migrated), V(done), or V(unknown) if the version of the instance is not known.
      type: str
    why:
      description: With O(state=migrated), how RV(databases[].state) was determined.
      type: str
  sample:
    - site: 1
      database: shop
      file: site-1.sql
      method: dump
      compression: none
      bytes: 85983232
      tables: 48
      rows: 61200
      version: 3.5.8
problems:
  description: With O(state=compared), what the databases no longer contain.
  returned: when this is the reason for the failure
  type: list
  elements: str
  sample: ["shop: archives and archive_drafts have 19994 rows, not 19995"]
database_error:
  description:
    - Why the client or the server failed, V(no_client), V(cannot_connect), V(access_denied), V(unknown_database),
      V(no_right), V(trial_dump), V(wrong_options), V(disk_full), V(timed_out), or V(failed).
  returned: when this is the reason for the failure
  type: str
  sample: access_denied
notes:
  description: Remarks about unexpected conditions, in sentences.
  returned: when the operation was performed or planned
  type: list
  elements: str
  sample: []
took_ms:
  description: Duration in milliseconds.
  returned: outside check mode
  type: int
  sample: 812
would:
  description: What would be done.
  returned: in check mode
  type: str
  sample: dump shop into /backup/shop.example (104 MB of data, about 0.7 s)
estimate_ms:
  description: With O(state=dumped) and O(state=restored), the estimated duration in milliseconds.
  returned: in check mode
  type: int
  sample: 743
data_bytes:
  description: With O(state=dumped), the size of the data in the databases, as estimated by the server.
  returned: in check mode
  type: int
  sample: 109051904
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import database


def main() -> None:
    module = _module.Module(argument_spec=_module.common_spec(**database.SPEC), supports_check_mode=True)
    on_instance.run_on_instance(module, database.foresee, database.work, ('timeout',))


if __name__ == '__main__':
    main()
