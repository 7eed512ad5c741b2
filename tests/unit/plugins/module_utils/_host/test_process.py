# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import process as _process

KERNELS = ("pidfd", "directory", "old")


@pytest.fixture
def child() -> t.Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture(params=KERNELS)
def kernel(request: t.Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """``directory``: no pidfd_open (seccomp, EMFILE); ``old``: nor a signal through a descriptor (before Linux 5.1)."""
    if request.param == "pidfd" and _process.pidfd_open(os.getpid()) is None:
        pytest.skip("this kernel has no pidfd")
    if request.param != "pidfd":
        monkeypatch.setattr(_process, "pidfd_open", lambda pid: None)
    if request.param == "old":
        monkeypatch.setattr(_process, "_LIBC", None)
    return str(request.param)


def test_identity(child: "subprocess.Popen[bytes]", kernel: str) -> None:
    with _process.ProcessHandle(child.pid) as handle:
        assert handle.pid == child.pid and handle.start_ticks > 0
        assert (handle.pidfd is not None) == (kernel == "pidfd")
        assert not handle.gone() and handle.may_signal()


def test_signal_and_end(child: "subprocess.Popen[bytes]", kernel: str) -> None:
    with _process.ProcessHandle(child.pid) as handle:
        assert handle.signal(signal.SIGTERM) is True
        assert handle.wait_gone(5.0)
        assert handle.gone()  # a zombie: nobody has collected it yet
        child.wait()
        assert handle.gone() and handle.wait_gone(0) and handle.signal(signal.SIGKILL) is False


def test_wait_has_an_end(child: "subprocess.Popen[bytes]", kernel: str) -> None:
    with _process.ProcessHandle(child.pid) as handle:
        begin = time.monotonic()
        assert not handle.wait_gone(0.1)
        assert 0.09 < time.monotonic() - begin < 30.0
        assert not handle.wait_gone(0.0)


def test_wait_returns_with_the_end(child: "subprocess.Popen[bytes]", kernel: str) -> None:
    with _process.ProcessHandle(child.pid) as handle:
        timer = threading.Timer(0.15, child.kill)
        timer.start()
        begin = time.monotonic()
        assert handle.wait_gone(60.0)
        assert time.monotonic() - begin < 30.0
        timer.join()


def test_wait_is_woken(child: "subprocess.Popen[bytes]", kernel: str) -> None:
    ours, theirs = os.pipe()
    try:
        os.write(theirs, b"x")
        with _process.ProcessHandle(child.pid) as handle:
            begin = time.monotonic()
            assert not handle.wait_gone(60.0, [ours])
            assert time.monotonic() - begin < 30.0
    finally:
        os.close(ours)
        os.close(theirs)


def test_nobody_there(kernel: str) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert _process.open_process(gone.pid) is None


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EMFILE, errno.ENFILE])
def test_where_pidfd_open_fails_a_signal_still_works(
    child: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*dummy: t.Any) -> t.NoReturn:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    with _process.ProcessHandle(child.pid) as handle:
        assert handle.pidfd is None and not handle.gone()
        assert handle.signal(signal.SIGTERM) and handle.wait_gone(5.0)


def test_other_errors_of_pidfd_open_are_not_hidden(
    child: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*dummy: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    with pytest.raises(OSError) as caught:
        _process.ProcessHandle(child.pid)
    assert caught.value.errno == errno.ENOMEM
    assert len(os.listdir("/proc/self/fd")) == before


def test_signal_to_init_needs_permission() -> None:
    if os.geteuid() == 0:
        pytest.skip("root may signal everybody")
    handle = _process.open_process(1)
    assert handle is not None
    with handle:
        assert not handle.may_signal()


IGNORES = {"SigIgn": "0000000000004000", "SigBlk": "0"}
BLOCKS = {"SigIgn": "0", "SigBlk": "0000000000004000"}
TAKES = {"SigIgn": "0000000000001001", "SigBlk": "0000000000000000", "SigCgt": "0000000000004000"}


@pytest.mark.parametrize("threads,verb", [
    ([], None), ([TAKES], None), ([IGNORES], "ignores"), ([IGNORES, IGNORES], "ignores"), ([BLOCKS], "blocks"),
    ([BLOCKS, TAKES], None), ([BLOCKS, BLOCKS], "blocks"), ([{}], None),
])  # fmt: skip
def test_a_process_is_deaf_when_all_its_threads_are(threads: t.List[t.Dict[str, str]], verb: t.Optional[str]) -> None:
    assert _process.deafness(threads) == verb
