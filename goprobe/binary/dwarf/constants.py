"""Integer constants of packages.

The compiler describes those of package level (dumpGlobalConst, cmd/compile/internal/gc/obj.go, Go
1.21 to 1.27): with their type, which is int where the source gives none.
"""

from __future__ import annotations

from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import DebugInfo

_UNSIGNED = frozenset((
    GoKind.UINT, GoKind.UINT8, GoKind.UINT16, GoKind.UINT32, GoKind.UINT64, GoKind.UINTPTR,
))  # fmt: skip


def integer_constant(debug: DebugInfo, name: str) -> tuple[GoType, int] | None:
    """Its type and value; None where there is none of the name, which is a package's path, a dot
    and its own."""
    if name not in debug.index.constants:
        return None
    go_type, value = debug.types.at(debug.index.constant_types[name]), debug.index.constants[name]
    unsigned = go_type.kind in _UNSIGNED and go_type.size
    return go_type, value % (1 << 8 * go_type.size) if unsigned else value
