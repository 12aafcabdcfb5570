"""Random programs that allocate: types, helpers that are inlined, functions, promises, a main."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.truths.allocations import hot, witness
from scripts.truths.allocations.flow import statements
from scripts.truths.allocations.writing import ELEMENTS, Body, Shared
from scripts.truths.choices import Choices
from scripts.truths.kind import Program

MAIN = "main.go"
_PACKAGES = ("bytes", "errors", "fmt", "io", "maps", "os", "runtime", "runtime/debug", "slices",
             "sort", "strconv", "strings", "sync", "sync/atomic", "time", "truth/lib",
             "unsafe")  # fmt: skip
TESTS = "main_test.go"
_TESTS = """\
package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	underTest = true
	code := m.Run()
	underTest = false
	told()
	os.Exit(code)
}

func TestProgram(t *testing.T) { main() }

func BenchmarkWork(b *testing.B) {
	measure("bench", func() {
		for i := 0; i < b.N; i++ {
			global += work0(3, "abc", bytesOf)
		}
	})
}
"""
LIB = "lib/lib.go"
_LIB = """\
package lib

import "fmt"

type Pair struct{ a, b *int }

func New(n int) *int { return &n }
func Bytes(n int) []byte { return make([]byte, n) }
func Join(a, b string) string { return a + b }

func Point(n int) *Pair { return &Pair{New(n), nil} }

//go:noinline
func Fill(n int) []int {
	var filled []int
	for i := 0; i < n; i++ {
		filled = append(filled, i)
	}
	return filled
}

func Any(n int) any { return n }

type Inner struct {
	Depth int
	Label string
}
type Options struct {
	Limit int
	In    Inner
	At    *Inner
	List  []Inner
}

var Width, Name = 70000, "the name of a package variable"
var Kept []any
var Default = Options{5000, Inner{6000, Name}, &Inner{7000, Name}, []Inner{{8000, Name}}}

//go:noinline
func Keep(things ...any) int {
	Kept = things
	return len(things)
}

//go:noinline
func Use(things ...any) int { return len(things) }

//go:noinline
func TwoApart(n int) (string, int) { return Name, n + 1000 }

func Tell(n int) int { return Keep(n) }
func TellAgain(n int) int { return Tell(n + 1) }
func TellAny(n int) int { return Keep(any(n)) }
func TellBoth(n int, s string) int { return Keep(n, s) }
func Text(n int) int { return len(fmt.Sprint(n)) }
func Add(a, b int) int { return a + b + 1000 }
func Two(n int) (int, string) { return n + 1000, Name }
func (o Options) Show() int { return Keep(o.Limit, o.In.Label) }
func (o *Options) ShowAt() int { return Keep(o.At.Depth) }
func (o *Options) Sum(n int) int { return o.Limit + n }
"""
_MANY = 1000
_WORDS = ("noalloc", "heap", "stack")

_HELPERS = Path(__file__).with_name("helpers.go.txt").read_text()
_RANGE_FUNCTION = """
func upTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}
"""
_CALLS = ('3, "abc", []byte("de")', "5, long, []byte(long)", '0, "", nil', '40, "x", bytesOf')


@dataclass(frozen=True, slots=True)
class Way:
    """How goprobe is asked, and how the program runs. `mode` is "program", "test" or "bench"."""

    mode: str = "program"
    options: tuple[str, ...] = ()
    targets: tuple[str, ...] = (".",)
    processors: int = 1

    @property
    def named(self) -> tuple[str, ...]:
        """The files of which goprobe is to know everything."""
        return (
            witness.FILES
            if "--deep" in self.options or "./..." in self.targets
            else witness.FILES[:1]
        )

    @property
    def command(self) -> list[str]:
        """What goprobe is given."""
        mode = {"program": [], "test": ["--test"], "bench": ["--bench", "."]}[self.mode]
        arguments = ["--", "-test.benchtime=20x"] if self.mode == "bench" else []
        return ["escape", *mode, *self.options, *self.targets, *arguments]


def write(choices: Choices, release: tuple[int, int], race: bool) -> Program:
    shared = Shared(choices, release, race)
    types = [_struct(shared) for _ in range(choices.between(0, 3))]
    functions = [_function(shared, number) for number in range(choices.between(1, 8))]
    main = _main(shared)
    text = "\n".join(
        [
            *types,
            _promising(choices, _HELPERS),
            *([_RANGE_FUNCTION] if release >= (1, 23) else []),
            *(f"var {name} {kind}" for kind, name in shared.sinks.items()),
            f"var ran [{shared.lines + 1}]atomic.Int64",
            "",
            *functions,
            main,
        ]
    )
    imports = [
        f'\t"{name}"'
        for name in _PACKAGES
        if re.search(rf"\b{name.rpartition('/')[2]}\.[A-Z]", text)
    ]
    head = "\n".join(["package main", "", "import (", *imports, ")", ""])
    files = {
        MAIN: f"{head}\n{text}\n",
        witness.FILE: witness.SOURCE,
        witness.STACK: witness.ASSEMBLY,
        TESTS: _TESTS,
        LIB: _promising(choices, _LIB),
    }
    way = _way(choices)
    if choices.chance(15):
        files[hot.FILE] = hot.profile(choices, f"{head}\n{text}\n")
    if not re.search(r"\blib\.", text):
        del files[LIB]
        way = replace(way, targets=(".",))
    files[MAIN] = f"// {' '.join(way.command)}; GOMAXPROCS={way.processors}\n{files[MAIN]}"
    return Program(files, {"way": way})


def _way(choices: Choices) -> Way:
    mode = choices.weighted((6, "program"), (2, "test"), (1, "bench"))
    options = [
        *choices.one_of(((), (), ("--hits", "1"), ("--hits", "0"), ("--hits", "2000"))),
        *choices.one_of(((), (), (), ("--check-pointers", "97"))),
        *choices.one_of(((), (), (), ("--deep",))),
    ]
    targets = choices.one_of(((".",), ("./...",))) if mode == "program" else (".",)
    return Way(mode, tuple(options), targets, choices.one_of((1, 4)))


def _promising(choices: Choices, text: str) -> str:
    """Go source with promises above some of its functions of one line."""
    return "\n".join(
        f"//goprobe:{choices.one_of(_WORDS)}\n{line}"
        if line.startswith("func ") and line.endswith("}") and choices.chance(10)
        else line
        for line in text.split("\n")
    )


def _struct(shared: Shared) -> str:
    name = f"T{len(shared.structs)}"
    fields = [
        f"\tf{i} {shared.choices.one_of((*ELEMENTS, *shared.structs))}"
        for i in range(shared.choices.between(0, 5))
    ]
    shared.structs.append(name)
    return "\n".join([f"type {name} struct {{", *fields, "}", ""])


def _function(shared: Shared, number: int) -> str:
    """A function, perhaps with promises above it and at the end of its lines."""
    choices, name = shared.choices, f"work{number}"
    body = Body(shared)
    statements(body, choices.between(1, 9))
    for at in body.marks:
        if choices.chance(10) and "{" not in body.lines[at][-1:]:
            body.lines[at] += f" //goprobe:{choices.one_of(_WORDS)}"
    head = []
    if choices.chance(30):
        head += [f"//goprobe:{choices.one_of(_WORDS)}", "//"]
    if choices.chance(60):
        head.append("//go:noinline")
    shared.costs[name] = body.cost
    return "\n".join(
        [
            *head,
            f"func {name}(n int, s string, b []byte) int {{",
            "\tacc := n",
            *body.lines,
            "\treturn acc",
            "}",
            "",
        ]
    )


def _main(shared: Shared) -> str:
    """Calls each function some times, and measures each call."""
    lines = ['var bytesOf = []byte("bytes")', "", "func main() {"]
    choices = shared.choices
    for name, cost in shared.costs.items():
        for _ in range(choices.between(1, 2)):
            arguments = choices.one_of(_CALLS)
            times = choices.one_of((1, 2, 40) if cost < _MANY else (1, 2))
            call = f"global += {name}({arguments})"
            if times > 1:
                call = f"for i := 0; i < {times}; i++ {{ {call} }}"
            if not shared.race and choices.chance(15):
                call = f"atOnce(func() {{ {call} }})"
            lines.append(f'\tmeasure("{name}", func() {{ {call} }})')
    return "\n".join([*lines, "\ttold()", "}"])
