"""Where a session's program is to stop, for a tracer of our own that follows it in place of GDB."""

from __future__ import annotations

from collections.abc import Mapping

from goprobe.analysis.trace.places import Places
from goprobe.arch.byhand import behind_stack_check
from goprobe.process.calltracer.plan import Room
from goprobe.process.stoptracer.plan import StopPoint, Test
from goprobe.runtime.image.padding import rooms
from goprobe.target.goprocess import GoProcess


def stop_points(
    process: GoProcess, places: Places, tests: Mapping[int, Test]
) -> tuple[list[StopPoint], tuple[Room, ...]] | None:
    """The breakpoints, and the padding that they need; None where two of them would be one."""
    program, bias = process.program, process.bias
    points: dict[int, StopPoint] = {}
    for number, at, _ in places:
        address = _behind_check(process, at - bias) + bias
        if address in points and points[address].pc == at:
            continue  # another WHERE for the same place
        if address in points:
            return None
        points[address] = StopPoint(address=address, pc=at, number=number, test=tests.get(at))
    return list(points.values()), rooms(program, bias, points, 1)


def _behind_check(process: GoProcess, address: int) -> int:
    """Where a function goes on behind its stack check; other addresses as they are."""
    program = process.program
    function = program.lines.function_at(address)
    if function is None or function.entry != address or function.file.endswith(".s"):
        return address
    code = program.elf.read(function.entry, function.end - function.entry)
    return behind_stack_check(code, function.entry) or address
