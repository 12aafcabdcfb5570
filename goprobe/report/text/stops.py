"""The stops of a trace in text: where the program stood, its frames, their variables."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from rich.text import Text

from goprobe.model.location import Location
from goprobe.model.trace import Frame, StopReport
from goprobe.model.value import State, Variable
from goprobe.report import words
from goprobe.report.folding import middles
from goprobe.report.selection import value_text
from goprobe.report.text.look import STATE_WORDS, style_of
from goprobe.report.text.page import Column, Page, Span

_FRAME_INDENT = 2
_VARIABLE_INDENT = 6
_COLUMNS = (
    Column(elastic=True, cut=True, least=4),
    Column(elastic=True, least=16),
    Column(right=True),
)
_MOST_STOPS = 20
_MOST_VARIABLES = 40
_MANY_LATER = 3  # so many variables without a value yet are named in one sentence


def write(page: Page, stops: Sequence[StopReport]) -> None:
    """The stops in the order in which they happened; of many the first and, for it is what the
    answer speaks of, the last."""
    count = len(stops)
    few = page.options.verbose or count <= _MOST_STOPS
    shown = range(count) if few else (*range(_MOST_STOPS - 1), count - 1)
    for number, stop in ((i + 1, stops[i]) for i in shown):
        if not few and number == count:
            page.blank()
            page.line((f"{words.counted(count - _MOST_STOPS, 'stop')} more: -v shows them", "dim"))
        _heading(page, number, stop)
        if page.options.verbose:
            _registers(page, stop)
        for warning in stop.warnings:
            page.paragraph((f"{page.glyphs.warn} {warning}", "yellow"), indent=2, hanging=2)
        _frames(page, stop)


def _heading(page: Page, number: int, stop: StopReport) -> None:
    who = f"goroutine {stop.goroutine}" if stop.goroutine else "no goroutine"
    facts = ["", f"{who}, thread {stop.thread}"]
    here = (stop.function, words.source(stop.file, stop.line, stop.function))
    if stop.reason.removeprefix("breakpoint").strip() not in ("", *here):
        facts.insert(1, stop.reason)
    page.heading(
        f"Stop {number}: {stop.function}",
        f"  {here[1]} ",
        (f" {page.glyphs.dot} ".join(facts), "dim"),
    )


def _registers(page: Page, stop: StopReport) -> None:
    spans: list[Span] = [f"pc {stop.pc}  sp {stop.sp}"]
    if stop.stack is not UNSET:
        used = words.size(max(stop.stack.high - stop.sp, 0))
        size = words.size(stop.stack.high - stop.stack.low)
        spans.append(f"  stack {stop.stack.low} to {stop.stack.high}, {used} of {size} used")
    page.paragraph(*((str(span), "dim") for span in spans), indent=2, hanging=2)


def _frames(page: Page, stop: StopReport) -> None:
    hidden, within = 0, range(0)
    repeated = {} if page.options.verbose else middles(stop.frames)
    for index, frame in enumerate(stop.frames):
        within = repeated.get(index, within)
        if index in within:
            if index == within.start:
                told = f"#{index} to #{within[-1]}: {len(within)} more of the same: -v shows them"
                page.line((told, "dim"), indent=_FRAME_INDENT)
            continue
        own = [v for v in stop.variables if v.frame == index]
        if not (page.options.verbose or own or index == 0 or _interesting(frame)):
            hidden += 1
            continue
        _frame(page, index, frame)
        _variables(page, own, stop)
    if hidden:
        page.line(
            (f"and {words.counted(hidden, 'frame')} of the runtime", "dim"), indent=_FRAME_INDENT
        )
    if stop.frames_end:
        page.line((f"of the frames {stop.frames_end}", "dim"), indent=_FRAME_INDENT)


def _interesting(frame: Frame) -> bool:
    return not frame.function.startswith("runtime.")


def _frame(page: Page, index: int, frame: Frame) -> None:
    spans: list[Span] = [
        (f"#{index:<2} ", "dim"),
        frame.function,
        (f"  {words.source(frame.file, frame.line, frame.function)}", "dim"),
    ]
    if frame.inlined:
        spans.append(("  inlined into the next", "dim italic"))
    page.line(*spans, indent=_FRAME_INDENT)
    if page.options.verbose:
        facts = f"pc {frame.pc}  sp {frame.sp}  cfa {frame.cfa}  {frame.file}:{frame.line}"
        page.paragraph((facts, "dim"), indent=_VARIABLE_INDENT, hanging=2)


def _variables(page: Page, variables: Sequence[Variable], stop: StopReport) -> None:
    later: list[Variable] = []
    if not page.options.verbose:
        later = [v for v in variables if v.state is State.NOT_YET]
        later = later if len(later) >= _MANY_LATER else []
    told = [v for v in variables if v not in later]
    shown = told if page.options.verbose else told[:_MOST_VARIABLES]
    rows = [row for variable in shown for row in _rows(page, variable, stop)]
    if rows:
        page.table(rows, _COLUMNS, indent=_VARIABLE_INDENT, fill=True)
    if len(shown) < len(told):
        more = f"and {len(told) - len(shown)} more: -v shows them"
        page.line((more, "dim"), indent=_VARIABLE_INDENT)
    if later:
        names = [f"{v.name} (line {v.line})" if v.line is not UNSET else v.name for v in later]
        page.paragraph(
            ("not yet assigned: ", "italic"),
            words.listed(names),
            indent=_VARIABLE_INDENT,
            hanging=2,
        )


def _rows(page: Page, variable: Variable, stop: StopReport) -> list[list[Text]]:
    """The variable's value, its own place, and the place of what it points at."""
    nothing = page.text()
    value = value_text(variable.type, variable.value, variable.data)
    told = "" if variable.state is State.LIVE else told_state(variable)
    spans: list[Span] = [(f"{variable.type}  ", "dim"), value]
    hidden = _is_hidden(variable, stop)
    if hidden:
        spans.append((f"{' ' if value else ''}hidden by the inner {variable.name}", "dim"))
    if told and not value:
        spans.append((f"; {told}" if hidden else told, "italic"))
    rows = [[page.text((variable.name, "bold")), page.text(*spans), nothing]]
    if told and value:
        rows.append([nothing, page.text((told, "italic")), nothing])
    if variable.location is not UNSET:
        moved = ", moved there by the compiler" if variable.moved else ""
        rows += _place(page, variable.location, stop, "", moved)
    if variable.data is not UNSET:
        lead = f"{page.glyphs.leads_to} "
        rows += _place(page, variable.data.location, stop, lead, _extent(variable))
    return rows


def _is_hidden(variable: Variable, stop: StopReport) -> bool:
    """Whether an inner block's variable of the same name stands before it. What is not declared
    yet stands behind what the name still means."""
    if variable.state is State.NOT_YET:
        return False
    mine = (variable.frame, variable.function, variable.name)
    same = (v for v in stop.variables if (v.frame, v.function, v.name) == mine)
    return next(same, variable) is not variable


def _place(
    page: Page, location: Location, stop: StopReport, lead: str, note: str
) -> list[list[Text]]:
    nothing = page.text()
    own = f"stack of goroutine {stop.goroutine},"  # the stop's heading says whose stack it is
    name = location.name.replace(own, "stack,", 1)
    where = page.text((lead, "dim"), (name, style_of(location)), (note, "dim"))
    rows = [[nothing, where, page.text((str(location.address), "dim"))]]
    if page.options.verbose:
        for fact in location.evidence:
            told = page.text((f"{page.glyphs.dot} {fact}", "dim"))
            rows.append([nothing, told, nothing])
    return rows


def _extent(variable: Variable) -> str:
    data = variable.data
    if data is UNSET or data.size is UNSET or not data.size:
        return ""
    known = data.location.name.startswith(f"{data.size}-byte")
    return "" if known else f", {words.size(data.size)}"


def told_state(variable: Variable) -> str:
    """The state of a variable that does not simply live in memory, and why it is so."""
    if variable.state is State.REGISTER and not variable.register:
        return variable.why
    if variable.register is UNSET:
        state = STATE_WORDS[variable.state]
    else:
        names = variable.register.split()
        state = f"in {'registers' if len(names) > 1 else 'register'} {words.listed(names)}"
    if variable.state is State.REGISTER or not variable.why:
        return state
    return f"{state}: {variable.why}"
