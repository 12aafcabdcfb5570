"""Claims on where things lie: code, literals, globals, headers, frames."""

from __future__ import annotations

from collections import Counter

from msgspec import UNSET

from goprobe.analysis.explain.measured import Measured, decided, described, distance, unseen
from goprobe.analysis.explain.study import STATIC, ClaimStudy
from goprobe.analysis.locate.wholeregions import whole_regions
from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.patches import STORE_BYTE, STORE_REGISTER
from goprobe.arch.registers import PC
from goprobe.binary.elf.elf import SHF_ALLOC, SHT_NOBITS
from goprobe.counts import counted
from goprobe.model.location import Kind, Location, Region
from goprobe.model.trace import StopReport
from goprobe.model.value import Variable
from goprobe.process.gdb.mi import StopEvent

_ORDER = ("text", "rodata", "data", "bss", "heap", "goroutine_stack", "runtime", "system_stack")
_SHARED = ("first", "copied", "part", "again")


def _message(study: ClaimStudy) -> tuple[StopReport, Variable, Location] | None:
    named = study.plain.string_variable()
    if named is None:
        return None
    stop, variable = named
    assert variable.data is not UNSET
    return stop, variable, variable.data.location


def _literal(study: ClaimStudy) -> tuple[StopReport, Variable, Location] | None:
    """A string variable whose bytes came with the binary."""
    message = _message(study)
    return message if message and message[2].kind in STATIC else None


def code_segment(study: ClaimStudy) -> Measured:
    run = study.plain
    text = [r for r in run.map if r.kind == Kind.TEXT]
    if not text or not run.text_mapping:
        return unseen("no stop was reached at which the code could be looked at", study.looked)
    perms = {r.perms for r in text}
    lowest = min(run.map, key=lambda r: r.low)
    first = text[0].low - lowest.low
    below = (
        "other parts of the binary" if lowest.kind in STATIC else "memory of Go's heap and runtime"
    )
    functions = [
        run.program.lines.function_named(n)
        for n in ("main.main", "fmt.Println", "runtime.mallocgc")
    ]
    named = [f"{f.name} at {f.entry + run.bias:#x}" for f in functions if f]
    near = first <= 1 << 16
    told = (
        f"all {sum(r.size for r in text) >> 10} KiB of machine code lie in the mapping "
        f"{run.text_mapping}, readable and executable, not writable, "
        + (
            f"{counted(first, 'byte')} above the process's lowest address; "
            if near
            else f"{distance(first)} above the process's lowest address, with {below} below it; "
        )
        + "there is one copy of it, whatever the number of goroutines"
    )
    holds = len(perms) == 1 and "r-xp" in perms and near
    return decided(holds, told, f"/proc map {run.text_mapping}", *named)


def literal_place(study: ClaimStudy) -> Measured:
    literal = _literal(study)
    if literal is None:
        return unseen("the program has no string literal in a variable at its stops", study.looked)
    _, variable, place = literal
    assert variable.data is not UNSET
    address = int(variable.data.address)
    end, said = study.in_scratch(lambda session, view: _write_to(session, view, address))
    faulted = "SIGSEGV" in said and f"addr={address:#x}" in said
    fault = f"a SIGSEGV at that address and {end}" if faulted else f"no fault ({end})"
    section = str(place.detail.get("section", place.kind))
    copies = _copies(study, variable)
    region = next((r for r in study.plain.map if r.low <= address < r.high), None)
    perms = region.perms if region else "?"
    told = (
        f"the {variable.data.size} bytes of {variable.name} lie in {section} ({perms}), "
        + ("not in .data, " if section != ".data" else "")
        + f"{copies} time{'s' if copies != 1 else ''} in the binary; writing one of them in a "
        f"scratch copy of the process ended in {fault}"
    )
    holds = section in (".data", ".noptrdata") and faulted
    return decided(holds, told, f"{variable.name}'s bytes at {address:#x}", *place.evidence)


def _write_to(session: Session, view: StopView, address: int) -> StopEvent:
    """Has the scratch copy itself execute a store to the address."""
    return session.execute(view.registers[PC], STORE_BYTE, STORE_REGISTER, address)


def _copies(study: ClaimStudy, variable: Variable) -> int:
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


def globals_beside(study: ClaimStudy) -> Measured:
    message, run = _literal(study), study.plain
    if not run.globals or message is None:
        return unseen("there is no global variable or no literal to compare", study.looked)
    literal = str(message[2].detail.get("section", message[2].kind))
    homes = Counter(str(place.detail.get("section", place.kind)) for _, place in run.globals)
    name, place = run.globals[0]
    gap = abs(int(place.address) - int(message[2].address)) >> 10
    where = ", ".join(f"{count} in {section}" for section, count in homes.most_common())
    told = (
        f"globals lie in writable sections of their own ({where}); {name} is in "
        f"{place.detail.get('section')} at {place.address}, {gap} KiB from the literal in {literal}"
    )
    facts = [f"{n}: {p}" for n, p in run.globals]
    return decided(set(homes) == {literal}, told, f"the literal: {message[2]}", *facts)


def message_is_pointer(study: ClaimStudy) -> Measured:
    message = _message(study)
    if message is None:
        return unseen("the program has no string variable at its stops", study.looked)
    stop, v, bytes_ = message
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
    told = (
        f"{v.name} is {v.size} bytes, two words: the pointer {v.data.address} and the length "
        f"{v.value.len if v.value is not UNSET else '?'}; it is on {place}; {shipped}"
    )
    own = v.location.evidence if v.location is not UNSET else ()
    seen = f"{v.name} at the stop in {stop.function}, line {stop.line}; its bytes: {bytes_}"
    return decided(v.size == 8, told, seen, *own)


def copies_share(study: ClaimStudy) -> Measured:
    run = study.companion("share", "main.show")
    by_name = {v.name: v for stop in run.stops for v in stop.variables if v.data is not UNSET}
    if not all(n in by_name for n in _SHARED):
        why = "the strings of the probe program could not be read"
        return unseen(why, f"the probe program's variables: {', '.join(by_name) or 'none'}")
    pointed = {n: by_name[n].data for n in _SHARED}
    at = {n: int(d.address) for n, d in pointed.items() if d is not UNSET}
    copied = at["copied"] == at["first"]
    part = at["part"] == at["first"] + 7
    again = at["again"] == at["first"]
    told = (
        f"in a probe program a copy points at {'the same bytes' if copied else 'other bytes'} "
        f"({at['first']:#x}), a part first[7:9] 7 bytes into them ({at['part']:#x}), and an equal "
        f"literal in another function at {'the same' if again else 'other'} bytes "
        f"({at['again']:#x}); each header takes 16 bytes"
    )
    first, *more = (_header(by_name[n]) for n in _SHARED)
    return decided(copied and part and again, told, first, *more)


def _header(v: Variable) -> str:
    at = f"at {v.address}" if v.address is not UNSET else f"in {v.register or v.why}"
    place = f"header of {v.size} bytes {at}"
    data = "" if v.data is UNSET else f", bytes: {v.data.location}"
    return f"{v.name} of {v.function}: {place}{data}"


def main_on_stack(study: ClaimStudy) -> Measured:
    run = study.plain
    stop = next((s for s in reversed(run.stops) if s.stack is not UNSET and s.goroutine), None)
    if stop is None or stop.stack is UNSET:
        return unseen("no stop in a goroutine was reached", study.looked)
    outer = [f for f in stop.frames if not f.inlined]
    downward = [f.cfa for f in outer] == sorted(f.cfa for f in outer)
    heap = [r for r in run.map if r.kind == Kind.HEAP]
    data = [r for r in run.map if r.kind in (Kind.DATA, Kind.BSS)]
    inside = bool(heap) and heap[0].low < stop.stack.low < heap[-1].high
    between = (
        bool(heap and data) and data[-1].high <= stop.stack.low and (stop.stack.high <= heap[0].low)
    )
    size = (int(stop.stack.high) - int(stop.stack.low)) >> 10
    sub = next((p for p in run.prologue if "sub rsp" in p), "")
    told = (
        f"goroutine {stop.goroutine}'s stack is {size} KiB at {stop.stack.low}, "
        + (
            "a span of the same arena that holds the heap, with objects below and above it; "
            if inside
            else "in the heap's arena; "
            if not between
            else "between data and heap; "
        )
        + f"{'each' if downward else 'not each'} callee's frame lies below its caller's; the call "
        f"makes room with {sub.split(' ', 1)[1] if sub else 'no instruction of its own'}; "
        f"the kernel's own stack ({run.kernel_stack or 'not found'}) serves the scheduler"
    )
    frames = [f"frame of {f.function}: sp {f.sp}, ends at {f.cfa}" for f in outer]
    stack = f"stack [{stop.stack.low}, {stop.stack.high})"
    return decided(between and downward, told, stack, *frames, *run.prologue)


def stack_moves(study: ClaimStudy) -> Measured:
    run = study.companion("grow", "main.top", "main.bottom")
    seen = [_here(stop) for stop in run.stops]
    if len(seen) < 2 or seen[0] is None or seen[-1] is None:
        why = "the recursion of the probe program was not seen"
        return unseen(why, f"the probe program's stops: {_stops(run.stops)}")
    (low, high, here), (low2, high2, here2) = seen[0], seen[-1]
    moved = (low, high) != (low2, high2)
    told = (
        f"a recursion of 200 calls took the stack from {(high - low) >> 10} KiB at {low:#x} to "
        f"{(high2 - low2) >> 10} KiB at {low2:#x}; the same variable of main was at {here:#x}, "
        f"then at {here2:#x}, and pointers to it were moved along; it stayed "
        f"{high2 - here2:#x} bytes below the stack's top"
    )
    same = high - here == high2 - here2
    first, *more = (
        f"at the stop in {stop.function}: stack [{at[0]:#x}, {at[1]:#x}), `here` points at "
        f"{at[2]:#x}, {at[1] - at[2]:#x} below the top"
        for stop, at in zip(run.stops, seen, strict=True)
        if at
    )
    return decided(moved and same, told, first, *more)


def _here(stop: StopReport) -> tuple[int, int, int] | None:
    here = next((v for v in stop.variables if v.name == "here" and v.data is not UNSET), None)
    if here is None or here.data is UNSET or stop.stack is UNSET:
        return None
    return int(stop.stack.low), int(stop.stack.high), int(here.data.address)


def _stops(stops: list[StopReport]) -> str:
    return ", ".join(stop.function for stop in stops) or "none"


def order(study: ClaimStudy) -> Measured:
    first: dict[str, Region] = {}
    for region in whole_regions(study.plain.map):
        if region.kind in _ORDER:
            first.setdefault(region.kind.value, region)
    if not first:
        return unseen("no stop was reached", study.looked)
    seen = sorted(first, key=lambda kind: first[kind].low)
    told = "measured, lowest first: " + ", ".join(
        f"{kind.replace('_', ' ')} {first[kind].low}" for kind in seen
    )
    claimed = [k for k in seen if k in ("text", "data", "goroutine_stack", "heap")]
    holds = claimed == ["text", "data", "goroutine_stack", "heap"]
    holds = holds and "system_stack" not in seen[: seen.index("heap")] if "heap" in seen else False
    lowest, *more = (f"first {k.replace('_', ' ')}: {described(first[k])}" for k in seen)
    return decided(holds, told, lowest, *more)
