# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup release_manifest, and the module `release` as Ansible runs it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import paths
import pytest
from release_zips import NEW, OLD, USERS, lay_out, make_zip, snapshot

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: {python}
    common: &common
      dir: {shop}
      state_dir: {state}
      version: 3.5.8
  tasks:
    - anqicms.lifecycle.release:
        <<: *common
        state: staged
        manifest: "{{{{ lookup('anqicms.lifecycle.release_manifest', '{archive}', sha256='{digest}') }}}}"
        src: {place}/not-there-yet.zip
      check_mode: true
      diff: true
      register: planned
    - anqicms.lifecycle.release: {{<<: *common, state: staged, src: {archive}, sha256: {digest}}}
      register: staged
    - anqicms.lifecycle.release: {{<<: *common, state: switched}}
      register: switched
    - anqicms.lifecycle.release: {{<<: *common, state: switched}}
      register: again
    - anqicms.lifecycle.release: {{dir: {shop}, state_dir: {state}, state: reverted}}
      register: reverted
    - ansible.builtin.copy:
        dest: {place}/results.json
        content: "{{{{ results | to_json }}}}"
      vars:
        results: "{{{{ dict(planned=planned, staged=staged, switched=switched, again=again, reverted=reverted) }}}}"
"""


def play(place: Path, text: str) -> subprocess.CompletedProcess[str]:
    (place / "play.yml").write_text(text)
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(paths.link_tree()), HOME=str(place))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(place / "play.yml")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_by_ansible(place: Path) -> None:
    shop = lay_out(place / "shop", OLD, USERS)
    archive = make_zip(place / "new.zip", NEW)
    before = snapshot(shop)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    done = play(
        place,
        PLAY.format(
            python=sys.executable, shop=shop, state=place / "state", archive=archive, digest=digest, place=place
        ),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results: dict[str, Any] = json.loads((place / "results.json").read_text())
    assert {name: result["changed"] for name, result in results.items()} == {
        "planned": True,
        "staged": True,
        "switched": True,
        "again": False,
        "reverted": True,
    }
    assert results["planned"]["files"] == results["staged"]["files"] == results["switched"]["files"]
    assert "+anqicms  " in done.stdout and "-system/index.html  " in done.stdout
    assert snapshot(shop) == before


@pytest.mark.parametrize(("content", "digest", "said"), [
    (b"<html>", None, "not a zip archive"), (None, None, "cannot be read: No such file"),
    (b"<html>", "0" * 64, "its SHA-256 is"),
])  # fmt: skip
def test_refused(place: Path, content: bytes | None, digest: str | None, said: str) -> None:
    if content is not None:
        (place / "new.zip").write_bytes(content)
    more = f", sha256='{digest}'" if digest else ""
    value = f"{{{{ lookup('anqicms.lifecycle.release_manifest', '{place}/new.zip'{more}) }}}}"
    task = f"    - ansible.builtin.debug:\n        msg: \"{value}\"\n"
    done = play(place, "- hosts: localhost\n  gather_facts: false\n  tasks:\n" + task)
    assert done.returncode != 0 and said in done.stdout, done.stdout + done.stderr
