"""Processes that run: they stand still while their memory is damaged, or it flickers meanwhile."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.locals.ask import GoroutineQuestions, goroutines_of
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import ProcessMemory
from goprobe.target.live import Target, open_target
from scripts.fuzzing.damage import Process, damage_of
from scripts.fuzzing.kind import Kind, Question
from scripts.fuzzing.overlay import Patch
from scripts.fuzzing.places import places_of
from scripts.fuzzing.questions import told
from scripts.fuzzing.standing import BUILDS, PROGRAM, Standing
from scripts.truths.choices import Choices
from tests.support.gdb import gdbs, write_core
from tests.support.go import build

_ASKED = 3
_BUILDS = ("plain", "stripped")
_READY = 20.0  # seconds
_FLICKER = 0.0005
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

_QUESTIONS: dict[str, Callable[[Target, Sequence[int], int], object]] = {
    "where": lambda target, addresses, _: where(target, addresses),
    "maps": lambda target, *_: maps(target),
    "goroutines": lambda target, *_: goroutines(target, stacks=True),
    "goroutines --waits": lambda target, *_: goroutines_of(target, GoroutineQuestions(waits=True)),
    "goroutines --leaked": lambda target, *_: goroutines_of(
        target, GoroutineQuestions(leaked=True)
    ),
    "goroutines --locals": lambda target, *_: goroutines_of(
        target, GoroutineQuestions(locals=True)
    ),
    "heap": lambda target, *_: heap(target, HeapQuestions()),
    "heap --types": lambda target, *_: heap(target, HeapQuestions(types=True)),
    "heap --types --snapshot stop": lambda target, *_: heap(
        target, HeapQuestions(types=True, retained=True, snapshot="stop")
    ),
    "heap --object": lambda target, _, at: heap(target, HeapQuestions(object=at)),
    "heap --dangling": lambda target, *_: heap(target, HeapQuestions(dangling=True)),
}


class HarmedError(Exception):
    """The process is not what it was before the question."""


class Running:
    """A process of the worker's own, that stands still from when it was ready."""

    def __init__(self, binary: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [binary],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        )
        self.pid = self._process.pid
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"
        os.kill(self.pid, signal.SIGSTOP)
        self._await_standing()

    def _await_standing(self) -> None:
        deadline = time.monotonic() + _READY
        while self.states() - {"T"}:
            assert time.monotonic() < deadline, f"threads are {self.states()}"
            time.sleep(0.001)

    def states(self) -> set[str]:
        found = set()
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            found.add((task / "stat").read_text().rpartition(")")[2].split()[0])
        return found

    def check(self) -> None:
        """Raises HarmedError where it does not stand any more, or somebody still holds it."""
        if self._process.poll() is not None:
            raise HarmedError(f"it ended: {self._process.returncode}")
        self._await_standing()
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("TracerPid:") and line.split()[1] != "0":
                raise HarmedError("it is still traced")

    def write(self, patches: Sequence[Patch]) -> None:
        with open(f"/proc/{self.pid}/mem", "r+b", buffering=0) as memory:
            for at, new in patches:
                memory.seek(at)
                memory.write(new)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


_running: dict[str, tuple[Running, Process]] = {}
"""By subject, in this worker."""


def _process(subject: Live, scratch: Path) -> tuple[Running, Process]:
    if subject.name not in _running:
        running = Running(subject.binary)
        core = scratch / f"live-{os.getpid()}-{len(_running)}.core"
        write_core(running.pid, core, gdbs()[-1])
        standing = Standing(subject.go, subject.build, subject.binary, core)
        _running[subject.name] = running, Process(standing, places_of(standing))
    return _running[subject.name]


@dataclass(frozen=True)
class DamagedProcess:
    """What to write over the memory of a process; `flickers`: on and off while it is asked."""

    subject: Live
    running: Running
    process: Process
    patches: tuple[Patch, ...]
    told: str
    wanted: Sequence[int]
    flickers: bool
    at: int

    @contextmanager
    def asked(self) -> Iterator[Sequence[Question]]:
        reader = ProcessMemory(self.running.pid)
        patches = [(at, new) for at, new in self.patches if _readable(reader, at, len(new))]
        whole = [(at, reader.read(at, len(new))) for at, new in patches][::-1]
        reader.close()
        addresses = (*self.process.standing.addresses, *(at for at, _ in patches))
        every = [
            Question(name, partial(self._ask, ask, addresses)) for name, ask in _QUESTIONS.items()
        ]
        self.running.write(patches)
        over = threading.Event()
        flicker = threading.Thread(target=self._flicker, args=(over, patches, whole))
        if self.flickers:
            flicker.start()
        try:
            yield [every[i] for i in dict.fromkeys(self.wanted)]
        finally:
            over.set()
            if self.flickers:
                flicker.join()
            try:
                self.running.write(whole)
            except OSError:  # it is gone, as was said
                self.running.end()
                _running.pop(self.subject.name)

    def _flicker(
        self, over: threading.Event, patches: Sequence[Patch], whole: Sequence[Patch]
    ) -> None:
        while not over.is_set():
            for state in (whole, patches):
                try:
                    self.running.write(state)
                except OSError:
                    return
                time.sleep(_FLICKER)

    def _ask(
        self, ask: Callable[[Target, Sequence[int], int], object], addresses: Sequence[int]
    ) -> None:
        try:
            told(ask(open_target(self.running.pid), addresses, self.at))
        finally:
            self.running.check()

    def keep(self, folder: Path, question: str) -> str:
        lines = [f"{at:#x} {new.hex()}" for at, new in self.patches]
        (folder / "patches.txt").write_text("\n".join(lines) + "\n")
        return f"goprobe {question} PID, of {self.subject.binary} with {folder}/patches.txt in it"


def _readable(memory: ProcessMemory, at: int, size: int) -> bool:
    try:
        return bool(memory.read(at, size))
    except UnreadableError:
        return False


@dataclass(frozen=True)
class Live:
    """A program; each worker has a process of it."""

    go: str
    build: str
    binary: Path
    scratch: Path

    @property
    def name(self) -> str:
        return f"Go {self.go} {self.build}"

    def damaged(self, choices: Choices) -> DamagedProcess:
        running, process = _process(self, self.scratch)
        wanted = [choices.below(len(_QUESTIONS)) for _ in range(1 + choices.below(_ASKED))]
        patches, told_ = damage_of(process, choices)
        flickers = choices.chance(40)
        told_ += "\nand back, over and over" if flickers else ""
        object_ = choices.one_of(process.standing.objects)
        return DamagedProcess(self, running, process, patches, told_, wanted, flickers, object_)


class OfProcesses:
    name = "live"

    def subjects(self, home: Path, gos: Sequence[str]) -> Sequence[Live]:
        return [
            Live(go, kind, build(PROGRAM, go=go, flags=BUILDS[kind]), home)
            for kind in _BUILDS
            for go in gos
        ]


KIND: Kind = OfProcesses()
