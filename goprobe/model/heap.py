"""The report of `goprobe heap`: schema goprobe.heap/1. Sizes in bytes."""

from __future__ import annotations

import msgspec

from goprobe.model.address import Address

SCHEMA = "goprobe.heap/1"


class SizeClass(msgspec.Struct, frozen=True):
    """The spans of one size class; `size` 0 stands for large objects, one to a span.

    `bytes` are those of allocated objects, sizes rounded up to the class; `free_bytes` what is
    left in these spans: free slots and the tails that hold none.
    """

    size: int
    noscan: bool
    objects: int
    bytes: int
    spans: int
    slots: int
    free_bytes: int


class SpanStates(msgspec.Struct, frozen=True):
    """Spans by state. `manual` ones hold stacks and other memory that the runtime manages by
    hand; `dead` are span descriptors that wait for use."""

    in_use: int
    manual: int
    dead: int
    unswept: int


class HeapCensus(msgspec.Struct, frozen=True):
    """What is allocated: objects and bytes are MemStats.HeapObjects and HeapAlloc.

    `free_bytes` lie in spans in use (`span_bytes`, MemStats.HeapInuse); `fragmentation` is their
    share, 0 to 1. `tiny_slots` are 16-byte slots that may hold several objects each.
    """

    objects: int
    bytes: int
    free_bytes: int
    classes: tuple[SizeClass, ...]
    span_bytes: int
    manual_bytes: int
    fragmentation: float
    tiny_slots: int
    spans: SpanStates


class SpanMismatch(msgspec.Struct, frozen=True):
    """A span whose allocated slots (`counted`) are not as many as the runtime says."""

    span: Address
    base: Address
    counted: int
    expected: int
    why: str


class SelfCheck(msgspec.Struct, frozen=True):
    """How far the answer proves itself: every span's set bits against its own count, and every
    pointer's target against what is allocated (`dangling_edges` of `edges_checked`)."""

    spans: int
    popcount_mismatches: int
    dangling_edges: int
    edges_checked: int
    unreadable_spans: int
    mismatches: tuple[SpanMismatch, ...]


class HeapReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`snapshot` says how the target was read: stopped throughout, or from a forked copy."""

    pid: int
    go: str
    pause_us: int
    snapshot: str
    self_check: SelfCheck
    census: HeapCensus
    warnings: tuple[str, ...] = ()
    schema: str
