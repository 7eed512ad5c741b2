# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The Chinese texts that no other file has, by the English ones. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {
    # --- the closing table
    'rolled back': '已回滚',
    'left out': '未纳入',
    'not touched': '未动',
    'finished': '已结束',
    'interrupted': '被中断',
    'outcome': '结果',
    'downtime': '停机时间',
    'reason': '原因',
    '{ms} ms': '{ms} 毫秒',
    '{ended} (check mode)': '{ended}（检查模式）',
    '{verb}: {ended}': '{verb}：{ended}',
    '{verb}: {ended}. Run {run}, {when}, {seconds} s': '{verb}：{ended}。运行 {run}，{when}，{seconds} 秒',
    'Not touched': '未动',
    'Left out, unreachable': '未纳入，连不上',
    'Left out by --limit': '未纳入，--limit 之外',
    'Left out by anqicms_only': '未纳入，anqicms_only 之外',
    'Left out, restart not needed': '未纳入，不需要重启',
    'Left out, finished by the resumed run': '未纳入，被继续的运行已经完成',
    'Left out, not part of the resumed run': '未纳入，不属于被继续的运行',
    'Left out, install of another user': '未纳入，属于其他用户的安装',
    'and {count} more': '还有 {count} 个',
    '  and {count} more': '  还有 {count} 个',
    '{count} {outcome}': '{outcome} {count}',
    'Result: {counts}': '结果：{counts}',
    'Check mode: nothing was changed.': '检查模式：没有做任何改动。',
    'Nothing was done. Run the same command again.': '没有做任何操作。请再运行同一条命令。',
    'Nothing was done. Fix the cause, then run the same command again.': (
        '没有做任何操作。请排除原因，再运行同一条命令。'
    ),
    'Next: fix the cause, then {how}': '下一步：排除原因，然后{how}',
    'Next: when the unreachable hosts are back, {how}': '下一步：等连不上的主机恢复后，{how}',
    'run the same command again.': '再运行同一条命令。',
    'run the same command with -e anqicms_resume={run}': '运行同一条命令，加上 -e anqicms_resume={run}',
    'Check the lost instances with the playbook anqicms.lifecycle.status.': (
        '请用 playbook anqicms.lifecycle.status 查看失联的实例。'
    ),
    "AWX: 'Relaunch on failed hosts' would leave out the instances that were not touched.": (
        'AWX：「在失败的主机上重新启动」不包括未动的实例。'
    ),
    'Notification not sent ({type}, {event}): {reason}': '通知没有发出（{type}，{event}）：{reason}',
    'The report is not in the artifacts: no task could run at the end. The run itself is not affected.': (
        '报告不在 artifacts 里：最后没有任务能运行。运行本身不受影响。'
    ),
    'the host was unreachable': '主机连不上',
    'the run was interrupted; the host completes the started work or rolls it back by itself.': (
        '运行被中断；主机会自行完成已开始的工作，或者回滚。'
    ),
    'the run was interrupted during the work on this instance; its state is not known.': (
        '运行在处理这个实例时被中断，它现在的状态未知。'
    ),
    # --- notifications
    '{name}: started': '{name}：已开始',
    '{name}: first batch done': '{name}：第一批已完成',
    '{name}: finished': '{name}：已完成',
    '{name}: failed': '{name}：失败',
    '{name}: connection to a host lost': '{name}：与主机失去连接',
    '{title} (check mode)': '{title}（检查模式）',
    'Run: {run}': '运行：{run}',
    'Instances: {count} on {hosts} hosts ({totals})': '实例：{hosts} 台主机上的 {count} 个（{totals}）',
    'Duration: {minutes} min {seconds} s': '用时：{minutes} 分 {seconds} 秒',
    'Fix the cause, then resume with -e anqicms_resume={run}': '排除原因后，用 -e anqicms_resume={run} 继续',
    'no answer within {seconds} s': '{seconds} 秒内没有应答',
    'HTTP {status}: redirects are not followed': 'HTTP {status}：不跟随重定向',
    'the certificate of the server is not valid': '服务器的证书无效',
    'the answer is not that of such a robot': '应答不是这种机器人的应答',
    'it failed with {error}': '发送时出错：{error}',
    # --- reports
    'Restart': '重启',
    'Stop': '停止',
    'Start': '启动',
    'Recovery': '恢复',
    'Change of the configuration': '修改配置',
    'Upgrade': '升级',
    'Rollback': '回滚',
    'Diagnosis': '诊断',
    'Attention needed: {bad} of {all} instances': '{all} 个实例中有 {bad} 个需要处理',
    'Done: {done}.': '已完成 {done} 个。',
    'Done: {done}. Not touched: {rest}.': '已完成 {done} 个，{rest} 个没有动过。',
    'The run was interrupted': '运行被中断',
    'The run stopped before its end': '运行提前停止',
    'A plan: nothing was changed': '仅为计划：没有改动任何东西',
    'Planned instances: {count}. Nothing is refused.': '计划处理 {count} 个实例，没有被拒绝的。',
    'Done, but hosts could not be reached: {away}': '已完成，但有 {away} 台主机连不上',
    'Nothing was to be done': '没有要做的事',
    'No instance was worked on.': '没有处理任何实例。',
    'All instances are done, with remarks on {count} of {done}': (
        '全部完成，{done} 个实例中有 {count} 个有需要留意的情况'
    ),
    'All is well: {done} of {done} instances are done': '一切正常：{done} 个实例全部完成',
    'No instance was down.': '没有实例停过服务。',
    'No instance was down for longer than {time}.': '每个实例停机都不超过 {time}。',
    'Run': '运行',
    'Started at': '开始时间',
    'Ended at': '结束时间',
    'Hosts': '主机数',
    'Versions': '版本',
    'Resumes the run': '接续的运行',
    'Planned': '计划处理',
    'Done': '已完成',
    'Failed or lost': '失败或失联',
    'Left out': '排除在外',
    'Longest downtime': '最长停机时间',
    'Median downtime': '停机时间中位数',
    'Whole run': '总用时',
    'Whole window': '窗口用时',
    'This was a plan. If it is right, run the same command without --check.': (
        '以上是计划。确认无误后，去掉 --check 再运行同一条命令。'
    ),
    'The connection to {hosts} was lost. Check in what state its instances are.': (
        '与 {hosts} 的连接已断开。请查看其实例的状态。'
    ),
    'The run was refused': '运行被拒绝',
    'When {hosts} can be reached again:': '{hosts} 恢复连接后：',
    'Fix the cause.': '请先排除原因。',
    'Run the same command again.': '再运行同一条命令。',
    'Run the same command with this option, which leaves out what is done.': (
        '给同一条命令加上这个选项再运行，已完成的实例会跳过。'
    ),
    'Read the errors in the logs of the instances below.': '请查看下面各实例运行日志中的错误。',
    'What to do next': '下一步',
    'What to do': '处理建议',
    'Why it ended': '结束的原因',
    'When each instance was worked on': '每个实例的处理时间',
    '{host}: from {start}, for {time}': '{host}：{start} 开始，用时 {time}',
    'Instances': '实例',
    'Instance': '实例',
    'Outcome': '结果',
    'Version': '版本',
    'Downtime': '停机时间',
    'Verified after': '验证完成用时',
    'Sites': '站点',
    'Steps and findings': '步骤与检查结果',
    'Steps': '步骤',
    'down for {time}': '停机 {time}',
    'Directory': '目录',
    'State': '状态',
    'Process': '进程',
    'Findings in the logs': '运行日志中的问题',
    'Findings on the pages': '页面上的问题',
    'it responds, but nothing proves that it is this site': '有响应，但无法确认就是这个站点',
    'Notes': '说明',
    'Versions on the way': '途经的版本',
    'Notifications': '通知',
    '{count} times': '{count} 次',
    'Report of anqicms.lifecycle. Times are in {zone}, those in lines of logs as the host wrote them.': (
        'anqicms.lifecycle 的报告。时间为 {zone}，日志内容中的时间保持主机原样。'
    ),
    'Report: {path}': '报告：{path}',
    'The report was not written to {target}: {why}. The run itself is not affected.': (
        '报告没有写到 {target}：{why}。运行本身不受影响。'
    ),
    'All instances are running, with remarks on {some} of {count}': (
        '全部在运行，{count} 个实例中有 {some} 个有需要留意的情况'
    ),
    'All is well: {count} of {count} instances are fine': '一切正常：{count} 个实例全部正常',
    'They are running, none has died, and no problem was found.': '都在运行，没有异常退出，也没有发现问题。',
    'Fine: {count}.': '正常 {count} 个。',
    'Nothing was checked': '没有检查任何东西',
    'No instance was found.': '没有找到实例。',
    'Time range': '时间段',
    'When processes ended': '进程退出的时间',
    'Urgency': '紧急程度',
    'Last death': '最近一次退出',
    'Memory': '内存',
    '{part} of {all} MiB': '{part} / {all} MiB',
    '{count} MiB at its end': '退出时 {count} MiB',
    'Evidence': '判断依据',
    'Known starts': '已知启动次数',
    'Collected evidence': '已取回的证据',
    'Deaths and their evidence': '退出记录与判断依据',
    'Hazards': '隐患',
    'What could not be read': '无法读取的内容',
    # Outcomes, states, urgencies, steps, and the like.
    'error': '错误',
    'warning': '警告',
    'canary': '首批完成',
    'graceful stop': '平稳停止',
    'port released': '等待端口释放',
    'verified start': '启动并确认',
    'log check': '检查日志',
    'site check': '检查站点',
    'config': '修改配置',
    'release': '替换程序文件',
    'database': '备份数据库',
    'command': '执行命令',
    'release of the port': '释放端口',
    'change': '改动',
    'checks': '检查',
    'other': '其他',
    'unreachable': '连不上',
    'not selected by --limit': '不在 --limit 之内',
    'not selected by anqicms_only': '不在 anqicms_only 之内',
    'not needed': '不需要',
    'finished by the earlier run': '之前的运行已完成',
    'not part of the earlier run': '不属于之前的运行',
    'install of another user': '属于其他用户的安装',
    # Status
    'last run': '上次运行',
    'when': '时间',
    'run id': '运行 id',
    'not started': '未开始',
    'under way': '进行中',
    'under_way': '进行中',
    'unfinished': '未完成',
    'not_begun': '未开始',
    'recovered': '已恢复',
    'superseded': '已被取代',
    'run {run} is running now: {step}': '运行 {run} 正在进行：{step}',
    'before the first step': '第一步之前',
    'it ended in step {step}': '它在步骤 {step} 结束',
    'run {run} is unfinished: run the playbook recover': '运行 {run} 未完成：请运行 playbook recover',
    'it was changed since that run': '那次运行之后它又有变化',
    'run {run} ({verb}), planned {when}, has not started here': '运行 {run}（{verb}，计划于 {when}）在此尚未开始',
    'Run {run} ({verb}): {parts}.': '运行 {run}（{verb}）：{parts}。',
    'wait until that work has ended, then {command}': '等该工作结束后执行 {command}',
    'to continue: {command}': '继续执行：{command}',
    '{instances} instances, {running} running, {unreachable} hosts unreachable': (
        '实例 {instances} 个，运行中 {running} 个，连不上的主机 {unreachable} 台'
    ),
    # The run that resumes another
    'anqicms_resume needs all hosts of a run in one preflight, as the playbooks of this collection have it. This '
    'play has batches. Nothing was done. Use the playbook, or a play without serial.': (
        'anqicms_resume 需要一次预检就看到该次运行的全部主机，本集合的 playbook 就是这样。这个 play 有批次。未做任'
        '何操作。请使用 playbook，或不带 serial 的 play。'
    ),
    'its records cannot be read, so it is not known whether run {0} is finished': (
        '无法读取其记录，不知道运行 {0} 是否已完成'
    ),
    'not part of run {0}': '不属于运行 {0}',
    'run {0} was a {1}, not a {2}': '运行 {0} 是 {1:text}，不是 {2:text}',
    'finished by run {0}': '运行 {0} 已完成',
    'not started by run {0}': '运行 {0} 尚未开始处理',
    'whether it is still as {0} has left it ({1}) is not known: {2}': (
        '它是否仍是 {0} 留下的样子（{1:text}）不得而知：{2:text}'
    ),
    'it was changed since {0}, which left it {1}: {2}': '{0} 之后它又有变化，当时是{1:text}：{2:text}',
    'it was changed since run {0}: {1} has worked on it': '运行 {0} 之后它又有变化：{1} 处理过它',
    'it was changed since run {0}, which saw version {1}: {2}': '运行 {0} 之后它又有变化，当时的版本是 {1}：{2:text}',
    'running as pid {0}': '以进程 {0} 运行',
    'in an unknown state': '状态未知',
    'now it is {0}': '现在是{0:text}',
    'now it is {0} as pid {1}': '现在是{0:text}（进程 {1}）',
    'now it is {0} as pid {1}, version {2}': '现在是{0:text}（进程 {1}，版本 {2}）',
    'Use the playbook {0} to resume it.': '请用 playbook {0} 继续它。',
    'If the instance is as it should be, leave it out of this run, with --limit or anqicms_only. Otherwise run {0} '
    'on it without anqicms_resume (-e anqicms_only={1}) first, and then leave it out here.': (
        '如果实例状态正常，请用 --limit 或 anqicms_only 把它排除在本次运行之外。否则请先不带 anqicms_resume 对它运'
        '行 {0}（-e anqicms_only={1}），再在这里排除它。'
    ),
    'No host knows run {0}. Nothing was done. Check the name, for example with the playbook status, and that this '
    'is the inventory of that run. An instance remembers its last 20 runs.': (
        '没有主机记录过运行 {0}。未做任何操作。请检查名称（例如用 playbook status），并确认用的是那次运行的清单。每'
        '个实例记住最近 20 次运行。'
    ),
    'No host within --limit knows run {0}. Nothing was done. Check the name, for example with the playbook status, '
    'and that this is the inventory of that run. An instance remembers its last 20 runs.': (
        '--limit 范围内没有主机记录过运行 {0}。未做任何操作。请检查名称（例如用 playbook status），并确认用的是那次'
        '运行的清单。每个实例记住最近 20 次运行。'
    ),
    'Run {0} is of another fleet: it had the host {1}, which is not in this inventory. Nothing was done. Use the '
    'inventory of that run, or work on the instances without anqicms_resume, with --limit or anqicms_only.': (
        '运行 {0} 属于另一批主机：其中的主机 {1} 不在这份清单里。未做任何操作。请使用那次运行的清单，或不用 '
        'anqicms_resume，而用 --limit 或 anqicms_only 处理这些实例。'
    ),
    'Resumes run {0}: {1} to do, {2} finished, {3} not part of it.': (
        '继续运行 {0}：待处理 {1} 个，已完成 {2} 个，不属于它的 {3} 个。'
    ),
    'Resumes run {0}: {1} to do, {2} finished, {3} not part of it, {4} refused.': (
        '继续运行 {0}：待处理 {1} 个，已完成 {2} 个，不属于它的 {3} 个，拒绝 {4} 个。'
    ),
    'Nothing is left to do.': '没有剩下要做的事。',
    'Hosts outside --limit were not checked.': '没有检查 --limit 之外的主机。',
    'no instance was found': '没有找到实例',
    # Where a report cannot be written
    'There is no awx_workflow_job_id, so this is not a job of a workflow in AWX. Nothing was done. Make it the '
    'last node of a workflow, or read the closing tables of the single runs.': (
        '没有 awx_workflow_job_id，这不是 AWX 工作流中的作业。未做任何操作。请把它作为工作流的最后一个节点，或查看'
        '各次运行的汇总表。'
    ),
    'Nothing was done. Correct anqicms_report, or leave it out.': '未做任何操作。请改正 anqicms_report，或去掉它。',
    'anqicms_report: the report cannot be written. {0}.': 'anqicms_report：报告无法写入。{0:text}。',
    'anqicms_report: the report cannot be written. {0}. Nothing was done. Correct anqicms_report, or leave it out.': (
        'anqicms_report：报告无法写入。{0:text}。未做任何操作。请改正 anqicms_report，或不设置它。'
    ),
    '{0} is a link to {1}. Use that path, if you mean it': (
        '{0} 是指向 {1} 的链接。如果就是要写到那里，请直接用那个路径'
    ),
    '{0} is not a regular file': '{0} 不是普通文件',
    '{0} is not a directory': '{0} 不是目录',
    '{0} does not exist, or is not a directory': '{0} 不存在，或不是目录',
    'it is a link or not a directory': '是链接，或不是目录',
    '{0} is not an address such as https://reports.example/anqicms': (
        '{0} 不是像 https://reports.example/anqicms 这样的地址'
    ),
    'it answered with status {0}': '返回状态 {0}',
    'it answered with status {0}, a redirect, which is not followed': '返回状态 {0}，是重定向，不跟随',
    # Notifications by a task
    'Nothing was sent.': '没有发送。',
    'Not sent in check mode.': '检查模式下不发送。',
    'text must be one line of text, or document a dictionary. Neither is set.': (
        'text 必须是一行文本，或者 document 必须是字典。两者都没有设置。'
    ),
    'an entry of its instances has no host or no known outcome': 'instances 中有一项没有主机或没有已知的结果',
    'it has neither instances nor records by host and id': '既没有 instances，也没有按主机和 id 排列的记录',
    'a record has no known outcome': '有一条记录没有已知的结果',
}
