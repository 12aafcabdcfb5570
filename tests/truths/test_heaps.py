"""Random heaps: a few of fixed seeds here, many and fresh ones by scripts/truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.truths.answer import Outcome
from scripts.truths.heaps.pointed import Pointed
from scripts.truths.heaps.said import read
from scripts.truths.trial import Trial, shown, try_out
from tests.support.go import matrix


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("build", ["plain", "stripped"])
def test_no_answer_about_a_random_heap_is_wrong(go: str, build: str, tmp_path: Path) -> None:
    asked = 0
    for number in range(3):
        trial = Trial("heaps", 0, number, go, build)
        result = try_out(trial, shrink_seconds=0, keep=tmp_path, peers=False)
        wrong = [shown(a) for a in result.answers if a.outcome is Outcome.WRONG]
        assert not wrong, "\n".join(map(str, (trial, *wrong)))
        asked += len(result.answers)
    assert asked > 20


SAID = """\
type 0 1 uint8
type 1 8 int
part 2 0 1 1
part 2 8 1 1
type 2 16 main.pair
part 3 0 1 1
part 3 8 2 3
type 3 56 main.whole
type 4 8 map[string]int
also 4 map[string]int
"""


@pytest.mark.parametrize(
    ("told", "at", "kind", "fits"),
    [
        ("main.pair", 0, 2, True),
        ("main.pair", 0, 3, False),  # larger than what is told
        ("main.whole", 24, 2, True),
        ("main.whole", 16, 2, False),
        ("[]main.pair backing", 32, 2, True),
        ("[]main.pair backing", 40, 2, False),
        ("[]main.whole backing", 56 + 8, 2, True),
        ("object holding main.pair at +0x8", 0, 3, True),
        ("object holding main.pair at +0x10", 0, 3, False),
        ("object beginning with main.pair", 16, 1, True),
        ("string data", 3, 0, True),
        ("string data", 0, 1, False),
        ("map[string]int", 0, 4, True),
        ("map[int]int", 0, 4, False),
        ("main.unheard", 0, 2, None),
    ],
)
def test_what_is_told_of_an_object_has_what_points_into_it(
    told: str, at: int, kind: int, fits: bool | None
) -> None:
    assert Pointed(read(SAID.splitlines())).agrees(told, at, kind, 1) is fits


def test_memory_that_is_used_again_is_that_of_the_later_object() -> None:
    told = ["object value 1000 1 3", "edge 1008 2000", "edge 3000 4000"]
    lines = [*SAID.splitlines(), *told, "late", "object value 1000 1 2"]
    said = read(lines)
    assert [(o.address, o.type) for o in said.objects] == [(1000, 2)]
    assert said.pointers == {3000: 4000}
