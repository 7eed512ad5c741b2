# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No file is too long to be read as a whole."""

from pathlib import Path

import paths
import pytest

MOST = {"plugins": 450, "extensions": 500, "tests": 500}


def too_long(root: Path) -> set[str]:
    """Files of more lines than their directory may have."""
    return {
        str(path.relative_to(root))
        for name, most in MOST.items()
        for path in (root / name).rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > most
    }


def test_no_file_is_too_long() -> None:
    assert not too_long(paths.ROOT)


@pytest.mark.parametrize(("name", "lines", "is_too_long"), [
    ("plugins/module_utils/a.py", 450, False), ("plugins/module_utils/a.py", 451, True),
    ("tests/unit/test_a.py", 500, False), ("tests/unit/test_a.py", 501, True),
])  # fmt: skip
def test_a_file_that_is_too_long_is_found(tmp_path: Path, name: str, lines: int, is_too_long: bool) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text("x\n" * lines)
    assert too_long(tmp_path) == ({name} if is_too_long else set())
