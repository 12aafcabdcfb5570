"""Variables of more than 64 KiB are told from memory, as all others are."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.model.value import State
from tests.support.go import build, matrix

SOURCE = Path(__file__).parents[2] / "testdata" / "variables" / "large.go"


@pytest.mark.parametrize("go", matrix())
def test_parameters_and_results(go: str) -> None:
    binary = str(build(SOURCE, go=go, flags=("-gcflags=all=-N -l",)))
    with goprobe.launch(binary, stdout=2) as program:
        stop = next(program.run(["main.stop"]))
        frame = stop.frame(1)
        assert [frame[name].state for name in ("h", "m", "out")] == [State.LIVE] * 3
        assert frame["h"]["tail"] == "tail" and frame["h"]["a"][16383] == 1234
        assert frame["m"][299][99] == -1
        assert frame["out"][2]["tail"] == "out2" and frame["out"][1]["a"][7] == 8
