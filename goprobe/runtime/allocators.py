"""Every runtime function by which compiled Go code allocates, and how its calls are read.

Declared as in the Go sources: src/cmd/compile/internal/typecheck/_builtin/runtime.go lists what
the compiler may call, ssagen/ssa.go (SpecializedMallocGC…) and ssagen/pgen the specialised forms
of mallocgc since 1.26; the bodies are in src/runtime: malloc.go, malloc_generated.go, slice.go,
string.go, iface.go, map*.go, chan.go, panic.go. Checked against 1.21, 1.24, 1.25, 1.26 and 1.27.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from goprobe.runtime.allocatorcalls import Allocates, Allocator, Family, Requested, Words

STRING_BUFFER = 32
"""runtime.tmpStringBufSize: bytes (and runes) of the frame's buffer for short strings."""


def _product(size: str, count: str) -> Requested:
    return lambda words: words.type_size(words.argument(size)) * words.argument(count)


def _of_type(words: Words) -> int:
    return words.type_size(words.argument("typ"))


def _capacity(size: str) -> Requested:
    """Of a slice that is returned: its capacity in elements of a type."""
    return lambda words: words.type_size(words.argument(size)) * words.result(2)


def _length(words: Words) -> int:
    return words.result(1)


_O, _A = Family.OBJECT, Allocates
_SIZED = "(size uintptr, typ *_type, needzero bool) unsafe.Pointer"
_FRAME_32 = f"the frame's buffer for it holds {STRING_BUFFER} bytes"
# VariableMakeThreshold, cmd/compile/internal/base/flag.go since 1.25
_VARIABLE = "its size is not constant, and the frame keeps 32 bytes for such a slice"
_MAP_LIMIT = "a map holds eight entries in the frame, more do not fit"
_STRINGS = "runtime/string.go"
_SLICES = "runtime/slice.go"
_MALLOC = "runtime/malloc.go"


def _object(name: str, source: str = _MALLOC, since: tuple[int, int] = (1, 21)) -> Allocator:
    return Allocator(
        name,
        _O,
        _A.ONE,
        _SIZED,
        source,
        "typ",
        requested=lambda w: w.argument("size"),
        since=since,
    )


def _concatenation(
    count: int,
    result: str,
    buffered: bool,
    since: tuple[int, int] = (1, 21),
    until: tuple[int, int] = (1, 999),
) -> Allocator:
    operands = tuple(f"a{i}" for i in range(count))
    listed = f"{', '.join(operands)} string" if count else "a []string"
    buffer = "buf *tmpBuf, " if buffered else ""
    kind, shown = ("string", "string") if result == "string" else ("byte", "[]byte")
    many = {"string": "strings", "byte": "bytes"}[kind]
    return Allocator(
        f"concat{kind}{count}" if count else f"concat{many}",
        Family.CONCAT,
        _A.PERHAPS,
        f"({buffer}{listed}) {shown}",
        _STRINGS,
        buffer="buf" if buffered else "",
        passes=operands if kind == "string" else (),
        requested=_length,
        limit=_FRAME_32,
        fixed_type=shown,
        since=since,
        until=until,
    )


def _conversion(name: str, parameter: str, size: int, fixed: str) -> Allocator:
    return Allocator(
        name,
        Family.CONVERT,
        _A.PERHAPS,
        f"(val {parameter}) unsafe.Pointer",
        "runtime/iface.go",
        requested=lambda _: size,
        fixed_type=fixed,
    )


def _grow(name: str, extra: str = "", since: tuple[int, int] = (1, 21)) -> Allocator:
    return Allocator(
        name,
        Family.GROW,
        _A.PERHAPS if extra else _A.ONE,
        f"(oldPtr unsafe.Pointer, newLen, oldCap, num int, et *_type{extra}) slice",
        _SLICES,
        "et",
        "bufPtr" if extra else "",
        requested=_capacity("et"),
        since=since,
        limit="what is appended outgrew the buffer in the frame",
    )


def _move(name: str, first: str, tail: str) -> Allocator:
    typed = first.startswith("et")
    return Allocator(
        name,
        Family.MOVE,
        _A.PERHAPS,
        f"({first}, old unsafe.Pointer, {tail}) slice",
        _SLICES,
        "et" if typed else "",
        passes=("old",),
        since=(1, 26),
        requested=_capacity("et") if typed else lambda w: w.argument("elemSize") * w.result(2),
    )


def _assign(name: str, key: str) -> Allocator:
    return Allocator(
        f"mapassign{name}",
        Family.ASSIGN,
        _A.SEVERAL,
        f"(t *maptype, h *hmap, {key}) unsafe.Pointer",
        "runtime/map.go, map_fast*.go; since 1.24 internal/runtime/maps",
        "t",
    )


def _map(name: str, signature: str) -> Allocator:
    return Allocator(
        name,
        Family.MAP,
        _A.SEVERAL,
        signature,
        "runtime/map.go",
        "t" if "t " in signature else "",
        "h" if "h " in signature else "",
        limit=_MAP_LIMIT,
    )


def _channel(name: str, size: str) -> Allocator:
    return Allocator(
        name,
        Family.CHANNEL,
        _A.SEVERAL,
        f"(t *chantype, size {size}) *hchan",
        "runtime/chan.go",
        "t",
        limit="a channel always lies on the heap",
    )


def _silent(name: str, source: str) -> Allocator:
    return Allocator(name, Family.NOTHING, _A.NONE, "()", source)


_BUFFERED = ", bufPtr unsafe.Pointer, bufLen int"

ALLOCATORS: tuple[Allocator, ...] = (
    Allocator("newobject", _O, _A.ONE, "(typ *_type) unsafe.Pointer", _MALLOC, "typ",
              requested=_of_type),
    Allocator("newarray", _O, _A.ONE, "(typ *_type, n int) unsafe.Pointer", _MALLOC, "typ",
              requested=_product("typ", "n")),
    _object("mallocgc"),
    Allocator("makeslice", Family.SLICE, _A.ONE, "(et *_type, len, cap int) unsafe.Pointer",
              _SLICES, "et", requested=_product("et", "cap"), limit=_VARIABLE),
    Allocator("makeslice64", Family.SLICE, _A.ONE, "(et *_type, len64, cap64 int64) unsafe.Pointer",
              _SLICES, "et", requested=_product("et", "cap64"), limit=_VARIABLE),
    Allocator("makeslicecopy", Family.SLICE, _A.ONE,
              "(et *_type, tolen int, fromlen int, from unsafe.Pointer) unsafe.Pointer",
              _SLICES, "et", requested=_product("et", "tolen")),
    _grow("growslice"),
    _grow("growsliceNoAlias", since=(1, 26)),
    _grow("growsliceBuf", _BUFFERED, since=(1, 26)),
    _grow("growsliceBufNoAlias", _BUFFERED, since=(1, 26)),
    _move("moveSlice", "et *_type", "len, cap int"),
    _move("moveSliceNoScan", "elemSize uintptr", "len, cap int"),
    _move("moveSliceNoCap", "et *_type", "len int"),
    _move("moveSliceNoCapNoScan", "elemSize uintptr", "len int"),
    _map("makemap_small", "() *hmap"),
    _map("makemap", "(t *maptype, hint int, h *hmap) *hmap"),
    _map("makemap64", "(t *maptype, hint int64, h *hmap) *hmap"),
    _assign("", "key unsafe.Pointer"),
    _assign("_fast32", "key uint32"),
    _assign("_fast32ptr", "key unsafe.Pointer"),
    _assign("_fast64", "key uint64"),
    _assign("_fast64ptr", "key unsafe.Pointer"),
    _assign("_faststr", "s string"),
    _channel("makechan", "int"),
    _channel("makechan64", "int64"),
    Allocator("convT", Family.CONVERT, _A.ONE, "(typ *_type, v unsafe.Pointer) unsafe.Pointer",
              "runtime/iface.go", "typ", requested=_of_type),
    Allocator("convTnoptr", Family.CONVERT, _A.ONE,
              "(typ *_type, v unsafe.Pointer) unsafe.Pointer",
              "runtime/iface.go", "typ", requested=_of_type),
    _conversion("convT16", "uint16", 2, "16-bit value"),
    _conversion("convT32", "uint32", 4, "32-bit value"),
    _conversion("convT64", "uint64", 8, "64-bit value"),
    _conversion("convTstring", "string", 16, "string"),
    _conversion("convTslice", "[]byte", 24, "slice"),
    *(_concatenation(count, "string", True) for count in (2, 3, 4, 5, 0)),
    *(_concatenation(count, "byte", False, since=(1, 24), until=(1, 24))
      for count in (2, 3, 4, 5, 0)),
    *(_concatenation(count, "byte", True, since=(1, 25)) for count in (2, 3, 4, 5, 0)),
    Allocator("intstring", Family.TO_STRING, _A.PERHAPS, "(buf *[4]byte, v int64) string",
              _STRINGS, buffer="buf", requested=lambda _: 4, fixed_type="string"),
    Allocator("slicebytetostring", Family.TO_STRING, _A.PERHAPS,
              "(buf *tmpBuf, ptr *byte, n int) string", _STRINGS, buffer="buf",
              requested=_length, limit=_FRAME_32, fixed_type="string"),
    Allocator("slicerunetostring", Family.TO_STRING, _A.PERHAPS,
              "(buf *tmpBuf, a []rune) string", _STRINGS, buffer="buf",
              requested=lambda w: w.result(1) + 3, limit=_FRAME_32, fixed_type="string"),
    Allocator("stringtoslicebyte", Family.TO_BYTES, _A.PERHAPS, "(buf *tmpBuf, s string) []byte",
              _STRINGS, buffer="buf", requested=_length, limit=_FRAME_32, fixed_type="[]byte"),
    Allocator("stringtoslicerune", Family.TO_RUNES, _A.PERHAPS,
              "(buf *[tmpStringBufSize]rune, s string) []rune", _STRINGS, buffer="buf",
              requested=lambda w: 4 * w.result(1), fixed_type="[]rune",
              limit=f"the frame's buffer for it holds {STRING_BUFFER} runes"),
    Allocator("deferproc", Family.DEFER, _A.SEVERAL, "(fn *funcval)", "runtime/panic.go",
              fixed_type="runtime._defer",
              limit="a defer in a loop keeps its record on the heap"),
    Allocator("deferprocat", Family.DEFER, _A.SEVERAL, "(fn *funcval, frame any)",
              "runtime/panic.go", fixed_type="runtime._defer", since=(1, 22)),
    Allocator("deferrangefunc", Family.DEFER, _A.SEVERAL, "() any", "runtime/panic.go",
              fixed_type="runtime._defer", since=(1, 22)),
    Allocator("newproc", Family.GO, _A.SEVERAL, "(fn *funcval)", "runtime/proc.go"),
    # These never allocate, though they stand where memory is dealt with.
    _silent("deferprocStack", "runtime/panic.go"),
    _silent("slicebytetostringtmp", "runtime/string.go"),
    _silent("unsafeslice", "runtime/unsafe.go"),
    _silent("unsafeslice64", "runtime/unsafe.go"),
    _silent("unsafestring", "runtime/unsafe.go"),
    _silent("unsafestring64", "runtime/unsafe.go"),
    _silent("unsafeslicecheckptr", "runtime/unsafe.go"),
    _silent("unsafestringcheckptr", "runtime/unsafe.go"),
)  # fmt: skip

# One for each size class (1.26 and 1.27), and in 1.26 for each size of the tiny allocator: all
# have mallocgc's parameters (malloc_generated.go).
_SPECIALISED = re.compile(r"mallocgc(?:SmallScanNoHeaderSC|SmallNoScanSC|TinySC|TinySize)\d+")


def is_malloc(symbol: str) -> bool:
    """Whether a function is the allocator itself, in one of its forms, or a part of it."""
    return symbol.startswith("runtime.mallocgc")


# Why functions of the runtime allocate whose callers ask for no memory: runtime/chan.go,
# select.go, iface.go, map*.go, panic.go, error.go, sema.go, time.go.
_REASONS = (
    (r"chansend|chanrecv|selectgo|selectnb",
     "the runtime keeps a record of each goroutine that waits at a channel"),
    (r"typeAssert|interfaceSwitch|assertE2I",
     "the runtime keeps a cache of the types that it met here"),
    (r"mapdelete|mapclear|mapiter|mapIter", "the map was still growing"),
    (r"(go)?panic|gopanic|sigpanic|deferreturn|gorecover", "the runtime describes a panic"),
)  # fmt: skip


# What of a Swiss map allocates though nothing asks for memory there: mapiterinit makes the iterator
# for those who linkname it (runtime/linkname_swiss.go, linkname_shim.go). Deletion, clearing and
# iteration do not (internal/runtime/maps/map.go, table.go, Go 1.24 to 1.27).
_SWISS_QUIET = re.compile(r"mapdelete|mapclear|mapIter")
_BUCKETS = (1, 23)  # the last release whose maps grow bucket by bucket (runtime/map.go, growWork)


def maps_grow_by_steps(release: tuple[int, int], mapassign_file: str) -> bool:
    """Whether any use of a map may go on with its growth: up to Go 1.23, and in 1.24 and 1.25 with
    GOEXPERIMENT=noswissmap (runtime/map_noswiss.go)."""
    return release <= _BUCKETS or mapassign_file.endswith("_noswiss.go")


def may_allocate(symbol: str, by_steps: bool) -> bool:
    """Whether a function of the runtime may allocate by the way, if it does not panic. `by_steps`
    is what `maps_grow_by_steps` says."""
    name = symbol.removeprefix("runtime.")
    if name == symbol or (not by_steps and _SWISS_QUIET.match(name)):
        return False
    return any(re.match(pattern, name) for pattern, _ in _REASONS[:-1])


BY_ADDRESS = "runtime.(method or function value)"
"""Stands for the symbol of what is called by an address, of which no more is known than that."""

# Of what the runtime has by other packages' names those with its name in theirs are its own affair:
# semaphores, pollers (sema.go, netpoll.go), and timers (time.go), Go 1.21 to 1.27.
_ITS_OWN = re.compile(r"runtime\.|internal/runtime/|runtime/internal/|[\w/]+\.runtime_|time\.")


@cache
def bookkeeping(symbol: str) -> Allocator:
    """Any other function of the runtime, where it was seen to allocate."""
    name = symbol.rpartition(".")[2]
    reason = next((why for pattern, why in _REASONS if re.match(pattern, name)), "")
    its_own = symbol != BY_ADDRESS and bool(_ITS_OWN.match(symbol))
    if symbol == BY_ADDRESS:
        reason = "the runtime made it: what an interface or a function value led to is its own"
    return Allocator(
        symbol.removeprefix("runtime."),
        Family.BOOKKEEPING if its_own else Family.LINKED,
        Allocates.SEVERAL,
        "()",
        "runtime",
        limit=reason or f"the runtime made it in {symbol}",
    )


@cache
def allocators_for(release: tuple[int, int]) -> Mapping[str, Allocator]:
    """By symbol name, those of a Go release (major, minor) but the specialised ones."""
    return {a.symbol: a for a in ALLOCATORS if a.since <= release <= a.until}


@cache
def allocator_of(symbol: str, release: tuple[int, int]) -> Allocator:
    """The allocator of a symbol that is one in a release."""
    return allocators_for(release).get(symbol) or specialised(symbol) or bookkeeping(symbol)


def specialised(symbol: str) -> Allocator | None:
    """The allocator of a generated form of mallocgc, None for any other symbol."""
    name = symbol.removeprefix("runtime.")
    if name == symbol or not _SPECIALISED.fullmatch(name):
        return None
    return _object(name, "runtime/malloc_generated.go", since=(1, 26))
