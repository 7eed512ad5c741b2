# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any, Dict

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import config_rules as rules

BEFORE: Dict[str, Any] = {
    'mysql': {'database': 'a', 'password': 'p'},
    'server': {'port': 8001, 'token_secret': 's'},
    'own': 1,
}
VARIABLES = {'MYSQL_DATABASE': 'a', 'MYSQL_HOST': 'h', 'MYSQL_PASSWORD': 'p'}


def changed(section: str, **values: Any) -> Dict[str, Any]:
    return dict(BEFORE, **{section: dict(BEFORE.get(section) or {}, **values)})


PORT, SECRET, DATABASE = changed('server', port=1), changed('server', token_secret=''), changed('mysql', database='b')
GONE = dict(BEFORE, server={'port': 8001})
SITE, SPARKS, TYPO = changed('system', site_name='x'), changed('sparks', x={}), changed('server', prot=1)
OWN = dict(BEFORE, own=2)
LEVEL = changed('server', log_level='debug')
OTHER_SECRET, NAME = changed('server', token_secret='t'), changed('server', site_name='x')
DEFAULT = changed('mysql', use_default=True)

CASES = [  # version, argv, environment, after, a word of the refusal or nothing
    ('2.3.6', [], {}, SITE, ''),
    ('2.5.0', [], {}, SITE, 'system would have no effect'),
    ('3.5.8', [], {}, SITE, 'in its database'),
    ('3.5.9', [], {}, SITE, ''),
    (None, [], {}, SITE, ''),
    ('3.3.9', [], {}, SPARKS, ''),
    ('3.3.8', [], {}, SPARKS, 'sparks would'),
    ('3.5.8', [], {}, OWN, 'own would have no effect'),
    ('2.3.6', [], {}, OWN, ''),
    ('3.5.8', [], {}, TYPO, 'server.prot would have no effect: 3.5.8 knows no such key'),
    ('2.3.6', [], {}, TYPO, ''),
    ('2.3.6', [], {}, SECRET, 'token_secret would get lost'),
    ('3.3.3', [], {}, GONE, 'token_secret would get lost'),
    (None, [], {}, GONE, 'token_secret would get lost'),
    ('3.3.5', [], {}, GONE, ''),
    ('3.5.8', [], {}, GONE, ''),
    ('3.3.3', [], {}, OTHER_SECRET, ''),
    ('3.3.5', [], {}, OTHER_SECRET, 'server.token_secret would have no effect: it is read before 3.3.5 alone'),
    ('3.5.8', [], {}, SECRET, 'server.token_secret would have no effect'),
    ('3.5.9', [], {}, OTHER_SECRET, ''),  # a later version may read it again
    (None, [], {}, OTHER_SECRET, ''),
    ('2.3.6', [], {}, DEFAULT, 'mysql.use_default would have no effect: it is read from 3.0.5 on alone'),
    ('2.5.5', [], {}, DEFAULT, 'mysql.use_default would have no effect'),
    ('3.0.5', [], {}, DEFAULT, ''),
    (None, [], {}, DEFAULT, ''),
    ('2.3.6', [], {}, NAME, ''),
    ('2.5.0', [], {}, NAME, ''),
    ('2.5.2', [], {}, NAME, ''),
    ('2.5.3', [], {}, NAME, 'server.site_name would have no effect: it is read before 2.5.3 alone'),
    ('3.5.8', [], {}, NAME, 'server.site_name would have no effect'),
    ('3.4.2', [], VARIABLES, DATABASE, 'mysql.database would be undone'),
    ('3.4.2', [], VARIABLES, LEVEL, ''),
    ('3.4.2', [], VARIABLES, PORT, ''),
    ('3.4.2', [], dict(VARIABLES, MYSQL_PASSWORD=''), DATABASE, ''),
    ('3.4.2', [], dict(VARIABLES, MYSQL_PASSWORD='', MYSQL_ROOT_PASSWORD='r'), DATABASE, 'undone'),
    ('3.4.1', [], VARIABLES, DATABASE, ''),
    (None, [], VARIABLES, DATABASE, 'undone'),
    ('3.5.8', ['anqicms', '-port', '9000'], {}, PORT, '-port 9000'),
    ('3.5.8', ['anqicms', '-port=9000'], {}, PORT, '-port 9000'),
    ('3.5.8', ['anqicms', '-port', '9000'], {}, LEVEL, ''),
    ('3.5.8', ['anqicms'], {}, PORT, ''),
]


@pytest.mark.parametrize('version, argv, environment, after, word', CASES)
def test_refusals(version: Any, argv: Any, environment: Any, after: Any, word: Any) -> None:
    found = rules.refusals(rules.Start(version, argv, environment), BEFORE, after)
    assert (word in ' '.join(found)) if word else found == []


@pytest.mark.parametrize(
    'one, other, paths',
    [
        ({}, {}, []),
        ({'a': 1}, {'a': 1.0}, [('a',)]),
        ({'a': True}, {'a': 1}, [('a',)]),
        ({'a': {'b': 1}}, {'a': {'b': 2, 'c': 1}}, [('a', 'b'), ('a', 'c')]),
        ({'a': {'b': 1}}, {'a': 3}, [('a',)]),
        ({'a': [1]}, {'a': [1, 2]}, [('a',)]),
        ({'a': None}, {}, [('a',)]),
    ],
)
def test_changed_paths(one: Any, other: Any, paths: Any) -> None:
    assert rules.changed_paths(one, other) == paths


def test_leaves_of_nested_settings() -> None:
    settings = {'a': {'b': 1, 'c': {}}, 'd': [1]}
    assert rules.leaves(settings) == [(('a', 'b'), 1), (('a', 'c'), {}), (('d',), [1])]


@pytest.mark.parametrize(
    'key, value', [(('server', 'token_secret'), 's'), (('mysql', 'use_default'), True), (('server', 'site_name'), 'x')]
)
@pytest.mark.parametrize('version', ['2.5.5', '3.0.4', '3.3.5', '3.5.8'])
def test_what_is_not_read_may_be_removed(version: str, key: Any, value: Any) -> None:
    """But for a secret that is read."""
    before: Dict[str, Any] = {'mysql': {'database': 'a'}, 'server': {'port': 8001}}
    after = {name: dict(section) for name, section in before.items()}
    before[key[0]][key[1]] = value
    found = rules.refusals(rules.Start(version), before, after)
    lost = key[1] == 'token_secret' and version < '3.3.5'
    assert ('get lost' in ' '.join(found)) if lost else found == []
