"""The runtime's own type descriptors (abi.Type): names, kinds, and the debug information's twin.

Source: src/internal/abi/type.go (Go 1.21 to 1.27).
"""

from __future__ import annotations

from functools import cached_property

from goprobe.binary.gotypes import GoKind, GoType
from goprobe.errors import UnreadableError
from goprobe.process.memory import Memory
from goprobe.runtime.layout import Layout
from goprobe.runtime.program import Program
from goprobe.runtime.view import Record, read_record

_NAME_LIMIT = 4096
_KIND_MASK = 31
_KIND_DIRECT_IFACE = 32
_TFLAG_EXTRA_STAR = 2


class TypeData:
    """Reads descriptors at addresses of the target, each once."""

    def __init__(
        self, memory: Memory, layout: Layout, program: Program, bias: int, module: Record
    ) -> None:
        self._memory = memory
        self._layout = layout
        self._program = program
        self._bias = bias
        self._module = module
        self._records: dict[int, Record | None] = {}

    def record(self, rtype: int) -> Record | None:
        """The abi.Type at an address; None where there is no plausible one."""
        if rtype not in self._records:
            try:
                struct = self._layout.struct("internal/abi.Type")
                found: Record | None = read_record(self._memory, struct, rtype)
            except UnreadableError:
                found = None
            if found and not 0 < found["Kind_"] & _KIND_MASK <= GoKind.UNSAFE_POINTER:
                found = None
            self._records[rtype] = found
        return self._records[rtype]

    def kind(self, rtype: int) -> GoKind:
        record = self.record(rtype)
        return GoKind(record["Kind_"] & _KIND_MASK) if record else GoKind.INVALID

    def size(self, rtype: int) -> int:
        record = self.record(rtype)
        return record["Size_"] if record else 0

    def holds_pointer_directly(self, rtype: int) -> bool:
        """Whether an interface's data word is the value itself (pointer-shaped types).

        KindDirectIface of Kind_ up to 1.25, TFlagDirectIface of TFlag from 1.26 on.
        """
        record = self.record(rtype)
        if record is None:
            return False
        flag = self._layout.constants.get("internal/abi.TFlagDirectIface")
        if flag is not None:
            return bool(record["TFlag"] & flag)
        return bool(record["Kind_"] & _KIND_DIRECT_IFACE)

    def name(self, rtype: int) -> str:
        """The type's name as the program would print it ("main.Node", "*bytes.Buffer")."""
        record = self.record(rtype)
        if record is None:
            return f"type at {rtype:#x}"
        try:
            text = self._name(self._module["types"] + _signed32(record["Str"]))
        except UnreadableError:
            return f"type at {rtype:#x}"
        return text[1:] if record["TFlag"] & _TFLAG_EXTRA_STAR and text[:1] == "*" else text

    def _name(self, at: int) -> str:
        head = self._memory.read(at, 4)
        size, width = head[1] & 0x7F, 2
        if head[1] & 0x80:
            size |= (head[2] & 0x7F) << 7
            width = 3
        raw = self._memory.read(at + width, min(size, _NAME_LIMIT))
        return raw.decode("utf-8", "replace")

    def debug_type(self, rtype: int) -> GoType | None:
        """The debug information's description of the same type, where it has one."""
        index = self._program.debug.index
        key = rtype - self._bias
        found = index.runtime_types.get(key)
        if found is None and self._relative:
            found = index.runtime_types.get(rtype - self._module["types"])
        return self._program.debug.types.at(found) if found is not None else None

    @cached_property
    def _relative(self) -> bool:
        # Linkers write DW_AT_go_runtime_type as an offset into the module's types, but for the
        # address of uintptr (seen in Go 1.21): the most decide.
        known = self._program.debug.index.runtime_types
        size = self._module["etypes"] - self._module["types"]
        return 2 * sum(key <= size for key in known) > len(known)


def _signed32(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value
