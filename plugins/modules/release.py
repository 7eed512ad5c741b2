#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: release
short_description: Stage, switch, revert, and tidy the files of an AnQiCMS release
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Unpacks the archive of a release next to the running instance, and later moves its files into place with renames
    only, which takes milliseconds.
  - The plan of all renames is stored on disk before the first rename. A switch that is killed at any moment is reverted
    byte for byte, including owners, modes, and times of the files.
  - Files that belong to the site are never touched. These are C(config.json), C(data/), C(public/uploads/), C(cache/),
    logs, custom templates, and custom scripts. A default template, a public file, or a script of the release counts as
    edited unless it is the file of a known release. Edited files are listed in RV(files.kept).
  - C(system/), C(locales/), C(doc/), and C(clientFiles/) are replaced as a whole. C(system/) is removed if the version
    has its pages in the binary.
  - This module changes files only. An upgrade also changes the database. See C(docs/upgrade.md) for the procedure and
    the required checks.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
attributes:
  check_mode:
    support: full
    details:
      - Reads and checks the archive, or its manifest, and shows which files would be added, replaced, kept, and
        removed.
  diff_mode:
    support: partial
    details:
      - In check mode, shows one line for each file that would be added or removed, with the beginning of its SHA-256
        checksum.
  idempotent:
    support: full
options:
  state:
    description:
      - V(staged) unpacks O(src) into C(.lifecycle/) in the install directory while the instance serves requests. The
        binary must be complete and built for this host.
      - V(switched) moves the staged release of O(version) into place. The instance must be stopped.
      - V(reverted) reverts the last switch, or all switches back to the one that replaced O(version). The instance must
        be stopped.
      - V(tidied) removes staged and replaced files, except the last O(keep) releases, the active release, and the
        release that it replaced.
    type: str
    required: true
    choices: [staged, switched, reverted, tidied]
  src:
    description:
      - Path of the archive on the host, a zip file as published by the vendor. Required with O(state=staged).
      - In check mode, also used with O(state=switched) if nothing has been staged yet.
    type: path
  sha256:
    description:
      - SHA-256 checksum of the archive. An archive with another checksum makes the module fail. Without this option,
        the checksum is not verified.
      - With O(state=switched), selects one of several archives of the same version.
    type: str
  version:
    description:
      - The version that the program of the release reports. Required with V(staged) and V(switched).
      - The module fails if the archive has been staged as another version before, or if its C(CHANGELOG.md) starts with
        a newer version or a version of another line. A C(CHANGELOG.md) that is some patch versions behind is common and
        accepted.
      - With O(state=reverted), the version to go back to.
    type: str
  old_src:
    description:
      - Path of the archive of the release that runs, for O(state=staged). Default templates, public files, and scripts
        that are identical to those in this archive are not edited, and are replaced.
      - Releases that have been staged on this host before are known without this option.
      - In check mode, also used with O(state=switched), together with O(src) or O(manifest).
    type: path
  known_files:
    description:
      - Additional known files of releases, as a dictionary from paths to lists of SHA-256 checksums. The filter
        P(anqicms.lifecycle.known_files#filter) creates it from the archives on the controller. Used like O(old_src).
    type: dict
  manifest:
    description:
      - Content of the archive, as returned by P(anqicms.lifecycle.release_manifest#lookup) on the controller. In check
        mode, it replaces an archive that is not on the host yet.
    type: dict
  keep:
    description: Number of the last releases that O(state=tidied) keeps in addition to those that are required.
    type: int
    default: 3
notes:
  - The module fails if there are links or other file systems where the release would write. C(public/uploads) and
    C(data) can be links or mount points.
  - If the module does not run as root, all files must be owned by the user who runs it.
  - The durability of the files after a power failure depends on one C(syncfs) before the first rename and one after the
    last, and on a file system that preserves the order of renames, such as ext4 and XFS.
  - Outside of a window, nothing is rolled back automatically.
seealso:
  - module: anqicms.lifecycle.window
  - plugin: anqicms.lifecycle.upgrade_path
    plugin_type: filter
  - plugin: anqicms.lifecycle.release_manifest
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Stage a release while the site runs
  anqicms.lifecycle.release:
    dir: /www/wwwroot/shop.example
    state: staged
    src: /srv/anqicms-linux-amd64-v3.5.8.zip
    sha256: "{{ anqicms_sha256 }}"
    version: 3.5.8

- name: Switch to the release in one window, and revert it if the instance does not start
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - port_released: {}
      - release: {state: switched, version: 3.5.8}
      - verified_start: {}
      - log_check: {}

- name: Keep the active release and the one before it
  anqicms.lifecycle.release:
    dir: /www/wwwroot/shop.example
    state: tidied
    keep: 1
"""

RETURN = r"""
version:
  description: The version that is staged, or the version of the files that are now in place.
  returned: success
  type: str
  sample: 3.5.8
previous:
  description: The version of the files before. V(null) if it is not known.
  returned: success
  type: str
  sample: 3.5.1
files:
  description: What happens to the files. V(null) if nothing changes. At most 500 paths of each kind.
  returned: with O(state=staged) and O(state=switched)
  type: dict
  contains:
    added:
      description: Files of the release that do not exist yet.
      type: list
      elements: str
    replaced:
      description: Files that the release replaces.
      type: list
      elements: str
    kept:
      description: Files that differ from the release, count as edited, and are kept.
      type: list
      elements: str
    removed:
      description: Files in directories that are replaced as a whole and are not in the release. They are stored
        together with the replaced files.
      type: list
      elements: str
    counts:
      description: Number of files of each kind. C(same) is the number of files that are already identical.
      type: dict
  sample:
    added: [public/a.xsl]
    replaced: [anqicms, CHANGELOG.md]
    kept: [template/default/index.html]
    removed: []
    counts: {added: 1, replaced: 2, kept: 1, removed: 0, same: 51}
journal:
  description: Path of the plan of the renames in the trusted state. V(null) if nothing was renamed.
  returned: with O(state=switched) and O(state=reverted)
  type: str
  sample: /var/lib/anqicms-lifecycle/4b1d0a7e-shop.example/releases/switch-1f2e3d4c.json
renames:
  description: Number of renames.
  returned: when files were switched or reverted
  type: int
  sample: 110
removed:
  description: What was removed below C(.lifecycle/).
  returned: with O(state=tidied)
  type: list
  elements: str
  sample: [new-3.4.0-0a1b2c3d, old-99aabbcc]
notes:
  description: Remarks about unexpected conditions, in sentences.
  returned: when files were switched or reverted
  type: list
  elements: str
  sample: []
would:
  description: What would be done, or why there is nothing to do.
  returned: in check mode, or when nothing was changed
  type: str
  sample: nothing, the release is staged already
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import release


def main() -> None:
    module = _module.Module(
        argument_spec=_module.common_spec(**release.SPEC),
        required_if=[('state', 'staged', ['version']), ('state', 'switched', ['version'])],
        supports_check_mode=True,
    )
    on_instance.run_on_instance(module, release.foresee, release.as_a_task, times=())


if __name__ == '__main__':
    main()
