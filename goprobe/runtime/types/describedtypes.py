"""The types that values are decoded by: as the debug information describes them, and those that it
leaves out as the runtime's own descriptors do.

Up to Go 1.24 the linker describes only what variables and parameters are declared as, and what that
is made of: types of which there are values in interfaces alone are not among it.
Source: src/internal/abi/type.go, src/cmd/link/internal/ld/dwarf.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from msgspec.structs import replace

from goprobe.binary.dwarf.constants import ConstantNames
from goprobe.binary.dwarf.gotypes import GoKind, GoType, Member, TypeReader, Weights
from goprobe.errors import UndescribedError, UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.types.describedheaders import DescribedHeaders
from goprobe.runtime.types.typedata import TypeData
from goprobe.runtime.types.typenames import RTYPE_BYTES

_WORD = 8
_MOST = 1 << 63  # arrays that the debug information has no entry of have numbers beyond
_SIZES = {
    GoKind.BOOL: 1, GoKind.INT: 8, GoKind.INT8: 1, GoKind.INT16: 2, GoKind.INT32: 4,
    GoKind.INT64: 8, GoKind.UINT: 8, GoKind.UINT8: 1, GoKind.UINT16: 2, GoKind.UINT32: 4,
    GoKind.UINT64: 8, GoKind.UINTPTR: 8, GoKind.FLOAT32: 4, GoKind.FLOAT64: 8,
    GoKind.COMPLEX64: 8, GoKind.COMPLEX128: 16, GoKind.STRING: 16, GoKind.UNSAFE_POINTER: 8,
    GoKind.POINTER: 8, GoKind.FUNC: 8, GoKind.SLICE: 24, GoKind.INTERFACE: 16, GoKind.MAP: 8,
    GoKind.CHAN: 8,
}  # fmt: skip
# What an interface is to the runtime (iface and eface of runtime2.go), by numbers that are no
# descriptor's.
_WITH_METHODS, _WITHOUT, _ANY = -1, -2, -3
_FORMS = {
    number: GoType(
        offset=number,
        name=name,
        kind=GoKind.STRUCT,
        size=2 * _WORD,
        members=(Member(first, 0, 0), Member("data", _WORD, 0)),
    )
    for number, name, first in (
        (_WITH_METHODS, "runtime.iface", "tab"),
        (_WITHOUT, "runtime.eface", "_type"),
    )
}
_FORMS[_ANY] = GoType(
    offset=_ANY, name="interface {}", kind=GoKind.INTERFACE, size=2 * _WORD, underlying=_WITHOUT
)
_WITH_ELEMENTS = (GoKind.POINTER, GoKind.SLICE, GoKind.ARRAY)


class DescribedTypes:
    """Types by their numbers: offsets in the debug information, and addresses of descriptors below
    0. Whoever goes down through a type's parts comes to an end, as in the debug information."""

    def __init__(
        self,
        memory: Memory,
        layout: Layout,
        debug: TypeReader,
        data: TypeData,
        constants: ConstantNames,
    ) -> None:
        self._memory = memory
        self._headers = DescribedHeaders(memory, layout, data, self._number)
        self.constant = constants.named
        self._debug = debug
        self._data = data
        self._made: dict[int, GoType] = {}
        self._unchecked: dict[int, GoType] = {}
        self._weights = Weights(self._part)

    def at(self, number: int) -> GoType:
        if not -_MOST < number < 0:
            return self._debug.at(number)
        return self._of_the_runtime(number) or self.of(-number)

    def _of_the_runtime(self, number: int) -> GoType | None:
        """What no descriptor describes: how interfaces, maps and channels are made."""
        return _FORMS.get(number) or self._headers.made.get(number)

    def of(self, rtype: int) -> GoType:
        """The type whose descriptor is at an address; one of no kind where none is there, or none
        that makes sense."""
        known = self._data.debug_type(rtype) or self._made.get(rtype)
        if known is None:
            known = self._part(-rtype)
            if self._weights.too_heavy(-rtype):
                known = self._of_no_kind(rtype)
            self._made[rtype] = known
        return known

    def _part(self, number: int) -> GoType:
        if not -_MOST < number < 0:
            return self._debug.at(number)
        if known := self._of_the_runtime(number):
            return known
        if number not in self._unchecked:
            try:
                made = self._as_described(-number)
            except (UnreadableError, UndescribedError):
                made = None
            self._unchecked[number] = made or self._of_no_kind(-number)
        return self._unchecked[number]

    def _of_no_kind(self, rtype: int) -> GoType:
        return GoType(offset=-rtype, name=self._data.written(rtype), kind=GoKind.INVALID, size=0)

    def named(self, name: str) -> GoType | None:
        """What is called so: by the debug information, or a type that was asked for here, the only
        one of that name."""
        same = [made for made in self._made.values() if made.name == name]
        same += [_FORMS[_ANY]] if name == _FORMS[_ANY].name and not same else []
        return self._data.debug_named(name) or (same[0] if len(same) == 1 else None)

    def _number(self, rtype: int) -> int:
        known = self._data.debug_type(rtype)
        return known.offset if known and known.offset > 0 else -rtype

    def _as_described(self, rtype: int) -> GoType | None:
        data, kind, size = self._data, self._data.kind(rtype), self._data.size(rtype)
        if kind not in (GoKind.STRUCT, GoKind.ARRAY) and size != _SIZES.get(kind):
            return None
        name = data.written(rtype) if data.is_named(rtype) else data.full_name(rtype)
        made = GoType(offset=-rtype, name=name, kind=kind, size=size)
        if kind in _WITH_ELEMENTS:
            made = replace(made, elem=self._number(data.element(rtype)))
        match kind:
            case GoKind.STRUCT:
                fields = data.fields(rtype)
                parts = tuple(Member(f.name, f.offset, self._number(f.rtype)) for f in fields)
                inside = all(f.offset + data.size(f.rtype) <= size for f in fields)
                return replace(made, members=parts) if inside else None
            case GoKind.ARRAY:
                count = u64(self._memory, rtype + RTYPE_BYTES + 2 * _WORD)
                fits = count * data.size(data.element(rtype)) == size
                return replace(made, count=count) if fits else None
            case GoKind.INTERFACE:
                methods = u64(self._memory, rtype + RTYPE_BYTES + 2 * _WORD)
                return replace(made, underlying=_WITH_METHODS if methods else _WITHOUT)
            case GoKind.MAP | GoKind.CHAN:
                if same := data.debug_twin(rtype):
                    return replace(same, offset=-rtype, name=made.name)
                of = self._headers
                whole = (of.map if kind is GoKind.MAP else of.channel)(made, rtype)
                return whole or replace(made, kind=GoKind.UNSAFE_POINTER)
        return made
