# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What programs say that kill for memory before the kernel must, and what systemd and docker say of such kills. Pure.

earlyoom, systemd-oomd, systemd, nohang, oomd and docker, by version (docs/memory-kills.md). They send SIGTERM first,
so that their victim can end as if somebody had stopped it.
"""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import log_prefix
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import (
    CGROUP,
    DOCKER,
    SYSTEMD,
    USERSPACE_KILL,
    Event,
    RawLine,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.log_prefix import Prefix

EARLYOOM, SYSTEMD_OOMD, NOHANG, OOMD, LMKD = 'earlyoom', 'systemd-oomd', 'nohang', 'oomd', 'lmkd'
# What a block of a log is searched for before its lines are looked at.
NEEDLES = (
    b'low memory',
    b'Low Memory',
    b'sending SIG',
    b'Sending SIG',
    b'illing process',
    b'escalating to',
    b'exited after',
    b'kill failed',
    b'dryrun',
    b'badness',
    b'due to memory',
    b'oomd kill',
    b'OOM',
    b'oom-kill',
    b'container oom',
    b'code=killed',
    b'taking action',
    b'did not exit',
    b'for killing',
    b"Kill '",
)
SERVICES = ('earlyoom', 'systemd-oomd', 'nohang', 'nohang-desktop', 'oomd', 'lmkd')  # units, and names of processes
_ONE_KILL = 60.0  # seconds from the first line about a kill to the last one, and between logs
_ONE_SENTENCE = 2.0  # seconds within which a killer repeats itself about one kill
_KILL, _BEFORE, _AFTER, _DRY, _FAILED = 'kill', 'before', 'after', 'dry', 'failed'

_TAGS = {
    EARLYOOM: (b'earlyoom',),
    SYSTEMD_OOMD: (b'systemd-oomd', b'systemd'),
    SYSTEMD: (b'systemd',),
    OOMD: (b'kernel', b'oomd'),
    NOHANG: (b'nohang', b'nohang-desktop'),
    LMKD: (b'lmkd', b'lowmemorykiller'),
    DOCKER: (b'dockerd', b'docker', b'containerd'),
}
_UNIT = rb'(?P<unit>\S{1,255}): '
_QUOTED = rb'(?P<comm>.{0,64}?)'
# fmt: off
_TABLE = tuple((killer, what, re.compile(pattern, re.DOTALL)) for killer, what, pattern in (
    (EARLYOOM, _KILL, (rb'sending (?P<signal>SIG[A-Z]+) to process (?P<pid>\d{1,10})(?: uid (?P<uid>\d{1,10}))? "'
                       + _QUOTED + rb'": (?:badness|oom_score) (?P<score>\d{1,20}).*?VmRSS (?P<rss>\d{1,20}) MiB')),
    (EARLYOOM, _KILL, (rb'killing process (?P<pid>\d{1,10}) "' + _QUOTED
                       + rb'" with signal (?P<number>\d+): badness (?P<score>\d{1,20}), VmRSS (?P<rss>\d{1,20}) MiB')),
    (EARLYOOM, _KILL, (rb"Killing process '" + _QUOTED + rb"' with signal (?P<number>\d+), pid: (?P<pid>\d{1,10}), "
                       rb'badness: (?P<score>\d{1,20}), VmRSS: (?P<rss>\d{1,20}) MiB')),
    (EARLYOOM, _KILL, rb'Killing process (?P<pid>\d{1,10}) (?P<comm>\S.{0,63})\Z'),
    (EARLYOOM, _BEFORE, rb'[Ll]ow [Mm]emory! '),
    (EARLYOOM, _AFTER, rb'escalating to (?P<signal>SIGKILL) after '),
    (EARLYOOM, _AFTER, rb'process (?:\d{1,10} )?exited after '),
    (EARLYOOM, _DRY, rb'dryrun, not actually sending any signal'),
    (EARLYOOM, _FAILED, rb'kill failed: (?:No such process|Operation not permitted|Timer expired)'),
    (EARLYOOM, _FAILED, rb'process (?:(?P<pid>\d{1,10}) )?did not exit\b'),
    (SYSTEMD_OOMD, _KILL, rb'Killed (?P<cgroup>/.*?) due to memory (?P<why>pressure for .*|used .*)'),
    (SYSTEMD_OOMD, _KILL, (rb'Marked (?P<cgroup>/.{0,4000}?) for killing due to memory '
                           rb'(?P<why>pressure for .*|used .*)')),
    (SYSTEMD_OOMD, _KILL, rb'(?=[^/\n]{0,500}(?P<cgroup>/[^\s,;\'")]{1,1000}))?Rule .{0,1000}?\btaking action\b'),
    (SYSTEMD_OOMD, _KILL, _UNIT + rb'systemd-oomd killed (?:(?P<count>\d+)|some) process'),
    (SYSTEMD, _KILL, _UNIT + rb'(?P<kernel>A process of this unit has been killed by the OOM killer)'),
    (SYSTEMD, _KILL, _UNIT + rb'(?P<kernel>The kernel OOM killer killed some processes in this unit)'),
    (SYSTEMD, _KILL, _UNIT + rb"Failed with result 'oom-kill'"),
    (SYSTEMD, _AFTER, _UNIT + rb'Main process exited, code=killed'),
    (OOMD, _KILL, rb'oomd kill: [\d.]+ [\d.]+ [\d.]+ (?P<cgroup>\S+) +(?P<bytes>\d+) (?!.*\(dry\))'),
    (NOHANG, _BEFORE, rb' *PID: (?P<pid>\d{1,10}), [Nn]ame: (?P<comm>.{1,64}?), badness: (?P<score>\d{1,20})'),
    (NOHANG, _KILL, rb' *\[ OK \] Sending (?P<signal>SIG[A-Z]+)'),
    (NOHANG, _AFTER, rb' *The victim |.*FINISHING implement_corrective_action\(\)'),
    (LMKD, _KILL, rb"Kill '(?P<comm>.{0,255}?)' \((?P<pid>\d{1,10})\)(?:, uid (?P<uid>\d{1,10}))?,? "),
    (DOCKER, _KILL, rb'(?:\S+ )?container oom (?P<container>[0-9a-f]{12,64})\b'),
    (DOCKER, _KILL, rb'.*\bTaskOOM event.{0,40}?container_id:\\?"(?P<container>[0-9a-f]{12,64})\b'),
))
# fmt: on
# Group of a pattern, its name in the details, and what makes kB of it.
_NUMBERS = (
    ('score', 'score', 1, 1),
    ('count', 'processes', 1, 1),
    ('bytes', 'memory_kb', 1, 1024),
    ('rss', 'rss_kb', 1024, 1),
)
_SIGNALS = {b'15': 'SIGTERM', b'9': 'SIGKILL'}

Groups = t.Dict[str, t.Optional[bytes]]


class Record(t.NamedTuple):
    """What one line says; ``what``: whether it tells of a kill, or only adds to one."""

    killer: str
    what: str
    groups: Groups


def parse(prefix: Prefix) -> t.Optional[Record]:
    """What a line without its prefix says, where its tag is not another program's; None for everything else."""
    for killer, what, pattern in _TABLE:
        match = pattern.match(prefix.message) if prefix.tag is None or prefix.tag in _TAGS[killer] else None
        if match:
            return Record(killer, what, match.groupdict())
    return None


class _Draft:
    """An event in the making."""

    def __init__(self, record: Record, line: RawLine, trusted: bool) -> None:
        self.killer, self.trusted = record.killer, trusted
        self.pid: t.Optional[int] = None
        self.uid: t.Optional[int] = None
        self.comm: t.Optional[bytes] = None
        self.cgroup: t.Optional[str] = None
        self.details: t.Dict[str, t.Any] = {'killer': record.killer}
        self.lines: t.List[RawLine] = []
        self.add(record, line)

    def forget(self, lines: t.Sequence[RawLine]) -> None:
        """What failed was no kill; another log, or a later signal, may tell of one."""
        self.lines = [line for line in self.lines if line not in lines]

    def add(self, record: Record, line: RawLine) -> None:
        groups = record.groups
        self.lines.append(line)
        if record.killer == SYSTEMD_OOMD:
            self.killer = self.details['killer'] = record.killer
        self.details.update(_details(groups))
        path = groups.get('cgroup') or groups.get('unit') or groups.get('container')
        if path is not None and (self.cgroup is None or groups.get('cgroup')):
            self.cgroup = _text(path)
        self.pid = self.pid if self.pid is not None else _number(groups.get('pid'))
        self.uid = self.uid if self.uid is not None else _number(groups.get('uid'))
        self.comm = self.comm or groups.get('comm')

    def concerns(self, groups: Groups) -> bool:
        """Whether a later line can be about the same victim."""
        pid, path = groups.get('pid'), groups.get('cgroup') or groups.get('unit') or groups.get('container')
        return (pid is None or self.pid in (None, int(pid))) and (
            path is None or self.cgroup is None or _is_same_group(self.cgroup, _text(path))
        )

    def event(self) -> Event:
        dated = [(line.uncertainty, line.time) for line in self.lines if line.time is not None]
        uncertainty, time = min(dated) if dated else (0.0, None)
        evidence = tuple(dict.fromkeys(line.evidence for line in self.lines))
        return Event(
            USERSPACE_KILL,
            time,
            uncertainty,
            self.pid,
            None,
            self.comm,
            self.uid,
            self.cgroup,
            CGROUP if self.cgroup else None,
            self.trusted,
            self.details,
            evidence,
        )


def events(lines: t.Iterable[RawLine]) -> t.List[Event]:
    """The kills in order of time, those without a time last. The lines of each log must come in its order."""
    logs: t.Dict[t.Tuple[t.Optional[str], ...], _Log] = {}
    drafts: t.List[_Draft] = []
    for line in lines:
        prefix = log_prefix.split_tag(log_prefix.split(line.text))
        record = parse(prefix)
        if record is not None:
            log = logs.setdefault((record.killer, line.evidence.source, line.boot_id), _Log(drafts))
            log.take(record, line, _is_trusted(prefix, line))
    found = [draft.event() for draft in drafts]
    return sorted(found, key=lambda event: (event.time is None, event.time or 0.0))


def _is_trusted(prefix: Prefix, line: RawLine) -> bool:
    """Only the journal and the kernel's ring know who wrote a line: in a log file anybody can have used logger.

    A user's own systemd speaks like the one of the host.
    """
    return line.transport in ('journal', 'stdout', 'kernel') and (
        prefix.tag != b'systemd' or prefix.tag_pid in (None, 1)
    )


class _Log:
    """The lines of one killer in one log, in their order. ``drafts`` are those of all logs."""

    def __init__(self, drafts: t.List[_Draft]) -> None:
        self.drafts = drafts
        self.mine: t.Optional[_Draft] = None
        self.signals: t.List[RawLine] = []  # of this log about ``mine``, of which none has failed so far
        self.before: t.List[t.Tuple[Record, RawLine]] = []

    def take(self, record: Record, line: RawLine, trusted: bool) -> None:
        if record.what == _BEFORE:
            self.before = [said for said in self.before[-3:] if said[0].groups.keys() != record.groups.keys()]
            self.before.append((record, line))
        elif record.what == _KILL:
            self._kill(record, line, trusted)
        elif self.mine is not None and self.mine.concerns(record.groups) and _is_close(self.mine, line):
            self._after(self.mine, record, line)

    def _kill(self, record: Record, line: RawLine, trusted: bool) -> None:
        first = [said for said in self.before if _close(said[1].time, line.time, _ONE_KILL)]
        groups = dict(record.groups)
        for said in first:
            groups.update((key, value) for key, value in said[0].groups.items() if not groups.get(key))
        record, self.before = record._replace(groups=groups), []
        known = next((draft for draft in reversed(self.drafts) if _is_same_kill(draft, record, line)), None)
        if known is None:
            known = _Draft(record, line, trusted)
            self.drafts.append(known)
        else:
            known.add(record, line)
            known.trusted = known.trusted or trusted
        known.lines[-1:-1] = [said[1] for said in first]
        self.signals = (self.signals if self.mine is known else []) + [said[1] for said in first] + [line]
        self.mine = known

    def _after(self, kill: _Draft, record: Record, line: RawLine) -> None:
        if record.what not in (_DRY, _FAILED):
            self.signals.append(line)
            kill.add(record, line)
            return
        kill.forget(self.signals)
        self.mine, self.signals = None, []
        if not kill.lines and kill in self.drafts:
            self.drafts.remove(kill)


def _is_same_kill(draft: _Draft, record: Record, line: RawLine) -> bool:
    groups = record.groups
    named = any(groups.get(key) for key in ('pid', 'cgroup', 'unit', 'container'))
    alike = draft.killer == record.killer or {draft.killer, record.killer} == {SYSTEMD, SYSTEMD_OOMD}
    same_name = draft.comm is None or groups.get('comm') in (None, draft.comm)
    return (
        named
        and alike
        and same_name
        and draft.concerns(groups)
        and _is_close(draft, line)
        and not _repeats(draft, record, line)
    )


def _repeats(draft: _Draft, record: Record, line: RawLine) -> bool:
    """Whether one log says the same sentence of a group again: that is another kill, however near."""
    if record.groups.get('pid') or line.time is None:
        return False
    return any(
        said.time is not None
        and line.time - said.time > _ONE_SENTENCE
        and _is_alike(said, record)
        and (said.evidence.source, said.evidence.file) == (line.evidence.source, line.evidence.file)
        for said in draft.lines
    )


def _is_alike(said: RawLine, record: Record) -> bool:
    other = parse(log_prefix.split_tag(log_prefix.split(said.text)))
    return (
        other is not None
        and other.killer == record.killer
        and other.what == record.what
        and (other.groups.keys() == record.groups.keys())
    )


def _is_close(draft: _Draft, line: RawLine) -> bool:
    last = draft.lines[-1]
    return _close(last.time, line.time, _ONE_KILL + last.uncertainty + line.uncertainty) and (
        last.boot_id == line.boot_id or None in (last.boot_id, line.boot_id)
    )


def _close(one: t.Optional[float], other: t.Optional[float], most: float) -> bool:
    return one is None or other is None or abs(one - other) <= most


def _is_same_group(one: str, other: str) -> bool:
    """The path of a group, and the unit that has it."""
    return one == other or one.endswith('/' + other) or other.endswith('/' + one)


def _details(groups: Groups) -> t.Dict[str, t.Any]:
    """What a line says beyond the victim: numbers and words that are there."""
    said = {key: value for key, value in groups.items() if value}
    details: t.Dict[str, t.Any] = {
        name: int(said[key]) * multiply // divide for key, name, multiply, divide in _NUMBERS if key in said
    }
    details.update((key, _text(said[key])) for key in ('signal', 'unit', 'container', 'why') if key in said)
    if said.get('number') in _SIGNALS:
        details['signal'] = _SIGNALS[said['number']]
    if 'kernel' in said:
        details['by_kernel'] = True
    return details


def _text(text: bytes) -> str:
    return text.decode('utf-8', 'backslashreplace')


def _number(digits: t.Optional[bytes]) -> t.Optional[int]:
    return int(digits) if digits else None
