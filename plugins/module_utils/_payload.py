# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Compile each file of a module's payload once.

Ansible sends a module and all that it imports as a zip file, and Python's zipimport compiles every file of it twice: to
tell its name, and to run it. Half of that is a tenth of a second of processor time in every call of a module.
"""

import importlib.abc
import importlib.machinery
import sys
import types
import typing as t

_PREFIX = __name__.rpartition('.')[0] + '.'


class PayloadLoader(importlib.abc.InspectLoader):
    """Runs one file of the payload."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data

    def get_source(self, fullname: str) -> str:
        return self.data.decode('utf-8')

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self.data, self.path, 'exec', dont_inherit=True), module.__dict__)  # noqa: S102


class PayloadFinder(importlib.abc.MetaPathFinder):
    """Finds the files beside this one in the zip file that this one came from."""

    def __init__(self, get_data: t.Callable[[str], bytes], directory: str) -> None:
        self.get_data, self.directory = get_data, directory

    def find_spec(
        self,
        fullname: str,
        path: t.Optional[t.Sequence[t.Union[bytes, str]]],
        target: t.Optional[types.ModuleType] = None,
    ) -> t.Optional[importlib.machinery.ModuleSpec]:
        if not fullname.startswith(_PREFIX):
            return None
        place = '%s/%s' % (self.directory, fullname[len(_PREFIX) :].replace('.', '/'))
        return self._spec(fullname, place + '.py', False) or self._spec(fullname, place + '/__init__.py', True)

    def _spec(self, fullname: str, file: str, is_package: bool) -> t.Optional[importlib.machinery.ModuleSpec]:
        """The file as a module or a package; None where the payload does not have it."""
        try:
            data = self.get_data(file)
        except OSError:
            return None
        spec = importlib.machinery.ModuleSpec(
            fullname, PayloadLoader(file, data), origin=file, is_package=is_package)
        spec.has_location = True
        return spec


def install() -> None:
    """Nothing where the code lies in ordinary files: Python keeps those compiled."""
    loader = globals().get('__loader__')  # type: t.Any
    if type(loader).__name__ == 'zipimporter':
        sys.meta_path.insert(0, PayloadFinder(loader.get_data, __file__.rpartition('/')[0]))
