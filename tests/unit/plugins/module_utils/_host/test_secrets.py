# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is a secret, and that it is found in every form."""

import json
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.secrets import (
    MASK,
    Mask,
    is_secret,
    is_secret_variable,
    masked,
    values_in_text,
    values_of,
)

CONFIG: t.Dict[str, t.Any] = {
    'mysql': {'user': 'anq', 'password': 'p"ss wörd', 'host': '127.0.0.1', 'port': 3306},
    'server': {'token_secret': '0123456789abcdef', 'port': 8001, 'env': 'production'},
    'plugin_storage': {
        'aliyun_access_key_secret': 'ali',
        'bucket_url': 'https://x',
        'empty_token': '',
        'keys': [{'api_key': 'k-12345'}, {'name': 'plain'}],
    },
    'secret': {'nested': ['deep-one', {'more': 12345}], 'on': True, 'nothing': None},
}


@pytest.mark.parametrize(
    'name',
    [
        'password',
        'mysql_password',
        'Passwd',
        'token_secret',
        'tokenSecret',
        'app_key',
        'appKey',
        'AccessKeyId',
        'key',
        'secret_key',
        'private',
        'dsn',
        'cookie',
        'auth_code',
        'salt',
        'smtp_pwd',
    ],
)
def test_secret_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    'name', ['user', 'host', 'port', 'database', 'keywords', 'author', 'monkey', 'env', 'base_url']
)
def test_other_names(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize('name', ['MYSQL_PASSWORD', 'API_TOKEN', 'AWS_SECRET_ACCESS_KEY', 'DB_PWD'])
def test_secret_variables(name: str) -> None:
    assert is_secret_variable(name)


@pytest.mark.parametrize('name', ['PWD', 'OLDPWD', 'SSH_AUTH_SOCK', 'XDG_SESSION_ID', 'DBUS_SESSION_BUS_ADDRESS'])
def test_other_variables(name: str) -> None:
    assert not is_secret_variable(name)


def test_config_is_masked_by_its_keys() -> None:
    found = masked(CONFIG)
    assert found['mysql'] == {'user': 'anq', 'password': MASK, 'host': '127.0.0.1', 'port': 3306}
    assert found['server'] == {'token_secret': MASK, 'port': 8001, 'env': 'production'}
    assert found['plugin_storage'] == {
        'aliyun_access_key_secret': MASK,
        'bucket_url': 'https://x',
        'empty_token': '',
        'keys': [{'api_key': MASK}, {'name': 'plain'}],
    }
    assert found['secret'] == {'nested': [MASK, {'more': MASK}], 'on': True, 'nothing': None}


def test_values_are_found_to_be_looked_for() -> None:
    assert values_of(CONFIG) == {'p"ss wörd', '0123456789abcdef', 'ali', '', 'k-12345', 'deep-one', '12345'}


@pytest.mark.parametrize(
    'text',
    [
        'Error 1045: p"ss wörd is wrong',
        json.dumps('p"ss wörd'),
        json.dumps('p"ss wörd', ensure_ascii=False),
        'GET /?p=p%22ss%20w%C3%B6rd',
        '{anq anq p"ss wörd 127.0.0.1 3306}',
    ],
)
def test_known_secrets_are_masked_in_every_form(text: str) -> None:
    shown = Mask(values_of(CONFIG)).text(text.encode('utf-8')).decode('utf-8')
    assert MASK in shown
    assert 'ss' not in shown.replace('ss=', '')


@pytest.mark.parametrize(
    'text, expected',
    [
        (b'dial root:s3cr:et@tcp(127.0.0.1:3306)/anq', b'dial root:********@tcp(127.0.0.1:3306)/anq'),
        (b'redis://:s3cret@127.0.0.1:6379/0', b'redis://:********@127.0.0.1:6379/0'),
        (b'https://user:s3cret@example.com/x', b'https://user:********@example.com/x'),
        (b'password=s3cret host=x', b'password=******** host=x'),
        (b'&{Password:s3cret Host:127.0.0.1}', b'&{Password:******** Host:127.0.0.1}'),
        (b'{"password": "s3cret", "port": 1}', b'{"password": "********", "port": 1}'),
        (b'GET /login?token=s3cret&x=1', b'GET /login?token=********&x=1'),
    ],
)
def test_what_looks_like_a_secret_is_masked_unknown(text: bytes, expected: bytes) -> None:
    assert Mask([]).text(text) == expected


@pytest.mark.parametrize(
    'text',
    [
        b'2026/01/31 12:00:00 [ERRO] 127.0.0.1:3306: connection refused',
        b'the password of the user is wrong',
        b'http://localhost:8001/a@b',
        b'mail to a:b@example.com',
        b'\xff\x00 binary \xfe',
    ],
)
def test_other_texts_stay(text: bytes) -> None:
    assert Mask(['longer than that']).text(text) == text


def test_short_secrets_are_not_looked_for() -> None:
    assert Mask(['', 'a', 'abc']).text(b'abc a') == b'abc a'


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Mask(['secret', 'secret-2']).text(b'x secret-2 y') == b'x ******** y'


def test_texts_in_a_structure() -> None:
    value = {'a': ['has s3cret in it', 1, None, True], 'pass': None}
    assert Mask(['s3cret']).value(value) == {'a': ['has ******** in it', 1, None, True], 'pass': None}


@pytest.mark.parametrize(
    'broken', ['{"mysql": {"password": "s3\\"cret", }', '"password" : "s3\\"cret"', '{"a": 1 "password":"s3\\"cret"']
)
def test_secrets_of_what_is_no_json(broken: str) -> None:
    assert {'s3"cret', 's3\\"cret'} <= values_in_text(broken)


@pytest.mark.parametrize('hostile', [b'a', b'a:', b'://', b'a:b@c', b'pass='], ids=repr)
def test_no_text_takes_long(hostile: bytes) -> None:
    began = time.process_time()
    Mask(['a secret that is not in it']).text(hostile * 200000)
    assert time.process_time() - began < 10
