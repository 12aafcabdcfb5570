"""What an address is: the one place that answers it, for every kind, with evidence.

Each identifier looks at one kind of bookkeeping; the first that knows the address, in order of
how much it says, gives the answer, and the others that know it give its further identities.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property, lru_cache
from pathlib import PurePath

from goprobe.analysis.images import Images
from goprobe.binary.elf import SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS, Section
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import Detail, Kind, Location
from goprobe.process.maps import Mapping
from goprobe.process.memory import u64
from goprobe.runtime.goroutines import Goroutine
from goprobe.runtime.heap import HeapObject, Span
from goprobe.runtime.regions import RuntimeRegion, runtime_regions
from goprobe.runtime.world import World

_SECTION_KINDS = {".data.rel.ro": Kind.RODATA, ".got": Kind.RODATA}
_MODULE_KINDS = {
    "text": Kind.TEXT, "rodata": Kind.RODATA, "noptrdata": Kind.DATA, "data": Kind.DATA,
    "bss": Kind.BSS, "noptrbss": Kind.BSS, "covctrs": Kind.BSS,
}  # fmt: skip
_STACK_ORDERS = 4


class Locator:
    """Answers for one stop of one process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.images = Images(world)
        self._memory = world.memory
        self._identifiers = (
            self._system_stack, self._static, self._plugin, self._heap, self._runtime,
            self._mapping,
        )  # fmt: skip
        self.locate = lru_cache(maxsize=65536)(self._locate)

    def _locate(self, address: int) -> Location:
        """The most specific identity of an address."""
        for identify in self._identifiers:
            found = identify(address)
            if found is not None:
                return found
        return self._location(
            Kind.UNMAPPED, address, "not mapped", {}, "in no mapping of the process"
        )

    def locate_all(self, address: int) -> tuple[Location, ...]:
        """Every identity of an address, most specific first."""
        *specific, _ = self._identifiers
        found = [f for identify in specific if (f := identify(address)) is not None]
        found += self._structures(address)
        return tuple(found) or (self.locate(address),)

    def _structures(self, address: int) -> list[Location]:
        """A goroutine's own g struct is a heap object too; say whose it is."""
        for g in self.world.goroutines.known:
            if g.address <= address < g.address + self.world.layout.struct("g").size:
                detail: Detail = {"what": "g struct", "goroutine": g.id}
                return [
                    self._location(
                        Kind.RUNTIME, address, f"the g struct of goroutine {g.id}", detail,
                        f"runtime.allgs lists a g at {g.address:#x}",
                    )
                ]  # fmt: skip
        return []

    def _location(
        self, kind: Kind, address: int, name: str, detail: Detail, *evidence: str
    ) -> Location:
        mapping = self.mapping_at(address)
        last = (_described(mapping),) if mapping else ()
        return Location(kind, Address(address), name, detail, (*evidence, *last))

    # Mappings of the kernel

    @cached_property
    def _mapping_lows(self) -> list[int]:
        return [m.low for m in self.world.mappings]

    def mapping_at(self, address: int) -> Mapping | None:
        at = bisect_right(self._mapping_lows, address)
        found = self.world.mappings[at - 1] if at else None
        return found if found and address < found.high else None

    @cached_property
    def _has_c(self) -> bool:
        """Whether C code lives in the process: a libc is mapped, or the runtime says cgo."""
        at = self.world.roots.get("iscgo")
        try:
            if at and self._memory.read(at, 1) != b"\0":
                return True
        except UnreadableError:
            pass
        return any("/libc" in m.path or "/ld-musl" in m.path for m in self.world.mappings)

    def _mapping(self, address: int) -> Location | None:
        m = self.mapping_at(address)
        if m is None:
            return None
        detail: Detail = {"low": Address(m.low), "high": Address(m.high), "perms": m.perms}
        if m.path in ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]"):
            return self._location(Kind.VDSO, address, f"the kernel's {m.path}", detail)
        if self._in_own_image(address):
            return self._between_sections(m, address, detail)
        if m.is_file and m.path:
            detail["path"] = m.path
            name = PurePath(m.path).name
            if (m.device, m.inode) in self.images.executable_inodes:
                return self._location(Kind.LIBRARY, address, f"{name} ({m.perms})", detail)
            return self._location(Kind.FILE, address, f"mapped file {name}", detail)
        if m.path.startswith("[stack"):
            detail |= {"thread": self.world.pid, "which": "os"}
            return self._location(
                Kind.SYSTEM_STACK, address, "the kernel's stack of the main thread", detail
            )
        if m.perms.startswith("---"):
            return self._location(
                Kind.RESERVED, address, "reserved address space, no memory behind it", detail
            )
        return self._anonymous(m, address, detail)

    def _between_sections(self, m: Mapping, address: int, detail: Detail) -> Location:
        binary = PurePath(self.world.program.elf.shown_as).name
        writable = "w" in m.perms
        kind = Kind.RODATA if not writable else Kind.DATA if m.is_file else Kind.BSS
        detail["what"] = "headers and padding"
        return self._location(
            kind, address, f"{binary}, outside its sections (headers, padding)", detail,
            f"the loaded image of {binary} covers it, none of its sections does",
        )  # fmt: skip

    def _anonymous(self, m: Mapping, address: int, detail: Detail) -> Location:
        thread = next(
            (tid for tid, regs in self.world.threads.items() if m.low <= regs.rsp < m.high), 0
        )
        if thread and self._has_c:
            detail |= {"thread": thread, "which": "os"}
            return self._location(
                Kind.SYSTEM_STACK, address, f"C stack of thread {thread}", detail,
                f"thread {thread}'s stack pointer is in this mapping",
            )  # fmt: skip
        library = None if m.path else self.images.library_at(address)
        if library:
            detail["path"] = library.path
            name = f"{PurePath(library.path).name} (zeroed variables)"
            return self._location(
                Kind.LIBRARY, address, name, detail,
                f"its program headers reach to {library.high:#x}",
            )  # fmt: skip
        if m.path == "[heap]":
            return self._location(Kind.C_HEAP, address, "C heap (brk)", detail)
        if self._has_c:
            return self._location(
                Kind.C_HEAP, address, "C memory (malloc or mmap)", detail,
                "anonymous memory that none of Go's bookkeeping claims, in a process with C code",
            )  # fmt: skip
        detail["what"] = "unidentified"
        return self._location(
            Kind.RUNTIME, address, "anonymous memory that goprobe cannot attribute", detail,
            "none of Go's bookkeeping claims it, and there is no C code in the process",
        )  # fmt: skip

    # Plugins

    def _plugin(self, address: int) -> Location | None:
        module = self.images.plugin_at(address)
        if module is None:
            return None
        code = module.minpc <= address < module.maxpc
        section = "text" if code else module.section_of(address)
        detail: Detail = {"section": f".{section}", "plugin": module.plugin}
        where = f".{section} of plugin {module.plugin}"
        function = self.images.function_at(address) if code else ""
        if function:
            detail["function"] = function
        return self._location(
            _MODULE_KINDS[section], address, f"{function} in {where}" if function else where,
            detail, f"moduledata {module.address:#x} of plugin {module.plugin}",
        )  # fmt: skip

    # The binary

    def section_kind(self, section: Section) -> Kind:
        return _section_kind(section)

    def _in_own_image(self, address: int) -> bool:
        low, high = self.world.program.image
        return low <= address - self.world.bias < high

    def _static(self, address: int) -> Location | None:
        program, bias = self.world.program, self.world.bias
        if not self._in_own_image(address):
            return None
        link = address - bias
        section = program.elf.section_at(link)
        if section is None:
            return None
        binary = PurePath(program.elf.shown_as).name
        kind = _section_kind(section)
        detail: Detail = {"section": section.name}
        evidence = (
            f"section {section.name} of {binary} "
            f"[{section.address + bias:#x}, {section.end + bias:#x})"
        )
        symbol, facts = self._symbol(kind, link)
        if symbol:
            detail["function" if kind == Kind.TEXT else "symbol"] = symbol
        name = f"{symbol} in {section.name}" if symbol else f"{section.name} of {binary}"
        return self._location(kind, address, name, detail, *facts, evidence)

    def _symbol(self, kind: Kind, link: int) -> tuple[str, tuple[str, ...]]:
        program = self.world.program
        if kind == Kind.TEXT:
            name = program.function_name(link)
            return name, (f"function {name} covers it",) if name else ()
        variable = program.debug.global_at(link) if not program.stripped else None
        size = program.debug.types.at(variable.type).size if variable else 0
        symbol = program.elf.symbol_at(link)
        # A variable of no size shares its address with the next one, which is what lies there.
        if variable and variable.address <= link < variable.address + (size or not symbol):
            name = _with_offset(variable.name, link - variable.address)
            return name, (f"global variable {variable.name}, {size} bytes",)
        if symbol:
            name = _with_offset(symbol.name, link - symbol.address)
            return name, (f"symbol {symbol.name}, {symbol.size} bytes",)
        return "", ()

    # Go's heap and stacks

    def _heap(self, address: int) -> Location | None:
        heap = self.world.heap
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
        mapping = self.mapping_at(address)
        reserved = mapping is None or mapping.perms.startswith("---")
        name = "heap address space not in use" if reserved else "free heap pages"
        detail: Detail = {} if reserved else {"what": "free heap pages"}
        return self._location(
            Kind.RESERVED if reserved else Kind.RUNTIME, address, name, detail,
            "no span in use covers this page", arena,
        )  # fmt: skip

    def _object(self, address: int, span: Span) -> Location:
        found = self.world.heap.object_at(span, address)
        about = (
            f"mspan {span.address:#x} state=mSpanInUse class {span.size_class} "
            f"{'noscan ' if span.noscan else ''}[{span.base:#x}, {span.end:#x})"
        )
        detail: Detail = {
            "span": Address(span.base), "size_class": span.size_class, "noscan": span.noscan,
        }  # fmt: skip
        if found is None:
            detail |= {"what": "span tail"}
            return self._location(
                Kind.RUNTIME, address, "the tail of a span, past its last object", detail, about
            )
        header, rtype = self._type_of(found)
        detail |= {
            "object": Address(found.base), "object_size": found.size, "index": found.index,
            "offset": found.offset, "allocated": found.allocated,
        }  # fmt: skip
        bit = f"object {found.index} of {span.nelems}: " + (
            f"allocated ({self._why_allocated(span, found.index)})" if found.allocated else
            "free (its index is not below freeindex and its bit in allocBits is clear)"
        )  # fmt: skip
        evidence = [about, bit]
        if header:
            detail["header"] = header
        if rtype and found.allocated:
            detail["type"] = self.world.typedata.name(rtype)
            how = "its malloc header" if header else "mspan.largeType"
            evidence.append(f"{how} names the type {detail['type']}")
        name = _object_name(found, header, detail, tiny=self._is_tiny(span))
        if self._is_tiny(span):
            detail["tiny"] = True
        return self._location(Kind.HEAP, address, name, detail, *evidence)

    def _is_tiny(self, span: Span) -> bool:
        return span.spanclass == self.world.layout.constants["tinySpanClass"]

    def _type_of(self, found: HeapObject) -> tuple[int, int]:
        """(bytes of its malloc header, its type descriptor), 0 where there is none.

        Objects with pointers over 512 bytes and up to 32 KiB begin with a pointer to their type,
        larger ones have it in the span (since Go 1.22; src/runtime/mbitmap.go, heapSetType).
        """
        span, constants = found.span, self.world.layout.constants
        smallest = constants.get("minSizeForMallocHeader")
        if smallest is None or span.noscan:
            return 0, 0
        if not span.size_class:
            return 0, span.large_type
        if span.elemsize <= smallest:
            return 0, 0
        try:
            return constants["mallocHeaderSize"], u64(self._memory, found.base)
        except UnreadableError:
            return constants["mallocHeaderSize"], 0

    def _why_allocated(self, span: Span, index: int) -> str:
        if index < span.freeindex:
            return f"index < freeindex {span.freeindex}"
        return "its bit in allocBits is set"

    def _stack(self, address: int, span: Span) -> Location:
        goroutine = self.world.goroutines.owner_of(address)
        about = f"mspan {span.address:#x} state=mSpanManual [{span.base:#x}, {span.end:#x})"
        if goroutine is None:
            what = self._manual_use(span)
            detail: Detail = {"what": what, "span": Address(span.base)}
            return self._location(
                Kind.RUNTIME,
                address,
                what,
                detail,
                about,
                self.world.goroutines.broken or "no goroutine's stack covers it",
            )
        sp = self.stack_pointer(goroutine)
        detail = {
            "goroutine": goroutine.id, "low": Address(goroutine.low),
            "high": Address(goroutine.high), "from_high": goroutine.high - address,
            "live": not goroutine.dead and address >= sp, "status": goroutine.status,
        }  # fmt: skip
        below = goroutine.high - address
        name = f"stack of goroutine {goroutine.id}, {below:#x} below its top"
        if goroutine.dead:
            name += " (the goroutine is dead)"
        elif address < sp:
            name += " (unused, below its stack pointer)"
        fact = f"g {goroutine.id} stack [{goroutine.low:#x}, {goroutine.high:#x}) sp {sp:#x}"
        return self._location(Kind.GOROUTINE_STACK, address, name, detail, fact, about)

    def stack_pointer(self, goroutine: Goroutine) -> int:
        """Where a goroutine's stack is used down to: its thread's register while it runs on one,
        else what the scheduler saved."""
        if goroutine.m:
            thread = next(
                (t for t in self.world.goroutines.threads if t.address == goroutine.m), None
            )
            registers = self.world.threads.get(thread.tid) if thread else None
            if registers and goroutine.low <= registers.rsp < goroutine.high:
                return registers.rsp
        return goroutine.sp

    @cached_property
    def _pooled_spans(self) -> set[int]:
        """Spans whose free stacks wait in the global pool (runtime.stackpool)."""
        found: set[int] = set()
        at = self.world.roots.get("stackpool", 0)
        try:
            for order in range(_STACK_ORDERS):
                # stackpoolItem: a mutex, then an mSpanList; padded to a cache line (stack.go).
                span = u64(self._memory, at + 64 * order + 8)
                while span and span not in found and len(found) < 1 << 16:
                    found.add(span)
                    span = u64(self._memory, span + self.world.layout.offset("mspan", "next"))
        except UnreadableError:
            pass
        return found

    def _manual_use(self, span: Span) -> str:
        if span.address in self._pooled_spans or span.elemsize:
            return "stack cache"
        return "manually managed span (free stack or GC work buffers)"

    @cached_property
    def system_stacks(self) -> list[tuple[int, int, int, str]]:
        """(low, high, thread id, which) of every g0 and signal stack."""
        found: list[tuple[int, int, int, str]] = []
        for thread in self.world.goroutines.threads:
            for which, pointer in (("g0", thread.g0), ("gsignal", thread.gsignal)):
                g = self.world.goroutines.at(pointer) if pointer else None
                # A thread that cgo is just creating has low 0 and its stack's size for high
                # (src/runtime/cgo/gcc_linux*.c): not bounds of anything yet.
                if g and 0 < g.low < g.high:
                    found.append((g.low, g.high, thread.tid, which))
        return found

    def _system_stack(self, address: int) -> Location | None:
        for low, high, tid, which in self.system_stacks:
            if low <= address < high:
                detail: Detail = {
                    "thread": tid, "which": which, "low": Address(low), "high": Address(high),
                    "from_high": high - address,
                }  # fmt: skip
                purpose = "scheduler" if which == "g0" else "signal"
                return self._location(
                    Kind.SYSTEM_STACK, address, f"{purpose} stack ({which}) of thread {tid}",
                    detail, f"m with thread {tid}: {which}.stack [{low:#x}, {high:#x})",
                )  # fmt: skip
        return None

    # The runtime's metadata

    @cached_property
    def regions(self) -> tuple[RuntimeRegion, ...]:
        """The runtime's own regions of memory."""
        world = self.world
        return runtime_regions(world.memory, world.layout, world.roots, world.heap)

    @cached_property
    def _mspans(self) -> list[int]:
        try:
            return sorted(self.world.heap.span_pointers())
        except UnreadableError:
            return []

    def _runtime(self, address: int) -> Location | None:
        region = next((r for r in self.regions if r.low <= address < r.high), None)
        at = bisect_right(self._mspans, address)
        size = self.world.layout.struct("mspan").size
        if at and address < self._mspans[at - 1] + size:
            start = self._mspans[at - 1]
            span = self.world.heap.span(start)
            about = f" of span {span.base:#x}" if span else ""
            return self._location(
                Kind.RUNTIME, address, f"span metadata{about}", {"what": "span metadata"},
                f"mspan {start:#x} is in mheap_.allspans",
            )  # fmt: skip
        if region is None:
            return None
        mapping = self.mapping_at(address)
        if mapping and mapping.perms.startswith("---"):
            return self._location(
                Kind.RESERVED, address, f"reserved for {region.what}", {"what": region.what},
                region.how,
            )  # fmt: skip
        return self._location(Kind.RUNTIME, address, region.what, {"what": region.what}, region.how)


def _described(m: Mapping) -> str:
    label = f" {m.path}" if m.path else ""
    return f"/proc map [{m.low:#x}, {m.high:#x}) {m.perms}{label}"


def _object_name(found: HeapObject, header: int, detail: Detail, *, tiny: bool) -> str:
    what = "tiny slot" if tiny else "object" if found.allocated else "free slot"
    into = found.offset - header
    inside = f", {into:#x} into it" if into > 0 else ", its malloc header" if into < 0 else ""
    kind = f" ({detail['type']})" if "type" in detail else ""
    return f"{found.size}-byte heap {what}{kind}{inside}"


def _with_offset(name: str, offset: int) -> str:
    return f"{name}+{offset:#x}" if offset else name


def _section_kind(section: Section) -> Kind:
    for prefix, kind in _SECTION_KINDS.items():
        if section.name.startswith(prefix):
            return kind
    if section.flags & SHF_EXECINSTR:
        return Kind.TEXT
    if not section.flags & SHF_WRITE:
        return Kind.RODATA
    return Kind.BSS if section.type == SHT_NOBITS else Kind.DATA
