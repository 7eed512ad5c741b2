# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Chinese: what hosts report of changes: configuration, releases, databases, rollback. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {
    # In the order of the code
    '{0} can be changed by others': '{0} 可被其他用户修改',
    'not written by this Python, or damaged': '不是由这个 Python 写入的，或已损坏',
    '{0} is not a file that only this user can change': '{0} 不是只有当前用户能修改的文件',
    '{0} cannot be used for dumps: {1} is not a directory that only root and uid {2} can write. Nothing was done. '
    'Give another path.': (
        '{0} 不能用来存放备份：{1} 不是只有 root 和 uid {2} 能写的目录。未做任何操作。请给出另一个路径。'
    ),
    '{0} could not be made: {1}. The dump was not taken.': '无法创建 {0}：{1:text}。没有备份。',
    'The manifest of the release has a checksum that is not a SHA-256. Nothing was staged. Create it again from '
    'the archive.': '发布包清单中的校验和不是 SHA-256。没有暂存任何文件。请用压缩包重新生成清单。',
    'it holds {0}, and {1}': '含有 {0}，以及 {1}',
    'it holds {0} entries, more than {1}': '含有 {0} 项，超过 {1} 项',
    'it holds {0}, and it has characters that cannot be shown': '含有 {0}，其中有无法显示的字符',
    'it holds {0}, which is {1}': '含有 {0}，而它是 {1}',
    '{0} in it is encrypted': '其中的 {0} 已加密',
    '{0} in it is compressed by method {1}, which is not used for releases': (
        '其中的 {0} 使用压缩方法 {1}，发布包不会用这种方法'
    ),
    'its files have {0} bytes together, more than {1}': '其中的文件共 {0} 字节，超过 {1}',
    'its entries overlap': '其中的条目互相重叠',
    'there is no {0} in it': '其中没有 {0}',
    'its {0} is for another processor architecture (ELF machine {1}, this host runs {2})': (
        '其中的 {0} 处理器架构不符（ELF machine {1}，本机为 {2}）'
    ),
    'its SHA-256 is {0}, not {1}': '其 SHA-256 是 {0}，而不是 {1}',
    'The manifest of the release is not one: {0}. Nothing was staged. Create it again from the archive.': (
        '发布包清单无效：{0:text}。没有暂存任何文件。请用压缩包重新生成清单。'
    ),
    'it holds {0} twice': '含有两个 {0}',
    'it holds {0} as a file and as a directory': '{0} 在其中既是文件又是目录',
    '{0} in it grows from {1} to {2} bytes': '其中的 {0} 从 {1} 字节变成 {2} 字节',
    'it is the release for Windows': '这是 Windows 版',
    '{0} is in a subdirectory of it ({1}), not at its top': '{0} 在其中的子目录里（{1}），而不在最上层',
    '{0} in it is truncated': '其中的 {0} 被截断',
    'its {0} cannot be executed: {1}': '其中的 {0} 无法执行：{1:text}',
    'it is not a zip archive, or is truncated ({0})': '不是 zip 压缩包，或被截断（{0}）',
    '{0} in it is larger than it says': '其中的 {0} 比所标的大',
    '{0} in it is damaged ({1})': '其中的 {0} 已损坏（{1}）',
    '{0} runs, and {1} writes its settings into config.json while it does. Nothing was changed. Use a window with '
    'graceful_stop, config and verified_start.': (
        '{0} 正在运行，而 {1} 运行时会把自己的设置写进 config.json。未做任何修改。请在窗口中使用 graceful_stop、'
        'config 和 verified_start。'
    ),
    '{0} of {1} is larger than 1 MiB. {2}': '{1} 的 {0} 大于 1 MiB。{2:text}',
    'config: {0} is in both settings and remove. Nothing was done. Remove it from one of them.': (
        'config：{0} 同时出现在 settings 和 remove 中。未做任何操作。请从其中一个去掉。'
    ),
    'config: {0} is not a path such as server.token_secret. Nothing was done. Correct it.': (
        'config：{0} 不是像 server.token_secret 这样的路径。未做任何操作。请改正。'
    ),
    'config: neither settings nor remove is set. Nothing was done. Set one of them.': (
        'config：settings 和 remove 都没有设置。未做任何操作。请设置其中一个。'
    ),
    'config.json would not be usable: {0}. Nothing was done. Correct the value.': (
        'config.json 会变得不可用：{0:text}。未做任何操作。请改正这个值。'
    ),
    'config: {0} Nothing was done.': 'config：{0:text}未做任何操作。',
    'The option port is {0}, but config.json would have port {1}. Nothing was done. Omit port: it is read from '
    'config.json.': (
        '选项 port 是 {0}，而 config.json 里的端口会是 {1}。未做任何操作。请去掉 port：会从 config.json 读取。'
    ),
    '{0} sends requests to port {1}, on which nothing would listen any more. Nothing was done. Change the port '
    'there in a hook of this run and accept the hazard {2}, or keep the port.': (
        '{0} 把请求转发到端口 {1}，而那里将不再有程序监听。未做任何操作。请在本次运行的钩子里修改转发端口并接受隐患'
        ' {2}，或保留原端口。'
    ),
    'config.json would not be usable: {0}. It was not changed.': 'config.json 会变得不可用：{0:text}。没有修改它。',
    'The backup {0} of config.json is missing. Restore the previous file manually, then run recover.yml.': (
        'config.json 的备份 {0} 不存在。请手动恢复原来的文件，然后运行 recover.yml。'
    ),
    '{0} of {1} cannot be changed: {2}. {3}': '无法修改 {1} 的 {0}：{2:text}。{3:text}',
    '{0} of {1} is not valid JSON: {2}. {3}': '{1} 的 {0} 不是有效的 JSON：{2:text}。{3:text}',
    'The instance could not use the database of the new config.json. {0} Nothing was changed.': (
        '实例无法使用新 config.json 指定的数据库。{0:text}未做任何修改。'
    ),
    'The backup of config.json could not be written': '无法写入 config.json 的备份',
    'config.json of {0} has its new content, but it may not be on the disk yet: {1}. A power failure may bring the '
    'old content back. Fix the cause.': (
        '{0} 的 config.json 已是新内容，但可能还没有落盘：{1:text}。断电可能使旧内容恢复。请解决原因。'
    ),
    'config.json of {0} could not be written: {1}. It is as it was.': (
        '无法写入 {0} 的 config.json：{1:text}。它保持原样。'
    ),
    'config.json of {0} was restored, but it may not be on the disk yet: {1}. Fix the cause, then run recover.yml.': (
        '{0} 的 config.json 已恢复，但可能还没有落盘：{1:text}。请解决原因，然后运行 recover.yml。'
    ),
    'config.json of {0} could not be restored: {1}. Its previous content is in {2}.': (
        '无法恢复 {0} 的 config.json：{1:text}。原来的内容在 {2}。'
    ),
    'The dump of site {0} in {1} is of {2}, and no enabled site uses that database. It was not restored.': (
        '{1} 中站点 {0} 的备份来自 {2}，而没有已启用的站点使用该数据库。没有恢复。'
    ),
    'The dump in {0} is of {1}, and config.json names {2}. It was not restored.': (
        '{0} 中的备份来自 {1}，而 config.json 指定的是 {2}。没有恢复。'
    ),
    'There is no dump to compress. Nothing was done. Give the directory of one as path.': (
        '没有可压缩的备份。未做任何操作。请用 path 给出一个备份目录。'
    ),
    'The manifest of the shadow tables of site {0} is gone from {1}. The database was left as it is, with them. '
    'Compare them with the tables, then rename them manually.': (
        '{1} 中站点 {0} 的影子表清单不见了。数据库连同影子表保持原样。请与数据表比较，然后手动改名。'
    ),
    'Nothing was recorded to compare with: no dump was taken by a step before this one. Give the directory of one '
    'as path.': '没有可比较的记录：之前的步骤没有做备份。请用 path 给出一个备份目录。',
    'The databases do not hold what they held before: {0}.': '数据库内容与之前不一致：{0:text}。',
    'The dump in {0} was taken while the site ran: there is nothing to compare with.': (
        '{0} 中的备份是在站点运行时做的：没有可比较的内容。'
    ),
    'The shadow tables of {0} that were made for {1} are not there any more. Nothing was done. Restore this '
    'database from a backup.': '{0} 为 {1} 建的影子表已不存在。未做任何操作。请从备份恢复该数据库。',
    '{0} is in the middle of a restore: {1}. Nothing was done. Repeat that restore, or run recover: both put the '
    'tables back first.': (
        '{0} 的恢复正在进行中：{1:text}。未做任何操作。请重做那次恢复，或运行 recover：两者都会先把数据表放回去。'
    ),
    '{0} has tables with names of shadow tables ({1}), and this instance has not made them, or its record of them '
    'is lost. Nothing was done. Drop them manually if they are not needed.': (
        '{0} 中有名称像影子表的表（{1}），但不是这个实例建的，或记录已丢失。未做任何操作。确认没有人需要之后请手动'
        '删除。'
    ),
    '{0} cannot be dumped so that it can be restored: it has {1}. Nothing was done. Remove them, or change this '
    'database manually.': '{0} 的备份将无法用于恢复：其中有 {1}。未做任何操作。请删除它们，或手动修改该数据库。',
    'The user {0} is not seen to have {1} on the whole database {2}: tables that he has no right on would be left '
    'out without a word, and a restore could not be made. Nothing was done. Grant these rights on the database.': (
        '看不出用户 {0} 对整个数据库 {2} 有 {1} 权限：没有权限的表会被悄悄漏掉，恢复也做不了。未做任何操作。请授予'
        '这些权限。'
    ),
    '{0} is not installed. Nothing was done. Install it, or choose another compression.': (
        '没有安装 {0}。未做任何操作。请安装，或选择其他压缩方式。'
    ),
    'There is no room for the dump in {0}: {1} MB are free, and the databases hold {2} MB of data. Nothing was '
    'done. Free space, or give another directory as path.': (
        '{0} 中空间不够存放备份：剩余 {1} MB，数据库有 {2} MB 数据。未做任何操作。请清理空间，或用 path 给出另一个'
        '目录。'
    ),
    'The dump {0} is not the one that was taken: its size or its hash differs. Nothing was done.': (
        '备份 {0} 不是当时的那一份：大小或校验和不同。未做任何操作。'
    ),
    'There is no room for a {0} in {1}: it needs {2} MB beside the tables of today, and {3} MB are free. Nothing '
    'was done. Free space there.': (
        '{1} 中空间不够放 {0}：除现有数据表外还需 {2} MB，剩余 {3} MB。未做任何操作。请清理那里的空间。'
    ),
    'The archive has a file {0}, which is the name of the binary here. Nothing was staged. Rename the binary of '
    'the instance.': '压缩包中有文件 {0}，与这里的程序文件同名。没有暂存任何文件。请给实例的程序文件改名。',
    'The release {0} cannot be switched in: in the install directory it would replace what it must not: {1}{2}. '
    'Nothing was changed. Put plain files and directories there, on the file system of the install directory.': (
        '无法换上版本 {0}：安装目录中有不能被替换的内容：{1}{2:text}。未做任何修改。请在安装目录所在的文件系统上放'
        '普通文件和目录。'
    ),
    'The archive has no locales/, without which {0} does not start. Nothing was staged. Get the complete archive.': (
        '压缩包中没有 locales/，没有它 {0} 无法启动。没有暂存任何文件。请取得完整的压缩包。'
    ),
    'Another file system is mounted at {0}/{1}. Nothing was changed. Unmount it: staged files are renamed into '
    'their places, which works within one file system only.': (
        '{0}/{1} 上挂载了另一个文件系统。未做任何修改。请卸载它：暂存的文件靠重命名就位，只能在同一个文件系统内进行。'
    ),
    'release: known_files has no list of SHA-256 for {0}. Nothing was done. Give what the filter known_files makes.': (
        'release：known_files 中没有 {0} 的 SHA-256 列表。未做任何操作。请使用过滤器 known_files 的结果。'
    ),
    '{0} is {1}: not a version such as 3.5.8. Nothing was planned. Find out which version it is: a running '
    'instance reports it.': (
        '{0} 是 {1}：不是像 3.5.8 这样的版本号。没有制定任何计划。请查明是哪个版本：运行中的实例会报告。'
    ),
    '{0} is {1}: this release of the collection knows {2} to {3}.{4}.x, and not what comes before or after. '
    'Nothing was planned. Update the collection, or choose a version that it knows.': (
        '{0} 是 {1}：本集合的这个版本只认识 {2} 到 {3}.{4}.x。没有制定任何计划。请更新本集合，或选择它认识的版本。'
    ),
    '{0} is a tag whose program reports {1}. Nothing was planned. Name the version that the program reports.': (
        '{0} 是一个标签，其程序报告的版本是 {1}。没有制定任何计划。请写程序报告的版本。'
    ),
    '{0} is older than {1}, which runs. Nothing was planned. A version cannot use the database of a newer one (it '
    'adds columns, and turns all articles into drafts). Going back requires both the files and the copy of the '
    'database from before the upgrade. Use rollback, which restores both.': (
        '{0} 比正在运行的 {1} 旧。没有制定任何计划。旧版本不能使用新版本的数据库（会添加列，并把全部文章变成草稿）。'
        '退回旧版本既需要文件，也需要升级前的数据库备份。请使用 rollback，它会恢复两者。'
    ),
    'No release of {0} is available; there are: {1}. Nothing was planned. Add it.': (
        '没有版本 {0} 的发布包；现有：{1}。没有制定任何计划。请添加。'
    ),
    'The window has no keep_files before this step. config.json was not changed.': (
        '窗口在这一步之前没有 keep_files。没有修改 config.json。'
    ),
    '{0} holds more than {1} files, or directories deeper than {2}. Nothing was changed. Move away what does not '
    'belong to the release.': '{0} 中的文件超过 {1} 个，或目录层数超过 {2}。未做任何修改。请移走不属于该版本的内容。',
    'This user may not write in {0}. Nothing was changed. Run as root, or as the owner of that directory.': (
        '当前用户不能写入 {0}。未做任何修改。请以 root 或该目录的属主运行。'
    ),
    '{0} could not be made': '无法创建 {0}',
    '{0} runs (pid {1}). Nothing was renamed. Stop it first: put graceful_stop before this step of a window.': (
        '{0} 正在运行（进程号 {1}）。没有重命名任何文件。请先停止它：在窗口中这一步之前加入 graceful_stop。'
    ),
    'The release {0} is not staged. Nothing was changed. Stage it first, with state staged.': (
        '版本 {0} 尚未暂存。未做任何修改。请先用 state staged 暂存。'
    ),
    'The staged files of {0} have already been used. Nothing was changed. Stage the release again, with state '
    'staged.': '{0} 的暂存文件已被使用过。未做任何修改。请用 state staged 重新暂存。',
    'No recorded switch has replaced {0}. Nothing was changed. Versions that can be restored: {1}.': (
        '没有替换过 {0} 的切换记录。未做任何修改。可以恢复的版本：{1}。'
    ),
    'release: state staged needs src, the path of the archive on this host. Nothing was done.': (
        'release：state staged 需要 src，即压缩包在这台主机上的路径。未做任何操作。'
    ),
    '{0} is gone: {1} cannot be taken back. Nothing was changed. Restore the files from a backup.': (
        '{0} 不见了：无法撤回 {1}。未做任何修改。请从备份恢复文件。'
    ),
    '{0} could not be removed: {1}. What was removed before it stays removed. Remove it manually.': (
        '无法删除 {0}：{1:text}。之前已删除的不会恢复。请手动删除它。'
    ),
    'release: version is {0}. Nothing was done. Name the version that the program of the release reports, such as '
    '3.5.8.': 'release：version 是 {0}。未做任何操作。请写发布包中程序报告的版本号，例如 3.5.8。',
    'release: neither src nor manifest is given. Nothing was done. Give the path of the archive on this host as '
    'src.': 'release：src 和 manifest 都没有给出。未做任何操作。请用 src 给出压缩包在这台主机上的路径。',
    'The archive is not the release {0}: it was staged as {1} before. Nothing was staged. Give the archive of {2}.': (
        '压缩包不是版本 {0}：它之前以 {1} 暂存。没有暂存任何文件。请给出 {2} 的压缩包。'
    ),
    'The release {0} cannot be staged by this user: {1} would belong to uid {2}, gid {3}. Nothing was changed. Run '
    'as root, or as that user.': (
        '当前用户无法暂存版本 {0}：{1} 会属于 uid {2}、gid {3}。未做任何修改。请以 root 或该用户运行。'
    ),
    'This user may not write in {0}. Nothing was changed. Run as root, or as the user of the instance.': (
        '当前用户不能写入 {0}。未做任何修改。请以 root 或实例的运行用户运行。'
    ),
    '{0} is missing, and with it the staged and replaced files. Nothing was changed. Stage the release again.': (
        '{0} 不存在，暂存的和被替换的文件也随之丢失。未做任何修改。请重新暂存该版本。'
    ),
    'The record {0} of a switch is missing in {1}. The files were left as they are. Restore them from a backup, '
    'then run the recover playbook.': '{1} 中没有切换记录 {0}。文件保持原样。请从备份恢复，然后运行 recover playbook。',
    'The files that were replaced are gone: {0} cannot be taken back. Nothing was done. Restore files and database '
    'from a backup.': '被替换的文件不见了：无法撤回 {0}。未做任何操作。请从备份恢复文件和数据库。',
    'The files are not those that the run has left: another release was switched in or taken back since. Nothing '
    'was done. Take that back first.': (
        '文件已不是那次运行留下的：之后又换上或撤回过别的版本。未做任何操作。请先撤回那个版本。'
    ),
    'Replaced files were altered or are gone: {0}. Nothing was done. Restore files and database from a backup.': (
        '被替换的文件被改动过或不见了：{0}。未做任何操作。请从备份恢复文件和数据库。'
    ),
    '{0} knows no run {1} that has changed something and succeeded. Nothing was done. Known are: {2}.': (
        '{0} 没有记录过成功修改内容的运行 {1}。未做任何操作。已知的运行：{2:text}。'
    ),
    'After run {0}, changes were made by {1}. Nothing was done. Roll those back first, the latest one first.': (
        '运行 {0} 之后又有修改（{1}）。未做任何操作。请先回滚那些修改，从最近的一次开始。'
    ),
    'The instance has the version {0}, but run {1} left {2}. Nothing was done. Undo the later changes, then try '
    'again.': '实例的版本是 {0}，而运行 {1} 留下的是 {2}。未做任何操作。请撤销之后的修改再试。',
    'Data that was written since run {0} would be lost: {1}. Nothing was done. If this is acceptable, set '
    'accept_data_loss (in the role: anqicms_accept_data_loss).': (
        '运行 {0} 之后写入的数据会丢失：{1:text}。未做任何操作。如果可以接受，请设置 accept_data_loss（角色中为 '
        'anqicms_accept_data_loss）。'
    ),
    '{0} is missing, which the run had kept for a rollback. Nothing was done. Restore files and database from a '
    'backup.': '那次运行为回滚保留的 {0} 不存在。未做任何操作。请从备份恢复文件和数据库。',
    '{0} runs as pid {1}. It was not rolled back. Stop it first: put graceful_stop before this step of a window.': (
        '{0} 正以进程 {1} 运行。没有回滚。请先停止它：在窗口中这一步之前加入 graceful_stop。'
    ),
    'It was not rolled back: the window has no {0} before this step, so that a failure could not be taken back. '
    'Put database (state dumped, all_sites true) and keep_files behind graceful_stop.': (
        '没有回滚：窗口在这一步之前没有 {0}，失败时将无法还原。请在 graceful_stop 之后加入 database（state dumped，'
        'all_sites true）和 keep_files。'
    ),
    'Run {0} has made a change of the kind {1}, which cannot be rolled back later. Nothing was done. Undo it '
    'manually.': '运行 {0} 做过 {1} 类的修改，这类修改以后无法回滚。未做任何操作。请手动撤销。',
    'The dump of the run is of {0}, which the instance does not use any more. Nothing was done. Put its '
    'config.json right first.': '那次运行的备份来自 {0}，而实例已不再使用它。未做任何操作。请先改正 config.json。',
    'What the databases hold could not be noted in {0}: {1}. Free space there.': (
        '无法在 {0} 中记录数据库内容：{1:text}。请清理那里的空间。'
    ),
    'The archive {0} is {1}. Nothing was staged. Give the path of a zip file.': (
        '压缩包 {0} 是 {1}。没有暂存任何文件。请给出 zip 文件的路径。'
    ),
    'The archive {0} is not complete: {1}. Nothing was staged. Wait until it is complete.': (
        '压缩包 {0} 不完整：{1:text}。没有暂存任何文件。请等它完整后再试。'
    ),
    'The file system of {0} is read-only. Nothing was changed. Mount it writable.': (
        '{0} 的文件系统是只读的。未做任何修改。请以可写方式挂载。'
    ),
    'The release needs {0} MB in {1}, but only {2} MB are free. Nothing was staged. Free space there; state tidied '
    'removes old releases.': (
        '该版本在 {1} 中需要 {0} MB，但只剩 {2} MB。没有暂存任何文件。请清理那里的空间；state tidied 会删除旧版本。'
    ),
    'The release has {0} files, and the file system of {1} has room for {2}. Nothing was staged. Remove files '
    'there.': '该版本有 {0} 个文件，而 {1} 的文件系统只能再放 {2} 个。没有暂存任何文件。请删除那里的一些文件。',
    'The archive is not the release {0}: {1}. Nothing was staged. Give the archive of {2}, or the version that the '
    'program of this one reports.': (
        '压缩包不是版本 {0}：{1:text}。没有暂存任何文件。请给出 {2} 的压缩包，或写这个压缩包中程序报告的版本。'
    ),
    'The archive {0} cannot be opened: {1}. Nothing was staged. Copy it to this host first.': (
        '无法打开压缩包 {0}：{1:text}。没有暂存任何文件。请先把它复制到这台主机。'
    ),
    'The staged binary cannot be executed: {0}. The release is not used, and nothing was stopped. Get the complete '
    'archive for this host.': (
        '暂存的程序文件无法执行：{0:text}。没有使用该版本，也没有停止任何进程。请取得适用于这台主机的完整压缩包。'
    ),
    'The release {0} could not be staged in {1}': '版本 {0} 无法暂存到 {1}',
    'The state directory {0} could not be made: {1}. Nothing was changed. Free space there, or give another '
    'state_dir.': '无法创建状态目录 {0}：{1:text}。未做任何修改。请清理那里的空间，或给出另一个 state_dir。',
    'it is of another format': '格式不同',
    'Not all files of {0} were renamed: {1}. Some of them are those of {2}, others are not. Fix the cause, then '
    'run the recover playbook, which continues from there.': (
        '{0} 的文件没有全部重命名：{1:text}。其中一部分已是 {2} 的文件。请解决原因，然后运行 recover playbook，它会'
        '从那里继续。'
    ),
    'The run has made a change of the kind {0}, which this release cannot undo. The change was left. Update the '
    'collection on the controller.': (
        '那次运行做过 {0} 类的修改，这个版本无法撤销。修改保持原样。请更新控制端上的本集合。'
    ),
    'Something has started {0} again (pid {1}) before its changes could be undone. The changes were left. Find out '
    'what starts it.': '在撤销修改之前，{0} 又被启动了（进程号 {1}）。修改保持原样。请查明是什么启动了它。',
    '{0} was undone, but this could not be recorded in {1}: {2}. The instance was not started. Free space there.': (
        '{0} 已撤销，但无法记录到 {1}：{2:text}。没有启动实例。请清理那里的空间。'
    ),
    'The run cannot be undone, because the record of its end in {0} cannot be removed: {1}. The changes were left. '
    'Fix the cause, then run recover.yml.': (
        '无法撤销那次运行，因为 {0} 中的结束记录无法删除：{1:text}。修改保持原样。请解决原因，然后运行 recover.yml。'
    ),
    'The dump of {0} is not complete: {1}.': '{0} 的备份不完整：{1:text}。',
    '{0} could not be written to the disk: {1}.': '{0} 无法写入磁盘：{1:text}。',
    '{0} ended with exit status {1} while it compressed the dump of {2}. Is there room on the disk?': (
        '压缩 {2} 的备份时 {0} 的退出码为 {1}。磁盘空间够吗？'
    ),
    'The dump of the shadow tables of {0} is not complete: {1}.': '{0} 的影子表的备份不完整：{1:text}。',
    'The dump {0} could not be written: {1}.': '无法写入备份 {0}：{1:text}。',
    'There is no room to compress the dump in {0}: {1} MB are free, and it has {2} MB. It stays as it is. Free '
    'space there, then compress it with the module database, state packed.': (
        '{0} 中空间不够压缩备份：剩余 {1} MB，备份有 {2} MB。它保持原样。请清理那里的空间，然后用 database 模块（'
        'state packed）压缩。'
    ),
    '{0} did not compress {1} well (exit status {2}). It stays as it is.': (
        '{0} 没有正确压缩 {1}（退出码为 {2}）。它保持原样。'
    ),
    'The dump in {0} could not be compressed: {1}. It stays as it is.': '无法压缩 {0} 中的备份：{1:text}。它保持原样。',
    '{0} is needed to read the dump {1}, and is not installed.': '读取备份 {1} 需要 {0}，但没有安装。',
    'its format is not known': '格式未知',
    'it names a file elsewhere': '其中写的是别处的文件',
    'it names no file': '其中没有写文件',
    'There is no dump of site {0} in {1}: {2} does not exist. Nothing was done.': (
        '{1} 中没有站点 {0} 的备份：{2} 不存在。未做任何操作。'
    ),
    'The application has ended before its migration had ({0}).': '应用在迁移结束之前就退出了（{0}）。',
    'The migration has not ended, and nothing has worked on it for {0} s: {1}. See the log of the application.': (
        '迁移没有结束，而且已有 {0} 秒没有程序在处理：{1:text}。请查看应用的日志。'
    ),
    'The migration has not ended within {0} s: {1}. It continues. Wait for its end, then try again.': (
        '迁移在 {0} 秒内没有结束：{1:text}。它仍在继续。请等它结束后再试。'
    ),
    'The shadow tables of {0} are not what they were when they were made: {1}. The tables were left as they are. '
    'Restore this database from a backup.': (
        '{0} 的影子表与建立时不一致：{1:text}。数据表保持原样。请从备份恢复该数据库。'
    ),
    '{0} has tables that a restore has put aside ({1}), and nothing is known of that restore. The tables were left '
    'as they are. Rename them back or drop them manually.': (
        '{0} 中有恢复时移到一边的表（{1}），但没有那次恢复的记录。数据表保持原样。请手动改回原名或删除。'
    ),
    '{0} cannot be restored: it has {1}. The tables were left as they are.': (
        '{0} 无法恢复：其中有 {1}。数据表保持原样。'
    ),
    'The shadow tables of {0} that were made for {1} are not there any more: they are used up, or were dropped. '
    'The tables were left as they are. Restore this database from a backup.': (
        '{0} 为 {1} 建的影子表已不存在：已被用掉或删除。数据表保持原样。请从备份恢复该数据库。'
    ),
    'The dump {0} was not loaded whole: {1}.': '备份 {0} 没有完整导入：{1:text}。',
    '{0} is not what it was when it was dumped: {1}.': '{0} 与备份时不一致：{1:text}。',
    '{0} connections of {1} to {2} do not end ({3}). The tables were left as they are. Find out what uses the '
    'database.': '{1} 到 {2} 的 {0} 个连接没有结束（{3}）。数据表保持原样。请查明是什么在使用该数据库。',
    '{0} has other tables than when its shadow tables were made.': '{0} 的数据表与建立影子表时不同。',
    'The dump {0} has {1} bytes, not {2}: it is not the one that was taken. The tables were left as they are.': (
        '备份 {0} 有 {1} 字节，而不是 {2}：不是当时的那一份。数据表保持原样。'
    ),
    'The dump {0} cannot be read: {1}. The tables were left as they are.': (
        '无法读取备份 {0}：{1:text}。数据表保持原样。'
    ),
    'The journal of the restore {0} could not be written: {1}. Free space there, then repeat the restore: it '
    'continues from where it is.': '无法写入恢复记录 {0}：{1:text}。请清理那里的空间，然后重做恢复：会从中断处继续。',
    'Whether the database of config.json or that of the MYSQL_* variables is meant is not known, because the '
    'version is not. Nothing was done. Start the instance once, so that its version is seen.': (
        '版本未知，因此不知道该用 config.json 还是 MYSQL_* 变量指定的数据库。未做任何操作。请启动一次实例，以便得知'
        '版本。'
    ),
    'config.json of {0} names no database. Nothing was done. Fill in its section mysql.': (
        '{0} 的 config.json 没有指定数据库。未做任何操作。请填写其中的 mysql 一节。'
    ),
    'The database of site {0} is not known: its row in websites names none. Nothing was done. Correct the row, or '
    'disable the site.': '站点 {0} 的数据库未知：websites 表中它那一行没有写。未做任何操作。请改正该行，或停用该站点。',
    '{0} cannot be read: {1}. Nothing was done. Its section mysql names the database.': (
        '无法读取 {0}：{1:text}。未做任何操作。数据库由其中的 mysql 一节指定。'
    ),
    '{0} is not valid JSON: {1}. Nothing was done. Correct the file first.': (
        '{0} 不是有效的 JSON：{1:text}。未做任何操作。请先改正该文件。'
    ),
    'The database of site {0} is not known: mysql of its row in websites {1}. Nothing was done. Correct the row, '
    'or disable the site.': (
        '站点 {0} 的数据库未知：websites 表中它那一行的 mysql {1:text}。未做任何操作。请改正该行，或停用该站点。'
    ),
    'The shadow tables of {0} are not all there: no dump can be made of them.': '{0} 的影子表不全：无法据此备份。',
    'There is no room for the dump of the shadow tables in {0}: they hold {1} MB of data. They stay in {2}. Free '
    'space there, then call state packed.': (
        '{0} 中空间不够备份影子表：它们有 {1} MB 数据。影子表留在 {2} 中。请清理那里的空间，然后用 state packed。'
    ),
    'The shadow tables of {0} are not what its tables are: {1}.': '{0} 的影子表与数据表不一致：{1:text}。',
    '{0} is not believed: {1}. Nothing was done. Check the tables {2} of the database, then remove both.': (
        '{0} 不可信：{1:text}。未做任何操作。请检查数据库中的表 {2}，然后把两者都删除。'
    ),
    '{0} could not be written: {1}.': '无法写入 {0}：{1:text}。',
    'The manifest of the shadow tables could not be written in {0}: {1}.': '无法在 {0} 中写入影子表清单：{1:text}。',
    'what time the zone {0} means is not known': '时区 {0} 的含义未知',
    'its hierarchy is not mounted': '其控制组层级没有挂载',
    '{0} is not a simple path below the install directory. It was not opened. Use a relative path without "..".': (
        '{0} 不是安装目录下的普通路径。没有打开它。请使用不含 ".." 的相对路径。'
    ),
    'the threads of process {0} have too many files open': '进程 {0} 的线程打开的文件过多',
    '{0} is larger than {1} MiB': '{0} 大于 {1} MiB',
    'process {0} has more than {1} files open': '进程 {0} 打开的文件超过 {1} 个',
    'not known for this kind of processor': '不了解这种处理器',
    'is not an object': '不是对象',
    'has the format {0}, which is not a number from 0 on': '格式为 {0}，不是从 0 开始的数',
    'has no {0}': '没有 {0}',
    'has {0} as {1}, where {2} is expected': '{0} 的值是 {1}，应为{2:text}',
    'line {0} {1}': '第 {0} 行{1:text}',
    'it is cut': '文件被截断',
    'unpacking it took too long': '解压耗时过长',
    'it unpacks to more than {0} bytes': '解压后超过 {0} 字节',
    'it could not be unpacked to its end: {0}': '无法完整解压：{0:text}',
    'it was skipped: this Python cannot unpack it ({0})': '已跳过：这个 Python 无法解压（{0}）',
    'it was skipped: zstd is not installed': '已跳过：没有安装 zstd',
    'zstd ended with status {0}': 'zstd 的退出码为 {0}',
    'The release that was switched in as {0} reports version {1}, so it is not the requested release. Stage it as '
    '{2}, or get the archive of {3}.': (
        '换上的版本应为 {0}，程序报告的却是 {1}，不是所要的版本。请以 {2} 暂存，或取得 {3} 的压缩包。'
    ),
}
