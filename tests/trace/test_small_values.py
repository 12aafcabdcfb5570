"""A variable that changes is no constant, though its box may be one of the runtime's own table."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from goprobe.model.value import State
from tests.support.go import build, matrix

SOURCE = Path(__file__).parents[2] / "testdata" / "variables" / "small-values.go"


@pytest.mark.parametrize("go", matrix())
def test_a_loop_counter_is_no_constant(go: str) -> None:
    with goprobe.launch(str(build(SOURCE, go=go)), stdout=2) as program:
        told = [
            next((v for v in stop.variables if v.name == "i"), None)
            for stop in program.run(["fmt.Println"])
        ]
    assert len(told) == 3
    for number, variable in enumerate(told):
        assert variable is None or variable.state is not State.CONSTANT, variable
        if variable is not None and variable.value is not UNSET:
            assert variable.value.text == str(number)
