#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: release
short_description: Stage, switch, revert and tidy the files of an AnQiCMS release
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Unpacks the archive of a release beside the running instance, and later puts its files in place by renames alone,
    which takes milliseconds.
  - The plan of all renames is on the disk before the first one. A switch that is killed at any moment is put back to
    the byte, with owners, modes and times of the files.
  - What belongs to the site stays. C(config.json), C(data/), C(public/uploads/), C(cache/), logs, own templates and own
    scripts are never touched. A default template, a public file or a script of the release counts as edited unless it
    is the file of a release that is known, and is listed in RV(files.kept).
  - C(system/), C(locales/), C(doc/) and C(clientFiles/) are replaced as a whole. C(system/) is taken away where the
    version has its pages in the binary.
  - It changes files only. An upgrade also changes the database, see C(docs/upgrade.md) for the way and what to check.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
attributes:
  check_mode:
    support: full
    details:
      - Reads and judges the archive, or its manifest, and shows which files would be added, replaced, kept and removed.
  diff_mode:
    support: partial
    details:
      - In check mode, a line for each file that would go or come, with the begin of its SHA-256.
  idempotent:
    support: full
options:
  state:
    description:
      - V(staged) unpacks O(src) into C(.lifecycle/) of the install directory, while the instance serves. The binary
        must be complete and made for this host.
      - V(switched) puts the staged release of O(version) in place. The instance must be stopped.
      - V(reverted) takes the last switch back, or all down to the one that replaced O(version). The instance must be
        stopped.
      - V(tidied) removes staged and replaced files but for the last O(keep), the active release and what it replaced.
    type: str
    required: true
    choices: [staged, switched, reverted, tidied]
  src:
    description:
      - Path of the archive on the host, a zip file as the vendor publishes it. Needed with O(state=staged).
      - In check mode also used with O(state=switched), where nothing was staged yet.
    type: path
  sha256:
    description:
      - SHA-256 of the archive. Another one is refused. Without it the archive is taken as it is.
      - With O(state=switched), which of several archives of one version is meant.
    type: str
  version:
    description:
      - The version that the program of the release reports. Needed with V(staged) and V(switched).
      - An archive that was staged as another version before is refused, and one whose C(CHANGELOG.md) begins with a
        newer version or one of another line. It is often behind by some patches, which is accepted.
      - With O(state=reverted), the version to go back to.
    type: str
  old_src:
    description:
      - Path of the archive of the release that runs, with O(state=staged). Default templates, public files and scripts
        that are equal to those in it are not edited, and are replaced.
      - Releases that were staged before on this host are known without it.
      - In check mode also used with O(state=switched), together with O(src) or O(manifest).
    type: path
  known_files:
    description:
      - More of what is known of releases, a dictionary from paths to lists of SHA-256, as
        P(anqicms.lifecycle.known_files#filter) makes it from the archives on the controller. Used as O(old_src) is.
    type: dict
  manifest:
    description:
      - What the archive holds, as P(anqicms.lifecycle.release_manifest#lookup) has read it on the controller. In check
        mode it stands for an archive that is not on the host yet.
    type: dict
  keep:
    description: How many of the last releases O(state=tidied) keeps besides those that are needed.
    type: int
    default: 3
notes:
  - Links and other file systems where the release would write are refused. C(public/uploads) and C(data) may be links
    or mounts.
  - As another user than root, all files must belong to that user.
  - That the files survive a power cut rests on one C(syncfs) before the first rename and one after the last, and on the
    file system's keeping the order of renames, as ext4 and XFS do.
  - Outside of a window nothing is taken back by itself.
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

- name: Switch it in, in one window, and back again if it does not start
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
  description: The version that is staged, or whose files stand now.
  returned: success
  type: str
  sample: 3.5.8
previous:
  description: The version of the files before, V(null) where it is not known.
  returned: success
  type: str
  sample: 3.5.1
files:
  description: What becomes of the files; V(null) where nothing changes. At most 500 paths of each kind.
  returned: with O(state=staged) and O(state=switched)
  type: dict
  contains:
    added:
      description: Files of the release that are not there yet.
      type: list
      elements: str
    replaced:
      description: Files that the release replaces.
      type: list
      elements: str
    kept:
      description: Files that differ from the release, count as edited and stay.
      type: list
      elements: str
    removed:
      description: Files of whole directories that are not in the release. They are kept with the replaced ones.
      type: list
      elements: str
    counts:
      description: How many of each, and C(same), how many are there already.
      type: dict
  sample:
    added: [public/a.xsl]
    replaced: [anqicms, CHANGELOG.md]
    kept: [template/default/index.html]
    removed: []
    counts: {added: 1, replaced: 2, kept: 1, removed: 0, same: 51}
journal:
  description: The plan of the renames in the trusted state, V(null) where nothing was renamed.
  returned: with O(state=switched) and O(state=reverted)
  type: str
  sample: /var/lib/anqicms-lifecycle/4b1d0a7e-shop.example/releases/switch-1f2e3d4c.json
renames:
  description: How many renames were made.
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
  description: What may surprise, in sentences.
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
