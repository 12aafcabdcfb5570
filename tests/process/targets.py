"""The Go programs beside this file, and what a disturbed process would show."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.go import Running, build, running, whole_matrix

PROGRAMS = Path(__file__).parent / "programs"
EIGHT_THREADS = {"GOMAXPROCS": "4"}


def tries(few: int, many: int) -> int:
    """How often to repeat what only chance brings about."""
    return many if whole_matrix() else few


@contextmanager
def target(name: str, *args: str, go: str | None = None) -> Iterator[Running]:
    with running(build(PROGRAMS / f"{name}.go", go=go), *args, env=EIGHT_THREADS) as program:
        yield program


def status(pid: int, tid: int | None = None) -> dict[str, str]:
    text = Path(f"/proc/{pid}/task/{tid or pid}/status").read_text()
    return {k: v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}


def threads_of(pid: int) -> list[int]:
    return [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]


def come_to_rest(pid: int) -> None:
    """Until every thread sleeps, at two looks in turn: the program has done what it does first."""
    quiet = 0
    for _ in range(500):
        states = [status(pid, tid)["State"][0] for tid in threads_of(pid)]
        quiet = quiet + 1 if set(states) == {"S"} else 0
        if quiet == 2:
            return
        time.sleep(0.01)
    raise AssertionError(f"threads of {pid} do not rest: {states}")


def assert_free(pid: int) -> None:
    """No thread is traced or stands still (within the moment that a killed tracer takes to go)."""
    for _ in range(200):
        held = {}
        for tid in threads_of(pid):
            try:
                facts = status(pid, tid)
            except OSError:
                continue  # this thread has just ended
            if facts["TracerPid"] != "0" or facts["State"][0] in "tT":
                held[tid] = facts["State"], facts["TracerPid"]
        if not held:
            return
        time.sleep(0.01)
    raise AssertionError(f"threads of {pid} are held: {held}")


def ask(program: Running, question: str) -> list[int]:
    program.say(question)
    word, *numbers = program.read_line().split()
    assert word == question
    return [int(number) for number in numbers]


def assert_healthy(program: Running) -> None:
    """The heart still beats, its work was right, and it goes on."""
    wrong, rounds, signals = ask(program, "check")
    assert not wrong, program.complaints()
    for _ in range(1000):
        time.sleep(0.01)
        again, more, arrived = ask(program, "check")
        assert not again, program.complaints()
        if more > rounds and arrived > signals:
            return
    raise AssertionError("the program does not go on")
