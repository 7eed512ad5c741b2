# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""One instance as it was found: its process, its configuration and its ports."""

import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import config_file
from ansible_collections.anqicms.lifecycle.plugins.module_utils._app.config_file import DEFAULT_PORT
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import files, process, sockdiag
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import (
    port_choice,
    reach,
    selection,
    strangers,
)
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import state as _state
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import users as _users
from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance.instance import Instance, resolve


def named(params: t.Mapping[str, t.Any]) -> t.Tuple[Instance, _state.StateDir]:
    """What the options ``dir``, ``binary`` and ``state_dir`` name. LifecycleError when there is no such instance."""
    reach.refuse_hanging(params['dir'])
    instance = resolve(params['dir'], params['binary'])
    return instance, _state.StateDir(instance, params['state_dir'])


class Observed:
    """``port``: the option, ``user``: one more user of the instance, and as whom it is started."""

    def __init__(
        self, instance: Instance, state: _state.StateDir, port: t.Optional[int] = None, user: _users.Named = None
    ) -> None:
        self.instance, self.state, self.port_option = instance, state, port
        self.user = state.user = user or None
        self.strangers: t.Sequence[strangers.Stranger] = ()  # who executes its file without being one of its users
        self.candidate: t.Optional[selection.Candidate] = None
        self.handle: t.Optional[process.ProcessHandle] = None
        self.config: t.Optional[config_file.ConfigFile] = None
        self.ports = port_choice.Ports()
        self.port = self.start_port = port or DEFAULT_PORT  # where it listens now, and where it would after a start

    def find(self) -> selection.Found:
        """All processes of the instance, by its file and its users."""
        return selection.find(self.instance, self.port_option, self.state, self.user)

    def look(self) -> t.Optional[selection.Candidate]:
        """Find the process, open it, read its configuration. LifecycleError when that is ambiguous."""
        found = self.find()
        self.strangers = found.strangers
        self.candidate = selection.pick(self.instance, found)
        self._hold()
        self.read_files()
        self._find_ports()
        if self.candidate is None and found.hidden:
            self._refuse_hidden()
        return self.candidate

    def _hold(self) -> None:
        """Open the process, then make sure that it is still the one that was selected."""
        if self.handle is not None:
            self.handle.close()
            self.handle = None
        if self.candidate is None:
            return
        self.handle = process.open_process(self.candidate.pid)
        if self.handle is None or self.handle.start_ticks != self.candidate.start_ticks:
            self.candidate, self.handle = None, None
            return
        exe = self.handle.proc.optional_link('exe')
        if exe is not None and selection.split_deleted(exe)[0] != self.candidate.exe:
            self.candidate, self.handle = None, None

    def on_its_port(self) -> t.List[strangers.Stranger]:
        """Who holds its port while none of its own runs: then it is not known that it is stopped."""
        return [] if self.candidate is not None else strangers.on_port(self.ports.known)

    def refuse_unclear(self) -> None:
        """LifecycleError where that is so."""
        found = self.on_its_port()
        if found:
            raise LifecycleError(
                'No process of the users of %s runs it, but its port %s is held by %s. Whether it is stopped is not '
                'known. Nothing was signalled. End that process, or configure another port for the instance. %s'
                % (self.instance.id, self.ports.known, strangers.listing(found), self.way_out(found)),
                strangers=strangers.rows(found),
            )

    def users(self) -> _users.Users:
        """Who may run it."""
        return _users.users_of(self.instance, self.state, self.user)

    def way_out(self, found: t.Sequence[strangers.Stranger]) -> str:
        """What to do where one of them is the instance after all."""
        return strangers.way_out(found, self.users())

    def strangers_on(self, port: int) -> t.List[strangers.Stranger]:
        """Who listens on a port and is no user of the instance."""
        users = self.users()
        return [one for one in strangers.on_port(port) if not users.has(one.uid)]

    def _refuse_hidden(self) -> None:
        if sockdiag.listeners(self.port):
            raise LifecycleError(
                '/proc hides other users\' processes (hidepid) and port %d is in use: whether %s runs '
                'is not known. Nothing was done. Run as root.' % (self.port, self.instance.id)
            )

    def read_files(self) -> None:
        """What it says of itself on the disk now."""
        with files.InstallDir(self.instance.dir) as directory:
            self._read(directory, directory.owners(self.candidate.uid if self.candidate else None))

    def _read(self, directory: files.InstallDir, owners: t.Collection[int]) -> None:
        self.config = config_file.read_config(directory, owners)

    def _find_ports(self) -> None:
        argv = self.candidate.argv if self.candidate else (self.state.launch() or {}).get('argv', [])
        own = port_choice.own_listeners(self.handle.proc) if self.handle else None
        self.ports = port_choice.decide(self.candidate is not None, own, argv, self.config, self.port_option)
        self.port, self.start_port = self.ports.known or DEFAULT_PORT, self.ports.next or DEFAULT_PORT

    def port_for(self, argv: t.Sequence[str]) -> int:
        """The port that a process of these arguments opens when it starts now."""
        return port_choice.next_port(argv, self.config, self.port_option) or DEFAULT_PORT

    def refuse_wrong_port(self, arguments: t.Optional[t.Sequence[str]] = None) -> None:
        """LifecycleError when the given port is neither the process's nor that of its next start.

        ``arguments``: those that this run's own start gets in place of the recorded ones. A step that changes
        config.json has to be heeded here too.
        """
        ports = self.ports
        if arguments is not None:
            words = [''] + list(arguments)
            source = '-port' if selection.argv_port(words) else 'config.json'
            ports = ports._replace(next=self.port_for(words), next_from=source)
        problem = port_choice.problem(ports, self.port_option, self.candidate.pid if self.candidate else None)
        if problem:
            raise LifecycleError(
                '%s (%s): %s. Nothing was done. Correct port, or omit it: the port is then read from the process and '
                'from config.json.' % (self.instance.id, self.instance.dir, problem)
            )

    def last_port(self) -> t.Optional[int]:
        """Where its last process that was seen listened, None when none was seen since that is noted."""
        seen = [entry['port'] for entry in self.state.history() if entry.get('port')]
        return seen[-1] if seen else None

    def close(self) -> None:
        if self.handle is not None:
            self.handle.close()
            self.handle = None
