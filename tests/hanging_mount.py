# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Describes all instances with one install directory on a file system that never answers.

Run it in a mount namespace of its own: `unshare -m python hanging_mount.py TREE SEARCH STATE DIR`. Prints the rows.
"""

import ctypes
import faulthandler
import json
import os
import sys


def mount(place: str) -> None:
    """A file system of a program that reads no request."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % os.open("/dev/fuse", os.O_RDWR)
    if libc.mount(b"hanging", os.fsencode(place), b"fuse", 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    tree, search, state, directory = sys.argv[1:]
    sys.path.insert(0, tree)
    mount(directory)
    faulthandler.dump_traceback_later(40, exit=True)
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe

    print(json.dumps(describe.describe_all([search], base=state, recorded=True)))
