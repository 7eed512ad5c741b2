# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What each variable of this collection may hold, how people may write it, and what stands where nobody does. Pure.

One rule for all: null and a blank text mean the default; 0, false and an empty list are values. Surveys of AWX send
blank answers as one or the other, and every value as text or as what YAML makes of that text. The texts that YAML reads
as null mean the default, too.
"""

from __future__ import annotations

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _readers as read
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import documents, targets
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

PREFIX = 'anqicms_'
CHANGING = frozenset({'restart', 'stop', 'start', 'recover', 'configure', 'upgrade', 'rollback'})
_STOPPING = frozenset({'restart', 'stop', 'configure', 'upgrade', 'rollback'})
_STARTING = frozenset({'restart', 'start', 'configure', 'upgrade', 'rollback'})
_WINDOW = frozenset({'restart', 'recover', 'configure', 'upgrade', 'rollback'})
_HOOKED = frozenset({'restart', 'configure', 'upgrade', 'rollback'})
_CONFIGURE, _UPGRADE, _ROLLBACK = (frozenset({name}) for name in ('configure', 'upgrade', 'rollback'))
_RESTART, _RECOVER, _DIAGNOSE = (frozenset({name}) for name in ('restart', 'recover', 'diagnose'))
_INSTANCES = CHANGING | _DIAGNOSE
_SEEING = _INSTANCES | {'status'}
_ALL = _SEEING | {'prepare', 'discover', 'notify'}
_NOTIFY = frozenset({'notify'})
_BATCHED = CHANGING | {'prepare'}
RESUMED = CHANGING - {'recover'}
_DISCOVER = frozenset({'discover'})


class Option(t.NamedTuple):
    """``allowed`` stands behind 'must be'; ``read`` makes the value of what was given, or raises ValueError.

    ``verbs``: the roles that read it, and 'discover' for that playbook. ``default``: None where the module decides.
    ``secret``: a wrong value is not shown, and ``read`` does not repeat it in its error.
    """

    allowed: str
    read: t.Callable[[t.Any], t.Any]
    verbs: t.AbstractSet[str]
    default: t.Any = None
    secret: bool = False


def _seconds(default: float, verbs: t.AbstractSet[str]) -> Option:
    return Option('a number of seconds, 0 or more', read.seconds, verbs, default)


def _flag(verbs: t.AbstractSet[str], default: bool | None = False) -> Option:
    return Option('true or false', read.flag, verbs, default)


def _choice(verbs: t.AbstractSet[str], default: str, *others: str) -> Option:
    choices = (default, *others)
    return Option(f'one of {", ".join(sorted(choices))}', lambda value: read.choice(value, choices), verbs, default)


_SUCH = 'such as 4b1d0a7e-shop.example'
_TIME = 'a time such as 2026-01-31T12:00:00 or 2026-01-31T12:00:00+08:00'
OPTIONS: t.Mapping[str, Option] = {
    PREFIX + name: option
    for name, option in {
        'instances': Option('a list of dictionaries with dir each, or the word discover', read.instances, _SEEING),
        'only': Option(f'a list of ids of instances, {_SUCH}', read.ids, _SEEING, ()),
        'user': Option('the name of a user', read.text, _SEEING),
        'run_id': Option('a name for the run', read.text, _INSTANCES | _NOTIFY),
        'state_dir': Option('the path of a directory on the host', read.text, _SEEING | _DISCOVER),
        'resume': Option('the name of an earlier run', read.text, RESUMED),
        'language': Option('one of en, zh', lambda value: read.choice(value, ('en', 'zh')), _ALL),
        'time_zone': Option('the name of a time zone, such as Asia/Shanghai', read.time_zone, _ALL),
        'notify': Option(
            'a list of dictionaries with type and url each', targets.targets, _INSTANCES | _NOTIFY, (), secret=True
        ),
        'notify_event': _choice(_NOTIFY, 'finished', *(event for event in targets.EVENTS if event != 'finished')),
        'notify_text': Option('one line of text', read.text, _NOTIFY),
        'notify_document': Option('a dictionary, as in run.json or in anqicms_results', documents.document, _NOTIFY),
        'strict': _flag(_ALL),
        'unreachable': _choice(_BATCHED, 'stop', 'skip'),
        'unreachable_fails': _flag(_BATCHED),
        'accept_hazards': Option('a list of codes of hazards', read.hazards, CHANGING, ()),
        'only_if_needed': _flag(_RESTART),
        'before_window': Option('a list of paths of task files', read.words, _HOOKED, ()),
        'after_window': Option('a list of paths of task files', read.words, _HOOKED, ()),
        'boot_hook': _flag(_CONFIGURE | _UPGRADE | _ROLLBACK, True),
        'config': Option('a dictionary of keys of config.json', read.dictionary, _CONFIGURE, {}, secret=True),
        'config_remove': Option('a list of keys of config.json, such as server.env', read.words, _CONFIGURE, ()),
        'upgrade_to': Option('a version such as 3.5.8', read.version, _UPGRADE),
        'releases': Option(
            'a dictionary from versions to dictionaries with src, and optionally sha256 and remote_src',
            read.releases,
            _UPGRADE,
        ),
        'direct': _flag(_UPGRADE),
        'confirm_after_canary': _flag(_UPGRADE),
        'confirmed': Option('the name of an earlier run', read.text, _UPGRADE),
        'hop_windows': _flag(_UPGRADE),
        'rollback_run': Option('the name of an earlier run', read.text, _ROLLBACK),
        'accept_data_loss': _flag(_ROLLBACK),
        'client_dir': Option('the path of a directory on the host', read.text, _UPGRADE | _ROLLBACK),
        'database_timeout': _seconds(3600.0, _UPGRADE | _ROLLBACK),
        'database_method': _choice(_UPGRADE, 'dump', 'shadow'),
        'stop_timeout': _seconds(30.0, _STOPPING),
        'idle_timeout': _seconds(5.0, _STOPPING),
        'quiet_timeout': _seconds(120.0, _STOPPING),
        'migration_timeout': _seconds(3600.0, _STOPPING),
        'force': _choice(_STOPPING, 'idle', 'never', 'timeout'),
        'release_timeout': _seconds(30.0, _STOPPING),
        'ready_timeout': _seconds(120.0, _STARTING),
        'ready_limit': _seconds(900.0, _STARTING),
        'stable_for': _seconds(1.0, _STARTING),
        'log_check': _flag(_STARTING, True),
        'log_ignore': Option(
            'a list of codes of findings or regular expressions', read.ignored_findings, _STARTING, ()
        ),
        'log_fail_on': _choice(_STARTING, 'error', 'warning', 'never'),
        'site_check': _flag(_STARTING, None),
        'site_through': _choice(_STARTING, 'direct', 'proxy'),
        'site_proxy': Option('a dictionary with address, scheme, port or validate_certs', read.proxy, _STARTING),
        'site_timeout': Option('a number of seconds, more than 0', read.some_seconds, _STARTING, 10.0),
        'warm_up': Option(f'a whole number from 0 to {read.MOST_PAGES}', read.pages, _STARTING, 0),
        'deadline': _seconds(900.0, _WINDOW),
        'guardian_limit': _seconds(3600.0, _WINDOW),
        'put_aside': Option(f'the id of an instance, {_SUCH}', read.identity, _RECOVER),
        'since': Option(_TIME, read.moment, _DIAGNOSE),
        'until': Option(_TIME, read.moment, _DIAGNOSE),
        'report': Option(
            'the path of a directory on the controller, an address for uploads, or the word artifacts',
            read.text,
            _INSTANCES,
        ),
        'collect': _flag(_DIAGNOSE),
        'collect_dir': Option('the path of a directory on the controller', read.text, _DIAGNOSE, './anqicms-diagnose'),
        'search': Option('a list of patterns of directories', read.words, _DISCOVER, ()),
        # Play keywords read these three, before any task.
        'hosts': Option('a pattern of hosts, as text or as a list, such as web1,web2', read.pattern, _ALL, 'anqicms'),
        'serial': Option(
            'numbers of hosts or percentages of them, 1 or more, such as 1,10%,25%',
            read.batches,
            _BATCHED,
            (1, '10%', '25%'),
        ),
        'serial_by': Option(
            'a dictionary from groups or variables of hosts to numbers of hosts or percentages, such as customer: 1',
            read.batch_limits,
            _BATCHED,
            {},
        ),
    }.items()
}

OF_KEYWORDS = frozenset({'anqicms_hosts', 'anqicms_serial', 'anqicms_serial_by'})


_NOT_GIVEN = ('', '~', 'null', 'Null', 'NULL')


def is_given(value: t.Any) -> bool:
    return value is not None and not (isinstance(value, str) and value.strip() in _NOT_GIVEN)


def value_of(name: str, given: t.Any) -> t.Any:
    """The value of a variable as tasks use it. ValueError names the variable and what is allowed first."""
    option = OPTIONS[name]
    if not is_given(given):
        return list(option.default) if isinstance(option.default, tuple) else option.default
    try:
        return option.read(given)
    except ValueError as error:
        told = 'another value, which may be secret' if option.secret else _told(given)
        raise ValueError(f'{name} must be {option.allowed}. It is {told}{_why(error)}.') from error


def _told(given: t.Any) -> str:
    text = shown(repr(str(given)) if isinstance(given, str) else given, 120)
    return text if isinstance(given, (str, list, tuple, t.Mapping)) else f'{text} ({_kind(given)})'


def _kind(value: t.Any) -> str:
    """The kind of value that YAML or AWX made of what people wrote."""
    for types, word in (((bool,), 'true or false'), ((int, float), 'a number'), ((t.Mapping,), 'a dictionary')):
        if isinstance(value, types):
            return word
    return f'a {type(value).__name__.lstrip("_").replace("AnsibleTagged", "").lower()}'


def _why(error: ValueError) -> str:
    return f': {shown(error, 1500).rstrip(".")}' if str(error) else ''


def of_verb(verb: str) -> list[str]:
    """The variables that a role reads; all of them where it is not known which."""
    return [name for name, option in OPTIONS.items() if verb in option.verbs or not verb]


def judge(verb: str, given: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """The values of all variables that a role reads, and what is wrong with them: the variable first, then the rest."""
    values, wrong = {}, []
    for name in of_verb(verb):
        try:
            values[name] = value_of(name, given.get(name))
        except ValueError as error:
            wrong.append(str(error))
    return values, wrong + _wrong_together(values) + _what_is_missing(values, verb)


def _wrong_together(values: t.Mapping[str, t.Any]) -> list[str]:
    """What is wrong with values that are right one by one. Those that are not known are left out."""
    wrong = []
    through, proxy = values.get(PREFIX + 'site_through'), values.get(PREFIX + 'site_proxy')
    if through == 'direct' and proxy is not None:
        wrong.append('anqicms_site_through must be proxy where anqicms_site_proxy is given. It is direct.')
    checked, instances = values.get(PREFIX + 'site_check'), values.get(PREFIX + 'instances')
    if through == 'proxy' and checked and not _all_have_sites(instances):
        wrong.append(
            'anqicms_instances must have sites in each entry where anqicms_site_check is true and anqicms_site_through '
            'is proxy.'
        )
    since, until = (read.epoch(values.get(PREFIX + name)) for name in ('since', 'until'))
    if since is not None and until is not None and since >= until:
        wrong.append('anqicms_since must be before anqicms_until. It is not.')
    return wrong


def _what_is_missing(values: t.Mapping[str, t.Any], verb: str) -> list[str]:
    """Variables without which a role has nothing to do."""
    if verb == 'notify' and values.get(PREFIX + 'notify_text', 1) is values.get(PREFIX + 'notify_document', 1) is None:
        return [
            'anqicms_notify_text must be one line of text, or anqicms_notify_document a dictionary. Neither is set.'
        ]
    needed = {'upgrade': ('upgrade_to', 'releases'), 'rollback': ('rollback_run',)}.get(verb)
    if needed:
        missing = [name for name in needed if values.get(PREFIX + name, 1) is None]
        return [f'{PREFIX}{name} must be {OPTIONS[PREFIX + name].allowed}. It is not set.' for name in missing]
    if verb != 'configure':
        return []
    if values.get(PREFIX + 'config') == {} and values.get(PREFIX + 'config_remove') == []:
        return ['anqicms_config must be a dictionary of keys of config.json, or anqicms_config_remove a list of some.']
    return []


def _all_have_sites(instances: t.Any) -> bool:
    return isinstance(instances, list) and all(entry.get('sites') for entry in instances)
