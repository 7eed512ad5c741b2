# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that paramiko serves on loopback, with a password: runs commands as this user, and has SFTP.

Usage: paramiko_host.py PORT PASSWORD    Runs until it is killed, with the Python of the environment 'paramiko'.
"""

import os
import socket
import subprocess
import sys
import threading
import typing as t

import paramiko

ANY_USER_MAY_TRY = "password"


class Server(paramiko.ServerInterface):
    def __init__(self, password: str) -> None:
        self.password = password

    def get_allowed_auths(self, username: str) -> str:
        return ANY_USER_MAY_TRY

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if password == self.password else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(self, *_arguments: t.Any) -> bool:
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=run, args=(channel, command), daemon=True).start()
        return True


def run(channel: paramiko.Channel, command: bytes) -> None:
    """One command, with its three streams and its status."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin and process.stdout and process.stderr
    threading.Thread(target=feed, args=(channel, process.stdin), daemon=True).start()
    pumps = [
        threading.Thread(target=pump, args=(process.stdout, channel.sendall), daemon=True),
        threading.Thread(target=pump, args=(process.stderr, channel.sendall_stderr), daemon=True),
    ]
    for one in pumps:
        one.start()
    for one in pumps:
        one.join()
    channel.send_exit_status(process.wait())
    channel.close()


def feed(channel: paramiko.Channel, target: t.BinaryIO) -> None:
    try:
        for data in iter(lambda: channel.recv(32768), b""):
            target.write(data)
            target.flush()
    except OSError:
        pass
    finally:
        try:
            target.close()
        except OSError:
            pass


def pump(source: t.BinaryIO, send: t.Callable[[bytes], t.Any]) -> None:
    try:
        for data in iter(lambda: os.read(source.fileno(), 32768), b""):
            send(data)
    except OSError:
        pass


class Handle(paramiko.SFTPHandle):
    """An open file; paramiko itself reads and writes ``readfile`` and ``writefile``."""

    readfile: t.BinaryIO
    writefile: t.BinaryIO

    def stat(self) -> t.Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        if attr.st_mode is not None:
            os.fchmod(self.readfile.fileno(), attr.st_mode & 0o7777)
        return paramiko.SFTP_OK


class Files(paramiko.SFTPServerInterface):
    """What Ansible's connections ask for, and no more."""

    def stat(self, path: str) -> t.Any:
        return attributes(os.stat, path)

    def lstat(self, path: str) -> t.Any:
        return attributes(os.lstat, path)

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> t.Any:
        try:
            number = os.open(path, flags, attr.st_mode if attr.st_mode is not None else 0o600)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        handle = Handle(flags)
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        handle.readfile = handle.writefile = os.fdopen(number, "r+b" if flags & os.O_RDWR else "wb" if writes else "rb")
        return handle

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        if attr.st_mode is not None:
            os.chmod(path, attr.st_mode & 0o7777)
        return paramiko.SFTP_OK


def attributes(ask: t.Callable[[str], os.stat_result], path: str) -> t.Any:
    try:
        return paramiko.SFTPAttributes.from_stat(ask(path))
    except OSError as error:
        return paramiko.SFTPServer.convert_errno(error.errno or 0)


def serve(port: int, password: str) -> None:
    key = paramiko.RSAKey.generate(2048)
    listener = socket.create_server(("127.0.0.1", port), backlog=50)
    print("ready", flush=True)
    kept = []
    while True:
        connection, _address = listener.accept()
        transport = paramiko.Transport(connection)
        transport.add_server_key(key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
        kept.append(transport)
        transport.start_server(event=threading.Event(), server=Server(password))


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
