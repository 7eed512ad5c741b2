#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: database
short_description: Dump, restore and compare the databases of an AnQiCMS instance
version_added: 0.1.0
description:
  - Dumps the database of an instance with the MySQL or MariaDB client of the host, and proves that the dump is
    complete.
  - Restores such a dump with rights on the database alone. The tables of today are renamed aside in one statement, the
    dump is loaded and compared, then the old tables are dropped. A restore that was broken off at any point is repaired
    by the next call.
  - Waits for the end of a migration of the application, and compares what the database holds with what was recorded.
  - It is also a step of M(anqicms.lifecycle.window). There a dump that was taken after the stop is restored when the
    window fails, or when it was broken off and is recovered.
  - The login is read from the section C(mysql) of C(config.json), or from the C(MYSQL_*) variables where the
    application takes those. It is handed to the client in an option file without a name. It never stands in
    arguments, in the environment, in a result or in the journal.
  - The client reads no other option file, so options of C(/etc/mysql) and C(~/.my.cnf) do not count.
extends_documentation_fragment:
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
options:
  state:
    description:
      - With V(dumped) the database is dumped into O(path). Taken while the instance runs the dump is a plain backup.
        What it should hold cannot be told then, so that it is not compared when it is restored.
      - With V(restored) the database is made what it was at the dump in O(path). The instance must be stopped. A
        database that is that already is left alone.
      - With V(migrated) the module waits until the application has ended its migration.
      - With V(compared) the module fails when the database does not hold any more what it held at the dump in O(path),
        except for the changes that a new version makes.
      - With V(packed) a dump that was written plain is compressed, and the hash of the file is noted. Shadow tables
        become such a dump. Do it when the instance serves again.
    type: str
    required: true
    choices: [dumped, restored, migrated, compared, packed]
  path:
    description:
      - Directory of the dump, one file and one manifest for each database.
      - Only root, or the user who runs the module, may be able to change it and the directories above it.
      - In a window the default is a directory of that run. As a task of its own V(dumped) makes a new directory in the
        state of the instance, of which the newest three are kept, and V(restored) and V(compared) need this option.
    type: path
  all_sites:
    description:
      - Whether the databases of the other enabled sites of the instance are included, as its table C(websites) names
        them. When one of them cannot be connected to, the module fails before it does anything.
    type: bool
    default: false
  client_dir:
    description:
      - Directory of the client programs, C(mariadb) and C(mariadb-dump) or C(mysql) and C(mysqldump).
      - Without it they are looked for in the directories of the system, and then where panels install them, such as
        C(/www/server/mysql/bin).
      - Programs that others than root and the user who runs the module could change are refused.
    type: path
  method:
    description:
      - With O(state=dumped) where the dump is.
      - With V(dump) it is a file in O(path).
      - With V(shadow) every table is copied inside the database, under a name that begins with C(_als1_), and O(path)
        gets the manifest alone. The instance must be stopped. The copies are compared with the tables by rows,
        C(CHECKSUM TABLE) and definition with AUTO_INCREMENT.
      - A restore of shadow tables is one renaming, about 0.2 s for any size, after they were compared. It uses them up.
      - Making them takes two to three times as long as a dump, and as much room on the server as the tables. They are
        as safe as the server writes; a dump is flushed to the disk of the host.
      - V(packed) makes an ordinary dump of them, and drops them. Until then they stand in the database. The migrations
        of the application leave them alone, but its own backups hold them too.
      - New shadow tables take the place of earlier ones, which become a dump before. Those of which the manifest is
        gone are dropped by the next V(dumped).
    type: str
    choices: [dump, shadow]
    default: dump
  compression:
    description:
      - How the dump is written. With V(auto) it is plain, and compressed only where the disk has no room for that.
      - Compressing takes two to five times as long as writing it plain, and in a window the instance is down meanwhile.
    type: str
    choices: [auto, none, zstd, gzip]
    default: auto
  timeout:
    description:
      - How long it may take, in seconds. In a window its deadline counts too.
      - At the limit of V(migrated) the migration goes on, and nothing is ended.
    type: float
    default: 3600.0
attributes:
  check_mode:
    support: full
    details:
      - Makes all checks, and shows RV(would).
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - V(restored) changes nothing the second time. V(dumped) always writes a dump. The other two change nothing.
notes:
  - A database with foreign keys, views or triggers is refused, because it could not be restored by renaming. AnQiCMS
    itself makes none of them. Routines and events are not part of a dump, and a restore leaves them alone.
  - The user of the database needs SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP and INDEX on the whole database.
    That is what the application itself needs.
  - Tested with the client and server of MariaDB 10.11. The options fit the client of MySQL 8, which was not run. A
    trial dump without rows shows before each dump whether the client can make one.
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

- name: Do something that changes the database, and restore it when that fails
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - database: {state: dumped, all_sites: true}
      - command: {argv: [/root/bin/import-products]}
      - verified_start: {}

- name: Wait until a migration has ended
  anqicms.lifecycle.database:
    dir: /www/wwwroot/shop.example
    state: migrated
    timeout: 600
"""

RETURN = r"""
directory:
  description: Directory of the dumps.
  returned: with O(state=dumped), O(state=restored) and O(state=packed), outside check mode
  type: str
  sample: /var/lib/anqicms-lifecycle/4b1d0a7e-shop.example/dumps/20261127T101500Z
online:
  description: Whether the instance ran while the dump was taken, so that it is a plain backup.
  returned: with O(state=dumped), outside check mode
  type: bool
  sample: false
databases:
  description: Each database that was worked on.
  returned: outside check mode; with O(state=dumped) always
  type: list
  elements: dict
  contains:
    site:
      description: Number of the first site that uses it.
      type: int
    database:
      description: Its name.
      type: str
    file:
      description: With O(state=dumped) the name of the dump in RV(directory). Empty for shadow tables.
      type: str
    method:
      description: With O(state=dumped) and O(state=packed) how it was taken, V(dump) or V(shadow).
      type: str
    compression:
      description: With O(state=dumped) how it is written.
      type: str
    bytes:
      description: With O(state=dumped) its size.
      type: int
    tables:
      description: With O(state=dumped) how many tables it has.
      type: int
    server:
      description: With O(state=dumped) in check mode the version of the server.
      type: str
    data_bytes:
      description: With O(state=dumped) in check mode how much data it holds.
      type: int
    all_bytes:
      description: With O(state=dumped) in check mode the same with its indexes.
      type: int
    not_utf8mb4:
      description: With O(state=dumped) in check mode its tables that cannot hold every text.
      type: list
      elements: str
    not_innodb:
      description: With O(state=dumped) in check mode its tables of another engine than InnoDB.
      type: list
      elements: str
    rows:
      description: With O(state=dumped) and O(state=compared) how many rows all tables have.
      type: int
    version:
      description:
        - With O(state=dumped) and O(state=compared) the version whose migration has ended, as the database says.
        - V(null) before 3.3.0.
      type: str
    restored:
      description:
        - With O(state=restored) whether the dump was loaded, or shadow tables took their places. V(false) where the
          database was as it should be.
      type: bool
    changed:
      description: With O(state=restored) whether anything was done.
      type: bool
    recovered:
      description:
        - With O(state=restored) how an earlier restore that was broken off was repaired, V(back), V(forward), or
          V(nothing) where there was none.
      type: str
    strays:
      description: With O(state=restored) how many connections were ended that a dead process had left.
      type: int
    state:
      description: With O(state=migrated) V(done), or V(unknown) where the version of the instance is not known.
      type: str
    why:
      description: With O(state=migrated) how that was told.
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
  description: With O(state=compared) what the databases do not hold any more.
  returned: when that is why it fails
  type: list
  elements: str
  sample: ["shop: archives and archive_drafts have 19994 rows, not 19995"]
database_error:
  description:
    - Why the client or the server did not do it, V(no_client), V(cannot_connect), V(access_denied),
      V(unknown_database), V(no_right), V(trial_dump), V(wrong_options), V(disk_full), V(timed_out) or V(failed).
  returned: when that is why it fails
  type: str
  sample: access_denied
notes:
  description: What may surprise, in sentences.
  returned: when it was done, or foreseen
  type: list
  elements: str
  sample: []
took_ms:
  description: How long it took, in milliseconds.
  returned: outside check mode
  type: int
  sample: 812
would:
  description: What would be done.
  returned: in check mode
  type: str
  sample: dump shop into /backup/shop.example (104 MB of data, about 0.7 s)
estimate_ms:
  description: With O(state=dumped) and O(state=restored) how long it would take, in milliseconds.
  returned: in check mode
  type: int
  sample: 743
data_bytes:
  description: With O(state=dumped) how much data the databases hold, as the server estimates.
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
