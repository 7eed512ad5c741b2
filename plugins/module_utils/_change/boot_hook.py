# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""A recovery after the next boot, for as long as a window works that may leave old files beside a new database.

A reboot in the middle of it ends worker and guardian alike, and a unit, a panel or a cron line of the host would start
whatever binary lies there then. So before the first step a systemd unit, or a line of cron, is put there that takes the
run back first; it goes away with the end of the run. Only root can arm one.
"""

import contextlib
import os
import re
import shlex
import sys
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils import _payload
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import kinds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import system_text
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS

UNITS = '/etc/systemd/system'
WANTED_BY = 'multi-user.target'
CRON = '/etc/cron.d'
SYSTEMD = '/run/systemd/system'  # there where systemd is the first process
_PLAIN = re.compile(r'[A-Za-z0-9_./+-]+$')
_CODE, _SCRIPT = 'code.zip', 'recover.py'
_UNIT = """# Made by anqicms.lifecycle for the time of one run, and removed with its end.
[Unit]
Description=Recover the unfinished run of %(id)s
After=network-online.target mariadb.service mysql.service mysqld.service
Before=crond.service cron.service

[Service]
Type=oneshot
ExecStart=%(python)s %(script)s
KillMode=process
TimeoutStartSec=infinity

[Install]
WantedBy=%(target)s
"""
_LINE = '# Made by anqicms.lifecycle for the time of one run, and removed with its end.\n@reboot root %s %s\n'
_PROGRAM = """import sys
sys.path.insert(0, %(code)r)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._window import %(imports)s
%(register)ssys.exit(at_boot.main(%(dir)r, %(binary)r, %(base)r))
"""


def for_systemd(word: str) -> str:
    """A word of ExecStart. Pure."""
    if _PLAIN.match(word):
        return word
    for char, instead in (('\\', '\\\\'), ('"', '\\"'), ('%', '%%'), ('$', '$$')):
        word = word.replace(char, instead)
    return '"%s"' % word


def for_cron(word: str) -> str:
    """A word of a command of cron, to which % is the end of a line. Pure."""
    return shlex.quote(word).replace('%', '\\%')


def _place(state: _state.StateDir) -> str:
    return os.path.join(state.path, 'boot')


def _unit(state: _state.StateDir) -> t.Tuple[str, str]:
    """The unit file, and the link that makes the boot start it."""
    name = 'anqicms-recover-%s.service' % state.instance.id
    return os.path.join(UNITS, name), os.path.join(UNITS, WANTED_BY + '.wants', name)


def _line(state: _state.StateDir) -> str:
    """The file with the line of cron; cron reads none with a dot in its name."""
    return os.path.join(CRON, 'anqicms-recover-%s' % state.instance.id.replace('.', '_'))


def is_armed(state: _state.StateDir) -> bool:
    return os.path.exists(os.path.join(_place(state), _SCRIPT))


def arm(state: _state.StateDir) -> t.Optional[str]:
    """None where a reboot will be followed by a recovery; else why not, for a note."""
    if os.geteuid() != 0:
        return 'only root can have a run recovered at the next boot'
    try:
        script = _keep_code(state)
        if os.path.isdir(SYSTEMD):
            _write_unit(state, script)
        elif os.path.isdir(CRON):
            words = for_cron(sys.executable), for_cron(script)
            _write(_line(state), (_LINE % words).encode('utf-8', 'surrogateescape'))
        else:
            return 'neither systemd nor %s is there: after a reboot run recover.yml' % CRON
        return None
    except OSError as exc:
        disarm(state)
        return 'the recovery at the next boot could not be prepared: %s' % system_text(exc)


def _keep_code(state: _state.StateDir) -> str:
    """What the boot runs: this very code, in the trusted state. The module's own is deleted when it returns."""
    state.make()
    place = _place(state)
    with contextlib.suppress(FileExistsError):
        os.mkdir(place, 0o700)
    code, data = _payload.archive()
    if data is not None:
        code = os.path.join(place, _CODE)
        trusted.write_atomic(code, data)
    instance, script = state.instance, os.path.join(place, _SCRIPT)
    changes = not STEPS.keys().isdisjoint(kinds.OF_CHANGES)  # else this code was sent without them
    program = _PROGRAM % dict(
        imports='at_boot, change_steps' if changes else 'at_boot',
        register='change_steps.register()\n' if changes else '',
        code=code,
        dir=instance.dir,
        binary=instance.binary,
        base=state.base,
    )
    trusted.write_atomic(script, program.encode('utf-8'))
    return script


def _write_unit(state: _state.StateDir, script: str) -> None:
    path, link = _unit(state)
    words = dict(python=for_systemd(sys.executable), script=for_systemd(script))
    _write(path, (_UNIT % dict(words, id=state.instance.id, target=WANTED_BY)).encode('utf-8', 'surrogateescape'))
    os.makedirs(os.path.dirname(link), exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.symlink(path, link)


def _write(path: str, data: bytes) -> None:
    trusted.write_atomic(path, data, 0o644)


def disarm(state: _state.StateDir) -> None:
    """The run has ended. What could not be removed does nothing but look at the next boot."""
    if not os.path.isdir(_place(state)):
        return
    place = _place(state)
    for path in [*_unit(state), _line(state), *(os.path.join(place, name) for name in (_SCRIPT, _CODE))]:
        with contextlib.suppress(OSError):
            os.unlink(path)
