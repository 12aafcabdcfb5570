"""The runtime's own programs that lose goroutines, built where they lie for any release.

Go 1.26 and 1.27 have them in src/runtime/testdata/testgoroutineleakprofile: a case for each way of
waiting, common patterns, and GoKer, bugs of real programs. From 1.26 on the runtime tells itself
who is lost; of earlier releases the same program's word on a later one is the truth.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from msgspec import UNSET

from goprobe.analysis.waits.waits import leaked
from goprobe.errors import TargetGoneError
from goprobe.model.attached import GoroutinesReport
from goprobe.target.live import open_target
from tests.support.go import Running, running, toolchain

FOLDERS = ("", "goker")
EXPERIMENT = {"1.26": {"GOEXPERIMENT": "goroutineleakprofile"}}
NEWEST = "1.27"
BATCH = 8
SETTLED = 0.8  # seconds
_LANGUAGE = "1.21"
"""Of all of them, so that it is one program: loops' variables are others since 1.22."""
_LOST = re.compile(r"goroutine (\d+)(?: \S+=\S+)* \[[^\]]*\(leaked\)")
_MADE = re.compile(r"^created by (main\.)?.*\n\t\S*/(\S+\.go):(\d+)\b", re.MULTILINE)
_STEADY = re.compile(r'\bmakeTest\("(\w+)"')
_MAIN_GOROUTINE = 1

_MAIN = """package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/pprof"
)

const yieldCount = 10

var cmds = map[string]func(){}

// What releases up to 1.25 do not have.
var _ = known("goroutineleak")

func known(name string) *pprof.Profile {
	if found := pprof.Lookup(name); found != nil {
		return found
	}
	return pprof.NewProfile(name)
}

func register(name string, f func()) { cmds[name] = f }

func registerInit(name string, f func()) {
	if len(os.Args) > 1 && os.Args[1] == name {
		f()
	}
}

func main() {
	out := os.Stdout
	os.Stdout = os.Stderr
	if len(os.Args) < 2 {
		for name := range cmds {
			fmt.Fprintln(out, "case", name)
		}
	} else {
		go cmds[os.Args[1]]()
	}
	fmt.Fprintln(out, "ready")
	in := bufio.NewReader(os.Stdin)
	for {
		if _, err := in.ReadString('\\n'); err != nil {
			return
		}
		pprof.Lookup("goroutineleak").WriteTo(out, 2)
		fmt.Fprintln(out, "\\nend of leaks")
	}
}
"""


def sources(folder: str, go: str = NEWEST) -> Path:
    return toolchain(go).parents[1] / "src/runtime/testdata/testgoroutineleakprofile" / folder


def cases(go: str, folder: str, where: Path, of: str = NEWEST) -> Path:
    """The program, with a main function that says when it may be looked at; the sources are those
    of the release `of`."""
    where.mkdir(parents=True, exist_ok=True)
    binary, overlay = where / "cases", where / "overlay.json"
    (where / "go.mod").write_text(f"module cases\n\ngo {_LANGUAGE}\n")
    (where / "main.go").write_text(_MAIN)
    files = {where / f.name: f for f in sources(folder, of).glob("*.go") if f.name != "main.go"}
    overlay.write_text(json.dumps({"Replace": {str(at): str(f) for at, f in files.items()}}))
    fixed = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}
    subprocess.run(
        [toolchain(go), "build", "-overlay", overlay, "-o", binary, "."],
        check=True,
        cwd=where,
        env={**os.environ, **EXPERIMENT.get(go, {}), **fixed},
        timeout=300,
    )
    return binary


def case_names(binary: Path) -> list[str]:
    with running(binary) as program:
        return sorted(line.split()[1] for line in program.lines if line.startswith("case "))


def steady() -> frozenset[str]:
    """The cases that the runtime's own test takes to lose the same goroutines each time."""
    source = toolchain(NEWEST).parents[1] / "src/runtime/goroutineleakprofile_test.go"
    return frozenset(_STEADY.findall(source.read_text()))


def started(binary: Path, chosen: Sequence[str]) -> Iterator[tuple[str, Running]]:
    """The cases, some at a time, each when it had time to lose whom it loses."""
    for first in range(0, len(chosen), BATCH):
        with ExitStack() as stack:
            batch = {
                name: stack.enter_context(running(binary, name))
                for name in chosen[first : first + BATCH]
            }
            time.sleep(SETTLED)
            yield from batch.items()


def profile(program: Running) -> list[str]:
    """The runtime's own words on each goroutine that it finds to be lost, now."""
    program.say("leaks")
    text = "\n".join(program.read_until("end"))
    return [part for part in text.split("\n\n") if _LOST.match(part)]


def numbers(told: Iterable[str]) -> set[int]:
    """Of those. The main goroutine is told only by Go 1.26 where it waits for ever on purpose."""
    found = (_LOST.match(part) for part in told)
    return {int(match[1]) for match in found if match} - {_MAIN_GOROUTINE}


def places(told: Iterable[str]) -> frozenset[str]:
    """The `go` statements that made those, "file.go:7" (of a package of Go's, whose lines are
    others in each release, the file alone): where they stand is chance in some."""
    found = ((_LOST.match(part), _MADE.search(part)) for part in told)
    kept = (at for lost, at in found if lost and at and int(lost[1]) != _MAIN_GOROUTINE)
    return frozenset(_place(bool(at[1]), at[2], int(at[3])) for at in kept)


def places_of(report: GoroutinesReport) -> frozenset[str]:
    """The same of those that goprobe tells."""
    made = (s.created_at for s in report.goroutines if s.leaked)
    return frozenset(
        "?" if at is UNSET else _place(at.function.startswith("main."), at.file, at.line)
        for at in made
    )


def _place(own: bool, file: str, line: int) -> str:
    name = Path(file).name
    return f"{name}:{line}" if own else name


def of_runtime(binary: Path, chosen: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """What the runtime says, by case; a program that ends by itself is left out."""
    return {
        name: places(profile(program))
        for name, program in started(binary, chosen)
        if program.process.poll() is None
    }


def of_goprobe(binary: Path, chosen: Sequence[str]) -> Mapping[str, frozenset[str]]:
    said: dict[str, frozenset[str]] = {}
    for name, program in started(binary, chosen):
        try:
            said[name] = places_of(leaked(open_target(program.pid)))
        except TargetGoneError:
            continue
    return said


class Truth:
    """What the newest runtime says of the cases, over several runs: who is lost `always`, and who
    `ever` was."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self.always: dict[str, frozenset[str]] = {}
        self.ever: dict[str, frozenset[str]] = {}

    def run(self, chosen: Sequence[str]) -> None:
        for name, said in of_runtime(self._binary, chosen).items():
            self.always[name] = self.always.get(name, said) & said
            self.ever[name] = self.ever.get(name, said) | said

    def wrong(self, told: Mapping[str, frozenset[str]]) -> dict[str, str]:
        """Where goprobe says something else of the same cases on another release."""
        found: dict[str, str] = {}
        for name in told.keys() & self.ever.keys():
            if more := told[name] - self.ever[name]:
                found[name] = f"told, and never by the runtime: {', '.join(sorted(more))}"
            elif less := self.always[name] - told[name]:
                found[name] = f"not told, and always by the runtime: {', '.join(sorted(less))}"
        return found
