# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""How the instance is to be started: as whom, how, and where it writes."""

import os
import pwd
import random
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import cgroups as _cgroups
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, ports
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import launch, units, users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.context import Context
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import output as _output
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start import root_runs, sighting
from ansible_collections.anqicms.lifecycle.plugins.module_utils._start.sighting import Account, Own

Params = t.Mapping[str, t.Any]

_PRIVATE_PORTS = (20000, 32000)  # below those that the kernel gives to connections
_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


class Chosen(t.NamedTuple):
    """``seen``: the evidence that the log is chosen by, ``running``: it was read from the process just now."""

    record: launch.LaunchRecord
    notes: t.List[str]
    seen: t.Optional[launch.LaunchRecord]
    proved: t.Optional[launch.Proved]
    running: bool


def choose(context: Context, params: Params) -> Chosen:
    """As it runs now, or was last seen running, or a plain start. LifecycleError when it is not told as whom."""
    seen, running, why_not = _seen(context)
    if why_not and seen is None and not params.get('user'):
        raise LifecycleError(
            '%s: %s, and there is no earlier record of how it ran. Nothing was stopped or started. Stop it '
            '(graceful_stop), then start it manually, or set user.' % (context.instance.id, why_not)
        )
    stored = context.state.launch()
    proved = launch.proved_of(stored)
    uid = _uid(context, params, seen, proved, running)
    of_user = seen if seen is not None and seen.uid == uid else None
    if of_user is not None and (uid == 0 or os.geteuid() != 0):
        # root's own process shows what root gave; others have nothing to give
        settled = sighting.as_seen(of_user, _ending(context, of_user.cgroups))
    else:
        settled = _settled(context, seen, uid, proved)
    of_proof = proved if proved is not None and proved.uid == uid else None
    running = running and of_user is not None
    wanted = with_options(settled.record, params)
    if params.get('private_port'):
        wanted = _with_port(wanted, private_port(context))
    record, left_out = root_runs.harden(wanted, context.instance.dir, params.get('environment') or ())
    notes = ['%s; it is started as in the earlier record' % why_not] if why_not and seen else []
    return Chosen(record, notes + settled.notes + left_out, of_user, of_proof, running)


def output(context: Context, chosen: Chosen, untouched: str) -> _output.Output:
    """Its log, opened where root opens it. LifecycleError, naming it, when it cannot be."""
    proved = chosen.proved.log if chosen.proved else None
    ways = _output.choices(chosen.seen, proved, context.instance.dir, chosen.running)
    proc = context.handle.proc if chosen.running and context.handle is not None else None
    with files.InstallDir(context.instance.dir) as directory:
        return _output.opened(directory, chosen.seen, ways, chosen.record.uid, proc, untouched)


def _seen(context: Context) -> t.Tuple[t.Optional[launch.LaunchRecord], bool, t.Optional[str]]:
    """How it runs now, or was last seen running; whether it is the first; why what runs is no model for a start."""
    why_not: t.Optional[str] = None
    if context.handle is not None:
        try:
            return launch.capture(context.handle.proc), True, None
        except launch.NoRecord as exc:
            why_not = exc.strerror
        except OSError:
            pass  # it has ended meanwhile, or tells nothing
    return context.stored_record(), False, why_not


def _settled(
    context: Context, seen: t.Optional[launch.LaunchRecord], uid: int, proved: t.Optional[launch.Proved]
) -> sighting.Settled:
    account = _account(context, uid)
    in_its_unit = seen is not None and units.unit_and_uid(context.instance, seen.cgroups) is not None
    own = Own(launch.own_label(), _cgroups.own())
    of_proof = proved.cgroups if proved is not None and proved.uid == uid else {}
    ending = _ending(context, seen.cgroups if in_its_unit and seen is not None else of_proof)
    return sighting.settle(seen, _plain(context, account), account, proved, own, in_its_unit, ending)


def _ending(context: Context, cgroups: t.Mapping[str, str]) -> t.Optional[str]:
    return units.ending(cgroups, context.handle.pid if context.handle is not None else 0)


# --- as whom


def _uid(
    context: Context,
    params: Params,
    seen: t.Optional[launch.LaunchRecord],
    proved: t.Optional[launch.Proved],
    running: bool,
) -> int:
    """The user that was given, that it runs as, of its last proved start, or that it was last seen running as."""
    given = users.uid_of(params.get('user') or context.user)
    if given is not None:
        return given
    if context.candidate is not None and context.handle is not None:
        return seen.uid if running and seen is not None else context.candidate.uid
    if proved is not None:
        return proved.uid
    if seen is not None and users.users_of(context.instance, context.state, context.user, seen.cgroups).has(seen.uid):
        return seen.uid
    return _first_uid(context)


def agreeing_owner(owners: t.Mapping[str, int]) -> t.Optional[int]:
    """The one owner of directory, binary, configuration and log; None when they differ or it is root."""
    uids = set(owners.values())
    return uids.pop() if len(uids) == 1 and 0 not in uids else None


def _owners(context: Context) -> t.Dict[str, int]:
    owners = {}
    with files.InstallDir(context.instance.dir) as directory:
        owners[context.instance.dir] = directory.uid
        for name in (context.instance.binary, 'config.json', 'running.log'):
            found = directory.lstat(name)
            if found is not None:
                owners[name] = found.st_uid
    return owners


def _first_uid(context: Context) -> int:
    if os.geteuid() != 0:
        return os.geteuid()
    owners = _owners(context)
    uid = agreeing_owner(owners)
    if uid is None:
        listing = ', '.join('%s: uid %d' % item for item in sorted(owners.items()))
        raise LifecycleError(
            '%s was never seen running, and the owners of its files differ (%s), so the user to start it as is not '
            'known. Nothing was stopped or started. Set user.' % (context.instance.id, listing)
        )
    return uid


def _account(context: Context, uid: int) -> Account:
    """By the user database. One without an entry gets the group of a directory of its own, else one of its number."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        found = os.stat(context.instance.dir)
        return Account(uid, found.st_gid if found.st_uid == uid else uid, [], context.instance.dir, str(uid), False)
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return Account(uid, entry.pw_gid, groups, entry.pw_dir, entry.pw_name)


def _plain(context: Context, account: Account) -> launch.LaunchRecord:
    """A start of which nothing was seen before."""
    environment = dict(
        PATH=_PATH, HOME=account.home, USER=account.name, LOGNAME=account.name, LANG=os.environ.get('LANG', 'C.UTF-8')
    )
    return launch.LaunchRecord(
        argv=[context.instance.executable],
        environment=environment,
        uid=account.uid,
        gid=account.gid,
        groups=list(account.groups),
        umask=0o022,
        limits=launch.current_limits(),
        nice=0,
        oom_score_adj=0,
        cgroups={},
        label=None,
        cwd=context.instance.dir,
        log=os.path.join(context.instance.dir, 'running.log'),
        ignores_hup=True,
    )


# --- options


def private_port(context: Context) -> int:
    """A free port that no proxy knows, the same for the whole run. LifecycleError when none is found."""
    if context.run.private_port is None:
        tries = [random.randrange(*_PRIVATE_PORTS) for _unused in range(200)]
        context.run.private_port = next((port for port in tries if ports.bind_probe(port).free), None)
    if context.run.private_port is None:
        raise LifecycleError(
            'No free port was found between %d and %d. Nothing '
            'was started. Free a port in this range, then try again.' % _PRIVATE_PORTS
        )
    return context.run.private_port


def _with_port(record: launch.LaunchRecord, port: int) -> launch.LaunchRecord:
    words, kept = iter(record.argv[1:]), []
    for word in words:
        name, equals, _value = word.partition('=')
        if name not in ('-port', '--port'):
            kept.append(word)
        elif not equals:
            next(words, None)  # its value
    return record._replace(argv=[record.argv[0], '-port', str(port)] + kept)


def with_options(record: launch.LaunchRecord, params: Params) -> launch.LaunchRecord:
    """The record as the options change it. LifecycleError for what no process can have."""
    if params.get('arguments') is not None:
        record = record._replace(argv=[record.argv[0]] + list(params['arguments']))
    if params.get('environment'):
        wanted = {str(name): str(value) for name, value in params['environment'].items()}
        record = record._replace(environment=dict(record.environment, **wanted))
    _refuse_impossible(record)
    return record


def _refuse_impossible(record: launch.LaunchRecord) -> None:
    wrong = ['the argument %r contains a NUL byte' % word for word in record.argv if '\0' in word]
    for name, value in record.environment.items():
        if not name or '=' in name or '\0' in name:
            wrong.append('%r is not a valid name of an environment variable' % name)
        elif '\0' in value:
            wrong.append('the value of %s contains a NUL byte' % name)
    wrong += [] if wrong else filter(None, [launch.why_too_large(record)])
    if wrong:
        raise LifecycleError(
            'Invalid start options: %s. Nothing was '
            'stopped or started. Correct environment and arguments.' % '; '.join(wrong)
        )
