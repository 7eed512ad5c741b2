# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user of a site can run in place of the application: a Python under its name, with a program of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Iterator, Sequence

SYSTEM_PYTHON = "/usr/bin/python3"

# The kernel lets a process say where its arguments and its environment lie: anywhere, and as large as its memory.
# Pages that were never touched cost it nothing.
LARGE = """
import ctypes, mmap, struct, sys, time
which, size = sys.argv[1], int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.sbrk.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
stat = [0, 0, 0] + open('/proc/self/stat').read().rsplit(')', 1)[1].split()
field = lambda number: int(stat[number])
place = libc.mmap(None, max(size, 4096), 3, 0x4022, -1, 0) if size else field(48)
text = sys.argv[3].encode()
if size:
    for at in range(0, min(size, 4096) - len(text), len(text)):
        ctypes.memmove(place + at, text, len(text))
strings = dict(arguments=[field(48), field(49)], environment=[field(50), field(51)])
strings[which] = [place, place + size]
places = [field(26), field(27), field(45), field(46), field(47), libc.sbrk(0), field(28)]
values = places + strings['arguments'] + strings['environment'] + [0]
ruler = struct.pack('=12QIi', *(values + [0, -1]))
if libc.prctl(35, 14, ruler, len(ruler), 0):
    raise OSError(ctypes.get_errno(), 'prctl')
print('ready', flush=True)
time.sleep(600)
"""


def install(binary: Path) -> None:
    """Put a Python in place of the binary."""
    binary.unlink(missing_ok=True)
    shutil.copy(os.path.realpath(SYSTEM_PYTHON), binary)


@contextlib.contextmanager
def running(binary: Path, program: str, words: Sequence[str] = (), uid: int = 65534) -> Iterator[subprocess.Popen[str]]:
    """Run a program by it until the end of the block; it has printed a first line when the block begins."""
    process = subprocess.Popen(
        [str(binary), "-S", "-c", program, *words], cwd=binary.parent, stdin=subprocess.DEVNULL, user=uid, group=uid,
        stdout=subprocess.PIPE, text=True, extra_groups=[], env={"PATH": "/usr/bin:/bin", "PYTHONHOME": "/usr"},
        start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline().strip() == "ready"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a session of its own
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


# As many descriptors as its limit lets it have, the last of them a socket that listens on the given port.
MANY_FILES = """
import os, resource, socket, sys, time
hard = min(int(sys.argv[1]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
sock = socket.socket(); sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(('127.0.0.1', int(sys.argv[2]))); sock.listen(5)
null = os.open('/dev/null', os.O_RDONLY)
os.dup2(sock.fileno(), hard - 1); sock.close()
try:
    while True:
        os.dup(null)
except OSError:
    pass
print('ready', flush=True)
time.sleep(600)
"""

# As many processes of the same file as asked for.
MANY_PROCESSES = """
import os, signal, sys, time
for number in range(int(sys.argv[1]) - 1):
    if not os.fork():
        signal.pause()
        os._exit(0)
print('ready', flush=True)
time.sleep(600)
"""
