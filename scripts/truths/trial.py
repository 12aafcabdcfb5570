"""One program: written, built, asked about; and made small where an answer is wrong."""

from __future__ import annotations

import faulthandler
import hashlib
import os
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random

from scripts.truths.answer import Answer, Outcome, Peers, wrong
from scripts.truths.choices import Choices, shrink
from scripts.truths.kind import Build, Case, Kind, Program
from scripts.truths.limits import TookTooLongError, ends_within
from tests.support.go import toolchain

_BUILD_SECONDS = 300.0
_LONGEST = 300.0  # seconds of one program
_MAX_SHOWN = 4000


@dataclass(frozen=True, slots=True)
class Trial:
    """What names a program: the same trial writes the same program anywhere."""

    kind: str
    seed: int
    number: int
    go: str
    build: str

    def __str__(self) -> str:
        return f"{self.kind} seed {self.seed} program {self.number} Go {self.go} {self.build}"

    @property
    def command(self) -> str:
        """Which runs it again."""
        return (
            f"scripts/truth {self.kind} --seed {self.seed} --first {self.number} --programs 1"
            f" --go {self.go} --build '{self.build}'"
        )

    def choices(self) -> Choices:
        return Choices(Random(f"{self.kind}/{self.seed}/{self.number}"))


@dataclass(frozen=True, slots=True)
class Result:
    """The answers; for a wrong one the smallest program found, kept in `kept`. `late` is where it
    was when its time was up: then it has no answers."""

    trial: Trial
    answers: tuple[Answer, ...]
    peers: Peers
    kept: Path | None = None
    late: str = ""


def kind_of(name: str) -> Kind:
    found: Kind = import_module(f"scripts.truths.{name}").KIND
    return found


def build_of(kind: Kind, name: str) -> Build:
    return next(build for build in kind.builds if build.name == name)


def try_out(trial: Trial, *, shrink_seconds: float, keep: Path, peers: bool) -> Result:
    """Run one trial; a wrong answer's program is shrunk and written below `keep`.

    A program that takes too long is ended. If even that hangs, this process writes its stack to
    stderr, and ends.
    """
    faulthandler.dump_traceback_later(4 * _LONGEST + 2 * shrink_seconds, exit=True)
    try:
        return _tried_out(trial, shrink_seconds, keep, peers)
    except TookTooLongError as late:
        return Result(trial, (), {}, late=str(late))
    finally:
        faulthandler.cancel_dump_traceback_later()


def _tried_out(trial: Trial, shrink_seconds: float, keep: Path, peers: bool) -> Result:
    kind = kind_of(trial.kind)
    choices = trial.choices()
    program = kind.write(choices, trial.go, build_of(kind, trial.build))
    answers, others = _asked(kind, trial, program, peers)
    if not any(answer.outcome is Outcome.WRONG for answer in answers):
        return Result(trial, answers, others)
    small = choices.drawn
    if shrink_seconds > 0:
        wanted = {_what(a) for a in answers if a.outcome is Outcome.WRONG}
        small = shrink(
            small,
            lambda numbers: bool(wanted & _wrongs(kind, trial, numbers)),
            seconds=shrink_seconds,
        )
        shrunk = kind.write(Choices(small), trial.go, build_of(kind, trial.build))
        again, _ = _asked(kind, trial, shrunk, False)
        if any(answer.outcome is Outcome.WRONG for answer in again):
            program, answers = shrunk, again
    return Result(trial, answers, others, _kept(keep, trial, program, answers))


def _wrongs(kind: Kind, trial: Trial, numbers: Sequence[int]) -> set[str]:
    program = kind.write(Choices(numbers), trial.go, build_of(kind, trial.build))
    try:
        answers, _ = _asked(kind, trial, program, False)
    except TookTooLongError:
        return set()
    return {_what(a) for a in answers if a.outcome is Outcome.WRONG}


def _what(answer: Answer) -> str:
    """What kind of mistake it is: a program that does not build is no smaller case of a wrong
    value."""
    return answer.asked if answer.asked in ("the program builds", "goprobe answers") else "value"


def _asked(
    kind: Kind, trial: Trial, program: Program, peers: bool
) -> tuple[tuple[Answer, ...], Peers]:
    with ends_within(_LONGEST):
        return _asked_in_time(kind, trial, program, peers)


def _asked_in_time(
    kind: Kind, trial: Trial, program: Program, peers: bool
) -> tuple[tuple[Answer, ...], Peers]:
    with _built(program, trial.go, build_of(kind, trial.build)) as case:
        if isinstance(case, str):
            return (wrong("the program builds", truth="it does", told=case),), {}
        answers: list[Answer] = []
        try:
            answers.extend(kind.ask(case))
            others = kind.peers(case) if peers else {}
        except Exception:  # whatever goprobe raises is what this looks for
            others = {}
            told = traceback.format_exc()[-_MAX_SHOWN:]
            answers.append(wrong("goprobe answers", truth="no traceback", told=told))
        return tuple(answers), others


@contextmanager
def _built(program: Program, go: str, build: Build) -> Iterator[Case | str]:
    """The program built, where that is wanted, in a folder that goes with it, or the compiler's
    words."""
    folder = Path(tempfile.mkdtemp(prefix="goprobe-truth-"))
    try:
        write_files(folder, program, go)
        tool = toolchain(go)
        binary = folder / "program"
        if not program.built:
            yield Case(program, folder, binary, build, go, tool)
            return
        environment = {
            **os.environ,
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "",
            "GOPROXY": "off",
            "GOWORK": "off",
            "CGO_ENABLED": "1" if build.cgo else "0",
            "CC": build.cc,
        }
        made = subprocess.run(
            [str(tool), "build", *build.flags, "-o", str(binary), "."],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
        )
        if made.returncode:
            yield (made.stdout + made.stderr)[-_MAX_SHOWN:]
        else:
            yield Case(program, folder, binary, build, go, tool)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_files(folder: Path, program: Program, go: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"go.mod": f"module truth\n\ngo {go}\n", **program.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _kept(keep: Path, trial: Trial, program: Program, answers: Sequence[Answer]) -> Path:
    name = hashlib.sha256(str(trial).encode()).hexdigest()[:8]
    folder = keep / f"{trial.kind}-{trial.seed}-{trial.number}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    write_files(folder, program, trial.go)
    (folder / "answers.txt").write_text(
        f"{trial}\n\n" + "\n".join(map(shown, answers)) + "\n", errors="backslashreplace"
    )
    return folder


def shown(answer: Answer) -> str:
    line = f"{answer.outcome.value:8} {answer.asked}"
    if answer.outcome is Outcome.WRONG:
        return f"{line}\n           truth {answer.truth}\n           told  {answer.told}"
    return f"{line}: {answer.reason}" if answer.reason else line
