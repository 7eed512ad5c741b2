# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the Molecule scenarios in extensions/molecule, by 'molecule test --all'.

Usage: molecule_scenarios.py [SCENARIO]    One of them instead of all.
Scenarios whose hosts are containers are left out, by name and with the reason, where podman cannot run them.
"""

import subprocess
import sys
import typing as t
from pathlib import Path

import paths
import venvs

SCENARIOS = paths.ROOT / "extensions" / "molecule"


def all_scenarios() -> t.List[str]:
    return sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml"))


def in_containers(scenario: str) -> bool:
    return "\n    container: " in (SCENARIOS / scenario / "molecule.yml").read_text(encoding="utf-8")


def why_no_containers(bin_dir: Path, env: t.Mapping[str, str]) -> str:
    """Why podman cannot run the hosts here; empty if it can."""
    argv = [str(bin_dir / "python"), str(paths.ROOT / "tests" / "fleet" / "managed.py"), "containers"]
    done = subprocess.run(argv, env=dict(env), stdout=subprocess.PIPE, check=False)
    return done.stdout.decode(errors="replace").strip() or ("it failed" if done.returncode else "")


def command(names: t.Sequence[str], left_out: t.Collection[str]) -> t.List[str]:
    """The command line of Molecule for these scenarios, or for all."""
    if names:
        return ["molecule", "test", *(part for name in names for part in ("--scenario-name", name))]
    return ["molecule", "test", "--all", "--report", *(part for name in left_out for part in ("--exclude", name))]


def run(names: t.Sequence[str], output: t.Optional[t.IO[bytes]] = None) -> t.Tuple[int, t.List[str]]:
    """The exit status of Molecule, and the reasons for what was left out. Raise Missing without a Python for it."""
    bin_dir = venvs.ensure("molecule")
    env = dict(paths.private_env([bin_dir]), MOLECULE_COMMAND_BORDERS="false")
    contained = [name for name in names or all_scenarios() if in_containers(name)]
    refused = why_no_containers(bin_dir, env) if contained else ""
    left_out = contained if refused else []
    wanted = [name for name in names if name not in left_out]
    reasons = ["SKIPPED: scenario %s: %s" % (name, refused) for name in left_out]
    for reason in reasons:
        print(reason, flush=True)
    if names and not wanted:
        return 0, reasons
    done = subprocess.run(command(wanted, left_out), env=env, cwd=paths.ROOT, stdout=output, stderr=output, check=False)
    return done.returncode, reasons


def main(names: t.Sequence[str]) -> int:
    unknown = sorted(set(names) - set(all_scenarios()))
    if unknown:
        print(
            "There is no scenario %s. The scenarios are %s." % (unknown[0], ", ".join(all_scenarios())), file=sys.stderr
        )
        return 2
    return run(names)[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
