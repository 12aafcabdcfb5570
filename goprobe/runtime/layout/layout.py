"""Where the runtime's fields lie: a plain table, from debug information or shipped per release.

Everything downstream reads the runtime through a `Layout` alone, so that a stripped binary works
as one with debug information does.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import msgspec
from msgspec.structs import force_setattr

from goprobe.binary.dwarf.gotypes import GoType
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.errors import NotGoError, UndescribedError
from goprobe.runtime.layout.fields import CONSTANTS, ROOTS, STRUCTS

T = TypeVar("T")

_SLICE_MARGIN = 24  # bytes: a slice header, the largest of what is read of a field


class Field(msgspec.Struct, frozen=True, array_like=True):
    """`offset` and `size` in bytes; `type` is Go's name of the field's type."""

    offset: int
    size: int
    type: str


class StructLayout(msgspec.Struct, frozen=True, array_like=True):
    """`size` of the whole struct; `fields` by dotted path ("sched.sp"), only those declared."""

    name: str
    size: int
    fields: dict[str, Field]

    def __post_init__(self) -> None:
        force_setattr(self, "fields", _Fields(self.fields, of=self.name))

    def __contains__(self, path: str) -> bool:
        return path in self.fields

    def offset(self, path: str) -> int:
        return self.fields[path].offset

    @property
    def span(self) -> int:
        """Bytes up to the end of what is declared of it: heapArena is 1 MiB long, mheap 90 KiB."""
        assert isinstance(self.fields, _Fields)
        return min(self.fields.end, self.size)


class Described(dict[str, T]):
    """What a binary describes by name, of a struct `of` it. Raises UndescribedError for what it
    does not."""

    def __init__(self, members: dict[str, T], of: str = "") -> None:
        super().__init__(members)
        self._of = of

    def __missing__(self, name: str) -> T:
        whole = f"{_qualified(self._of)}.{name}" if self._of else _qualified(name)
        raise UndescribedError(f"the binary does not say what {whole} is, or where")


class _Fields(Described[Field]):
    @cached_property
    def end(self) -> int:
        ends = (f.offset + min(f.size, _SLICE_MARGIN) for f in self.values())
        return max(ends, default=0)


class Layout(msgspec.Struct, frozen=True):
    """All that goprobe knows of one Go release's runtime structures."""

    go: str
    structs: dict[str, StructLayout]
    constants: dict[str, int]

    def __post_init__(self) -> None:
        force_setattr(self, "structs", Described(self.structs))
        force_setattr(self, "constants", Described(self.constants))

    def struct(self, name: str) -> StructLayout:
        """`name` without the leading "runtime." for the runtime's own."""
        return self.structs[name]

    def has(self, name: str, path: str = "") -> bool:
        struct = self.structs.get(name)
        return struct is not None and (not path or path in struct.fields)

    def offset(self, name: str, path: str) -> int:
        return self.structs[name].fields[path].offset


class Facts(msgspec.Struct, frozen=True):
    """What is known of one binary: its layout, and where the runtime's globals are (link-time)."""

    layout: Layout
    roots: dict[str, int]

    def __post_init__(self) -> None:
        force_setattr(self, "roots", Described(self.roots))


def _qualified(name: str) -> str:
    return name if "/" in name or "." in name else f"runtime.{name}"


def _resolve(debug: DebugInfo, struct: GoType, path: str) -> Field:
    offset, current = 0, struct
    for part in path.split("."):
        member = current.member(part)
        offset += member.offset
        current = debug.types.at(member.type)
    return Field(offset, current.size, current.name)


def _struct(debug: DebugInfo, name: str, paths: tuple[str, ...]) -> StructLayout | None:
    for candidate in name.split("|"):
        type_ = debug.runtime_type(_qualified(candidate))
        if type_ is None:
            continue
        fields: dict[str, Field] = {}
        for path in paths:
            try:
                fields[path.rstrip("?")] = _resolve(debug, type_, path.rstrip("?"))
            except KeyError:
                if not path.endswith("?"):
                    raise NotGoError(
                        f"this Go runtime has no {type_.name}.{path}: goprobe does not know it"
                    ) from None
        return StructLayout(name.split("|")[0], type_.size, fields)
    return None


def layout_from_debug(debug: DebugInfo, go: str) -> Layout:
    """Raises NotGoError where a field that every supported release has is missing."""
    structs: dict[str, StructLayout] = {}
    for name, paths in STRUCTS.items():
        struct = _struct(debug, name.rstrip("?"), paths)
        if struct is not None:
            structs[struct.name] = struct
        elif not name.endswith("?"):
            raise NotGoError(f"this Go runtime has no struct {name}: goprobe does not know it")
    constants: dict[str, int] = {}
    for names in CONSTANTS:
        for candidate in names.split("|"):
            value = debug.runtime_constant(_qualified(candidate))
            if value is not None:
                constants[names.split("|")[0]] = value
                break
    return Layout(go, structs, constants)


def roots_from_debug(debug: DebugInfo) -> dict[str, int]:
    """Link-time addresses of the runtime's globals, from the symbol table or debug information."""
    wanted = {f"runtime.{name}": name for name in ROOTS}
    roots: dict[str, int] = {}
    for symbol in debug.elf.symbols:
        if symbol.name in wanted:
            roots.setdefault(wanted[symbol.name], symbol.address)
    # A symbol table has all of them, where it has any.
    for variable in () if roots else debug.index.globals:
        if variable.name in wanted:
            roots[wanted[variable.name]] = variable.address
    return roots
