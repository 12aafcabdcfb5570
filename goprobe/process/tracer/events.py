"""What the tracer is asked for and what it tells: sites, hits, the outcome of a run."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from goprobe.process.tracer.ledger import Made


class CountedCall(msgspec.Struct, frozen=True):
    """A `CALL rel32` instruction of compiled Go code to count and inspect.

    `pc` and `callee` are link-time addresses (callee 0: whatever the instruction calls). Several
    calls may share a `site_id`; their counts are then added up. With `inspect` false the call is
    only counted, for callees outside Go's internal ABI (gcWriteBarrier, duffcopy, C). `later`: of
    its results only registers, and what stays until the next sweep, are of interest (`later.py`);
    for that `room` bytes from where it returns on are run elsewhere (0: one instruction).
    """

    pc: int
    callee: int
    site_id: int
    inspect: bool = True
    later: bool = False
    room: int = 0


class ProbeSite(msgspec.Struct, frozen=True):
    """Any instruction at whose first executions the registers are wanted: `limit` of them, or as
    many as are inspected of calls (0). `pc` is link-time. `only_whether`: it is enough to know that
    it ran, and nobody is told; its thread is stopped for that, once, only where it cannot be noted
    otherwise, for `room` bytes from it on perhaps (`arch/amd64/covering.py`). `counts`: it is
    enough to know how often it ran and `above` the stack pointer was the goroutine's own stack."""

    pc: int
    probe_id: int
    limit: int = 0
    only_whether: bool = False
    room: int = 0
    counts: bool = False
    above: int = 0


class CallHit(msgspec.Struct, frozen=True, kw_only=True):
    """One call that was looked at. Addresses are the target's own.

    `index` counts the calls from 0 in the order in which they began. `arguments` and `results`
    are RAX RBX RCX RDI RSI R8 R9 R10 R11 at the call and just after it returned; `results` is ()
    if it did not: it panicked, or the program ended first. `context` is RDX at the call.
    `sp` is RSP before the call pushed its return address, and again after it returned if the
    stack did not move: `stack_hi` (g.stack.hi) minus sp stays the same when it does.
    `tid` is the thread on which it returned, 0 before. `look` is 0 while that thread is held; of
    returns that were noted it numbers the look at them: what their results are stays so until all
    of that look are told (`later.py`).
    """

    site: CountedCall
    index: int
    g: int
    arguments: tuple[int, ...]
    context: int
    fp: int
    sp: int
    stack_hi: int
    results: tuple[int, ...] = ()
    sp_after: int = 0
    stack_hi_after: int = 0
    tid: int = 0
    look: int = 0

    @property
    def returned(self) -> bool:
        return bool(self.results)


class ProbeHit(msgspec.Struct, frozen=True):
    """One execution of a probed instruction, about to happen. `registers` by their names."""

    site: ProbeSite
    index: int
    tid: int
    registers: Mapping[str, int]


class RunOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a traced run went.

    `counts`: calls begun, by site_id, exact. `made`: what was allocated for each owner asked
    about, by its link-time return address; exact. `hits` (the first calls of each site to return,
    and some that never did where too few returned) and `probes` in the order of their ends;
    `ran` are the ids of probes that were asked only whether they run, and did; `counted` says of
    others how often that was noted (up to their limits), and how often in the own stack.
    `exit_code`, or the `signal` that killed it (0: none).
    `partial`: it was not followed to its end, and `why` is the one sentence that says so.
    `bias`: what was added to link-time addresses. `stops`: how often it was held for us; `moved`:
    how often a thread had to be moved out of our code before it could take a signal.
    """

    pid: int
    bias: int
    counts: Mapping[int, int]
    hits: tuple[CallHit, ...]
    probes: tuple[ProbeHit, ...]
    exit_code: int
    signal: int
    partial: bool
    why: str
    stops: int
    moved: int
    made: Mapping[int, Made] = msgspec.field(default_factory=dict)
    ran: frozenset[int] = frozenset()
    counted: Mapping[int, tuple[int, int]] = msgspec.field(default_factory=dict)
