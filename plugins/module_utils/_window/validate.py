# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Check the options of every step with the specification of its own module, before anything is touched."""

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.kinds import OF_CHANGES
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import hidden
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host.secrets import MASK
from ansible_collections.anqicms.lifecycle.plugins.module_utils._steps.table import STEPS

Validated = t.Tuple[str, t.Dict[str, t.Any]]


def split_step(step: t.Mapping[str, t.Any]) -> t.Tuple[str, t.Dict[str, t.Any]]:
    """Name and options of one entry of ``steps``. ValueError says what is wrong with it."""
    if len(step) != 1:
        names = ', '.join(sorted(map(str, step))) or 'none'
        raise ValueError('exactly one key is expected, the name of the step; got %s' % names)
    ((name, params),) = step.items()
    if name not in STEPS:
        raise ValueError('unknown step %s; known steps: %s' % (name, ', '.join(sorted(set(STEPS).union(OF_CHANGES)))))
    if params is not None and not isinstance(params, dict):
        raise ValueError('%s: a dictionary of options is expected, got %s' % (name, type(params).__name__))
    return name, params or {}


def shown_step(step: t.Any) -> t.Any:
    """One entry of ``steps`` as it is shown: what is secret, or not known, is masked."""
    if not isinstance(step, dict):
        return MASK
    return {
        name: hidden.options(STEPS[name].spec, params)
        if name in STEPS and isinstance(params, dict)
        else params and MASK
        for name, params in step.items()
    }


def _options(name: str, params: t.Dict[str, t.Any], secrets: t.Set[str]) -> t.Tuple[t.Dict[str, t.Any], t.List[str]]:
    spec = STEPS[name].spec
    result = ArgumentSpecValidator(spec).validate(params)
    # As given, a dictionary may have been one text.
    secrets.update(result._no_log_values - hidden.ordinary_of(result.validated_parameters))
    secrets.update(hidden.values_of(spec, result.validated_parameters))
    errors = [error.msg for error in result.errors if not isinstance(error, UnsupportedError)]
    unknown = sorted(str(key) for key in params if key not in spec)
    if unknown:
        errors.append('unknown option %s; known options: %s' % (', '.join(unknown), ', '.join(sorted(spec)) or 'none'))
    valid = result.validated_parameters
    errors += [
        '%s must not be negative, got %g' % (key, value)
        for key, value in sorted(valid.items())
        if isinstance(value, float) and value < 0
    ]
    return valid, errors


def validate(steps: t.Sequence[t.Mapping[str, t.Any]], secrets: t.Set[str]) -> t.List[Validated]:
    """The steps with defaults filled in. ``secrets`` takes in the values that must not be shown.

    LifecycleError names everything that is wrong.
    """
    valid: t.List[Validated] = []
    wrong: t.List[str] = []
    for index, step in enumerate(steps, 1):
        try:
            name, given = split_step(step)
        except ValueError as exc:
            wrong.append('steps[%d]: %s' % (index, exc))
            continue
        options, errors = _options(name, given, secrets)
        wrong += ['steps[%d] (%s): %s' % (index, name, error) for error in errors]
        valid.append((name, options))
    if wrong:
        raise LifecycleError('%s. Nothing was done.' % '; '.join(wrong), errors=wrong)
    return valid
