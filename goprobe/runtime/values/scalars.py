"""Values of the basic types: as Go prints them, where their bytes lie, how they sort."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader
from goprobe.runtime.values.storage import Storage
from goprobe.runtime.values.text import go_complex, go_float

SIGNED = {GoKind.INT, GoKind.INT8, GoKind.INT16, GoKind.INT32, GoKind.INT64}
UNSIGNED = {GoKind.UINT, GoKind.UINT8, GoKind.UINT16, GoKind.UINT32, GoKind.UINT64}


def scalar(go_type: GoType, place: Storage) -> str:
    """A number or a truth value as Go prints it; what is neither, in hex."""
    raw = place.read(0, min(go_type.size, 16))
    match go_type.kind:
        case GoKind.BOOL:
            return "true" if raw != b"\0" else "false"
        case GoKind.UINTPTR:
            return f"{int.from_bytes(raw, 'little'):#x}"
        case GoKind.FLOAT32:
            return go_float(struct.unpack("<f", raw)[0], 32)
        case GoKind.FLOAT64:
            return go_float(struct.unpack("<d", raw)[0], 64)
        case GoKind.COMPLEX64:
            return go_complex(*_pair("<ff", raw), 32)
        case GoKind.COMPLEX128:
            return go_complex(*_pair("<dd", raw), 64)
    if go_type.kind in SIGNED or go_type.kind in UNSIGNED:
        return str(int.from_bytes(raw, "little", signed=go_type.kind in SIGNED))
    return raw.hex() or "{}"


def _pair(form: str, raw: bytes) -> tuple[float, float]:
    real, imaginary = struct.unpack(form, raw)
    return real, imaginary


def natural(name: str) -> tuple[int, float, str]:
    """Sorts numbers as numbers and the rest as text, so that output is the same every time."""
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


def scalar_ranges(types: TypeReader, go_type: GoType, base: int = 0) -> Iterator[tuple[int, int]]:
    """(offset, size) of every byte run of a type that carries a value: padding left out."""
    if go_type.kind == GoKind.STRUCT:
        for member in go_type.members:
            if member.name != "_":
                yield from scalar_ranges(types, types.at(member.type), base + member.offset)
    elif go_type.kind == GoKind.ARRAY and go_type.count <= 64:
        element = types.at(go_type.elem)
        for i in range(go_type.count):
            yield from scalar_ranges(types, element, base + i * element.size)
    elif go_type.size:
        yield base, go_type.size
