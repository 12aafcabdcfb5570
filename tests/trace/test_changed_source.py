"""A source file that was changed after its program was built shows what the program is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from msgspec import UNSET

from goprobe.analysis.trace.trace import TraceRequest, trace
from goprobe.model.trace import StopReport
from tests.support.go import build, matrix, toolchain

PROGRAM = """package main

import "os"

//go:noinline
func show(n int) { println(n) }

func main() {
	x := len(os.Args)
	y := x * 7
	show(y)
	y = x * 9
	show(y)
}
"""
EDITED = PROGRAM.replace("show(y)\n", "show(x)\n")


def stops_of(binary: Path, go: str) -> tuple[StopReport, ...]:
    with Path(os.devnull).open("w") as sink:
        request = TraceRequest(
            str(binary), breaks=("main.show",), go=str(toolchain(go)), stdout_fd=sink.fileno()
        )
        return trace(request).stops


def told(stop: StopReport) -> dict[str, str]:
    """The variables of main.main that have a value."""
    own = (v for v in stop.variables if v.function == "main.main")
    return {v.name: v.value.text for v in own if v.value is not UNSET}


@pytest.mark.parametrize("go", matrix())
def test_it_is_not_asked(go: str, tmp_path: Path) -> None:
    source = tmp_path / "main.go"
    source.write_text(PROGRAM)
    binary = tmp_path / "program"
    shutil.copy2(build(source, go=go), binary)
    good = stops_of(binary, go)
    assert [told(stop)["y"] for stop in good] == ["7", "9"]
    assert not any(stop.warnings for stop in good)
    source.write_text(EDITED)
    later = binary.stat().st_mtime_ns + 1_000_000_000
    os.utime(source, ns=(later, later))
    for stop in stops_of(binary, go):
        assert told(stop) == {}
        assert [w.partition(":")[0] for w in stop.warnings] == [
            f"{source} was changed after the program was built"
        ]
