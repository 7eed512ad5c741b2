# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Texts for people in their language. The English text is the key: ``words('{count} of {all} done', count=3, all=5)``.

What hosts report as English text (hazards, for example) is found by its pattern in the same catalogue: ``known``. A
text that the catalogue does not contain stays English. Codes and names are never translated. Pure, but for the locale.
"""

from __future__ import annotations

import functools
import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import patterns

LANGUAGES = ('en', 'zh')


class Words:
    """The texts in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = {} if language == 'en' else _catalogue(language)
        self._translator = patterns.Translator(self._texts) if self._texts else None

    def __call__(self, text: str, **values: t.Any) -> str:
        """``text`` is a literal wherever this is called: a test compares all of them with the catalogue."""
        translation = self._texts.get(text)
        if translation is None:
            return text.format(**values) if values else text
        return patterns.fill(translation, values, self.known) if values else translation

    def known(self, text: str) -> str:
        """A whole English text that something else has made, or a word such as an outcome."""
        return self._translator.translate(text) if self._translator else text

    def sentences(self, *texts: str) -> str:
        """Translated texts, one after the other."""
        return patterns.joined_sentences(text for text in texts if text)


def _catalogue(language: str) -> t.Mapping[str, str]:
    """Read only where it is needed, as it takes a fiftieth of a second."""
    from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import catalogue

    return catalogue.TEXTS[language]


@functools.lru_cache(maxsize=None)
def _in_language(language: str) -> Words:
    return Words(language)


ENGLISH = _in_language('en')


def of(language: str | None) -> Words:
    """``language``: the value of anqicms_language; None for that of the controller's locale."""
    return _in_language(language or _of_locale())


def of_variable(value: t.Any) -> Words:
    """The same by what people wrote, where a wrong value must not hide the message that is to be shown."""
    text = str(value).strip().lower() if value is not None else ''
    return of(text if text in LANGUAGES else None)


def _of_locale() -> str:
    """By the name only: whether the locale is installed does not matter."""
    names = [os.environ.get(name, '') for name in ('LC_ALL', 'LC_MESSAGES', 'LANG')]
    name = next((one for one in names if one), '')
    return 'zh' if name.lower().startswith(('zh', 'chinese')) else 'en'
