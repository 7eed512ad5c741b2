# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which processes hold a socket, and who holds a port."""

import errno
import glob
import itertools
import os
import time
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import names, procfs, sockdiag

_SOCKET = 'socket:['
_LOOK_S = 3.0  # seconds for a look at the open files of all processes: anybody may have a million
_MOST_NAMED = 100  # sockets, and processes of each, that a result names
_UNIT_DIRECTORIES = ('/etc/systemd/system', '/run/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system')


def _socket_links(proc: procfs.ProcDir, table: str, wanted: t.Optional[t.AbstractSet[str]]) -> t.Set[str]:
    """Targets such as ``socket:[4711]``. Unlike with ProcDir.names a refusal is an OSError, not an empty answer.

    With ``wanted`` only these, and the look ends when all are found: listeners have low numbers.
    """
    found: t.Set[str] = set()
    try:
        for number in proc.descriptors(table):
            link = proc.optional_link('%sfd/%s' % (table, number)) or ''  # '': closed meanwhile
            if link in wanted if wanted is not None else link.startswith(_SOCKET):
                found.add(link)
                if wanted is not None and len(found) == len(wanted):
                    break
    except procfs.TooMuch:
        if wanted is None:
            raise
    return found


def _links(proc: procfs.ProcDir, wanted: t.Optional[t.AbstractSet[str]] = None) -> t.Set[str]:
    """The leader of a process may have ended while its threads live on: then only task/TID/fd shows its sockets."""
    try:
        found = _socket_links(proc, '', wanted)
    except PermissionError:  # those of a leader that has ended are shown to root alone
        if not _leader_has_ended(proc):
            raise
        found = set()
    if not found and _leader_has_ended(proc):
        end = time.monotonic() + _LOOK_S
        for task in proc.names('task'):
            found |= _thread_links(proc, task, wanted)
            if time.monotonic() > end:
                raise procfs.TooMuch('the threads of process %d have too many files open' % proc.pid)
    return found


def _leader_has_ended(proc: procfs.ProcDir) -> bool:
    stat = proc.stat()
    return stat is not None and stat.state in 'ZX'


def _thread_links(proc: procfs.ProcDir, task: str, wanted: t.Optional[t.AbstractSet[str]]) -> t.Set[str]:
    if task == str(proc.pid):
        return set()
    try:
        return _socket_links(proc, 'task/%s/' % task, wanted)
    except OSError as exc:
        if exc.errno not in procfs.GONE:
            raise
        return set()


def socket_inodes(proc: procfs.ProcDir) -> t.Set[int]:
    """Inodes of the sockets that a process has open.

    Raises OSError EACCES when this user may not look or it has too many, ESRCH or ENOENT when the process is gone.
    """
    return {int(link[len(_SOCKET) : -1]) for link in _links(proc)}


def _links_of_pid(pid: int, wanted: t.AbstractSet[str]) -> t.Set[str]:
    """Empty also when this user may not look, or the process is gone."""
    try:
        with procfs.ProcDir(pid) as proc:
            return _links(proc, wanted)
    except OSError as exc:
        if exc.errno in procfs.GONE + (errno.EACCES, errno.EPERM):
            return set()
        raise


def owners(inodes: t.AbstractSet[int]) -> t.Dict[int, t.List[int]]:
    """The pids that have each of these sockets open; only inodes that a visible process holds are keys."""
    return owners_within(inodes, _LOOK_S)[0]


def owners_within(inodes: t.AbstractSet[int], seconds: float) -> t.Tuple[t.Dict[int, t.List[int]], bool]:
    """The same, and whether all processes were looked at: some have so many files open that it would take minutes."""
    by_link = {'%s%d]' % (_SOCKET, inode): inode for inode in inodes}
    wanted, end = frozenset(by_link), time.monotonic() + seconds
    found: t.Dict[int, t.List[int]] = {}
    for pid in procfs.list_pids() if wanted else []:
        if time.monotonic() > end:
            return found, False
        for link in _links_of_pid(pid, wanted):
            found.setdefault(by_link[link], []).append(pid)
    return found, True


def same_network(proc: procfs.ProcDir) -> bool:
    return proc.optional_link('ns/net') in (None, os.readlink('/proc/self/ns/net'))


def owns_listener(proc: procfs.ProcDir, port: int) -> t.Optional[bool]:
    """Whether this process has a listening socket of the port open.

    None: cannot tell (its descriptors may not be read, or it lives in another network namespace). A process that has
    ended owns nothing: False.
    """
    listening = {sock.inode for sock in sockdiag.listeners(port)}
    try:
        mine = socket_inodes(proc)
    except OSError as exc:
        if exc.errno in procfs.GONE:
            return False
        if exc.errno in (errno.EACCES, errno.EPERM):
            return None
        raise
    if listening & mine:
        return True
    return False if same_network(proc) else None


def conflicts(sock: sockdiag.Sock, address: str) -> bool:
    """Whether a socket's local address stands in the way of a bind of ``address`` (a wildcard meets every address)."""
    wildcards = ('::', '0.0.0.0')
    if address == '::' or sock.local_address == '::':
        return True
    is_v6 = ':' in sock.local_address and not sock.local_address.startswith('::ffff:')
    if address == '0.0.0.0':
        return not is_v6
    return sock.local_address in (address, '::ffff:' + address) or (
        sock.local_address in wildcards and ':' not in address
    )


def blocking(socks: t.Iterable[sockdiag.Sock], address: str = '::') -> t.List[sockdiag.Sock]:
    """The sockets that keep a port from being bound: listening or bound ones; only without them, connected ones."""
    met = [sock for sock in socks if conflicts(sock, address)]
    held = [sock for sock in met if sock.state == sockdiag.LISTEN or sock.state in sockdiag.BOUND]
    return held or [sock for sock in met if sock.inode]


def _listen_port(value: str) -> str:
    return value.strip().rpartition(':')[2].strip()


def unit_listens(text: str, port: int) -> bool:
    """Whether the text of a systemd socket unit asks for this TCP port."""
    for line in text.split('\n'):
        key, equals, value = line.partition('=')
        if equals and key.strip() == 'ListenStream' and _listen_port(value) == str(port):
            return True
    return False


def socket_units(port: int, directories: t.Sequence[str] = _UNIT_DIRECTORIES) -> t.List[str]:
    """Names of the systemd socket units that ask for the port."""
    found = set()
    for directory in directories:
        for path in glob.glob(os.path.join(directory, '*.socket')):
            try:
                with open(path, encoding='utf-8', errors='replace') as stream:
                    if unit_listens(stream.read(65536), port):
                        found.add(os.path.basename(path))
            except OSError:
                continue
    return sorted(found)


def docker_target(argv: t.Sequence[str]) -> str:
    """Where a docker-proxy process leads, from its arguments; '' when it is none."""
    if not argv or os.path.basename(argv[0]) != 'docker-proxy':
        return ''
    options = dict(zip(argv[1:], argv[2:]))
    return '%s:%s' % (options.get('-container-ip', '?'), options.get('-container-port', '?'))


def _passes_exec(proc: procfs.ProcDir, inode: int) -> bool:
    """Whether its descriptor of this socket is one that programs hand over (servers open theirs close-on-exec)."""
    for name in itertools.islice(proc.entries('fd'), procfs.MOST_DESCRIPTORS):
        if proc.optional_link('fd/' + name) == 'socket:[%d]' % inode:
            return not procfs.parse_flags(proc.read('fdinfo/' + name, 4096)) & os.O_CLOEXEC
    return False


def _inherited(proc: procfs.ProcDir, stat: procfs.Stat, inode: int) -> bool:
    """An orphan in the process group of a leader that has ended, with a descriptor that was handed over to it."""
    if stat.pgrp == stat.pid or os.path.exists('/proc/%d' % stat.pgrp):
        return False
    try:
        with procfs.ProcDir(stat.ppid) as parent:
            parent_stat = parent.stat()
    except OSError:
        parent_stat = None
    orphan = parent_stat is None or parent_stat.pgrp != stat.pgrp
    return orphan and _passes_exec(proc, inode)


def _process_note(proc: procfs.ProcDir, sock: sockdiag.Sock) -> t.Optional[str]:
    stat = proc.stat()
    if stat is not None and stat.state in 'ZX':
        return 'its main thread has ended, but other threads still run and hold the socket'
    if proc.pid == 1:
        units = socket_units(sock.local_port)
        return (
            'held for the systemd socket unit %s' % ', '.join(units)
            if units
            else 'held by pid 1, possibly for a socket unit'
        )
    target = docker_target(proc.argv())
    if target:
        return 'docker-proxy: the port is published for the container at %s' % target
    if stat is not None and _inherited(proc, stat, sock.inode):
        return 'inherited from its parent, which has ended'
    if sock.state != sockdiag.LISTEN and sock.state not in sockdiag.BOUND:
        return 'the local port of its connection to %s port %d' % (sock.remote_address, sock.remote_port)
    return 'bound, not listening' if sock.state in sockdiag.BOUND else None


def _entry(
    sock: sockdiag.Sock,
    pid: t.Optional[int],
    uid: int,
    note: t.Optional[str],
    exe: t.Optional[str] = None,
    cwd: t.Optional[str] = None,
) -> t.Dict[str, t.Any]:
    return {
        'pid': pid,
        'exe': exe,
        'cwd': cwd,
        'user': names.user_name(uid),
        'state': sock.state_name,
        'address': sock.local_address,
        'port': sock.local_port,
        'inode': sock.inode,
        'note': note,
    }


def _process_entry(pid: int, sock: sockdiag.Sock) -> t.Optional[t.Dict[str, t.Any]]:
    """None when the process has ended meanwhile."""
    try:
        with procfs.ProcDir(pid) as proc:
            uid = int(proc.status()['Uid'].split()[1])
            return _entry(
                sock, pid, uid, _process_note(proc, sock), proc.optional_link('exe'), proc.optional_link('cwd')
            )
    except OSError as exc:
        if exc.errno in procfs.GONE:
            return None
        raise


def _unowned_note(sock: sockdiag.Sock, whole: bool) -> str:
    if not whole:
        return (
            'the process that has it open is not known: the search was given up because processes of this host '
            'have too many open files'
        )
    if os.geteuid() != 0:
        return (
            'the socket belongs to uid %d, and no process that this user can inspect has it open. Run as root to see '
            'the process' % sock.uid
        )
    return (
        'no visible process has it open: the descriptor is being passed through a unix socket, is in another PID '
        'namespace, or is beyond the first %d open files of a process' % procfs.MOST_DESCRIPTORS
    )


def holders(port: int, address: str = '::') -> t.List[t.Dict[str, t.Any]]:
    """Who keeps ``address`` port ``port`` from being bound: one entry per socket and process.

    Keys: pid, exe, cwd (None: not visible), user, state (of the socket), address, port, inode, note (None or text).
    Reads the descriptors of all processes: some ms, up to a third of a second on a host with 100,000 connections, and
    at most some seconds: then the note says that not all were looked at.
    """
    listening = [sock for sock in sockdiag.listeners(port) if conflicts(sock, address)]
    socks = listening or blocking(sockdiag.all_states(port), address)
    by_inode, whole = owners_within({sock.inode for sock in socks if sock.inode}, _LOOK_S)
    found = []
    for sock in socks[:_MOST_NAMED]:
        entries = [_process_entry(pid, sock) for pid in by_inode.get(sock.inode, [])[:_MOST_NAMED]]
        known = [entry for entry in entries if entry is not None]
        found.extend(known or [_entry(sock, None, sock.uid, _unowned_note(sock, whole))])
    return found


def elsewhere(port: int) -> t.List[t.Dict[str, t.Any]]:
    """Processes of other network namespaces that listen on the port: it is theirs there, and free here."""
    own = os.readlink('/proc/self/ns/net')
    seen: t.Set[str] = {own}
    found: t.List[t.Tuple[str, int, int]] = []
    end = time.monotonic() + _LOOK_S
    for pid in procfs.list_pids():
        if time.monotonic() > end or len(found) >= _MOST_NAMED:
            break  # it is a note for people: some will do
        try:
            namespace = os.readlink('/proc/%d/ns/net' % pid)
            if namespace in seen:
                continue
            seen.add(namespace)
            socks = sockdiag.read_proc_net(1 << sockdiag.LISTEN, port, '/proc/%d/net' % pid)
        except OSError:
            continue  # ended, or not ours to see
        found.extend((namespace, pid, sock.inode) for sock in socks)
    by_inode = owners({inode for dummy, dummy_pid, inode in found})
    return [
        {'namespace': namespace, 'pid': owner}
        for namespace, pid, inode in found[:_MOST_NAMED]
        for owner in by_inode.get(inode, [pid])[:_MOST_NAMED]
    ]
