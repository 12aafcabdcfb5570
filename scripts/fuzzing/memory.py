"""Memory: words of a process changed to other numbers, in an overlay over its core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from goprobe.target.core import CoreTarget
from scripts.fuzzing.damage import Process, damage_of
from scripts.fuzzing.kind import Kind, Question
from scripts.fuzzing.oracle import compare
from scripts.fuzzing.overlay import OverlaidCore, Patch, written
from scripts.fuzzing.places import places_of
from scripts.fuzzing.questions import OF_PROCESS, Asked, drawn
from scripts.fuzzing.standing import Standing, standings
from scripts.truths.choices import Choices

_ASKED = 2
_BUILDS = ("plain", "-N -l", "stripped", "PIE")


@dataclass(frozen=True)
class DamagedMemory:
    """Patches over a core, and the questions to ask."""

    standing: Standing
    patches: tuple[Patch, ...]
    told: str
    wanted: Sequence[str]
    object: int

    @contextmanager
    def asked(self) -> Iterator[Sequence[Question]]:
        standing = self.standing
        core = OverlaidCore(standing.core, standing.binary, self.patches)
        target = CoreTarget(core, standing.target.program, standing.target.bias)
        addresses = (
            *standing.addresses,
            *(at for at, _ in self.patches),
            *(int.from_bytes(new, "little") for _, new in self.patches),
        )
        asked = Asked(target, addresses, self.object)
        try:
            yield [Question(name, partial(self._compared, name, asked)) for name in self.wanted]
        finally:
            core.close()

    def _compared(self, name: str, asked: Asked) -> None:
        """Raises SilentError where sums are not the undamaged process's and nothing is said."""
        tells = self.standing.tells_of_memory
        compare(self.standing.honest(name, tells), tells(OF_PROCESS[name](asked)))

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
    "heap, all of it": "heap --types --retained --dangling --unreachable --object OBJECT",
}


@dataclass(frozen=True)
class Undamaged(Process):
    @property
    def name(self) -> str:
        return f"Go {self.standing.go} {self.standing.build}"

    def damaged(self, choices: Choices) -> DamagedMemory:
        patches, told = damage_of(self, choices)
        wanted = drawn(choices, list(self._concerned(patches)), _ASKED)
        object_ = choices.one_of(self.standing.objects)
        return DamagedMemory(self.standing, patches, told, wanted, object_)

    def _concerned(self, patches: Sequence[Patch]) -> Iterator[str]:
        """The questions that read some of the damage; `where` is asked about it."""
        for name, reads in self.places.reads.items():
            if name == "where" or any(reads.touch(at, len(new)) for at, new in patches):
                yield name


class OfMemory:
    name = "memory"

    def subjects(self, home: Path, gos: Sequence[str]) -> Sequence[Undamaged]:
        return [Undamaged(s, places_of(s)) for s in standings(home, gos, _BUILDS)]


KIND: Kind = OfMemory()
