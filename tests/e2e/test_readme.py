# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first commands that README gives a stranger work as they stand there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import paths
import pytest
from e2e.bed import Bed, Host
from e2e.conftest import laid_out
from e2e.playing import PATIENCE_S, Player, Run


def blocks_of(heading: str, language: str) -> list[str]:
    """The code blocks of one section of README."""
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def reach(bed: Bed, host: Host, directory: Path) -> None:
    """How Ansible reaches web1.example here, beside the inventory of README and not in it."""
    beside = directory / "host_vars" / "web1.example.json"
    beside.parent.mkdir()
    beside.write_text(
        json.dumps(
            {
                "ansible_host": host.address,
                "ansible_user": "root",
                "ansible_ssh_common_args": " ".join(bed.ssh_options()),
            }
        )
    )


def pattern(line: str) -> re.Pattern[str]:
    """A row of a table like this one, with other numbers, another hash and other widths."""
    words = [re.sub(r"\b[0-9a-f]{8}\b|\b\d+\b", "[0-9a-f]+", re.escape(word)) for word in line.split()]
    return re.compile(" +".join(words))


def execute(player: Player, line: str) -> Run:
    """A line of README, in the directory of the inventory."""
    argv = [*player.prefix, *shlex.split(line, comments=True)]
    done = subprocess.run(
        argv,
        env=player.env,
        cwd=player.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_S,
        check=False,
    )
    return Run(done.returncode, done.stdout.decode(errors="replace"))


@pytest.mark.root
def test_one_server_in_three_commands(bed: Bed, remote: Player) -> None:
    (inventory,) = blocks_of("One server in three commands", "yaml")
    (commands,) = blocks_of("One server in three commands", "console")
    discover, plan, restart = (line.removeprefix("$ ") for line in commands.splitlines())
    (remote.directory / "inventory.yml").write_text(inventory)
    host = bed.add()
    reach(bed, host, remote.directory)
    with laid_out(host, name="wwwroot/shop.example") as site:
        before = site.start()
        found = execute(remote, discover)
        assert found.status == 0 and f"dir: {site.dir}" in found.output, found.output
        planned = execute(remote, plan)
        assert planned.status == 0 and f"-running, pid {before}" in planned.output, planned.output
        assert site.pid == before
        done = execute(remote, restart)
        assert done.status == 0 and done.outcomes == {"web1.example": ["done"]}, done.output
        assert site.pid not in (0, before) and site.answers()
        (table,) = blocks_of("A fleet", "text")
        (row,) = [line for line in table.splitlines() if line.startswith("web1.example ")]
        assert pattern(row).search(done.output), done.output
        assert f"  pid {before} -> {site.pid}  " in done.output
