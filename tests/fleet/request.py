# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request in flight."""

from __future__ import annotations

import threading
import time

from instance import Instance


class Request(threading.Thread):
    """A request in the background; `outcome` is its status or the error's name."""

    def __init__(self, instance: Instance, path: str) -> None:
        super().__init__(daemon=True)
        self.outcome: int | str = ""
        self._instance, self._path = instance, path
        self.start()
        time.sleep(0.15)

    def run(self) -> None:
        try:
            self.outcome = self._instance.get(self._path, timeout=20)[0]
        except Exception as error:
            self.outcome = type(error).__name__
