"""The page of `goprobe trace`: the answer, then stop by stop memory, source and variables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec
from msgspec import UNSET

from goprobe.model.location import Region
from goprobe.model.trace import StopReport, TraceReport
from goprobe.model.value import State, Variable
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.html.evidence import EvidenceList
from goprobe.report.html.items import items_of
from goprobe.report.html.moves import Past, key_of, moved_stack
from goprobe.report.html.scene import Item, Scene, picture, scene
from goprobe.report.html.source import Line, SourceExcerpts
from goprobe.report.options import RenderOptions
from goprobe.report.picture import Row
from goprobe.report.selection import picks, sentence, value_text

_Map = tuple[Region, ...]
_MARGIN = 10
_MOST_FRAMES = 32
_MOST_VARIABLES = 60
_STATES = {
    State.LIVE: "",
    State.NOT_YET: "not assigned yet",
    State.REGISTER: "in a register",
    State.CONSTANT: "a constant",
    State.OPTIMIZED_OUT: "optimised away",
    State.UNREADABLE: "unreadable",
}


class AddressCell(msgspec.Struct, frozen=True):
    """An address as the page shows it, with the anchor of its evidence."""

    address: str
    name: str
    kind: str
    evidence: str


class VariableView(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    name: str
    type: str
    value: str
    state: str
    place: AddressCell | None
    data: AddressCell | None
    news: str


class FrameSection(msgspec.Struct, frozen=True):
    number: int
    function: str
    place: str
    inlined: bool
    variables: tuple[VariableView, ...]


class StopSection(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    function: str
    place: str
    who: str
    registers: str
    news: tuple[str, ...]
    warnings: tuple[str, ...]
    frames: tuple[FrameSection, ...]
    left_out: int
    scene: Scene
    file: str
    source: tuple[Line, ...]


def render(report: TraceReport, options: RenderOptions) -> bytes:
    """The page, with at most a few dozen frames and variables of each stop."""
    ledger = EvidenceList()
    name = PurePosixPath(report.binary.path).name
    return shell.page(
        "trace.html",
        f"{name}: where its variables live",
        report,
        options,
        ledger,
        answers=[sentence(pick) for pick in picks(report, options.variables)],
        stops=stop_views(report, options.variables, ledger),
        empty=scene(picture(report.map)),
        warnings=report.warnings,
        facts=facts(report),
    )


def stop_views(
    report: TraceReport, names: Sequence[str], ledger: EvidenceList
) -> list[StopSection]:
    """Each stop, told by what has changed since the one before."""
    every = [items_of(stop, names, ledger) for stop in report.stops]
    drawn = _pictures(report, every)
    sources, past = SourceExcerpts(), Past()
    views = []
    for number, (stop, items) in enumerate(zip(report.stops, every, strict=True), 1):
        drawing = scene(drawn[_map_at(report, stop)], items)
        views.append(_stop(number, stop, drawing, ledger, sources, past))
        past.remember(stop)
    return views


def _pictures(report: TraceReport, every: Sequence[list[Item]]) -> dict[_Map, list[Row]]:
    """The rows for each map that there was: the same for all stops of one map, so that what has
    not moved stands still in the drawing."""
    addresses: dict[_Map, list[int]] = {}
    for stop, items in zip(report.stops, every, strict=True):
        there = addresses.setdefault(_map_at(report, stop), [])
        there.extend(item.address for item in items)
    return {regions: picture(regions, there) for regions, there in addresses.items()}


def _map_at(report: TraceReport, stop: StopReport) -> _Map:
    return report.map if stop.map is UNSET else stop.map


def facts(report: TraceReport) -> list[str]:
    """How the report came about, and how the program ended."""
    binary = report.binary
    how = "optimised" if binary.optimized else "not optimised"
    flags = f" ({binary.flags})" if binary.flags else ""
    version = report.go.version.removeprefix("go") or "of unknown version"
    ended = f"Process {report.pid} was ended here."
    if report.exit.signal is not UNSET:
        ended = f"Process {report.pid} was ended by {report.exit.signal}."
    elif report.exit.code is not UNSET:
        ended = f"Process {report.pid} ended with code {report.exit.code}."
    made = f"Go {version}, {how}{flags}; GDB {report.gdb.version}."
    return [made, ended, f"{binary.path}, build id {binary.build_id or 'none'}"]


def _stop(
    number: int,
    stop: StopReport,
    drawing: Scene,
    ledger: EvidenceList,
    sources: SourceExcerpts,
    past: Past,
) -> StopSection:
    shown = stop.variables[:_MOST_VARIABLES]
    frames = tuple(
        FrameSection(
            i,
            frame.function,
            words.source(frame.file, frame.line, frame.function),
            frame.inlined,
            tuple(_variable(v, stop, ledger, past) for v in shown if v.frame == i),
        )
        for i, frame in enumerate(stop.frames[:_MOST_FRAMES])
    )
    who = f"goroutine {stop.goroutine}" if stop.goroutine else "no goroutine"
    return StopSection(
        number=number,
        function=stop.function,
        frames=frames,
        place=words.source(stop.file, stop.line, stop.function),
        who=f"{who}, thread {stop.thread}",
        registers=_registers(stop),
        news=moved_stack(stop, past),
        warnings=stop.warnings,
        left_out=len(stop.variables) - len(shown),
        scene=drawing,
        file=stop.file,
        source=tuple(sources.around(stop.file, [stop.line], _MARGIN)),
    )


def _registers(stop: StopReport) -> str:
    told = f"pc {stop.pc}, sp {stop.sp}"
    if stop.stack is UNSET:
        return told
    used = words.size(max(stop.stack.high - stop.sp, 0))
    size = words.size(stop.stack.high - stop.stack.low)
    return f"{told}; stack {stop.stack.low} to {stop.stack.high}, {used} of {size} used"


def _variable(
    variable: Variable, stop: StopReport, ledger: EvidenceList, past: Past
) -> VariableView:
    state = _STATES[variable.state]
    if variable.register is not UNSET:
        state = "" if variable.why else f"in {variable.register}"
    told = ": ".join(part for part in (state, variable.why) if part)
    return VariableView(
        key=key_of(stop, variable),
        name=variable.name,
        type=variable.type,
        value=value_text(variable.type, variable.value, variable.data),
        state="moved to the heap by the compiler" if variable.moved and not told else told,
        place=_place(variable, ledger),
        data=_data(variable, ledger),
        news=past.news(stop, variable),
    )


def _place(variable: Variable, ledger: EvidenceList) -> AddressCell | None:
    where = variable.location
    if where is UNSET:
        return None
    return AddressCell(str(where.address), where.name, where.kind.value, ledger.id(where))


def _data(variable: Variable, ledger: EvidenceList) -> AddressCell | None:
    if variable.data is UNSET:
        return None
    where = variable.data.location
    return AddressCell(str(variable.data.address), where.name, where.kind.value, ledger.id(where))
