# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the variables of a run and shows its plan, once for all hosts, on the controller."""

from __future__ import annotations

import os
import typing as t

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import (
    _batches,
    _canary,
    _connections,
    _ends,
    _lines,
    _options,
    _origin,
    _plan,
    _play_keywords,
    _resume,
    _table,
    _tags,
    _variables,
)
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import of_action, of_tasks
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

Result = dict[str, t.Any]
_ASKS = (
    'After the canary (the first batch), the run asks whether to continue. It ends there unless someone answers yes.'
)
_ASKS_AFTER_GROUP = (
    'After the canary (the group anqicms_canary), the run asks whether to continue. It ends there unless someone '
    'answers '
    'yes.'
)
_NOT_IN_A_ROLE = (
    'anqicms_confirm_after_canary is for the playbook anqicms.lifecycle.upgrade: a role cannot end the batches of the '
    'play that it is in. Nothing was done. Use the playbook, or set it to false.'
)
_RESUME_IN_BATCHES = (
    'anqicms_resume needs all hosts of a run in one preflight, as the playbooks of this collection have it. This play '
    'has batches. Nothing was done. Use the playbook, or a play without serial.'
)


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        self._vars = task_vars or {}
        self._words = _lines.words_of(self._vars, self._templar)
        phase, verb = (str(self._task.args.get(key, '')) for key in ('phase', 'verb'))
        self._run = of_action.OfAction(self._task, self._vars, self._templar, verb)
        work = {'plan': self._show_plan, 'canary': self._canary, 'end': self._end}.get(phase, self._check)
        return {**result, **self._translated(work(verb))}

    def _translated(self, answer: Result) -> Result:
        """The texts for people among the values, in their language."""
        known = self._words.known
        lists = {key: [known(text) for text in answer[key]] for key in ('warnings', 'how_to_go_on') if key in answer}
        return {**answer, 'msg': known(str(answer['msg'])), **lists}

    def _show(self, lines: t.Iterable[str]) -> None:
        _lines.show(self._words.known(line) for line in lines)

    # --- tags

    def _check(self, verb: str) -> Result:
        tags = self._tags()
        if not tags.restrict:
            return self._with_run(verb, self._check_variables(verb))
        refusal = _tags.refusal(tags._replace(known=self._known_tags()), _is_included(self._task))
        if refusal:
            refused = _failed(f'{refusal} Nothing was inspected or changed. Leave these options out.')
            return self._with_run(verb, refused)
        if not tags.select:
            return {'changed': False, 'msg': 'Not selected by --tags.'}
        return self._with_run(verb, self._check_variables(verb))

    def _with_run(self, verb: str, answer: Result) -> Result:
        """The end of a run that is refused before its plan is made from this."""
        if verb not in _options.CHANGING:
            return answer
        return {**answer, 'run': self._run.head()}

    def _tags(self) -> _tags.Tags:
        given = (self._vars.get('ansible_run_tags'), self._vars.get('ansible_skip_tags'), self._task.tags)
        run, skip, own = (frozenset(map(str, tags or ())) for tags in given)
        return _tags.Tags(run, skip, own - {'always'})

    def _known_tags(self) -> frozenset[str] | None:
        try:
            manager = self._vars['hostvars']._variable_manager
            return _tags.known(context.CLIARGS.get('args') or (), self._loader, manager)
        except Exception:  # of any kind: what cannot be read again here is not known
            return None

    # --- variables

    def _check_variables(self, verb: str) -> Result:
        where = _origin.names(self._task, self._vars, self._loader)
        judgement = _variables.judge(where)
        refused = [f'{shown(name)} ({where[name]}): meant is {known}.' for name, known in judgement.meant.items()]
        if refused:
            return _failed(
                ' '.join(refused) + ' Nothing was inspected or changed. Correct the names. What other tools read needs '
                'a name that does not come close to one of this collection.'
            )
        values, wrong = self._judge_values(verb, where)
        if wrong:
            return _failed(' '.join(wrong) + ' Nothing was inspected or changed.')
        names = ', '.join(f'{shown(name)} ({where[name]})' for name in judgement.unknown)
        if names and values['anqicms_strict']:
            return _failed(
                f'Not variables of this collection: {names}. anqicms_strict refuses them. '
                'Nothing was inspected or changed.'
            )
        warnings = [f'Not variables of anqicms.lifecycle, and not used by it: {names}.'] if names else []
        return {'changed': False, 'msg': 'ok', 'unknown': judgement.unknown, 'warnings': warnings}

    def _judge_values(self, verb: str, where: t.Mapping[str, str]) -> tuple[Result, list[str]]:
        """The values on the host that this task runs for, and what is wrong on any host of the play."""
        own = str(self._vars['inventory_hostname'])
        wrong: dict[str, list[str]] = {}
        values: Result = {}
        for host in dict.fromkeys([own, *map(str, self._vars['ansible_play_hosts_all'])]):
            found, texts = self._judge_host(host, verb)
            values = values or found
            for text in texts:
                wrong.setdefault(text, []).append(host)
        said = [_with_origin(text, hosts, where) for text, hosts in wrong.items()]
        return values, said or [_with_origin(text, [own], where) for text in self._wrong_limits(values)]

    def _wrong_limits(self, values: Result) -> list[str]:
        """Names that limit batches are checked before anything is done: the batches themselves come later."""
        keywords = _play_keywords.PlayKeywords(self._vars, self._templar, self._loader)
        hosts = [str(host) for host in self._vars['ansible_play_hosts_all']]
        try:
            keywords.limits(hosts, values.get('anqicms_serial_by') or {})
        except ValueError as error:
            return [str(error)]
        return []

    def _judge_host(self, host: str, verb: str) -> tuple[Result, list[str]]:
        variables = _origin.variables_of(host, self._task, self._vars)
        given, broken = {}, []
        self._templar.available_variables = variables
        for name in _options.of_verb(verb):
            try:
                given[name] = self._templar.template(variables.get(name))
            except AnsibleError as error:
                broken.append(f'{name} cannot be read: {shown(str(error).splitlines()[0], 300).rstrip(".")}.')
        self._templar.available_variables = self._vars
        values, wrong = _options.judge(verb, given)
        return values, [*broken, *wrong, *self._missing_hooks(values), *self._wrong_connection(host)]

    def _wrong_connection(self, host: str) -> list[str]:
        """The variables of this task have another one, so that it can say this."""
        used = self._vars['hostvars'][host].get('ansible_connection') or context.CLIARGS.get('connection')
        refusal = _connections.refusal(used)
        return [refusal] if refusal else []

    def _missing_hooks(self, values: Result) -> list[str]:
        """A hook that is not there would end the run before its first window, or after one."""
        base = str(self._vars.get('playbook_dir', ''))
        missing = []
        for name in ('anqicms_before_window', 'anqicms_after_window'):
            paths = [os.path.join(base, path) for path in values.get(name) or []]
            missing += [
                f'{name} must be {_options.OPTIONS[name].allowed}. There is no file {shown(path, 300)}.'
                for path in paths
                if not os.path.isfile(path)
            ]
        return missing

    # --- the plan

    def _show_plan(self, verb: str) -> Result:
        hosts = [str(host) for host in self._vars['ansible_play_batch']]
        facts = {host: self._facts(host) for host in hosts}
        rows = [row for host in hosts for row in _table.host_rows(host, facts[host], verb, self._words)]
        _lines.show(_table.table(rows, words=self._words))
        plans = {host: _table.plan_of(facts[host], verb) for host in hosts}
        unlisted = [host for host in hosts if plans[host].unlisted]
        if unlisted:
            found = {host: facts[host].get('anqicms__found') for host in unlisted}
            self._show(_table.for_inventory(found).splitlines())
        refusal = self._plan_refusal(verb, plans)
        run = self._run.head(self._run_id())
        if refusal:
            return {**_failed(refusal), 'run': run}
        run['planned'] = self._planned(facts, plans)
        asks = verb == 'upgrade' and self._asks(hosts)
        self._show([_ASKS_AFTER_GROUP if self._canaries() else _ASKS] if asks else [])
        if not any(plan.refusals for plan in plans.values()):
            run['notifications'] = self._run.notify('start', run)
        answer = {
            'changed': False,
            'msg': _table.summary(plans, verb, self._words),
            'asks': asks and not self._task.check_mode,
        }
        return {**answer, 'run': run, **self._run.passed_on()}

    def _plan_refusal(self, verb: str, plans: t.Mapping[str, _plan.Plan]) -> str:
        """Why the whole run is refused, '' if it is not. Single hosts may refuse as well, after this task."""
        unreachable = self._unreachable() if self._vars.get('anqicms__whole_fleet') else []
        if unreachable:
            return (
                f'Unreachable: {shown(", ".join(unreachable))}. Nothing was done. Bring them back, leave them '
                'out with --limit, or set anqicms_unreachable to skip.'
            )
        if self._is_empty(plans):
            return (
                'No host has an instance to work on. Nothing was done. List the instances in anqicms_instances, or '
                'correct anqicms_only.'
            )
        resume = self._value(str(self._vars['inventory_hostname']), 'anqicms_resume')
        refusal = self._resume_refusal(list(plans), verb, resume) if resume and verb in _options.RESUMED else ''
        refusal = refusal or (self._canary_refusal(list(plans)) if verb == 'upgrade' else '')
        return refusal or self._run.report_refusal()

    def _planned(self, facts: t.Mapping[str, Result], plans: t.Mapping[str, _plan.Plan]) -> list[list[t.Any]]:
        found = {host: of_host.get('anqicms__found') for host, of_host in facts.items()}
        only = {host: self._value(host, 'anqicms_only') for host in facts}
        return self._run.planned(found, plans, only)

    def _resume_refusal(self, hosts: t.Sequence[str], verb: str, name: str) -> str:
        """Why the run that is to be resumed cannot be, with these hosts. What is left of it is shown."""
        if len(hosts) < len(self._vars['ansible_play_hosts']):
            return _RESUME_IN_BATCHES
        found = [
            (host, one)
            for host in hosts
            for answer in _plan.chosen(self._found(host), self._value(host, 'anqicms_only'))
            for one in answer.get('instances') or []
        ]
        limited = bool(context.CLIARGS.get('subset'))
        refusal = _resume.of_fleet(name, found, self._vars['groups']['all'], limited)
        self._show([] if refusal else [_resume.summary(name, found, verb, limited)])
        return refusal

    def _unreachable(self) -> list[str]:
        """Hosts of the play that ansible-core has given up, as it does with those that have failed."""
        alive = set(self._vars['ansible_play_hosts'])
        return [str(host) for host in self._vars['ansible_play_hosts_all'] if host not in alive]

    def _facts(self, host: str) -> Result:
        """What the table needs of a host; variables of the play are not among those of hosts."""
        names = ('anqicms_accept_hazards', 'anqicms_only', 'anqicms_only_if_needed', 'anqicms_resume')
        return {**self._given(host, names), 'anqicms__found': self._found(host)}

    def _given(self, host: str, names: t.Iterable[str]) -> Result:
        of_host = self._vars['hostvars'][host]
        return {
            name: of_host[name] if name in of_host else self._templar.template(self._vars.get(name)) for name in names
        }

    def _value(self, host: str, name: str) -> t.Any:
        return _options.value_of(name, self._given(host, [name])[name])

    def _found(self, host: str) -> t.Any:
        """What was registered is data; there is nothing in it to be templated."""
        return self._vars['hostvars'].raw_get(host).get('anqicms__found')

    def _is_empty(self, plans: t.Mapping[str, _plan.Plan]) -> bool:
        """Whether nothing would be done on any host of the play, without a refusal that says so."""
        if any(plan.instances or plan.skipped or plan.refusals for plan in plans.values()):
            return False
        hostvars = self._vars['hostvars']
        later = [host for host in self._vars['ansible_play_hosts_all'] if host not in plans]
        return not any(hostvars[host].get('anqicms_instances') != [] for host in later)

    # --- the canary

    def _asks(self, hosts: t.Sequence[str]) -> bool:
        """Whether a person is to be asked after the canary. One host that wants it is enough."""
        if self._value(str(self._vars['inventory_hostname']), 'anqicms_confirmed'):
            return False
        return any(self._value(host, 'anqicms_confirm_after_canary') for host in hosts)

    def _canary_refusal(self, hosts: t.Sequence[str]) -> str:
        if not self._vars.get('anqicms__whole_fleet'):
            return _NOT_IN_A_ROLE if self._asks(hosts) else ''
        confirmed = self._value(str(self._vars['inventory_hostname']), 'anqicms_confirmed')
        return _canary.refusal(confirmed, list(self._members(hosts, whole=True))) if confirmed else ''

    def _members(self, hosts: t.Sequence[str], whole: bool = False) -> t.Iterator[_canary.Member]:
        """The instances that the run works on, or all that were found."""
        for host in hosts:
            found, wanted = self._found(host), str(self._value(host, 'anqicms_upgrade_to'))
            accept, only, resume = (
                self._value(host, f'anqicms_{name}') for name in ('accept_hazards', 'only', 'resume')
            )
            seen = [one for answer in _plan.answers(found) for one in answer.get('instances') or []]
            chosen = seen if whole else _plan.make_plan(found, 'upgrade', accept, only=only, resume=resume).instances
            yield from (_canary.Member(host, instance, wanted) for instance in chosen)

    def _canary(self, verb: str) -> Result:
        """Nothing is asked where a host was lost or has failed: the next batch stops the run then."""
        hosts, batch = ([str(host) for host in self._vars[f'ansible_play_{name}']] for name in ('hosts_all', 'batch'))
        parts = [self._members(part) for part in _canary.parts(hosts, batch, self._canaries())]
        asked = None if self._unreachable() else _canary.question(parts[0], parts[1], parts[2], self._run_id())
        if asked is None:
            return {'changed': False, 'msg': 'Nothing to ask.', 'asks': False}
        self._show(_canary.seen(asked))
        return {
            'of': {'play': (self._vars.get('anqicms__shown') or {}).get('run', {}).get('play'), 'verb': verb},
            'notifications': of_tasks.notify_canary(self._vars, self._templar),
            'changed': False,
            'msg': ' '.join(_canary.seen(asked)),
            'asks': True,
            'canary_run': asked.run_id,
            'left': asked.left,
            'can_answer': self._can_answer(),
            'how_to_go_on': _canary.how_to_go_on(asked),
        }

    def _canaries(self) -> frozenset[str]:
        """Hosts of this run that are canaries by their group."""
        members = map(str, self._vars['groups'].get(_batches.CANARIES, ()))
        return frozenset(members).intersection(map(str, self._vars['ansible_play_hosts_all']))

    def _run_id(self) -> str:
        given = self._templar.template(self._vars.get('anqicms_run_id'))
        return str(_options.value_of('anqicms_run_id', given) or self._vars.get('anqicms__made_run_id'))

    def _can_answer(self) -> bool:
        """Whether a person may sit there. Where there is no terminal at all, C(ansible.builtin.pause) sees it itself.

        AWX and ansible-runner give the playbook a terminal that nobody types at.
        """
        jobs = ('awx_job_id', 'tower_job_id')
        return 'RUNNER_OMIT_EVENTS' not in os.environ and not any(name in self._vars for name in jobs)

    # --- the end

    def _end(self, verb: str) -> Result:
        hosts = map(str, self._vars['ansible_play_hosts_all'])
        left_out = [host for host in hosts if _ends.is_left_out(self._vars['hostvars'].raw_get(host))]
        if not left_out:
            closed = of_tasks.close(self._vars, self._templar, verb)
            return {'changed': False, 'msg': 'No host was left out.', 'left_out': [], **closed}
        name = 'anqicms_unreachable_fails'
        fails = _options.value_of(name, self._templar.template(self._vars.get(name)))
        said = f'Left out, because they were unreachable: {shown(", ".join(left_out))}. Nothing was done on them.'
        self._show([] if fails else [said])
        closed = of_tasks.close(self._vars, self._templar, verb)
        return {'failed': fails, 'changed': False, 'msg': said, 'left_out': left_out, **closed}


def _with_origin(text: str, hosts: list[str], where: t.Mapping[str, str]) -> str:
    """What is wrong, with the place of the variable that it begins with; none where a role's own default is wrong."""
    place = where.get(text.split(maxsplit=1)[0], '')
    place = _origin.of_hosts(hosts) if place.startswith(_origin.OF_HOSTS) else place
    return f'{text[:-1]} ({place}).' if place else text


def _is_included(task: t.Any) -> bool:
    """Whether an include_role brought it: tags of that task are not those of the tasks in it."""
    node = task._parent
    while node is not None:
        if getattr(node, 'statically_loaded', True) is False and 'include_role' in str(getattr(node, 'action', '')):
            return True
        node = getattr(node, '_parent', None)
    return False


def _failed(message: t.Any) -> Result:
    return {'failed': True, 'changed': False, 'msg': message}
