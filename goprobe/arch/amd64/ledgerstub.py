"""The ledger's routines (`goprobe.process.tracer.ledger`) as machine code.

At a CALL of mallocgc (size in RAX, type in RBX, needzero in RCX: every form has the same
parameters) all other registers but RBP, RSP, R14 and X15 are free (abi-internal.md). Go's functions
that call others save RBP and link their frames by it (cmd/internal/obj/x86/obj6.go, preprocess).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from goprobe.arch.amd64.patches import imm32
from goprobe.arch.amd64.registers import RAX, RBX, RDX, RSI

SIZE_WORD, TYPE_WORD = RAX, RBX
"""Where a call of the allocator has its arguments."""
ENTRY_WORD, ON_G0_WORD = RSI, RDX
"""Where a routine that has found the owner has its entry, and whether g0 called (16, else 0)."""
ENTRY_SIZE = 64
"""An owner's: its return address, objects, bytes, both again for what was made on g0, and small
objects; a cache line of its own."""
GRAIN = 16
"""Go's functions begin at multiples of so many bytes."""
STEPS = 64
"""How many frames are looked at."""
MULTIPLIER = 0x9E3779B97F4A7C15  # 2^64 by the golden ratio: Knuth, volume 3, 6.4
_DISTANCE = struct.Struct("<i")


class Routine:
    """A routine being written; jumps go to labels of it."""

    def __init__(self) -> None:
        self.code = bytearray()
        self.holes: list[tuple[int, str]] = []
        self.labels: dict[str, int] = {}

    def __call__(self, code: str, target: str = "") -> None:
        """Instructions in hexadecimal, with the 32-bit distance to a target at the end."""
        self.code += bytes.fromhex(code)
        if target:
            self.holes.append((len(self.code), target))
            self.code += bytes(4)

    def at(self, start: int, targets: Mapping[str, int]) -> bytes:
        """The routine's bytes where it begins at `start`."""
        body = bytearray(self.code)
        for hole, target in self.holes:
            _DISTANCE.pack_into(body, hole, targets[target] - (start + hole + 4))
        return bytes(body)

    def label(self, name: str) -> None:
        self.labels[name] = len(self.code)


def routine(text_size: int, bits: int, curg: tuple[int, int]) -> Routine:
    """For `text_size` bytes of Go code, a table of `1 << bits` entries, and the offsets of
    runtime.g.m and runtime.m.curg. Targets: text (+ 1), bitmap, table, callee."""
    a = Routine()
    a("4885c0")  # test rax, rax: what has no size is not allocated
    a("0f84", "done")  # jz
    a("4989ec")  # mov r12, rbp: the frame of who calls
    a("4c8b2c24")  # mov r13, [rsp]: where it goes on
    a("4d8b1e")  # mov r11, [r14]: g.stack.lo
    a("4d8b5608")  # mov r10, [r14+8]: g.stack.hi
    a("4983ea10")  # sub r10, 16
    a(f"41b9{imm32(STEPS)}")  # mov r9d, ...
    a("31d2")  # xor edx, edx: where the counters for g0 would be
    a.label("frame")
    a("488d35", "text")  # lea rsi, [text + 1]
    a("4c89ef")  # mov rdi, r13
    a("4829f7")  # sub rdi, rsi
    a(f"4881ff{imm32(text_size)}")  # cmp rdi, ...
    a("0f83", "done")  # jae: not Go's code
    a("48c1ef04")  # shr rdi, 4
    a("488d35", "bitmap")  # lea rsi, [bitmap]
    a("480fa33e")  # bt [rsi], rdi
    a("0f83", "owner")  # jnc: not the runtime's
    a("4d39dc")  # cmp r12, r11
    a("0f82", "other")  # jb
    a("4d39d4")  # cmp r12, r10
    a("0f87", "other")  # ja
    a.label("within")
    a("4d8b6c2408")  # mov r13, [r12+8]
    a("4d8b2424")  # mov r12, [r12]
    a("41ffc9")  # dec r9d
    a("0f85", "frame")  # jnz
    a("e9", "done")
    a.label("other")
    a("85d2")  # test edx, edx
    a("0f85", "done")  # jnz: that was the other stack
    a(f"4d8b86{imm32(curg[0])}")  # mov r8, [r14+g.m]
    a(f"4d8b80{imm32(curg[1])}")  # mov r8, [r8+m.curg]
    a("4d85c0")  # test r8, r8
    a("0f84", "done")  # jz
    a("ba10000000")  # mov edx, 16
    a("4d8b18")  # mov r11, [r8]
    a("4d8b5008")  # mov r10, [r8+8]
    a("4983ea10")  # sub r10, 16
    a("4d39dc")  # cmp r12, r11
    a("0f82", "done")  # jb
    a("4d39d4")  # cmp r12, r10
    a("0f86", "within")  # jbe
    a("e9", "done")
    a.label("owner")
    a(f"48be{MULTIPLIER.to_bytes(8, 'little').hex()}")  # mov rsi, ...
    a("4c89ef")  # mov rdi, r13
    a("480faffe")  # imul rdi, rsi
    a(f"48c1ef{64 - bits:02x}")  # shr rdi, ...
    a("4c8d05", "table")  # lea r8, [table]
    a.label("entry")
    a("4889fe")  # mov rsi, rdi
    a("48c1e606")  # shl rsi, 6
    a("4c01c6")  # add rsi, r8
    a("4c392e")  # cmp [rsi], r13
    a("0f84", "found")  # je
    a("48833e00")  # cmp qword [rsi], 0
    a("0f84", "done")  # je: nobody's who is asked about
    a("48ffc7")  # inc rdi
    a(f"4881e7{imm32((1 << bits) - 1)}")  # and rdi, ...
    a("e9", "entry")
    a.label("found")
    a("f048ff441608")  # lock inc qword [rsi+rdx+8]
    a.label("counted")
    a("f04801441610")  # lock add [rsi+rdx+16], rax
    a.label("added")
    a("4883f810")  # cmp rax, 16: runtime.maxTinySize
    a("0f83", "done")  # jae
    a("4885db")  # test rbx, rbx: no type, no pointers
    a("0f84", "small")  # jz
    a("48837b0800")  # cmp qword [rbx+8], 0: abi.Type.PtrBytes
    a("0f85", "done")  # jne
    a.label("small")
    a("f048ff4628")  # lock inc qword [rsi+40]
    a.label("done")
    a("e9", "callee")
    a.code.extend(b"\xcc" * (-len(a.code) % GRAIN))
    return a
