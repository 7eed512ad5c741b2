# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The known lines of the logs: one table, for what a log says and for why a start ended. Pure.

``first`` and ``last`` say which versions print a line. They do not filter: a log holds the lines of the version before
an upgrade too. To add a line, add a row, a case in tests/fixtures/log_lines.txt and what CONTRIBUTING.md names.
"""

import re
import typing as t

ERROR, WARNING, HARMLESS, MARKER = 'error', 'warning', 'harmless', 'marker'
RUNNING, START_FAILURES, PANICS = 'running', 'error', 'panics'  # kinds of logs: running.log, error.log, cache/error.log

_TIME = r'(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )'
_GIVEN_UP = r'(?:Failed To Connect Database:|连接数据库失败) +'
_GIVEN_UP_NEEDLES = ('Failed To Connect Database:', '连接数据库失败')
_NO_CONNECTION = r'failed to initialize database, got error +'  # of the database layer: the start goes on
_NO_CONNECTION_NEEDLES = ('failed to initialize database',)
_DENIED = r'Error (?:1044|1045|1142|1143|1227|1698)\b'


class Line(t.NamedTuple):
    """One known line. ``needles``: what a block is searched for; ``pattern``: what the line without colours is.

    ``ends``: it explains why a process ended; ``passes``: the same start can succeed later, without a change.
    """

    code: str
    severity: str
    needles: t.Tuple[str, ...]
    pattern: str
    meaning: str
    advice: str = ''
    first: str = ''
    last: str = ''
    ends: bool = False
    passes: bool = False


# fmt: off
_TABLE: t.Tuple[Line, ...] = (
    # --- markers: what happened, in order
    Line('process_started', MARKER, ('/\n',), r'^%s/(?:.{0,4096}/)?$' % _TIME, 'a process starts', first='2.1.6'),
    Line('listening', MARKER, ('Now listening on:',), r'^Now listening on:', 'the bind of the port succeeded'),
    Line('banner', MARKER, ('Application started.',), r'^Application started\.', 'the start banner is complete'),
    Line('views_missing', MARKER, ('[ERRO]',), r'^\[ERRO\] (?:\S+ \S+ )?view engine is missing\b',
         'a page was requested within a second after the port opened, and answered with 500: the templates are '
         'registered after that second', first='2.1.2', last='2.5.5'),
    Line('signal_arrived', MARKER, ('退出 ',), r'^退出 (?:terminated|interrupt|hangup|quit)$',
         'a signal to end was received; this does not prove that the process ended', first='3.2.2'),
    Line('exiting', MARKER, ('监听到退出信号',), r'^监听到退出信号', 'it ends now', first='3.2.2'),
    Line('restart_requested', MARKER, ('监听到路由更改',), r'^监听到路由更改', 'it is about to execute itself again',
         first='3.0.4'),
    Line('in_app_restart', MARKER, ('进程结束，开始重启',), r'^%s?进程结束，开始重启' % _TIME,
         'it executes itself again: same pid, same start time', first='3.0.4'),
    Line('templates_reloaded', MARKER, ('重载模板',), r'^%s?重载模板' % _TIME, 'templates were read again',
         first='3.0.5'),
    Line('goroutine_dump', MARKER, ('SIGQUIT: quit',), r'^SIGQUIT: quit', 'SIGQUIT ended it, exit code 2',
         'Keep the log: it holds the stacks. Find out who sent the signal.', last='3.2.1', ends=True),
    Line('backup_finished', MARKER, ('dumping.all.done',), r'dumping\.all\.done',
         'a backup from the admin pages is done', first='2.5.1'),
    Line('restore_finished', MARKER, ('is restore finished',), r'is restore finished',
         'a restore from the admin pages is done', first='3.4.7'),
    Line('admin_created', MARKER, ('FROM `admins`',),
         r'^\[[\d.]+ms\] \[rows:0\] SELECT \* FROM `admins`(?: WHERE `admins`\.`deleted_at` IS NULL)? LIMIT 1$',
         'there was no administrator account: one with the well-known password is created'),
    Line('database_created', MARKER, ('failed to initialize database',),
         r'failed to initialize database, got error Error 1049\b',
         'the database did not exist: it creates an empty one'),
    # --- a start that failed: the first of these that its log holds is the cause
    Line('port_in_use', ERROR, ('端口已经被占用',), r'^%s?端口已经被占用' % _TIME,
         'the port is in use by another process',
         'Free the port (port_released names its holder), then start again.', first='3.1.7', ends=True, passes=True),
    Line('bind_failed', ERROR, (': bind: ',), r'(?P<detail>listen tcp \S*: bind: address already in use.*)',
         'the port was taken while it started',
         'Free the port (port_released names its holder), then start again.', ends=True, passes=True),
    Line('bind_failed', ERROR, (': bind: ',), r'(?P<detail>listen tcp \S*: bind: permission denied.*)',
         'this user has no permission to bind the port',
         'Use a port from 1024 up, or grant the binary cap_net_bind_service.',
         ends=True),
    Line('bind_failed', ERROR, (': bind: ', '启动服务出错'),
         r'(?P<detail>listen tcp \S*: bind: .*)|启动服务出错', 'the bind of the port failed, exit code 0',
         'Free the port (port_released names its holder), then start again.', ends=True),
    Line('config_invalid', ERROR, ('Invalid Config',), r'^(?:\S+ \S+ )?Invalid Config:? +(?P<detail>.*)',
         'config.json is not valid JSON (a panic after this line belongs to it and is not a crash)',
         'Fix config.json, then start again.', ends=True),
    Line('database_denied', ERROR, _GIVEN_UP_NEEDLES, _GIVEN_UP + r'(?P<detail>Error 1044\b.*)',
         'the database user has no permission to use or create that database',
         'Correct mysql.database in config.json, or grant the user the missing rights.', ends=True),
    Line('database_denied', ERROR, _GIVEN_UP_NEEDLES, _GIVEN_UP + r'(?P<detail>Error (?:1045|1698)\b.*)',
         'the database refused the user or password of config.json',
         'Correct mysql.user and mysql.password in config.json.', ends=True),
    Line('database_denied', ERROR, _GIVEN_UP_NEEDLES, _GIVEN_UP + r'(?P<detail>%s.*)' % _DENIED,
         'the database refuses the user, the password or a right',
         'Correct mysql.user and mysql.password in config.json, or grant the user its rights.', ends=True),
    # Of the answers of a server these pass: too many connections, a shutdown in progress, limits of a user.
    Line('database_unreachable', ERROR, _GIVEN_UP_NEEDLES,
         _GIVEN_UP + r'(?P<detail>Error (?!1040\b|1053\b|1203\b|1226\b)\d.*)',
         'the database answered with an error',
         'Read that line. The database is reachable, but something that this version needs is missing in it.',
         ends=True),
    Line('database_unreachable', ERROR, _GIVEN_UP_NEEDLES, _GIVEN_UP + r'(?P<detail>.*)',
         'the database of config.json is not reachable',
         'Start the database, or correct mysql.host and mysql.port in config.json.', ends=True, passes=True),
    Line('database_denied', ERROR, _NO_CONNECTION_NEEDLES, _NO_CONNECTION + r'(?P<detail>%s.*)' % _DENIED,
         'the database refuses the user, the password or a right',
         'Correct mysql.user and mysql.password in config.json, or grant the user its rights.'),
    Line('database_unreachable', ERROR, _NO_CONNECTION_NEEDLES, _NO_CONNECTION + r'(?P<detail>.*)',
         'the database of config.json is not reachable',
         'Start the database, or correct mysql.host and mysql.port in config.json.'),
    Line('locales_missing', ERROR, ('languages err catalog', 'locales not found'),
         r'languages err catalog|locales not found', 'no usable locales/ directory (3.3.9 to 3.4.x need it)',
         'Copy the locales/ directory of this release to the directory of the binary.',
         first='3.3.9', last='3.4.99', ends=True),
    Line('dictionary_missing', ERROR, ('无法载入字典文件',), r'无法载入字典文件',
         'dictionary.txt is missing while the full-text search is enabled',
         'Copy dictionary.txt of this release to the directory of the binary.', first='2.5.1', ends=True),
    Line('executable_busy', MARKER, ('Text file busy',), r'Text file busy',
         'the binary is open for writing by another process',
         'instance_info names that process (hazard executable_busy). Wait until it has ended, or end it.',
         ends=True, passes=True),
    # --- a crash, in a start or later
    Line('out_of_memory', ERROR, ('fatal error: ',), r'^fatal error: (?:runtime: )?(?:out of memory|cannot allocate)',
         'the Go runtime could not allocate memory', 'Add memory to the host, or raise the memory limit.', ends=True),
    Line('fatal_signal', ERROR, ('SIG',),
         r'^(?P<detail>SIG(?:ILL: illegal instruction|BUS: bus error|FPE: floating-point exception|'
         r'SEGV: segmentation violation))$',
         'the Go runtime ended the program because of a fault in it',
         'Keep the log: it holds the stacks. Go back to the version before, or report it.', ends=True),
    Line('fatal_signal', ERROR, ('SIG',),
         r'^(?P<detail>SIG(?:TRAP: trace trap|ABRT: abort|STKFLT: stack fault|SYS: bad system call))$',
         'the Go runtime ended the program because of a signal',
         'Keep the log: it holds the stacks. Find out who sent the signal; if no one did, report it.', ends=True),
    Line('panic', ERROR, ('panic: ', 'fatal error: '), r'^(?P<detail>(?:panic|fatal error): .*)',
         'the program crashed', 'Keep the log: it holds the stack. Go back to the version before, or report it.',
         ends=True),
    # --- the running process
    Line('migration_failed', ERROR, ('migrate table error',), r'migrate table error',
         'a migration failed; the process continues with a database between two versions',
         'Do not restart it again. Read the SQL error before this line and fix its cause, or restore the copy of the '
         'database.', first='3.3.0'),
    Line('handler_panic', ERROR, ('panic serving ',), r'http: panic serving \S+: (?P<detail>.*)',
         'a request made its handler panic: it was answered with 500',
         'Keep these lines, which contain the stack. Request that page again, and report it.'),
    Line('handler_panic', ERROR, ('Recovered from a route',),
         r"Recovered from a route's Handler\((?P<detail>.{0,1000})\)",
         'a request made its handler panic: it was answered with 500',
         'Keep these lines, which contain the stack. Request that page again, and report it.'),
    Line('write_failed', ERROR, ('写入文档正式表失败',), r'写入文档正式表失败',
         'an article could not be stored: a table is damaged or the disk is full',
         'Check the free disk space of the database and its tables.', first='3.3.0'),
    Line('memory_limited', WARNING, ('isLimiting ',), r'^%s?isLimiting ' % _TIME,
         'the memory limiter answers requests with 429', 'Add memory to the host, or set the cache type to files.',
         first='3.4.7'),
    Line('statistics_failed', WARNING, ('InitStatisticLog error',), r'InitStatisticLog error',
         'visits are not counted',
         'Give the user of the instance write permission for data/statistic.', first='3.3.11'),
    Line('cache_failed', WARNING, ('cache path create err',), r'cache path create err',
         'the cache directory could not be created, so nothing is cached on disk',
         'Give the user of the instance write permission for cache/.'),
    Line('storage_failed', WARNING, ('静态服务器连接失败',), r'静态服务器连接失败',
         'the remote storage of uploads is not reachable', 'Check the storage settings of the site.'),
    Line('upgrade_incomplete', WARNING, ('fail to rename old executable', 'Upgrade error files'),
         r'fail to rename old executable|Upgrade error files', 'an upgrade from the admin pages left files behind',
         'Compare the files with those of the release.'),
    Line('connection_dropped', WARNING, ('[mysql] ',),
         r'^\[mysql\] %s?(?!.*closing bad idle connection)(?P<detail>.*)' % _TIME,
         'a connection to the database was lost; the driver uses another one', 'Check the log of the database.'),
    Line('web_server_error', WARNING, ('[ERRO]',), r'^\[ERRO\] (?:\S+ \S+ )?(?P<detail>.*)',
         'the web framework reports an error', 'Read it.'),
)
# fmt: on

# fmt: off
# Lines of gorm, the database layer: 'TIME SOURCE.go:LINE ERROR', then 'the statement'. The first that fits decides.
# A 'record not found', a question without an answer, is passed by in the search for them: healthy logs are full of it.
SQL_ERRORS: t.Tuple[Line, ...] = (
    Line('interrupted', HARMLESS, (), r'context canceled', 'the client has closed the connection'),
    Line('restore_ends', HARMLESS, (), r'^Error 1065\b',
         'the last statement of a restore from the admin pages is empty', first='3.4.0', last='3.4.6'),
    Line('database_denied', ERROR, (), _DENIED, 'the database refuses the user, the password or a right',
         'Correct mysql.user and mysql.password in config.json, or grant the user its rights.'),
    Line('database_lost', ERROR, (),
         r'dial tcp |invalid connection|bad connection|unexpected EOF|^EOF$|connection reset|broken pipe|i/o timeout|'
         r'database is closed|Error (?:1040|1053|1152|1158|1159|1160|1161|1203|1927|2006|2013|4031)\b',
         'the database is not reachable; pages may still be served from memory',
         'Start the database, and check its log and its limits. The application reconnects by itself.'),
    Line('database_failing', ERROR, (), r'Error (?:1021|1030|1034|1035|1114|1194|1195|1290|1836)\b',
         'the database cannot write: the disk is full or read-only, or a table is damaged',
         'Check the free disk space of the database and its tables.'),
    Line('charset', WARNING, (), r'Error (?:1267|1300|1366)\b',
         'a row with Chinese text was not stored: the database does not use utf8mb4',
         'Convert the database and its tables to utf8mb4.'),
    Line('schema_mismatch', ERROR, (), r'Error (?:1054|1146)\b',
         'a table or column is missing after the start: a migration failed, was interrupted, or never ran',
         'Compare the version of the binary with settings.last_run_version, and read the log of that start.'),
    Line('sql_error', WARNING, (), r'.', 'a statement failed',
         'Read the line, and check the page or task that it belongs to.'),
)
# fmt: on

# Before the banner of a start these say that the tables are not there yet: it makes them next.
_TABLES_TO_COME = re.compile(
    r"^Error 1146\b.* Table '[^']*\.(?:settings|archives|websites|modules|admins)' doesn't exist"
)
_COLUMNS_TO_COME = re.compile(r"^Error 1054\b.* Unknown column '(?:token_secret|name)' in '(?:SET|field list)'")
_UPDATED_EARLY = re.compile(r'UPDATE `(?:websites|modules)` ')

MIGRATION_BEGINS = Line(
    'migration_begins',
    MARKER,
    (),
    '',
    'tables or columns are missing and are being created. No version prints a line at the end of a migration',
    first='3.3.0',
)
PORT_REFUSED = Line('port_refused', MARKER, (), '', 'a start was refused because the port is in use')
START_ERROR = Line(
    'start_error',
    WARNING,
    (),
    r'.',
    'an unknown line in error.log, where failed starts are noted',
    'Read it.',
    first='3.0.6',
)

_GORM = re.compile(r'^%s(?P<source>\S+\.go:\d+) (?P<error>.+)$' % _TIME)
_STAMP = re.compile(r'^(?:\[\w+\] )?(\d{4})[/-](\d\d)[/-](\d\d)[ T](\d\d:\d\d(?::\d\d)?)\b')
ANSI = re.compile(r'\x1b\[[0-9;?]*[ -/]*[@-~]')
_ALL = _TABLE + SQL_ERRORS + (MIGRATION_BEGINS, PORT_REFUSED, START_ERROR)
CODES = frozenset(line.code for line in _ALL if line.severity != HARMLESS)
_ORDER = {line: place for place, line in enumerate(_TABLE)}
SQL_ERROR = SQL_ERRORS[-1]

_KINDS = {
    RUNNING: list(_TABLE),
    START_FAILURES: [
        line
        for line in _TABLE
        if line.code in ('bind_failed', 'config_invalid', 'database_denied', 'database_unreachable')
    ]
    + [START_ERROR],
    PANICS: [line for line in _TABLE if line.code == 'handler_panic'],
}
_COMPILED = {line: re.compile(line.pattern) for line in _TABLE + SQL_ERRORS + (START_ERROR,)}


class Found(t.NamedTuple):
    """A known line. ``detail``: what makes two findings of one code the same."""

    line: Line
    detail: str


def plain(raw: bytes) -> str:
    """A line as text without colours, control characters written out. Any bytes are taken."""
    text = ANSI.sub('', raw.decode('utf-8', 'replace').rstrip('\r\n'))
    return text if text.isprintable() else ''.join(map(_visible, text))


def _visible(char: str) -> str:
    return char if char.isprintable() else char.encode('unicode_escape').decode('ascii')


def stamp(text: str) -> t.Optional[str]:
    """The time that a line begins with, as ``YYYY-MM-DD HH:MM:SS``."""
    found = _STAMP.match(text)
    return None if found is None else '%s-%s-%s %s' % (found.groups())


def needles(kind: str) -> t.List[bytes]:
    """What a block of such a file is searched for; empty when every line counts."""
    if kind == START_FAILURES:
        return []
    return sorted({needle.encode('utf-8') for line in _KINDS[kind] for needle in line.needles})


def known(kind: str, text: str) -> t.Optional[Found]:
    """The row of the table that a line is; lines of the database layer are told by ``sql``."""
    for line in _KINDS[kind]:
        match = _COMPILED[line].search(text)
        if match:
            return Found(line, _detail(match.groupdict().get('detail') or text))
    return None


def cause(lines: t.Iterable[str]) -> t.Optional[t.Tuple[Line, str]]:
    """Why a process ended: of the lines that explain it the first in the order of the table, with its text."""
    found = ((known(RUNNING, text), text) for text in lines)
    ends = [(it.line, text) for it, text in found if it is not None and it.line.ends]
    return min(ends, key=lambda pair: _ORDER[pair[0]]) if ends else None


def sql(text: str, coloured: bool) -> t.Optional[Found]:
    """What a line of the database layer says, None when it is none. Without colours only known errors count."""
    header = _GORM.match(text)
    if header is None:
        return None
    for line in SQL_ERRORS:
        if _COMPILED[line].search(header.group('error')):
            is_known = coloured or line.code != 'sql_error'
            return Found(line, _detail(header.group('error'))) if is_known else None
    return None


def _detail(text: str) -> str:
    return re.sub(r'\d+', 'N', _STAMP.sub('', text).strip())[:200]


def is_still_to_come(error_line: str, statement: str) -> bool:
    """Whether a missing table or column is what a first start or a migration makes next (seen before the banner)."""
    header = _GORM.match(error_line)
    error = header.group('error') if header else ''
    return bool(_TABLES_TO_COME.match(error) or (_COLUMNS_TO_COME.match(error) and _UPDATED_EARLY.search(statement)))
