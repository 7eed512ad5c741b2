# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that name one instance on a host; where one is not required, the module says so itself, and that wins."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  dir:
    description:
      - Install directory of the instance.
      - Its real path together with O(binary) is what identifies an instance; the name of a process never does.
    type: path
    required: true
  binary:
    description:
      - Name of the instance's executable in O(dir).
    type: str
    default: anqicms
  port:
    description:
      - TCP port of the instance. It is needed only to tell two processes of one executable apart that were started with
        C(-port).
      - The number does not decide where the instance is looked for. What it listens on is read from the sockets of its
        process. The port of its next start is C(-port) in the arguments of the running or last seen process, and where
        there is none that of C(config.json).
      - A number that is neither of the two is refused before anything is touched.
      - It is used in their place only where neither the sockets nor C(config.json) can be read.
    type: int
  user:
    description:
      - Name or number of the user who runs the instance. It is needed only where nothing else says who that is.
      - Without it the users of an instance are the owner of its directory, in a directory that root alone can write
        also the owners of C(config.json), C(data/) and its log, C(User=) of the systemd unit that runs it, and the
        user of the last start that this collection has proved. Root is one too, for a process that was executed by the
        path of the instance.
      - A process of anybody else that executes the binary is a stranger. It is shown, and never signalled or recorded.
      - A start is made as this user.
    type: str
  state_dir:
    description:
      - Directory of the trusted state, such as launch records, process history and journals.
      - It and all directories above it must belong to the user who runs the module or to root, and nobody else may be
        able to write to them.
      - Users of instances must be able to pass through it, for the protection of siblings at a start.
      - The default is C(/var/lib/anqicms-lifecycle) for root and C(~/.local/state/anqicms-lifecycle) for other users.
    type: path
"""
