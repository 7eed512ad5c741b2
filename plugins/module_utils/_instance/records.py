# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the files of the state directory may hold: formats and types, checked when they are read. Pure.

A record of an older format is read. One of a newer format, or one that no release has written so, is refused: half of
what it says would be lost, or the code behind would break. Fields and events that are not known are left alone.
"""

import json
import math
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json

FORMAT = 1  # of all that is written now; records of before it was numbered have none, and read as this one

Entry = t.Dict[str, t.Any]
_DEEPEST = 50


class Odd(ValueError):
    """Why a record is not used, for people: it follows the name of its file."""


class Kind(t.NamedTuple):
    what: str
    fits: t.Callable[[t.Any], bool]


def is_whole(value: t.Any) -> bool:
    """A whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _number(least: int, most: int) -> t.Callable[[t.Any], bool]:
    return lambda value: is_whole(value) and least <= value <= most


def _is_text(value: t.Any) -> bool:
    """A text that the system takes as a path or an argument."""
    try:
        return isinstance(value, str) and b'\0' not in value.encode('utf-8', 'surrogateescape')
    except UnicodeError:
        return False


def _is_time(value: t.Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e15 and math.isfinite(value)


def _is_name(value: t.Any) -> bool:
    return _is_text(value) and value not in ('', '.', '..') and '/' not in value


def _or_null(kind: Kind) -> Kind:
    return Kind(kind.what + ' or null', lambda value: value is None or kind.fits(value))


def _list_of(kind: Kind, least: int = 0) -> Kind:
    return Kind(
        'a list of which each is %s' % kind.what,
        lambda value: isinstance(value, list) and len(value) >= least and all(map(kind.fits, value)),
    )


def _map_of(keys: Kind, values: Kind) -> Kind:
    return Kind(
        'an object in which each value is %s' % values.what,
        lambda value: (
            isinstance(value, dict) and all(keys.fits(key) and values.fits(one) for key, one in value.items())
        ),
    )


def _object(fields: t.Mapping[str, Kind]) -> Kind:
    def fits(value: t.Any) -> bool:
        return isinstance(value, dict) and all(kind.fits(value.get(name)) for name, kind in fields.items())

    return Kind('an object with %s' % ', '.join(sorted(fields)), fits)


TEXT = Kind('a text', _is_text)
FLAG = Kind('true or false', lambda value: isinstance(value, bool))
TIME = Kind('a number of seconds', _is_time)
PID = Kind('a process id', _number(1, 2**31 - 1))
TICKS = Kind('a start time', _number(0, 2**63 - 1))
COUNT = Kind('a number from 0 on', _number(0, 2**63 - 1))
WHOLE = Kind('a whole number', is_whole)  # what a file system says of a file: any inode, any time
ID = Kind('a user or group id', _number(0, 2**32 - 2))
PATH = Kind('an absolute path', lambda value: _is_text(value) and value.startswith('/'))
NAME = Kind('a file name', _is_name)
TEXTS = _map_of(TEXT, TEXT)
VARIABLE = Kind('the name of a variable', lambda value: _is_text(value) and '=' not in value)
PROCESS = _object(dict(pid=PID, start_ticks=TICKS))
LIMIT = Kind(
    'a soft and a hard limit',
    lambda value: isinstance(value, list) and len(value) == 2 and all(map(_number(-1, 2**64 - 1), value)),
)
LIMIT_NUMBER = Kind('the number of a limit', lambda value: _is_text(value) and bool(re.match(r'1?[0-9]\Z', value)))

# What a run has changed on the disk or in a database, with all that is needed to take it back.
CHANGE = _object(dict(kind=TEXT, number=COUNT, data=Kind('an object', lambda value: isinstance(value, dict))))
# An earlier run as a later one carries it along.
UNFINISHED = _object(
    {
        name: _or_null(kind)
        for name, kind in dict(
            run_id=TEXT,
            token=TEXT,
            began_at=TIME,
            boot_id=TEXT,
            step=TEXT,
            steps=_list_of(TEXT),
            before=PROCESS,
            signalled=FLAG,
            parked=PROCESS,
            force=TEXT,
            hosts=_list_of(TEXT),
            accepts=_list_of(TEXT),
            waits_for=TEXT,
            guardian=_object(dict(pid=PID)),
            changes=_list_of(CHANGE),
            had_changes=FLAG,
        ).items()
    }
)
# What a run leaves: its process, if it runs, in which boot, and its version.
_LEFT = {
    name: _or_null(kind)
    for name, kind in dict(after=PROCESS, boot_id=TEXT, pid_space=TEXT, state=TEXT, version=TEXT).items()
}
EVENTS: t.Dict[str, t.Dict[str, Kind]] = dict(
    begin=dict(
        run_id=TEXT,
        token=TEXT,
        steps=_list_of(TEXT),
        before=PROCESS,
        boot_id=TEXT,
        recovers=UNFINISHED,
        force=TEXT,
        hosts=_list_of(TEXT),
        accepts=_list_of(TEXT),
    ),
    guardian=dict(pid=PID),
    worker=dict(pid=PID),
    guardian_stays=dict(pid=PID, waits_for=TEXT, limit_s=TIME),
    guardian_left=dict(why=TEXT),
    parked=dict(pid=PID, start_ticks=TICKS),
    signal=dict(signal=TEXT, pid=PID, by=TEXT, run_id=TEXT),
    step=dict(index=COUNT, name=TEXT),
    step_end=dict(index=COUNT, name=TEXT, ok=FLAG, changed=FLAG),
    change=dict(kind=TEXT, number=COUNT, data=_map_of(TEXT, Kind('any value', lambda value: True))),
    undone=dict(number=COUNT),
    progress=dict(text=TEXT),
    recovered=dict(before=PROCESS, how=TEXT),
    end=dict(outcome=TEXT, **_LEFT),
    # A run without a window: its tasks, one after the other.
    task=dict(by=TEXT, run_id=TEXT, steps=_list_of(TEXT), boot_id=TEXT),
    task_end=dict(by=TEXT, run_id=TEXT, outcome=TEXT, **_LEFT),
)


class Fields(t.NamedTuple):
    """``required`` must be there; ``optional`` may also be missing or null."""

    required: t.Mapping[str, Kind]
    optional: t.Mapping[str, Kind] = {}


_CLOCKS = dict(at=TIME, monotonic=TIME)
JOURNAL = Fields(dict(event=TEXT), _CLOCKS)
HISTORY = Fields(
    dict(pid=PID, start_ticks=TICKS),
    dict(
        _CLOCKS,
        boot_id=TEXT,
        uid=ID,
        cgroups=TEXTS,
        version=TEXT,
        log_position=TEXT,
        listened=FLAG,
        oom_kills=COUNT,
        exe=_list_of(WHOLE),
        binary=_list_of(WHOLE),
    ),
)
INSTANCE = Fields(dict(dir=PATH, binary=NAME))
PLAN = Fields(dict(run_id=TEXT, verb=TEXT), dict(_CLOCKS, resumes=TEXT, version=TEXT, fleet=_list_of(TEXT)))
TRAITS = _object(
    {
        name: _or_null(kind)
        for name, kind in dict(
            no_new_privs=FLAG,
            affinity=_list_of(COUNT),
            scheduler=COUNT,
            io_priority=COUNT,
            personality=COUNT,
            coredump_filter=COUNT,
            timer_slack=COUNT,
            bounding_set=COUNT,
            lost=_list_of(TEXT),
        ).items()
    }
)
PROVED = _object(
    dict(
        uid=ID,
        gid=ID,
        groups=_list_of(ID),
        log=_or_null(PATH),
        label=_or_null(TEXT),
        cgroups=TEXTS,
        pid=PID,
        start_ticks=TICKS,
        boot_id=TEXT,
    )
)
LAUNCH = Fields(
    dict(
        argv=_list_of(TEXT, 1),
        environment=_map_of(VARIABLE, TEXT),
        uid=ID,
        gid=ID,
        groups=_list_of(ID),
        limits=_map_of(LIMIT_NUMBER, LIMIT),
        nice=Kind('a nice value', _number(-20, 19)),
        oom_score_adj=Kind('a number from -1000 to 1000', _number(-1000, 1000)),
        cgroups=TEXTS,
        ignores_hup=FLAG,
    ),
    dict(
        umask=Kind('a umask', _number(0, 0o777)),
        label=TEXT,
        cwd=TEXT,
        log=TEXT,
        log_found=TEXT,
        log_file=_list_of(COUNT, 2),
        output=TEXT,
        error_output=TEXT,
        traits=TRAITS,
        proved=PROVED,
    ),
)
RESULT = Fields({}, dict(outcome=TEXT, failed=FLAG, changed=FLAG, msg=TEXT))


def parse_record(data: bytes, fields: Fields) -> Entry:
    """One object, without its format. Raises Odd."""
    entry = _checked(_load(data), fields)
    entry.pop('format', None)
    return entry


def parse_lines(data: bytes, fields: Fields) -> t.List[Entry]:
    """The objects of a file with one a line; a line torn by a power cut is left out. Raises Odd."""
    entries = []
    for number, whole in enumerate(data.split(b'\n'), 1):
        line = whole.strip(b'\0')  # blocks that a power cut left unwritten
        try:
            entries += [_line(line, fields)] if line else []
        except Odd as exc:
            if not is_torn(line):
                raise Odd('line %d %s' % (number, exc)) from exc
    return entries


def _line(data: bytes, fields: Fields) -> Entry:
    entry = _checked(_load(data), fields)
    if fields is JOURNAL:
        _check_fields(entry, Fields({}, EVENTS.get(entry['event'], {})))
    return entry


def is_torn(line: bytes) -> bool:
    """Whether a line is the begin of an object whose rest was never written."""
    try:
        text = line.decode('ascii')  # all that is ours is
        foreign_json.load(text, _DEEPEST)
    except (UnicodeDecodeError, foreign_json.Refused):
        return False
    except ValueError as exc:
        return text.startswith('{') and _ends_within(text, exc)
    return False


def _ends_within(text: str, exc: ValueError) -> bool:
    """Whether the reader came to the end of the text in the middle of a value."""
    message, rest = getattr(exc, 'msg', ''), text[getattr(exc, 'pos', 0) :]
    if message.startswith('Unterminated string'):
        return True
    if message.startswith('Invalid \\u'):
        return bool(re.search(r'\\u[0-9A-Fa-f]{0,4}\Z', text))
    word = any(known.startswith(rest) for known in ('true', 'false', 'null'))
    return word or bool(re.match(r'[-+.eE0-9]*\Z', rest))


def _load(data: bytes) -> Entry:
    try:
        value = foreign_json.load(data, _DEEPEST, unique=True)
    except foreign_json.Refused as exc:
        raise Odd(str(exc)) from exc
    except ValueError as exc:
        raise Odd('is not JSON' if data else 'is empty') from exc
    if not isinstance(value, dict):
        raise Odd('is not an object')
    return value


def _checked(entry: Entry, fields: Fields) -> Entry:
    _check_format(entry.get('format', FORMAT))
    for name in fields.required:
        if name not in entry:
            raise Odd('has no %s' % name)
    _check_fields(entry, fields)
    return entry


def _check_format(number: t.Any) -> None:
    if not is_whole(number) or number < 0:
        raise Odd('has the format %s, which is not a number from 0 on' % _shown(number))
    if number > FORMAT:
        raise Odd(
            'has format %d, written by a newer release of the collection; this one knows formats up to %d'
            % (number, FORMAT)
        )


def _check_fields(entry: Entry, fields: Fields) -> None:
    wanted = list(fields.required.items())
    wanted += [(name, kind) for name, kind in fields.optional.items() if entry.get(name) is not None]
    for name, kind in wanted:
        if not kind.fits(entry[name]):
            raise Odd('has %s as %s, where %s is expected' % (_shown(entry[name]), name, kind.what))


def _shown(value: t.Any) -> str:
    """For messages. Texts are not shown: they may be secrets."""
    kinds: t.Dict[t.Any, str] = {str: 'a text', list: 'a list', dict: 'an object'}
    return kinds.get(type(value)) or json.dumps(value)
