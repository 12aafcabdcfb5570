"""Go's register calling convention on amd64: in which registers or stack slots arguments travel.

Source: src/cmd/compile/abi-internal.md and src/cmd/compile/internal/abi/abiutils.go, whose rules
are the same from Go 1.21 to 1.27. It holds for all functions written in Go (ABIInternal);
assembly uses ABI0, where everything is on the stack (`assign(…, registers=False)`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from goprobe.arch.amd64.registers import FLOAT_ARGUMENTS, INTEGER_ARGUMENTS

_WORD = 8
DEPTH_LIMIT = 64
_PIECES_LIMIT = len(INTEGER_ARGUMENTS) + len(FLOAT_ARGUMENTS)


class AbiField(msgspec.Struct, frozen=True):
    """A struct's field, `offset` bytes from its start."""

    offset: int
    type: AbiType


class AbiType(msgspec.Struct, frozen=True):
    """What of a type the convention depends on; sizes in bytes.

    `kind` is one of int (integers and bool), float, complex, pointer (maps, channels, functions
    too), string, slice, interface, struct (with `fields`) and array (of `count` times `element`).
    """

    kind: str
    size: int
    align: int
    fields: tuple[AbiField, ...] = ()
    element: AbiType | None = None
    count: int = 0


POINTER = AbiType("pointer", 8, 8)
STRING = AbiType("string", 16, 8)
INTERFACE = AbiType("interface", 16, 8)
SLICE = AbiType("slice", 24, 8)
_BUILT_OF_WORDS = {"string": 2, "interface": 2, "slice": 3}


def scalar(kind: str, size: int) -> AbiType:
    """An "int", "float" or "complex" type."""
    return AbiType(kind, size, size // 2 if kind == "complex" else size)


def array_of(element: AbiType, count: int) -> AbiType:
    return AbiType("array", element.size * count, element.align, element=element, count=count)


class RegisterPiece(msgspec.Struct, frozen=True):
    """`size` bytes of a value, from its byte `offset` on, that travel in a register's low bytes."""

    offset: int
    size: int
    register: str


class Assigned(msgspec.Struct, frozen=True):
    """Where one value travels: in registers as `pieces`, or, without any, at `stack`.

    `stack` is an offset from the CFA: SP at the call instruction, SP + 8 at the callee's entry. For
    a parameter in registers it is the slot that the callee may spill it to, which holds nothing
    at entry; for a result in registers it is -1.
    """

    pieces: tuple[RegisterPiece, ...]
    stack: int

    @property
    def on_stack(self) -> bool:
        return not self.pieces


class Signature(msgspec.Struct, frozen=True):
    """A whole call: `spill` is where the spill slots begin, `end` where they do, from the CFA."""

    parameters: tuple[Assigned, ...]
    results: tuple[Assigned, ...]
    spill: int
    end: int


class _Wanted(msgspec.Struct, frozen=True):
    """A base value to assign: a float register's or an integer one's."""

    offset: int
    size: int
    float: bool


def _base_values(type_: AbiType, at: int = 0, depth: int = 0) -> Iterator[_Wanted | None]:
    """The base values of a type in order; None where it may not travel in registers."""
    if depth > DEPTH_LIMIT:
        yield None
    elif type_.kind in _BUILT_OF_WORDS:
        for i in range(_BUILT_OF_WORDS[type_.kind]):
            yield _Wanted(at + _WORD * i, _WORD, False)
    elif type_.kind == "complex":
        half = type_.size // 2
        yield from (_Wanted(at, half, True), _Wanted(at + half, half, True))
    elif type_.kind == "struct":
        for field in type_.fields:
            yield from _base_values(field.type, at + field.offset, depth + 1)
    elif type_.kind == "array":
        if type_.count == 1 and type_.element:
            yield from _base_values(type_.element, at, depth + 1)
        elif type_.count:
            yield None
    else:
        yield _Wanted(at, type_.size, type_.kind == "float")


class _Assigner:
    """Hands out registers and stack slots in the order of the signature."""

    def __init__(self, registers: bool) -> None:
        self._integers = INTEGER_ARGUMENTS if registers else ()
        self._floats = FLOAT_ARGUMENTS if registers else ()
        self.stack = self.spill = 0
        self.begin()

    def begin(self) -> None:
        """Results use the registers again, and stack slots behind those of the parameters."""
        self._next_integer = self._next_float = 0
        self.stack = _up(self.stack, _WORD)

    def assign(self, type_: AbiType, *, spills: bool) -> Assigned:
        pieces = self._in_registers(type_) if type_.size else ()
        if not pieces:
            at = _up(self.stack, type_.align)
            self.stack = at + type_.size
        elif spills:
            at = _up(self.spill, type_.align)
            self.spill = at + type_.size
        else:
            at = -1
        return Assigned(pieces, at)

    def _in_registers(self, type_: AbiType) -> tuple[RegisterPiece, ...]:
        integer, real = self._next_integer, self._next_float
        pieces: list[RegisterPiece] = []
        for base in _base_values(type_):
            if base is None or len(pieces) > _PIECES_LIMIT:
                return ()
            names, at = (self._floats, real) if base.float else (self._integers, integer)
            if at >= len(names):
                return ()
            pieces.append(RegisterPiece(base.offset, base.size, names[at]))
            integer, real = (integer, real + 1) if base.float else (integer + 1, real)
        self._next_integer, self._next_float = integer, real
        return tuple(pieces)


def assign(
    parameters: Sequence[AbiType], results: Sequence[AbiType] = (), *, registers: bool = True
) -> Signature:
    """Where each parameter (receiver first; a variadic one is a slice) and each result travels."""
    state = _Assigner(registers)
    ins = [state.assign(t, spills=True) for t in parameters]
    state.begin()
    outs = [state.assign(t, spills=False) for t in results]
    spill = _up(state.stack, _WORD)
    ins = [a if a.on_stack else replace(a, stack=spill + a.stack) for a in ins]
    return Signature(tuple(ins), tuple(outs), spill, spill + _up(state.spill, _WORD))


def _up(at: int, align: int) -> int:
    return -(-at // align) * align if align > 1 else at
