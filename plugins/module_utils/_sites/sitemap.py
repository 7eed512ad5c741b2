# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Sitemaps as the application writes them: XML or one address a line, and an index of further ones. Pure."""

import html
import re
import typing as t
from urllib.parse import quote, urlsplit

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.http import host_of

PATHS = ('/sitemap.xml', '/sitemap.txt')
# What may stand in a request line; the rest is percent-encoded, and what is encoded already stays.
_SAFE = "/%:@!$&'()*+,;=-._~?"
_LOC = re.compile(r'<loc>([^<]{0,3000}(?:<!\[CDATA\[[^<]{0,3000})?)</loc>', re.I)
_LONGEST = 2000  # characters of an address
_LINE = re.compile(r'https?://\S{1,2000}\Z', re.I)


class Sitemap(t.NamedTuple):
    """Paths on the site's own host, in their order: pages, and further sitemaps."""

    pages: t.Sequence[str]
    sitemaps: t.Sequence[str]


def encoded(path: str) -> str:
    """A path and its query with only those characters that a request line may have."""
    return quote(path, safe=_SAFE)


def own_path(address: str, host: str) -> t.Optional[str]:
    """The path of an address on ``host``, None for any other host and for what is no address."""
    if host_of(address) != host_of('//' + host):
        return None
    parts = urlsplit(address)
    if parts.scheme not in ('http', 'https'):
        return None
    path = encoded(parts.path or '/')
    return path + '?' + encoded(parts.query) if parts.query else path


def _address(written: str) -> str:
    """What stands in a ``loc``, empty where that is no address."""
    text = written.strip()
    if text.upper().startswith('<![CDATA[') and text.endswith(']]>'):
        text = text[9:-3].strip()
    return text if len(text) <= _LONGEST and '<' not in text and ']' not in text else ''


def parse(body: bytes, host: str) -> Sitemap:
    """What a sitemap names of ``host``; a file that was cut counts as far as it goes."""
    text = body.decode('utf-8', 'replace')
    if '<loc' in text.lower():
        found = [html.unescape(address) for address in map(_address, _LOC.findall(text)) if address]
        is_index = '<sitemapindex' in text.lower()
    else:
        found = [line.strip() for line in text.splitlines() if _LINE.match(line.strip())]
        is_index = bool(found) and all(address.endswith('.txt') for address in found)
    paths = list(dict.fromkeys(path for path in (own_path(address, host) for address in found) if path))
    return Sitemap([], paths) if is_index else Sitemap(paths, [])
