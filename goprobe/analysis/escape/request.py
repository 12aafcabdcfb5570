"""What `goprobe escape` is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto
from pathlib import Path

import msgspec

from goprobe.analysis.escape.promises import promise_named
from goprobe.errors import UsageError
from goprobe.process.tracer.limits import MOST_INSPECTED
from goprobe.toolchain.build import Progress
from goprobe.toolchain.escapebuild import EscapeBuild

MOST_RUNS = 1000
_TESTS = ("Test", "Example", "Fuzz")
_BENCHMARKS = ("Benchmark",)
_ANYTHING = ("", ".", ".*")
_ALTERNATIVES = re.compile(r"\|(?![^()]*\))(?![^\[\]]*\])")  # those in no bracket


FEW_HITS = 32
"""Who asks for more wants to have them looked at."""


class Mode(Enum):
    PROGRAM = auto()
    TEST = auto()


class EscapeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at and how. `hits` results of each call are inspected (of FEW_HITS at most fewer
    where these are alike); every `check_pointers` hits globals and heap are swept for pointers into
    stacks (0: at the end only). `run` and `bench` are the regular expressions of `go test`; `deep`
    takes in every package's code; `repeat` is how often it is run, `promises` are such as
    "pkg.F noalloc deep"; `files` are the names and patterns of files that alone will be told of.
    `at_once` is how many packages are looked at at a time, each in a process
    forked from this one: for who has no threads that such a one would miss.
    """

    targets: tuple[str, ...]
    mode: Mode = Mode.PROGRAM
    run: str = ""
    bench: str = ""
    static: bool = False
    args: tuple[str, ...] = ()
    hits: int = FEW_HITS
    check_pointers: int = 0
    deep: bool = False
    repeat: int = 1
    promises: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    go: str = ""
    flags: tuple[str, ...] = ()
    timeout: float | None = None
    stdout: int = 1
    stderr: int = 2
    cwd: Path = msgspec.field(default_factory=Path.cwd)
    progress: Progress | None = None
    at_once: int = 1


def require_sense(request: EscapeRequest) -> None:
    """Raises UsageError for what cannot be asked."""
    if request.static and (request.bench or request.run):
        raise UsageError("--static runs nothing: it does not go with --run or --bench")
    if not 0 <= request.hits <= MOST_INSPECTED:
        raise UsageError(f"--hits takes numbers from 0 to {MOST_INSPECTED:,}")
    if not 1 <= request.repeat <= MOST_RUNS:
        raise UsageError(f"--repeat takes numbers from 1 to {MOST_RUNS}")
    if request.check_pointers < 0:
        raise UsageError("--check-pointers takes numbers from 0 on")
    for text in request.promises:
        promise = promise_named(text)
        if promise.problem or "." not in promise.named:
            why = promise.problem or "a function is named with its package, as main.F"
            raise UsageError(f"--promise {text!r}: {why.removeprefix('--promise ')}")


def require_tests(request: EscapeRequest, builds: Iterable[EscapeBuild]) -> None:
    """Raises UsageError where a regular expression matches no test, or no benchmark, of any: `go
    test` runs nothing then, which would pass for having run well. "." asks for all there are; with
    benchmarks people ask for no test at all (`-run '^$'`)."""
    wanted = {"--run": (request.run, _TESTS), "--bench": (request.bench, _BENCHMARKS)}
    asked = {option: how for option, how in wanted.items() if how[0] not in _ANYTHING}
    if request.bench:
        asked.pop("--run", None)
    if not asked:
        return
    # Brings along what reads binaries: it is there once the builds are.
    from goprobe.binary.elf.elf import ElfFile
    from goprobe.binary.pcln.find import open_line_table

    # One binary after the other, and no more than it takes: of many packages the names alone are
    # some hundred MB.
    for build in builds:
        names = open_line_table(ElfFile(build.binary, shown_as=build.program.path)).names()
        short = {name.rpartition(".")[2] for name in names}
        for option, (pattern, prefixes) in tuple(asked.items()):
            if any(name.startswith(prefixes) and _matches(pattern, name) for name in short):
                del asked[option]
        if not asked:
            return
    for option, (pattern, prefixes) in asked.items():
        what = "benchmark" if prefixes is _BENCHMARKS else "test"
        raise UsageError(f"{option} {pattern} matches no {what} of {' '.join(request.targets)}")


def _matches(pattern: str, name: str) -> bool:
    """As testing.(*matcher).fullName has it (testing/match.go, Go 1.21 to 1.27): "/" parts the
    expressions of a test's name from those of its subtests, "|" alternatives of the whole."""
    try:
        return any(re.search(part.partition("/")[0], name) for part in _ALTERNATIVES.split(pattern))
    except re.error:
        return True  # of Go's syntax, perhaps
