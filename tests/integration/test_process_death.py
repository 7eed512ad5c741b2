# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source as a program of its own, on real processes: what it tells, what not, and what it survives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import paths
import pytest
import windows
import yaml
from instance import Instance, make_instance

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import check as _oom_check

Event = dict[str, Any]
SOURCE = paths.ROOT / "extensions" / "eda" / "plugins" / "event_source" / "process_death.py"
MEMORY = Path("/sys/fs/cgroup/memory")
LIMIT_MB = 192
PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3")
ANYBODYS_PYTHON = next((path for path in PYTHONS if Path(path).exists()), sys.executable)
QUIET = 4.0  # seconds in which whatever is told would have been told

can_limit = os.geteuid() == 0 and (MEMORY / "memory.limit_in_bytes").exists() and os.access(MEMORY, os.W_OK)
limited = pytest.mark.skipif(not can_limit, reason="needs root and a memory control group (version 1) to write to")
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Source:
    """A running source. What it emits and logs goes to files."""

    def __init__(self, directory: Path, arguments: Event) -> None:
        self.directory, self.arguments = directory, arguments
        self.memory = Path(arguments["state_file"])
        self.begin()

    def begin(self) -> None:
        with (self.directory / "events").open("ab") as events, (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, str(SOURCE), json.dumps(self.arguments)],
                                            stdin=subprocess.DEVNULL, stdout=events, stderr=log)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(20)

    @property
    def events(self) -> list[Event]:
        return [json.loads(line) for line in (self.directory / "events").read_text().splitlines()]

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    @property
    def causes(self) -> list[str]:
        return [event["cause"] for event in self.events]

    def wait_for(self, count: int) -> list[Event]:
        assert windows.within(30, lambda: len(self.events) >= count), (self.events, self.log)
        return self.events

    def wait_until_seen(self, *instances: Instance) -> None:
        """It has met these processes, and remembers them."""
        pids = {instance.pid for instance in instances}
        assert windows.within(30, lambda: pids <= self.seen()), self.log

    def seen(self) -> set[int]:
        with suppress(FileNotFoundError, ValueError):
            rows = json.loads(self.memory.read_text())["instances"].values()
            return {row["seen"]["pid"] for row in rows if row.get("seen")}
        return set()

    def watcher(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Source]]:
    """Watch instances; the sources end with the test."""
    made: list[Source] = []

    def start(*instances: Instance, **options: Any) -> Source:
        directory = tmp_path / f"source{len(made)}"
        directory.mkdir()
        arguments = {"host": "web1.example", "instances": [{"dir": str(instance.dir)} for instance in instances],
                     "state_dir": str(tmp_path / "state"), "state_file": str(directory / "memory.json"), **options}
        source = Source(directory, {key: value for key, value in arguments.items() if value is not None})
        made.append(source)
        return source

    yield start
    for source in made:
        if source.process.poll() is None:
            source.end(signal.SIGKILL)


@pytest.fixture
def group() -> Iterator[Path]:
    path = MEMORY / f"anqicms-death-{os.getpid()}-{time.monotonic_ns()}"
    path.mkdir()
    (path / "memory.limit_in_bytes").write_text(str(LIMIT_MB << 20))
    yield path
    assert windows.within(10, lambda: _emptied(path))


def _emptied(path: Path) -> bool:
    for pid in (path / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    with suppress(OSError):
        path.rmdir()
    return not path.exists()


def starve(shop: Instance, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(shop.pid))
    with suppress(Exception):
        shop.get(f"/eat?mb={LIMIT_MB + 64}", timeout=30)
    ended(shop)


def kill(shop: Instance, number: signal.Signals = signal.SIGKILL) -> int:
    pid = shop.pid
    os.kill(pid, number)
    ended(shop)
    return pid


def ended(shop: Instance) -> None:
    assert windows.within(15, lambda: not shop.pids())


Site = Callable[..., Instance]
Watch = Callable[..., Source]


@limited
def test_a_kill_for_memory_is_one_event_as_oom_check_says_it(site: Site, watch: Watch, group: Path) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    pid = shop.pid
    starve(shop, group)
    (event,) = source.wait_for(1)
    assert (event["host"], event["meta"]) == ("web1.example", {"hosts": "web1.example"})
    assert event["instance"].endswith("-shop.example")
    assert (event["verdict"], event["cause"], event["pid"]) == ("confirmed", "kernel_oom_cgroup", pid)
    assert event["deaths_last_hour"] == 1
    context = windows.context_of(shop)
    params: Event = dict.fromkeys(_oom_check.SPEC)
    params.update(kernel_logs=[], journal=True, counters=True, since=str(time.time() - 30))
    (incident,) = [row for row in _oom_check.check(context, params)["incidents"] if row["pid"] == pid]
    context.close()
    assert set(event) == set(incident) | {"host", "instance", "dir", "deaths_last_hour", "meta"}
    assert {key: event[key] for key in ("time", "cause", "cgroup")} == {
        key: incident[key] for key in ("time", "cause", "cgroup")}
    time.sleep(QUIET)
    assert len(source.events) == 1


def test_each_end_by_its_cause_and_the_new_process_is_watched(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    pids = []
    for count, number in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGKILL), 1):
        source.wait_until_seen(shop)
        pids.append(kill(shop, number))
        source.wait_for(count)
        shop.start()
    events = source.events
    assert [event["pid"] for event in events] == pids
    assert source.causes == ["admin_stop", "unexplained", "unexplained"]
    assert [event["deaths_last_hour"] for event in events] == [0, 1, 2], "what somebody wanted does not count"


def test_only_the_one_that_died_of_two(site: Site, watch: Watch) -> None:
    shop, blog = site(), site(name="blog.example")
    source = watch(shop, blog)
    source.wait_until_seen(shop, blog)
    kill(blog)
    (event,) = source.wait_for(1)
    assert event["instance"].endswith("-blog.example")


def test_instances_are_found_where_none_are_listed(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop, instances=None)
    source.wait_until_seen(shop)
    kill(shop)
    assert windows.within(30, lambda: str(shop.dir) in [event["dir"] for event in source.events]), source.log


# --- what is no event

FORGED = "Out of memory: Killed process %d (anqicms) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB"


def forge(shop: Instance, pid: int) -> None:
    """What somebody can write who is not root, and what even root cannot write as the kernel."""
    if os.geteuid() == 0:
        Path("/dev/kmsg").write_text("<2>" + FORGED % pid + "\n")
    if shutil.which("logger"):
        subprocess.run(["logger", "-p", "kern.crit", "-t", "kernel", FORGED % pid], check=False, capture_output=True)
    with shop.log.open("a") as log:
        log.write(f"{FORGED % pid}\npanic: out of memory\n\ngoroutine 1 [running]:\nmain.main()\n")
    now = time.strftime("%Y%m%d %H:%M:%S")
    (shop.dir / "check.log").write_text("".join(f"{now} anqicms PID check: {count}\n" for count in (1, 1, 1, 0, 0)))


def test_forged_lines_are_no_event(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    forge(shop, shop.pid)
    time.sleep(QUIET)
    assert source.events == []
    pid = kill(shop)
    (event,) = source.wait_for(1)
    assert event["pid"] == pid
    assert not event["cause"].startswith(("kernel_oom", "userspace_oom")), event
    forge(shop, pid)
    time.sleep(QUIET)
    assert len(source.events) == 1


@limited
def test_a_stranger_of_that_name_who_gets_killed_is_no_event(site: Site, watch: Watch, group: Path) -> None:
    """While the instance is down, so that it cannot be known to live."""
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    kill(shop)
    source.wait_for(1)
    script = ("import ctypes, os; os.setuid(65534); ctypes.CDLL(None).prctl(15, b'anqicms')\n"
              "b = []\nwhile True: b.append(b'1' * (1 << 20))")
    command = ["/bin/sh", "-c", f"echo $$ > {group}/cgroup.procs; exec {ANYBODYS_PYTHON} -c \"{script}\""]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    time.sleep(QUIET)
    assert len(source.events) == 1, source.events


def test_a_stop_of_this_collection_is_told_as_one(site: Site, watch: Watch, tmp_path: Path) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    task_stops(shop, tmp_path)
    (event,) = source.wait_for(1)
    assert (event["cause"], event["deaths_last_hour"]) == ("admin_stop", 0)
    assert "the task graceful_stop of this collection sent SIGTERM" in event["identity"]


def task_stops(shop: Instance, tmp_path: Path) -> int:
    pid = shop.pid
    arguments = {"ANSIBLE_MODULE_ARGS": {"dir": str(shop.dir), "state_dir": str(tmp_path / "state"), "timeout": 20}}
    module = paths.ROOT / "plugins" / "modules" / "graceful_stop.py"
    done = subprocess.run([sys.executable, str(module)], input=json.dumps(arguments), check=False, capture_output=True,
                          text=True, env=dict(os.environ, PYTHONPATH=str(paths.link_tree())))
    assert json.loads(done.stdout)["changed"], done.stdout
    return pid


@pytest.mark.parametrize("version, cause", [("3.5.8", "admin_stop"), ("3.2.1", "admin_kill")])
def test_restarts_in_a_row_are_one_event_each_and_none_is_counted(site: Site, watch: Watch, tmp_path: Path,
                                                                  version: str, cause: str) -> None:
    """The last one happens while nobody watches."""
    shop = site(version)
    source = watch(shop)
    pids = []
    for number in range(3):
        source.wait_until_seen(shop)
        source.wait_for(number)
        if number == 2:
            source.end()
        pids.append(task_stops(shop, tmp_path))
        shop.start()
    source.begin()
    events = source.wait_for(3)
    assert [(event["pid"], event["cause"], event["deaths_last_hour"]) for event in events] == [
        (pid, cause, 0) for pid in pids]
    assert [event["details"]["by"] for event in events] == ["graceful_stop"] * 3
    assert {row["text"].split()[4] for event in events for row in event["evidence"]
            if row["source"] == "journal.jsonl"} == {str(pid) for pid in pids}


def test_a_kill_in_a_window_is_told_as_a_stop(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    with subprocess.Popen(["flock", str(shop.dir), "sleep", "60"]) as holder:
        assert windows.within(10, lambda: _is_locked(shop))
        kill(shop)
        source.wait_for(1)
        _end_group(holder)
    assert source.causes == ["admin_stop"]


@root
def test_a_lock_that_a_stranger_holds_hides_no_death(site: Site, watch: Watch) -> None:
    shop = site()
    for directory in (shop.dir, *shop.dir.parents):
        if "pytest-" in str(directory):  # they are closed to others; the stranger must get to it
            directory.chmod(0o755)
    source = watch(shop)
    source.wait_until_seen(shop)
    holder = subprocess.Popen(["flock", str(shop.dir), "sleep", "60"], user=65534, group=65534)
    try:
        assert windows.within(10, lambda: _is_locked(shop))
        kill(shop)
        source.wait_for(1)
        assert source.causes == ["unexplained"]
    finally:
        _end_group(holder)


def _is_locked(shop: Instance) -> bool:
    return subprocess.run(["flock", "-n", str(shop.dir), "true"], check=False).returncode != 0


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [*map(int, children), process.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(10)


# --- restarts and losses


def test_its_own_restart_repeats_nothing_and_loses_nothing(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    first = kill(shop)
    source.wait_for(1)
    source.end()
    source.begin()
    shop.start()
    source.wait_until_seen(shop)
    source.end(signal.SIGKILL)
    second = kill(shop)  # nobody watches
    shop.start()
    source.begin()
    assert [event["pid"] for event in source.wait_for(2)] == [first, second]
    source.end()
    source.begin()
    source.wait_until_seen(shop)
    time.sleep(QUIET)
    assert len(source.events) == 2


@limited
def test_a_kill_for_memory_while_it_is_away_is_told_as_one(site: Site, watch: Watch, group: Path) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    source.end()
    starve(shop, group)
    source.begin()
    source.wait_for(1)
    assert source.causes == ["kernel_oom_cgroup"]


def test_a_watcher_that_is_killed_is_started_again(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    watcher = source.watcher()
    os.kill(watcher, signal.SIGKILL)
    pid = kill(shop)
    assert [event["pid"] for event in source.wait_for(1)] == [pid]
    assert "the watcher has ended. It is tried again in 1 s." in source.log


def test_the_watcher_ends_with_its_source(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop)
    source.wait_until_seen(shop)
    watcher = source.watcher()
    source.end(signal.SIGKILL)
    assert windows.within(10, lambda: not Path(f"/proc/{watcher}").exists())


@limited
def test_the_first_start_tells_nothing_of_the_past(site: Site, watch: Watch, group: Path) -> None:
    shop = site()
    context = windows.context_of(shop)
    context.look()
    context.remember()
    context.close()
    starve(shop, group)
    source = watch(shop)
    shop.start()
    for count in range(1, 3):
        source.wait_until_seen(shop)
        pid = kill(shop)  # which makes it look back
        shop.start()
        assert source.wait_for(count)[-1]["pid"] == pid
        source.end()
        source.begin()
    time.sleep(QUIET)
    assert source.causes == ["unexplained"] * 2


def test_through_a_shell(site: Site, watch: Watch) -> None:
    shop = site()
    source = watch(shop, shell=["/bin/sh", "-c"], python=sys.executable)
    source.wait_until_seen(shop)
    kill(shop)
    source.wait_for(1)


@root
def test_without_root_it_watches_and_guesses_nothing(place: Path, watch: Watch) -> None:
    """As a user who may see the process and not the kernel's log: no verdict where nobody could look."""
    shop = make_instance(place / "shop.example", "3.5.8")
    shop.knobs(no_database=True)
    subprocess.run(["chown", "-R", "65534:65534", str(place)], check=True)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-c"]
    subprocess.run([*as_nobody, f"cd {shop.dir} && nohup ./anqicms >> running.log 2>&1 &"], check=True)
    shop.wait_ready()
    source = watch(shop, shell=as_nobody, python=ANYBODYS_PYTHON, state_dir=str(place / "state"))
    source.wait_until_seen(shop)
    time.sleep(2.5)  # it counts once a second
    kill(shop)
    (event,) = source.wait_for(1)
    assert event["cause"] == "unexplained", "the kernel's count of OOM kills excludes one, whoever may read its log"


# --- bad input


def refused(tmp_path: Path, source: Path = SOURCE, **arguments: Any) -> str:
    arguments.setdefault("state_file", str(tmp_path / "memory.json"))
    done = subprocess.run([sys.executable, str(source), json.dumps(arguments)], check=False, capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("arguments, says", [
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
])
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
    assert "Give a state_file" in refused(tmp_path, host="h", state_file=str(tmp_path / "file" / "memory.json"))


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
    assert "begun anew" in source.log
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
    assert posted == {"ruleset": restarts["name"],
                      "event": {"instance": "{{ event.instance }}", "meta": {"hosts": "{{ event.host }}"}}}
    (rule,) = restarts["rules"]
    assert rule["action"]["run_playbook"]["extra_vars"] == {"anqicms_only": ["{{ event.instance }}"]}
    assert restarts["sources"] == []
