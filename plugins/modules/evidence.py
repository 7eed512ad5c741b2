#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: evidence
short_description: Fetch what tells of the death of one AnQiCMS instance, without its secrets
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms)
description:
  - Writes a bundle of files to the controller. The answers of M(anqicms.lifecycle.instance_info),
    M(anqicms.lifecycle.oom_check) and M(anqicms.lifecycle.log_check) as JSON, the parts of the instance's logs that
    overlap the window, the lines of the system's logs that concern memory or a crash, and C(config.json).
  - Secrets are masked on the host. In C(config.json) everything below a key that looks like one, such as C(password)
    and C(token_secret). What stands there, and in such variables of the environment, is looked for in all other files,
    too.
  - A C(config.json) that is no valid JSON is not fetched.
  - Links, FIFOs, devices and files of strangers are not opened. RV(files) says what is missing and why.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
attributes:
  check_mode:
    details:
      - This module does not change the host. It writes to the controller in check mode, too.
options:
  since:
    description:
      - Begin of the window, in ISO 8601, in the time zone of the host or with a zone, or seconds since the epoch.
      - The default is a day before O(until).
    type: str
  until:
    description:
      - End of the window, as O(since). The default, and the latest, is now.
    type: str
  dest:
    description:
      - Directory on the controller. The bundle lies below it in C(<inventory_hostname>/<instance id>).
      - Directories are made with mode 0700, files with 0600; files of an earlier bundle are replaced.
    type: str
    required: true
notes:
  - A log part has 2 MiB at most, its newest.
  - Secrets of less than four characters are not looked for in logs, and a secret that C(config.json) does not hold any
    more is found only where it follows a word like C(password), or stands in an address.
  - Everything else in the logs is fetched as it is, such as addresses of visitors. Look at it before you give it to
    others.
seealso:
  - module: anqicms.lifecycle.oom_check
"""

EXAMPLES = r"""
- name: Fetch what a report to the authors needs
  anqicms.lifecycle.evidence:
    dir: /www/wwwroot/shop.example
    since: "2026-01-31T01:00:00"
    dest: /root/reports
"""

RETURN = r"""
id:
  description: The instance id.
  returned: success
  type: str
  sample: 4b1d0a7e-shop.example
path:
  description: The directory on the controller that was written to.
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
      description: Its size.
      type: int
    cut:
      description: Bytes of the window that were left out, the oldest.
      type: int
    why_not:
      description: Why it was not written, or not read to its end; V(null) when it was.
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
