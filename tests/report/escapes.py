"""Reports of `goprobe escape` put together by hand."""

from __future__ import annotations

from goprobe.model.address import Address
from goprobe.model.escape import (
    Assertion,
    Build,
    Call,
    DanglingPointer,
    EscapeReport,
    Outcome,
    Prediction,
    Site,
    Verdict,
)
from goprobe.model.report import Tool
from goprobe.model.trace import Exit


def site(
    verdict: Verdict = Verdict.CONFIRMED_HEAP,
    *,
    line: int = 7,
    file: str = "cmd/app/main.go",
    expression: str = "&point{...}",
    reason: str = "allocated on the heap 3 times",
    prediction: Prediction = Prediction.HEAP,
) -> Site:
    call = Call(
        pc=Address(0x48A000), callee="runtime.newobject", inlined_at=("b.go:9 (f)",), hits=3
    )
    outcome = Outcome(
        kind="heap",
        count=3,
        bytes=48,
        type="main.point",
        address=Address(0xC000012040),
        name="in a 16-byte heap object",
    )
    return Site(
        file=file,
        line=line,
        col=9,
        function="main.f",
        expression=expression,
        prediction=prediction,
        messages=(f"{expression} escapes to heap",),
        calls=(call,),
        hits=3,
        outcomes=(outcome,),
        verdict=verdict,
        reason=reason,
        inspected=3,
        flow=("flow: x = y:",),
    )


def promise(held: bool = True, file: str = "cmd/app/main.go", why: str = "") -> Assertion:
    return Assertion(file, 12, "noalloc", held, why)


def escapes(
    *sites: Site,
    assertions: tuple[Assertion, ...] = (),
    partial: str = "",
    dangling: tuple[DanglingPointer, ...] = (),
) -> EscapeReport:
    summary: dict[str, int] = {}
    for found in sites:
        summary[found.verdict] = summary.get(found.verdict, 0) + 1
    return EscapeReport(
        pid=7,
        go=Tool("1.27.3"),
        build=Build((), "go build -gcflags=-m=2", "-m=2"),
        sites=sites,
        assertions=assertions,
        summary=summary,
        partial=partial,
        dangling=dangling,
        exit=Exit(code=0),
    )
