"""The deferred calls and the panic that hang on a goroutine.

Source: src/runtime/runtime2.go (g, _defer), Go 1.21 to 1.27.
"""

from __future__ import annotations

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.lists import Lists


class Deferred(msgspec.Struct):
    """`records` are the addresses of the records, and of the functions' closures; `panicking` is
    the panic's address, 0 for none. `any`: there is one or the other. `why`, where not "", says why
    some may be missing."""

    records: list[tuple[int, int]] = msgspec.field(default_factory=list)
    panicking: int = 0
    any: bool = False
    why: str = ""


def deferred_of(memory: Memory, layout: Layout, g: Goroutine) -> Deferred:
    calls = Deferred()
    if not layout.has("_defer"):
        return calls
    try:
        first = u64(memory, g.address + layout.offset("g", "_defer"))
        calls.panicking = u64(memory, g.address + layout.offset("g", "_panic"))
    except UnreadableError as error:
        calls.why = error.why
        return calls
    calls.any = bool(first or calls.panicking)
    lists = Lists(memory)
    for record in lists.follow(layout.struct("_defer"), first, "link"):
        calls.records.append((record.address, record["fn"]))
    calls.why = lists.broken
    return calls


def has_defers(memory: Memory, layout: Layout, g: Goroutine) -> bool:
    """Whether there are any; raises UnreadableError where that cannot be read."""
    return layout.has("_defer") and any(
        u64(memory, g.address + layout.offset("g", name)) for name in ("_defer", "_panic")
    )
