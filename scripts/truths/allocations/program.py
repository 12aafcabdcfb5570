"""Random programs that allocate: types, helpers that are inlined, functions, promises, a main."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from scripts.truths.allocations import witness
from scripts.truths.allocations.statements import statements
from scripts.truths.allocations.writing import ELEMENTS, Body, Shared
from scripts.truths.choices import Choices
from scripts.truths.kind import Program

MAIN = "main.go"
_PACKAGES = ("bytes", "errors", "fmt", "io", "maps", "os", "runtime", "slices", "sort", "strconv",
             "strings", "sync", "sync/atomic", "truth/lib")  # fmt: skip
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
"""
_MANY = 1000
_WORDS = ("noalloc", "heap", "stack")

_HELPERS = """\
type receiver struct{ n int }

func (r receiver) value() int { return r.n }

//go:noinline
func (r *receiver) pointer() int { return r.n }

var global, globals, empty, long = 1, []int{3, 1, 2}, "", "a longer string, of more than 32 bytes"
var globalString, runes = "global", []rune("rünes of a text that is longer than the buffer")
var index = map[string]int{"a": 1}
var pool = sync.Pool{New: func() any { return new([64]int) }}

//go:noinline
func isNil(is bool) int {
	if is {
		return 1
	}
	return 0
}

//go:noinline
func sum(numbers ...int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}

//go:noinline
func count(things ...any) int { return len(things) }

//go:noinline
func keepAll(things ...any) int {
	kept = things
	return len(things)
}

//go:noinline
func keepInts(numbers ...int) int {
	keptInts = numbers
	return len(numbers)
}

//go:noinline
func run(f func()) { f() }

//go:noinline
func sorted(numbers []int) int {
	copied := append([]int(nil), numbers...)
	sort.Slice(copied, func(i, j int) bool { return copied[i] < copied[j] })
	return copied[0]
}

func built(s string, n int) int {
	var builder strings.Builder
	for i := 0; i < n; i++ {
		builder.WriteString(s)
	}
	return builder.Len()
}

type valuer interface{ value() int }
type number int

func (n number) value() int { return int(n) }

//go:noinline
func through(v valuer) int { return v.value() }

func done(group *sync.WaitGroup, things ...any) { group.Done() }

type list[E any] struct{ items []E }

func (l *list[E]) push(item E) { l.items = append(l.items, item) }

type link struct {
	value int
	next  *link
}

func chain(n int) *link {
	if n == 0 {
		return &link{}
	}
	return &link{n, chain(n - 1)}
}

//go:noinline
func fill(n int) int {
	room := make([]int, n+1)
	if n > 0 {
		room[n] = fill(n - 1)
	}
	return len(room)
}

var held any
//go:noinline
func atOnce(f func()) {
	var group sync.WaitGroup
	for i := 0; i < 3; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			f()
		}()
	}
	group.Wait()
}

var kept []any
var keptInts []int

func pointerTo[E any](v E) *E { return &v }
func sliceOf[E any](n int) []E { return make([]E, n) }
func boxed[E any](v E) any { return v }
func listOf[E any](v ...E) []E { return v }

func inlineNew(n int) *int { return &n }
func inlineSlice(n int) []int { return make([]int, n) }
func inlineConcat(a, b string) string { return a + b }
func inlineBox(n int) any { return n }
func inlineTwice(n int) *int { return inlineNew(inlineSlice(n + 1)[n]) }
func inlineAppend(to []int, n int) []int { return append(to, n) }
func inlineClosure(n int) func() int { return func() int { n++; return n } }
func inlineBytes(s string) []byte { return []byte(s) }
"""
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
        return witness.FILES if "--deep" in self.options or "./..." in self.targets else witness.FILES[:1]

    @property
    def command(self) -> list[str]:
        """What goprobe is given."""
        mode = {"program": [], "test": ["--test"], "bench": ["--bench", "."]}[self.mode]
        arguments = ["--", "-test.benchtime=20x"] if self.mode == "bench" else []
        return ["escape", *mode, *self.options, *self.targets, *arguments]


def write(choices: Choices, release: tuple[int, int], race: bool) -> Program:
    shared = Shared(choices, release, race)
    types = [_struct(shared) for _ in range(choices.between(0, 3))]
    functions = [_function(shared, number) for number in range(choices.between(1, 5))]
    main = _main(shared)
    text = "\n".join([
        *types, _promising(choices, _HELPERS), *([_RANGE_FUNCTION] if release >= (1, 23) else []),
        *(f"var {name} {kind}" for kind, name in shared.sinks.items()),
        f"var ran [{shared.lines + 1}]atomic.Int64", "", *functions, main,
    ])  # fmt: skip
    imports = [
        f'\t"{name}"'
        for name in _PACKAGES
        if re.search(rf"\b{name.rpartition('/')[2]}\.[A-Z]", text)
    ]
    head = "\n".join(["package main", "", "import (", *imports, ")", ""])
    files = {
        MAIN: f"{head}\n{text}\n", witness.FILE: witness.SOURCE, TESTS: _TESTS,
        LIB: _promising(choices, _LIB),
    }  # fmt: skip
    way = _way(choices)
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
    statements(body, choices.between(1, 6))
    for at in body.marks:
        if choices.chance(10) and "{" not in body.lines[at][-1:]:
            body.lines[at] += f" //goprobe:{choices.one_of(_WORDS)}"
    head = []
    if choices.chance(30):
        head += [f"//goprobe:{choices.one_of(_WORDS)}", "//"]
    if choices.chance(60):
        head.append("//go:noinline")
    shared.costs[name] = body.cost
    return "\n".join([
        *head, f"func {name}(n int, s string, b []byte) int {{", "\tacc := n", *body.lines,
        "\treturn acc", "}", "",
    ])  # fmt: skip


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
