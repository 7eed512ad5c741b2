# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What check mode says of an upgrade over two releases is what the upgrade then does."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import windows
from integration.test_upgrade_window import way
from integration.upgrading import NEWEST, Site, stage

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import archive
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window_plan
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _upgrade_steps

Step = dict[str, Any]
OPTIONS: dict[str, Step] = {"verified_start": {"stable_for": 0.1}}
LISTS = ("added", "replaced", "kept", "removed", "counts")


def manifests(archives: dict[str, Path]) -> dict[str, Step]:
    """As the controller reads them."""
    found = {}
    for version, path in archives.items():
        with path.open("rb") as stream:
            found[version] = dict(archive.manifest_of(stream).to_json())
    return found


def planned(site: Site, hops: list[Step], given: dict[str, Step] | None) -> list[Step]:
    context, steps = windows.context_of(site.instance), _upgrade_steps.steps(hops, OPTIONS, [], given)
    return [dict(step) for step in window_plan.foresee(context, windows.plan_of(steps))]


def of_releases(steps: list[Step]) -> list[Step]:
    return [{key: step[key] for key in ("version", "previous", "files")} for step in steps if step.get("files")]


def test_the_files_of_both_releases(make_site: Any, archives: dict[str, Path]) -> None:
    """Nothing is staged and then all of it, its plan in check mode, that at its begin, and what was done."""
    site: Site = make_site("2.5.3")
    template = site.instance.dir / "template/default/partial/footer.html"
    template.write_text("<!-- edited -->")
    hops = way("2.5.3", archives)
    before = windows.tree_of(site.instance.dir)
    in_check_mode = of_releases(planned(site, hops, manifests(archives)))
    assert windows.tree_of(site.instance.dir) == before
    stage(site.instance, hops, manifests(archives))
    at_begin = of_releases(planned(site, hops, None))
    result = windows.run(site.instance, _upgrade_steps.steps(hops, OPTIONS, []), deadline=300.0)
    assert result["outcome"] == "done", (result["msg"], result["steps"][-1])
    done = of_releases([step["result"] for step in result["steps"]])
    assert [one["version"] for one in done] == ["3.3.11", NEWEST] and [one["previous"] for one in done][1] == "3.3.11"
    for name in LISTS:
        assert [one["files"][name] for one in in_check_mode] == [one["files"][name] for one in done], name
    assert at_begin == in_check_mode == done
    second = done[1]["files"]
    assert second["replaced"] and "template/default/partial/footer.html" in second["kept"]


def test_a_template_that_is_that_of_the_later_release(make_site: Any, archives: dict[str, Path]) -> None:
    """It is no edit: the first of the two releases replaces it, because the second one proves it."""
    site: Site = make_site("2.5.3")
    name = "template/default/index/index.html"
    with zipfile.ZipFile(archives[NEWEST]) as newest:
        (inside,) = [one for one in newest.namelist() if one.endswith(name)]
        (site.instance.dir / name).write_bytes(newest.read(inside))
    hops = way("2.5.3", archives)
    in_check_mode = of_releases(planned(site, hops, manifests(archives)))
    assert all(name in one["files"]["replaced"] for one in in_check_mode), in_check_mode
    stage(site.instance, hops, manifests(archives))
    assert of_releases(planned(site, hops, None)) == in_check_mode


def test_a_second_try(make_site: Any, archives: dict[str, Path]) -> None:
    """What the first try has staged and used is no obstacle: the second one stages its own."""
    site: Site = make_site("2.5.3")
    hops = way("2.5.3", archives)
    first = of_releases(planned(site, hops, manifests(archives)))
    stage(site.instance, hops, manifests(archives))
    fails: Step = {"command": {"argv": ["false"]}}
    result = windows.run(site.instance, [*_upgrade_steps.steps(hops, OPTIONS, []), fails], deadline=300.0)
    assert result["outcome"] == "rolled_back", result
    assert of_releases(planned(site, hops, manifests(archives))) == first


def test_the_words_for_each_step(make_site: Any, archives: dict[str, Path]) -> None:
    site: Site = make_site("2.5.3")
    pid = site.instance.pid
    steps = planned(site, way("2.5.3", archives), manifests(archives))
    stops = [step for step in steps if step["name"] == "graceful_stop"]
    assert f"pid {pid}" in stops[0]["would"] and "does not exit on SIGTERM" in stops[0]["would"]
    for stop in stops[1:]:
        assert stop["changed"] and "the process that this window has started" in stop["would"]
        assert str(pid) not in stop["would"] and "does not exit" not in stop["would"]
    (dump,) = [step for step in steps if step["name"] == "database" and step["would"].startswith("dump ")]
    assert "into the directory of the run (" in dump["would"]
    starts = [step["would"] for step in steps if step["name"] == "verified_start"]
    assert [", on a free port" in start for start in starts] == [True, True, False]
