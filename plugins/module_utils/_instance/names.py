# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Names of users, for people to read."""

import pwd


def name_of(uid: int) -> str:
    """The user's name; for messages, where a number alone would say nothing, the number with what it is."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return 'user id %d' % uid
