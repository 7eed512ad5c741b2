# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""From which version to which, and over which releases: data with its reasons, and the decision. Pure.

The evidence stands in docs/application.md (Migrations), the tables of this file in docs/upgrade.md. Both the host and
the controller use it.
"""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError

Version = versions.Version

OLDEST, NEWEST_LINE = (2, 0, 0), (3, 5)  # what this release knows: from the first to the last line with a row below
NEWEST_SEEN = (3, 5, 8)  # later ones of the same line may change what is not written here

SETTINGS_MOVE = ((2, 5, 0), (2, 5, 5))  # the only versions that move the settings from config.json to the database
BACK_TO_INNODB = (3, 3, 11)  # the only version that turns the articles from MyISAM back to InnoDB
FIRST_MYISAM = (3, 3, 0)


class Stage(t.NamedTuple):
    """A release that lies on the way. ``first``..``last``: those that can stand for it."""

    below: Version  # instances older than this go over it
    first: Version
    last: Version
    skippable: bool  # whether a direct jump over it loses nothing, for those without ``needs``
    needs: t.Optional[t.Tuple[Version, Version]]  # instances for which it can never be skipped
    why: str


STAGES = (
    Stage(
        (2, 5, 0),
        (2, 5, 0),
        (2, 5, 5),
        False,
        None,
        'only 2.5.0 to 2.5.5 move the settings from config.json to the database; 3.x never reads them there, serves '
        'everything with status 200, and has lost site name, base URL, template and plugins',
    ),
    Stage(
        (3, 3, 11),
        (3, 3, 11),
        (3, 3, 11),
        True,
        (FIRST_MYISAM, (3, 3, 10)),
        'only 3.3.11 turns the articles from MyISAM, where 3.3.0 to 3.3.10 have put them, back to InnoDB; it also '
        'moves the visits from the table statistics to files before its port opens, which later versions do from '
        'memory, ten seconds late',
    ),
)


class Change(t.NamedTuple):
    """What the first start of a version, or of a later one, changes. ``check``: what must hold afterwards."""

    version: Version
    what: str
    check: str
    one_way: bool
    wait: str = ''  # what is still under way when the version answers


CHANGES = (
    Change(
        (2, 5, 0),
        'the settings of the site move from config.json to the table settings; config.json keeps mysql '
        'and server; collector.json and keyword.json are read into the database',
        'settings has the key system; every setting of config.json is there with its value',
        True,
    ),
    Change(
        (3, 0, 0),
        'table websites, with site 1 for the install directory',
        'websites has site 1; the site answers with its own name and base URL',
        True,
    ),
    Change(
        (3, 2, 0),
        'the category of every article is copied to archive_categories',
        'nothing: the copy is used only where multi_category is on',
        True,
        'the copy continues in the background, row by row; settings has upgrade_archive_category when it has ended',
    ),
    Change(
        (3, 3, 0),
        'archives is split: drafts go to archive_drafts, flags to archive_flags, deleted articles are '
        'removed for good; the flags of drafts are lost; archives becomes MyISAM up to 3.3.10',
        'archives and archive_drafts together have as many rows as archives had without deleted_at',
        True,
    ),
    Change(
        (3, 3, 5),
        'token_secret moves from config.json to the table websites',
        'nothing: administrators have to log in again',
        True,
    ),
    Change((3, 3, 9), 'the files of languages are read from locales/ instead of language/', 'locales/ is there', False),
    Change(
        (3, 3, 11),
        'archives is InnoDB again; the table statistics becomes data/statistic/*.log and is dropped',
        'data/statistic of each site has a line for each row of statistics',
        True,
    ),
    Change(
        (3, 4, 5),
        'the administration pages are part of the binary; system/ on the disk would hide them',
        'there is no system/',
        False,
        'tables are changed in the background when last_run_version was set before',
    ),
    Change(
        (3, 5, 0),
        'from below 3.3.11 the rows of statistics go through memory',
        'data/statistic of each site has a line for each row of statistics',
        True,
        'from below 3.3.11 the lines are written ten seconds after the port has opened',
    ),
    Change(
        (3, 5, 3),
        'the columns deleted_at are dropped; what they marked is removed from every table',
        'each table has as many rows as it had without deleted_at',
        True,
    ),
)

# Tags of the public source whose program reports another version.
TAGS: t.Dict[str, str] = {
    '2.0.1': '2.0.0-alpha',
    '2.2.9': '2.2.8',
    '3.0.4': '2.5.3',
    '3.2.5': '3.2.4',
}


class Hop(t.NamedTuple):
    """One switch of a release on the way."""

    source: str
    version: str
    mandatory: bool
    why: str
    one_way: bool
    schema: bool  # whether the database may be laid out anew
    changes: t.List[str]
    checks: t.List[str]
    waits: t.List[str]


def text(version: Version) -> str:
    return '%d.%d.%d' % version


def same_schema(one: str, other: str) -> bool:
    """Whether the two versions are known to lay out the database alike: neither is newer for the other's database."""
    first, second = versions.parse(one), versions.parse(other)
    if first is None or second is None:
        return False
    return versions.schema_of(first) == versions.schema_of(second)


def known(version: t.Optional[str], what: str) -> Version:
    """The version as numbers. LifecycleError for one that this release has no row for. ``what``: whose it is."""
    parsed = versions.parse(version)
    if parsed is None:
        raise LifecycleError(
            '%s is %s: not a version such as 3.5.8. Nothing was planned. Find out which version it is: a running '
            'instance reports '
            'it.' % (what, 'not known' if not version else repr(version))
        )
    if parsed < OLDEST or parsed[:2] > NEWEST_LINE:
        raise LifecycleError(
            '%s is %s: this release of the collection knows %s to %d.%d.x, and not what comes before '
            'or after. Nothing was planned. Update the collection, or choose a version that it knows.'
            % (what, text(parsed), text(OLDEST), NEWEST_LINE[0], NEWEST_LINE[1])
        )
    return parsed


def _refuse_tag(version: str) -> None:
    told = TAGS.get(text(versions.parse(version) or OLDEST))
    if told is not None:
        raise LifecycleError(
            '%s is a tag whose program reports %s. Nothing was planned. Name the version that the '
            'program reports.' % (version, told)
        )


def changes_between(source: Version, target: Version) -> t.List[Change]:
    """What the way from one version to another changes, the oldest first."""
    return [change for change in CHANGES if source < change.version <= target]


def _waits(source: Version, found: t.Iterable[Change]) -> t.List[str]:
    late = [change for change in found if change.wait]
    return [change.wait for change in late if change.version != (3, 5, 0) or source < BACK_TO_INNODB]


def _hop(source: Version, target: Version, mandatory: bool, why: str) -> Hop:
    found = changes_between(source, target)
    if source >= BACK_TO_INNODB:
        found = [change for change in found if change.version != (3, 5, 0)]
    schema = not same_schema(text(source), text(target))
    return Hop(
        text(source),
        text(target),
        mandatory,
        why,
        schema,
        schema,
        [change.what for change in found],
        [change.check for change in found],
        _waits(source, found),
    )


def _can_skip(stage: Stage, source: Version) -> bool:
    needed = stage.needs is not None and stage.needs[0] <= source <= stage.needs[1]
    return stage.skippable and not needed


def _stands_for(stage: Stage, target: Version, offered: t.Collection[Version]) -> t.Optional[Version]:
    """The newest offered release that can stand for the stage, the target itself included."""
    fit = [version for version in offered if stage.first <= version <= stage.last and version <= target]
    return max(fit) if fit else None


def _missing(stage: Stage, source: Version, target: Version) -> LifecycleError:
    wanted = text(stage.first) if stage.first == stage.last else '%s to %s' % (text(stage.first), text(stage.last))
    more = ' Or jump directly, with a longer downtime.' if _can_skip(stage, source) else ''
    return LifecycleError(
        'The upgrade from %s to %s requires %s, and no release of it is available: %s. Nothing was planned. Add that '
        'release.%s' % (text(source), text(target), wanted, stage.why, more)
    )


def _offered(available: t.Iterable[str]) -> t.Dict[Version, str]:
    """Versions by number, with the text that names each; tags that report another version are no offer."""
    found = {}
    for name in available:
        parsed = versions.parse(name)
        if parsed is not None and text(parsed) not in TAGS:
            found[parsed] = name
    return found


def path(source: t.Optional[str], target: str, available: t.Iterable[str], direct: bool = False) -> t.List[Hop]:
    """The hops from one version to another; empty when they are the same.

    ``available``: the releases at hand. ``direct``: jump over stages that can be skipped. LifecycleError for a
    downgrade, an unknown version, and a hop whose release is missing.
    """
    begin, end = known(source, 'The version of the instance'), known(target, 'The requested version')
    _refuse_tag(target)
    if end < begin:
        raise LifecycleError(
            '%s is older than %s, which runs. Nothing was planned. A version cannot use the database of a newer one '
            '(it adds columns, and turns all articles into drafts). Going back requires both the files and the copy of '
            'the database from before the upgrade. Use rollback, which restores both.' % (text(end), text(begin))
        )
    offered = _offered(available)
    hops: t.List[Hop] = []
    here = begin
    for stage in STAGES:
        if not here < stage.below or end <= stage.last or end < stage.below:
            continue
        if direct and _can_skip(stage, here):
            continue
        over = _stands_for(stage, end, offered)
        if over is None:
            raise _missing(stage, here, end)
        hops.append(_hop(here, over, not _can_skip(stage, here), stage.why))
        here = over
    if here < end:
        if end not in offered:
            raise LifecycleError(
                'No release of %s is available; there are: %s. Nothing was planned. Add it.'
                % (text(end), ', '.join(text(version) for version in sorted(offered)) or 'none')
            )
        hops.append(
            _hop(
                here,
                end,
                True,
                'the requested version'
                + ('' if end <= NEWEST_SEEN else ', newer than this release of the collection has seen'),
            )
        )
    return hops


# --- for docs/upgrade.md


def _table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    lines = ['| %s |' % ' | '.join(head), '|%s' % ('---|' * len(head))]
    return '\n'.join(lines + ['| %s |' % ' | '.join(row) for row in rows])


def documented_stages() -> str:
    """The table of stages as docs/upgrade.md has it."""
    rows = []
    for stage in STAGES:
        over = text(stage.first) if stage.first == stage.last else '%s – %s' % (text(stage.first), text(stage.last))
        always = (
            'always'
            if not stage.skippable
            else 'from %s – %s; else `direct` may skip it'
            % (text((stage.needs or SETTINGS_MOVE)[0]), text((stage.needs or SETTINGS_MOVE)[1]))
        )
        rows.append(('older than %s' % text(stage.below), over, always, stage.why))
    return _table(('instance', 'goes over', 'must', 'why'), rows)


def documented_changes() -> str:
    """The table of changes as docs/upgrade.md has it."""
    return _table(
        ('first version', 'what its first start changes', 'one way', 'check after it', 'still under way'),
        [
            (text(change.version), change.what, 'yes' if change.one_way else 'no', change.check, change.wait or '–')
            for change in CHANGES
        ],
    )


def documented_tags() -> str:
    return _table(('tag', 'reports'), sorted(TAGS.items()))


def documented_schemas() -> str:
    return _table(('one', 'other'), [[text(one) for one in pair] for pair in versions.SAME_SCHEMA])
