#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: evidence
short_description: Fetch evidence of the death of an AnQiCMS instance, without secrets
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - Writes a bundle of files to the controller. The bundle contains the results of M(anqicms.lifecycle.instance_info),
    M(anqicms.lifecycle.oom_check), and M(anqicms.lifecycle.log_check) as JSON, the parts of the logs of the instance
    that overlap the time range, the lines of the system logs that concern memory or a crash, and C(config.json).
  - Secrets are masked on the host. In C(config.json), everything below a key that looks like a secret is masked, such
    as C(password) and C(token_secret). These values, and the values of such environment variables, are also masked in
    all other files.
  - A C(config.json) that is not valid JSON is not fetched.
  - Links, FIFOs, devices, and files of strangers are not opened. RV(files) reports what is missing and why.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
attributes:
  check_mode:
    details:
      - This module does not change the host. It also writes to the controller in check mode.
options:
  since:
    description:
      - Start of the time range, in ISO 8601 format, in the time zone of the host or with a time zone, or in seconds
        since the epoch.
      - The default is one day before O(until).
    type: str
  until:
    description:
      - End of the time range, in the format of O(since). The default, and the latest possible value, is the current
        time.
    type: str
  dest:
    description:
      - Directory on the controller. The bundle is written to C(<inventory_hostname>/<instance id>) below this
        directory.
      - Directories are created with mode 0700, and files with mode 0600. Files of an earlier bundle are replaced.
    type: str
    required: true
notes:
  - Of each log, at most the newest 2 MiB are fetched.
  - Secrets with fewer than four characters are not masked in logs. A secret that is no longer in C(config.json) is
    masked only if it follows a word such as C(password), or is part of a URL.
  - Everything else in the logs is fetched unchanged, such as IP addresses of visitors. Review the files before you
    share them.
seealso:
  - module: anqicms.lifecycle.oom_check
"""

EXAMPLES = r"""
- name: Fetch the evidence for a bug report
  anqicms.lifecycle.evidence:
    dir: /www/wwwroot/shop.example
    since: "2026-01-31T01:00:00"
    dest: /root/reports
"""

RETURN = r"""
id:
  description: The ID of the instance.
  returned: success
  type: str
  sample: 4b1d0a7e-shop.example
path:
  description: The directory on the controller that contains the bundle.
  returned: success
  type: str
  sample: /root/reports/web1.example/4b1d0a7e-shop.example
files:
  description: The files of the bundle.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the file.
      type: str
    bytes:
      description: Size of the file.
      type: int
    cut:
      description: Number of bytes of the time range that were left out. The oldest bytes are left out.
      type: int
    why_not:
      description: Why the file was not written, or not read completely. V(null) if it was.
      type: str
  sample:
    - name: running.log
      bytes: 20311
      cut: 0
      why_not: null
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import bundle


def main() -> None:
    module = _module.Module(argument_spec=_module.common_spec(**bundle.SPEC), supports_check_mode=True)
    on_instance.look_at_instance(module, bundle.collect)


if __name__ == '__main__':
    main()
