"""Random heaps: programs whose objects and pointers are told by the programs themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.snapshot import take
from goprobe.target.live import open_target
from scripts.truths.answer import Answer, Peers, wrong
from scripts.truths.choices import Choices
from scripts.truths.heaps.judge import Judge
from scripts.truths.heaps.said import read
from scripts.truths.heaps.writer import Writer
from scripts.truths.kind import (
    CGO,
    PIE,
    PLAIN,
    RACE,
    STRIPPED,
    UNOPTIMIZED,
    Build,
    Case,
    Kind,
    Program,
)
from tests.support.go import has_gcc, running

_PATIENCE = 20.0
_C = """package main

// static int one(void) { return 1; }
import "C"

func init() { length += 0 * int(C.one()) }
"""


class Heaps:
    name = "heaps"
    builds = (PLAIN, UNOPTIMIZED, PIE, *((RACE, CGO) if has_gcc() else ()), STRIPPED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        program = Writer(choices, go, race="-race" in build.flags).program()
        if build is CGO:
            program = replace(program, files={**program.files, "c.go": _C})
        return program

    def ask(self, case: Case) -> Iterator[Answer]:
        try:
            with running(case.binary, timeout=_PATIENCE) as program:
                target = open_target(program.pid)
                snapshot = take(target)
                try:
                    graph = HeapGraph(snapshot, lambda message: None)
                    yield from Judge(graph, read(program.lines)).answers()
                finally:
                    snapshot.close()
        except AssertionError as error:  # the program itself has failed
            yield wrong("the program runs", truth="it does", told=str(error))

    def peers(self, case: Case) -> Peers:
        return {}


KIND: Kind = Heaps()
