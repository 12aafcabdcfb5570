"""The values of all calls that are watched, of the program and of its plugins: who reads which."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.analysis.calls.patterns import Called
from goprobe.analysis.calls.values import CallValues
from goprobe.arch.registers import Words
from goprobe.model.calls import CallFrame
from goprobe.process.calltracer.plan import Hit, Told
from goprobe.process.memory.memory import ProcessMemory
from goprobe.runtime.world import World
from goprobe.target.goprocess import GoProcess


class AllValues:
    """Functions by their numbers. What is not of one of them is the program's, which has the
    runtime."""

    def __init__(
        self,
        process: GoProcess,
        world: World,
        called: Sequence[Called],
        *,
        arguments: bool,
        results: bool,
        stack: bool,
    ) -> None:
        """`world` is the program's as it is known by now."""
        program = world.program
        panic = None if program.stripped else program.debug.functions.get("runtime.gopanic")
        own: dict[World, list[Called]] = {world: []}
        self._of: list[tuple[World, int]] = []
        for each in called:
            beside = own.setdefault(each.world, [])
            self._of.append((each.world, len(beside)))
            beside.append(each)
        self._values = {
            of: CallValues(
                of, some, panic, arguments=arguments, results=results, stack=stack,
                live=(lambda: process.loaded(ProcessMemory(process.pid))) if of is world else None,
            )
            for of, some in own.items()
        }  # fmt: skip
        self._program = self._values[world]

    def arguments(self, number: int, hit: Hit) -> Told | None:
        world, own = self._of[number]
        return self._values[world].arguments(own, hit)

    def results(self, number: int, hit: Hit) -> Told | None:
        world, own = self._of[number]
        return self._values[world].results(own, hit)

    def in_registers(self, number: int, words: Words, *, entry: bool) -> bool:
        world, own = self._of[number]
        return self._values[world].in_registers(own, words, entry=entry)

    def told_by(self, number: int, *, entry: bool) -> tuple[int, ...] | None:
        world, own = self._of[number]
        return self._values[world].told_by(own, entry=entry)

    def stack(self, hit: Hit) -> tuple[CallFrame, ...] | None:
        return self._program.stack(hit)

    def panic(self, hit: Hit) -> str:
        return self._program.panic(hit)

    def leaving(self, hit: Hit) -> int:
        return self._program.leaving(hit)

    def recovered(self, g: int, hit: Hit) -> int:
        return self._program.recovered(g, hit)
