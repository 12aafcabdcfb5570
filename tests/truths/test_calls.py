"""Random programs that call: a few of fixed seeds here, many and fresh ones by scripts/truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.truths.answer import Outcome
from scripts.truths.calls import _judged
from scripts.truths.calls.writing import write
from scripts.truths.choices import Choices
from scripts.truths.trial import Trial, shown, try_out
from tests.support.go import matrix

_TOLD = (
    b'{"call":1,"function":"main.f1","goroutine":1,"depth":0,"began_us":1,"duration_us":1,'
    b'"end":"return","arguments":[{"name":"id","type":"int","text":"1","value":1}],"results":[]}',
    b'{"lost":0}',
)


@pytest.mark.parametrize("go", matrix())
def test_no_answer_about_a_random_program_is_wrong(go: str, tmp_path: Path) -> None:
    asked = 0
    for number in range(2):
        result = try_out(
            Trial("calls", 0, number, go, "plain"), shrink_seconds=0, keep=tmp_path, peers=False
        )
        wrong = [shown(a) for a in result.answers if a.outcome is Outcome.WRONG]
        assert not wrong, "\n".join(wrong)
        asked += len(result.answers)
    assert asked > 5


def test_the_simplest_program_is_short() -> None:
    text = write(Choices([])).files["main.go"]
    assert "f1(id int) ()" in text and "f2" not in text


def test_what_is_not_so_is_wrong() -> None:
    one = {"id": 1, "function": "main.f1", "args": [1], "end": "return", "results": []}

    def outcomes(*calls: dict[str, object]) -> set[Outcome]:
        return {a.outcome for a in _judged({int(str(c["id"])): c for c in calls}, [*_TOLD])}

    assert outcomes(one) == {Outcome.RIGHT}
    for change in ({"end": "panic"}, {"args": [2]}, {"id": 2}):
        assert Outcome.WRONG in outcomes({**one, **change})
    assert Outcome.WRONG in outcomes(one, {**one, "id": 2})
