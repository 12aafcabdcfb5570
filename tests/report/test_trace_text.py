from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st
from msgspec import structs

from goprobe.model.location import Kind
from goprobe.model.trace import TraceReport
from goprobe.model.value import State, Value, Variable
from goprobe.report import RenderOptions, render
from tests.report.samples import (
    absent,
    hello,
    in_rodata,
    live,
    location,
    msg,
    on_stack,
    println_argument,
    string_data,
)
from tests.report.screen import cells, lines, raw_characters

WIDTHS = (40, 60, 80, 120, 200)
HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J",
    "\x9b31m",
    "\u202egpj.exe\u2066",
    b"\xff\xfe\x80".decode("utf-8", "surrogateescape"),
    "[bold red]markup[/] :smile:",
    "a\nb\rc\td\x00\x7f\u2028",
)


def text(report: TraceReport, options: RenderOptions | None = None) -> str:
    return "\n".join(lines(render(report, "text", options or RenderOptions())))


def variables_of(count: int) -> list[Variable]:
    return [
        live(f"v{i}", "[]map[string]*main.Node", Value(f"[{i}]", len=1, cap=1))
        for i in range(count)
    ]


def test_the_answer_comes_first_with_both_places_and_addresses() -> None:
    shown = lines(render(hello(), "text", RenderOptions()))
    assert " ".join(shown[:2]) == (
        'msg is a string header on the stack of goroutine 1; its 10 bytes, "Hello, Go!", '
        "are in the binary's read-only data."
    )
    header = next(line for line in shown if line.endswith("0xc00009cf20"))
    literal = next(line for line in shown if line.endswith("0x49f3c2"))
    assert header.split()[:2] == ["msg", "string"]
    assert literal.lstrip().startswith('└─ "Hello, Go!"  10 bytes')
    assert shown.index(header) < shown.index(literal) < shown.index(picture_heading(shown))


def picture_heading(shown: list[str]) -> str:
    return next(line for line in shown if line.startswith("Memory, as Go sees it"))


def test_the_picture_marks_the_header_and_the_bytes_in_address_order() -> None:
    shown = lines(render(hello(), "text", RenderOptions()))
    rows = [line for line in shown if " ██ " in line]
    marked = [line for line in rows if "◄" in line]
    assert [line.split("◄ ")[1] for line in marked] == ['"Hello, Go!"', "msg's header"]
    addresses = [int(line.split()[0], 16) for line in rows]
    assert addresses == sorted(addresses)
    assert len(rows) <= 15


def test_the_stops_tell_state_and_reason() -> None:
    shown = text(hello())
    assert "not yet: declared at line 6, which has not run yet" in shown
    assert "Stop 2: fmt.Println  fmt/print.go:313" in shown
    assert "and 2 frames of the runtime" in shown


@pytest.mark.parametrize("state", [s for s in State if s is not State.LIVE])
def test_every_state_but_live_says_why(state: State) -> None:
    shown = text(hello([absent("x", "int", state, "because of the reason")]))
    assert "because of the reason" in shown


def test_verbose_adds_evidence_registers_and_all_frames() -> None:
    plain, full = text(hello()), text(hello(), RenderOptions(verbose=True))
    for fact in ("section .rodata of hello", "sp 0xc00009ce90", "runtime.goexit", "a1b2c3"):
        assert fact in full
        assert fact not in plain


def test_of_many_stops_the_first_and_the_last_are_shown() -> None:
    many = structs.replace(hello(), stops=hello().stops * 15)
    shown = [line for line in text(many).split("\n") if line.startswith("Stop ")]
    assert [int(line.split()[1].rstrip(":")) for line in shown] == [*range(1, 20), 30]
    assert "10 stops more: -v shows them" in text(many)
    assert text(many, RenderOptions(verbose=True)).count("\nStop ") == 30


def test_of_a_recursion_the_first_rounds_and_the_last_are_shown() -> None:
    stop = hello().stops[-1]
    call, outer = stop.frames[0], stop.frames[1:]
    odd, even = (structs.replace(call, function=f"main.{name}") for name in ("odd", "even"))
    deep = structs.replace(stop, frames=(call, *(odd, even) * 50, *outer))
    report = structs.replace(hello(), stops=(deep,))
    shown = [line.split()[:2] for line in text(report).split("\n") if line.startswith("  #")]
    inner, rest = ["#5", "to"], [["#99", "main.odd"], ["#100", "main.even"]]
    first = [["#1", "main.odd"], ["#2", "main.even"], ["#3", "main.odd"], ["#4", "main.even"]]
    assert shown[1:8] == [*first, inner, *rest]
    assert "  #5 to #98: 94 more of the same: -v shows them" in text(report)
    assert text(report, RenderOptions(verbose=True)).count(" main.odd  ") == 50


def test_an_optimised_program_is_answered_by_the_argument_of_the_call() -> None:
    shown = text(hello([println_argument()], optimized=True))
    top = shown.split("Memory, as Go sees it")[0]
    assert '"Hello, Go!"  10 bytes' in top
    assert "0x49f3c2" in top
    assert '◄ "Hello, Go!"' in shown


def test_variables_asked_for_are_the_answer_whatever_their_type() -> None:
    count = live("count", "int", Value("42"), size=8)
    options = RenderOptions(variables=("count",))
    assert text(hello([msg(), count]), options).startswith(
        "count is 42 (int), on the stack of goroutine 1."
    )


def test_a_variable_asked_for_that_never_lives_says_why() -> None:
    gone = absent("gone", "int", State.OPTIMIZED_OUT, "the optimiser removed it")
    shown = text(hello([gone]), RenderOptions(variables=("gone",)))
    assert shown.startswith("gone has no value here: the optimiser removed it.")


def test_where_nothing_can_be_told_it_is_said_why() -> None:
    gone = absent("n", "int", State.OPTIMIZED_OUT, "the optimiser removed it")
    report = hello([gone], optimized=True)
    shown = text(structs.replace(report, stops=report.stops[1:]))
    assert shown.startswith("No variable can be told at these stops of the optimised program.")
    binary = structs.replace(report.binary, stripped=True)
    stops = tuple(structs.replace(stop, variables=()) for stop in report.stops)
    stripped = structs.replace(report, binary=binary, stops=stops)
    assert "the binary is stripped of what describes them" in text(stripped)


def test_what_is_gone_from_every_frame_is_told_once() -> None:
    gone = [
        structs.replace(absent("n", "int", State.OPTIMIZED_OUT, "calls do not keep it"), frame=f)
        for f in (0, 0, 0)
    ]
    lives = live("k", "int", Value("1"))
    lost = absent("k", "int", State.OPTIMIZED_OUT, "not out here")
    answer = text(hello([msg(), *gone, lives, lost])).partition("Memory, as")[0]
    assert answer.count("n is optimised out: calls do not keep it") == 1
    assert "not out here" not in answer


@pytest.mark.parametrize(
    ("register", "partly", "place"),
    [("", False, "in pieces, which the optimiser keeps apart"), ("rbx", True, "rbx and elsewhere"),
     ("rax rbx", False, "in registers rax, rbx;")],
)  # fmt: skip
def test_what_is_kept_in_pieces_is_not_in_no_memory(
    register: str, partly: bool, place: str
) -> None:
    kept = structs.replace(
        absent("msg", "string", State.REGISTER, "the optimiser keeps its words apart"),
        value=Value("Hello, Go!", len=10),
        data=string_data("Hello, Go!", size=10),
        partly=partly,
    )
    kept = structs.replace(kept, register=register) if register else kept
    told = " ".join(text(hello(variables=(kept,)), RenderOptions(variables=("msg",))).split())
    assert "no memory" not in told and place in told


def test_a_moved_variable_says_so() -> None:
    place = location(Kind.HEAP, 0xC000012040, "16-byte heap object")
    moved = live(
        "msg", "string", Value("hi", len=2), where=place, data=string_data("hi"), moved=True
    )
    shown = text(hello([moved]))
    assert shown.startswith("msg is a string header on the heap, where the compiler moved it;")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize(
    "report",
    [
        hello(),
        hello([msg("世界🙂" * 40)]),
        hello([live("n" * 90, "T" * 90, Value("v" * 90), where=on_stack())]),
        hello([live("x", "int", Value("1"), where=location(Kind.HEAP, 1, "界" * 70, "e" * 300))]),
        hello([absent("x", "int", State.OPTIMIZED_OUT, "why " * 60)]),
        hello(path="/" + "deep/" * 40 + "hello"),
        hello(variables_of(60)),
        hello([]),
    ],
    ids=["hello", "wide", "long", "widelong", "reason", "path", "many", "none"],
)
def test_no_line_is_wider_than_the_page(report: TraceReport, width: int, verbose: bool) -> None:
    for unicode in (True, False):
        options = RenderOptions(width=width, verbose=verbose, unicode=unicode)
        for line in lines(render(report, "text", options)):
            assert cells(line) <= width, line
            assert line == line.rstrip()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_addresses_are_never_cut(width: int) -> None:
    shown = text(hello([msg("x" * 200), *variables_of(3)]), RenderOptions(width=width))
    for address in ("0xc00009cf20", "0x49f3c2", "0x7ffffffde000", "0xc000000000"):
        assert address in shown


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_of_the_target_reaches_the_terminal_raw(hostile: str) -> None:
    place = location(Kind.HEAP, 0xC000012040, hostile, hostile)
    variable = live(
        hostile, hostile, Value(hostile, len=3), where=place, data=string_data(hostile, place)
    )
    report = hello([variable, absent(hostile, hostile, State.CONSTANT, hostile)], path=hostile)
    for options in (
        RenderOptions(colour=True, verbose=True),
        RenderOptions(unicode=False),
        RenderOptions(variables=(hostile,)),
    ):
        data = render(report, "text", options)
        assert raw_characters(data) == set()
        assert options.unicode or data.isascii()


def test_markup_of_the_target_is_text() -> None:
    shown = text(hello([msg("[bold]x[/bold] :smile:")]), RenderOptions(colour=True))
    assert "[bold]x[/bold] :smile:" in shown


def test_plain_ascii_has_a_form_of_every_sign() -> None:
    shown = render(hello([msg("é")]), "text", RenderOptions(unicode=False))
    assert shown.isascii()
    assert b"\\u00e9" in shown
    assert b"`- " in shown
    assert b"<- msg's header" in shown


def test_colour_is_there_only_when_asked_for() -> None:
    assert b"\x1b[" not in render(hello(), "text", RenderOptions())
    assert b"\x1b[" in render(hello(), "text", RenderOptions(colour=True))


def test_colour_changes_nothing_else() -> None:
    plain = lines(render(hello(), "text", RenderOptions()))
    assert lines(render(hello(), "text", RenderOptions(colour=True))) == plain


@settings(max_examples=30, deadline=None)
@given(
    st.text(alphabet=st.characters(), max_size=60),
    st.text(alphabet=st.characters(), max_size=60),
    st.integers(20, 130),
)
def test_any_text_is_shown_in_its_place(name: str, value: str, width: int) -> None:
    variable = live(name, name, Value(value, len=1), data=string_data(value, in_rodata()))
    data = render(hello([variable]), "text", RenderOptions(width=width))
    assert raw_characters(data) == set()
    assert max(cells(line) for line in lines(data)) <= width
