# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Chinese: what hosts report of stops, starts, and windows. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {
    # The stop
    '{0} is run by {1} ({2}), which {3} start it again. Nothing was signalled. Stop it through that supervisor.': (
        '{0} 由 {1}（{2}）管理，它会重新启动实例（{3}）。没有发送任何信号。请通过该进程管理程序停止。'
    ),
    'No permission to signal pid {0} of {1}, which runs as uid {2}. Nothing was signalled. Run as root or as that '
    'user.': '无权向 {1} 的进程 {0}（以 uid {2} 运行）发送信号。没有发送任何信号。请以 root 或该用户运行。',
    "/proc hides other users' processes (hidepid), and {0} belongs to uid {1}: whether it runs is not known. "
    'Nothing was signalled. Run as root or as that user.': (
        '/proc 隐藏了其他用户的进程（hidepid），而 {0} 属于 uid {1}：是否在运行不得而知。没有发送任何信号。请以 '
        'root 或该用户运行。'
    ),
    'pid {0} of {1} {2} SIGTERM, so it cannot be stopped gracefully. Nothing was signalled, and it continues '
    'serving. Set force: timeout to kill it.': (
        '{1} 的进程 {0} 不处理 SIGTERM（{2}），无法正常停止。没有发送任何信号，它仍在提供服务。设置 force: timeout '
        '可以强制结束。'
    ),
    'pid {0} of {1} has not opened port {2} yet: it may be migrating its database. Nothing was signalled. Wait '
    'until it answers, then stop it.': (
        '{1} 的进程 {0} 还没有打开端口 {2}：可能正在迁移数据库。没有发送任何信号。请等它能应答后再停止。'
    ),
    'pid {0} of {1} is migrating its database ({2}). The stop waited for {3} s, {4}. Nothing was signalled, and '
    'the migration continues. force does not override this. Wait until the migration has ended (check SHOW '
    'PROCESSLIST and last_run_version in the table settings), then try again, or raise migration_timeout.': (
        '{1} 的进程 {0} 正在迁移数据库（{2}）。已等待 {3} 秒（{4}）。没有发送任何信号，迁移仍在继续，force 对此无效。'
        '请等迁移结束（查看 SHOW PROCESSLIST 和 settings 表中的 last_run_version）后再试，或调大 migration_timeout。'
    ),
    'pid {0} of {1} has {2} {3}.{4} The stop waited for {5} s, {6}. Nothing was signalled. force does not override '
    'this. Wait until it has ended (the backup page of the administration shows it; a download ends with its '
    'connection), then try again, or raise quiet_timeout.': (
        '{1} 的进程 {0} 正打开 {2}（{3}）。{4:text}已等待 {5} 秒（{6}）。没有发送任何信号，force 对此无效。请等它结'
        '束（后台的备份页面可以看到；下载随连接结束）后再试，或调大 quiet_timeout。'
    ),
    'The process is suspended (state T).': '该进程已被挂起（状态 T）。',
    'pid {0} of {1} is still running {2} ms after {3} ({4}). No further signal was sent. Wait and try again, or '
    'set force: timeout, which kills it unless a migration runs.': (
        '发送 {3} 后 {2} ms，{1} 的进程 {0} 仍在运行（{4}）。没有再发送其他信号。请稍后再试，或设置 force: timeout，'
        '除非正在迁移，否则会强制结束。'
    ),
    'pid {0} of {1} was stopped, but something started it again as pid {2}. The new process was left running. '
    'Disable what starts it (a cron line, a panel, a unit), then stop it again.': (
        '{1} 的进程 {0} 已停止，但又被别的程序启动为进程 {2}。新进程没有处理。请停用启动它的程序（计划任务、面板、'
        '单元）后再停止一次。'
    ),
    # The port
    'Whether port {0} is free is not known: {1}. The port was not waited for.': (
        '端口 {0} 是否空闲不得而知：{1:text}。没有等待该端口。'
    ),
    'this user has no permission to bind port {0} (a privileged port, or a security policy such as SELinux), so '
    'whether it is in use is not known': (
        '当前用户无权绑定端口 {0}（特权端口，或 SELinux 等安全策略），是否被占用不得而知'
    ),
    '{0} is not an address of this host': '{0} 不是本机的地址',
    'bind of {0} port {1} failed: {2}': '绑定 {0} 端口 {1} 失败：{2}',
    '{0}. No port was probed. Set ports to numbers from 1 to 65535.': (
        '{0:text}。没有探测任何端口。请把 ports 设为 1 到 65535 之间的数。'
    ),
    'Invalid TCP ports: {0}': '无效的 TCP 端口：{0}',
    'ports is empty': 'ports 为空',
    '{0} is not an IP address. No port was probed. Set address to an address of this host.': (
        '{0} 不是 IP 地址。没有探测任何端口。请把 address 设为本机的地址。'
    ),
    '{0} is not a port (1 to 65535). Nothing was done. Correct ports.': (
        '{0} 不是端口（1 到 65535）。未做任何操作。请改正 ports。'
    ),
    'Port {0} is still held after {1} ms. Its holder was not signalled. End that process, or use another port.': (
        '{1} ms 后端口 {0} 仍被占用。没有向占用者发送信号。请结束该进程，或改用其他端口。'
    ),
    'Port {0} was released and taken again by {1} within {2} ms.': '端口 {0} 释放后，在 {2} ms 内又被 {1} 占用。',
    '{0} The new process was left running. Something starts it again (a cron line, a service manager): disable '
    'that first.': '{0:text}新进程没有处理。有程序会重新启动它（计划任务、服务管理器）：请先停用。',
    'port {0} is still held after {1} s': '{1} 秒后端口 {0} 仍被占用',
    'a process that is not visible': '看不到的进程',
    'Port {0} of {1} is held by {2}. {3} End that process, or change the port.{4}': (
        '{1} 的端口 {0} 被 {2:text} 占用。{3:text}请结束该进程，或更换端口。{4:text}'
    ),
    # The start
    '{0} runs as pid {1} with its port {2} closed, and will not serve again. Nothing was started. Stop it first '
    '(graceful_stop).': (
        '{0} 以进程 {1} 运行，端口 {2} 已关闭，不会再提供服务。没有启动任何进程。请先停止它（graceful_stop）。'
    ),
    'config.json of {0} is {1}: {2}. {3} Nothing was stopped or started. Fix the file first.': (
        '{0} 的 config.json 有问题（{1}）：{2:text}。{3:text}没有启停任何进程。请先修正该文件。'
    ),
    'The application would start its installer, which is open to everyone.': '应用会启动向所有人开放的安装页面。',
    'The application would not start.': '应用无法启动。',
    '{0} runs as uid {1}, and only root can start it as another user. Nothing was stopped or started. Run as root '
    'or as that user.': (
        '{0} 以 uid {1} 运行，只有 root 能以其他用户的身份启动它。没有启停任何进程。请以 root 或该用户运行。'
    ),
    '{0}: {1}, and there is no earlier record of how it ran. Nothing was stopped or started. Stop it '
    '(graceful_stop), then start it manually, or set user.': (
        '{0}: {1:text}，而且没有它以前如何运行的记录。没有启停任何进程。请停止它（graceful_stop）再手动启动，或设置'
        ' user。'
    ),
    '{0} was never seen running, and the owners of its files differ ({1}), so the user to start it as is not '
    'known. Nothing was stopped or started. Set user.': (
        '从未见过 {0} 运行，而其文件的属主不一致（{1}），无法确定以哪个用户启动。没有启停任何进程。请设置 user。'
    ),
    'No free port was found between {0} and {1}. Nothing was started. Free a port in this range, then try again.': (
        '{0} 到 {1} 之间没有空闲端口。没有启动任何进程。请腾出该范围内的一个端口后再试。'
    ),
    'Invalid start options: {0}. Nothing was stopped or started. Correct environment and arguments.': (
        '启动选项无效：{0:text}。没有启停任何进程。请改正 environment 和 arguments。'
    ),
    'the argument {0} contains a NUL byte': '参数 {0} 含有 NUL 字节',
    '{0} is not a valid name of an environment variable': '{0} 不是有效的环境变量名',
    'the value of {0} contains a NUL byte': '{0} 的值含有 NUL 字节',
    '{0} cannot be started now: {1}. Nothing was stopped or started. Wait until the file is complete (it may be a '
    'running upload), or end that process.': (
        '{0} 现在无法启动：{1:text}。没有启停任何进程。请等文件写完（可能正在上传），或结束那个进程。'
    ),
    'it is open for writing by {0}': '{0:text}正在写它',
    'it is leased by {0}': '它被 {0:text} 租用（lease）',
    'a process that this user cannot see': '当前用户看不到的进程',
    '{0} cannot be started: {1}. Nothing was stopped or started. Install the binary of this release there (mode '
    '0755).': '{0} 无法启动：{1:text}。没有启停任何进程。请在那里装上该版本的程序文件（权限 0755）。',
    'The start of {0} could kill its siblings, and the protection in {1} cannot be set up: {2}. Nothing was '
    'stopped or started. Set a state_dir that every user can enter, with free space, on a file system without '
    'noexec.': (
        '{0} 启动时可能杀掉其他实例，而 {1} 中的保护措施无法建立：{2:text}。没有启停任何进程。请把 state_dir 设在任'
        '何用户都能进入、有空间、未以 noexec 挂载的目录。'
    ),
    'The log {0} cannot be opened: {1}. {2} {3}': '无法打开日志 {0}：{1:text}。{2:text}{3:text}',
    'The instance writes to the log {0}, which is not the file of that name on this host. The log was not opened. '
    '{1} {2}': '实例写入的日志 {0} 不是本机上的同名文件。没有打开该日志。{1:text}{2:text}',
    "Create it again as a regular file of the instance's user, in directories that only root can write, or start "
    'the instance manually once with its output in running.log of the install directory.': (
        '请在只有 root 能写的目录里把它重建为实例运行用户的普通文件，或手动启动一次，把输出写到安装目录的 running.log。'
    ),
    '{0} cannot be started: {1}. {2} {3}': '{0} 无法启动：{1:text}。{2:text}{3:text}',
    'the process that was prepared for the start was killed': '为启动准备的进程被杀掉了',
    'no process could be created for it ({0})': '无法为它创建进程（{0:text}）',
    'the process that was prepared for the start (pid {0}) was not ready within {1} s; it may be suspended': (
        '为启动准备的进程（进程号 {0}）{1} 秒内没有就绪，可能被挂起'
    ),
    'the process that was prepared for the start (pid {0}) did nothing for {1} s; it may be suspended': (
        '为启动准备的进程（进程号 {0}）{1} 秒没有动静，可能被挂起'
    ),
    '{0} could not be executed: {1}, {2} times. Nothing runs. Find out what suspends or kills processes of its '
    'user, then start it.': (
        '{0} 无法执行：{1:text}，共 {2} 次。没有进程在运行。请查明是什么挂起或杀掉该用户的进程，然后启动它。'
    ),
    '{0} could not be executed: {1}.': '{0} 无法执行：{1:text}。',
    '{0} After {1} s {2}. Nothing runs.': '{0:text}{1} 秒后{2:text}。没有进程在运行。',
    '{0} was started as pid {1}, but {2}. That process was ended. Nothing runs. Find out what replaces the binary, '
    'then start it.': (
        '{0} 已启动为进程 {1}，但{2:text}。该进程已被结束。没有进程在运行。请查明是什么替换了程序文件，然后启动它。'
    ),
    'pid {0} of {1} runs, but {2}. Nothing was started. Check its log, or stop it first.': (
        '{1} 的进程 {0} 在运行，但{2:text}。没有启动任何进程。请查看它的日志，或先停止它。'
    ),
    'pid {0} of {1} was running, but exited before it answered: {2}. Its log says: {3}. Nothing was started. {4}': (
        '{1} 的进程 {0} 曾在运行，但在应答之前退出：{2:text}。日志内容：{3:text}。没有启动任何进程。{4:text}'
    ),
    '{0} was started and {1}. Its log says: {2}. {3} {4}': '{0} 已启动，{1:text}。日志内容：{2:text}。{3:text}{4:text}',
    '{0} was started and {1}. Its log says: {2}. Nothing runs. {3}': (
        '{0} 已启动，{1:text}。日志内容：{2:text}。没有进程在运行。{3:text}'
    ),
    '{0} was started and {1}. Its log says: {2}. It still runs as pid {3}. {4}': (
        '{0} 已启动，{1:text}。日志内容：{2:text}。它仍以进程 {3} 运行。{4:text}'
    ),
    'It still runs as pid {0}.': '它仍以进程 {0} 运行。',
    'Check its log. Once it answers, run recover, which verifies the start. If it hangs, end the process.': (
        '请查看它的日志。能应答之后运行 recover，验证这次启动；如果卡住，请结束该进程。'
    ),
    'Check its log, then start it again.': '请查看它的日志，然后再次启动。',
    'it answers on port {0}, but without a version ({1}{2}). The cause may be a disabled site, or a database that '
    'is newer than this version': (
        '它在端口 {0} 上应答，但没有版本（{1:text}{2:text}）。原因可能是站点被停用，或数据库比这个版本新'
    ),
    'it did not answer within {0} s, the time limit of this start (last answer: {1}). It was not ended, because it '
    'may be migrating its database': (
        '它在 {0} 秒（本次启动的时限）内没有应答（最后的应答：{1:text}）。它可能正在迁移数据库，因此没有结束它'
    ),
    'it did not answer, and there was no progress for {0} s (last answer: {1})': (
        '它没有应答，且 {0} 秒没有进展（最后的应答：{1:text}）'
    ),
    'another process answers on port {0}': '端口 {0} 上应答的是另一个进程',
    '; also asked as {0}': '；也以 {0} 询问过',
    'nothing': '（无）',
    # How a process ended in its start
    'exited before it answered: {0}': '在应答之前退出：{0:text}',
    'its exit code is not known': '退出码未知',
    'exit code 255: the start failed, and the last line of its log says why': (
        '退出码为 255：启动失败，日志的最后一行写着原因'
    ),
    'Read the log lines above. If they do not show the cause, start it manually as its user.': (
        '请看上面的日志。如果看不出原因，请以它的运行用户手动启动。'
    ),
    "it was killed (SIGKILL): by the kernel for memory, by a guard or stop.sh, or by a sibling's start": (
        '它被 SIGKILL 杀掉：可能是内核因内存不足、守护脚本或 stop.sh，或另一个实例启动时所为'
    ),
    'Search the kernel log for "Killed process", and check which other programs start or stop it.': (
        '请在内核日志中搜索「Killed process」，并检查还有什么会启停它。'
    ),
    'it was ended by signal {0}{1}': '它被信号 {0}{1} 结束',
    '{0}: a fault of the program': '{0:text}：程序自身的错误',
    'Keep its log and the line of the kernel log that names it (segfault, trap), and report it.': (
        '请保留它的日志和内核日志中提到它的那一行（segfault、trap），并反馈。'
    ),
    '{0}: a limit of its own was reached': '{0:text}：达到了它自身的限制',
    'Raise {0} for it, then start it again.': '请调高{0:text}，然后再次启动。',
    'the limit of processor time (ulimit -t)': '处理器时间限制（ulimit -t）',
    'the limit of the size of files (ulimit -f)': '文件大小限制（ulimit -f）',
    'Find out who sent it.': '请查明是谁发送的。',
    'it exited with exit code 0: it received a signal to end, or (all versions) it could not bind the port': (
        '退出码为 0：收到了退出信号，或（各版本都如此）无法绑定端口'
    ),
    'exit code 1: locales/ is missing': '退出码为 1：缺少 locales/',
    'exit code 1: a file that it needs at start is missing': '退出码为 1：缺少启动所需的文件',
    'exit code 2: a Go panic or fatal error; from 3.0 on also an invalid config.json': (
        '退出码为 2：Go 的 panic 或致命错误；3.0 起也可能是 config.json 无效'
    ),
    'exit code {0}: it could not be executed': '退出码为 {0}：无法执行',
    'exit code 255: port in use, invalid config.json, or the database is not reachable': (
        '退出码为 255：端口被占用、config.json 无效，或连不上数据库'
    ),
    'exit code {0}, which the application does not use itself': '退出码为 {0}，应用自己不会使用这个值',
    # Windows and their recovery
    'step {0} failed: {1}': '步骤 {0} 失败：{1:text}',
    'its preparation, before any step, failed: {0}': '准备阶段（尚未执行任何步骤）失败：{0:text}',
    'Done before it: {0}.': '之前已完成：{0}。',
    'Now it is {0}.': '现在状态：{0:text}。',
    'Now it is {0} (pid {1}).': '现在状态：{0:text}（进程 {1}）。',
    'Step {0} ({1}) cannot run: {2}': '第 {0} 步（{1}）无法执行：{2:text}',
    'the deadline of {0} s has passed before step {1}.': '执行步骤 {1} 之前已超过 {0} 秒的期限。',
    'A second attempt to start it failed as well: {0}': '第二次尝试启动也失败了：{0:text}',
    'Its changes could not be undone, and it was not started: {0}': '修改无法撤销，也没有启动：{0:text}',
    'Its changes were undone, but it could not be started: {0}': '修改已撤销，但无法启动：{0:text}',
    'all steps were done, but afterwards something has started it again. Find out what starts it.': (
        '所有步骤都已完成，但之后又有程序启动了它。请查明是什么启动了它。'
    ),
    'all steps were done, but afterwards its process has ended. Find out what ends it.': (
        '所有步骤都已完成，但之后它的进程结束了。请查明是什么结束了它。'
    ),
    '{0}: all steps were done, but the commit could not be recorded. The next run or recovery will undo its '
    'changes.': '{0}: 所有步骤都已完成，但无法记录提交。下次运行或恢复会撤销这些修改。',
    'The unfinished run {0} was recovered, but this could not be recorded in {1}: {2}. No step was run. Free space '
    'there, then try again.': (
        '未完成的运行 {0} 已恢复，但无法记录到 {1}：{2:text}。没有执行任何步骤。请清理那里的空间后再试。'
    ),
    'Recovery of the unfinished run {0} of {1} failed: {2} Fix the cause, then run recover.yml.': (
        '恢复 {1} 未完成的运行 {0} 失败：{2:text}请解决原因，然后运行 recover.yml。'
    ),
    'The run is unfinished.{0} To finish it now, fix the cause, then run the recover playbook.': (
        '这次运行没有完成。{0:text}如要立即完成，请解决原因，然后运行 recover playbook。'
    ),
    'The run is unfinished. To finish it now, fix the cause, then run the recover playbook.': (
        '这次运行没有完成。如要立即完成，请解决原因，然后运行 recover playbook。'
    ),
    'A guardian on the host {0}.': '主机上的看护进程{0:text}。',
    'waits for the process to end, at most {0} s': '等待进程结束，最多 {0} 秒',
    'waits for the process to end, at most {0} s, then starts the instance': '等待进程结束，最多 {0} 秒，然后启动实例',
    'waits for its answer, at most {0} s, and starts the instance again if the process ends': (
        '等待它应答，最多 {0} 秒；进程结束的话会再次启动实例'
    ),
    'tries to start it for at most {0} s': '尝试启动它，最多 {0} 秒',
    'waits for the migration to end, at most {0} s, then recovers the instance': (
        '等待迁移结束，最多 {0} 秒，然后恢复实例'
    ),
    'The run is unfinished, and the process was left running. Do not end it. A guardian on the host waits for the '
    'migration to end, at most {0} s, and {1}. If the migration takes longer, run the recover playbook after it '
    'has ended.': (
        '这次运行没有完成，进程仍在运行，请不要结束它。主机上的看护进程会等待迁移结束，最多 {0} 秒，{1:text}。如果'
        '迁移需要更长时间，请在它结束之后运行 recover playbook。'
    ),
    'then undoes the changes': '然后撤销修改',
    'then checks the instance': '然后检查实例',
    'The guardian recovered the instance: {0}.': '看护进程已恢复实例：{0:text}。',
    'it was started': '已启动',
    'it ran': '它在运行',
    'its changes were undone, then {0}': '修改已撤销，然后{0:text}',
    'its last phase was completed, then {0}': '最后阶段已完成，然后{0:text}',
    'nothing had to be done, because it was not running before': '它之前没有运行，无需处理',
    'its changes were undone; it was not running before': '修改已撤销；它之前没有运行',
    'the worker (pid {0}) had not ended {1} s after the deadline of {2} s and was {3}': (
        '工作进程（进程号 {0}）在 {2} 秒的期限过后 {1} 秒仍未结束，已被处理（{3}）'
    ),
    'the worker (pid {0}) was killed by signal {1}': '工作进程（进程号 {0}）被信号 {1} 杀掉',
    'the worker (pid {0}) ended without a result; see {1}': '工作进程（进程号 {0}）没有结果就结束了，见 {1}',
    'the worker (pid {0}) had not ended {1} s after the deadline of {2} s and was {3} in step {4}': (
        '工作进程（进程号 {0}）在 {2} 秒的期限过后 {1} 秒仍未结束，已被处理（{3}），当时在步骤 {4}'
    ),
    'the worker (pid {0}) was killed by signal {1} in step {2}': '工作进程（进程号 {0}）在步骤 {2} 中被信号 {1} 杀掉',
    'the worker (pid {0}) ended without a result; see {1} in step {2}': (
        '工作进程（进程号 {0}）在步骤 {2} 中没有结果就结束了，见 {1}'
    ),
    'its time limit of {0} s has passed': '已超过 {0} 秒的时限',
    '{0}: worker and guardian ended without a result in step {1} of the run. {2}': (
        '{0}: 工作进程和看护进程在步骤 {1} 中没有结果就结束了。{2:text}'
    ),
    'A later recovery has fixed the instance.': '之后的一次恢复已把实例修好。',
    'The host was rebooted meanwhile, and the recovery at boot has not ended yet. Check with instance_info. If the '
    'run stays unfinished, run recover.yml.': (
        '期间主机重启过，开机时的恢复尚未结束。请用 instance_info 检查。如果运行一直未完成，请运行 recover.yml。'
    ),
    'The instance may be down. Run recover.yml, or run this again: it recovers first.': (
        '实例可能没有运行。请运行 recover.yml，或重新运行一次：会先恢复。'
    ),
    'The end of the run may not survive a power cut: {0}.': '运行的结束记录可能经不起断电：{0:text}。',
    'The end of the run could not be recorded in {0}: {1}. Free space there, or fix the other cause.': (
        '无法在 {0} 中记录运行的结束：{1:text}。请清理那里的空间，或解决其他原因。'
    ),
    'The work on {0} could not start': '{0} 的工作无法开始',
    'The journal in {0} could not be written': '无法写入 {0} 中的执行记录',
    'it was killed before it started its work': '它在开始工作之前被杀掉了',
    'only root can do it as uid {0}': '只有 root 能以 uid {0} 执行',
    # A command
    'command: exactly one of cmd and argv is required. Nothing was done. Set one of them.': (
        'command：cmd 和 argv 必须且只能给一个。未做任何操作。请设置其中一个。'
    ),
    'command: cmd cannot be split into words: {0}. Nothing was done.': (
        'command：cmd 无法拆分成单词：{0}。未做任何操作。'
    ),
    'command: {0} is not a program that can be executed (looked for in {1}). Nothing was done.': (
        'command：{0} 不是可执行的程序（查找范围：{1}）。未做任何操作。'
    ),
    'command: the directory {0} does not exist. Nothing was done.': 'command：目录 {0} 不存在。未做任何操作。',
    '{0} could not be executed: {1}. The following steps were not run. Check the command.': (
        '{0} 无法执行：{1:text}。没有执行后面的步骤。请检查该命令。'
    ),
    '{0} was ended after {1} s ({2}). The following steps were not run. Its output: {3}': (
        '{0} 在 {1} 秒后被结束（{2:text}）。没有执行后面的步骤。其输出：{3}'
    ),
    '{0} ended with exit status {1}. The following steps were not run. Its output: {2}': (
        '{0} 的退出码为 {1}。没有执行后面的步骤。其输出：{2}'
    ),
    'the deadline of the window': '窗口的期限',
}
