# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the waits before a signal share: their limit, which in a window is its deadline at most."""

import contextlib
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context


class Waiting:
    """``option`` is the one that ``seconds`` come from. ``begin``: when what is waited for was first seen."""

    option = ''

    def __init__(self, context: Context, handle: process.ProcessHandle, seconds: float) -> None:
        self.context, self.handle, self.seconds = context, handle, seconds
        self.begin: t.Optional[float] = None
        self.waited = self.told_at = 0.0
        self._since: t.Optional[float] = None  # of the wait that is under way

    @contextlib.contextmanager
    def _counting(self) -> t.Iterator[None]:
        self._since = time.monotonic()
        try:
            yield
        finally:
            self.waited += time.monotonic() - self._since
            self._since = None

    def _waited_ms(self) -> int:
        """Of all waits, a refusal in the middle of one too."""
        now = 0.0 if self._since is None else time.monotonic() - self._since
        return round((self.waited + now) * 1000)

    def _end(self) -> float:
        end = (self.begin or 0.0) + self.seconds
        until = self.context.run.until
        return end if until is None else min(end, until)

    def _limit(self) -> str:
        until = self.context.run.until
        if until is not None and until <= (self.begin or 0.0) + self.seconds:
            return 'until the deadline of the window'
        return 'and %s is %g s' % (self.option, self.seconds)
