"""Sessions of small programs, and what is told of one function in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import goprobe
from goprobe.model.trace import Frame
from goprobe.model.value import Variable
from tests.support.go import toolchain


@contextmanager
def unheard(source: Path, go: str, *, optimized: bool = False) -> Iterator[goprobe.Program]:
    """A session of a program, built with a release of Go, whose output nobody reads."""
    with (
        Path(os.devnull).open("w") as sink,
        goprobe.launch(
            str(source), optimized=optimized, go=str(toolchain(go)), stdout=sink.fileno()
        ) as program,
    ):
        yield program


def frame_of(stop: goprobe.Stop, function: str) -> tuple[Frame, list[Variable]]:
    """The innermost frame of a function, and its variables."""
    number, frame = next((i, f) for i, f in enumerate(stop.frames) if f.function == function)
    return frame, [v for v in stop.variables if v.frame == number]
