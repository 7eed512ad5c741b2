# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the module evidence hands over of one instance: the parts of its logs, and what is known, without secrets."""

import base64
import json
import os
import time
import typing as t
import zlib

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import check as _oom_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import sources as _death_sources
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import secrets as _secrets
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.local_time import iso
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.secrets import Mask
from ansible_collections.anqicms.lifecycle.plugins.module_utils._info import describe
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.position import Segment
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import logs as _log_check

SPEC: t.Dict[str, t.Dict[str, t.Any]] = {
    'since': {'type': 'str'},
    'until': {'type': 'str'},
    'dest': {'type': 'str', 'required': True},
}

MOST = 2 << 20  # bytes of one log
_NEAR = 2 * 262144  # a search by time ends this far before the place
_BLOCK = 262144

Result = t.Dict[str, t.Any]


class Window(t.NamedTuple):
    since: float
    until: float


class Part(t.NamedTuple):
    """One file of the bundle. ``cut``: bytes of the window that were left out, the oldest; ``why_not``: no data."""

    name: str
    data: bytes = b''
    cut: int = 0
    why_not: t.Optional[str] = None


# --- logs


class Tail:
    """The last bytes of several files; fed with the newest file first."""

    def __init__(self, most: int) -> None:
        self.room, self.cut = most, 0
        self.pieces: t.List[bytes] = []

    def plain(self, fd: int, begin: int, end: int) -> None:
        start = max(begin, end - self.room)
        data = b''.join(_blocks(fd, start, end))
        if start:
            data = data[data.find(b'\n') + 1 :]
        self._take(data, start - begin)

    def packed(self, fd: int, until: float) -> None:
        """zlib.error, EOFError: it is broken; what came before counts."""
        data, passed = bytearray(), 0
        try:
            for block in _log_position.unpacked(fd, until):
                passed += len(block)
                data += block
                del data[: max(0, len(data) - self.room)]
        finally:
            self._take(bytes(data), passed - len(data))

    def _take(self, data: bytes, cut: int) -> None:
        self.pieces.insert(0, data)
        self.room -= len(data)
        self.cut += cut


def _blocks(fd: int, at: int, end: int) -> t.Iterator[bytes]:
    while at < end:
        block = os.pread(fd, min(_BLOCK, end - at), at)
        if not block:
            return
        yield block
        at += len(block)


def end_of(fd: int, segment: Segment, until: t.Optional[str]) -> int:
    """Where the window ends in a plain file, late rather than early. ``until``: None is now."""
    size = os.fstat(fd).st_size
    if until is None:
        return size
    return max(segment.begin, min(size, _log_read.begin_of_time(fd, size, until) + _NEAR))


class Logs:
    """Reads the logs of one instance through the private opener."""

    def __init__(self, context: Context, directory: InstallDir, window: Window) -> None:
        uid = context.candidate.uid if context.candidate else None
        self.reader, self.since = _log_read.Reader(directory, uid), window.since
        is_over = window.until < time.time() - _oom_check.NOW_S
        self.until = _log_check.local_time(window.until + 1.0) if is_over else None

    def part(self, name: str, path: str) -> Part:
        tail = Tail(MOST)
        try:
            segments = self.reader.since_time(path, self.since, _log_check.local_time(self.since))
            why_not = None if segments else '%s does not exist' % path
            for segment in reversed(segments):
                self._read(tail, segment)
        except OSError as exc:
            why_not = '%s: %s' % (path, exc.strerror or exc)
        except (LifecycleError, EOFError, zlib.error) as exc:
            why_not = getattr(exc, 'msg', None) or '%s: %s' % (path, exc)
        return Part(name, b''.join(tail.pieces), tail.cut, why_not)

    def _read(self, tail: Tail, segment: Segment) -> None:
        fd = self.reader.directory.open_log(segment.path, self.reader.uid)
        try:
            if segment.path.endswith('.gz'):
                tail.packed(fd, self.reader.end)
            else:
                tail.plain(fd, segment.begin, end_of(fd, segment, self.until))
        finally:
            os.close(fd)


def kernel_part(window: Window) -> Part:
    """The lines of the system's logs that concern memory, a crash or a boot, each with where it stands."""
    readings = _death_sources.read_all(window.since, window.until)
    rows = [
        '%s  %s  %s\n' % (iso(line.time) or '-', line.evidence.file or line.evidence.source, line.evidence.text)
        for reading in readings
        for line in reading.lines
    ]
    data = ''.join(rows).encode('utf-8', 'replace')
    return Part('kernel.log', data[-MOST:], max(0, len(data) - MOST))


# --- config.json


class Config(t.NamedTuple):
    """``values`` without secrets, None with the reason why not; ``secrets`` that stand there."""

    values: t.Any
    why_not: t.Optional[str]
    secrets: t.AbstractSet[str]


def read_config(directory: InstallDir, uid: t.Optional[int]) -> Config:
    try:
        data = directory.read(config_file.NAME, directory.owners(uid))
    except OSError as exc:
        return Config(None, '%s: %s' % (directory.shown(config_file.NAME), exc.strerror), set())
    except LifecycleError as exc:
        return Config(None, exc.msg, set())
    return without_secrets(data)


def without_secrets(data: bytes) -> Config:
    """What is no JSON is not handed over: nobody knows what in it is a secret. Pure."""
    try:
        values = config_file.load_json(data)
    except ValueError as exc:
        why_not = 'it is not valid JSON, so its secrets cannot be recognized: %s' % exc
        return Config(None, why_not, _secrets.values_in_text(data.decode('utf-8', 'replace')))
    return Config(_secrets.masked(values), None, _secrets.values_of(values))


def json_part(name: str, value: t.Any) -> Part:
    return Part(name, (json.dumps(printable.value(value), indent=2, sort_keys=True) + '\n').encode('ascii'))


# --- all of it


def _findings(context: Context, since: str) -> Result:
    try:
        return _log_check.check(context, {'ignore': [], 'fail_on': 'never'}, since)
    except (LifecycleError, OSError) as exc:
        return {'msg': getattr(exc, 'msg', None) or str(exc)}


def _environment_secrets(context: Context) -> t.Set[str]:
    """Of the environment that it runs with, or ran with."""
    try:
        record = launch.capture(context.handle.proc) if context.handle is not None else None
    except (LifecycleError, OSError, ValueError, KeyError):
        record = None
    record = record or context.stored_record()
    environment = record.environment if record else {}
    return {value for name, value in environment.items() if _secrets.is_secret_variable(name)}


def parts_of(context: Context, params: t.Mapping[str, t.Any]) -> t.List[Part]:
    """Every part, with secrets masked."""
    options = {name: option.get('default') for name, option in _oom_check.SPEC.items()}
    options.update(since=params['since'], until=params['until'])
    window = Window(*_oom_check.window(options, time.time()))
    death = _oom_check.check(context, options)
    instance = describe.describe(context.instance, context.port_option, base=context.state.base)
    findings = _findings(context, str(death['since']))
    with InstallDir(context.instance.dir) as directory:
        config = read_config(directory, context.candidate.uid if context.candidate else None)
        logs = Logs(context, directory, window)
        paths = dict(context.logs.files(), check=os.path.join(context.instance.dir, 'check.log'))
        read = [logs.part(kind + '.log', path) for kind, path in sorted(paths.items())] + [kernel_part(window)]
    mask = Mask(config.secrets | _environment_secrets(context))
    configured = (
        json_part(config_file.NAME, mask.value(config.values))
        if config.why_not is None
        else Part(config_file.NAME, why_not=config.why_not)
    )
    told = {'instance.json': instance, 'oom_check.json': death, 'log_check.json': findings}
    return (
        [json_part(name, mask.value(value)) for name, value in sorted(told.items())]
        + [configured]
        + [part._replace(data=mask.text(part.data)) for part in read]
    )


def collect(context: Context, params: t.Mapping[str, t.Any]) -> Result:
    """The result, with the parts packed for the way to the controller."""
    return dict(
        changed=False,
        id=context.instance.id,
        parts=[
            dict(
                name=part.name,
                bytes=len(part.data),
                cut=part.cut,
                why_not=part.why_not,
                data=base64.b64encode(zlib.compress(part.data, 6)).decode('ascii'),
            )
            for part in parts_of(context, params)
        ],
    )
