# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""run.html in a real browser: complete, readable on a phone, and nothing that a host says becomes part of the page."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Callable

import browser
import jinja2
import pytest
import report_documents as documents
from report_documents import EVIL, SCRIPT, Row

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import catalogue, words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._report import page, run_view, timeline
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._text import shown

ALL = [
    documents.good,
    documents.upgraded,
    documents.bad,
    documents.plan_only,
    documents.hostile,
    documents.diagnosed,
    documents.hostile_diagnosis,
]
CSP = re.compile('<meta http-equiv="Content-Security-Policy"[^>]*>')
PHONE, DESKTOP = 360, 1180


def render(found: Row, language: str = "en") -> str:
    return page.page(found, "Asia/Shanghai", words.of(language))


def saved(directory: Path, text: str) -> Path:
    path = directory / "run.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("language", words.LANGUAGES)
def test_page_needs_nothing_else(make: Callable[[], Row], language: str) -> None:
    text = render(make(), language)
    assert CSP.search(text), "a browser would load nothing from elsewhere, and run nothing"
    assert not re.search(r"<(script|link|iframe|img|object|embed|base|form)\b", text)
    assert not re.search(r"\b(?:src|on\w+)\s*=\s*[\"']?\w", re.sub(r"&lt;.*?&gt;", "", text))
    assert re.findall(r'href="([^"]*)"', text) and all(one[0] == "#" for one in re.findall(r'href="([^"]*)"', text))
    assert "url(" not in text and "@import" not in text


# --- hostile texts


def texts_of(tree: str) -> str:
    """What a reader sees, and titles and labels of pictures."""
    without_style = re.sub(r"<style>.*?</style>", "", tree, flags=re.DOTALL)
    labels = " ".join(re.findall(r'aria-label="([^"]*)"', without_style))
    return html.unescape(re.sub(r"<[^>]*>", "", without_style) + labels)


@pytest.mark.parametrize("make", [documents.hostile, documents.hostile_diagnosis])
def test_hostile_text_is_text(tmp_path: Path, make: Callable[[], Row]) -> None:
    """Without the policy that would stop a script anyway: the escaping alone has to do it."""
    text = CSP.sub("", render(make()))
    tree = browser.dom(saved(tmp_path, text))
    assert "data-evil" not in tree.partition(">")[2].partition("<head")[0]
    assert "<script" not in tree and "<img" not in tree
    assert texts_of(tree).count(shown(EVIL)) >= 15
    assert "49" not in texts_of(tree), "no template was evaluated"
    assert "\u202e" not in tree and "\x1b" not in tree


def test_browser_would_run_what_is_not_escaped(tmp_path: Path) -> None:
    """Or else the test above would prove nothing."""
    bare = f"<!DOCTYPE html><html><head><title>{EVIL}</title></head><body></body></html>"
    assert 'data-evil="1"' in browser.dom(saved(tmp_path, bare))


def test_policy_stops_a_script_that_came_in(tmp_path: Path) -> None:
    text = render(documents.good()).replace("</main>", f"</main><script>{SCRIPT}</script>")
    assert 'data-evil="1"' not in browser.dom(saved(tmp_path, text))


# --- what it looks like


@pytest.mark.parametrize(
    ("make", "language"),
    [(documents.bad, "en"), (documents.bad, "zh"), (documents.hostile, "en"), (documents.diagnosed, "en")],
)
def test_page_fits_a_phone(tmp_path: Path, make: Callable[[], Row], language: str) -> None:
    """In a frame as wide as a phone: nothing is wider."""
    measured = "<script>document.documentElement.dataset.width=document.documentElement.scrollWidth</script>"
    inner = CSP.sub("", render(make(), language)).replace("</main>", f"</main>{measured}")
    (tmp_path / "inner.html").write_text(inner, encoding="utf-8")
    frame = (
        f'<!DOCTYPE html><iframe id="f" src="inner.html" width="{PHONE}" height="800" style="border:0"></iframe>'
        "<script>f.onload=()=>document.documentElement.dataset.width=f.contentDocument.documentElement.dataset.width</script>"
    )
    tree = browser.dom(saved(tmp_path, frame), options=("--allow-file-access-from-files",))
    assert f'data-width="{PHONE}"' in tree


@pytest.mark.parametrize(
    ("name", "make", "language", "width", "height", "dark"),
    [
        ("report-good-desktop", documents.good, "en", DESKTOP, 1750, False),
        ("report-bad-desktop", documents.bad, "en", DESKTOP, 2400, True),
        ("report-bad-phone-zh", documents.bad, "zh", PHONE, 4200, False),
        ("report-diagnosis-desktop", documents.diagnosed, "en", DESKTOP, 2100, False),
        ("report-hostile-phone", documents.hostile, "en", PHONE, 4200, False),
    ],
)
def test_photographs(
    tmp_path: Path, name: str, make: Callable[[], Row], language: str, width: int, height: int, dark: bool
) -> None:
    """To be looked at, in tests/output. A blank page would be a small picture."""
    picture = browser.photograph(saved(tmp_path, render(make(), language)), name, width, height, dark)
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 20_000


# --- the words


def texts_of_templates() -> set[str]:
    """Literals that the templates hand to words."""
    environment = jinja2.Environment()
    found = set()
    for path in Path(page.TEMPLATES).glob("*.j2"):
        tree = environment.parse(path.read_text(encoding="utf-8"))
        for call in tree.find_all(jinja2.nodes.Call):
            if isinstance(call.node, jinja2.nodes.Name) and call.node.name == "words":
                assert isinstance(call.args[0], jinja2.nodes.Const), path
                found.add(str(call.args[0].value))
    return found


def test_every_text_of_the_templates_is_in_the_catalogue() -> None:
    found = texts_of_templates()
    assert len(found) > 30
    assert not found - set(catalogue.TEXTS["zh"])


def test_every_code_that_is_shown_is_in_the_catalogue() -> None:
    steps = [name.replace("_", " ") for names in timeline.KINDS.values() for name in names]
    codes = [*page.KIND_NAMES.values(), *page.WHY_NAMES.values(), *run_view.TITLES.values(), *steps]
    codes += [outcome.replace("_", " ") for outcome in document.OUTCOMES]
    assert not set(codes) - set(catalogue.TEXTS["zh"])
    assert set(page.WHY_NAMES) == set(document.LEFT_OUT)


def test_chinese_page_has_chinese_words() -> None:
    text = render(documents.bad(), "zh")
    assert '<html lang="zh-CN">' in text and "11 个实例中有 3 个需要处理" in text
    assert not re.search(r"<h[123]>[A-Za-z ]+</h", text)
