# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of a kernel over some days, with kills for memory at equal distances, and the usual loop over one.

What the host says all day are dropped packets, containers that come and go, and audit records.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import time
from pathlib import Path

MIB = 1 << 20
DAY = 86400.0
DAYS = 7.0  # of one log
# Where the log of each measure is.
PLACES = {"oom_window": "kern.log", "oom_whole": "kern.log", "oom_rotated": "rotated/kern.log"}
_MESSAGES = {
    "[UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:{hex}:fe:ee:0b:ca:e5:69:08:00 SRC=203.0.113.{byte} DST=10.0.4.15 LEN=40 "
    "TOS=0x00 PREC=0x00 TTL=241 ID={word} PROTO=TCP SPT={word} DPT={word} WINDOW=1024 RES=0x00 SYN URGP=0 ": 50,
    "br-{hex}: port 2(veth{hex}) entered blocking state": 5,
    "br-{hex}: port 2(veth{hex}) entered disabled state": 5,
    "device veth{hex} entered promiscuous mode": 3,
    "eth0: renamed from veth{hex}": 3,
    "IPv6: ADDRCONF(NETDEV_CHANGE): veth{hex}: link becomes ready": 3,
    'audit: type=1400 audit(1762{word}.{byte}:{word}): apparmor="DENIED" operation="open" profile="snap.lxd.activate" '
    'name="/proc/{word}/status" pid={word} comm="lxd" requested_mask="r" denied_mask="r" fsuid=0 ouid=0': 8,
    "TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies.  Check SNMP counters.": 3,
    "nf_conntrack: nf_conntrack: table full, dropping packet": 5,
    "EXT4-fs (vdb1): mounted filesystem with ordered data mode. Opts: (null). Quota mode: none.": 1,
    "perf: interrupt took too long ({word} > {word}), lowering kernel.perf_event_max_sample_rate to 39750": 1,
}
_KILL = """anqicms invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0
CPU: 1 PID: 4711 Comm: anqicms Not tainted 5.15.0-91-generic #101-Ubuntu
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[   4711]    33  4711   812345   498765  4300800        0             0 anqicms
oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=anqicms,pid=4711,uid=33
Out of memory: Killed process 4711 (anqicms) total-vm:3249380kB, anon-rss:1995060kB, file-rss:0kB, shmem-rss:0kB, UID:33
oom_reaper: reaped process 4711 (anqicms), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB
"""
# What a line has that tells of a death, as plain words: a regular expression of the parser's patterns is far slower.
_TELLING = re.compile(
    rb"Kill|kill|oom|ending SIG|Linux version |segfault|general prot|\] trap |unhandled |Kernel panic"
    rb"|page allocation failure|escalating to|exited after|dryrun|, badness|ut of memory"
    rb"|taking action|did not exit|kernel messages|messages lost|messages dropped"
    rb"|due to rate-limiting|uppressed|to write entry"
)


def _lines(messages: list[str]) -> bytes:
    return b"".join(
        b"@@ web1 kernel: [%d.%06d] %s\n" % (100000 + number // 50, number * 7, message.encode())
        for number, message in enumerate(messages)
    )


def _ordinary(chance: random.Random) -> bytes:
    kinds = chance.choices(list(_MESSAGES), list(_MESSAGES.values()), k=1000)
    return _lines(
        [
            kind.format(hex="%06x" % chance.getrandbits(24), byte=chance.randrange(256), word=chance.randrange(1 << 16))
            for kind in kinds
        ]
    )


def content(size: int, begin: float, end: float, kills: int) -> list[bytes]:
    """Blocks of about so many bytes in all, with the times of their lines from begin to end."""
    ordinary, kill = _ordinary(random.Random(1)), _lines(_KILL.splitlines())
    count = max(kills, size // len(ordinary.replace(b"@@", b"Nov 22 10:00:00")))
    return [
        _at(ordinary + (kill if number % (count // kills) == 0 else b""), begin + (end - begin) * number / count)
        for number in range(count)
    ]


def _at(lines: bytes, when: float) -> bytes:
    return lines.replace(b"@@", time.strftime("%b %e %H:%M:%S", time.localtime(when)).encode())


def write(path: Path, size: int, days: float, end: float, kills: int = 100) -> None:
    """One plain log that was written until `end`."""
    with path.open("wb") as log:
        for block in content(size, end - days * DAY, end, kills):
            log.write(block)
    os.utime(path, (end, end))


def write_rotated(path: Path, count: int, size: int, end: float) -> None:
    """A log of today, and so many packed ones of a day each before it."""
    write(path, MIB, 1.0, end, 4)
    for number in range(1, count + 1):
        until = end - number * DAY
        packed = path.with_name(f"{path.name}.{number}.gz")
        packed.write_bytes(gzip.compress(b"".join(content(size, until - DAY, until, 4)), 1))
        os.utime(packed, (until, until))


def loop_over_lines(path: Path) -> int:
    """One regular expression, line by line: how many lines tell of a death."""
    search = _TELLING.search
    with path.open("rb") as log:
        return sum(1 for line in log if search(line))
