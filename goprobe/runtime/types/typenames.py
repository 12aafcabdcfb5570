"""Names of types that have none of their own, by what they are made of, as reflect writes them.

What reflect makes when the program runs has its text among reflect's own data (reflectOffs), so
its name is made of its parts here, too.
Source: src/internal/abi/type.go, src/reflect/type.go (funcStr, StructOf), Go 1.21 to 1.27.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from typing import Protocol

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.process.memory.memory import Memory, u64

RTYPE_BYTES = 48  # sizeof(abi.Type); what belongs to a kind of types follows it
_WORD = 8
_DIRECTIONS = {1: "<-chan ", 2: "chan<- "}  # abi.ChanDir
FIELD_BYTES, _FUNC_BYTES, _UNCOMMON_BYTES = 24, 56, 16  # abi.StructField, FuncType, UncommonType
_PARTS_LIMIT = 256
_TAGGED, _EMBEDDED = 2, 8  # bits of an abi.Name's first byte
_VARIADIC = 1 << 15  # the top bit of FuncType.OutCount
SIMPLE = (GoKind.POINTER, GoKind.SLICE, GoKind.ARRAY, GoKind.CHAN, GoKind.MAP)
Name = Callable[[int], str]


class Descriptors(Protocol):
    """What is needed of descriptors: a type's kind, whether it has an uncommon part, and the text
    of an abi.Name."""

    def kind(self, rtype: int) -> GoKind: ...
    def is_uncommon(self, rtype: int) -> bool: ...
    def text(self, at: int) -> str: ...


def composed(memory: Memory, types: Descriptors, rtype: int, name: Name) -> str:
    """The name of a type by `name` of its parts; "" for a kind that has no such name. Raises
    UnreadableError."""
    at, kind = rtype + RTYPE_BYTES, types.kind(rtype)
    if kind is GoKind.STRUCT:
        return _struct(memory, types, at, name)
    if kind is GoKind.FUNC:
        return _function(memory, types, rtype, name)
    if kind not in SIMPLE:
        return ""
    part = name(u64(memory, at))
    match kind:
        case GoKind.POINTER:
            return f"*{part}"
        case GoKind.SLICE:
            return f"[]{part}"
        case GoKind.ARRAY:
            return f"[{u64(memory, at + 2 * _WORD)}]{part}"
        case GoKind.CHAN:
            return chan_name(part, _DIRECTIONS.get(u64(memory, at + _WORD), ""))
    return f"map[{part}]{name(u64(memory, at + _WORD))}"


def _struct(memory: Memory, types: Descriptors, at: int, name: Name) -> str:
    fields, count = u64(memory, at + _WORD), u64(memory, at + 2 * _WORD)
    if count > _PARTS_LIMIT:
        return ""
    raw = memory.read(fields, FIELD_BYTES * count) if count else b""
    parts = []
    for label, part, _ in struct.iter_unpack("<3Q", raw):
        flags = memory.read(label, 1)[0]
        text = name(part) if flags & _EMBEDDED else f"{types.text(label)} {name(part)}"
        parts.append(text + (f" {_quoted(_tag(memory, label))}" if flags & _TAGGED else ""))
    return f"struct {{ {'; '.join(parts)} }}" if parts else "struct {}"


def _function(memory: Memory, types: Descriptors, rtype: int, name: Name) -> str:
    head = memory.read(rtype + RTYPE_BYTES, 4)
    taken, given = (int.from_bytes(head[i : i + 2], "little") for i in (0, 2))
    variadic, given = bool(given & _VARIADIC), given & (_VARIADIC - 1)
    if taken + given > _PARTS_LIMIT:
        return ""
    at = rtype + _FUNC_BYTES + (_UNCOMMON_BYTES if types.is_uncommon(rtype) else 0)
    raw = memory.read(at, _WORD * (taken + given)) if taken + given else b""
    parts = [name(part) for part in array("Q", raw)]
    if variadic and taken:
        parts[taken - 1] = f"...{parts[taken - 1].removeprefix('[]')}"
    results = ", ".join(parts[taken:])
    results = f"({results})" if given > 1 else results
    return f"func({', '.join(parts[:taken])}) {results}".rstrip()


def chan_name(elem: str, direction: str = "") -> str:
    """ "chan (<-chan T)", as reflect writes it."""
    elem = f"({elem})" if elem.startswith("<-") and not direction else elem
    return f"{direction or 'chan '}{elem}"


def name_text(memory: Memory, at: int, limit: int) -> tuple[str, int]:
    """A text with its length before it, as abi.Name has them for the name and the tag; and where it
    ends."""
    head = memory.read(at, 2)
    size, width = head[0] & 0x7F, 1
    if head[0] & 0x80:
        size |= (head[1] & 0x7F) << 7
        width = 2
    size_read = min(size, limit)
    raw = memory.read(at + width, size_read) if size_read else b""
    return raw.decode("utf-8", "replace"), at + width + size


def _tag(memory: Memory, label: int) -> str:
    _, end = name_text(memory, label + 1, 0)
    return name_text(memory, end, 1 << 12)[0]


def _quoted(tag: str) -> str:
    escaped = tag.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
