"""Claims on what a program and its runtime do, and on what they cost."""

from __future__ import annotations

from collections import Counter

from goprobe.analysis.explain.allocations import allocations_of, own_sites
from goprobe.analysis.explain.measured import Measured, decided, unseen
from goprobe.analysis.explain.study import ClaimStudy
from goprobe.analysis.ownership import package_of
from goprobe.binary.elf.elf import SHF_ALLOC, SHT_NOBITS
from goprobe.counts import counted

_ON_HEAP = ("confirmed_heap", "deferred_heap", "shared")
_COMPILED = "the target is a compiled binary: {}"
_MOST_FUNCTIONS = 5


def overflow(study: ClaimStudy) -> Measured:
    limit = study.plain.max_stack
    run = study.companion("overflow", "main.main")
    if not limit:
        return unseen("runtime.maxstacksize could not be read", study.looked)
    told = (
        f"a stack may grow to {limit:,} bytes (runtime.maxstacksize); a recursion past the limit, "
        f"lowered to 1 MiB for the test, ended its program with {run.end}: a fatal error that no "
        "recover catches"
    )
    return decided(
        run.end == "exit code 0",
        told,
        f"runtime.maxstacksize is {limit} in process {study.plain.pid}",
        f"the probe program, process {run.pid}, ended with {run.end}",
    )


def heap_use(study: ClaimStudy) -> Measured:
    if study.compiled:
        why = "allocations are counted in a build of its own, which needs source"
        return unseen(why, _COMPILED.format(study.target))
    made = allocations_of(study.escapes)
    own = sum(n for name, n in made.items() if name.startswith("main."))
    total = sum(made.values())
    top = ", ".join(f"{n} by {name}" for name, n in made.most_common(4))
    told = (
        f"until its exit the optimised program made {counted(total, 'call')} into the allocator, "
        f"{own} of them from main's own code{f': {top}' if total else ''}"
    )
    places = counted(len(study.escapes.sites), "place")
    sites = f"goprobe escape --deep: {places}, {counted(total, 'call')} counted"
    return decided(not own, told, sites, *(f"{n} x {name}" for name, n in made.most_common(20)))


def collector(study: ClaimStudy) -> Measured:
    gauge = study.plain.gauge
    if gauge is None:
        why = "the program did not pass runtime.exit, so its end was not seen"
        return unseen(why, f"process {study.plain.pid} ended with {study.plain.end}")
    told = (
        f"until its exit the collector ran {counted(gauge.cycles, 'cycle')}, with the world "
        f"stopped for {gauge.pause_ns / 1000:.0f} µs in all"
    )
    return decided(
        gauge.pause_ns < 1_000_000,
        told,
        f"at the stop in runtime.exit memstats.numgc was {gauge.cycles}",
        f"and memstats.pause_total_ns {gauge.pause_ns}",
    )


def no_machine(study: ClaimStudy) -> Measured:
    run = study.plain
    functions = [f for f in run.program.lines.functions() if f.name.startswith("runtime.")]
    libraries = run.libraries
    told = (
        f"{len(functions)} functions of the runtime lie in the same machine code as main; the "
        "process maps "
        + (
            "no library"
            if not libraries
            else f"{counted(len(libraries), 'library', 'libraries')}: {', '.join(libraries)}"
        )
        + ", and no other process takes part"
    )
    named = [f"{f.name} at {f.entry + run.bias:#x}" for f in functions[:_MOST_FUNCTIONS]]
    text = f"code of the program: {run.text_mapping or 'no stop was reached'}"
    return decided(not libraries, told, text, *named, *(f"mapped: {lib}" for lib in libraries))


def runtime_size(study: ClaimStudy) -> Measured:
    program = study.optimized.program
    by_package: Counter[str] = Counter()
    for function in program.lines.functions():
        by_package[package_of(function.name)] += function.end - function.entry
    elf = program.elf
    loaded = {s.name: s.size for s in elf.sections if s.flags & SHF_ALLOC and s.type != SHT_NOBITS}
    debug = sum(
        s.size
        for s in elf.sections
        if s.name.startswith((".debug", ".zdebug", ".symtab", ".strtab"))
    )
    runtime = sum(n for p, n in by_package.items() if p == "runtime" or "runtime/" in p)
    code = sum(by_package.values())
    tables = sum(n for s, n in loaded.items() if s not in (".text",))
    told = (
        f"the {'' if study.compiled else 'optimised '}binary is {elf.size / 1e6:.1f} MB: "
        f"{code / 1e6:.2f} MB of code, of which the runtime {runtime / 1e6:.2f} MB, "
        f"{tables / 1e6:.2f} MB of tables and data, and "
        f"{debug / 1e6:.2f} MB of debug information and symbols that -ldflags='-s -w' leaves out"
    )
    facts = [f"{n:>8} bytes of code: {p}" for p, n in by_package.most_common(10)]
    facts += [
        f"{n:>8} bytes: section {s}"
        for s, n in sorted(loaded.items(), key=lambda item: -item[1])[:8]
    ]
    near = 1.5e6 <= runtime + tables <= 2.5e6
    return decided(near, told, f"{elf.size:>8} bytes: {study.optimized.binary}", *facts)


def predictions(study: ClaimStudy) -> Measured:
    if study.compiled:
        why = "predictions need source, and the target is a compiled binary"
        return unseen(why, _COMPILED.format(study.target))
    sites = own_sites(study.escapes)
    if not sites:
        every = len(study.escapes.sites)
        return unseen(
            "the compiler predicts nothing of package main",
            f"none of the {every} places that goprobe escape --deep tells of is in package main",
        )
    summary = Counter(site.verdict.value for site in sites)
    told = ", ".join(f"{n} {v.replace('_', ' ')}" for v, n in sorted(summary.items()))
    heap = [s for s in sites if s.prediction.value == "heap"]
    none = [s for s in heap if s.verdict.value not in _ON_HEAP]
    wrong = summary["contradicted"]
    measured = f"of {counted(len(sites), 'place')} with a prediction: {told or 'none'}" + (
        f'; {len(none)} of the {len(heap)} that "escape to the heap" allocated nothing there'
        if heap
        else ""
    )
    first, *more = (f"{s.file}:{s.line} {s.expression}: {s.reason}" for s in sites[:20])
    return decided(not none and not wrong, measured, first, *more)
