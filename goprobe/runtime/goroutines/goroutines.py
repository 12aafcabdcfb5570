"""Goroutines (g), threads (m) and their stacks.

Source: src/runtime/runtime2.go, proc.go, stack.go (Go 1.21 to 1.27).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import read_numbers, read_record, unpacker

_G_LIMIT = 1 << 24
_M_LIMIT = 1 << 17
_P_LIMIT = 1 << 16
_STRINGS_LIMIT = 256
FIRST_WAIT_REASON = "GC assist marking"  # waitReasonStrings[1], runtime2.go, Go 1.21 to 1.27

_FIELDS = (
    "atomicstatus", "goid", "stack.lo", "stack.hi", "sched.sp", "sched.pc", "sched.bp",
    "syscallsp", "syscallpc", "syscallbp", "m", "waitreason", "waitsince", "gopc", "startpc",
    "parentGoid", "lockedm", "runningCleanups", "labels",
)  # fmt: skip

STATUS_NAMES = {
    "_Gidle": "idle", "_Grunnable": "runnable", "_Grunning": "running", "_Gsyscall": "syscall",
    "_Gwaiting": "waiting", "_Gdead": "dead", "_Gcopystack": "copystack",
    "_Gpreempted": "preempted", "_Gleaked": "leaked", "_Gdeadextra": "deadextra",
}  # fmt: skip
PARKED = ("waiting", "leaked")


class Goroutine(msgspec.Struct, frozen=True, gc=False):
    """A g. `address` is its struct's; stack [low, high), `sp` and `pc` where it was saved.

    `sp`/`pc` are those of the last switch (gobuf) or system call, and stale while it runs.
    `wait_since` is runtime.nanotime when it blocked, 0 where the runtime did not note it.
    """

    address: int
    id: int
    status: str
    low: int
    high: int
    sp: int
    pc: int
    bp: int
    m: int
    wait_reason: int
    wait_since: int
    created_at: int
    start: int
    parent: int
    locked_m: int
    running_cleanups: int = 0
    """Not 0 while it runs the user's cleanups (since Go 1.25)."""
    labels: int = 0
    """Where its pprof labels are, 0 for none (labels.py)."""

    @property
    def dead(self) -> bool:
        return self.status in ("dead", "idle", "deadextra")


class Thread(msgspec.Struct, frozen=True):
    """An m. `tid` is the kernel's thread id; `g0`, `gsignal`, `current` are addresses of gs."""

    address: int
    id: int
    tid: int
    g0: int
    gsignal: int
    current: int


class Goroutines:
    """All goroutines and threads of one process at one stop."""

    def __init__(self, memory: Memory, layout: Layout, roots: Mapping[str, int]) -> None:
        self._memory = memory
        self._layout = layout
        self._roots = roots
        constants = layout.constants
        self._names = {constants[k]: v for k, v in STATUS_NAMES.items() if k in constants}
        self._scan = constants["_Gscan"]

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        fields = self._layout.struct("g").fields
        return {n: (fields[n].offset, fields[n].size) for n in _FIELDS if n in fields}

    @cached_property
    def _numbers(self) -> Callable[[bytes], tuple[int, ...]]:
        return unpacker(tuple(self._places.values()))

    def _decoded(self, address: int, numbers: tuple[int, ...]) -> Goroutine:
        if len(numbers) < len(_FIELDS):  # a release that has not all of them
            by_name = dict(zip(self._places, numbers, strict=True))
            numbers = tuple(by_name.get(name, 0) for name in _FIELDS)
        word, number, low, high, sp, pc, bp, left_sp, left_pc, left_bp, m, *rest = numbers
        # _Gscan is a bit that whoever scans the stack sets beside the status (runtime2.go).
        status = self._names.get(word & ~self._scan, "unknown")
        # In a system call `sched` may have been overwritten since, by what runs on the thread's own
        # stack: where the goroutine left Go's code is noted apart (proc.go, reentersyscall).
        if status == "syscall" and left_sp:
            sp, pc, bp = left_sp, left_pc, left_bp
        reason, since, *origin = rest
        since -= (since >> 63) << 64
        return Goroutine(address, number, status, low, high, sp, pc, bp, m, reason, since, *origin)

    def at(self, address: int) -> Goroutine | None:
        """The g struct at an address; None where it cannot be read."""
        try:
            record = read_record(self._memory, self._layout.struct("g"), address)
        except UnreadableError:
            return None
        return self._decoded(address, self._numbers(record.data))

    def pointers(self) -> Sequence[int]:
        """Addresses of every g that was ever made (runtime.allgs)."""
        # gs are never freed: a dead one waits in a list for the next go statement (proc.go, gfput).
        header = self._memory.read(self._roots["allgs"], 16)
        at, count = (int.from_bytes(header[i : i + 8], "little") for i in (0, 8))
        if count > _G_LIMIT:
            raise UnreadableError(
                at, 8 * count, f"runtime.allgs claims {counted(count, 'goroutine')}"
            )
        return memoryview(self._memory.read(at, 8 * count)).cast("Q").tolist() if count else []

    @cached_property
    def all(self) -> tuple[Goroutine, ...]:
        """Every g of allgs, dead ones too. Raises UnreadableError where the list is not there."""
        g = self._layout.struct("g")
        every = read_numbers(self._memory, g, self.pointers(), tuple(self._places.values()))
        return tuple(self._decoded(address, numbers) for address, numbers in every)

    @cached_property
    def known(self) -> tuple[Goroutine, ...]:
        """Every g that can be read: none where the list is not there (`broken` says why)."""
        try:
            return self.all
        except UnreadableError:
            return ()

    @cached_property
    def alive(self) -> tuple[Goroutine, ...]:
        """Those that are not dead: asked for often, and there may be very many."""
        return tuple(g for g in self.known if not g.dead)

    @cached_property
    def broken(self) -> str:
        """Why runtime.allgs cannot be read, "" where it can."""
        try:
            return "" if self.all else "runtime.allgs lists no goroutine"
        except UnreadableError as error:
            return f"runtime.allgs cannot be read: {error.why}"

    @cached_property
    def processors(self) -> tuple[int, ...]:
        """Addresses of every p (runtime.allp); none where they are not known."""
        at = self._roots.get("allp", 0)
        try:
            first, count = u64(self._memory, at), u64(self._memory, at + 8)
            if not at or count > _P_LIMIT:
                return ()
            raw = self._memory.read(first, 8 * count)
        except UnreadableError:
            return ()
        return tuple(memoryview(raw).cast("Q").tolist()) if raw else ()

    @cached_property
    def threads(self) -> tuple[Thread, ...]:
        """Every m of allm, bounded."""
        return tuple(self._threads())

    def _threads(self) -> Iterator[Thread]:
        struct = self._layout.struct("m")
        seen: set[int] = set()
        try:
            at = u64(self._memory, self._roots["allm"])
            while at and at not in seen and len(seen) < _M_LIMIT:
                seen.add(at)
                m = read_record(self._memory, struct, at)
                yield Thread(
                    address=at,
                    id=m.signed("id"),
                    tid=m["procid"],
                    g0=m["g0"],
                    gsignal=m["gsignal"],
                    current=m["curg"],
                )
                at = m["alllink"]
        except UnreadableError:
            return

    def thread(self, tid: int) -> Thread | None:
        return next((t for t in self.threads if t.tid == tid), None)

    @cached_property
    def _by_stack(self) -> tuple[list[int], list[Goroutine]]:
        by_stack = sorted((g for g in self.known if g.low), key=lambda g: g.low)
        return [g.low for g in by_stack], by_stack

    def owner_of(self, address: int) -> Goroutine | None:
        """The goroutine whose stack holds an address. A dead g may still own its stack."""
        lows, goroutines = self._by_stack
        at = bisect_right(lows, address)
        if at and address < goroutines[at - 1].high:
            return goroutines[at - 1]
        return None

    @cached_property
    def wait_reasons(self) -> tuple[str, ...]:
        """The runtime's own words for why a goroutine waits (runtime.waitReasonStrings). Each
        begins with a letter and stands there once; none where the first is another than it is in
        every release (runtime2.go, Go 1.21 to 1.27). What lies behind the table may be strings,
        too: no reason is of their number."""
        reasons: list[str] = []
        at = self._roots.get("waitReasonStrings", 0)
        while at and len(reasons) < _STRINGS_LIMIT:
            try:
                data, size = u64(self._memory, at), u64(self._memory, at + 8)
                if size > 100 or (reasons and not data):
                    break
                text = self._memory.read(data, size) if size else b""
            except UnreadableError:
                break
            if any(byte < 0x20 or byte > 0x7E for byte in text):
                break
            reason = text.decode("ascii")
            if reason in reasons or (reason and not reason[0].isalpha()):
                break
            reasons.append(reason)
            at += 16
        return tuple(reasons) if reasons[1:2] == [FIRST_WAIT_REASON] else ()

    def wait_reason(self, g: Goroutine) -> str:
        """Why a waiting goroutine waits ("chan receive"), "" where it does not wait."""
        if g.status != "waiting" or g.wait_reason >= len(self.wait_reasons):
            return ""
        return self.wait_reasons[g.wait_reason]
