"""The claims of the familiar picture, each with its measurement.

Each function takes the study and returns one Claim. What could not be measured is said with the
reason; nothing is taken from the picture itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from msgspec import UNSET

from goprobe.analysis.explain.allocations import allocations_of, own_sites
from goprobe.analysis.explain.study import STATIC, Study
from goprobe.analysis.ownership import package_of
from goprobe.analysis.session import Session
from goprobe.analysis.stopview import StopView
from goprobe.binary.elf import SHF_ALLOC, SHT_NOBITS
from goprobe.model.explain import Claim, ClaimVerdict
from goprobe.model.location import Kind, Location
from goprobe.model.trace import Stop
from goprobe.model.value import Variable
from goprobe.process.mi import StopEvent

HOLDS, DIFFERS = ClaimVerdict.HOLDS, ClaimVerdict.DIFFERS
NOT_OBSERVABLE = ClaimVerdict.NOT_OBSERVABLE
_MOV_BYTE = 0x0888  # mov byte [rax], cl
_ORDER = ("text", "rodata", "data", "bss", "heap", "goroutine_stack", "runtime", "system_stack")

TEXTS = (
    (
        "machine code of main, fmt.Println and the runtime lies in one read-only, executable "
        "segment at the lowest addresses, shared by all goroutines"
    ),
    'the literal\'s bytes lie in the "data" segment, once, and are immutable',
    "global variables live beside the literal",
    'msg, on the stack, is "a pointer" to the literal',
    "reusing or copying a string copies only its header; equal literals share their bytes",
    (
        "main's frame is on the stack, between data and heap; it grows downward, and a call "
        "costs a pointer adjustment"
    ),
    "a goroutine's stack grows and moves as needed",
    'there are no "stack overflow" fears',
    "the heap is not used by this code, though fmt.Println may use it for buffers",
    "from lowest to highest address: code, data, stack, heap",
    "the garbage collector stays out of the way of a program like this",
    "no hidden virtual machine: the runtime is embedded, and the binary self-contained",
    "the runtime adds about 2 MB to the binary",
    "what the compiler predicts of the heap (-m) is what happens",
)
"""The claims in the picture's order."""


def _unseen(number: int, claim: str, why: str) -> Claim:
    return Claim(str(number), claim, NOT_OBSERVABLE, why)


def _message(study: Study) -> tuple[Stop, Variable, Location] | None:
    found = study.plain.string_variable()
    if found is None:
        return None
    stop, variable = found
    assert variable.data is not UNSET
    return stop, variable, variable.data.location


def _literal(study: Study) -> tuple[Stop, Variable, Location] | None:
    """A string variable whose bytes came with the binary."""
    found = _message(study)
    return found if found and found[2].kind in STATIC else None


def code_segment(study: Study) -> Claim:
    claim = TEXTS[0]
    run = study.plain
    text = [r for r in run.map if r.kind == Kind.TEXT]
    if not text or not run.text_mapping:
        return _unseen(1, claim, "no stop was reached at which the code could be looked at")
    perms = {r.perms for r in text}
    lowest = min(run.map, key=lambda r: r.low)
    first = text[0].low - lowest.low
    below = (
        "other parts of the binary" if lowest.kind in STATIC else "memory of Go's heap and runtime"
    )
    functions = [run.program.lines.function_named(n) for n in ("main.main", "fmt.Println",
                 "runtime.mallocgc")]  # fmt: skip
    named = [f"{f.name} at {f.entry + run.bias:#x}" for f in functions if f]
    one = len(perms) == 1 and "r-xp" in perms
    near = first <= 1 << 16
    measured = (
        f"all {sum(r.size for r in text) >> 10} KiB of machine code lie in the mapping "
        f"{run.text_mapping}, readable and executable, not writable, "
        + (f"{first} bytes above the process's lowest address; " if near else
           f"{_distance(first)} above the process's lowest address, with {below} below it; ")
        + "there is one copy of it, whatever the number of goroutines"
    )  # fmt: skip
    return Claim("1", claim, HOLDS if one and near else DIFFERS, measured, tuple(named))


def literal_place(study: Study) -> Claim:
    claim = TEXTS[1]
    found = _literal(study)
    if found is None:
        return _unseen(2, claim, "the program has no string literal in a variable at its stops")
    _, variable, place = found
    assert variable.data is not UNSET
    address = int(variable.data.address)
    end, said = study.in_scratch(lambda session, view: _write_to(session, view, address))
    faulted = "SIGSEGV" in said and f"addr={address:#x}" in said
    fault = f"a SIGSEGV at that address and {end}" if faulted else f"no fault ({end})"
    section = str(place.detail.get("section", place.kind))
    copies = _copies(study, variable)
    region = next((r for r in study.plain.map if r.low <= address < r.high), None)
    perms = region.perms if region else "?"
    measured = (
        f"the {variable.data.size} bytes of {variable.name} lie in {section} ({perms}), "
        + ("not in .data, " if section != ".data" else "")
        + f"{copies} time{'s' if copies != 1 else ''} in the binary; writing one of them in a "
        f"scratch copy of the process ended in {fault}"
    )
    verdict = HOLDS if section in (".data", ".noptrdata") and faulted else DIFFERS
    return Claim("2", claim, verdict, measured, place.evidence)


def _write_to(session: Session, view: StopView, address: int) -> StopEvent:
    """Has the scratch copy itself execute a store to the address."""
    pc = view.registers["rip"]
    session.gdb.console(f"set var *(short *) {pc:#x} = {_MOV_BYTE:#x}")
    session.gdb.console(f"set $rax = {address:#x}")
    return session.gdb.step_instruction(timeout=session.time_left())


def _copies(study: Study, variable: Variable) -> int:
    elf, bias = study.plain.program.elf, study.plain.bias
    assert variable.data is not UNSET
    size = variable.data.size if variable.data.size is not UNSET else 0
    needle = elf.read(int(variable.data.address) - bias, size)
    if not needle:
        return 0
    return sum(
        elf.contents(s).count(needle)
        for s in elf.sections
        if s.flags & SHF_ALLOC and s.type != SHT_NOBITS
    )


def globals_beside(study: Study) -> Claim:
    claim = TEXTS[2]
    found, run = _literal(study), study.plain
    if not run.globals or found is None:
        return _unseen(3, claim, "there is no global variable or no literal to compare")
    literal = str(found[2].detail.get("section", found[2].kind))
    homes = Counter(str(place.detail.get("section", place.kind)) for _, place in run.globals)
    name, place = run.globals[0]
    gap = abs(int(place.address) - int(found[2].address)) >> 10
    where = ", ".join(f"{count} in {section}" for section, count in homes.most_common())
    measured = (
        f"globals lie in writable sections of their own ({where}); {name} is in "
        f"{place.detail.get('section')} at {place.address}, {gap} KiB from the literal in {literal}"
    )
    verdict = HOLDS if set(homes) == {literal} else DIFFERS
    return Claim("3", claim, verdict, measured, tuple(f"{n}: {p}" for n, p in run.globals))


def message_is_pointer(study: Study) -> Claim:
    claim = TEXTS[3]
    found = _message(study)
    if found is None:
        return _unseen(4, claim, "the program has no string variable at its stops")
    _, v, _ = found
    assert v.data is not UNSET
    place = v.location.name if v.location is not UNSET else f"in registers ({v.register})"
    optimised = [o for stop in study.optimized.stops for o in stop.variables if o.name == v.name]
    shipped = "the optimised build has no variable of that name at all"
    if study.compiled:
        shipped = "there is no source to build it otherwise"
    elif optimised:
        o = optimised[-1]
        shipped = f"in the optimised build it is {o.state.value.replace('_', ' ')}" + (
            f" ({o.why})" if o.why else ""
        )
    measured = (
        f"{v.name} is {v.size} bytes, two words: the pointer {v.data.address} and the length "
        f"{v.value.len if v.value is not UNSET else '?'}; it is on {place}; {shipped}"
    )
    evidence = v.location.evidence if v.location is not UNSET else ()
    return Claim("4", claim, HOLDS if v.size == 8 else DIFFERS, measured, evidence)


def copies_share(study: Study) -> Claim:
    claim = TEXTS[4]
    run = study.companion("share", "main.show")
    by_name = {v.name: v for stop in run.stops for v in stop.variables if v.data is not UNSET}
    names = ("first", "copied", "part", "again")
    if not all(n in by_name for n in names):
        return _unseen(5, claim, "the strings of the probe program could not be read")
    held = {n: by_name[n].data for n in names}
    at = {n: int(d.address) for n, d in held.items() if d is not UNSET}
    copied = at["copied"] == at["first"]
    part = at["part"] == at["first"] + 7
    again = at["again"] == at["first"]
    measured = (
        f"in a probe program a copy points at {'the same bytes' if copied else 'other bytes'} "
        f"({at['first']:#x}), a part first[7:9] 7 bytes into them ({at['part']:#x}), and an equal "
        f"literal in another function at {'the same' if again else 'other'} bytes "
        f"({at['again']:#x}); each header takes 16 bytes"
    )
    return Claim("5", claim, HOLDS if copied and part and again else DIFFERS, measured)


def main_on_stack(study: Study) -> Claim:
    claim = TEXTS[5]
    run = study.plain
    stop = next((s for s in reversed(run.stops) if s.stack is not UNSET and s.goroutine), None)
    if stop is None or stop.stack is UNSET:
        return _unseen(6, claim, "no stop in a goroutine was reached")
    cfas = [int(f.cfa) for f in stop.frames if not f.inlined]
    downward = cfas == sorted(cfas)
    heap = [r for r in run.map if r.kind == Kind.HEAP]
    data = [r for r in run.map if r.kind in (Kind.DATA, Kind.BSS)]
    inside = bool(heap) and heap[0].low < stop.stack.low < heap[-1].high
    between = bool(heap and data) and data[-1].high <= stop.stack.low and (
        stop.stack.high <= heap[0].low
    )  # fmt: skip
    size = (int(stop.stack.high) - int(stop.stack.low)) >> 10
    sub = next((p for p in run.prologue if "sub rsp" in p), "")
    measured = (
        f"goroutine {stop.goroutine}'s stack is {size} KiB at {stop.stack.low}, "
        + ("a span of the same arena that holds the heap, with objects below and above it; "
           if inside else "in the heap's arena; " if not between else "between data and heap; ")
        + f"{'each' if downward else 'not each'} callee's frame lies below its caller's; the call "
        f"makes room with {sub.split(' ', 1)[1] if sub else 'no instruction of its own'}; "
        f"the kernel's own stack ({run.kernel_stack or 'not found'}) serves the scheduler"
    )  # fmt: skip
    return Claim("6", claim, HOLDS if between and downward else DIFFERS, measured, run.prologue)


def stack_moves(study: Study) -> Claim:
    claim = TEXTS[6]
    run = study.companion("grow", "main.top", "main.bottom")
    seen = [_here(stop) for stop in run.stops]
    if len(seen) < 2 or seen[0] is None or seen[-1] is None:
        return _unseen(7, claim, "the recursion of the probe program was not seen")
    (low, high, here), (low2, high2, here2) = seen[0], seen[-1]
    moved = (low, high) != (low2, high2)
    measured = (
        f"a recursion of 200 calls took the stack from {(high - low) >> 10} KiB at {low:#x} to "
        f"{(high2 - low2) >> 10} KiB at {low2:#x}; the same variable of main was at {here:#x}, "
        f"then at {here2:#x}, and pointers to it were moved along; it stayed "
        f"{high2 - here2:#x} bytes below the stack's top"
    )
    same = high - here == high2 - here2
    return Claim("7", claim, HOLDS if moved and same else DIFFERS, measured)


def _here(stop: Stop) -> tuple[int, int, int] | None:
    found = next((v for v in stop.variables if v.name == "here" and v.data is not UNSET), None)
    if found is None or found.data is UNSET or stop.stack is UNSET:
        return None
    return int(stop.stack.low), int(stop.stack.high), int(found.data.address)


def overflow(study: Study) -> Claim:
    claim = TEXTS[7]
    limit = study.plain.max_stack
    run = study.companion("overflow", "main.main")
    if not limit:
        return _unseen(8, claim, "runtime.maxstacksize could not be read")
    measured = (
        f"a stack may grow to {limit:,} bytes (runtime.maxstacksize); a recursion past the limit, "
        f"lowered to 1 MiB for the test, ended its program with {run.end}: a fatal error that no "
        "recover catches"
    )
    return Claim("8", claim, HOLDS if run.end == "exit code 0" else DIFFERS, measured)


def heap_use(study: Study) -> Claim:
    claim = TEXTS[8]
    if study.compiled:
        return _unseen(
            9, claim, "allocations are counted in a build of its own, which needs source"
        )
    counted = allocations_of(study.escapes)
    own = sum(n for name, n in counted.items() if name.startswith("main."))
    total = sum(counted.values())
    top = ", ".join(f"{n} by {name}" for name, n in counted.most_common(4))
    measured = (
        f"until its exit the optimised program made {total} calls into the allocator, {own} of "
        f"them from main's own code{f': {top}' if total else ''}"
    )
    evidence = tuple(f"{n} x {name}" for name, n in counted.most_common(20))
    return Claim("9", claim, HOLDS if not own else DIFFERS, measured, evidence)


def order(study: Study) -> Claim:
    claim = TEXTS[9]
    first: dict[str, int] = {}
    for region in study.plain.map:
        if region.kind in _ORDER:
            first.setdefault(region.kind.value, int(region.low))
    if not first:
        return _unseen(10, claim, "no stop was reached")
    seen = sorted(first, key=lambda kind: first[kind])
    measured = "measured, lowest first: " + ", ".join(
        f"{kind.replace('_', ' ')} {first[kind]:#x}" for kind in seen
    )
    claimed = [k for k in seen if k in ("text", "data", "goroutine_stack", "heap")]
    holds = claimed == ["text", "data", "goroutine_stack", "heap"]
    holds = holds and "system_stack" not in seen[: seen.index("heap")] if "heap" in seen else False
    return Claim("10", claim, HOLDS if holds else DIFFERS, measured)


def collector(study: Study) -> Claim:
    claim = TEXTS[10]
    gauge = study.plain.gauge
    if gauge is None:
        return _unseen(11, claim, "the program did not pass runtime.exit, so its end was not seen")
    measured = (
        f"until its exit the collector ran {gauge.cycles} cycles, with the world stopped for "
        f"{gauge.pause_ns / 1000:.0f} µs in all"
    )
    return Claim("11", claim, HOLDS if gauge.pause_ns < 1_000_000 else DIFFERS, measured)


def no_machine(study: Study) -> Claim:
    claim = TEXTS[11]
    run = study.plain
    count = sum(1 for f in run.program.lines.functions() if f.name.startswith("runtime."))
    libraries = run.libraries
    measured = (
        f"{count} functions of the runtime lie in the same machine code as main; the process maps "
        + (
            "no library"
            if not libraries
            else f"{_counted(len(libraries), 'librar', 'y', 'ies')}: {', '.join(libraries)}"
        )
        + ", and no other process takes part"
    )
    return Claim("12", claim, DIFFERS if libraries else HOLDS, measured, libraries)


def runtime_size(study: Study) -> Claim:
    claim = TEXTS[12]
    program = study.optimized.program
    by_package: Counter[str] = Counter()
    for function in program.lines.functions():
        by_package[package_of(function.name)] += function.end - function.entry
    elf = program.elf
    loaded = {s.name: s.size for s in elf.sections if s.flags & SHF_ALLOC and s.type != SHT_NOBITS}
    debug = sum(s.size for s in elf.sections if s.name.startswith((".debug", ".zdebug", ".symtab",
                ".strtab")))  # fmt: skip
    runtime = sum(n for p, n in by_package.items() if p == "runtime" or "runtime/" in p)
    code = sum(by_package.values())
    tables = sum(n for s, n in loaded.items() if s not in (".text",))
    measured = (
        f"the {'' if study.compiled else 'optimised '}binary is {elf.size / 1e6:.1f} MB: "
        f"{code / 1e6:.2f} MB of code, of which the runtime {runtime / 1e6:.2f} MB, "
        f"{tables / 1e6:.2f} MB of tables and data, and "
        f"{debug / 1e6:.2f} MB of debug information and symbols that -ldflags='-s -w' leaves out"
    )
    evidence = tuple(f"{n:>8} bytes of code: {p}" for p, n in by_package.most_common(10))
    evidence += tuple(f"{n:>8} bytes: section {s}" for s, n in sorted(
        loaded.items(), key=lambda item: -item[1])[:8])  # fmt: skip
    near = 1.5e6 <= runtime + tables <= 2.5e6
    return Claim("13", claim, HOLDS if near else DIFFERS, measured, evidence)


_ON_HEAP = ("confirmed_heap", "deferred_heap", "shared")


def _counted(count: int, word: str, one: str, many: str) -> str:
    return f"{count} {word}{one if count == 1 else many}"


def _distance(size: int) -> str:
    units = ["KiB", "MiB", "GiB", "TiB"]
    value = size / 1024
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}"


def predictions(study: Study) -> Claim:
    claim = TEXTS[13]
    if study.compiled:
        return _unseen(14, claim, "predictions need source, and the target is a compiled binary")
    sites = own_sites(study.escapes)
    if not sites:
        return _unseen(14, claim, "the compiler predicts nothing of package main")
    summary = Counter(site.verdict.value for site in sites)
    told = ", ".join(f"{n} {v.replace('_', ' ')}" for v, n in sorted(summary.items()))
    heap = [s for s in sites if s.prediction.value == "heap"]
    none = [s for s in heap if s.verdict.value not in _ON_HEAP]
    wrong = summary["contradicted"]
    measured = (
        f"of {_counted(len(sites), 'place', '', 's')} with a prediction: {told or 'none'}"
        + (f"; {len(none)} of the {len(heap)} that \"escape to the heap\" allocated nothing there"
           if heap else "")
    )  # fmt: skip
    evidence = tuple(f"{s.file}:{s.line} {s.expression}: {s.reason}" for s in sites[:20])
    return Claim("14", claim, DIFFERS if none or wrong else HOLDS, measured, evidence)


CLAIMS: tuple[Callable[[Study], Claim], ...] = (
    code_segment, literal_place, globals_beside, message_is_pointer, copies_share, main_on_stack,
    stack_moves, overflow, heap_use, order, collector, no_machine, runtime_size, predictions,
)  # fmt: skip
