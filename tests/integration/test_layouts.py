# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of layouts: what is the instance, what is a stranger, what may be stopped and started. On real processes.

www owns the site, tenant is another user of the host, deploy one who may run it where he is named.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest
from integration.layouts import DEPLOY, TENANT, WWW, Scene, alive, elsewhere, give, look, start, stop

from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as _hazards
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import units
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import resolve

pytestmark = pytest.mark.root
PRIVATE_MOUNTS = ["unshare", "--mount"]
IN_A_SHELL = ["/bin/sh", "-c"]


@pytest.fixture
def scene(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    found = Scene(place)
    found.dir.parent.mkdir()
    monkeypatch.setattr(units, "UNIT_DIRS", (str(place),))
    yield found
    found.close()


def files_of_www_run_by(uid: int, **more: object) -> Callable[[Scene], Path]:
    def build(scene: Scene) -> Path:
        scene.install()
        scene.site = scene.run(uid, **more)  # type: ignore[arg-type]
        return scene.dir

    return build


def files_of_root(config: int) -> Callable[[Scene], Path]:
    def build(scene: Scene) -> Path:
        scene.install(uid=0, files=config)
        scene.site = scene.run(WWW)
        return scene.dir

    return build


def unit_with_user(scene: Scene) -> Path:
    scene.install(uid=0)
    (scene.place / "shop.service").write_text(f"[Service]\nExecStart={scene.dir}/anqicms\nUser={WWW}\n")
    scene.site = scene.run(WWW)
    units.system_unit = lambda cgroups: "shop.service"
    return scene.dir


def in_mounts(script: str = "true", uid: int = WWW, space: str = "--mount") -> Callable[[Scene], Path]:
    """As units have it: `script` is done in a mount namespace of its own, then the instance is executed there."""

    def build(scene: Scene) -> Path:
        scene.install()
        text = script.format(dir=scene.dir, place=scene.place)
        words = ["unshare", space, *IN_A_SHELL, text + ' && exec "$@"', "sh"]
        scene.site = scene.run(uid, before=words)
        return scene.dir

    return build


def private_users(scene: Scene) -> Path:
    scene.install()
    words = [*("setpriv", f"--reuid={WWW}", f"--regid={WWW}", "--clear-groups"), "unshare", "-U", "--map-current-user"]
    scene.site = scene.run(0, before=words)
    return scene.dir


def on_another_mount(scene: Scene) -> Path:
    scene.install()
    elsewhere_ = Path("/dev/shm") / scene.place.name
    elsewhere_.mkdir()
    scene.made.append(elsewhere_)
    shutil.move(str(scene.dir / "anqicms"), elsewhere_ / "anqicms")
    (scene.dir / "anqicms").symlink_to(elsewhere_ / "anqicms")
    scene.site = scene.run(WWW)
    return scene.dir


def one_file_behind_links(uid: int) -> Callable[[Scene], Path]:
    def build(scene: Scene) -> Path:
        program = scene.install(scene.place / "opt", uid=0) / "anqicms"
        for name in ("shop", "sister"):
            directory = scene.install(scene.place / "www" / name)
            (directory / "anqicms").unlink()
            (directory / "anqicms").symlink_to(program)
        sister = scene.place / "www" / "sister"
        scene.run(WWW, sister / "anqicms", sister, serves=False)
        scene.site = scene.run(uid, "./anqicms" if uid else None)
        return scene.dir

    return build


def release_link(scene: Scene) -> Path:
    scene.dir = scene.install(scene.place / "www" / "shop" / "releases" / "2")
    give(scene.place / "www" / "shop", WWW)
    current = scene.place / "www" / "shop" / "current"
    current.symlink_to("releases/2")
    os.lchown(current, WWW, WWW)
    scene.site = scene.run(WWW, current / "anqicms", current)
    return current


def release_link_switched(scene: Scene) -> Path:
    current = release_link(scene)
    scene.install(scene.place / "www" / "shop" / "releases" / "3")
    current.unlink()
    current.symlink_to("releases/3")
    os.lchown(current, WWW, WWW)
    return current


def link_of_root(scene: Scene) -> Path:
    scene.dir = scene.install(scene.place / "data" / "shop")
    (scene.place / "panel").symlink_to(scene.place / "data")
    scene.site = scene.run(WWW)
    return scene.place / "panel" / "shop"


def link_of_a_tenant(scene: Scene) -> Path:
    scene.install()
    scene.site = scene.run(WWW)
    (scene.place / "now").symlink_to(scene.dir)
    os.lchown(scene.place / "now", TENANT, TENANT)
    return scene.place / "now"


def changed_under_it(how: str, record: bool, space: str = "") -> Callable[[Scene], Path]:
    """The file of a running process is replaced, deleted or renamed. `record`: somebody had a look before."""

    def build(scene: Scene) -> Path:
        scene.install()
        scene.site = scene.run(WWW, before=["unshare", space] if space else ())
        if record:
            look(scene, scene.dir, record=True)
        binary = scene.dir / "anqicms"
        if how == "replaced":
            shutil.copy(binary, scene.dir / "new")
            os.replace(scene.dir / "new", binary)
        elif how == "deleted":
            binary.unlink()
        else:
            binary.rename(scene.place / "www" / how if how == "elsewhere" else scene.dir / how)
            shutil.copy("/bin/true", binary)
        return scene.dir

    return build


def binary_link_switched(scene: Scene) -> Path:
    scene.install()
    for name in ("1", "2"):
        (scene.dir / "releases" / name).mkdir(parents=True)
        shutil.copy(scene.dir / "anqicms", scene.dir / "releases" / name / "anqicms")
    binary = scene.dir / "anqicms"
    binary.unlink()
    binary.symlink_to("releases/1/anqicms")
    scene.site = scene.run(WWW)
    binary.unlink()
    binary.symlink_to("releases/2/anqicms")
    return scene.dir


def container(scene: Scene) -> Path:
    scene.install()
    words = ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child"]
    scene.run(WWW, before=words, serves=False)
    time.sleep(0.5)
    return scene.dir


def tenant_beside_it(scene: Scene) -> Path:
    scene.install()
    scene.site = scene.run(WWW)
    scene.run(TENANT, cwd=Path("/"), serves=False)
    return scene.dir


def tenant_alone(serves: bool) -> Callable[[Scene], Path]:
    def build(scene: Scene) -> Path:
        scene.install()
        scene.run(TENANT, cwd=Path("/"), serves=serves)
        return scene.dir

    return build


def tenant_with_a_bind_mount(serves: bool) -> Callable[[Scene], Path]:
    """His own program under the path of the instance, in namespaces of his own."""

    def build(scene: Scene) -> Path:
        scene.install()
        scene.dir.joinpath("anqicms").chmod(0o700)
        his = scene.install(scene.place / "home" / "tenant", TENANT) / "anqicms"
        script = f'mount --bind {his} {scene.dir}/anqicms && exec {scene.dir}/anqicms "$@"'
        words = ["setpriv", f"--reuid={TENANT}", f"--regid={TENANT}", "--clear-groups", "unshare", "-Um",
                 "--map-current-user", "--keep-caps", *IN_A_SHELL, script]  # fmt: skip
        scene.run(0, before=words, program=Path("sh"), arguments=["-c", scene.code(serves)], serves=serves)
        time.sleep(0.5)
        return scene.dir

    return build


def special_program_behind_the_link(mode: int) -> Callable[[Scene], Path]:
    def build(scene: Scene) -> Path:
        scene.install()
        special = scene.place / "special"
        shutil.copy("/bin/sleep", special)
        os.chown(special, 0, 42)
        special.chmod(mode)
        (scene.dir / "anqicms").unlink()
        (scene.dir / "anqicms").symlink_to(special)
        scene.site = scene.run(WWW, program=scene.dir / "anqicms", arguments=["600"], serves=False)
        time.sleep(0.3)
        return scene.dir

    return build


def stopped(scene: Scene) -> Path:
    scene.install()
    return scene.dir


class Layout(NamedTuple):
    """`state` as found. `stop`: a text of the refusal, None when it ends the site, '' when nothing was to be done.

    `start`, after that: a hazard that refuses it, or a text of the refusal; None when it may begin as `runs_as`.
    """

    name: str
    build: Callable[[Scene], Path]
    state: str
    stop: str | None = None
    start: str | None = None
    strangers: bool = False
    user: str | None = None
    runs_as: int = WWW
    noted: bool = True  # where it is the instance


HELD = "port_held_by_stranger"
UNCLEAR = r"No process of the users of .* is held by pid {holder}, user {user}.*"
NAME_HIM = UNCLEAR + r"set user: {user}"
LAYOUTS = [
    Layout("files of www, run by www", files_of_www_run_by(WWW), "running"),
    Layout("files of www, started by root", files_of_www_run_by(0), "running", start="root_runs_writable"),
    Layout("the same, to be run as www", files_of_www_run_by(0), "running", user="www-data"),
    Layout("binary and directory of root, files of www", files_of_root(WWW), "running"),
    Layout("all of root, run by a unit with User=", unit_with_user, "running"),
    Layout("all of root, run by www without a unit", files_of_root(0), "ambiguous", NAME_HIM, HELD, True),
    Layout("the same, with user", files_of_root(0), "running", user="www-data"),
    Layout("sudo -u www", files_of_www_run_by(0, before=["setpriv", "--reuid=33", "--clear-groups"]), "running"),
    Layout("nohup by an admin who is not root", files_of_www_run_by(DEPLOY), "ambiguous", NAME_HIM, HELD, True),
    Layout("the same, with user", files_of_www_run_by(DEPLOY), "running", user=str(DEPLOY), runs_as=DEPLOY),
    Layout("PrivateTmp", in_mounts("mount -t tmpfs none /mnt"), "running"),
    Layout("ProtectSystem", in_mounts("mount --bind {dir} {dir} && mount -o remount,bind,ro {dir}"), "running"),
    Layout("PrivateUsers", private_users, "running"),
    Layout("PrivateTmp, started by root", in_mounts(uid=0), "running", start="root_runs_writable"),
    Layout("a binary on another mount", on_another_mount, "running"),
    Layout("one binary behind links", one_file_behind_links(WWW), "running"),
    Layout("one binary behind links, started by root", one_file_behind_links(0), "running", start="root_runs_writable"),
    Layout("current -> releases/2", release_link, "running"),
    Layout(
        "current was switched under it",
        release_link_switched,
        "ambiguous",
        UNCLEAR + "releases/2/anqicms.* Stop it by the directory of that file",
        HELD,
        True,
    ),
    Layout("/www -> /data of root", link_of_root, "running"),
    Layout("replaced", changed_under_it("replaced", False), "running"),
    Layout("deleted", changed_under_it("deleted", False), "running", start="executable_unusable"),
    Layout("renamed to .old", changed_under_it("anqicms.old", False), "running"),
    Layout("renamed to .bak", changed_under_it("anqicms.bak", False), "running"),
    Layout("renamed to .bak, seen before", changed_under_it("anqicms.bak", True), "running"),
    Layout("moved away", changed_under_it("elsewhere", False), "ambiguous", UNCLEAR, HELD, True),
    Layout("moved away, seen before", changed_under_it("elsewhere", True), "running"),
    Layout(
        "replaced, in private mounts", changed_under_it("replaced", False, "--mount"), "ambiguous", UNCLEAR, HELD, True
    ),
    Layout("replaced, in private mounts, seen before", changed_under_it("replaced", True, "--mount"), "running"),
    Layout("the link of the binary was switched", binary_link_switched, "running"),
    Layout("a container, seen from the host", container, "stopped", ""),
    Layout("a tenant executes the file too", tenant_beside_it, "running", strangers=True),
    Layout("a tenant executes the file alone", tenant_alone(False), "stopped", "", strangers=True),
    Layout("a tenant executes the file and holds the port", tenant_alone(True), "ambiguous", NAME_HIM, HELD, True),
    Layout("a tenant with a bind mount", tenant_with_a_bind_mount(False), "stopped", ""),
    Layout("a tenant with a bind mount on the port", tenant_with_a_bind_mount(True), "ambiguous", NAME_HIM, HELD, True),
    Layout(
        "a setuid program behind the link",
        special_program_behind_the_link(0o4755),
        "starting",
        start="Set user",
        noted=False,
    ),
    Layout(
        "a setgid program behind the link", special_program_behind_the_link(0o2755), "starting", start="set-group-ID"
    ),
    Layout("stopped", stopped, "stopped", ""),
]


@pytest.mark.parametrize("row", LAYOUTS, ids=[row.name for row in LAYOUTS])
def test_layout(row: Layout, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "system_unit", units.system_unit)  # a row may change it
    directory = row.build(scene)
    others = {pid: alive(pid) for pid in scene.pids if pid != scene.site}
    found = look(scene, directory, row.user)
    assert (found["state"], bool(found["strangers"])) == (row.state, row.strangers), found
    own = [scene.site] if row.state in ("running", "starting") else []
    assert found["pids"] == own
    _check_stop(row, scene, stop(scene.base, directory, row.user))
    assert others == {pid: alive(pid) for pid in others}, "another process was touched"
    assert bool(_noted(scene, directory)) == (bool(own) and row.noted), "who is no user was recorded"
    _check_start(row, scene, directory)


def _check_stop(row: Layout, scene: Scene, result: dict[str, object]) -> None:
    if row.stop is None:
        assert result["stopped"] and result["pid"] == scene.site and not alive(scene.site), result
    elif row.stop == "":
        assert (result["exit_kind"], result["signals"]) == ("already_stopped", []), result
    else:
        assert result["stopped"] is False and re.search(_filled(row.stop, scene), str(result["msg"])), result
        assert all(alive(pid) for pid in scene.pids)


def _filled(text: str, scene: Scene) -> str:
    holder = scene.site or scene.pids[-1]
    users = {WWW: "www-data", TENANT: "nobody", DEPLOY: "user id 1234"}
    return text.format(holder=holder, user=users[os.stat(f"/proc/{holder}").st_uid])


def _noted(scene: Scene, directory: Path) -> list[object]:
    state = _state.StateDir(resolve(str(directory)), str(scene.base))
    return [*state.history(), *([state.read_json("launch.json")] if state.read_json("launch.json") else [])]


def _check_start(row: Layout, scene: Scene, directory: Path) -> None:
    """By the hazards that refuse the verb, then by the module itself."""
    refused = [hazard["code"] for hazard in _hazards.refusals(look(scene, directory, row.user)["hazards"], "start")]
    planned = start(scene.base, directory, row.user)
    if row.start is None:
        assert f"as uid {row.runs_as}" in planned.get("would", ""), (refused, planned)
    else:
        assert row.start in refused or row.start in planned["msg"], (refused, planned)


def test_a_link_of_a_tenant_is_refused_with_both_owners(scene: Scene) -> None:
    link = link_of_a_tenant(scene)
    refused = stop(scene.base, link)
    assert refused["stopped"] is False and alive(scene.site)
    assert f"link {link} belongs to nobody" in refused["msg"] and "belongs to www-data" in refused["msg"]


@pytest.mark.parametrize("uid", [0, WWW])
def test_where_processes_are_hidden(uid: int, scene: Scene) -> None:
    """hidepid, for root and for the operator who is the site's own user: both see what is theirs."""
    scene.install()
    scene.site = scene.run(WWW)
    os.chown(scene.place, uid, uid)  # a state directory of his own
    space = ["unshare", "--mount", *IN_A_SHELL, 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh"]
    assert elsewhere("look", scene.base, scene.dir, space, uid)["pids"] == [scene.site]
    assert elsewhere("stop", scene.base, scene.dir, space, uid)["pid"] == scene.site
    assert not alive(scene.site)


def test_in_a_pid_namespace(scene: Scene) -> None:
    """As in a container that has the collection's Python: the process there is the instance there, and only there."""
    scene.install()
    script = (f"cd {scene.dir} && PYTHONHOME={sys.base_prefix} setpriv --reuid={WWW} --regid={WWW} --clear-groups "
              "./anqicms -c 'import time; time.sleep(600)' & sleep 1; exec \"$@\"")  # fmt: skip
    space = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *IN_A_SHELL, script, "sh"]
    result = elsewhere("stop", scene.base, scene.dir, space)
    assert result["stopped"] and result["signals"], result


def test_a_user_of_the_instance_as_operator(scene: Scene) -> None:
    scene.install()
    scene.site = scene.run(WWW)
    scene.run(TENANT, cwd=Path("/"), serves=False)
    os.chown(scene.place, WWW, WWW)
    found = elsewhere("look", scene.base, scene.dir, uid=WWW)
    assert (found["state"], found["pids"]) == ("running", [scene.site])
    assert elsewhere("stop", scene.base, scene.dir, uid=WWW)["pid"] == scene.site and not alive(scene.site)
    assert "as uid 33" in elsewhere("start", scene.base, scene.dir, uid=WWW)["would"]


def test_a_state_directory_without_room(scene: Scene) -> None:
    """Nothing is signalled that could not be noted; what runs is still told."""
    scene.install()
    scene.site = scene.run(WWW)
    scene.base.mkdir(mode=0o700)
    base = scene.base
    script = (f"mount -t tmpfs -o size=64k,mode=700 none {base} && head -c 65536 /dev/zero > {base}/fill 2> /dev/null; "
              'exec "$@"')  # fmt: skip
    space = ["unshare", "--mount", *IN_A_SHELL, script, "sh"]
    assert elsewhere("look", scene.base, scene.dir, space)["pids"] == [scene.site]
    refused = elsewhere("stop", scene.base, scene.dir, space)
    assert refused["stopped"] is False and "could not be" in refused["msg"] and alive(scene.site)
