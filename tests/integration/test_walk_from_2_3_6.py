# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade of 2.3.6, disturbed at every point of its way. In a file of its own: processes share them."""

from __future__ import annotations

import pytest
from integration.walking import MANNERS, Walk

pytestmark = pytest.mark.parametrize("walk", ["2.3.6"], indirect=True, scope="module")


@pytest.mark.soak
@pytest.mark.parametrize("manner", MANNERS)
def test_every_point(walk: Walk, manner: str) -> None:
    walk.go(manner)
