# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Why a start ended: by a line of its log, or else by its exit code. Pure; evidence in docs/application.md."""

import re
import signal
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import log_lines, versions


class Explanation(t.NamedTuple):
    meaning: str
    advice: str
    line: t.Optional[str]
    passes: bool = False  # the same start can succeed later, without a change to the instance


def plain_lines(log: str) -> t.List[str]:
    """Lines without colours, empty ones left out."""
    return [line for line in (log_lines.ANSI.sub('', line).rstrip() for line in log.split('\n')) if line]


def from_log(log: str) -> t.Optional[Explanation]:
    """The first known cause that the log of this start names."""
    found = log_lines.cause(plain_lines(log))
    return None if found is None else Explanation(found[0].meaning, found[0].advice, found[1], found[0].passes)


def of_last_start(log: str, directory: str) -> str:
    """The log from its last start on, whose first line names the directory; all of it where there is none."""
    named = log.rfind(' %s/\n' % directory)
    return log[log.rfind('\n', 0, named) + 1 :] if named >= 0 else log


def explain(code: t.Optional[int], version: t.Optional[str], log: str) -> Explanation:
    """Why a process ended in its start.

    ``code``: exit status, or minus the number of the signal that killed it; None where only the log can tell.
    """
    if code is not None and code < 0:
        return _killed(-code, log)
    known = from_log(log)
    if known:
        return known
    advice = 'Read the log lines above. If they do not show the cause, start it manually as its user.'
    if code == 255:
        return _by_last_line(log, advice)
    return Explanation('its exit code is not known' if code is None else _by_code(code, version), advice, None)


def _by_last_line(log: str, advice: str) -> Explanation:
    """It ends with 255 where it has said why: in the last line that is no banner."""
    said = [line for line in plain_lines(log) if not _NO_CAUSE.search(line)]
    if not said:
        return Explanation(_by_code(255, None), advice, None)
    return Explanation(
        'exit code 255: the start failed, and the last line of its log says why', advice, said[-1][:_SHOWN]
    )


_SHOWN = 300
_NO_CAUSE = re.compile(r'^(?:[\d/]{1,10} )?(?:[\d:]{1,8} )?/.*/$|^Now listening on:|^Application started\.')


def _killed(number: int, log: str) -> Explanation:
    known = from_log(log)
    if number == 9:
        text = 'it was killed (SIGKILL): by the kernel for memory, by a guard or stop.sh, or by a sibling\'s start'
        advice = 'Search the kernel log for "Killed process", and check which other programs start or stop it.'
        return Explanation(text, advice, None)
    if known:
        return known
    text = 'it was ended by signal %d%s' % (number, ' (%s)' % _NAMES[number] if number in _NAMES else '')
    if number in _FAULTS:
        return Explanation(
            '%s: a fault of the program' % text,
            'Keep its log and the line of the kernel log that names it (segfault, trap), and report it.',
            None,
        )
    if number in _LIMITS:
        return Explanation(
            '%s: a limit of its own was reached' % text, 'Raise %s for it, then start it again.' % _LIMITS[number], None
        )
    return Explanation(text, 'Find out who sent it.', None)


_NAMES = {int(number): number.name for number in signal.Signals}
_FAULTS = tuple(map(int, (signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)))
_LIMITS = {
    int(signal.SIGXCPU): 'the limit of processor time (ulimit -t)',
    int(signal.SIGXFSZ): 'the limit of the size of files (ulimit -f)',
}


def _by_code(code: int, version: t.Optional[str]) -> str:
    if code == 0:
        return 'it exited with exit code 0: it received a signal to end, or (all versions) it could not bind the port'
    if code == 1:
        return (
            'exit code 1: locales/ is missing'
            if versions.needs_locales(version)
            else 'exit code 1: a file that it needs at start is missing'
        )
    if code == 2:
        return 'exit code 2: a Go panic or fatal error; from 3.0 on also an invalid config.json'
    if code == 126 or code == 127:
        return 'exit code %d: it could not be executed' % code
    if code == 255:
        return 'exit code 255: port in use, invalid config.json, or the database is not reachable'
    return 'exit code %d, which the application does not use itself' % code
