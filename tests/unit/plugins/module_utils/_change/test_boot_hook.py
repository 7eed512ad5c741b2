# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import boot_hook


@pytest.mark.parametrize(
    "word,unit,cron",
    [
        ("/var/lib/a_b-c.d/boot/recover.py", "/var/lib/a_b-c.d/boot/recover.py", "/var/lib/a_b-c.d/boot/recover.py"),
        ("/srv/my state/x", '"/srv/my state/x"', "'/srv/my state/x'"),
        ("/srv/100%/x", '"/srv/100%%/x"', "/srv/100\\%/x"),
        ('/srv/$HOME/"\\', '"/srv/$$HOME/\\"\\\\"', "'/srv/$HOME/\"\\'"),
    ],
)
def test_words_of_a_command(word: str, unit: str, cron: str) -> None:
    assert (boot_hook.for_systemd(word), boot_hook.for_cron(word)) == (unit, cron)
