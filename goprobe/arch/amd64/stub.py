"""The code caves of the tracer: machine code that counts and records calls. x86-64 only.

A traced `CALL callee` is patched to call a stub of its own instead, which JUMPS to the callee:
the return address on the stack stays the program's own, so that Go's unwinder, its stack
copying and its garbage collector never meet an address of ours.

    enter:   jmp  [mode]                    to `count`, or to `record` while hits are inspected,
                                            or to `trap` where the return address is also
                                            reached otherwise, too often to stop there always
    count:   lock inc [hits]
             jmp  callee
    record:  r13 = lock xadd [claimed], 128   which record is ours?
             r12 = its address; store the argument registers, rsp, g, g.stack.hi
             lock inc [hits]
             jmp  callee
    trap:    int3                           the tracer sends the thread on to `record`

Which registers are free: the stub runs between a CALL and the callee's first instruction, where
Go's internal ABI has arguments in RAX RBX RCX RDI RSI R8-R11, the closure context in RDX, g in
R14, the GOT in R15 (dynamic linking), zero in X15, and "R12 and R13 are permanent scratch
registers" (src/cmd/compile/abi-internal.md, 1.21 to 1.27). Flags mean nothing there. `count`
touches flags only, so it is right for functions of any calling convention; `record` needs a call
that compiled Go code makes (its R14 is read through; g.stack.hi is at g+8 in every release:
runtime2.go, `type g struct { stack stack; ...`, `type stack struct { lo, hi uintptr }`). The
callee may be a routine of the ledger (`process/tracer/ledger.py`), which goes on to the allocator.

What a signal handler may see: nothing of this. A thread that is about to take a signal inside a
stub is moved first, to the CALL if the stub has done nothing yet (the call is made again
afterwards), else on to the callee, with the rest of the stub's work done for it (`place`): both
are states that the unpatched program can be in. So what Go's handlers do with a pc that they
do not know (wantAsyncPreempt and isAsyncSafePoint in preempt.go, sigprof in proc.go, sigpanic in
signal_unix.go) never matters.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import ClassVar

import msgspec

from goprobe.arch.amd64.patches import imm32
from goprobe.arch.amd64.registers import WORDS

RECORD = struct.Struct("<16Q")
"""rax rbx rcx rdi rsi r8 r9 r10 r11 rdx rbp rsp g stack.hi, then its claim twice: the last word
is written first and the one before it last, so that a record is whole when they agree."""
RECORD_SIZE = 128
CONTROL_SIZE = 64
"""A site's words, a cache line of their own: hits, mode (an address of code), claimed (bytes;
the first claim is 128, as memory begins as zeros), records (their address)."""
HITS, MODE, CLAIMED, RECORDS = range(4)
CONTROL_WORDS = CONTROL_SIZE // 8
FIRST_CLAIM = RECORD_SIZE
_WHOLE, _BEGUN = 8 * 14, 8 * 15

_RECORDED = ("rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11", "rdx", "rbp", "rsp",
             "r14")  # fmt: skip
RECORDED_WORDS = tuple(WORDS[name] for name in _RECORDED)
CLAIM_WORD, RECORD_WORD = WORDS["r13"], WORDS["r12"]
"""Where a thread in `record` has its claim, and the address of its record."""
_NUMBER = {
    name: number
    for number, name in enumerate(
        ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
         "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
    )
}  # fmt: skip
_REL32 = struct.Struct("<i")
_ALIGN = 16


class StubPhase(Enum):
    """What a thread inside a stub has done, and so how to take it out."""

    NOTHING = auto()  # back to the CALL
    CLAIMED = auto()  # a record, perhaps half written; the claim is in r13; not counted yet
    STORED = auto()  # the same, but the claim is in the last word of the record at r12
    COUNTED = auto()  # on to the callee


class Stub(msgspec.Struct, frozen=True):
    """The code that all sites share but for distances. Offsets are bytes from a stub's start.

    `holes`: where a 32-bit distance from the instruction's end (given too) to a target goes.
    """

    code: bytes
    holes: tuple[tuple[int, str], ...]
    marks: tuple[tuple[int, StubPhase], ...]
    count: int
    record: int
    trap: int

    @property
    def size(self) -> int:
        return len(self.code)

    def place(self, offset: int) -> StubPhase:
        return next(place for start, place in reversed(self.marks) if offset >= start)


class _Assembler:
    def __init__(self) -> None:
        self.code = bytearray()
        self.holes: list[tuple[int, str]] = []
        self.marks: list[tuple[int, StubPhase]] = []

    def __call__(self, code: str, target: str = "") -> None:
        self.code += bytes.fromhex(code)
        if target:
            self.holes.append((len(self.code), target))
            self.code += bytes(4)

    def from_here(self, place: StubPhase) -> int:
        self.marks.append((len(self.code), place))
        return len(self.code)


_MOST_FOLLOWED = 1024
_RINGS_LIMIT = 1 << 30


def ring_size(sites: int) -> int:
    """Behind the records of a site's inspected calls lies a ring of so many (a power of two) for
    later ones: to tell their returns from those of inspected calls that are still running."""
    size = _MOST_FOLLOWED
    while size > 1 and size * sites * RECORD_SIZE > _RINGS_LIMIT:
        size //= 2
    return size


def make_stub(inspect: int, ring: int, *, checked: bool = False) -> Stub:
    """The stub for `inspect` inspected hits a site (at most 2**20) and a `ring_size`.

    With `checked` each hit also counts `countdown` down, and traps when that is used up.
    """
    a = _Assembler()
    a.from_here(StubPhase.NOTHING)
    a("ff25", "mode")  # jmp [mode]
    count = len(a.code)
    _count_and_go(a, checked)
    record = a.from_here(StubPhase.NOTHING)
    a("41bd80000000")  # mov r13d, RECORD_SIZE
    a("f04c0fc12d", "claimed")  # lock xadd [claimed], r13
    a.from_here(StubPhase.CLAIMED)
    a("4d89ec")  # mov r12, r13
    a("4981fc" + imm32(inspect * RECORD_SIZE))  # cmp r12, ...
    a("760e")  # jbe over the next two
    a("4981e4" + imm32(ring * RECORD_SIZE - 1))  # and r12, ...
    a("4981c4" + imm32((inspect + 1) * RECORD_SIZE))  # add r12, ...
    a("4c0325", "ring")  # add r12, [ring]
    store(a, "r13", _BEGUN)
    for index, name in enumerate(_RECORDED):
        store(a, name, 8 * index)
    a("4d8b6e08")  # mov r13, [r14+8]
    a.from_here(StubPhase.STORED)
    store(a, "r13", 8 * len(_RECORDED))
    a(f"4d8b6c24{_BEGUN:02x}")  # mov r13, [r12+...]
    store(a, "r13", _WHOLE)
    _count_and_go(a, checked)
    trap = a.from_here(StubPhase.NOTHING)
    a("cc")  # int3
    size = (len(a.code) + _ALIGN - 1) & -_ALIGN
    code = bytes(a.code.ljust(size, b"\xcc"))
    return Stub(code, tuple(a.holes), tuple(a.marks), count, record, trap)


def store(a: Callable[[str], None], register: str, offset: int) -> None:
    """mov [r12 + offset], register"""
    number = _NUMBER[register]
    rex, middle = (0x4D if number >= 8 else 0x49), number & 7
    a(f"{rex:02x}89{0x44 | middle << 3:02x}24{offset:02x}")


def _count_and_go(a: _Assembler, checked: bool) -> None:
    a("f048ff05", "hits")  # lock inc qword [hits]
    a.from_here(StubPhase.COUNTED)
    if checked:
        a("f048ff0d", "countdown")  # lock dec qword [countdown]
        a("7e05")  # jle over the jmp
    a("e9", "callee")  # jmp callee
    if checked:
        a("cc")  # int3: the tracer sends the thread on


class StubLayout(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything lies in the target, for `sites` sites. Sizes in bytes.

    Code: a stub for each site, a slot for each displaced instruction, then `more_code` for the
    ledger. Data: a first line for `countdown`, a control line for each site, the records of each
    site, three words for each slot, then `more_data` for the ledger.
    """

    stub: Stub
    sites: int
    slots: int
    inspect: int
    ring: int
    more_code: int = 0
    more_data: int = 0
    code: int = 0
    data: int = 0

    SLOT_SIZE: ClassVar[int] = 160
    """What notes that it ran (13 bytes) or how often (128), what is displaced, a jump back."""
    SLOT_WORDS: ClassVar[int] = 3

    @property
    def code_size(self) -> int:
        """In whole pages, with a word to spare at the end."""
        return self.more_code_at - self.code + self.more_code + 8 + 4095 & ~4095

    @property
    def data_size(self) -> int:
        return self.more_data_at - self.data + self.more_data + 4095 & ~4095

    @property
    def _site_records(self) -> int:
        return self.inspect + 1 + self.ring if self.inspect else 0

    @property
    def slots_at(self) -> int:
        return self.code + self.sites * self.stub.size

    @property
    def more_code_at(self) -> int:
        return self.slots_at + self.slots * self.SLOT_SIZE

    @property
    def more_data_at(self) -> int:
        return self.slot_words_at + 8 * self.SLOT_WORDS * self.slots

    @property
    def slot_words_at(self) -> int:
        control = (self.sites + 1) * CONTROL_SIZE
        return self.data + control + self.sites * self._site_records * RECORD_SIZE

    def enter(self, site: int) -> int:
        return self.code + site * self.stub.size

    def in_stub(self, pc: int) -> bool:
        return self.code <= pc < self.slots_at

    def in_slot(self, pc: int) -> bool:
        return self.slots_at <= pc < self.more_code_at

    def site_of(self, pc: int) -> int:
        """The site whose stub holds `pc`."""
        return (pc - self.code) // self.stub.size

    def place(self, pc: int) -> StubPhase:
        return self.stub.place((pc - self.code) % self.stub.size)

    def slot(self, number: int) -> int:
        return self.slots_at + number * self.SLOT_SIZE

    def slot_word(self, number: int) -> int:
        return self.slot_words_at + 8 * self.SLOT_WORDS * number

    def control(self, site: int) -> int:
        return self.data + (site + 1) * CONTROL_SIZE

    def records_of(self, site: int) -> int:
        records = site * self._site_records * RECORD_SIZE
        return self.data + (self.sites + 1) * CONTROL_SIZE + records

    def record_offset(self, site: int, claim: int) -> int:
        """Where in the data the record of a claim lies."""
        start = self.records_of(site) - self.data
        if claim <= self.inspect * RECORD_SIZE:
            return start + claim
        return start + (self.inspect + 1) * RECORD_SIZE + claim % (self.ring * RECORD_SIZE)

    def mode(self, site: int, offset: int) -> int:
        """What a site's mode word holds: the address of an offset of its stub."""
        return self.enter(site) + offset

    def assemble(self, callees: Sequence[int]) -> bytes:
        """The code of all stubs, for the callee of each site."""
        stub, code = self.stub, bytearray(self.stub.code * self.sites)
        for site, callee in enumerate(callees):
            start, control = self.enter(site), self.control(site)
            targets = {
                "hits": control + 8 * HITS,
                "mode": control + 8 * MODE,
                "claimed": control + 8 * CLAIMED,
                "countdown": self.data,
                "ring": control + 8 * RECORDS,
                "callee": callee,
            }
            offset = site * stub.size
            for hole, target in stub.holes:
                distance = targets[target] - (start + hole + 4)
                _REL32.pack_into(code, offset + hole, distance)
        return bytes(code)
