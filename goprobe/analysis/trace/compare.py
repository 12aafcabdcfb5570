"""`goprobe trace --compare`: the same program in both builds, and what the optimiser changed."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.trace.trace import TraceRequest, trace
from goprobe.errors import UsageError
from goprobe.model.compare import Change, CompareReport, Fate, Inlining
from goprobe.model.location import PLACES, Kind, Location
from goprobe.model.report import head
from goprobe.model.trace import Frame, TraceReport
from goprobe.model.value import State, Variable, in_registers
from goprobe.runtime.stacks.variables import KEPT_NOWHERE, NONE_KEPT
from goprobe.toolchain.built import is_executable_file

_Key = tuple[str, str]


def compare(request: TraceRequest) -> CompareReport:
    """Trace the target twice, without and with the optimiser. Raises what `trace` raises, and
    UsageError where there is nothing to build."""
    if is_executable_file(request.target):
        raise UsageError(
            f"{request.target} is compiled already, one way only",
            hint="--compare builds a program both ways: name its .go file or its package",
        )
    plain = trace(replace(request, optimized=False))
    optimized = trace(replace(request, optimized=True, started=None))
    return compared(plain, optimized)


def compared(plain: TraceReport, optimized: TraceReport) -> CompareReport:
    """What the two reports of one program say when held against each other."""
    after = _best(optimized)
    report = CompareReport(
        **head(plain.pid, plain.go.version, plain.program),
        unoptimized=plain,
        optimized=optimized,
        changes=tuple(
            _change(variable, after.get(key, UNSET)) for key, variable in _best(plain).items()
        ),
        inlined=_inlined(plain, optimized),
        unoptimized_code=_code(plain),
        optimized_code=_code(optimized),
    )
    return finished(report, ())


def _best(report: TraceReport) -> dict[_Key, Variable]:
    """Each variable as it was where most is known of it; later stops go before earlier ones."""
    best: dict[_Key, Variable] = {}
    for stop in reversed(report.stops):
        for variable in stop.variables:
            key = variable.function, variable.name
            if key not in best or _knowledge(variable) > _knowledge(best[key]):
                best[key] = variable
    return dict(sorted(best.items(), key=lambda item: (not _own(item[0][0]), item[0])))


def _own(function: str) -> bool:
    return function.startswith("main.")


def _knowledge(variable: Variable) -> int:
    return 2 * (variable.value is not UNSET) + (variable.state is not State.NOT_YET)


def _change(before: Variable, after: Variable | UnsetType) -> Change:
    fate = _fate(before, after)
    return Change(
        function=before.function,
        name=before.name,
        type=before.type,
        fate=fate,
        told=_told(before, after, fate),
        unoptimized=before,
        optimized=after,
    )


def _fate(before: Variable, after: Variable | UnsetType) -> Fate:
    if after is UNSET:
        return Fate.UNSEEN
    match after.state:
        case State.REGISTER if after.register is UNSET:
            return Fate.MOVED
        case State.REGISTER:
            return Fate.KEPT if before.state is State.REGISTER else Fate.REGISTER
        case State.CONSTANT:
            return Fate.CONSTANT
        case State.OPTIMIZED_OUT:
            return Fate.GONE if after.why in (KEPT_NOWHERE, NONE_KEPT) else Fate.UNTOLD
    same = _kind(before.location) is _kind(after.location) and before.moved == after.moved
    return Fate.KEPT if same else Fate.MOVED


def _kind(location: Location | UnsetType) -> Kind | None:
    return None if location is UNSET else location.kind


def _told(before: Variable, after: Variable | UnsetType, fate: Fate) -> str:
    name = before.name
    if after is UNSET or fate is Fate.UNSEEN:
        return f"{name} does not show in the optimised build"
    was = _where(before)
    match fate:
        case Fate.KEPT:
            return f"{name} stays {was}"
        case Fate.MOVED:
            return f"{name} was {was} and is {_where(after)}"
        case Fate.REGISTER:
            apart = "" if after.partly else ": it needs no memory"
            return f"{name} was {was} and is {_where(after)}{apart}"
        case Fate.CONSTANT:
            told = f"{name} was {was} and has become a constant"
        case Fate.UNTOLD:
            told = f"{name} was {was} and is not told: {after.why}"
        case _:
            told = f"{name} was {was} and is gone: {after.why}"
    return told + _still_found(after)


def _still_found(after: Variable) -> str:
    """Where a value that has no variable left was found all the same."""
    still = []
    if after.location is not UNSET:
        still.append(f"its value is found {_place(after.location)}")
    if after.data is not UNSET:
        still.append(f"what it points at {_place(after.data.location)}")
    return f"; {', '.join(still)}" if still else ""


def _where(variable: Variable) -> str:
    if variable.location is not UNSET:
        return _place(variable.location)
    if variable.register is not UNSET:
        return in_registers(variable)
    if variable.state is State.REGISTER:
        return f"in places of its own: {variable.why}"
    if variable.state is State.NOT_YET:
        return "not assigned yet"
    return "nowhere"


def _place(location: Location) -> str:
    return PLACES[location.kind]


def _inlined(plain: TraceReport, optimized: TraceReport) -> tuple[Inlining, ...]:
    """Functions with a frame of their own before, whose code now runs in their caller's frame."""
    own = {frame.function for frame in _frames(plain) if not frame.inlined}
    inlined: dict[str, str] = {}
    for stop in optimized.stops:
        for i, frame in enumerate(stop.frames):
            if frame.inlined and frame.function in own:
                outer = next((f for f in stop.frames[i + 1 :] if not f.inlined), None)
                if outer is not None:
                    inlined.setdefault(frame.function, outer.function)
    return tuple(Inlining(function, into) for function, into in inlined.items())


def _frames(report: TraceReport) -> Iterator[Frame]:
    return (frame for stop in report.stops for frame in stop.frames)


def _code(report: TraceReport) -> int:
    return sum(region.size for region in report.map if region.kind is Kind.TEXT)
