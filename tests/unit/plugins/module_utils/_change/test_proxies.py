# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import proxies


@pytest.mark.parametrize(
    'text, ports',
    [
        ('location / { proxy_pass http://127.0.0.1:8001; }', {8001}),
        ('proxy_pass https://localhost:8002/x;', {8002}),
        (
            'upstream a { server 127.0.0.1:8001 weight=2; server [::1]:8003; server 127.0.1.1:8004; }',
            {8001, 8003, 8004},
        ),
        ('# proxy_pass http://127.0.0.1:8001;', set()),
        ('proxy_pass http://127.0.0.1:80010;', {80010}),
        ('proxy_pass http://10.0.0.1:8001;', set()),
        ('listen 127.0.0.1:8001; server_name localhost;', set()),
        ('proxy_pass http://127.0.0.1;', set()),
    ],
)
def test_ports_in(text: Any, ports: Any) -> None:
    assert proxies.ports_in(text) == ports


def test_includes_in() -> None:
    text = 'include mime.types;\n#include a;\nhttp { include "conf.d/*.conf"; include /etc/b; }'
    assert proxies.includes_in(text, '/etc/nginx') == ['/etc/nginx/mime.types', '/etc/nginx/conf.d/*.conf', '/etc/b']


@pytest.mark.parametrize(
    'argv, path',
    [
        (['nginx: master process /usr/sbin/nginx -c /a/b.conf -g daemon off;'], '/a/b.conf'),
        (['nginx: master process nginx'], None),
        (['/usr/sbin/nginx', '-c', '/a/b.conf'], '/a/b.conf'),
        (['cat', '-c', '/a/b.conf'], None),
        ([], None),
        (['nginx: master process nginx -c b.conf'], None),
    ],
)
def test_main_file_of(argv: Any, path: Any) -> None:
    assert proxies.main_file_of(argv) == path
