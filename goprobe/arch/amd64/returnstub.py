"""Code that notes what a call returned, without stopping the thread, and then goes on. x86-64 only.

    where it returns:  jmp stub             over one instruction that is as long as the jump
    stub:              the results, rsp, g, g.stack.hi and how many calls had begun, written into
                       the next record; an int3 behind the last one there is room for
    on:                the instruction, and a jump back (`displaced.py`)

    a call that is held up until the records are read (`gate`):
                       an int3 where there are any that are new, then on to the callee

A called function may change every register but RSP, RBP, R14 and X15, and results come in RAX RBX
RCX RDI RSI R8 R9 R10 R11 (src/cmd/compile/abi-internal.md, Go 1.21 to 1.27): so R12, R13 and the
flags are free where a call returns, and at a CALL. That holds of an address which is jumped to as
well: the code there cannot tell which way it was come by.

All can be run again from its start: a thread that is about to take a signal is put back to the
program's own address, and perhaps notes its return once more, which then is nobody's.
"""

from __future__ import annotations

import struct

from goprobe.arch.amd64.ledgerstub import Routine
from goprobe.arch.amd64.patches import imm32
from goprobe.arch.amd64.registers import R12, R13
from goprobe.arch.amd64.stub import store

RETURN_RECORD = struct.Struct("<16Q")
"""rax rbx rcx rdi rsi r8 r9 r10 r11, rsp, g, g.stack.hi, the word `begun`, two that mean nothing;
at last 1 once it is whole."""
RECORD_SIZE = RETURN_RECORD.size
RESULTS = 9
SP_AT, G_AT, HIGH_AT, BEGUN_AT, WHOLE_AT = 9, 10, 11, 12, 15
CLAIM_WORD, RECORD_WORD = R13, R12
"""Where a thread has its claim (bytes), and then the address of its record."""
_NOTED = ("rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11", "rsp", "r14")


def noting_returns(records: int) -> Routine:
    """Of as many returns. Targets: `returned`, the word with how many were noted (bytes); `begun`;
    `pending`, a word that is not 0 while there are records to be read; `records`, and the `last`
    of them. From the label `claimed` on a record is claimed, from `placed` on its address is
    known, from `noted` on it is whole; at `full` the tracer is called, and sends it `on`."""
    size = imm32(records * RECORD_SIZE)
    a = Routine()
    a("4c8b2d", "returned")  # mov r13, [returned]
    a("4981fd" + size)  # cmp r13, ...
    a("0f83", "on")  # jae
    a(f"41bd{imm32(RECORD_SIZE)}")  # mov r13d, ...
    a("f04c0fc12d", "returned")  # lock xadd [returned], r13
    a.label("claimed")
    a("4981fd" + size)  # cmp r13, ...
    a("0f83", "on")  # jae: others were quicker
    a("4c8d25", "records")  # lea r12, [records]
    a("4d01ec")  # add r12, r13
    a.label("placed")
    for index, name in enumerate(_NOTED):
        store(a, name, 8 * index)
    a("4d8b6e08")  # mov r13, [r14+8]
    store(a, "r13", 8 * HIGH_AT)
    a("4c8b2d", "begun")  # mov r13, [begun]
    store(a, "r13", 8 * BEGUN_AT)
    a("4c892d", "pending")  # mov [pending], r13
    a(f"49c74424{8 * WHOLE_AT:02x}{imm32(1)}")  # mov qword [r12+...], 1
    a.label("noted")
    a("4c8d2d", "last")  # lea r13, [last]
    a("4d39ec")  # cmp r12, r13
    a("0f85", "on")  # jne
    a.label("full")
    a("cc")  # int3
    a.code.extend(b"\xcc" * (-len(a.code) % 16))
    a.label("on")
    return a


def gate() -> Routine:
    """Targets: `pending` and the `callee`. The int3 is at the label `held`."""
    a = Routine()
    a("4c8b2d", "pending")  # mov r13, [pending]
    a("4d85ed")  # test r13, r13
    a("0f84", "callee")  # jz
    a.label("held")
    a("cc")  # int3: the tracer sends the thread on
    a("e9", "callee")
    a.code.extend(b"\xcc" * (-len(a.code) % 16))
    return a
