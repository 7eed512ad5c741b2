# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups, procfs, secrets
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max file size             unlimited            unlimited            bytes
Max core file size        0                    unlimited            bytes
Max processes             127235               127235               processes
Max open files            1024                 1048576              files
Max nice priority         0                    0
Max something new         1                    2                    pears
"""


def record(**fields: t.Any) -> launch.LaunchRecord:
    known: t.Dict[str, t.Any] = dict(
        argv=["/a/anqicms"],
        environment={"PATH": "/bin"},
        uid=1,
        gid=2,
        groups=[2],
        umask=18,
        limits={},
        nice=0,
        oom_score_adj=0,
        cgroups={},
        label=None,
        cwd="/a",
        log=None,
        ignores_hup=True,
    )
    known.update(fields)
    return launch.LaunchRecord(**known)


def test_limits() -> None:
    assert launch.parse_limits(LIMITS) == {
        "0": [-1, -1],
        "1": [-1, -1],
        "4": [0, -1],
        "6": [127235, 127235],
        "7": [1024, 1048576],
        "13": [0, 0],
    }


def test_cgroups_of_both_kinds() -> None:
    text = "9:name=systemd:/\n8:pids:/shop\n4:cpu,cpuacct:/a:b\n0::/unified\n"
    assert cgroups.parse(text) == {"name=systemd": "/", "pids": "/shop", "cpu,cpuacct": "/a:b", "": "/unified"}


SHIM = "/var/lib/anqicms-lifecycle/" + launch.SHIM_NAME
PATHS = [
    ({"PATH": "/bin:/usr/bin"}, {"PATH": "/bin:/usr/bin"}),
    ({"PATH": SHIM + ":/bin"}, {"PATH": "/bin"}),
    ({"PATH": SHIM + ":" + SHIM + ":/bin:" + SHIM}, {"PATH": "/bin"}),
    ({"PATH": SHIM, "A": "1"}, {"A": "1"}),
    ({"PATH": ""}, {"PATH": ""}),
    ({}, {}),
]


@pytest.mark.parametrize("given,expected", PATHS)
def test_the_shim_never_becomes_part_of_a_record(given: t.Dict[str, str], expected: t.Dict[str, str]) -> None:
    assert launch.without_shim(given) == expected


FDINFO = [
    ("pos:\t0\nflags:\t0102001\nmnt_id:\t29\n", True),  # O_WRONLY|O_APPEND
    ("pos:\t0\nflags:\t0100002\n", True),  # O_RDWR
    ("pos:\t0\nflags:\t0100000\n", False),  # O_RDONLY: anybody may have a file of root's open so
    ("pos:\t0\nflags:\t012000000\n", False),  # O_PATH: not even the right to read is needed
    ("pos:\t0\nflags:\t010000001\n", False),  # O_PATH with a mode that the kernel would have ignored
    ("", False),
    ("flags:\tnonsense\n", False),
]


@pytest.mark.parametrize("text,expected", FDINFO)
def test_only_a_descriptor_that_writes_tells_the_log(text: str, expected: bool) -> None:
    assert launch.is_for_writing(text.encode('ascii')) is expected


@pytest.mark.parametrize(
    "flags,expected", [(os.O_WRONLY | os.O_APPEND, True), (os.O_RDONLY, False), (os.O_PATH, False)]
)
def test_log_of_a_real_process(tmp_path: t.Any, flags: int, expected: bool) -> None:
    log = tmp_path / "running.log"
    log.write_text("")
    ready_read, ready_write = os.pipe()
    end_read, end_write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.dup2(os.open(str(log), flags), 1)
            os.close(end_write)
            os.write(ready_write, b"x")
            os.read(end_read, 1)
        finally:
            os._exit(0)
    os.read(ready_read, 1)
    with procfs.ProcDir(pid) as proc:
        found = launch.log_of(proc)
    for fd in (ready_read, ready_write, end_read, end_write):
        os.close(fd)
    os.waitpid(pid, 0)
    assert found == (str(log) if expected else None)


@pytest.mark.parametrize(
    "link,expected",
    [
        ("/a/running.log", "/a/running.log"),
        ("/a/running.log (deleted)", "/a/running.log"),
        ("/dev/null", None),
        ("/dev/pts/3", None),
        ("pipe:[123]", None),
        ("socket:[5]", None),
        (None, None),
    ],
)
def test_regular_target(link: t.Optional[str], expected: t.Optional[str]) -> None:
    assert launch.regular_target(link) == expected


def test_json_and_back() -> None:
    original = record(environment={"A": "\udcff", "B": "中"}, log="/a/running.log")
    assert launch.from_json(launch.to_json(original)) == original


def test_a_record_without_a_field_is_none() -> None:
    stored = launch.to_json(record())
    del stored["uid"]
    assert launch.from_json(stored) is None


def test_secrets_are_masked() -> None:
    shown = launch.masked(record(environment={"PATH": "/bin", "MYSQL_PASSWORD": "s3cret"}))
    assert shown["environment"] == {"PATH": "/bin", "MYSQL_PASSWORD": secrets.MASK}
    assert "s3cret" not in str(shown)


def test_capture_of_this_process() -> None:
    with procfs.ProcDir(os.getpid()) as proc:
        found = launch.capture(proc)
    assert (found.uid, found.gid, found.nice) == (os.geteuid(), os.getegid(), os.getpriority(os.PRIO_PROCESS, 0))
    assert sorted(found.groups) == sorted(os.getgroups())
    assert found.cwd == os.getcwd()
    assert {name: found.limits[name] for name in found.limits} == {
        name: value for name, value in launch.current_limits().items() if name in found.limits
    }


FITS: t.List[t.Tuple[t.List[str], t.Dict[str, str], int, t.Optional[str]]] = [
    (["/a/anqicms"], {}, -1, None),
    (["/a/anqicms"], {"A": "x" * 1000}, 8 << 20, None),
    (["/a/anqicms"], {"A": "x" * (128 << 10)}, -1, "more than 128 KiB"),
    (["/a/anqicms"] + ["x" * 100000] * 25, {}, -1, None),
    (["/a/anqicms"] + ["x" * 100000] * 25, {}, 8 << 20, "stack limit allows 2032"),
    (["/a/anqicms"], {str(number): "x" * 100000 for number in range(2)}, 4096, "stack limit allows 112"),
    (["/a/anqicms"], {"A": "x" * 100000}, 4096, None),
]


@pytest.mark.parametrize("argv,environment,stack,why", FITS)
def test_what_execve_would_refuse_is_known_before(
    argv: t.List[str], environment: t.Dict[str, str], stack: int, why: t.Optional[str]
) -> None:
    found = launch.why_too_large(record(argv=argv, environment=environment, limits={"3": [stack, -1]}))
    assert (found is None) if why is None else (why in (found or ""))


def test_results_show_a_part_of_what_is_long() -> None:
    many = {"N%d" % number: "x" for number in range(5000)}
    shown = launch.masked(record(argv=["a" * 5000] + ["b"] * 5000, environment=dict(many, PATH="p" * 3000)))
    assert len(shown["argv"]) == 201 and shown["argv"][-1] == "... (4801 more)"
    assert shown["argv"][0] == "a" * 1000 + "... (4000 more characters)"
    assert len(shown["environment"]) == 200 and shown["environment"]["PATH"].startswith("ppp")


def test_the_limit_of_the_address_space() -> None:
    limits = launch.parse_limits('Max address space         1073741824           unlimited            bytes     \n')
    assert launch.address_space(limits) == 1048576
    assert launch.address_space({'9': [-1, -1]}) is None
    assert launch.address_space({}) is None
