# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a message says of what was not done, and that it says it only where that is so."""

import ast
import errno
import os
import re
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins import module_utils
from ansible_collections.anqicms.lifecycle.plugins.module_utils import _errors

HERE = next(iter(module_utils.__path__))
CLAIM = re.compile(r'\b(?:nothing|no process|no site|no file) was ((?!more)\w+)', re.I)
# Claims that stay true whatever was done before: they are of a look or a question, or of what was found.
HARMLESS = {'looked', 'inspected', 'asked', 'read', 'to', 'killed', 'concluded', 'seen', 'printed', 'recorded'}
# Only looks: what they say can stand behind any change, so they claim nothing of what was done.
ONLY_LOOK = ('ports.py', 'logs.py', 'check.py')


def text_of(node: ast.AST) -> t.Optional[str]:
    """Of a literal: ast.Str up to Python 3.7."""
    name = {'Constant': 'value', 'Str': 's'}.get(type(node).__name__)
    value = getattr(node, name) if name else None
    return value if isinstance(value, str) else None


def texts() -> t.Iterator[t.Tuple[str, str]]:
    """File and text of every string of the host's code but docstrings."""
    for directory, _names, files in os.walk(HERE):
        for name in sorted(files):
            if not name.endswith('.py'):
                continue
            with open(os.path.join(directory, name), encoding='utf-8') as stream:
                tree = ast.parse(stream.read())
            plain = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                text = text_of(node)
                if node not in plain and text is not None:
                    yield name, text


CLAIMS = sorted({(name, text) for name, text in texts() if any(verb not in HARMLESS for verb in CLAIM.findall(text))})


def test_there_are_such_messages() -> None:
    assert len(CLAIMS) > 30


@pytest.mark.parametrize('name, text', CLAIMS, ids=['%s %d' % (claim[0], i) for i, claim in enumerate(CLAIMS)])
def test_every_claim_is_one_that_is_taken_back_after_a_change(name: str, text: str) -> None:
    said = _errors.after_a_change(text)
    assert said != text
    left = [verb for verb in CLAIM.findall(said) if verb not in HARMLESS]
    assert left == [], said
    assert name not in ONLY_LOOK


@pytest.mark.parametrize(
    'before, after',
    [
        ('Nothing was done. Wait.', 'Nothing more was done. Wait.'),
        ('x. Nothing was stopped or started. Set user.', 'x. Nothing more was stopped or started. Set user.'),
        ('Nothing was signalled, and it continues serving.', 'Nothing more was signalled, and it continues serving.'),
        ('It was not used, and nothing was done. Update', 'It was not used, and nothing more was done. Update'),
        ('(x). No process was signalled. End', '(x). No further process was signalled. End'),
        ('No further signal was sent. Nothing runs.', 'No further signal was sent. Nothing runs.'),
        ('No site was asked.', 'No site was asked.'),
    ],
)
def test_after_a_change(before: str, after: str) -> None:
    assert _errors.after_a_change(before) == after
    assert _errors.after_a_change(after) == after, 'once more changes nothing'


@pytest.mark.parametrize(
    'number, said',
    [
        (errno.ENOSPC, 'no space is left on the disk'),
        (errno.EDQUOT, 'the disk quota of this user is used up'),
        (errno.ENOENT, 'No such file or directory'),
    ],
)
def test_reason(number: int, said: str) -> None:
    assert _errors.reason(OSError(number, os.strerror(number), '/x')) == said
