"""The page of `goprobe goroutines`: those with the same stack together, then each by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET

from goprobe.model.attached import (
    CallSite,
    Creation,
    Differing,
    GoroutineGroup,
    GoroutinesReport,
    GoroutineState,
    WaitsOn,
)
from goprobe.model.value import Variable
from goprobe.report import words
from goprobe.report.crashwords import crashed, earlier, signals
from goprobe.report.html import shell
from goprobe.report.html.waitsdrawing import drawing
from goprobe.report.leakwords import MAIN_WAITS, of_blocked, undecided
from goprobe.report.options import RenderOptions
from goprobe.report.places import MOST_GOROUTINES
from goprobe.report.selection import value_and_data
from goprobe.report.waitwords import PLAIN, ages, deadlocked, held, owned, waited

_MOST_GROUPS = 1_000
_MOST_IDS = 100
_MOST_HOLDERS = 8
_MOST_DEADLOCKS = 100
_MOST_STEPS = 64


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A goroutine in words."""

    id: int
    status: str
    state: str
    function: str
    created_by: str
    used: int
    size: int
    low: str
    waited: str
    thread: int
    labels: str


class _Frame(msgspec.Struct, frozen=True):
    """`variables` are name, type and value of each, or that it differs."""

    function: str
    place: str
    variables: Sequence[tuple[str, str, str]]


class _Group(msgspec.Struct, frozen=True):
    number: int
    count: int
    status: str
    state: str
    ids: str
    frames: Sequence[_Frame]
    waits: Sequence[tuple[str, str]]
    """What they wait on, and by whom that is held."""
    waited: str
    created: Sequence[str]


def _crash(report: GoroutinesReport) -> list[str]:
    """Why the process of a core ended, a sentence each."""
    if report.crash is UNSET:
        return []
    told = report.crash
    return [part for part in ("".join(crashed(told)), *earlier(told), signals(told)) if part]


def render(report: GoroutinesReport, options: RenderOptions) -> bytes:
    """The page; of far too many the largest groups, and the first goroutines."""
    counts = Counter(g.status for g in report.goroutines)
    groups, each = report.groups[:_MOST_GROUPS], report.goroutines[:MOST_GOROUTINES]
    return shell.page(
        "goroutines.html",
        f"The goroutines of process {report.pid}",
        report,
        options,
        count=len(report.goroutines),
        counts=counts.most_common(),
        dead=report.dead,
        crash=_crash(report),
        unreadable=report.unreadable,
        most=max((g.count for g in report.groups), default=1),
        groups=[
            _Group(
                number,
                g.count,
                g.status,
                _group_state(g),
                _ids(g.ids),
                [_frame(f) for f in g.frames],
                [_waits(w) for w in g.waits_on if w.kind not in PLAIN] + _more(g),
                ages(g),
                [_made(c, g.count) for c in g.created],
            )
            for number, g in enumerate(groups, 1)
        ],
        labelled=any(g.labels or g.why_no_labels for g in each),
        rows=[_row(g) for g in each],
        left_out=len(report.goroutines) - len(each),
        groups_left=len(report.groups) - len(groups),
        deadlocks=[
            (deadlocked(d), d.steps[:_MOST_STEPS])
            for d in (report.deadlocks if report.deadlocks is not UNSET else ())[:_MOST_DEADLOCKS]
        ],
        waiting=drawing(report),
        warnings=(),
        facts=[*_leaks(report), *report.notes, words.stood_still(report.pid, report.pause_us)],
    )


def _group_state(g: GoroutineGroup) -> str:
    state = words.state(g.status, g.wait_reason)
    if not g.why:
        return state
    return f"{state}, {'leaked' if g.leaked else 'undecided'}: {g.why}"


def _made(made: Creation, count: int) -> str:
    place = words.source(made.file, made.line, made.function) if made.file else ""
    some = "" if made.count == count else f": {words.number(made.count)}"
    return f"{made.function} {place}".rstrip() + some


def _leaks(report: GoroutinesReport) -> list[str]:
    """What is told of leaks, where they were asked for."""
    leaks = report.leaks
    if leaks is UNSET:
        return []
    told = [of_blocked(leaks).capitalize()]
    if leaks.leaked:
        kept = words.size(leaks.retained_bytes)
        told.append(f"{words.number(leaks.leaked)} can never run again and keep {kept}")
    else:
        told.append("none is leaked")
    if leaks.undecided:
        told.append(undecided(leaks))
    main = [f"{MAIN_WAITS[0].upper()}{MAIN_WAITS[1:]}."] if leaks.main_waits else []
    return [f"{', '.join(told)}.", *main]


def _row(g: GoroutineState) -> _Row:
    waited = "" if g.waiting_us is UNSET else words.duration(g.waiting_us)
    return _Row(
        id=g.id,
        status=g.status,
        state=words.state(g.status, g.wait_reason),
        function=g.function,
        created_by=g.created_by,
        used=g.stack.used,
        size=g.stack.high - g.stack.low,
        low=str(g.stack.low),
        waited=waited,
        thread=g.thread,
        labels=words.labels(g.labels, g.why_no_labels),
    )


def _more(group: GoroutineGroup) -> list[tuple[str, str]]:
    left = group.more_waits_on
    return [(f"and on {words.number(left)} more", "")] if left else []


def _waits(waits: WaitsOn) -> tuple[str, str]:
    count = f"{words.number(waits.count)} on " if waits.count > 1 else ""
    why = f": {waits.why}" if waits.why else ""
    owners = "; ".join(owned(waits, _MOST_HOLDERS))
    by = held(waits, most=_MOST_HOLDERS)
    return f"{count}{waited(waits)}{why}{f', {owners}' if owners else ''}", by


def _variable(
    index: int, variable: Variable, differing: Mapping[int, Differing]
) -> tuple[str, str, str]:
    if index in differing:
        values = differing[index].values
        return variable.name, variable.type, f"different: {', '.join(v for v, _ in values)}"
    value = value_and_data(variable) or f"{variable.state}: {variable.why}"
    return variable.name, variable.type, value


def _frame(frame: CallSite) -> _Frame:
    differing = {d.index: d for d in frame.differing} if frame.differing is not UNSET else {}
    variables = frame.variables if frame.variables is not UNSET else ()
    inlined = " (inlined)" if frame.inlined else ""
    place = words.source(frame.file, frame.line, frame.function)
    told = [_variable(i, v, differing) for i, v in enumerate(variables)]
    return _Frame(frame.function or "unknown", f"{place}{inlined}", told)


def _ids(ids: Sequence[int]) -> str:
    more = f" and {words.number(len(ids) - _MOST_IDS)} more" if len(ids) > _MOST_IDS else ""
    return ", ".join(map(str, ids[:_MOST_IDS])) + more
