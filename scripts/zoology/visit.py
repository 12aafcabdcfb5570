"""One program, from its start to its end: all looks, all checks, one row of the table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.zoology.asking import asker
from scripts.zoology.built import built
from scripts.zoology.checks.answers import answers
from scripts.zoology.checks.kernel import kernel
from scripts.zoology.checks.lost import lost
from scripts.zoology.checks.runtime import runtime
from scripts.zoology.finding import Finding
from scripts.zoology.keeper import NotKeptError, kept
from scripts.zoology.looks import Looks, look
from scripts.zoology.program import Program, Site
from scripts.zoology.table import Row

_GARBAGE = "nothing leads to it any more"


@dataclass(frozen=True, slots=True)
class Visit:
    row: Row
    findings: tuple[tuple[str, Finding], ...]
    """Each with whom goprobe ran as."""
    looks: Looks


def visit(program: Program, patience: float, stay: float) -> Visit:
    """The program is left to work for `stay` seconds before it is asked once more. Raises
    NotBroughtError, NotKeptError."""
    with kept(program) as site:
        try:
            program.work(site)
        except OSError as error:
            raise NotKeptError(f"it did not do its work: {error}") from error
        findings: list[tuple[str, Finding]] = []
        everyone: list[Looks] = []
        for name, uid in _users(site):
            ask = asker(uid, site.folder.parent / f"goprobe-{uid}")
            looks = look(ask, site.pid, briefly=bool(everyone))
            everyone.append(looks)
            checked = [*answers(looks), *kernel(looks), *runtime(program, site, ask, patience)]
            patience = 0.0  # once is enough
            findings += [(name, finding) for finding in checked]
        findings += [(name, finding) for finding in lost(program, site, ask, everyone[0], stay)]
        findings.append(("", _alive(program, site)))
        return Visit(_row(program, site, everyone, findings), tuple(findings), everyone[0])


def _users(site: Site) -> Iterator[tuple[str, int]]:
    if os.geteuid() == 0:
        yield "root", 0
    yield "user", site.user


def _alive(program: Program, site: Site) -> Finding:
    status = Path(f"/proc/{site.pid}/status").read_text()
    if "TracerPid:\t0" not in status or "State:\tt" in status or "State:\tT" in status:
        return Finding("unharmed", False, "it is still held")
    return Finding("unharmed", program.works(site), "it runs, and answers right")


def _row(
    program: Program, site: Site, everyone: list[Looks], findings: list[tuple[str, Finding]]
) -> Row:
    looks = everyone[0]
    report = looks.report("types")
    census: dict[str, Any] = report.get("census", {})
    typed, bytes_typed = _typed(report)
    every = [ran for each in everyone for ran in each.all]
    pauses = [ran.report.get("pause_us", 0) for ran in every if ran.out.startswith(b"{")]
    holds = [finding.holds for _, finding in findings]
    return Row(
        program.name,
        report.get("go", {}).get("version", "?"),
        built(Path(f"/proc/{site.pid}/exe")),
        _resident(looks),
        census.get("objects", 0),
        census.get("bytes", 0),
        typed,
        bytes_typed,
        max(pauses, default=0) / 1e6,
        looks.ran["types"].seconds,
        looks.ran["types"].cpu,
        looks.first.seconds,
        max(ran.memory for ran in every),
        holds.count(True),
        holds.count(False),
        holds.count(None),
    )


def _typed(report: Any) -> tuple[float, float]:
    """The shares of reachable objects and bytes that have a type. What waits to be collected is
    left out: nothing leads to it, so nothing tells what it was."""
    graph = report.get("graph", {})
    left = [u for u in report.get("untyped", []) if u["reason"] != _GARBAGE]
    return (
        1 - sum(u["objects"] for u in left) / max(graph.get("reachable", 0), 1),
        1 - sum(u["bytes"] for u in left) / max(graph.get("reachable_bytes", 0), 1),
    )


def _resident(looks: Looks) -> int:
    lines = [line for line in looks.smaps[0].splitlines() if line.startswith("Rss:")]
    return sum(int(line.split()[1]) * 1024 for line in lines)
