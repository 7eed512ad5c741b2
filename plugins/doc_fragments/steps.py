# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a window.

``steps`` has no suboptions in the argument spec, because each step is validated with the spec of its kind. A test
compares the suboptions below with these specs.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  steps:
    description:
      - The steps of the window, in order.
      - Each entry is a dictionary with exactly one key, the kind of the step. The value is a dictionary with the
        options of the step. It can be empty.
      - The options of all steps are validated before the first step runs.
    type: list
    elements: dict
    default: []
    suboptions:
      graceful_stop:
        description: Stops the instance. See M(anqicms.lifecycle.graceful_stop) for a full description of the options.
        type: dict
        suboptions:
          timeout:
            description: Seconds to wait for the process to end after C(SIGTERM).
            type: float
            default: 30
          idle_timeout:
            description: Seconds to wait before C(SIGTERM) until no request is in flight.
            type: float
            default: 5
          quiet_timeout:
            description: Seconds to wait before C(SIGTERM) for a backup or restore by the application itself to end.
            type: float
            default: 120
          migration_timeout:
            description: Seconds to wait before C(SIGTERM) for a migration of the database to end.
            type: float
            default: 3600
          force:
            description: When a process that does not end can be killed.
            type: str
            choices: [never, idle, timeout]
            default: idle
      port_released:
        description: >-
          Waits until the new process can bind its port. See M(anqicms.lifecycle.port_released) for a full description
          of the options.
        type: dict
        suboptions:
          ports:
            description: The ports that must be free. The default is the port of the next start.
            type: list
            elements: int
          address:
            description: The IP address that the new process binds.
            type: str
            default: '::'
          timeout:
            description: Seconds to wait. With V(0), the ports are checked once.
            type: float
            default: 30
      verified_start:
        description: >-
          Starts the instance and verifies that it answers. See M(anqicms.lifecycle.verified_start) for a full
          description of the options.
        type: dict
        suboptions:
          ready_timeout:
            description: Seconds without progress after which the start has failed.
            type: float
            default: 120
          ready_limit:
            description: Seconds after which the start has failed, even if there is progress.
            type: float
            default: 900
          stable_for:
            description: Seconds that the process must stay alive after its first correct answer.
            type: float
            default: 1
          environment:
            description: Environment variables to add to, or to replace in, the launch record.
            type: dict
          arguments:
            description: Arguments to use instead of those in the launch record, without the program itself.
            type: list
            elements: str
          user:
            description: User who runs the instance. It applies to the whole window, like O(user).
            type: str
          private_port:
            description: Whether to start the instance on a free port that no proxy knows.
            type: bool
            default: false
          hosts:
            description: Host names of the sites. The default is the hosts of a C(site_check) step of this window.
            type: list
            elements: str
          accept_hazards:
            description: Codes of hazards that do not prevent this start.
            type: list
            elements: str
            default: []
      log_check:
        description: >-
          Checks what the instance has logged since the beginning of the window. See M(anqicms.lifecycle.log_check) for
          a full description of the options.
        type: dict
        suboptions:
          since:
            description: Where to start reading. The default is the beginning of the window.
            type: str
          ignore:
            description: Findings to ignore, as codes or regular expressions.
            type: list
            elements: str
            default: []
          fail_on:
            description: Lowest severity of a finding that makes the step fail.
            type: str
            choices: [error, warning, never]
            default: error
      site_check:
        description: >-
          Checks that every site responds correctly. See M(anqicms.lifecycle.site_check) for a full description of the
          options.
        type: dict
        suboptions:
          sites:
            description: The sites to check. The default is the default site of the instance.
            type: list
            elements: dict
            suboptions:
              host:
                description: Host name of the site, optionally with a port.
                type: str
                required: true
              id:
                description: Number of the site in the list of sites in the admin pages.
                type: int
              path:
                description: Path of the page to request.
                type: str
                default: /
              status:
                description: HTTP status that the page must have.
                type: int
                default: 200
              contains:
                description: Text that the page must contain.
                type: str
              admin_host:
                description: Host name of the admin pages, if one is configured for the site.
                type: str
          through:
            description: Whether to send the requests to the port of the instance or to the web server in front of it.
            type: str
            choices: [direct, proxy]
            default: direct
          proxy:
            description: Where the web server listens.
            type: dict
            suboptions:
              address:
                description: Address or name of the web server.
                type: str
                default: 127.0.0.1
              scheme:
                description: Scheme of the requests.
                type: str
                choices: [http, https]
                default: http
              port:
                description: Port of the web server. The default is V(80) or V(443).
                type: int
              validate_certs:
                description: Whether the certificate must be valid for the name of the site.
                type: bool
                default: false
          timeout:
            description: Seconds for all requests to one site.
            type: float
            default: 10
          warm_up:
            description: Number of pages of the sitemap of each site to request after the check.
            type: int
            default: 0
          warm_up_timeout:
            description: Seconds that the warm-up of one site can take.
            type: float
            default: 60
      command:
        description: >-
          Runs a command on the host without a shell. Exactly one of C(cmd) and C(argv) is required. The program is
          looked up in the C(bin) and C(sbin) directories of the system. The step fails if the command exits with a
          status other than 0.
        type: dict
        suboptions:
          cmd:
            description: The command as a string. It is split into words like a shell does.
            type: str
          argv:
            description: The command as a list of words.
            type: list
            elements: str
          chdir:
            description: Directory to run the command in. The default is C(/).
            type: path
          timeout:
            description: Seconds after which the command is killed and the step fails.
            type: float
            default: 60
          undo:
            description:
              - A command as a list of words that reverts what this command does. With it, the command counts as a
                change.
              - When the window is rolled back, this command runs while the instance is stopped, in the same C(chdir)
                and with the same C(timeout).
              - It must revert the change, or detect that there is nothing to revert, whether the command finished,
                stopped halfway, or did nothing. It must also succeed when it runs again after it was interrupted.
              - If it fails, the instance is not started and the run remains unfinished.
              - The words are stored in the journal. Do not put secrets in them.
            type: list
            elements: str
      config:
        description:
          - Changes keys of C(config.json). See M(anqicms.lifecycle.config) for a full description of the options.
          - Put this step between C(graceful_stop) and C(verified_start). It merges the changes into the file as it is
            at that time, because versions up to 2.3.6 write the file while they run.
        type: dict
        suboptions:
          settings:
            description: Keys to set, as nested dictionaries.
            type: dict
            default: {}
          remove:
            description: Keys to remove, with dots between the levels.
            type: list
            elements: str
            default: []
          accept_hazards:
            description: Codes of hazards that do not prevent this change. The codes in O(accept_hazards) also apply.
            type: list
            elements: str
            default: []
      release:
        description:
          - Stages, switches, reverts, or tidies the files of a release. See M(anqicms.lifecycle.release) for a full
            description of the options.
          - Put this step with C(state=switched) or C(state=reverted) between C(graceful_stop) and C(verified_start). If
            the new version can change the database schema, put it after a dump, as the playbook C(upgrade) does.
        type: dict
        suboptions:
          state:
            description: What to do with the files.
            type: str
            required: true
            choices: [staged, switched, reverted, tidied]
          src:
            description: Path of the archive on the host.
            type: path
          sha256:
            description: SHA-256 checksum of the archive.
            type: str
          version:
            description: The version that the program of the release reports.
            type: str
          old_src:
            description: Path of the archive of the release that runs.
            type: path
          known_files:
            description: Checksums of unmodified files of releases, as lists by path.
            type: dict
          manifest:
            description: Content of the archive, for check mode without the archive on the host.
            type: dict
          keep:
            description: Number of releases to keep with C(state=tidied), in addition to the required ones.
            type: int
            default: 3
      database:
        description:
          - Dumps, restores, or compares the databases. See M(anqicms.lifecycle.database) for a full description of the
            options.
          - Put this step with C(state=dumped) after C(graceful_stop). Its dump is restored if a later step fails or the
            window is interrupted.
        type: dict
        suboptions:
          state:
            description: What to do with the databases.
            type: str
            required: true
            choices: [dumped, restored, migrated, compared, packed]
          path:
            description: Directory of the dump. The default is a directory of the run.
            type: path
          all_sites:
            description: Whether to include the databases of the other enabled sites of the instance.
            type: bool
            default: false
          client_dir:
            description: Directory of the MySQL or MariaDB client programs.
            type: path
          method:
            description: Whether to write the dump to a file or to shadow tables inside the database.
            type: str
            choices: [dump, shadow]
            default: dump
          compression:
            description: How to compress the dump.
            type: str
            choices: [auto, none, zstd, gzip]
            default: auto
          timeout:
            description: Seconds that the step can take.
            type: float
            default: 3600
      keep_files:
        description: >-
          Preserves files that a new version changes by itself. Put this step after C(graceful_stop), and after the step
          C(database), if there is one.
        type: dict
        suboptions:
          state:
            description:
              - With V(kept), the step saves C(config.json) and the sizes of the files in C(data/statistic) of each site
                that an earlier step has dumped. If the window fails, they are restored.
              - With V(port_back), the step restores the port in C(config.json), which a start with C(private_port) may
                have changed.
            type: str
            choices: [kept, port_back]
            default: kept
      rollback:
        description:
          - Rolls back what an earlier run has changed. The role C(rollback) uses this step.
          - The step C(keep_files) is required between C(graceful_stop) and this step. If that run has changed
            databases, the step C(database) with C(state=dumped) and C(all_sites=true) is required, too.
        type: dict
        suboptions:
          run_id:
            description: ID of the run to roll back.
            type: str
            required: true
          accept_data_loss:
            description: Whether to roll back even if data that was written since that run would be lost.
            type: bool
            default: false
          client_dir:
            description: Directory of the MySQL or MariaDB client programs.
            type: path
          timeout:
            description: Seconds that each operation on the databases can take.
            type: float
            default: 3600
      rollback_point:
        description: >-
          Records what the databases contain, so that a later rollback can detect what was written since. The role
          C(upgrade) uses this step.
        type: dict
        suboptions:
          client_dir:
            description: Directory of the MySQL or MariaDB client programs.
            type: path
          timeout:
            description: Seconds that each operation on the databases can take.
            type: float
            default: 3600
"""
