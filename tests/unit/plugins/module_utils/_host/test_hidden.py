# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets do not stand in results, and nothing but texts is masked for them."""

import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import hidden
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.hidden import Mask
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.secrets import MASK

SPEC: t.Dict[str, t.Dict[str, t.Any]] = {
    'dir': {'type': 'path'},
    'environment': {'type': 'dict', 'no_log': True},
    'steps': {'type': 'list', 'elements': 'dict', 'no_log': True},
}


@pytest.mark.parametrize(
    'secret,text,expected',
    [
        ('hunter22', 'the password is hunter22.', 'the password is %s.' % MASK),
        ('100', 'pid 100', 'pid 100'),
        ('8001', 'port 8001', 'port 8001'),
        ('4194304', 'pid 4194304', 'pid 4194304'),
        ('83920184', 'pin 83920184', 'pin %s' % MASK),
        ('abc', 'abcdef', 'abcdef'),
        ('', 'text', 'text'),
        ('a.c*', 'abc a.c*', 'abc %s' % MASK),
        ('\udcffsecret', 'x \\xffsecret', 'x %s' % MASK),
        ('one\ntwo-two', 'one\\x0atwo-two', MASK),
    ],
)
def test_texts(secret: str, text: str, expected: str) -> None:
    assert Mask([secret]).value({'msg': text}) == {'msg': expected}


def test_numbers_and_words_of_ours_stay() -> None:
    result = {'pid': 12345678, 'at': 1.5, 'changed': True, 'state': 'running', 'log_tail': ['running', 'x running']}
    assert Mask(['12345678', '1.5', 'True', 'running']).value(result) == {
        'pid': 12345678,
        'at': 1.5,
        'changed': True,
        'state': 'running',
        'log_tail': [MASK, 'x ' + MASK],
    }


def test_what_stands_in_other_options_is_no_secret() -> None:
    result = {'dir': '/www/shop', 'msg': 'at /www/shop with hunter22'}
    assert Mask(['/www/shop', 'hunter22'], {'dir': '/www/shop/'}).value(result) == {
        'dir': '/www/shop',
        'msg': 'at /www/shop with ' + MASK,
    }


def test_a_longer_secret_is_masked_as_a_whole() -> None:
    assert Mask(['word', 'password-word']).value('my password-word') == 'my ' + MASK


def test_values_of_secret_options() -> None:
    params = {
        'dir': '/d',
        'environment': {'A': 'x', 'B': 7, 'C': None, 'D': ['y', {'z': 'deep'}], 'E': True, 'KEY': 'begin\nmiddle\nend'},
        'steps': [{'stop': {}}],
    }
    assert hidden.values_of(SPEC, params) == {'x', '7', 'y', 'deep', 'begin\nmiddle\nend', 'begin', 'middle', 'end'}
    assert hidden.values_of(SPEC, {'environment': None}) == set()


def test_options_are_shown_without_secret_and_unknown_ones() -> None:
    assert hidden.options(SPEC, {'dir': '/d', 'environment': {'A': '1'}, 'enviroment': {'A': '1'}}) == {
        'dir': '/d',
        'environment': MASK,
        'enviroment': MASK,
    }
    assert hidden.options(SPEC, {'environment': None}) == {'environment': None}
