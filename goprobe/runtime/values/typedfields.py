"""Fields that say more of themselves than their type does."""

from __future__ import annotations

from goprobe.binary.dwarf.gotypes import GoKind, GoType, Member, Types

_ATOMIC = "sync/atomic.Pointer["


def fields(types: Types, go_type: GoType) -> tuple[Member, ...]:
    """Those of a struct. What an atomic.Pointer[T] has in an unsafe.Pointer is a *T: it says so in
    a field of no size (src/sync/atomic/type.go, Pointer: _ [0]*T, Go 1.21 to 1.27)."""
    if not go_type.name.startswith(_ATOMIC):
        return go_type.members
    said = [types.at(m.type) for m in go_type.members if m.name == "_"]
    led_to = [t.elem for t in said if t.kind is GoKind.ARRAY and not t.size]
    if len(led_to) != 1 or types.at(led_to[0]).kind is not GoKind.POINTER:
        return go_type.members
    return tuple(
        Member(m.name, m.offset, led_to[0]) if types.at(m.type).kind is GoKind.UNSAFE_POINTER else m
        for m in go_type.members
    )
