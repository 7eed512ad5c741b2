# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What an instance is: one install directory with one binary."""

import hashlib
import os
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError


class Instance(t.NamedTuple):
    """``dir`` is a real path (no links in it); ``id`` is short, readable and the same on every run."""

    dir: str
    binary: str
    id: str

    @property
    def executable(self) -> str:
        return os.path.join(self.dir, self.binary)


def instance_id(directory: str, binary: str) -> str:
    """``<8 hex digits>-<base name of the directory>``, fit for a file name."""
    digest = hashlib.sha256(os.fsencode(directory + '\0' + binary)).hexdigest()[:8]
    return '%s-%s' % (digest, re.sub(r'[^A-Za-z0-9._-]', '_', os.path.basename(directory))[:40])


def resolve(directory: str, binary: str = 'anqicms') -> Instance:
    """The instance of a directory.

    Raises LifecycleError when the directory is missing or not one, or ``binary`` is not a plain file name. The binary
    itself may be missing: a running instance whose file was replaced must still be found.
    """
    if not binary or '/' in binary or binary in ('.', '..') or '\0' in binary:
        raise LifecycleError('binary must be a file name inside dir, got %r. Nothing was done.' % (binary,))
    real = os.path.realpath(directory)
    if not os.path.isdir(real):
        raise LifecycleError('The install directory %s does not exist or is not a directory. Nothing was done. '
                             'Give the directory that holds the %s binary as dir.' % (directory, binary))
    return Instance(real, binary, instance_id(real, binary))
