# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether systemd ends what is left in a service when the instance ends."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import units


@pytest.mark.parametrize(
    'fields,ends',
    [
        (dict(MainPID='7', KillMode='control-group'), True),
        (dict(MainPID='3', KillMode='mixed'), True),  # a shell above it
        (dict(MainPID='0', KillMode='control-group'), True),  # it has ended already
        (dict(MainPID='8', KillMode='control-group'), False),  # a job runner that goes on
        (dict(MainPID='7', KillMode='process'), False),
        (dict(MainPID='7', KillMode='none'), False),
        (dict(MainPID='x', KillMode='control-group'), True),
        (dict(), True),  # systemd could not be asked
    ],
)
def test_what_ends_with_it(fields: t.Dict[str, str], ends: bool) -> None:
    assert units.ends_with(fields, [7, 3]) is ends
