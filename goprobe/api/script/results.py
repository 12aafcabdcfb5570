"""What a function gave back, read where `finish` has come to: behind the call."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from goprobe.analysis.calls.patterns import Called
from goprobe.analysis.calls.values import CallValues
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.arch.registers import SP, VECTOR, WORDS
from goprobe.binary.pcln.format import Function
from goprobe.errors import UnreadableError
from goprobe.model.script import Results
from goprobe.process.memory.memory import Memory
from goprobe.runtime.values.decoded import Limits

_LIMITS = Limits(string=1 << 16, text=1 << 12, elements=1 << 10, depth=8, nodes=20_000)
"""The program stands: more is told of a result than of one among thousands of calls."""


class Returned:
    """A thread right behind a call, as it stood at the return instruction: the registers are the
    same, the stack pointer is below the return address again."""

    def __init__(self, registers: Mapping[str, int], memory: Memory, high: int) -> None:
        self._registers, self._memory, self.high = registers, memory, high
        at_return = {**registers, SP: registers[SP] - RETURN_ADDRESS}
        self.words = memoryview(array("Q", [at_return.get(name, 0) for name in WORDS]))

    def read(self, address: int, size: int) -> bytes:
        try:
            return self._memory.read(address, size)
        except UnreadableError:
            return b""

    def vector(self, name: str) -> bytes:
        return self._registers[name].to_bytes(VECTOR, "little")


def results_of(view: StopView, function: Function) -> Results:
    """Of a function that has just returned; its addresses are the process's."""
    world = view.world.seen_at(function.entry)  # the plugin's whose code it is
    described = world.program.lines.function_at(function.entry - world.bias)
    if described is None:
        return Results(why="nothing describes its function")
    called = [Called(world, described, described.name)]
    values = CallValues(
        world, called, None, arguments=False, results=True, stack=False, limits=_LIMITS
    )
    told = values.results(0, Returned(view.registers, view.world.memory, view.bounds[1]))
    if told is None or isinstance(told, str):
        return Results(why=told or "there are none")
    return Results(values=told)
