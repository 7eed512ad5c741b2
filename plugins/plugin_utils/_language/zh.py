# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The Chinese texts that no other file has, by the English ones. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {}
