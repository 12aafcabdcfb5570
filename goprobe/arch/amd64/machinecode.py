"""What x86-64 machine code says without being run: direct calls, constants, addresses taken.

Only compiled Go code is read with it. Go's internal calling convention keeps no register over a
call but the stack pointer, and the compiler loads constant arguments (types, sizes, buffers)
shortly before the call; so one pass that forgets everything at calls and at branch targets finds
them, and finds nothing that is not so.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import Any

import iced_x86 as iced
import msgspec

from goprobe.arch.amd64.machinefacts import (
    Constant,
    DirectCall,
    Known,
    Reference,
    StackAddress,
)
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.registers import GENERAL, signed

_CALL, _JUMP = 0xE8, 0xE9  # call and jmp rel32, Intel SDM volume 2
_DISTANCE = 4  # bytes of a displacement from the next instruction, the only one in 64-bit code
_BEHIND = (0, 1, 2, 4)  # bytes of an immediate operand behind it (Intel SDM, volume 2, section 2.1)
_PART_MOST = 1 << 20
_STATIC_OPERAND = 7  # bytes: REX, opcode, ModRM, a displacement
_LOAD, _STORE, _LEA = 0x8B, 0x89, 0x8D  # opcodes, Intel SDM volume 2
Column = Any  # numpy's, which few who read code need
_REL32_SIZE = 5  # bytes: the opcode and a displacement of four
_REL32 = struct.Struct("<i")
_BEGINS_CALL = re.compile(rb"[\xe8\xe9]")
_BEGINS_LEA = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]")
# FF /2: a register, or memory by one, with or without a SIB byte, and a displacement of none,
# one or four bytes (Intel SDM, volume 2, section 2.1.5).
_INDIRECT = re.compile(
    rb"\xff(?:[\xd0-\xd7]|\x14[^\x05\x0d\x1d\x25\x2d\x35\x3d]|\x14.{5}|\x15.{4}|[\x10-\x17]"
    rb"|\x54..|[\x50-\x57].|\x94.{5}|[\x90-\x97].{4})",
    re.DOTALL,
)
_LITTLE = 4 << 20  # bytes of code
_WHOLE = 4  # bytes: writing to the lower half of a register clears the upper one
_M, _R, _K = iced.Mnemonic, iced.Register, iced.OpKind
_NAMES = {getattr(_R, name.upper()): name for name in GENERAL}
_RSP, _NO_REGISTER = int(_R.RSP), int(_R.NONE)
_FIXED = frozenset(map(int, (_R.RSP, _R.RIP, _R.EIP)))  # what a fixed address counts from
_FLOW = iced.FlowControl
_GOES_ON = frozenset((_FLOW.NEXT, _FLOW.CONDITIONAL_BRANCH))
_BRANCHES = frozenset((_FLOW.CONDITIONAL_BRANCH, _FLOW.UNCONDITIONAL_BRANCH))
_READING = frozenset((_M.CMP, _M.TEST, _M.PUSH, _M.NOP, _M.BT))
_ZEROING = frozenset((_M.XOR, _M.SUB))


def calls_to(sections: Iterable[tuple[bytes, int]], targets: Collection[int]) -> list[DirectCall]:
    """Every 5-byte CALL or JMP to one of these addresses in code, in address order. `sections` are
    its bytes, and where they lie.

    The bytes alone are looked at: what looks like a call may lie across two instructions, which
    `verified` sorts out.
    """
    wanted = frozenset(targets)
    calls: list[DirectCall] = []
    for contents, address in sections:
        # Of little code it takes longer to load numpy than to look at each byte that may begin one.
        search = _calls_in_little if len(contents) <= _LITTLE else _calls_in_much
        calls += search(contents, address, wanted)
    return calls


def _calls_in_little(code: bytes, address: int, wanted: frozenset[int]) -> Iterator[DirectCall]:
    distance, most = _REL32.unpack_from, len(code) - _REL32_SIZE
    for match in _BEGINS_CALL.finditer(code):
        at = match.start()
        if at <= most:
            target = at + _REL32_SIZE + address + distance(code, at + 1)[0]
            if target in wanted:
                yield DirectCall(at + address, target, code[at] == _JUMP)


def _calls_in_much(contents: bytes, address: int, wanted: frozenset[int]) -> Iterator[DirectCall]:
    import numpy as np

    code = np.frombuffer(contents, dtype=np.uint8)
    starts = code[: len(code) - _REL32_SIZE + 1]
    at = np.nonzero((starts == _CALL) | (starts == _JUMP))[0]
    distance = np.zeros(len(at), dtype=np.uint32)
    for byte in range(4):
        distance |= code[at + 1 + byte].astype(np.uint32) << np.uint32(8 * byte)
    target = at + _REL32_SIZE + address + distance.astype(np.int32)
    hit = np.isin(target, np.array(sorted(wanted), dtype=np.int64))
    for a, t in zip(at[hit].tolist(), target[hit].tolist(), strict=True):
        yield DirectCall(a + address, t, bool(code[a] == _JUMP))


def indirect_calls(sections: Iterable[tuple[bytes, int]]) -> Iterator[tuple[int, int]]:
    """Where CALLs of an address in a register or in memory seem to be, and where they return to.

    The bytes alone are looked at: some are parts of other instructions, to whose end nothing
    returns, unless that is a CALL itself.
    """
    for code, address in sections:
        for match in _INDIRECT.finditer(code):
            yield match.start() + address, match.end() + address


def call_before(read: Callable[[int, int], bytes], pc: int) -> int:
    """Where the CALL leads that `pc` is behind, by what `read` reads of the code; 0 where no CALL
    of a fixed target seems to be there."""
    code = read(pc - _REL32_SIZE, _REL32_SIZE)
    if len(code) != _REL32_SIZE or code[0] != _CALL:
        return 0
    return pc + int(_REL32.unpack_from(code, 1)[0])


def may_refer(
    sections: Iterable[tuple[bytes, int]], targets: Collection[int]
) -> dict[int, list[int]]:
    """Where code may refer to static addresses by their distance, as far as the bytes tell; which
    of those are references, `references` says of the function that lies there."""
    import numpy as np

    places: dict[int, list[int]] = {}
    wanted = np.array(sorted(targets), dtype=np.int64)
    if not len(wanted):
        return places
    for contents, address in sections:
        for start in range(0, len(contents), _PART_MOST):
            part = contents[start : start + _PART_MOST + _DISTANCE - 1]
            for first in range(min(_DISTANCE, max(len(part) - _DISTANCE + 1, 0))):
                whole = (len(part) - first) // _DISTANCE * _DISTANCE
                distance = np.frombuffer(part, "<i4", whole // _DISTANCE, first)
                at = np.arange(first, first + whole, _DISTANCE) + (address + start)
                end = at + distance + _DISTANCE
                near = (end >= wanted[0] - _BEHIND[-1]) & (end <= wanted[-1])
                at, end = at[near], end[near]
                for behind in _BEHIND:
                    row = np.minimum(np.searchsorted(wanted, end + behind), len(wanted) - 1)
                    for hit in np.flatnonzero(wanted[row] == end + behind).tolist():
                        places.setdefault(int(wanted[row[hit]]), []).append(int(at[hit]))
    return places


class StaticOperands(msgspec.Struct, frozen=True):
    """Where 64-bit loads, stores and addresses taken seem to begin (`pc`) of what lies at link-time
    addresses (`target`, ascending); whether each is an address `taken`, or `stores`. As columns."""

    pc: Column
    target: Column
    taken: Column
    stores: Column

    def at(self, target: int) -> list[tuple[int, bool]]:
        """The places of one address, and whether each stores."""
        first, end = self.target.searchsorted([target, target + 1])
        pcs, stores = self.pc[first:end].tolist(), self.stores[first:end].tolist()
        return list(zip(pcs, stores, strict=True))

    def taken_at(self, target: int) -> set[int]:
        """The places where the address itself is taken."""
        first, end = self.target.searchsorted([target, target + 1])
        return set(self.pc[first:end][self.taken[first:end]].tolist())


def static_operands(
    sections: Iterable[tuple[bytes, int]], parts: Collection[tuple[int, int]]
) -> StaticOperands:
    """Those of addresses in any of the parts [low, high), as far as the bytes tell; whether they
    are instructions, the function says that lies there.

    REX.W, the opcode (8B and 89 MOV, 8D LEA), a ModRM byte of mode 00 and base 101: relative to
    RIP (Intel SDM, volume 2, sections 2.1 and 2.2.1).
    """
    import numpy as np

    none = np.zeros(0, np.int64)
    pcs, targets, opcodes = [none], [none], [none]
    for contents, address in sections:
        for start in range(0, len(contents), _PART_MOST):
            part = contents[start : start + _PART_MOST + _STATIC_OPERAND - 1]
            if len(part) < _STATIC_OPERAND:
                continue
            code = np.frombuffer(part, np.uint8)
            at = np.flatnonzero((code[2 : len(code) - _DISTANCE] & 0xC7) == 0x05)
            at = at[(code[at] & 0xFB) == 0x48]
            opcode = code[at + 1]
            at = at[(opcode == _LEA) | (opcode == _LOAD) | (opcode == _STORE)]
            raw = code[at[:, np.newaxis] + np.arange(3, _STATIC_OPERAND)]
            distance = raw.view("<i4")[:, 0].astype(np.int64)
            pc = at + (address + start)
            target = pc + _STATIC_OPERAND + distance
            near = np.zeros(len(target), np.bool_)
            for low, high in parts:
                near |= (target >= low) & (target < high)
            pcs.append(pc[near])
            targets.append(target[near])
            opcodes.append(code[at[near] + 1])
    led_to, done = np.concatenate(targets), np.concatenate(opcodes)
    order = np.argsort(led_to, kind="stable")
    done = done[order]
    return StaticOperands(np.concatenate(pcs)[order], led_to[order], done == _LEA, done == _STORE)


def addresses_taken(
    sections: Iterable[tuple[bytes, int]], wanted: Container[int]
) -> Iterator[tuple[int, int]]:
    """Where the address of what is wanted seems to be taken, and which: the LEA of static_operands.

    Without numpy: of a program's code it takes longer to load that than to do this.
    """
    distance = _REL32.unpack_from
    for code, address in sections:
        most = len(code) - _STATIC_OPERAND
        for match in _BEGINS_LEA.finditer(code):
            at = match.start()
            if at <= most:
                target = at + _STATIC_OPERAND + address + distance(code, at + 3)[0]
                if target in wanted:
                    yield at + address, target


def decode(code: bytes, address: int) -> Iterator[iced.Instruction]:
    """The instructions of a function's bytes; ends at the first that is none."""
    for instruction in iced.Decoder(64, code, ip=address):
        if instruction.is_invalid:
            return
        yield instruction


def verified(calls: Collection[DirectCall], code: bytes, address: int) -> list[DirectCall]:
    """Those of a function's calls that are instructions of it."""
    starts = {instruction.ip for instruction in decode(code, address)}
    return [call for call in calls if call.pc in starts]


def known_at(code: bytes, address: int, points: Collection[int]) -> Mapping[int, Known]:
    """What registers are known to hold when the instructions at `points` are about to run."""
    instructions = list(decode(code, address))
    targets = _branch_targets(instructions)
    values: dict[int, Known] = {}
    start, known = 0, Known()
    for at, instruction in enumerate(instructions):
        if instruction.ip in targets:
            start, known = at, {}
        if instruction.ip in points:
            # Nothing is known behind a branch or a call: only what is asked about is worked out.
            for before in instructions[start:at]:
                _step(before, known)
            values[instruction.ip], start = dict(known), at
        if instruction.flow_control not in _GOES_ON:
            start, known = at + 1, {}
    return values


def references(code: bytes, address: int) -> list[Reference]:
    """The addresses that a function takes, in code order; not those that it calls or jumps to."""
    references = []
    for instruction in decode(code, address):
        if instruction.memory_base not in _FIXED:
            continue
        what = _address_used(instruction)
        if what is not None:
            lea = instruction.mnemonic == _M.LEA
            took = _full(instruction.op0_register) if lea else ""
            references.append(Reference(instruction.ip, instruction.next_ip, took, what))
    return references


def _address_used(instruction: iced.Instruction) -> Constant | StackAddress | None:
    """The fixed address of a memory operand: relative to the code or to the stack pointer."""
    if instruction.is_ip_rel_memory_operand:
        return Constant(instruction.ip_rel_memory_address, address=True)
    base, index = int(instruction.memory_base), int(instruction.memory_index)
    if base == _RSP and index == _NO_REGISTER:
        return StackAddress(signed(instruction.memory_displacement))
    return None


def _branch_targets(instructions: Collection[iced.Instruction]) -> set[int]:
    return {i.near_branch_target for i in instructions if i.flow_control in _BRANCHES}


def _step(instruction: iced.Instruction, known: Known) -> None:
    """What is known behind an instruction that goes on, from what was before it."""
    if instruction.mnemonic in (_M.PUSH, _M.POP):
        _forget_stack(known)
    if not instruction.op_count or instruction.op0_kind != _K.REGISTER:
        return
    register = _full(instruction.op0_register)
    if register == "rsp":
        _forget_stack(known)
    elif instruction.mnemonic in _READING:
        return
    value = _result(instruction, known)
    if value is not None and register:
        known[register] = value
    else:
        known.pop(register, None)
    if instruction.mnemonic in (_M.XCHG, _M.XADD) and instruction.op1_kind == _K.REGISTER:
        known.pop(_full(instruction.op1_register), None)
    if instruction.mnemonic in (_M.MUL, _M.DIV, _M.IDIV, _M.IMUL) and instruction.op_count == 1:
        known.pop("rax", None)
        known.pop("rdx", None)


def _result(instruction: iced.Instruction, known: Known) -> Constant | StackAddress | None:
    """What a register holds after the instruction, where that is a constant."""
    mnemonic = instruction.mnemonic
    if iced.RegisterExt.size(instruction.op0_register) < _WHOLE:
        return None
    if mnemonic == _M.LEA:
        return _address_used(instruction)
    if mnemonic in _ZEROING and instruction.op1_kind == _K.REGISTER:
        same = _full(instruction.op0_register) == _full(instruction.op1_register)
        return Constant(0) if same else None
    if mnemonic != _M.MOV:
        return None
    if instruction.op1_kind == _K.REGISTER:
        return known.get(_full(instruction.op1_register))
    constant = immediate(instruction)
    return None if constant is None else Constant(constant)


def _forget_stack(known: Known) -> None:
    for register in [r for r, value in known.items() if isinstance(value, StackAddress)]:
        del known[register]


def _full(register: iced.Register_) -> str:
    """The 64-bit general register that holds this one, "" for others."""
    return _NAMES.get(iced.RegisterExt.full_register(register), "")
