# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which kinds of steps change files, configuration or database. Pure."""

MODULE = 'change_window'  # the module that is sent with them
# Those in ``steps`` beside this file.
OF_CHANGES = ('config', 'database', 'keep_files', 'release', 'rollback', 'rollback_point')
