"""A variable is declared before the line at which its function stands, whatever stands at the line
of a call that was inlined there: that may be further up in the file, or in another one."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.model.value import State
from tests.support.go import build, matrix
from tests.support.sessions import frame_of

SOURCE = Path(__file__).parents[2] / "testdata" / "variables" / "inlined-above.go"


@pytest.mark.parametrize("go", matrix())
def test_what_has_no_size_is_there_behind_its_line(go: str) -> None:
    with goprobe.launch(str(build(SOURCE, go=go))) as program:
        told = []
        for stop in program.run(breaks=["main.stop"]):
            frame, variables = frame_of(stop, "main.main")
            told.append((frame.line, {v.line: v.state for v in variables if v.name == "nothing"}))
    within = {line: states.get(38) for line, states in told if states.get(38)}
    assert within, "the compiler describes the variable nowhere"
    assert {line: state is State.LIVE for line, state in within.items()} == {
        line: line > 38 for line in within
    }


@pytest.mark.parametrize("go", matrix())
def test_what_has_no_size_is_not_there_while_its_statement_runs(go: str) -> None:
    with goprobe.launch(str(build(SOURCE, go=go))) as program:
        stop = next(program.run(breaks=["main.three"]))
        frame, variables = frame_of(stop, "main.deferring")
        told = [v.state for v in variables if v.line == frame.line]
    assert told
    assert set(told) <= {State.NOT_YET, State.OPTIMIZED_OUT, State.UNREADABLE}
