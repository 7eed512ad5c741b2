# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs stages of the tests one after another and ends with 'N passed, N failed, N skipped' over all of them.

Usage: stages.py STAGE...    Exit status 1 when anything failed. Logs and reports stay in .cache/results.
"""

import concurrent.futures
import os
import subprocess
import sys
import time
import traceback
import typing as t
from pathlib import Path

import paths
import pythons
import results
import sanity
import venvs

Stage = t.Callable[[], results.Counts]
# These only read the sources, or make what later stages need: they run beside those that run the collection.
BESIDE = ("lint", "sanity", "build", "environments")
# Up to so many failed tests on real processes are run once more, alone: more of them are no accident of a busy machine.
REPEATED = 3
# The directories of plugins that run on the hosts.
HOST_SIDE = ("modules", "module_utils")


def run(name: str, argv: t.Sequence[str], env: t.Mapping[str, str], cwd: Path = paths.ROOT) -> results.Counts:
    """One check by a command: passed if it ends well, else its whole output is shown."""
    began = time.monotonic()
    log = paths.RESULTS / (name + ".log")
    with log.open("wb") as output:
        done = subprocess.run(argv, env=dict(env), cwd=cwd, stdout=output, stderr=subprocess.STDOUT, check=False)
    failed = done.returncode != 0
    print("  %-6s %s (%.1f s)" % ("failed" if failed else "ok", name, time.monotonic() - began), flush=True)
    if failed:
        print("    " + " ".join(argv) + "\n" + log.read_text(errors="replace"), flush=True)
    return results.FAILED if failed else results.PASSED


def pytest(
    name: str,
    bin_dir: Path,
    arguments: t.Sequence[str],
    env: t.Mapping[str, str],
    output: t.Optional[t.IO[bytes]] = None,
) -> results.Counts:
    """One pytest run, its output shown as it comes, or in that file."""
    report = paths.RESULTS / (name + ".xml")
    report.unlink(missing_ok=True)
    argv = [str(bin_dir / "python"), "-m", "pytest", "-q", "--junitxml=%s" % report, *arguments]
    done = subprocess.run(argv, env=dict(env), cwd=paths.ROOT, stdout=output, stderr=output, check=False)
    return results.of_junit(report, done.returncode)


def lint() -> results.Counts:
    """Style, types, documentation, wording, changelog, licences and workflows."""
    bin_dir = venvs.ensure("dev")
    env = paths.private_env([bin_dir])
    checks = {
        "ruff": ["ruff", "check", "."],
        "format": ["ruff", "format", "--check", "."],
        "yamllint": ["yamllint", "--strict", "."],
        "ansible-lint": ["ansible-lint", "--offline", "--profile=production", "--strict"],
        "antsibull-docs": ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "."],
        "antsibull-changelog": ["antsibull-changelog", "lint"],
        "reuse": ["reuse", "lint"],
        "wording": ["python", str(paths.ROOT / "tests" / "tools" / "wording.py")],
    }
    counts = [_types(env), *(run(name, argv, env) for name, argv in checks.items()), *_workflows()]
    return results.total(counts)


def _workflows() -> t.List[results.Counts]:
    """What GitHub reads, by its schemas, and what is insecure in workflows."""
    env, github = paths.private_env([venvs.ensure("ci")]), paths.ROOT / ".github"
    files = {
        "github-workflows": (github / "workflows").glob("*.yml"),
        "github-issue-forms": (github / "ISSUE_TEMPLATE").glob("[!c]*.yml"),
        "github-issue-config": (github / "ISSUE_TEMPLATE").glob("config.yml"),
        "dependabot": github.glob("dependabot.yml"),
    }
    checks = {
        schema: ["check-jsonschema", "--builtin-schema=vendor." + schema, *map(str, found)]
        for schema, found in files.items()
    }
    config = "--config=%s" % (github / "zizmor.yml")
    checks["zizmor"] = ["zizmor", "--quiet", "--offline", "--no-progress", config, str(github)]
    checks["nox"] = ["nox", "--list"]
    return [run(name, argv, env) for name, argv in checks.items()]


def _types(env: t.Mapping[str, str]) -> results.Counts:
    """mypy: host-side code for the oldest Python that mypy knows, the rest for the oldest controller."""
    tests, tree = paths.ROOT / "tests", paths.link_tree()
    plugins = sorted(path.name for path in (paths.ROOT / "plugins").iterdir() if path.is_dir())
    checks: t.Dict[str, t.List[str]] = {"3.9": [], "3.10": []}
    for name in plugins:
        checks["3.9" if name in HOST_SIDE else "3.10"].append(str(paths.COLLECTION / "plugins" / name))
    checks["3.10"].append(str(paths.COLLECTION / "extensions"))
    mypy = ["mypy", "--config-file=%s" % (paths.ROOT / "pyproject.toml")]
    typed = dict(env, MYPYPATH=str(tree))
    counts = [
        run("mypy-plugins-" + python, [*mypy, "--python-version=" + python, *names], typed, tree)
        for python, names in checks.items()
    ]
    typed["MYPYPATH"] = ":".join(str(path) for path in (tree, tests / "tools", tests / "fleet", tests))
    return results.total([*counts, run("mypy-tests", [*mypy, "--python-version=3.10", "tests"], typed)])


def unit() -> results.Counts:
    """The unit tests on Python 3.6 to 3.13, all cases on oldest and newest; host-side code has no Ansible."""
    found = pythons.discover()
    ends = _ends(found)
    # Half of their time is waiting: as many Pythons at once as there are processors, the long runs first.
    longest_first = sorted(pythons.TARGETS, key=lambda version: version not in ends)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return results.total(pool.map(lambda version: _unit_on(version, found, version in ends), longest_first))


def quick() -> results.Counts:
    """The unit tests, and those of the documents, on the newest Python that is installed."""
    found = pythons.discover()
    newest = _ends(found)[-1:]
    if not newest:
        print("  SKIPPED: unit tests: no Python of the hosts is installed", flush=True)
        return results.SKIPPED
    return _unit_on(newest[0], found, True)


def _ends(found: t.Collection[pythons.Version]) -> t.List[pythons.Version]:
    """The oldest and the newest Python of the hosts that are installed here."""
    here = [version for version in pythons.TARGETS if version in found]
    return sorted({*here[:1], *here[-1:]})


def _unit_on(
    version: pythons.Version, found: t.Mapping[pythons.Version, pythons.Python], all_cases: bool
) -> results.Counts:
    name = "unit-%d.%d" % version
    try:
        bin_dir = venvs.ensure(name, found)
    except venvs.Missing as error:
        print("  SKIPPED: unit tests on Python %d.%d: %s" % (*version, error), flush=True)
        return results.SKIPPED
    log = paths.RESULTS / (name + ".log")
    with log.open("wb") as output:
        arguments = ["tests/unit"] if all_cases else ["--first-cases", "tests/unit"]
        counts = pytest(name, bin_dir, arguments, paths.private_env([bin_dir]), output)
    print("  Python %d.%d\n%s" % (*version, log.read_text(errors="replace")), flush=True)
    return counts


def integration() -> results.Counts:
    """Modules and module_utils against real processes and sockets."""
    return _with_ansible("integration", ["tests/integration"])


def e2e() -> results.Counts:
    """Whole playbooks on fleets, on every ansible-core that can be installed here."""
    return _with_ansible("e2e", ["tests/e2e"])


def soak() -> results.Counts:
    """What repeats for long, and new examples for the properties: not part of 'make test'."""
    return _with_ansible("soak", ["-m", "soak", "tests"]).plus(_search())


def _search() -> results.Counts:
    """The unit tests with many examples that nobody has seen before, on the oldest Python and the newest."""
    found = pythons.discover()
    counts = []
    for version in _ends(found):
        bin_dir = venvs.ensure("unit-%d.%d" % version, found)
        env = dict(paths.private_env([bin_dir]), HYPOTHESIS_SEARCH="1")
        counts.append(pytest("search-%d.%d" % version, bin_dir, ["-m", "hypothesis", "tests/unit"], env))
    return results.total(counts)


def in_processes() -> t.List[str]:
    """One process more than processors, at most four; most of a test's time is waiting. A file stays in one process."""
    count = min((os.cpu_count() or 1) + 1, 4)
    return ["-n", str(count), "--dist", "loadfile"] if count > 1 else []


def _with_ansible(name: str, arguments: t.Sequence[str]) -> results.Counts:
    arguments = ["-o", "cache_dir=%s" % (paths.CACHE / ("pytest-" + name)), *arguments]
    found = pythons.discover()
    skipped = [results.SKIPPED for core in venvs.CORES if not _core_made(core, found)]
    bin_dir = venvs.ensure("core-" + venvs.default_core(found), found)
    env = paths.private_env([bin_dir])
    counts = pytest(name, bin_dir, [*in_processes(), *arguments], env)
    if 1 <= counts.failed <= REPEATED:
        again = pytest(name + "-again", bin_dir, ["--last-failed", "--last-failed-no-failures=none", *arguments], env)
        counts = results.repeated(counts, again)
        print(
            "== UNSTEADY: %d of %s failed, and passed alone. That is a defect: of the test, or of what it tests"
            % (again.passed, name),
            flush=True,
        )
    return results.total([counts, *skipped])


def _core_made(core: str, found: t.Mapping[pythons.Version, pythons.Python]) -> bool:
    try:
        venvs.ensure("core-" + core, found)
    except venvs.Missing as error:
        print("  SKIPPED: ansible-core %s: %s" % (core, error), flush=True)
        return False
    return True


def build() -> results.Counts:
    """The collection as an archive, installed from it and found by each ansible-core, and taken by Galaxy."""
    found = pythons.discover()
    newest = venvs.ensure("core-" + venvs.newest_core(found), found)
    output = paths.CACHE / "build"
    galaxy = ["ansible-galaxy", "collection"]
    counts = run("build", [*galaxy, "build", "--force", "--output-path", str(output), "."], paths.private_env([newest]))
    archives = sorted(output.glob("*.tar.gz"))
    if counts != results.PASSED or len(archives) != 1:
        return counts.plus(results.FAILED)
    made = [core for core in venvs.CORES if _core_made(core, found)]
    return results.total([counts, *(_installed(core, archives[0], found) for core in made), _importable(found)])


def _installed(core: str, archive: Path, found: t.Mapping[pythons.Version, pythons.Python]) -> results.Counts:
    """Install from the archive into an empty place; all documentation must load from there."""
    bin_dir = venvs.ensure("core-" + core, found)
    target = paths.CACHE / "build" / core
    env = dict(paths.private_env([bin_dir]), ANSIBLE_COLLECTIONS_PATH=str(target))
    argv = ["ansible-galaxy", "collection", "install", "--offline", "--force", "-p", str(target), str(archive)]
    counts = run("install-" + core, argv, env, paths.CACHE)
    if counts == results.PASSED:
        dump = ["ansible-doc", "--metadata-dump", "anqicms.lifecycle"]
        counts = counts.plus(run("documented-" + core, dump, env, paths.CACHE))
    return counts


def _importable(found: t.Mapping[pythons.Version, pythons.Python]) -> results.Counts:
    bin_dir = venvs.ensure("galaxy", found)
    argv = [str(bin_dir / "python"), str(paths.ROOT / "tests" / "tools" / "galaxy.py")]
    return run("galaxy-importer", argv, paths.private_env([bin_dir]))


def environments() -> results.Counts:
    """What the end-to-end tests need and takes long to make. It counts for nothing: they make what is missing then."""
    for name in ("rulebook", "awx", "molecule"):
        try:
            venvs.ensure(name, pythons.discover())
        except venvs.Missing as error:
            print("  not made: %s" % error, flush=True)
    if os.geteuid() == 0:
        code = "from e2e import bed; bed.make_base()"
        search = os.pathsep.join(str(paths.ROOT / "tests" / name) for name in ("", "tools"))
        subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=search), check=False)
    return results.Counts()


STAGES: t.Dict[str, Stage] = {
    "lint": lint,
    "sanity": sanity.sanity,
    "unit": unit,
    "quick": quick,
    "integration": integration,
    "e2e": e2e,
    "build": build,
    "soak": soak,
    "environments": environments,
}


def run_stage(name: str) -> results.Counts:
    """One stage, announced and timed; a stage that breaks down is a failure and does not keep the next from running."""
    print("== %s: %s" % (name, (STAGES[name].__doc__ or "").splitlines()[0]), flush=True)
    began = time.monotonic()
    try:
        counts = STAGES[name]()
    except Exception:
        traceback.print_exc()
        counts = results.FAILED
    print("== %s: %s (%.0f s)" % (name, counts.line(), time.monotonic() - began), flush=True)
    return counts


class SideBySide:
    """Stages of a process of their own, its output kept until its end."""

    def __init__(self, names: t.Sequence[str]) -> None:
        self.names, self.log = names, paths.RESULTS / "beside.log"
        print("== %s run beside the others; their output follows those" % ", ".join(names), flush=True)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, __file__, *names], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def counts(self) -> t.Dict[str, results.Counts]:
        """Wait, show their output, return their counts; a stage that left none has failed."""
        self.process.wait()
        said = self.log.read_text(errors="replace")
        print(said.rpartition("\n\n")[0], flush=True)
        return {name: results.of_line(said, name) for name in self.names}


def run_all(names: t.Sequence[str]) -> t.Dict[str, results.Counts]:
    """All stages; those of BESIDE in a process beside the others where there are two processors."""
    aside = [name for name in BESIDE if name in names or (name == "environments" and "e2e" in names)]
    if not set(names) & set(BESIDE) or set(names) <= set(BESIDE) or (os.cpu_count() or 1) < 2:
        return {name: run_stage(name) for name in names}
    beside = SideBySide(aside)
    try:
        counts = {name: run_stage(name) for name in names if name not in aside}
    except BaseException:
        beside.process.terminate()
        raise
    return {**beside.counts(), **counts}


def main(names: t.Sequence[str]) -> int:
    paths.RESULTS.mkdir(parents=True, exist_ok=True)
    summary = paths.RESULTS / ("summary" if len(names) > len(BESIDE) else "summary-" + "-".join(names))
    summary.unlink(missing_ok=True)
    counts = run_all(names)
    everything = results.total(counts.values())
    print()
    for name, count in counts.items():
        print("%-12s %s" % (name, count.line()))
    summary.write_text(everything.line() + "\n")
    print(everything.line(), flush=True)
    return 1 if everything.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
