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

from goprobe.errors import UnreadableError
from goprobe.process.memory import Memory, read_packed
from goprobe.runtime.goroutines import STATUS_NAMES
from goprobe.runtime.layout import Layout

Words = NDArray[np.uint64]
Indexes = NDArray[np.int64]

_G_LIMIT = 1 << 24
_STACK_LIMIT = 1 << 15
_BUDGET = 1 << 26
_WORD = 8
_DEPTH_LIMIT = 10_000


class GoroutineTable(msgspec.Struct, frozen=True):
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
    whole: bool
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
)  # fmt: skip


def copy_goroutines(memory: Memory, layout: Layout, allgs: int) -> GoroutineTable:
    """Copy every g and the used part of its stack. Raises UnreadableError."""
    addresses = _addresses(memory, allgs)
    struct = layout.struct("g")
    size = max(f.offset + min(f.size, _WORD) for f in struct.fields.values())
    listed = len(addresses)
    raw, kept = _gather_readable(memory, addresses, np.full(listed, size, np.uint64))
    addresses = addresses[kept > 0]
    rows = np.frombuffer(raw, np.uint8).reshape(len(addresses), size)
    columns = {
        name: _column(rows, struct.fields[name].offset, struct.fields[name].size)
        for name in _WANTED
    }
    constants = layout.constants
    status = columns["atomicstatus"] & np.uint64(~constants["_Gscan"] & 0xFFFFFFFF)
    in_syscall = (status == constants["_Gsyscall"]) & (columns["syscallsp"] != 0)
    sp = np.where(in_syscall, columns["syscallsp"], columns["sched.sp"])
    pc = np.where(in_syscall, columns["syscallpc"], columns["sched.pc"])
    dead = np.isin(
        status, [constants[k] for k in ("_Gidle", "_Gdead", "_Gdeadextra") if k in constants]
    )
    low, high = columns["stack.lo"], columns["stack.hi"]
    parked = ~dead & (status != constants["_Grunning"]) & (low <= sp) & (sp < high)
    used = np.where(parked, high - np.where(parked, sp, high), np.uint64(0))
    sizes, whole = _bounded(used)
    stacks, sizes = _gather_readable(memory, np.where(parked, sp, np.uint64(0)), sizes)
    starts = np.cumsum(sizes.astype(np.int64)) - sizes.astype(np.int64)
    return GoroutineTable(
        addresses, columns, status, ~dead, sp, pc, starts, sizes.astype(np.int64), stacks, whole,
        listed - len(addresses),
    )  # fmt: skip


def _addresses(memory: Memory, allgs: int) -> Words:
    header = np.frombuffer(memory.read(allgs, 16), np.uint64)
    at, count = int(header[0]), int(header[1])
    if count > _G_LIMIT:
        raise UnreadableError(at, _WORD * count, f"runtime.allgs claims {count} goroutines")
    return np.frombuffer(memory.read(at, _WORD * count), np.uint64)


def _gather(memory: Memory, addresses: Words, sizes: Words) -> bytearray:
    wanted = sizes > 0
    if not wanted.any():
        return bytearray()
    pairs = np.ascontiguousarray(np.stack((addresses[wanted], sizes[wanted]), axis=1))
    ends = np.concatenate(([0], np.cumsum(pairs[:, 1].astype(np.int64))))
    buffer = bytearray(int(ends[-1]))
    if not read_packed(memory, pairs.data, ends.tolist(), buffer):
        raise UnreadableError(0, len(buffer), "goroutines that point outside of memory")
    return buffer


def _gather_readable(memory: Memory, addresses: Words, sizes: Words) -> tuple[bytearray, Words]:
    """As much as can be read; the size of what cannot is made 0."""
    try:
        return _gather(memory, addresses, sizes), sizes
    except UnreadableError:
        wanted = zip(addresses.tolist(), sizes.tolist(), strict=True)
        parts = memory.read_many([(a if n else 0, n) for a, n in wanted])
        found = [part or b"" for part in parts]
        return bytearray(b"".join(found)), np.array([len(part) for part in found], np.uint64)


def _column(rows: NDArray[np.uint8], offset: int, size: int) -> Words:
    width = min(size, _WORD)
    wide = np.zeros((len(rows), _WORD), np.uint8)
    wide[:, :width] = rows[:, offset : offset + width]
    return wide.view(np.uint64).reshape(-1)


def _bounded(used: Words) -> tuple[Words, bool]:
    """How much of each stack to copy: all of it, as far as memory for it is bounded."""
    limit = _STACK_LIMIT
    while limit > 256:
        sizes = np.minimum(used, np.uint64(limit)) // np.uint64(_WORD) * np.uint64(_WORD)
        if int(sizes.sum()) <= _BUDGET:
            break
        limit //= 2
    return sizes, bool((used <= limit).all())


class Step(msgspec.Struct, frozen=True):
    """What the walk needs of a pc: the frame's `size` in bytes, -1 where the stack begins there.

    `hard`: only a walk of that one stack can tell how to go on.
    """

    size: int
    hard: bool


def same_stacks(table: GoroutineTable, step: Callable[[int], Step]) -> Indexes:
    """A number for each goroutine, the same for those whose stacks are the same pc by pc.

    -1 for goroutines without a copied stack, and for those whose stack is hard to walk.
    """
    known: dict[int, Step] = {}
    labels = np.where(table.stack_size > 0, 0, -1).astype(np.int64)
    active = np.flatnonzero(table.stack_size > 0)
    pc, at = table.pc.copy(), np.zeros(len(table), np.int64)
    if not len(active):
        return labels
    words = np.frombuffer(table.stacks, np.uint64)
    for _ in range(_DEPTH_LIMIT):
        if not len(active):
            return labels
        pcs, which = np.unique(pc[active], return_inverse=True)
        for p in pcs.tolist():
            if p not in known:
                known[p] = step(p)
        pairs = labels[active] * np.int64(len(pcs)) + which
        _, fresh = np.unique(pairs, return_inverse=True)
        # Stacks that ended at a lower depth keep their numbers: the new ones lie above them.
        labels[active] = fresh + (labels.max() + 1)
        sizes = np.array([known[p].size for p in pcs.tolist()], np.int64)[which]
        hard = np.array([known[p].hard for p in pcs.tolist()], np.bool_)[which]
        slot = at[active] + sizes
        hard |= (sizes >= 0) & (slot + _WORD > table.stack_size[active])
        labels[active[hard]] = -1
        goes_on = (sizes >= 0) & ~hard
        active, slot = active[goes_on], slot[goes_on]
        pc[active] = words[(table.stack_at[active] + slot) // _WORD]
        at[active] = slot + _WORD
    labels[active] = -1
    return labels


def status_names(layout: Layout) -> dict[int, str]:
    """The runtime's status numbers in words."""
    return {layout.constants[k]: v for k, v in STATUS_NAMES.items() if k in layout.constants}
