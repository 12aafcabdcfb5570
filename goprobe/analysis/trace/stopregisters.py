"""The registers of a stopped thread: the general ones at hand, the vector ones when asked for.

GDB needs five times as long for the vector registers as for all others, and few stops need any:
those where a location names one, for a float travels in them in every build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from goprobe.arch.registers import FP, PC, SP, THREAD
from goprobe.process.gdb.controller import VECTORS, RegisterMap

_VECTORS = frozenset(VECTORS)


class Holder(Protocol):
    """Who holds the program: GDB, or a tracer of our own."""

    def registers(self, thread: int) -> RegisterMap: ...
    def vector(self, name: str, thread: int) -> int: ...
    def threads(self) -> list[int]: ...


class StopRegisters(Mapping[str, int]):
    """What iterates are the general ones. Good until the thread goes on."""

    def __init__(self, holder: Holder, tid: int) -> None:
        self._holder, self._tid = holder, tid
        self._general = holder.registers(tid)
        self._vectors: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        if name not in _VECTORS:
            return self._general[name]
        if name not in self._vectors:
            self._vectors[name] = self._holder.vector(name, self._tid)
        return self._vectors[name]

    def __contains__(self, name: object) -> bool:
        return name in self._general or name in _VECTORS

    def __iter__(self) -> Iterator[str]:
        return iter(self._general)

    def __len__(self) -> int:
        return len(self._general)


class ThreadRegisters(Mapping[int, "RegisterView"]):
    """Each thread's registers, asked for when first needed."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._tids: list[int] | None = None
        self._known: dict[int, RegisterView] = {}

    def _threads(self) -> list[int]:
        if self._tids is None:
            self._tids = self._holder.threads()
        return self._tids

    def __getitem__(self, tid: int) -> RegisterView:
        if tid not in self._known:
            if tid not in self._threads():
                raise KeyError(tid)
            self._known[tid] = RegisterView(self._holder.registers(tid))
        return self._known[tid]

    def __iter__(self) -> Iterator[int]:
        return iter(self._threads())

    def __len__(self) -> int:
        return len(self._threads())

    def put(self, tid: int, registers: Mapping[str, int]) -> None:
        self._known[tid] = RegisterView(registers)


class RegisterView:
    """Registers under the names that a World asks for."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = values

    @property
    def pc(self) -> int:
        return self._values[PC]

    @property
    def sp(self) -> int:
        return self._values[SP]

    @property
    def fp(self) -> int:
        return self._values[FP]

    @property
    def thread(self) -> int:
        return self._values[THREAD[0]]

    def value(self, name: str) -> int:
        return self._values[name]
