#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: port_released
short_description: Wait until a new AnQiCMS instance can bind its port
version_added: 0.1.0
description:
  - Waits until the bind that a new instance will perform succeeds. While it does not succeed, the module identifies
    what holds the port.
  - The verdict is the result of that bind itself (all addresses of both families on one socket, with C(SO_REUSEADDR)).
    The module never listens on the port, so that it does not disturb a start at the same moment. It opens no connection
    while something holds the port.
  - The release of the port is detected within milliseconds, by events from the kernel.
  - Connections in C(TIME_WAIT) and accepted connections that outlive their listener do not prevent a start. They are
    only reported.
extends_documentation_fragment:
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.run
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
options:
  dir:
    description:
      - Install directory of the instance whose port to check. Required only if neither O(ports) nor O(port) is set.
      - If O(port) is also set, it must be the port of the instance, of its next start, or of its last process.
    type: path
    required: false
  ports:
    description:
      - The ports that must be free, all at the same time. Takes precedence over O(port).
    type: list
    elements: int
  address:
    description:
      - The IP address that the new process binds. AnQiCMS binds V(::), which means all addresses, including those of
        IPv4.
    type: str
    default: '::'
  timeout:
    description:
      - Maximum time to wait, in seconds. With V(0), the module checks once.
      - If a port is still held after this time, the module fails, and the result contains the holders.
    type: float
    default: 30.0
attributes:
  check_mode:
    support: full
    details:
      - Checks once and does not wait. In check mode, a port that is held does not make the module fail, and
        RV(released) is V(false).
  diff_mode:
    support: N/A
    details:
      - This module does not change the host.
  idempotent:
    support: full
    details:
      - This module does not change the host. C(changed) is always V(false).
notes:
  - An unprivileged user cannot see the process behind a socket of another user. The user is reported, and
    RV(holders[].pid) is V(null).
  - After a wait, the module continues to observe the ports for 150 ms. If another process binds a port during that
    time, the module fails, and the result contains that process.
  - Sockets that are bound but do not listen are shown only by Linux 6.8 and later. They hold the port in any case.
seealso:
  - module: anqicms.lifecycle.graceful_stop
  - module: anqicms.lifecycle.verified_start
  - module: ansible.builtin.wait_for
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
"""

EXAMPLES = r"""
- name: Wait until the port of the instance can be bound again
  anqicms.lifecycle.port_released:
    dir: /www/wwwroot/shop.example

- name: Wait at most ten seconds for two ports at once
  anqicms.lifecycle.port_released:
    ports: [8001, 8002]
    timeout: 10

- name: Check once and continue in any case
  anqicms.lifecycle.port_released:
    port: 8001
    timeout: 0
  register: port
  failed_when: false

- name: Show what holds the port
  ansible.builtin.debug:
    var: port.holders
  when: not port.released
"""

RETURN = r"""
released:
  description:
    - Whether a new process can bind all ports now.
    - V(null) if this cannot be determined, for example because this user is not allowed to bind a port below 1024.
  returned: always, unless the options are invalid
  type: bool
  sample: true
waited_ms:
  description: Time until the verdict, in milliseconds.
  returned: always, unless the options are invalid
  type: int
  sample: 21
holders:
  description:
    - What keeps the ports from being bound, with one entry for each socket and process. Empty if RV(released) is
      V(true).
  returned: always, unless the options are invalid
  type: list
  elements: dict
  contains:
    pid:
      description: Process ID. V(null) if the process is not visible or no process has the socket open.
      type: int
    exe:
      description: Executable of the process. V(null) if it is not visible.
      type: str
    cwd:
      description: Working directory of the process. V(null) if it is not visible.
      type: str
    user:
      description: User of the process, or the creator of the socket if the process is not visible.
      type: str
    state:
      description: State of the socket, such as V(LISTEN), V(BOUND), or V(ESTABLISHED).
      type: str
    address:
      description: Local address of the socket.
      type: str
    port:
      description: Local port of the socket.
      type: int
    inode:
      description: Inode number of the socket, as in C(/proc/PID/fd).
      type: int
    note:
      description:
        - Additional information about the holder, such as a systemd socket unit, a container behind docker-proxy, or an
          inherited descriptor.
      type: str
  sample:
    - pid: 4711
      exe: /www/wwwroot/shop.example/anqicms
      cwd: /www/wwwroot/shop.example
      user: www
      state: LISTEN
      address: "::"
      port: 8001
      inode: 812345
      note:
connections:
  description: Number of sockets that have one of the ports as their local port, by TCP state, without listeners.
  returned: always, unless the options are invalid
  type: dict
  sample:
    TIME_WAIT: 12
drained:
  description: Whether all connections of the former server are closed. C(TIME_WAIT) is ignored.
  returned: always, unless the options are invalid
  type: bool
  sample: true
note:
  description: Explanation of the verdict and of unexpected conditions, in sentences. Empty if there is nothing to
    report.
  returned: always, unless the options are invalid
  type: str
  sample: 12 connection(s) in TIME_WAIT do not hinder a start.
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import port_released


def main() -> None:
    module = _module.Module(
        argument_spec=port_released.SPEC,
        required_one_of=[('dir', 'port', 'ports')],
        supports_check_mode=True,
    )
    _module.run(module, lambda: port_released.work(module.params, module.check_mode))


if __name__ == '__main__':
    main()
