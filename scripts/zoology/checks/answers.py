"""Each command answers as the contract says, and what it checks of itself holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.zoology.asking import Ran
from scripts.zoology.finding import Finding
from scripts.zoology.looks import Looks

_FINDINGS, _USAGE = 1, 2
_NO_OBJECT = ("a free slot of the heap", "no object of the heap")
_GZIP = b"\x1f\x8b"


def answers(looks: Looks) -> Iterator[Finding]:
    yield from _exits(looks)
    yield from _self_checks(looks)
    yield from _shapes(looks)


def _exits(looks: Looks) -> Iterator[Finding]:
    wrong = [_complaint(ran) for ran in looks.all if _complains(ran)]
    says = wrong[0] if wrong else f"{len(looks.all)} commands ended as the contract says"
    yield Finding("exit codes", not wrong, says)


def _complains(ran: Ran) -> bool:
    if any(word in ran.err for word in ("Traceback", "bug in goprobe")):
        return True
    if ran.code == _FINDINGS:
        return not any(gate in ran.command for gate in ("--dangling", "--leaked"))
    # An object that the program has freed since is no object.
    return ran.code != 0 and not (ran.code == _USAGE and any(w in ran.err for w in _NO_OBJECT))


def _complaint(ran: Ran) -> str:
    said = [line for line in ran.err.strip().splitlines() if not line.endswith("objects")]
    return f"goprobe {ran.command}: code {ran.code}, {said[-1] if said else 'nothing said'}"


def _self_checks(looks: Looks) -> Iterator[Finding]:
    failed: list[str] = []
    told: list[str] = []
    for what, ran in looks.ran.items():
        report = ran.report
        if not isinstance(report, dict):
            continue
        check = report.get("self_check", {})
        counts = ("popcount_mismatches", "unreadable_spans")
        failed += [f"{what}: {check[key]} {key}" for key in counts if check.get(key)]
        failed += [f"{what}: {a['says']}" for a in report.get("audit", []) if not a["holds"]]
        told += [f"; {what} warns: {w}" for w in report.get("warnings", [])]
    says = failed[0] if failed else "what reports check of themselves holds" + "".join(told[:1])
    yield Finding("self-checks", not failed, says)
    dangling = looks.report("dangling").get("dangling", [])
    says = _edge(dangling[0]) if dangling else "no pointer leads to no object"
    if dangling:
        says = f"{len(dangling)}: {says}"
    yield Finding("dangling pointers", not dangling, says)


def _edge(edge: Any) -> str:
    return f"{edge['from']['name']} {edge['field']} -> {edge['to']['name']}: {edge['why']}"


def _shapes(looks: Looks) -> Iterator[Finding]:
    """Sums that have to agree whatever the program does."""
    report = looks.report("types")
    graph, census = report.get("graph", {}), report.get("census", {})
    typed = sum(t["objects"] for t in report.get("types", []))
    untyped = sum(u["objects"] for u in report.get("untyped", []))
    objects = census.get("objects", -1)
    yield Finding(
        "sums of objects",
        typed + untyped == objects == graph.get("reachable", 0) + graph.get("unreachable", 0),
        f"{typed} with a type, {untyped} without; {graph.get('reachable')} reachable,"
        f" {graph.get('unreachable')} not; {objects} counted",
    )
    most = max((t.get("retained_bytes", 0) for t in report.get("types", [])), default=0)
    # What waits to be collected retains what only it leads to.
    yield Finding(
        "retained within the heap",
        most <= census.get("bytes", 0),
        f"at most {most} of {census.get('bytes')} bytes",
    )
    if pprof := looks.ran.get("pprof"):
        yield Finding("a profile", pprof.out.startswith(_GZIP), f"{len(pprof.out)} bytes")
    yield _places(looks)


def _places(looks: Looks) -> Finding:
    """`where` and `maps` say the same of an address (the heap has parts of other kinds)."""
    regions = looks.report("maps").get("map", [])
    wrong = []
    for location in looks.report("where").get("locations", []):
        at = int(location["address"], 16)
        region = next((r for r in regions if int(r["low"], 16) <= at < int(r["high"], 16)), None)
        kind = region["kind"] if region else "unmapped"
        if location["kind"] != kind and kind not in ("heap", "runtime", "reserved"):
            wrong.append(f"{location['address']} is {location['kind']}, in a map's {kind}")
    says = wrong[0] if wrong else f"{len(looks.report('where').get('locations', []))} addresses"
    return Finding("where and maps", not wrong, says)
