"""Integer constants of packages.

The compiler describes those of package level (dumpGlobalConst, cmd/compile/internal/gc/obj.go, Go
1.21 to 1.27): with their type, which is int where the source gives none.
"""

from __future__ import annotations

from functools import cached_property

from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import DebugInfo

_NAMES_TOLD = 2
_MOST_NAMES = 1 << 14  # of one type
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


class ConstantNames:
    """The constants of a program's named types by what they are: those that its source would have
    in place of a number."""

    def __init__(self, debug: DebugInfo) -> None:
        self._debug = debug
        self._of: dict[int, dict[int, list[str]]] = {}

    def named(self, go_type: GoType, value: int) -> str:
        """What the source calls a value of a type: "main.Blue", "main.Read | main.Write"; "" where
        no constant of the type is it, and it is not made of those that are one bit each."""
        if go_type.offset <= 0 or not self._debug.present:
            return ""
        names = self._names(go_type)
        if value in names:
            return " or ".join(_as_written(names[value]))
        return self._flags(names, value) if names and value > 0 else ""

    def _flags(self, names: dict[int, list[str]], value: int) -> str:
        """Constants that are a bit each, and what is made of them; those of an enumeration, which
        has numbers in a row, are no such."""
        bits = [bit for bit in names if bit > 0 and not bit & (bit - 1)]
        every = sum(bits)
        if any(other < 0 or other & ~every for other in names):
            return ""
        if all(number in names for number in range(1, min(max(names), _MOST_NAMES) + 1)):
            return ""  # numbers in a row
        if value & ~every:
            return ""
        return " | ".join(_as_written(names[bit])[0] for bit in sorted(bits) if value & bit)

    def _names(self, go_type: GoType) -> dict[int, list[str]]:
        if go_type.offset not in self._of:
            bits = 8 * go_type.size
            made: dict[int, list[str]] = {}
            for name in self._by_type.get(go_type.offset, ())[:_MOST_NAMES]:
                value = self._debug.index.constants[name] % (1 << bits)
                if go_type.kind not in _UNSIGNED and value >> (bits - 1):
                    value -= 1 << bits
                if not name.endswith("._"):
                    made.setdefault(value, []).append(name)
            self._of[go_type.offset] = made
        return self._of[go_type.offset]

    @cached_property
    def _by_type(self) -> dict[int, list[str]]:
        made: dict[int, list[str]] = {}
        for name, kind in self._debug.index.constant_types.items():
            made.setdefault(kind, []).append(name)
        return made


def _as_written(names: list[str]) -> list[str]:
    """Of several names the exported ones; of many the first two."""
    exported = [name for name in names if name.rpartition(".")[2][:1].isupper()]
    return sorted(exported or names)[:_NAMES_TOLD]
