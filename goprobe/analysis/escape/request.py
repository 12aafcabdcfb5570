"""What `goprobe escape` is asked."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

import msgspec

from goprobe.toolchain.build import Progress


class Mode(Enum):
    PROGRAM = auto()
    TEST = auto()


class EscapeRequest(msgspec.Struct, frozen=True):
    """What to look at and how. `hits` results of each call are inspected; every `check_pointers`
    hits globals and heap are swept for pointers into stacks (0: at the end only). `run` and
    `bench` are the regular expressions of `go test`; `deep` takes in every package's code.
    """

    targets: tuple[str, ...]
    mode: Mode = Mode.PROGRAM
    run: str = ""
    bench: str = ""
    static: bool = False
    args: tuple[str, ...] = ()
    hits: int = 32
    check_pointers: int = 0
    deep: bool = False
    go: str = ""
    flags: tuple[str, ...] = ()
    timeout: float | None = None
    stdout: int = 1
    stderr: int = 2
    cwd: Path = msgspec.field(default_factory=Path.cwd)
    progress: Progress | None = None
