"""Memory: words of a process changed to other numbers, in an overlay over its core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from goprobe.analysis.cores import CoreTarget
from goprobe.errors import UnreadableError
from scripts.fuzzing.kind import Kind, Question
from scripts.fuzzing.numbers import number
from scripts.fuzzing.overlay import OverlaidCore, Patch, written
from scripts.fuzzing.places import Places, places_of
from scripts.fuzzing.questions import OF_PROCESS, Asked
from scripts.fuzzing.standing import Standing, standings
from scripts.truths.choices import Choices

_CHANGES = 4
_ASKED = 4
_BUILDS = ("plain", "-N -l", "stripped", "PIE")


@dataclass(frozen=True)
class DamagedMemory:
    """Patches over a core, and the indexes of the questions to ask."""

    standing: Standing
    patches: tuple[Patch, ...]
    told: str
    wanted: Sequence[int]
    object: int

    @contextmanager
    def asked(self) -> Iterator[Sequence[Question]]:
        standing = self.standing
        core = OverlaidCore(standing.core, standing.binary, self.patches)
        target = CoreTarget(core, standing.target.program, standing.target.bias)
        addresses = (*standing.addresses, *(at for at, _ in self.patches),
                     *(int.from_bytes(new, "little") for _, new in self.patches))  # fmt: skip
        asked = Asked(target, addresses, self.object)
        every = [Question(name, partial(ask, asked)) for name, ask in OF_PROCESS.items()]
        try:
            yield [every[i] for i in dict.fromkeys(self.wanted)]
        finally:
            core.close()

    def keep(self, folder: Path, question: str) -> str:
        written(self.standing.core, self.patches, folder / "core")
        return (
            f"goprobe {_COMMANDS.get(question, question)} {folder}/core --exe "
            f"{self.standing.binary}".replace("OBJECT", hex(self.object))
        )


_COMMANDS = {
    "where": "where ADDRESS",
    "heap --retained": "heap --types --retained --dangling",
    "heap --path": "heap --path OBJECT",
    "heap --referrers": "heap --referrers OBJECT",
    "heap --object": "heap --retained --object OBJECT",
}


@dataclass(frozen=True)
class Process:
    """A process as it stood, undamaged."""

    standing: Standing
    places: Places

    @property
    def name(self) -> str:
        return f"Go {self.standing.go} {self.standing.build}"

    def damaged(self, choices: Choices) -> DamagedMemory:
        wanted = [choices.below(len(OF_PROCESS)) for _ in range(1 + choices.below(_ASKED))]
        patches: list[Patch] = []
        told: list[str] = []
        for _ in range(1 + choices.below(_CHANGES)):
            step = choices.weighted((5, self._field), (4, self._read), (1, self._anywhere))
            at, size, name = step(choices)
            old = self._old(at, size)
            new = number(choices, size, old, (at, at & -8, *self.places.near))
            patches.append((at, new.to_bytes(size, "little")))
            told.append(f"{name} at {at:#x}: {old:#x} becomes {new:#x}")
        object_ = choices.one_of(self.standing.objects)
        return DamagedMemory(self.standing, tuple(patches), "\n".join(told), wanted, object_)

    def _old(self, at: int, size: int) -> int:
        try:
            return int.from_bytes(self.standing.target.core.read(at, size), "little")
        except UnreadableError:
            return 0

    def _field(self, choices: Choices) -> tuple[int, int, str]:
        """A field of a struct of the runtime's; of slices any of the three words."""
        struct = choices.one_of(self.places.structs[choices.one_of(list(self.places.structs))])
        layout = self.standing.target.layout.struct(struct.kind)
        name, field = choices.one_of(list(layout.fields.items()))
        word = choices.below(min(max(field.size // 8, 1), 3))
        size = min(field.size, 8) or 1
        name = f"{name}[{word}]" if word else name
        return (
            struct.address + field.offset + 8 * word,
            size,
            f"{struct.kind} {struct.number} {name}",
        )

    def _read(self, choices: Choices) -> tuple[int, int, str]:
        """A part of what the questions read."""
        low, length = choices.one_of(self.places.ranges)
        size = choices.weighted((5, 8), (2, 4), (1, 2), (1, 1))
        size = min(size, 1 << length.bit_length() - 1)
        at = low + size * choices.below(max(min(length, 1 << 20) // size, 1))
        return at, size, "what is read"

    def _anywhere(self, choices: Choices) -> tuple[int, int, str]:
        mapping = choices.one_of(self.standing.world.mappings)
        at = mapping.low + 8 * choices.below(max(mapping.size // 8, 1))
        return at, 8, f"a word of {mapping.path or 'memory'}"


class OfMemory:
    name = "memory"

    def subjects(self, home: Path, gos: Sequence[str]) -> Sequence[Process]:
        return [Process(s, places_of(s)) for s in standings(home, gos, _BUILDS)]


KIND: Kind = OfMemory()
