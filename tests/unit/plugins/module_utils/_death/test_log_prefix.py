# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands before a message is taken off, and nothing of the message is."""

import kernel_lines
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import kernel_lines as _kernel_lines
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import log_prefix, log_time
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death.events import Evidence, RawLine

MESSAGES = (
    b'Out of memory: Killed process 955 (a b) total-vm:1kB',
    b'oom_reaper: reaped process 12 (anqicms), now anon-rss:0kB',
    b'oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null)',
    b'anqicms[12]: segfault at 0 ip 00 sp 00 error 4',
    b'[ 1234]     0  1234     5000      100       12        0             0 anqicms',
    b'Killed process 1 (\xff\xfe)',
    b'',
)


@pytest.mark.parametrize('message', MESSAGES)
@pytest.mark.parametrize('name', sorted(kernel_lines.PREFIXES))
def test_prefix_is_taken_off(name: str, message: bytes) -> None:
    before = kernel_lines.PREFIXES[name]
    prefix = log_prefix.split(before.prefix + message + b'\n')
    assert prefix == log_prefix.Prefix(message, before.printk, before.stamp, before.facility, before.tag)
    assert log_prefix.split(message).message == message


def is_trusted(line: bytes) -> bool:
    evidence = Evidence('messages', '/var/log/messages', 1, None, '')
    return _kernel_lines.parse_line(RawLine(line, 1.0, 1.0, evidence, 'syslog', None, None))[1]


@pytest.mark.parametrize('name', sorted(kernel_lines.WRAPPED))
def test_a_record_is_unwrapped(name: str) -> None:
    line = kernel_lines.WRAPPED[name] % MESSAGES[0]
    prefix = log_prefix.split(line)
    assert prefix.message.lstrip() == MESSAGES[0]
    assert is_trusted(line)
    moment = log_time.of_prefix(prefix, 1783872554 + 86400)
    assert moment is not None and abs(moment.time - 1783872554) < 2


@pytest.mark.parametrize('form', kernel_lines.TENANTS)
def test_what_others_write_is_not_the_kernels(form: bytes) -> None:
    line = form % MESSAGES[0]
    raw = RawLine(line, None, 0.0, Evidence('messages', '/var/log/messages', 1, None, ''), 'syslog', None, None)
    assert not is_trusted(line) or _kernel_lines.parse_line(raw)[0] is None
    assert not _kernel_lines.is_not_understood(raw)


@pytest.mark.parametrize(
    ('line', 'facility', 'tag', 'pid', 'message'),
    [
        (b'Jul 12 16:09:14 web1 earlyoom[123]: mem avail', None, b'earlyoom', 123, b'mem avail'),
        (b'Jul 12 16:09:14 web1 root: Killed process 1 (x)', None, b'root', None, b'Killed process 1 (x)'),
        (b'<14>Jul 12 16:09:14 web1 root: text', 1, b'root', None, b'text'),
        (b'<30>1 2026-07-12T16:09:14Z web1 systemd 1 - - x.service: text', 3, b'systemd', 1, b'x.service: text'),
        (b'<30>1 2026-07-12T16:09:14Z web1 app - id [a@1 b="c"] \xef\xbb\xbftext', 3, b'app', None, b'text'),
        (b'2026-07-12T16:09:14.1+08:00 web1 systemd-oomd[700]: Killed /a', None, b'systemd-oomd', 700, b'Killed /a'),
        (b'user  :warn  : [   12.500000] text', 1, None, None, b'text'),
        (b'12,77,12500000,-;text', 1, None, None, b'text'),
        (b'30,77,12500000,-;systemd[1]: text', 3, None, None, b'systemd[1]: text'),
        (b'<12>[   12.500000] text', 1, None, None, b'text'),
    ],
)
def test_whoever_wrote_it_is_told(line: bytes, facility: int, tag: bytes, pid: int, message: bytes) -> None:
    prefix = log_prefix.split(line)
    assert (prefix.facility, prefix.tag, prefix.tag_pid, prefix.message) == (facility, tag, pid, message)


def test_kmsg_properties_are_left_out() -> None:
    assert log_prefix.split(b'6,1,5,-;text\n SUBSYSTEM=pci\n').message == b'text'


@pytest.mark.parametrize(
    'line',
    [
        b'EXT4-fs (loop0): Unrecognized mount option "x of memory: Killed process 1 (x)"',
        b'web1 Out of memory: Killed process 1 (x)',
        b'Jul 12 16:09:14 Out of memory: Killed process 1 (x)',
    ],
)
def test_no_prefix_is_made_up(line: bytes) -> None:
    assert not log_prefix.split(line).message.startswith(b'Out of memory')


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(kernel_lines.PREFIXES)), st.integers(0, 60))
def test_any_bytes(noise: bytes, name: str, cut: int) -> None:
    log_prefix.split(noise)
    whole = kernel_lines.PREFIXES[name].prefix + noise
    assert whole.rstrip(b'\r\n').endswith(log_prefix.split(whole).message) or b'\n' in noise
    log_prefix.split(whole[:cut] + noise)
