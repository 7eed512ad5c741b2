# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Chinese: why a process ended, how urgent that is, and what to do. Pure data."""

from __future__ import annotations

import typing as t

_VERDICTS = {
    'confirmed': '已确认（{0:text}）',
    'likely': '很可能（{0:text}）',
    'no': '并非因内存不足（{0:text}）',
    'unknown': '无法判断（{0:text}）',
}
# The line that sums up a death, by its verdict: with and without a process and a time.
_SUMMARIES = {
    verdict + ' ({0})' + english: chinese + more
    for verdict, chinese in _VERDICTS.items()
    for english, more in {
        '': '',
        ' pid {1} at {2}: {3}': '进程 {1}，时间 {2}：{3:text}',
        ' pid {1} at {2} (give or take {3} s): {4}': '进程 {1}，时间 {2}（误差 {3} 秒）：{4:text}',
        ' pid {1} at an unknown time: {2}': '进程 {1}，时间未知：{2:text}',
        ' at {1}: {2}': '时间 {1}：{2:text}',
        ' at {1} (give or take {2} s): {3}': '时间 {1}（误差 {2} 秒）：{3:text}',
        ' at an unknown time: {1}': '时间未知：{1:text}',
    }.items()
}
TEXTS: t.Mapping[str, str] = {
    **_SUMMARIES,
    # Causes, in the line that sums up; the table has their codes
    'kernel_oom_global': 'kernel_oom_global，主机内存不足，被内核杀掉',
    'kernel_oom_cgroup': 'kernel_oom_cgroup，控制组内存超限，被内核杀掉',
    'userspace_oom': 'userspace_oom，被用户空间的内存守护程序杀掉',
    'go_runtime_oom': 'go_runtime_oom，Go 运行时申请不到内存',
    'crash': 'crash，程序崩溃',
    'admin_stop': 'admin_stop，收到退出信号',
    'admin_kill': 'admin_kill，被停止脚本杀掉',
    'host_reboot': 'host_reboot，主机重启',
    'host_panic': 'host_panic，内核因内存不足而 panic',
    'not_dead': 'not_dead，没有异常退出',
    'unexplained': 'unexplained，原因不明',
    # Urgency
    'killed': '被杀（内存不足）',
    'likely killed': '很可能被杀（内存不足）',
    'crashed': '崩溃',
    'died': '异常退出',
    'down': '未运行',
    'attention': '需要留意',
    'restarted': '重启过',
    'fine': '正常',
    # Headings of the table
    'urgency': '紧急程度',
    'instance': '实例',
    'cause': '原因',
    'starts': '启动次数',
    'memory': '内存',
    # The table
    '{used} of {size} MiB': '{used}/{size} MiB',
    '{used} MiB at its end': '退出时 {used} MiB',
    '    {count} more in the report (-e anqicms_report=DIR)': '    另有 {count} 条见报告（-e anqicms_report=FILE）',
    'limit {size} MiB': '上限 {size} MiB',
    'not set': '未设置',
    'host {left} of {size} MiB available': '主机可用 {left}/{size} MiB',
    'swap {left} of {size} MiB free': '交换空间剩余 {left}/{size} MiB',
    'no swap': '没有交换空间',
    'memory: {figures}': '内存: {figures}',
    'not known': '未知',
    '{count} incidents in this time window, the last: {last}': '这段时间内共 {count} 次，最近几次：{last}',
    ' ({count} times)': '（{count} 次）',
    'log not read: {file}: {why}': '未读取的日志: {file}: {why}',
    'starts found: {starts}': '发现的启动: {starts}',
    'evidence: {path}': '取证包: {path}',
    'not seen on {hosts}: {why}': '以下主机未能查看 {hosts}: {why}',
    ' and {count} more': ' 等另外 {count} 个',
    '{counts}.': '{counts}。',
    'from {since} to {until}: {counts}.': '从 {since} 到 {until}：{counts}。',
    'nothing to inspect': '没有可检查的实例',
    'unreachable: {0}': '连不上: {0}',
    # How something is known
    'the kernel panicked because it was out of memory, instead of killing a process': (
        '内核因内存不足而 panic，而不是杀掉某个进程'
    ),
    'the Go runtime could not allocate memory and ended the process; nothing killed it': (
        'Go 运行时申请不到内存，结束了进程；不是被杀'
    ),
    'it crashed by itself': '程序自己崩溃',
    'a stop script killed it': '被停止脚本杀掉',
    'it received a signal to end and logged it': '收到退出信号，并记入日志',
    'the host was rebooted': '主机重启过',
    'the kernel has counted an OOM kill that no log shows': '内核计数显示发生过一次 OOM，但没有日志记载',
    'it exited without logging; {0}': '它没有留下日志就退出了；{0:text}',
    'an OOM kill of that time cannot be attributed: {0}': '当时有一次 OOM 无法确定是谁被杀：{0}',
    'The process that runs now was started before the time window.': '现在运行的进程在这段时间之前就已启动。',
    'no source that would show an OOM kill by the kernel covers that time': '没有能显示内核 OOM 的来源覆盖那段时间',
    'No source that would show an OOM kill by the kernel covers that time.': '没有能显示内核 OOM 的来源覆盖那段时间。',
    '{0} runs on this host, and no readable log shows what it killed at that time': (
        '这台主机上运行着 {0}，但没有可读的日志显示它当时杀了什么'
    ),
    'no OOM kill was recorded at that time, which is covered by {0}': '那段时间没有 OOM 记录（由 {0} 覆盖）',
    'the OOM kill at that time was of {0}, not of this instance; that time is covered by {1}': (
        '当时的 OOM 杀的是 {0}，不是这个实例；那段时间由 {1} 覆盖'
    ),
    'systemd does not report whether its limit was reached or the host was out of memory': (
        'systemd 没有说明是达到了它的上限，还是主机内存不足'
    ),
    'it is not known which program wrote the line': '不知道这一行是哪个程序写的',
    'but the {0} covers that time and has no such line': '但 {0} 覆盖那段时间，却没有这样的记录',
    'but its own log shows that it kept running at that time': '但它自己的日志显示当时仍在运行',
    'but no other source shows that it died at that time': '但没有其他来源显示它当时退出',
    'pid {0} is in the process history of this instance': '进程 {0} 在这个实例的进程历史中',
    'pid {0} is the requested pid': '进程 {0} 就是指定的进程',
    'nothing is known about this instance before {0}': '{0} 之前没有这个实例的任何记录',
    'the line names no program': '这一行没有写程序名',
    'the line names {0} but no program, and the control group of this instance at that time is not known': (
        '这一行提到 {0} 但没有程序名，而这个实例当时的控制组未知'
    ),
    'everything in {0} was killed, which contains the control group of this instance': (
        '{0} 中的进程全部被杀，其中包含这个实例的控制组'
    ),
    '{0} contains the control group of this instance and others': '{0} 包含这个实例和其他实例的控制组',
    'control group {0} belongs to this instance alone': '控制组 {0} 只属于这个实例',
    'uid {0} is not a user of this instance': 'uid {0} 不是这个实例的用户',
    'another of the same name can have been it': '也可能是同名的另一个实例',
    'this instance was last seen in control group {0}, but the line names {1}': (
        '最后一次看到这个实例时它在控制组 {0}，而这一行写的是 {1}'
    ),
    'the last known process of this instance before that was pid {0}': '在那之前，这个实例最后已知的进程是 {0}',
    'another process of the same name was running at that time': '当时还有一个同名进程在运行',
    'by elimination: no other known process on this host is called {0}': '排除法：这台主机上没有其他已知进程叫 {0}',
    'by elimination: every other {0} on this host was running before and after it, or runs as another user': (
        '排除法：这台主机上其他的 {0} 在其前后都在运行，或由其他用户运行'
    ),
    'the task {0} of this collection sent {1}': '本集合的任务 {0} 发送了 {1}',
    'a window of this collection sent {0}': '本集合的窗口发送了 {0}',
    'a window of this collection (run {0}) sent {1}': '本集合的窗口（运行 {0}）发送了 {1}',
    'it ended, and no source shows why': '它已退出，没有来源显示原因',
    'it ended while a task or window of this collection was working on it': '本集合的任务或窗口处理它时，它退出了',
    # Advice
    'Its control group reached its memory limit of {0}; the host itself was not out of memory.{1} Raise the limit '
    '(MemoryMax= of the unit, --memory of the container), or reduce its memory use.': (
        '它的控制组达到了内存上限（{0}）；主机本身内存充足。{1:text}请调高上限（单元的 MemoryMax=，容器的 --memory），'
        '或减少内存占用。'
    ),
    "The host's memory of {0} was exhausted{1}. Add memory, or limit the other processes there. MemoryMax= of a "
    'unit keeps one instance from taking down its siblings.': (
        '主机内存（{0}）已耗尽{1:text}。请增加内存，或限制其他进程。给单元设置 MemoryMax= 可避免一个实例拖垮其他实例。'
    ),
    'Nothing killed it. It requested memory that a limit (ulimit -v, LimitAS=, here {0}) did not allow, or that '
    'the host did not have.': (
        '它不是被杀的：申请的内存超过了限制（ulimit -v、LimitAS=，这里为 {0}），或主机没有那么多内存。'
    ),
    'Its control group reached its memory limit{0}; the host itself was not out of memory.{1} Raise the limit '
    '(MemoryMax= of the unit, --memory of the container), or reduce its memory use.': (
        '它的控制组达到了内存上限{0:text}；主机本身内存充足。{1:text}请调高上限（单元的 MemoryMax=，容器的 --memory），'
        '或减少内存占用。'
    ),
    'It used {0} when it was killed.': '被杀时占用 {0}。',
    "The host's memory{0} was exhausted{1}. Add memory, or limit the other processes there. MemoryMax= of a unit "
    'keeps one instance from taking down its siblings.': (
        '主机内存{0:text}已耗尽{1:text}。请增加内存，或限制其他进程。给单元设置 MemoryMax= 可避免一个实例拖垮其他实例。'
    ),
    ', {0} of it in this process': '，其中这个进程占 {0}',
    '{0} is now the largest process of this host, with {1}.{2}': '现在主机上占用内存最多的进程是 {0}，{1}。{2:text}',
    'Check innodb_buffer_pool_size.': '请检查 innodb_buffer_pool_size。',
    'The host has no swap, so a short peak of memory use leads to a kill. Add a small amount of swap.': (
        '主机没有交换空间，内存占用短暂升高就会有进程被杀。请加一点交换空间。'
    ),
    'It was killed {0} times in the time window. Fix the lack of memory first: another start will not help.': (
        '这段时间内它被杀了 {0} 次。请先解决内存不足：再次启动没有用。'
    ),
    'Set GOMEMLIMIT{0} in its environment: the Go runtime then collects garbage earlier instead of growing. This '
    'works for builds with Go 1.19 and later.': (
        '请在它的环境变量中设置 GOMEMLIMIT，值{0:text}：Go 运行时会提早回收内存，而不是继续增长。Go 1.19 及以后编译'
        '的版本有效。'
    ),
    'GOMEMLIMIT is {0} in its environment, which is too high to help here. Lower it{1}.': (
        '环境变量 GOMEMLIMIT 是 {0}，过高，起不了作用。请调低，值{1:text}。'
    ),
    'to about {0}MiB ({1})': '约 {0}MiB（{1:text}）',
    'below the limit': '低于上限',
    'the limit of its control group is {0}': '控制组的上限是 {0}',
    'the host has {0}': '主机内存为 {0}',
    'its address space is limited to {0} (ulimit -v, LimitAS=)': '地址空间限制为 {0}（ulimit -v、LimitAS=）',
    'it used {0} when it was killed': '被杀时占用 {0}',
    'The memory limiter and the cache of the application use the memory of the host, not the limit of a container '
    'or unit, so they do not help here.': (
        '应用的内存限流和缓存按主机内存计算，而不是容器或单元的上限，因此在这里不起作用。'
    ),
    'The built-in full-text search keeps the index of every site in memory and rebuilds it at each start. Disable '
    'it, exclude article bodies from it, or use an external engine (from 3.5).': (
        '内置全文搜索把每个站点的索引都放在内存里，每次启动都会重建。请停用它，或不索引文章正文，或使用外部搜索引擎'
        '（3.5 起）。'
    ),
    'Set the cache type to files in the settings of each site: the in-memory cache {0}.': (
        '请在各站点的设置里把缓存类型改为文件：内存缓存{0:text}。'
    ),
    'has no size limit': '没有大小限制',
    'holds up to 10000 entries': '最多保存 10000 条',
    'Version {0} reads whole uploads into memory. Version 3.5.5 needs much less memory for them.': (
        '版本 {0} 会把上传的文件整个读入内存。3.5.5 占用的内存少得多。'
    ),
    'Version {0} can use up all memory with rewrite rules of several levels. This is fixed in 3.3.3.': (
        '版本 {0} 使用多级伪静态规则时可能耗尽内存。3.3.3 已修复。'
    ),
    'Nothing killed it. It requested memory that a limit (ulimit -v, LimitAS={0}) did not allow, or that the host '
    'did not have.': '它不是被杀的：申请的内存超过了限制（ulimit -v、LimitAS={0:text}），或主机没有那么多内存。',
    'Report the crash to the authors of the application, with the log from the line of the panic on. log_check '
    'shows these lines.': '请把崩溃反馈给应用的作者，附上从 panic 那一行起的日志。log_check 会显示这些行。',
    "The vendor's stop.sh kills every instance of a host with SIGKILL. Stop single instances with graceful_stop or "
    'the stop playbook.': (
        '官方的 stop.sh 会用 SIGKILL 杀掉主机上的全部实例。停止单个实例请用 graceful_stop 或 stop playbook。'
    ),
    'A person or a program sent it a signal to end. Check who was logged in at that time, and check cron, panels '
    'and systemd units.': '有人或程序给它发送了退出信号。请检查当时谁登录过，并检查计划任务、面板和 systemd 单元。',
    'The host was rebooted. Make sure that something starts the instance at boot.': (
        '主机重启过。请确认有程序在开机时启动实例。'
    ),
    'vm.panic_on_oom is set on this host, so the host reboots instead of killing one process.': (
        '这台主机设置了 vm.panic_on_oom，内存不足时会重启主机，而不是只杀一个进程。'
    ),
    'All {0} known instances of this host may have ended within one second. "pkill -9 {1}" has that effect, and '
    "the vendor's stop.sh runs it. Check cron, panels and shell histories. Stop single instances with "
    'graceful_stop or the stop playbook.': (
        '这台主机上已知的 {0} 个实例可能在一秒内全部退出。「pkill -9 {1}」就会这样，官方的 stop.sh 会执行它。请检查计'
        '划任务、面板和 shell 历史。停止单个实例请用 graceful_stop 或 stop playbook。'
    ),
    'It was not OOM-killed. A process that exits without logging was killed with SIGKILL: by a script, a panel, a '
    'person, or the start of another instance of 3.2.2 - 3.4.5.': (
        '它不是因内存不足被杀的。没有留下日志就退出，说明是被 SIGKILL 杀掉的：可能是脚本、面板、人，或另一个 3.2.2 '
        '- 3.4.5 的实例启动时所为。'
    ),
    'To know more: {0}.': '想知道更多：{0:text}。',
    'To know more: keep the kernel log for longer (a persistent journal, or kern.log), and run diagnose or '
    'instance_info regularly, which record the pid and the control group of each process.': (
        '想知道更多：请把内核日志保留得更久（持久化的 journal，或 kern.log），并定期运行 diagnose 或 instance_info，'
        '它们会记录各进程的进程号和控制组。'
    ),
    'The verdict is not certain, for the reason given in the summary. Run diagnose or instance_info regularly: '
    'what they record about a process makes the next verdict certain.': (
        '结论并不确定，理由见上面的摘要。请定期运行 diagnose 或 instance_info：它们对进程的记录能让下一次结论确定。'
    ),
    # Sources
    'run it as root or add the user to the group systemd-journal': '请以 root 运行，或把用户加入 systemd-journal 组',
    'run it as root or grant CAP_SYSLOG': '请以 root 运行，或授予 CAP_SYSLOG',
    'it took too long': '耗时过长',
    'the output was too long': '输出过长',
    '{0} is not installed': '没有安装 {0}',
    '{0} cannot be run: {1}': '无法运行 {0}：{1:text}',
    'this user cannot see system messages: {0}': '当前用户看不到系统消息：{0:text}',
    'it contains no kernel messages': '其中没有内核消息',
    '{0} records could not be parsed': '有 {0} 条记录无法解析',
    'it has more than {0} lines about memory or crashes': '有关内存或崩溃的记录超过 {0} 行',
    'no permission to read {0}: {1}': '无权读取 {0}：{1:text}',
    '{0} is not the kernel log on this host': '{0} 不是这台主机的内核日志',
    '{0} cannot be read: {1}; run it as root': '无法读取 {0}：{1}；请以 root 运行',
    'no permission to read {0}: run as root or add the user to the group adm': (
        '无权读取 {0}：请以 root 运行，或把用户加入 adm 组'
    ),
    '{0} could not be read to its end': '没有读到 {0} 的末尾',
    'reading it took too long': '读取耗时过长',
    'it has no lines in the time window': '这段时间内没有记录',
    'it has no kernel lines in the time window': '这段时间内没有内核记录',
    'its time stamps cannot be parsed: "{0}"': '无法解析其时间戳：「{0}」',
    'its times count from an unknown boot: "{0}". Provide the log with absolute times, as written by "dmesg '
    '--time-format iso"': (
        '其时间从某次未知的开机算起：「{0}」。请提供带绝对时间的日志，例如 "dmesg --time-format iso" 的输出'
    ),
    'this kernel does not count OOM kills (older than 4.13)': '这个内核不统计 OOM 次数（早于 4.13）',
    'this kernel does not count OOM kills in {0}': '这个内核不在 {0} 中统计 OOM 次数',
    'control groups are not mounted here': '这里没有挂载控制组',
    '{0} does not exist: the control group was removed, or memory is not limited there': (
        '{0} 不存在：控制组已被删除，或那里没有限制内存'
    ),
    'none of its lines can be parsed': '没有一行能解析',
    'the journal lost messages at that time: "{0}"': 'journal 当时丢失了消息：「{0}」',
    'syslog lost messages at that time: "{0}"': 'syslog 当时丢失了消息：「{0}」',
    'the kernel did not print all messages at that time: "{0}"': '内核当时没有输出全部消息：「{0}」',
    '{0}: {1} is not a valid time. Nothing was read. Use a time such as 2026-01-31T12:00:00 or 2026-01-31T12:00:00Z.': (
        '{0}: {1} 不是有效的时间。没有读取任何内容。请用例如 2026-01-31T12:00:00 或 2026-01-31T12:00:00Z 的时间。'
    ),
    'since ({0}) is not earlier than until ({1}). Nothing was read. Swap the two.': (
        'since（{0}）不早于 until（{1}）。没有读取任何内容。请对调两者。'
    ),
}
