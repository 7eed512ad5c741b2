# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Chinese: what hosts report of instances, their state, sites and logs. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {
    # Sentences that many messages have
    'Nothing was stopped or started.': '没有启停任何进程。',
    'Nothing was started.': '没有启动任何进程。',
    'Nothing was signalled.': '没有发送任何信号。',
    'No process was signalled.': '没有发送任何信号。',
    'Nothing runs.': '没有进程在运行。',
    '{0}: {1}. Nothing was stopped or started. {2}': '{0:text}: {1:text}。没有启停任何进程。{2:text}',
    'Fix this, then try again.': '请解决后再试。',
    'Run as root or as that user.': '请以 root 或该用户运行。',
    # What of a host is used up
    'no more processes can be created: the limit of this user or of the host is reached': (
        '无法再创建进程：已达到该用户或本机的上限'
    ),
    'Raise the limit (ulimit -u, pids.max) or end some processes, then try again.': (
        '请调高上限（ulimit -u、pids.max）或结束一些进程，然后再试。'
    ),
    'no more files can be opened: the limit of this process is reached': '无法再打开文件：已达到该进程的上限',
    'Raise the limit (ulimit -n), then try again.': '请调高上限（ulimit -n），然后再试。',
    'no more files can be opened: the limit of the host is reached': '无法再打开文件：已达到本机的上限',
    'Raise fs.file-max or end some processes, then try again.': '请调高 fs.file-max 或结束一些进程，然后再试。',
    'there is not enough memory': '内存不足',
    'Free memory, then try again.': '请释放内存后再试。',
    'no space is left on the disk': '磁盘空间已用完',
    'Free space, then try again.': '请清理磁盘空间后再试。',
    'the disk quota of this user is used up': '该用户的磁盘配额已用完',
    'the file system is read-only': '文件系统是只读的',
    'Mount it writable, then try again.': '请以可写方式挂载后再试。',
    # As the system says it
    'No such file or directory': '没有这个文件或目录',
    'Permission denied': '权限不足',
    'Operation not permitted': '不允许的操作',
    'Connection refused': '连接被拒绝',
    'No space left on device': '磁盘空间已用完',
    'Read-only file system': '文件系统是只读的',
    'Input/output error': '读写错误',
    'Not a directory': '不是目录',
    'Is a directory': '是目录',
    # The call
    'port must be between 1 and 65535, got {0}. Nothing was inspected. Correct port.': (
        'port 必须在 1 到 65535 之间，现在是 {0}。没有检查任何内容。请改正 port。'
    ),
    'port must be between 1 and 65535, got {0}. Nothing was done.': (
        'port 必须在 1 到 65535 之间，现在是 {0}。未做任何操作。'
    ),
    '{0}: port must be between 1 and 65535, got {1}': '{0}: port 必须在 1 到 65535 之间，现在是 {1}',
    'timeout must not be negative, got {0}. Nothing was done.': 'timeout 不能为负，现在是 {0}。未做任何操作。',
    '{0} must not be negative, got {1}. Nothing was done.': '{0} 不能为负，现在是 {1}。未做任何操作。',
    '{0} must not be negative, got {1}': '{0} 不能为负，现在是 {1}',
    'Run {0} has changed {1} of {2} and is unfinished. Nothing was done. Only a recovery may stop or start the '
    'instance now: run recover.yml.': (
        '运行 {0} 已修改 {2} 的 {1}，但没有完成。未做任何操作。现在只有恢复才能启停该实例：请运行 recover.yml。'
    ),
    'steps cannot be combined with recover: only. Nothing was done. Remove one of the two.': (
        'steps 不能与 recover: only 同用。未做任何操作。请去掉其中一个。'
    ),
    'steps is empty. Nothing was done. List the steps of the window, or set recover: only.': (
        'steps 为空。未做任何操作。请列出窗口的步骤，或设置 recover: only。'
    ),
    'user is given as {0}. Nothing was done. Give one.': 'user 给出了多个：{0}。未做任何操作。请只给一个。',
    'put_aside requires recover: only. Nothing was done. Move the state aside in a separate task.': (
        'put_aside 需要 recover: only。未做任何操作。请在单独的任务里把状态移到一边。'
    ),
    'The unfinished run of {0} has changed {1}, which this module cannot undo. Nothing was done. Run the recover '
    'playbook.': '{0} 未完成的运行修改了 {1}，这个模块无法撤销。未做任何操作。请运行 recover playbook。',
    'The state of run {0} in {1} was removed, so its outcome is not known. Check with instance_info.': (
        '{1} 中运行 {0} 的状态已被删除，结果不得而知。请用 instance_info 检查。'
    ),
    'exactly one key is expected, the name of the step; got {0}': '应恰好有一个键，即步骤名；现在是 {0}',
    'unknown step {0}; known steps: {1}': '没有步骤 {0}；已知步骤：{1}',
    'unknown option {0}; known options: {1}': '没有选项 {0}；已知选项：{1}',
    '{0}: a dictionary of options is expected, got {1}': '{0}: 应为选项的字典，现在是 {1}',
    'Report this with the result.': '请连同结果一起反馈。',
    'What was done before that is not known. Check with instance_info.': (
        '此前做过什么不得而知。请用 instance_info 检查。'
    ),
    # The instance
    'binary must be a file name inside dir, got {0}. Nothing was done. Correct binary.': (
        'binary 必须是 dir 中的文件名，现在是 {0}。未做任何操作。请改正 binary。'
    ),
    '{0} is {1}: the name contains invalid UTF-8, control characters or invisible characters, shown here as '
    'escapes. Nothing was done. Rename it.': (
        '{0} 是 {1}：名称含有无效的 UTF-8、控制字符或不可见字符（这里以转义显示）。未做任何操作。请改名。'
    ),
    'The install directory {0} cannot be inspected: {1}. Nothing was done. Fix its file system or permissions.': (
        '无法查看安装目录 {0}：{1:text}。未做任何操作。请修复文件系统或权限。'
    ),
    'The path to the install directory {0} is not trusted: the {1} {2} belongs to {3}, and {4} belongs to {5}. '
    'Nothing was done. Change its owner to root or to the owner of the install directory, or set dir to a path '
    'that does not lead through it.': (
        '通往安装目录 {0} 的路径不可信：{2}（{1}）属于 {3}，而 {4} 属于 {5}。未做任何操作。请把它的属主改为 root 或'
        '安装目录的属主，或把 dir 设为不经过它的路径。'
    ),
    'The install directory {0} does not exist or is not a directory. Nothing was done. Set dir to the directory '
    'that contains the binary.': '安装目录 {0} 不存在或不是目录。未做任何操作。请把 dir 设为程序文件所在的目录。',
    '{0} is on a file system that did not answer within {1} s. Nothing was done. Fix or unmount it.': (
        '{0} 所在的文件系统 {1} 秒内没有响应。未做任何操作。请修复或卸载它。'
    ),
    '{0} processes match instance {1} ({2}). No process was signalled. End the one that does not belong there, or '
    'set port to the port of the right one.': (
        '有 {0} 个进程符合实例 {1}（{2}）。没有发送任何信号。请结束多余的进程，或把 port 设为正确进程的端口。'
    ),
    'Process {0} may be instance {1}, but this user has no permission to inspect its executable. No process was '
    'signalled. Run as root or as the user of that process.': (
        '进程 {0} 可能是实例 {1}，但当前用户无权查看它的程序文件。没有发送任何信号。请以 root 或该进程的用户运行。'
    ),
    'No process of the users of {0} runs it, but its port {1} is held by {2}. Whether it is stopped is not known. '
    'Nothing was signalled. End that process, or configure another port for the instance. {3}': (
        '{0} 的用户没有进程在运行它，但它的端口 {1} 被 {2} 占用。是否已停止不得而知。没有发送任何信号。请结束该进程，'
        '或给实例配置另一个端口。{3:text}'
    ),
    'If it is this instance, its file or a link to it was changed while it was running. Stop it by the directory '
    'of that file (dir), then start this one.': (
        '如果它就是这个实例，说明运行期间程序文件或指向它的链接变过。请按那个文件所在目录（dir）停止它，再启动这个'
        '实例。'
    ),
    'If it is this instance, set user: {0}.': '如果它就是这个实例，请设置 user: {0}。',
    "/proc hides other users' processes (hidepid) and port {0} is in use: whether {1} runs is not known. Nothing "
    'was done. Run as root.': (
        '/proc 隐藏了其他用户的进程（hidepid），而端口 {0} 已被占用：{1} 是否在运行不得而知。未做任何操作。请以 '
        'root 运行。'
    ),
    '{0} ({1}): {2}. Nothing was done. Correct port, or omit it: the port is then read from the process and from '
    'config.json.': (
        '{0}（{1}）：{2:text}。未做任何操作。请改正 port，或去掉它：去掉后会从进程和 config.json 读取端口。'
    ),
    "There is no user {0} on this host. Nothing was stopped or started. Set user to the name of the instance's "
    'user.': '这台主机上没有用户 {0}。没有启停任何进程。请把 user 设为实例的运行用户。',
    # Locks, state and runs
    'An earlier call of this run is still working on {0}.': '本次运行先前的一次调用仍在处理 {0}。',
    '{0} is in use by {1}. Nothing was done. Wait until that has ended, then try again.': (
        '{0} 正被 {1:text} 使用。未做任何操作。请等它结束后再试。'
    ),
    'run {0} (step {1})': '运行 {0}（步骤 {1}）',
    'pid {0}, which has no run in {1}': '进程 {0}（在 {1} 中没有运行记录）',
    '{0} cannot be locked: its file system has no locks ({1}). Nothing was stopped or started. Run as root, or set '
    'a state_dir on a local file system.': (
        '无法锁定 {0}：其文件系统不支持锁（{1}）。没有启停任何进程。请以 root 运行，或把 state_dir 设在本地文件系统上。'
    ),
    'The lock {0} could not be taken': '无法取得锁 {0}',
    'The state in {0} could not be written: {1}. Nothing was done. Free space there, then try again.': (
        '无法写入 {0} 中的状态：{1:text}。未做任何操作。请清理那里的空间后再试。'
    ),
    'The state directory {0} cannot be trusted: {1} is not a directory that only root and uid {2} can write. '
    'Nothing was done. Fix its owner and mode, or set another state_dir.': (
        '状态目录 {0} 不可信：{1} 不是只有 root 和 uid {2} 能写的目录。未做任何操作。请改正属主和权限，或设置另一个'
        ' state_dir。'
    ),
    'The state directory {0} could not be created: {1}. Nothing was done. Free space, fix its permissions, or set '
    'another state_dir.': (
        '无法创建状态目录 {0}：{1:text}。未做任何操作。请清理空间、改正权限，或设置另一个 state_dir。'
    ),
    '{0}. It was not used, and nothing was done. Update the collection on the controller, or move this state '
    'aside: run recover with anqicms_put_aside={1}.': (
        '{0:text}。没有使用它，也未做任何操作。请更新控制端上的本集合，或把这份状态移到一边：运行 recover 并设置 '
        'anqicms_put_aside={1}。'
    ),
    '{0} cannot be read': '无法读取 {0}',
    '{0} could not be written': '无法写入 {0}',
    '{0} cannot be used: {1}. Nothing was done. Remove it.': '{0} 不可用：{1:text}。未做任何操作。请删除它。',
    '{0} belongs to uid {1} or is not a regular file, so it is not trusted. Nothing was done. Remove it.': (
        '{0} 属于 uid {1} 或不是普通文件，因此不可信。未做任何操作。请删除它。'
    ),
    '{0} cannot be used: {1}. Nothing was done. Update the collection on the controller, or move the file away '
    '(that run can then not be rolled back).': (
        '{0} 不可用：{1:text}。未做任何操作。请更新控制端上的本集合，或移走该文件（那次运行就不能再回滚）。'
    ),
    'it has an unknown format': '格式未知',
    'The directory for the run in {0} could not be created': '无法在 {0} 中创建本次运行的目录',
    'The change could not be recorded in {0}': '无法在 {0} 中记录这次修改',
    'The state in {0} could not be moved aside': '无法把 {0} 中的状态移到一边',
    'The state in {0} was moved aside. It is kept in {1}.{2}': '{0} 中的状态已移到一边，保存在 {1}。{2:text}',
    # Sites
    '{0} does not run, so no site was asked. Start it with verified_start.': (
        '{0} 没有运行，没有检查任何站点。请用 verified_start 启动。'
    ),
    'Port {0} does not belong to process {1} of {2} but to another process, so no site was asked. Run '
    'port_released, which names the holder.': (
        '端口 {0} 不属于 {2} 的进程 {1}，而是另一个进程，没有检查任何站点。请运行 port_released，它会列出占用者。'
    ),
    '{0} of {1} sites of {2} are not ok. {3}': '{2} 的 {1} 个站点中有 {0} 个不正常。{3:text}',
    '{0}. No site was asked.': '{0:text}。没有检查任何站点。',
    'Check that the database server runs and accepts the login of config.json.': (
        '请检查数据库服务是否在运行、是否接受 config.json 里的登录信息。'
    ),
    'It is closed in its settings, or this address is banned there. Open it, or set status: 403.': (
        '站点在设置中已关闭，或这个地址被禁止访问。请开放，或设置 status: 403。'
    ),
    'It is disabled in the list of sites. Enable it there, or remove it from sites.': (
        '它在站点列表中被停用。请在那里启用，或从 sites 中去掉。'
    ),
    'The application has no usable config.json, and its installer is open to everyone. Stop it, and restore the '
    'file.': '应用没有可用的 config.json，安装页面正向所有人开放。请停止它并恢复该文件。',
    'Its limiter refuses requests, because memory is low or there are too many of them. Check the memory of the '
    'host, then try again after some seconds.': '限流器拒绝了请求：内存不足或请求过多。请检查主机内存，几秒后再试。',
    'Check cache/error.log and running.log of the instance, and the log of the proxy. If all pages fail, check '
    'that its template exists.': (
        '请查看实例的 cache/error.log、running.log 和反向代理的日志。如果所有页面都失败，请检查模板是否存在。'
    ),
    'Check that the instance, or the proxy, listens at this address.': '请检查实例或反向代理是否在这个地址监听。',
    'Check what the process and its database are doing, or set a longer timeout.': (
        '请检查进程和数据库在做什么，或设置更长的超时。'
    ),
    'Something else listens there, or scheme is wrong.': '监听那里的是别的程序，或 scheme 不对。',
    'Check the certificate of this name and the scheme, or set validate_certs to false.': (
        '请检查该域名的证书和 scheme，或把 validate_certs 设为 false。'
    ),
    'Redirects to other hosts or schemes are not followed. Check that host or scheme instead, or set status.': (
        '不跟随到其他域名或协议的重定向。请改为检查那个域名或协议，或设置 status。'
    ),
    'If the database of an additional site is missing, its articles answer 404 while its home page still looks '
    'correct.': '附加站点的数据库不存在时，首页看起来正常，文章页却返回 404。',
    'Check that the template named in its settings exists in template/ of its directory.': (
        '请检查设置中的模板是否存在于其目录的 template/ 下。'
    ),
    'Another page, or another site, answers.': '应答的是别的页面或别的站点。',
    'Something else answers there, or a proxy blocks the request.': '应答的是别的程序，或请求被代理拦截。',
    'Set admin_host to the host name of the administration pages, and contains to a text of its page.': (
        '请把 admin_host 设为后台域名，并把 contains 设为其页面上的一段文字。'
    ),
    'Compare the base URLs of the sites in their settings.': '请比较各站点设置中的网站地址。',
    'It could not be loaded, or has another host name. Check its database, its directory and its base URL. The '
    'application tries again only at its next start.': (
        '站点没有加载成功，或域名不同。请检查它的数据库、目录和网站地址。应用要到下次启动才会重试。'
    ),
    '{0} redirects to /install': '{0} 重定向到 /install',
    '{0} answers {1} and leads to {2}': '{0} 返回 {1}，跳转到 {2}',
    '{0} answers {1}, not {2}': '{0} 返回 {1}，而不是 {2}',
    '{0} answers {1} without the text in contains': '{0} 返回 {1}，但没有 contains 中的文字',
    '{0} was not asked, because no time was left': '时间已用完，没有检查 {0}',
    'siteinfo has code -1: {0}': 'siteinfo 的 code 为 -1：{0}',
    'siteinfo has code {0} and no id: {1}': 'siteinfo 的 code 为 {0}，没有 id：{1}',
    'siteinfo and every page are answered with the same small page': 'siteinfo 和所有页面返回的都是同一个小页面',
    'siteinfo answers {0} without a siteinfo': 'siteinfo 返回 {0}，内容不是 siteinfo',
    'site {0} answers, not site {1}': '应答的是站点 {0}，而不是站点 {1}',
    'site {0} answers, as it does for {1}; if that is intended, set id: {2}': (
        '应答的是站点 {0}，与 {1} 相同；如果本来就是这样，请设置 id: {2}'
    ),
    'site {0} of {1} answers; if that is intended, set id: {2}': (
        '应答的是 {1} 的站点 {0}；如果本来就是这样，请设置 id: {2}'
    ),
    '{0} is not the admin host: access is forbidden as well': '{0} 不是后台域名：访问同样被拒绝',
    'its page is the one for unknown hosts; if the default site is intended, set id: {0}': (
        '返回的是未知域名的页面；如果要的是默认站点，请设置 id: {0}'
    ),
    # Logs
    'The logs of {0} hold {1} finding(s): {2}. {3} Found in {4}.': (
        '{0} 的日志中有 {1} 处问题：{2:text}。{3:text}见 {4}。'
    ),
    'since: {0} is not a position that log_check or verified_start returned. No log was read. Set since to such a '
    'position.': 'since：{0} 不是 log_check 或 verified_start 返回的位置。没有读取日志。请把 since 设为这样的位置。',
    'since: {0} is not valid. No log was read. Use last_start, a position, or a time such as 2026-01-31T12:00:00 '
    'or 2026-01-31T12:00:00Z.': (
        'since：{0} 无效。没有读取日志。请用 last_start、日志位置，或时间，例如 2026-01-31T12:00:00 或 '
        '2026-01-31T12:00:00Z。'
    ),
    'ignore: {0} is not a regular expression: {1}. No log was read.': (
        'ignore：{0} 不是正则表达式：{1:text}。没有读取日志。'
    ),
    'ignore: unknown finding code: {0}. No log was read. Known codes: {1}.': (
        'ignore：没有代码为 {0} 的日志条目。没有读取日志。已知代码：{1}。'
    ),
    'it is empty and would match every line': '它是空的，会匹配每一行',
}
