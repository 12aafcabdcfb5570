"""Programs that know what of their heap is wasted, for `goprobe heap --waste`: each row's bytes and
objects are held against what the program says of the variable that it made so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heapasked import heap_asked
from goprobe.model.heap import Waste
from goprobe.target.live import open_target
from scripts.truths.answer import Answer, Peers, contradictions, equal, not_told, right, wrong
from scripts.truths.choices import Choices
from scripts.truths.kind import PIE, PLAIN, STRIPPED, UNOPTIMIZED, Build, Case, Program
from scripts.truths.waste.writing import Writer
from tests.support.go import running

_PATIENCE = 60.0
_LEAST = 256  # bytes: smaller rows are not told
_SPARSE, _SPANS, _NOTHING = "sparse map", "sparse spans", "nothing"
_OTHERS = 16  # objects of the runtime's that may lie in spans of any size
_BY_CONTENT = ("equal strings", "equal byte slices")


@dataclass(frozen=True)
class Said:
    kind: str
    type: str
    holder: str
    field: str
    objects: int
    bytes: int
    slack: int


class WasteKind:
    name = "waste"
    builds = (PLAIN, UNOPTIMIZED, PIE, STRIPPED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        return Writer(choices, go).program()

    def ask(self, case: Case) -> Iterator[Answer]:
        try:
            with running(case.binary, timeout=_PATIENCE) as program:
                report = heap_asked(open_target(program.pid), HeapQuestions(waste=True))
                said = [_read(line) for line in program.lines if "\t" in line]
        except AssertionError as error:  # the program itself has failed
            yield wrong("the program runs", truth="it does", told=str(error))
            return
        yield from contradictions(report.audit)
        for each in said:
            yield from judged(each, report.waste or (), stripped=case.build is STRIPPED)

    def peers(self, case: Case) -> Peers:
        return {}


def _read(line: str) -> Said:
    kind, type_, holder, field, objects, size, slack = line.split("\t")
    return Said(kind, type_, holder, field, int(objects), int(size), int(slack))


def judged(said: Said, told: Sequence[Waste], *, stripped: bool) -> Iterator[Answer]:
    rows = [row for row in told if _is_of(said, row)]
    asked = f"{said.kind} of {said.holder or said.type}"
    if said.kind == _NOTHING:
        own = [r for r in rows if r.kind not in ("rounded up", "field order", "tiny objects")]
        yield equal(asked, "", ", ".join(f"{row.kind} {row.bytes}" for row in own))
        return
    rows = [row for row in rows if row.kind == said.kind]
    size, objects = sum(row.bytes for row in rows), sum(row.objects for row in rows)
    if said.kind == _SPANS:
        yield _spans(asked, said, rows)
        return
    if stripped and size < said.bytes - said.slack:
        yield not_told(asked, "nothing tells the types of all in a stripped program")
        return
    if said.kind == _SPARSE:
        yield _sparse(asked, said, rows)
        return
    if said.bytes - said.slack < _LEAST and not rows:
        yield not_told(asked, "less than is worth a row")
        return
    if said.bytes - said.slack <= size <= said.bytes:
        yield right(asked)
    else:
        yield wrong(asked, truth=f"{said.bytes} (-{said.slack})", told=f"{size}: {rows}")
    yield equal(f"{asked}: objects", said.objects, objects)
    if stripped or not said.holder:
        return
    yield equal(f"{asked}: holder", {said.holder}, {row.holder for row in rows})
    if said.field != "*":
        yield equal(f"{asked}: field", {said.field}, {row.field for row in rows})


def _is_of(said: Said, row: Waste) -> bool:
    return said.type in row.type if said.kind in _BY_CONTENT else said.type == row.type


def _sparse(asked: str, said: Said, rows: list[Waste]) -> Answer:
    """What a map without waste would take is up to its design: the entries are held against."""
    if len(rows) != 1 or not rows[0].advice.startswith(f"{said.objects:,} entries "):
        return wrong(asked, truth=f"{said.objects} entries", told=str(rows))
    if not said.bytes // 2 <= rows[0].bytes <= 4 * said.bytes:
        return wrong(asked, truth=f"about {said.bytes} bytes", told=str(rows[0].bytes))
    return right(asked)


def _spans(asked: str, said: Said, rows: list[Waste]) -> Answer:
    """Counted by size, whatever the types; told of classes with several spans, half of them free
    or more."""
    if not rows and said.bytes <= 2 * said.slack:
        return not_told(asked, "too few spans to be sure that they count")
    row = rows[0] if len(rows) == 1 else None
    if row is None or not 0 <= row.objects - said.objects <= _OTHERS:
        return wrong(asked, truth=f"{said.objects} objects", told=str(rows))
    if abs(row.bytes - said.bytes) > said.slack:
        return wrong(asked, truth=f"{said.bytes} (+-{said.slack})", told=str(row.bytes))
    return right(asked)


KIND = WasteKind()
