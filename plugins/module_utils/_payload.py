# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Compile each file of a module's payload once: not twice in a call, and not again in the next call.

Ansible sends a module and all that it imports as a zip file, and Python's zipimport compiles every file of it twice: to
tell its name, and to run it. That is a fifth of a second of processor time in every call of a module.
"""

import gc
import importlib.abc
import importlib.machinery
import os
import sys
import types
import typing as t

_PREFIX = __name__.rpartition('.')[0] + '.'
Compile = t.Callable[[str, bytes], types.CodeType]


def plainly(path: str, source: bytes) -> types.CodeType:
    return compile(source, path, 'exec', dont_inherit=True)


class PayloadLoader(importlib.abc.InspectLoader):
    """Runs one file of the payload."""

    def __init__(self, path: str, data: bytes, compiled: Compile) -> None:
        self.path, self.data, self.compiled = path, data, compiled

    def get_source(self, fullname: str) -> str:
        return self.data.decode('utf-8')

    def exec_module(self, module: types.ModuleType) -> None:
        exec(self.compiled(self.path, self.data), module.__dict__)  # noqa: S102


class PayloadFinder(importlib.abc.MetaPathFinder):
    """Finds the files beside this one in the zip file that this one came from."""

    def __init__(self, get_data: t.Callable[[str], bytes], directory: str, compiled: Compile = plainly) -> None:
        self.get_data, self.directory, self.compiled = get_data, directory, compiled

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
            fullname, PayloadLoader(file, data, self.compiled), origin=file, is_package=is_package)
        spec.has_location = True
        return spec


def archive() -> t.Tuple[str, t.Optional[bytes]]:
    """Where this code is imported from, for ``sys.path``, and the bytes of that file; None where it is a directory.

    OSError when it is gone: it is deleted when the module returns.
    """
    loader = globals().get('__loader__')  # type: t.Any
    path = getattr(loader, 'archive', None)
    if path is None:
        return os.path.abspath(os.path.join(__file__, *['..'] * 6)), None
    with open(path, 'rb') as stream:
        return path, stream.read()


def install() -> t.Callable[[bool], None]:
    """Nothing where the code lies in ordinary files: Python keeps those compiled.

    Returns what is to be called when all is imported, with whether what had to be compiled is kept for the next call.
    """
    loader = globals().get('__loader__')  # type: t.Any
    if type(loader).__name__ != 'zipimporter':
        return lambda keep: None
    gc.disable()  # nothing that is imported becomes garbage, and looking for it takes a twentieth of the time
    directory = __file__.rpartition('/')[0]
    from ansible_collections.anqicms.lifecycle.plugins.module_utils import _code_cache

    cache = _code_cache.load()
    shown = len(directory.rpartition('ansible_collections/')[0])  # the zip file lies elsewhere in each call
    finder = PayloadFinder(loader.get_data, directory, lambda path, source: cache.code_of(path[shown:], source))
    sys.meta_path.insert(0, finder)

    def imported(keep: bool) -> None:
        gc.enable()
        if keep:
            _code_cache.keep(cache)

    return imported
