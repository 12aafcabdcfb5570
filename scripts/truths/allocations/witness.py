"""What a program says of its own allocations: the Go source that asks, and how its answer is read.

The profile of every allocation (runtime.MemProfileRate = 1) has them by line, but for small
objects without pointers that found room in a block of the tiny allocator; MemStats has those too,
for each part of the run. Both are printed where the variable TRUTH is set, so not under goprobe.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

SOURCE = """\
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"unsafe"
)

// Package variables of the first file are the first: nothing of ours is made before.
var profiled = func() bool {
	runtime.MemProfileRate = 1
	if os.Getenv("COLLECT") == "" {
		debug.SetGCPercent(-1)
	}
	debug.SetMemoryLimit(256 << 20)
	return true
}()

type part struct {
	name    string
	mallocs uint64
}

var parts = make([]part, 0, 4096)
var before, after runtime.MemStats

//go:noinline
func measure(name string, run func()) {
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	parts = append(parts, part{name, after.Mallocs - before.Mallocs})
}

// onStack says whether a pointer leads into the stack of the goroutine that asks.
//
//go:noescape
func onStack(p unsafe.Pointer) bool

var stood, lay [len(ran)]atomic.Int64

// look is part of its caller, so that what it looks at need not move.
func look(line int, p unsafe.Pointer) {
	if onStack(p) {
		stood[line].Add(1)
	} else {
		lay[line].Add(1)
	}
}

var underTest bool

func told() {
	if os.Getenv("TRUTH") == "" || underTest {
		return
	}
	for number := range ran {
		if count := ran[number].Load(); count > 0 {
			fmt.Println("ran", number, count)
		}
		if on, off := stood[number].Load(), lay[number].Load(); on+off > 0 {
			fmt.Println("lay", number, on, off)
		}
	}
	runtime.GC()
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 100000)
	count, whole := runtime.MemProfile(records, true)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	if !whole {
		fmt.Fprintln(out, "incomplete")
		return
	}
	for _, p := range parts {
		fmt.Fprintln(out, "part", p.mallocs, p.name)
	}
	for _, r := range records[:count] {
		fmt.Fprint(out, "made ", r.AllocObjects, " ", r.AllocBytes)
		frames := runtime.CallersFrames(r.Stack())
		for {
			f, more := frames.Next()
			if f.Function != "" {
				file := f.File[strings.LastIndex(f.File, "/")+1:]
				how := ""
				if f.Func == nil {
					how = "inlined "
				}
				// The runtime has functions by other packages' names: maps.clone, time.Sleep.
				folder := f.File[:max(strings.LastIndex(f.File, "/"), 0)]
				own := folder == "runtime" || strings.HasSuffix(folder, "/src/runtime")
				if own && !strings.HasPrefix(f.Function, "runtime.") {
					f.Function = "runtime." + f.Function
				}
				fmt.Fprintf(out, "\\t%s%s\\t%s:%d", how, f.Function, file, f.Line)
			}
			if !more {
				break
			}
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, "end")
}
"""
FILE = "a_witness.go"
STACK = "stack_amd64.s"
# The stack's bounds are the first words of a g (src/runtime/runtime2.go: known to the linker, too).
ASSEMBLY = """\
#include "textflag.h"

TEXT \u00b7onStack(SB), NOSPLIT, $0-9
	MOVQ (TLS), CX
	MOVQ p+0(FP), AX
	MOVB $0, ret+8(FP)
	CMPQ AX, 0(CX)
	JCS  out
	CMPQ AX, 8(CX)
	JCC  out
	MOVB $1, ret+8(FP)
out:
	RET
"""
FILES = ("main.go", "lib.go")
"""Of which it is asked, as the profile's last part of their paths."""
# A test's package is called by its path, a program's main.
_OUTSIDE = re.compile(r"\w+\.(main|told|(map\.)?init.*|Test\w+)$")
Place = tuple[str, int]
_RUNTIME = ("runtime.", "internal/runtime/", "runtime/internal/")


@dataclass(frozen=True, slots=True)
class Frame:
    function: str
    file: str
    line: int
    inlined: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A stack of the profile, innermost first, the runtime's own frames left out."""

    objects: int
    bytes: int
    frames: tuple[Frame, ...]

    @property
    def code(self) -> tuple[Frame, ...]:
        """The frames of the machine function that allocated: those inlined, and itself."""
        ends = [n for n, frame in enumerate(self.frames) if not frame.inlined]
        return self.frames[: ends[0] + 1] if ends else self.frames


@dataclass(slots=True)
class Witness:
    """`mallocs` are objects by the part of the run, small ones of shared blocks counted too."""

    records: list[Record] = field(default_factory=list)
    mallocs: Counter[str] = field(default_factory=Counter)
    executed: dict[int, int] = field(default_factory=dict)
    """How often lines were executed, by the numbers of their counters."""
    lay: dict[int, tuple[int, int]] = field(default_factory=dict)
    """How often what such lines made was seen on the stack of the goroutine, and elsewhere."""
    whole: bool = False

    @property
    def measured(self) -> int:
        """The objects of the profile that MemStats saw made as well: in a call of measure, or in
        goroutines that were started there."""
        return sum(
            record.objects
            for record in self.records
            if any(frame.function.endswith(".measure") for frame in record.frames)
            or (
                any(frame.file in FILES for frame in record.frames)
                and not any(_OUTSIDE.match(frame.function) for frame in record.frames)
            )
        )

    def lines(self) -> dict[Place, Record]:
        """What was made by each line's own code (not by what it calls)."""
        found: dict[Place, Record] = {}
        for record in self.records:
            if record.frames and record.frames[0].file in FILES:
                place = record.frames[0].file, record.frames[0].line
                known = found.get(place, Record(0, 0, record.frames[:1]))
                found[place] = Record(
                    known.objects + record.objects, known.bytes + record.bytes, known.frames
                )
        return found


def read(output: str) -> Witness:
    witness = Witness()
    for line in output.splitlines():
        word, _, rest = line.partition(" ")
        if word == "part":
            count, name = rest.split(" ", 1)
            witness.mallocs[name] += int(count)
        elif word == "ran":
            number, count = rest.split()
            witness.executed[int(number)] = int(count)
        elif word == "lay":
            at, on, off = map(int, rest.split())
            witness.lay[at] = on, off
        elif word == "made":
            counts, *frames = rest.split("\t")
            objects, size = map(int, counts.split())
            pairs = list(zip(frames[::2], frames[1::2], strict=True))
            if ("runtime.gcStart" in frames[::2]) and "runtime.GC" not in frames[::2]:
                continue  # an allocation has started the collector, which made this for itself
            witness.records.append(Record(objects, size, tuple(_frames(pairs))))
        elif word == "end":
            witness.whole = True
    return witness


def _frames(pairs: list[tuple[str, str]]) -> list[Frame]:
    found: list[Frame] = []
    for function, place in pairs:
        file, _, line = place.rpartition(":")
        name = function.removeprefix("inlined ")
        if found or not name.startswith(_RUNTIME):
            found.append(Frame(name, file, int(line), name != function))
    return found
