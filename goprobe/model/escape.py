"""The report of `goprobe escape`: schema goprobe.escape/1."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.address import Address
from goprobe.model.report import Report
from goprobe.model.trace import Exit

SCHEMA = "goprobe.escape/1"

NOTHING = "none"
"""The outcome's kind where a call gave no new memory; the others are those of Location."""


class Prediction(StrEnum):
    """What the compiler said: `none` where it said nothing about memory."""

    HEAP = "heap"
    STACK = "stack"
    NONE = "none"


class Verdict(StrEnum):
    """What came of a prediction. The contract fixes these names."""

    CONFIRMED_HEAP = "confirmed_heap"
    CONFIRMED_STACK = "confirmed_stack"
    STATIC = "static"
    SHARED = "shared"
    DEFERRED_HEAP = "deferred_heap"
    SPILLED_TO_HEAP = "spilled_to_heap"
    ELIDED = "elided"
    NO_COPY = "no_copy"
    NOT_REACHED = "not_reached"
    DEAD = "dead"
    UNPREDICTED = "unpredicted"
    UNOBSERVED = "unobserved"
    CONTRADICTED = "contradicted"


class SourceLine(msgspec.Struct, frozen=True):
    """A place in the source; `function` as the linker calls it."""

    function: str
    file: str
    line: int


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call into the allocator in the code of a site.

    `pc` is the CALL's link-time address. `file`, `line` and `function` are where the source of the
    call stands; `inlined_at` the calls through which that was inlined, innermost first, as
    "file:line (function)"; `frames` are both, before them the called function's declaration where
    the call makes a variable of what was inlined there. `ran`: its line was seen to run.

    `hits` counts how often it ran; of a function that asks for no memory, in which the runtime
    allocated all the same, how often it did. `allocations` is how many objects were made in it and
    `bytes` what they asked for in all; all are exact, however often it ran, and -1 where nothing
    was run. `blocks` is how many of the objects began a memory block of their own, which is what
    Go's memory profiles count, -1 where not every one of small ones was inspected. `on_scheduler`
    are objects more that were made on the scheduler's stack (a new goroutine's descriptor), of
    which Go's profiles know nothing.
    """

    pc: Address
    callee: str
    inlined_at: tuple[str, ...]
    file: str = ""
    line: int = 0
    function: str = ""
    hits: int = 0
    allocations: int = -1
    blocks: int = -1
    bytes: int = -1
    on_scheduler: int = 0
    frames: tuple[SourceLine, ...] = ()
    ran: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where results lived: `count` inspected ones that lay alike.

    `kind` is a kind of Location, or "none" where nothing new was handed out. `bytes` is what was
    asked for in all, `type` the Go type where the call names it ("" where not) and `address` the
    first result's. `name` says it for humans. `opened` counts those that began a memory block of
    the allocator: the tiny allocator puts several small objects without pointers into one.
    """

    kind: str
    count: int
    bytes: int
    type: str
    address: Address
    name: str = ""
    opened: int = 0


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of which the compiler, or the machine code, says where its memory comes from.

    `hits` is how often the site's calls ran, or, where it has none, how often its code was seen to
    run; `counted` is false where that is not how often in all: nobody looks any more after some
    times, and at code that uses no memory of the frame (static data, say) nobody looks at all.
    `allocations` is how many objects were made for it and `bytes` what they asked for in all, both
    counted, -1 where nothing was run. `inspected` is for how many of the hits `outcomes` speaks.
    `flow` is the compiler's own reason (-m=2). `ambiguous` says what cannot be told apart on this
    line. `parameter`: it speaks of a function's parameter, which has no memory of its own. Of
    several runs `least` and `most` are the fewest and the most objects of one, -1 of a single run.
    """

    file: str
    line: int
    col: int
    function: str
    expression: str
    prediction: Prediction
    messages: tuple[str, ...]
    calls: tuple[Call, ...]
    hits: int
    outcomes: tuple[Outcome, ...]
    verdict: Verdict
    reason: str
    inspected: int = 0
    flow: tuple[str, ...] = ()
    ambiguous: str = ""
    parameter: bool = False
    allocations: int = -1
    bytes: int = -1
    counted: bool = True
    least: int = -1
    most: int = -1


class ProofVerdict(StrEnum):
    """What the code alone says of a promise that reaches into callees."""

    PROVED = "proved"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Hole(msgspec.Struct, frozen=True):
    """A call that cannot be followed, and the calls that lead to it."""

    why: str
    chain: tuple[SourceLine, ...]


NOT_RUN = "not run"
"""What `Proof.ran` says where nothing was run."""


OF_PANICS = "the records of panics"
"""What no proof speaks of, among its exemptions where the run has seen it."""


class Proof(msgspec.Struct, frozen=True):
    """`chain` leads from the promise to what breaks it, place by place; its last is the function of
    the runtime (without a place). `functions` are how many were looked at. `exempt` are the reasons
    of exemptions that were met. `ran` says what the run showed of the same code."""

    verdict: ProofVerdict
    chain: tuple[SourceLine, ...]
    why: str
    functions: int
    holes: tuple[Hole, ...] = ()
    exempt: tuple[str, ...] = ()
    ran: str = ""


class Assertion(msgspec.Struct, frozen=True):
    """A `//goprobe:` comment: `text` are its words (heap, stack, noalloc, noalloc deep …). `known`
    is false where it was neither held nor broken as far as was seen; such a one does not count as
    held. Of what the code is to prove, `proof` says what it does."""

    file: str
    line: int
    text: str
    held: bool
    why: str
    known: bool = True
    proof: Proof | UnsetType = UNSET


class FunctionCode(msgspec.Struct, frozen=True):
    """A function that has code in the binary, of its own or inlined, in `copies` places.

    [first, last] are the lines of its code. `ran`: whether it was seen to run, None where nobody
    looked, as it cannot allocate, or where what was seen does not tell. `may` is what may allocate
    in it though nothing there asks for memory, on the lines `may_lines`.
    """

    name: str
    file: str
    first: int
    last: int
    copies: int = 0
    ran: bool | None = None
    may: str = ""
    may_lines: tuple[int, ...] = ()


class Build(msgspec.Struct, frozen=True):
    """How the binary was made: `flags` of the user, `go_line` the whole command."""

    flags: tuple[str, ...]
    go_line: str
    gcflags: str
    binary: str = ""


class DanglingPointer(msgspec.Struct, frozen=True):
    """A pointer of the heap or of a global into a goroutine's stack, and when it was met.

    `function`, `file` and `line` are of the frame that holds what it points at, "" and 0 where no
    frame in use does.
    """

    source: str
    target: str
    when: str
    function: str = ""
    file: str = ""
    line: int = 0


class ChangeKind(StrEnum):
    """What became of a place that needs memory. The contract fixes these names."""

    NEW = "new"
    TO_HEAP = "to_heap"
    MORE = "more"
    LARGER = "larger"
    SMALLER = "smaller"
    FEWER = "fewer"
    TO_STACK = "to_stack"
    GONE = "gone"


class BenchmarkRun(msgspec.Struct, frozen=True):
    """A benchmark that ran to its end, and how many operations it did in all, its first trial and
    its repetitions among them."""

    name: str
    operations: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One place of the source that allocates otherwise than before, all its inlined copies taken
    together. `before` and `after` are verdicts, "" where there was no such place; objects are -1
    where nothing was run, bytes what they asked for. `why` is the compiler's reason. `by_chance`:
    the same code may do so in each run, as maps grow by random hashes and goroutines wait or not;
    with --repeat the runs tell. `fails`: it is among what --fail-on names. A place that is gone
    has the file and line of the old report. `operations` are those of the benchmark, where exactly
    one ran in the newer run (`operations_before`: in the older), else 0.
    """

    kind: ChangeKind
    file: str
    line: int
    function: str
    expression: str
    before: str
    after: str
    allocations_before: int
    allocations: int
    bytes_before: int
    bytes: int
    why: str = ""
    by_chance: bool = False
    fails: bool = False
    operations: int = 0
    operations_before: int = 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What changed since an older report, `against` says which. `same` places allocate as before,
    `silent` are new or gone and allocate nothing. `doubts`: why the two may not be comparable."""

    against: str
    go: str
    changes: tuple[Change, ...]
    same: int
    silent: int
    doubts: tuple[str, ...] = ()


class PassedOver(msgspec.Struct, frozen=True):
    """Promises that were not looked at: how many in all, and the folders of their packages, which
    belong to the modules of those that were."""

    promises: int = 0
    packages: tuple[str, ...] = ()


class EscapeReport(Report, frozen=True, kw_only=True):
    """`ran` is false with --static. `partial` says why the run was not seen to its end. `pid` is
    the last process that ran. `failed` names tests that failed, `fail_on`
    are verdicts that make it a failure. `folder` is what its paths are relative to, and `root` the
    repository that holds that. `runs` is how often it was run: the
    sites are those of the first. `shown` says which sites alone are here, "" where all are.
    `benchmarks` are those that ran (of the first run). `passed_over` are promises that nobody
    looked at."""

    build: Build
    sites: tuple[Site, ...]
    assertions: tuple[Assertion, ...]
    summary: dict[str, int]
    ran: bool = True
    partial: str = ""
    exit: Exit | UnsetType = UNSET
    dangling: tuple[DanglingPointer, ...] = ()
    warnings: tuple[str, ...] = ()
    functions: tuple[FunctionCode, ...] = ()
    failed: str = ""
    fail_on: tuple[Verdict, ...] = ()
    folder: str = ""
    root: str = ""
    runs: int = 1
    comparisons: tuple[Comparison, ...] = ()
    shown: str = ""
    benchmarks: tuple[BenchmarkRun, ...] = ()
    passed_over: PassedOver = PassedOver()
    schema: str = SCHEMA
