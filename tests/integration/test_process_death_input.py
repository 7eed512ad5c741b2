# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source as a program of its own: wrong options, a broken memory, hosts that lie or are not reached."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator

import pytest
import windows
import yaml
from integration.death_source import SOURCE, Event, Site, Source, Watch, kill, sources


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    yield from sources(tmp_path)


def refused(tmp_path: Path, source: Path = SOURCE, **arguments: Any) -> str:
    arguments.setdefault("state_file", str(tmp_path / "memory.json"))
    done = subprocess.run(
        [sys.executable, str(source), json.dumps(arguments)], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments, says",
    [
        ({}, "host must be one name"),
        ({"host": "web1,web2"}, "host must be one name"),
        ({"host": "-e"}, "host must be one name"),
        ({"host": "web1\n"}, "host must be one name"),
        ({"host": "h", "shell": "ssh web1"}, "shell must be a list"),
        ({"host": "h", "shell": []}, "shell must be a list"),
        ({"host": "h", "instances": [{"dir": "relative"}]}, "a full path"),
        ({"host": "h", "instances": ["/www"]}, "a full path"),
        ({"host": "h", "instances": [{"dir": "/www", "port": 0}]}, "a full path"),
        ({"host": "h", "hosts": "h"}, "no option hosts"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, arguments: Event, says: str) -> None:
    assert says in refused(tmp_path, **arguments)


def test_a_copy_of_the_file_alone(tmp_path: Path) -> None:
    copy = tmp_path / "a" / "b" / "c" / "d" / "process_death.py"
    copy.parent.mkdir(parents=True)
    shutil.copy(SOURCE, copy)
    assert "Install the collection as a whole" in refused(tmp_path, copy, host="h")


def test_a_second_source_with_the_same_memory(site: Site, watch: Watch, tmp_path: Path) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    assert "is used by another" in refused(tmp_path, host="h", state_file=str(source.memory))


def test_memory_that_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Set state_file" in refused(tmp_path, host="h", state_file=str(tmp_path / "file" / "memory.json"))


def test_memory_that_cannot_be_written_does_not_end_the_watch(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    Path(f"{source.memory}.tmp").mkdir()
    kill(shop)
    source.wait_for(1)
    assert windows.within(10, lambda: "cannot be written: Is a directory" in source.log)
    assert source.process.poll() is None


def test_memory_that_cannot_be_understood(site: Site, watch: Watch, tmp_path: Path) -> None:
    shop = site()
    file = tmp_path / "broken.json"
    file.write_text('{"instances": [')
    source = watch(shop, state_file=str(file))
    source.wait_until_seen(shop)
    assert "created again" in source.log
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_directory_that_is_not_there(watch: Watch) -> None:
    source = watch(instances=[{"dir": "/no/such/place"}])
    assert windows.within(20, lambda: "/no/such/place does not exist" in source.log)
    assert source.process.poll() is None


def remembered(source: Source) -> dict[str, Any]:
    with suppress(FileNotFoundError):
        return dict(json.loads(source.memory.read_text())["instances"])
    return {}


HOSTILE = r'''
import json, sys
def say(**row): print(json.dumps(row), flush=True)
incident = dict(cause="crash", identity="\x1b[31m{{ lookup('pipe', 'id') }}\u202e" + "x" * 5000)
incident["evidence"] = [{"text": "\n"}] * 999
print("Welcome to web1", flush=True)
print("[]\nnull\n{}", flush=True)
for instance in ("../etc", "0afeedbd-x\n", "{{ 7 }}", None, 7, "0afeedbd-" + "x" * 99):
    say(what="died", instance=instance, dir="/www", told=[1, 5.0, "crash", "m"], incident=incident)
say(what="died", instance="0afeedbd-shop.example", dir="/www", told="x", incident=incident)
say(what="died", instance="0afeedbd-shop.example", dir="/www", told=[1, 5.0, "crash", "m"], incident="x")
say(what="state", instances=[])
say(what="state", instances={"../x": {}, "0afeedbd-shop.example": 7})
say(what="note", text="\x1b[2J" + "y" * 9000)
died = '{"what": "died", "instance": "0afeedbd-shop.example", "incident": {}, "told": [1, %s, "crash", %s]}'
for epoch in ("1" + "0" * 400, "1" * 5000, "1e400", "NaN", "-Infinity"):
    print(died % (epoch, "null"), flush=True)
for mark in ("[" * 200000, "[" * 400 + "]" * 400, '"' + "x" * 5000 + '"', "{}"):
    print(died % ("5.0", mark), flush=True)
print("[" * 200000 + "\n" + '{"a":' * 100000, flush=True)
say(what="state", instances={"%08x-x" % number: dict(dir="/", seen=[[]] * 9) for number in range(3000)})
incident["host"] = "web2.example"
say(what="died", instance="0afeedbd-shop.example", dir="/www\x07", told=[1, 5.0, "crash", "m"], incident=incident)
sys.stdin.read()
'''


def test_a_host_that_lies_can_only_speak_of_itself(watch: Watch, tmp_path: Path) -> None:
    fake = tmp_path / "fake.py"
    fake.write_text(HOSTILE)
    source = watch(shell=[sys.executable, str(fake)])
    (event,) = source.wait_for(1)
    assert (event["host"], event["instance"], event["dir"]) == ("web1.example", "0afeedbd-shop.example", "/www\\x07")
    assert event["meta"] == {"hosts": "web1.example"}
    assert "\x1b" not in json.dumps(event, ensure_ascii=False) + source.log
    assert len(event["identity"]) < 2100
    assert len(event["evidence"]) == 100
    assert "\x1b" not in source.log
    assert windows.within(10, lambda: "0afeedbd-shop.example" in remembered(source))
    assert len(remembered(source)) == 500
    assert source.memory.stat().st_size < 1 << 20 and source.process.poll() is None and source.watcher()


def test_a_line_without_end_does_not_fill_the_memory(watch: Watch) -> None:
    source = watch(shell=["/bin/sh", "-c", "tr '\\0' x < /dev/zero"])
    assert windows.within(30, lambda: "cannot be read" in source.log), source.log
    peak = next(line for line in Path(f"/proc/{source.process.pid}/status").read_text().splitlines() if "VmHWM" in line)
    assert int(peak.split()[1]) < 200_000


def test_a_host_that_cannot_be_reached_is_tried_again(watch: Watch) -> None:
    source = watch(shell=["/bin/sh", "-c", "echo no route to host >&2; exit 255"])
    assert windows.within(20, lambda: "It is tried again in 2 s." in source.log)
    assert "no route to host. It is tried again in 1 s." in source.log
    assert source.process.poll() is None


def test_the_sample_rulebook_hands_on_two_names_alone() -> None:
    """A playbook gets the whole event of the rule that runs it, so that event must hold nothing else."""
    rulebook = SOURCE.parents[2] / "rulebooks" / "process_death.yml"
    deaths, restarts = yaml.safe_load(rulebook.read_text(encoding="utf-8"))
    assert all("run_playbook" not in rule["action"] for rule in deaths["rules"])
    posted = deaths["rules"][0]["action"]["post_event"]
    assert posted == {
        "ruleset": restarts["name"],
        "event": {"instance": "{{ event.instance }}", "meta": {"hosts": "{{ event.host }}"}},
    }
    (rule,) = restarts["rules"]
    assert rule["action"]["run_playbook"]["extra_vars"] == {"anqicms_only": ["{{ event.instance }}"]}
    assert restarts["sources"] == []
