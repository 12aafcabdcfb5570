"""Holds the workers to their time and their memory, and starts another where one is lost."""

from __future__ import annotations

import json
import os
import select
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.fuzzing.kind import Subject
from scripts.fuzzing.outcome import Asked, Outcome
from scripts.fuzzing.worker import serve

SECONDS = 10.0  # of processor time, for one question
_WAITED = 30.0  # by the clock, for one that hardly works: it waits for something
_WORKS = 0.02  # as a share of the clock's time
MEMORY = 500 << 20  # bytes beyond what the worker held
_HONEST = 150 << 20  # what the largest honest question of our small subjects takes
_LOOK = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Answered:
    """One input: what it was made of, and what each question gave."""

    drawn: list[int] = field(default_factory=list)
    told: str = ""
    asked: list[Asked] = field(default_factory=list)


class Worker:
    """A child that serves requests; at most one at a time."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = subjects
        self._pid = 0
        self._busy = False
        self._start()

    def _start(self) -> None:
        self._stacks = tempfile.TemporaryFile("w+")  # noqa: SIM115
        to_child, ours = os.pipe()
        theirs, from_child = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(ours)
                os.close(theirs)
                serve(self._subjects, to_child, from_child, self._stacks)
            except BaseException:
                traceback.print_exc(file=self._stacks)
                self._stacks.flush()
            finally:
                os._exit(0)
        os.close(to_child)
        os.close(from_child)
        self._requests, self._answers = ours, theirs
        self._rest = b""

    def fileno(self) -> int:
        return self._answers

    def send(self, request: dict[str, Any]) -> None:
        """Have an input made and asked about; `steps` tells what comes of it."""
        self._result = Answered()
        self._question = ""
        self._since, self._used, self._held = time.monotonic(), self._processor(), self._resident()
        os.write(self._requests, json.dumps(request).encode() + b"\n")
        self._busy = True

    def look(self) -> Answered | None:
        """The result once it is there. Never waits."""
        while select.select([self._answers], [], [], 0)[0]:
            data = os.read(self._answers, 1 << 16)
            if not data:
                return self._lost(Outcome.DIED)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
            if not self._busy:
                return self._result
        used, waited = self._processor() - self._used, time.monotonic() - self._since
        if used > SECONDS or (waited > _WAITED and used < _WORKS * waited):
            return self._lost(Outcome.HANG)
        if self._resident() - self._held > MEMORY + _HONEST:
            return self._lost(Outcome.MEMORY)
        return None

    def _take(self, line: dict[str, Any]) -> None:
        if "drawn" in line:
            self._result.drawn, self._result.told = line["drawn"], line["told"]
        elif "begin" in line:
            self._question = line["begin"]
            self._since, self._used = time.monotonic(), self._processor()
            self._held = self._resident()
        elif "question" in line:
            asked = Asked(**{**line, "outcome": Outcome(line["outcome"])})
            if asked.outcome.good and asked.peak > MEMORY + _HONEST:
                asked = Asked(asked.question, Outcome.MEMORY, f"{asked.peak >> 20} MiB at its peak")
            self._result.asked.append(asked)
        else:
            self._busy = False

    def _lost(self, outcome: Outcome) -> Answered:
        """Ends the child, having it say first where it stands, and starts another."""
        if outcome is not Outcome.DIED:
            os.kill(self._pid, signal.SIGUSR1)
            time.sleep(0.5)
        self.end()
        self._stacks.seek(0)
        stack = self._stacks.read()
        self._stacks.close()
        self._result.asked.append(
            Asked(self._question or "making it", outcome, stack, _innermost(stack))
        )
        self._busy = False
        result = self._result
        self._start()
        return result

    def end(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._requests)
        os.close(self._answers)

    def _processor(self) -> float:
        try:
            with open(f"/proc/{self._pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _resident(self) -> int:
        try:
            with open(f"/proc/{self._pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def ask(self, request: dict[str, Any]) -> Answered:
        """As `send`, and wait."""
        self.send(request)
        while (found := self.look()) is None:
            select.select([self._answers], [], [], _LOOK)
        return found


def _innermost(stack: str) -> str:
    """The innermost functions of goprobe's own in a stack that faulthandler wrote."""
    own = [line for line in stack.splitlines() if "/goprobe/" in line and " in " in line]
    if not own:
        return ""
    # Of a hang any line may be the innermost one: name the file, whose loop it most likely is.
    return own[0].partition("/goprobe/")[2].partition('"')[0]


def each(
    workers: Sequence[Worker], requests: Iterator[tuple[Any, dict[str, Any]]]
) -> Iterator[tuple[Any, Worker, Answered]]:
    """Serves requests, each with a key of the caller's, as workers come free."""
    running: dict[Worker, Any] = {}
    while True:
        for worker in workers:
            if worker not in running and (entry := next(requests, None)) is not None:
                running[worker] = entry[0]
                worker.send(entry[1])
        if not running:
            return
        select.select(list(running), [], [], _LOOK)
        for worker in list(running):
            found = worker.look()
            if found is not None:
                yield running.pop(worker), worker, found
