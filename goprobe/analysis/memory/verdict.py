"""Which part of a process's memory is larger than it needs to be, and what would change that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from goprobe.analysis.memory import parts as names
from goprobe.model.memory import NO_GOAL, KernelMemory, MemoryPart, RuntimeState, Surprise

# What of the whole is no surprise: shares that healthy programs have (m), or are designed for.
_FREE_SHARE = 0.10  # retainExtraPercent, mgcscavenge.go: the runtime keeps so much by design
_SPAN_SHARE = 0.20
_STACK_SHARE = 0.05
_RUNTIME_SHARE = 0.05
_PLAIN_GOGC = 100  # with it the heap doubles between collections: half as much on average
_WORTH_TELLING = 0.05  # of all that is resident
_LEAST = 1 << 20


def surprises(
    parts: Sequence[MemoryPart], kernel: KernelMemory, state: RuntimeState | None
) -> tuple[Surprise, ...]:
    """The largest first."""
    told = _Told(parts, kernel, state)
    least = max(int(kernel.rss * _WORTH_TELLING), _LEAST)
    every = [each for each in told.all() if each.bytes >= least]
    return tuple(sorted(every, key=lambda each: -each.bytes))


def verdict(
    parts: Sequence[MemoryPart], kernel: KernelMemory, surprising: Sequence[Surprise]
) -> str:
    """In words, of the largest surprise; of the largest part where there is none."""
    if surprising:
        return f"{surprising[0].says}: {surprising[0].change}"
    if not parts:
        return "nothing of it is in memory"
    largest = max(parts, key=lambda part: part.bytes)
    share = 100 * largest.bytes / max(kernel.rss, 1)
    more = ": goprobe heap PID --types --retained says of what, and who holds them"
    return (
        f"nothing is out of proportion; the largest part, {share:.0f} %, is {largest.name}"
        f"{more if largest.of == names.GO_HEAP else ''}"
    )


class _Told:
    def __init__(
        self, parts: Sequence[MemoryPart], kernel: KernelMemory, state: RuntimeState | None
    ) -> None:
        self._sizes = {part.name: part.bytes for part in parts}
        self._groups: dict[str, int] = {}
        for part in parts:
            self._groups[part.of] = self._groups.get(part.of, 0) + part.bytes
        self._kernel = kernel
        self._state = state
        self._live = self._size(names.LIVE)
        self._heap = self._groups.get(names.GO_HEAP, 0)

    def _size(self, *parts: str) -> int:
        return sum(self._sizes.get(name, 0) for name in parts)

    def all(self) -> Iterator[Surprise]:
        yield from self._free_pages()
        yield from self._since()
        yield from self._in_spans()
        yield from self._stacks()
        yield from self._outside()
        yield from self._returned()
        yield from self._swapped()

    def _free_pages(self) -> Iterator[Surprise]:
        size = self._size(names.FREE_PAGES)
        why = self._state.scavenger if self._state else "the runtime's reasons could not be read"
        yield Surprise(
            names.FREE_PAGES,
            size - int(_FREE_SHARE * (self._heap - size)),
            f"{_size(size)} are free pages that the runtime has not returned ({why})",
            "runtime/debug.FreeOSMemory returns them at once, a lower GOMEMLIMIT or GOGC sooner",
        )

    def _since(self) -> Iterator[Surprise]:
        size = self._size(names.SINCE, names.UNCOLLECTED)
        gogc = self._state.gogc if self._state else _PLAIN_GOGC
        if gogc < 0:
            change = "GOGC is off; GOGC=100, or GOMEMLIMIT, has them collected"
        else:
            change = f"GOGC is {gogc}; a lower one, or GOMEMLIMIT, has them collected sooner"
        if self._state and self._state.next_gc < NO_GOAL:
            change += f" (the next collection is due at {_size(self._state.next_gc)})"
        yield Surprise(
            names.SINCE,
            size - int(self._live * max(gogc, 0) / (2 * _PLAIN_GOGC)),
            f"{_size(size)} are objects that no collection has looked at yet",
            change,
        )

    def _in_spans(self) -> Iterator[Surprise]:
        size = self._size(names.FREE_IN_SPANS)
        objects = self._live + self._size(names.SINCE, names.UNCOLLECTED)
        yield Surprise(
            names.FREE_IN_SPANS,
            size - int(_SPAN_SHARE * objects),
            f"{_size(size)} are free slots between objects, which keep whole spans in use",
            "objects of these sizes reuse them, nothing else can; goprobe heap PID lists the size "
            "classes",
        )

    def _stacks(self) -> Iterator[Surprise]:
        size = self._groups.get(names.STACKS, 0)
        many = f" of {self._state.goroutines:,} goroutines" if self._state else ""
        yield Surprise(
            names.STACKS,
            size - int(_STACK_SHARE * self._kernel.rss),
            f"{_size(size)} are stacks{many}",
            "goprobe goroutines PID says what they wait for, --leaked which never end",
        )

    def _outside(self) -> Iterator[Surprise]:
        """What no setting of Go's reaches."""
        sayings = {
            names.C: (
                "memory that C code asked for",
                "Go's collector does not know it: look for C.malloc without C.free; with glibc a "
                "smaller MALLOC_ARENA_MAX keeps less",
            ),
            names.FILES: ("mapped files and shared memory", "the kernel takes clean pages back"),
            names.OTHER: (
                "anonymous memory that neither Go nor C claims",
                "syscall.Mmap of the program, or of a library of it, made it",
            ),
        }
        for group, (what, change) in sayings.items():
            size = self._groups.get(group, 0)
            yield Surprise(group, size, f"{_size(size)} are {what}", change)
        size = self._groups.get(names.RUNTIME, 0)
        yield Surprise(
            names.RUNTIME,
            size - int(_RUNTIME_SHARE * self._heap) - (4 << 20),
            f"{_size(size)} are the runtime's own bookkeeping",
            "it stays as it was when the heap was largest"
            if self._kernel.smaps_rss is not UNSET
            else "the core has all that is reserved for it, most of which was never in memory "
            "(GDB writes zeros for that)",
        )

    def _returned(self) -> Iterator[Surprise]:
        size = self._size(names.RETURNED)
        yield Surprise(
            names.RETURNED,
            size,
            f"{_size(size)} are free pages that were returned, and are backed by memory again",
            "transparent huge pages do so: /sys/kernel/mm/transparent_hugepage/"
            "khugepaged/max_ptes_none=0 stops that",
        )

    def _swapped(self) -> Iterator[Surprise]:
        swap = self._kernel.swap
        if swap is not UNSET:
            yield Surprise(
                "swap",
                swap,
                f"{_size(swap)} more are swapped out",
                "collections read all of it back: give it more memory, or set GOMEMLIMIT",
            )


def _size(count: int) -> str:
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    return f"{count / (1 << 20):.1f} MiB"
