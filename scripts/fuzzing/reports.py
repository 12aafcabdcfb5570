"""Reports that `heap --diff` reads back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goprobe.analysis.heap.growth import compared
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.cli.heap import old_report
from goprobe.model.codec import to_json
from goprobe.model.heap import HeapReport
from scripts.fuzzing.documents import damaged
from scripts.fuzzing.kind import Kind, Question
from scripts.fuzzing.questions import told
from scripts.fuzzing.standing import Standing, standing
from scripts.truths.choices import Choices

_CHANGES = 4


@dataclass(frozen=True)
class DamagedReport:
    """An older report, damaged, beside the whole one that it is compared with."""

    standing: Standing
    now: HeapReport
    data: bytes
    told: str
    scratch: Path

    @contextmanager
    def asked(self) -> Iterator[Sequence[Question]]:
        path = self.scratch / f"report-{os.getpid()}"
        path.write_bytes(self.data)
        yield [Question("heap --diff", lambda: told(compared(old_report(str(path)), self.now)))]

    def keep(self, folder: Path, question: str) -> str:
        (folder / "old.json").write_bytes(self.data)
        standing = self.standing
        return f"goprobe heap {standing.core} --exe {standing.binary} --diff {folder}/old.json"


@dataclass(frozen=True)
class Report:
    standing: Standing
    report: HeapReport
    data: bytes
    scratch: Path

    @property
    def name(self) -> str:
        return f"Go {self.standing.go}"

    def damaged(self, choices: Choices) -> DamagedReport:
        data, steps = self.data, []
        for _ in range(1 + choices.below(_CHANGES)):
            data, step = damaged(data, choices)
            steps.append(step)
        return DamagedReport(self.standing, self.report, data, "\n".join(steps), self.scratch)


class Reports:
    name = "reports"

    def subjects(self, home: Path, gos: Sequence[str]) -> Sequence[Report]:
        """One release will do: what is read is goprobe's own."""
        process = standing(home, gos[-1])
        report = heap(process.target, HeapQuestions(types=True, retained=True))
        return [Report(process, report, to_json(report), home)]


KIND: Kind = Reports()
