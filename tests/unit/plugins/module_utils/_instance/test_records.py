# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of the state directory's files, what is refused, and what of it is said."""

import json
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import journal, launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import records as _records

PROCESS = dict(pid=599, start_ticks=1459565)
# As the first commit that kept them has written them: no format.
LAUNCH: t.Dict[str, t.Any] = dict(
    argv=["/www/shop/anqicms"],
    environment={"PATH": "/bin", "LANG": "C.UTF-8"},
    uid=33,
    gid=33,
    groups=[33],
    umask=18,
    limits={"7": [1024, 1048576], "0": [-1, -1]},
    nice=0,
    oom_score_adj=0,
    cgroups={"": "/"},
    label=None,
    cwd="/www/shop",
    log="/www/shop/running.log",
    ignores_hup=True,
)
HISTORY: t.Dict[str, t.Any] = dict(
    uid=33,
    cgroups={"": "/"},
    version="3.5.8",
    log_position=None,
    pid=599,
    start_ticks=1459565,
    boot_id="3a135189",
    oom_kills=0,
    at=1795329902.1,
    monotonic=14595.6,
)
BEGIN: t.Dict[str, t.Any] = dict(
    run_id="r1",
    token="t",
    steps=["graceful_stop", "verified_start"],
    before=PROCESS,
    boot_id="3a135189",
    recovers=None,
    event="begin",
    at=1795329902.1,
    monotonic=14595.6,
)
UNFINISHED = dict(
    run_id="r0",
    token="t0",
    began_at=1795329902.1,
    boot_id="3a135189",
    step=None,
    steps=["verified_start"],
    before=None,
    signalled=False,
    parked=dict(PROCESS, event="parked", at=1.0, monotonic=1.0),
)
EVENTS: t.List[t.Dict[str, t.Any]] = [
    BEGIN,
    dict(BEGIN, recovers=UNFINISHED),
    dict(BEGIN, before=None),
    dict(event="guardian", pid=5),
    dict(event="worker", pid=6),
    dict(event="parked", pid=7, start_ticks=8),
    dict(event="step", index=0, name="a"),
    dict(event="signal", signal="SIGTERM", pid=599),
    dict(event="progress", text="waiting for \u4e2d"),
    dict(event="step_end", index=0, name="a", ok=True),
    dict(event="recovered", before=None, how="it ran"),
    dict(event="recovery_failed", msg="why"),
    dict(event="end", outcome="done"),
    dict(event="end", outcome="recovered", pid=None),
]


def line(entry: t.Any) -> bytes:
    return json.dumps(entry).encode("ascii")


@pytest.mark.parametrize("number", [None, 0, 1])
def test_older_and_present_formats_are_read(number: t.Optional[int]) -> None:
    given_format = {} if number is None else dict(format=number)
    assert _records.parse_record(line(dict(LAUNCH, **given_format)), _records.LAUNCH) == LAUNCH
    data = b"\n".join(line(dict(entry, **given_format)) for entry in EVENTS) + b"\n"
    read = _records.parse_lines(data, _records.JOURNAL)
    assert [{key: value for key, value in entry.items() if key != "format"} for entry in read] == EVENTS
    assert len(_records.parse_lines(line(dict(HISTORY, **given_format)) + b"\n", _records.HISTORY)) == 1


NEWER = "format 2, written by a newer release of the collection; this one knows formats up to 1"


@pytest.mark.parametrize(
    "number,text",
    [
        (2, NEWER),
        (10**30, "written by a newer release"),
        (-1, "the format -1"),
        ("1", "the format a text"),
        (True, "the format true"),
        (None, "the format null"),
        (1.0, "the format 1.0"),
        ([1], "the format a list"),
    ],
)
def test_other_formats_are_refused(number: t.Any, text: str) -> None:
    for fields, entry in ((_records.LAUNCH, LAUNCH), (_records.RESULT, {})):
        with pytest.raises(_records.Odd, match=text):
            _records.parse_record(line(dict(entry, format=number)), fields)
    data = line(BEGIN) + b"\n" + line(dict(event="what will be", format=number)) + b"\n"
    with pytest.raises(_records.Odd, match="line 2 .*" + text):
        _records.parse_lines(data, _records.JOURNAL)


ODD_LAUNCH: t.List[t.Tuple[str, t.Any]] = [
    ("argv", "anqicms"),
    ("argv", []),
    ("argv", [1]),
    ("argv", ["a\0b"]),
    ("argv", ["\ud800"]),
    ("environment", []),
    ("environment", {"A": 1}),
    ("environment", {"A=B": "x"}),
    ("environment", {"A": "\0"}),
    ("uid", "0"),
    ("uid", -1),
    ("uid", True),
    ("uid", 2**32),
    ("gid", None),
    ("groups", "0"),
    ("groups", [None]),
    ("groups", [[]]),
    ("limits", None),
    ("limits", {"7": 5}),
    ("limits", {"7": [1]}),
    ("limits", {"x": [1, 1]}),
    ("limits", {"7": ["1", 1]}),
    ("limits", {"7": [1, 2**70]}),
    ("nice", 99),
    ("nice", "0"),
    ("oom_score_adj", 10**9),
    ("cgroups", []),
    ("cgroups", {"": None}),
    ("umask", "022"),
    ("umask", 10**9),
    ("label", 5),
    ("cwd", ["/"]),
    ("log", {}),
    ("ignores_hup", "yes"),
    ("ignores_hup", 1),
]


@pytest.mark.parametrize("field,value", ODD_LAUNCH)
def test_an_odd_launch_record(field: str, value: t.Any) -> None:
    with pytest.raises(_records.Odd, match="as %s, where " % field):
        _records.parse_record(line(dict(LAUNCH, **{field: value})), _records.LAUNCH)


def test_a_record_without_a_field() -> None:
    short = dict(LAUNCH)
    del short["uid"]
    with pytest.raises(_records.Odd, match="has no uid"):
        _records.parse_record(line(short), _records.LAUNCH)


ODD_EVENTS: t.List[t.Any] = [
    dict(BEGIN, before=[]),
    dict(BEGIN, before=5),
    dict(BEGIN, before={}),
    dict(BEGIN, before=dict(pid="5", start_ticks=1)),
    dict(BEGIN, before=dict(pid=0, start_ticks=1)),
    dict(BEGIN, before=dict(pid=2**31, start_ticks=1)),
    dict(BEGIN, steps="graceful_stop"),
    dict(BEGIN, steps=[1]),
    dict(BEGIN, run_id=1),
    dict(BEGIN, token=[]),
    dict(BEGIN, boot_id={}),
    dict(BEGIN, at="now"),
    dict(BEGIN, at=float("nan")),
    dict(BEGIN, at=float("inf")),
    dict(BEGIN, monotonic=[1]),
    dict(BEGIN, monotonic=True),
    dict(BEGIN, recovers="r0"),
    dict(BEGIN, recovers=[]),
    dict(BEGIN, recovers=dict(UNFINISHED, parked=[])),
    dict(BEGIN, recovers=dict(UNFINISHED, steps=5)),
    dict(BEGIN, recovers=dict(UNFINISHED, before=dict(pid=-1, start_ticks=0))),
    dict(event="parked", pid="7", start_ticks=8),
    dict(event="parked", pid=7, start_ticks=8.5),
    dict(event="step", index="0", name="a"),
    dict(event="step", index=0, name={}),
    dict(event="step_end", index=0, ok="yes"),
    dict(event="signal", signal=15),
    dict(event="recovered", before="x"),
    dict(event="end", outcome={}),
    dict(event=None),
    dict(event=[]),
    dict(event=5),
    dict(run_id="r"),
    {},
    [],
    [2],
    "begin",
    5,
    None,
]


@pytest.mark.parametrize("entry", ODD_EVENTS, ids=repr)
def test_an_odd_line_of_the_journal(entry: t.Any) -> None:
    with pytest.raises(_records.Odd, match="line 2 "):
        _records.parse_lines(line(BEGIN) + b"\n" + line(entry) + b"\n", _records.JOURNAL)


@pytest.mark.parametrize(
    "field,value",
    [
        ("pid", "599"),
        ("pid", None),
        ("start_ticks", 1.5),
        ("start_ticks", -1),
        ("boot_id", 5),
        ("at", "x"),
        ("uid", "33"),
        ("cgroups", []),
        ("cgroups", {"": 1}),
        ("version", 3),
        ("log_position", 7),
        ("oom_kills", "0"),
        ("listened", "yes"),
    ],
)
def test_an_odd_line_of_the_history(field: str, value: t.Any) -> None:
    with pytest.raises(_records.Odd, match="line 1 has .* as %s" % field):
        _records.parse_lines(line(dict(HISTORY, **{field: value})), _records.HISTORY)


@pytest.mark.parametrize(
    "entry",
    [
        dict(dir="a", binary="b"),
        dict(dir="/a", binary="b/c"),
        dict(dir="/a\0", binary="b"),
        dict(dir="/a", binary=".."),
        dict(dir="/a"),
        dict(dir=["/a"], binary="b"),
    ],
)
def test_an_odd_name_of_an_instance(entry: t.Any) -> None:
    with pytest.raises(_records.Odd):
        _records.parse_record(line(entry), _records.INSTANCE)


NOT_JSON = [
    b"",
    b"\xff\xfe",
    b"{]",
    b"nothing",
    b"[1]",
    b'"text"',
    b"[" * 200000,
    b'{"a":' * 200000,
    b"{}}",
    b"{'a': 1}",
    b'{"a": [' + b"[" * 60 + b"]" * 61 + b"}",
    b"NaN",
    b"\0\0",
]


@pytest.mark.parametrize("data", NOT_JSON, ids=lambda data: repr(data[:10]))
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(_records.Odd):
        _records.parse_record(data, _records.RESULT)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"{]",
        b"[" * 200000,
        b'{"event": xx}',
        b"{}}",
        b'{"event": "\xe4"}',
        b"garbage",
        b'{"event":' * 2000 + b"1" + b"}" * 2000,
    ],
)
def test_a_line_that_no_power_cut_makes(data: bytes) -> None:
    with pytest.raises(_records.Odd, match="line 2 "):
        _records.parse_lines(line(BEGIN) + b"\n" + data + b"\n" + line(BEGIN) + b"\n", _records.JOURNAL)


@pytest.mark.parametrize("entry", [*EVENTS, HISTORY, LAUNCH], ids=repr)
def test_a_line_that_was_cut_anywhere_is_left_out(entry: t.Any) -> None:
    """A later line may stand after it, and blocks that were never written."""
    whole = line(entry)
    for size in range(len(whole)):
        for tail in (b"", b"\0" * 9):
            data = line(BEGIN) + b"\n" + whole[:size] + tail + b"\n" + line(BEGIN) + b"\n"
            assert _records.parse_lines(data, _records.JOURNAL) == [BEGIN, BEGIN], whole[:size]


def test_unknown_fields_and_events_are_left_alone() -> None:
    entry = dict(event="what will be", of=dict(any=["kind"]), pid="odd")
    assert _records.parse_lines(line(entry), _records.JOURNAL) == [entry]
    assert _records.parse_record(line(dict(LAUNCH, more=5)), _records.LAUNCH)["more"] == 5
    record = launch.from_json(dict(LAUNCH, more=5))
    assert record is not None
    assert record.argv == LAUNCH["argv"]


def test_nothing_of_a_record_is_shown() -> None:
    with pytest.raises(_records.Odd) as caught:
        _records.parse_record(line(dict(LAUNCH, environment=["s3cret"], argv="s3cret")), _records.LAUNCH)
    assert "s3cret" not in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(sorted({name for event in EVENTS for name in event} | {"format"}))
KINDS = st.sampled_from([event["event"] for event in EVENTS] + ["other"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(KINDS, st.dictionaries(NAMES, VALUES, max_size=5)), max_size=5))
def test_whatever_is_read_can_be_worked_with(rows: t.Any) -> None:
    """Either it is refused, or all that is made of a journal can be made of it."""
    data = b"".join(line(dict(dict(event=kind), **fields)) + b"\n" for kind, fields in rows)
    try:
        entries = _records.parse_lines(data, _records.JOURNAL)
    except _records.Odd:
        return
    run = journal.last_run(entries)
    found = journal.unfinished(run)
    journal.steps_begun(run)
    if found is not None:
        again = journal.unfinished([dict(event="begin", run_id="r", recovers=found)])
        assert again is not None
        for process in (found.get("before"), found.get("parked")):
            assert process is None or (_records.is_whole(process["pid"]) and _records.is_whole(process["start_ticks"]))
        assert found.get("steps") is None or all(isinstance(name, str) for name in found["steps"])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,0123456789abe \\u', max_size=60).map(str.encode))
def test_bytes_are_read_or_refused(data: bytes) -> None:
    for fields in (_records.JOURNAL, _records.HISTORY):
        try:
            _records.parse_lines(data, fields)
        except _records.Odd:
            pass
    for fields in (_records.LAUNCH, _records.INSTANCE, _records.RESULT):
        try:
            _records.parse_record(data, fields)
        except _records.Odd:
            pass


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(LAUNCH)), VALUES, max_size=4))
def test_a_launch_record_is_sound_or_refused(fields: t.Any) -> None:
    try:
        read = _records.parse_record(line(dict(LAUNCH, **fields)), _records.LAUNCH)
    except _records.Odd:
        return
    record = launch.from_json(read)
    assert record is not None
    assert record.argv
    assert all(isinstance(text, str) for text in record.argv + list(record.environment.values()))
    assert all(len(pair) == 2 for pair in record.limits.values())
