"""The run of `goprobe escape`: which calls are counted and looked at, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from goprobe.analysis.assertions import Promise
from goprobe.analysis.plan import SitePlan
from goprobe.analysis.results import CallResults, Results
from goprobe.analysis.sites import AllocationCall, CodeMap
from goprobe.analysis.verdict import CallEvidence
from goprobe.model.escape import DanglingPointer
from goprobe.model.location import Kind
from goprobe.model.trace import Exit
from goprobe.process.probes import CallSite, ProbeSite, RunOutcome
from goprobe.process.tracer import run_counted
from goprobe.runtime.allocators import Allocates
from goprobe.runtime.program import Program


@dataclass(frozen=True, slots=True)
class Request:
    """`entries` are, for each promise, the pcs at which its code begins."""

    program: Program
    code: CodeMap
    plans: Sequence[SitePlan]
    entries: Mapping[Promise, Sequence[int]]
    arguments: tuple[str, ...]
    cwd: Path
    hits: int
    check_pointers: int
    timeout: float | None
    stdout: int
    stderr: int


@dataclass(slots=True)
class Observed:
    """What a run showed; by pc (link-time) of calls and of witnesses. Empty: nothing was run.

    `partial` says why the run was not seen to its end, "" where it was.
    """

    ran: bool = False
    counts: Mapping[int, int] = field(default_factory=dict)
    results: Mapping[int, CallResults] = field(default_factory=dict)
    inner_complete: bool = False
    witnessed: Mapping[int, int] = field(default_factory=dict)
    executed: Mapping[int, int] = field(default_factory=dict)
    promised: dict[Promise, int] = field(default_factory=dict)
    dangling: tuple[DanglingPointer, ...] = ()
    partial: str = ""
    exit: Exit = field(default_factory=Exit)

    def evidence(self, call: AllocationCall) -> CallEvidence:
        results = self.results.get(call.pc, CallResults())
        return CallEvidence(
            call.allocator, self.counts.get(call.pc, 0), results.inspected, results.outcomes(),
            self._inner(call, results),
        )  # fmt: skip

    def _inner(self, call: AllocationCall, results: CallResults) -> int:
        return results.inner if self.inner_complete or results.inner else -1

    def allocations(self, call: AllocationCall) -> int:
        """How many objects the call was seen to allocate, -1 where not every hit was inspected."""
        results = self.results.get(call.pc, CallResults())
        hits = self.counts.get(call.pc, 0)
        if call.allocator.allocates is Allocates.SEVERAL and self.ran and hits:
            return results.inner if self.inner_complete else -1
        if not self.ran or results.inspected < hits:
            return -1
        return sum(o.count for o in results.outcomes() if o.kind == Kind.HEAP)

    def blocks(self, call: AllocationCall) -> int:
        """How many of these objects the allocator began a block for, -1 as above."""
        made = self.allocations(call)
        if made < 0 or call.allocator.allocates is Allocates.SEVERAL:
            return made
        outcomes = self.results.get(call.pc, CallResults()).outcomes()
        return sum(o.opened for o in outcomes if o.kind == Kind.HEAP)


def observe(request: Request) -> Observed:
    """Runs the program to its end, or as far as it goes. Raises as `run_counted`."""
    calls = {call.pc: call for plan in request.plans for call in plan.calls}
    inner = request.code.inner_calls if calls else ()
    sites = [CallSite(pc, call.target, pc) for pc, call in calls.items()]
    sites += [CallSite(call.pc, call.target, call.pc) for call in inner]
    offsets = {w.pc: w.offset for plan in request.plans for w in plan.witnesses}
    entries = {pc for pcs in request.entries.values() for pc in pcs}
    for pc in entries:
        offsets.setdefault(pc, 0)
    results = Results(request.program, calls, [call.pc for call in inner], offsets)
    outcome = run_counted(
        str(request.program.elf.path), request.arguments, sites=sites,
        probes=[ProbeSite(pc, pc) for pc in offsets if pc not in calls],
        inspect=request.hits, on_hit=results.on_hit, on_probe=results.on_probe,
        timeout=request.timeout, stdout=request.stdout, stderr=request.stderr,
        cwd=str(request.cwd),
    )  # fmt: skip
    return _observed(request, outcome, results, [call.pc for call in inner])


def _observed(
    request: Request, outcome: RunOutcome, results: Results, inner: Sequence[int]
) -> Observed:
    counts = outcome.counts
    return Observed(
        ran=True,
        counts=counts,
        results=results.by_call,
        inner_complete=all(counts[pc] <= request.hits for pc in inner),
        witnessed=results.witnessed,
        executed=results.executed,
        promised={
            promise: sum(results.executed.get(pc, 0) + counts.get(pc, 0) for pc in pcs)
            for promise, pcs in request.entries.items()
        },
        partial=outcome.why if outcome.partial else "",
        exit=_exit(outcome),
    )


def _exit(outcome: RunOutcome) -> Exit:
    if not outcome.signal:
        return Exit(code=outcome.exit_code)
    try:
        return Exit(signal=Signals(outcome.signal).name)
    except ValueError:
        return Exit(signal=f"signal {outcome.signal}")
