# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module as Ansible sends it keeps its compiled code in the caller's home, and check mode keeps nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import paths


def kept(tmp_path: Path) -> Path:
    return tmp_path / ".cache" / "anqicms-lifecycle" / f"code.{sys.implementation.cache_tag}"


def look(tmp_path: Path, *flags: str) -> dict[str, object]:
    env = dict(
        os.environ,
        ANSIBLE_COLLECTIONS_PATH=str(paths.link_tree()),
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
        ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"),
        ANSIBLE_REMOTE_TEMP=str(tmp_path / "remote"),
        HOME=str(tmp_path),
    )
    options = {"dir": str(tmp_path / "none"), "state_dir": str(tmp_path / "state")}
    argv = [
        str(Path(sys.executable).parent / "ansible"),
        "localhost",
        "-c",
        "local",
        "-i",
        "localhost,",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-m",
        "anqicms.lifecycle.graceful_stop",
        "-a",
        json.dumps(options),
        *flags,
    ]
    output = subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=False).stdout.decode()
    return dict(json.loads(output[output.index("=> {") + 3 :]))


def test_the_code_of_a_module_is_kept_and_used_again(tmp_path: Path) -> None:
    first = look(tmp_path)
    assert "none" in str(first["msg"]), first
    file = kept(tmp_path)
    before = file.stat()
    assert before.st_mode & 0o777 == 0o600 and before.st_size > 100_000
    assert look(tmp_path)["msg"] == first["msg"]
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_damaged_code_is_not_run(tmp_path: Path) -> None:
    first = look(tmp_path)
    file = kept(tmp_path)
    whole = file.read_bytes()
    damaged = whole[:200] + b"\xff" * 50 + whole[250:]
    file.write_bytes(damaged)
    assert look(tmp_path)["msg"] == first["msg"]
    assert file.read_bytes() != damaged


def test_check_mode_keeps_nothing(tmp_path: Path) -> None:
    look(tmp_path, "--check")
    assert not kept(tmp_path).exists()
