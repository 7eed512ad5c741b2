# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Chinese: what the controller says before and after the work: words, tables, refusals, result lines. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {
    # Verbs
    'restart': '重启',
    'stop': '停止',
    'start': '启动',
    'recover': '恢复',
    'configure': '修改配置',
    'upgrade': '升级',
    'rollback': '回滚',
    'diagnose': '诊断',
    'discover': '发现',
    'prepare': '准备',
    'status': '查看状态',
    # States of an instance
    'running': '运行中',
    'starting': '启动中',
    'stopped': '已停止',
    'undead': '端口已关、进程未退',
    'ambiguous': '无法确定',
    'unknown': '未知',
    # Outcomes
    'done': '完成',
    'unchanged': '无变化',
    'planned': '计划中',
    'rolled_back': '已回滚',
    'failed': '失败',
    'lost': '失联',
    'left_out': '未纳入',
    'not_touched': '未动',
    # Headings of the plan
    'host': '主机',
    'id': '实例 id',
    'state': '状态',
    'version': '版本',
    'port': '端口',
    'pid': '进程号',
    'plan': '计划',
    'directory': '目录',
    # The plan
    ' (accepted)': '（已接受）',
    'REFUSED': '拒绝',
    'REFUSED: not listed': '拒绝：未列出',
    'skip: {reason}': '跳过：{reason}',
    'runs its newest binary': '运行的已是最新的程序文件',
    'not worked on: {0}': '不处理：{0:text}',
    'nothing to do: it has no instances': '没有实例，无事可做',
    'unreachable, left out': '连不上，未纳入',
    '{verb}: instances: {count}, hosts: {hosts}': '{verb}：实例 {count} 个，主机 {hosts} 台',
    ', hosts that refuse: {count}': '，拒绝的主机 {count} 台',
    '# Found, for the inventory: keep what is yours. Or set anqicms_instances: discover': (
        '# 找到的实例，可写入清单：只保留属于你的。也可以设置 anqicms_instances: discover'
    ),
    # The result line
    'downtime {ms} ms': '停机 {ms} 毫秒',
    'verified {ms} ms': '验证完成 {ms} 毫秒',
    'log: {found}': '日志: {found}',
    'clean': '正常',
    'pages: {found}': '页面: {found}',
    'sites: {found}': '站点: {found}',
    '{count} ok': '{count} 个正常',
    ' (identity: not_proven for {hosts})': '（未能证实身份 not_proven: {hosts}）',
    'hops: {hops}': '升级步骤: {hops}',
    'pid {pid}': '进程 {pid}',
    'pid {before} -> {after}': '进程 {before} -> {after}',
    # Why an instance has this result
    'the {0} has no result: its task was not run. The state of the instance is not known. Check with '
    'instance_info, then run {1} again.': (
        '{0:text}没有结果：任务没有执行，实例的状态未知。请用 instance_info 检查，然后再次运行 {1}。'
    ),
    'the {0} itself succeeded, but then the connection was lost in {1} and did not come back. The checks after it '
    'were not completed.': '{0:text}本身已成功，但随后在 {1} 时连接中断，没有恢复。后面的检查没有做完。',
    'the connection was lost and did not come back; the host completes the started work by itself.': (
        '连接中断，没有恢复；主机会自行把已开始的工作做完。'
    ),
    'the connection was lost and did not come back; whether the {0} was done is not known, and nothing continues '
    'it on the host. Check with instance_info, then run {1} again.': (
        '连接中断，没有恢复；{0:text}是否执行过不得而知，主机上也没有程序在继续。请用 instance_info 检查，然后再次'
        '运行 {1}。'
    ),
    'the connection was lost': '连接中断',
    'The dumps were not compressed after the window: {0}': '窗口结束后没有压缩数据库备份：{0:text}',
    'Hop {0} of {1} ({2}): {3}': '第 {0} 步，共 {1} 步（{2}）：{3:text}',
    'The hops before it are done, and stand: {0}.': '之前的各步已完成，保留不动：{0}。',
    'Not started: {0}.': '尚未开始：{0}。',
    # Sentences that many messages have
    'Nothing was done.': '未做任何操作。',
    'Nothing was changed.': '未做任何修改。',
    'Nothing was inspected or changed.': '没有检查，也没有改动任何内容。',
    'Nothing was done on them.': '没有对它们做任何操作。',
    'such as 4b1d0a7e-shop.example': '例如 4b1d0a7e-shop.example',
    # Refusals of the plan
    'There is no preflight result for this host. Nothing was done. Run the preflight first.': (
        '这台主机没有预检结果。未做任何操作。请先运行预检。'
    ),
    'None of its instances has the id {0}. Nothing was done. Leave the host out with --limit, or correct '
    'anqicms_only. An instance that this collection has never seen running is only found where anqicms_instances '
    'lists it.': (
        '这台主机上没有 id 为 {0} 的实例。未做任何操作。请用 --limit 排除该主机，或改正 anqicms_only。从未见过其运'
        '行的实例，只有列在 anqicms_instances 里才能找到。'
    ),
    'anqicms_instances is not set for this host, and anqicms_only names no ids. Nothing was done. List the '
    'instances in the inventory, as shown above for those that were found, or set anqicms_instances to discover to '
    'work on all that are found.': (
        '这台主机没有设置 anqicms_instances，anqicms_only 也没有给出 id。未做任何操作。请按上面列出的结果把实例写入'
        '清单，或把 anqicms_instances 设为 discover，处理找到的全部实例。'
    ),
    '{0}: no instance was found.{1} Nothing was done. Correct anqicms_instances, or take the host out of the group.': (
        '{0:text}: 没有找到实例。{1:text}未做任何操作。请改正 anqicms_instances，或把该主机移出主机组。'
    ),
    'this host': '这台主机',
    'Not seen: {0}.': '未能查看：{0}。',
    'its {0} holds control characters or template marks': '其 {0} 含有控制字符或模板标记',
    '{0}: its {1} holds control characters or template marks. Nothing was done. Rename it.': (
        '{0}: 其 {1} 含有控制字符或模板标记。未做任何操作。请改名。'
    ),
    'it could not be inspected: {0}{1}': '无法检查：{0:text}{1:text}',
    'it could not be inspected: {0} Nothing was done.': '无法检查：{0:text}未做任何操作。',
    '{0}: listed more than once. Nothing was done. List every instance once in anqicms_instances.': (
        '{0}: 重复列出。未做任何操作。在 anqicms_instances 里，每个实例只列一次。'
    ),
    'Unreachable: {0}. Nothing was done. Bring them back, leave them out with --limit, or set anqicms_unreachable '
    'to skip.': '连不上的主机：{0}。未做任何操作。请恢复它们，或用 --limit 排除，或把 anqicms_unreachable 设为 skip。',
    'No host has an instance to work on. Nothing was done. List the instances in anqicms_instances, or correct '
    'anqicms_only.': (
        '没有任何主机有可处理的实例。未做任何操作。请在 anqicms_instances 里列出实例，或改正 anqicms_only。'
    ),
    'Left out, because they were unreachable: {0}. Nothing was done on them.': (
        '因连不上而未纳入：{0}。没有对它们做任何操作。'
    ),
    'No host was left out.': '没有遗漏主机。',
    # The canary
    'After the canary (the first batch), the run asks whether to continue. It ends there unless someone answers '
    'yes.': '灰度批次（第一批）完成后，会询问是否继续。只有回答 yes 才继续，否则到此结束。',
    'After the canary (the group anqicms_canary), the run asks whether to continue. It ends there unless someone '
    'answers yes.': '灰度批次（anqicms_canary 组）完成后，会询问是否继续。只有回答 yes 才继续，否则到此结束。',
    'anqicms_confirm_after_canary is for the playbook anqicms.lifecycle.upgrade: a role cannot end the batches of '
    'the play that it is in. Nothing was done. Use the playbook, or set it to false.': (
        'anqicms_confirm_after_canary 只用于 playbook anqicms.lifecycle.upgrade：角色无法结束它所在 play 的批次。未'
        '做任何操作。请使用该 playbook，或把它设为 false。'
    ),
    'Nothing to ask.': '无需询问。',
    'The canary has {0}, by run {1}: {2}': '灰度主机已是 {0}（运行 {1}）：{2}',
    'Not upgraded yet, hosts: {0}: {1}': '尚未升级的主机 {0} 台：{1}',
    'The run ends here, because no one confirmed it with yes (anqicms_confirm_after_canary).': (
        '没有人回答 yes 确认（anqicms_confirm_after_canary），运行到此结束。'
    ),
    'Nothing was done on the hosts that are not upgraded yet.': '对尚未升级的主机没有做任何操作。',
    'Check the canary. To continue without a prompt, start the same run with -e anqicms_confirmed={0}': (
        '请检查灰度主机。如要继续且不再询问，用 -e anqicms_confirmed={0} 再次启动同样的运行'
    ),
    'To roll the canary back, run the rollback playbook with -e anqicms_rollback_run={0}': (
        '如要回滚灰度主机，用 -e anqicms_rollback_run={0} 运行 rollback playbook'
    ),
    'Check the canary. Type yes to continue with the others; anything else ends the run here': (
        '请检查灰度主机。输入 yes 继续升级其余主机；输入其他内容则到此结束'
    ),
    'anqicms_confirmed: {0} Nothing was done. Give the id of another run, or leave anqicms_confirmed out: with '
    'anqicms_confirm_after_canary the run asks again after its first batch.': (
        'anqicms_confirmed: {0:text}未做任何操作。请给出另一次运行的 id，或去掉 anqicms_confirmed：设置 '
        'anqicms_confirm_after_canary 后，第一批完成时会再次询问。'
    ),
    'Run {0} did not succeed on {1}.': '运行 {0} 在以下实例上没有成功：{1}。',
    'No instance on the hosts of this run knows a run {0} that has changed it and succeeded. Known are: {1}.': (
        '本次运行的主机上，没有实例记录过成功修改它的运行 {0}。已知的运行：{1:text}。'
    ),
    'none': '无',
    'Run {0} {1}, and {2} is wanted.': '运行 {0} {1:text}，而目标版本是 {2}。',
    'has brought {0} to {1}': '把 {0} 升级到了 {1}',
    'has upgraded nothing on {0}': '没有升级 {0}',
    'Run {0} was rolled back on {1}.': '运行 {0} 在 {1} 上已被回滚。',
    '{0} does not run {1} any more: {2}.': '{0} 已不再运行 {1}：{2:text}。',
    'its state is {0}': '其状态为 {0:text}',
    # Progress of a window
    'the window on {0} has not ended {1} s after its start, which is more than the time limits of worker and '
    'guardian. Its state is not known. Check with instance_info what is running there.': (
        '{0} 上的窗口开始 {1} 秒后仍未结束，已超过工作进程和看护进程的时限，状态未知。请用 instance_info 检查那里正'
        '在运行什么。'
    ),
    '{0}. If run {1} was started on {2}, the host completes it or rolls it back by itself. Check with '
    'instance_info, or run recover.yml.': (
        '{0}。如果运行 {1} 已在 {2} 上开始，主机会自行完成或回滚。请用 instance_info 检查，或运行 recover.yml。'
    ),
    # Fetched evidence
    'The bundle was not written whole: {0}.': '取证包没有写完整：{0}。',
    'The bundle could not be written to {0} on the controller: {1}. Give another directory as dest.': (
        '取证包无法写入控制端的 {0}：{1}。请用 dest 指定另一个目录。'
    ),
    # Hosts that were not reached
    'Not reached before this failure, and nothing was done on them: {0}': '失败前尚未轮到、没有做任何操作的主机：{0}',
    'Lost in an earlier batch: {0}. Not reached, and nothing was done on them: {1}.': (
        '前面批次中失联的主机：{0}。尚未轮到、没有做任何操作的主机：{1}。'
    ),
    'No instance has a run {0} that changed something and succeeded. Nothing was done. Known runs: {1}.': (
        '没有实例记录过成功修改内容的运行 {0}。未做任何操作。已知的运行：{1:text}。'
    ),
    'None of the instances that this run works on has the id that anqicms_put_aside names. Nothing was done. Leave '
    'the host out with --limit, or correct anqicms_put_aside: instance_info and the path of the state show the id.': (
        '本次运行要处理的实例里，没有 anqicms_put_aside 所给的 id。未做任何操作。请用 --limit 排除该主机，或改正 '
        'anqicms_put_aside：从 instance_info 和状态目录的路径可以看到 id。'
    ),
}
