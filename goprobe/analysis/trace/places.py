"""Where a session stops: its breakpoints, by the numbers that GDB has for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goprobe.analysis.trace.breakpoints import BreakLocation, check_instruction
from goprobe.errors import UsageError
from goprobe.process.gdb.controller import Gdb
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.proc.maps import find, read_maps
from goprobe.runtime.image.program import GoProgram


class Places:
    """Of one program; `bias` is how far it was moved when it was loaded."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program
        self._by_number: dict[int, BreakLocation] = {}
        self._reasons: dict[int, tuple[str, ...]] = {}  # by address, of places as they are now
        self.bias = 0

    def __iter__(self) -> Iterator[tuple[int, int, BreakLocation]]:
        """Each with its number and its run-time address."""
        for number, place in self._by_number.items():
            yield number, place.address + (0 if place.absolute else self.bias), place

    def set(self, gdb: Gdb, locations: Sequence[BreakLocation]) -> None:
        """Several places at one address become one. Raises UsageError."""
        addresses: dict[int, BreakLocation] = {}
        for place in locations:
            bias = 0 if place.absolute else self.bias
            if place.absolute:
                _check_code(gdb.pid, place.address)
                check_instruction(self._program, place.address, self.bias)
            addresses.setdefault(place.address + bias, place)
        self._reasons.clear()
        numbers = gdb.insert_breakpoints(list(addresses))
        self._by_number.update(zip(numbers, addresses.values(), strict=True))

    def set_again(self, gdb: Gdb) -> None:
        """GDB holds the program anew, and knows no breakpoints."""
        places, self._by_number = tuple(self._by_number.values()), {}
        self.set(gdb, places)

    def clear(self, gdb: Gdb, reason: str = "") -> None:
        """Remove all, or those that a WHERE set."""
        self._reasons.clear()
        gone = [n for n, place in self._by_number.items() if reason in ("", place.reason)]
        for number in gone:
            gdb.remove_breakpoint(number)
            del self._by_number[number]

    def forget(self) -> None:
        """They went with the program."""
        self._by_number.clear()
        self._reasons.clear()

    def of(self, event: StopEvent) -> BreakLocation | None:
        """The place of an event, even where GDB names another breakpoint at the same address."""
        place = self._by_number.get(event.breakpoint)
        if place or event.kind != "breakpoint":
            return place
        return self._by_number.get(self.number_at(event.pc))

    def reasons(self, event: StopEvent) -> tuple[str, ...]:
        """The WHEREs that an event is for: several may mean one address."""
        if event.kind == "breakpoint" and event.pc in self._reasons:
            return self._reasons[event.pc]
        place = self.of(event)
        if place is None:
            return ()
        others = (other.reason for _, address, other in self if address == event.pc)
        reasons = tuple(dict.fromkeys((place.reason, *others)))
        if event.kind == "breakpoint":
            self._reasons[event.pc] = reasons
        return reasons

    def number_at(self, pc: int) -> int:
        """The number of the breakpoint at a run-time address, 0 where there is none."""
        return next((number for number, address, _ in self if address == pc), 0)


def _check_code(pid: int, address: int) -> None:
    """Raises UsageError where there is no code: a breakpoint would change data."""
    mapping = find(read_maps(pid), address)
    if mapping and "x" not in mapping.perms:
        raise UsageError(f"no breakpoint at {address:#x}: there is no code ({mapping.perms})")
