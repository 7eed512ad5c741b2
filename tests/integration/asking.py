# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of site_check share: an instance with two sites, and the question as a step of a window asks it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import windows
from instance import Instance, make_instance
from mariadb import MariaDB
from websites import Sites

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import check as _site_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import validate

Row = dict[str, Any]
FIRST, SECOND = {"host": "first.example", "id": 1}, {"host": "second.example", "id": 2}


def prepared(directory: Path, db: MariaDB, version: str = "3.5.8") -> Sites:
    """An instance with first.example and second.example, stopped."""
    instance = make_instance(directory, version, db=db, database=f"s_{os.urandom(4).hex()}")
    instance.start()
    instance.kill()
    sites = Sites(instance, db)
    sites.configure(base_url="http://first.example", site_name="Site 1")
    sites.add(2, "second.example")
    sites.article(2, 7)
    return sites


def started(instance: Instance) -> None:
    """Start it without a wait for its version, which an admin host keeps back."""
    instance.start(wait=0)
    listens = windows.within(20, lambda: socket.socket().connect_ex(("127.0.0.1", instance.port)) == 0)
    assert listens, instance.log_text()


def options(**given: Any) -> Row:
    """The options with their defaults, as a step of a window gets them."""
    ((_name, values),) = validate.validate([{"site_check": given}], set())
    return values


def check(instance: Instance, *sites: Row, **given: Any) -> list[Row]:
    """One row for each site, whatever the verdict is."""
    context = windows.context_of(instance)
    try:
        return list(_site_check.check(context, options(**({"sites": list(sites)} if sites else {}), **given))["sites"])
    except LifecycleError as error:
        assert "sites" in error.result, error.msg
        return list(error.result["sites"])
    finally:
        context.close()
