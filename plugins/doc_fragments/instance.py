# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that identify one instance on a host. A module that does not require one of them overrides it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  dir:
    description:
      - Install directory of the instance.
      - The real path of this directory and O(binary) identify the instance. The name of a process never does.
    type: path
    required: true
  binary:
    description:
      - Name of the executable of the instance in O(dir).
    type: str
    default: anqicms
  port:
    description:
      - TCP port of the instance. Needed only to distinguish two processes of the same executable that were started with
        C(-port).
      - This number does not determine which port the module uses. The listening port is read from the sockets of the
        process. The port of the next start is the value of C(-port) in the arguments of the running or last seen
        process, or the port in C(config.json) if there is no such argument.
      - If the number is neither the listening port nor the port of the next start, the module fails before it changes
        anything.
      - The number is used instead of these ports only if neither the sockets nor C(config.json) can be read.
    type: int
  user:
    description:
      - Name or user ID of the user who runs the instance. Needed only if the user cannot be determined in another way.
      - Without this option, the users of an instance are the owner of its directory, the user of the last start that
        this collection verified, and the C(User=) of the systemd unit that runs the instance. If only root can write to
        the directory, the owners of C(config.json), C(data/), and the log are also users of the instance. Root is also
        a user of the instance for a process that was executed by the path of the instance.
      - A process of any other user that executes the binary is a stranger. It is reported, and never signalled or
        recorded.
      - The instance is started as this user.
    type: str
  state_dir:
    description:
      - Directory of the trusted state, such as launch records, the process history, and journals.
      - This directory and all directories above it must be owned by root or by the user who runs the module, and must
        not be writable by anyone else.
      - The users of the instances must be able to traverse this directory, because the protection of sibling instances
        during a start requires it.
      - The default is C(/var/lib/anqicms-lifecycle) for root and C(~/.local/state/anqicms-lifecycle) for other users.
    type: path
"""
