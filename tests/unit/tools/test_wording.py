# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words to avoid are found where people read, with their line, and nowhere else."""

from pathlib import Path

import paths
import pytest
import wording

WORDS = wording.read_words("# a comment\n\ntold -> reported\n(?<!there )is no (?!longer) -> is not a\n")

MARKDOWN = """\
<!-- told -->
The host told it. `told` and [this](told.md) are
names, a line that
is
no proof, and there is no reason.

```console
$ told
```
"""

YAML = """\
# told
- name: What is told
  ansible.builtin.debug:
    msg: >-
      It told V(told) and {{ told }}.
      It is no longer there.
  when: told
  vars:
    text: told
"""

PYTHON = '''\
"""What is told."""

DOCUMENTATION = r"""
description:
  - It told so.
options:
  told:
    type: str
"""


def told(told: str) -> None:
    """What is told."""
    print("the host told", told, "told", b"the host told")
    raise ValueError(
        "what the host "
        "told is no "
        "proof"
    )


def shown(host: str) -> str:
    return f"{host} told {host} that"
'''


@pytest.mark.parametrize(
    ("suffix", "text", "lines"),
    [
        (".md", MARKDOWN, [2, 4]),
        (".yml", YAML, [2, 5]),
        (".py", PYTHON, [5, 14, 17, 17, 23]),
        (".py", "X = 'it is no'\nY = 'proof it'\n", []),
    ],
)
def test_lines(suffix: str, text: str, lines: list[int]) -> None:
    assert [hit.line for hit in wording.find(wording.PROSE[suffix](text), WORDS)] == lines


def test_a_hit_has_the_phrase_and_the_better_words() -> None:
    assert wording.find("It Told\nus: it is\nno proof", WORDS) == [
        wording.Hit(1, "Told", "reported"),
        wording.Hit(2, "is no ", "is not a"),
    ]


def test_the_output_names_file_line_phrase_and_better_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text("Plain.\nIt was told.\n")
    (tmp_path / "other.txt").write_text("It was told.\n")
    assert wording.main(["*"]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("page.md:2: told -> ") and last == "1 found"
    (tmp_path / "page.md").write_text("Plain.\n")
    assert wording.main(["*"]) == 0


def test_every_phrase_of_the_list_has_better_words() -> None:
    lines = wording.WORDS.read_text(encoding="utf-8").splitlines()
    words = wording.read_words("\n".join(lines))
    assert len(words) == len([line for line in lines if line and not line.startswith("#")]) > 30
    assert all(word.better.strip() for word in words)


def test_every_glob_that_is_checked_has_files() -> None:
    assert all(list(paths.ROOT.glob(glob)) for glob in wording.CHECKED)
