"""Whose doing the runtime's allocations are: counted where the runtime asks its allocator.

Compiled code rarely calls the allocator itself: it calls makeslice, concatstrings, mapassign, and
whether these come to allocate, and how often, is their affair. So each CALL of the allocator inside
of the runtime is turned to a routine of ours (one for each form of the allocator), which looks for
the call of a program's own function that led there, its *owner*, and counts object and bytes for
it, without the program being stopped:

    from the return address on the stack, and then up the frames that RBP links, for as long as
    the return address lies in the runtime (a bit for each 16 bytes of code); the first that does
    not is the owner's, and is looked up in a hash table of those that are wanted.

An owner's own CALL of the allocator comes here as well, by way of its stub (`trampoline.py`).
Go's functions that call others save RBP and link their frames by it (cmd/internal/obj/x86/obj6.go,
preprocess; 1.21 to 1.27), and Go's tracer walks them so (runtime/trace_stack.go,
fpTracebackPCs). The walk stays within [g.stack.lo, g.stack.hi); one that began on a thread's own
stack (g0: systemstack's, where newproc makes descriptors of goroutines) may go on once in that of
the goroutine which the thread runs, and what is found so is counted apart, as Go's own profile
knows nothing of it.

At a CALL of mallocgc (size in RAX, type in RBX, needzero in RCX: every form has the same
parameters) all other registers but RBP, RSP, R14 and X15 are free (abi-internal.md). A thread that
is about to take a signal in a routine is moved out, and what is left to do is done for it here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum, auto

import msgspec

from goprobe.process import stops

ENTRY_SIZE = 64
"""An owner's: its return address, objects, bytes, both again for what was made on g0, and small
objects; a cache line of its own."""
_KEY, _OBJECTS, _BYTES, _ON_G0, _BYTES_ON_G0, _SMALL = range(6)
_WORDS = ENTRY_SIZE // 8
_FEWEST_BITS, _MOST_BITS = 4, 20
_GRAIN = 16
_STEPS = 64
_TINY, _POINTER_BYTES = 16, 8
_MULTIPLIER = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_REL32 = struct.Struct("<i")


class AllocatorCalls(msgspec.Struct, frozen=True):
    """What is to be counted for whom; link-time addresses.

    `calls` are the CALLs of the allocator inside of the runtime, and what each calls; `allocators`
    all forms of it, `owners` the return addresses outside, `runtime` the ranges of the runtime's
    functions within `text`, the range of all Go code. `curg` are the offsets of runtime.g.m and
    runtime.m.curg.
    """

    calls: tuple[tuple[int, int], ...] = ()
    allocators: tuple[int, ...] = ()
    owners: tuple[int, ...] = ()
    runtime: tuple[tuple[int, int], ...] = ()
    text: tuple[int, int] = (0, 0)
    curg: tuple[int, int] = (0, 0)


class Made(msgspec.Struct, frozen=True):
    """What was allocated for an owner: objects, and the bytes that were asked for in all; `on_g0`
    are objects made on a thread's own stack, not among `objects`, and `small` those of either of
    less than 16 bytes and without pointers, several of which may share a block."""

    objects: int = 0
    bytes: int = 0
    on_g0: int = 0
    small: int = 0


class Doing(Enum):
    """How far a thread inside a routine is."""

    LOOKING = auto()  # nothing is counted
    COUNTED = auto()  # the object is; the entry is at RSI, the bytes are not yet
    ADDED = auto()  # they are; whether it is small is not
    DONE = auto()


class _Code:
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

    def label(self, name: str) -> None:
        self.labels[name] = len(self.code)


def _routine(text_size: int, bits: int, curg: tuple[int, int]) -> _Code:
    a = _Code()
    a("4885c0")  # test rax, rax: what has no size is not allocated
    a("0f84", "done")  # jz
    a("4989ec")  # mov r12, rbp: the frame of who calls
    a("4c8b2c24")  # mov r13, [rsp]: where it goes on
    a("4d8b1e")  # mov r11, [r14]: g.stack.lo
    a("4d8b5608")  # mov r10, [r14+8]: g.stack.hi
    a("4983ea10")  # sub r10, 16
    a(f"41b9{_imm32(_STEPS)}")  # mov r9d, ...
    a("31d2")  # xor edx, edx: where the counters for g0 would be
    a.label("frame")
    a("488d35", "text")  # lea rsi, [text + 1]
    a("4c89ef")  # mov rdi, r13
    a("4829f7")  # sub rdi, rsi
    a(f"4881ff{_imm32(text_size)}")  # cmp rdi, ...
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
    a(f"4d8b86{_imm32(curg[0])}")  # mov r8, [r14+g.m]
    a(f"4d8b80{_imm32(curg[1])}")  # mov r8, [r8+m.curg]
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
    a(f"48be{_MULTIPLIER.to_bytes(8, 'little').hex()}")  # mov rsi, ...
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
    a(f"4881e7{_imm32((1 << bits) - 1)}")  # and rdi, ...
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
    a.code.extend(b"\xcc" * (-len(a.code) % _GRAIN))
    return a


def _imm32(value: int) -> str:
    return value.to_bytes(4, "little").hex()


class Ledger:
    """The routines and their table, for one run; `code` and `data` are where they lie in the target
    once that is known, `bias` what is added to link-time addresses."""

    def __init__(self, calls: AllocatorCalls) -> None:
        self.calls = calls
        low, high = calls.text
        self._bits = min(max(len(calls.owners) * 2, 1).bit_length(), _MOST_BITS)
        self._bits = max(self._bits, _FEWEST_BITS)
        self._owners = calls.owners[: 1 << (self._bits - 1)]
        self._routine = _routine(high - low, self._bits, calls.curg)
        self._bitmap = _bitmap(calls.runtime, low, high)
        self._numbers = {callee: number for number, callee in enumerate(calls.allocators)}
        self._entries: dict[int, int] = {}
        self._by_hand: dict[int, list[int]] = {}
        self.code = self.data = self.bias = 0

    @property
    def code_size(self) -> int:
        return len(self._routine.code) * len(self._numbers)

    @property
    def data_size(self) -> int:
        return (ENTRY_SIZE << self._bits) + len(self._bitmap)

    @property
    def complete(self) -> bool:
        """Whether there is room for every owner."""
        return len(self._owners) == len(self.calls.owners)

    def enters(self, callee: int) -> int:
        """Where a call of an allocator (a link-time address) goes; 0 where it is none."""
        number = self._numbers.get(callee, -1)
        return self.code + number * len(self._routine.code) if number >= 0 else 0

    def assemble(self) -> bytes:
        out = bytearray()
        low, _ = self.calls.text
        fixed = {
            "text": low + self.bias + 1,  # a return address may be the end of its function
            "table": self.data,
            "bitmap": self.data + (ENTRY_SIZE << self._bits),
        }
        for callee in self._numbers:
            start = self.code + len(out)
            labels = {name: start + at for name, at in self._routine.labels.items()}
            targets = {**fixed, **labels, "callee": callee + self.bias}
            body = bytearray(self._routine.code)
            for hole, target in self._routine.holes:
                _REL32.pack_into(body, hole, targets[target] - (start + hole + 4))
            out += body
        return bytes(out)

    def fill(self, words: memoryview, raw: memoryview) -> None:
        """Write the table and the bitmap to where our side of the memory has them."""
        for owner in self._owners:
            slot = self._slot(owner + self.bias, lambda slot: words[slot * _WORDS])
            words[slot * _WORDS + _KEY] = owner + self.bias
            self._entries[owner] = slot
        raw[ENTRY_SIZE << self._bits : self.data_size] = self._bitmap

    def made(self, words: memoryview) -> dict[int, Made]:
        """By the owners that have some."""
        found = {}
        for owner, slot in self._entries.items():
            by_hand = self._by_hand.get(owner, (0, 0, 0, 0))
            objects = words[slot * _WORDS + _OBJECTS] + by_hand[0]
            size = words[slot * _WORDS + _BYTES] + by_hand[1]
            on_g0 = words[slot * _WORDS + _ON_G0] + by_hand[2]
            small = words[slot * _WORDS + _SMALL] + by_hand[3]
            if objects or on_g0:
                found[owner] = Made(objects, size, on_g0, small)
        return found

    # Threads that have to leave

    def holds(self, pc: int) -> bool:
        return self.code <= pc < self.code + self.code_size

    def finish(self, words: stops.Words, word_at: Callable[[int], int]) -> None:
        """Do what a thread inside a routine had left to do, and send it on to the allocator."""
        number, offset = divmod(words[stops.RIP] - self.code, len(self._routine.code))
        doing = self.doing(offset)
        if doing is Doing.LOOKING:
            self.count(words, word_at)
        elif doing is not Doing.DONE:
            size = words[stops.RAX]
            add = doing is Doing.COUNTED and not words[stops.RDX]
            small = _is_small(words, word_at)
            self._note(word_at(words[stops.RSI]), size=size if add else 0, small=small)
        words[stops.RIP] = self.calls.allocators[number] + self.bias

    def doing(self, offset: int) -> Doing:
        labels = self._routine.labels
        marks = (("done", Doing.DONE), ("added", Doing.ADDED), ("counted", Doing.COUNTED))
        return next((doing for name, doing in marks if offset >= labels[name]), Doing.LOOKING)

    def count(self, words: stops.Words, word_at: Callable[[int], int]) -> None:
        """What a routine does, for a thread that stands at a call of the allocator."""
        if not words[stops.RAX]:
            return
        frame, back = words[stops.RBP], word_at(words[stops.RSP])
        g = words[stops.R14]
        to_m, to_curg = self.calls.curg
        stacks = [(g, False), (word_at(word_at(g + to_m) + to_curg), True)]
        for g, other in stacks:
            low, high = word_at(g), word_at(g + 8)
            for _ in range(_STEPS):
                if not self._in_runtime(back):
                    self._found(back, other, words[stops.RAX], _is_small(words, word_at))
                    return
                if not low <= frame <= high - 16:
                    break
                back, frame = word_at(frame + 8), word_at(frame)

    def _found(self, back: int, on_g0: bool, size: int, small: bool) -> None:
        if on_g0:
            self._note(back, on_g0=1, small=small)
        else:
            self._note(back, objects=1, size=size, small=small)

    def _in_runtime(self, back: int) -> bool:
        low, high = self.calls.text
        at = back - self.bias - low - 1
        return 0 <= at < high - low and bool(self._bitmap[at >> 7] >> (at >> 4 & 7) & 1)

    def _note(
        self, back: int, objects: int = 0, size: int = 0, on_g0: int = 0, small: bool = False
    ) -> None:
        owner = back - self.bias
        if owner in self._entries:
            noted = self._by_hand.setdefault(owner, [0, 0, 0, 0])
            for index, more in enumerate((objects, size, on_g0, int(small))):
                noted[index] += more

    def _slot(self, key: int, key_at: Callable[[int], int]) -> int:
        slot = (key * _MULTIPLIER & _MASK) >> (64 - self._bits)
        while key_at(slot) not in (0, key):
            slot = (slot + 1) & ((1 << self._bits) - 1)
        return slot


def _is_small(words: stops.Words, word_at: Callable[[int], int]) -> bool:
    """Whether a call of the allocator is for what may share a block with others."""
    kind = words[stops.RBX]
    return words[stops.RAX] < _TINY and not (kind and word_at(kind + _POINTER_BYTES))


def _bitmap(ranges: Iterable[tuple[int, int]], low: int, high: int) -> bytes:
    """A bit for each 16 bytes of [low, high): whether they belong to one of the ranges."""
    import numpy as np

    bits = np.zeros((high - low) // _GRAIN + 64, dtype=np.uint8)
    for start, end in ranges:
        bits[max(start - low, 0) // _GRAIN : (min(end, high) - low + _GRAIN - 1) // _GRAIN] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def merged(ranges: Collection[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """The same ground in as few ranges as may be."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
