"""Recordings of scripted sessions, played back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goprobe.api.script.launching import launch, replay
from goprobe.api.script.runner import run_script
from scripts.fuzzing.documents import damaged
from scripts.fuzzing.kind import Kind, Question
from scripts.fuzzing.standing import PROGRAM
from scripts.truths.choices import Choices
from tests.support.go import build

_CHANGES = 3
_SECONDS = 8.0
_SCRIPT = """
for stop in program.run(["main.fill", "main.stand"]):
    for v in stop.variables:
        str(v), repr(v.value), v.location
        if v.address:
            stop.read(v.address, 8), stop.where_is(v.address)
    str(stop.frames), stop.function, stop.line, stop.goroutine, stop.sp
    for g in stop.goroutines():
        str(g)
    if "bigs" in stop or stop.where == "main.stand":
        heap = stop.heap()
        assert heap.census.objects, heap
        after = stop.next()
        if after:
            str(after.diff(after)), after.where
            break
program.run_to_end()
"""


@dataclass(frozen=True)
class DamagedRecording:
    data: bytes
    told: str
    scratch: Path

    @contextmanager
    def asked(self) -> Iterator[Sequence[Question]]:
        path = self.scratch / f"recording-{os.getpid()}"
        path.write_bytes(self.data)
        yield [Question("script --replay", lambda: _played(path))]

    def keep(self, folder: Path, question: str) -> str:
        (folder / "recording").write_bytes(self.data)
        (folder / "script.py").write_text(_SCRIPT)
        return f"goprobe script {folder}/script.py --replay {folder}/recording"


def _played(path: Path) -> None:
    with replay(str(path)) as program:
        run_script("script.py", _SCRIPT, program, (), timeout=_SECONDS)


@dataclass(frozen=True)
class Recording:
    lines: tuple[bytes, ...]
    scratch: Path
    name: str = "a session"

    def damaged(self, choices: Choices) -> DamagedRecording:
        lines, steps = list(self.lines), []
        for _ in range(1 + choices.below(_CHANGES)):
            # The first and the last line say what the others are.
            at = choices.weighted((4, choices.below(len(lines))), (1, 0), (1, len(lines) - 1))
            way = choices.weighted((7, "inside"), (1, "gone"), (1, "twice"))
            if way == "inside":
                lines[at], step = damaged(lines[at], choices)
            elif way == "gone" and len(lines) > 1:
                step = "gone"
                del lines[at]
            else:
                step = "twice"
                lines.insert(at, lines[at])
            steps.append(f"line {at + 1}: {step}")
        return DamagedRecording(b"\n".join(lines) + b"\n", "\n".join(steps), self.scratch)


class Recordings:
    name = "recordings"

    def subjects(self, home: Path, gos: Sequence[str]) -> Sequence[Recording]:
        """One release will do: what is read is goprobe's own."""
        path = home / "recording"
        binary = build(PROGRAM, go=gos[-1], flags=("-gcflags=all=-N -l",))
        with launch(str(binary), record=path, stdout=2) as program:
            run_script("script.py", _SCRIPT, program, (), timeout=60)
        return [Recording(tuple(path.read_bytes().rstrip(b"\n").split(b"\n")), home)]


KIND: Kind = Recordings()
