# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""run.json keeps to its public schema, and the queries of the documentation work on it."""

from __future__ import annotations

import json
import re
from typing import Any, Callable

import jmespath
import jsonschema
import paths
import pytest
import report_documents as documents
from report_documents import Row

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document, report

GUIDE = (paths.ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^### ([^\n]+)\n+```text\n(.+?)\n```\n+```json\n(.+?)\n```", re.MULTILINE | re.DOTALL)


def schema(name: str) -> Row:
    found: Row = json.loads((paths.ROOT / "docs" / f"{name}-report.schema.json").read_text(encoding="utf-8"))
    return found


def test_schemas_are_valid() -> None:
    for name in ("run", "diagnosis"):
        jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize(
    "make", [documents.good, documents.upgraded, documents.bad, documents.plan_only, documents.diagnosed]
)
def test_documents_keep_to_the_schema(make: Callable[[], Row]) -> None:
    found = make()
    name = "diagnosis" if found["verb"] == "diagnose" else "run"
    jsonschema.Draft202012Validator(schema(name)).validate(json.loads(json.dumps(found)))


def test_schema_knows_every_key_and_requires_it() -> None:
    instance = schema("run")["properties"]["instances"]["items"]
    assert set(instance["properties"]) == set(instance["required"]) == set(document.EMPTY)
    assert set(schema("run")["required"]) == set(documents.good())
    assert set(schema("run")["properties"]["totals"]["properties"]) == set(document.OUTCOMES)
    assert schema("run")["properties"]["schema"]["const"] == document.SCHEMA
    assert set(instance["properties"]["why"]["enum"]) == {"", *document.LEFT_OUT}


@pytest.mark.parametrize("key", ["downtime_ms", "host", "outcome"])
def test_schema_refuses_a_document_without_a_key(key: str) -> None:
    found = documents.good(2)
    del found["instances"][1][key]
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.Draft202012Validator(schema("run")).validate(found)


@pytest.mark.parametrize(("title", "query", "answer"), EXAMPLE.findall(GUIDE))
def test_queries_of_the_guide(title: str, query: str, answer: str) -> None:
    assert jmespath.search(" ".join(query.split()), documents.bad()) == json.loads(answer), title


def test_guide_has_the_queries() -> None:
    assert len(EXAMPLE.findall(GUIDE)) >= 3


@pytest.mark.parametrize("key", ["downtime_ms", "verified_ms", "began_at", "ended_at", "host", "version", "outcome"])
def test_whatever_became_of_instances_they_can_be_sorted(key: str) -> None:
    found = documents.bad()
    ordered = jmespath.search(f"sort_by(instances, &{key})[].{key}", found)
    assert ordered == sorted(ordered) and len(ordered) == len(found["instances"])


# --- artifacts


def artifact(found: Row) -> tuple[str, Row]:
    ((name, value),) = report.artifacts(found, words.of("en"), "UTC").items()
    return name, value


def test_artifact_is_the_document_with_the_page() -> None:
    name, value = artifact({**documents.good(), "run_id": "4711"})
    assert name == "anqicms_report_4711"
    assert value["html"].startswith("<!DOCTYPE html>") and len(value["instances"]) == 12
    jsonschema.Draft202012Validator(schema("run")).validate(value)


def test_name_of_an_artifact_is_one_of_a_variable() -> None:
    name, _value = artifact(documents.hostile())
    assert name.isidentifier()


@pytest.mark.parametrize(
    ("count", "has_page", "is_short"), [(40, True, False), (200, False, False), (1000, False, True)]
)
def test_artifact_stays_small(count: int, has_page: bool, is_short: bool) -> None:
    found = many(count)
    _name, value = artifact(found)
    assert ("html" in value, "shortened" in value) == (has_page, is_short)
    assert len(json.dumps(value)) < report.MOST_JSON + report.MOST_HTML
    assert [row["downtime_ms"] for row in value["instances"]] == [row["downtime_ms"] for row in found["instances"]]
    assert found["instances"][0]["steps"], "the document itself stays whole"


def many(count: int) -> Row:
    rows: list[dict[str, Any]] = [
        documents.record(f"web{number}.example", "shop", documents.BEGAN + number) for number in range(count)
    ]
    return document.make(document.Head("1", "restart", began_at=1.0, ended_at=2.0), [], rows)
