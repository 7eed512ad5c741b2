# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sphinx settings of the documentation site; 'make docs' builds it. Nothing is fetched from the network."""

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "anqicms.lifecycle"
copyright = "anqicms.lifecycle contributors"  # noqa: A001 - the name that Sphinx reads
title = "anqicms.lifecycle"
html_short_title = title

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 4
default_role = "any"
nitpicky = True
# Other pages of Ansible are named without a link; ansible.rst has those that every module refers to.
nitpick_ignore_regex = [("std:ref", r"ansible_collections\.ansible\..*")]

html_theme = "sphinx_ansible_theme"
html_theme_options = {"documentation_home_url": "index.html"}
html_show_sphinx = False
html_copy_source = False
html_use_index = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"


def setup(app: Sphinx) -> None:
    """Diagrams are shown as their text, as no browser draws them without a script from elsewhere."""
    app.add_lexer("mermaid", TextLexer)
