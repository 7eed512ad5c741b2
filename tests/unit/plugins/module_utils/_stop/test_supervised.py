# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stop refuses a supervisor exactly when the hazards do, whatever its kind, and each that matters has a hazard."""

import itertools
import types
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.facts import Facts
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards.table import evaluate, refusals
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import supervisors
from ansible_collections.anqicms.lifecycle.plugins.module_utils._stop.refusals import refuse_supervised

KINDS = ("cron", "systemd", "baota", "container", "parent", "unknown", "supervisord", "a new kind")
EVERY = [*itertools.product(KINDS, (True, False, None), (True, False))]
CODES = {"supervised", "cron_guard", "watched", "cron_kill", "unit_left", "supervisors_unseen"}


def stop_refuses(found: supervisors.Supervisor, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(supervisors, "detect", lambda instance, candidate: [found])
    instance = types.SimpleNamespace(id="0-shop")
    context: t.Any = types.SimpleNamespace(instance=instance, candidate=types.SimpleNamespace(pid=7))
    try:
        return refuse_supervised(context) != [found]
    except LifecycleError as exc:
        assert ("would start" if found["restarts"] else "may start") in exc.msg
        return True


@pytest.mark.parametrize(("kind", "restarts", "prompt"), EVERY)
def test_stop_and_hazards_refuse_the_same(
    kind: str, restarts: t.Optional[bool], prompt: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = supervisors.entry(kind, "where", restarts, "detail", prompt)
    hazards = [row for row in evaluate(Facts(supervisors=[found])) if row["code"] in CODES]
    assert bool(refusals(hazards, "stop")) is stop_refuses(found, monkeypatch)
    assert len(hazards) == 1 or (restarts is False and not hazards)
