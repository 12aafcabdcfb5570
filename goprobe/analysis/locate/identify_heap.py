"""Addresses in the arenas of Go's heap: objects, goroutines' stacks, free pages."""

from __future__ import annotations

from functools import cached_property

from goprobe.analysis.locate.identify_base import AddressSpace
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import Detail, Kind, Location, RuntimeUse
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.heap import HeapObject, Span
from goprobe.runtime.stacks.stacks import Stacks

_STACK_ORDERS = 4


class InHeap:
    """By arena and span (src/runtime/mheap.go), then by slot or by goroutine."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._world = space.world

    def identify(self, address: int) -> Location | None:
        heap = self._world.heap
        try:
            arena = heap.arena_at(address)
        except UnreadableError:
            return None
        if arena is None:
            return None
        span = heap.span_at(address)
        if span is None:
            return self._free_pages(address, f"arena [{arena.base:#x}, {arena.end:#x})")
        if heap.is_manual(span):
            return self._stack(address, span)
        return self._object(address, span)

    def _free_pages(self, address: int, arena: str) -> Location:
        mapping = self._space.mapping_at(address)
        reserved = mapping is None or mapping.perms.startswith("---")
        name = "heap address space not in use" if reserved else RuntimeUse.FREE_PAGES
        detail: Detail = {} if reserved else {"what": RuntimeUse.FREE_PAGES}
        return self._space.location(
            Kind.RESERVED if reserved else Kind.RUNTIME,
            address,
            name,
            detail,
            "no span in use covers this page",
            arena,
        )

    def _object(self, address: int, span: Span) -> Location:
        object_ = self._world.heap.object_at(span, address)
        about = (
            f"mspan {span.address:#x} state=mSpanInUse class {span.size_class} "
            f"{'noscan ' if span.noscan else ''}[{span.base:#x}, {span.end:#x})"
        )
        detail: Detail = {
            "span": Address(span.base),
            "size_class": span.size_class,
            "noscan": span.noscan,
        }
        if object_ is None:
            detail |= {"what": "span tail"}
            return self._space.location(
                Kind.RUNTIME, address, "the tail of a span, past its last object", detail, about
            )
        header, rtype = self._type_of(object_)
        detail |= {
            "object": Address(object_.base),
            "object_size": object_.size,
            "index": object_.index,
            "offset": object_.offset,
            "allocated": object_.allocated,
        }
        bit = f"object {object_.index} of {span.nelems}: " + (
            f"allocated ({self._why_allocated(span, object_.index)})"
            if object_.allocated
            else "free (its index is not below freeindex and its bit in allocBits is clear)"
        )
        evidence = [about, bit]
        if header:
            detail["header"] = header
        if rtype and object_.allocated:
            detail["type"] = self._world.typedata.name(rtype)
            how = "its malloc header" if header else "mspan.largeType"
            evidence.append(f"{how} names the type {detail['type']}")
        name = _object_name(object_, header, detail, tiny=self._is_tiny(span))
        if self._is_tiny(span):
            detail["tiny"] = True
            evidence.append("its span class is the tiny allocator's: one value, or smaller ones")
        return self._space.location(Kind.HEAP, address, name, detail, *evidence)

    def _is_tiny(self, span: Span) -> bool:
        return span.spanclass == self._world.layout.constants["tinySpanClass"]

    def _type_of(self, object_: HeapObject) -> tuple[int, int]:
        """(bytes of its malloc header, its type descriptor), 0 where there is none.

        Objects with pointers over 512 bytes and up to 32 KiB begin with a pointer to their type,
        larger ones have it in the span (since Go 1.22; src/runtime/mbitmap.go, heapSetType).
        """
        span, constants = object_.span, self._world.layout.constants
        smallest = constants.get("minSizeForMallocHeader")
        if smallest is None or span.noscan:
            return 0, 0
        if not span.size_class:
            return 0, span.large_type
        if span.elemsize <= smallest:
            return 0, 0
        try:
            return constants["mallocHeaderSize"], u64(self._world.memory, object_.base)
        except UnreadableError:
            return constants["mallocHeaderSize"], 0

    def _why_allocated(self, span: Span, index: int) -> str:
        if index < span.freeindex:
            return f"index < freeindex {span.freeindex}"
        return "its bit in allocBits is set"

    def _stack(self, address: int, span: Span) -> Location:
        goroutine = self._world.goroutines.owner_of(address)
        about = f"mspan {span.address:#x} state=mSpanManual [{span.base:#x}, {span.end:#x})"
        if goroutine is None:
            what = self._manual_use(span)
            detail: Detail = {"what": what, "span": Address(span.base)}
            return self._space.location(
                Kind.RUNTIME,
                address,
                what,
                detail,
                about,
                self._world.goroutines.broken or "no goroutine's stack covers it",
            )
        sp = self.stack_pointer(goroutine)
        detail = {
            "goroutine": goroutine.id,
            "low": Address(goroutine.low),
            "high": Address(goroutine.high),
            "from_high": goroutine.high - address,
            "live": not goroutine.dead and address >= sp,
            "status": goroutine.status,
        }
        below = goroutine.high - address
        name = f"stack of goroutine {goroutine.id}, {below:#x} below its top"
        if goroutine.dead:
            name += " (the goroutine is dead)"
        elif address < sp:
            name += " (unused, below its stack pointer)"
        fact = f"g {goroutine.id} stack [{goroutine.low:#x}, {goroutine.high:#x}) sp {sp:#x}"
        return self._space.location(Kind.GOROUTINE_STACK, address, name, detail, fact, about)

    def stack_pointer(self, goroutine: Goroutine) -> int:
        """Where a goroutine's stack is used down to: its thread's register while that is on it,
        else as far as a walk of the thread's stacks, or what the scheduler saved, tells."""
        if goroutine.m:
            thread = next(
                (t for t in self._world.goroutines.threads if t.address == goroutine.m), None
            )
            registers = self._world.threads.get(thread.tid) if thread else None
            if registers and goroutine.low <= registers.sp < goroutine.high:
                return registers.sp
        return self._stacks.stack_pointer(goroutine)

    @cached_property
    def _stacks(self) -> Stacks:
        return Stacks(self._world)

    @cached_property
    def _pooled_spans(self) -> set[int]:
        """Spans whose free stacks wait in the global pool (runtime.stackpool)."""
        spans: set[int] = set()
        at = self._world.roots.get("stackpool", 0)
        try:
            for order in range(_STACK_ORDERS):
                # stackpoolItem: a mutex, then an mSpanList; padded to a cache line (stack.go).
                span = u64(self._world.memory, at + 64 * order + 8)
                while span and span not in spans and len(spans) < 1 << 16:
                    spans.add(span)
                    span = u64(
                        self._world.memory,
                        span + self._world.layout.offset("mspan", "next"),
                    )
        except UnreadableError:
            pass
        return spans

    def _manual_use(self, span: Span) -> str:
        if span.address in self._pooled_spans or span.elemsize:
            return RuntimeUse.STACK_CACHE
        return RuntimeUse.FREE_MANUAL_SPAN


def _object_name(object_: HeapObject, header: int, detail: Detail, *, tiny: bool) -> str:
    # A value of 16 bytes is one object there, smaller ones share (mallocgcTiny, malloc.go).
    what = "slot" if tiny else "object" if object_.allocated else "free slot"
    into = object_.offset - header
    inside = f", {into:#x} into it" if into > 0 else ", its malloc header" if into < 0 else ""
    kind = f" ({detail['type']})" if "type" in detail else ""
    return f"{object_.size}-byte heap {what}{kind}{inside}"
