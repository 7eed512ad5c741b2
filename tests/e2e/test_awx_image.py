# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-builder takes the definition of the image, with the archive of the collection beside it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import paths
import pytest
import venvs

DEFINITION = paths.ROOT / "extensions" / "awx" / "execution-environment.yml"


def test_the_context_of_the_image_is_written(tmp_path: Path) -> None:
    try:
        bin_dir = venvs.ensure("awx")
    except venvs.Missing as error:
        pytest.skip(str(error))
    env = {**paths.private_env([bin_dir]), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp")}

    def run(*argv: str) -> None:
        done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    shutil.copy(DEFINITION, tmp_path)
    run("ansible-galaxy", "collection", "build", "--output-path", str(tmp_path), str(paths.ROOT))
    run("ansible-builder", "create", "--file", DEFINITION.name, "--context", "context")
    context = tmp_path / "context" / "_build"
    assert len(list((context / "collections").glob("anqicms-lifecycle-*.tar.gz"))) == 1
    assert "sshpass" in (context / "bindep.txt").read_text()
    assert {"jmespath", "paramiko"} <= set((context / "requirements.txt").read_text().split())
    assert "ansible-core==2.19" in (tmp_path / "context" / "Containerfile").read_text()
