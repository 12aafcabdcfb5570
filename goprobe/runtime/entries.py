"""What functions of the runtime do to the heap: the ends of every chain of calls.

Told of all that compiled code may call (cmd/compile/internal/typecheck/_builtin/runtime.go and
ssagen/ssa.go's LookupRuntimeFunc) and that the standard library calls by linkname (the lines
//go:linkname of src/runtime), Go 1.21 to 1.27. What stands here is not followed any further:
beneath lie locks, barriers and the scheduler, whose own records are not the Go heap's. Of what
does not stand here the code is followed like any other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from functools import cache, lru_cache

import msgspec

from goprobe.runtime.allocatorcalls import Allocates
from goprobe.runtime.allocators import allocators_for, is_malloc, may_allocate, specialised


class Effect(Enum):
    """NEVER allocates; ALLOCATES, or does so at times (MAY); ASSERTS: looks up methods of a type
    and may allocate for it; PANICS: does not come back; GROWS the stack; RUNS_DEFERRED functions;
    UNKNOWN: what runs is not in the binary's Go code."""

    NEVER = "never"
    ALLOCATES = "allocates"
    MAY = "may allocate"
    ASSERTS = "asserts"
    PANICS = "panics"
    GROWS = "grows the stack"
    RUNS_DEFERRED = "runs deferred functions"
    UNKNOWN = "unknown"


class Entry(msgspec.Struct, frozen=True):
    effect: Effect
    why: str = ""


_SUDOG = "the runtime keeps a record of each goroutine that waits"
_TIMERS = "the runtime's list of timers may have to grow"
_CACHE = "the runtime keeps a cache of the types that it met here"

# Patterns of whole symbols without ".abi0", the first that fits counts.
_TABLE: tuple[tuple[str, Effect, str], ...] = (
    (r"runtime\.morestack\w*", Effect.GROWS, ""),
    (r"runtime\.deferreturn", Effect.RUNS_DEFERRED, ""),
    (r"runtime\.((go)?[pP]anic\w*|gopanic|sigpanic\w*|throw\w*|fatal\w*|exit|block)"
     r"|(sync|internal/sync|internal/runtime/maps|crypto/\w+)\.(throw|fatal|errNilAssign)"
     r"|runtime\.(unsafe)?panicunsafe\w+|runtime\.throwinit", Effect.PANICS, ""),
    (r"runtime\.(cgocall\w*|asmcgocall\w*|cgocallback\w*)|_cgo_\w+|.*\._Cfunc_\w+",
     Effect.UNKNOWN, "it calls C"),
    (r"runtime\.(reflectcall|call\d+)|reflect\.(call|Value\.call|makeFuncStub|methodValueCall)",
     Effect.UNKNOWN, "it calls by reflection"),
    # iface.go: getitab adds to the table of methods; caches since 1.22.
    (r"runtime\.(typeAssert|interfaceSwitch|assert[EI]2I2?|convI2I|getitab)"
     r"|(reflect|internal/reflectlite)\.ifaceE2I", Effect.ASSERTS, _CACHE),
    # sema.go, chan.go, select.go: acquireSudog.
    (r"(sync|internal/sync|internal/poll)\.runtime_Semacquire\w*|sync\.runtime_notifyListWait"
     r"|runtime\.(chan(send|recv)\w*|selectgo|selectnb\w+|semacquire\w*)"
     r"|reflect\.(chansend0|chanrecv|rselect)", Effect.MAY, _SUDOG),
    # time.go: timers.addHeap appends.
    (r"time\.(Sleep|newTimer|startTimer|resetTimer|stopTimer|modTimer)"
     r"|internal/poll\.runtime_poll(SetDeadline|Unblock|Close)", Effect.MAY, _TIMERS),
    (r"reflect\.(unsafe_New(Array)?|growslice|makechan|makemap|mapassign\w*|mapiterinit)"
     r"|internal/reflectlite\.unsafe_New|internal/bytealg\.MakeNoZero|maps\.clone"
     r"|internal/runtime/maps\.(newobject|newarray)|runtime\.(rawstring\w*|rawbyteslice|rawruneslice"
     r"|gobytes|gostring\w*)", Effect.ALLOCATES, ""),
    (r"(sync|internal/sync|internal/poll)\.runtime_(Semrelease|canSpin|doSpin|nanotime"
     r"|notifyList(Add|NotifyAll|NotifyOne|Check)|poll\w+|isPollServerDescriptor)"
     r"|(sync|sync/atomic)\.runtime_proc(Pin|Unpin)|sync/atomic\.\w+"
     r"|time\.(now|runtimeNano|runtimeNow|runtimeIsBubbled)"
     r"|syscall\.runtime_(entersyscall|exitsyscall)|runtime\.(enter|exit)syscall\w*"
     r"|internal/runtime/atomic\..*|runtime/internal/atomic\..*"
     r"|(math/rand|math/rand/v2|maphash|hash/maphash|os)\.(runtime_)?(rand|fastrand64)n?"
     r"|internal/race\.\w+"
     r"|(reflect|internal/reflectlite)\.(typed\w+|mem\w+|resolve\w+|chan(len|cap|close)|map(len|access\w*)"
     r"|typehash|verifyNotInHeapPtr|unsafeslice|gcbits)", Effect.NEVER, ""),
    # callers walks the stack for runtime.Callers and writes where it is told (traceback.go).
    (r"runtime\.(mem(move|clr|equal|hash)\w*|typed\w+|wb(Zero|Move)|bulkBarrier\w+|slicecopy"
     r"|duff(zero|copy)|gcWriteBarrier\w*|cgoCheck\w+|checkptr\w+|unsafe\w+|cmpstring|countrunes"
     r"|decoderune|\w+(equal|hash)\d*|(eface|iface)eq|[fc]?\w*to(u?int|float)\d+|u?int64(div|mod)"
     r"|complex128div|mulUintptr|mapaccess\w+|chan(len|cap)|closechan|selectsetpc|gorecover"
     r"|print\w+|fastrand\w*|rand\w*|cheaprand\w*|getcaller\w+|KeepAlive|goschedguarded|Gosched|gopark"
     r"|goready|goparkunlock|nanotime\d?|walltime|cputicks|procyield\w*|osyield\w*|usleep\w*|lock\w*"
     r"|unlock\w*|(race|msan|asan|libfuzzer)\w+|(un)?lockRank\w*|acquirem|releasem|addCovMeta"
     r"|strequal|publicationBarrier|g?callers)",
     Effect.NEVER, ""),
)  # fmt: skip
# What leaves the goroutine's stack for another before it needs room (asm_amd64.s, mwbbuf.go).
_OTHER_STACK = re.compile(
    r"runtime\.(systemstack|mcall|gcWriteBarrier\w*|wbBufFlush|asmcgocall\w*|deferreturn)(\.abi0)?"
)
_ENDS = frozenset((Effect.GROWS, Effect.PANICS, Effect.UNKNOWN, Effect.RUNS_DEFERRED))


def tells_of_stacks(symbol: str, entry: Entry | None) -> bool:
    """Whether no more is to be asked of a callee where it is asked whether a stack grows: what the
    runtime does to the heap says nothing of it, so that its code is followed like any other, as
    long as it runs on the stack of who calls it."""
    ends = entry is not None and entry.effect in _ENDS
    return ends or _OTHER_STACK.fullmatch(symbol) is not None


_MOST_KNOWN = 1 << 16  # symbols: each is called in many places


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], Entry]]:
    """Compiled where they are needed: what is kept of a binary has no need of them."""
    return [(re.compile(p), Entry(effect, why)) for p, effect, why in _TABLE]


def _in_table(name: str) -> Entry | None:
    return next((entry for pattern, entry in _patterns() if pattern.fullmatch(name)), None)


@lru_cache(_MOST_KNOWN)
def entry_of(symbol: str, release: tuple[int, int], by_steps: bool) -> Entry | None:
    """None for a function that is to be followed. `by_steps`: see allocators.maps_grow_by_steps."""
    name = symbol.removesuffix(".abi0")
    allocator = allocators_for(release).get(name) or specialised(name)
    if allocator is not None:
        if allocator.allocates is Allocates.NONE:
            return Entry(Effect.NEVER)
        # What the frame has room for, and whether it has any, is the caller's matter.
        limit = f"{allocator.limit}, where there is one" if allocator.buffer else ""
        return Entry(Effect.ALLOCATES, limit if allocator.limit else "")
    if is_malloc(name):
        return Entry(Effect.ALLOCATES)
    known = _in_table(name)
    if known is not None:
        return known
    if may_allocate(name, by_steps):
        return Entry(Effect.MAY, "the map may still be growing")
    # The others are of maps: they neither allocate nor lead anywhere (allocators.py).
    return Entry(Effect.NEVER) if may_allocate(name, True) else None


@lru_cache(_MOST_KNOWN)
def panics(symbol: str) -> bool:
    """Whether a function of the runtime is the beginning of a panic."""
    known = _in_table(symbol.removesuffix(".abi0"))
    return known is not None and known.effect is Effect.PANICS
