# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Chinese: the hazards of an instance, and why something about it is a hazard. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {
    # Messages of the table
    'processes {0} all run this instance': '进程 {0} 都在运行这个实例',
    '{0}. It was not used': '{0:text}，未使用该文件',
    'run {0} is working on it': '运行 {0:text} 正在处理它',
    'run {0} was interrupted and is unfinished': '运行 {0:text} 被中断，尚未完成',
    '{0}, step {1}': '{0}，步骤 {1}',
    'config.json is missing: a start would open the installer on port 8001 to everyone': (
        '缺少 config.json：启动后会在 8001 端口向所有人开放安装页面'
    ),
    'config.json: {0}': 'config.json：{0:text}',
    'process {0} has closed its port {1} but is still running': '进程 {0} 已关闭端口 {1}，但仍未退出',
    'its installer is open on port {0}': '安装页面正在 {0} 端口上开放',
    'process {0} runs a binary that is no longer on the disk': '进程 {0} 运行的程序文件已不在磁盘上',
    'port {0} is also configured in {1}': '端口 {0} 也配置在 {1} 中',
    "root's cron runs files that other users can change: {0}": 'root 的计划任务会运行其他用户能修改的文件：{0}',
    'cron runs vendor scripts that count or kill processes by name, which affects all instances of the host: {0}': (
        '计划任务运行的官方脚本按进程名统计或杀进程，会影响本机的全部实例：{0}'
    ),
    'files are truncated, as after a SIGKILL or on a full disk: {0}': (
        '有文件被截断（常见于 SIGKILL 之后或磁盘已满）：{0}'
    ),
    'the application is running a backup or a restore, or is transferring a backup file: {0}': (
        '应用正在备份、还原或传输备份文件：{0}'
    ),
    'values with template marks: {0}': '含有模板标记的值：{0}',
    'an admin host is set but not known here, so the running version could not be read': (
        '设置了后台域名，但这里不知道是哪个，因此读不到运行中的版本'
    ),
    'its database could not be queried: {0}': '无法查询其数据库：{0:text}',
    'the instance could not be inspected: {0}': '无法检查该实例：{0:text}',
    'config.json (mode {0}, user id {1}) cannot be read by user {2}': (
        '用户 {2} 无法读取 config.json（权限 {0}，用户 id {1}）'
    ),
    'process {0} may be this instance, but this user has no permission to inspect it: the rest of this report may '
    'be wrong': '进程 {0} 可能就是这个实例，但当前用户无权查看它：以下内容可能不准确',
    'this host hides the processes of other users (hidepid), and no process of this user is the instance: whether '
    'it runs is not known': (
        '这台主机隐藏了其他用户的进程（hidepid），而当前用户的进程里没有这个实例：它是否在运行不得而知'
    ),
    'version {0} kills every process named {1} on the host when it starts: pid {2}': (
        '版本 {0} 启动时会杀掉本机所有名为 {1} 的进程：进程号 {2}'
    ),
    '{0}/system is left from an older version and hides the administration pages that are built into version {1}': (
        '{0}/system 是旧版本遗留的目录，会遮住版本 {1} 内置的后台页面'
    ),
    'config.json holds the database password and has mode {0}, so every user of the host can read it': (
        'config.json 含有数据库密码，而权限是 {0}，本机的任何用户都能读取'
    ),
    'server.token_secret is empty in config.json: version {0} then signs administrator tokens with a publicly '
    'known key': 'config.json 中的 server.token_secret 为空：版本 {0} 会用公开的密钥签发管理员令牌',
    'low disk space: {0}': '磁盘空间不足：{0}',
    'no disk space left at {0}: neither a journal nor a log can be written': (
        '{0} 已没有磁盘空间：既写不了执行记录，也写不了日志'
    ),
    'it is restarted as soon as it exits, by {0}': '它一退出就会被重新拉起：{0}',
    'systemd has a unit for it, {0}, which does not track a process that is started outside the unit': (
        'systemd 中有它的单元 {0}，但不会跟踪在单元之外启动的进程'
    ),
    'cron starts it whenever it is down: {0}': '计划任务发现它没有运行就会启动它：{0}',
    'cron ends it, or any process with a matching name: {0}': '计划任务会杀掉它，或任何名称匹配的进程：{0}',
    'it may be started again by: {0}': '它可能被以下程序重新启动：{0}',
    'not everything that could start or stop it could be inspected: {0}': '可能启停它的程序未能全部检查：{0:text}',
    'port {0} is held by another process: {1}': '端口 {0} 被另一个进程占用：{1}',
    'port {0} is in use, and the process that holds it is not visible': '端口 {0} 已被占用，但看不到占用它的进程',
    'it listens on port {0} but does not report its version: {1}': '它在监听端口 {0}，但没有返回版本：{1:text}',
    'it listens on port {0}, but config.json has port {1}': '它在监听端口 {0}，而 config.json 里的端口是 {1}',
    'version {0} is running, but the files are those of version {1}{2}': (
        '运行中的是版本 {0}，而文件是版本 {1} 的{2:text}'
    ),
    'according to CHANGELOG.md, which may be out of date: this binary has never reported its version': (
        '（依据 CHANGELOG.md，可能已过时：这个程序文件从未报告过版本）'
    ),
    'the version of the files is not known{0}': '文件的版本未知{0:text}',
    ', nor is that of the process: hazards that depend on the version were not checked': (
        '，进程的版本也未知：没有检查与版本有关的隐患'
    ),
    # Advice of the table
    'End the processes that do not belong there, or set port to the port of the right one.': (
        '请结束多余的进程，或把 port 设为正确进程的端口。'
    ),
    'Set become: true (ansible_become in the inventory), or log in as root or as the user of the instance.': (
        '请设置 become: true（清单里是 ansible_become），或以 root、实例的运行用户登录。'
    ),
    'Fix the owner and mode of the state directory, or set another state_dir.': (
        '请改正状态目录的属主和权限，或设置另一个 state_dir。'
    ),
    'Update the collection on the controller, or move this state aside: run recover with anqicms_put_aside=ID, '
    'where ID is the id of the instance.': (
        '请更新控制端上的本集合，或把这份状态移到一边：运行 recover 并设置 anqicms_put_aside=ID，ID 是实例 id。'
    ),
    'Wait until that run has ended. Its result is then in the state directory.': (
        '请等那次运行结束，结果会写在状态目录里。'
    ),
    'Run the recover playbook, or the restart playbook, which recovers first.': (
        '请运行 recover playbook；也可以运行 restart playbook，它会先恢复。'
    ),
    'Correct port in the inventory, or omit it: the port is then read from the process and from config.json.': (
        '请改正清单里的 port，或去掉它：去掉后会从进程和 config.json 读取端口。'
    ),
    'Restore config.json from a backup.': '请从备份恢复 config.json。',
    "Replace it by a regular file with mode 0600 that the instance's user owns.": (
        '请换成普通文件，权限 0600，属主为实例的运行用户。'
    ),
    "Replace it by a regular file with mode 0600 that the instance's user owns. The application treats a file that "
    'it cannot read as missing, and opens its installer.': (
        '请换成普通文件，权限 0600，属主为实例的运行用户。应用读不到该文件时会当作文件不存在，并开放安装页面。'
    ),
    'The application treats a file that it cannot read as missing, and opens its installer.': (
        '应用读不到该文件时会当作文件不存在，并开放安装页面。'
    ),
    'Correct config.json, or restore it from a backup. With this file the application exits at startup.': (
        '请改正 config.json，或从备份恢复。按现在的文件，应用启动时会退出。'
    ),
    'Set server.port to a number from 1 to 65535.': '请把 server.port 设为 1 到 65535 之间的数。',
    'Install the complete binary of this release and this architecture there, with mode 0755.': (
        '请装上该版本、该架构的完整程序文件，权限 0755。'
    ),
    'Wait until the file is complete (it may be a running upload), or end the process that writes it. A program '
    'that is open for writing cannot be started.': (
        '请等文件写完（可能正在上传），或结束正在写它的进程。正被写入的程序文件无法启动。'
    ),
    'End that process, or configure another port for the instance.': '请结束该进程，或给实例配置另一个端口。',
    'Stop and start the instance through that supervisor, or disable it there first.': (
        '请通过该进程管理程序启停实例，或先在那里停用。'
    ),
    'Free space first.': '请先清理磁盘空间。',
    'Restart or stop the instance: this process cannot serve requests any more.': (
        '请重启或停止实例：这个进程已无法再处理请求。'
    ),
    'Stop the instance and restore config.json: until then, anyone can take it over.': (
        '请停止实例并恢复 config.json：在此之前，任何人都能接管它。'
    ),
    'Check its logs.': '请查看它的日志。',
    'A restart runs the new file. Make sure that it is the right one.': '重启后会运行新文件，请确认它是对的。',
    'A restart changes the running version, and may change the database.': '重启会改变运行的版本，也可能改动数据库。',
    "Start the instance only with this collection, which protects those processes. The vendor's scripts and panels "
    'do not.': '请只用本集合启动该实例，它会保护那些进程；官方脚本和面板不会。',
    'Configure a different port for each instance. Only one of them can run.': (
        '请给每个实例配置不同的端口，否则只有一个能运行。'
    ),
    'The next start uses the port of config.json. Check that the proxy uses it too.': (
        '下次启动会使用 config.json 的端口，请确认反向代理也用它。'
    ),
    'Back it up, then move it out of the install directory.': '请先备份，再移出安装目录。',
    'Set the mode of config.json to 0600 and keep its owner.': '请把 config.json 的权限设为 0600，属主不变。',
    'Set server.token_secret to a long random string, then restart.': (
        '请把 server.token_secret 设为一个较长的随机字符串，然后重启。'
    ),
    'Make root the owner of the script and its directories, with mode 0755, or run the cron line as another user.': (
        '请把脚本及其各级目录的属主改为 root，权限 0755，或让这条计划任务以其他用户运行。'
    ),
    'Remove these cron lines, or replace the scripts.': '请删除这些计划任务，或替换脚本。',
    'It may act in the middle of a run. Disable the cron line during maintenance.': (
        '它可能在运行途中插手。维护期间请停用这条计划任务。'
    ),
    'Remove the cron line: it interrupts requests and writes.': '请删除这条计划任务：它会打断请求和写入。',
    'Disable that supervision during maintenance.': '维护期间请停用该进程管理程序。',
    'Use systemctl to start and stop this instance.': '请用 systemctl 启停这个实例。',
    'Rebuild or restore these files, and find out what killed the process.': (
        '请重建或恢复这些文件，并查明进程是被什么杀掉的。'
    ),
    'Wait until it has ended. restart and stop wait as well, and refuse if it does not end in time.': (
        '请等它结束。restart 和 stop 也会等待，超时则拒绝执行。'
    ),
    'Free space before an upgrade or a dump.': '升级或备份数据库之前请清理磁盘空间。',
    'They are treated as plain text. Rename them unless they are intended.': (
        '它们按普通文本处理。如果不是有意为之，请改名。'
    ),
    'The version of the files is used instead.': '改用文件的版本。',
    'Start the instance, which then reports its version, or copy CHANGELOG.md of the release to the directory of '
    'the binary.': '请启动实例，它会报告版本；或把该版本的 CHANGELOG.md 复制到程序文件所在目录。',
    'Install a MySQL client (the package mariadb-client), or correct the login in config.json. The database shows '
    'whether a migration runs, and whether it is newer than the version.': (
        '请安装 MySQL 客户端（软件包 mariadb-client），或改正 config.json 里的登录信息。从数据库可以看出是否正在迁'
        '移，以及是否比程序版本新。'
    ),
    'Run as root to see all.': '以 root 运行才能看到全部内容。',
    'Fix that first.': '请先解决这个问题。',
    'accept_hazards: unknown hazard code: {0}. Nothing was done. Known codes: {1}.': (
        'accept_hazards：没有代码为 {0} 的隐患。未做任何操作。已知代码：{1}。'
    ),
    # Conditions of a start
    'version {0} exits at startup without the language files in {1}/locales, and they are missing': (
        '版本 {0} 启动时必须有 {1}/locales 中的语言文件，否则会退出，而这些文件不存在'
    ),
    '{0}/{1} is missing: the full-text search is enabled, and without that file the application exits at startup': (
        '缺少 {0}/{1}：已启用全文搜索，没有该文件应用启动时会退出'
    ),
    'its database is not reachable{0}: {1}': '连不上它的数据库{0:text}：{1:text}',
    'by uid {0}': '（以 uid {0} 连接）',
    'root would run files that other users can change in {0}: {1}{2}': (
        'root 会运行 {0} 中其他用户能修改的文件：{1}{2:text}'
    ),
    'root would run files that other users can change: {0} ({1})': 'root 会运行其他用户能修改的文件：{0}（{1}）',
    '; with user: {0} it would run as the owner of its files': '；设置 user: {0} 即以文件属主的身份运行',
    'it ran as another user before, and {0} cannot write files of that time: {1}': (
        '它以前由另一个用户运行，{0} 无法写入当时的文件：{1}'
    ),
    'its database is newer than version {0}, and starting this version would change its tables: {1}': (
        '它的数据库比版本 {0} 新，启动这个版本会改动数据表：{1}'
    ),
    'Set user, so that the instance does not run as root; or make root the owner of the binary and the '
    'directories, with mode 0755; or accept root_runs_writable if everyone who can change these files may act as '
    'root.': (
        '请设置 user，不让实例以 root 运行；或把程序文件和目录的属主改为 root，权限 0755；如果能修改这些文件的人本'
        '来就可以拥有 root 权限，也可以接受 root_runs_writable。'
    ),
    'Change their owner to that user first (chown).': '请先把它们的属主改为该用户（chown）。',
    'Unpack locales/ of the release again.': '请重新解压该版本的 locales/。',
    'Copy dictionary.txt of the release there.': '请把该版本的 dictionary.txt 复制到那里。',
    'Start the database, or correct mysql.host and mysql.port (or the variables that name it).': (
        '请启动数据库，或改正 mysql.host 和 mysql.port（或指定数据库的环境变量）。'
    ),
    'Install the files of the newer version, or restore the database from an earlier dump.': (
        '请装上较新版本的文件，或用较早的备份恢复数据库。'
    ),
    '{0} is missing. Whether the full-text search is enabled and needs it is not known': (
        '缺少 {0}。全文搜索是否启用、是否需要它，不得而知'
    ),
    'config.json names no database, so none was checked': 'config.json 没有指定数据库，因此没有检查',
    'whether {0} can be reached is not known: {1}': '能否连上 {0} 不得而知：{1:text}',
    '{0} is reachable, {1} is not, and which of them version {2} uses is not known': (
        '{0} 连得上，{1} 连不上，版本 {2} 用哪一个不得而知'
    ),
    '{0} cannot be started: {1}. {2} {3} To start it anyway, add {4} to accept_hazards (in a role: '
    'anqicms_accept_hazards).': (
        '{0} 无法启动：{1:text}。{2:text}{3:text}仍要启动的话，把 {4} 加入 accept_hazards（角色中为 '
        'anqicms_accept_hazards）。'
    ),
    'whether it is newer than this version is not known: {0}: {1}': '它是否比这个版本新不得而知：{0}：{1:text}',
    'whether {0} is newer than this version is not known: {1}': '{0} 是否比这个版本新不得而知：{1:text}',
    # An install of somebody else
    'the way to its directory cannot be seen: {0}': '无法查看通往其目录的路径：{0}',
    'its directory cannot be seen: {0}': '无法查看其目录：{0}',
    'it is below {0}, which belongs to {1}, and {2} runs it': '它位于属于 {1} 的 {0} 之下，却由 {2} 运行',
    'it is below {0}, where all users may put files': '它位于任何人都能写入的 {0} 之下',
    'its directory belongs to {0}, and {1} runs it': '其目录属于 {0}，却由 {1} 运行',
    'all users may write to its directory': '任何人都能写入其目录',
    'it is in the home directory of {0}, who can log in': '它位于可登录用户 {0} 的家目录中',
    # What the install directory shows
    '{0} is not a directory: it is not used': '{0} 不是目录：不使用',
    'an object is expected': '应为对象',
    'the file contains {0}, but an object is expected': '文件内容是 {0}，而应为对象',
    '{0} is not an object': '{0} 不是对象',
    'server.port is missing: the application would use a random port': '缺少 server.port：应用会使用随机端口',
    'server.port is {0}, not a number': 'server.port 是 {0}，不是数字',
    'server.port is {0}, not between 1 and 65535': 'server.port 是 {0}，不在 1 到 65535 之间',
    'it is not valid JSON: {0}': '不是有效的 JSON：{0:text}',
    '{0} does not exist': '{0} 不存在',
    '{0} cannot be read: {1}': '无法读取 {0}：{1:text}',
    'is nested too deep': '嵌套过深',
    'has {0}, which is not JSON': '含有 {0}，不是 JSON',
    'has a number of {0} digits': '含有 {0} 位的数字',
    'has a number that is too large or too long: {0}...': '含有过大或过长的数字：{0}...',
    'has a key twice': '含有重复的键',
    # Answers of the application
    'no complete answer in time': '未在时限内收到完整应答',
    'no time was left': '时间已用完',
    'the connection was closed without an answer': '连接被关闭，没有应答',
    'the answer is not HTTP': '应答不是 HTTP',
    'the answer ended early, after {0} bytes': '应答不完整，只有 {0} 字节',
    'redirected (302): the application is in install mode, it has no usable config.json': (
        '被重定向（302）：应用处于安装模式，没有可用的 config.json'
    ),
    'forbidden (403): an admin host is set, and only that host can read the version': (
        '被拒绝（403）：设置了后台域名，只有通过该域名才能读取版本'
    ),
    'HTTP status {0} without a version': 'HTTP 状态 {0}，没有版本',
    # Supervisors
    'starts it when it finds it not running': '发现它没有运行就会启动它',
    'ends processes by name and may end this one': '按进程名杀进程，可能杀掉它',
    'names its directory': '提到了它的目录',
    'runs as {0}, Restart={1}': '以 {0} 运行，Restart={1}',
    'a unit for it exists, but it is not running in that unit': '存在它的单元，但它不在该单元中运行',
    'the container ends with it, and the container runtime decides what happens next': (
        '它退出后容器也随之结束，之后由容器运行时决定'
    ),
    'its parent watches it': '由其父进程监视',
    'it is the child of another process, and whether that process restarts it is not known': (
        '它是另一个进程的子进程，该进程是否会重新启动它不得而知'
    ),
    'it is the first process of its container, which ends with it': '它是容器的首个进程，它退出后容器也随之结束',
    'the panel starts it again when it is down and {0} exists': '它没有运行而 {0} 存在时，面板会重新启动它',
    'a project of the panel, whose pid file {0} does not exist, so the panel considers it stopped': (
        '面板中的项目，其 pid 文件 {0} 不存在，面板认为它已停止'
    ),
    'could not be read: {0}': '无法读取：{0}',
    # Its port
    'pid {0} listens on ports {1}, and neither -port nor config.json nor port names the one of the site': (
        '进程 {0} 监听端口 {1}，而 -port、config.json 和 port 都没有指明站点用的是哪一个'
    ),
    'port {0} was given, but {1}': '给出的端口是 {0}，但{1:text}',
    'its next start would use port {0} ({1})': '下次启动会用端口 {0}（{1}）',
    'the port of its next start is not known': '下次启动的端口未知',
    'pid {0} listens on port {1}, and {2}': '进程 {0} 监听端口 {1}，{2:text}',
    'pid {0} listens on no port now': '进程 {0} 现在没有监听任何端口',
    'pid {0} has sockets that this user cannot read': '进程 {0} 的套接字当前用户无法读取',
    'it does not run, and {0}': '它没有运行，{0:text}',
    'its port is not known': '端口未知',
    # Its state
    '{0} is not a directory that only root and uid {1} can write': '{0} 不是只有 root 和 uid {1} 能写的目录',
    'its state cannot be read: {0}: {1}': '无法读取其状态：{0}：{1:text}',
    'has format {0}, written by a newer release of the collection; this one knows formats up to {1}': (
        '格式为 {0}，由本集合的较新版本写入；当前版本只认识到格式 {1}'
    ),
    # Its executable
    'it is empty': '文件为空',
    'it is not a Linux program': '不是 Linux 程序',
    'it is truncated: its {0} bytes do not hold an ELF header': '文件被截断：只有 {0} 字节，放不下 ELF 头',
    'its ELF header is damaged (class {0}, byte order {1})': 'ELF 头已损坏（class {0}，字节序 {1}）',
    'it is for another processor architecture (ELF machine {0}, this host runs {1})': (
        '处理器架构不符（ELF machine {0}，本机为 {1}）'
    ),
    'it is {0}, not a program': '是 {0}，不是程序',
    'its ELF header is damaged (program headers: {0} bytes, of {1} bytes each)': (
        'ELF 头已损坏（程序头：{0} 字节，每项 {1} 字节）'
    ),
    'its ELF header is damaged (section headers of {0} bytes each)': 'ELF 头已损坏（节头每项 {0} 字节）',
    'its program headers': '程序头',
    'its section headers': '节头',
    'its program segments': '程序段',
    'it is truncated: {0} end at byte {1}, the file has {2}': (
        '文件被截断：{0:text}到第 {1} 字节为止，而文件只有 {2} 字节'
    ),
    'it is incomplete: where its section headers belong are only zero bytes': '文件不完整：节头所在处全是零',
    'it has no entry point: a shared library, or a damaged file': '没有入口点：是共享库，或文件已损坏',
    'the path of its loader has {0} bytes': '加载器路径有 {0} 字节',
    'its program segments are damaged ({0} bytes for {1} of memory)': '程序段已损坏（内存 {1} 字节，文件中 {0} 字节）',
    'its program segments are not aligned to the pages of this host ({0} bytes)': (
        '程序段没有按本机的内存页（{0} 字节）对齐'
    ),
    'the path of its loader is damaged': '加载器路径已损坏',
    'its first line has no end within {0} bytes': '首行超过 {0} 字节仍未结束',
    'its first line names no interpreter': '首行没有写解释器',
    'its first line ends with CR LF, as in files from Windows: {0}': '首行以 CR LF 结尾，像是 Windows 文件：{0}',
    'its first line looks for {0}, which is not in PATH': '首行要找的 {0} 不在 PATH 中',
    'it is not a regular file': '不是普通文件',
    'it is not executable (mode {0})': '没有可执行权限（权限 {0}）',
    'uid {0} has no permission to execute it (mode {1}, owner {2}, group {3})': (
        'uid {0} 无权执行它（权限 {1}，属主 {2}，属组 {3}）'
    ),
    'it is on a file system that is mounted with noexec': '所在文件系统以 noexec 挂载',
    'it is set-user-ID (mode {0}): its process would run as uid {1}, not {2}': (
        '设置了 set-user-ID（权限 {0}）：进程会以 uid {1} 运行，而不是 {2}'
    ),
    'it is set-group-ID (mode {0}): its process would run with gid {1}': (
        '设置了 set-group-ID（权限 {0}）：进程会以 gid {1} 运行'
    ),
    'it is a script, and its process could not be recognized as this instance': '它是脚本，其进程无法识别为这个实例',
    'it is a script as well, and Linux follows at most {0} in a row': '它也是脚本，而 Linux 最多连续解析 {0} 层',
    'this user cannot read {0}, so whether it is complete is not known': '当前用户无法读取 {0}，是否完整不得而知',
    'this user cannot see whether a process has {0} open for writing': '当前用户看不到是否有进程正在写 {0}',
    # What could not be looked at
    '{0} is not used: {1}': '没有使用 {0}：{1:text}',
    'how it runs is not recorded: {0}': '没有记录它的运行方式：{0:text}',
    'how it runs was not recorded: {0}': '没有记录它的运行方式：{0:text}',
    'how process {0} was started cannot be read by this user': '当前用户无法读取进程 {0} 的启动方式',
    'the sockets of process {0} cannot be read by this user': '当前用户无法读取进程 {0} 的套接字',
    'the process history was not written: {0}': '没有写入进程历史：{0:text}',
    'its name contains characters that cannot be shown': '名称含有无法显示的字符',
    'its file system does not answer': '所在文件系统没有响应',
    '{0} could not be searched: {1}': '无法搜索 {0}：{1}',
    '{0} could not be searched for instances: {1}': '无法在 {0} 中搜索实例：{1}',
    'the records of earlier instances cannot be read: {0}': '无法读取以前实例的记录：{0:text}',
    'only root or its own user can try that': '只有 root 或其运行用户才能尝试',
    'as whom it would start is not known': '会以哪个用户启动不得而知',
}
