# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Translates finished English texts, by a catalogue from English templates to those of another language. Pure.

Hosts and pure functions make English texts, in which values stand already: 'port 8001 is also configured in /a'. The
catalogue has them as ``'port {0} is also configured in {1}': '端口 {0} 也配置在 {1} 中'``. A value is copied as it is,
except where the translation marks it as a text: ``{1:text}``.
"""

from __future__ import annotations

import functools
import re
import string
import typing as t

Translate = t.Callable[[str], str]
_LEAST_LETTERS = 6  # of a template: with fewer it would match what it does not mean
_MOST_SENTENCES = 8  # that one template may have
_MOST_LABELS = 4
_LONGEST = 4000  # letters and sentences of a text that is looked at
_MOST_IN_ALL = 60
_DEEPEST = 8  # texts in texts
_LABEL = re.compile(r'((?:(?!\. ).){1,400}?): (?=\S)')  # the instance, the code, or the variable that the rest is about
_NOTE = re.compile(r'(.+) \(([^()]+)\)(\.?)')
_SENTENCE_END = re.compile(r'(?<=[.!?]) ')
_WIDE_END = ('。', '；', '：', '，', '）')


class Template(t.NamedTuple):
    """``literals`` surround the values: there is one more of them than of ``names``. ``texts``: names of those values
    that are translated too.
    """

    literals: tuple[str, ...]
    names: tuple[str, ...]
    translation: str
    texts: frozenset[str]

    @property
    def letters(self) -> int:
        return sum(map(str.isalpha, ''.join(self.literals)))

    def match(self, text: str) -> dict[str, str] | None:
        """The values. In linear time: each literal is taken where it is found first, the last one at the end."""
        first, *others = self.literals
        if not text.startswith(first) or not text.endswith(self.literals[-1]):
            return None
        values: dict[str, str] = {}
        start = len(first)
        for name, literal in zip(self.names, others):
            is_last = len(values) == len(others) - 1
            end = len(text) - len(literal) if is_last else text.find(literal, start)
            if end < start:
                return None
            values[name] = text[start:end]
            if self._is_more(name, values[name]):
                return None
            start = end + len(literal)
        return values

    def _is_more(self, name: str, value: str) -> bool:
        """Whether it holds an end of a sentence, or, at the begin, what the message is about."""
        is_first = name == self.names[0] and not self.literals[0]
        return (is_first and ': ' in value) or (name not in self.texts and bool(_SENTENCE_END.search(value)))


def template_of(text: str, translation: str) -> Template:
    parts = list(string.Formatter().parse(text))
    names = tuple(name for _literal, name, _spec, _conversion in parts if name is not None)
    literals = [literal for literal, _name, _spec, _conversion in parts]
    texts = frozenset(str(name) for _literal, name, spec, _c in string.Formatter().parse(translation) if spec == 'text')
    return Template(tuple([*literals, ''] if len(literals) == len(names) else literals), names, translation, texts)


def fill(translation: str, values: t.Mapping[str, t.Any], translate: Translate) -> str:
    """The translation with its values."""
    parts = []
    for literal, name, spec, _conversion in string.Formatter().parse(translation):
        parts.append(literal)
        if name is not None:
            value = values[name]
            if spec == 'text':
                parts.append(_translated(str(value), translate))
            else:  # part of a text is formatted already
                parts.append(value if isinstance(value, str) else format(value, spec or ''))
    return ''.join(parts)


def _translated(text: str, translate: Translate) -> str:
    """A part of a sentence may begin with a blank, which a translation does not need."""
    stripped = text.strip()
    found = translate(stripped)
    return text if found == stripped else found


class Translator:
    """Finds the templates of a text: of the whole of it, else of its sentences."""

    def __init__(self, texts: t.Mapping[str, str]) -> None:
        self._texts = texts
        found = [template_of(text, translation) for text, translation in texts.items() if '{' in text]
        usable = [template for template in found if template.names and template.letters >= _LEAST_LETTERS]
        self._templates = sorted(usable, key=lambda template: (-template.letters, -len(template.names)))
        self.translate = functools.lru_cache(maxsize=4096)(self._translate)

    def _translate(self, text: str, depth: int = 0) -> str:
        """The translation; what is not known stays as it is."""
        if not text or len(text) > _LONGEST or depth > _DEEPEST:
            return text
        found = self._run(text, depth)
        return joined_sentences(self._sentences(text, depth)) if found is None else found

    def _sentences(self, text: str, depth: int) -> t.Iterator[str]:
        """The longest runs of sentences that are known, from the first one on."""
        sentences = _SENTENCE_END.split(text, _MOST_IN_ALL)
        while sentences:
            count, part = self._longest(sentences, depth)
            yield part
            sentences = sentences[count:]

    def _longest(self, sentences: t.Sequence[str], depth: int) -> tuple[int, str]:
        for count in range(min(len(sentences), _MOST_SENTENCES), 0, -1):
            found = self._run(' '.join(sentences[:count]), depth)
            if found is not None:
                return count, found
        return 1, self._listed(sentences[0], depth)

    def _run(self, text: str, depth: int) -> str | None:
        """One template, with what it is about before it."""
        start = 0
        for _label in range(_MOST_LABELS):
            found = self._annotated(text[start:], depth)
            if found is not None:
                return text[:start] + found
            label = _LABEL.match(text, start)
            if not label:
                return None
            start = label.end()
        return None

    def _annotated(self, text: str, depth: int) -> str | None:
        """One template, with something in parentheses behind it."""
        found = self._whole(text, depth)
        note = _NOTE.fullmatch(text) if found is None else None
        before = self._whole(note[1], depth) if note else None
        if note is None or before is None:
            return found
        return f'{before}（{self.translate(note[2], depth + 1)}）{"。" if note[3] else ""}'

    def _whole(self, text: str, depth: int) -> str | None:
        """A template may end with or without its stop, as others make sentences of it."""
        found = self._matched(text, depth)
        if found is None and text.endswith('.'):
            found = self._matched(text[:-1], depth)
            return None if found is None else found + '。'
        return found

    def _matched(self, text: str, depth: int) -> str | None:
        if text in self._texts and '{' not in text:
            return self._texts[text]
        for template in self._templates:
            values = template.match(text)
            if values is not None:
                return fill(template.translation, values, lambda value: self.translate(value, depth + 1))
        return None

    def _listed(self, text: str, depth: int) -> str:
        """Several texts in one sentence."""
        parts = text.rstrip('.').split('; ')
        found = [self._run(part, depth) for part in parts]
        if len(parts) < 2 or None in found:
            return text
        return '；'.join(map(str, found)) + ('。' if text.endswith('.') else '')


def joined_sentences(parts: t.Iterable[str]) -> str:
    """Sentences after each other: there is no blank after a full-width stop."""
    text = ''
    for part in parts:
        text += part if not text or text.endswith(_WIDE_END) else f' {part}'
    return text
