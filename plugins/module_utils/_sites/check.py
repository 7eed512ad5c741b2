# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Ask each site of an instance for itself, by its own name, directly or through the proxy before it."""

import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import http, versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError, present
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import holders, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context, milliseconds
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import options as _site_options
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import sitemap
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import verdict as _site_verdict
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites.verdict import Site

Row = t.Dict[str, t.Any]
_SITEINFO = '/system/api/siteinfo'
_FRESH = 'Cache-Control: no-cache'  # the application's HTML cache is passed by with exactly this value
_NO_SITE = 'no-such-site.invalid'
_REDIRECTS = 3
_SITEMAPS = 10  # files of one sitemap that are read at most


class Asker:
    """The questions to one site, all together at most ``timeout`` seconds."""

    def __init__(self, target: http.Target, site: Site, timeout: float, direct: bool) -> None:
        self.target, self.site, self.direct = target, site, direct
        self.end = time.monotonic() + timeout

    def get(self, path: str, host: str, *headers: str) -> http.Reply:
        return http.get(self.target, host, path, self.end - time.monotonic(), *headers)

    def siteinfo(self, host: str) -> http.Reply:
        return self.get(_SITEINFO, host, _FRESH)

    def page(self, host: str) -> http.Reply:
        """The site's page. A redirect is followed on the same host and scheme only, and unless it is expected."""
        reply = self.get(self.site.path, host, _FRESH)
        for _dummy in range(_REDIRECTS):
            path = self._next(reply, host)
            if path is None:
                break
            reply = self.get(path, host, _FRESH)
        return reply

    def _next(self, reply: http.Reply, host: str) -> t.Optional[str]:
        if not 300 <= (reply.status or 0) < 400 or reply.status == self.site.status:
            return None
        path = same_place(reply.headers.get('location', ''), host, self.target.scheme)
        return None if path == '/install' else path

    def ask(self, has_siteinfo: bool) -> _site_verdict.Seen:
        """Every question whose answer the verdict needs, and no more."""
        info = self.siteinfo(self.site.host) if has_siteinfo else None
        if info is not None and info.failure:
            return _site_verdict.Seen(info, None)
        admin_info = None
        if self.site.admin_host and _site_verdict.is_forbidden(info):
            admin_info = self.siteinfo(self.site.admin_host)
        seen = _site_verdict.Seen(info, self.page(self.site.host), admin_info)
        # A proxy would answer for an unknown name by itself.
        if self.direct and _site_verdict.needs_stranger(self.site, seen):
            seen = seen._replace(stranger=self.page(_NO_SITE))
        return seen


def same_place(location: str, host: str, scheme: str) -> t.Optional[str]:
    """The path that a redirect leads to when that is on the same host and scheme, else None. Pure."""
    if location.startswith('/') and not location.startswith('//'):
        return sitemap.encoded(location.partition('#')[0])
    if not location.lower().startswith(scheme + '://'):
        return None
    return sitemap.own_path(location, host)


class WarmUp:
    """Ask the pages of a site's own sitemap once, one after the other, so that visitors find them in the cache."""

    def __init__(self, target: http.Target, site: Site, timeout: float) -> None:
        self.target, self.host = target, site.host
        self.begin = time.monotonic()
        self.end = self.begin + timeout

    def run(self, most: int) -> Row:
        pages = self._pages(most)
        asked = failed = 0
        for path in pages:
            if time.monotonic() >= self.end:
                break
            reply = self._get(path)
            asked += 1
            failed += 0 if reply.status is not None and reply.status < 400 else 1
        return dict(found=len(pages), pages=asked, failed=failed, ms=milliseconds(self.begin))

    def _get(self, path: str) -> http.Reply:
        return http.get(self.target, self.host, path, self.end - time.monotonic(), limit=16 << 20)

    def _pages(self, most: int) -> t.List[str]:
        waiting: t.List[str] = list(sitemap.PATHS)
        pages: t.List[str] = []
        read: int = 0
        while waiting and len(pages) < most and read < _SITEMAPS:
            reply, read = self._get(waiting.pop(0)), read + 1
            if reply.status == 200:
                found = sitemap.parse(reply.body, self.host)
                waiting = [path for path in waiting if path not in sitemap.PATHS] + list(found.sitemaps)
                pages = list(dict.fromkeys(pages + list(found.pages)))
        return pages[:most]


def target_of(context: Context, params: t.Mapping[str, t.Any]) -> http.Target:
    if params['through'] == 'direct':
        return http.Target('127.0.0.1', context.port)
    return _site_options.proxy_of(params)


def check(context: Context, params: t.Mapping[str, t.Any]) -> Row:
    """One row for each site. LifecycleError when one is not ok, or when the instance does not run."""
    _site_options.refuse_wrong(params)
    context.look()
    sites = _site_options.sites_of(params, context.config.base_url if context.config else None)
    if params['through'] == 'direct':
        _refuse_strangers(context)
    target, asked = target_of(context, params), []
    for number, site in enumerate(sites, 1):
        context.progress('checking %s (site %d of %d)' % (site.host, number, len(sites)))
        asked.append(_ask(context, params, target, site))
    verdicts = _site_verdict.compare(sites, [verdict for verdict, dummy in asked])
    rows = [
        _row(context, params, target, site, verdict, ms) for site, verdict, (dummy, ms) in zip(sites, verdicts, asked)
    ]
    return _result(context, rows)


def _refuse_strangers(context: Context) -> None:
    """Only the instance's own answers count."""
    if context.candidate is None:
        raise LifecycleError(
            '%s does not run, so no site was asked. Start it with verified_start.' % context.instance.id
        )
    owns = holders.owns_listener(present(context.handle).proc, context.port)
    if owns is False and sockdiag.listeners(context.port):
        raise LifecycleError(
            'Port %d does not belong to process %d of %s but to another process, so no site was asked. Run '
            'port_released, which names the holder.' % (context.port, context.candidate.pid, context.instance.id)
        )


def _ask(
    context: Context, params: t.Mapping[str, t.Any], target: http.Target, site: Site
) -> t.Tuple[_site_verdict.Verdict, int]:
    """What its own answers mean, and the milliseconds that they took."""
    begin = time.monotonic()
    asker = Asker(target, site, context.run.time_left(params['timeout']), params['through'] == 'direct')
    verdict = _site_verdict.decide(site, asker.ask(versions.has_siteinfo(context.version)))
    return verdict, milliseconds(begin)


def _row(
    context: Context,
    params: t.Mapping[str, t.Any],
    target: http.Target,
    site: Site,
    verdict: _site_verdict.Verdict,
    ms: int,
) -> Row:
    where = '%s://%s:%d' % (target.scheme, target.address, target.port)
    row: Row = dict(
        host=site.host,
        ok=verdict.ok,
        status=verdict.status,
        id=verdict.id,
        identity=verdict.identity,
        ms=ms,
        reason=verdict.reason,
        message=_site_verdict.message(site, verdict, where),
        warm_up=None,
    )
    if verdict.ok and params['warm_up']:
        context.progress('warming up %s' % site.host)
        row['warm_up'] = WarmUp(target, site, context.run.time_left(params['warm_up_timeout'])).run(params['warm_up'])
    return row


def _result(context: Context, rows: t.List[Row]) -> Row:
    wrong = [row for row in rows if not row['ok']]
    if wrong:
        told = ' '.join('%s: %s' % (row['reason'], row['message']) for row in wrong)
        raise LifecycleError(
            '%d of %d sites of %s are not ok. %s' % (len(wrong), len(rows), context.instance.id, told), sites=rows
        )
    return dict(changed=False, sites=rows)
