# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event source for ansible-rulebook: an AnQiCMS instance has died, and why.

It starts a watcher on the host, through ``shell`` or beside itself, and reads what that writes: lines of JSON. The
watcher is the collection's own code for hosts, sent along; nothing has to be installed there but Python.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import json
import logging
import math
import os
import re
import shlex
import signal
import sys
import typing as t
import zlib
from pathlib import Path

DOCUMENTATION = r"""
short_description: Emit an event for each death of an AnQiCMS instance, with its cause
description:
  - Watches the processes of the instances on one host, and the log of its kernel. When a process ends, the source waits
    two seconds, determines the cause like M(anqicms.lifecycle.oom_check) does, and emits one event.
  - The source reports only deaths of processes that it has seen running. Only the kernel and services of root can
    report a kill. A line that another user writes to a log never results in an event.
  - Processes that a task, a window, or a playbook of this collection stops are reported as V(admin_stop) or
    V(admin_kill).
  - The source records in O(state_file) what it has reported, so that a restart of the source neither repeats nor loses
    an event.
options:
  host:
    description:
      - Name of the host in the inventory. It is used as C(host) and C(meta.hosts) of each event. C(meta.hosts) limits a
        playbook that a rule runs to this host.
    type: str
    required: true
  shell:
    description:
      - The command that runs a command line on the host, as a list of words. The command line is appended as the last
        argument.
      - Without this option, the source watches the host that ansible-rulebook runs on.
    type: list
    elements: str
  python:
    description: The Python of the host, 3.6 or newer. Without O(shell), the default is the Python of ansible-rulebook.
    type: str
    default: python3
  instances:
    description:
      - The instances to watch, as a list of dictionaries with C(dir) and optionally C(binary), C(port), and C(user), as
        in C(anqicms_instances) of the playbooks.
      - By default, the source watches all instances that are found on the host. It searches for them once a minute.
    type: list
    elements: dict
  state_dir:
    description: Directory on the host for records, like the option C(state_dir) of the modules.
    type: str
  state_file:
    description:
      - File on the host of ansible-rulebook that records the reported events. Each watched host needs a separate file.
        The directory of the file is created with access for its owner only.
      - The default is C(anqicms-lifecycle/events/HOST.json) below C($XDG_STATE_HOME), or below C(~/.local/state).
    type: str
notes:
  - Most of what the source reads requires root on the host, for example with C(sudo -n) as part of O(shell).
  - The fields of an event are described in C(docs/event-source.md).
"""

EXAMPLES = r"""
- anqicms.lifecycle.process_death:
    host: web1.example
    shell: [ssh, -o, BatchMode=yes, -o, ServerAliveInterval=15, root@web1.example]

- anqicms.lifecycle.process_death:
    host: localhost
    instances:
      - dir: /www/wwwroot/shop.example
"""

LOGGER = logging.getLogger("anqicms.lifecycle.process_death")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
INSTANCE = re.compile(r"[0-9a-f]{8}-[A-Za-z0-9._-]{1,40}")
OPTIONS = {"host", "shell", "python", "instances", "state_dir", "state_file"}
HOUR = 3600.0
SILENCE = 90.0  # seconds without a word of the watcher, which says something every 20
LONGEST_PAUSE = 60.0
GRACE = 3.0  # seconds for a watcher to end by itself
MOST_LINE = 1 << 20  # bytes; an event has 20 lines of evidence, cut to 500 characters each
MOST_TOLD = 1000  # characters of what is remembered of a death
KEPT = 2000  # deaths of one instance that are remembered
KEPT_S = 2 * 86400.0
MOST_INSTANCES = 500  # of one host that are remembered
MOST_DIGITS = 300  # of a number: no float holds a longer one
PACE = 0.02  # seconds for a line at least: a host that floods waits, and nothing is lost
NOT_COUNTED = ("admin_stop", "admin_kill")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

# What the host's Python runs: the files of the watcher come in one line, and are imported from memory.
BOOT = (
    "import base64,json,sys,zlib;"
    "sent=json.loads(zlib.decompress(base64.b64decode(sys.stdin.readline())).decode());"
    "exec(sent['loader'])"
)
LOADER = """\
import types
package = 'ansible_collections.anqicms.lifecycle.plugins.module_utils'
words = package.split('.')
for count in range(1, len(words) + 1):
    module = types.ModuleType('.'.join(words[:count]))
    module.__path__ = []
    sys.modules[module.__name__] = module
def source(path):
    try:
        return sent['files'][path].encode()
    except KeyError:
        raise OSError(path)
payload = types.ModuleType(package + '._payload')
exec(compile(sent['files']['module_utils/_payload.py'], 'module_utils/_payload.py', 'exec'), payload.__dict__)
sys.meta_path.insert(0, payload.PayloadFinder(source, 'module_utils'))
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import watch
watch.main(sent['settings'])
"""

Row = dict[str, t.Any]


class Queue(t.Protocol):
    """What ansible-rulebook gives a source to put events into."""

    async def put(self, item: Row) -> None:
        """Put one event."""


# --- options


class Options(t.NamedTuple):
    """The checked options of a source."""

    host: str
    shell: list[str]
    python: str
    settings: Row
    state_file: Path


def checked(args: t.Mapping[str, t.Any]) -> Options:
    """The options. ValueError says which one is wrong."""
    unknown = sorted(name for name in args if name not in OPTIONS and not name.startswith("eda_"))
    if unknown:
        raise ValueError(f"process_death has no option {', '.join(unknown)}. Known are {', '.join(sorted(OPTIONS))}.")
    host = args.get("host")
    if not isinstance(host, str) or not HOST.fullmatch(host):
        raise ValueError(f"host must be one name of the inventory, of letters, digits, '.', '_' and '-', got {host!r}.")
    shell = _words(args.get("shell"))
    settings = {"instances": _instances(args.get("instances")), "state_dir": args.get("state_dir")}
    python = args.get("python") or ("python3" if shell else sys.executable)
    return Options(host, shell, str(python), settings, Path(args.get("state_file") or default_state_file(host)))


def _words(value: t.Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ValueError(f"shell must be a list of words such as [ssh, root@web1.example], got {value!r}.")
    return list(value)


def _instances(value: t.Any) -> list[Row]:
    if value is None:
        return []
    rows = value if isinstance(value, list) else [value]
    for row in rows:
        if not isinstance(row, dict) or not os.path.isabs(str(row.get("dir", ""))) or not _is_port(row.get("port")):
            raise ValueError(f"instances must be a list of dicts with 'dir', a full path, got {row!r}.")
    return [{key: row.get(key) for key in ("dir", "binary", "port", "user")} for row in rows]


def _is_port(value: t.Any) -> bool:
    return value is None or (isinstance(value, int) and 0 < value < 65536)


def default_state_file(host: str) -> Path:
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base, "anqicms-lifecycle", "events", host + ".json")


# --- memory


def decoded(text: bytes | str) -> t.Any:
    """JSON of a host. ValueError for all that could not be worked on or stored again."""
    try:
        return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_number)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _number(text: str) -> float:
    value = float(text) if len(text) <= MOST_DIGITS else math.inf
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a number")
    return int(text) if text.lstrip("-").isdigit() else value


class Memory:
    """What was told and seen, over restarts. One source at a time has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.instances: dict[str, Row] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise RuntimeError(
                f"Reported deaths cannot be recorded in {path}: {error.strerror}. Set state_file to a writable path."
            ) from None
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.lock)
            raise RuntimeError(
                f"{path} is used by another process_death source. Watch each host once, or give each source its own "
                "state_file."
            ) from None
        self._load()

    def _load(self) -> None:
        try:
            stored = decoded(self.path.read_text(encoding="utf-8"))
            self.instances = {id_: dict(row) for id_, row in stored["instances"].items() if INSTANCE.fullmatch(id_)}
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            LOGGER.warning("%s is damaged and is created again. Earlier deaths are not reported.", self.path)

    def known(self) -> Row:
        return self.instances

    def told(self, instance: str, entry: list[t.Any]) -> int:
        """Remember a death. Return how many the hour had that ends with it, without those that somebody wanted."""
        self._make_room_for(instance)
        row = self.instances.setdefault(instance, {})
        epoch = float(entry[1])
        row["told"] = [one for one in row.get("told", []) if one[1] > epoch - KEPT_S][-KEPT:] + [entry]
        return sum(1 for one in row["told"] if epoch - HOUR < one[1] <= epoch and one[2] not in NOT_COUNTED)

    def _make_room_for(self, instance: str) -> None:
        """A death is always remembered: the place is that of the one whose last death is the longest ago."""
        if instance in self.instances:
            return
        while len(self.instances) >= MOST_INSTANCES:
            del self.instances[min(self.instances, key=self._last_death)]

    def _last_death(self, instance: str) -> float:
        told = self.instances[instance].get("told")
        return float(told[-1][1]) if told else -math.inf

    def state(self, instances: t.Mapping[str, t.Any]) -> None:
        """Take over what the watcher says of its instances; of more than a host has, only those known before."""
        for id_, row in instances.items():
            is_one = INSTANCE.fullmatch(id_) and (id_ in self.instances or len(self.instances) < MOST_INSTANCES)
            if is_one and isinstance(row, dict):
                kept = {key: harmless(row.get(key), 1) for key in ("dir", "binary", "began", "checked", "seen")}
                self.instances[id_] = {**self.instances.get(id_, {}), **kept}

    def save(self) -> None:
        """A full disk does not end the watch; what was told may be told again after a restart."""
        try:
            self._write()
        except OSError as error:
            LOGGER.warning("%s cannot be written: %s. Free space there.", self.path, error.strerror)

    def _write(self) -> None:
        temporary = Path(f"{self.path}.tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as stream:
            json.dump({"instances": self.instances}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(self.path)

    def close(self) -> None:
        os.close(self.lock)


# --- what comes from the host is data


def harmless(value: t.Any, depth: int = 6) -> t.Any:
    """The same value with control characters escaped, cut where it is too long or too deep."""
    if isinstance(value, str):
        return CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", value[:2000])
    if isinstance(value, dict) and depth:
        return {harmless(str(key)): harmless(one, depth - 1) for key, one in list(value.items())[:100]}
    if isinstance(value, list) and depth:
        return [harmless(one, depth - 1) for one in value[:100]]
    return value if value is None or isinstance(value, (bool, int, float)) else "..."


def event_of(host: str, row: t.Mapping[str, t.Any], deaths: int) -> Row:
    """The event: fields of an incident of oom_check, and whose it is."""
    return {
        **harmless(row["incident"]),
        "host": host,
        "instance": row["instance"],
        "dir": harmless(row.get("dir")),
        "deaths_last_hour": deaths,
        "meta": {"hosts": host},
    }


def is_death(row: t.Mapping[str, t.Any]) -> bool:
    told = row.get("told")
    return (
        bool(INSTANCE.fullmatch(str(row.get("instance"))))
        and isinstance(row.get("incident"), dict)
        and isinstance(told, list)
        and len(told) == 4
        and isinstance(told[1], (int, float))
        and isinstance(told[2], str)
        and all(one is None or isinstance(one, (str, int, float)) for one in told)
        and len(json.dumps(told)) < MOST_TOLD
    )


# --- the watcher


def payload(settings: Row) -> bytes:
    """The line that the host's Python is sent. RuntimeError where the collection is not around this file."""
    directory = Path(__file__).resolve().parents[4] / "plugins" / "module_utils"
    files = {
        f"module_utils/{path.relative_to(directory).as_posix()}": path.read_text(encoding="utf-8")
        for path in directory.rglob("*.py")
    }
    if "module_utils/_death/watch.py" not in files:
        raise RuntimeError(
            f"{directory} does not hold the collection anqicms.lifecycle. Install the collection as a whole and use "
            "this source by its name, anqicms.lifecycle.process_death; a copy of the file alone does not work."
        )
    text = json.dumps({"loader": LOADER, "files": files, "settings": settings})
    return base64.b64encode(zlib.compress(text.encode())) + b"\n"


class Source:
    """One host: keeps a watcher running, and turns its lines into events."""

    def __init__(self, queue: Queue, options: Options, memory: Memory) -> None:
        self.queue, self.options, self.memory = queue, options, memory
        self.pause = 0.0

    def command(self) -> list[str]:
        python = [self.options.python, "-I", "-c", BOOT]
        return [*self.options.shell, shlex.join(python)] if self.options.shell else python

    async def run(self) -> None:
        """For ever: a host that cannot be reached now may be later."""
        while True:
            why = await self._watch()
            self.pause = min(LONGEST_PAUSE, max(1.0, self.pause * 2))
            LOGGER.warning("%s: %s. It is tried again in %d s.", self.options.host, why, self.pause)
            await asyncio.sleep(self.pause)

    async def _watch(self) -> str:
        """One run of the watcher. Return why it ended."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command(), stdin=pipe, stdout=pipe, stderr=pipe, limit=MOST_LINE, start_new_session=True
            )
        except OSError as error:
            return f"{self.command()[0]} cannot be run: {error.strerror}"
        errors = asyncio.create_task(_tail(process.stderr))
        try:
            why = await self._converse(process)
        finally:
            await _end(process)
        said = ""
        with contextlib.suppress(asyncio.TimeoutError):
            said = harmless(await asyncio.wait_for(errors, GRACE))
        return f"{why}: {said}" if said else why

    async def _converse(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdin is not None and process.stdout is not None  # both are pipes
        sending = asyncio.create_task(self._send(process.stdin))  # whoever does not listen may speak all the same
        try:
            while True:
                line = await asyncio.wait_for(process.stdout.readline(), SILENCE)
                if not line:
                    return "the watcher has ended"
                await self._take(line)
        except asyncio.TimeoutError:
            return f"the watcher was silent for {SILENCE:.0f} s"
        except (ValueError, ConnectionError) as error:
            return f"what the watcher sent cannot be read ({error})"
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, stdin: asyncio.StreamWriter) -> None:
        stdin.write(payload({**self.options.settings, "known": self.memory.known()}))
        await stdin.drain()

    async def _take(self, line: bytes) -> None:
        """One line of the watcher; one that is none of its own (a greeting of a login shell) is left out."""
        try:
            row = decoded(line)
        except ValueError:
            row = None
        await asyncio.sleep(PACE)
        what = row.get("what") if isinstance(row, dict) else None
        if what == "died" and is_death(row):
            await self._tell(row)
        elif what == "state" and isinstance(row.get("instances"), dict):
            self.memory.state(row["instances"])
            self.memory.save()
        elif what == "watching":
            self.pause = 0.0
            LOGGER.info("%s: watching %s", self.options.host, harmless(row.get("instances")))
        elif what in ("note", "refused"):
            LOGGER.warning("%s: %s", self.options.host, harmless(row.get("text")))

    async def _tell(self, row: Row) -> None:
        """Put the event, then note that it was told: what comes between is told again rather than lost."""
        deaths = self.memory.told(row["instance"], row["told"])
        event = event_of(self.options.host, row, deaths)
        LOGGER.info("%s: %s died: %s", self.options.host, row["instance"], event.get("cause"))
        await self.queue.put(event)
        self.memory.save()


async def _tail(stream: t.Optional[asyncio.StreamReader]) -> str:
    """The last line of what a program says, in bounded memory."""
    last = b""
    block = await stream.read(4096) if stream else b""
    while stream and block:
        last = (last + block)[-1000:]
        block = await stream.read(4096)
    return ([line.strip() for line in last.decode("utf-8", "replace").splitlines() if line.strip()] or [""])[-1]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its input, which ends it; then kill what is left of it and of what it has begun."""
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_tail(process.stdout), GRACE)  # it only counts as ended when all is read
        await asyncio.wait_for(process.wait(), GRACE)


async def main(queue: Queue, args: dict[str, t.Any]) -> None:
    """What ansible-rulebook calls."""
    options = checked(args)
    payload({})  # refuse now what can never work
    memory = Memory(options.state_file)
    try:
        await Source(queue, options, memory).run()
    finally:
        memory.close()


if __name__ == "__main__":
    # python process_death.py '{"host": "localhost"}': shows the events without ansible-rulebook
    class Shown:
        """A queue that prints."""

        async def put(self, item: Row) -> None:
            print(json.dumps(item), flush=True)

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(main(Shown(), json.loads(sys.argv[1])))
