"""Cores: their headers, notes and segments, and where they are cut off."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from goprobe.target.core import open_core
from scripts.fuzzing.kind import Kind, Question
from scripts.fuzzing.layout import Field, layout_of
from scripts.fuzzing.numbers import number, some_bytes
from scripts.fuzzing.oracle import compare
from scripts.fuzzing.questions import OF_PROCESS, Asked, drawn
from scripts.fuzzing.standing import Standing, standings
from scripts.truths.choices import Choices

_CHANGES = 5
_ASKED = 2
_BUILDS = ("plain", "stripped", "PIE")
_PT_NOTE, _PT_LOAD = 4, 1
_ENTRY = 56  # sizeof(Elf64_Phdr)

Change = tuple[int, bytes]
"""Bytes of the file, and where they go."""


@dataclass(frozen=True)
class DamagedCore:
    """A core with some bytes changed, and perhaps cut off or longer."""

    standing: Standing
    changes: tuple[Change, ...]
    size: int
    told: str
    wanted: Sequence[str]
    alone: bool
    scratch: Path

    @contextmanager
    def asked(self) -> Iterator[Sequence[Question]]:
        """The worker keeps one copy of each core, damages that, and mends it afterwards."""
        copy = self.scratch / f"{self.standing.core.name}-{os.getpid()}"
        if not copy.exists():
            shutil.copyfile(self.standing.core, copy)
        self._damage(copy)
        try:
            yield [Question(name, partial(self._ask, copy, name)) for name in self.wanted]
        finally:
            self._mend(copy)

    def _ask(self, copy: Path, name: str) -> None:
        # Alone, the core has to name its executable itself.
        target = open_core(str(copy), "" if self.alone else str(self.standing.binary))
        standing = self.standing
        try:
            report = OF_PROCESS[name](Asked(target, standing.addresses, standing.objects[0]))
        finally:
            target.core.close()
        compare(standing.honest(name, standing.tells), standing.tells(report))

    def _damage(self, copy: Path) -> None:
        with copy.open("r+b") as file:
            for at, new in self.changes:
                file.seek(at)
                file.write(new)
            file.truncate(self.size)

    def _mend(self, copy: Path) -> None:
        whole = self.standing.core
        with copy.open("r+b") as file, whole.open("rb") as original:
            spans = [(at, len(new)) for at, new in self.changes]
            spans.append((self.size, whole.stat().st_size - self.size))
            for at, size in spans:
                original.seek(at)
                file.seek(at)
                file.write(original.read(max(size, 0)))
            file.truncate(whole.stat().st_size)

    def keep(self, folder: Path, question: str) -> str:
        shutil.copyfile(self.standing.core, folder / "core")
        self._damage(folder / "core")
        binary = "" if self.alone else f" --exe {self.standing.binary}"
        return f"goprobe {question} {folder}/core{binary}"


class _Damage:
    def __init__(self, core: Core, choices: Choices) -> None:
        self.changes: list[Change] = []
        self.told: list[str] = []
        self.size = len(core.data)
        self._core, self._choices = core, choices

    def once(self) -> None:
        step = self._choices.weighted(
            (6, self._field), (4, self._notes), (2, self._cut), (2, self._entry), (1, self._grown)
        )
        step()

    def _put(self, at: int, new: bytes, text: str) -> None:
        self.changes.append((at, new))
        self.told.append(text)

    def _field(self) -> None:
        field = self._choices.one_of(self._core.fields)
        old = int.from_bytes(self._core.data[field.at : field.at + field.size], "little")
        new = number(self._choices, field.size, old, self._core.near)
        self._put(
            field.at, new.to_bytes(field.size, "little"), f"{field.name}: {old:#x} becomes {new:#x}"
        )

    def _notes(self) -> None:
        choices = self._choices
        start, size = self._core.notes
        at = start + 4 * choices.below(max(size // 4, 1))
        near = choices.chance(50)  # sizes, kinds and counts stand at the beginnings of notes
        at = choices.one_of(self._core.heads) if near and self._core.heads else at
        new = some_bytes(choices, choices.one_of((4, 8, 2, 64)))
        self._put(at, new, f"notes + {at - start:#x}: {new[:16].hex(' ')}")

    def _cut(self) -> None:
        choices = self._choices
        self.size = choices.weighted(
            (3, choices.one_of(self._core.near[:40] or (0,))),
            (2, choices.below(self.size + 1)),
            (1, choices.below(5000)),
        )
        self.size = min(self.size, len(self._core.data))
        self.told.append(f"cut off at {self.size} bytes")

    def _entry(self) -> None:
        """One program header over another: segments that overlap, or that are missing."""
        core, choices = self._core, self._choices
        origin, to = (core.phoff + _ENTRY * choices.below(core.phnum) for _ in range(2))
        new = core.data[origin : origin + _ENTRY] if choices.chance(70) else bytes(_ENTRY)
        self._put(to, new, f"program header at {to:#x}: that at {origin:#x}")

    def _grown(self) -> None:
        """The file as long as it likes, with nothing in it."""
        self.size = len(self._core.data) + (1 << self._choices.below(36))
        self.told.append(f"{self.size} bytes long")


@dataclass(frozen=True)
class Core:
    """A core, whole: `near` are the offsets and addresses of its segments, `heads` where notes
    begin."""

    standing: Standing
    data: bytes
    fields: tuple[Field, ...]
    near: tuple[int, ...]
    notes: tuple[int, int]
    heads: tuple[int, ...]
    phoff: int
    phnum: int
    scratch: Path

    @property
    def name(self) -> str:
        return f"Go {self.standing.go} {self.standing.build}"

    def damaged(self, choices: Choices) -> DamagedCore:
        wanted = drawn(choices, list(OF_PROCESS), _ASKED)
        damage = _Damage(self, choices)
        for _ in range(1 + choices.below(_CHANGES)):
            damage.once()
        return DamagedCore(
            self.standing,
            tuple(damage.changes),
            damage.size,
            "\n".join(damage.told),
            wanted,
            choices.chance(20),
            self.scratch,
        )


def _core(standing: Standing, scratch: Path) -> Core:
    data = standing.core.read_bytes()
    layout = layout_of(data)
    (phoff,), (phnum,) = struct.unpack_from("<Q", data, 32), struct.unpack_from("<H", data, 56)
    segments = [struct.unpack_from("<IIQQQQ", data, phoff + _ENTRY * i) for i in range(phnum)]
    start, size = next((s[2], s[5]) for s in segments if s[0] == _PT_NOTE)
    near = tuple(x for s in segments if s[0] == _PT_LOAD for x in (s[2], s[3], s[2] + s[5]))
    heads: list[int] = []
    at = start
    while at + 12 <= start + size:
        name, length, _ = struct.unpack_from("<III", data, at)
        body = at + 12 + (name + 3 & ~3)
        heads += [at, at + 4, at + 8, body, body + 8, body + 32]
        at = body + (length + 3 & ~3)
    return Core(
        standing,
        data,
        layout.fields + layout.programs,
        near,
        (start, size),
        tuple(heads),
        phoff,
        phnum,
        scratch,
    )


class Cores:
    name = "cores"

    def subjects(self, home: Path, gos: Sequence[str]) -> Sequence[Core]:
        found = standings(home, gos, _BUILDS)
        for standing in found:
            _ = standing.addresses, standing.objects
        return [_core(standing, home) for standing in found]


KIND: Kind = Cores()
