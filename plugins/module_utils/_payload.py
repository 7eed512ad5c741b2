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
import zipimport

_PREFIX = __name__.rpartition('.')[0] + '.'
Read = t.Callable[[], bytes]
Compile = t.Callable[[str, Read], types.CodeType]


def plainly(path: str, read: Read) -> types.CodeType:
    return compile(read(), path, 'exec', dont_inherit=True)


class PayloadLoader(importlib.abc.InspectLoader):
    """Runs one file of the payload."""

    def __init__(self, path: str, read: Read, compiled: Compile) -> None:
        self.path, self.read, self.compiled = path, read, compiled

    def get_source(self, fullname: str) -> str:
        return self.read().decode('utf-8')

    def exec_module(self, module: types.ModuleType) -> None:
        exec(self.compiled(self.path, self.read), module.__dict__)  # noqa: S102


class PayloadFinder(importlib.abc.MetaPathFinder):
    """Finds the files beside this one in the zip file that this one came from. ``has``: whether a file is in it."""

    def __init__(
        self,
        get_data: t.Callable[[str], bytes],
        directory: str,
        compiled: Compile = plainly,
        has: t.Optional[t.Callable[[str], bool]] = None,
    ) -> None:
        self.get_data, self.directory, self.compiled = get_data, directory, compiled
        self.has = has or self._is_readable

    def _is_readable(self, file: str) -> bool:
        try:
            self.get_data(file)
        except OSError:
            return False
        return True

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
        if not self.has(file):
            return None
        loader = PayloadLoader(file, lambda: self.get_data(file), self.compiled)
        spec = importlib.machinery.ModuleSpec(fullname, loader, origin=file, is_package=is_package)
        spec.has_location = True
        return spec


def archive() -> t.Tuple[str, t.Optional[bytes]]:
    """Where this code is imported from, for ``sys.path``, and the bytes of that file; None where it is a directory.

    OSError when it is gone: it is deleted when the module returns.
    """
    loader: t.Any = globals().get('__loader__')
    path = getattr(loader, 'archive', None)
    if path is None:
        return os.path.abspath(os.path.join(__file__, *['..'] * 6)), None
    with open(path, 'rb') as stream:
        return path, stream.read()


def _marks(loader: t.Any) -> t.Dict[str, t.Tuple[int, int]]:
    """Size and checksum of each file, as the directory of the zip file has them: nothing is unpacked for that."""
    rows = zipimport._zip_directory_cache.get(loader.archive) or {}  # type: ignore[attr-defined]
    return {path: (row[3], row[7]) for path, row in rows.items() if row is not None}


def install() -> t.Callable[[bool], None]:
    """Nothing where the code lies in ordinary files: Python keeps those compiled.

    Returns what is to be called when all is imported, with whether what had to be compiled is kept for the next call.
    """
    loader: t.Any = globals().get('__loader__')
    marks = _marks(loader) if type(loader).__name__ == 'zipimporter' else {}
    if not marks:
        return lambda keep: None
    gc.disable()  # nothing that is imported becomes garbage, and looking for it takes a twentieth of the time
    directory = __file__.rpartition('/')[0]
    from ansible_collections.anqicms.lifecycle.plugins.module_utils._ansible import code_cache

    cache = code_cache.load()
    shown = len(directory.rpartition('ansible_collections/')[0])  # the zip file lies elsewhere in each call

    def code_of(path: str, read: Read) -> types.CodeType:
        return cache.code_of(path[shown:], marks[path[shown:]], read)

    sys.meta_path.insert(0, PayloadFinder(loader.get_data, directory, code_of, lambda path: path[shown:] in marks))

    def imported(keep: bool) -> None:
        gc.enable()
        if keep:
            code_cache.keep(cache)

    return imported
