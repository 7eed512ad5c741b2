# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else of a host can have died, from its records and from /proc as it is in several namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import subject as _oom_subject
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, resolve

BINARY = "anqidead"  # nobody else of the machine has it


def installed(directory: Path) -> Instance:
    directory.mkdir(parents=True)
    (directory / BINARY).write_text("")
    (directory / "config.json").write_text("{}")
    return resolve(str(directory), BINARY)


def record(instance: Instance, base: Path) -> None:
    state = _state.StateDir(instance, str(base))
    state.make()
    state.history_add(4711, 1, uid=0, cgroups={"memory": "/web"})


def others(instance: Instance, base: Path) -> list[str]:
    found = _oom_subject.others(instance, (), _oom_subject.HostTasks((), ()), str(base))
    return [other.name for other in found]


def test_a_recorded_instance_in_another_parent_directory_counts(tmp_path: Path) -> None:
    shop, blog = installed(tmp_path / "www" / "shop.example"), installed(tmp_path / "home" / "app" / "blog.example")
    base = tmp_path / "state"
    assert others(shop, base) == []
    record(blog, base)
    assert others(shop, base) == [blog.id]
    (other,) = _oom_subject.others(shop, (), _oom_subject.HostTasks((), ()), str(base))
    assert [(life.pid, life.cgroup) for life in other.lives] == [(4711, "/web")]


def test_one_that_is_gone_since_counts_too(tmp_path: Path) -> None:
    shop, blog = installed(tmp_path / "www" / "shop.example"), installed(tmp_path / "home" / "app" / "blog.example")
    record(blog, tmp_path / "state")
    shutil.rmtree(blog.dir)
    assert others(shop, tmp_path / "state") == [blog.id]


def test_a_record_that_cannot_be_read_is_somebody(tmp_path: Path) -> None:
    shop, blog = installed(tmp_path / "www" / "shop.example"), installed(tmp_path / "home" / "app" / "blog.example")
    record(blog, tmp_path / "state")
    (tmp_path / "state" / blog.id / "instance.json").write_text("{")
    (name,) = others(shop, tmp_path / "state")
    assert name.startswith("a recorded instance whose record cannot be read (") and "instance.json is not JSON" in name


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a PID namespace")
@pytest.mark.parametrize(
    "words, is_contained",
    [
        ([], False),
        (["unshare", "--pid", "--fork", "--mount-proc"], True),
        (["unshare", "--pid", "--fork"], False),  # /proc still shows the numbers of the host
    ],
)
def test_whether_pids_are_those_of_the_kernel(words: list[str], is_contained: bool) -> None:
    if _oom_subject.is_contained():
        pytest.skip("this machine is a container itself")
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import subject\n"
        "print(subject.is_contained())"
    )
    done = subprocess.run([*words, sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(is_contained)
