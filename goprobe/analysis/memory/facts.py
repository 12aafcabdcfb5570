"""What a verdict on a process's memory rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from goprobe.analysis.memory import parts as names
from goprobe.model.memory import KernelMemory, MemoryPart, RuntimeState


class Facts(msgspec.Struct, frozen=True):
    """`huge` is how much of each group of parts is in huge pages, `swapped` how much of it is
    swapped out; `state` is None where the runtime's own could not be read. `now_ns` is when it was
    read (Unix time), 0 where that is not known: of a core. `host` is
    the file of the program that the Go program is a library of, "" for one of its own."""

    parts: Sequence[MemoryPart]
    kernel: KernelMemory
    state: RuntimeState | None
    huge: Mapping[str, int]
    swapped: Mapping[str, int]
    now_ns: int = 0
    host: str = ""

    def size(self, *wanted: str) -> int:
        """Of parts by their names."""
        return sum(part.bytes for part in self.parts if part.name in wanted)

    def group(self, name: str) -> int:
        return sum(part.bytes for part in self.parts if part.of == name)

    def largest(self, group: str) -> str:
        """The largest part of a group by name."""
        return max((p for p in self.parts if p.of == group), key=lambda part: part.bytes).name

    @property
    def live(self) -> int:
        return self.size(names.LIVE)

    @property
    def heap(self) -> int:
        return self.group(names.GO_HEAP)


def words(count: int) -> str:
    """A size."""
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    return f"{count / (1 << 20):.1f} MiB"
