# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What execve requires of the bytes of a file: an ELF program, its loader, or a script. Pure: bytes in, verdict out.

The kernel reads less than is checked here: it maps a truncated program without a complaint, and the process dies of
SIGBUS or SIGSEGV. So every segment and every section must lie within the file.
"""

import struct
import typing as t

SHEBANG = b'#!'
HEADER_BYTES = 64
SCRIPT_BYTES = 256  # of the first line, which the kernel reads (128 before Linux 5.1)
MAX_SCRIPTS = 5  # scripts that name scripts; the sixth is ELOOP
MAX_SECTIONS = 65535  # more is not parsed: a table of that size is no release
_MAGIC = b'\x7fELF'
_EXEC, _DYN = 2, 3
_LOAD, _INTERP = 1, 3
_NULL, _NOBITS = 0, 8
_MAX_SEGMENT_BYTES = 65536
_MAX_INTERP = 4096
_KINDS = {1: 'an object file', 4: 'a core dump'}

# class (1: 32 bit, 2: 64 bit), byte order (1: little endian, 2: big endian), machine
Machine = t.Tuple[int, int, int]
X86_64, X32, I386 = (2, 1, 62), (1, 1, 62), (1, 1, 3)
AARCH64, ARM = (2, 1, 183), (1, 1, 40)
_ALSO_32_BIT: t.Dict[Machine, Machine] = {
    X86_64: I386,
    AARCH64: ARM,
    (2, 2, 22): (1, 2, 22),
    (2, 2, 21): (1, 2, 20),
    (2, 2, 8): (1, 2, 8),
    (2, 1, 8): (1, 1, 8),
    (2, 2, 43): (1, 2, 2),
}


class NotRunnable(Exception):
    """Why this file cannot be executed, as the end of a sentence."""


class Range(t.NamedTuple):
    """Bytes of the file."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size


class Header(t.NamedTuple):
    machine: Machine
    kind: int
    entry: int
    segments: Range
    segment_size: int
    sections: Range  # empty without a table; one entry when its first section holds the number of sections
    section_size: int

    @property
    def order(self) -> str:
        return '<' if self.machine[1] == 1 else '>'

    @property
    def wide(self) -> bool:
        return self.machine[0] == 2


class ProgramSegment(t.NamedTuple):
    kind: int
    data: Range
    address: int
    memory: int


def parse_header(data: bytes) -> Header:
    """The header from the first 64 bytes of a file. NotRunnable for everything that has none."""
    if not data:
        raise NotRunnable('it is empty')
    if data[:4] != _MAGIC:
        raise NotRunnable('it is not a Linux program')
    if len(data) < (HEADER_BYTES if data[4:5] == b'\x02' else 52):
        raise NotRunnable('it is truncated: its %d bytes do not hold an ELF header' % len(data))
    if data[4] not in (1, 2) or data[5] not in (1, 2):
        raise NotRunnable('its ELF header is damaged (class %d, byte order %d)' % (data[4], data[5]))
    order = '<' if data[5] == 1 else '>'
    kind, machine, _version, entry, first, table, _flags, _size, size, count, section_size, sections, _names = (
        struct.unpack_from(order + ('HHIQQQIHHHHHH' if data[4] == 2 else 'HHIIIIIHHHHHH'), data, 16)
    )
    sections = sections or 1 if table else 0
    return Header(
        (data[4], data[5], machine),
        kind,
        entry,
        Range(first, size * count),
        size,
        Range(table, section_size * sections),
        section_size,
    )


def runnable_machines(own: Machine, compat: bool) -> t.Set[Machine]:
    """What runs where a program of ``own`` does. ``compat``: whether this kernel also runs its 32-bit programs."""
    also = _ALSO_32_BIT.get(own)
    return {own, also} if compat and also else {own}


def check_kind(header: Header, size: int, machines: t.Collection[Machine]) -> None:
    """NotRunnable for another architecture, what is no program, and tables outside of the file of ``size`` bytes."""
    if header.machine not in machines:
        raise NotRunnable(
            'it is for another processor architecture (ELF machine %s, this host runs %s)'
            % (_name_of(header.machine), ' and '.join(sorted(_name_of(known) for known in machines)))
        )
    if header.kind not in (_EXEC, _DYN):
        raise NotRunnable('it is %s, not a program' % _KINDS.get(header.kind, 'an ELF file of type %d' % header.kind))
    if header.segment_size != (56 if header.wide else 32) or not 0 < header.segments.size <= _MAX_SEGMENT_BYTES:
        raise NotRunnable(
            'its ELF header is damaged (program headers: %d bytes, of %d bytes each)'
            % (header.segments.size, header.segment_size)
        )
    if header.sections.size and header.section_size != (64 if header.wide else 40):
        raise NotRunnable('its ELF header is damaged (section headers of %d bytes each)' % header.section_size)
    _check_within(size, header.segments, 'its program headers')
    _check_within(size, header.sections, 'its section headers')


def _name_of(machine: Machine) -> str:
    bits, order, number = machine
    notes = (['32 bit'] if bits == 1 else []) + (['big endian'] if order == 2 else [])
    return '%d%s' % (number, ' (%s)' % ', '.join(notes) if notes else '')


def _check_within(size: int, part: Range, what: str) -> None:
    if part.size and part.end > size:
        raise NotRunnable('it is truncated: %s end at byte %d, the file has %d' % (what, part.end, size))


def section_table(header: Header, first: bytes, size: int) -> Range:
    """The whole table of sections. With 65,280 sections and more, the first section holds their number."""
    table = header.sections
    if table.size and table.size == header.section_size <= len(first):
        count = _section(header, first, 0)[2]
        if 1 < count <= MAX_SECTIONS:
            table = Range(table.offset, count * header.section_size)
            _check_within(size, table, 'its section headers')
    return table


def _section(header: Header, table: bytes, at: int) -> t.Tuple[int, int, int]:
    """Type, offset, size."""
    if header.wide:
        _name, kind, _flags, _address, offset, size = struct.unpack_from(header.order + 'IIQQQQ', table, at)
    else:
        _name, kind, _flags, _address, offset, size = struct.unpack_from(header.order + 'IIIIII', table, at)
    return kind, offset, size


def check_sections(header: Header, table: bytes, size: int) -> None:
    """NotRunnable when a section lies outside of the file. A program that was stripped of the table passes."""
    if len(table) > header.section_size and not table.strip(b'\0'):
        raise NotRunnable('it is incomplete: where its section headers belong are only zero bytes')
    for at in range(0, len(table) - header.section_size + 1, header.section_size) if table else ():
        kind, offset, length = _section(header, table, at)
        if kind not in (_NULL, _NOBITS):
            _check_within(size, Range(offset, length), 'its sections')


def parse_segments(header: Header, table: bytes) -> t.List[ProgramSegment]:
    found = []
    for at in range(0, len(table) - header.segment_size + 1, header.segment_size):
        if header.wide:
            kind, _flags, offset, address, _physical, length, memory = struct.unpack_from(
                header.order + 'IIQQQQQ', table, at
            )
        else:
            kind, offset, address, _physical, length, memory = struct.unpack_from(header.order + 'IIIIII', table, at)
        found.append(ProgramSegment(kind, Range(offset, length), address, memory))
    return found


def check_segments(header: Header, segments: t.Sequence[ProgramSegment], size: int, page: int) -> t.Optional[Range]:
    """Where the path of the loader stands, None when there is none. NotRunnable when it would not run."""
    for segment in segments:
        _check_within(size, segment.data, 'its program segments')
    loads = [segment for segment in segments if segment.kind == _LOAD]
    for segment in loads:
        _check_load(segment, page)
    # A library has no entry point. Without one the process would die at its first instruction.
    if not header.entry or not any(load.address <= header.entry < load.address + load.memory for load in loads):
        raise NotRunnable('it has no entry point: a shared library, or a damaged file')
    loaders = [segment.data for segment in segments if segment.kind == _INTERP]
    if loaders and not 2 <= loaders[0].size <= _MAX_INTERP:
        raise NotRunnable('the path of its loader has %d bytes' % loaders[0].size)
    return loaders[0] if loaders else None


def _check_load(segment: ProgramSegment, page: int) -> None:
    if segment.data.size > segment.memory:
        raise NotRunnable(
            'its program segments are damaged (%d bytes for %d of memory)' % (segment.data.size, segment.memory)
        )
    if segment.data.size and (segment.data.offset - segment.address) % page:
        raise NotRunnable('its program segments are not aligned to the pages of this host (%d bytes)' % page)


def parse_loader(data: bytes) -> bytes:
    """The path of the loader from its segment."""
    if not data.endswith(b'\0') or data[:1] == b'\0':
        raise NotRunnable('the path of its loader is damaged')
    return data.partition(b'\0')[0]


class Script(t.NamedTuple):
    interpreter: bytes
    argument: bytes  # everything after the interpreter is one argument


def parse_script(data: bytes, most: int = SCRIPT_BYTES) -> Script:
    """The first line of a script from its first bytes, as the kernel reads it. NotRunnable when it refuses."""
    head = data[:most]
    line, newline, _rest = head[len(SHEBANG) :].partition(b'\n')
    if not newline and len(data) >= most:
        line = line[:-1]
        if not _has_end(line):
            raise NotRunnable('its first line has no end within %d bytes' % most)
    line = line.partition(b'\0')[0].strip(b' \t')
    if not line:
        raise NotRunnable('its first line names no interpreter')
    if line.endswith(b'\r'):
        raise NotRunnable('its first line ends with CR LF, as in files from Windows: %s' % shown(line))
    words = line.replace(b'\t', b' ').split(b' ', 1)
    return Script(words[0], words[1].strip(b' \t') if len(words) > 1 else b'')


def _has_end(line: bytes) -> bool:
    """Whether the name of the interpreter ends within the bytes that the kernel has read."""
    name = line.lstrip(b' \t')
    return bool(name) and any(end in name for end in (b' ', b'\t', b'\0'))


def sought_by_env(script: Script) -> t.Optional[bytes]:
    """The program that ``#!/usr/bin/env NAME`` looks for; None when it is another interpreter or has options."""
    if script.interpreter.rpartition(b'/')[2] != b'env' or not script.argument:
        return None
    if script.argument.startswith(b'-') or b'=' in script.argument:
        return None
    return script.argument


def shown(path: bytes) -> str:
    """A path that comes from a file, as printable text."""
    return repr(path.decode('utf-8', 'backslashreplace'))
