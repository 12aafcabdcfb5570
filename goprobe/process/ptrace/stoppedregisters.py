"""Registers of every thread of a program that the calling thread traces and holds still."""

from __future__ import annotations

from pathlib import Path

from goprobe.arch.registers import REGISTERS_SIZE, Registers
from goprobe.process.memory.memory import Memory, u64
from goprobe.process.ptrace.requests import read_registers

_WORD = 8


def stopped_registers(pid: int) -> dict[int, Registers]:
    """By thread id. Threads that do not stand still, or are another tracer's, are left out."""
    registers: dict[int, Registers] = {}
    try:
        names = [path.name for path in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return registers
    room = bytearray(REGISTERS_SIZE)
    for name in names:
        if read_registers(int(name), room) == 0:
            registers[int(name)] = Registers.from_bytes(room)
    return registers


def out_of_calls(
    threads: dict[int, Registers], memory: Memory, low: int, high: int
) -> dict[int, Registers]:
    """The same, but threads that stand outside of [low, high), the program's own code, as they
    were just before the call that took them there: its return address is on the stack's top.

    Raises UnreadableError where a stack is not there.
    """
    return {
        tid: registers
        if low <= registers.pc < high
        else _back(registers, u64(memory, registers.sp), low, high)
        for tid, registers in threads.items()
    }


def _back(registers: Registers, back: int, low: int, high: int) -> Registers:
    if not low <= back < high:
        return registers
    return registers.at(back, registers.sp + _WORD)
