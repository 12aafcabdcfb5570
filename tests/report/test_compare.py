from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec import structs

from goprobe.analysis.trace.compare import compared
from goprobe.model.compare import CompareReport, Fate
from goprobe.model.location import Kind
from goprobe.model.trace import TraceReport
from goprobe.model.value import State, Value, Variable
from goprobe.report import RenderOptions, render
from goprobe.runtime.stacks.variables import NONE_KEPT
from tests.report.samples import (
    absent,
    frame,
    hello,
    in_rodata,
    live,
    location,
    msg,
    on_stack,
    second_stop,
    string_data,
)
from tests.report.screen import cells, lines, raw_characters


def both(before: Iterable[Variable], after: Iterable[Variable]) -> CompareReport:
    return compared(hello(before), hello(after, optimized=True))


def in_register(name: str) -> Variable:
    made = absent(name, "int", State.REGISTER, "it lies in registers: rax")
    found: Variable = structs.replace(made, register="rax", value=Value("7"))
    return found


def number(name: str = "n", *, heap: bool = False) -> Variable:
    place = location(Kind.HEAP, 0xC000012040, "8-byte heap object") if heap else on_stack()
    return live(name, "int", Value("7"), where=place, size=8, moved=heap)


def found_constant(name: str = "msg") -> Variable:
    gone = absent(name, "string", State.CONSTANT, "found as argument a[0] of fmt.Println")
    return structs.replace(
        gone, value=Value("Hello, Go!", len=10), location=in_rodata(0x4B7A10), data=string_data("x")
    )


def absent_at_all() -> Variable:
    return number("another")


@pytest.mark.parametrize(
    ("before", "after", "fate", "told"),
    [
        (number(), number(), Fate.KEPT, "n stays on a goroutine's stack"),
        (
            number(heap=True),
            number(),
            Fate.MOVED,
            "n was on the heap and is on a goroutine's stack",
        ),
        (
            number(),
            in_register("n"),
            Fate.REGISTER,
            "n was on a goroutine's stack and is in register rax: it needs no memory",
        ),
        (
            number(),
            absent("n", "int", State.OPTIMIZED_OUT, NONE_KEPT),
            Fate.GONE,
            "n was on a goroutine's stack and is gone: the optimiser kept none of it",
        ),
        (
            number(),
            absent("n", "int", State.OPTIMIZED_OUT, "it may be another's"),
            Fate.UNTOLD,
            "n was on a goroutine's stack and is not told: it may be another's",
        ),
        (
            number(),
            absent("n", "int", State.REGISTER, "the optimiser keeps its words apart: here, there"),
            Fate.MOVED,
            "n was on a goroutine's stack and is in places of its own: the optimiser keeps its "
            "words apart: here, there",
        ),
        (
            number(),
            structs.replace(in_register("n"), partly=True),
            Fate.REGISTER,
            "n was on a goroutine's stack and is in register rax and elsewhere",
        ),
        (
            msg(),
            found_constant(),
            Fate.CONSTANT,
            "msg was on a goroutine's stack and has become a constant; its value is found in the "
            "binary's read-only data, what it points at in the binary's read-only data",
        ),
        (number(), absent_at_all(), Fate.UNSEEN, "n does not show in the optimised build"),
    ],
)
def test_the_fate_of_a_variable(before: Variable, after: Variable, fate: Fate, told: str) -> None:
    (change,) = [c for c in both([before], [after]).changes if c.name == before.name]
    assert (change.fate, change.told) == (fate, told)


def test_the_stop_where_a_variable_lives_counts_not_the_one_before() -> None:
    (change,) = both([msg()], [msg()]).changes
    assert change.unoptimized.state is State.LIVE


def test_a_function_that_lost_its_frame_is_told() -> None:
    stop = second_stop([msg(at_frame=1)])
    inner = frame("fmt.Println", "print.go", 314, 0x48C4E0, 0xC00009CF00, inlined=True)
    optimized = structs.replace(
        hello([msg()], optimized=True),
        stops=(structs.replace(stop, frames=(inner, *stop.frames[1:])),),
    )
    (found,) = compared(hello([msg()]), optimized).inlined
    assert (found.function, found.into) == ("fmt.Println", "main.main")


def text(report: CompareReport, options: RenderOptions) -> str:
    return "\n".join(lines(render(report, "text", options)))


def test_both_builds_stand_side_by_side() -> None:
    shown = text(both([msg()], [found_constant()]), RenderOptions())
    assert "not optimised" in shown
    row = next(line for line in shown.split("\n") if line.startswith("  msg  string"))
    assert row.count('"Hello, Go!"') == 2


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", ["msg", "\x1b[2J\u202e" * 9, "世界" * 30])
def test_it_fits_and_shows_nothing_raw(width: int, name: str) -> None:
    report = both([number(name), msg()], [in_register(name), found_constant()])
    for options in (RenderOptions(width=width), RenderOptions(width=width, variables=(name,))):
        data = render(report, "text", options)
        assert raw_characters(data) == set()
        assert max(cells(line) for line in lines(data)) <= width


def test_the_reports_it_is_made_of_are_in_its_json() -> None:
    report = both([msg()], [found_constant()])
    assert isinstance(report.unoptimized, TraceReport)
    data = render(report, "json", RenderOptions())
    assert b'"goprobe.compare/1"' in data
    assert data.count(b'"goprobe.trace/1"') == 2
