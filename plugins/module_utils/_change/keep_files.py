# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Step ``keep_files``: what a new version writes itself is put back when the window is taken back.

2.5.x cuts config.json down to what it still reads, and 2.5.x and 3.5.x write the port of a private start into it. From
3.3.11 on the statistics of visits are files, and what an undone migration has left of them would be counted twice by
the next try (docs/upgrade.md).
"""

import json
import os
import stat
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change import config, config_rules, json_edit, visits
from ansible_collections.anqicms.lifecycle.plugins.module_utils._database import dump_manifest
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, foreign_json
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import trusted
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context

KIND = 'keep_files'
SPEC: t.Dict[str, t.Dict[str, t.Any]] = dict(
    state=dict(type='str', default='kept', choices=['kept', 'port_back']),
)
_LIST = 'statistics.json'
_PORT = ('server', 'port')

Params = t.Mapping[str, t.Any]
Result = t.Dict[str, t.Any]
Sizes = t.Dict[str, t.Optional[t.Dict[str, int]]]  # by root and name


def is_change(params: Params) -> bool:
    return params.get('state') == 'kept'


def plan(context: Context, params: Params) -> Result:
    if params['state'] == 'port_back':
        return dict(changed=False, would='put the port in config.json back if the start has changed it')
    config.read(context)
    return dict(changed=False, would='keep config.json and the sizes of the statistics for a rollback')


def run(context: Context, params: Params) -> Result:
    return _put_port_back(context) if params['state'] == 'port_back' else _keep(context)


def _roots(context: Context) -> t.List[str]:
    """The directories of the sites: the instance's, and those that the dumps of this run name."""
    place = os.path.join(context.run.dir(), 'database')
    sites = dump_manifest.sites_in(place) if os.path.isdir(place) else []
    roots = [dump_manifest.read(place, site).root for site in sites]
    return list(dict.fromkeys([context.instance.dir] + [os.path.normpath(root) for root in roots if root]))


def _keep(context: Context) -> Result:
    now = config.read(context)
    kept = context.run.keep_file(config_file.NAME, now.data)
    sizes = {root: visits.sizes(root) for root in _roots(context)}
    listed = context.run.keep_file(_LIST, json.dumps(sizes).encode('utf-8'))
    context.run.record_change(
        KIND,
        kept=kept,
        uid=now.found.st_uid,
        gid=now.found.st_gid,
        mode=stat.S_IMODE(now.found.st_mode),
        statistics=listed,
    )
    return dict(changed=False, files=sum(len(known or {}) for known in sizes.values()))


def _put_port_back(context: Context) -> Result:
    """A process that was started with -port may have written that port into config.json."""
    before = trusted.read_trusted(os.path.join(context.run.dir(), config_file.NAME))
    if not before:
        raise LifecycleError('The window has no keep_files before this step. config.json was not changed.')
    known, port = config_rules.at(config_file.load_json(before), _PORT)
    now = config.read(context)
    if not known or config_rules.at(config_file.load_json(now.data), _PORT) == (True, port):
        return dict(changed=False)
    context.run.act()
    config.write(context, json_edit.put(now.data.decode('utf-8'), _PORT, port).encode('utf-8'), now)
    context.read_files()
    return dict(changed=True)


def undo(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """config.json as it was; statistics that were not there are moved away, those that have grown are cut."""
    if change.get('aside'):
        return _put_visits_back(change)
    config.undo(context, change)
    sizes: Sizes = foreign_json.load(trusted.read_trusted(change['statistics']))
    away = os.path.basename(os.path.dirname(change['statistics']))
    moved: t.List[str] = []
    for root, known in sizes.items():
        try:
            with files.InstallDir(root) as directory:
                moved += _reset(directory, known or {}, '%s-%s' % (visits.PLACE, away))
                if known is None and directory.lstat(visits.PLACE) is not None:
                    directory.remove_empty(visits.PLACE)
        except OSError as exc:
            raise visits.not_put_back(root, exc) from exc
    return dict(changed=True, moved=moved)


def _reset(directory: files.InstallDir, known: t.Mapping[str, int], away: str) -> t.List[str]:
    """The files that were moved into ``away``, beside the directory of the statistics."""
    moved = []
    for name, info in visits.regular(directory):
        relative = '%s/%s' % (visits.PLACE, name)
        if name not in known:
            directory.move(relative, away)
            moved.append(directory.shown('%s/%s' % (away, name)))
        elif info.st_size > known[name]:
            fd = directory.open_file(relative, directory.owners(info.st_uid), os.O_WRONLY)
            try:
                os.ftruncate(fd, known[name])
            finally:
                os.close(fd)
    return moved


# --- a later rollback


def take_back(context: Context, change: t.Mapping[str, t.Any]) -> Result:
    """As ``undo``, long after the run. Nothing of the statistics is lost, so that this can be taken back itself.

    For config.json this window has a ``keep_files`` of its own.
    """
    if change.get('aside'):  # of a rollback that is taken back: those of today stay
        return dict(
            changed=False,
            notes=['The statistics from before that rollback remain in %s-%s.' % (visits.PLACE, change['mark'])],
        )
    config.undo(context, change)
    sizes: Sizes = foreign_json.load(trusted.read_trusted(change['statistics']))
    roots = [root for root, known in sizes.items() if visits.differs(root, known)]
    if not roots:
        return dict(changed=True)
    mark = os.path.basename(context.run.dir())
    context.run.record_change(KIND, aside=roots, mark=mark)
    moved = [visits.set_aside(root, sizes[root], mark) for root in roots]
    return dict(changed=True, notes=['The statistics since then are in %s.' % ', '.join(moved)])


def _put_visits_back(change: t.Mapping[str, t.Any]) -> Result:
    for root in change['aside']:
        visits.put_back(root, change['mark'])
    return dict(changed=True)
