"""All that is known of a binary before any run: plain data, which can be kept on disk."""

from __future__ import annotations

import msgspec

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.codeplaces import CodeStartTable
from goprobe.analysis.escape.promises import Promise
from goprobe.analysis.escape.siteplan import SitePlan
from goprobe.model.escape import Proof
from goprobe.process.tracer.ledger import AllocatorCalls


class PromisedStudy(msgspec.Struct, frozen=True, kw_only=True):
    """A promise and its code: `starts` are where that begins in each of its copies, `around` where
    the function does in which a promise of one line stands. `outside`: it names a function of which
    there is machine code, `foreign`: one whose package is not looked at; `inlined`: the compiler
    says that it inlined the function. `may` names a call that may come to allocate there though
    nothing asks for memory; `doubt` says why it cannot be told whether all its variables are made
    by calls that are known; `proof` is that of one that the code is to prove, `panics` the calls by
    which what it followed may panic. `once` are the literals in it that a sync.Once runs, where the
    promise is of what comes after that."""

    promise: Promise
    starts: tuple[int, ...]
    around: tuple[int, ...]
    outside: bool
    foreign: bool
    inlined: bool
    may: str
    doubt: str
    proof: Proof | None
    panics: frozenset[int]
    once: frozenset[str] = frozenset()


class StaticStudy(msgspec.Struct, frozen=True, kw_only=True):
    """Of the sites `plans`, and of the code of own functions. `others` are calls of the runtime (pc
    and target) besides those of the plans, `may` those among them that may allocate; `by_address`
    are calls that may lead to it (pc, and where it returns to); `watched`
    instructions of which it is asked whether they run at all. `inlined_at` says of a function where
    it was inlined, `wrappers` are the machine functions that no source has. `allocator` are the
    runtime's own calls of its allocator, for no owners yet, `sweeps` those by which its collector
    begins to sweep (pc and target). `sources` are digests of all source
    files that were read for it.
    """

    plans: tuple[SitePlan, ...]
    starts: CodeStartTable
    others: dict[int, int]
    by_address: dict[int, int]
    may: tuple[AllocationCall, ...]
    watched: frozenset[int]
    inlined_at: dict[str, tuple[str, ...]]
    wrappers: frozenset[int]
    allocator: AllocatorCalls
    sweeps: tuple[tuple[int, int], ...]
    promises: tuple[PromisedStudy, ...]
    sources: dict[str, str]
