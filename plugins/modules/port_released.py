#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: port_released
short_description: Wait until a new AnQiCMS instance can bind its port
version_added: 0.1.0
description:
  - Waits until the bind that a new instance will do succeeds, and names what holds the port while it does not.
  - The verdict is that bind itself (all addresses of both families on one socket, with C(SO_REUSEADDR)). The module
    never listens on the port, so a start at the same moment is not disturbed, and it opens no connection while
    something holds the port.
  - The end of the wait is seen within milliseconds, by events from the kernel.
  - Connections in C(TIME_WAIT) and accepted connections that outlive their listener do not hinder a start, and are
    only reported.
extends_documentation_fragment:
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
options:
  dir:
    description:
      - Install directory of the instance whose port is meant. Needed only when neither O(ports) nor O(port) is given.
      - With O(port) too, that must be the port of the instance, of its next start, or of its last process.
    type: path
    required: false
  ports:
    description:
      - The ports that must be free, all at the same time. Takes precedence over O(port).
    type: list
    elements: int
  address:
    description:
      - The IP address that the new process will bind. AnQiCMS binds V(::), which means all addresses, those of IPv4
        included.
    type: str
    default: '::'
  timeout:
    description:
      - How long to wait, in seconds. With V(0) the module looks once.
      - A port that is still held then makes the module fail, with the holders in the result.
    type: float
    default: 30.0
attributes:
  check_mode:
    support: full
    details:
      - Looks once and does not wait. A port that is held does not make the module fail in check mode, RV(released) is
        V(false) then.
  diff_mode:
    support: N/A
    details:
      - This module does not change the host.
  idempotent:
    support: full
    details:
      - This module does not change the host, C(changed) is always V(false).
notes:
  - As an unprivileged user the process behind a socket of another user is not visible. Its user is reported,
    RV(holders[].pid) is V(null).
  - After a wait the module looks on for 150 ms. A port that somebody else takes in that time makes it fail, with the
    new process in the result.
  - Sockets that are bound and do not listen are shown by Linux 6.8 and later only. They hold the port all the same.
seealso:
  - module: anqicms.lifecycle.graceful_stop
  - module: anqicms.lifecycle.verified_start
  - module: ansible.builtin.wait_for
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
"""

EXAMPLES = r"""
- name: Wait until the instance's port can be bound again
  anqicms.lifecycle.port_released:
    dir: /www/wwwroot/shop.example

- name: Wait for two ports at once, at most ten seconds
  anqicms.lifecycle.port_released:
    ports: [8001, 8002]
    timeout: 10

- name: Look once and go on whatever the answer is
  anqicms.lifecycle.port_released:
    port: 8001
    timeout: 0
  register: port
  failed_when: false

- name: Show who holds it
  ansible.builtin.debug:
    var: port.holders
  when: not port.released
"""

RETURN = r"""
released:
  description:
    - Whether a new process can bind all ports now.
    - V(null) when that cannot be told, for example because this user may not bind a port below 1024.
  returned: always, unless the options are wrong
  type: bool
  sample: true
waited_ms:
  description: Time until the verdict, in milliseconds.
  returned: as RV(released)
  type: int
  sample: 21
holders:
  description:
    - What keeps the ports from being bound, one entry for each socket and process. Empty when RV(released) is
      V(true).
  returned: as RV(released)
  type: list
  elements: dict
  contains:
    pid:
      description: The process, V(null) when it is not visible or no process has the socket open.
      type: int
    exe:
      description: Its executable, V(null) when that is not visible.
      type: str
    cwd:
      description: Its working directory, V(null) when that is not visible.
      type: str
    user:
      description: Its user; the maker of the socket when the process is not visible.
      type: str
    state:
      description: State of the socket, such as V(LISTEN), V(BOUND) or V(ESTABLISHED).
      type: str
    address:
      description: Local address of the socket.
      type: str
    port:
      description: Local port of the socket.
      type: int
    inode:
      description: Number of the socket, as in C(/proc/PID/fd).
      type: int
    note:
      description:
        - What else is known of it, such as a systemd socket unit, a container behind docker-proxy, or an inherited
          descriptor.
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
  description: How many sockets have one of the ports as their local port, by TCP state, without listeners.
  returned: as RV(released)
  type: dict
  sample:
    TIME_WAIT: 12
drained:
  description: Whether no connection of the former server is open any more. C(TIME_WAIT) does not count.
  returned: as RV(released)
  type: bool
  sample: true
note:
  description: What explains the verdict or may surprise, in sentences. Empty when there is nothing to say.
  returned: as RV(released)
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
