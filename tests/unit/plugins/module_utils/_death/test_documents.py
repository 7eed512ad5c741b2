# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/memory-kills.md tells of each form and loss that the tables know, with an example that is one."""

import os
import re
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import (
    kernel_lines,
    log_prefix,
    log_time,
    losses,
    userspace,
)

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, *['..'] * 5, 'docs', 'memory-kills.md')
KILL = b'Out of memory: Killed process 955 (anqicms) total-vm:1kB'
T0 = 1783872554.0
WHERE = {losses.OWN: 'this one', losses.FILES: 'files', losses.JOURNAL: 'journal, files', losses.ALL: 'every log'}


def table(heading: str, first: str) -> t.List[t.List[str]]:
    """The cells of the rows of the table below a heading whose first column is called so."""
    with open(PATH, encoding='utf-8') as stream:
        section = re.split(r'\n## ', stream.read().split('\n## %s\n' % heading, 1)[1])[0]
    head = section.index('| %s |' % first)
    rows = [line for line in section[head:].split('\n\n')[0].split('\n') if line.startswith('|')][2:]
    return [[cell.strip().replace('\\|', '|') for cell in re.split(r'(?<!\\)\|', row)[1:-1]] for row in rows]


def code(cell: str) -> str:
    return cell.split('`')[1]


def test_every_form_of_the_kernel() -> None:
    rows = table("The kernel's lines", 'form')
    assert [code(row[0]) for row in rows if code(row[0]) not in kernel_lines.FORMS] == []
    assert {code(row[0]) for row in rows} == set(kernel_lines.FORMS)
    for row in rows:
        record = kernel_lines.parse(code(row[1]).encode())
        assert record is not None and record.form == code(row[0]), row
        # What is told as a kill, and as none, is what the events make of it.
        assert ('a kill' in row[2]) == (record.form in KILLS), row


KILLS = (
    kernel_lines.KILLED,
    kernel_lines.CHOSEN,
    kernel_lines.REAPED,
    kernel_lines.PINNED,
    kernel_lines.SHARING,
    kernel_lines.TASK_IN,
    kernel_lines.GROUP,
    kernel_lines.NAMED,
    kernel_lines.ANDROID,
)


def test_every_stamp_and_wrapper(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table('Prefixes of a line', 'name')
    assert {name for name, dummy in log_prefix.STAMPS} <= {code(row[0]) for row in rows if '`' in row[0]}
    for row in rows:
        example = row[1][1:-1].encode()
        prefix = log_prefix.split(example + KILL)
        assert prefix.message == KILL, row
        moment = log_time.of_prefix(prefix, T0 + 86400)
        assert moment is not None and abs(moment.time - T0) < 14 * 3600, row


def test_every_loss() -> None:
    rows = table('Missing log lines', 'code')
    assert [code(row[0]) for row in rows] == [loss.code for loss in losses.LOSSES]
    for row, loss in zip(rows, losses.LOSSES):
        assert row[1] == loss.by
        tag = {losses.JOURNALD: b'systemd-journald', losses.RSYSLOG: b'rsyslogd', losses.KERNEL: b'kernel'}[loss.by]
        assert losses.loss_of(log_prefix.Prefix(code(row[2]).encode(), tag=tag), loss.by == losses.KERNEL) == loss
        assert row[3] == WHERE[loss.where] + ('' if loss.kernel else ': killers in userspace only')
        assert row[4] == '%d, %d' % (loss.before, loss.after)


def test_every_killer_in_userspace() -> None:
    rows = table('Userspace killers', 'killer')
    assert {code(row[0]) for row in rows} == set(userspace._TAGS)
    for row in rows:
        killer = code(row[0])
        record = userspace.parse(log_prefix.Prefix(row[1][1:-1].encode(), tag=userspace._TAGS[killer][0]))
        assert record is not None and (record.killer, record.what) == (killer, userspace._KILL), row
