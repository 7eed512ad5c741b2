# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Chinese: what is wrong with the variables of a run, its hosts and its tags. Pure data."""

from __future__ import annotations

import typing as t

TEXTS: t.Mapping[str, str] = {
    # Tags
    '--tags and --skip-tags: no task of this run has the tag {0}. Known are: {1}.': (
        '--tags 和 --skip-tags：本次运行没有任务带标签 {0}。已知标签：{1}。'
    ),
    '--tags and --skip-tags ({0}) select include_role, not the tasks in it: use import_role, or apply.': (
        '--tags 和 --skip-tags（{0}）只选中 include_role 本身，不含其中的任务：请改用 import_role 或 apply。'
    ),
    '--tags and --skip-tags ({0}) leave nothing to do: no task of this run has tags.': (
        '按 --tags 和 --skip-tags（{0}）筛选后无事可做：本次运行的任务都没有标签。'
    ),
    'Leave these options out.': '请去掉这些选项。',
    '{0} Nothing was inspected or changed. Leave these options out.': (
        '{0:text}没有检查，也没有改动任何内容。请去掉这些选项。'
    ),
    'Not selected by --tags.': '未被 --tags 选中。',
    # Names and values of variables
    '{0} ({1}): meant is {2}.': '{0}（{1:text}）：应为 {2}。',
    'extra variable': '额外变量',
    'variable of {0}': '{0} 的变量',
    'variable of the play or the task': 'play 或任务的变量',
    'Correct the names. What other tools read needs a name that does not come close to one of this collection.': (
        '请改正变量名。其他工具使用的变量，名字不要与本集合的相近。'
    ),
    'Nothing was inspected or changed. Correct the names. What other tools read needs a name that does not come '
    'close to one of this collection.': (
        '没有检查，也没有改动任何内容。请改正变量名。其他工具使用的变量，名字不要与本集合的相近。'
    ),
    'Not variables of this collection: {0}. anqicms_strict refuses them. Nothing was inspected or changed.': (
        '不是本集合的变量：{0}。anqicms_strict 不允许使用。没有检查，也没有改动任何内容。'
    ),
    'Not variables of anqicms.lifecycle, and not used by it: {0}.': '不是 anqicms.lifecycle 的变量，不会使用：{0}。',
    '{0} must be {1}. It is {2} ({3}).': '{0} 必须是{1:text}。现在是 {2}（{3:text}）。',
    '{0} must be one of {1}. It is {2} ({3}).': '{0} 必须是以下之一：{1}。现在是 {2}（{3:text}）。',
    '{0} must be {1}. It is {2}: {3} ({4}).': '{0} 必须是{1:text}。现在是 {2}：{3:text}（{4:text}）。',
    '{0} must be {1}. It is not set ({2}).': '{0} 必须是{1:text}。尚未设置（{2:text}）。',
    '{0} must be {1}. It is {2}.': '{0} 必须是{1:text}。现在是 {2}。',
    '{0} must be {1}. It is not set.': '{0} 必须是{1:text}。尚未设置。',
    '{0} must be {1}. There is no file {2}.': '{0} 必须是{1:text}。文件 {2} 不存在。',
    '{0}{1} must be {2}. It is not set.': '{0}{1} 必须是{2:text}。尚未设置。',
    '{0} must be one of {1}. It is {2}.': '{0} 必须是以下之一：{1}。现在是 {2}。',
    '{0} cannot be read: {1}.': '无法读取 {0}：{1:text}。',
    'another value, which may be secret': '别的值（可能是敏感信息，不显示）',
    'a number of seconds, 0 or more': '秒数，不小于 0',
    'a number of seconds, more than 0': '秒数，大于 0',
    'true or false': ' true 或 false',
    'a list of dictionaries with dir each, or the word discover': '字典的列表，每项都有 dir，或写 discover',
    'a list of ids of instances, {0}': '实例 id 的列表，{0:text}',
    'the id of an instance, {0}': '一个实例 id，{0:text}',
    'a time such as 2026-01-31T12:00:00 or 2026-01-31T12:00:00+08:00': (
        '时间，例如 2026-01-31T12:00:00 或 2026-01-31T12:00:00+08:00'
    ),
    'the name of a user': '用户名',
    'a name for the run': '本次运行的名称',
    'the path of a directory on the host': '主机上的目录路径',
    'the name of an earlier run': '以前某次运行的名称',
    'one of en, zh': '以下之一：en、zh',
    'the name of a time zone, such as Asia/Shanghai': '时区名，例如 Asia/Shanghai',
    'a list of dictionaries with type and url each': '字典的列表，每项都有 type 和 url',
    'a list of codes of hazards': '隐患代码的列表',
    'a list of paths of task files': '任务文件路径的列表',
    'a dictionary of keys of config.json': ' config.json 各键的字典',
    'a list of keys of config.json, such as server.env': ' config.json 键名的列表，例如 server.env',
    'a version such as 3.5.8': '版本号，例如 3.5.8',
    'a dictionary from versions to dictionaries with src, and optionally sha256 and remote_src': (
        '以版本号为键的字典，每个值是含 src（可选 sha256、remote_src）的字典'
    ),
    'a list of codes of findings or regular expressions': '日志条目代码或正则表达式的列表',
    'a dictionary with address, scheme, port or validate_certs': '含 address、scheme、port 或 validate_certs 的字典',
    'a whole number from 0 to {0}': ' 0 到 {0} 的整数',
    'the path of a directory on the controller, an address for uploads, or the word artifacts': (
        '控制端上的目录路径、上传地址，或写 artifacts'
    ),
    'the path of a directory on the controller': '控制端上的目录路径',
    'a list of patterns of directories': '目录匹配模式的列表',
    'a pattern of hosts, as text or as a list, such as web1,web2': '主机匹配模式，文本或列表均可，例如 web1,web2',
    'numbers of hosts or percentages of them, 1 or more, such as 1,10%,25%': '主机数或百分比，不小于 1，例如 1,10%,25%',
    'a dictionary from groups or variables of hosts to numbers of hosts or percentages, such as customer: 1': (
        '以主机组名或主机变量名为键、主机数或百分比为值的字典，例如 customer: 1'
    ),
    'anqicms_site_through must be proxy where anqicms_site_proxy is given. It is direct.': (
        '给出 anqicms_site_proxy 时，anqicms_site_through 必须是 proxy。现在是 direct。'
    ),
    'anqicms_instances must have sites in each entry where anqicms_site_check is true and anqicms_site_through is '
    'proxy.': (
        'anqicms_site_check 为 true 且 anqicms_site_through 为 proxy 时，anqicms_instances 的每一项都必须有 sites。'
    ),
    'anqicms_since must be before anqicms_until. It is not.': 'anqicms_since 必须早于 anqicms_until。现在不是。',
    'anqicms_config must be a dictionary of keys of config.json, or anqicms_config_remove a list of some.': (
        'anqicms_config 必须是 config.json 各键的字典，或者 anqicms_config_remove 必须是键名的列表。'
    ),
    # Hosts and batches
    'No host of {0} is within --limit {1}': '{0} 中没有主机在 --limit {1} 范围内',
    'The group {0} has no hosts': '主机组 {0} 没有主机',
    'The inventory has no host or group {0}': '清单里没有主机或主机组 {0}',
    '{0}. {1}, or name other hosts with -e anqicms_hosts=PATTERN.': (
        '{0:text}。{1:text}，或用 -e anqicms_hosts=PATTERN 指定其他主机。'
    ),
    'Add hosts to it in the inventory': '请在清单中加入主机',
    'Correct --limit': '请改正 --limit',
    'Add it': '请添加',
    'one line of text': '一行文本',
    'a dictionary, as in run.json or in anqicms_results': '字典，内容同 run.json 或 anqicms_results',
    'anqicms_notify_text must be one line of text, or anqicms_notify_document a dictionary. Neither is set.': (
        'anqicms_notify_text 必须是一行文本，或者 anqicms_notify_document 必须是字典。两者都没有设置。'
    ),
    'an address with http:// or https://': '以 http:// 或 https:// 开头的地址',
    'a number of seconds, more than 0, at most {0}': '秒数，大于 0，不超过 {0}',
    # What is wrong with a value
    '{0} must be {1}. It is {2}: {3}.': '{0} 必须是{1:text}。现在是 {2}：{3:text}。',
    '{0} must be {1}. It is another value, which may be secret.': (
        '{0} 必须是{1:text}。现在是别的值（可能是敏感信息，不显示）。'
    ),
    'it contains control characters': '含有控制字符',
    'an entry is empty': '有空的项',
    'the entry {0} is not one line of text': '其中的 {0} 不是一行文本',
    'it is neither JSON nor YAML': '既不是 JSON 也不是 YAML',
    '{0} is not an id. They are in the plan, and discover shows them': (
        '{0} 不是实例 id。实例 id 见计划，discover 也会显示'
    ),
    '{0} has a possessive quantifier or an atomic group. Pythons before 3.11 lack them': (
        '{0} 含有占有量词或原子组，3.11 之前的 Python 不支持'
    ),
    '{0}: {1} is not a number of hosts or a percentage': '{0}: {1} 不是主机数或百分比',
    'the time zone database of the controller does not contain it': '控制端的时区数据库里没有它',
    '{0}, {1}, is not a dictionary. With -e write it as JSON: {2}': '{0}（{1}）不是字典。用 -e 时请写成 JSON：{2}',
    '{0}: sites is empty. Leave it out where none is to be asked': '{0}: sites 为空。不需要检查站点时请去掉它',
    '{0} is not a dictionary': '{0} 不是字典',
    '{0} has other keys than {1}': '{0} 含有 {1} 之外的键',
    '{0}: {1} has no signature, so it takes no secret': '{0}: {1} 不支持签名，不能设置 secret',
    '{0} is not a version': '{0} 不是版本号',
    '{0}: src is missing': '{0}: 缺少 src',
    '{0}: sha256 is not a checksum of 64 hexadecimal digits': '{0}: sha256 不是 64 位十六进制的校验和',
    'available must be a mapping from versions to releases, or a list of versions, got {0}. Nothing was planned.': (
        'available 必须是以版本号为键的字典，或版本号的列表，现在是 {0}。没有制定任何计划。'
    ),
    'available names {0}, which is not a version such as 3.5.8. Nothing was planned.': (
        'available 中的 {0} 不是像 3.5.8 这样的版本号。没有制定任何计划。'
    ),
    # Batches
    'no size of a batch is given': '没有给出批次大小',
    'anqicms_serial_by names {0}, which cannot be read on {1}: {2}.': (
        'anqicms_serial_by 中的 {0} 在 {1} 上无法读取：{2:text}。'
    ),
    'anqicms_serial_by names {0}, which is neither a group nor a variable of a host of this run. {1}.': (
        'anqicms_serial_by 中的 {0} 既不是主机组，也不是本次运行中任何主机的变量。{1:text}。'
    ),
    'The groups are: {0}': '现有主机组：{0}',
    'The name {0} of a host means something else as a pattern of hosts. Rename it in the inventory, and keep the '
    'address in ansible_host.': '主机名 {0} 作为主机模式时有别的含义。请在清单中改名，并把地址写在 ansible_host 里。',
    # Connections
    'ansible_connection must be ssh, also for hosts with only a password: set ansible_password.': (
        'ansible_connection 必须是 ssh；只有密码的主机也一样，请设置 ansible_password。'
    ),
    'It is {0}, which ansible-core {1} does not have.': '现在是 {0}，而 ansible-core {1} 没有这种连接方式。',
    'It is {0}, which needs the Python package paramiko on the controller.': (
        '现在是 {0}，需要控制端上的 Python 软件包 paramiko。'
    ),
    # A Python for the host
    'ansible-core {0} needs Python {1} - {2} on the host': 'ansible-core {0} 需要主机上有 Python {1} - {2}',
    'ansible-core {0} needs Python {1} - {2} on the host ({3}). {4}': (
        'ansible-core {0} 需要主机上有 Python {1} - {2}（{3}）。{4:text}'
    ),
    '{0} is newer than what is tested: ansible-core {1} needs Python {2} - {3} on the host. Set in the inventory: '
    'ansible_python_interpreter: {4}': (
        '{0} 比测试过的版本新：ansible-core {1} 需要主机上有 Python {2} - {3}。请在清单中设置：'
        'ansible_python_interpreter: {4}'
    ),
    'an unknown system': '未知系统',
    'The host did not report which Pythons it has: {0}': '主机没有报告有哪些 Python：{0}',
    'Found: {0}. None fits.': '找到：{0}。没有合适的。',
    'No Python was found.': '没有找到 Python。',
    '{0} can install {1}.': '{0} 可以安装 {1:text}。',
    '{0}, or ansible-core {1} used': '{0}，或改用 ansible-core {1}',
    'To have {0} install one, become root (ansible_become).': '要用 {0} 安装，请切换为 root（ansible_become）。',
    'No package manager was found that this collection can use (dnf, yum, apt-get).': (
        '没有找到本集合能用的软件包管理器（dnf、yum、apt-get）。'
    ),
    'Or install one yourself and set ansible_python_interpreter to it.': (
        '也可以自行安装，并把 ansible_python_interpreter 设为它。'
    ),
    'Or install one yourself and set ansible_python_interpreter to it, or ansible-core {0} used.': (
        '也可以自行安装，并把 ansible_python_interpreter 设为它，或改用 ansible-core {0}。'
    ),
    'The module did not start with {0}.': '模块无法用 {0:text} 启动。',
    '{0}, which is missing or does not run': '{0}（不存在或无法运行）',
    'anqicms.lifecycle.prepare does that.': 'anqicms.lifecycle.prepare 可以完成。',
    '{0} was installed.': '已安装 {0}。',
    '{0} would be installed.': '将安装 {0}。',
    'Install one yourself and set ansible_python_interpreter to it.': (
        '请自行安装，并把 ansible_python_interpreter 设为它。'
    ),
    'None of the packages can be installed: {0} Install one yourself and set ansible_python_interpreter to it.': (
        '这些软件包都无法安装：{0}请自行安装，并把 ansible_python_interpreter 设为它。'
    ),
    'Modules run. Set in the inventory: ansible_python_interpreter: {0}': (
        '模块可以运行。请在清单中设置：ansible_python_interpreter: {0}'
    ),
}
