"""A session's program that is followed by a tracer of our own in place of GDB, while it does
nothing but run from stop to stop: many times as many a second.

It takes some 50 ms to change hands. So that is done only after several stops in a row, and after
the more the oftener it turned out that GDB was needed soon after.
"""

from __future__ import annotations

from collections.abc import Mapping

from goprobe.analysis.trace.places import Places
from goprobe.arch.byhand import behind_stack_check, by_hand
from goprobe.arch.displaced import MAX_INSTRUCTION
from goprobe.process.calltracer.plan import Room
from goprobe.process.stoptracer.plan import StopPoint, Test
from goprobe.runtime.image.padding import rooms
from goprobe.target.goprocess import GoProcess

_OFTEN, _MOST = 8, 512  # stops in a row


class Habit:
    """How often it went on by nothing but a run to the next stop."""

    def __init__(self) -> None:
        self._needed, self._row = _OFTEN, 0

    def ran(self) -> bool:
        """One run more: whether it is worth while by now to change hands."""
        self._row += 1
        return self._row > self._needed

    def broken(self, *, soon: bool) -> None:
        """GDB was needed, `soon` after it had let go."""
        self._row = 0
        if soon:
            self._needed = min(2 * self._needed, _MOST)


def stop_points(
    process: GoProcess, places: Places, tests: Mapping[int, Test]
) -> tuple[list[StopPoint], tuple[Room, ...]] | None:
    """The breakpoints, and the padding that they need; None where two of them would be one."""
    program, bias = process.program, process.bias
    points: dict[int, StopPoint] = {}
    odd = 1
    for number, at, _ in places:
        address = _behind_check(process, at - bias) + bias
        if address in points:
            return None
        points[address] = StopPoint(address=address, pc=at, number=number, test=tests.get(at))
        odd += by_hand(program.elf.read(address - bias, MAX_INSTRUCTION), address) is None
    return list(points.values()), rooms(program, bias, odd)


def _behind_check(process: GoProcess, address: int) -> int:
    """Where a function goes on behind its stack check; other addresses as they are."""
    program = process.program
    function = program.lines.function_at(address)
    if function is None or function.entry != address or function.file.endswith(".s"):
        return address
    code = program.elf.read(function.entry, function.end - function.entry)
    return behind_stack_check(code, function.entry) or address
