# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What the answers of one site mean. Pure; the facts are in docs/application.md, Version endpoint and health."""

import typing as t
from urllib.parse import urlsplit

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.http import Reply, host_of
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import foreign_json

DEFAULT_ID = 1  # the site that answers for every host that no site claims
# What proved that the site itself answered: its number, its base URL or host, its page, or nothing.
BY_ID, BY_BASE_URL, BY_PAGE, NOT_PROVEN = 'id', 'base_url', 'page', 'not_proven'
ANSWERED_BY_DEFAULT = 'answered_by_default'
_WRONG_ENTRANCE = 1001  # the older word for 403: not the admin host
_DISABLED = '网站已关闭'.encode()
_SMALL = 8192  # bytes of a closing page
_SHOWN = 160
_NAMED = 3  # hosts in a message
_ANY_HOST = (
    'the answering site cannot be verified: it is site %d, which has no base URL and answers for any host. Set id or '
    'contains.'
)
_ADVICE = {
    'database_gone': 'Check that the database server runs and accepts the login of config.json.',
    'site_closed': 'It is closed in its settings, or this address is banned there. Open it, or set status: 403.',
    'site_disabled': 'It is disabled in the list of sites. Enable it there, or remove it from sites.',
    'installer': 'The application has no usable config.json, and its installer is open to everyone. Stop it, and '
    'restore the file.',
    'limited': 'Its limiter refuses requests, because memory is low or there are too many of them. Check the memory of '
    'the host, then try again after some seconds.',
    'server_error': 'Check cache/error.log and running.log of the instance, and the log of the proxy. If all pages '
    'fail, check that its template exists.',
    'no_answer': 'Check that the instance, or the proxy, listens at this address.',
    'timeout': 'Check what the process and its database are doing, or set a longer timeout.',
    'not_http': 'Something else listens there, or scheme is wrong.',
    'tls_error': 'Check the certificate of this name and the scheme, or set validate_certs to false.',
    'redirect': 'Redirects to other hosts or schemes are not followed. Check that host or scheme instead, or set '
    'status.',
    'unexpected_status': 'If the database of an additional site is missing, its articles answer 404 while its home '
    'page still looks correct.',
    'no_template': 'Check that the template named in its settings exists in template/ of its directory.',
    'content_missing': 'Another page, or another site, answers.',
    'unexpected_answer': 'Something else answers there, or a proxy blocks the request.',
}


class Site(t.NamedTuple):
    """What is expected. ``status`` None: any that is no error; ``implied``: nobody has listed it."""

    host: str
    id: t.Optional[int] = None
    path: str = '/'
    status: t.Optional[int] = 200
    contains: t.Optional[str] = None
    admin_host: t.Optional[str] = None
    implied: bool = False


class Seen(t.NamedTuple):
    """The answers; None for a question that was not asked.

    ``info``: siteinfo by the site's own name; ``admin_info``: by its admin host; ``stranger``: the same page by a host
    name that no site has.
    """

    info: t.Optional[Reply]
    page: t.Optional[Reply]
    admin_info: t.Optional[Reply] = None
    stranger: t.Optional[Reply] = None


class Verdict(t.NamedTuple):
    """``status`` is that of the page, or of siteinfo when the page was not reached; ``identity`` only where ok."""

    reason: str
    detail: str
    status: t.Optional[int] = None
    id: t.Optional[int] = None
    identity: t.Optional[str] = None

    @property
    def ok(self) -> bool:
        return self.reason == 'ok'


class SiteInfo(t.NamedTuple):
    """A well-formed siteinfo answer."""

    code: int
    msg: str = ''
    id: t.Optional[int] = None
    base_url: str = ''


def shown(text: str) -> str:
    """Text of a host for a message: short, in one line, without control characters."""
    return ''.join(char if char.isprintable() else '?' for char in text)[:_SHOWN]


def parse_siteinfo(body: bytes) -> t.Optional[SiteInfo]:
    try:
        answer = foreign_json.load(body)
        code, data = answer['code'], answer.get('data') or {}
        number, base_url, msg = data.get('id'), data.get('base_url'), answer.get('msg')
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not _is_number(code):
        return None
    return SiteInfo(
        code,
        msg if isinstance(msg, str) else '',
        number if _is_number(number) else None,
        base_url if isinstance(base_url, str) else '',
    )


def _is_number(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_forbidden(reply: t.Optional[Reply]) -> bool:
    """Whether siteinfo is told to the admin host only."""
    if reply is None or reply.failure:
        return False
    info = parse_siteinfo(reply.body) if reply.status == 200 else None
    return reply.status == 403 or (info is not None and info.code == _WRONG_ENTRANCE)


def needs_stranger(site: Site, seen: Seen) -> bool:
    """Whether only a comparison of pages can tell this site from the default one."""
    if not is_forbidden(seen.info) or seen.admin_info is None or is_forbidden(seen.admin_info) or site.contains:
        return False
    info = parse_siteinfo(seen.admin_info.body)
    return info is not None and info.code == 0 and (site.id is None or info.id != site.id)


def decide(site: Site, seen: Seen) -> Verdict:
    """One verdict, with the most telling reason: what is wrong with the identity comes before the page."""
    if seen.info is None:
        return _page(site, seen, None) or _well(
            seen.page, None, _by_text(site), 'this version has no siteinfo, so only its page was checked'
        )
    broken = _broken(seen.info, 'siteinfo')
    if broken is not None:
        return broken
    if is_forbidden(seen.info):
        return _by_admin_host(site, seen)
    wrong, info = _identity(seen.info, seen.page)
    if wrong is not None:
        return wrong
    return _wrong_site(site, info, seen.page) or _page(site, seen, info.id) or _well_by(site, info, seen.page)


def _well_by(site: Site, info: SiteInfo, page: t.Optional[Reply]) -> Verdict:
    """Siteinfo names the right site. Every host that no site claims gets the default one, also without a base URL."""
    if site.id is not None:
        return _well(page, info.id, BY_ID)
    if info.id != DEFAULT_ID or host_of(info.base_url):
        return _well(page, info.id, BY_BASE_URL)
    identity = _by_text(site)
    return _well(page, info.id, identity, '' if identity == BY_PAGE else _ANY_HOST % DEFAULT_ID)


def _by_text(site: Site) -> str:
    """Where nothing but its page can prove it, whose text has been looked at."""
    return BY_PAGE if site.contains else NOT_PROVEN


def _well(page: t.Optional[Reply], number: t.Optional[int], identity: str, detail: str = '') -> Verdict:
    return Verdict('ok', detail, _status(page), number, identity)


def compare(sites: t.Sequence[Site], verdicts: t.Sequence[Verdict]) -> t.List[Verdict]:
    """The same verdicts, as all listed sites together show them.

    The default site is one site: where nothing proves which one it is, it cannot be two of them, nor one beside that
    which is proven.
    """
    by_default = dict.fromkeys(
        host_of('//' + site.host) for site, verdict in zip(sites, verdicts) if verdict.ok and verdict.id == DEFAULT_ID
    )
    return [
        _compared(verdict, [host for host in by_default if host != host_of('//' + site.host)])
        for site, verdict in zip(sites, verdicts)
    ]


def _compared(verdict: Verdict, others: t.Sequence[str]) -> Verdict:
    if verdict.identity != NOT_PROVEN or verdict.id != DEFAULT_ID or not others:
        return verdict
    told = 'site %d answers, as it does for %s; if that is intended, set id: %d' % (
        DEFAULT_ID,
        ', '.join(others[:_NAMED]),
        DEFAULT_ID,
    )
    return Verdict(ANSWERED_BY_DEFAULT, told, verdict.status, verdict.id)


def _status(reply: t.Optional[Reply]) -> t.Optional[int]:
    return reply.status if reply is not None else None


def _broken(reply: Reply, what: str) -> t.Optional[Verdict]:
    """What is wrong with an answer whatever was asked."""
    if reply.failure:
        return Verdict(reply.failure, '%s: %s' % (what, shown(reply.error or 'no answer')))
    status, target = reply.status or 0, shown(reply.headers.get('location', ''))
    if 300 <= status < 400 and _path_of(target) == '/install':
        return Verdict('installer', '%s redirects to /install' % what, status)
    if status == 429:
        return Verdict('limited', '%s answers 429' % what, status)
    if status >= 500:
        return Verdict('server_error', '%s answers %d' % (what, status), status)
    if 300 <= status < 400 and what == 'siteinfo':
        return Verdict('redirect', '%s answers %d and leads to %s' % (what, status, target), status)
    return None


def _path_of(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ''


def _identity(reply: Reply, page: t.Optional[Reply]) -> t.Tuple[t.Optional[Verdict], SiteInfo]:
    """What siteinfo says of its own health, and whom it names."""
    info = parse_siteinfo(reply.body) if reply.status == 200 else None
    if info is None:
        return _no_siteinfo(reply, page), SiteInfo(0)
    if info.code == -1:
        return Verdict('database_gone', 'siteinfo has code -1: %s' % shown(info.msg), reply.status), info
    if info.code != 0 or info.id is None:
        told = 'siteinfo has code %d and no id: %s' % (info.code, shown(info.msg))
        return Verdict('unexpected_answer', told, reply.status), info
    return None, info


def _no_siteinfo(reply: Reply, page: t.Optional[Reply]) -> Verdict:
    """A disabled site answers every question, siteinfo too, with the same small page."""
    same = page is not None and page.status == 200 and page.body == reply.body
    is_small = reply.body.lstrip().startswith(b'<') and len(reply.body) < _SMALL
    if reply.status == 200 and is_small and (same or _DISABLED in reply.body):
        return Verdict('site_disabled', 'siteinfo and every page are answered with the same small page', reply.status)
    return Verdict('unexpected_answer', 'siteinfo answers %s without a siteinfo' % reply.status, reply.status)


def _wrong_site(site: Site, info: SiteInfo, page: t.Optional[Reply]) -> t.Optional[Verdict]:
    """Whether another site answers by this name, the default one in its place above all."""
    if site.id is not None:
        if info.id == site.id:
            return None
        reason = ANSWERED_BY_DEFAULT if info.id == DEFAULT_ID else 'wrong_id'
        return Verdict(reason, 'site %s answers, not site %d' % (info.id, site.id), _status(page), info.id)
    home = host_of(info.base_url)
    if site.implied or info.id != DEFAULT_ID or home in ('', host_of('//' + site.host)):
        return None
    told = 'site %d of %s answers; if that is intended, set id: %d' % (DEFAULT_ID, shown(home), DEFAULT_ID)
    return Verdict(ANSWERED_BY_DEFAULT, told, _status(page), info.id)


def _by_admin_host(site: Site, seen: Seen) -> Verdict:
    """Siteinfo is told to an admin host only: health by that host, identity by its id or by the page."""
    if seen.admin_info is None:
        bad = _page(site, seen, None)
        told = 'only the admin host can read siteinfo, so the database was not checked'
        if bad is None and site.implied:
            return _well(seen.page, None, NOT_PROVEN, told)
        return bad or Verdict('admin_host', told, _status(seen.page))
    broken = _broken(seen.admin_info, 'siteinfo by %s' % site.admin_host)
    if broken is None and is_forbidden(seen.admin_info):
        broken = Verdict('admin_host', '%s is not the admin host: access is forbidden as well' % site.admin_host, 403)
    if broken is not None:
        return broken
    wrong, info = _identity(seen.admin_info, None)
    if wrong is not None:
        return wrong
    if site.id is not None and info.id == site.id:
        return _page(site, seen, info.id) or _well(seen.page, info.id, BY_ID)
    return _page(site, seen, None) or _by_page(site, seen)


def _by_page(site: Site, seen: Seen) -> Verdict:
    """Tell a site from the default one by its page alone."""
    if site.contains:
        return _well(seen.page, None, BY_PAGE, 'identified by its page: only the admin host can read siteinfo')
    page, stranger = seen.page, seen.stranger
    if page is None or stranger is None or stranger.failure:
        return Verdict(
            'admin_host',
            'only the admin host can read siteinfo, and nothing distinguishes this page from that of another site',
            _status(page),
        )
    if (page.status, page.body) == (stranger.status, stranger.body):
        told = 'its page is the one for unknown hosts; if the default site is intended, set id: %d' % DEFAULT_ID
        return Verdict(ANSWERED_BY_DEFAULT, told, page.status)
    return _well(page, None, BY_PAGE, 'identified by its page: only the admin host can read siteinfo')


def _page(site: Site, seen: Seen, number: t.Optional[int]) -> t.Optional[Verdict]:
    """What is wrong with the site's own page."""
    page = seen.page
    if page is None or page.status is None or page.status != site.status:
        wrong = _wrong_status(site, page)
        return wrong if wrong is None else wrong._replace(id=number)
    if site.contains and site.contains.encode('utf-8') not in page.body:
        told = '%s answers %d without the text in contains' % (site.path, page.status)
        return Verdict('content_missing', told, page.status, number)
    return None


def _wrong_status(site: Site, page: t.Optional[Reply]) -> t.Optional[Verdict]:
    if page is None:
        return Verdict('timeout', '%s was not asked, because no time was left' % site.path)
    broken = _broken(page, site.path)
    if broken is not None:
        return broken
    status = page.status or 0
    if status == 403:
        return Verdict('site_closed', '%s answers 403' % site.path, status)
    if site.status is None and status < 400:
        return None
    if 300 <= status < 400:
        target = shown(page.headers.get('location', ''))
        return Verdict('redirect', '%s answers %d and leads to %s' % (site.path, status, target), status)
    return Verdict('unexpected_status', '%s answers %d, not %s' % (site.path, status, site.status or 'a page'), status)


def message(site: Site, verdict: Verdict, where: str) -> str:
    """One sentence on what was seen, one on what to do. Empty where there is nothing to say."""
    if verdict.ok:
        return verdict.detail
    advice = _ADVICE.get(_advised(site, verdict)) or _advice_on_identity(site, verdict)
    return '%s (%s): %s. %s' % (site.host, where, verdict.detail, advice)


def _advised(site: Site, verdict: Verdict) -> str:
    """A home page that is not found has no template; of any other page the database may be gone."""
    not_found = verdict.reason == 'unexpected_status' and verdict.status == 404
    return 'no_template' if not_found and site.path == '/' else verdict.reason


def _advice_on_identity(site: Site, verdict: Verdict) -> str:
    if verdict.reason == 'admin_host':
        return 'Set admin_host to the host name of the administration pages, and contains to a text of its page.'
    if verdict.reason == 'wrong_id':
        return 'Compare the base URLs of the sites in their settings.'
    return (
        'It could not be loaded, or has another host name. Check its database, its directory and its base URL. The '
        'application tries again only at its next start.'
    )
