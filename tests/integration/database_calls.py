# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the module database share: calls of it, its refusals, and a step that destroys a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import windows
from instance import Instance
from integration.databases import SECRET
from mariadb import MariaDB

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import database
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import client
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import validate


def options(state: str, **given: Any) -> dict[str, Any]:
    ((_name, values),) = validate.validate([{"database": dict(given, state=state)}], set())
    return values


def call(instance: Instance, state: str, check: bool = False, **given: Any) -> dict[str, Any]:
    context = windows.context_of(instance)
    try:
        context.state.make()
        return (database.foresee if check else database.work)(context, options(state, **given))
    finally:
        context.close()


def refused(instance: Instance, state: str = "dumped", **given: Any) -> str:
    """The message of the refusal; nothing is left behind by it."""
    before = sorted(instance.dir.parent.parent.rglob("*.sql*"))
    with pytest.raises(LifecycleError) as caught:
        call(instance, state, check=True, **given)
    assert "Nothing was done" in caught.value.msg and SECRET not in str(caught.value.result) + caught.value.msg
    assert sorted(instance.dir.parent.parent.rglob("*.sql*")) == before
    return caught.value.msg


def destroying(db: MariaDB, instance: Instance, place: Path) -> dict[str, Any]:
    """A step that does to the database what a migration does."""
    options = place / "root.cnf"
    login = f"port={db.port}\nuser={db.user}\npassword={db.password}\n"
    options.write_text(f"[client]\nprotocol=tcp\nhost=127.0.0.1\n{login}")
    options.chmod(0o600)
    statements = (
        "DROP TABLE admins; ALTER TABLE archives ADD COLUMN more int; DELETE FROM archives; CREATE TABLE n (i int)"
    )
    words = [client.find().query, f"--defaults-file={options}", "-e", statements, instance.database]
    return {"command": {"argv": words}}
