# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Change single values in a JSON text and leave every other character as it is. Pure.

A file that is decoded and encoded again loses its indentation, the way its numbers are written, and its escapes; a
person who compares it with the one before cannot see what was changed.
"""

import json
import re
import typing as t

_SPACE = re.compile(r'[ \t\r\n]*')
_PLAIN = re.compile(r'[^\s,\]}]+')
Path = t.Sequence[str]


class Member(t.NamedTuple):
    """One member of an object; ``start`` is that of its key."""

    key: str
    start: int
    value: 'Node'


class Node(t.NamedTuple):
    """One value: its place in the text, and its members if it is an object."""

    start: int
    end: int
    members: t.Optional[t.List[t.Any]] = None  # of Member


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _string_end(text: str, at: int) -> int:
    """Behind the closing quote of the string that begins at ``at``."""
    at += 1
    while text[at] != '"':
        at += 2 if text[at] == '\\' else 1
    return at + 1


def _parse(text: str, at: int) -> Node:
    """The value at ``at``. The text is valid JSON: whoever calls has decoded it before."""
    if text[at] == '"':
        return Node(at, _string_end(text, at))
    if text[at] == '{':
        return _parse_object(text, at)
    if text[at] == '[':
        return _parse_list(text, at)
    found = _PLAIN.match(text, at)
    return Node(at, found.end() if found else at)


def _parse_object(text: str, start: int) -> Node:
    members: t.List[Member] = []
    at = _skip(text, start + 1)
    while text[at] != '}':
        key_end = _string_end(text, at)
        value = _parse(text, _skip(text, _skip(text, key_end) + 1))
        members.append(Member(json.loads(text[at:key_end]), at, value))
        at = _skip(text, value.end)
        if text[at] == ',':
            at = _skip(text, at + 1)
    return Node(start, at + 1, members)


def _parse_list(text: str, start: int) -> Node:
    at = _skip(text, start + 1)
    while text[at] != ']':
        at = _skip(text, _parse(text, at).end)
        if text[at] == ',':
            at = _skip(text, at + 1)
    return Node(start, at + 1)


def _root(text: str) -> Node:
    return _parse(text, _skip(text, 0))


def _last(node: Node, key: str) -> t.Optional[Member]:
    """The member of this name. Of several the last one counts, for the application's decoder too."""
    found = [member for member in node.members or [] if member.key == key]
    return found[-1] if found else None


def _indent_at(text: str, at: int) -> t.Optional[str]:
    """The white space before ``at`` on its line; None when something else stands there."""
    begin = text.rfind('\n', 0, at) + 1
    before = text[begin:at]
    return before if begin and not before.strip() else None


def _unit(text: str) -> str:
    """The white space of one level, four blanks where the text shows none."""
    members = _root(text).members
    return (_indent_at(text, members[0].start) if members else None) or '    '


def _dumped(text: str, value: t.Any, indent: t.Optional[str]) -> str:
    """``value`` as it is written at this indentation, in one line where that is None."""
    if indent is None:
        return json.dumps(value, ensure_ascii=False)
    unit = _unit(text)
    lines = json.dumps(value, ensure_ascii=False, indent=unit).split('\n')
    return ('\n' + indent).join(lines)


def _inserted(text: str, node: Node, key: str, value: t.Any) -> str:
    """With one more member at the end of an object."""
    name = json.dumps(key, ensure_ascii=False)
    if node.members:
        last = node.members[-1]
        indent = _indent_at(text, last.start)
        colon = text[_string_end(text, last.start) : last.value.start]
        between = ', ' if indent is None else ',\n' + indent
        return text[: last.value.end] + between + name + colon + _dumped(text, value, indent) + text[last.value.end :]
    outer = _outer_indent(text, node)
    inner = outer + _unit(text)
    return '%s{\n%s%s: %s\n%s}%s' % (
        text[: node.start],
        inner,
        name,
        _dumped(text, value, inner),
        outer,
        text[node.end :],
    )


def _outer_indent(text: str, node: Node) -> str:
    """The indentation of the line that an object begins on."""
    begin = text.rfind('\n', 0, node.start) + 1
    found = re.match(r'[ \t]*', text[begin:])
    return found.group(0) if found else ''


def put(text: str, path: Path, value: t.Any) -> str:
    """The text with this value at the path. What stands in the way and is no object is replaced by one."""
    node = _root(text)
    for depth, key in enumerate(path):
        member = _last(node, key)
        if member is None:
            return _inserted(text, node, key, _nested(path[depth + 1 :], value))
        if depth + 1 < len(path) and member.value.members is None:
            return _replaced(text, member, _nested(path[depth + 1 :], value))
        if depth + 1 == len(path):
            return _replaced(text, member, value)
        node = member.value
    return text


def _nested(path: Path, value: t.Any) -> t.Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _replaced(text: str, member: Member, value: t.Any) -> str:
    written = _dumped(text, value, _indent_at(text, member.start))
    return text[: member.value.start] + written + text[member.value.end :]


def drop(text: str, path: Path) -> str:
    """The text without what stands at the path, however often it stands there."""
    while True:
        node = _root(text)
        for key in path[:-1]:
            member = _last(node, key)
            if member is None:
                return text
            node = member.value
        names = [member.key for member in node.members or []]
        if path[-1] not in names:
            return text
        text = _without(text, node, names.index(path[-1]))


def _without(text: str, node: Node, index: int) -> str:
    members = node.members or []
    if len(members) == 1:
        return text[: node.start] + '{}' + text[node.end :]
    if index:
        return text[: members[index - 1].value.end] + text[members[index].value.end :]
    return text[: members[0].start] + text[members[1].start :]
