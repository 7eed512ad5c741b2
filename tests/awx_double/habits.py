# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX does with objects besides keeping them: it fills in, hides, and refuses. Each habit was seen on AWX 24.6."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from awx_double import surveys
from awx_double.store import Refused, Row, Store

ENCRYPTED = "$encrypted$"
MESSAGES = ("started", "success", "error", "workflow_approval")
CONFIGURATION: Mapping[str, Mapping[str, Any]] = {
    "webhook": {"http_method": "POST", "disable_ssl_verification": False, "username": "", "password": "", "headers": {}}
}
PROMPTS = {"job_type": "ask_job_type_on_launch", "limit": "ask_limit_on_launch", "inventory": "ask_inventory_on_launch"}


# --- before an object is kept


def check(store: Store, collection: str, row: Row, sent: Mapping[str, Any]) -> None:
    """Raises Refused for an object that AWX does not take."""
    habit = _CHECKS.get(collection)
    if habit:
        habit(store, row, sent)


def _execution_environment(_store: Store, row: Row, sent: Mapping[str, Any]) -> None:
    if row["managed"] and set(sent) - {"pull"}:
        raise Refused({"detail": "Only the 'pull' field can be edited for managed execution environments."}, 403)


def _job_template(store: Store, row: Row, _sent: Mapping[str, Any]) -> None:
    if row["playbook"] not in store.playbooks_of(row["project"]):
        raise Refused({"playbook": ["Playbook not found for project."]})
    if row["job_slice_count"] < 1:
        raise Refused({"job_slice_count": ["Ensure this value is greater than or equal to 1."]})


def _node(store: Store, row: Row, sent: Mapping[str, Any]) -> None:
    """A node sets only what its template asks for at the launch."""
    if row["unified_job_template"] is None:
        return
    template = store.unified(row["unified_job_template"])
    for name, asks in PROMPTS.items():
        if sent.get(name) and not template.get(asks):
            raise Refused({name: ["Field is not configured to prompt on launch."]})


def _schedule(store: Store, row: Row, _sent: Mapping[str, Any]) -> None:
    store.unified(row["unified_job_template"])
    if not row["rrule"].startswith("DTSTART") or " RRULE:" not in row["rrule"]:
        raise Refused({"rrule": ["Valid DTSTART and RRULE required in rrule."]})


_CHECKS: Mapping[str, Callable[[Store, Row, Mapping[str, Any]], None]] = {
    "execution_environments": _execution_environment,
    "job_templates": _job_template,
    "workflow_job_template_nodes": _node,
    "schedules": _schedule,
}


# --- when an object is read


def shown(store: Store, collection: str, row: Row) -> Row:
    """The object as AWX shows it."""
    result = {**row, "type": store.type_of(collection), "url": url(collection, row["id"])}
    result["related"] = _related(collection, row)
    result["summary_fields"] = {}
    if collection == "credentials":
        kind = store.one("credential_types", row["credential_type"])
        secrets = {field["id"] for field in kind["inputs"].get("fields", ()) if field.get("secret")}
        secrets |= {"password", "ssh_key_data", "become_password"} if kind["managed"] else set()
        result["inputs"] = {name: ENCRYPTED if name in secrets else value for name, value in row["inputs"].items()}
    if collection == "notification_templates":
        result.update(_filled(row))
    if collection == "projects":
        result |= {"scm_revision": "0" * 40 if row["scm_type"] else "", "status": store.status_of(row["id"])}
        result["local_path"] = row["local_path"] or f"_{row['id']}__project"
    return result


def _filled(row: Row) -> Row:
    """Every key of the configuration and of the messages. Only the answer to a change has just what was sent."""
    configuration = {**CONFIGURATION.get(row["notification_type"], {}), **row["notification_configuration"]}
    if configuration.get("password"):
        configuration["password"] = ENCRYPTED
    return {
        "notification_configuration": configuration,
        "messages": {**dict.fromkeys(MESSAGES), **(row["messages"] or {})},
    }


def after_change(collection: str, row: Row, shown_row: Row, sent: Mapping[str, Any]) -> Row:
    """The answer to a change."""
    if collection != "notification_templates":
        return shown_row
    as_sent = {name: row[name] for name in ("notification_configuration", "messages") if name in sent}
    configuration = as_sent.get("notification_configuration")
    if configuration and configuration.get("password"):
        as_sent["notification_configuration"] = {**configuration, "password": ENCRYPTED}
    return {**shown_row, **as_sent}


def url(collection: str, number: int) -> str:
    return f"/api/v2/{collection}/{number}/"


def _related(collection: str, row: Row) -> Row:
    own = url(collection, row["id"])
    related = {"survey_spec": f"{own}survey_spec/"} if collection.endswith("job_templates") else {}
    if collection == "projects":
        related["update"] = f"{own}update/"
    if collection == "workflow_job_template_nodes" and row["unified_job_template"]:
        related["unified_job_template"] = f"/api/v2/unified_job_templates/{row['unified_job_template']}/"
    return related


# --- surveys and launches


def save_survey(row: Row, spec: Any) -> None:
    errors = surveys.errors_of(spec)
    if errors:
        raise Refused({"error": "; ".join(errors)})
    row["survey_spec"] = spec


def launch(row: Row, sent: Mapping[str, Any]) -> Row:
    """The job that begins. Prompts that the template does not ask for are ignored; a workflow refuses a limit."""
    spec = row.get("survey_spec") or {} if row["survey_enabled"] else {}
    made = surveys.launch(spec, sent.get("extra_vars") or {}, row["ask_variables_on_launch"])
    ignored: Row = {"extra_vars": made.ignored} if made.ignored else {}
    for name in ("limit", "job_type", "inventory"):
        if name in sent and not row[f"ask_{name}_on_launch"]:
            ignored[name] = sent[name]
    if "limit" in ignored and "playbook" not in row:
        raise Refused({"limit": ["Field is not allowed for use with this workflow."]})
    if made.errors:
        raise Refused({"variables_needed_to_start": made.errors})
    return {"job": 1, "extra_vars": made.extra_vars, "ignored_fields": ignored}
