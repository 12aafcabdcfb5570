"""The break- and watchpoints that GDB keeps for us, by address and number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goprobe.errors import CannotWorkError, UsageError
from goprobe.process.gdb import mi
from goprobe.process.gdb.connection import Connection
from goprobe.process.gdb.mi import quoted

_HARDWARE = 4  # x86's debug registers
_PLACE = 8  # bytes that each watches
_AT_ONCE = 32  # inserted before the answers are read: both pipes have room for as many


class Breakpoints:
    """Where the program is to stop."""

    def __init__(self, connection: Connection) -> None:
        self._mi = connection
        self._numbers: set[int] = set()
        self._hardware: dict[int, int] = {}  # how many of them each takes

    def __contains__(self, number: int) -> bool:
        return number in self._numbers

    def is_software(self, number: int) -> bool:
        """Whether this is one that stands in the program's code."""
        return number in self._numbers and number not in self._hardware

    def insert(self, addresses: Sequence[int], options: str = "") -> list[int]:
        """Breakpoints with GDB's `options`; UsageError, and none, where nothing is mapped."""
        return [
            number
            for start in range(0, len(addresses), _AT_ONCE)
            for number in self._insert(addresses[start : start + _AT_ONCE], options)
        ]

    def insert_in_code(self, conditions: Mapping[int, str]) -> list[int]:
        """Breakpoints at addresses that are known for code, each under a condition in GDB's C."""
        pairs, numbers = list(conditions.items()), list[int]()
        for start in range(0, len(pairs), _AT_ONCE):
            chosen = pairs[start : start + _AT_ONCE]
            tokens = self._mi.send(
                *(f"-break-insert -c {quoted(condition)} *{address:#x}"
                  for address, condition in chosen)
            )  # fmt: skip
            for (address, _), token in zip(chosen, tokens, strict=True):
                inserted = self._mi.outcome(token)
                if inserted.failed:
                    self.remove(*numbers)
                    raise UsageError(f"no breakpoint at {address:#x}: {inserted.error}")
                numbers.append(int(inserted.payload["bkpt"]["number"]))
                self._numbers.add(numbers[-1])
        return numbers

    def insert_hardware(self, address: int, options: str = "") -> int:
        self._require(1)
        [number] = self.insert((address,), f"-h {options}")
        self._hardware[number] = 1
        return number

    def watch(self, address: int, size: int, access: str) -> int:
        if size not in mi.WATCH_TYPES or access not in mi.WATCH_OPTIONS:
            raise UsageError(f"cannot watch {size} bytes for {access}")
        places = -(-size // _PLACE)
        self._require(places)
        place = quoted(f"*({mi.WATCH_TYPES[size]}) {address:#x}")
        answer = self._mi.command(f"-break-watch {mi.WATCH_OPTIONS[access]}{place}")
        number = mi.watchpoint_number(answer)
        if not number:
            raise CannotWorkError(f"GDB cannot watch {address:#x}")
        self._numbers.add(number)
        self._hardware[number] = places
        return number

    def remove(self, *numbers: int) -> None:
        if numbers:
            self._mi.command("-break-delete " + " ".join(map(str, numbers)))
        self._numbers.difference_update(numbers)
        for number in numbers:
            self._hardware.pop(number, None)

    def remove_all(self) -> None:
        self.remove(*self._numbers)

    def forget(self) -> None:
        """They went with the program."""
        self._numbers.clear()
        self._hardware.clear()

    def _insert(self, addresses: Sequence[int], options: str) -> list[int]:
        """GDB takes any address and fails only on resuming: so a byte of each is read too."""
        lines = [
            line
            for address in addresses
            for line in (
                f"-data-read-memory-bytes {address:#x} 1",
                f"-break-insert {options}*{address:#x}",
            )
        ]
        tokens = self._mi.send(*lines)
        numbers, bad = [], []
        for address, read, insert in zip(addresses, tokens[::2], tokens[1::2], strict=True):
            if self._mi.outcome(read).failed:
                bad.append(address)
            inserted = self._mi.outcome(insert)
            if inserted.failed:
                raise UsageError(f"no breakpoint at {address:#x}: {inserted.error}")
            numbers.append(int(inserted.payload["bkpt"]["number"]))
        self._numbers.update(numbers)
        if bad:
            self.remove(*numbers)
            raise UsageError(f"no breakpoint at {bad[0]:#x}: nothing is mapped there")
        return numbers

    def _require(self, places: int) -> None:
        if sum(self._hardware.values()) + places > _HARDWARE:
            raise UsageError(f"the processor watches {_HARDWARE} places at most")
