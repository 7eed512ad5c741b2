# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The version of the files on disk: the first heading of CHANGELOG.md."""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir

NAME = 'CHANGELOG.md'
_HEADING = re.compile(
    r'^[ \t]{0,3}##[ \t]{0,9}\[?[ \t]{0,9}v?(\d{1,4}\.\d{1,4}\.\d{1,4}[0-9A-Za-z.+-]{0,32})',
    re.MULTILINE | re.IGNORECASE,
)


def newest(text: str) -> t.Optional[str]:
    """The version of the first ``## vX.Y.Z`` heading, without the v; None when there is none."""
    match = _HEADING.search(text)
    return match.group(1) if match else None


def read_version(directory: InstallDir, owners: t.Collection[int]) -> t.Optional[str]:
    """The version of an install directory's files, None when CHANGELOG.md does not tell. Never raises."""
    try:
        return newest(directory.head(NAME, owners, 65536).decode('utf-8', 'replace'))
    except (OSError, LifecycleError):
        return None
