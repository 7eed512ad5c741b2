#!/usr/bin/python
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: site_check
short_description: Check that every site of an AnQiCMS instance responds correctly
version_added: 0.1.0
author:
  - anqicms.lifecycle contributors (@anqicms-lifecycle)
description:
  - One instance serves many sites, and a port that answers does not prove that any of them works. If the database of a
    further site cannot be reached at a start, nothing is logged, and its visitors get the pages of the default site
    with status 200. If the database is lost later, the version and the home page still look correct.
  - Requests C(siteinfo) of each site by its own host name, which reports C(code) and C(id) correctly in both cases, and
    one page of the site. A version before 3.0.5 has no C(siteinfo), so that only the page is checked.
  - The caches of the application are bypassed as far as it allows. Environment variables for proxies are ignored. The
    user agent is that of a browser, because the application treats robots differently.
  - The module fails if a site does not respond correctly, and reports a stable reason for each of these sites.
extends_documentation_fragment:
  - anqicms.lifecycle.attributes
  - anqicms.lifecycle.attributes.info_module
  - anqicms.lifecycle.attributes.actiongroup_lifecycle
  - anqicms.lifecycle.instance
  - anqicms.lifecycle.run
options:
  sites:
    description:
      - The sites to check.
      - Without this option, the site in C(config.json) is checked (up to version 2.3.6), otherwise the default site at
        C(127.0.0.1). For these, any page or redirect is accepted. If C(siteinfo) is restricted to an admin host, only
        the page is checked.
    type: list
    elements: dict
    suboptions:
      host:
        description:
          - Host name of the site as in its base URL, optionally with a port.
        type: str
        required: true
      id:
        description:
          - Number of the site in the list of sites in the admin pages. The default site is V(1).
          - Set this option if possible. Without it, an answer of the default site instead of this site is detected only
            by the base URL of the default site, or if another entry of O(sites) is the default site. If neither
            applies, the site is V(ok) with RV(sites[].identity=not_proven).
        type: int
      path:
        description:
          - Path of the page to request.
          - Use the path of an article to verify that the database of a further site is available. C(siteinfo) only
            checks the database of the default site, and the home page is served from memory.
        type: str
        default: /
      status:
        description:
          - HTTP status that the page must have. V(403) is the status of a site that was closed on purpose.
          - Redirects are followed only on the same host and scheme, and not if this option is the status of a redirect.
        type: int
        default: 200
      contains:
        description:
          - Text that the page must contain within its first 2 MiB.
        type: str
      admin_host:
        description:
          - Host name of the admin pages, if one is configured for the site. In this case, C(siteinfo) is available only
            on that host.
          - Also set O(sites[].contains), unless O(sites[].id) is the number of the site with this admin host.
        type: str
  through:
    description:
      - V(direct) sends the requests to the port of the instance on the loopback address. The instance must be running,
        and the port must be its own.
      - V(proxy) sends the requests to the web server in front of the instance, like visitors do. It requires O(sites).
    type: str
    choices: [direct, proxy]
    default: direct
  proxy:
    description:
      - Where the web server listens, for O(through=proxy).
    type: dict
    suboptions:
      address:
        description: Address or name of the web server.
        type: str
        default: 127.0.0.1
      scheme:
        description: Scheme of the requests. With V(https), the name of the site is sent as server name (SNI).
        type: str
        choices: [http, https]
        default: http
      port:
        description: Port of the web server. The default is V(80) for V(http) and V(443) for V(https).
        type: int
      validate_certs:
        description: Whether the certificate must be valid for the name of the site.
        type: bool
        default: false
  timeout:
    description:
      - Seconds for all requests to one site.
    type: float
    default: 10
  warm_up:
    description:
      - Number of pages in the sitemap of the site to request once after a successful check, so that visitors find them
        in the cache. The application counts them as visits. The warm-up never changes the verdict.
    type: int
    default: 0
  warm_up_timeout:
    description:
      - Seconds that the warm-up of one site can take.
    type: float
    default: 60
notes:
  - Sites are checked one after the other.
  - The application counts the requested pages in its statistics.
  - A proxy that blocks C(/system/api/siteinfo) results in the reason V(admin_host) (403) or V(unexpected_answer). Allow
    the path for the address of the host, or use O(through=direct).
seealso:
  - module: anqicms.lifecycle.verified_start
  - module: anqicms.lifecycle.window
"""

EXAMPLES = r"""
- name: Check two sites of an instance
  anqicms.lifecycle.site_check:
    dir: /www/wwwroot/shop.example
    sites:
      - host: www.shop.example
        id: 1
      - host: blog.example
        id: 2
        path: /archive/7.html
        contains: How we roast

- name: Check a site through the web server of this host, and warm up the cache
  anqicms.lifecycle.site_check:
    dir: /www/wwwroot/shop.example
    sites:
      - host: www.shop.example
        id: 1
    through: proxy
    proxy:
      scheme: https
    warm_up: 50

- name: Check a site whose admin pages have a separate host
  anqicms.lifecycle.site_check:
    dir: /www/wwwroot/shop.example
    sites:
      - host: www.shop.example
        id: 1
        admin_host: admin.shop.example

- name: Restart, and fail unless the site responds correctly
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
  returned: when sites were checked, also on failure
  type: list
  elements: dict
  contains:
    host:
      description: The host name that was used in the requests.
      type: str
    ok:
      description: Whether the site responds correctly.
      type: bool
    status:
      description: HTTP status of the page, or of C(siteinfo) if that already failed. V(null) without an answer.
      type: int
    id:
      description: Number of the site that answered. V(null) if the answer does not contain it.
      type: int
    identity:
      description:
        - What proves that the site itself has answered. V(null) if RV(sites[].ok) is V(false).
        - V(id) - its number is the one in O(sites[].id).
        - V(base_url) - the application has a site with this host.
        - V(page) - the page contains the text in O(sites[].contains), or differs from the page for an unused host name.
        - V(not_proven) - there is no proof, and no evidence to the contrary. Either the version has no C(siteinfo) or
          restricts it, or the default site answers, has no base URL, and answers for no other host in O(sites).
      type: str
    ms:
      description: Milliseconds of all requests together, without the warm-up.
      type: int
    reason:
      description:
        - V(ok).
        - V(answered_by_default) - the default site answers instead of this site.
        - V(wrong_id) - another site answers.
        - V(database_gone) - C(siteinfo) reports that the database does not answer.
        - V(site_closed) - the page has status 403.
        - V(site_disabled) - every request is answered with a page that says the site is closed, with status 200.
        - V(installer) - the site redirects to the installer, because there is no usable C(config.json).
        - V(admin_host) - C(siteinfo) is available only on an admin host, and nothing else proves the identity of the
          site.
        - V(limited) - status 429, from the rate limiter of the application or of the proxy.
        - V(server_error) - a status of 500 or higher.
        - V(redirect) - the site redirects to another host or scheme.
        - V(unexpected_status) - any other status than the expected one.
        - V(content_missing) - the page does not contain the expected text.
        - V(unexpected_answer) - the answer to C(siteinfo) is not an answer of the application.
        - V(no_answer) - the connection was refused, reset, closed, or interrupted.
        - V(timeout) - not all answers arrived in time.
        - V(not_http) - the answer is not HTTP.
        - V(tls_error) - TLS failed, or the certificate is not valid.
      type: str
    message:
      description: What was seen, and what to do. Empty, or a remark, if the site responds correctly.
      type: str
    warm_up:
      description: Result of the warm-up. V(null) if there was none.
      type: dict
      contains:
        found:
          description: Number of pages in the sitemap, at most O(warm_up).
          type: int
        pages:
          description: Number of pages that were requested.
          type: int
        failed:
          description: Number of pages without an answer or with an error.
          type: int
        ms:
          description: Duration of the warm-up in milliseconds.
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
from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import on_instance, task_of_run
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import check as _site_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps import site_check


def main() -> None:
    module = _module.Module(
        argument_spec=_module.common_spec(**site_check.SPEC, **task_of_run.OPTIONS), supports_check_mode=True
    )
    on_instance.look_at_instance(module, _site_check.check, 'site_check')


if __name__ == '__main__':
    main()
