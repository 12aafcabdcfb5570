"""GDB's own numbers of threads and registers, and what they stand for."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from goprobe.errors import TargetGoneError
from goprobe.process.gdb import mi
from goprobe.process.gdb.connection import Connection


class ThreadNumbers:
    """GDB's thread numbers to kernel thread ids, asked for once each."""

    def __init__(self, connection: Connection) -> None:
        self._mi = connection
        self._tids: dict[int, int] = {}

    def all(self) -> list[int]:
        """The kernel ids of all threads, in GDB's order."""
        self._tids = self._ask("")
        return [tid for _, tid in sorted(self._tids.items())]

    def tid(self, number: object) -> int:
        """The kernel's id of the thread that a record names; 0 where it names none."""
        if not isinstance(number, str) or not number.isdecimal():
            return 0
        if int(number) not in self._tids:
            self._tids.update(self._ask(number))
        return self._tids.get(int(number), 0)

    def number(self, tid: int) -> int:
        """GDB's number of a kernel thread id; TargetGoneError."""
        if tid not in self._tids.values():
            self.all()
        for number, known in self._tids.items():
            if known == tid:
                return number
        raise TargetGoneError(f"thread {tid} is gone")

    def forget(self) -> None:
        self._tids.clear()

    def _ask(self, number: str) -> dict[int, int]:
        listed = self._mi.command(f"-thread-info {number}").get("threads") or ()
        return {int(entry["id"]): mi.kernel_thread(entry) for entry in listed}


class RegisterNumbers:
    """Register values by name."""

    def __init__(self, connection: Connection) -> None:
        self._mi = connection
        self._numbers: dict[str, int] = {}

    def values(self, names: Collection[str], option: str) -> Mapping[str, int]:
        """Unsigned, in one round trip; what GDB has no value of is left out."""
        if not self._numbers:
            listed = self._mi.command("-data-list-register-names")["register-names"]
            self._numbers = {name: number for number, name in enumerate(listed) if name}
        wanted = {self._numbers[name]: name for name in names if name in self._numbers}
        numbers = " ".join(map(str, wanted))
        answer = self._mi.command(f"-data-list-register-values {option}x {numbers}")
        values = {
            wanted[int(entry["number"])]: mi.register_value(entry["value"])
            for entry in answer["register-values"]
        }
        return {name: value for name, value in values.items() if value is not None}

    def forget(self) -> None:
        """Another program may have another set."""
        self._numbers.clear()
