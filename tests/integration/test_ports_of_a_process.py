# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sockets of a process say what it listens on. A wrong port in an inventory is refused, and never acted on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import paths
import pytest
import windows
from instance import Instance, end_below, make_instance, write_config
from integration.stopping import NOBODY, Actor, launch, start_of, stop
from mariadb import free_port

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import recovery

Result = dict[str, Any]
QUICK: list[Any] = [{"graceful_stop": {}}, {"port_released": {}}, {"verified_start": {"stable_for": 0}}]


def module(tmp_path: Path, name: str, shop: Instance, *flags: str, **options: Any) -> Result:
    """One task with the real module; its result."""
    env = dict(
        os.environ,
        ANSIBLE_COLLECTIONS_PATH=str(paths.link_tree()),
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
        ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"),
        ANSIBLE_REMOTE_TEMP=str(tmp_path / "remote"),
    )
    options = dict(dict(dir=str(shop.dir), state_dir=str(shop.dir.parent / "state")), **options)
    argv = [
        str(Path(sys.executable).parent / "ansible"),
        "localhost",
        "-c",
        "local",
        "-i",
        "localhost,",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-m",
        f"anqicms.lifecycle.{name}",
        "-a",
        json.dumps(options),
        *flags,
    ]
    output = subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=False).stdout.decode()
    return dict(json.loads(output[output.index("=> {") + 3 :]), failed="FAILED" in output[: output.index("=> {")])


def window(shop: Instance, port: int | None, steps: list[Any] | None = None) -> Result:
    context, plan = windows.context_of(shop, port=port), windows.plan_of(QUICK if steps is None else steps)
    return windows.wait(context, plan, windows.begin(context, plan))


def look(shop: Instance, port: int | None = None) -> Result:
    base = str(shop.dir.parent / "state")
    return describe.describe(resolve(str(shop.dir)), port, base=base, record=True)


def mismatch(row: Result) -> Result | None:
    return next((hazard for hazard in row["hazards"] if hazard["code"] == "port_mismatch"), None)


def move(shop: Instance) -> int:
    """config.json names another port while the old one is served; the new one."""
    old, shop.port = shop.port, free_port()
    write_config(shop, None)
    new, shop.port = shop.port, old
    return new


def refused_by_the_window(shop: Instance, port: int | None, steps: list[Any] | None = None) -> str:
    pid = shop.pid
    with pytest.raises(LifecycleError) as caught:
        window(shop, port, steps)
    assert shop.pid == pid
    assert shop.told_version() == "3.5.8"
    assert not windows.context_of(shop).state.journal()
    return caught.value.msg


# --- a wrong number


def test_a_window_refuses_a_wrong_port_before_it_stops_anything(site: Callable[..., Instance]) -> None:
    shop, wrong = site(), free_port()
    begin = time.monotonic()
    message = refused_by_the_window(shop, wrong)
    assert time.monotonic() - begin < 20
    assert f"port {wrong} was given, but pid {shop.pid} listens on port {shop.port}" in message
    assert "Nothing was done. Correct port" in message


def test_the_port_of_a_neighbour_is_a_wrong_port(site: Callable[..., Instance]) -> None:
    shop, other = site(), site(name="other.example")
    assert f"port {other.port} was given" in refused_by_the_window(shop, other.port)
    assert mismatch(look(shop, other.port))
    assert other.pids()


@pytest.mark.parametrize("flags", [(), ("--check",)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("graceful_stop", {}),
        ("verified_start", {}),
        ("port_released", {"timeout": 0}),
        ("window", {"steps": [{"graceful_stop": {}}, {"verified_start": {}}]}),
    ],
)
def test_each_module_refuses_a_wrong_port(
    site: Callable[..., Instance], tmp_path: Path, name: str, options: Result, flags: tuple[str, ...]
) -> None:
    shop, wrong = site(), free_port()
    pid, began = shop.pid, start_of(shop.pid)
    result = module(tmp_path, name, shop, *flags, port=wrong, **options)
    assert result["failed"], result
    assert not result["changed"]
    assert f"port {wrong} was given, but pid {pid} listens on port {shop.port}" in result["msg"], result["msg"]
    assert (shop.pid, start_of(pid)) == (pid, began)


@pytest.mark.parametrize("name", ["verified_start", "port_released"])
def test_a_wrong_port_of_a_stopped_instance_is_refused(
    site: Callable[..., Instance], tmp_path: Path, name: str
) -> None:
    shop, wrong = site(start=False), free_port()
    message = module(tmp_path, name, shop, port=wrong)["msg"]
    assert f"port {wrong} was given, but it does not run, and its next start would use port {shop.port}" in message
    assert not shop.pids()


def test_instance_info_shows_its_own_port_and_blocks_every_verb(site: Callable[..., Instance]) -> None:
    shop, wrong = site(), free_port()
    row = look(shop, wrong)
    assert (row["port"], row["listening"], row["state"]) == (shop.port, True, "running")
    assert row["version"]["running"] == "3.5.8"
    found = mismatch(row)
    assert found
    assert {"restart", "stop", "start"} <= set(found["blocks"])
    assert str(wrong) in found["message"]
    assert str(shop.port) in found["message"]
    assert mismatch(look(shop, shop.port)) is None
    assert mismatch(look(shop)) is None


def test_what_only_looks_goes_on_with_its_own_port(site: Callable[..., Instance], tmp_path: Path) -> None:
    shop, wrong = site(), free_port()
    found = module(tmp_path, "site_check", shop, port=wrong, sites=[{"host": "shop.example"}])
    assert found["sites"][0]["ok"], found


def test_recovery_is_not_refused(site: Callable[..., Instance]) -> None:
    """The number decides nothing there: an instance that is down is started, whatever an inventory says."""
    shop = site()
    window(shop, None)
    shop.kill()
    context = windows.context_of(shop, port=free_port())
    context.state.make()
    done = recovery.recover(context, {"before": {"pid": 1, "start_ticks": 1}, "run_id": "r"})
    context.close()
    assert done["recovered"] == "it was started"
    assert shop.told_version() == "3.5.8"


# --- what is allowed


@pytest.mark.parametrize("named", ["old", "new", "none"])
def test_config_json_changed_while_the_old_port_is_served(site: Callable[..., Instance], named: str) -> None:
    shop = site()
    new = move(shop)
    given = {"old": shop.port, "new": new, "none": None}[named]
    row = look(shop, given)
    assert (row["port"], row["state"], mismatch(row)) == (shop.port, "running", None)
    result = window(shop, given)
    assert (result["outcome"], result["state"]) == ("done", "running")
    assert result["downtime_ms"] is not None
    shop.port = new
    assert shop.told_version() == "3.5.8"


def test_neither_number_while_the_old_port_is_served(site: Callable[..., Instance]) -> None:
    shop, wrong = site(), free_port()
    new = move(shop)
    message = refused_by_the_window(shop, wrong)
    for number in (wrong, shop.port, new):
        assert f"port {number}" in message


def test_the_port_of_the_arguments_wins_over_config_json(site: Callable[..., Instance]) -> None:
    shop = site(start=False)
    configured, shop.port = shop.port, free_port()
    process = shop.spawn("-port", str(shop.port))
    try:
        shop.wait_ready()
        assert f"port {configured} was given" in refused_by_the_window(shop, configured)
    finally:
        process.kill()
        process.wait()
    launch([shop.binary, "-port", shop.port], shop.dir)
    shop.wait_ready()
    assert window(shop, shop.port)["outcome"] == "done"
    assert window(shop, shop.port, [{"graceful_stop": {}}])["outcome"] == "done"
    assert look(shop, shop.port)["port"] == shop.port, "it is read from the record"
    assert mismatch(look(shop, configured))
    assert window(shop, shop.port, QUICK[1:])["outcome"] == "done"
    assert shop.told_version() == "3.5.8"


def test_the_port_that_the_run_itself_gives(site: Callable[..., Instance], tmp_path: Path) -> None:
    shop, new = site(), free_port()
    start: Result = {"arguments": ["-port", str(new)], "stable_for": 0}
    assert f"port {new} was given" in refused_by_the_window(shop, new)
    assert window(shop, new, [{"graceful_stop": {}}, {"verified_start": start}])["outcome"] == "done"
    assert windows.run(shop, [{"graceful_stop": {}}])["outcome"] == "done"
    old, shop.port = shop.port, free_port()
    start["arguments"] = ["-port", str(shop.port)]
    assert "would use port %d (-port)" % shop.port in module(tmp_path, "verified_start", shop, port=old, **start)["msg"]
    assert not module(tmp_path, "verified_start", shop, port=shop.port, **start)["failed"]
    assert shop.told_version() == "3.5.8"


def test_a_step_that_changes_the_port_in_config_json(site: Callable[..., Instance]) -> None:
    """The proof asks at the port that the file names when the process is started, not at that of the plan."""
    shop = site()
    new = move(shop)
    text = (shop.dir / "config.json").read_text()
    write_config(shop, None)
    write = f"import pathlib; pathlib.Path({str(shop.dir / 'config.json')!r}).write_text({text!r})"
    steps = [
        QUICK[0],
        {"command": {"argv": [sys.executable, "-c", write]}},
        {"verified_start": {"stable_for": 0, "ready_timeout": 10}},
    ]
    result = window(shop, shop.port, steps)
    assert (result["outcome"], result["state"]) == ("done", "running"), result
    shop.port = new
    assert shop.told_version() == "3.5.8"


def test_stop_and_wait_with_the_old_port_given(site: Callable[..., Instance], tmp_path: Path) -> None:
    """As the stop role does it: after the stop only the history knows the old port."""
    shop = site()
    move(shop)
    assert not module(tmp_path, "graceful_stop", shop, port=shop.port)["failed"]
    assert module(tmp_path, "port_released", shop, port=shop.port)["released"]
    assert module(tmp_path, "port_released", shop, port=free_port())["failed"]
    with socket.socket(socket.AF_INET6) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("::", shop.port))
        taken.listen()
        assert f"pid {os.getpid()}" in module(tmp_path, "port_released", shop, port=shop.port, timeout=0)["msg"]


# --- several listeners, none, and those of others


LISTENERS = """
serve(%d, '3.5.8')
extra = socket.socket(socket.%s)
extra.bind((%r, %d))
extra.listen(1)
ready()
time.sleep(600)
"""


@pytest.fixture
def actor(tmp_path: Path) -> Iterator[Callable[[str, int, str], tuple[Actor, int]]]:
    """An instance that listens on the port of its config.json and on another; its pid."""
    made: list[Actor] = []

    def make(address: str, extra: int, family: str = "AF_INET") -> tuple[Actor, int]:
        one = Actor(tmp_path / "www" / "site", port=free_port())
        made.append(one)
        return one, one.start(LISTENERS % (one.port, family, address, extra))

    yield make
    for one in made:
        end_below(one.dir)


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])
def test_an_extra_listener_is_not_the_port_of_the_site(
    actor: Callable[..., tuple[Actor, int]], tmp_path: Path, address: str
) -> None:
    extra = free_port()
    one, pid = actor(address, extra)
    row = describe.describe(resolve(str(one.dir)), base=str(tmp_path / "state"))
    assert (row["port"], row["pids"], row["version"]["running"]) == (one.port, [pid], "3.5.8")
    row = describe.describe(resolve(str(one.dir)), extra, base=str(tmp_path / "state"))
    assert row["port"] == one.port
    assert mismatch(row)


def test_both_families_of_one_port_are_one_port(tmp_path: Path) -> None:
    one = Actor(tmp_path / "www" / "two", port=free_port())
    code = f"""
for family, address in ((socket.AF_INET6, '::1'), (socket.AF_INET, '127.0.0.1')):
    sock = socket.socket(family)
    sock.bind((address, {one.port}))
    sock.listen(8)
    globals()[address] = sock
ready()
time.sleep(600)
"""
    pid = one.start(code)
    try:
        row = describe.describe(resolve(str(one.dir)), one.port, http=False, base=str(tmp_path / "state"))
        assert (row["port"], row["listening"], mismatch(row)) == (one.port, True, None)
        assert stop(one.dir, tmp_path / "state", port=one.port)["pid"] == pid
    finally:
        windows.end_process(pid)


def test_two_listeners_that_nothing_names_are_refused(actor: Callable[..., tuple[Actor, int]], tmp_path: Path) -> None:
    """config.json was changed, and both are open to all addresses: the caller's port says which one it is."""
    extra = free_port()
    one, pid = actor("0.0.0.0", extra)
    (one.dir / "config.json").write_text(json.dumps({"mysql": {"database": "a"}, "server": {"port": free_port()}}))
    row = describe.describe(resolve(str(one.dir)), base=str(tmp_path / "state"), http=False)
    found = mismatch(row)
    assert found
    assert f"listens on ports {min(extra, one.port)}, {max(extra, one.port)}" in found["message"]
    row = describe.describe(resolve(str(one.dir)), one.port, base=str(tmp_path / "state"))
    assert (row["port"], mismatch(row), row["version"]["running"]) == (one.port, None, "3.5.8")
    assert stop(one.dir, tmp_path / "state", port=one.port)["pid"] == pid


def test_a_stranger_on_the_port_of_a_process_that_closed_it(site: Callable[..., Instance]) -> None:
    """Versions up to 3.2.1 close their port and live on; who listens there then is somebody else."""
    shop = site("2.5.3")
    window(shop, None)
    os.kill(shop.pid, signal.SIGTERM)
    assert windows.within(10, lambda: not shop.told_version())
    with socket.socket(socket.AF_INET6) as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("::", shop.port))
        stranger.listen()
        context = windows.context_of(shop, port=shop.port)
        assert context.look()
        assert not context.listens()
        context.refuse_wrong_port()
        context.close()
        row = look(shop, shop.port)
        assert (row["port"], row["listening"], row["state"]) == (shop.port, False, "undead")


AS_NOBODY = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
import windows
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe as _describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import window_plan as _plan
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.state import StateDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
instance = resolve({directory!r})
row = _describe.describe(instance, {port}, base={base!r})
try:
    _plan.foresee(Context(instance, StateDir(instance, {base!r}), {port}), windows.plan_of(windows.RESTART))
    refusal = None
except LifecycleError as error:
    refusal = error.msg
print(json.dumps([row["port"], row["listening"], row["state"], refusal]))
"""


@pytest.mark.root
def test_the_owner_without_privileges_gets_the_same_answers(place: Path) -> None:
    shop = make_instance(place / "shop.example", "3.5.8")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(shop.dir)], check=True)
    subprocess.run(
        [
            "setpriv",
            f"--reuid={NOBODY}",
            f"--regid={NOBODY}",
            "--clear-groups",
            "/bin/sh",
            "-c",
            f"cd {shop.dir} && exec setsid {shop.binary} >> running.log 2>&1 < /dev/null &",
        ],
        check=True,
    )
    pid, base, wrong = shop.wait_ready(), place / "state", free_port()
    base.mkdir()
    os.chown(base, NOBODY, NOBODY)
    for given, refused in ((wrong, True), (shop.port, False)):
        script = AS_NOBODY.format(nobody=NOBODY, directory=str(shop.dir), port=given, base=str(base))
        done = subprocess.run(
            [sys.executable, "-c", script, json.dumps([p for p in sys.path if p])],
            check=True,
            stdout=subprocess.PIPE,
            cwd="/",
        )
        port, listening, state, refusal = json.loads(done.stdout)
        assert (port, listening, state) == (shop.port, True, "running")
        if refused:
            assert f"port {given} was given, but pid {pid} listens on port {shop.port}" in refusal
        else:
            assert refusal is None
    assert shop.pid == pid
