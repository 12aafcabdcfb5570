"""Location expressions: the few DWARF operations that Go (and GCC for simple locals) emit.

Section 2.5 of the DWARF 5 standard; what Go emits is in src/cmd/internal/dwarf/dwarf.go and
src/cmd/compile/internal/ssa/debug.go.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from goprobe.arch.registers import by_dwarf_number
from goprobe.binary.dwarf.forms import sleb, uleb

_MASK = (1 << 64) - 1


class Piece(msgspec.Struct, frozen=True):
    """A part of a variable: in memory at `address`, in `register`, of value `constant`, or
    nowhere (all unset). `size` in bytes, 0: the whole variable."""

    size: int = 0
    address: int | None = None
    register: str = ""
    constant: bytes | None = None


class UnsupportedExpressionError(Exception):
    """An operation that goprobe does not know, or that needs a register that is not known."""


def register_name(number: int) -> str:
    try:
        return by_dwarf_number(number)
    except KeyError:
        raise UnsupportedExpressionError(f"DWARF register {number}") from None


def evaluate(
    expression: bytes, *, cfa: int, frame_base: int, registers: Mapping[str, int], bias: int
) -> tuple[Piece, ...]:
    """The pieces of a variable. `cfa` and `frame_base` are addresses in the target; `registers`
    those that are known in this frame; `bias` is added to link-time addresses.

    Raises UnsupportedExpressionError.
    """
    try:
        return _Machine(expression, cfa, frame_base, registers, bias).run()
    except IndexError:
        raise UnsupportedExpressionError("a location expression that is cut short") from None


class _Machine:
    def __init__(
        self, code: bytes, cfa: int, frame_base: int, registers: Mapping[str, int], bias: int
    ) -> None:
        self.code, self.cfa, self.frame_base = code, cfa, frame_base
        self.registers, self.bias = registers, bias
        self.stack: list[int] = []
        self.current: Piece | None = None
        self.pieces: list[Piece] = []

    def run(self) -> tuple[Piece, ...]:
        at = 0
        while at < len(self.code):
            at = self._step(self.code[at], at + 1)
        if self.current or self.stack:
            self.pieces.append(self._finish(0))
        return tuple(self.pieces)

    def _finish(self, size: int) -> Piece:
        piece, self.current = self.current, None
        if piece:
            return Piece(size, piece.address, piece.register, piece.constant)
        return Piece(size, self.stack.pop() & _MASK) if self.stack else Piece(size)

    def _known(self, name: str) -> int:
        if name not in self.registers:
            raise UnsupportedExpressionError(f"register {name} is not known in this frame")
        return self.registers[name]

    def _step(self, op: int, at: int) -> int:
        code, stack = self.code, self.stack
        if op == 0x03:  # DW_OP_addr
            stack.append(int.from_bytes(code[at : at + 8], "little") + self.bias)
            return at + 8
        if op == 0x91:  # DW_OP_fbreg
            value, at = sleb(code, at)
            stack.append(self.frame_base + value)
        elif op == 0x9C:  # DW_OP_call_frame_cfa
            stack.append(self.cfa)
        elif 0x50 <= op <= 0x6F:  # DW_OP_reg0..31
            self.current = Piece(register=register_name(op - 0x50))
        elif op == 0x90:  # DW_OP_regx
            value, at = uleb(code, at)
            self.current = Piece(register=register_name(value))
        elif 0x70 <= op <= 0x8F:  # DW_OP_breg0..31
            value, at = sleb(code, at)
            stack.append(self._known(register_name(op - 0x70)) + value)
        elif op == 0x93:  # DW_OP_piece
            value, at = uleb(code, at)
            self.pieces.append(self._finish(value))
        elif op == 0x23:  # DW_OP_plus_uconst
            value, at = uleb(code, at)
            stack[-1] += value
        elif op == 0x22:  # DW_OP_plus
            top = stack.pop()
            stack[-1] += top
        elif op == 0x11:  # DW_OP_consts
            value, at = sleb(code, at)
            stack.append(value)
        elif op == 0x10:  # DW_OP_constu
            value, at = uleb(code, at)
            stack.append(value)
        elif 0x08 <= op <= 0x0F:  # DW_OP_const1u..8s
            width = 1 << (op - 0x08) // 2
            signed = bool(op & 1)
            stack.append(int.from_bytes(code[at : at + width], "little", signed=signed))
            at += width
        elif 0x30 <= op <= 0x4F:  # DW_OP_lit0..31
            stack.append(op - 0x30)
        elif op == 0x9F:  # DW_OP_stack_value
            self.current = Piece(constant=(stack.pop() & _MASK).to_bytes(8, "little"))
        elif op == 0x9E:  # DW_OP_implicit_value
            size, at = uleb(code, at)
            self.current = Piece(constant=code[at : at + size])
            at += size
        else:
            raise UnsupportedExpressionError(f"DWARF operation {op:#x}")
        return at
