# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows lines unchanged, and passes values on. It runs on the controller."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _lines, _options
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import results
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import as_data

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        self._vars = task_vars or {}
        self._words = _lines.words_of(self._vars, self._templar)
        args = self._task.args
        lines = [str(line) for line in args.get('lines') or []]
        _lines.show(lines)
        result.update(changed=False, msg='\n'.join(lines))
        if args.get('kept'):
            result['kept'] = as_data(args['kept'])
        if args.get('stats'):
            result.update(results.passed_on(args['stats']))
        if args.get('record'):
            result.update(self._record(args['record'], args.get('stop_on_failure') is not False))
        if args.get('batch_of'):
            result.update(self._start_batch(str(args['batch_of'])))
        if args.get('closing'):
            result.update(self._close(str(args['closing'])))
        if args.get('diagnosis') is not None:
            result.update(self._write_diagnosis(args['diagnosis']))
        if args.get('fail_msg'):
            result.update(failed=True, msg=self._words.known(str(args['fail_msg'])))
        return result

    def _record(self, record: Result, stops: bool) -> Result:
        """Pass a record on to programs, to the end of the run and, as a line, to people.

        After a failure that stops, the rescue section passes it on.
        """
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _outcome

        host = str(self._vars['inventory_hostname'])
        data = results.of_record(results.name_of(self._vars), host, record)
        passed = {**self._kept(), **results.passed_on(data)}
        passed['records'] = as_data([*passed['records'], {**record, 'host': host}])
        if record['failed']:
            reason = self._words.known(record['reason'])
            return {'failed': True, 'msg': reason} if stops else {**passed, 'msg': reason}
        line = _outcome.line(record, host, self._words)
        _lines.show([line])
        return {**passed, 'msg': line}

    def _kept(self) -> Result:
        """The run, and its records of this host so far. They are registered, so no later task has to keep them."""
        plan = (self._vars.get('anqicms__shown') or {}).get('run') or {}
        of = {key: plan.get(key) for key in ('play', 'verb')}
        earlier = self._vars.get('anqicms__reported') or {}
        return {'of': of, 'records': earlier.get('records') or [] if earlier.get('of') == of else []}

    def _start_batch(self, verb: str) -> Result:
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import of_tasks

        return of_tasks.start_batch(self._vars, self._templar, verb)

    def _close(self, verb: str) -> Result:
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import of_tasks

        return of_tasks.close(self._vars, self._templar, verb)

    def _write_diagnosis(self, records: list[t.Any]) -> Result:
        """The same report as that of a run. Here it is all that the task is for, so it fails without it."""
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import diagnosis_view
        from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import report

        target, zone = (self._option(name) for name in ('report', 'time_zone'))
        refusal = report.refusal(target)
        if refusal or not target:
            return {'failed': bool(refusal), 'msg': self._words.known(refusal)}
        document = diagnosis_view.document(str(self._task.args['run_id']), records, time.time())
        written = report.attempt(document, target, self._words, zone)
        _lines.show([written.line] if written.ok else [])
        data = report.artifacts(document, self._words, zone) if target == report.ARTIFACTS else {}
        return {'failed': not written.ok, 'msg': written.line, **(results.passed_on(data) if data else {})}

    def _option(self, name: str) -> t.Any:
        return _options.value_of(f'anqicms_{name}', self._templar.template(self._vars.get(f'anqicms_{name}')))
