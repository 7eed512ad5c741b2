# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The exceptions that the work raises and modules turn into a failed result."""

import typing as t

NOTHING_DONE = 'Nothing was stopped or started.'  # in messages of all that is refused before a start


class LifecycleError(Exception):
    """What was seen, what was not done, what to do next; ``result`` goes into the module's result as it is."""

    def __init__(self, msg: str, **result: t.Any) -> None:
        Exception.__init__(self, msg)
        self.msg = msg
        self.result = result


class NotYet(LifecycleError):
    """What stands in the way of a start can pass by itself: a database that is down, a held port, a busy file."""


_T = t.TypeVar('_T')


def present(value: t.Optional[_T]) -> _T:
    """A value that an earlier step has set; that it is missing would be a defect of ours."""
    if value is None:
        raise AssertionError('a value is missing that an earlier step should have set')
    return value
