"""The runtime's globals in a binary without symbols, found by what they are.

Released Go programs carry neither debug information nor symbols. Their runtime structures are laid
out as in every program of the same Go release (`shipped`), and each root can be told by invariants
that nothing else meets; the heap's own self-check proves the find. Roots are link-time addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from goprobe.binary.cache import cached, room_of
from goprobe.binary.elf.parts import Derived, loaded_parts
from goprobe.binary.pcln.find import find_module_head
from goprobe.binary.pcln.format import MAGIC
from goprobe.budget import BASE, Budget
from goprobe.counts import counted
from goprobe.elfheaders import PF_W, PT_LOAD
from goprobe.errors import NotGoError, UnreadableError
from goprobe.process.memory.memory import Memory, u32, u64
from goprobe.process.memory.metered import MeteredMemory
from goprobe.runtime import codedroots, dataareas, statsroots
from goprobe.runtime.codedroots import CodedRoots
from goprobe.runtime.dataareas import Area, Words, aligned, covering, inside, slices
from goprobe.runtime.goroutines.goroutines import FIRST_WAIT_REASON
from goprobe.runtime.heap.grouping import contained, distinct
from goprobe.runtime.heap.heap import Heap, Span
from goprobe.runtime.image.program import FACTS_ROOM, GoProgram
from goprobe.runtime.layout.layout import Facts, Layout
from goprobe.runtime.layout.record import Record, read_record, read_records
from goprobe.runtime.layout.shipped import shipped_layouts
from goprobe.runtime.statsroots import StatsRoots

ROOM = room_of(FACTS_ROOM, __file__, codedroots.__file__, dataareas.__file__, statsroots.__file__)
_PROBES = 16
_PASSES = 64  # how often any byte of the program's data may be looked at
_DATA_LIMIT = 1 << 28
_WAIT_REASON = FIRST_WAIT_REASON.encode()
_PERSISTENT_CHUNK = 256 << 10  # persistentChunkSize, malloc.go, Go 1.21 to 1.27
_GC_ARENA = 64 << 10  # gcBitsChunkBytes, mheap.go, Go 1.21 to 1.27
_PAGE, _MOST_PAGES = 8192, 1 << 24  # _PageSize, sizeclasses.go, Go 1.21 to 1.27; 128 GiB
_MOST_GOROUTINES = 1 << 24
_MALLOC_HEADER = 8  # before objects of 512 bytes to 32 KiB that hold pointers, Go 1.22 on


def stripped_facts(program: GoProgram, memory: Memory, bias: int, *, shown_by: str) -> Facts:
    """Layout and roots of a stripped binary whose process is running, cached by its contents.

    A process may be made to look as if its roots were elsewhere, and a core be damaged without a
    trace: what was found is asked of what is named alike only, and each time it must hold.
    `shown_by` names the owner of a process (a user's number), or one core; "" what may change
    unseen, of which nothing is kept.
    Raises CannotWorkError (no layout for its Go release), NotGoError (roots not found).
    """
    layouts = shipped_layouts(program.go, program.info.settings.get("GOEXPERIMENT", ""))

    def make() -> Facts:
        finders = [Finder(program, layout, memory, bias) for layout in layouts]
        facts = [Facts(finder.layout, finder.roots()) for finder in finders]
        # Where it is one of several, the one by which most of the runtime's threads are found.
        best = max(range(len(facts)), key=lambda i: finders[i].threads)
        return facts[best]

    def holds(facts: Facts) -> bool:
        here = {name: address + bias for name, address in facts.roots.items()}
        return Finder(program, facts.layout, memory, bias).holds(here)

    if not shown_by:
        return make()
    return cached(ROOM, facts_source(program, shown_by), Facts, make, holds=holds)


def facts_source(program: GoProgram, shown_by: str) -> Derived:
    """What decides what is found."""
    return Derived(loaded_parts(program.elf), f"{program.go} {shown_by}")


class Finder:
    """Looks for the runtime's globals in the memory of one process, by one layout."""

    def __init__(self, program: GoProgram, layout: Layout, memory: Memory, bias: int) -> None:
        self.layout = layout
        self._elf = program.elf
        self._coded = CodedRoots(program.elf, program.lines)
        self.bias = bias
        self.name = program.elf.shown_as
        loads = [s for s in program.elf.segments if s.type == PT_LOAD and s.flags & PF_W]
        data = min(sum(s.size for s in loads), _DATA_LIMIT)
        self._memory: Memory = MeteredMemory(memory, Budget(BASE + _PASSES * data, self._endless))
        self.threads = 0
        """How many the list of threads has, known once the roots are found."""

    def _endless(self) -> NotGoError:
        return NotGoError(f"{self.name} is stripped, and looking for its runtime would not end")

    def holds(self, roots: dict[str, int]) -> bool:
        """Whether the roots that another process of this binary had are this one's."""
        try:
            header = u64(self._memory, roots["firstmoduledata"])
            magic = u32(self._memory, header)
            spans = roots["mheap_"] + self.layout.offset("mheap", "allspans")
            heap = Heap(self._memory, self.layout, roots["mheap_"])
            return (
                magic == MAGIC
                and self._is_mheap(roots["mheap_"], *self._slice(spans))
                and self._are_goroutines(
                    *self._slice(roots["allgs"]), u64(self._memory, roots["allgs"] + 16), heap
                )
                and self._threads(u64(self._memory, roots["allm"]), most=1) > 0
                and self._is_wait_reason(roots.get("waitReasonStrings", 0))
            )
        except (UnreadableError, KeyError):
            return False

    def _slice(self, address: int) -> tuple[int, int]:
        """Pointer and length."""
        return u64(self._memory, address), u64(self._memory, address + 8)

    def roots(self) -> dict[str, int]:
        """Link-time addresses of the runtime's globals.

        Raises NotGoError where the heap or the goroutines cannot be found beyond doubt.
        """
        try:
            return {name: address - self.bias for name, address in self._run().items()}
        except UnreadableError as error:
            raise NotGoError(
                f"{self.name} is stripped, and its runtime was not found in the process: {error}"
            ) from None

    def _run(self) -> dict[str, int]:
        head = find_module_head(self._elf)
        if head is None:
            raise NotGoError(f"{self.name} is stripped, and its module data was not found")
        at = head.address + self.bias
        self._module = read_record(self._memory, self.layout.struct("moduledata"), at)
        areas = list(self._areas())
        roots = {"firstmoduledata": at}
        roots["mheap_"] = self._only("mheap_", self._mheaps(areas))
        heap = Heap(self._memory, self.layout, roots["mheap_"])
        roots["allgs"] = self._only("allgs", self._allgs(areas, heap))
        roots["allm"] = self._allm(areas)
        optional = {
            "waitReasonStrings": self._wait_reasons(areas),
            "persistentChunks": self._persistent_chunks(areas, heap),
            "gcBitsArenas": self._gc_bits_arenas(areas, heap),
        }
        coded = self._coded.queues(self.layout) | self._coded.profiles()
        optional |= {name: address + self.bias for name, address in coded.items()}
        plain = self._module["noptrbss"], self._module["enoptrbss"]
        stats = StatsRoots(self._coded, self.layout, self._memory, roots, self.bias, plain)
        optional |= stats.found()
        return roots | {name: address for name, address in optional.items() if address}

    def _only(self, name: str, candidates: Iterator[int]) -> int:
        only = sorted(set(candidates))
        if len(only) != 1:
            how = "not found" if not only else f"found at {counted(len(only), 'place')}"
            raise NotGoError(f"{self.name} is stripped, and runtime.{name} was {how}")
        return only[0]

    def _areas(self) -> Iterator[Area]:
        for low, high in (
            ("noptrdata", "enoptrdata"),
            ("data", "edata"),
            ("bss", "ebss"),
            ("noptrbss", "enoptrbss"),
        ):
            start, end = self._module[low] & ~7, self._module[high]
            size = (end - start) & ~7
            if not 0 < size <= _DATA_LIMIT:
                continue
            try:
                raw = self._memory.read(start, size)
            except UnreadableError:
                continue
            yield Area(start, np.frombuffer(raw, np.uint64))

    # The heap

    def _mheaps(self, areas: Sequence[Area]) -> Iterator[int]:
        offset = self.layout.offset("mheap", "allspans")
        for area in areas:
            every = slices(area, 1 << 26)
            for index in every[self._lead_to_spans(area.words[every])]:
                at = area.address(index)
                if self._is_mheap(at - offset, int(area.words[index]), int(area.words[index + 1])):
                    yield at - offset

    def _lead_to_spans(self, lists: Words) -> NDArray[np.bool_]:
        """Of each list of pointers whether its first one may lead to a span, as `_is_span` has it.
        All are asked at once: a large program has tens of thousands that do not."""
        first = self._words_at(lists)
        fields = ("startAddr", "npages")
        base, npages = (
            self._words_at(first + np.uint64(self.layout.offset("mspan", name))) for name in fields
        )
        some = (first > 4096) & (npages <= _MOST_PAGES) & (base % _PAGE == 0)
        return np.asarray(some & ((base != 0) == (npages != 0)))

    def _is_mheap(self, mheap: int, spans: int, count: int) -> bool:
        """allspans leads to spans that the arena index, found beside it, leads to as well."""
        try:
            raw = self._memory.read(spans, 8 * min(count, _PROBES))
            heap = Heap(self._memory, self.layout, mheap)
            live: list[Span] = []
            for pointer in np.frombuffer(raw, np.uint64).tolist():
                span = heap.span(pointer)
                if span is None or not self._is_span(span):
                    return False  # at the first that is none: most candidates are nothing
                if span.state:
                    live.append(span)
            return bool(live) and all(self._indexed(heap, s) for s in live)
        except UnreadableError:
            return False

    def _is_span(self, span: Span) -> bool:
        if span.state > 2 or span.npages > _MOST_PAGES:
            return False
        return span.base % _PAGE == 0 and bool(span.base) == bool(span.npages)

    def _indexed(self, heap: Heap, span: Span) -> bool:
        there = heap.span_at(span.base)
        return there is not None and there.address == span.address

    # Goroutines and threads

    def _allgs(self, areas: Sequence[Area], heap: Heap) -> Iterator[int]:
        """The slice of all gs. While the collector marks it keeps a snapshot of it
        (work.stackRoots, cut to its length: allGsSnapshot, proc.go), which is never longer and has
        no room behind its end. Where the slice has none either, the code tells them apart."""
        lists: dict[int, tuple[int, int]] = {}
        for area in areas:
            for index in slices(area, _MOST_GOROUTINES):
                pointer, count, capacity = area.words[index : index + 3].tolist()
                if self._are_goroutines(pointer, count, capacity, heap):
                    lists[area.address(index)] = count, capacity
        most = max(lists.values(), default=(0, 0))
        like = [at for at, size in lists.items() if size == most]
        yield from self._used_by("runtime.allgadd", like, 3) if len(like) > 1 else like

    def _used_by(self, function: str, candidates: Sequence[int], words: int) -> list[int]:
        """Those of some places of which a function uses each word; all where it has no code."""
        used = {address + self.bias for address in self._coded.used(function)}
        if not used:
            return list(candidates)
        return [at for at in candidates if used.issuperset(range(at, at + 8 * words, 8))]

    def _are_goroutines(self, pointer: int, count: int, capacity: int, heap: Heap) -> bool:
        """Whether a slice that append made lists goroutines, its first ones and its last."""
        if count > _MOST_GOROUTINES or not self._has_room(pointer, capacity, heap):
            return False
        some = min(count, _PROBES)
        last = pointer + 8 * max(some, count - _PROBES)
        try:
            raw = self._memory.read(pointer, 8 * some)
            raw += self._memory.read(last, pointer + 8 * count - last)
        except UnreadableError:
            return False
        ids: list[int] = []
        for pointer in np.frombuffer(raw, np.uint64):
            g = self._goroutine(int(pointer), heap)
            if g is None:
                return False
            ids.append(g["goid"])
        # The first need not be goroutine 1: where main.main does not run (c-shared), or left by
        # Goexit, another has its g by now. One that was never used has no number yet.
        used = [number for number in ids if number]
        return len(ids) > 1 and len(set(used)) == len(used) > 0

    def _has_room(self, pointer: int, capacity: int, heap: Heap) -> bool:
        """Whether so many words fit an object that begins here, perhaps behind a header."""
        span = heap.span_at(pointer)
        if span is None or not span.elemsize:
            return False
        begins = (pointer - span.base) % span.elemsize
        return begins <= _MALLOC_HEADER and begins + 8 * capacity <= span.elemsize

    def _goroutine(self, pointer: int, heap: Heap) -> Record | None:
        """What stands where an object of a g's size begins, if it makes sense as a g."""
        span, size = heap.span_at(pointer), self.layout.struct("g").size
        if span is None or not size <= span.elemsize < 2 * size:
            return None
        if (pointer - span.base) % span.elemsize:
            return None
        try:
            g = read_record(self._memory, self.layout.struct("g"), pointer)
        except UnreadableError:
            return None
        status = g["atomicstatus"] & ~self.layout.constants["_Gscan"]
        sane = g["stack.lo"] <= g["stack.hi"] < 1 << 47 and status < 16 and g["goid"] < 1 << 48
        return g if sane else None

    def _allm(self, areas: Sequence[Area]) -> int:
        """The word that leads to the longest list of threads."""
        best, longest = 0, 0
        some = distinct(np.concatenate([self._some_threads(area.words) for area in areas]))
        for area in areas:
            for index in np.flatnonzero(contained(area.words, some)):
                length = self._threads(int(area.words[index]))
                if length > longest:
                    best, longest = area.address(index), length
        if not best:
            raise NotGoError(f"{self.name} is stripped, and runtime.allm was not found")
        self.threads = longest
        return best

    def _some_threads(self, words: Words) -> Words:
        """Those of some words that may lead to an m, as its g0 leads back to it. All are asked
        at once: a large program has tens of thousands."""
        words = distinct(words[(words > 4096) & (words < 1 << 47) & (words & np.uint64(7) == 0)])
        g0s = self._words_at(words + np.uint64(self.layout.offset("m", "g0")))
        words, g0s = words[g0s > 4096], g0s[g0s > 4096]
        leads_back = self._words_at(g0s + np.uint64(self.layout.offset("g", "m"))) == words
        threads: Words = words[leads_back]
        return threads

    def _words_at(self, addresses: Words) -> Words:
        """The word at each address, 0 where none can be read."""
        words = self._memory.read_many([(at, 8) for at in addresses.tolist()])
        return np.frombuffer(b"".join(word or bytes(8) for word in words), np.uint64)

    def _threads(self, pointer: int, most: int = 1 << 16) -> int:
        """How many threads the list has that begins with this one, `most` at most."""
        struct = self.layout.struct("m")
        seen: set[int] = set()
        while pointer and pointer not in seen and len(seen) < most:
            try:
                m = read_record(self._memory, struct, pointer)
                if u64(self._memory, m["g0"] + self.layout.offset("g", "m")) != pointer:
                    break
            except UnreadableError:
                break
            seen.add(pointer)
            pointer = m["alllink"]
        return len(seen)

    # What else helps

    def _wait_reasons(self, areas: Sequence[Area]) -> int:
        for area in areas:
            for index in np.flatnonzero(area.words == len(_WAIT_REASON)):
                # The array begins with the empty reason, one string header before this one.
                address = area.address(index) - 24
                if index >= 3 and self._is_wait_reason(address):
                    return address
        return 0

    def _is_wait_reason(self, strings: int) -> bool:
        """Whether the second of these strings is the one that it must be; true of none at all."""
        try:
            at, size = self._slice(strings + 16) if strings else (0, 0)
            known = size == len(_WAIT_REASON) and self._memory.read(at, size) == _WAIT_REASON
            return known or not strings
        except UnreadableError:
            return False

    def _persistent_chunks(self, areas: Sequence[Area], heap: Heap) -> int:
        """The word that leads to the chain of chunks in which all span metadata lies."""
        try:
            spans = np.array(heap.span_pointers(), np.uint64)
        except UnreadableError:
            return 0
        chunks = covering(self._memory, areas, spans, _PERSISTENT_CHUNK)
        return chunks[0] if len(chunks) == 1 else 0

    def _gc_bits_arenas(self, areas: Sequence[Area], heap: Heap) -> int:
        """The struct is a lock, then free, next, current, previous; mark bits come from `next`,
        and all of the four lists together hold all bits (mheap.go)."""
        struct = self.layout.struct("mspan")
        try:
            records = read_records(self._memory, struct, heap.span_pointers())
            marks, allocs = (
                np.array([r[bits] for r in records if r[bits]], np.uint64)
                for bits in ("gcmarkBits", "allocBits")
            )
        except UnreadableError:
            return 0
        link = self.layout.offset("gcBitsArena", "next")
        marks, every = np.sort(marks), np.sort(np.concatenate([marks, allocs]))
        arenas = []
        for at, words in aligned(areas):
            if inside(self._memory, words[2], marks, _GC_ARENA, link) * 2 <= len(marks):
                continue
            lists = {word for word in words[1:] if word}
            if sum(inside(self._memory, low, every, _GC_ARENA, link) for low in lists) >= len(
                every
            ):
                arenas.append(at)
        return arenas[0] if len(arenas) == 1 else 0
