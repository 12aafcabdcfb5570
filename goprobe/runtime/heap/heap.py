"""Go's heap: arenas, spans and the objects in them, looked up by address.

Source: src/runtime/mheap.go, malloc.go, mbitmap.go (Go 1.21 to 1.27). Nothing is assumed about
where the heap lies: an address belongs to it where mheap_.arenas says so (since 1.26 the base is
random). Bulk questions about the whole heap are census.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import msgspec

from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.heap.arenas import USER_ARENAS, listed, of_users
from goprobe.runtime.layout.layout import Layout, StructLayout
from goprobe.runtime.layout.record import Record, read_record, read_records, unpacker

_WORD = 8
_GLANCED = ("startAddr", "npages", "state", "spanclass", "elemsize")
_ADDRESS_MASK = (1 << 64) - 1
SPAN_LIMIT = 1 << 24


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A run of pages. Addresses are the target's, sizes in bytes.

    `address` is where the mspan struct itself lies. `state` is mSpanDead/InUse/Manual; objects
    exist only in spans in use. `size_class` is spanclass >> 1 (0: one large object). `user_arena`:
    it is a chunk of what the program allocates in by package arena.
    """

    address: int
    base: int
    npages: int
    size: int
    state: int
    spanclass: int
    elemsize: int
    nelems: int
    freeindex: int
    alloc_bits: int
    alloc_count: int
    limit: int
    large_type: int
    sweepgen: int
    user_arena: bool

    @property
    def end(self) -> int:
        return self.base + self.size

    @property
    def size_class(self) -> int:
        return self.spanclass >> 1

    @property
    def noscan(self) -> bool:
        return bool(self.spanclass & 1)


class SpanGlance(msgspec.Struct, frozen=True):
    """What a quick look at a span tells. `slot` is its objects' size in bytes, 0 for the span of
    one large object; `manual`: it is no object's but a stack's, or the runtime's own; `tiny`:
    several small objects may share a slot."""

    base: int
    slot: int
    manual: bool
    tiny: bool

    def is_first(self, address: int) -> bool:
        """Whether an object is the first of its slot, which is what opened it."""
        return not self.tiny or (address - self.base) % self.slot == 0


class HeapObject(msgspec.Struct, frozen=True):
    """A slot of a span: `base` its first byte, `offset` of the address asked for within it."""

    span: Span
    index: int
    base: int
    size: int
    offset: int
    allocated: bool


class Arena(msgspec.Struct, frozen=True):
    """A heap arena: [base, end) in the target, `address` of its heapArena metadata."""

    index: int
    base: int
    end: int
    address: int


class Heap:
    """The heap of one process at one stop."""

    def __init__(self, memory: Memory, layout: Layout, mheap: int) -> None:
        self._memory = memory
        self._layout = layout
        self.address = mheap
        constants = layout.constants
        self.page_size = constants["_PageSize"]
        self._arena_bytes = constants["heapArenaBytes"]
        # 0xffff800000000000 on amd64: taken from an address it leaves an index from 0 on for both
        # halves of the address space (runtime/malloc.go, arenaBaseOffset).
        self._base_offset = constants["arenaBaseOffsetUintptr"] & _ADDRESS_MASK
        self._l1_bits, self._l2_bits = constants["arenaL1Bits"], constants["arenaL2Bits"]
        self._arenas: dict[int, Arena | None] = {}
        self._spans: dict[int, Span | None] = {}

    def glance(self, address: int) -> SpanGlance | None:
        """The span that covers an address now, for a process that runs on between questions:
        nothing is kept but where arenas are, and as little as possible is read.

        An arena once made stays where it is (mheap.sysAlloc never takes one back).
        """
        arena = self.arena_at(address)
        if arena is None:
            index = ((address - self._base_offset) & _ADDRESS_MASK) // self._arena_bytes
            arena = self._arenas[index] = self._read_arena(index)
            if arena is None:
                return None
        page = (address - arena.base) // self.page_size
        try:
            pointer = u64(self._memory, arena.address + self._spans_offset + _WORD * page)
            raw = self._memory.read(pointer, self._glance_size)
        except UnreadableError:
            return None
        return self._glanced(raw, address)

    @cached_property
    def _spans_offset(self) -> int:
        return self._layout.offset("heapArena", "spans")

    @cached_property
    def _mspan(self) -> StructLayout:
        return self._layout.struct("mspan")

    @cached_property
    def _glance_places(self) -> list[tuple[int, int]]:
        fields = [self._mspan.fields[name] for name in _GLANCED]
        return [(f.offset, f.size) for f in fields]

    @cached_property
    def _glance_size(self) -> int:
        return max(offset + size for offset, size in self._glance_places)

    @cached_property
    def _glance_numbers(self) -> Callable[[bytes], tuple[int, ...]]:
        return unpacker(self._glance_places)

    @cached_property
    def _glance_constants(self) -> tuple[int, int, int]:
        constants = self._layout.constants
        return constants["mSpanDead"], constants["mSpanManual"], constants["tinySpanClass"]

    def _glanced(self, raw: bytes, address: int) -> SpanGlance | None:
        base, pages, state, spanclass, size = self._glance_numbers(raw)
        dead, manual, tiny = self._glance_constants
        if state == dead or not base <= address < base + pages * self.page_size:
            return None
        return SpanGlance(base, size if spanclass >> 1 else 0, state == manual, spanclass == tiny)

    @cached_property
    def record(self) -> Record:
        """The mheap struct itself."""
        return read_record(self._memory, self._layout.struct("mheap"), self.address)

    def _arena_base(self, index: int) -> int:
        return (index * self._arena_bytes + self._base_offset) & _ADDRESS_MASK

    def arena_at(self, address: int) -> Arena | None:
        """The arena that holds an address (arenaIndex and spanOf, mheap.go)."""
        index = ((address - self._base_offset) & _ADDRESS_MASK) // self._arena_bytes
        if index not in self._arenas:
            self._arenas[index] = self._read_arena(index)
        return self._arenas[index]

    def _read_arena(self, index: int) -> Arena | None:
        if index >> (self._l1_bits + self._l2_bits):
            return None
        l1, l2 = index >> self._l2_bits, index & ((1 << self._l2_bits) - 1)
        try:
            table = u64(self._memory, self.record.at("arenas") + _WORD * l1)
            address = u64(self._memory, table + _WORD * l2) if table else 0
        except UnreadableError:
            return None
        base = self._arena_base(index)
        return Arena(index, base, base + self._arena_bytes, address) if address else None

    @cached_property
    def arena_table(self) -> tuple[int, int]:
        """[low, high) of the second-level arena index (64-bit Linux has a single one)."""
        low = u64(self._memory, self.record.at("arenas"))
        return low, low + (_WORD << self._l2_bits)

    @cached_property
    def arenas(self) -> tuple[Arena, ...]:
        """Every arena, in address order."""
        return self._arenas_of(self._listed() | self._of_users())

    @cached_property
    def user_arenas(self) -> tuple[Arena, ...]:
        """Those of package arena: in chunks, of which the page allocator knows nothing."""
        return self._arenas_of(self._of_users())

    def _arenas_of(self, indexes: Iterable[int]) -> tuple[Arena, ...]:
        arenas = (self.arena_at(self._arena_base(i)) for i in sorted(indexes))
        return tuple(a for a in arenas if a)

    def arena_ranges(self, *, users: bool = True) -> tuple[tuple[int, int], ...]:
        """[low, high) of all arenas, or but for `user_arenas`, neighbours joined: a few small
        reads, whatever their number.

        Raises UnreadableError.
        """
        ranges: list[tuple[int, int]] = []
        indexes = self._listed() | self._of_users() if users else self._listed()
        for low in sorted(map(self._arena_base, indexes)):
            if ranges and ranges[-1][1] == low:
                ranges[-1] = (ranges[-1][0], low + self._arena_bytes)
            else:
                ranges.append((low, low + self._arena_bytes))
        return tuple(ranges)

    def _listed(self) -> set[int]:
        return listed(self._memory, self._layout, self.address)

    def _of_users(self) -> set[int]:
        first = ((USER_ARENAS - self._base_offset) & _ADDRESS_MASK) // self._arena_bytes
        return of_users(self._memory, self._layout, self.address, self.arena_table, first)

    def span_at(self, address: int) -> Span | None:
        """The span that covers an address, in use or manual; None for free pages and outside."""
        arena = self.arena_at(address)
        if arena is None:
            return None
        page = (address - arena.base) // self.page_size
        at = arena.address + self._layout.offset("heapArena", "spans") + _WORD * page
        try:
            pointer = u64(self._memory, at)
        except UnreadableError:
            return None
        span = self.span(pointer) if pointer else None
        # The arena keeps the pointer to a span after its pages were freed.
        if span and span.state != self._layout.constants["mSpanDead"]:
            return span if span.base <= address < span.end else None
        return None

    def span(self, pointer: int) -> Span | None:
        """The mspan at `pointer`; None where it cannot be read."""
        if pointer not in self._spans:
            try:
                record = read_record(self._memory, self._layout.struct("mspan"), pointer)
                self._spans[pointer] = self.decode(record)
            except UnreadableError:
                self._spans[pointer] = None
        return self._spans[pointer]

    def decode(self, record: Record) -> Span:
        npages = record["npages"]
        return Span(
            address=record.address,
            base=record["startAddr"],
            npages=npages,
            size=npages * self.page_size,
            state=record["state"],
            spanclass=record["spanclass"],
            elemsize=record["elemsize"],
            nelems=record["nelems"],
            freeindex=record["freeindex"],
            alloc_bits=record["allocBits"],
            alloc_count=record["allocCount"],
            limit=record["limit"],
            large_type=record.get("largeType"),
            sweepgen=record["sweepgen"],
            user_arena=bool(record["isUserArenaChunk"]),
        )

    def scavenged_runs(self, low: int, high: int) -> Iterator[tuple[int, int, bool]]:
        """[low, high), free pages, in runs (low, high, scavenged): whether the runtime has given
        their memory back to the system (pallocData.scavenged, mpallocbits.go: two bitmaps a
        chunk, one bit a page)."""
        pages, at = self._layout.constants["pallocChunkPages"], low
        start, known = low, False
        while at < high:
            chunk, bit = divmod(self.page_number(at), pages)
            left = min(pages - bit, -(-(high - at) // self.page_size))
            for length, given in bit_runs(self._scavenged_bits(chunk) >> bit, left):
                if given != known and at > start:
                    yield start, at, known
                    start = at
                known, at = given, at + length * self.page_size
        if high > start:
            yield start, high, known

    def page_number(self, address: int) -> int:
        """Counted as the page allocator does."""
        return ((address - self._base_offset) & _ADDRESS_MASK) // self.page_size

    def _scavenged_bits(self, chunk: int) -> int:
        """A bit for each page of a chunk; none where they cannot be read."""
        constants = self._layout.constants
        size, second = constants["pallocChunkPages"] // 8, constants["pallocChunksL2Bits"]
        try:
            table = u64(self._memory, self.record.at("pages.chunks") + _WORD * (chunk >> second))
            if not table:  # no page of it was ever taken into use, so none is backed
                return (1 << 8 * size) - 1
            data = table + (chunk & ((1 << second) - 1)) * 2 * size
            return int.from_bytes(self._memory.read(data + size, size), "little")
        except UnreadableError:
            return 0

    def all_spans(self) -> Iterator[Span]:
        """Every span of mheap_.allspans. Raises UnreadableError where the list is not there."""
        for record in read_records(
            self._memory, self._layout.struct("mspan"), self.span_pointers()
        ):
            yield self.decode(record)

    def span_pointers(self) -> Sequence[int]:
        """Addresses of every mspan (mheap_.allspans)."""
        at, count = self.record["allspans"], self.record.word("allspans", 1)
        if count > SPAN_LIMIT:
            raise UnreadableError(
                at, count * _WORD, f"mheap_.allspans claims {counted(count, 'span')}"
            )
        raw = self._memory.read(at, count * _WORD) if count else b""
        return memoryview(raw).cast("Q").tolist()

    def is_faulted(self, span: Span) -> bool:
        """A chunk of an arena that the program freed: it is address space only, and stays in use
        until nothing points at it any more (setUserArenaChunkToFault, arena.go)."""
        return span.user_arena and span.noscan

    def in_use(self, span: Span) -> bool:
        return span.state == self._layout.constants["mSpanInUse"]

    def is_manual(self, span: Span) -> bool:
        """Stacks, and other memory that the runtime manages by hand."""
        return span.state == self._layout.constants["mSpanManual"]

    def object_at(self, span: Span, address: int) -> HeapObject | None:
        """The object slot at an address of a span in use; None in the tail that holds none.

        An object is allocated if its index is below freeindex or its bit in allocBits is set
        (mspan.isFree, mbitmap.go).
        """
        if not span.elemsize or (span.size_class and address >= span.base + self._used(span)):
            return None
        index = (address - span.base) // span.elemsize if span.size_class else 0
        base = span.base + index * span.elemsize
        return HeapObject(
            span, index, base, span.elemsize, address - base, self._allocated(span, index)
        )

    def survived(self, span: Span, index: int) -> bool:
        """Whether the last collection found the object of a slot alive: until the next one a
        span's allocation bits are what that marked (mspan.allocBits, mheap.go)."""
        try:
            byte = self._memory.read(span.alloc_bits + index // 8, 1)[0]
        except UnreadableError:
            return False
        return bool(byte >> (index % 8) & 1)

    def _used(self, span: Span) -> int:
        return span.elemsize * span.nelems

    def _allocated(self, span: Span, index: int) -> bool:
        # What lies behind freeindex was not looked at yet by the allocator: there the marks of the
        # last collection say which slots are taken.
        return index < span.freeindex or self.survived(span, index)


def bit_runs(bits: int, count: int) -> Iterator[tuple[int, bool]]:
    """The lowest `count` bits, lowest first, as lengths of equal ones."""
    while count > 0:
        now = bool(bits & 1)
        other = ~bits if now else bits
        length = min(count, (other & -other).bit_length() - 1 if other else count)
        yield length, now
        bits, count = bits >> length, count - length
