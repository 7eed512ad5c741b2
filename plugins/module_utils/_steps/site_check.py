# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``site_check``: options and what it does in a window."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import check as _site_check
from ansible_collections.anqicms.lifecycle.plugins.module_utils._sites import options as _site_options

SPEC = _site_options.SPEC


def plan(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    _site_options.refuse_wrong(params)
    base_url = context.config.base_url if context.config else None
    hosts = ', '.join(site.host for site in _site_options.sites_of(params, base_url))
    return dict(changed=False, would='check %s, at most %g s each' % (hosts, params['timeout']))


def run(context: Context, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return _site_check.check(context, params)
