"""Stubs that note a call, or its return, without stopping the thread: machine code that writes the
registers into a ring of records, which we read from outside. x86-64 only; iced-x86 decodes.

A function's first instructions are covered by a jump to a stub, which notes the registers, runs
what was covered, and jumps back; those up to a return instruction, too: its stub runs them, notes
the registers, and returns. The return address stays the program's own. R12 and R13 are free at a
function's entry and at its return, the flags mean nothing there, RDX is free at a return, R14 is g
(src/cmd/compile/abi-internal.md, Go 1.21 to 1.27); nothing is put on the stack.

What is covered may be run elsewhere: it reads no memory but by the stack pointer, g and addresses
of the program's own, so nothing faults at a pc that Go does not know; nobody jumps into it; and it
calls nobody. Where a function's jumps are not all known (a switch by a table), none of it is
covered.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec
from iced_x86 import Decoder, FlowControl, Instruction, Mnemonic, OpKind, Register

from goprobe.arch.amd64.patches import imm32
from goprobe.arch.amd64.registers import (
    ORIG_RAX,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    RSP,
)

WHOLE, POINT, TIME, HIGH, GOROUTINE_NUMBER = R15, R13, R12, RBP, RDX
"""Words of a record that the registers noted leave free: its claim + 1, written last; which stub;
the processor's clock; g.stack.hi; g.goid."""
RECORD = struct.Struct("<20Q")
"""The registers in the kernel's order (see `registers`)."""
JUMP_SIZE = 5  # jmp rel32: Intel SDM volume 2
TIME_WORD = R13
_SPARE = ORIG_RAX
_NOTED = (RAX, RBX, RCX, RDI, RSI, R8, R9, R10, R11, RSP, R14)
_CODE = {RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSP: 4, RBP: 5, RSI: 6, RDI: 7, R8: 8, R9: 9, R10: 10,
         R11: 11, R12: 12, R13: 13, R14: 14, R15: 15}  # fmt: skip
_STACK_HI = 8  # runtime.g.stack.hi: src/runtime/runtime2.go, Go 1.21 to 1.27
_FIXED = (Register.RSP, Register.R14)
PLAIN = {
    Mnemonic.MOV, Mnemonic.LEA, Mnemonic.ADD, Mnemonic.SUB, Mnemonic.XOR, Mnemonic.CMP,
    Mnemonic.TEST, Mnemonic.AND, Mnemonic.OR, Mnemonic.INC, Mnemonic.DEC, Mnemonic.NEG,
    Mnemonic.NOT, Mnemonic.IMUL, Mnemonic.MOVZX, Mnemonic.MOVSX, Mnemonic.MOVSXD, Mnemonic.SHL,
    Mnemonic.SHR, Mnemonic.SAR, Mnemonic.PUSH, Mnemonic.POP, Mnemonic.NOP, Mnemonic.MOVUPS,
    Mnemonic.XORPS, Mnemonic.MOVSD, Mnemonic.MOVSS, Mnemonic.CMOVE, Mnemonic.CMOVNE,
    Mnemonic.CMOVL, Mnemonic.CMOVG, Mnemonic.CMOVLE, Mnemonic.CMOVGE, Mnemonic.SETE,
    Mnemonic.SETNE, Mnemonic.SETL, Mnemonic.SETG, Mnemonic.SETLE, Mnemonic.SETGE,
}  # fmt: skip
_REL32, _SIGNED8 = struct.Struct("<i"), struct.Struct("<b")


class Covered(msgspec.Struct, frozen=True):
    """Instructions that a stub can do in their place: `size` bytes at `address`. `at` is the
    function's entry, or the return instruction that they end with."""

    address: int
    size: int
    at: int
    returns: bool


def coverable(code: bytes, low: int) -> tuple[Covered, ...]:
    """What of a function, whose code lies at `low`, can be covered by jumps to stubs."""
    instructions = list(Decoder(64, code, ip=low))
    if any(i.is_invalid or i.flow_control == FlowControl.INDIRECT_BRANCH for i in instructions):
        return ()
    targets = {i.near_branch_target for i in instructions if i.op0_kind == OpKind.NEAR_BRANCH64}
    stretches: list[Covered] = []
    end = low
    first = _from_entry(instructions, targets, low + len(code))
    if first:
        stretches.append(Covered(low, first, low, returns=False))
        end = low + first
    for number, ins in enumerate(instructions):
        if ins.mnemonic == Mnemonic.RET and ins.op_count == 0:
            begin = _up_to_return(instructions, number, targets)
            if begin is not None and begin >= end:
                stretches.append(Covered(begin, ins.next_ip - begin, ins.ip, returns=True))
                end = ins.next_ip
    return tuple(stretches)


def _from_entry(instructions: Sequence[Instruction], targets: set[int], high: int) -> int:
    size = 0
    for ins in instructions:
        if size >= JUMP_SIZE:
            break
        if size and ins.ip in targets:
            return 0
        check = ins.is_jcc_short_or_near and ins.next_ip < high
        if not check and not harmless(ins):
            return 0
        size += ins.len
        if check and size < JUMP_SIZE:
            return 0
    return size if size >= JUMP_SIZE else 0


def _up_to_return(
    instructions: Sequence[Instruction], number: int, targets: set[int]
) -> int | None:
    """Where the straight way to a return begins that is long enough."""
    last = instructions[number]
    ins = last
    while last.next_ip - ins.ip < JUMP_SIZE:
        if ins.ip in targets or not number:
            return None
        number -= 1
        ins = instructions[number]
        if not harmless(ins):
            return None
    return int(ins.ip)


def harmless(ins: Instruction) -> bool:
    """Whether it can be run elsewhere: it goes on to the next, and cannot fault."""
    if ins.mnemonic not in PLAIN or ins.flow_control != FlowControl.NEXT:
        return False
    if ins.is_string_instruction:
        return False
    if not any(ins.op_kind(n) == OpKind.MEMORY for n in range(ins.op_count)):
        return True
    if ins.mnemonic in (Mnemonic.LEA, Mnemonic.NOP) or ins.is_ip_rel_memory_operand:
        return not ins.has_lock_prefix
    return ins.memory_base in _FIXED and ins.memory_index == Register.NONE


class Places(msgspec.Struct, frozen=True):
    """Addresses that stubs use: words with how many records were claimed, how many were taken, and
    where the records begin; how many there are (a power of two) and may be claimed at most; the
    offset of goid in g."""

    claimed: int
    taken: int
    records: int
    count: int
    limit: int
    goid: int


class CallStub(msgspec.Struct, frozen=True):
    """Where a stub begins; where it traps when the ring is full, and where it tries again; where
    it traps since registers alone do not tell the call (0: never), and goes on after that. With a
    full ring the time is in TIME_WORD."""

    code: bytes
    begin: int
    full: int
    again: int
    look: int
    on: int


class Assembler:
    def __init__(self, at: int) -> None:
        self.code, self._at = bytearray(), at

    @property
    def here(self) -> int:
        return self._at + len(self.code)

    def __call__(self, code: str, target: int | None = None) -> None:
        """Instructions in hexadecimal, with the 32-bit distance to a target at the end."""
        self.code += bytes.fromhex(code)
        if target is not None:
            self.code += _REL32.pack(target - (self.here + 4))

    def record(self, opcode: int, register: int, word: int) -> None:
        """mov between a register and a word of the record at r12."""
        number = _CODE[register]
        self(f"{0x49 | (number >= 8) << 2:02x}{opcode:02x}{0x84 | (number & 7) << 3:02x}24")
        self.code += _REL32.pack(8 * word)

    def store(self, register: int, word: int) -> None:
        self.record(0x89, register, word)

    def put_by(self, register: int, distance: int) -> None:
        """mov [rsp - distance], register"""
        number = _CODE[register]
        self(f"{0x48 | (number >= 8) << 2:02x}89{0x44 | (number & 7) << 3:02x}24")
        self.code += _SIGNED8.pack(-distance)

    def load(self, register: int, word: int) -> None:
        self.record(0x8B, register, word)


def call_stub(
    covered: Covered, code: bytes, point: int, at: int, places: Places, zero: Sequence[int] = ()
) -> CallStub:
    """The stub number `point`, to lie at `at`, for what is covered (its bytes are `code`): it notes
    the registers where those of `zero` are all 0, and traps where they are not.

    Raises struct.error where something is too far away.
    """
    a = Assembler(at)
    moved = list(Decoder(64, code, ip=covered.address))
    if covered.returns:
        run_elsewhere(a, moved[:-1], code, covered.address)
    hops: list[int] = []
    for register in zero:
        number = _CODE[register]
        a(f"{0x48 | 5 * (number >= 8):02x}85{0xC0 | 9 * (number & 7):02x}")  # test
        a("0f8500000000")  # jnz look
        hops.append(len(a.code))
    full, again = _note(a, point, places)
    on = a.here
    if covered.returns:
        a("c3")
    else:
        run_elsewhere(a, moved, code, covered.address)
        a("e9", covered.address + covered.size)
    look = a.here if hops else 0
    if hops:
        a("cc")
        for hop in hops:
            _REL32.pack_into(a.code, hop - 4, look - (at + hop))
    return CallStub(bytes(a.code), at, full, again, look, on)


def _note(a: Assembler, point: int, places: Places) -> tuple[int, int]:
    again = a.here
    a("4c8b2d", places.claimed)  # mov r13, [claimed]
    a("4c2b2d", places.taken)  # sub r13, [taken]
    a("4981fd" + imm32(places.limit))  # cmp r13, ...
    a("721a")  # jb over the next ten
    a("4989c44989d5")  # mov r12, rax; mov r13, rdx
    a("0f3148c1e2204809d0")  # rdtsc; shl rdx, 32; or rax, rdx
    a("4c89ea4989c54c89e0")  # mov rdx, r13; mov r13, rax; mov rax, r12
    full = a.here
    a("cc")  # int3: the tracer takes what is there, and sends the thread to `again`
    a("90")  # nop: only who was trapped stands behind the int3
    a("41bd01000000")  # mov r13d, 1
    a("f04c0fc12d", places.claimed)  # lock xadd [claimed], r13
    a("4589ec")  # mov r12d, r13d
    a("4181e4" + imm32(places.count - 1))  # and r12d, ...
    a("4d69e4" + imm32(RECORD.size))  # imul r12, r12, ...
    a("4c0325", places.records)  # add r12, [records]
    for register in _NOTED:
        a.store(register, register)
    a.store(RDX, _SPARE)
    a(f"498b86{imm32(_STACK_HI)}")  # mov rax, [r14+8]
    a.store(RAX, HIGH)
    a(f"498b86{imm32(places.goid)}")  # mov rax, [r14+goid]
    a.store(RAX, GOROUTINE_NUMBER)
    a(f"49c78424{imm32(8 * POINT)}{imm32(point)}")  # mov qword [r12+...], point
    a("0f3148c1e2204809d0")  # rdtsc; shl rdx, 32; or rax, rdx
    a.store(RAX, TIME)
    a.load(RDX, _SPARE)
    a.load(RAX, RAX)
    a("49ffc5")  # inc r13
    a.store(R13, WHOLE)
    return full, again


def run_elsewhere(a: Assembler, moved: Sequence[Instruction], code: bytes, low: int) -> None:
    """Instructions as they do elsewhere what they did."""
    for ins in moved:
        raw = bytearray(code[ins.ip - low : ins.next_ip - low])
        if ins.is_jcc_short_or_near:
            condition = int(ins.op_code().op_code & 0xF)
            a(f"0f{0x80 + condition:02x}", ins.near_branch_target)
            continue
        if ins.is_ip_rel_memory_operand:
            decoder = Decoder(64, bytes(raw), ip=ins.ip)
            offset = decoder.get_constant_offsets(decoder.decode()).displacement_offset
            distance = ins.ip_rel_memory_address - (a.here + ins.len)
            raw[offset : offset + 4] = _REL32.pack(distance)
        a.code += raw


def jump(covered: Covered, target: int) -> bytes:
    """What covers it: a jump to a stub."""
    distance = _REL32.pack(target - (covered.address + JUMP_SIZE))
    return (b"\xe9" + distance).ljust(covered.size, b"\xcc")


CLOCK = bytes.fromhex("0f3148c1e2204809d0c3")
"""A function that reads the processor's clock: rdtsc; shl rdx, 32; or rax, rdx; ret."""
