"""Where the program says that its variables lie, held against where goprobe says that they do.

Before each checkpoint the addressed twin prints of its variables the address, and the pointer that
each begins with. What kind of memory that is the executable's sections say, and the goroutine's
stack, whose bounds the stack pointer vouches for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from elftools.elf.elffile import ELFFile
from msgspec import UNSET, UnsetType

from goprobe.model.location import Kind, Location
from goprobe.model.trace import StopReport
from goprobe.model.value import Variable
from scripts.truths.answer import Answer, not_told, right, wrong

_SECTIONS = {
    ".rodata": Kind.RODATA, ".typelink": Kind.RODATA, ".itablink": Kind.RODATA,
    ".data": Kind.DATA, ".noptrdata": Kind.DATA, ".bss": Kind.BSS, ".noptrbss": Kind.BSS,
    ".text": Kind.TEXT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Of a variable: its address and the pointer that it begins with, 0 for none."""

    address: int
    points: int


class Places:
    """Reads what the program prints, as it goes."""

    def __init__(self, output: BinaryIO, binary: Path) -> None:
        self._output = output
        self._binary = binary
        self._rest = b""
        self._bias: int | None = None

    def newest(self, site: int) -> dict[int, Place]:
        """The places last printed, by the variables' numbers, where they are of this site."""
        self._rest += self._output.read()
        lines = self._rest.split(b"\n")
        if len(lines) < 2:
            return {}
        words = lines[-2].split()
        self._rest = b"\n".join(lines[-2:])
        if words[:1] != [b"at"] or int(words[1]) != site:
            return {}
        numbers = [int(word) for word in words[2:]]
        of_each = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        return {number: Place(address, points) for number, address, points in of_each}

    def judged(
        self, asked: str, place: Place, told: Variable, stop: StopReport
    ) -> Iterator[Answer]:
        if told.address is UNSET:
            yield not_told(f"{asked}: address", f"address: {told.state}")
            return
        yield self._same(f"{asked}: address", place.address, told.address, told.location, stop)
        if place.points and told.data is not UNSET:
            data = told.data
            yield self._same(f"{asked}: data", place.points, data.address, data.location, stop)

    def _same(
        self, asked: str, truth: int, address: int, location: Location | UnsetType, stop: StopReport
    ) -> Answer:
        kind = "nothing" if location is UNSET else location.kind
        wanted = self._kinds(truth, stop)
        if address != truth or kind not in wanted:
            return wrong(
                asked,
                truth=f"{truth:#x} in {' or '.join(sorted(wanted))}",
                told=f"{int(address):#x} in {kind}",
            )
        return right(asked)

    def _kinds(self, address: int, stop: StopReport) -> set[str]:
        for low, high, kind in self._sections:
            if low <= address < high:
                return {kind}
        if stop.stack is not UNSET and stop.stack.low <= address < stop.stack.high:
            return {Kind.GOROUTINE_STACK}
        return {Kind.HEAP, Kind.GOROUTINE_STACK}  # another goroutine's

    def bias(self, pid: int) -> int:
        """How far above its link-time addresses the executable lies in a process."""
        if self._bias is None:
            with self._binary.open("rb") as file:
                elf = ELFFile(file)
                loaded = [s["p_vaddr"] for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
            mapped = [
                int(line.partition("-")[0], 16)
                for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
                if line.endswith(str(self._binary))
            ]
            self._bias = min(mapped) - (min(loaded) & ~0xFFF)
        return self._bias

    @cached_property
    def _sections(self) -> list[tuple[int, int, Kind]]:
        with self._binary.open("rb") as file:
            elf = ELFFile(file)
            return [
                (s["sh_addr"], s["sh_addr"] + s["sh_size"], _SECTIONS[s.name])
                for s in elf.iter_sections()
                if s.name in _SECTIONS
            ]
