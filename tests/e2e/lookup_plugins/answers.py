# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection's lookup makes of each answer for each variable, within a running playbook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase

PREFIX = "answer_"


class LookupModule(LookupBase):  # type: ignore[misc]
    """Terms: the file for the results, and the names of the variables. Answers are the variables answer_N."""

    def run(self, terms: list[str], variables: Any = None, **_kwargs: Any) -> list[int]:
        path, *names = terms
        option = lookup_loader.get("anqicms.lifecycle.option", loader=self._loader, templar=self._templar)
        answers = [key for key in variables if str(key).startswith(PREFIX)]
        rows = [[str(answer), name, *_outcome(option, name, variables[answer])] for answer in answers for name in names]
        Path(path).write_text(json.dumps(rows, default=str))
        return [len(rows)]


def _outcome(option: Any, name: str, value: Any) -> tuple[str, Any]:
    try:
        return "value", option.run([name], {name: value})[0]
    except AnsibleError as error:
        return "refused", str(error)
