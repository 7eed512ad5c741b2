#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: site_check
short_description: Ask each site of an AnQiCMS instance whether it answers as itself
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - One instance serves many sites, and a port that answers is no proof for any of them. When the database of a further
    site cannot be reached at a start, nothing is logged and its visitors get the pages of the default site with status
    200. When the database is lost later, version and home page still look well.
  - Asks each site by its own host name for C(siteinfo), whose C(code) and C(id) tell the truth about both, and for one
    page of its own. A version before 3.0.5 has no C(siteinfo), so that only the page is looked at.
  - The caches of the application are passed by as far as it allows. Environment variables for proxies are not heeded.
    The user agent is that of a browser, because the application treats robots in another way.
  - The module fails when a site is not well, and names each with a stable reason.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
options:
  sites:
    description:
      - The sites to ask.
      - Without it, the site of C(config.json) is asked (up to version 2.3.6), else the default site by C(127.0.0.1). Of
        these any page or redirect is accepted, and where an admin host keeps C(siteinfo) back the page must do.
    type: list
    elements: dict
    suboptions:
      host:
        description:
          - Host name of the site, as it stands in its base URL. A port may follow.
        type: str
        required: true
      id:
        description:
          - Its number in the list of sites of the admin pages. The default site is V(1).
          - Give it. Without it, an answer of the default site in place of this one is found only by the base URL of
            the default site, or where another site of O(sites) is the default one. Where neither tells, the site is
            V(ok) with RV(sites[].identity=not_proven).
        type: int
      path:
        description:
          - The page to ask for.
          - Name an article to see that the database of a further site is there; C(siteinfo) only looks at that of the
            default site, and the home page is answered from memory.
        type: str
        default: /
      status:
        description:
          - The status that the page must have. V(403) is that of a site that was closed on purpose.
          - Redirects are followed on the same host and scheme only, and not when the status of one is given here.
        type: int
        default: 200
      contains:
        description:
          - Text that must be in the page, looked for in its first 2 MiB.
        type: str
      admin_host:
        description:
          - Host name of the admin pages, where one is set for the site. C(siteinfo) is told to that host only.
          - Give O(sites[].contains) as well, unless O(sites[].id) is that of the site with this admin host.
        type: str
  through:
    description:
      - V(direct) asks the port of the instance on the loopback address. It must run, and the port must be its own.
      - V(proxy) asks the web server before it as visitors do. It needs O(sites).
    type: str
    choices: [direct, proxy]
    default: direct
  proxy:
    description:
      - Where the web server listens, for O(through=proxy).
    type: dict
    suboptions:
      address:
        description: Its address or name.
        type: str
        default: 127.0.0.1
      scheme:
        description: With V(https) the name of the site is sent as server name (SNI).
        type: str
        choices: [http, https]
        default: http
      port:
        description: Its port; V(80) or V(443) by default.
        type: int
      validate_certs:
        description: Whether the certificate must be valid for the name of the site.
        type: bool
        default: false
  timeout:
    description:
      - Seconds for all questions to one site together.
    type: float
    default: 10
  warm_up:
    description:
      - How many pages of the site's own sitemap to ask once after it was found well, so that visitors find them in the
        cache. They are counted as visits. Never changes the verdict.
    type: int
    default: 0
  warm_up_timeout:
    description:
      - Seconds that the warm-up of one site may take.
    type: float
    default: 60
notes:
  - Sites are asked one after the other.
  - The application counts the pages that are asked in its statistics.
  - A proxy that keeps C(/system/api/siteinfo) back gives the reason V(admin_host) (403) or V(unexpected_answer). Let
    the path pass for the address of the host, or ask with O(through=direct).
seealso:
  - module: anqicms.lifecycle.verified_start
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Ask two sites of an instance
  anqicms.lifecycle.site_check:
    dir: /www/wwwroot/shop.example
    sites:
      - host: www.shop.example
        id: 1
      - host: blog.example
        id: 2
        path: /archive/7.html
        contains: How we roast

- name: Ask as visitors do, through the web server of this host, and warm up the cache
  anqicms.lifecycle.site_check:
    dir: /www/wwwroot/shop.example
    sites:
      - host: www.shop.example
        id: 1
    through: proxy
    proxy:
      scheme: https
    warm_up: 50

- name: Ask a site whose admin pages have a host of their own
  anqicms.lifecycle.site_check:
    dir: /www/wwwroot/shop.example
    sites:
      - host: www.shop.example
        id: 1
        admin_host: admin.shop.example

- name: Restart, and call it done when the sites answer
  anqicms.lifecycle.window:
    dir: /www/wwwroot/shop.example
    steps:
      - graceful_stop: {}
      - port_released: {}
      - verified_start: {}
      - site_check:
          sites:
            - host: www.shop.example
              id: 1
"""

RETURN = r"""
sites:
  description: One entry for each site, in the order of O(sites).
  returned: when sites were asked, also on failure
  type: list
  elements: dict
  contains:
    host:
      description: The host that was asked.
      type: str
    ok:
      description: Whether it answers as itself.
      type: bool
    status:
      description: HTTP status of its page, or of C(siteinfo) when that was bad already. V(null) without an answer.
      type: int
    id:
      description: Number of the site that answers, V(null) when it did not tell.
      type: int
    identity:
      description:
        - What proves that the site itself has answered. V(null) when it is not ok.
        - V(id) - its number, as O(sites[].id) asks for.
        - V(base_url) - the application has it as a site with this host.
        - V(page) - the text in O(sites[].contains), or a page that differs from the one for a host that nobody has.
        - V(not_proven) - nothing, and nothing speaks against it. The version has no C(siteinfo) or keeps it back. Or
          the default site answers, has no base URL, and for no other host of O(sites).
      type: str
    ms:
      description: Milliseconds of all questions together, without the warm-up.
      type: int
    reason:
      description:
        - V(ok).
        - V(answered_by_default) - the default site answers in its place.
        - V(wrong_id) - another site answers.
        - V(database_gone) - C(siteinfo) says that the database does not answer.
        - V(site_closed) - its page answers 403.
        - V(site_disabled) - every question is answered with a closing page and status 200.
        - V(installer) - it redirects to the installer, because there is no usable C(config.json).
        - V(admin_host) - C(siteinfo) is told to an admin host only, and nothing else proves the site.
        - V(limited) - 429, the limiter of the application or of the proxy.
        - V(server_error) - a status from 500 on.
        - V(redirect) - it leads to another host or scheme.
        - V(unexpected_status) - any other status than the expected one.
        - V(content_missing) - the page has no such text.
        - V(unexpected_answer) - C(siteinfo) is not answered as the application does.
        - V(no_answer) - refused, reset, closed, or broken off.
        - V(timeout) - not all answers came in time.
        - V(not_http) - something else than HTTP.
        - V(tls_error) - TLS failed, or the certificate is not valid.
      type: str
    message:
      description: What was seen, and what to do. Empty, or a remark, when it is well.
      type: str
    warm_up:
      description: Result of the warm-up, V(null) when there was none.
      type: dict
      contains:
        found:
          description: How many pages its sitemap names, at most O(warm_up).
          type: int
        pages:
          description: How many of them were asked.
          type: int
        failed:
          description: How many gave no answer or an error.
          type: int
        ms:
          description: Milliseconds that it took.
          type: int
  sample:
    - host: www.shop.example
      ok: true
      status: 200
      id: 1
      identity: base_url
      ms: 14
      reason: ok
      message: ""
      warm_up: {found: 50, pages: 50, failed: 0, ms: 812}
    - host: blog.example
      ok: false
      status: 200
      id: 1
      identity:
      ms: 9
      reason: answered_by_default
      message: "blog.example (http://127.0.0.1:8001): site 1 answers, not site 2. It could not be loaded, or does not
        claim this host: look at its database, its directory and its base URL; the application tries again only at its
        next start."
      warm_up:
"""

from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import module as _module
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import check as _site_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import site_check


def main() -> None:
    module = _module.Module(argument_spec=_module.common_spec(**site_check.SPEC), supports_check_mode=True)
    on_instance.look_at_instance(module, _site_check.check)


if __name__ == '__main__':
    main()
