"""The runtime's own type descriptors (abi.Type): names, kinds, and the debug information's twin.

Each module (the program, its plugins) has a section of types of its own; what descriptors say by an
offset counts from the beginning of their module's. Types that reflect has made lie on the heap.
Source: src/internal/abi/type.go, src/runtime/type.go (resolveNameOff), Go 1.21 to 1.27.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cached_property

import msgspec

from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import Record, read_record
from goprobe.runtime.types.typenames import FIELD_BYTES, RTYPE_BYTES, SIMPLE, composed, name_text

_WORD, _HALF_WORD = 8, 4
_NAME_LIMIT = 4096
_COMPOSED_LIMIT = 1 << 14
_DEPTH_LIMIT = 16
_FIELDS_LIMIT = 1 << 12
_KIND_MASK = 31  # KindMask, up to Go 1.25
_KIND_DIRECT_IFACE = 32  # KindDirectIface in Kind_ up to Go 1.25, TFlagDirectIface since
_TFLAG_UNCOMMON, _TFLAG_EXTRA_STAR, _TFLAG_NAMED = 1, 2, 4  # abi.TFlag
WITH_KIND = {
    GoKind.ARRAY: 72, GoKind.CHAN: 64, GoKind.FUNC: 56, GoKind.INTERFACE: 80, GoKind.POINTER: 56,
    GoKind.SLICE: 56, GoKind.STRUCT: 80,
}  # fmt: skip


class TypeSection(msgspec.Struct, frozen=True):
    """Where a module's type descriptors and names lie: [low, high)."""

    low: int
    high: int


class Field(msgspec.Struct, frozen=True):
    """A field of a struct (abi.StructField); `rtype` is the descriptor of its type."""

    name: str
    offset: int
    rtype: int


class TypeData:
    """Reads descriptors at addresses of the target, each once. The program's own section is the
    first."""

    def __init__(
        self,
        memory: Memory,
        layout: Layout,
        program: GoProgram,
        bias: int,
        sections: Sequence[TypeSection],
        apart: Callable[[int], str] = lambda rtype: "",
    ) -> None:
        """`apart` is what is added to the full name of a type that the debug information does not
        have, where others have the same."""
        self._memory = memory
        self._layout = layout
        self._program = program
        self._bias = bias
        self._sections = tuple(sections)
        self._apart = apart
        self._records: dict[int, Record | None] = {}
        self._names: dict[int, str] = {}
        self._full: dict[int, str] = {}

    def record(self, rtype: int) -> Record | None:
        """The abi.Type at an address; None where there is no plausible one."""
        if rtype not in self._records:
            try:
                struct = self._layout.struct("internal/abi.Type")
                record: Record | None = read_record(self._memory, struct, rtype)
            except UnreadableError:
                record = None
            if record and not 0 < record["Kind_"] & _KIND_MASK <= GoKind.UNSAFE_POINTER:
                record = None
            self._records[rtype] = record
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
        if rtype not in self._names:
            self._names[rtype] = self._name(rtype)
        return self._names[rtype]

    def _name(self, rtype: int) -> str:
        record = self.record(rtype)
        section = self._section(rtype)
        if record is None:
            return f"type at {rtype:#x}"
        if section is None:
            return self.full_name(rtype)
        try:
            text = self.text(section.low + _signed32(record["Str"]))
        except UnreadableError:
            return f"type at {rtype:#x}"
        return text[1:] if record["TFlag"] & _TFLAG_EXTRA_STAR and text[:1] == "*" else text

    def full_name(self, rtype: int, depth: int = 0) -> str:
        """The type's name with whole import paths ("*encoding/json.Decoder"), as the debug
        information writes it."""
        name = self._full.get(rtype)
        if name is None:
            record = self.record(rtype)
            if record is None or depth > _DEPTH_LIMIT:
                return f"type at {rtype:#x}"
            self._full[rtype] = f"type at {rtype:#x}"  # should it be made of itself
            name = ""
            if not record["TFlag"] & _TFLAG_NAMED:
                name = self._composed(rtype, lambda part: self.full_name(part, depth + 1), depth)
            if not name and self._section(rtype):
                name = self.written(rtype)
                name += self._number(rtype, name)
            self._full[rtype] = name = name or self._full[rtype]
        return name

    def _number(self, rtype: int, name: str) -> str:
        """What tells a type of a function's own from others of its name: by the debug information
        its number ("·2"), where that has the type."""
        debug = self.debug_type(rtype)
        if debug is None:
            return self._apart(rtype)
        return debug.name.removeprefix(name) if debug.name.startswith(f"{name}·") else ""

    def written(self, rtype: int) -> str:
        """The name of a type that the linker has laid out, with its import path as its package
        writes it: others may have the same."""
        name, record = self.name(rtype), self.record(rtype)
        path = self._package(rtype, record) if record else ""
        head, dot, tail = name.partition("[")[0].partition(".")
        whole = head == "main" or name.startswith(f"{path}.")  # a plugin's main has its path
        if not path or not dot or whole:
            return name
        return f"{path}.{tail}{name[len(head) + 1 + len(tail) :]}"

    def _package(self, rtype: int, record: Record) -> str:
        """The import path of a named type, "" for those of the language."""
        section, kind = self._section(rtype), self.kind(rtype)
        if section is None or not record["TFlag"] & _TFLAG_UNCOMMON:
            return ""
        size = WITH_KIND.get(kind, RTYPE_BYTES)
        if kind is GoKind.MAP:
            size = self._layout.struct("internal/abi.MapType").size
        try:
            offset = int.from_bytes(self._memory.read(rtype + size, 4), "little")
            return self.text(section.low + _signed32(offset)) if offset else ""
        except UnreadableError:
            return ""

    def pointer_to(self, rtype: int) -> int:
        """The descriptor of pointers to a type, 0 where the type does not say (PtrToThis, which
        follows Str)."""
        section = self._section(rtype)
        if section is None:
            return 0
        at = rtype + self._layout.struct("internal/abi.Type").offset("Str") + _HALF_WORD
        try:
            offset = _signed32(int.from_bytes(self._memory.read(at, _HALF_WORD), "little"))
        except UnreadableError:
            return 0
        return section.low + offset if offset > 0 else 0

    def is_named(self, rtype: int) -> bool:
        record = self.record(rtype)
        return bool(record and record["TFlag"] & _TFLAG_NAMED)

    def is_uncommon(self, rtype: int) -> bool:
        record = self.record(rtype)
        return bool(record and record["TFlag"] & _TFLAG_UNCOMMON)

    def _composed(self, rtype: int, name: Callable[[int], str], depth: int) -> str:
        """The name of a type of no name, by its parts; "" where a kind has no such name. Structs
        and functions that the linker has laid out have a text of their own."""
        laid_out = self._section(rtype) is not None
        if depth > _DEPTH_LIMIT or (laid_out and self.kind(rtype) not in SIMPLE):
            return ""
        try:
            text = composed(self._memory, self, rtype, name)
        except UnreadableError:
            return ""
        return text if len(text) <= _COMPOSED_LIMIT else ""

    def is_laid_out(self, rtype: int) -> bool:
        """Whether a descriptor is one that the linker has written, and makes sense."""
        return self._section(rtype) is not None and self.kind(rtype) is not GoKind.INVALID

    def _section(self, rtype: int) -> TypeSection | None:
        return next((s for s in self._sections if s.low <= rtype < s.high), None)

    def text(self, at: int) -> str:
        """A name (abi.Name) at an address. Raises UnreadableError."""
        return name_text(self._memory, at + 1, _NAME_LIMIT)[0]

    def fields(self, rtype: int) -> tuple[Field, ...]:
        """Those of a struct, in the order of the source. Raises UnreadableError."""
        if self.kind(rtype) is not GoKind.STRUCT:
            return ()
        start, count = struct.unpack("<2Q", self._memory.read(rtype + RTYPE_BYTES + _WORD, 16))
        if count > _FIELDS_LIMIT:
            return ()
        raw = self._memory.read(start, FIELD_BYTES * count) if count else b""
        triples = struct.iter_unpack("<3Q", raw)
        return tuple(Field(self.text(label), offset, part) for label, part, offset in triples)

    def element(self, rtype: int) -> int:
        """What an array is made of, or a pointer points at. Raises UnreadableError."""
        return u64(self._memory, rtype + RTYPE_BYTES)

    def field_at(self, rtype: int, offset: int) -> str:
        """The part of a value at a byte offset, as Go selects it: as `part_at` of gotypes does by
        the debug information. Raises UnreadableError."""
        path = ""
        for _ in range(_DEPTH_LIMIT):
            kind = self.kind(rtype)
            if kind is GoKind.ARRAY:
                rtype = self.element(rtype)
                index, offset = divmod(offset, max(self.size(rtype), 1))
                path += f"[{index}]"
                continue
            if kind is not GoKind.STRUCT:
                break
            for field in reversed(self.fields(rtype)):
                if field.offset <= offset < field.offset + max(self.size(field.rtype), 1):
                    path += f".{field.name}"
                    rtype, offset = field.rtype, offset - field.offset
                    break
            else:
                break
        return path

    def debug_type(self, rtype: int) -> GoType | None:
        """The debug information's description of the same type, where it has one: the program's
        own types, and of other modules' those that the language itself has."""
        section = self._section(rtype)
        if section is None:
            return None
        if section is not self._sections[0]:
            return self._of_the_language(rtype)
        index = self._program.debug.index
        type_ = index.runtime_types.get(rtype - self._bias)
        if type_ is None and self._relative:
            type_ = index.runtime_types.get(rtype - section.low)
        return self._program.debug.types.at(type_) if type_ is not None else None

    def _of_the_language(self, rtype: int) -> GoType | None:
        """Of what other modules have the types that no package's name is in: "[]int" is the same
        everywhere, and two types of a package may have one name (in functions)."""
        name = self.full_name(rtype)
        return self._alike(rtype, name) if "." not in name else None

    def debug_twin(self, rtype: int) -> GoType | None:
        """The debug information's description of a type that is made as this one is, and has no
        name of its own: "map[string]int" for a `type Counts map[string]int`."""
        if self.kind(rtype) not in SIMPLE:
            return None
        try:
            return self._alike(rtype, composed(self._memory, self, rtype, self._described_as))
        except UnreadableError:
            return None

    def _described_as(self, rtype: int) -> str:
        known = self.debug_type(rtype)
        return known.name if known else self.written(rtype)

    def debug_named(self, name: str) -> GoType | None:
        """What the debug information calls so."""
        at = self._program.debug.index.types.get(name)
        return self._program.debug.types.at(at) if at else None

    def _alike(self, rtype: int, name: str) -> GoType | None:
        type_ = self.debug_named(name)
        same = type_ and (type_.kind, type_.size) == (self.kind(rtype), self.size(rtype))
        return type_ if same else None

    def rtype_of(self, go_type: GoType) -> int:
        """Where the descriptor of a type of the debug information is, 0 where it has none."""
        if not go_type.runtime_type or not self._sections:
            return 0
        section = self._sections[0]
        at = go_type.runtime_type + (section.low if self._relative else self._bias)
        return at if section.low <= at < section.high else 0

    @cached_property
    def _relative(self) -> bool:
        # Linkers write DW_AT_go_runtime_type as an offset into the module's types, but for the
        # address of uintptr (seen in Go 1.21): the most decide.
        known = self._program.debug.index.runtime_types
        size = self._sections[0].high - self._sections[0].low
        return 2 * sum(key <= size for key in known) > len(known)


def _signed32(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value
