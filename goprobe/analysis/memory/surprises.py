"""What of Go's own memory is larger than a program of this size needs: heap, stacks, bookkeeping,
and limits that are out of proportion to them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from goprobe.analysis.locate.identify_shadow import SHADOWS
from goprobe.analysis.memory import parts as names
from goprobe.analysis.memory.facts import Facts, words
from goprobe.model.memory import NO_GOAL, RuntimeState, Surprise

# What of the whole is no surprise: shares that healthy programs have (m), or are designed for.
_FREE_SHARE = 0.10  # retainExtraPercent, mgcscavenge.go: the runtime keeps so much by design
_SPAN_SHARE = 0.20
_STACK_SHARE = 0.05
_RUNTIME_SHARE = 0.05
_BOOKS = 4 << 20
_PLAIN_GOGC = 100  # with it the heap doubles between collections: half as much on average
_RUNWAY = 0.10  # of what lives: with less to allocate in, collections follow one another
_STILL = 10  # times the time between them: after that long a pause they no longer do
_AT_LEAST = 1_000_000_000  # nanoseconds: a shorter pause is none
_THREADS = 16  # beside those that run Go code: the runtime's own, a few system calls
_KERNEL_STACK = 16 << 10  # THREAD_SIZE, Linux arch/x86/include/asm/page_64_types.h
_LIMIT_SHARE = 0.9  # of a cgroup's limit: what GOMEMLIMIT may be (go.dev/doc/gc-guide)


def of_go(facts: Facts) -> Iterator[Surprise]:
    """All that may be one, whatever its size."""
    yield from _free_pages(facts)
    yield from _since(facts)
    yield from _in_spans(facts)
    yield from _returned(facts)
    yield from _stacks(facts)
    yield from _books(facts)
    yield from _shadows(facts)
    if facts.state is not None:
        yield from _threads(facts, facts.state)
        yield from _too_little(facts, facts.state)
        yield from _beyond_the_cgroup(facts, facts.state)


def _free_pages(facts: Facts) -> Iterator[Surprise]:
    size = facts.size(names.FREE_PAGES)
    why = facts.state.scavenger if facts.state else "the runtime's reasons could not be read"
    yield Surprise(
        names.FREE_PAGES,
        size - int(_FREE_SHARE * (facts.heap - size)),
        f"{words(size)} are free pages that the runtime has not returned ({why})",
        "runtime/debug.FreeOSMemory returns them at once, a lower GOMEMLIMIT or GOGC sooner",
    )


def _since(facts: Facts) -> Iterator[Surprise]:
    size = facts.size(names.SINCE, names.UNCOLLECTED)
    gogc = facts.state.gogc if facts.state else _PLAIN_GOGC
    if gogc < 0:
        change = "GOGC is off; GOGC=100, or GOMEMLIMIT, has them collected"
    else:
        change = f"GOGC is {gogc}; a lower one, or GOMEMLIMIT, has them collected sooner"
    if facts.state and facts.state.next_gc < NO_GOAL:
        change += f" (the next collection is due at {words(facts.state.next_gc)})"
    yield Surprise(
        names.SINCE,
        size - int(facts.live * max(gogc, 0) / (2 * _PLAIN_GOGC)),
        f"{words(size)} are objects that no collection has looked at yet",
        change,
    )


def _in_spans(facts: Facts) -> Iterator[Surprise]:
    size = facts.size(names.FREE_IN_SPANS)
    objects = facts.live + facts.size(names.SINCE, names.UNCOLLECTED)
    yield Surprise(
        names.FREE_IN_SPANS,
        size - int(_SPAN_SHARE * objects),
        f"{words(size)} are free slots between objects, which keep whole spans in use",
        "objects of these sizes reuse them, nothing else can; goprobe heap PID lists the size "
        "classes, and with --types what lies in them",
    )


def _returned(facts: Facts) -> Iterator[Surprise]:
    size = facts.size(names.RETURNED)
    yield Surprise(
        names.RETURNED,
        size,
        f"{words(size)} are free pages that were returned, and are backed by memory again",
        "transparent huge pages do so: /sys/kernel/mm/transparent_hugepage/"
        "khugepaged/max_ptes_none=0 stops that",
    )


def _stacks(facts: Facts) -> Iterator[Surprise]:
    size = facts.size(names.GOROUTINES)
    many = ""
    if facts.state:
        each = size / max(facts.state.goroutines, 1)
        many = f" of {facts.state.goroutines:,} goroutines, {each / 1024:.0f} KiB each"
    yield Surprise(
        names.STACKS,
        size - int(_STACK_SHARE * facts.kernel.rss),
        f"{words(size)} are stacks{many}",
        "goprobe goroutines PID says what they wait for and how deep they are, --leaked which "
        "never end",
    )


def _books(facts: Facts) -> Iterator[Surprise]:
    size = facts.group(names.RUNTIME) - facts.size(*SHADOWS)
    yield Surprise(
        names.RUNTIME,
        size - int(_RUNTIME_SHARE * facts.heap) - _BOOKS,
        f"{words(size)} are the runtime's own bookkeeping",
        "it stays as it was when the heap was largest"
        if facts.kernel.smaps_rss is not UNSET
        else "the core has all that is reserved for it, most of which was never in memory "
        "(zeros stand for that)",
    )


def _shadows(facts: Facts) -> Iterator[Surprise]:
    for what, flag in SHADOWS.items():
        size = facts.size(what)
        yield Surprise(
            what,
            size,
            f"{words(size)} are the {what}",
            f"it comes with {flag}: a program that is built without it has none",
        )


def _threads(facts: Facts, state: RuntimeState) -> Iterator[Surprise]:
    """With the stacks that the kernel has for them, which no process's own figures show."""
    size, in_kernel = facts.size(names.IN_HEAP, names.OF_THREADS), state.threads * _KERNEL_STACK
    usual = state.gomaxprocs + _THREADS
    beyond = max(state.threads - usual, 0) / max(state.threads, 1)
    yield Surprise(
        names.OF_THREADS,
        int((size + in_kernel) * beyond),
        f"{state.threads:,} threads have {words(size)} of stacks, and {words(in_kernel)} more in "
        "the kernel that no figure of a process has",
        "each goroutine that waits in a system call, in C or by LockOSThread keeps a thread, and "
        "idle ones are kept for good: goprobe goroutines PID says who waits where",
    )


def _too_little(facts: Facts, state: RuntimeState) -> Iterator[Surprise]:
    """A memory limit that leaves the collector no room: what is missing is the surprise."""
    if state.memory_limit is UNSET or state.live is UNSET:
        return
    room = state.next_gc - state.live
    gogc = state.gogc if state.gogc >= 0 else _PLAIN_GOGC
    missing = int(state.live * gogc / _PLAIN_GOGC) - room
    if room > _RUNWAY * state.live or missing <= 0:
        return
    yield Surprise(
        "GOMEMLIMIT",
        missing,
        f"GOMEMLIMIT is {words(state.memory_limit)}, and {words(state.limited)} are in use of "
        f"which {words(state.live)} live: {_collections(state, facts.now_ns)}",
        f"with GOGC={gogc} it would take {words(state.limited + missing)}; a higher limit, or "
        "fewer objects (goprobe heap PID --retained says who holds them)",
    )


def _collections(state: RuntimeState, now_ns: int) -> str:
    """Whether they follow one another, or did: a program may be at rest since."""
    ends = [each.end_unix_ns for each in state.collections]
    if len(ends) < 2:
        return "collections follow one another as soon as it allocates"
    spread, ago = ends[0] - ends[-1], max(now_ns - ends[0], 0)
    within = f"the last {len(ends)} of them within {spread / 1e9:.2g} s"
    if now_ns and ago <= max(_STILL * spread / (len(ends) - 1), _AT_LEAST):
        return f"collections follow one another, {within}"
    last = f"; the last one ended {ago / 1e9:.3g} s ago, none has run since" if now_ns else ""
    return f"collections followed one another, {within}{last}"


def _beyond_the_cgroup(facts: Facts, state: RuntimeState) -> Iterator[Surprise]:
    """The heap may grow to where the kernel ends the process."""
    kernel = facts.kernel
    if kernel.cgroup_limit is UNSET or kernel.cgroup is UNSET:
        return
    limit, goal = kernel.cgroup_limit, state.next_gc
    beside = max(kernel.rss - facts.live - facts.size(names.SINCE, names.UNCOLLECTED), 0)
    if goal + beside <= limit:
        return
    when = f"is due at {words(goal)} of heap" if goal < NO_GOAL else "is not due at all"
    yield Surprise(
        "cgroup",
        min(goal + beside - limit, limit),
        f"the next collection {when}, and the memory cgroup has a limit of {words(limit)}: the "
        "kernel may end the process before",
        f"GOMEMLIMIT={int(limit * _LIMIT_SHARE) >> 20}MiB has the collector work in time",
    )
