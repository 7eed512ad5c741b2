# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of AWX's API on loopback that keeps what it is sent, for tests of objects as code.

It has the habits of AWX that make a second run change or fail something (habits.py), or it would prove nothing.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Mapping
from urllib.parse import parse_qsl, urlsplit

from awx_double import habits
from awx_double.resources import RESOURCES
from awx_double.store import Refused, Row, Store

TOKEN = "double"
ROOT = "/api/v2/"
Answer = tuple[int, Any]


class Api:
    """Requests to answers. ``calls`` keeps the method and the path of each one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[tuple[str, str]] = []

    def answer(self, method: str, path: str, query: Mapping[str, str], sent: Row) -> Answer:
        self.calls.append((method, path))
        parts = path[len(ROOT) :].strip("/").split("/")
        try:
            if len(parts) == 1:
                return self._collection(method, parts[0], query, sent)
            if parts[0] == "unified_job_templates":
                parts[0] = self.store.where(parts[1])
            if len(parts) == 2:
                return self._object(method, parts[0], int(parts[1]), sent)
            return self._below(method, parts[0], int(parts[1]), parts[2], sent)
        except Refused as refused:
            return refused.status, refused.answer

    def _collection(self, method: str, name: str, query: Mapping[str, str], sent: Row) -> Answer:
        if name == "tokens":
            return 201, {"id": 1, "token": TOKEN}
        if name != "unified_job_templates" and name not in RESOURCES:
            raise Refused({"detail": "Not found."}, 404)
        if method == "POST":
            return 201, self._create(name, sent)
        return 200, _listed([habits.shown(self.store, *found) for found in self.store.find(name, query)])

    def _create(self, collection: str, sent: Row) -> Row:
        row = self.store.completed(collection, sent)
        self.store.validate(collection, row)
        habits.check(self.store, collection, row, sent)
        self.store.insert(collection, row)
        result = habits.shown(self.store, collection, row)
        if collection == "projects" and row["scm_type"]:
            self.store.update(row["id"])
            result["summary_fields"] = {"current_update": {"id": row["id"]}}
        return result

    def _object(self, method: str, collection: str, number: int, sent: Row) -> Answer:
        if collection == "tokens":
            return 204, None
        if collection == "project_updates":
            return 200, self._project_update(number)
        row = self.store.one(collection, number)
        if method == "DELETE":
            del self.store.rows[collection][number]
            return 204, None
        if method == "PATCH":
            self._change(collection, row, sent)
            return 200, habits.after_change(collection, row, habits.shown(self.store, collection, row), sent)
        return 200, habits.shown(self.store, collection, row)

    def _change(self, collection: str, row: Row, sent: Row) -> None:
        known = {name: value for name, value in sent.items() if name in RESOURCES[collection].fields}
        changed = {**row, **known}
        self.store.validate(collection, changed)
        habits.check(self.store, collection, changed, sent)
        row.update(known)

    def _below(self, method: str, collection: str, number: int, name: str, sent: Row) -> Answer:
        row = self.store.one(collection, number)
        if name == "survey_spec":
            return self._survey(method, row, sent)
        if name == "launch":
            return 201, habits.launch(row, sent)
        if name == "update":
            self.store.update(number)
            return 202, {**self._project_update(number), "url": f"{ROOT}project_updates/{number}/"}
        if name == "create_approval_template":
            return 201, self._approval(row, sent)
        members = self.store.members(collection, number, name)
        if method == "GET":
            other = RESOURCES[collection].lists[name]
            return 200, _listed([habits.shown(self.store, other, self.store.one(other, one)) for one in members])
        self.store.one(RESOURCES[collection].lists[name], sent["id"])
        if sent.get("disassociate"):
            members.remove(sent["id"])
        elif sent["id"] not in members:
            members.append(sent["id"])
        return 204, None

    def _survey(self, method: str, row: Row, sent: Row) -> Answer:
        if method == "POST":
            habits.save_survey(row, sent)
        return 200, row.get("survey_spec", {})

    def _approval(self, node: Row, sent: Row) -> Row:
        """An object of its own, which the node refers to from now on. The answer has the address of the node."""
        collection = "workflow_approval_templates"
        made = self.store.insert(collection, self.store.completed(collection, sent))
        node["unified_job_template"] = made["id"]
        shown = habits.shown(self.store, collection, made)
        return {**shown, "url": habits.url("workflow_job_template_nodes", node["id"])}

    def _project_update(self, project: int) -> Row:
        status = self.store.status_of(project)
        revision = {"scm_revision": "0" * 40, "event_processing_finished": True, "finished": "now"}
        return {"id": project, "status": status, "failed": status != "successful", **revision}


def _listed(rows: list[Row]) -> Row:
    return {"count": len(rows), "next": None, "previous": None, "results": rows}


class Double:
    """The API on a port of loopback, until the end of the with block."""

    def __init__(self, store: Store) -> None:
        self.api = Api(store)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.api))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Double":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        lock = threading.Lock()

        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            if not self.headers.get("Authorization"):
                return self._send(401, {"detail": "Authentication credentials were not provided."})
            with self.lock:
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                status, answer = api.answer(self.command, parts.path, query, json.loads(sent or b"{}"))
            return self._send(status, answer)

        def _send(self, status: int, answer: Any) -> None:
            body = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of http.server

        def log_message(self, *_arguments: object) -> None: ...

    return Handler
