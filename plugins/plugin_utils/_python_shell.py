# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Shell scripts for hosts that may have no Python yet. Each line of an answer is marked, for logins talk in between."""

from __future__ import annotations

import shlex
import typing as t

# One interpreter behind several names is told once, under the first of: what is configured, /usr/bin, the rest.
# What it must have is what modules of this collection import and what ansible-core unpacks them with.
PROBE = r"""
say() { printf 'anqicms-probe:%%s\n' "$1"; }
echo; say begin; say "uid:$(id -u)"
for file in /etc/os-release /usr/lib/os-release; do
  [ -r "$file" ] && { sed -n 's/^PRETTY_NAME=/anqicms-probe:system:/p' "$file"; break; }
done
for name in dnf yum apt-get; do
  command -v "$name" >/dev/null 2>&1 && { say "manager:$name"; break; }
done
limit=; command -v timeout >/dev/null 2>&1 && limit='timeout 10'
seen=:
look() {
  [ -f "$1" ] && [ -x "$1" ] || return 0
  real=$(readlink -f "$1"); case $seen in *":$real:"*) return 0;; esac; seen=$seen$real:
  about=$($limit "$1" -B -E -s -c '
import sys
try:
    import ctypes, fcntl, json, select, socket, subprocess, zipfile, zlib
    state = "complete"
except ImportError:
    state = "incomplete"
print("%%d.%%d.%%d:%%s" %% (sys.version_info[:3] + (state,)))' </dev/null 2>/dev/null) || return 0
  case $about in [0-9]*) say "python:$about:$1";; esac
}
look %(configured)s
IFS=:
for place in /usr/bin /usr/libexec /usr/local/bin $PATH; do
  unset IFS
  for name in python3 platform-python 'python3.[0-9]' 'python3.[0-9][0-9]' python; do
    for file in "$place"/$name; do look "$file"; done
  done
done
say end
"""

# known: whether the package is there to be installed and is not yet; refresh: what may make it known.
_MANAGERS = {
    # The whole name, for old versions of apt-get take a dot for any character and install all that matches.
    'apt-get': """
known() {
  apt-cache pkgnames "$1" | grep -qxF "$1" || return 1
  apt-get -s --no-install-recommends --no-remove install "$1" | grep -F "Inst $1 "
}
add() { apt-get -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 install "$1"; }
refresh() { apt-get -q update; }
hint() { echo 'anqicms-probe:said:Outside check mode, apt-get is told to update its lists first.'; }
""",
    'dnf': """
known() { dnf -q list --available "$1"; }
add() { dnf -y install "$1"; }
refresh() { false; }
hint() { :; }
""",
    'yum': """
known() { yum -q list available "$1"; }
add() { yum -y install "$1"; }
refresh() { false; }
hint() { :; }
""",
}

# Signatures are checked as the host is set up to check them: no option here turns that off.
# An installation that has begun goes on when the connection is lost: nothing heeds the hangup, and nothing is written
# to the connection before its end. needrestart would restart other services.
_INSTALL = r"""
export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
trap '' HUP
tell() {
  lines=$(printf '%%s\n' "$1" | grep -iE 'error|fail|not signed|^[ew]:|space' | tail -n 2)
  [ -n "$lines" ] || lines=$(printf '%%s\n' "$1" | grep . | head -n 4)
  [ -z "$lines" ] || printf '%%s\n' "$lines" | sed 's/^/anqicms-probe:said:/'
}
%(functions)s
try() {
  for package in %(packages)s; do
    said=$(known "$package" 2>&1 </dev/null) || { tell "$said"; continue; }
    [ %(check)s = yes ] && { echo "anqicms-probe:would:$package"; exit 0; }
    said=$(add "$package" 2>&1 </dev/null) && { echo "anqicms-probe:installed:$package"; exit 0; }
    tell "$said"
  done
}
echo
try
[ %(check)s = yes ] && { hint; exit 1; }
said=$(refresh 2>&1 </dev/null) && { tell "$said"; try; }
exit 1
"""


def install(manager: str, packages: t.Sequence[str], check: bool) -> str:
    """The script that installs the first of these packages that the host knows; in check mode it only names it."""
    return _INSTALL % {
        'functions': _MANAGERS[manager],
        'packages': ' '.join(shlex.quote(package) for package in packages),
        'check': 'yes' if check else 'no',
    }
