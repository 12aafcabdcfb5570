"""The report of `goprobe heap`: schema goprobe.heap/1. Sizes in bytes."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.address import Address
from goprobe.model.attached import LeakSummary
from goprobe.model.location import Location
from goprobe.model.report import Report
from goprobe.model.sites import Allocation, Sampling, Site
from goprobe.model.value import Data, Element, Value

SCHEMA = "goprobe.heap/1"
SEVERAL, REST = "several", "rest"
"""Kinds of rows of the tree of who keeps the heap."""


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


class HeapCensus(msgspec.Struct, frozen=True, kw_only=True):
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


class GraphSummary(msgspec.Struct, frozen=True):
    """`edges` lead from object to object. What no root leads to waits to be collected."""

    reachable: int
    unreachable: int
    edges: int
    reachable_bytes: int
    unreachable_bytes: int
    roots: int


class TypeCount(msgspec.Struct, frozen=True, omit_defaults=True):
    """`retained_bytes`: what would be free without these objects. `inner` of
    `objects` are known only by a pointer to a part of them. `example` is the address of one."""

    type: str
    objects: int
    bytes: int
    retained_bytes: int | UnsetType = UNSET
    inner: int = 0
    example: Address | UnsetType = UNSET


UNREACHED = "nothing leads to it any more"
"""The reason of those that are garbage."""


class Untyped(msgspec.Struct, frozen=True, omit_defaults=True):
    """Objects of one size whose type nothing in the process tells, and why. `example` is the
    address of one."""

    size: int
    noscan: bool
    objects: int
    bytes: int
    reason: str
    example: Address | UnsetType = UNSET


class RootCount(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one root alone keeps: a variable, a goroutine, a finalizer."""

    kind: str
    name: str
    retained_bytes: int
    objects: int
    goroutine: int = 0
    address: Address | UnsetType = UNSET


class TreeNode(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A row of the tree of who keeps the heap: objects of one type, roots of one meaning, or what
    several hold together (`held_by`, and `more_holders` beyond those), below what alone keeps it.

    `kind` is "type", a kind of roots, "several", or "rest" for what is too small or too deep to be
    told by itself. `address` is that of the object in it, or below it, that keeps most. `objects`
    and `bytes` are of the row itself, `retained_objects` and `retained_bytes` those of all below,
    too: `bytes` and what the `children` retain are as much.
    """

    what: str
    kind: str
    address: Address
    objects: int
    bytes: int
    retained_bytes: int
    retained_objects: int
    held_by: tuple[str, ...] = ()
    more_holders: bool = False
    children: tuple[TreeNode, ...] = ()


class Referrer(msgspec.Struct, frozen=True, rename={"source": "from"}):
    """Who points at the object asked for; `field` says where in it the pointer is: of the array
    behind slices the array's own index."""

    source: Location
    field: str
    into: int


class DanglingEdge(msgspec.Struct, frozen=True, rename={"source": "from"}):
    """A pointer that leads to no object, with both ends."""

    source: Location
    to: Location
    field: str
    why: str


class ObjectView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One object, with its value as far as its type is known; else `why` it is not told."""

    location: Location
    type: str
    reachable: bool
    retained_bytes: int | UnsetType = UNSET
    value: Value | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    elements: tuple[Element, ...] | UnsetType = UNSET
    allocation: Allocation | UnsetType = UNSET
    why: str = ""


class Example(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An object that a row of the report names as an example, by itself: its bytes begin at
    `address`; `path` is the shortest way to it from a root, as Go would select it `path_text` (of
    garbage there is none). `pointers` lead to it, of which some are told as `referrers`."""

    address: Address
    size: int
    object: ObjectView
    path: tuple[Location, ...] = ()
    path_text: str = ""
    pointers: int
    referrers: tuple[Referrer, ...] = ()


class Growth(msgspec.Struct, frozen=True):
    """A type or a root that has grown (or shrunk) between two snapshots."""

    name: str
    objects: int
    bytes: int


class HeapDiff(msgspec.Struct, frozen=True):
    """The difference to an older snapshot of the same process. `untold` says why the growth of
    types or of roots is not told: the older report has no table of them."""

    objects: int
    bytes: int
    types: tuple[Growth, ...]
    roots: tuple[Growth, ...]
    untold: tuple[str, ...] = ()


class HeapSample(msgspec.Struct, frozen=True):
    """Objects that are kept by the same way: `stack` are the types, and at last the root, that
    alone keep them, innermost first."""

    stack: tuple[str, ...]
    objects: int
    bytes: int


class EarlierHeap(msgspec.Struct, frozen=True, kw_only=True):
    """What a report that was written before is compared by, whatever else it holds."""

    schema: str
    pid: int
    census: HeapCensus
    types: tuple[TypeCount, ...] = ()
    roots: tuple[RootCount, ...] | UnsetType = UNSET


OTHERS = "(others)"
"""In place of the type: all rows of a kind that are too many to be told one by one."""


class Waste(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that live and serve nobody, of `objects` of a type that one `field` leads to, below one
    `holder` (a root); each "" where there is none, or several are. `kind` says in which way they
    are wasted, `advice` what would help. Rows of different kinds may tell of the same bytes."""

    kind: str
    type: str
    field: str = ""
    holder: str
    objects: int
    bytes: int
    example: Address
    advice: str


STEPS_LEFT_OUT = "steps_left_out"


def steps_left_out(step: Location) -> int:
    """How many steps of a path lie between this one and the one told before it."""
    told = step.detail.get(STEPS_LEFT_OUT, 0)
    return told if isinstance(told, int) else 0


class HeapReport(Report, frozen=True, kw_only=True):
    """`snapshot` says how the target was read: stopped throughout, or from a forked copy.

    Parts that were not asked for are left out, or empty (types, paths, dangling). `path_texts` are
    the paths as Go would write them; of what no expression of Go's selects they end in where it is,
    and so does `outside` in the detail of that step: "beyond the length of main.queue, 3", "before
    main.tail's first element". Of `paths` of more than 200 steps the middle is left out:
    `steps_left_out` in the detail of the step behind it says how many. `path_allocation` says where
    the object at the paths' end was allocated. `leaks` are the goroutines that can never run again,
    and what they alone keep: with --leaked and --retained. `sites` are those of the runtime's own
    `sampling`, most bytes in use first. `examples` are objects that the other parts name as such
    (in pages and `goprobe report`). `notes` say which of several objects of a name was meant.
    """

    pause_us: int
    snapshot: str
    self_check: SelfCheck
    census: HeapCensus
    graph: GraphSummary | UnsetType = UNSET
    types: tuple[TypeCount, ...] = ()
    untyped: tuple[Untyped, ...] | UnsetType = UNSET
    roots: tuple[RootCount, ...] | UnsetType = UNSET
    tree: tuple[TreeNode, ...] | UnsetType = UNSET
    unreachable: tuple[TypeCount, ...] | UnsetType = UNSET
    waste: tuple[Waste, ...] | UnsetType = UNSET
    leaks: LeakSummary | UnsetType = UNSET
    paths: tuple[tuple[Location, ...], ...] = ()
    path_texts: tuple[str, ...] | UnsetType = UNSET
    path_allocation: Allocation | UnsetType = UNSET
    referrers: tuple[Referrer, ...] | UnsetType = UNSET
    object: ObjectView | UnsetType = UNSET
    examples: tuple[Example, ...] | UnsetType = UNSET
    dangling: tuple[DanglingEdge, ...] = ()
    diff: HeapDiff | UnsetType = UNSET
    samples: tuple[HeapSample, ...] | UnsetType = UNSET
    sampling: Sampling | UnsetType = UNSET
    sites: tuple[Site, ...] | UnsetType = UNSET
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    schema: str = SCHEMA
