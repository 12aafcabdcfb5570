"""What a function's first and last instructions do, done for a thread that a breakpoint there has
stopped, so that the breakpoint stays where it is. iced-x86 decodes.

These are the few forms that the compiler begins and ends functions with (preprocess and stacksplit,
cmd/internal/obj/x86/obj6.go, Go 1.21 to 1.27); for others there is `displaced`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from iced_x86 import Decoder, FlowControl, Instruction, Mnemonic, OpKind, Register

from goprobe.arch.amd64.registers import EFLAGS, PC_WORD, SP_WORD, WORD, WORDS, Words

_MASK = (1 << 64) - 1
_CHECK = 6  # instructions
_SIGN = 1 << 63
_CARRY, _PARITY, _HALF, _ZERO, _SIGNED, _OVERFLOW = 1, 1 << 2, 1 << 4, 1 << 6, 1 << 7, 1 << 11
_ARITHMETIC = _CARRY | _PARITY | _HALF | _ZERO | _SIGNED | _OVERFLOW

WordAt = Callable[[int], int]
PutWord = Callable[[int, int], None]
Done = Callable[[Words, WordAt, PutWord], None]
"""Makes the registers (and memory) those of a thread that has run the instruction."""

_REGISTERS = {
    getattr(Register, name.upper()): index
    for name, index in WORDS.items()
    if name not in ("orig_rax", "rip", "cs", "eflags")
}


def by_hand(code: bytes, address: int) -> Done | None:
    """How to do the instruction at `address`, whose bytes `code` begins with; None where it is not
    known here."""
    ins = Decoder(64, code, ip=address).decode()
    if ins.is_invalid:
        return None
    if ins.mnemonic == Mnemonic.RET and ins.op_count == 0:
        return _return
    if ins.mnemonic == Mnemonic.PUSH and ins.op0_kind == OpKind.REGISTER:
        return _push(ins)
    if ins.mnemonic == Mnemonic.CMP and ins.op1_kind == OpKind.MEMORY:
        return _compare(ins)
    if ins.mnemonic == Mnemonic.SUB and ins.op0_kind == OpKind.REGISTER:
        return _subtract(ins)
    if ins.mnemonic == Mnemonic.LEA and not ins.is_ip_rel_memory_operand:
        return _lea(ins)
    if ins.flow_control == FlowControl.UNCONDITIONAL_BRANCH:
        return _jump(ins)
    if _is_computed(ins):
        return _computed_jump(ins)
    return None


def _return(words: Words, word_at: WordAt, _put: PutWord) -> None:
    words[PC_WORD] = word_at(words[SP_WORD])
    words[SP_WORD] += WORD


def _jump(ins: Instruction) -> Done:
    target = int(ins.near_branch_target)

    def done(words: Words, _word_at: WordAt, _put: PutWord) -> None:
        words[PC_WORD] = target

    return done


def _computed_jump(ins: Instruction) -> Done:
    word = _REGISTERS[ins.op0_register]

    def done(words: Words, _word_at: WordAt, _put: PutWord) -> None:
        words[PC_WORD] = words[word]

    return done


def _push(ins: Instruction) -> Done | None:
    source, after = _REGISTERS.get(ins.op0_register), int(ins.next_ip)
    if source is None:
        return None

    def done(words: Words, _word_at: WordAt, put: PutWord) -> None:
        pushed = words[source]
        words[SP_WORD] -= WORD
        put(words[SP_WORD], pushed)
        words[PC_WORD] = after

    return done


def _compare(ins: Instruction) -> Done | None:
    """`cmp rsp, [r14+16]`: the stack check."""
    left, base = _REGISTERS.get(ins.op0_register), _REGISTERS.get(ins.memory_base)
    if left is None or base is None or ins.memory_index != Register.NONE:
        return None
    offset, after = int(ins.memory_displacement), int(ins.next_ip)

    def done(words: Words, word_at: WordAt, _put: PutWord) -> None:
        words[EFLAGS] = _flags(words[EFLAGS], words[left], word_at((words[base] + offset) & _MASK))
        words[PC_WORD] = after

    return done


def _subtract(ins: Instruction) -> Done | None:
    left, after = _REGISTERS.get(ins.op0_register), int(ins.next_ip)
    if left is None or ins.op1_kind not in (OpKind.IMMEDIATE8TO64, OpKind.IMMEDIATE32TO64):
        return None
    amount = int(ins.immediate(1)) & _MASK

    def done(words: Words, _word_at: WordAt, _put: PutWord) -> None:
        before = words[left]
        words[EFLAGS] = _flags(words[EFLAGS], before, amount)
        words[left] = (before - amount) & _MASK
        words[PC_WORD] = after

    return done


def _lea(ins: Instruction) -> Done | None:
    into, base = _REGISTERS.get(ins.op0_register), _REGISTERS.get(ins.memory_base)
    if into is None or base is None or ins.memory_index != Register.NONE:
        return None
    offset, after = int(ins.memory_displacement), int(ins.next_ip)

    def done(words: Words, _word_at: WordAt, _put: PutWord) -> None:
        words[into] = (words[base] + offset) & _MASK
        words[PC_WORD] = after

    return done


def _flags(flags: int, left: int, right: int) -> int:
    """The flags after `left - right` (Intel SDM volume 1, 3.4.3.1)."""
    result = (left - right) & _MASK
    made = flags & ~_ARITHMETIC
    if left < right:
        made |= _CARRY
    if not (result & 0xFF).bit_count() & 1:
        made |= _PARITY
    if (left ^ right ^ result) & 0x10:
        made |= _HALF
    if not result:
        made |= _ZERO
    if result & _SIGN:
        made |= _SIGNED
    if (left ^ right) & (left ^ result) & _SIGN:
        made |= _OVERFLOW
    return made


def behind_stack_check(code: bytes, low: int) -> int:
    """Where a function goes on once its stack is found large enough: it may come to its beginning
    several times, for the stack grows or the goroutine is preempted there. 0 where it has no check,
    and its beginning is where a loop begins."""
    high, checked, loops = low + len(code), 0, False
    for count, ins in enumerate(Decoder(64, code, ip=low)):
        compares = ins.mnemonic == Mnemonic.CMP and ins.op1_kind == OpKind.MEMORY
        if count < _CHECK and compares and ins.memory_base == Register.R14:
            checked = count + 1
        if checked == count and checked and ins.mnemonic == Mnemonic.JBE:
            return int(ins.next_ip)
        loops |= ins.op0_kind == OpKind.NEAR_BRANCH64 and ins.near_branch_target == low
        if ins.next_ip >= high:
            break
    return 0 if loops else low


class Ends(msgspec.Struct, frozen=True):
    """Where a function may end: its return instructions, jumps (with their targets) to other
    functions, and jumps (with the number of the register that says where) such as wrappers of
    embedded interfaces' methods end with. `whole`: all of it is code."""

    returns: tuple[int, ...]
    jumps: tuple[tuple[int, int], ...]
    computed: tuple[tuple[int, int], ...]
    whole: bool


def ends(code: bytes, low: int) -> Ends:
    """Those of a function whose code lies at `low`."""
    high = low + len(code)
    returns, jumps, computed = list[int](), list[tuple[int, int]](), list[tuple[int, int]]()
    for ins in Decoder(64, code, ip=low):
        if ins.is_invalid or ins.next_ip > high:
            return Ends((), (), (), whole=False)
        if ins.mnemonic == Mnemonic.RET:
            returns.append(int(ins.ip))
        elif ins.flow_control == FlowControl.UNCONDITIONAL_BRANCH:
            target = int(ins.near_branch_target)
            if not low <= target < high:
                jumps.append((int(ins.ip), target))
        elif _is_computed(ins):  # a table of jumps within the function is in memory
            computed.append((int(ins.ip), _REGISTERS[ins.op0_register]))
    return Ends(tuple(returns), tuple(jumps), tuple(computed), whole=True)


def _is_computed(ins: Instruction) -> bool:
    indirect = ins.flow_control == FlowControl.INDIRECT_BRANCH
    return indirect and ins.op0_kind == OpKind.REGISTER
