# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import visits

NOW = {'1.log': b'old\nnew\n', '2.log': b'later\n'}


@pytest.fixture
def root(tmp_path: t.Any) -> str:
    place = tmp_path / 'data' / 'statistic'
    place.mkdir(parents=True)
    for name, data in NOW.items():
        (place / name).write_bytes(data)
    place.chmod(0o750)
    return os.path.realpath(str(tmp_path))


def held(root: str) -> t.Dict[str, t.Dict[str, bytes]]:
    found: t.Dict[str, t.Dict[str, bytes]] = {}
    for name in sorted(os.listdir(os.path.join(root, 'data'))):
        place = os.path.join(root, 'data', name)
        found[name] = {}
        for one in os.listdir(place):
            with open(os.path.join(place, one), 'rb') as stream:
                found[name][one] = stream.read()
    return found


@pytest.mark.parametrize(
    'known,then',
    [(None, None), ({}, {}), ({'1.log': 4}, {'1.log': b'old\n'}), ({'1.log': 4, 'gone.log': 7}, {'1.log': b'old\n'})],
)
def test_set_aside_and_put_back(root: str, known: visits.Sizes, then: t.Any) -> None:
    assert visits.differs(root, known)
    assert visits.set_aside(root, known, 'r1') == os.path.join(root, 'data/statistic-r1')
    place = os.path.join(root, 'data/statistic')
    assert held(root) == {**({} if then is None else {'statistic': then}), 'statistic-r1': NOW}
    assert then is None or os.stat(place).st_mode & 0o777 == 0o750
    assert not visits.differs(root, known)
    visits.put_back(root, 'r1')
    visits.put_back(root, 'r1')
    assert held(root) == {'statistic': NOW}


def test_put_back_from_any_point(root: str) -> None:
    visits.put_back(root, 'r1')  # it died before the first rename
    assert held(root) == {'statistic': NOW}
    visits.set_aside(root, {'1.log': 4}, 'r1')
    os.unlink(os.path.join(root, 'data/statistic/1.log'))  # while it copied
    visits.put_back(root, 'r1')
    assert held(root) == {'statistic': NOW}


@pytest.mark.parametrize(
    'known,differs', [(None, True), ({}, True), ({'1.log': 8}, True), ({'1.log': 8, '2.log': 6}, False)]
)
def test_differs(root: str, known: visits.Sizes, differs: bool) -> None:
    assert visits.differs(root, known) is differs


def test_where_there_are_none(tmp_path: t.Any) -> None:
    root = os.path.realpath(str(tmp_path))
    assert not visits.differs(root, None) and not visits.differs(os.path.join(root, 'gone'), {'1.log': 8})
    visits.put_back(root, 'r1')


def test_a_link_is_not_followed(root: str) -> None:
    os.rename(os.path.join(root, 'data'), os.path.join(root, 'elsewhere'))
    os.symlink('elsewhere', os.path.join(root, 'data'))
    with pytest.raises(Exception, match='data'):
        visits.set_aside(root, None, 'r1')
    assert sorted(os.listdir(os.path.join(root, 'elsewhere'))) == ['statistic']
