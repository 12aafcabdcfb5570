"""The same stops by goprobe and by GDB: of each line the first."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import goprobe
from goprobe.errors import GoprobeError
from goprobe.model.value import Variable
from goprobe.toolchain.find import GdbTool
from scripts.peering.lines import Tests
from scripts.truths.variables.gdbpeer import Plan, asked_of_gdb

_ARGUMENTS = ("-test.short", "-test.parallel=1", "-test.timeout=0")
# One run is as another: nothing is preempted, one thread runs Go.
_SETTING = {"GODEBUG": "asyncpreemptoff=1", "GOMAXPROCS": "1"}
_SECONDS = 90.0
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Told:
    """What goprobe tells of one frame at the first stop at a line."""

    where: str
    pc: int
    number: int
    function: str
    line: int
    variables: Sequence[Variable]


@dataclass(frozen=True, slots=True)
class Asked:
    frames: Sequence[Told]
    refused: Mapping[str, str]
    """Lines that the line table calls statements, and why goprobe does not stop there."""
    ended: str
    """Why not all lines were come to, where it was not the program's end."""


def by_goprobe(tests: Tests, wheres: Sequence[str]) -> Asked:
    frames: list[Told] = []
    refused: dict[str, str] = {}
    ended = ""
    try:
        with warnings.catch_warnings(), _launched(tests) as program:
            warnings.simplefilter("ignore", goprobe.StopWarning)
            left = set()
            for where in wheres:
                try:
                    program.break_at(where)
                    left.add(where)
                except GoprobeError as error:
                    refused[where] = error.message
            for stop in program.run(sorted(left)):
                if stop.where not in left:
                    continue
                frames += _frames(stop)
                program.clear(stop.where)
                left.discard(stop.where)
                if not left:
                    break
    except GoprobeError as error:
        ended = error.message
    return Asked(frames, refused, ended)


def _frames(stop: goprobe.Stop) -> Iterator[Told]:
    for number, frame in enumerate(stop.frames[:_DEEPEST]):
        mine = [v for v in stop.variables if v.frame == number]
        yield Told(stop.where, int(stop.pc), number, frame.function, frame.line, mine)


@contextmanager
def _launched(tests: Tests) -> Iterator[goprobe.Program]:
    with Path("/dev/null").open("wb") as nowhere:
        program = goprobe.launch(
            str(tests.binary),
            _ARGUMENTS,
            env=_SETTING,
            cwd=tests.folder,
            timeout=_SECONDS,
            stdout=nowhere.fileno(),
        )
        with program:
            yield program


def by_gdb(tool: GdbTool, tests: Tests, frames: Sequence[Told]) -> dict[int, Sequence[Any]]:
    """The frames that it tells by pc, innermost first: name, line, and variables as gdbside.py.txt
    has them."""
    addresses = sorted({frame.pc for frame in frames})
    settings = [f"environment {name} {value}" for name, value in _SETTING.items()]
    plan = Plan(
        addresses=addresses,
        stops=len(addresses),
        binary=str(tests.binary),
        once=True,
        deepest=_DEEPEST,
        settings=[*settings, "args " + " ".join((*_ARGUMENTS, ">/dev/null"))],
    )
    return dict(asked_of_gdb(tool, plan, tests.binary.parent, _SECONDS, folder=tests.folder))
