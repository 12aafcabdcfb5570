"""The run of `goprobe escape`: which calls are counted and looked at, and what came of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from signal import Signals

import msgspec
from msgspec.structs import replace

from goprobe.analysis.escape.allocationcall import CALL_SIZE, AllocationCall, seen_call
from goprobe.analysis.escape.benchmarks import Benchmarks
from goprobe.analysis.escape.evidence import CallEvidence
from goprobe.analysis.escape.request import FEW_HITS, EscapeRequest
from goprobe.analysis.escape.results import CallResults, Results
from goprobe.analysis.escape.siteplan import SitePlan
from goprobe.analysis.escape.stackwords import may_lead_into_stacks
from goprobe.analysis.escape.studycache import KeptArming
from goprobe.errors import GoprobeError, UnreadableError
from goprobe.model.escape import BenchmarkRun, DanglingPointer
from goprobe.model.location import Kind
from goprobe.model.trace import Exit
from goprobe.process.memory.memory import Memory, ProcessMemory
from goprobe.process.proc.identity import entry_point
from goprobe.process.proc.maps import read_maps
from goprobe.process.ptrace.stoppedregisters import out_of_calls, stopped_registers
from goprobe.process.tracer.events import CountedCall, ProbeHit, ProbeSite, RunOutcome
from goprobe.process.tracer.ledger import AllocatorCalls, Made
from goprobe.process.tracer.run import run_counted
from goprobe.runtime.allocatorcalls import Allocates, Family
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.world import World, load_bias
from goprobe.target.goprocess import GoProcess


class WatchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at in a run. `others` are calls of the runtime (pc and target), besides those
    of the plans, that are to be held responsible for what it allocates; of the instructions
    `watched` it is asked whether they ran at all. `allocator` are the runtime's own calls of its
    allocator, of no owners yet, `sweeps` those by which its collector begins to sweep; `rooms` are
    as in a CodeStartTable."""

    program: GoProgram
    plans: Sequence[SitePlan]
    others: Mapping[int, int]
    by_address: Mapping[int, int]
    watched: Collection[int]
    allocator: AllocatorCalls
    rooms: Mapping[int, int]
    sweeps: Sequence[tuple[int, int]]


class Observed(msgspec.Struct, kw_only=True):
    """What a run showed; by pc (link-time) of calls and of witnesses. Empty: nothing was run.

    `made` is what was allocated in each call of the runtime, `besides` the calls among them that
    are no site's. `partial` says why the run was not seen to its end, "" where it was.
    """

    ran: bool = False
    pid: int = 0
    counts: Mapping[int, int] = msgspec.field(default_factory=dict)
    made: Mapping[int, Made] = msgspec.field(default_factory=dict)
    besides: tuple[AllocationCall, ...] = ()
    results: Mapping[int, CallResults] = msgspec.field(default_factory=dict)
    witnessed: Mapping[int, int] = msgspec.field(default_factory=dict)
    executed: Mapping[int, int] = msgspec.field(default_factory=dict)
    dangling: tuple[DanglingPointer, ...] = ()
    warnings: tuple[str, ...] = ()
    benchmarks: tuple[BenchmarkRun, ...] = ()
    partial: str = ""
    exit: Exit = msgspec.field(default_factory=Exit)

    def ran_at(self, pc: int) -> bool:
        """Whether an instruction that was watched, or counted, was seen to run."""
        return bool(self.executed.get(pc) or self.counts.get(pc))

    def places_that_ran(self) -> frozenset[int]:
        """All of which `ran_at` says so."""
        both = (*self.executed.items(), *self.counts.items())
        return frozenset(pc for pc, times in both if times)

    def on_scheduler(self, call: AllocationCall) -> int:
        """Objects made for the call on the scheduler's stack: where that is its affair."""
        on_g0 = self.made.get(call.pc, _NOTHING).on_g0
        return on_g0 if call.allocator.family is Family.GO else 0

    def evidence(self, call: AllocationCall) -> CallEvidence:
        results = self.results.get(call.pc, CallResults())
        made = self.made.get(call.pc, _NOTHING)
        return CallEvidence(
            call.allocator,
            self.hits(call),
            results.inspected,
            results.outcomes(),
            made.objects,
            made.bytes,
            self.on_scheduler(call),
        )

    def hits(self, call: AllocationCall) -> int:
        """How often it ran; of what was found by its doing alone, how often it did that."""
        return self.counts.get(call.pc, self.made.get(call.pc, _NOTHING).objects)

    def allocations(self, call: AllocationCall) -> int:
        """How many objects were allocated in the call, -1 where nothing was run."""
        return self.made.get(call.pc, _NOTHING).objects if self.ran else -1

    def bytes(self, call: AllocationCall) -> int:
        """What these objects asked for in all."""
        return self.made.get(call.pc, _NOTHING).bytes if self.ran else -1

    def blocks(self, call: AllocationCall) -> int:
        """How many of these objects the allocator began a block for, -1 where that is not known:
        it puts small ones into one, and not every one was looked at."""
        made = self.made.get(call.pc, _NOTHING)
        if not self.ran or not made.small:
            return made.objects if self.ran else -1
        results = self.results.get(call.pc, CallResults())
        if call.allocator.allocates is Allocates.SEVERAL or results.inspected < self.hits(call):
            return -1
        return sum(o.opened for o in results.outcomes() if o.kind == Kind.HEAP)


_NOTHING = Made()


def observe(
    watch: WatchPlan, request: EscapeRequest, env: Mapping[str, str] | None = None
) -> Observed:
    """Runs the program to its end, or as far as it goes, in our environment or `env`. Raises as
    `run_counted`."""
    calls = {call.pc: call for plan in watch.plans for call in plan.calls}
    direct = (pc + CALL_SIZE for pc in (*calls, *watch.others))
    owners = tuple(dict.fromkeys((*direct, *watch.by_address.values())))
    few = request.hits <= FEW_HITS
    sites = [
        CountedCall(
            pc,
            call.target,
            pc,
            later=few and call.allocator.tells_later,
            room=watch.rooms.get(call.back, 0),
        )
        for pc, call in calls.items()
    ]
    offsets = {w.pc: w.offset for plan in watch.plans for w in plan.witnesses}
    # What runs in a function besides the first needs to be seen once only, unless it may be
    # another's.
    often = {
        w.pc
        for plan in watch.plans
        for _, group in groupby(plan.witnesses, lambda w: w.entry)
        for n, w in enumerate(group)
        if n == 0 or plan.sharing > 1
    }
    # Sorted: what is put into the program is kept, and is to be the same next time.
    watched = [pc for pc in sorted(watch.watched) if pc not in offsets]
    results = Results(watch.program, calls, offsets, sampled=few)
    sweeps = _Sweeps(watch.program)
    benchmarks = Benchmarks(watch.program)
    looked = max(request.hits, 1)
    probes = {
        pc: ProbeSite(
            pc,
            pc,
            looked if pc in often else 1,
            only_whether=pc not in offsets,
            room=watch.rooms.get(pc, 0),
            counts=pc in offsets,
            above=offsets.get(pc, 0),
        )
        for pc in (*offsets, *watched)
        if pc not in calls
    }
    if request.bench:
        probes |= {site.pc: site for site in benchmarks.probes}

    def on_probe(hit: ProbeHit, memory: Memory) -> None:
        results.on_probe(hit, memory)
        benchmarks.on_probe(hit, memory)

    outcome = run_counted(
        str(watch.program.elf.path),
        request.args,
        sites=sites,
        probes=tuple(probes.values()),
        inspect=request.hits,
        on_hit=results.on_hit,
        on_probe=on_probe,
        on_end=sweeps.at_end,
        check_every=request.check_pointers,
        on_check=sweeps.between if request.check_pointers else None,
        timeout=request.timeout,
        stdout=request.stdout,
        stderr=request.stderr,
        cwd=str(request.cwd),
        env=env,
        allocator=replace(watch.allocator, owners=owners),
        sweeps=watch.sweeps,
        kept=KeptArming(),
    )
    return _observed(watch, outcome, results, sweeps, benchmarks)


class _Sweeps:
    """Looks for pointers into stacks while the program stands still; each is told once."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program
        self._count = 0
        self.dangling: dict[str, DanglingPointer] = {}
        self.warnings: list[str] = []

    def between(self, memory: Memory) -> None:
        self._count += 1
        self._sweep(memory, f"in the run, at look {self._count}")

    def at_end(self, memory: Memory) -> None:
        self._sweep(memory, "at the end of the run")

    def _sweep(self, memory: Memory, when: str) -> None:
        pid = memory.pid if isinstance(memory, ProcessMemory) else 0
        mappings = read_maps(pid)
        bias = load_bias(self._program, mappings, str(self._program.elf.path), entry_point(pid))
        try:
            low, high = self._program.lines.low + bias, self._program.lines.high + bias
            threads = out_of_calls(stopped_registers(pid), memory, low, high)
            world = GoProcess(pid, self._program, bias).world(memory, mappings, threads)
            if not _may_lead(world, memory):
                return
            # Brings along what makes graphs of heaps.
            from goprobe.analysis.escape.stackpointers import pointers_into_stacks

            pointers = pointers_into_stacks(world)
        except (GoprobeError, UnreadableError) as error:
            self.warnings.append(f"pointers into stacks were not looked for: {error}")
            return
        for pointer in pointers:
            told = DanglingPointer(
                pointer.source, pointer.target, when, pointer.function, pointer.file, pointer.line
            )
            self.dangling.setdefault(pointer.source, told)


def _may_lead(world: World, memory: Memory) -> bool:
    try:
        return may_lead_into_stacks(world, memory)
    except UnreadableError:
        return True  # the graph tells why


def _observed(
    watch: WatchPlan,
    outcome: RunOutcome,
    results: Results,
    sweeps: _Sweeps,
    benchmarks: Benchmarks,
) -> Observed:
    counts = outcome.counts
    by_address = {back: pc for pc, back in watch.by_address.items()}
    direct = {*watch.others, *(call.pc for plan in watch.plans for call in plan.calls)}

    def pc_of(back: int) -> int:
        pc = back - CALL_SIZE
        return pc if pc in direct else by_address.get(back, pc)

    made = {pc_of(back): made for back, made in outcome.made.items()}
    return Observed(
        ran=True,
        pid=outcome.pid,
        counts=counts,
        made=made,
        besides=tuple(
            seen_call(watch.program, pc, watch.others.get(pc, 0))
            for pc, objects in made.items()
            if objects.objects and (pc in watch.others or pc in watch.by_address)
        ),
        results=results.by_call,
        witnessed={**results.witnessed, **{pc: n for pc, (_, n) in outcome.counted.items()}},
        executed={
            **results.executed,
            **dict.fromkeys(outcome.ran, 1),
            **{pc: n for pc, (n, _) in outcome.counted.items()},
        },
        dangling=tuple(sweeps.dangling.values()),
        warnings=tuple(dict.fromkeys(sweeps.warnings)),
        benchmarks=benchmarks.runs,
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
