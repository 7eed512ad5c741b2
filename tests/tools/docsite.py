# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the documentation site below .cache/docs/html: the guides, and the pages of modules, roles and plugins.

Warnings are errors, and nothing is fetched from the network. What only the playbooks and roles of the collection use
has no page: the modules that reference.md does not list, and the plugins that neither a guide nor those modules name.
"""

import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import paths
import tree
import venvs

PLACE = paths.CACHE / "docs"
HTML = PLACE / "html"
REPOSITORY = "https://github.com/anqicms-lifecycle/anqicms.lifecycle/blob/main/"
GUIDES = ("docs/*.md", "docs/zh/*.md")
IMAGES = "docs/images/"
_LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")


def guides(root: Path) -> t.List[Path]:
    return sorted(path for pattern in GUIDES for path in root.glob(pattern))


def internal_plugins(root: Path) -> t.List[Path]:
    """Modules and plugins of the collection that are not for its users."""
    plugins = root / "plugins"
    reference = (root / "docs" / "reference.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", reference, re.MULTILINE))
    named_by = [*guides(root), root / "README.md", *plugins.glob("doc_fragments/*.py")]
    named_by += [path for path in plugins.glob("modules/*.py") if path.stem in listed]
    texts = "".join(path.read_text(encoding="utf-8") for path in named_by)
    named = set(re.findall(r"anqicms\.lifecycle\.(\w+)", texts))
    public = {"modules": listed, "filter": named, "lookup": named, "callback": named}
    found = [path for kind in public for path in sorted((plugins / kind).glob("*.py"))]
    return [path for path in found if path.stem not in public[path.parent.name]]


def with_links_of_the_site(text: str, page: Path, root: Path) -> str:
    """The text of a guide, with links to files that are no guides, nor pictures, leading to the repository."""

    def target(found: t.Match[str]) -> str:
        path = (page.parent / found.group(2)).resolve()
        if path in guides(root) or IMAGES in path.relative_to(root).as_posix():
            return found.group(0)
        return found.group(1) + REPOSITORY + path.relative_to(root).as_posix() + found.group(3)

    return _LINK.sub(target, text)


def write_guides(root: Path, source: Path) -> None:
    shutil.copytree(root / IMAGES, source / "images")
    for page in guides(root):
        copy = source / page.relative_to(root / "docs").with_suffix(".md")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(with_links_of_the_site(page.read_text(encoding="utf-8"), page, root), encoding="utf-8")


def write_pages(collection: Path, source: Path, env: t.Mapping[str, str]) -> None:
    """The pages of modules, roles and plugins, by antsibull-docs."""
    for path in internal_plugins(collection):
        path.unlink()
    shutil.rmtree(collection / "roles" / "common")
    argv = ["antsibull-docs", "collection", "--use-current", "--fail-on-error", "--squash-hierarchy"]
    source.mkdir(mode=0o755, parents=True)
    subprocess.run([*argv, "--dest-dir", str(source), "anqicms.lifecycle"], env=env, cwd=collection, check=True)
    index = source / "docsite" / "guides.rst"  # leads to the repository where the guides are not part of the site
    link = re.compile(re.escape(REPOSITORY) + r"docs/([\w/-]+)\.md")
    index.write_text(link.sub(r"../../guides/\1.html", index.read_text(encoding="utf-8")), encoding="utf-8")


def build() -> Path:
    """The directory of the site, made anew. Raise CalledProcessError with what was printed on the screen."""
    bin_dir = venvs.ensure("docs")
    shutil.rmtree(PLACE, ignore_errors=True)
    collection = tree.copy_collection(PLACE / "collections")
    env = dict(paths.private_env([bin_dir]), ANSIBLE_COLLECTIONS_PATH=str(PLACE / "collections"))
    source = PLACE / "source"
    write_pages(collection, source / "collection", env)
    write_guides(paths.ROOT, source / "guides")
    for name in ("conf.py", "index.rst", "ansible.rst"):
        shutil.copy(paths.ROOT / "docs" / "docsite" / name, source / name)
    argv = ["sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", "--doctree-dir", str(PLACE / "doctrees")]
    subprocess.run([*argv, str(source), str(HTML)], env=env, cwd=PLACE, check=True)
    return HTML


def main() -> int:
    try:
        print("The site is below %s" % build())
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
