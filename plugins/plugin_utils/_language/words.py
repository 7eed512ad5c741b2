# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Texts for people in their language. The English text is the key: ``words('{count} of {all} done', count=3, all=5)``.

What hosts report as English text (hazards, for example) is found by its pattern in the same catalogue. A text that the
catalogue does not contain stays English. Codes and names are never translated. Pure, but for the locale.
"""

from __future__ import annotations

import locale
import os
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.plugin_utils._language import zh

LANGUAGES = ('en', 'zh')
_CATALOGUES: t.Mapping[str, t.Mapping[str, str]] = {'en': {}, 'zh': zh.TEXTS}


class Words:
    """The texts in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = _CATALOGUES[language]

    def __call__(self, text: str, **values: t.Any) -> str:
        """``text`` is a literal wherever this is called: a test compares all of them with the catalogue."""
        return self._texts.get(text, text).format(**values) if values else self._texts.get(text, text)

    def known(self, text: str) -> str:
        """A whole English text that something else has made, or a word such as an outcome."""
        return self._texts.get(text, text)


def of(language: str | None) -> Words:
    """``language``: the value of anqicms_language; None for that of the controller's locale."""
    return Words(language or _of_locale())


def _of_locale() -> str:
    names = [os.environ.get(name, '') for name in ('LC_ALL', 'LC_MESSAGES', 'LANG')]
    name = next((one for one in names if one), '') or (locale.getlocale()[0] or '')
    return 'zh' if name.lower().startswith(('zh', 'chinese')) else 'en'
