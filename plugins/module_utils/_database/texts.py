# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""What a client is given and what it says, as text. Pure."""

import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._database.target import Target

_CODE = re.compile(r'(?:\bERROR|\berror:?|Got errno)\s+"?(\d{1,5})\b')
_KINDS: t.Dict[str, t.Tuple[int, ...]] = {
    'access_denied': (1044, 1045, 1251, 1698, 1820, 1862, 4151, 2054, 2059, 2061),
    'unknown_database': (1049,),
    'no_right': (1142, 1143, 1227, 1370, 1419),
    'cannot_connect': (
        1040,
        1129,
        1130,
        1152,
        1158,
        1159,
        1160,
        1161,
        1203,
        1226,
        2002,
        2003,
        2004,
        2005,
        2006,
        2012,
        2013,
        2026,
        2055,
    ),
}


class Login(t.NamedTuple):
    """How a database is connected to. Its password is not shown."""

    target: Target
    user: str
    password: str
    database: str

    def __repr__(self) -> str:
        return 'Login(%s at %s as %s)' % (self.database, self.target.address, self.user)

    @property
    def shown(self) -> str:
        """For people."""
        return '%s at %s' % (
            ''.join(char if char.isprintable() else '?' for char in self.database[:64]),
            self.target.address,
        )


def literal(text: str) -> str:
    """A string in a statement, whatever the SQL mode of the server."""
    return "_utf8mb4 x'%s'" % text.encode('utf-8', 'surrogateescape').hex()


def name(text: str) -> str:
    """The name of a table or column in a statement."""
    return '`%s`' % text.replace('`', '``')


def if_there(table: str, statement: str) -> str:
    """Statements that ask a table, and have no rows where there is none."""
    there = (
        "(SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s) > 0"
        % literal(table)
    )
    return (
        "SET @alr_asks = IF(%s, %s, 'SELECT 1 FROM DUAL WHERE 1 = 0');\nPREPARE alr_asks FROM @alr_asks;\n"
        "EXECUTE alr_asks;\nDEALLOCATE PREPARE alr_asks" % (there, literal(statement))
    )


def kind_of(said: str) -> str:
    """What a client's failure is, from what it printed."""
    if 'errno 28' in said or 'Errcode: 28' in said or 'No space left' in said:
        return 'disk_full'
    found = _CODE.search(said)
    code = int(found.group(1)) if found else 0
    for kind, codes in _KINDS.items():
        if code in codes:
            return kind
    return 'wrong_options' if 'unknown variable' in said or 'unknown option' in said else 'failed'


def without_warnings(said: str) -> str:
    """What a client printed on its standard error, without warnings of options that only others know."""
    lines = [line.strip() for line in said.split('\n')]
    return ' '.join(line for line in lines if line and not line.startswith('Warning: ') and '[Warning]' not in line)


def rows_of(output: bytes) -> t.List[t.List[str]]:
    """The rows of batch mode. NULL is the text ``NULL`` there: statements avoid what could be taken for it."""
    lines = output.decode('utf-8', 'replace').split('\n')[:-1]
    return [[_unescaped(field) for field in line.split('\t')] for line in lines]


_ESCAPES = {'n': '\n', 't': '\t', '0': '\0', '\\': '\\'}


def _unescaped(field: str) -> str:
    return re.sub(r'\\(.)', lambda found: _ESCAPES.get(found.group(1), found.group(0)), field)


def option_file(login: Login) -> bytes:
    """The only option file that the client reads: one of root's may name another user, or tables to leave out."""
    place = (
        [('protocol', 'socket'), ('socket', login.target.host)]
        if login.target.is_socket
        else [('protocol', 'tcp'), ('host', login.target.host), ('port', str(login.target.port))]
    )
    both = place + [
        ('user', login.user),
        ('password', login.password),
        ('default-character-set', 'utf8mb4'),
        ('loose-ssl-verify-server-cert', '0'),
    ]
    # local-infile: a server must not be able to ask for files of this host.
    query = [('local-infile', '0'), ('skip-reconnect', None), ('max-allowed-packet', '1G')]
    dump = [('max-allowed-packet', '1G')]
    lines: t.List[str] = []
    for section, options in (('client', both), ('mysql', query), ('mysqldump', dump)):
        lines += ['[%s]' % section] + [
            key if value is None else '%s="%s"' % (key, _quoted(value)) for key, value in options
        ]
    return '\n'.join(lines + ['']).encode('utf-8', 'surrogateescape')


def _quoted(value: str) -> str:
    for plain, written in (('\\', '\\\\'), ('"', '\\"'), ('\n', '\\n'), ('\r', '\\r'), ('\t', '\\t')):
        value = value.replace(plain, written)
    return value
