# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What stands before a message of the kernel or of a service in a log: time, host, tag, facility. Pure.

Known are /dev/kmsg, dmesg with all its options and in any language, syslog with and without year, and journalctl
(docs/memory-kills.md). Times stay text here; ``_log_time`` reads them.
"""

import re
import typing as t

KERN = 0
_FACILITIES = (b'kern', b'user', b'mail', b'daemon', b'auth', b'syslog', b'lpr', b'news', b'uucp', b'cron',
               b'authpriv', b'ftp', b'ntp', b'security', b'console', b'solaris-cron', b'local0', b'local1',
               b'local2', b'local3', b'local4', b'local5', b'local6', b'local7')

_ISO = rb'\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?'
# A month of any language: a word, or a number before the sign for month of Chinese, Japanese and Korean.
_MONTH = rb'(?:\d{1,2}(?:\xe6\x9c\x88|\xec\x9b\x94)|[^\s\d:;,\[<{(][^\s:;,\[]{0,20})'
_YEARLESS = _MONTH + rb' +\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?'
_FULL = rb'[^\s\d:\[<{(]{1,16} ' + _ISO + rb' [A-Za-z0-9+-]{2,8}'
_UNIX = rb'\d{9,10}\.\d{3,6}'
_STAMP = re.compile(rb'(?P<stamp>' + rb'|'.join((_FULL, _ISO, _YEARLESS, _UNIX)) + rb') +')

_KMSG = re.compile(rb'(?P<pri>\d{1,4}),\d{1,20},(?P<usec>\d{1,20}),[^;\n]{0,200};(?P<message>[^\n]*)')
_RFC5424 = re.compile(rb'<(?P<pri>\d{1,3})>1 (?P<stamp>\S{1,40}) \S{1,255} (?P<tag>\S{1,48}) (?P<pid>\S{1,128}) '
                      rb'\S{1,32} (?:-|\[[^\n]{0,4096}?\])(?: (?:\xef\xbb\xbf)?(?P<message>.*))?\Z', re.DOTALL)
_PRI = re.compile(rb'<(?P<pri>\d{1,3})>')
_LEVEL = rb'(?:emerg|alert|crit|err(?:or)?|warn(?:ing)?|notice|info|debug)'
_DECODED = re.compile(rb'(?P<facility>[a-z0-9-]{3,12}) *:' + _LEVEL + rb' *: ?')
_NAMED = re.compile(rb'<?(?P<facility>[a-z0-9]{3,12})\.' + _LEVEL + rb'>? ')
_TAG = re.compile(rb'(?P<tag>[^\s:\[\]]{1,64})(?:\[(?P<pid>\d{1,10})\])?: ?')
_HOST = re.compile(rb'(?P<host>[^\s\[]*[^\s:\[]) +')
_SINCE_BOOT = re.compile(rb'\[ *(?P<printk>\d{1,10}\.\d{1,9})(?: *<[^<>\]]{1,20}>)?\](?:\[ *[TC]\d{1,10}\])? ?')
_SINCE_LAST = re.compile(rb'\[ *(?:\+\d{1,10}\.\d{1,9}|<[ \d.+]{1,20}>)\] ?')
_CTIME = re.compile(rb'\[(?P<stamp>[^\[\]\n<]{0,60}\d\d:\d\d(?::\d\d)?[^\[\]\n<]{0,16}?)(?: *<[^<>\]]{1,20}>)?\] ?')
_JOURNAL_TAG = re.compile(rb'(?P<tag>[^\[\]\n]{1,64})\[(?P<pid>[^\[\]\n]{0,16})\]: ')
_KERNEL_OF_HOST = re.compile(rb'[^\s:\[(]{1,255} kernel: ?')


class Prefix(t.NamedTuple):
    """A line taken apart. ``printk``: seconds since boot; ``stamp``: a wall clock time as it is written."""

    message: bytes
    printk: t.Optional[float] = None
    stamp: t.Optional[bytes] = None
    facility: t.Optional[int] = None
    tag: t.Optional[bytes] = None
    tag_pid: t.Optional[int] = None


def split(line: bytes) -> Prefix:
    """Take a line of a log apart. A line without a known prefix is a message as a whole."""
    line = line.rstrip(b'\r\n')
    for form in (_KMSG, _RFC5424):
        match = form.match(line)
        if match:
            return _of_kmsg(match) if form is _KMSG else _of_rfc5424(match)
    facility, line = _facility(line)
    prefix = _of_syslog(line) or Prefix(line)
    if prefix.stamp is None or prefix.tag in (None, b'kernel'):
        prefix = _of_printk(prefix)
    return prefix if prefix.facility is not None else prefix._replace(facility=facility)


def split_tag(prefix: Prefix) -> Prefix:
    """The same with the tag of a message ``tag[pid]: text``; not for the kernel, whose faults look like that."""
    match = _JOURNAL_TAG.match(prefix.message) if prefix.tag is None else None
    if match is None:
        return prefix
    pid = match.group('pid')
    return prefix._replace(message=prefix.message[match.end() :], tag=match.group('tag'),
                           tag_pid=int(pid) if pid.isdigit() else None)


def _of_kmsg(match: t.Match[bytes]) -> Prefix:
    return Prefix(match.group('message'), int(match.group('usec')) / 1e6, None, int(match.group('pri')) >> 3)


def _of_rfc5424(match: t.Match[bytes]) -> Prefix:
    pid = match.group('pid')
    prefix = Prefix(match.group('message') or b'', None, match.group('stamp'), int(match.group('pri')) >> 3,
                    match.group('tag'), int(pid) if pid.isdigit() else None)
    return _of_printk(prefix) if prefix.tag == b'kernel' else prefix


def _facility(line: bytes) -> t.Tuple[t.Optional[int], bytes]:
    match = _PRI.match(line)
    if match:
        return int(match.group('pri')) >> 3, line[match.end() :]
    for form in (_DECODED, _NAMED):
        match = form.match(line)
        if match and match.group('facility') in _FACILITIES:
            return _FACILITIES.index(match.group('facility')), line[match.end() :]
    return None, line


def _of_syslog(line: bytes) -> t.Optional[Prefix]:
    """``stamp host tag[pid]: message``; the host is missing at times, and dmesg writes a stamp with a comma alone."""
    match = _STAMP.match(line)
    stamp, rest = (match.group('stamp'), line[match.end() :]) if match else (None, line)
    if stamp is not None and b',' in stamp:
        return Prefix(rest, None, stamp)
    facility, tag, rest = _header(rest, stamp is not None)
    if tag is None:
        return None
    return Prefix(rest, None, stamp, facility, tag.group('tag'), int(tag.group('pid')) if tag.group('pid') else None)


def _header(rest: bytes, dated: bool) -> t.Tuple[t.Optional[int], t.Optional[t.Match[bytes]], bytes]:
    """Facility and tag, after a host or without one; only the kernel's own lines come without."""
    facility, at = _facility(rest)
    tag = _TAG.match(at)
    if tag and tag.group('tag') == b'kernel':
        return facility, tag, at[tag.end() :]
    host = _HOST.match(rest) if dated else None
    if host is None:
        return None, None, rest
    facility, at = _facility(rest[host.end() :])
    tag = _TAG.match(at)
    return facility, tag, at[tag.end() :] if tag else rest


def _of_printk(prefix: Prefix) -> Prefix:
    """What the kernel itself, or dmesg, puts before its messages."""
    facility, message = _facility(prefix.message) if prefix.facility is None else (prefix.facility, prefix.message)
    match = _SINCE_BOOT.match(message)
    if match:
        message = message[match.end() :]
        host = _KERNEL_OF_HOST.match(message) if prefix.tag is None else None
        return prefix._replace(message=message[host.end() :] if host else message, facility=facility,
                               printk=float(match.group('printk')))
    match = _SINCE_LAST.match(message)
    if match is None and prefix.stamp is None:
        match = _CTIME.match(message)
        prefix = prefix._replace(stamp=match.group('stamp')) if match else prefix
    return prefix._replace(message=message[match.end() :] if match else message, facility=facility)
