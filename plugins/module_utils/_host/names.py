# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Names of users, for people to read."""

import pwd
import typing as t


def user_name(uid: int) -> str:
    """The user's name, its number as text where it has none."""
    return _known(uid) or str(uid)


def name_of(uid: int) -> str:
    """The same for messages, where a number alone would say nothing: the number with what it is."""
    return _known(uid) or 'user id %d' % uid


def _known(uid: int) -> t.Optional[str]:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
