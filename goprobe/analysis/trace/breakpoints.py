"""From what a person types (`main.main`, `file.go:12`, `*0x49f3c2`) to addresses in the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import pairwise, takewhile
from typing import Protocol

import msgspec
from msgspec.structs import replace

from goprobe.analysis.trace.codelines import CodeLines
from goprobe.arch.code import LineStretch, returns_of, ways_in
from goprobe.arch.instructions import LONGEST, call_ahead, spans
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.lines import LineRow
from goprobe.binary.pcln.format import plain_name
from goprobe.binary.pcln.inlining import inlined_at, inlined_copies
from goprobe.counts import counted
from goprobe.errors import UsageError, telling
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.image.wrappers import holders

_LINE = re.compile(r"^(?P<file>.+\.[a-z]\w*):(?P<line>\d+)$")  # a //line may name any file
_ADDRESS = re.compile(r"^\*(?P<address>0[xX][0-9a-fA-F]+|\d+)$")
_NEAREST = 3
_ALIKE = 0.75  # the last part of a name, by itself


class Image(Protocol):
    """A program or a plugin, `bias` above its link-time addresses."""

    @property
    def program(self) -> GoProgram: ...
    @property
    def bias(self) -> int: ...


class BreakLocation(msgspec.Struct, frozen=True):
    """Where to stop: a link-time address (a run-time one where `absolute`).

    `reason` is the WHERE as typed; `inlined_into` names the function that holds an inlined copy.
    `doubt` says why what is meant need not begin there, "" where it does.
    """

    address: int
    reason: str
    inlined_into: str = ""
    absolute: bool = False
    doubt: str = ""

    def named(self, reason: str) -> BreakLocation:
        """The same place under another reason."""
        return replace(self, reason=reason)


def resolve(
    program: GoProgram, where: str, plugins: Sequence[Image] = ()
) -> tuple[BreakLocation, ...]:
    """Every place that WHERE means, in plugins as well that are loaded. Raises UsageError, with the
    nearest names, where none."""
    if not where.strip():
        raise UsageError(
            "the place to stop at is empty",
            hint="it takes pkg.Func, pkg.(*T).Method, file.go:LINE or *0xADDR",
        )
    if match := _ADDRESS.match(where):
        return (BreakLocation(int(match["address"], 0), where, absolute=True),)
    with telling(f"the code of {program.elf.shown_as}"):
        locations = _places(program, where)
    for plugin in plugins:
        with telling(f"the code of {plugin.program.elf.shown_as}"):
            places = _places(plugin.program, where)
        locations += tuple(_as_loaded(place, plugin.bias) for place in places)
    if locations:
        return locations
    with telling(f"the code of {program.elf.shown_as}"):
        hint = _hint(program, where)
        if not plugins:
            hint = "; ".join(filter(None, (hint, of_plugins(program))))
        raise UsageError(f"nothing in the program matches {where}", hint=hint)


def of_plugins(program: GoProgram) -> str:
    """What is to be said of functions that no plugin has that is loaded, "" where none can be."""
    if program.lines.function_named("plugin.open") is None:  # plugin.Open is inlined
        return ""
    return "those of plugins are known once the program has loaded them"


def _as_loaded(place: BreakLocation, bias: int) -> BreakLocation:
    return replace(place, address=place.address + bias, absolute=True)


def _places(program: GoProgram, where: str) -> tuple[BreakLocation, ...]:
    if match := _LINE.match(where):
        file, line = _as_built(program, match["file"]), int(match["line"])
        return tuple(_at_line(program, where, file, line))
    return tuple(_at_function(program, where))


def check_instruction(program: GoProgram, address: int, bias: int) -> None:
    """Raises UsageError where a run-time address lies inside an instruction of Go code: a
    breakpoint there would make another instruction of it."""
    address -= bias
    with telling(f"the code of {program.elf.shown_as}"):
        function = program.lines.function_at(address)
    if function is None:
        return
    code = program.elf.read(function.entry, address - function.entry + LONGEST)
    for begins, ends in spans(code, function.entry):
        if begins < address < ends:
            raise UsageError(
                f"no breakpoint at {address + bias:#x}: it is in the middle of an instruction of "
                f"{function.name}",
                hint=f"the instruction begins at {begins + bias:#x}",
            )
        if begins >= address:
            return


# Functions


def function_matches(name: str, where: str) -> bool:
    """Whether a person who types `where` means the function of this name."""
    if "[" not in name and "%" not in name:  # nearly all names
        return name == where or name.endswith(f"/{where}")
    # As typed, as frames show it ("[...]"), and with the type arguments that it is compiled for.
    where = where.replace("[...]", "")
    shapes = name.replace("go.shape.", "")
    plain = plain_name(name)
    return where in (name, shapes, plain) or plain.endswith(f"/{where}")


def _at_function(program: GoProgram, where: str) -> Iterator[BreakLocation]:
    debug = program.debug
    if program.stripped:
        yield from _without_debug(program, where)
        return
    names = [n for n in debug.index.abstract if function_matches(n, where)]
    functions = {f.low: f for f in _exact_first(debug.index.functions, where)}
    written = _written_first(program, list(functions), only=bool(names))
    for low in written:
        yield BreakLocation(_behind_prologue(program, low), where)
    copied: set[int] = set()
    for name in names:
        for holder, ranges in debug.inlined_ranges(name):
            address = _inlined_start(program, ranges)
            if address:
                copied.add(holder.low)
                yield BreakLocation(address, where, inlined_into=holder.name)
    yield from _in_wrappers(
        program, where, {*names, *(functions[at].name for at in written)}, copied
    )


def _in_wrappers(
    program: GoProgram, where: str, names: Collection[str], copied: Collection[int]
) -> Iterator[BreakLocation]:
    """In the wrappers that hold such a method, but for those where its copy is described: of one
    of which nothing but a load is left there is no description."""
    for holder in holders(program, names):
        low, name = holder.wrapper.entry, holder.wrapper.name
        if low not in copied and not function_matches(name, where):
            yield BreakLocation(_behind_prologue(program, low), where, inlined_into=name)


def _behind_prologue(program: GoProgram, low: int) -> int:
    entry = None if program.stripped else program.debug.function_at(low)
    if entry is None:
        return low
    return program.rows.after_prologue(low, entry.high, program.debug.unit_at(entry.offset))


def _exact_first(functions: Iterable[FunctionEntry], where: str) -> list[FunctionEntry]:
    matching = [f for f in functions if function_matches(f.name, where)]
    exact = [f for f in matching if where in (f.name, plain_name(f.name))]
    return exact or matching


def _written_first(program: GoProgram, entries: Sequence[int], *, only: bool = False) -> list[int]:
    """Of functions by their entries those of the source, and the compiler's wrappers not at all,
    or where there are no others: each call of generic code by its method's value or its interface
    goes through one of the same name."""
    written = [entry for entry in entries if not program.lines.is_wrapper(entry)]
    return written if written or only else list(entries)


def _without_debug(program: GoProgram, where: str) -> Iterator[BreakLocation]:
    names = {f.entry: f.name for f in program.lines.functions() if function_matches(f.name, where)}
    written = _written_first(program, list(names))
    yield from (BreakLocation(entry, where) for entry in written)
    yield from _in_wrappers(program, where, {names[entry] for entry in written}, ())


def _inlined_start(program: GoProgram, ranges: list[tuple[int, int]]) -> int:
    """Where to stop in an inlined copy: at the call that it makes, where there is one straight
    ahead, for there its arguments are in registers; else at its first instruction."""
    pieces = sorted((low, high) for low, high in ranges if low < high)
    if not pieces:
        return 0
    for low, high in pieces:
        call = call_ahead(program.elf.read(low, high - low), low)
        if call is not None:
            return call or pieces[0][0]
    return pieces[0][0]


# Lines


def _at_line(program: GoProgram, where: str, file: str, line: int) -> Iterator[BreakLocation]:
    """Where control comes to a line: of each function that holds its code, and of each copy that
    was inlined there, every way that leads to it."""
    wanted, returns = _file_matcher(file), returns_of(program.lines.function_name_at)
    code_lines = CodeLines(program)
    for rows in code_lines.tables(wanted):
        stretches: dict[tuple[FunctionEntry, int], list[LineStretch]] = {}
        for stretch in _by_function(program, _stretches(rows, line, wanted)):
            function = code_lines.function_at(stretch.low)
            for low, high, copy in inlined_copies(program.lines, stretch.low, stretch.high):
                if function:
                    part = LineStretch(low, high, stretch.statements)
                    stretches.setdefault((function, copy), []).append(part)
        for (function, copy), own in sorted(stretches.items(), key=lambda pair: pair[0][0].low):
            code = program.elf.read(function.low, function.high - function.low)
            inlined = inlined_at(program.lines, function.low, copy, line)
            optimised = code_lines.is_optimised(function)
            ways = ways_in(code, function.low, own, returns, inlined, optimised=optimised)
            doubt = "" if ways.sure else _moved(line)
            for address in ways.addresses:
                yield BreakLocation(
                    _past_prologue(program, function.low, address), where, doubt=doubt
                )


def _moved(line: int) -> str:
    return (
        f"line {line} does nothing here that keeps its place in optimised code: this is where the "
        "compiler marks it, and what the lines around it do may be done before or after"
    )


def _stretches(
    rows: Iterable[LineRow], line: int, wanted: Callable[[str], bool]
) -> Iterator[LineStretch]:
    """The code of a line, as far as it lies together."""
    open_: LineStretch | None = None
    for row, after in pairwise(rows):
        if row.line != line or not wanted(row.file) or after.address < row.address:
            continue
        marks = (row.address,) if row.statement else ()
        if open_ is not None and open_.high == row.address:
            open_ = LineStretch(open_.low, after.address, open_.statements + marks)
            continue
        if open_ is not None:
            yield open_
        open_ = LineStretch(row.address, after.address, marks)
    if open_ is not None:
        yield open_


def _by_function(program: GoProgram, stretches: Iterable[LineStretch]) -> Iterator[LineStretch]:
    """A function literal may lie right behind the function that makes it, in the same line."""
    for stretch in stretches:
        low = stretch.low
        while low < stretch.high:
            function = program.lines.function_at(low)
            high = min(stretch.high, function.end) if function else stretch.high
            marks = tuple(mark for mark in stretch.statements if low <= mark < high)
            yield LineStretch(low, high, marks)
            low = max(high, low + 1)


def _past_prologue(program: GoProgram, low: int, address: int) -> int:
    # The line of `func` itself: its first row is the stack check, which may run twice.
    if address != low:
        return address
    return _behind_prologue(program, low)


def _file_matcher(file: str) -> Callable[[str], bool]:
    tail = "/" + file.removeprefix("./")
    return lambda name: name == file or name.endswith(tail)


def _as_built(program: GoProgram, file: str) -> str:
    """A file as the binary calls it: built with -trimpath, or elsewhere, it knows another path than
    the one that lies here. The name that shares most of its end with an absolute path is meant."""
    if not file.startswith("/"):
        return file
    names = CodeLines(program).files()
    if any(map(_file_matcher(file), names)):
        return file
    parts = file.split("/")[::-1]

    def shared(name: str) -> int:
        pairs = zip(parts, name.split("/")[::-1], strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    most = max(map(shared, names), default=0)
    best = sorted(name for name in names if most and shared(name) == most)
    if len(best) > 1:
        raise UsageError(
            f"{file} may be any of {counted(len(best), 'file')} of the program",
            hint=f"name one of them: {', '.join(best[:_NEAREST])}",
        )
    return best[0] if best else file


# Nearest names


def _hint(program: GoProgram, where: str) -> str:
    if match := _LINE.match(where):
        return _line_hint(program, match["file"], int(match["line"]))
    return nearest_functions(program, where)


def nearest_functions(program: GoProgram, where: str) -> str:
    """A hint of functions with names like this one; "" where there are none."""
    from difflib import get_close_matches  # for mistakes only

    names = {plain_name(f.name) for f in program.lines.functions()}
    names |= {plain_name(n) for n in program.debug.index.abstract}
    names = {n for n in names if not n.startswith("type:")}  # the compiler's own
    by_last: dict[str, list[str]] = {}
    for name in sorted(names, key=len):
        by_last.setdefault(name.rsplit(".", 1)[-1].lower(), []).append(name)
    last = where.rsplit(".", 1)[-1].lower()
    close = by_last.get(last) or get_close_matches(where, names, n=_NEAREST, cutoff=0.5)
    if not close and last:
        alike = get_close_matches(last, by_last, n=_NEAREST, cutoff=_ALIKE)
        close = [name for known in alike for name in by_last[known]]
    close = close[:_NEAREST]
    return f"nearest: {', '.join(close)}" if close else ""


def _line_hint(program: GoProgram, file: str, line: int) -> str:
    from difflib import get_close_matches  # for mistakes only

    wanted, code_lines = _file_matcher(file), CodeLines(program)
    tables = code_lines.tables(wanted)
    lines = {row.line for rows in tables for row in rows if row.line and wanted(row.file)}
    if lines:
        near = sorted(sorted(lines, key=lambda n: abs(n - line))[:_NEAREST])
        return f"no code at line {line}; nearest lines with code: {', '.join(map(str, near))}"
    base = {f.rsplit("/", 1)[-1] for f in code_lines.files() if f.endswith(".go")}
    close = get_close_matches(file.rsplit("/", 1)[-1], base, n=_NEAREST, cutoff=0.5)
    return f"nearest files: {', '.join(close)}" if close else ""
