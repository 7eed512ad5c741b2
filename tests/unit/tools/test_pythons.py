# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interpreters count by what they answer, not by their names."""

import sys
from pathlib import Path

import pytest
import pythons


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_search_dirs_leave_out_shims_and_add_the_managed_ones(tmp_path: Path) -> None:
    managed = tmp_path / "versions" / "3.9.1" / "bin"
    managed.mkdir(parents=True)
    environ = {"PATH": "/somewhere/shims:/usr/bin::/usr/bin", "PYENV_ROOT": str(tmp_path), "HOME": "/nowhere"}
    assert pythons.search_dirs(environ) == ["/usr/bin", str(managed)]


def test_candidates_are_real_paths_each_once(tmp_path: Path) -> None:
    real = executable(tmp_path / "bin" / "python3.9", "#!/bin/sh\n")
    (tmp_path / "bin" / "python3").symlink_to("python3.9")
    executable(tmp_path / "bin" / "python3.9-config", "#!/bin/sh\n")
    (tmp_path / "bin" / "python3.10").write_text("not executable")
    assert pythons.candidates([str(tmp_path / "bin"), "/does/not/exist"]) == [str(real.resolve())]


@pytest.mark.parametrize(
    "text",
    ["#!/bin/sh\nexit 127\n", "#!/bin/sh\necho 'shim: command not found'\n", "not a program\n", "#!/bin/sh\n"],
)
def test_what_does_not_answer_is_no_interpreter(tmp_path: Path, text: str) -> None:
    assert pythons.probe(str(executable(tmp_path / "python3.9", text))) is None


def test_a_shim_is_known_by_the_version_that_it_starts(tmp_path: Path) -> None:
    real = Path(sys.executable).resolve()
    shim = executable(tmp_path / "bin" / "python3.6", '#!/bin/sh\nexec %s "$@"\n' % real)
    python = pythons.probe(str(shim))
    assert python is not None
    assert python.version == sys.version_info[:2]
    assert python.path != str(shim)


def test_newest_keeps_to_the_bounds() -> None:
    found = {(3, minor): pythons.Python("/p/3.%d" % minor, (3, minor, 0), None) for minor in (9, 10, 12, 13)}
    newest = pythons.newest(found, (3, 10), (3, 12))
    assert newest is not None
    assert newest.version == (3, 12)
    assert pythons.newest(found, (3, 14), (3, 15)) is None
