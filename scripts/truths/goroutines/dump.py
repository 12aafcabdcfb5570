"""What runtime.Stack prints, taken apart (src/runtime/traceback.go, Go 1.21 to 1.27)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEADER = re.compile(
    r"goroutine (\d+)(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[(.*?)\](?: \{.*\})?:", re.DOTALL
)
_CREATED = re.compile(r"created by (.*?)(?: in goroutine (\d+))?")
_ELIDED = re.compile(r"\.\.\.(\d+) frames elided\.\.\.")
_PLACE = re.compile(
    r"\t(.*):(\d+)(?: \+0x[0-9a-f]+)?(?: fp=0x([0-9a-f]+) sp=0x([0-9a-f]+) pc=0x([0-9a-f]+))?"
)
_NAMES = {"panic": "runtime.gopanic"}  # printFuncName
_NOTES = ("locked to thread",)


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a trace; `pc`, `sp` and `fp` are 0 where they are not printed (inlined calls)."""

    function: str
    file: str
    line: int
    pc: int = 0
    sp: int = 0
    fp: int = 0

    @property
    def place(self) -> tuple[str, str, int]:
        return self.function, self.file, self.line


@dataclass(frozen=True, slots=True)
class Printed:
    """A goroutine; `elided` frames are left out after the first `cut` ones."""

    id: int
    state: str
    locked: bool
    minutes: int
    bubble: int
    frames: tuple[Frame, ...]
    created_by: str
    created_at: tuple[str, int]
    parent: int
    cut: int = 0
    elided: int = 0
    unknown: tuple[str, ...] = field(default=())


def parse(text: str) -> dict[int, Printed]:
    """Each goroutine by its id; what else a dying program prints is left out, as are its g0s."""
    blocks = [block for block in text.strip().split("\n\n") if block.startswith("goroutine ")]
    found = [_parse(block.split("\n")) for block in blocks]
    return {printed.id: printed for printed in found if printed.id}


def _parse(lines: list[str]) -> Printed:
    header = _HEADER.fullmatch(lines[0])
    if not header:
        raise ValueError(f"no header of a goroutine: {lines[0]!r}")
    state, *notes = header[2].split(", ")
    minutes = next((int(n.split()[0]) for n in notes if n.endswith(" minutes")), 0)
    bubble = next((int(n.split()[2]) for n in notes if n.startswith("synctest bubble ")), 0)
    frames: list[Frame] = []
    created_by, created_at, parent, cut, elided = "", ("", 0), 0, 0, 0
    unknown: list[str] = []
    rest = iter(lines[1:])
    for call in rest:
        if gap := _ELIDED.fullmatch(call):
            cut, elided = len(frames), int(gap[1])
            continue
        place = _PLACE.fullmatch(next(rest, "")) if not call.startswith("\t") else None
        if not place:
            unknown.append(call.strip())
        elif made := _CREATED.fullmatch(call):
            created_by, parent = made[1], int(made[2] or 0)
            created_at = place[1], int(place[2])
        else:
            fp, sp, pc = (int(place[i] or "0", 16) for i in (3, 4, 5))
            name = call[: call.rindex("(")]
            frames.append(Frame(_NAMES.get(name, name), place[1], int(place[2]), pc, sp, fp))
    return Printed(
        int(header[1]),
        state,
        _NOTES[0] in notes,
        minutes,
        bubble,
        tuple(frames),
        created_by,
        created_at,
        parent,
        cut,
        elided,
        tuple(unknown),
    )
