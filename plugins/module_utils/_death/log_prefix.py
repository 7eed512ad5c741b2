# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What stands before a message of the kernel or of a service in a log: time, host, tag, facility. Pure.

Known are /dev/kmsg, dmesg with all its options and in any language, syslog with and without year, journalctl, and
what relays, containers and grep put before them (docs/memory-kills.md). Times stay text here:
``_death.log_time`` reads them.
"""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import wrappers

KERN = 0
KERNEL = b'kernel'
CONTAINER = b'container'  # the tag of what a container printed, unless it says that the kernel wrote it
_FACILITIES = (
    b'kern',
    b'user',
    b'mail',
    b'daemon',
    b'auth',
    b'syslog',
    b'lpr',
    b'news',
    b'uucp',
    b'cron',
    b'authpriv',
    b'ftp',
    b'ntp',
    b'security',
    b'console',
    b'solaris-cron',
    b'local0',
    b'local1',
    b'local2',
    b'local3',
    b'local4',
    b'local5',
    b'local6',
    b'local7',
)
_DEEPEST = 4  # wrappers around each other

# Hours east of Greenwich of names that mean the same everywhere; CST, IST and BST do not.
ZONES: t.Dict[str, int] = {
    'EST': -5,
    'EDT': -4,
    'CDT': -5,
    'MST': -7,
    'MDT': -6,
    'PST': -8,
    'PDT': -7,
    'AKST': -9,
    'AKDT': -8,
    'HST': -10,
    'WET': 0,
    'WEST': 1,
    'CET': 1,
    'CEST': 2,
    'EET': 2,
    'EEST': 3,
    'MSK': 3,
    'PKT': 5,
    'ICT': 7,
    'WIB': 7,
    'HKT': 8,
    'SGT': 8,
    'JST': 9,
    'KST': 9,
    'AEST': 10,
    'AEDT': 11,
    'NZST': 12,
    'NZDT': 13,
    'SAST': 2,
}
_ZONE = (
    rb'(?:UTC|GMT|Z|[+-]\d\d(?::?\d\d)?|CST|IST|BST|'
    + '|'.join(sorted(ZONES, key=len, reverse=True)).encode('ascii')
    + rb')'
)
_CLOCK = rb'\d\d:\d\d:\d\d(?:[.,]\d{1,9})?'
# A month of any language: a word, or a number before the sign for month of Chinese, Japanese and Korean.
_MONTH = rb'(?:\d{1,2}(?:\xe6\x9c\x88|\xec\x9b\x94)|[^\s\d:;,\[<{(][^\s:;,\[]{0,20})'
_WEEKDAY = rb'[^\s\d:;,\[<{(]{1,16},?'
# Signs for year, month and day, hour, minute and second of the three languages.
_Y = rb'(?:\xe5\xb9\xb4|\xeb\x85\x84|\.)'
_M = rb'(?:\xe6\x9c\x88|\xec\x9b\x94|\.)'
_D = rb'(?:\xe6\x97\xa5|\xec\x9d\xbc|\.)'
_h = rb'(?::|\xe6\x97\xb6|\xe6\x99\x82|\xec\x8b\x9c ?)'
_m = rb'(?::|\xe5\x88\x86|\xeb\xb6\x84 ?)'
_s = rb'(?:\xe7\xa7\x92|\xec\xb4\x88)?'
_CJK = (
    rb'\d{4} ?'
    + _Y
    + rb' {0,2}\d{1,2} ?'
    + _M
    + rb' {0,2}\d{1,2} ?'
    + _D
    + rb'(?: {1,2}[^\s\d:;,\[<{]{1,32}){0,2} {1,2}\d\d?'
    + _h
    + rb'\d\d'
    + _m
    + rb'\d\d'
    + _s
    + rb'(?:\.\d{1,9})?'
)
# Each form of a time of day that a line can begin with.
STAMPS: t.Tuple[t.Tuple[str, bytes], ...] = (
    ('weekday and ISO', _WEEKDAY + rb' \d{4}-\d\d-\d\d[T ]' + _CLOCK + rb'(?:Z|[+-]\d\d:?\d\d)? [A-Za-z0-9+-]{2,8}'),
    ('ISO', rb'\d{4}[-/]\d\d[-/]\d\d[T _]' + _CLOCK + rb'(?:Z|[+-]\d\d:?\d\d)?'),
    ('year first', rb'\d{4} {1,2}' + _MONTH + rb' +\d{1,2} ' + _CLOCK),
    ('year first, CJK', _CJK),
    ('weekday', _WEEKDAY + rb' {1,2}' + _MONTH + rb' +\d{1,2} ' + _CLOCK + rb' (?:' + _ZONE + rb' )?\d{4}'),
    ('month first', _MONTH + rb' +\d{1,2} (?:\d{4} )?' + _CLOCK + rb'(?: \d{4}(?= ))?'),
    ('day first', rb'\d{1,2}[ -][^\s\d:;,\[<{(-]{2,20}[ -]\d{4} ' + _CLOCK),
    ('seconds since 1970', rb'\d{9,10}\.\d{3,6}'),
)
_STAMP = re.compile(
    rb'(?P<stamp>(?:' + rb'|'.join(form for dummy, form in STAMPS) + rb')(?: ' + _ZONE + rb'(?=[ :]))?)'
    rb':? +'
)

_KMSG = re.compile(rb'(?P<pri>\d{1,4}),\d{1,20},(?P<usec>\d{1,20}),[^;\n]{0,200};(?P<message>[^\n]*)')
_DATA = rb'[^\n]{0,4096}?\])(?: +(?:\xef\xbb\xbf)?(?P<message>.*))?\Z'
_RFC5424 = re.compile(
    rb'(?:<(?P<pri>\d{1,3})>)?1 (?P<stamp>\S{1,40}) \S{1,255} (?P<tag>\S{1,48}) '
    rb'(?P<pid>\S{1,128}) \S{1,32} (?:-|\[' + _DATA,
    re.DOTALL,
)
# Templates that leave out both priority and version.
_RFC5424_BARE = re.compile(
    rb'(?P<stamp>\d{4}-\d\d-\d\dT[0-9:.,+Z-]{8,30}) \S{1,255} (?P<tag>[^\s:\[\]]{1,48}) '
    rb'(?P<pid>-|\d{1,10}) [\w.-]{1,32} (?:-|\[\w' + _DATA,
    re.DOTALL,
)
_PRI = re.compile(rb'<(?P<pri>\d{1,3})>')
_LEVEL = rb'(?:emerg|alert|crit|err(?:or)?|warn(?:ing)?|notice|info|debug)'
_DECODED = re.compile(rb'(?P<facility>[a-z0-9-]{3,12}) *:' + _LEVEL + rb' *: ?')
_NAMED = re.compile(rb'<?(?P<facility>[a-z0-9]{3,12})\.' + _LEVEL + rb'>?:? ')
_TAG = re.compile(rb'(?P<tag>[^\s:\[\]]{1,64})(?:\[(?P<pid>\d{1,10})\])?: ?')
_METALOG = re.compile(rb'\[kernel\] ')
_HOST = re.compile(rb'(?P<host>[^\s\[]*[^\s:\[]) +')
_SINCE_BOOT = re.compile(rb'\[ *(?P<printk>\d{1,10}\.\d{1,9})(?: *<[^<>\]]{1,20}>)?\] ?')
_SINCE_LAST = re.compile(rb'\[ *(?:\+\d{1,10}\.\d{1,9}|<[ \d.+]{1,20}>)\] ?')
_CTIME = re.compile(
    rb'\[(?P<stamp>[^\[\]\n<]{0,60}\d\d?'
    + _h
    + rb'\d\d(?:'
    + _m
    + rb'\d\d'
    + _s
    + rb')?[^\[\]\n<]{0,16}?)(?: *<[^<>\]]{1,20}>)?\] ?'
)
_DMESG_ISO = re.compile(rb'(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{1,9}[+-]\d\d:\d\d) ?')
# The task or processor that printed it: by the kernel and dmesg, and as two makers of phones do.
_CALLER = re.compile(
    rb'\[ *[TC]\d{1,10}\] ?| ?\(\d{1,3}\)\[\d{1,10}:[^\[\]\n]{1,32}\] ?'
    rb'|\[\d{1,3}: *[^\[\]:\n]{1,32}: *\d{1,10}\] ?'
)
_LOGREAD = re.compile(rb'\[\d{9,10}\.\d{3}\] ')
_CRI = re.compile(rb'std(?:out|err) [FP] ')
_LOGCAT = re.compile(
    rb'(?P<stamp>\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,6}) +(?P<pid>\d{1,10}) +\d{1,10} [VDIWEFS] '
    rb'(?P<tag>[^:\n]{1,64}): ?(?P<message>.*)',
    re.DOTALL,
)
_FORWARDED = re.compile(rb'Message forwarded from [^\s:]{1,255}: ')
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
    return _split(wrappers.without_colours(line), 0) or Prefix(line)


def split_tag(prefix: Prefix) -> Prefix:
    """The same with the tag of a message ``tag[pid]: text``; not for the kernel, whose faults look like that."""
    match = _JOURNAL_TAG.match(prefix.message) if prefix.tag is None else None
    if match is None:
        return prefix
    pid = match.group('pid')
    return prefix._replace(
        message=prefix.message[match.end() :], tag=match.group('tag'), tag_pid=int(pid) if pid.isdigit() else None
    )


def _split(line: bytes, depth: int) -> t.Optional[Prefix]:
    """None where nothing of a prefix is known."""
    for form in (_KMSG, _RFC5424, _RFC5424_BARE, _LOGCAT):
        match = form.match(line)
        if match:
            return _OF_FORM[form](match)
    facility, rest = _facility(line)
    prefix = _of_syslog(rest, depth) or Prefix(rest)
    if prefix.stamp is None or prefix.tag in (None, KERNEL):
        prefix = _of_printk(prefix)
    prefix = prefix if prefix.facility is not None else prefix._replace(facility=facility)
    return prefix if is_known(prefix) or prefix.message != line else _unwrapped(line, depth)


def is_known(prefix: Prefix) -> bool:
    """Whether anything stood before the message."""
    return prefix[1:] != (None,) * 5


def _unwrapped(line: bytes, depth: int) -> t.Optional[Prefix]:
    """What is behind blanks, in JSON, or behind what grep and docker compose put there."""
    if depth >= _DEEPEST:
        return None
    inner = wrappers.of_json(line)
    if inner is not None:
        return _of_inner(inner, depth + 1)
    bare = line.lstrip(b' \t')
    found = _split(bare, depth + 1) if bare != line else None
    for behind in wrappers.behind_names(line) if found is None else ():
        found = _split(behind, depth + 1)
        if found is not None and (found.stamp or found.printk is not None or found.tag):
            break
        found = None
    return found


def _of_inner(inner: wrappers.Inner, depth: int) -> t.Optional[Prefix]:
    facility = _facility_of(inner.facility)
    if inner.tag is not None:
        prefix = Prefix(inner.text, None, inner.stamp, facility, inner.tag, inner.tag_pid)
        return _of_printk(prefix) if inner.tag == KERNEL else prefix
    return _of_container(inner.text, inner.stamp, depth, facility)


def _of_container(text: bytes, stamp: t.Optional[bytes], depth: int, facility: t.Optional[int] = None) -> Prefix:
    """What a container printed: its own words, or lines of a log that it reads, perhaps long after."""
    found = (_split(text, depth) if depth < _DEEPEST else None) or Prefix(text)
    if found.tag is None and found.facility is None and found.printk is None and facility is None:
        found = found._replace(tag=CONTAINER)
    return found._replace(
        stamp=found.stamp or stamp, facility=found.facility if found.facility is not None else facility
    )


def _facility_of(text: t.Optional[bytes]) -> t.Optional[int]:
    if text is not None and text.isdigit() and len(text) < 4:
        return int(text)
    return _FACILITIES.index(text) if text in _FACILITIES else None


def _of_kmsg(match: t.Match[bytes]) -> Prefix:
    return Prefix(match.group('message'), int(match.group('usec')) / 1e6, None, int(match.group('pri')) >> 3)


def _of_rfc5424(match: t.Match[bytes]) -> Prefix:
    pid, pri = match.group('pid'), match.groupdict().get('pri')
    prefix = Prefix(
        match.group('message') or b'',
        None,
        match.group('stamp'),
        int(pri) >> 3 if pri else None,
        match.group('tag'),
        int(pid) if pid.isdigit() else None,
    )
    return _of_printk(prefix) if prefix.tag == KERNEL else prefix


def _of_logcat(match: t.Match[bytes]) -> Prefix:
    """Messages of the kernel have the pid 0 there, and what they begin with for a tag."""
    tag, message, pid = match.group('tag').rstrip(), match.group('message'), int(match.group('pid'))
    if pid == 0:
        return Prefix(tag + b': ' + message, None, match.group('stamp'), None, KERNEL)
    return Prefix(message, None, match.group('stamp'), None, tag, pid)


_OF_FORM = {_KMSG: _of_kmsg, _RFC5424: _of_rfc5424, _RFC5424_BARE: _of_rfc5424, _LOGCAT: _of_logcat}


def _facility(line: bytes) -> t.Tuple[t.Optional[int], bytes]:
    match = _PRI.match(line)
    if match:
        return int(match.group('pri')) >> 3, line[match.end() :]
    for form in (_DECODED, _NAMED):
        match = form.match(line)
        if match and match.group('facility') in _FACILITIES:
            return _FACILITIES.index(match.group('facility')), line[match.end() :]
    return None, line


def _of_syslog(line: bytes, depth: int) -> t.Optional[Prefix]:
    """``stamp host tag[pid]: message``; the host is missing at times, and dmesg writes a stamp with a comma alone."""
    match = _STAMP.match(line)
    if match is None:
        return _by_kernel(line, None)
    stamp, rest = match.group('stamp'), line[match.end() :]
    logread = _LOGREAD.match(rest)
    rest = rest[logread.end() :] if logread else rest
    found = _by_kernel(rest, stamp) or _by_host(rest, stamp)
    if found is None and b',' in stamp:
        return Prefix(rest, None, stamp)
    return found or _relayed(rest, stamp, depth)


def _by_kernel(rest: bytes, stamp: t.Optional[bytes]) -> t.Optional[Prefix]:
    """Without a host: the kernel's own lines, those of dmesg, and what has a facility by name."""
    facility, at = _facility(rest)
    tag = _TAG.match(at)
    if tag and (tag.group('tag') == KERNEL or (stamp is not None and facility is not None)):
        return _tagged(at, tag, stamp, facility)
    if stamp is None:
        return None
    metalog = _METALOG.match(rest)
    if metalog:
        return Prefix(rest[metalog.end() :], None, stamp, None, KERNEL)
    since_boot = _SINCE_BOOT.match(at)
    return Prefix(rest, None, stamp) if since_boot else None


def _by_host(rest: bytes, stamp: bytes) -> t.Optional[Prefix]:
    host = _HOST.match(rest)
    if host is None:
        return None
    facility, at = _facility(rest[host.end() :])
    tag = _TAG.match(at)
    if tag is None or (at[:1].isdigit() and _STAMP.match(at)):
        return None
    return _tagged(at, tag, stamp, facility)


def _tagged(at: bytes, tag: t.Match[bytes], stamp: t.Optional[bytes], facility: t.Optional[int]) -> Prefix:
    return Prefix(
        at[tag.end() :], None, stamp, facility, tag.group('tag'), int(tag.group('pid')) if tag.group('pid') else None
    )


def _relayed(rest: bytes, stamp: bytes, depth: int) -> t.Optional[Prefix]:
    """A line within a line: of a host that sent it on, or of a container. The time is that of the log it is in."""
    if depth >= _DEEPEST:
        return None
    cri = _CRI.match(rest)
    if cri:
        return _of_container(rest[cri.end() :], stamp, depth + 1)
    host = _HOST.match(rest)
    for at in (rest,) if host is None else (rest, rest[host.end() :]):
        forwarded = _FORWARDED.match(at)
        facility, inner = _facility(at[forwarded.end() :] if forwarded else at)
        match = _STAMP.match(inner)
        of_5424 = _RFC5424.match(at) or _RFC5424_BARE.match(at)
        found = _of_rfc5424(of_5424) if of_5424 else _of_syslog(inner, depth + 1) if match else None
        if found is None and match is None:
            found = _by_kernel(inner, stamp) or _second_host(inner, stamp)
        if found is not None and found.tag is not None:
            unknown = at is not rest and host is not None and _is_zone(host.group('host'))
            return found._replace(
                stamp=None if unknown else stamp, facility=found.facility if found.facility is not None else facility
            )
    return None


def _second_host(rest: bytes, stamp: bytes) -> t.Optional[Prefix]:
    """Only for the kernel: the words of others may look like a host and a tag."""
    found = _by_host(rest, stamp)
    return found if found is not None and found.tag == KERNEL else None


def _is_zone(host: bytes) -> bool:
    """A name in capitals before a host is a zone that is not known: then the time is not either."""
    return len(host) in (3, 4, 5) and host.isalpha() and host.isupper()


def _of_printk(prefix: Prefix) -> Prefix:
    """What the kernel itself, or dmesg, puts before its messages: one time or several, and who called."""
    facility, message = _facility(prefix.message) if prefix.facility is None else (prefix.facility, prefix.message)
    stamp, printk = prefix.stamp, prefix.printk
    known = stamp is not None or prefix.tag is not None or facility is not None
    for _dummy in range(4):
        form, match = _printk_stamp(message, stamp is None or prefix.tag is None)
        if match is None:
            break
        if form is _SINCE_BOOT:
            printk = float(match.group('printk')) if printk is None else printk
        elif form is not _SINCE_LAST:
            stamp = match.group('stamp') if stamp is None else stamp
        known, message = True, message[match.end() :]
    caller = _CALLER.match(message) if known else None
    message = message[caller.end() :] if caller else message
    if printk is not None and prefix.tag is None:
        host = _KERNEL_OF_HOST.match(message)
        message = message[host.end() :] if host else message
    if printk is not None and printk >= 1e9 and stamp is None:  # seconds since 1970: no host runs for 30 years
        stamp, printk = b'%.6f' % printk, None
    return prefix._replace(message=message, facility=facility, printk=printk, stamp=stamp)


def _printk_stamp(message: bytes, more: bool) -> t.Tuple[t.Optional[t.Pattern[bytes]], t.Optional[t.Match[bytes]]]:
    for form in (_SINCE_BOOT, _SINCE_LAST) + ((_CTIME, _DMESG_ISO) if more else ()):
        match = form.match(message)
        if match:
            return form, match
    return None, None
