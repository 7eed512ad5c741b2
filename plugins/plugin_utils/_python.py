# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which Python of a host modules can run with, decided from what a shell there tells; see docs/architecture.md."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _python_shell
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Minor = tuple[int, int]
# The lowest and highest Python of a host by ansible-core: lower ones cannot start a module, higher ones are not tested.
TARGETS: dict[Minor, tuple[Minor, Minor]] = {
    (2, 16): ((3, 6), (3, 12)),
    (2, 17): ((3, 7), (3, 12)),
    (2, 18): ((3, 8), (3, 13)),
    (2, 19): ((3, 8), (3, 13)),
    (2, 20): ((3, 9), (3, 13)),
    (2, 21): ((3, 9), (3, 13)),
}
# What may be installed, the best first: a distribution's own default before what it offers beside it.
_RED_HAT = (((3, 11), 'python3.11'), ((3, 12), 'python3.12'), ((3, 9), 'python39'), ((3, 8), 'python38'))
_DEBIAN = tuple(((3, minor), f'python3.{minor}') for minor in (12, 10, 11, 13, 9, 8, 7, 6))
PACKAGES = {'dnf': _RED_HAT, 'yum': _RED_HAT, 'apt-get': _DEBIAN}
# The distribution's own, which its other packages expect; preferred among those that fit.
_OWN = ('/usr/bin/python3', '/usr/libexec/platform-python')
_LINE = re.compile(r'anqicms-probe:([a-z]+):?(.*)')
_PYTHON = re.compile(r'(\d+)\.(\d+)\.(\d+):(complete|incomplete):(/[\w./+-]+)\Z')


class Python(t.NamedTuple):
    """One interpreter; incomplete when modules of the standard library are missing that ours need."""

    path: str
    version: tuple[int, int, int]
    complete: bool

    def __str__(self) -> str:
        text = '%s (%d.%d.%d%s)' % (self.path, *self.version, '' if self.complete else ', incomplete')
        return shown(text, 200)


class Answer(t.NamedTuple):
    """What the host told; ``whole`` says that it told all."""

    whole: bool
    root: bool
    system: str
    manager: str
    pythons: list[Python]


class Choice(t.NamedTuple):
    """``action`` is use (``interpreter``), install (one of ``packages``) or none; ``message`` is for people."""

    action: str
    interpreter: str
    packages: list[str]
    manager: str
    message: str


class Installation(t.NamedTuple):
    """How an installation ended: the package that is new, or in check mode would be; '' when there is none."""

    package: str
    message: str


def supported(core: str) -> tuple[Minor, Minor]:
    """The lowest and highest Python for this ansible-core; those of the nearest known one for another."""
    found = re.match(r'(\d+)\.(\d+)', core)
    version = (int(found.group(1)), int(found.group(2))) if found else max(TARGETS)
    return TARGETS[max((known for known in TARGETS if known <= version), default=min(TARGETS))]


def command(configured: str = '') -> str:
    """The shell script that asks a host, with an interpreter to look at besides those in the usual places."""
    return _python_shell.PROBE % {'configured': shlex.quote(configured if configured.startswith('/') else '/')}


def _marked(text: str) -> list[tuple[str, str]]:
    """The lines of an answer, amid whatever a login says before, between and behind them."""
    found = [_LINE.match(line) for line in text.splitlines()]
    return [(match.group(1), match.group(2)) for match in found if match]


def parse(text: str) -> Answer:
    """What a host has told."""
    lines = _marked(text)
    values = dict(reversed(lines))
    pythons = [
        Python(path, (int(major), int(minor), int(micro)), state == 'complete')
        for key, value in lines
        for major, minor, micro, state, path in _PYTHON.findall(value.rstrip() if key == 'python' else '')
    ]
    whole = 'begin' in values and 'end' in values
    manager = values.get('manager', '')
    system = shown(values.get('system', '').strip('"\' '), 80) or 'an unknown system'
    return Answer(whole, values.get('uid') == '0', system, manager if manager in PACKAGES else '', pythons)


def fits(python: Python, core: str) -> bool:
    """Whether modules can start with it; one that is newer than tested may be tried."""
    return python.complete and python.version[:2] >= supported(core)[0]


def choose(text: str, core: str, configured: str = '') -> Choice:
    """What to do about the Python of a host that has told this."""
    host = parse(text)
    if not host.whole:
        return Choice('none', '', [], '', 'The host did not report which Pythons it has: ' + shown(text, 200))
    best = _best([python for python in host.pythons if fits(python, core)], core, configured)
    if best:
        return Choice('use', best.path, [], host.manager, _use_text(best, core))
    names = packages(host, core)
    action = 'install' if names and host.root else 'none'
    return Choice(action, '', names, host.manager, _nothing_fits(host, core, names))


def _best(fitting: list[Python], core: str, configured: str) -> Python | None:
    """What is configured stays; else the distribution's own, else the newest; what is newer than tested comes last."""
    high = supported(core)[1]
    order = sorted(
        fitting,
        key=lambda python: (
            python.path == configured,
            python.version[:2] <= high,
            python.path in _OWN,
            python.version,
        ),
    )
    return order[-1] if order else None


def packages(host: Answer, core: str) -> list[str]:
    """Packages to try, the best first; whatever is called python3 comes last, where there is no Python 3 yet."""
    low, high = supported(core)
    names = [name for version, name in PACKAGES.get(host.manager, ()) if low <= version <= high]
    has_python3 = any(python.version[0] == 3 and python.complete for python in host.pythons)
    return names + (['python3'] if names and not has_python3 else [])


def _needs(core: str) -> str:
    (major, low), (_major, high) = supported(core)
    return f'ansible-core {core} needs Python {major}.{low} - {major}.{high} on the host'


def _use_text(best: Python, core: str) -> str:
    text = 'fits' if best.version[:2] <= supported(core)[1] else 'is newer than what is tested'
    return f'{best} {text}: {_needs(core)}. Set in the inventory: ansible_python_interpreter: {best.path}'


def _listed(pythons: t.Sequence[Python]) -> str:
    """The first of each version, for people."""
    first = {python.version: python for python in reversed(pythons)}
    return ', '.join(str(python) for python in pythons if first[python.version] is python)


def _nothing_fits(host: Answer, core: str, names: t.Sequence[str]) -> str:
    there = f'Found: {_listed(host.pythons)}. None fits.' if host.pythons else 'No Python was found.'
    text = f'{_needs(core)} ({host.system}). {there}'
    if names and host.root:
        return f'{text} {host.manager} can install {", ".join(names)}{_older_core(host)}.'
    why = f'To have {host.manager} install one, become root (ansible_become).'
    if not names:
        why = 'No package manager was found that this collection can use (dnf, yum, apt-get).'
    return f'{text} {why} Or install one yourself and set ansible_python_interpreter to it{_older_core(host)}.'


def _older_core(host: Answer) -> str:
    """An older ansible-core that one of its Pythons would do for."""
    cores = [f'{major}.{minor}' for major, minor in TARGETS if any(fits(p, f'{major}.{minor}') for p in host.pythons)]
    return f', or ansible-core {cores[-1]} used' if cores else ''


def explain(text: str, core: str, used: str) -> str:
    """Why a module did not start with the interpreter that was used, and the way out; '' when it is not the reason."""
    host, choice = parse(text), choose(text, core, used)
    mine = next((python for python in host.pythons if python.path == used), None)
    if not host.whole or (mine and fits(mine, core)):
        return ''
    begin = f'The module did not start with {mine or shown(used, 200) + ", which is missing or does not run"}.'
    if choice.action == 'use':
        others = _listed([python for python in host.pythons if python is not mine])
        return f'{begin} Found: {others}. {choice.message} (anqicms.lifecycle.prepare verifies it).'
    prepare = ' anqicms.lifecycle.prepare does that.' if choice.action == 'install' else ''
    return f'{begin} {choice.message}{prepare}'


def installation(text: str, check: bool) -> Installation:
    """What the script of ``_python_shell.install`` told."""
    lines = _marked(text)
    package = shown(dict(lines).get('would' if check else 'installed', ''), 80)
    if package:
        return Installation(package, f'{package} {"would be" if check else "was"} installed.')
    said = dict.fromkeys(value.strip() for key, value in lines if key == 'said')
    why = shown(' '.join(said), 600) or 'the host knows none.'
    by_hand = 'Install one yourself and set ansible_python_interpreter to it.'
    return Installation('', f'None of the packages can be installed: {why} {by_hand}')
