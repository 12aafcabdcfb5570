"""Random programs that are stepped: one of a fixed seed here, many fresh ones by scripts/truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.truths.answer import Outcome
from scripts.truths.choices import Choices
from scripts.truths.kind import UNOPTIMIZED
from scripts.truths.steps import KIND, _visited
from scripts.truths.trial import Trial, shown, try_out
from tests.support.go import matrix


@pytest.mark.parametrize("go", matrix())
def test_no_answer_about_a_random_program_is_wrong(go: str, tmp_path: Path) -> None:
    result = try_out(
        Trial("steps", 4, 0, go, UNOPTIMIZED.name), shrink_seconds=0, keep=tmp_path, peers=False
    )
    wrong = [shown(a) for a in result.answers if a.outcome is Outcome.WRONG]
    assert result.answers and not wrong, "\n".join(wrong)


def test_each_statement_notes_its_own_line() -> None:
    text = KIND.write(Choices([0] * 40), "1.27", UNOPTIMIZED).files["main.go"].split("\n")
    noted = [line for line in text if "lines[nl] = " in line]
    assert noted and all(f"lines[nl] = {text.index(line) + 1};" in line for line in noted)


def test_a_line_that_is_left_out_or_doubled_is_wrong() -> None:
    walked = [(5, 1, "main"), (9, 2, "f"), (5, 1, "main"), (6, 1, "main"), (6, 1, "main")]
    assert _visited(walked, {5, 6, 9}) == [5, 9, 6, 6]
