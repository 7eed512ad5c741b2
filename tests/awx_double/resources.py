# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of AWX that the kit makes: their fields with what AWX fills in, and what they are associated with."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple


class Resource(NamedTuple):
    """``fields``: what AWX keeps, with its defaults; anything else that is sent is dropped without a word.

    ``unique``: no two objects have the same values of these. ``refers``: fields with the id of an object of another
    collection. ``lists``: lists of objects of another collection. ``unified``: it is listed as a job template, too.
    """

    type: str
    fields: Mapping[str, Any]
    refers: Mapping[str, str] = {}
    lists: Mapping[str, str] = {}
    required: tuple[str, ...] = ("name",)
    unique: tuple[str, ...] = ("name", "organization")
    unified: bool = False


_NAMED = {"name": "", "description": ""}
_OF_ORGANIZATION = {"organization": "organizations"}
_NOTIFICATIONS = {
    f"notification_templates_{event}": "notification_templates" for event in ("started", "success", "error")
}
_PROMPTS: Mapping[str, Any] = {
    "extra_data": {}, "scm_branch": None, "job_type": None, "job_tags": None, "skip_tags": None, "limit": None,
    "diff_mode": None, "verbosity": None, "forks": None, "job_slice_count": None, "timeout": None, "inventory": None,
    "execution_environment": None,
}  # fmt: skip
_PROMPTED = (
    "scm_branch", "diff_mode", "variables", "limit", "tags", "skip_tags", "job_type", "verbosity", "inventory",
    "credential", "execution_environment", "labels", "forks", "job_slice_count", "timeout", "instance_groups",
)  # fmt: skip
_ASKS = {f"ask_{name}_on_launch": False for name in _PROMPTED}

RESOURCES: Mapping[str, Resource] = {
    "organizations": Resource("organization", _NAMED, unique=("name",)),
    "credential_types": Resource(
        "credential_type",
        {**_NAMED, "kind": "cloud", "managed": False, "inputs": {}, "injectors": {}},
        unique=("name",),
    ),
    "credentials": Resource(
        "credential",
        {**_NAMED, "organization": None, "credential_type": None, "inputs": {}, "managed": False},
        {**_OF_ORGANIZATION, "credential_type": "credential_types"},
        required=("name", "credential_type"),
        unique=("name", "organization", "credential_type"),
    ),
    "execution_environments": Resource(
        "execution_environment",
        {**_NAMED, "organization": None, "image": "", "managed": False, "credential": None, "pull": ""},
        {**_OF_ORGANIZATION, "credential": "credentials"},
        required=("name", "image"),
        unique=("name",),
    ),
    "projects": Resource(
        "project",
        {
            **_NAMED, "organization": None, "local_path": "", "scm_type": "", "scm_url": "", "scm_branch": "",
            "scm_refspec": "", "scm_clean": False, "scm_delete_on_update": False, "scm_track_submodules": False,
            "scm_update_on_launch": False, "scm_update_cache_timeout": 0, "allow_override": False, "credential": None,
            "default_environment": None, "timeout": 0,
        },
        {**_OF_ORGANIZATION, "credential": "credentials", "default_environment": "execution_environments"},
        _NOTIFICATIONS,
        unified=True,
    ),
    "inventories": Resource(
        "inventory",
        {
            **_NAMED, "organization": None, "kind": "", "host_filter": None, "variables": "",
            "prevent_instance_group_fallback": False,
        },
        _OF_ORGANIZATION,
        required=("name", "organization"),
    ),
    "inventory_sources": Resource(
        "inventory_source",
        {
            **_NAMED, "inventory": None, "source": "", "source_path": "", "source_vars": "", "source_project": None,
            "credential": None, "enabled_var": "", "enabled_value": "", "host_filter": "", "overwrite": False,
            "overwrite_vars": False, "timeout": 0, "verbosity": 1, "limit": "", "update_on_launch": False,
            "update_cache_timeout": 0, "scm_branch": "", "execution_environment": None,
        },
        {"inventory": "inventories", "source_project": "projects", "execution_environment": "execution_environments"},
        _NOTIFICATIONS,
        required=("name", "inventory", "source"),
        unique=("name", "inventory"),
        unified=True,
    ),
    "labels": Resource(
        "label", {"name": "", "organization": None}, _OF_ORGANIZATION, required=("name", "organization")
    ),
    "notification_templates": Resource(
        "notification_template",
        {**_NAMED, "organization": None, "notification_type": "", "notification_configuration": {}, "messages": None},
        _OF_ORGANIZATION,
        required=("name", "organization", "notification_type"),
    ),
    "job_templates": Resource(
        "job_template",
        {
            **_NAMED, **_ASKS, "organization": None, "job_type": "run", "inventory": None, "project": None,
            "playbook": "", "scm_branch": "", "forks": 0, "limit": "", "verbosity": 0, "extra_vars": "---",
            "job_tags": "", "force_handlers": False, "skip_tags": "", "start_at_task": "", "timeout": 0,
            "use_fact_cache": False, "execution_environment": None, "host_config_key": "", "survey_enabled": False,
            "become_enabled": False, "diff_mode": False, "allow_simultaneous": False, "job_slice_count": 1,
            "webhook_service": "", "webhook_credential": None, "prevent_instance_group_fallback": False,
        },
        {
            **_OF_ORGANIZATION, "inventory": "inventories", "project": "projects",
            "execution_environment": "execution_environments",
        },
        {**_NOTIFICATIONS, "labels": "labels", "credentials": "credentials"},
        required=("name", "project", "playbook"),
        unified=True,
    ),
    "workflow_job_templates": Resource(
        "workflow_job_template",
        {
            **_NAMED, **_ASKS, "organization": None, "inventory": None, "limit": None, "scm_branch": None,
            "extra_vars": "---", "job_tags": None, "skip_tags": None, "survey_enabled": False,
            "allow_simultaneous": False, "webhook_service": "", "webhook_credential": None,
        },
        {**_OF_ORGANIZATION, "inventory": "inventories"},
        {**_NOTIFICATIONS, "notification_templates_approvals": "notification_templates", "labels": "labels"},
        unified=True,
    ),
    "workflow_job_template_nodes": Resource(
        "workflow_job_template_node",
        {
            **_PROMPTS, "identifier": "", "workflow_job_template": None, "unified_job_template": None,
            "all_parents_must_converge": False,
        },
        {"workflow_job_template": "workflow_job_templates"},
        {f"{edge}_nodes": "workflow_job_template_nodes" for edge in ("success", "failure", "always")},
        required=("workflow_job_template",),
        unique=("identifier", "workflow_job_template"),
    ),
    "workflow_approval_templates": Resource(
        "workflow_approval_template", {**_NAMED, "timeout": 0}, unique=(), unified=True
    ),
    "schedules": Resource(
        "schedule",
        {**_PROMPTS, **_NAMED, "rrule": "", "enabled": True, "unified_job_template": None},
        {},
        {"labels": "labels", "credentials": "credentials"},
        required=("name", "rrule", "unified_job_template"),
        unique=("name", "unified_job_template"),
    ),
}  # fmt: skip

# What there is in a new AWX.
GIVEN: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "organizations": ({"name": "Default"},),
    "credential_types": ({"name": "Machine", "kind": "ssh", "managed": True},),
    "execution_environments": ({"name": "Control Plane Execution Environment", "image": "ee", "managed": True},),
}
