"""Every goroutine of a process in columns, with the used part of its stack: for many at once.

A program may have a hundred thousand goroutines. Inside the stop their structs and stacks are only
copied, with the addresses worked out by numpy; afterwards all stacks are walked together, a frame
of each at a time, to find the few different ones.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import MISSING, Copy, copy_ranges
from goprobe.process.memory.memory import Memory
from goprobe.runtime.goroutines.goroutines import STATUS_NAMES
from goprobe.runtime.layout.columns import Columns
from goprobe.runtime.layout.layout import Layout

Words = NDArray[np.uint64]
Indexes = NDArray[np.int64]

_G_LIMIT = 1 << 24
_STACK_LIMIT = 1 << 24  # bytes of one stack: 4 ms of a stop (m)
_BUDGET = 1 << 28  # bytes of all
_WORD = 8
_MARGIN = 512  # bytes
_DEPTH_LIMIT = 10_000
_MARKS = 8


class GoroutineTable(msgspec.Struct, frozen=True, kw_only=True):
    """Columns, one entry a goroutine: all of runtime.allgs, or those that were selected.

    `sp` and `pc` are where each was left. `stack_at` is where the copy of its stack begins in
    `stacks` (bytes), from its sp on, `stack_size` bytes long; 0 where none was copied.
    """

    address: Words
    columns: dict[str, Words]
    status: Words
    alive: NDArray[np.bool_]
    sp: Words
    pc: Words
    stack_at: Indexes
    stack_size: Indexes
    stacks: bytearray
    unreadable: int = 0
    """Entries of allgs that lead to no memory; they are left out."""

    def __len__(self) -> int:
        return len(self.address)

    def stack(self, index: int) -> bytes:
        at = int(self.stack_at[index])
        return bytes(self.stacks[at : at + int(self.stack_size[index])])


_WANTED = (
    "stack.lo", "stack.hi", "m", "sched.sp", "sched.pc", "sched.bp", "syscallsp", "syscallpc",
    "atomicstatus", "goid", "waitsince", "waitreason", "lockedm", "parentGoid", "gopc", "startpc",
    "runningCleanups", "labels",
)  # fmt: skip


class Structs(msgspec.Struct, frozen=True):
    """The copied g structs: that at `addresses[i]` begins at `at[i]` (or is MISSING).

    `order` sorts them as they lie in memory: jumping about in so much of it takes the longest.
    """

    addresses: Words
    copy: Copy
    at: Indexes
    order: Indexes


class StackPart(msgspec.Struct, frozen=True):
    """What is to be copied of each goroutine's stack: `size` bytes from `sp` on."""

    sp: Words
    size: Words


class GoroutineCopy(msgspec.Struct, frozen=True):
    """The g structs and the used parts of the stacks of one moment, not yet looked into.

    `stack_at` is where each stack begins in `stacks`; MISSING where none was copied.
    """

    structs: Structs
    use: StackPart
    stacks: Copy
    stack_at: Indexes


def count_alive(memory: Memory, layout: Layout, allgs: int) -> int:
    """How many goroutines there are that are not dead, the runtime's own included. Of a process
    that runs: as it passed by. Raises UnreadableError."""
    addresses, size = _addresses(memory, allgs), layout.struct("g").size
    copy = copy_ranges(memory, addresses, size)
    columns = Columns(layout.struct("g"), copy, copy.positions(addresses, size))
    return int((~_dead(layout, _status(layout, columns))).sum())


def copy_goroutines(
    memory: Memory, layout: Layout, allgs: int, only: Words | None = None
) -> GoroutineCopy:
    """Copy every g and the used part of its stack, or `only` those whose gs are at some addresses.
    Raises UnreadableError."""
    addresses = _addresses(memory, allgs) if only is None else only
    size = layout.struct("g").size
    copy = copy_ranges(memory, addresses, size)
    at = copy.positions(addresses, size)
    structs = Structs(addresses, copy, at, np.argsort(at, kind="stable"))
    use = _stacks_used(layout, structs)
    # A little below each is copied too, for it may be in use when this copy serves as rehearsal.
    low = use.sp & ~np.uint64(_MARGIN - 1)
    stacks = copy_ranges(memory, low, np.where(use.size > 0, use.size + (use.sp - low), 0))
    return GoroutineCopy(structs, use, stacks, _stacks_at(memory, stacks, use))


def copy_again(memory: Memory, layout: Layout, allgs: int, old: GoroutineCopy) -> GoroutineCopy:
    """The same, faster: nearly everything lies where it was found before the stop, and there is
    room for it. Takes over the memory of `old`. Raises UnreadableError."""
    addresses, known = _addresses(memory, allgs), len(old.structs.addresses)
    if not np.array_equal(addresses[:known], old.structs.addresses):
        return copy_goroutines(memory, layout, allgs)
    structs = _structs_again(memory, layout.struct("g").size, addresses, old.structs)
    use = _stacks_used(layout, structs)
    old.stacks.refresh(memory)
    at = np.full(len(addresses), MISSING, np.int64)
    at[:known] = old.stack_at
    moved = np.ones(len(addresses), np.bool_)
    moved[:known] = (use.sp[:known] != old.use.sp) | (use.size[:known] != old.use.size)
    rows = np.flatnonzero(moved)
    at[rows] = _stacks_at(memory, old.stacks, StackPart(use.sp[rows], use.size[rows]))
    return GoroutineCopy(structs, use, old.stacks, at)


def _structs_again(memory: Memory, size: int, addresses: Words, old: Structs) -> Structs:
    old.copy.refresh(memory)
    known = len(old.addresses)  # the runtime only ever appends to its list
    fresh = _appended(old.copy, memory, addresses[known:], size)
    order = np.arange(known, len(addresses))
    return Structs(
        addresses, old.copy, np.concatenate((old.at, fresh)), np.concatenate((old.order, order))
    )


def _stacks_at(memory: Memory, stacks: Copy, use: StackPart) -> Indexes:
    """Where each stack begins in the copy; those that have grown out of it are appended to it."""
    at = np.where(use.size > 0, stacks.positions(use.sp, use.size), MISSING)
    lost = np.flatnonzero((at == MISSING) & (use.size > 0))
    at[lost] = _appended(stacks, memory, use.sp[lost], use.size[lost])
    return at


def _appended(copy: Copy, memory: Memory, addresses: Words, sizes: int | Words) -> Indexes:
    """Append memory to the bytes of a copy; where each begins in them."""
    more = copy_ranges(memory, addresses, sizes)
    indexes, before = more.positions(addresses, sizes), len(copy.buffer)
    copy.buffer.extend(more.buffer)
    return np.where(indexes == MISSING, MISSING, indexes + before)


def _stacks_used(layout: Layout, structs: Structs) -> StackPart:
    """What each parked goroutine uses of its stack."""
    order = structs.order
    columns = Columns(layout.struct("g"), structs.copy, structs.at[order])
    status = _status(layout, columns)
    sp = _left(layout, columns, status, "sp")
    low, high = columns["stack.lo"], columns["stack.hi"]
    parked = ~_dead(layout, status) & (status != np.uint64(layout.constants["_Grunning"]))
    parked &= (low <= sp) & (sp < high)
    sizes = _bounded(np.where(parked, high - sp, np.uint64(0)))
    use = StackPart(np.empty_like(sp), np.empty_like(sp))
    use.sp[order], use.size[order] = np.where(parked, sp, np.uint64(0)), sizes
    return use


def table_of(copy: GoroutineCopy, layout: Layout, rows: Indexes) -> GoroutineTable:
    """What was copied of the goroutines at some rows, in columns."""
    structs = copy.structs
    there = rows[structs.at[rows] != MISSING]
    columns = Columns(layout.struct("g"), structs.copy, structs.at[there])
    status = _status(layout, columns)
    sp, pc = _left(layout, columns, status, "sp"), _left(layout, columns, status, "pc")
    at, size = copy.stack_at[there], copy.use.size[there].astype(np.int64)
    return GoroutineTable(
        address=structs.addresses[there],
        columns={name: columns[name] for name in _WANTED},
        status=status,
        alive=~_dead(layout, status),
        sp=sp,
        pc=pc,
        stack_at=at,
        stack_size=np.where(at == MISSING, 0, size),
        stacks=copy.stacks.buffer,
        unreadable=len(rows) - len(there),
    )


def label_sets(copy: GoroutineCopy, layout: Layout) -> list[int]:
    """Where the pprof labels of the goroutines are, each place once."""
    columns = Columns(layout.struct("g"), copy.structs.copy, copy.structs.at)
    return sorted(set(columns["labels"].tolist()))


def _status(layout: Layout, columns: Columns) -> Words:
    return columns["atomicstatus"] & np.uint64(~layout.constants["_Gscan"] & 0xFFFFFFFF)


def _left(layout: Layout, columns: Columns, status: Words, register: str) -> Words:
    """The sp or pc that every goroutine was left with."""
    left = columns[f"sched.{register}"]
    rows = np.flatnonzero(status == np.uint64(layout.constants["_Gsyscall"]))
    if len(rows):
        inside = columns["syscallsp"][rows] != 0
        left[rows] = np.where(inside, columns[f"syscall{register}"][rows], left[rows])
    return left


def _dead(layout: Layout, status: Words) -> NDArray[np.bool_]:
    names = ("_Gidle", "_Gdead", "_Gdeadextra")
    dead = np.zeros(len(status), np.bool_)
    for name in names:
        if name in layout.constants:
            dead |= status == np.uint64(layout.constants[name])
    return dead


def _addresses(memory: Memory, allgs: int) -> Words:
    header = np.frombuffer(memory.read(allgs, 16), np.uint64)
    at, count = int(header[0]), int(header[1])
    if count > _G_LIMIT:
        raise UnreadableError(
            at, _WORD * count, f"runtime.allgs claims {counted(count, 'goroutine')}"
        )
    return np.frombuffer(memory.read(at, _WORD * count), np.uint64)


def _bounded(used: Words) -> Words:
    """How much of each stack to copy: all of it, as far as memory for it is bounded."""
    limit = _STACK_LIMIT
    while limit > 256:
        sizes = np.minimum(used, np.uint64(limit)) // np.uint64(_WORD) * np.uint64(_WORD)
        if int(sizes.sum()) <= _BUDGET:
            break
        limit //= 2
    return sizes


class Step(msgspec.Struct, frozen=True):
    """What the walk needs of a pc: the frame's `size` in bytes, -1 where the stack begins there.

    `hard`: only a walk of that one stack can tell how to go on.
    """

    size: int
    hard: bool


def same_stacks(table: GoroutineTable, step: Callable[[int], Step]) -> Indexes:
    """A number for each goroutine, the same for those whose stacks are the same pc by pc, as far as
    they were copied.

    -1 for goroutines without a copied stack, and for those whose stack is hard to walk.
    """
    labels = np.where(table.stack_size > 0, 0, -1).astype(np.int64)
    active = np.flatnonzero(table.stack_size > 0)
    steps, count = _Steps(step), 1
    pc, at, label = table.pc[active], np.zeros(len(active), np.int64), labels[active]
    words = np.frombuffer(table.stacks, np.uint64)
    for _ in range(_DEPTH_LIMIT):
        if not len(active):
            return labels
        which = steps.numbers(pc)
        # Stacks that ended at a lower depth keep their numbers: the new ones lie above them.
        label, new = _dense(label * len(steps.pcs) + which, (label.max() + 1) * len(steps.pcs))
        sizes, hard = steps.sizes[which], steps.hard[which]
        slot = at + sizes
        labels[active] = np.where(hard, -1, label + count)
        count += new
        goes_on = (sizes >= 0) & ~hard & (slot + _WORD <= table.stack_size[active])
        active, slot, label = active[goes_on], slot[goes_on], label[goes_on]
        pc = words[(table.stack_at[active] + slot) // _WORD]
        at = slot + _WORD
    labels[active] = -1
    return labels


class _Steps:
    """The steps of all pcs that were met: few, of many stacks."""

    def __init__(self, step: Callable[[int], Step]) -> None:
        self._step = step
        self.pcs = np.zeros(0, np.uint64)  # ascending
        self.sizes = np.zeros(0, np.int64)
        self.hard = np.zeros(0, np.bool_)

    def numbers(self, pcs: Words) -> Indexes:
        """Where each of some pcs stands in `pcs`, to which it is added."""
        if not len(self.pcs):
            self._add(_different(pcs))
        at = self._places(pcs)
        unknown = self.pcs[at] != pcs
        if unknown.any():
            self._add(_different(pcs[unknown]))
            at = self._places(pcs)
        return at

    def _places(self, pcs: Words) -> Indexes:
        return np.minimum(np.searchsorted(self.pcs, pcs), len(self.pcs) - 1)

    def _add(self, pcs: Words) -> None:
        steps = [self._step(pc) for pc in pcs.tolist()]
        every = np.concatenate((self.pcs, pcs))
        order = np.argsort(every)
        self.pcs = every[order]
        self.sizes = np.append(self.sizes, np.array([s.size for s in steps], np.int64))[order]
        self.hard = np.append(self.hard, np.array([s.hard for s in steps], np.bool_))[order]


def _different(pcs: Words) -> Words:
    """Each once, ascending. Asked for nothing else, numpy.unique loads numpy's masked arrays, which
    takes as long as most programs' goroutines."""
    return np.unique(pcs, return_index=True)[0]


def _dense(keys: Indexes, end: int) -> tuple[Indexes, int]:
    """Numbers for some keys below an end, the same for the same key, without gaps; how many there
    are. They are sorted only where a mark for each possible key took more."""
    if end > _MARKS * len(keys):
        distinct, numbers = np.unique(keys, return_inverse=True)
        return numbers, len(distinct)
    there = np.zeros(end, np.bool_)
    there[keys] = True
    ranks = np.cumsum(there) - 1
    return ranks[keys], int(ranks[-1]) + 1


def status_names(layout: Layout) -> dict[int, str]:
    """The runtime's status numbers in words."""
    return {layout.constants[k]: v for k, v in STATUS_NAMES.items() if k in layout.constants}
