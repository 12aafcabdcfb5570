"""Binaries: headers, sections, debug information, line tables, notes, strings; whole or packed."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from goprobe.binary.elf.elf import ElfFile
from goprobe.runtime.image.program import GoProgram
from goprobe.target.core import open_core
from scripts.fuzzing.kind import Kind, Question
from scripts.fuzzing.layout import Field, Layout, Part, layout_of
from scripts.fuzzing.numbers import number, some_bytes
from scripts.fuzzing.oracle import compare
from scripts.fuzzing.questions import OF_PROCESS, OF_PROGRAM, Asked, drawn
from scripts.fuzzing.standing import Standing, standings
from scripts.truths.choices import Choices

_BUILDS = ("uncompressed", "plain", "stripped", "PIE")
_CHANGES = 4  # at most, of one input
_ASKED = 2  # questions of one input, at most
_BOMBS = (1 << 24, 1 << 28, 3 << 29)  # bytes that a compressed section grows to
_TELLING = (".debug_abbrev", ".debug_info", ".debug_line", ".gopclntab", ".go.buildinfo",
            ".debug_loclists", ".debug_loc", ".debug_addr", ".debug_rnglists", ".debug_ranges",
            ".symtab", ".strtab", ".shstrtab", ".note.go.buildid", ".rela", ".typelink",
            ".itablink", ".go.module", ".noptrdata", ".data", ".rodata", "header")  # fmt: skip


class Damage:
    """A copy of a binary's bytes, changed step by step, with the words for each step."""

    def __init__(self, data: bytes, layout: Layout, choices: Choices) -> None:
        self.data = bytearray(data)
        self.told: list[str] = []
        self._layout = layout
        self._choices = choices

    def once(self) -> None:
        step = self._choices.weighted(
            (3, self._field),
            (5, self._bytes),
            (2, self._word),
            (2, self._unit),
            (2, self._filled),
            (1, self._moved),
            (1, self._cut),
            (2, self._packed),
        )
        step()

    def _say(self, text: str) -> None:
        self.told.append(text)

    def _put(self, field: Field, near: Sequence[int] = ()) -> None:
        if field.at + field.size > len(self.data):
            return  # an earlier step cut it off
        old = int.from_bytes(self.data[field.at : field.at + field.size], "little")
        new = number(self._choices, field.size, old, near)
        self.data[field.at : field.at + field.size] = new.to_bytes(field.size, "little")
        self._say(f"{field.name}: {old:#x} becomes {new:#x}")

    def _field(self) -> None:
        layout, choices = self._layout, self._choices
        group = choices.weighted((2, layout.sections), (1, layout.programs), (1, layout.fields))
        near = (0, len(self.data), *(part.at for part in layout.parts[:40]))
        self._put(choices.one_of(group or layout.fields), near)

    def _part(self) -> Part:
        choices = self._choices
        telling = [p for p in self._layout.parts if p.name.startswith(_TELLING)]
        return choices.one_of(choices.weighted((4, telling), (1, self._layout.parts)))

    def _place(self, part: Part, unit: int = 1) -> int:
        """Somewhere in a part, oftener near its beginning, where headers are."""
        room = max(part.size // unit, 1)
        near = self._choices.chance(50)
        return part.at + unit * self._choices.below(min(room, 256 // unit) if near else room)

    def _bytes(self) -> None:
        part = self._part()
        at = self._place(part)
        new = some_bytes(self._choices, 1 + self._choices.below(8))
        self._overwrite(part, at, new)

    def _overwrite(self, part: Part, at: int, new: bytes) -> None:
        new = new[: max(part.at + part.size - at, 0)]
        self.data[at : at + len(new)] = new
        shown = new[:16].hex(" ") + (f" … ({len(new)} bytes)" if len(new) > 16 else "")
        self._say(f"{part.name} + {at - part.at:#x}: {shown}")

    def _word(self) -> None:
        part, size = self._part(), self._choices.one_of((4, 8, 2))
        at = self._place(part, size)
        self._put(Field(f"{part.name} + {at - part.at:#x}", at, size), (part.at, part.size))

    def _unit(self) -> None:
        if self._layout.units:
            self._put(self._choices.one_of(self._layout.units), (1 << 16,))

    def _filled(self) -> None:
        part = self._part()
        at = self._place(part)
        size = self._choices.weighted((3, 64), (2, 1024), (2, part.size))
        self._overwrite(part, at, some_bytes(self._choices, 1) * size)

    def _moved(self) -> None:
        """Bytes of one place at another."""
        part, other = self._part(), self._part()
        at, origin = self._place(part), self._place(other)
        size = 1 << self._choices.below(13)
        self._overwrite(part, at, bytes(self.data[origin : origin + size]))

    def _cut(self) -> None:
        size = self._choices.weighted(
            (3, self._choices.one_of(self._layout.parts).at),
            (1, self._choices.below(256)),
            (2, self._choices.below(len(self.data) + 1)),
        )
        del self.data[size:]
        self._say(f"cut off at {size} bytes")

    def _packed(self) -> None:
        """A section packed anew: damaged inside, or grown to something enormous."""
        choices = self._choices
        part = self._part()
        if not part.header or part.header + 64 > len(self.data):
            return
        raw = bytes(self.data[part.at : part.at + part.size])
        try:
            raw = zlib.decompress(raw[24:]) if part.compressed else raw
        except zlib.error:
            return
        what = choices.weighted((4, "damaged"), (2, "size"), (1, "bomb"))
        claimed = len(raw)
        if what == "damaged":
            inner = bytearray(raw)
            for _ in range(1 + choices.below(3)):
                at = choices.below(len(inner) or 1)
                new = some_bytes(choices, 1 + choices.below(8))
                inner[at : at + len(new)] = new
            packed = zlib.compress(bytes(inner), 1)
        elif what == "size":
            claimed = number(choices, 8, claimed)
            packed = zlib.compress(raw, 1)
        else:
            claimed = choices.one_of(_BOMBS)
            packed = _bomb(claimed)
            claimed = choices.weighted(
                (2, claimed), (1, 0), (1, 1 << 31), (1, number(choices, 8, claimed))
            )
        body = struct.pack("<IIQQ", choices.weighted((9, 1), (1, 2)), 0, claimed, 1) + packed
        at = len(self.data)
        self.data += body
        flags = struct.unpack_from("<Q", self.data, part.header + 8)[0]
        struct.pack_into("<Q", self.data, part.header + 8, flags | 0x800)
        struct.pack_into("<QQ", self.data, part.header + 24, at, len(body))
        self._say(f"{part.name} packed anew ({what}), {len(body)} bytes that claim {claimed:#x}")


@lru_cache
def _bomb(size: int) -> bytes:
    """Zeros, packed. After a full flush the packer knows nothing of what came before, so that
    one mebibyte's bytes can stand there as often as it takes."""
    packer = zlib.compressobj(9)
    head = packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.flush()[:-4]
    return head + block * (size >> 20) + end + _adler_of_zeros(size).to_bytes(4, "big")


def _adler_of_zeros(size: int) -> int:
    return size % 65521 << 16 | 1  # RFC 1950: a stays 1, b counts the bytes


@contextmanager
def _own_cache(scratch: Path) -> Iterator[None]:
    """goprobe's cache with what it knows of the undamaged binaries, by their bytes: where the
    damage is elsewhere it need not learn that again. What it keeps of a damaged one is removed."""
    before, cache = os.environ["XDG_CACHE_HOME"], scratch / f"cache-{os.getpid()}"
    if not cache.exists():
        shutil.copytree(before, cache)
    whole = _files(cache)
    os.environ["XDG_CACHE_HOME"] = str(cache)
    try:
        yield
    finally:
        os.environ["XDG_CACHE_HOME"] = before
        for path in _files(cache) - whole:
            Path(path).unlink()


def _files(folder: Path) -> set[str]:
    return {f"{at}/{name}" for at, _, names in os.walk(folder) for name in names}


@dataclass(frozen=True)
class DamagedBinary:
    """A binary to be written down and asked about."""

    standing: Standing
    data: bytes
    told: str
    wanted: Sequence[str]
    scratch: Path

    @contextmanager
    def asked(self) -> Iterator[Sequence[Question]]:
        path = self.scratch / f"binary-{os.getpid()}"
        path.write_bytes(self.data)
        try:
            with _own_cache(self.scratch):
                yield self._questions(path)
        finally:
            path.unlink()

    def _questions(self, path: Path) -> list[Question]:
        standing = self.standing

        def of_program(ask: Callable[[GoProgram], object]) -> None:
            ask(GoProgram(ElfFile(path)))

        def of_process(name: str) -> None:
            target = open_core(str(standing.core), str(path))
            try:
                report = OF_PROCESS[name](Asked(target, standing.addresses, standing.objects[0]))
            finally:
                target.core.close()
            compare(standing.honest(name, standing.tells), standing.tells(report))

        return [
            Question(name, partial(of_program, OF_PROGRAM[name]))
            if name in OF_PROGRAM
            else Question(name, partial(of_process, name))
            for name in self.wanted
        ]

    def keep(self, folder: Path, question: str) -> str:
        (folder / "binary").write_bytes(self.data)
        (folder / "core").symlink_to(self.standing.core)
        return f"goprobe {question} {folder}/core --exe {folder}/binary"


@dataclass(frozen=True)
class Binary:
    """One build of one release, whole."""

    standing: Standing
    data: bytes
    layout: Layout
    scratch: Path

    @property
    def name(self) -> str:
        return f"Go {self.standing.go} {self.standing.build}"

    def damaged(self, choices: Choices) -> DamagedBinary:
        wanted = drawn(choices, [*OF_PROCESS, *OF_PROGRAM], _ASKED)
        damage = Damage(self.data, self.layout, choices)
        for _ in range(1 + choices.below(_CHANGES)):
            damage.once()
        return DamagedBinary(
            self.standing, bytes(damage.data), "\n".join(damage.told), wanted, self.scratch
        )


class Binaries:
    name = "binaries"

    def subjects(self, home: Path, gos: Sequence[str]) -> Sequence[Binary]:
        found = []
        for standing in standings(home, gos, _BUILDS):
            data = standing.binary.read_bytes()
            _ = standing.addresses, standing.objects
            found.append(Binary(standing, data, layout_of(data), home))
        return found


KIND: Kind = Binaries()
