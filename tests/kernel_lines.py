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
}
