# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small ELF files of any word size, byte order and machine, for tests. They are not made to run."""

import struct
import typing as t

BASE = 0x400000
TEXT = 64  # bytes that stand for the program
LOAD, INTERP = 1, 3


def make(
    bits: int = 64,
    order: str = '<',
    machine: int = 62,
    kind: int = 2,
    loader: bytes = b'',
    entry: t.Optional[int] = None,
    sections: bool = True,
    address: int = BASE,
) -> bytes:
    """Header, program headers, the path of the loader, the program, section headers."""
    head, each = (64, 56) if bits == 64 else (52, 32)
    kinds = ([INTERP] if loader else []) + [LOAD]
    at = head + each * len(kinds)
    size = at + len(loader) + TEXT
    entry = address + at + len(loader) if entry is None else entry
    data = _header(bits, order, machine, kind, entry, len(kinds), size if sections else 0, 3 if sections else 0)
    for one in kinds:
        part = (at, len(loader)) if one == INTERP else (0, size)
        data += _segment(bits, order, one, part, address)
    data += loader + b'\x90' * TEXT
    if sections:
        data += _section(bits, order, 0, 0, 0) + _section(bits, order, 1, at + len(loader), TEXT)
        data += _section(bits, order, 8, size, 1 << 20)  # NOBITS: its size is memory, not file
    return data


def _header(bits: int, order: str, machine: int, kind: int, entry: int, segments: int, table: int, count: int) -> bytes:
    head, each, section = (64, 56, 64) if bits == 64 else (52, 32, 40)
    ident = b'\x7fELF' + bytes([2 if bits == 64 else 1, 1 if order == '<' else 2, 1]) + b'\0' * 9
    layout = 'HHIQQQIHHHHHH' if bits == 64 else 'HHIIIIIHHHHHH'
    return ident + struct.pack(
        order + layout, kind, machine, 1, entry, head, table, 0, head, each, segments, section if count else 0, count, 0
    )


def _segment(bits: int, order: str, kind: int, part: t.Tuple[int, int], address: int) -> bytes:
    offset, size = part
    if bits == 64:
        return struct.pack(order + 'IIQQQQQQ', kind, 5, offset, address + offset, 0, size, size, 4096)
    return struct.pack(order + '8I', kind, offset, address + offset, 0, size, size, 5, 4096)


def _section(bits: int, order: str, kind: int, offset: int, size: int) -> bytes:
    if bits == 64:
        return struct.pack(order + 'IIQQQQIIQQ', 0, kind, 0, 0, offset, size, 0, 0, 1, 0)
    return struct.pack(order + '10I', 0, kind, 0, 0, offset, size, 0, 0, 1, 0)
