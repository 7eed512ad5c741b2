# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What chat robots and webhooks get, and what becomes of the ones that do not take it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import paths
import pytest
from robots import SECRET, SIGNING, TOKEN, Robots

sys.path.insert(0, str(paths.link_tree()))

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language.words import Words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify import message, targets
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._notify.send import send
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document

KINDS = ("dingtalk", "feishu", "wecom", "slack", "webhook")
EN, ZH = Words("en"), Words("zh")
LIMITS = {"dingtalk": 20000, "feishu": 20480, "wecom": 4096, "slack": 4000, "webhook": 256000}
HOSTILE = (
    '@all <!channel> <@U1> <at user_id="all">x</at> [pay](http://e.example) *b* `c` ~~d~~ _e_ &lt; ```\n# f | {{ 1 }}'
)


@pytest.fixture(scope="module")
def server() -> Iterator[Robots]:
    with Robots() as made:
        yield made


@pytest.fixture
def robots(server: Robots) -> Robots:
    server.received.clear()
    return server


def instance(host: str, outcome: str = "done", **more: Any) -> dict[str, Any]:
    return {
        "host": host,
        "id": f"0123abcd-{host}",
        "dir": f"/srv/{host}",
        "outcome": outcome,
        "version": "3.5.8",
        **more,
    }


def run(*records: dict[str, Any], planned: tuple[document.Planned, ...] = (), **head: Any) -> dict[str, Any]:
    known = {"run_id": "night-7", "verb": "restart", "began_at": 1000.0, "ended_at": 1125.0, **head}
    return document.make(document.Head(**known), planned, records)


FAILED = run(
    instance("web1", downtime_ms=277),
    instance("web2", "failed", reason="graceful_stop: it is still running"),
    planned=(document.Planned("web3", "0123abcd-web3"), document.Planned("web4", why="unreachable")),
    ended="failed",
    message="Stopped after a failure",
)


def text_of(kind: str, payload: dict[str, Any]) -> str:
    """The text that people see, the title first."""
    if kind == "dingtalk":
        return str(payload["markdown"]["text"])
    if kind == "wecom":
        return str(payload["markdown"]["content"])
    if kind == "feishu":
        (post,) = payload["content"]["post"].values()
        return "\n".join([post["title"], *(element["text"] for line in post["content"] for element in line)])
    return str(payload["text"]) if kind == "slack" else "\n".join([payload["title"], *payload["lines"]])


# --- what is sent


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("words", "pieces"), [
    (EN, ["AnQiCMS restart: failed", "Run: night-7", "Instances: 4 on 4 hosts (failed 1, ", "Duration: 2 min 5 s",
          "Stopped after a failure", "resume with -e anqicms", "web2 · 0123abcd-web2 · failed", "graceful",
          "web1 · 0123abcd-web1 · done · downtime 277 ms"]),
    (ZH, ["AnQiCMS ", "：失败", "运行：night-7", "实例：4 台主机上的 4 个（失败 1", "用时：2 分 5 秒", "web2 · ",
          "停机 277 毫秒"]),
], ids=["en", "zh"])  # fmt: skip
def test_each_service_gets_its_form(robots: Robots, kind: str, words: Words, pieces: list[str]) -> None:
    assert send("failed", FAILED, [robots.target(kind)], words) == [
        {"type": kind, "event": "failed", "ok": True, "reason": ""}
    ]
    (received,) = robots.received
    text = text_of(kind, received.payload)
    at = [text.find(piece) for piece in pieces]
    assert at == sorted(at) and at[0] >= 0, (text, at)


def test_forms_of_the_services(robots: Robots) -> None:
    send("finished", run(instance("web1")), [robots.target(kind) for kind in KINDS], EN)
    payloads = {received.kind: received.payload for received in robots.received}
    assert payloads["dingtalk"]["msgtype"] == "markdown" and payloads["dingtalk"]["at"] == {"isAtAll": False}
    assert payloads["dingtalk"]["markdown"]["title"] == "AnQiCMS restart: finished"
    assert payloads["feishu"]["msg_type"] == "post" and list(payloads["feishu"]["content"]["post"]) == ["en_us"]
    assert payloads["wecom"]["msgtype"] == "markdown"
    assert list(payloads["slack"]) == ["text"]
    mine = payloads["webhook"]
    assert (mine["schema"], mine["event"], mine["run_id"], mine["verb"]) == (1, "finished", "night-7", "restart")
    assert mine["totals"]["done"] == 1 and mine["instances_not_listed"] == 0
    assert (mine["instances"][0]["host"], mine["instances"][0]["outcome"]) == ("web1", "done")


BAD = "web2 · 0123abcd-web2 · failed · graceful_stop: it is still running"
GOOD = "web1 · 0123abcd-web1 · done · downtime 277 ms"
NOT_TOUCHED, LEFT_OUT = "web3 · 0123abcd-web3 · not touched", "web4 · left out · unreachable"


@pytest.mark.parametrize(("event", "rows"), [
    ("start", [LEFT_OUT]),
    ("canary", [BAD, GOOD]),
    ("failed", [BAD, NOT_TOUCHED, LEFT_OUT, GOOD]),
])  # fmt: skip
def test_rows_of_each_event(event: str, rows: list[str]) -> None:
    """The ones that somebody has to look after come first."""
    assert message.make(event, FAILED, EN).rows == rows


RUN, TIME = "Run: night-7", "Duration: 2 min 5 s"
RESUME = "Fix the cause, then resume with -e anqicms_resume=night-7"


@pytest.mark.parametrize(("event", "head", "facts"), [
    ("start", {}, [RUN]),
    ("finished", {}, [RUN, TIME]),
    ("failed", {}, [RUN, TIME, RESUME]),
    ("lost", {"verb": "recover"}, [RUN, TIME]),  # it takes no anqicms_resume
    ("lost", {"ended_at": 0.0, "check_mode": True}, [RUN]),
])  # fmt: skip
def test_facts_of_each_event(event: str, head: dict[str, Any], facts: list[str]) -> None:
    made = message.make(event, run(**head), EN)
    assert made.facts == facts
    assert made.title.endswith("(check mode)") is bool(head.get("check_mode"))


def test_events_choose_the_targets(robots: Robots) -> None:
    chosen = [robots.target("slack", events=["failed", "lost"]), robots.target("wecom", events=["start"])]
    assert [one["type"] for one in send("failed", FAILED, chosen, EN)] == ["slack"]
    assert send("finished", FAILED, chosen, EN) == []
    assert [received.kind for received in robots.received] == ["slack"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_table_is_cut_to_the_limit_of_the_service(robots: Robots, kind: str) -> None:
    many = [instance(f"web{number}", reason="x" * 180) for number in range(900)]
    many.append(instance("bad", "failed", reason="é中" * 90))
    assert send("failed", run(*many), [robots.target(kind)], EN)[0]["ok"]
    (received,) = robots.received
    assert LIMITS[kind] * 0.8 < len(received.body) <= LIMITS[kind]
    rows = [line for line in text_of(kind, received.payload).splitlines() if " · " in line]
    assert "bad · " in rows[0]
    assert f"and {901 - len(rows)} more" in text_of(kind, received.payload)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_text(robots: Robots, kind: str) -> None:
    bad = run(instance(HOSTILE, reason=HOSTILE), message=HOSTILE, run_id=HOSTILE, verb=HOSTILE)
    assert send("failed", bad, [robots.target(kind)], ZH)[0]["ok"]
    (received,) = robots.received
    text = text_of(kind, received.payload)
    assert "e.example" in text and "{{" not in text
    if kind in ("dingtalk", "wecom"):
        assert not set(text.replace("#### ", "", 1).replace("**", "", 2).replace("\n> ", "\n")) & set("@<>`*[]~|#")
        assert "_e_" not in text
        assert all(line.startswith(("#### ", "**", "- ", "> ")) for line in text.splitlines() if line), (
            "no line of its own"
        )
    if kind == "slack":
        title, _block, *lines, end = text.split("\n")
        assert (_block, end) == ("```", "```") and title.count("*") == 2
        assert not set("".join([title, *lines])) & set("@<>`")
    if kind == "feishu":
        (post,) = received.payload["content"]["post"].values()
        assert {element["tag"] for line in post["content"] for element in line} == {"text"}
    if kind == "webhook":
        assert received.payload["instances"][0]["host"] == HOSTILE, "programs get it as it is"


# --- what does not work


@pytest.mark.parametrize("kind", SIGNING)
def test_a_wrong_secret_is_a_failure_with_the_reason_of_the_robot(robots: Robots, kind: str) -> None:
    (result,) = send("failed", FAILED, [robots.target(kind) | {"secret": "SECanother"}], EN)
    assert not result["ok"] and robots.received == []
    expected = {"dingtalk": "errcode 310000: sign not match", "feishu": "code 19021: sign match", "webhook": "HTTP 403"}
    assert result["reason"].startswith(expected[kind])


WRONG: list[tuple[str, str, str]] = [
    *((kind, "refusing", "HTTP 500") for kind in KINDS),
    *((kind, "redirecting", "HTTP 302: redirects are not followed") for kind in KINDS),
    *((kind, "hanging", "no answer within 2 s") for kind in ("feishu", "webhook")),
    ("webhook", "dripping", "no answer within 2 s"),
    ("dingtalk", "huge", "the answer is not that of such a robot"),
    ("feishu", "huge", "the answer is not that of such a robot"),
    ("wecom", "errcode", "errcode 93000: invalid webhook url"),
    ("slack", "errcode", "invalid_token"),
    *((kind, "echoing", "no such robot") for kind in KINDS if kind != "webhook"),
    *((kind, "echoing_status", "HTTP 404: no such robot") for kind in KINDS),
]


@pytest.mark.parametrize(("kind", "habit", "reason"), WRONG)
def test_one_that_does_not_take_it_is_a_result_with_a_reason(
    robots: Robots, kind: str, habit: str, reason: str
) -> None:
    """The others are sent all the same, and no secret is in any result."""
    timeout = 2.0 if habit in ("hanging", "dripping") else 30.0
    results = send("lost", FAILED, [robots.target(kind, habit, timeout=timeout), robots.target("slack")], EN)
    assert [result["ok"] for result in results] == [False, True], results
    assert reason in results[0]["reason"], results
    assert "redirected" not in [received.kind for received in robots.received]
    assert [received.kind for received in robots.received].count(kind) == (2 if kind == "slack" else 1)
    for secret in (TOKEN, "access_token", *([SECRET] if kind in SIGNING else [])):
        assert secret not in json.dumps(results), results


@pytest.mark.parametrize("kind", ["webhook", "slack"])
def test_a_long_answer_is_not_read(robots: Robots, kind: str) -> None:
    """The status says that it was taken."""
    assert send("lost", FAILED, [robots.target(kind, "huge")], EN)[0]["ok"]


def test_a_dead_one_is_a_result_in_both_languages() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = {"type": "slack", "url": f"http://127.0.0.1:{closed.getsockname()[1]}/{TOKEN}"}
        for words in (EN, ZH):
            (result,) = send("lost", FAILED, [target], words)
            assert (result["ok"], result["reason"]) == (False, "Connection refused")


def test_certificates_are_verified_unless_it_is_switched_off(tmp_path: Path) -> None:
    certificate = tmp_path / "both.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(certificate), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    certificate.write_bytes(certificate.read_bytes() + (tmp_path / "cert.pem").read_bytes())
    with Robots(certificate) as robots:
        asked = [robots.target("webhook"), robots.target("webhook", validate_certs=False)]
        results = send("lost", FAILED, asked, EN)
        assert [result["ok"] for result in results] == [False, True], results
        assert results[0]["reason"] == "the certificate of the server is not valid"
        assert len(robots.received) == 1


@pytest.mark.parametrize("broken", [{"instances": [{}]}, {"instances": 7}, {"began_at": "x"}, {"verb": 7}, {}])
def test_nothing_is_raised_for_a_document_of_another_form(robots: Robots, broken: dict[str, Any]) -> None:
    (result,) = send("finished", broken, [robots.target("webhook")], EN)
    assert result["ok"] or result["reason"].startswith("it failed with ")


@pytest.mark.parametrize("key", ["type", "url", "secret", "events", "timeout", "other"])
def test_a_wrong_entry_is_named_without_its_value(key: str) -> None:
    given = {"type": "feishu", "url": "https://chat.example/1", key: [f"https://{TOKEN}.example"]}
    with pytest.raises(ValueError, match=r"^entry 2") as caught:
        targets.targets([{"type": "slack", "url": "https://chat.example/1"}, given])
    assert f"{key} must be" in str(caught.value) or key == "other"
    assert TOKEN not in str(caught.value)
