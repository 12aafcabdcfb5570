"""What a kind of program provides."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scripts.truths.answer import Answer, Peers
from scripts.truths.choices import Choices


@dataclass(frozen=True, slots=True)
class Build:
    """How a program is built: `flags` for `go build`, with cgo where `cgo` says so (-race), by the
    C compiler `cc`. A build whose compiler is not here is left out."""

    name: str
    flags: tuple[str, ...] = ()
    cgo: bool = False
    cc: str = "gcc"

    @property
    def possible(self) -> bool:
        return not self.cgo or shutil.which(self.cc) is not None


PLAIN = Build("plain")
UNOPTIMIZED = Build("-N -l", ("-gcflags=all=-N -l",))
NOT_INLINED = Build("-l", ("-gcflags=-l",))
PIE = Build("PIE", ("-buildmode=pie",))
TAGGED = Build("-tags extra", ("-tags=extra",))
RACE = Build("-race", ("-race",), cgo=True)
STRIPPED = Build("stripped", ("-ldflags=-s -w",))
UNSOURCED = Build("no source", ("-trimpath",))
"""Its debug information names its files as they lie nowhere."""
CGO = Build("cgo", cgo=True)
MUSL = Build("musl", cgo=True, cc="musl-gcc")


def release(go: str) -> tuple[int, int]:
    """(1, 27) of "1.27"."""
    major, minor = map(int, go.split("."))
    return major, minor


@dataclass(frozen=True, slots=True)
class Program:
    """Go sources by file name (go.mod is added), and what the kind wants to know of them later.
    `built`: a binary is wanted before goprobe is asked; else goprobe alone builds it."""

    files: Mapping[str, str]
    notes: Mapping[str, object] = field(default_factory=dict)
    built: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """A program as it was built, ready to be asked about. `binary` is there where the program says
    that one is wanted."""

    program: Program
    directory: Path
    binary: Path
    build: Build
    go: str
    """The release, "1.27"."""
    go_tool: Path


class Kind(Protocol):
    """One of the kinds. `write` is a pure function of the choices; what it writes compiles on
    every release named by `releases`, and ends by itself or when its standard input closes."""

    name: str
    builds: tuple[Build, ...]

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        """A program for this release and build (Go 1.21 has no range over functions)."""
        ...

    def ask(self, case: Case) -> Iterator[Answer]:
        """Run goprobe on it and hold each thing told against the program's own word.

        An error of goprobe that is not one of its documented refusals is an answer WRONG.
        """
        ...

    def peers(self, case: Case) -> Peers:
        """Of the same places: what others tell; {} where there is none."""
        ...
