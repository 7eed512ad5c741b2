# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After Ctrl-C, notifications are sent while the interpreter exits, when newer Pythons start no thread any more."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from typing import Any

import paths
import pytest

SCRIPT = """
import atexit, sys, threading
sys.path.insert(0, {tree!r})
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import send
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document
made = document.make(document.Head("night-7", "restart", ended="interrupted"), [document.Planned("h1")], [])
targets = [{{"type": "webhook", "url": "http://127.0.0.1:%d/" % port}} for port in ({port}, 1)]
def refuse(thread):  # as Python 3.12.1 does here
    raise RuntimeError("can't create new thread at interpreter shutdown")
atexit.register(lambda: print([one["ok"] for one in send.send("failed", made, targets, words.ENGLISH)]))
if {refuses}:
    atexit.register(lambda: setattr(threading.Thread, "start", refuse))  # the last one comes first
"""


@pytest.mark.parametrize("refuses", [True, False], ids=["without threads", "with threads"])
def test_a_notification_is_sent_while_the_interpreter_exits(refuses: bool) -> None:
    got: list[dict[str, Any]] = []

    class Robot(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Robot) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script = SCRIPT.format(tree=str(paths.link_tree()), port=server.server_address[1], refuses=refuses)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
        server.shutdown()
    assert done.stdout == "[True, False]\n", done.stderr
    assert len(got) == 1 and "night-7" in json.dumps(got[0])
