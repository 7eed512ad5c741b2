# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of instance_info share: instances below one directory, and a look at one of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import paths
from instance import Instance, make_instance

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe as _describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

Row = dict[str, Any]


def sites(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """For fixtures: make instances below one directory; all end with the test."""
    made: list[Instance] = []

    def make(version: str = "3.5.8", name: str = "site", **knobs: Any) -> Instance:
        instance = make_instance(tmp_path / "www" / name, version)
        instance.knobs(no_database=True, **knobs)
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.kill()


def looking(tmp_path: Path) -> Callable[..., Row]:
    """For fixtures: look at an instance as the module does."""

    def describe(instance: Instance, **options: Any) -> Row:
        return _describe.describe(resolve(str(instance.dir)), base=str(tmp_path / "state"), **options)

    return describe


def codes(row: Row) -> list[str]:
    return [hazard["code"] for hazard in row["hazards"]]


def hazard(row: Row, code: str) -> Row:
    return next(found for found in row["hazards"] if found["code"] == code)


def change(instance: Instance, text: str) -> None:
    (instance.dir / "config.json").write_text(text)
