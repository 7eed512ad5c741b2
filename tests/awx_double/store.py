# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects that the double keeps, with one sequence of ids for all of them, as AWX has for its templates."""

from __future__ import annotations

import copy
import itertools
from typing import Any, Iterable, Mapping

from awx_double.resources import GIVEN, RESOURCES

Row = dict[str, Any]


class Refused(Exception):
    """AWX does not do this; the answer says why."""

    def __init__(self, answer: Mapping[str, Any], status: int = 400) -> None:
        super().__init__(str(answer))
        self.answer, self.status = answer, status


class Store:
    """``playbooks``: what the project has once an update has succeeded. ``updates_fail``: no update succeeds."""

    def __init__(self, playbooks: Iterable[str] = (), updates_fail: bool = False) -> None:
        self.playbooks, self.updates_fail = frozenset(playbooks), updates_fail
        self.rows: dict[str, dict[int, Row]] = {name: {} for name in RESOURCES}
        self.lists: dict[tuple[int, str], list[int]] = {}
        self.updated: set[int] = set()
        self._numbers = itertools.count(1)
        for collection, rows in GIVEN.items():
            for row in rows:
                self.insert(collection, self.completed(collection, row))

    # --- reading

    def type_of(self, collection: str) -> str:
        return RESOURCES[collection].type

    def one(self, collection: str, number: Any) -> Row:
        row = self.rows.get(collection, {}).get(int(number))
        if row is None:
            raise Refused({"detail": "Not found."}, 404)
        return row

    def where(self, number: Any) -> str:
        """The collection of a template that jobs can be made of."""
        names = (name for name, resource in RESOURCES.items() if resource.unified and int(number) in self.rows[name])
        collection = next(names, None)
        if collection is None:
            raise Refused({"unified_job_template": [f'Invalid pk "{number}" - object does not exist.']})
        return collection

    def unified(self, number: Any) -> Row:
        return self.one(self.where(number), number)

    def find(self, collection: str, query: Mapping[str, str]) -> list[tuple[str, Row]]:
        """The objects with exactly these values, each with its collection; of keys with or__ one is enough."""
        unified = collection == "unified_job_templates"
        names = [name for name, resource in RESOURCES.items() if resource.unified] if unified else [collection]
        fields = {"id", "type"}.union(*(RESOURCES[name].fields for name in names))
        unknown = sorted(key for key in query if key.removeprefix("or__") not in fields)
        if unknown:
            raise Refused({"detail": f"No field to filter by: {', '.join(unknown)}."})
        found = [(name, row) for name in names for row in self.rows[name].values()]
        return [(name, row) for name, row in found if _matches({**row, "type": self.type_of(name)}, query)]

    # --- projects

    def playbooks_of(self, project: Any) -> frozenset[str]:
        """A manual project has its playbooks at once, one from a repository after an update."""
        row = self.one("projects", project)
        return self.playbooks if not row["scm_type"] or row["id"] in self.updated else frozenset()

    def update(self, project: int) -> str:
        if not self.updates_fail:
            self.updated.add(project)
        return self.status_of(project)

    def status_of(self, project: int) -> str:
        return "successful" if project in self.updated else "failed"

    # --- changing

    def completed(self, collection: str, sent: Mapping[str, Any]) -> Row:
        """The object with what AWX fills in, without what it does not know."""
        fields = RESOURCES[collection].fields
        return {**copy.deepcopy(dict(fields)), **{name: sent[name] for name in fields if name in sent}}

    def validate(self, collection: str, row: Row) -> None:
        resource = RESOURCES[collection]
        missing = {name: ["This field is required."] for name in resource.required if row[name] in (None, "")}
        if missing:
            raise Refused(missing)
        for name, other in resource.refers.items():
            if row[name] is not None and row[name] not in self.rows[other]:
                raise Refused({name: [f'Invalid pk "{row[name]}" - object does not exist.']})
        keys = [name for name in resource.unique if name in row]
        for other_row in self.rows[collection].values():
            same = keys and all(row[name] == other_row[name] for name in keys)
            if same and other_row["id"] != row.get("id"):
                raise Refused({"__all__": [f"{resource.type} with this {' and '.join(keys)} already exists."]})

    def insert(self, collection: str, row: Row) -> Row:
        row["id"] = next(self._numbers)
        self.rows[collection][row["id"]] = row
        return row

    def members(self, collection: str, number: int, name: str) -> list[int]:
        if name not in RESOURCES[collection].lists:
            raise Refused({"detail": "Not found."}, 404)
        return self.lists.setdefault((number, name), [])


def _matches(row: Row, query: Mapping[str, str]) -> bool:
    """A field that an object of this kind does not have matches nothing."""
    is_so = {key: str(row.get(key.removeprefix("or__"), "")) == value for key, value in query.items()}
    some = [same for key, same in is_so.items() if key.startswith("or__")]
    every = all(same for key, same in is_so.items() if not key.startswith("or__"))
    return every and (any(some) or not some)
