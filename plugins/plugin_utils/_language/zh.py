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
    # Status
    'host': '主机',
    'id': '实例 id',
    'state': '状态',
    'version': '版本',
    'pid': 'pid',
    'last run': '上次运行',
    'outcome': '结果',
    'when': '时间',
    'run id': '运行 id',
    'finished': '已完成',
    'not begun': '未开始',
    'under way': '进行中',
    'under_way': '进行中',
    'unfinished': '未完成',
    'not known': '不明',
    'not_begun': '未开始',
    'recovered': '已恢复',
    'superseded': '已被取代',
    'run {run} is at work now: {step}': '运行 {run} 正在进行：{step}',
    'before the first step': '第一步之前',
    'it ended in step {step}': '它在步骤 {step} 结束',
    'run {run} is unfinished: run the playbook recover': '运行 {run} 未完成：请运行 playbook recover',
    'it was changed since that run': '那次运行之后它又有变化',
    'run {run} ({verb}), planned {when}, has not begun here': '运行 {run}（{verb}，计划于 {when}）在此尚未开始',
    'Run {run} ({verb}): {parts}.': '运行 {run}（{verb}）：{parts}。',
    'wait until that work has ended, then {command}': '等该工作结束后执行 {command}',
    'to go on: {command}': '继续执行：{command}',
    '{instances} instances, {running} running, {unreachable} hosts unreachable': (
        '实例 {instances} 个，运行中 {running} 个，连不上的主机 {unreachable} 台'
    ),
}
