# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening socket, as Go makes it, and the dial that looks whether the port is in use."""

from __future__ import annotations

import os
import socket


class ListenError(Exception):
    """The text is Go's."""


def _go_error(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def listen(port: int) -> socket.socket:
    """Listen on [::]:port for both families, or on 0.0.0.0 where there is no IPv6."""
    family = socket.AF_INET6 if _has_ipv6() else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        listener.listen(4096)
    except OSError as error:
        listener.close()
        raise ListenError(f"listen tcp :{port}: bind: {_go_error(error)}") from None
    return listener


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def answers(port: int) -> bool:
    """Does anything on this machine accept a connection on the port (within one second)?"""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as dial:
                dial.settimeout(1)
                dial.connect((host, port))
            return True
        except OSError:
            continue
    return False


def dial_error(host: str, port: int, error: OSError) -> str:
    """What Go says when the database cannot be reached."""
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, TimeoutError):
        return f"dial tcp {host}:{port}: i/o timeout"
    address = "127.0.0.1" if host == "localhost" else host
    return f"dial tcp {address}:{port}: connect: {_go_error(error)}"
