"""Lines of stripped programs are found by Go's own line table: nothing was found at any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.analysis.trace.breakpoints import resolve
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import UsageError
from goprobe.runtime.image.program import GoProgram
from tests.support.go import build, matrix

TESTDATA = Path(__file__).parents[2] / "testdata"
SOURCES = ("sessions/asked.go", "variables/named.go", "hello.go")
UNOPTIMISED = "-gcflags=all=-N -l"
STRIPPED = "-ldflags=-s -w"


def _places(binary: Path, where: str) -> set[int]:
    try:
        return {place.address for place in resolve(GoProgram(ElfFile(binary)), where)}
    except UsageError:
        return set()


@pytest.mark.parametrize("flags", [(), (UNOPTIMISED,)], ids=["optimised", "unoptimised"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("go", matrix())
def test_they_are_where_debug_information_has_them(
    go: str, source: str, flags: tuple[str, ...]
) -> None:
    """But for a function's first line, where its stack check ends only that tells; and without
    optimisation for where statements begin, which it alone tells, too."""
    path = TESTDATA / source
    whole, stripped = build(path, go=go, flags=flags), build(path, go=go, flags=(*flags, STRIPPED))
    lines = GoProgram(ElfFile(whole)).lines
    known = 0
    for line in range(1, len(path.read_text().splitlines()) + 1):
        where = f"{path.name}:{line}"
        told, here = _places(stripped, where), _places(whole, where)
        known += bool(here)
        others = set() if flags else here ^ told
        functions = [(at, lines.function_at(at)) for at in others]
        assert all(function and at - function.entry < 64 for at, function in functions), where
        assert len(told) >= len(here), where
    assert known >= 3


@pytest.mark.parametrize("go", matrix())
def test_a_program_stops_there(go: str) -> None:
    path = TESTDATA / "sessions" / "asked.go"
    line = next(
        n for n, text in enumerate(path.read_text().splitlines(), 1) if "counter +=" in text
    )
    with goprobe.launch(str(build(path, go=go, flags=(STRIPPED,))), stdout=2) as program:
        stop = next(program.run([f"asked.go:{line}"]))
        assert stop.line == line and stop.function.startswith("main.")
        with pytest.raises(UsageError, match="nothing in the program matches") as raised:
            next(program.run(["asked.go:1"]))
    assert "nearest lines with code" in str(raised.value.__notes__)
