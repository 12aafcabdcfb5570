"""Words of a process changed to other numbers: one, the same in every struct of a kind, or many."""

from __future__ import annotations

from dataclasses import dataclass

from goprobe.errors import UnreadableError
from scripts.fuzzing.numbers import number
from scripts.fuzzing.overlay import Patch
from scripts.fuzzing.places import Places, Struct
from scripts.fuzzing.standing import Standing
from scripts.truths.choices import Choices

_CHANGES = 6


@dataclass(frozen=True)
class Process:
    """A process as it stood, undamaged, and what is worth damaging in it."""

    standing: Standing
    places: Places


def damage_of(process: Process, choices: Choices) -> tuple[tuple[Patch, ...], str]:
    """What to write over its memory, and what that is."""
    damage = _Damage(process, choices)
    for _ in range(1 + choices.below(_CHANGES)):
        damage.once()
    return tuple(damage.patches), "\n".join(damage.told)


class _Damage:
    """Patches, one step after the other, with the words for each step."""

    def __init__(self, process: Process, choices: Choices) -> None:
        self.patches: list[Patch] = []
        self.told: list[str] = []
        self._standing, self._places = process.standing, process.places
        self._choices = choices

    def once(self) -> None:
        step = self._choices.weighted(
            (6, self._field),
            (5, self._read),
            (1, self._anywhere),
            (2, self._every),
            (2, self._block),
        )
        step()

    def _put(self, at: int, size: int, name: str) -> None:
        old = self._old(at, size)
        new = number(self._choices, size, old, (at, at & -8, *self._places.near))
        self.patches.append((at, new.to_bytes(size, "little")))
        self.told.append(f"{name} at {at:#x}: {old:#x} becomes {new:#x}")

    def _old(self, at: int, size: int) -> int:
        return int.from_bytes(self._bytes(at, size), "little")

    def _bytes(self, at: int, size: int) -> bytes:
        try:
            return self._standing.target.core.read(at, size)
        except UnreadableError:
            return bytes(size)

    def _struct(self) -> Struct:
        structs = self._places.structs
        return self._choices.one_of(structs[self._choices.one_of(list(structs))])

    def _field_of(self, struct: Struct) -> tuple[int, int, str]:
        """Offset, size and name of a number in it; of slices any of the three words."""
        layout = self._standing.target.layout.struct(struct.kind)
        name, field = self._choices.one_of(list(layout.fields.items()))
        word = self._choices.below(min(max(field.size // 8, 1), 3))
        return (
            field.offset + 8 * word,
            min(field.size, 8) or 1,
            name + (f"[{word}]" if word else ""),
        )

    def _field(self) -> None:
        struct = self._struct()
        offset, size, name = self._field_of(struct)
        self._put(struct.address + offset, size, f"{struct.kind} {struct.number} {name}")

    def _every(self) -> None:
        """The same number in all structs of a kind."""
        struct = self._struct()
        offset, size, name = self._field_of(struct)
        self._put(struct.address + offset, size, f"{struct.kind} {name} of all")
        _, new = self.patches[-1]
        every = self._places.structs[struct.kind]
        self.patches += [(other.address + offset, new) for other in every]

    def _block(self) -> None:
        """Bytes of one struct over those of another, or over anything that is read."""
        struct, choices = self._struct(), self._choices
        to = choices.weighted(
            (2, self._struct().address), (1, choices.one_of(self._places.ranges)[0])
        )
        size = 8 << choices.below(8)
        self.patches.append((to, self._bytes(struct.address, size)))
        self.told.append(f"{size} bytes of {struct.kind} {struct.number} at {to:#x}")

    def _read(self) -> None:
        """A part of what the questions read."""
        choices = self._choices
        low, length = choices.one_of(self._places.ranges)
        size = choices.weighted((5, 8), (2, 4), (1, 2), (1, 1))
        size = min(size, 1 << length.bit_length() - 1)
        at = low + size * choices.below(max(min(length, 1 << 20) // size, 1))
        self._put(at, size, "what is read")

    def _anywhere(self) -> None:
        mapping = self._choices.one_of(self._standing.world.mappings)
        at = mapping.low + 8 * self._choices.below(max(mapping.size // 8, 1))
        self._put(at, 8, f"a word of {mapping.path or 'memory'}")
