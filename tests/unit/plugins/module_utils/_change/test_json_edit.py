# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
from typing import Any

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import json_edit

TABS = '{\n\t"mysql": {\n\t\t"host": "localhost",\n\t\t"port": 3306\n\t},\n\t"server": {\n\t\t"port": 8001\n\t}\n}'
ODD = ' { "a" :1.50,"b":[1, {"c": "}\\"]"} ,2],"\\u0064":"\\u003cp\\u003e", "e":{}, "f" : null }\n\n'

PUT = [
    (TABS, ('server', 'port'), 8002, TABS.replace('8001', '8002')),
    (TABS, ('server', 'env'), 'production', TABS.replace('8001', '8001,\n\t\t"env": "production"')),
    (TABS, ('sparks', 'x'), 1, TABS[:-2] + ',\n\t"sparks": {\n\t\t"x": 1\n\t}\n}'),
    (
        TABS,
        ('mysql',),
        {'host': 'db'},
        '{\n\t"mysql": {\n\t\t"host": "db"\n\t},\n\t"server": {\n\t\t"port": 8001\n\t}\n}',
    ),
    (ODD, ('a',), 2, ODD.replace('1.50', '2')),
    (ODD, ('d',), '点', ODD.replace('"\\u003cp\\u003e"', '"点"')),
    (ODD, ('e', 'g'), True, ODD.replace('"e":{}', '"e":{\n     "g": true\n }')),
    (ODD, ('f', 'g'), 1, ODD.replace('null', '{"g": 1}')),
    (ODD, ('h',), [], ODD.replace('null', 'null, "h" : []')),
    ('{}', ('server', 'port'), 1, '{\n    "server": {\n        "port": 1\n    }\n}'),
    ('{"a":1,"a":2}', ('a',), 3, '{"a":1,"a":3}'),
]
DROP = [
    (TABS, ('mysql', 'host'), TABS.replace('"host": "localhost",\n\t\t', '')),
    (TABS, ('mysql', 'port'), TABS.replace(',\n\t\t"port": 3306', '')),
    (TABS, ('server', 'port'), TABS.replace('{\n\t\t"port": 8001\n\t}', '{}')),
    (TABS, ('server', 'none'), TABS),
    (TABS, ('none', 'port'), TABS),
    (ODD, ('b',), ODD.replace('"b":[1, {"c": "}\\"]"} ,2],', '').replace('1.50,"', '1.50,"')),
    ('{"a":1,"b":2,"a":3}', ('a',), '{"b":2}'),
]


@pytest.mark.parametrize('text, path, value, after', PUT)
def test_put(text: Any, path: Any, value: Any, after: Any) -> None:
    assert json_edit.put(text, path, value) == after


@pytest.mark.parametrize('text, path, after', DROP)
def test_drop(text: Any, path: Any, after: Any) -> None:
    assert json_edit.drop(text, path) == after


@pytest.mark.parametrize('text, path, value, after', PUT)
def test_only_that_value_differs(text: Any, path: Any, value: Any, after: Any) -> None:
    before, now = json.loads(text), json.loads(json_edit.put(text, path, value))
    node = before
    for key in path[:-1]:
        node[key] = node[key] if isinstance(node.get(key), dict) else {}
        node = node[key]
    node[path[-1]] = value
    assert now == before
    assert list(now) == list(before)
