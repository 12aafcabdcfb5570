"""Promises of hot paths: the kinds of gVisor's checkescape, in a function or in what it calls."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from goprobe.model.escape import Proof
from tests.escape.corpus import release_of
from tests.escape.test_promises import FOLDER, run
from tests.support.go import matrix

SOURCE = (FOLDER / "hotpaths.go").read_text()


def _wanted() -> Iterator[tuple[int, str, str]]:
    """The line of each promise, its function, and what is to come of it."""
    lines = SOURCE.split("\n")
    for number, line in enumerate(lines, 1):
        match = re.match(r"func (\w+)[\[(].*// want: (.*)", line)
        if match:
            at = number - 1
            while lines[at - 1].startswith("//"):
                at -= 1
            promises = [n for n in range(at + 1, number) if "goprobe:" in lines[n - 1]]
            assert len(promises) == len(match[2].split()), line
            for promise, wanted in zip(promises, match[2].split(), strict=True):
                yield promise, match[1], wanted


WANTED = list(_wanted())


@pytest.mark.parametrize("go", matrix())
def test_what_a_hot_path_may_come_to(go: str) -> None:
    report = run("hotpaths", go).report
    by_steps = release_of(go) < (1, 24)
    told = {a.line: a for a in report.assertions}
    wrong = []
    for line, function, wanted in WANTED:
        proof = told[line].proof
        assert isinstance(proof, Proof), told[line]
        if wanted == "steps":
            wanted = "broken" if by_steps else "proved"
        if proof.verdict.value != wanted:
            wrong.append((function, told[line].text, wanted, told[line].why))
    assert wrong == []
    assert len(WANTED) > 60
