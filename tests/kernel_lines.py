# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every form of the kernel's lines about memory, and everything that logs put before them."""

import typing as t


class Before(t.NamedTuple):
    """A prefix, and what it says. ``stamp`` is a wall clock time as it is written."""

    prefix: bytes
    printk: t.Optional[float] = None
    stamp: t.Optional[bytes] = None
    facility: t.Optional[int] = None
    tag: t.Optional[bytes] = None


# fmt: off
PREFIXES = {
    'bare': Before(b''),
    'printk': Before(b'[12345.678901] ', 12345.678901),
    'printk early': Before(b'[    0.500000] ', 0.5),
    'printk caller': Before(b'[12345.678901][ T9185] ', 12345.678901),
    'printk caller cpu': Before(b'[12345.678901][    C0] ', 12345.678901),
    'raw': Before(b'<3>[12345.678901] ', 12345.678901, None, 0),
    'raw without time': Before(b'<3>', None, None, 0),
    'decoded': Before(b'kern  :err   : [12345.678901] ', 12345.678901, None, 0),
    'decoded ctime': Before(b'kern  :err   : [Sun Jul 12 16:09:14 2026] ', None, b'Sun Jul 12 16:09:14 2026', 0),
    'decoded iso': Before(b'kern  :err   : 2026-07-12T16:09:14,123456+00:00 ', None,
                          b'2026-07-12T16:09:14,123456+00:00', 0),
    'syslog': Before(b'Jul 12 16:09:14 web1 kernel: ', None, b'Jul 12 16:09:14', None, b'kernel'),
    'syslog printk': Before(b'Jul 12 16:09:14 web1 kernel: [12345.678901] ', 12345.678901, b'Jul 12 16:09:14', None,
                            b'kernel'),
    'syslog caller': Before(b'Jul 12 16:09:14 web1 kernel: [12345.678901][ T9185] ', 12345.678901, b'Jul 12 16:09:14',
                            None, b'kernel'),
    'syslog day below 10': Before(b'Jul  2 16:09:14 web1 kernel: ', None, b'Jul  2 16:09:14', None, b'kernel'),
    'syslog no space': Before(b'Jul 12 16:09:14 web1 kernel:', None, b'Jul 12 16:09:14', None, b'kernel'),
    'syslog no space printk': Before(b'Jul 12 16:09:14 web1 kernel:[12345.678901] ', 12345.678901, b'Jul 12 16:09:14',
                                     None, b'kernel'),
    'syslog without host': Before(b'Jul 12 16:09:14 kernel: ', None, b'Jul 12 16:09:14', None, b'kernel'),
    'syslog of an IPv6 host': Before(b'Jul 12 16:09:14 2001:db8::1 kernel: ', None, b'Jul 12 16:09:14', None,
                                     b'kernel'),
    'syslog with year': Before(b'Jul 12 2026 16:09:14 web1 kernel: ', None, b'Jul 12 2026 16:09:14', None, b'kernel'),
    'syslog Chinese': Before('7月 12 16:09:14 web1 kernel: '.encode(), None, '7月 12 16:09:14'.encode(), None,
                             b'kernel'),
    'syslog facility': Before(b'Jul 12 16:09:14 web1 kern.warning kernel: [12345.678901] ', 12345.678901,
                              b'Jul 12 16:09:14', 0, b'kernel'),
    'facility in brackets': Before(b'<kern.warning> kernel: ', None, None, 0, b'kernel'),
    'syslog priority': Before(b'<4>Jul 12 16:09:14 web1 kernel: ', None, b'Jul 12 16:09:14', 0, b'kernel'),
    'RFC 5424': Before(b'<4>1 2026-07-12T16:09:14.123456+00:00 web1 kernel - - - ', None,
                       b'2026-07-12T16:09:14.123456+00:00', 0, b'kernel'),
    'RFC 3339': Before(b'2026-07-12T16:09:14.123456+00:00 web1 kernel: [12345.678901] ', 12345.678901,
                       b'2026-07-12T16:09:14.123456+00:00', None, b'kernel'),
    'journalctl iso': Before(b'2026-07-12T16:09:14+0000 web1 kernel: ', None, b'2026-07-12T16:09:14+0000', None,
                             b'kernel'),
    'journalctl full': Before(b'Sun 2026-07-12 16:09:14 UTC web1 kernel: ', None, b'Sun 2026-07-12 16:09:14 UTC', None,
                              b'kernel'),
    'journalctl precise': Before(b'Jul 12 16:09:14.123456 web1 kernel: ', None, b'Jul 12 16:09:14.123456', None,
                                 b'kernel'),
    'journalctl monotonic': Before(b'[12345.678901] web1 kernel: ', 12345.678901),
    'journalctl unix': Before(b'1783872554.123456 web1 kernel: ', None, b'1783872554.123456', None, b'kernel'),
    'kmsg': Before(b'3,1234,12345678901,-;', 12345.678901, None, 0),
    'kmsg caller': Before(b'3,1234,12345678901,-,caller=T9185;', 12345.678901, None, 0),
    'ctime': Before(b'[Sun Jul 12 16:09:14 2026] ', None, b'Sun Jul 12 16:09:14 2026'),
    'ctime German': Before(b'[So Jul 12 16:09:14 2026] ', None, b'So Jul 12 16:09:14 2026'),
    'ctime French': Before(b'[dim. juil. 12 16:09:14 2026] ', None, b'dim. juil. 12 16:09:14 2026'),
    'ctime French, day first': Before(b'[dim. 12 juillet 16:09:14 2026] ', None, b'dim. 12 juillet 16:09:14 2026'),
    'ctime Chinese': Before('[日 7月 12 16:09:14 2026] '.encode(), None, '日 7月 12 16:09:14 2026'.encode()),
    'ctime delta': Before(b'[Sun Jul 12 16:09:14 2026 <    0.000012>] ', None, b'Sun Jul 12 16:09:14 2026'),
    'human': Before(b'[Jul12 16:09] ', None, b'Jul12 16:09'),
    'human later': Before(b'[  +0.000012] '),
    'delta': Before(b'[<    0.000012>] '),
    'time and delta': Before(b'[12345.678901 <    0.000012>] ', 12345.678901),
    # --- newer dmesg, colours, several times
    'ctime caller': Before(b'[Sun Jul 12 16:09:14 2026] [   T4711] ', None, b'Sun Jul 12 16:09:14 2026'),
    'printk blank caller': Before(b'[12345.678901] [   T4711] ', 12345.678901),
    'decoded caller': Before(b'kern  :err   : [12345.678901] [    C0] ', 12345.678901, None, 0),
    'iso caller': Before(b'2026-07-12T16:09:14,123456+00:00 [   T4711] ', None, b'2026-07-12T16:09:14,123456+00:00'),
    'printk and ctime': Before(b'[12345.678901] [Sun Jul 12 16:09:14 2026] ', 12345.678901,
                               b'Sun Jul 12 16:09:14 2026'),
    'ctime and printk': Before(b'[Sun Jul 12 16:09:14 2026] [12345.678901] [  T12] ', 12345.678901,
                               b'Sun Jul 12 16:09:14 2026'),
    'iso and printk': Before(b'2026-07-12T16:09:14,123456+00:00 [12345.678901] ', 12345.678901,
                             b'2026-07-12T16:09:14,123456+00:00'),
    'ctime coloured': Before(b'\x1b[32m[Sun Jul 12 16:09:14 2026] \x1b[0m', None, b'Sun Jul 12 16:09:14 2026'),
    'syslog coloured': Before(b'Jul 12 16:09:14 web1 kernel: #033[32m[12345.678901] #033[0m#033[33m', 12345.678901,
                              b'Jul 12 16:09:14', None, b'kernel'),
    'syslog blank caller': Before(b'Jul 12 16:09:14 web1 kernel: [12345.678901] [   T4711] ', 12345.678901,
                                  b'Jul 12 16:09:14', None, b'kernel'),
    'seconds since 1970 in brackets': Before(b'[1783872554.123456] ', None, b'1783872554.123456'),
    'MediaTek': Before(b'<6>[302600.931727]  (4)[10628:Cam@AuxSensorCo]', 302600.931727, None, 0),
    'Samsung': Before(b'[ 1234.567] [3:   kswapd0:  136] ', 1234.567),
    # --- syslog in other forms
    'RFC 5424 without priority': Before(b'1 2026-07-12T16:09:14.123456+00:00 web1 kernel - - - ', None,
                                        b'2026-07-12T16:09:14.123456+00:00', None, b'kernel'),
    'RFC 5424, two blanks': Before(b'<4>1 2026-07-12T16:09:14.123456+00:00 web1 kernel - - -  [12345.678901] ',
                                   12345.678901, b'2026-07-12T16:09:14.123456+00:00', 0, b'kernel'),
    'RFC 5424 without version': Before(b'2026-07-12T16:09:14.123456+00:00 web1 kernel - - - ', None,
                                       b'2026-07-12T16:09:14.123456+00:00', None, b'kernel'),
    'OpenWrt': Before(b'Sun Jul 12 16:09:14 2026 kern.err kernel: [12345.678901] ', 12345.678901,
                      b'Sun Jul 12 16:09:14 2026', 0, b'kernel'),
    'OpenWrt -t': Before(b'Sun Jul 12 16:09:14 2026 [1783872554.123] kern.err kernel: [12345.678901] ', 12345.678901,
                         b'Sun Jul 12 16:09:14 2026', 0, b'kernel'),
    'busybox without host': Before(b'Jul 12 16:09:14 kern.err kernel: [12345.678901] ', 12345.678901,
                                   b'Jul 12 16:09:14', 0, b'kernel'),
    'metalog': Before(b'Jul 12 16:09:14 [kernel] [12345.678901] ', 12345.678901, b'Jul 12 16:09:14', None, b'kernel'),
    'socklog': Before(b'2026-07-12T16:09:14.12345 kern.err: [12345.678901] ', 12345.678901,
                      b'2026-07-12T16:09:14.12345', 0),
    'svlogd': Before(b'2026-07-12_16:09:14.12345 kern.err: [12345.678901] ', 12345.678901,
                     b'2026-07-12_16:09:14.12345', 0),
    'SONiC': Before(b'2026 Jul 12 16:09:14.123456 web1 ERR kernel: [12345.678901] ', 12345.678901,
                    b'2026 Jul 12 16:09:14.123456', None, b'kernel'),
    'day first': Before(b'12 Jul 2026 16:09:14 web1 kernel: ', None, b'12 Jul 2026 16:09:14', None, b'kernel'),
    'slashes': Before(b'2026/07/12 16:09:14 web1 kernel: ', None, b'2026/07/12 16:09:14', None, b'kernel'),
    # --- blanks and languages
    'leading blanks': Before(b'   Jul 12 16:09:14 web1 kernel: ', None, b'Jul 12 16:09:14', None, b'kernel'),
    'leading blanks of dmesg': Before(b'  [12345.678901] ', 12345.678901),
    'syslog Chinese, blank': Before(' 7月 12 16:09:14 web1 kernel: '.encode(), None, '7月 12 16:09:14'.encode(), None,
                                    b'kernel'),
    'ctime Japanese, two blanks': Before(
        '[日  7月 12 16:09:14 2026] '.encode(), None, '日  7月 12 16:09:14 2026'.encode()),
    'year first, Chinese': Before('2026年07月12日 16时09分14秒 web1 kernel: '.encode(), None,
                                  '2026年07月12日 16时09分14秒'.encode(), None, b'kernel'),
    'year first, date of Chinese': Before('2026年 07月 12日 星期日 16:09:14 UTC web1 kernel: '.encode(), None,
                                          '2026年 07月 12日 星期日 16:09:14 UTC'.encode(), None, b'kernel'),
    'year first, afternoon': Before('2026年07月12日 下午 04:09:14 web1 kernel: '.encode(), None,
                                    '2026年07月12日 下午 04:09:14'.encode(), None, b'kernel'),
    'year first, Korean': Before('2026년 7월 12일 오후 04시 09분 14초 web1 kernel: '.encode(), None,
                                 '2026년 7월 12일 오후 04시 09분 14초'.encode(), None, b'kernel'),
    'year first, Korean date': Before('2026. 07. 12. (일) 16:09:14 web1 kernel: '.encode(), None,
                                      '2026. 07. 12. (일) 16:09:14'.encode(), None, b'kernel'),
    'year first in brackets': Before('[2026年07月12日 16时09分14秒] '.encode(), None,
                                     '2026年07月12日 16时09分14秒'.encode()),
    'year first, month': Before('2026 7月 12 16:09:14 web1 kernel: '.encode(), None, '2026 7月 12 16:09:14'.encode(),
                                None,
                                b'kernel'),
    # --- zones
    'zone': Before(b'Jul 12 16:09:14 UTC web1 kernel: ', None, b'Jul 12 16:09:14 UTC', None, b'kernel'),
    'zone of another place': Before(b'Jul 12 12:09:14 EDT web1 kernel: ', None, b'Jul 12 12:09:14 EDT',
                                    None, b'kernel'),
    'zone in numbers': Before(b'Jul 13 00:09:14 +0800 web1 kernel: ', None, b'Jul 13 00:09:14 +0800', None, b'kernel'),
    'zone and colon': Before(b'Jul 12 16:09:14.123 UTC: web1 kernel: ', None, b'Jul 12 16:09:14.123 UTC',
                             None, b'kernel'),
    'zone after a year': Before(b'Jul 12 16:09:14 2026 UTC web1 kernel: ', None, b'Jul 12 16:09:14 2026 UTC', None,
                                b'kernel'),
    'zone before a year': Before(b'Sun Jul 12 16:09:14 UTC 2026 web1 kernel: ', None, b'Sun Jul 12 16:09:14 UTC 2026',
                                 None, b'kernel'),
    'ISO with zone': Before(b'2026-07-12 18:09:14 CEST web1 kernel: ', None, b'2026-07-12 18:09:14 CEST',
                            None, b'kernel'),
    'ISO with zone in numbers': Before(b'2026-07-12 16:09:14 +0000 web1 kernel: ', None, b'2026-07-12 16:09:14 +0000',
                                       None, b'kernel'),
    # --- relays and wrappers
    'relayed': Before(b'Jul 12 16:09:14 relay Jul 12 16:09:13 web1 kernel: ', None, b'Jul 12 16:09:14',
                      None, b'kernel'),
    'relayed ISO': Before(b'2026-07-12T16:09:14+00:00 10.0.0.5 2026-07-12T16:09:13+00:00 web1 kernel: [12345.678901] ',
                          12345.678901, b'2026-07-12T16:09:14+00:00', None, b'kernel'),
    'relayed with priority': Before(b'Jul 12 16:09:14 10.0.0.5 <4>Jul 12 16:09:13 web1 kernel: ', None,
                                    b'Jul 12 16:09:14', 0, b'kernel'),
    'relayed RFC 5424': Before(b'<4>Jul 12 16:09:14 relay 1 2026-07-12T16:09:13Z web1 kernel - - - ', None,
                               b'Jul 12 16:09:14', 0, b'kernel'),
    'relayed, two hosts': Before(b'Jul 12 16:09:14 relay web1 kernel: ', None, b'Jul 12 16:09:14', None, b'kernel'),
    'relayed, chain': Before(b'Jul 12 16:09:14 s_net@web1/relay kernel: ', None, b'Jul 12 16:09:14', None, b'kernel'),
    'relayed, forwarded': Before(b'Jul 12 16:09:14 relay Message forwarded from web1: kernel: ', None,
                                 b'Jul 12 16:09:14', None, b'kernel'),
    'CRI': Before(b'2026-07-12T16:09:14.123456789Z stdout F Jul 12 16:09:13 web1 kernel: [12345.678901] ', 12345.678901,
                  b'Jul 12 16:09:13', None, b'kernel'),
    'CRI of dmesg': Before(b'2026-07-12T16:09:14.123456789+00:00 stderr F [12345.678901] ', 12345.678901,
                           b'2026-07-12T16:09:14.123456789+00:00'),
    'docker logs -t': Before(b'2026-07-12T16:09:14.123456789Z [12345.678901] ', 12345.678901,
                             b'2026-07-12T16:09:14.123456789Z'),
    'docker compose': Before(b'node-1  | [Sun Jul 12 16:09:14 2026] ', None, b'Sun Jul 12 16:09:14 2026'),
    'grep': Before(b'/var/log/kern.log:Jul 12 16:09:14 web1 kernel: ', None, b'Jul 12 16:09:14', None, b'kernel'),
    'grep -n': Before(b'123:Jul 12 16:09:14 web1 kernel: ', None, b'Jul 12 16:09:14', None, b'kernel'),
    'grep -Hn': Before(b'kern.log.2.gz:123:[Sun Jul 12 16:09:14 2026] ', None, b'Sun Jul 12 16:09:14 2026'),
    'grep -C': Before(b'kern.log-2026-07-12T16:09:14+00:00 web1 kernel: ', None, b'2026-07-12T16:09:14+00:00', None,
                      b'kernel'),
    'grep of a pipe': Before(b'(standard input):Jul 12 16:09:14 web1 kernel: ', None, b'Jul 12 16:09:14',
                             None, b'kernel'),
    'cat -n': Before(b'   123\tJul 12 16:09:14 web1 kernel: ', None, b'Jul 12 16:09:14', None, b'kernel'),
}
# fmt: on


class Said(t.NamedTuple):
    """What the lines of one occasion say, printed alone: one event of this kind with these."""

    kind: str
    pid: t.Optional[int]
    comm: t.Optional[bytes]
    lines: t.Tuple[bytes, ...]
    scope: t.Optional[str] = None
    uid: t.Optional[int] = None
    cgroup: t.Optional[str] = None
    details: t.Dict[str, t.Any] = {}  # noqa: RUF012  # never changed


KILL, INTENT, NO_KILL = 'kernel_kill', 'kernel_intent', 'kernel_no_kill'
_SIZES = b'total-vm:3kB, anon-rss:2kB, file-rss:1kB, shmem-rss:12kB'
_CHOSEN = b'oom-kill:constraint=%s,task=comm,pid=88,uid=33'
_GLOBAL = _CHOSEN % b'CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/'
_MEMCG = _CHOSEN % b'CONSTRAINT_MEMCG,nodemask=(null),cpuset=X,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b'
_NO_CPUSET = _CHOSEN % b'CONSTRAINT_NONE,nodemask=(null),global_oom,task_memcg=/'
_MYSQLD = {'total_vm_kb': 33914892, 'anon_rss_kb': 20629004, 'file_rss_kb': 0}

# fmt: off
FORMS: t.Dict[str, Said] = {
    '2.6.18': Said(KILL, 16498, b'java', (b'Out of Memory: Killed process 16498 (java).',), 'global'),
    '2.6.19 intent': Said(INTENT, 16498, b'java', (
        b'Out of Memory: Kill process 16498 (java) score 12345 and children.',), 'global', None, None,
        {'score': 12345}),
    '2.6.19': Said(KILL, 16498, b'java', (
        b'Out of Memory: Kill process 16498 (java) score 12345 and children.',
        b'Out of memory: Killed process 16498 (java).'), 'global', None, None, {'score': 12345}),
    '2.6.19 policy': Said(KILL, 16498, b'java', (
        b'No available memory (MPOL_BIND): Killed process 16498 (java).',), 'global', None, None,
        {'constraint': 'CONSTRAINT_MEMORY_POLICY'}),
    '2.6.19 cpuset': Said(KILL, 16498, b'java', (
        b'No available memory in cpuset: Killed process 16498 (java).',), 'global', None, None,
        {'constraint': 'CONSTRAINT_CPUSET'}),
    '2.6.27 intent': Said(INTENT, 77, b'x', (b'Out of memory: kill process 77 (x) score 2 or a child',), 'global', None,
                          None, {'score': 2}),
    '2.6.27': Said(KILL, 77, b'x', (b'Out of memory: kill process 77 (x) score 2 or a child', b'Killed process 77 (x)'),
                   'global', None, None, {'score': 2}),
    '2.6.27 alone': Said(KILL, 77, b'x', (b'Killed process 77 (x)',)),
    '2.6.27 memcg': Said(KILL, 77, b'x', (b'Memory cgroup out of memory: kill process 77 (x) score 2 or a child',
                                          b'Killed process 77 (x)'), 'cgroup'),
    '2.6.34': Said(KILL, 77, b'x', (b'Killed process 77 (x) vsz:5124kB, anon-rss:12kB, file-rss:4kB',), None,
                   None, None, {'total_vm_kb': 5124, 'anon_rss_kb': 12, 'file_rss_kb': 4}),
    'EL6': Said(KILL, 40738, b'mysqld', (
        b'Out of memory: Kill process 40738 (mysqld) score 16 or sacrifice child',
        b'Killed process 40738, UID 27, (mysqld) total-vm:6424316kB, anon-rss:13128kB, file-rss:4kB'), 'global', 27,
        None, {'score': 16, 'total_vm_kb': 6424316, 'anon_rss_kb': 13128, 'file_rss_kb': 4}),
    'EL6 alone': Said(KILL, 40738, b'mysqld', (
        b'Killed process 40738, UID 27, (mysqld) total-vm:6424316kB, anon-rss:13128kB, file-rss:4kB',), None, 27),
    'EL6 would have': Said(NO_KILL, 40738, b'mysqld', (
        b'Would have killed process 40738 (mysqld). But continuing instead.',), None, None, None,
        {'reason': 'would_have'}),
    '2.6.36': Said(KILL, 6576, b'mysqld', (
        b'Out of memory: Kill process 6576 (mysqld) score 651 or sacrifice child',
        b'Killed process 6576 (mysqld) total-vm:33914892kB, anon-rss:20629004kB, file-rss:0kB'), 'global', None, None,
        dict(_MYSQLD, score=651)),
    '2.6.36 alone': Said(KILL, 6576, b'mysqld', (
        b'Killed process 6576 (mysqld) total-vm:33914892kB, anon-rss:20629004kB, file-rss:0kB',), None, None, None,
        _MYSQLD),
    '2.6.36 intent': Said(INTENT, 6576, b'mysqld', (
        b'Out of memory: Kill process 6576 (mysqld) score 651 or sacrifice child',), 'global', None, None,
        {'score': 651}),
    '4.5': Said(KILL, 6576, b'mysqld', (
        b'Killed process 6576 (mysqld) total-vm:33914892kB, anon-rss:20629004kB, file-rss:0kB, shmem-rss:8kB',), None,
        None, None, dict(_MYSQLD, shmem_rss_kb=8)),
    'EL7': Said(KILL, 21945, b'tidb-server', (
        b'Killed process 21945 (tidb-server), UID 1000, total-vm:33027492kB, anon-rss:31303276kB, shmem-rss:0kB',),
        None, 1000, None, {'total_vm_kb': 33027492, 'shmem_rss_kb': 0}),
    'EL7 memcg': Said(KILL, 900, b'anqicms', (
        b'anqicms invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0',
        b'Task in /docker/0123abcd killed as a result of limit of /docker/0123abcd',
        b'Memory cgroup out of memory: Kill process 900 (anqicms) score 990 or sacrifice child',
        b'Killed process 900 (anqicms), UID 0, total-vm:100kB, anon-rss:90kB, file-rss:0kB, shmem-rss:0kB'), 'cgroup',
        0, '/docker/0123abcd', {'oom_memcg': '/docker/0123abcd', 'score': 990, 'anon_rss_kb': 90}),
    '4.6 reaper': Said(KILL, 1381, b'gunpowder-memho', (
        b'oom_reaper: reaped process 1381 (gunpowder-memho), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB',)),
    '4.6 unable to reap': Said(KILL, 1381, b'gunpowder-memho', (
        b'oom_reaper: unable to reap pid:1381 (gunpowder-memho)',)),
    '4.6 pinned': Said(KILL, 1381, b'anqicms', (b'oom killer 1381 (anqicms) has mm pinned by 7 (other)',)),
    '4.5 sharing': Said(KILL, 1382, b'anqicms', (b'Kill process 1382 (anqicms) sharing same memory',), None, None, None,
                        {'sharing': True}),
    '5.0 memcg': Said(KILL, 88, b'comm', (_MEMCG,), 'cgroup', 33, '/a/b', {
        'oom_memcg': '/a', 'constraint': 'CONSTRAINT_MEMCG'}),
    '5.0 global': Said(KILL, 88, b'comm', (_GLOBAL,), 'global', 33, '/', {'constraint': 'CONSTRAINT_NONE'}),
    '5.0 without cpusets': Said(KILL, 88, b'comm', (_NO_CPUSET,), 'global', 33, '/'),
    '5.0 two lines': Said(KILL, 88, b'comm', (
        _GLOBAL, b'Out of memory: Kill process 88 (comm) score 900 or sacrifice child',
        b'Killed process 88 (comm) ' + _SIZES), 'global', 33, '/', {'score': 900, 'shmem_rss_kb': 12}),
    '5.1': Said(KILL, 955, b'gnome-shell', (
        b'Out of memory: Killed process 955 (gnome-shell) ' + _SIZES,), 'global', None, None, {'shmem_rss_kb': 12}),
    '5.1 memcg': Said(KILL, 955, b'anqicms', (
        b'Memory cgroup out of memory: Killed process 955 (anqicms) ' + _SIZES,), 'cgroup'),
    '5.4': Said(KILL, 955, b'anqicms', (
        b'Out of memory: Killed process 955 (anqicms) ' + _SIZES + b', UID:1001 pgtables:128kB oom_score_adj:900',),
        'global', 1001, None, {'pgtables_kb': 128, 'oom_score_adj': 900}),
    'allocating task, old': Said(INTENT, 955, b'anqicms', (
        b'Out of memory (oom_kill_allocating_task): Kill process 955 (anqicms) score 0 or sacrifice child',), 'global',
        None, None, {'allocating_task': True}),
    'allocating task': Said(KILL, 955, b'anqicms', (
        b'Out of memory (oom_kill_allocating_task): Killed process 955 (anqicms) total-vm:3kB, anon-rss:2kB',),
        'global', None, None, {'allocating_task': True, 'anon_rss_kb': 2}),
    '4.19 group alone': Said(KILL, None, None, (
        b'Tasks in /A1 are going to be killed due to memory.oom.group set',), 'cgroup', None, '/A1',
        {'oom_group': '/A1'}),
    '5.17 exits already': Said(NO_KILL, 3804877, b'stress', (
        b'Memory cgroup out of memory: OOM victim 3804877 (stress) is already exiting. Skip killing the task',),
        'cgroup', None, None, {'reason': 'already_exiting'}),
    '4.20 memcg alone': Said(KILL, None, None, (b'Task in /lxc/A killed as a result of limit of /lxc/A',), 'cgroup',
                             None, '/lxc/A', {'oom_memcg': '/lxc/A'}),
    '4.20 of the host': Said(KILL, None, None, (b'Task in /lxc/A killed as a result of limit of host',), 'global',
                             None, '/lxc/A'),
    'nobody': Said(NO_KILL, None, None, (b'Out of memory and no killable processes...',), None, None, None,
                   {'reason': 'nobody_killable'}),
    'panic wanted': Said('kernel_panic_oom', None, None, (
        b'Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled',)),
    'panic compulsory': Said('kernel_panic_oom', None, None, (
        b'Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled',)),
    'panic old': Said('kernel_panic_oom', None, None, (
        b'Kernel panic - not syncing: out of memory. panic_on_oom is selected',)),
    'panic deadlock': Said('kernel_panic_oom', None, None, (
        b'Kernel panic - not syncing: System is deadlocked on memory',)),
    'allocation failure': Said(NO_KILL, None, b'anqicms', (
        b'anqicms: page allocation failure: order:4, mode:0x40c0(GFP_KERNEL|__GFP_COMP), nodemask=(null)',), None, None,
        None, {'reason': 'allocation_failure'}),
    'fault leaked': Said(NO_KILL, None, None, (
        b'Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF',), None, None, None, {'reason': 'fault_leaked'}),
    'invoked': Said(NO_KILL, None, None, (
        b'in:imjournal invoked oom-killer: gfp_mask=0x1201d2, order=0, oomkilladj=0',), None, None, None,
        {'reason': 'invoked'}),
    'OpenVZ': Said(KILL, 21738, b'anqicms', (
        b'Out of memory in UB 1234: OOM killed process 21738 (anqicms) score 0 vm:281988kB, rss:17004kB, swap:0kB',),
        'cgroup', None, None, {'beancounter': 1234, 'total_vm_kb': 281988, 'anon_rss_kb': 17004}),
    'OpenVZ, lower case': Said(KILL, 29747, b'MySQLD', (
        b'out of memory in UB 815792: OOM killed process 29747 (MySQLD) score 0 vm:1kB, rss:2kB, swap:0kB',), 'cgroup'),
    'Virtuozzo 7': Said(KILL, 601, b'mysqld', (
        b'Killed process 601 (mysqld) in VE "101" total-vm:1212112kB, anon-rss:84964kB, file-rss:0kB',), None, None,
        None, {'total_vm_kb': 1212112}),
    'Android': Said(KILL, 5, b'app', (b"lowmemorykiller: Killing 'app' (5), adj 900,",), 'global', None, None,
                    {'killer': 'lowmemorykiller'}),
    'Android 3.10': Said(
        KILL, 2846, b'd.process.media',
        ((b"lowmemorykiller: Killing 'd.process.media' (2846) (tgid 2846), adj 999,\\x0a   to free 81288kB on behalf "
          b"of 'kswapd0' (136) because"),), 'global'),
    'Android 2.6.29': Said(KILL, 5, b'app', (b'lowmemorykiller: send sigkill to 5 (app), adj 8, size 1234',), 'global'),
    '2.4': Said(KILL, None, b'cc1', (b'VM: killing process cc1',), 'global'),
    'segfault': Said('kernel_segfault', 12, b'anqicms', (
        b'anqicms[12]: segfault at 0 ip 0000000000401136 sp 00007ffd error 6 in anqicms[401000+1000]',)),
    'trap': Said('kernel_segfault', 12, b'anqicms', (
        b'traps: anqicms[12] general protection fault ip:401136 sp:7ffd error:0 in anqicms[401000+1000]',)),
    'boot': Said('boot', None, None, (b'Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc-12) #1',)),
}
# fmt: on


# fmt: off
# A record around a message of the kernel, at the same second in July 2026.
WRAPPED = {
    'journal json': b'{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1783872554000000","_TRANSPORT":"kernel",'
                    b'"SYSLOG_FACILITY":"0","MESSAGE":"%s"}',
    'journal json-sse': b'data: {"__REALTIME_TIMESTAMP":"1783872554000000","_TRANSPORT":"kernel","MESSAGE":"%s"}',
    'journal json-seq': b'\x1e{"__REALTIME_TIMESTAMP":"1783872554000000","_TRANSPORT":"kernel","MESSAGE":"%s"}',
    'docker of syslog': b'{"log":"Jul 12 16:09:13 web1 kernel: %s\\n","stream":"stdout",'
                        b'"time":"2026-07-12T16:09:14.123456789Z"}',
    'docker of dmesg': b'{"log":"[12345.678901] %s\\n","stream":"stderr","time":"2026-07-12T16:09:14.123456789Z"}',
    'rsyslog template': b'{"timereported":"2026-07-12T16:09:14+00:00","hostname":"web1","syslogtag":"kernel:",'
                        b'"msg":" %s"}',
    'logstash': b'{"@timestamp":"2026-07-12T16:09:14.000Z","message":"%s","program":"kernel","host":"web1"}',
    'logcat': b'07-12 16:09:14.340     0     0 I %s',
    'milliseconds': b'{"timestamp":1783872554000,"facility":"kern","message":"%s"}',
}
# fmt: off
# fmt: on
# What looks like the kernel's, and was written by others.
TENANTS = (
    b'Jul 12 16:09:14 web1 shop: %s',
    b'Jul 12 16:09:14 web1 shop[12]: kernel: %s',
    b'Jul 12 16:09:14 web1 shop: [12345.678901] %s',
    b'Jul 12 16:09:14 web1 shop: Jul 12 16:09:14 web1 kernel: %s',
    b'2026-07-12T16:09:14+00:00 web1 shop[7]: 2026-07-12T16:09:14+00:00 web1 kernel: %s',
    b'1 2026-07-12T16:09:14Z web1 shop 12 - - kernel: %s',
    b'<14>1 2026-07-12T16:09:14Z web1 kernel - - - %s',
    b'Jul 12 16:09:14 web1 user.notice kernel: %s',
    b'Sun Jul 12 16:09:14 2026 user.notice shop: kernel: %s',
    b'Sun Jul 12 16:09:14 2026 user.notice kernel: %s',
    b'<12>[12345.678901] %s',
    b'kern.log:Jul 12 16:09:14 web1 shop: %s',
    b'2026-07-12T16:09:14.123456789Z stdout F %s',
    b'{"log":"%s\\n","stream":"stdout","time":"2026-07-12T16:09:14.123456789Z"}',
    (
        b'{"__REALTIME_TIMESTAMP":"1783872554000000","_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"kernel","_PID":"12",'
        b'"_SYSTEMD_UNIT":"shop.service","MESSAGE":"%s"}'
    ),
    b'{"__REALTIME_TIMESTAMP":"1783872554000000","_TRANSPORT":"kernel","SYSLOG_FACILITY":"1","MESSAGE":"%s"}',
    b'07-12 16:09:14.340  1200  1200 I shop    : %s',
    b'16h09 on the twelfth, web1 shop[12]: %s',
)
# fmt: on
