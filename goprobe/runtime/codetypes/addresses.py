"""Addresses that code hands on: of types, and of dictionaries, which lead to types."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from goprobe.arch.code import Given, LoadedWord, Origin, Static, StaticWord
from goprobe.arch.registers import CLOSURE
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.codetypes.functions import Functions
from goprobe.runtime.types.shape import WORD
from goprobe.runtime.world import World

_DEPTH = 8
Way = tuple[int, ...]
"""Of a function that runs the calls that led to it, the last one first: a pc within each."""


class Caller(msgspec.Struct, frozen=True):
    """A function that calls another one at a pc; its own entry."""

    entry: int
    pc: int


class Addresses:
    """Of the code of one program. All addresses are link-time addresses, 0 for none."""

    def __init__(
        self, world: World, functions: Functions, captured: Callable[[int, int], int]
    ) -> None:
        """`captured` is the one that all closures of some code have captured at an offset."""
        self._memory = world.memory
        self._bias = world.bias
        self._functions = functions
        self._captured = captured
        self._constants = constants_of(world)

    def caller(self, entry: int, way: Way) -> Caller | None:
        """Who called a function itself, not by a pointer to it: then nothing ran in between."""
        function = self._functions.at(way[0]) if way else None
        code = self._functions.code(function.entry) if function else None
        call = code.call_at(way[0]) if code else None
        if function is None or call is None or call.target != entry:
            return None
        return Caller(function.entry, call.pc)

    def of(self, entry: int, register: str, pc: int, way: Way = (), depth: int = 0) -> int:
        """The one that a register holds at a pc, whatever way control came; 0 where it may be
        another."""
        code = self._functions.code(entry)
        if code is None or depth > _DEPTH:
            return 0
        origins = code.of(register, pc)
        some = {self._address(entry, origin, depth, way) for origin in origins}
        return some.pop() if len(some) == 1 else 0

    def given(self, entry: int, register: str, way: Way) -> int:
        """The one that a function was called with in a register."""
        return self._address(entry, Given(register), 0, way)

    def _address(self, entry: int, origin: Origin, depth: int, way: Way) -> int:
        match origin:
            case Static(address=address):
                return address
            case StaticWord(address=address):
                return self.constant(address)
            case LoadedWord(base=base, pc=pc, offset=offset):
                # Generic code takes types from its dictionary (cmd/compile/internal/noder,
                # reader.go, Go 1.21 to 1.27).
                code = self._functions.code(entry)
                if code and code.of(base, pc) == (Given(CLOSURE),):
                    return self._captured(entry, offset)
                start = self.of(entry, base, pc, way, depth + 1)
                return self.constant(start + offset) if start else 0
            case Given(holder=holder) if isinstance(holder, str):
                caller = self.caller(entry, way)
                if caller:
                    return self.of(caller.entry, holder, caller.pc, way[1:], depth + 1)
        return 0

    def constant(self, address: int) -> int:
        """The address that lies at a link-time address, where no program writes: link-time, too; 0
        where that is none."""
        at = address + self._bias
        if at % WORD or not any(low <= at < high for low, high in self._constants):
            return 0
        try:
            value = u64(self._memory, at)
        except UnreadableError:
            return 0
        return value - self._bias if value else 0


def constants_of(world: World) -> list[tuple[int, int]]:
    """Where the modules' constants lie in the process [low, high), which no program changes."""
    return [module.span("rodata") for module in world.modules if not module.bad]
