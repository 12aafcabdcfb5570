"""Whose doing the runtime's allocations are: counted where the runtime asks its allocator.

Compiled code rarely calls the allocator itself: it calls makeslice, concatstrings, mapassign, and
whether these come to allocate, and how often, is their affair. So each CALL of the allocator inside
of the runtime is turned to a routine of ours (one for each form of the allocator), which looks for
the call of a program's own function that led there, its *owner*, and counts object and bytes for
it, without the program being stopped:

    from the return address on the stack, and then up the frames that RBP links, for as long as
    the return address lies in the runtime (a bit for each 16 bytes of code); the first that does
    not is the owner's, and is looked up in a hash table of those that are wanted.

An owner's own CALL of the allocator comes here as well, by way of its stub (`arch/amd64/stub.py`).
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

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum, auto

import msgspec

from goprobe.arch.ledgerstub import (
    ENTRY_SIZE,
    ENTRY_WORD,
    GRAIN,
    MULTIPLIER,
    ON_G0_WORD,
    SIZE_WORD,
    STEPS,
    TYPE_WORD,
    routine,
)
from goprobe.arch.registers import FP_WORD, GOROUTINE_WORD, PC_WORD, SP_WORD, Words

_KEY, _OBJECTS, _BYTES, _ON_G0, _BYTES_ON_G0, _SMALL = range(6)
_WORDS = ENTRY_SIZE // 8
_FEWEST_BITS, _MOST_BITS = 4, 20
# maxTinySize, runtime/malloc.go; where abi.Type has PtrBytes, internal/abi/type.go; 1.21 to 1.27
_TINY, _POINTER_BYTES = 16, 8
_MASK = (1 << 64) - 1


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


class Ledger:
    """The routines and their table, for one run; `code` and `data` are where they lie in the target
    once that is known, `bias` what is added to link-time addresses."""

    def __init__(self, calls: AllocatorCalls) -> None:
        self.calls = calls
        low, high = calls.text
        self._bits = min(max(len(calls.owners) * 2, 1).bit_length(), _MOST_BITS)
        self._bits = max(self._bits, _FEWEST_BITS)
        self._owners = calls.owners[: 1 << (self._bits - 1)]
        self._routine = routine(high - low, self._bits, calls.curg)
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
            out += self._routine.at(start, targets)
        return bytes(out)

    def places(self) -> list[int]:
        """Where in the table each owner has its entry."""
        taken: dict[int, int] = {}
        places = []
        for owner in self._owners:
            place = self._slot(owner + self.bias, lambda slot: taken.get(slot, 0))
            taken[place] = owner + self.bias
            places.append(place)
        return places

    def fill(self, places: Sequence[int], words: memoryview, raw: memoryview) -> None:
        """Write the table and the bitmap to where our side of the memory has them."""
        self._entries = dict(zip(self._owners, places, strict=True))
        for owner, place in self._entries.items():
            words[place * _WORDS + _KEY] = owner + self.bias
        raw[ENTRY_SIZE << self._bits : self.data_size] = self._bitmap

    def made(self, words: memoryview) -> dict[int, Made]:
        """By the owners that have some."""
        made = {}
        for owner, slot in self._entries.items():
            by_hand = self._by_hand.get(owner, (0, 0, 0, 0))
            objects = words[slot * _WORDS + _OBJECTS] + by_hand[0]
            size = words[slot * _WORDS + _BYTES] + by_hand[1]
            on_g0 = words[slot * _WORDS + _ON_G0] + by_hand[2]
            small = words[slot * _WORDS + _SMALL] + by_hand[3]
            if objects or on_g0:
                made[owner] = Made(objects, size, on_g0, small)
        return made

    # Threads that have to leave

    def holds(self, pc: int) -> bool:
        return self.code <= pc < self.code + self.code_size

    def finish(self, words: Words, word_at: Callable[[int], int]) -> None:
        """Do what a thread inside a routine had left to do, and send it on to the allocator."""
        number, offset = divmod(words[PC_WORD] - self.code, len(self._routine.code))
        doing = self.doing(offset)
        if doing is Doing.LOOKING:
            self.count(words, word_at)
        elif doing is not Doing.DONE:
            size = words[SIZE_WORD]
            add = doing is Doing.COUNTED and not words[ON_G0_WORD]
            small = _is_small(words, word_at)
            self._note(word_at(words[ENTRY_WORD]), size=size if add else 0, small=small)
        words[PC_WORD] = self.calls.allocators[number] + self.bias

    def doing(self, offset: int) -> Doing:
        labels = self._routine.labels
        marks = (("done", Doing.DONE), ("added", Doing.ADDED), ("counted", Doing.COUNTED))
        return next((doing for name, doing in marks if offset >= labels[name]), Doing.LOOKING)

    def count(self, words: Words, word_at: Callable[[int], int]) -> None:
        """What a routine does, for a thread that stands at a call of the allocator."""
        if not words[SIZE_WORD]:  # mallocgc hands out zerobase then, and allocates nothing
            return
        frame, back = words[FP_WORD], word_at(words[SP_WORD])
        g = words[GOROUTINE_WORD]
        to_m, to_curg = self.calls.curg
        stacks = [(g, False), (word_at(word_at(g + to_m) + to_curg), True)]
        for g, other in stacks:
            low, high = word_at(g), word_at(g + 8)
            for _ in range(STEPS):
                if not self._in_runtime(back):
                    self._found(back, other, words[SIZE_WORD], _is_small(words, word_at))
                    return
                # Room for the two words of a frame, the caller's RBP and the return address.
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
        # As the routine has it: multiplied, the upper bits, then onward. The table is at most half
        # full, so that a free slot is near.
        slot = (key * MULTIPLIER & _MASK) >> (64 - self._bits)
        while key_at(slot) not in (0, key):
            slot = (slot + 1) & ((1 << self._bits) - 1)
        return slot


def _is_small(words: Words, word_at: Callable[[int], int]) -> bool:
    """Whether a call of the allocator is for what may share a block with others."""
    kind = words[TYPE_WORD]
    return words[SIZE_WORD] < _TINY and not (kind and word_at(kind + _POINTER_BYTES))


def _bitmap(ranges: Iterable[tuple[int, int]], low: int, high: int) -> bytes:
    """A bit for each 16 bytes of [low, high): whether they belong to one of the ranges."""
    size = ((high - low) // GRAIN // 64 + 2) * 8
    bits = 0
    for start, end in ranges:
        first, last = max(start - low, 0) // GRAIN, (min(end, high) - low + GRAIN - 1) // GRAIN
        bits |= (1 << max(last, first)) - (1 << first)
    return bits.to_bytes(size, "little")


def merged(ranges: Collection[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """The same ground in as few ranges as may be."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
