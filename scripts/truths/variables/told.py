"""A value as goprobe tells it, held against the witness's.

The witness's form of a value is a list: kind, type (in hexadecimal, as all strings are), and what
belongs to the kind. Where the witness says less (a cycle, too deep), nothing is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET, UnsetType

from goprobe.model.value import Data, Element, Value, Variable

Node = Sequence[Any]
_SHOWN = 1024
_TEXTS = frozenset(
    ("bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32",
     "uint64", "uintptr", "float32", "float64", "complex64", "complex128")
)  # fmt: skip
_DIRECT = frozenset(("ptr", "map", "chan", "func"))


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of one value: a variable's, a part's, or a pointee's."""

    value: Value
    data: Data | UnsetType
    elements: tuple[Element, ...] | UnsetType
    pointee: bool = False

    @property
    def parts(self) -> tuple[Element, ...]:
        return () if self.elements is UNSET else self.elements


class UntoldError(Exception):
    """A part of the value is not told."""


def differences(node: Node, variable: Variable) -> list[str]:
    """Where a variable's value differs. Raises UntoldError where it is not told as a whole."""
    assert variable.value is not UNSET
    told = Told(variable.value, variable.data, variable.elements)
    untold: list[str] = []
    found = list(_differ(node, told, variable.name, untold))
    if not found and untold:
        raise UntoldError(untold[0])
    return found


def type_name(node: Node) -> str:
    return bytes.fromhex(node[1]).decode()


def _differ(node: Node, told: Told, path: str, untold: list[str]) -> Iterator[str]:
    kind, text = node[0], _text(told)
    if kind == "more" or text.startswith("…"):
        return
    if text.startswith("unreadable: ") and (kind != "string" or told.value.len is UNSET):
        untold.append(text)
    elif kind in _TEXTS:
        if text != node[2]:
            yield f"{path}: {text}, not {node[2]}"
    elif kind == "string":
        yield from _string(node, told, path)
    elif kind == "struct":
        yield from _struct(node, told, path, untold)
    elif kind == "array":
        yield from _run(node[2:], told.parts, path, untold)
    else:
        yield from _reference(node, told, path, untold)


def _text(told: Told) -> str:
    """A nil in an interface is told with its type."""
    text = told.value.text
    return "nil" if text == f"{told.value.dynamic_type}(nil)" else text


def _string(node: Node, told: Told, path: str) -> Iterator[str]:
    wanted = unquoted(node)
    if node[2] > _SHOWN:
        wanted += f"… {node[2] - _SHOWN} more bytes"
    if told.value.text != wanted or told.value.len not in (UNSET, node[2]):
        yield f"{path}: {told.value.text!r} of {told.value.len}, not {wanted!r} of {node[2]}"


def unquoted(node: Node) -> str:
    return bytes.fromhex(node[3]).decode()[1:-1].replace('\\"', '"')


def _struct(node: Node, told: Told, path: str, untold: list[str]) -> Iterator[str]:
    if len(node) < 3:
        return
    names = [name for name, _ in node[2]]
    if [p.name for p in told.parts] != names:
        left_out = told.value.text == "{…}" or (told.value.text == "{}" and _is_empty(node))
        if told.parts or not left_out:
            yield f"{path}: fields {[p.name for p in told.parts]}, not {names}"
        return
    for (name, part), element in zip(node[2], told.parts, strict=True):
        yield from _differ(part, _of(element), f"{path}.{name}", untold)


def _is_empty(node: Node) -> bool:
    """Whether a value has no bytes."""
    if node[0] == "struct":
        return len(node) > 2 and all(_is_empty(part) for _, part in node[2])
    return node[0] == "array" and len(node) > 2 and all(map(_is_empty, node[2]))


def _run(
    rest: Sequence[Any], parts: Sequence[Element], path: str, untold: list[str]
) -> Iterator[str]:
    if not rest or not parts:
        return  # too deep for one of us
    for i, (part, element) in enumerate(zip(rest[0], parts, strict=False)):
        yield from _differ(part, _of(element), f"{path}[{i}]", untold)
    if len(parts) != len(rest[0]):
        yield f"{path}: {len(parts)} elements, not {len(rest[0])}"


def _of(element: Element) -> Told:
    return Told(element.value, element.data, element.elements)


def _pointee(data: Data) -> Told:
    dynamic = data.dynamic_type
    return Told(Value(data.text, dynamic_type=dynamic), data.data, data.elements, pointee=True)


def _reference(node: Node, told: Told, path: str, untold: list[str]) -> Iterator[str]:
    kind, text = node[0], _text(told)
    is_nil = len(node) > 2 and node[2] == "nil"
    dynamic = told.value.dynamic_type
    # What a pointer in an interface leads to is told with the pointer's type.
    outer = "*" + spelt(type_name(node)) if told.pointee else ""
    holds = kind == "interface" and dynamic is not UNSET and spelt(dynamic) != outer
    told_nil = text == "nil" and not holds
    if is_nil or told_nil:
        if is_nil != told_nil:
            yield f"{path}: {text}, not {'' if is_nil else 'nil but '}{node[2:3]}"
        return
    match kind:
        case "interface":
            yield from _interface(node, told, path, untold)
        case "ptr":
            if told.data is UNSET or told.data.type is UNSET:
                untold.append("unreadable: what it points to is not described")
            elif len(node) > 2 and told.data.text != "…":
                yield from _differ(node[2], _pointee(told.data), f"*{path}", untold)
        case "slice" | "chan":
            yield from _sizes(node, told, path)
            if kind == "slice":
                parts = told.data.elements if told.data is not UNSET else UNSET
                yield from _run(node[4:], () if parts is UNSET else parts, path, untold)
        case "map":
            yield from _map(node, told, path, untold)


def _sizes(node: Node, told: Told, path: str) -> Iterator[str]:
    length, capacity = told.value.len, told.value.cap
    if length not in (node[2], UNSET) or capacity not in (node[3], UNSET):
        yield f"{path}: len {length} cap {capacity}, not {node[2]}, {node[3]}"


def _map(node: Node, told: Told, path: str, untold: list[str]) -> Iterator[str]:
    if told.value.len not in (node[2], UNSET):
        yield f"{path}: {told.value.len} entries, not {node[2]}"
    parts = told.data.elements if told.data is not UNSET else UNSET
    if len(node) < 4 or parts is UNSET:
        return
    known = {p.name: p for p in parts}
    for key, value in node[3]:
        name = inline(key)
        if name is None:
            continue  # too deep for the program
        if name not in known:
            yield f"{path}: no key {name} among {list(known)}"
        else:
            yield from _differ(value, _of(known[name]), f"{path}[{name}]", untold)


def inline(node: Node) -> str | None:
    """A key as it reads within a map; None where the program tells no more than its type."""
    if len(node) <= 2:
        return None
    match node[0]:
        case "string":
            return '"' + bytes.fromhex(node[3]).decode()[1:-1] + '"'
        case "array":
            return _joined("[{}]", [("", part) for part in node[2]])
        case "struct":
            return _joined("{{{}}}", [(f"{name}:", part) for name, part in node[2]])
    return str(node[2])


def _joined(around: str, parts: Sequence[tuple[str, Node]]) -> str | None:
    told = [(name, inline(part)) for name, part in parts]
    if any(text is None for _, text in told):
        return None
    return around.format(" ".join(f"{name}{text}" for name, text in told))


def _interface(node: Node, told: Told, path: str, untold: list[str]) -> Iterator[str]:
    inner = node[2]
    dynamic = told.value.dynamic_type
    if dynamic is UNSET or spelt(dynamic) != spelt(type_name(inner)):
        yield f"{path}: holds a {dynamic}, not {type_name(inner)}"
        return
    if _is_direct(inner):
        yield from _differ(inner, Told(told.value, told.data, told.elements), path, untold)
    elif told.data is not UNSET:
        yield from _differ(inner, _pointee(told.data), path, untold)
    else:
        untold.append("unreadable: what an interface holds")


def _is_direct(node: Node) -> bool:
    """Whether an interface holds the value itself, not its address: one pointer."""
    if node[0] == "struct":
        return len(node) > 2 and len(node[2]) == 1 and _is_direct(node[2][0][1])
    if node[0] == "array":
        return len(node) > 2 and len(node[2]) == 1 and _is_direct(node[2][0])
    return node[0] in _DIRECT


_NUMBER = re.compile(r"·\d+")  # the compiler's, of a type declared in a function


def spelt(name: str) -> str:
    """A type's name without what spelling it may differ in."""
    name = name.replace("interface {}", "any").replace("interface{}", "any")
    return _NUMBER.sub("", name.replace("main.", "").replace(" ", ""))


def same_type(told: str, truth: str) -> bool:
    """Whether a type is told as it is; one of generic code may be told by its shape."""
    return "go.shape." in told or spelt(told) == spelt(truth)
