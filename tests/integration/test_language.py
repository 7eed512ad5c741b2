# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that people read has a Chinese text, and no Chinese text is used for nothing."""

import ast
import errno
import os
import re
import string
import typing as t
from pathlib import Path

import pytest
import texts_of_code

import ansible_collections.anqicms.lifecycle.plugins as package
from ansible_collections.anqicms.lifecycle.plugins.module_utils._death import causes
from ansible_collections.anqicms.lifecycle.plugins.module_utils._hazards import table as hazards
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils import _diagnosis, _diagnosis_table, _options, _table
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import catalogue, patterns, words
from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._run import document

PLUGINS = Path(next(iter(package.__path__)))
# Without those that are made from others.
ZH = {text: chinese for texts in catalogue.ZH for text, chinese in texts.items()}
# Files whose sentences people read, except those of the next list.
SPEAKING = (
    *("plugin_utils/_%s.py" % name for name in ("canary", "outcome", "plan", "play_keywords", "table", "tags")),
    *("plugin_utils/_%s.py" % name for name in ("diagnosis_table", "options", "windows_done")),
    *(
        "plugin_utils/_%s.py" % name
        for name in ("connections", "readers", "resume", "status", "upgrade_path", "batches")
    ),
    *("plugin_utils/_%s.py" % name for name in ("run/closing", "run/report", "report/directory", "report/upload")),
    *("plugin_utils/_%s.py" % name for name in ("notify/documents", "notify/targets")),
    "action/notify.py",
    "action/workflow_report.py",
    "plugin_utils/_run/of_action.py",
    "action/preflight.py",
    *("module_utils/_hazards/%s.py" % name for name in ("foreign", "preconditions", "table", "when")),
    "module_utils/_death/advice.py",
    "module_utils/_death/causes.py",
)
NOT_READ = (
    re.compile(r"(?:t\.|dict|list|str)\b.*\["),  # annotations
    re.compile(r"(?:application|text)/|ansible-playbook |\^"),  # for programs
    re.compile(r"\{0\} not part of it|, a redirect|No host\{0\} knows"),  # see COMPOSED
    re.compile(r"No such file|does not exist|not worked on|载入"),  # what is searched for
    re.compile(r".*by CHANGELOG\.md"),  # part of a version, which is data
    re.compile(r"such as \{0\}|\{0\} and \{1\} more|true or false"),
)
_KNOWS = (
    " knows run 7. Nothing was done. Check the name, for example with the playbook status, and that this is the "
    "inventory "
    "of that run. An instance remembers its last 20 runs."
)
# What the code puts together from pieces, by the text that is meant for it.
_OVERSTAYED = "the worker (pid 7) had not ended 9 s after the deadline of 9 s and was sent SIGKILL in step site_check"
COMPOSED = {
    "{0} must be one of {1}. It is {2} ({3}).": (
        "anqicms_force must be one of idle, never, timeout. It is 'now' (extra variable)."
    ),
    "{0} must be {1}. It is {2} ({3}).": (
        "anqicms_stop_timeout must be a number of seconds, 0 or more. It is 'now' (variable of web1, web2)."
    ),
    "{0} must be {1}. It is {2}: {3} ({4}).": (
        "anqicms_instances must be a list of dictionaries with dir each, or the word discover. It is 'x [': it "
        "is neither "
        "JSON nor YAML (extra variable)."
    ),
    "{0} must be {1}. It is {2}: {3}.": (
        "anqicms_instances must be a list of dictionaries with dir each, or the word discover. It is 'x [': it "
        "is neither "
        "JSON nor YAML."
    ),
    "{0} must be {1}. It is not set ({2}).": "anqicms_upgrade_to must be a version such as 3.5.8. It is not set "
    "(extra variable).",
    "the worker (pid {0}) had not ended {1} s after the deadline of {2} s and was {3} in step {4}": _OVERSTAYED,
    "the worker (pid {0}) was killed by signal {1} in step {2}": "the worker (pid 7) was killed by signal 9 in step x",
    "the worker (pid {0}) ended without a result; see {1} in step {2}": (
        "the worker (pid 7) ended without a result; see /a/worker.log in step x"
    ),
    "its changes were undone, then {0}": "its changes were undone, then it ran",
    "its last phase was completed, then {0}": "its last phase was completed, then it was started",
    "No host" + _KNOWS.replace("7", "{0}"): "No host" + _KNOWS,
    "No host within --limit" + _KNOWS.replace("7", "{0}"): "No host within --limit" + _KNOWS,
    "Resumes run {0}: {1} to do, {2} finished, {3} not part of it.": (
        "Resumes run 7: 1 to do, 2 finished, 3 not part of it."
    ),
    "Resumes run {0}: {1} to do, {2} finished, {3} not part of it, {4} refused.": (
        "Resumes run 7: 1 to do, 2 finished, 3 not part of it, 4 refused."
    ),
    "{0} must be {1}. It is another value, which may be secret.": (
        "anqicms_config must be a dictionary of keys of config.json. It is another value, which may be secret."
    ),
    "ansible-core {0} needs Python {1} - {2} on the host ({3}). {4}": (
        "ansible-core 2.21 needs Python 3.9 - 3.14 on the host (Anolis OS 8). No Python was found."
    ),
    "{0} is newer than what is tested: ansible-core {1} needs Python {2} - {3} on the host. Set in the inventory: "
    "ansible_python_interpreter: {4}": (
        "Python 3.15 is newer than what is tested: ansible-core 2.21 needs Python 3.9 - 3.14 on the host. Set in the "
        "inventory: ansible_python_interpreter: /usr/bin/python3.15"
    ),
    "Or install one yourself and set ansible_python_interpreter to it, or ansible-core {0} used.": (
        "Or install one yourself and set ansible_python_interpreter to it, or ansible-core 2.16 used."
    ),
    "{0} must be one of {1}. It is {2}.": "anqicms_force must be one of idle, never, timeout. It is 'now'.",
    "the task {0} of this collection sent {1}": "the task graceful_stop of this collection sent SIGTERM",
    "a window of this collection sent {0}": "a window of this collection sent SIGTERM, then SIGKILL",
    "a window of this collection (run {0}) sent {1}": "a window of this collection (run 7) sent SIGTERM",
    "step {0} failed: {1}": "step site_check failed: 1 of 2 sites of 1a-shop are not ok. Another page, or "
    "another site, answers.",
    "its preparation, before any step, failed: {0}": (
        "its preparation, before any step, failed: There is no user www on this host. Nothing was stopped or started. "
        "Set user to the name of the instance's user."
    ),
    "all steps were done, but afterwards something has started it again. Find out what starts it.": (
        "all steps were done, but afterwards something has started it again. Find out what starts it."
    ),
    "all steps were done, but afterwards its process has ended. Find out what ends it.": (
        "all steps were done, but afterwards its process has ended. Find out what ends it."
    ),
    "The run is unfinished. To finish it now, fix the cause, then run the recover playbook.": (
        "The run is unfinished. To finish it now, fix the cause, then run the recover playbook."
    ),
    "waits for the process to end, at most {0} s, then starts the instance": (
        "waits for the process to end, at most 60 s, then starts the instance"
    ),
    "Replace it by a regular file with mode 0600 that the instance's user owns. The application treats a file that it "
    "cannot read as missing, and opens its installer.": next(
        hazard.advice for hazard in hazards.HAZARDS if hazard.code == "config_unreadable"
    ),
    "Its control group reached its memory limit of {0}; the host itself was not out of memory.{1} Raise the limit "
    "(MemoryMax= of the unit, --memory of the container), or reduce its memory use.": (
        "Its control group reached its memory limit of 9 MiB; the host itself was not out of memory. Raise the limit "
        "(MemoryMax= of the unit, --memory of the container), or reduce its memory use."
    ),
    "The host's memory of {0} was exhausted{1}. Add memory, or limit the other processes there. MemoryMax= of a "
    "unit keeps "
    "one instance from taking down its siblings.": (
        "The host's memory of 9 MiB was exhausted, 7 MiB of it in this process. Add memory, or limit the other "
        "processes "
        "there. MemoryMax= of a unit keeps one instance from taking down its siblings."
    ),
    "Nothing killed it. It requested memory that a limit (ulimit -v, LimitAS=, here {0}) did not allow, or that "
    "the host "
    "did not have.": (
        "Nothing killed it. It requested memory that a limit (ulimit -v, LimitAS=, here 9 MiB) did not allow, or "
        "that the "
        "host did not have."
    ),
    "No source that would show an OOM kill by the kernel covers that time.": (
        "No source that would show an OOM kill by the kernel covers that time."
    ),
}
# Values of summaries of deaths, with which each form of them is made.
SUMMARIES = tuple(text for text in ZH if re.match(r"(?:%s) \(\{0\}\)" % "|".join(causes.URGENCY), text))
STATES = ("running", "starting", "stopped", "undead", "ambiguous", "unknown")
WORDS = (*_options.CHANGING, "diagnose", "discover", "prepare", "status", *STATES, *document.OUTCOMES)
WORDS += (*_table.HEADINGS, *_diagnosis_table.HEADINGS, *(name for name, _fits in _diagnosis.URGENCY), *causes.VERDICTS)


def sources() -> t.Iterator[t.Tuple[str, str]]:
    """The files of the plugins, by their names."""
    for path in sorted(PLUGINS.glob("**/*.py")):
        name = str(path.relative_to(PLUGINS))
        if not name.startswith("plugin_utils/_language/"):
            yield name, path.read_text(encoding="utf-8")


def of_templates() -> t.List[str]:
    """What the templates of reports say."""
    found = []
    for path in PLUGINS.glob("plugin_utils/**/*.j2"):
        found += re.findall(r"""\bwords\((?:'([^']+)'|"([^"]+)")""", path.read_text(encoding="utf-8"))
    return [one or other for one, other in found]


def sentences(name: str) -> t.List[str]:
    texts = texts_of_code.of_sentences((PLUGINS / name).read_text(encoding="utf-8"))
    return [text.template for text in texts if not any(pattern.match(text.template) for pattern in NOT_READ)]


def plain(text: str) -> str:
    """As a message has it, with values that are no words. What stands before a sentence is one."""
    return re.sub(r"\{[^{}]*\}", "§", re.sub(r"^(\{0\}|\{0\} \{1\}) (?=[A-Z])", "§. ", text))


def has_chinese(text: str) -> bool:
    return bool(re.search("[\u4e00-\u9fff]", text))


def is_chinese(text: str) -> bool:
    """Whether all of it is: four English words in a row are a sentence that was not found."""
    return has_chinese(text) and not re.search(r"(?:\b[A-Za-z]{2,}\b[ ,;:]+){3}[A-Za-z]{2,}", text)


def missing(templates: t.Iterable[str]) -> t.List[str]:
    known = words.of("zh").known
    whole = {text.strip() for text in ZH}
    return [text for text in dict.fromkeys(templates) if text not in whole and not is_chinese(known(plain(text)))]


def test_each_text_of_the_renderers_has_a_chinese_one() -> None:
    used = [text.template for _name, source in sources() for text in texts_of_code.of_calls(source, "words")]
    used += of_templates()
    assert len(used) > 100
    assert [text for text in used if text not in ZH] == []


@pytest.mark.parametrize("name", SPEAKING)
def test_each_sentence_for_people_has_a_chinese_one(name: str) -> None:
    assert missing(sentences(name)) == []


def test_each_refusal_of_a_host_has_a_chinese_one() -> None:
    refusals = [
        text.template
        for name, source in sources()
        if name.startswith("module_utils/")
        for text in texts_of_code.of_exceptions(source)
        if text.exception != "AssertionError" and re.search("[A-Za-z]{2,} .*[A-Za-z]{2,}", text.template)
    ]
    assert len(refusals) > 300
    assert missing(refusals) == []


def test_each_word_has_a_chinese_one() -> None:
    assert [word for word in set(WORDS) if not has_chinese(ZH.get(word, ""))] == []


def test_each_advice_on_a_hazard_has_a_chinese_one() -> None:
    known = words.of("zh").known
    assert [hazard.code for hazard in hazards.HAZARDS if not is_chinese(known(hazard.advice))] == []


def names(text: str) -> t.List[str]:
    return sorted({name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name is not None})


def test_a_translation_has_the_values_of_its_text() -> None:
    """And no blanks around it where it is part of a message: it is found without them."""
    assert [text for text in ZH if names(ZH[text]) != names(text)] == []
    assert [text for text in ZH if text.strip() != text and re.search(r"\{\d", text)] == []


def test_no_text_is_in_two_files() -> None:
    found = [text for texts in catalogue.ZH for text in texts]
    assert sorted(text for text in set(found) if found.count(text) > 1) == []


def test_no_chinese_text_is_used_for_nothing() -> None:
    """Each is the text of a renderer, a sentence of the code, or a word in quotes somewhere in it."""
    literals = {literal for _name, source in sources() for literal in _templates(source)}
    literals |= {literal.replace("_", " ") for literal in literals}  # as reports show codes
    literals |= {" ".join(literal.split()) for literal in _of_playbooks()} | set(of_templates())
    whole = "\n".join(sorted(literals))
    unused = [text for text in ZH if not _is_used(text, literals, whole)]
    of_system = {os.strerror(number) for number in errno.errorcode}
    assert [text for text in unused if text not in COMPOSED and text not in SUMMARIES and text not in of_system] == []
    assert [text for text in COMPOSED if text not in ZH] == []


@pytest.mark.parametrize(("text", "message"), COMPOSED.items())
def test_a_message_of_pieces_is_found(text: str, message: str) -> None:
    assert text == message or patterns.template_of(text, ZH[text]).match(message) is not None
    assert is_chinese(words.of("zh").known(message))


def _is_used(text: str, literals: t.Set[str], whole: str) -> bool:
    if text in literals:
        return True
    fragments = [part for part in re.split(r"\{[^{}]*\}", text) if len(part.split()) > 1]
    return bool(fragments) and all(fragment.strip(" .;") in whole for fragment in fragments)


def _templates(source: str) -> t.Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            yield texts_of_code.template_of(node).strip()
            if isinstance(node, ast.Constant):
                yield str(node.value)


def _of_playbooks() -> t.Iterator[str]:
    root = PLUGINS.parent
    for path in [*root.glob("roles/*/tasks/*.yml"), *root.glob("playbooks/*.yml")]:
        text = path.read_text(encoding="utf-8")
        yield text
        yield re.sub(r"\{\{.*?\}\}", "{0}", text, flags=re.DOTALL)
