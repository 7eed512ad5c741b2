# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Follow a worker: wait for its end without polling, tell how far it is."""

import os
import select
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import boot_hook
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import journal, lock
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state

_LOOK_S = 1.0
_RELEASE_S = 2.0  # a process that was killed on a busy machine closes its files late
_BEGIN_LOOK_S = 0.02


def open_alive(state: _state.StateDir) -> int:
    """Hold the FIFO that tells followers of a later call when we are gone."""
    path = os.path.join(state.path, 'alive')
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        pass
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)


def _open_followed(state: _state.StateDir, until: float) -> t.Optional[int]:
    """The FIFO, for reading; None where there is none. A guardian that has just begun is given the time to make it."""
    path = os.path.join(state.path, 'alive')
    while True:
        try:
            return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            if lock.has_ended(state) or time.monotonic() > until:
                return None
        time.sleep(_BEGIN_LOOK_S)


def wait_for_end(state: _state.StateDir, until: float, pipe: t.Optional[int] = None) -> bool:
    """Whether the worker has ended before ``until`` (monotonic). ``pipe``: ends with it, when this call started it."""
    fd = _open_followed(state, until) if pipe is None else pipe
    if fd is None:
        return lock.has_ended(state)
    try:
        # a FIFO opened after its last writer has gone never reports an end: look at the lock first, and now and then
        if pipe is None and lock.has_ended(state):
            return True
        return _poll(fd, until, state)
    finally:
        os.close(fd)


def _poll(fd: int, until: float, state: _state.StateDir) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return False
        if poller.poll(min(left, _LOOK_S) * 1000):
            return _wait_for_release(state)
        if lock.has_ended(state):
            return True


def _wait_for_release(state: _state.StateDir) -> bool:
    """True. The descriptors of a process close one after another: whoever comes next must not meet its lock."""
    end = time.monotonic() + _RELEASE_S
    while not lock.has_ended(state) and time.monotonic() < end:
        time.sleep(0.001)
    return True


def whereabouts(run: t.Sequence[_state.Entry]) -> t.Dict[str, t.Any]:
    """Step, number, and the last text of that step or, before the first one, of the run. Pure."""
    begins = [index for index, entry in enumerate(run) if entry.get('event') == 'step']
    steps = [run[index] for index in begins]
    texts = [entry.get('text') for entry in run[begins[-1] if begins else 0 :] if entry.get('event') == 'progress']
    names = run[0].get('steps') or [] if run else []
    return dict(
        step=steps[-1].get('name') if steps else None,
        index=len(steps),
        of=len(names),
        text=texts[-1] if texts else None,
    )


def _times(run: t.Sequence[_state.Entry], deadline: float) -> t.Dict[str, int]:
    """Time so far and left; nothing of a run of an earlier boot, whose clock was another one."""
    began = run[0].get('monotonic') if run and journal.is_of_this_boot(run[0]) else None
    if began is None:
        return {}
    elapsed = max(0, int((time.monotonic() - began) * 1000))
    return dict(elapsed_ms=elapsed, left_ms=max(0, int(deadline * 1000) - elapsed))


def _not_begun(run: t.Sequence[_state.Entry], token: str) -> t.Optional[str]:
    """Why the run of this token got no worker, where only the journal says so."""
    ends = [entry for entry in run if entry.get('event') == 'end' and entry.get('outcome') == 'not_begun']
    return str(ends[-1].get('msg')) if ends and run[0].get('token') == token else None


def report(state: _state.StateDir, token: str, ended: bool, deadline: float) -> t.Dict[str, t.Any]:
    """The result, or how far the run is. A worker and guardian that are both gone without a result are a failure."""
    result = state.result(token)
    if result is not None:
        return result
    run = journal.last_run(state.journal())
    where = whereabouts(run)
    where.update(_times(run, deadline))
    if not ended:
        return dict(running=True, changed=False, where=where)
    refused = _not_begun(run, token)
    if refused is not None:
        return dict(
            failed=True,
            outcome='failed',
            changed=False,
            where=where,
            steps=[],
            state='unknown',
            downtime_ms=None,
            verified_ms=None,
            msg=refused,
        )
    return dict(
        failed=True,
        outcome='failed',
        changed=journal.has_changed(run),
        where=where,
        steps=journal.steps_begun(run),
        state='unknown',
        downtime_ms=None,
        verified_ms=None,
        msg='%s: worker and guardian ended without a result in step %s of the run. %s'
        % (state.instance.id, where['step'] or 'prepare', _what_now(state, run)),
    )


def _what_now(state: _state.StateDir, run: t.Sequence[_state.Entry]) -> str:
    if run and run[-1].get('event') == 'end':
        return 'A later recovery has fixed the instance.'
    if run and not journal.is_of_this_boot(run[0]) and boot_hook.is_armed(state):
        return (
            'The host was rebooted meanwhile, and the recovery at boot has not ended yet. Check with instance_info. If '
            'the run stays unfinished, run recover.yml.'
        )
    return 'The instance may be down. Run recover.yml, or run this again: it recovers first.'


def knows(state: _state.StateDir, token: str) -> bool:
    """Whether this call was made before: its worker runs or has run."""
    run = journal.last_run(state.journal())
    return state.result(token) is not None or bool(run and run[0].get('token') == token)


def wait_for_begin(state: _state.StateDir, token: str, until: float) -> bool:
    """Whether an earlier call of this run holds the lock at ``until`` and has not begun its journal yet."""
    while lock.is_held_by(state, token) and not knows(state, token):
        if time.monotonic() > until:
            return True
        time.sleep(_BEGIN_LOOK_S)
    return False
