"""Runs a program, asks goprobe between two of the program's own accounts, and compares."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import goprobe
from scripts.truths.answer import Answer, Peers, not_told, wrong
from scripts.truths.choices import Choices
from scripts.truths.goroutines import grammar
from scripts.truths.goroutines.addresses import ends
from scripts.truths.goroutines.comparing import compared
from scripts.truths.goroutines.dump import Printed, parse
from scripts.truths.goroutines.witness import Account, Asked, Witness
from scripts.truths.kind import (
    CGO,
    MUSL,
    PIE,
    PLAIN,
    RACE,
    STRIPPED,
    UNOPTIMIZED,
    Build,
    Case,
    Program,
)
from tests.support.go import Running, running

_PATIENCE = 60.0
_SHOWN = 3000
_MOST = 100  # stacks whose ends are asked about


def account(program: Running) -> Account:
    """The lines before the last "ready"."""
    words: dict[str, list[str]] = {}
    at = program.lines.index("<stacks")
    for line in program.lines[:at]:
        words.setdefault(line.split(" ")[0], []).append(line.split(" ", 1)[1])
    rows = [row.split() for row in words.get("local", [])]
    arrived, expected = words["arrived"][0].split()
    if int(arrived) < int(expected):
        raise AssertionError(f"only {arrived} of {expected} goroutines arrived")
    first, second, third = (int(n) for n in words["times"][0].split())
    return Account(
        int(words["count"][0]),
        parse("\n".join(program.lines[at + 1 : -1])),
        {int(n): (int(address, 16), int(g)) for n, address, g in rows},
        tuple((int(at, 16), int(by)) for at, by in map(str.split, words.get("cstack", []))),
        (first, second, third),
        {int(g): text for g, _, text in (row.partition(" ") for row in words.get("labels", []))},
        int(words["collections"][0]),
    )


class Goroutines:
    name = "goroutines"
    builds: tuple[Build, ...] = (
        PLAIN,
        UNOPTIMIZED,
        PIE,
        RACE,
        STRIPPED,
        CGO,
        MUSL,
    )

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        return grammar.write(choices, go, build)

    def ask(self, case: Case) -> Iterator[Answer]:
        settings = case.program.notes.get("environment", {})
        assert isinstance(settings, dict)
        environment = {**settings, "GOTRACEBACK": "system"}
        try:
            with _started(case, environment) as program:
                before = account(program)
                asked = _ask(program, before)
                if isinstance(asked, str):
                    yield wrong("goprobe answers", truth="it does", told=asked)
                    return
                program.lines.clear()
                program.say("")
                program.read_until("ready")
                after = account(program)
                yield from compared(Witness(before, after, _last_words(program)), asked)
        except AssertionError as error:
            if str(error).startswith("no line within"):
                yield not_told("the program stands", "it took too long")
            else:  # it has crashed, which is this grammar's fault
                yield wrong("the program stands", truth="it does", told=str(error)[:_SHOWN])

    def peers(self, case: Case) -> Peers:
        """GDB knows no goroutines, and Delve is not to be had where this was written."""
        return {}


def _started(case: Case, environment: Mapping[str, str]) -> AbstractContextManager[Running]:
    limit = case.program.notes.get("stack")
    if not limit:
        return running(case.binary, env=environment)
    command = f"ulimit -s {limit}; exec {case.binary}"
    return running(Path("/bin/sh"), "-c", command, env=environment)


def _last_words(program: Running) -> dict[int, Printed]:
    """Every goroutine with every frame, as a program prints that SIGQUIT ends: runtime.Stack leaves
    out those of the runtime."""
    program.process.send_signal(signal.SIGQUIT)
    program.process.wait(_PATIENCE)
    program.errors.seek(0)
    return parse(program.errors.read().decode("utf-8", "replace"))


def _ask(program: Running, before: Account) -> Asked | str:
    locals_of_go = {address for address, _ in before.locals.values()}
    own = locals_of_go | {address for address, _ in before.of_c}
    threads = _threads(program.pid)
    started = time.monotonic_ns()
    try:
        with goprobe.attach(program.pid) as process:
            report = process.goroutines(stacks=True)
            ended = time.monotonic_ns()
            with process.snapshot() as snapshot:
                again = snapshot.goroutines()
            stacks = ((int(g.stack.low), int(g.stack.high), g.stack.used) for g in again[:_MOST])
            addresses = sorted(own | ends(stacks))
            where = process.where(*addresses).locations if addresses else ()
            regions = process.maps().map
    except goprobe.GoprobeError as error:
        return str(error)
    return Asked(
        report,
        again,
        {int(w.address): w for w in where},
        regions,
        started,
        ended,
        threads & _threads(program.pid),
    )


def _threads(pid: int) -> set[int]:
    return {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
