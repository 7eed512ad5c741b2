# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the logs of an instance say since a point: findings, markers, and a verdict."""

import calendar
import os
import re
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import log_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.log_lines import ERROR, PANICS, RUNNING, WARNING
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import procfs
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.files import InstallDir
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import position as _log_position
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs import read as _log_read
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.position import Segment
from ansible_collections.anqicms.lifecycle.plugins.module_utils._logs.scan import Scanner

LAST_START = 'last_start'
_SHOWN = 3  # findings in a message
_START_SLACK_S = 2.0  # the first line of a process is that much later than its start at most
_TIME = re.compile(r'^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)?\s*(Z|[+-]\d\d:?\d\d)?$')
_EPOCH = re.compile(r'^\d{9,11}(?:\.\d+)?$')
_LIKE_A_CODE = re.compile(r'^[a-z]+(?:_[a-z]+)+$')

Result = t.Dict[str, t.Any]
Ignore = t.Callable[[t.Mapping[str, t.Any]], bool]


class Since(t.NamedTuple):
    """One of the three is set; none of them: the last start."""

    position: t.Optional[_log_position.Position] = None
    epoch: t.Optional[float] = None


class Begin(t.NamedTuple):
    """Where reading one log begins. ``local``: lines before this time do not count."""

    segments: t.Sequence[Segment]
    serving: bool
    local: t.Optional[str] = None
    lost: t.Optional[str] = None


# --- options, pure


def parse_since(text: str) -> Since:
    """``last_start``, a position, or a time: ISO 8601 (local without a zone) or seconds since the epoch."""
    if text == LAST_START:
        return Since()
    if _log_position.is_token(text):
        return Since(position=_log_position.decode(text))
    if _EPOCH.match(text):
        return Since(epoch=float(text))
    found = _TIME.match(text)
    try:
        if found is not None:
            return Since(epoch=_epoch(found))
    except (ValueError, OverflowError):
        pass
    raise LifecycleError(
        'since: %r is not valid. No log was read. Use last_start, a position, or a time such as 2026-01-31T12:00:00 or '
        '2026-01-31T12:00:00Z.' % text[:80]
    )


def _epoch(found: t.Match[str]) -> float:
    numbers = tuple(int(part or 0) for part in found.groups()[:6])
    moment = time.strptime('%04d-%02d-%02d %02d:%02d:%02d' % numbers, '%Y-%m-%d %H:%M:%S')  # its zone is not known
    zone = found.group(7)
    if zone is None:
        return time.mktime(moment)
    hours, minutes = (0, 0) if zone == 'Z' else (int(zone[:3]), int(zone[0] + zone[-2:]))
    return calendar.timegm(moment) - 3600.0 * hours - 60.0 * minutes


def local_time(epoch: float) -> str:
    return time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(epoch))


def parse_ignore(entries: t.Sequence[str]) -> Ignore:
    """Which findings are left out: by code, or by a regular expression that is searched for in the line."""
    codes, patterns = set(), []
    for entry in entries:
        if entry in log_lines.CODES:
            codes.add(entry)
        elif _LIKE_A_CODE.match(entry):
            raise LifecycleError(
                'ignore: unknown finding code: %s. No log was read. Known codes: %s.'
                % (entry, ', '.join(sorted(log_lines.CODES)))
            )
        else:
            patterns.append(_compiled(entry))
    return lambda finding: finding['code'] in codes or any(pattern.search(finding['text']) for pattern in patterns)


def _compiled(entry: str) -> t.Pattern[str]:
    try:
        if entry:
            return re.compile(entry)
        why = 'it is empty and would match every line'
    except re.error as exc:
        why = str(exc)
    raise LifecycleError('ignore: %r is not a regular expression: %s. No log was read.' % (entry, why))


def check_params(params: t.Mapping[str, t.Any]) -> None:
    """LifecycleError for what cannot be meant."""
    if params['since'] is not None:
        parse_since(params['since'])
    parse_ignore(params['ignore'])


# --- verdict, pure


def verdict(findings: t.Sequence[t.Mapping[str, t.Any]], unread: t.Sequence[t.Any]) -> str:
    severities = {finding['severity'] for finding in findings}
    if ERROR in severities:
        return ERROR
    if unread:
        return 'unknown'
    return WARNING if severities else 'ok'


def fails(findings: t.Sequence[t.Mapping[str, t.Any]], fail_on: str) -> bool:
    severities = {finding['severity'] for finding in findings}
    return fail_on != 'never' and (ERROR in severities or (fail_on == WARNING and WARNING in severities))


def message(name: str, findings: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """What was found, and what to do about the first of it."""
    shown = [
        '%s: %s%s'
        % (finding['code'], finding['text'], ' (%d times)' % finding['count'] if finding['count'] > 1 else '')
        for finding in findings[:_SHOWN]
    ]
    more = ['%d more' % (len(findings) - _SHOWN)] if len(findings) > _SHOWN else []
    first = findings[0]
    return 'The logs of %s hold %d finding(s): %s. %s Found in %s.' % (
        name,
        len(findings),
        '; '.join(shown + more),
        first['advice'],
        first['file'],
    )


# --- reading


class Check:
    """One look at the logs of one instance."""

    def __init__(self, context: Context, directory: InstallDir, since: Since) -> None:
        self.context, self.since = context, since
        self.uid = context.candidate.uid if context.candidate else None
        self.directory = directory
        self.reader = _log_read.Reader(directory, self.uid)
        self.started = self._process_start()
        self.start_line: t.Optional[str] = None  # local time of the line that begins the process
        self.unread: t.List[Result] = []
        self.notes: t.List[str] = []
        self.places: t.Dict[str, _log_position.Place] = {}
        self.findings: t.List[Result] = []
        self.markers: t.List[Result] = []
        self.left_out = 0
        self.lost = False

    def run(self) -> None:
        hidden = self.context.logs.why_hidden()
        if hidden:
            self.unread.append(dict(file=None, why=hidden))
        for kind, path in self.context.logs.files().items():
            try:
                self._one(kind, path)
            except FileNotFoundError:
                self.unread.append(dict(file=path, why='it does not exist'))
            except OSError as exc:
                self.unread.append(dict(file=path, why=exc.strerror or str(exc)))
            except LifecycleError as exc:
                self.unread.append(dict(file=path, why=exc.msg))

    def position(self) -> str:
        return _log_position.encode(
            _log_position.Position(time.time(), self.context.candidate is not None, self.places)
        )

    def _process_start(self) -> t.Optional[float]:
        """Seconds since the epoch, from the kernel's count since boot; None when nothing runs."""
        if self.context.candidate is None:
            return None
        return procfs.booted_at() + procfs.seconds_of(self.context.candidate.start_ticks)

    def _one(self, kind: str, path: str) -> None:
        begin = self._begin(kind, path)
        if kind == RUNNING and not begin.segments:
            raise FileNotFoundError
        scanner = Scanner(kind, begin.serving, begin.local)
        place, lost = self.reader.scan(scanner, path, begin.segments)
        if place is not None:
            self.places[kind] = place
        if kind == PANICS and begin.local:
            self._settle_undated(scanner, path)
        for why in ([begin.lost] if begin.lost else []) + lost:
            self.lost = True
            self.unread.append(dict(file=path, why=why))
        self.findings += scanner.findings.values()
        self.markers += scanner.markers
        self.left_out += scanner.left_out

    def _settle_undated(self, scanner: Scanner, path: str) -> None:
        older = scanner.drop_undated()
        if older > 0:
            self.notes.append(
                '%s has no times (before 3.4.7): only its last block was used, and %d other block(s) that may be older '
                'were ignored' % (path, older)
            )

    def _begin(self, kind: str, path: str) -> Begin:
        position = self.since.position
        if position is None and self.since.epoch is None:
            stored = (self.context.seen() or {}).get('log_position')
            position = _log_position.decode(stored) if stored else None
        if position is not None:
            return self._begin_at(position, kind, path)
        if self.since.epoch is not None:
            return self._begin_at_time(self.since.epoch, path)
        return self._begin_at_start(kind, path)

    def _begin_at(self, position: _log_position.Position, kind: str, path: str) -> Begin:
        place = position.places.get(kind)
        if place is None:
            lost = 'it could not be read when the position was recorded, so it was read from its start'
            return Begin(self._whole(path), position.serving, lost=lost)
        located = _log_position.locate(self.directory, path, self.uid, place, position.taken)
        return Begin(located.segments, position.serving, lost=located.lost)

    def _begin_at_time(self, epoch: float, path: str) -> Begin:
        local = local_time(epoch)
        serving = self.started is not None and self.started < epoch
        return Begin(self.reader.since_time(path, epoch, local), serving, local)

    def _begin_at_start(self, kind: str, path: str) -> Begin:
        """The start line of the process; by time where there is none; everything when nothing runs that could tell."""
        if kind == RUNNING:
            limit = None if self.started is None else local_time(self.started + _START_SLACK_S)
            segments, self.start_line = self.reader.start_of(path, limit)
            if segments:
                return Begin(segments, False)
        if self.start_line is not None:
            return self._begin_at_time(time.mktime(time.strptime(self.start_line, '%Y-%m-%d %H:%M:%S')), path)
        if self.started is not None:
            return self._begin_at_time(self.started, path)
        return Begin(self._whole(path), False)

    def _whole(self, path: str) -> t.List[Segment]:
        try:
            os.close(self.directory.open_log(path, self.uid))
        except FileNotFoundError:
            return []
        return [Segment(path, 0)]


def check(context: Context, params: t.Mapping[str, t.Any], since: str) -> Result:
    """The result. LifecycleError, with the result, when findings reach ``fail_on``."""
    is_ignored = parse_ignore(params['ignore'])
    with InstallDir(context.instance.dir) as directory:
        work = Check(context, directory, parse_since(since))
        work.run()
    kept = [found for found in work.findings if not is_ignored(found)]
    kept.sort(key=lambda found: found['severity'] != ERROR)
    if work.left_out:
        work.notes.append('%d more finding(s) are not listed' % work.left_out)
    result: Result = dict(
        changed=False,
        verdict=verdict(kept, work.unread),
        findings=kept,
        markers=work.markers,
        position=work.position(),
        unread=work.unread,
        lost=work.lost,
        notes=work.notes,
        ignored=len(work.findings) - len(kept),
    )
    if fails(kept, params['fail_on']):
        raise LifecycleError(message(context.instance.id, kept), **result)
    return result
