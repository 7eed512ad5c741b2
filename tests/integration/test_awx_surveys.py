# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The surveys of the AWX kit, and the rules by which AWX takes questions and answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
import surveys as generated
from awx_double import habits, surveys
from awx_double.resources import RESOURCES
from awx_double.server import Api
from awx_double.store import Refused, Store

NEVER = {"instances", "site_proxy", "config", "releases", "notify", "serial_by", "hosts", "state_dir", "user", "report"}


# --- the files of the kit


@pytest.mark.parametrize("verb", generated.verbs())
def test_committed_survey_is_the_generated_one(verb: str) -> None:
    assert generated.path_of(verb).read_text(encoding="utf-8") == generated.written(verb), "run tests/tools/surveys.py"


def test_there_is_no_other_survey() -> None:
    assert {path.stem for path in generated.SURVEYS.iterdir()} == set(generated.verbs())


@pytest.mark.parametrize("verb", generated.verbs())
def test_an_unanswered_survey_sets_nothing(verb: str) -> None:
    """A default would be an answer, which overrides the inventory of every host."""
    survey = generated.survey(verb)
    assert surveys.errors_of(survey) == []
    launched = surveys.launch(survey, {})
    assert launched.extra_vars == {}
    assert len(launched.errors) == (verb == "rollback")
    assert not {question["variable"] for question in survey["spec"]} & {f"anqicms_{name}" for name in NEVER}


def test_a_question_says_what_counts_without_an_answer() -> None:
    questions = {question["variable"]: question for question in generated.questions("restart")}
    assert questions["anqicms_force"]["question_description"].endswith("or else the default of the role: idle.")
    assert questions["anqicms_serial"]["question_description"].endswith("default of the role: 1,10%,25%.")
    assert questions["anqicms_only_if_needed"]["choices"] == ["true", "false"]
    assert questions["anqicms_only"]["type"] == "textarea"
    for verb in generated.verbs():
        for question in generated.questions(verb):
            text = question["question_description"]
            assert text.isprintable() and "#" not in text and "(anqicms" not in text, text


# --- what AWX takes

QUESTIONS: dict[str, dict[str, Any]] = {
    kind: {"variable": "x", "question_name": "x", "required": False, "type": kind, **more}
    for kind, more in {
        "text": {}, "textarea": {}, "password": {}, "integer": {}, "float": {},
        "multiplechoice": {"choices": ["true", "false"]}, "multiselect": {"choices": ["a", "b"]},
    }.items()
}  # fmt: skip


@pytest.mark.parametrize(("kind", "taken", "refused"), [
    ("text", ["a", ""], [None, [], 3]), ("textarea", ["a\nb", ""], [None, ["a"]]), ("password", ["x", ""], [None, []]),
    ("integer", [3], ["", None, "3", True]), ("float", [5, 5.5], ["", None, "5.5"]),
    ("multiplechoice", ["true"], ["", None, True, "maybe"]), ("multiselect", [["a"], []], ["", "a", ["c"]]),
])  # fmt: skip
def test_answers_that_awx_takes_and_refuses(kind: str, taken: list[Any], refused: list[Any]) -> None:
    survey = {"spec": [QUESTIONS[kind]]}
    assert [surveys.launch(survey, {"x": answer}) for answer in taken] == [({"x": one}, {}, []) for one in taken]
    assert all(surveys.launch(survey, {"x": answer}).errors for answer in refused)


@pytest.mark.parametrize(("kind", "default", "sent"), [
    ("text", "a", True), ("text", "", True), ("textarea", "", True), ("integer", 3, True), ("integer", "", False),
    ("float", "", False), ("multiplechoice", "true", True), ("multiplechoice", "", False),
    ("multiselect", ["a"], False),
])  # fmt: skip
def test_defaults_that_are_sent_as_answers(kind: str, default: Any, sent: bool) -> None:
    survey = {"spec": [{**QUESTIONS[kind], "default": default}]}
    assert surveys.launch(survey, {}).extra_vars == ({"x": default} if sent else {})


def test_required_lets_a_blank_text_through() -> None:
    survey = {"spec": [{**QUESTIONS["text"], "required": True}]}
    assert surveys.launch(survey, {}).errors and not surveys.launch(survey, {"x": ""}).errors


@pytest.mark.parametrize(("asks", "extra_vars", "ignored"), [(False, {}, {"y": None}), (True, {"y": None}, {})])
def test_a_foreign_variable_is_dropped_or_unchecked(asks: bool, extra_vars: Any, ignored: Any) -> None:
    assert surveys.launch({"spec": [QUESTIONS["text"]]}, {"y": None}, asks) == (extra_vars, ignored, [])


@pytest.mark.parametrize("survey", [
    {}, {"spec": []}, {"name": "", "description": "", "spec": []},
    *({"name": "", "description": "", "spec": [{**QUESTIONS["text"], **wrong}]} for wrong in (
        {"default": None}, {"min": "0"}, {"type": "bool"}, {"type": "integer", "default": "3"},
        {"type": "multiplechoice"},
    )),
    {"name": "", "description": "", "spec": [QUESTIONS["text"], QUESTIONS["float"]]},
])  # fmt: skip
def test_surveys_that_awx_refuses_to_save(survey: Any) -> None:
    assert surveys.errors_of(survey)
    with pytest.raises(Refused):
        habits.save_survey({}, survey)


# --- the double


def refusal(api: Api, method: str, path: str, **sent: Any) -> str:
    status, answer = api.answer(method, f"/api/v2/{path}/", {}, sent)
    assert 400 <= status < 500, answer
    return json.dumps(answer)


def made(api: Api, collection: str, **sent: Any) -> int:
    status, answer = api.answer("POST", f"/api/v2/{collection}/", {}, sent)
    assert status == 201, answer
    return int(answer["id"])


def test_the_double_refuses_what_awx_refuses() -> None:
    api = Api(Store({"a.yml"}))
    project = made(api, "projects", name="p", organization=1)
    template = {"name": "t", "project": project}
    assert "Playbook not found" in refusal(api, "POST", "job_templates", **template, playbook="b.yml")
    number = made(api, "job_templates", **template, playbook="a.yml")
    assert "already exists" in refusal(api, "POST", "job_templates", **template, playbook="a.yml")
    assert "does not exist" in refusal(api, "POST", "labels", name="l", organization=99)
    assert "required" in refusal(api, "POST", "labels", name="l")
    workflow = made(api, "workflow_job_templates", name="w")
    node = {"workflow_job_template": workflow, "unified_job_template": number, "limit": "x"}
    assert "not configured to prompt" in refusal(api, "POST", "workflow_job_template_nodes", **node)
    assert "not allowed" in refusal(api, "POST", f"workflow_job_templates/{workflow}/launch", limit="x")
    assert "'pull'" in refusal(api, "PATCH", "execution_environments/3", image="x")
    assert "Not found" in refusal(api, "GET", "workflow_approval_templates/9/success_nodes")


def test_the_double_drops_what_the_template_does_not_ask_for() -> None:
    api = Api(Store({"a.yml"}))
    project = made(api, "projects", name="p", organization=1)
    number = made(api, "job_templates", name="t", project=project, playbook="a.yml")
    status, answer = api.answer("POST", f"/api/v2/job_templates/{number}/launch/", {}, {"extra_vars": {"anqicms_x": 1}})
    assert (status, answer["extra_vars"], answer["ignored_fields"]) == (201, {}, {"extra_vars": {"anqicms_x": 1}})


def test_the_table_of_resources_refers_to_itself() -> None:
    for resource in RESOURCES.values():
        assert {*resource.refers, *resource.required, *resource.unique} - {"organization"} <= set(resource.fields)
        assert {*resource.refers.values(), *resource.lists.values()} <= set(RESOURCES)
