# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""The Chinese texts, by the English ones. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {
    'done': '完成',
    'failed': '失败',
    # --- the closing table
    'rolled back': '已回滚',
    'lost': '失联',
    'left out': '未纳入',
    'not touched': '未动',
    'unchanged': '无变化',
    'planned': '计划中',
    'finished': '已结束',
    'interrupted': '被中断',
    'host': '主机',
    'id': '实例',
    'version': '版本',
    'outcome': '结果',
    'downtime': '停机时间',
    'reason': '原因',
    '{ms} ms': '{ms} 毫秒',
    '{ended} (check mode)': '{ended}（检查模式）',
    '{verb}: {ended}': '{verb}：{ended}',
    '{verb}: {ended}. Run {run}, {when}, {seconds} s': '{verb}：{ended}。运行 {run}，{when}，{seconds} 秒',
    'Not touched': '未动',
    'Left out, unreachable': '未纳入，无法连接',
    'Left out by --limit': '未纳入，--limit 之外',
    'Left out by anqicms_only': '未纳入，anqicms_only 之外',
    'Left out, restart not needed': '未纳入，不需要重启',
    'Left out, finished by the resumed run': '未纳入，被继续的运行已经完成',
    'Left out, install of another user': '未纳入，属于其他用户的安装',
    'and {count} more': '还有 {count} 个',
    '  and {count} more': '  还有 {count} 个',
    '{count} {outcome}': '{outcome} {count}',
    'Result: {counts}': '结果：{counts}',
    'Check mode: nothing was changed.': '检查模式：没有做任何改动。',
    'Nothing was done. Fix the cause, then run the same command again.': (
        '没有做任何操作。请排除原因，再运行同一条命令。'
    ),
    'Next: fix the cause, then {how}': '下一步：排除原因，然后{how}',
    'Next: when the unreachable hosts are back, {how}': '下一步：等无法连接的主机恢复后，{how}',
    'run the same command again.': '再运行同一条命令。',
    'run the same command with -e anqicms_resume={run}': '运行同一条命令，加上 -e anqicms_resume={run}',
    'Check the lost instances with the playbook anqicms.lifecycle.status.': (
        '请用 playbook anqicms.lifecycle.status 查看失联的实例。'
    ),
    "AWX: 'Relaunch on failed hosts' would leave out the instances that were not touched.": (
        'AWX：“在失败的主机上重新启动”不包括未动的实例。'
    ),
    'Notification not sent ({type}, {event}): {reason}': '通知没有发出（{type}，{event}）：{reason}',
    'the connection was lost': '连接已断开',
    'the host was unreachable': '主机无法连接',
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
    'downtime {ms} ms': '停机 {ms} 毫秒',
    'no answer within {seconds} s': '{seconds} 秒内没有应答',
    'HTTP {status}: redirects are not followed': 'HTTP {status}：不跟随重定向',
    'the certificate of the server is not valid': '服务器的证书无效',
    'the answer is not that of such a robot': '应答不是这种机器人的应答',
    'it failed with {error}': '发送时出错：{error}',
}
