# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From exec to exit. The main thread owns the signals; everything that may wait runs in another thread."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Callable, NamedTuple

from standin import log
from standin.address import ListenError, answers, listen
from standin.behaviours import ABRUPT, BEHAVIOURS, OLD, Behaviour
from standin.config import ASKING, NO_PORT, Config, InvalidConfig, Knobs, Mysql, read, read_knobs, write
from standin.killing import kill_others
from standin.server import Handler, Server
from standin.settings import complete_file

_NAMES = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupt", signal.SIGHUP: "hangup", signal.SIGQUIT: "quit"}
_FATAL = {
    signal.SIGABRT: "SIGABRT: abort",
    signal.SIGSEGV: "SIGSEGV: segmentation violation",
    signal.SIGBUS: "SIGBUS: bus error",
    signal.SIGFPE: "SIGFPE: floating-point exception",
    signal.SIGILL: "SIGILL: illegal instruction",
}
_BOOTED, _RESTART = 200, 201  # events beside the signal numbers
_VERSION_MARK = b"\nanqicms stand-in "  # written by freeze.py
_END_BYTES = 4096


class Program(NamedTuple):
    """Where it runs and whom it plays."""

    exe: str
    root: str  # with a slash at the end, as in the first log line
    bundle: str  # the frozen program's own files
    behaviour: Behaviour
    knobs: Knobs
    config: Config
    port: int


class Application:
    """Events come through one pipe: signals, the end of the start, a wish to restart."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._events, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._server: Server | None = None
        self._booted = False
        self._handler: Handler | None = None
        self._opened = threading.Event()  # the port
        self._leaving = False  # an exit or a restart is under way: nobody reads further signals

    def run(self) -> None:
        """Does not return."""
        behaviour = self.program.behaviour
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        _catch(signal.SIGQUIT, *_FATAL)
        if behaviour.on_signal != OLD:
            _catch(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
            kill_others(behaviour.kill_at_start, self.program.exe, self.program.bundle)
        threading.Thread(target=self._boot, daemon=True).start()
        while True:
            for event in os.read(self._events, 64):
                self._on_event(event)

    def _on_event(self, event: int) -> None:
        if event == _BOOTED:
            self._on_booted()
        elif event == _RESTART:
            self._on_restart()
        elif event in _FATAL:
            log.signal_dump(_FATAL[signal.Signals(event)])
            os._exit(2)
        elif event in _NAMES:
            self._on_signal(signal.Signals(event))

    def _on_booted(self) -> None:
        self._booted = True
        if self._leaving:
            self._leave()
        else:
            self._serve()

    def _on_signal(self, number: signal.Signals) -> None:
        program = self.program
        if program.behaviour.on_signal == OLD:
            self._on_old_signal(number)
            return
        if self._leaving or program.knobs.ignore_sigterm:
            return
        self._leaving = True
        log.line(f"退出 {_NAMES[number]}")
        if self._booted:
            self._leave()

    def _on_old_signal(self, number: signal.Signals) -> None:
        if number == signal.SIGQUIT:
            log.signal_dump("SIGQUIT: quit")
            os._exit(2)
        if self._server and not self.program.knobs.ignore_sigterm:
            self._server.close_port()

    def _leave(self) -> None:
        log.line("监听到退出信号")
        threading.Thread(target=self._exit, daemon=True).start()

    def _exit(self) -> None:
        program = self.program
        if program.knobs.hang_on_shutdown:
            if self._server:
                self._server.close_port()
            return
        time.sleep(program.knobs.exit_delay_ms / 1000)
        if program.behaviour.on_signal != ABRUPT:
            if self._server:
                self._server.drain()
            self._close()
        os._exit(0)

    def _close(self) -> None:
        """What is still in memory is written, unless the process is cut; lost where there is no room for it."""
        close = getattr(self._handler, "close", None)
        if close:
            with suppress(OSError):
                close()

    def ask_restart(self) -> None:
        """After the answer to this request is sent."""
        threading.Timer(0.05, os.write, (self._wake, bytes([_RESTART]))).start()

    def _on_restart(self) -> None:
        """Same pid: shut down without a time limit, then exec itself."""
        if not self._leaving:
            self._leaving = True
            log.line("监听到路由更改")
            threading.Thread(target=self._restart, daemon=True).start()

    def _restart(self) -> None:
        if self._server:
            self._server.drain()
        self._close()
        log.line("进程结束，开始重启")
        os.execv(self.program.exe, sys.argv)

    def _boot(self) -> None:
        """What goes wrong there unforeseen, on a full disk for example, ends the program, as a panic of Go does."""
        try:
            self._start_up()
        except Exception:
            import traceback

            try:
                traceback.print_exc()
            finally:  # its log may be on that disk
                os._exit(2)

    def _start_up(self) -> None:
        """Database and migration; a signal that comes meanwhile waits for the end of this."""
        program = self.program
        if program.knobs.says:
            log.line(program.knobs.says)
        if program.knobs.log_before_port_ms or program.knobs.log_after_port_ms:
            threading.Thread(target=self._chatter, daemon=True).start()
        time.sleep(program.knobs.start_delay_ms / 1000)
        if program.knobs.exit_code >= 0:
            os._exit(program.knobs.exit_code)
        self._handler = self._install_or_sites()
        if program.knobs.hangs in (NO_PORT, ASKING):
            threading.Event().wait()
        os.write(self._wake, bytes([_BOOTED]))

    def _install_or_sites(self) -> Handler:
        program = self.program
        if not program.config.installed and not (program.knobs.no_database and program.config.raw):
            from standin.sites import install_answer

            return install_answer
        from standin.booting import boot_sites

        return boot_sites(program, self.ask_restart)

    def _chatter(self) -> None:
        """Lines in its log without end."""
        before, after = self.program.knobs.log_before_port_ms, self.program.knobs.log_after_port_ms
        while before and not self._opened.wait(before / 1000):
            log.stamped("still at it")
        self._opened.wait()
        while after:
            time.sleep(after / 1000)
            log.stamped("still at it")

    def _serve(self) -> None:
        program = self.program
        if program.behaviour.needs_locales and not _locales_present(program.root):
            log.stamped("languages err catalog: empty languages")
            os._exit(1)
        try:
            listener = listen(program.port)
        except ListenError as error:
            self._bind_lost(str(error))
        assert self._handler is not None
        ready = getattr(self._handler, "port_is_open", None)
        if ready:
            ready()
        self._server = Server(listener, self._handler, program.knobs.hangs)
        log.banner(program.behaviour, program.port)
        if program.behaviour.on_signal == OLD:
            _catch(signal.SIGTERM, signal.SIGINT)
        self._server.start()
        self._opened.set()
        self._afterwards()

    def _afterwards(self) -> None:
        knobs = self.program.knobs
        url = getattr(self._handler, "url", "") or f"http://127.0.0.1:{self.program.port}"
        _later(1.0, log.stamped, f"请手动在浏览器输入访问地址： {url}")
        if knobs.child:
            _spawn_child(self.program.root, knobs.child)
        if knobs.crash_after_ms:
            _later(knobs.crash_after_ms / 1000, _crash)

    def _bind_lost(self, text: str) -> None:
        behaviour = self.program.behaviour
        log.iris_error(behaviour, text)
        log.stamped(text)
        if behaviour.error_log:
            log.error_file(self.program.root, f"启动服务出错 {text}")
        os._exit(0)


def _later(seconds: float, call: Callable[..., None], *values: str) -> None:
    timer = threading.Timer(seconds, call, values)
    timer.daemon = True
    timer.start()


def _crash() -> None:
    log.crash("runtime error: index out of range [3] with length 3")
    os._exit(2)


def _catch(*numbers: signal.Signals) -> None:
    for number in numbers:
        signal.signal(number, lambda *_: None)  # the wakeup descriptor carries it to the loop


def _locales_present(root: str) -> bool:
    from standin.migration import locales_present

    return locales_present(root)


def _spawn_child(root: str, name: str) -> None:
    """A helper under source/ that lives on when this process ends and holds an upload open."""
    directory = os.path.join(root, "public", "uploads")
    os.makedirs(directory, exist_ok=True)
    opened = os.open(os.path.join(directory, "converting.webp"), os.O_WRONLY | os.O_CREAT, 0o644)
    os.posix_spawn(
        os.path.join(root, "source", name),
        ["sleep", "600"],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, opened, 1)],
    )
    os.close(opened)


def _flag_port(arguments: list[str]) -> int:
    """`-port N`, `-port=N`, one dash or two; 0 when it is not given."""
    port = 0
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).lstrip("-").partition("=")
        if name == "port" and not equals and rest:
            value = rest.pop(0)
        if name != "port" or not value.isdecimal():
            os.write(2, f"flag provided but not defined: -{name}\nUsage of {sys.argv[0]}:\n  -port int\n".encode())
            os._exit(2)
        port = int(value)
    return port


def _environment_config(behaviour: Behaviour, root: str, config: Config, port: int) -> Config:
    """3.4.2: MYSQL_* in the environment replace the mysql block.

    config.json is written at every start, without keys that it does not know.
    """
    get = os.environ.get
    password = get("MYSQL_ROOT_PASSWORD") or get("MYSQL_PASSWORD")
    if not (behaviour.mysql_environment and get("MYSQL_DATABASE") and get("MYSQL_HOST") and password):
        return config
    mysql = Mysql(
        get("MYSQL_DATABASE", ""),
        get("MYSQL_USER", "root"),
        password,
        get("MYSQL_HOST", ""),
        int(get("MYSQL_PORT") or 3306),
    )
    server = config.raw.get("server") or {}
    raw = {
        "mysql": {**mysql._asdict(), "use_default": False},
        "server": {
            "env": server.get("env", "production"),
            "port": port or config.port,
            "log_level": server.get("log_level", "error"),
        },
        "sparks": None,
    }
    try:
        write(root, raw)
    except OSError:
        pass
    return Config(True, port or config.port, mysql, raw)


def _read_config(behaviour: Behaviour, root: str) -> Config:
    try:
        return read(root)
    except InvalidConfig as error:
        log.line(f"Invalid Config:  {error}")
        if not behaviour.panic:
            os._exit(255)
        log.append(os.path.join(root, "error.log"), "")
        log.config_panic(behaviour.panic)
        os._exit(2)


def _version() -> str:
    """Named at the end of the binary; what a test appends after it does not count."""
    with open("/proc/self/exe", "rb") as file:
        file.seek(-_END_BYTES, os.SEEK_END)
        return file.read().rpartition(_VERSION_MARK)[2].split(b"\n")[0].decode("ascii")


def main() -> None:
    _catch(signal.SIGPIPE)  # like Go: handled, so that no child inherits it ignored
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    exe = os.readlink("/proc/self/exe").removesuffix(" (deleted)")
    root = os.path.dirname(exe) + "/"
    bundle = os.path.join(root, "lib")
    behaviour = BEHAVIOURS[_version()]
    log.stamped(root)
    config = complete_file(behaviour, _read_config(behaviour, root), root)
    flag = _flag_port(sys.argv[1:])
    port = flag or config.port
    if behaviour.port_scan and answers(port):
        log.stamped("端口已经被占用，可能软件已经启动")
        os._exit(255)
    config = _environment_config(behaviour, root, config, flag)
    knobs = read_knobs(root, behaviour.version, bool(flag))
    Application(Program(exe, root, bundle, behaviour, knobs, config, port)).run()
