"""What the runtime and the kernel say of a process's memory, in sentences: for text and pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import UNSET

from goprobe.model.memory import NO_GOAL, MemoryReport, RuntimeState
from goprobe.report import words


def of_runtime(report: MemoryReport, *, verbose: bool) -> Iterator[str]:
    """Collections, heap, goroutines, and what happened since the look before."""
    state, stats = report.runtime, report.memstats
    if state is UNSET:
        return
    ended = "none has ended yet"
    if state.live is not UNSET:
        lived = f"{words.size(state.live)} lived at the last"
        ended = f"{stats.get('NumGC', 0):,}, {lived}"
    due = f"the next one is due at {words.size(state.next_gc)}"
    if state.next_gc >= NO_GOAL:
        due = "none is due"
    gogc = "off" if state.gogc < 0 else str(state.gogc)
    limit = "none" if state.memory_limit is UNSET else words.size(state.memory_limit)
    yield f"Collections: {ended}; {due}; GOGC {gogc}, GOMEMLIMIT {limit}"
    if state.collections:
        pauses = words.listed([f"{c.pause_ns / 1000:.0f}" for c in state.collections])
        share = stats.get("GCCPUFraction", 0.0)
        yield f"Last pauses: {pauses} microseconds; {share:.1%} of the processors' time in all"
    if stats:
        yield (
            f"Heap: {words.size(stats['HeapAlloc'])} in "
            f"{words.counted(stats['HeapObjects'], 'object')}, "
            f"{words.size(stats['HeapInuse'])} in spans, {words.size(stats['HeapIdle'])} free, "
            f"{words.size(stats['HeapReleased'])} of that returned to the system"
        )
    if report.absent:
        yield (
            f"{words.size(report.absent)} of the heap's spans are not in memory: never touched, or "
            "swapped out"
        )
    yield f"Free pages: {state.scavenger}"
    if now := [*_now(report, state)]:
        yield f"At the moment: {', '.join(now)}"
    yield (
        f"{words.counted(state.goroutines, 'goroutine')}, {words.counted(state.threads, 'thread')} "
        f"({state.idle_threads} idle), GOMAXPROCS {state.gomaxprocs} ({state.idle_ps} idle), "
        f"{state.run_queue} waiting to run"
    )
    if verbose:
        yield from _in_detail(state)
    if report.rates is not UNSET:
        rates = report.rates
        made = "" if rates.goroutines is UNSET else f", {rates.goroutines:,.0f} goroutines made"
        yield (
            f"A second, over the last {rates.seconds:.1f}: "
            f"{words.size(max(int(rates.allocated_bytes), 0))} in "
            f"{rates.allocated_objects:,.0f} objects allocated, "
            f"{rates.collections:.1f} collections, {rates.gc_cpu:.2f} s CPU of them{made}"
        )


def _now(report: MemoryReport, state: RuntimeState) -> Iterator[str]:
    if state.phase is not UNSET:
        idle = "sweeps" if state.swept is False else "waits"
        yield f"the collector {idle if state.phase == 'off' else 'is marking'}"
    assists = report.metrics.get("/cpu/classes/gc/mark/assist:cpu-seconds")
    if assists:
        yield f"goroutines have helped it for {assists:.2f} s"
    if state.finalizers is not UNSET:
        yield f"{words.counted(state.finalizers, 'finalizer')} to run"
    if state.timers is not UNSET:
        yield f"{words.counted(state.timers, 'timer')} set"


def _in_detail(state: RuntimeState) -> Iterator[str]:
    goal = "none" if state.retain_goal is UNSET else words.size(state.retain_goal)
    yield f"Heap that is kept: {words.size(state.retained)}, the scavenger's goal: {goal}"
    yield f"Threads that look for work: {state.spinning_threads}"
    for each in state.collections:
        ended = datetime.fromtimestamp(each.end_unix_ns / 1e9, UTC)
        pause = f"{each.pause_ns / 1000:.0f} microseconds"
        yield f"Collection {each.number} ended at {ended:%H:%M:%S.%f} UTC, stopped it for {pause}"


def of_kernel(report: MemoryReport) -> Iterator[str]:
    """Of a running process: what is resident, and what its cgroup is charged with."""
    kernel = report.kernel
    if kernel.smaps_rss is UNSET:
        return
    figures = [
        ("resident", kernel.smaps_rss),
        ("of it in huge pages", kernel.huge),
        ("its share", kernel.pss),
        ("most ever", kernel.peak),
        ("swapped out", kernel.swap),
        ("page tables", kernel.page_tables),
    ]
    yield words.listed([f"{words.size(n)} {what}" for what, n in figures if n is not UNSET and n])
    if report.swapped:
        swapped = words.listed(
            [
                f"{words.size(size)} {what}"
                for what, size in sorted(report.swapped.items(), key=lambda each: -each[1])
            ]
        )
        yield f"Swapped out are {swapped}"
    if kernel.cgroup is UNSET:
        yield kernel.why_no_cgroup
        return
    limit = "" if kernel.cgroup_limit is UNSET else f" of {words.size(kernel.cgroup_limit)}"
    if kernel.cgroup_limit_of:
        limit += f", the limit of {kernel.cgroup_limit_of}"
    if kernel.cgroup_high is not UNSET:
        of = f" of {kernel.cgroup_high_of}" if kernel.cgroup_high_of else ""
        limit += f", slowed down beyond {words.size(kernel.cgroup_high)} (memory.high{of})"
    parts = ", ".join(f"{words.size(part.bytes)} {part.name}" for part in kernel.cgroup_parts)
    yield f"{kernel.cgroup_name}, with all in it, has {words.size(kernel.cgroup)}{limit}: {parts}"
    if kernel.cgroup_swap is not UNSET and kernel.cgroup_swap:
        most = kernel.cgroup_swap_limit
        of = "" if most is UNSET else f" of {words.size(most)} that may be"
        yield f"On top of that {words.size(kernel.cgroup_swap)}{of} are swapped out, of all in it"
