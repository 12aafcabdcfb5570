"""Types of the debug information as the calling convention looks at them."""

from __future__ import annotations

from goprobe.arch.abi import (
    DEPTH_LIMIT,
    INTERFACE,
    POINTER,
    SLICE,
    STRING,
    AbiField,
    AbiType,
    scalar,
)
from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader

_KINDS = {
    GoKind.STRING: STRING, GoKind.INTERFACE: INTERFACE, GoKind.SLICE: SLICE,
    GoKind.POINTER: POINTER, GoKind.UNSAFE_POINTER: POINTER, GoKind.MAP: POINTER,
    GoKind.CHAN: POINTER, GoKind.FUNC: POINTER,
    GoKind.FLOAT32: scalar("float", 4), GoKind.FLOAT64: scalar("float", 8),
    GoKind.COMPLEX64: scalar("complex", 8), GoKind.COMPLEX128: scalar("complex", 16),
}  # fmt: skip


def abi_type(types: TypeReader, go: GoType, depth: int = 0) -> AbiType:
    """What the convention needs to know of a type of the debug information."""
    known = _KINDS.get(go.kind)
    if known:
        return known
    if depth > DEPTH_LIMIT:
        return AbiType("array", go.size, 1, count=2)  # corrupt; at least it is in no register
    if go.kind == GoKind.STRUCT:
        fields = tuple(
            AbiField(m.offset, abi_type(types, types.at(m.type), depth + 1)) for m in go.members
        )
        align = max((f.type.align for f in fields), default=1)
        return AbiType("struct", go.size, align, fields)
    if go.kind == GoKind.ARRAY:
        element = abi_type(types, types.at(go.elem), depth + 1)
        return AbiType("array", go.size, element.align, element=element, count=go.count)
    return scalar("int", max(1, go.size))
