# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What execve requires of the bytes of a file."""

import typing as t

import elf_files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import elf

PAGE = 4096
LOADER = b'/lib64/ld-linux-x86-64.so.2\0'


def judge(data: bytes, machines: t.Collection[elf.Machine] = (elf.X86_64,)) -> t.Optional[bytes]:
    """The path of the loader, from a whole file in memory."""

    def part(wanted: elf.Range) -> bytes:
        return data[wanted.offset : wanted.end]

    header = elf.parse_header(data[: elf.HEADER_BYTES])
    elf.check_kind(header, len(data), machines)
    loader = elf.check_segments(header, elf.parse_segments(header, part(header.segments)), len(data), PAGE)
    first = part(header.sections._replace(size=header.section_size)) if header.sections.size else b''
    elf.check_sections(header, part(elf.section_table(header, first, len(data))), len(data))
    return elf.parse_loader(part(loader)) if loader else None


def why_not(data: bytes, machines: t.Collection[elf.Machine] = (elf.X86_64,)) -> str:
    with pytest.raises(elf.NotRunnable) as caught:
        judge(data, machines)
    return str(caught.value)


@pytest.mark.parametrize('kind', [2, 3])
@pytest.mark.parametrize('sections', [True, False])
def test_static_programs_run_with_and_without_sections(kind: int, sections: bool) -> None:
    assert judge(elf_files.make(kind=kind, sections=sections)) is None


def test_the_loader_of_a_dynamic_program_is_named() -> None:
    assert judge(elf_files.make(kind=3, loader=LOADER)) == LOADER[:-1]


@pytest.mark.parametrize(
    ('bits', 'order', 'machine'),
    [
        (64, '<', 62),
        (64, '<', 183),
        (64, '<', 243),
        (64, '>', 22),
        (64, '>', 21),
        (32, '<', 3),
        (32, '<', 40),
        (32, '>', 8),
        (32, '<', 62),
    ],
)
def test_every_word_size_and_byte_order_is_read(bits: int, order: str, machine: int) -> None:
    data = elf_files.make(bits, order, machine, loader=LOADER)
    own = elf.parse_header(data[:64]).machine
    assert own == (2 if bits == 64 else 1, 1 if order == '<' else 2, machine)
    assert judge(data, [own]) == LOADER[:-1]
    text = why_not(data, [(2, 1, 999)])
    assert 'another processor architecture (ELF machine %d' % machine in text
    assert ('32 bit' in text, 'big endian' in text) == (bits == 32, order == '>')


@pytest.mark.parametrize(
    ('own', 'compat', 'expected'),
    [
        (elf.X86_64, True, {elf.X86_64, elf.I386}),
        (elf.X86_64, False, {elf.X86_64}),
        (elf.I386, True, {elf.I386}),
        (elf.AARCH64, True, {elf.AARCH64, elf.ARM}),
        ((2, 1, 243), True, {(2, 1, 243)}),
    ],
)
def test_which_machines_a_kernel_runs(own: elf.Machine, compat: bool, expected: t.Set[elf.Machine]) -> None:
    assert elf.runnable_machines(own, compat) == expected


def patched(offset: int, value: bytes, **made: t.Any) -> bytes:
    data = bytearray(elf_files.make(**made))
    data[offset : offset + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        (b'', 'it is empty'),
        (b'MZ\x90\0' + b'\0' * 100, 'not a Linux program'),
        (b'\x7fELF', 'truncated: its 4 bytes do not hold'),
        (elf_files.make()[:63], 'truncated: its 63 bytes do not hold'),
        (elf_files.make(kind=1), 'an object file, not a program'),
        (elf_files.make(kind=4), 'a core dump, not a program'),
        (elf_files.make(kind=77), 'an ELF file of type 77'),
        (elf_files.make(kind=3, entry=0, address=0), 'no entry point: a shared library'),
        (elf_files.make(entry=0x10), 'no entry point'),
        (elf_files.make(entry=elf_files.BASE + 5000), 'no entry point'),
        (elf_files.make(address=elf_files.BASE + 8), 'not aligned to the pages'),
        (elf_files.make(loader=b'\0'), 'path of its loader has 1 bytes'),
        (elf_files.make(loader=b'/lib/ld.so'), 'path of its loader is damaged'),
        (elf_files.make(loader=b'\0' * 20), 'path of its loader is damaged'),
        (elf_files.make(loader=b'/' * 5000 + b'\0'), 'path of its loader has 5001 bytes'),
        (patched(4, b'\x07'), 'header is damaged (class 7'),
        (patched(5, b'\0'), 'header is damaged (class 2, byte order 0'),
        (patched(54, b'\x20'), 'program headers: 32 bytes, of 32 bytes each'),
        (patched(56, b'\0\0'), 'program headers: 0 bytes'),
        (patched(56, b'\xff\xff'), 'program headers: 3669960 bytes'),
        (patched(32, b'\xff' * 8), 'truncated: its program headers end at'),
        (patched(40, b'\xff' * 8), 'truncated: its section headers end at'),
        (patched(58, b'\x28'), 'section headers of 40 bytes each'),
        (patched(64 + 40, b'\1' + b'\0' * 7), 'program segments are damaged'),
        (patched(64 + 8, b'\xff' * 8), 'truncated: its program segments end at'),
    ],
)
def test_what_does_not_run(data: bytes, expected: str) -> None:
    assert expected in why_not(data)


@pytest.mark.parametrize(
    'made',
    [dict(), dict(kind=3, loader=LOADER), dict(sections=False), dict(bits=32, machine=3), dict(order='>', machine=22)],
)
def test_a_file_that_was_cut_anywhere_is_refused(made: t.Dict[str, t.Any]) -> None:
    data = elf_files.make(**made)
    machines = [elf.parse_header(data[:64]).machine]
    judge(data, machines)
    for cut in range(len(data)):
        text = why_not(data[:cut], machines)
        assert ('truncated' in text) == (cut >= 4), (cut, text)


def test_an_upload_that_lacks_only_sections_is_seen() -> None:
    """Go puts its tables at the begin of the file: there the last section ends behind the last segment."""
    data = bytearray(elf_files.make())
    end = len(data) - 128 + 32  # size of the second section
    data[end : end + 8] = (5000).to_bytes(8, 'little')
    assert 'truncated: its sections end at' in why_not(bytes(data))


def test_a_file_that_was_made_in_full_size_before_its_upload() -> None:
    data = elf_files.make()
    assert 'incomplete: where its section headers belong are only zero bytes' in why_not(data[:-192] + b'\0' * 192)


@pytest.mark.parametrize(
    ('count', 'expected'), [(3, None), (5, 'its section headers end at'), (1 << 40, None), (0, None)]
)
def test_number_of_sections_in_the_first_section(count: int, expected: t.Optional[str]) -> None:
    data = bytearray(elf_files.make())
    table = len(data) - 3 * 64
    data[60:62] = b'\0\0'
    data[table + 32 : table + 40] = count.to_bytes(8, 'little')
    if expected:
        assert expected in why_not(bytes(data))
    else:
        judge(bytes(data))


@pytest.mark.parametrize(
    ('line', 'interpreter', 'argument'),
    [
        (b'#!/bin/sh\necho', b'/bin/sh', b''),
        (b'#!/bin/sh', b'/bin/sh', b''),
        (b'#! \t/bin/sh -e -x \t\n', b'/bin/sh', b'-e -x'),
        (b'#!/usr/bin/env\tbash\n', b'/usr/bin/env', b'bash'),
        (b'#!sh\n', b'sh', b''),
        (b'#!/bin/sh\0rest\n', b'/bin/sh', b''),
        (b'#!/' + b'x' * 252 + b'\n', b'/' + b'x' * 252, b''),
        (b'#!/bin/sh ' + b'x' * 500, b'/bin/sh', b'x' * 245),
    ],
)
def test_scripts(line: bytes, interpreter: bytes, argument: bytes) -> None:
    assert elf.parse_script(line) == (interpreter, argument)


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        (b'#!\n', 'names no interpreter'),
        (b'#!', 'names no interpreter'),
        (b'#! \t \n/bin/sh', 'names no interpreter'),
        (b'#!/bin/sh\r\n', "CR LF, as in files from Windows: '/bin/sh\\r'"),
        (b'#!/bin/sh -e\r\n', 'CR LF'),
        (b'#!/' + b'x' * 253 + b'\n', 'no end within 256 bytes'),
        (b'#!' + b' ' * 300 + b'\n', 'no end within 256 bytes'),
    ],
)
def test_scripts_that_do_not_run(line: bytes, expected: str) -> None:
    with pytest.raises(elf.NotRunnable) as caught:
        elf.parse_script(line)
    assert expected in str(caught.value)


def test_older_kernels_read_half_of_the_line() -> None:
    line = b'#!/' + b'x' * 150 + b'\n'
    assert elf.parse_script(line).interpreter == b'/' + b'x' * 150
    with pytest.raises(elf.NotRunnable):
        elf.parse_script(line, 128)


@pytest.mark.parametrize(
    ('line', 'sought'),
    [
        (b'#!/usr/bin/env python3\n', b'python3'),
        (b'#!/usr/bin/env python3 -u\n', b'python3 -u'),
        (b'#!/usr/bin/env -S python3 -u\n', None),
        (b'#!/usr/bin/env A=1\n', None),
        (b'#!/usr/bin/env\n', None),
        (b'#!/bin/sh env\n', None),
    ],
)
def test_what_env_looks_for(line: bytes, sought: t.Optional[bytes]) -> None:
    assert elf.sought_by_env(elf.parse_script(line)) == sought


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 500), st.integers(0, 500))
def test_any_bytes_anywhere(noise: bytes, at: int, cut: int) -> None:
    made: t.Dict[str, t.Any]
    for made in (dict(), dict(loader=LOADER), dict(bits=32, order='>')):
        whole = elf_files.make(**made)
        for data in (noise, whole[:at] + noise, whole[:at] + noise + whole[at + len(noise) :], whole[:cut] + noise):
            try:
                judge(data, [elf.X86_64, (1, 2, 62)])
            except elf.NotRunnable:
                pass
    try:
        elf.parse_script(b'#!' + noise)
    except elf.NotRunnable:
        pass
