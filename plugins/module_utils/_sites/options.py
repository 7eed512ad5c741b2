# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The options of ``site_check``, and everything that is refused before a site is asked."""

import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import http
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import sitemap
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites.verdict import DEFAULT_ID, Site

Options = t.Mapping[str, t.Any]
SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    sites=dict(
        type='list',
        elements='dict',
        options=dict(
            host=dict(type='str', required=True),
            id=dict(type='int'),
            path=dict(type='str', default='/'),
            status=dict(type='int', default=200),
            contains=dict(type='str'),
            admin_host=dict(type='str'),
        ),
    ),
    through=dict(type='str', choices=['direct', 'proxy'], default='direct'),
    proxy=dict(
        type='dict',
        options=dict(
            address=dict(type='str', default='127.0.0.1'),
            scheme=dict(type='str', choices=['http', 'https'], default='http'),
            port=dict(type='int'),
            validate_certs=dict(type='bool', default=False),
        ),
    ),
    timeout=dict(type='float', default=10.0),
    warm_up=dict(type='int', default=0),
    warm_up_timeout=dict(type='float', default=60.0),
)
_PORTS = {'http': 80, 'https': 443}
_MOST_PAGES = 10000
_NAME = re.compile(r'[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?(:\d{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?\Z')
_PATH = re.compile(r'/[^\s#]{0,2000}\Z')


def refuse_wrong(params: Options) -> None:
    """LifecycleError names everything that is wrong with the options."""
    wrong = _wrong_numbers(params) + _wrong_proxy(params)
    for number, site in enumerate(params['sites'] or [], 1):
        wrong += ['sites[%d]: %s' % (number, text) for text in wrong_site(site)]
    if wrong:
        raise LifecycleError('%s. No site was asked.' % '; '.join(wrong), errors=wrong)


def _wrong_numbers(params: Options) -> t.List[str]:
    wrong = [
        '%s must be more than 0, got %g' % (name, params[name])
        for name in ('timeout', 'warm_up_timeout')
        if not params[name] > 0
    ]
    if not 0 <= params['warm_up'] <= _MOST_PAGES:
        wrong.append('warm_up must be between 0 and %d, got %d' % (_MOST_PAGES, params['warm_up']))
    if params['sites'] is not None and not params['sites']:
        wrong.append('sites is empty; leave it out for the default site')
    return wrong


def _wrong_proxy(params: Options) -> t.List[str]:
    proxy = params['proxy']
    if params['through'] == 'direct':
        return ['proxy is given, but not through: proxy'] if proxy is not None else []
    wrong = [] if params['sites'] else ['through: proxy needs sites']
    if proxy is None:
        return wrong
    return wrong + wrong_proxy(proxy)


def wrong_proxy(proxy: Options) -> t.List[str]:
    """What is wrong with ``proxy`` itself. Pure."""
    wrong = _unknown(proxy, SPEC['proxy']['options'], 'proxy.')
    if proxy['port'] is not None and not 0 < proxy['port'] < 65536:
        wrong.append('proxy.port must be between 1 and 65535, got %d' % proxy['port'])
    if not _is_host(proxy['address'], with_port=False):
        wrong.append('proxy.address %r is not a host name or address' % proxy['address'])
    return wrong


def _unknown(given: Options, known: Options, prefix: str = '') -> t.List[str]:
    """A step's options come without a check of the keys within them."""
    return ['unknown option %s%s' % (prefix, key) for key in sorted(set(map(str, given)) - set(known))]


def wrong_site(site: Options) -> t.List[str]:
    """What is wrong with one entry of ``sites``. Pure."""
    wrong = _unknown(site, SPEC['sites']['options'])
    wrong += [
        '%s %r is not a host name' % (key, site[key])
        for key in ('host', 'admin_host')
        if site[key] is not None and not _is_host(site[key])
    ]
    if not _PATH.match(site['path']) or not site['path'].isprintable():
        wrong.append('path %r must start with / and have no blanks, control characters or #' % site['path'])
    if not 100 <= site['status'] <= 599:
        wrong.append('status must be between 100 and 599, got %d' % site['status'])
    if site['id'] is not None and site['id'] < 1:
        wrong.append('id must be 1 or more, got %d' % site['id'])
    if site['contains'] == '':
        wrong.append('contains is empty')
    return wrong


def _is_host(text: str, with_port: bool = True) -> bool:
    try:
        name = http.ascii_host(text)
        port = urlsplit('//' + name).port
    except ValueError:
        return False
    return bool(_NAME.match(name)) and (port is None or (with_port and port > 0))


def proxy_of(params: Options) -> http.Target:
    given = dict(
        {name: option.get('default') for name, option in SPEC['proxy']['options'].items()}, **(params['proxy'] or {})
    )
    port = given['port'] or _PORTS[given['scheme']]
    return http.Target(given['address'], port, given['scheme'], given['validate_certs'], is_proxy=True)


def sites_of(params: Options, base_url: t.Optional[str]) -> t.List[Site]:
    """Those that are listed; else that of config.json's base URL (up to 2.3.6), else the default site by the loopback.

    Pure: it is asked on the controller, too.
    """
    if params['sites']:
        return [_site(given) for given in params['sites']]
    host = http.host_of(base_url or '')
    if host and _is_host(host):
        return [Site(host, implied=True, status=None)]
    return [Site('127.0.0.1', DEFAULT_ID, implied=True, status=None)]


def _site(given: Options) -> Site:
    admin_host = given['admin_host']
    return Site(
        http.ascii_host(given['host']),
        given['id'],
        sitemap.encoded(given['path']),
        given['status'],
        given['contains'],
        http.ascii_host(admin_host) if admin_host else None,
    )
