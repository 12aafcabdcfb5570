"""Random variables: a few of fixed seeds here, many and fresh ones by scripts/truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.truths.answer import Outcome
from scripts.truths.trial import Trial, shown, try_out
from tests.support.go import matrix


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize(("build", "programs"), [("-N -l", 3), ("stripped", 3)])
def test_no_answer_about_random_variables_is_wrong(
    go: str, build: str, programs: int, tmp_path: Path
) -> None:
    asked = 0
    for number in range(programs):
        trial = Trial("variables", 5, number, go, build)
        result = try_out(trial, shrink_seconds=0, keep=tmp_path, peers=False)
        wrong = [shown(a) for a in result.answers if a.outcome is Outcome.WRONG]
        assert not wrong, "\n".join(map(str, (trial, *wrong)))
        asked += len(result.answers)
    assert asked > 5
