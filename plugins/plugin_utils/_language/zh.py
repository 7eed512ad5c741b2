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
    # notifications
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
    'downtime {ms} ms': '中断 {ms} 毫秒',
    'and {count} more': '另有 {count} 个未列出',
    'no answer within {seconds} s': '{seconds} 秒内没有应答',
    'HTTP {status}: redirects are not followed': 'HTTP {status}：不跟随重定向',
    'the certificate of the server is not valid': '服务器的证书无效',
    'the answer is not that of such a robot': '应答不是这种机器人的应答',
    'Notification not sent ({type}, {event}): {reason}': '通知未能发出（{type}，{event}）：{reason}',
    'it failed with {error}': '发送时出错：{error}',
}
