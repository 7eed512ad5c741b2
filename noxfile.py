# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# /// script
# dependencies = ["nox>=2025.02.09", "antsibull-nox"]
# ///

"""The sessions of antsibull-nox, by antsibull-nox.toml. 'make test' runs the same tools by its own pins."""

import sys

import nox

try:
    import antsibull_nox
except ImportError:
    print("Install antsibull-nox in the environment of nox.", file=sys.stderr)
    sys.exit(1)

antsibull_nox.load_antsibull_nox_toml()

if __name__ == "__main__":
    nox.main()
