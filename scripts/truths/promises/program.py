"""Modules of some packages, each a program of many functions that promise something.

A package's functions are called with arguments that lead through all that they have; MemStats says
what was allocated while one ran, and the writer knows which of its lines could.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.truths.choices import Choices
from scripts.truths.kind import Program
from scripts.truths.promises.ingredients import ALL, Ingredient, Makes

MODULE = "truth"
_SUPPORT = Path(__file__).with_name("support.go.txt").read_text()
_UP_TO = """
func upTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

//go:noinline
func pulled(n int) int {
	next, stop := iter.Pull(upTo(n))
	defer stop()
	sum := 0
	for k, ok := next(); ok; k, ok = next() {
		sum += k
	}
	return sum
}

var changingSeq = upTo

func reassignSeq() {
	if len(os.Args) > 100 {
		changingSeq = nil
	}
}
"""
_IMPORTS = ("bytes", "encoding/binary", "errors", "fmt", "io", "maps", "math", "math/bits", "os",
            "runtime", "slices", "strconv", "strings", "sync", "sync/atomic",
            "unicode/utf8")  # fmt: skip
_MAIN = """\
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

%s)

type asked struct {
	name string
	run  func(n int, s string, b []byte)
}

var made []uint64
var before, after runtime.MemStats

//go:noinline
func measure(run func(int, string, []byte), n int, s string, b []byte) uint64 {
	runtime.ReadMemStats(&before)
	run(n, s, b)
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

func main() {
	debug.SetGCPercent(-1)
	runtime.GC()
	all := []asked{
%s	}
	long := "a string that has more than thirty-two bytes"
	made = make([]uint64, len(all))
%s	for i, a := range all {
		for round := 0; round < 3; round++ {
			made[i] += measure(a.run, 3, "abc", []byte("de"))
			made[i] += measure(a.run, 0, "", nil)
			made[i] += measure(a.run, 50, long, []byte(long))
		}
	}
	if os.Getenv("TRUTH") != "" {
%s		for i, a := range all {
			fmt.Println("made", made[i], a.name)
		}
		fmt.Println("end")
	}
}
"""
# The number is each time another one: where the compiler knows what a condition before it decided,
# it leaves the code out, and nothing of it is there to be judged.
_CONDITIONS = ("n % {} > 3", "n % {} == 0", "len(s) % {} > 0", "(n + len(b)) % {} > 2")
_BLOCKS = ("if", "for", "switch")
_LITERAL_LINE = re.compile(r"\bfunc\(")
_WORDS = (
    (4, "noalloc deep"),
    (4, "noalloc"),
    (1, "nodynamic"),
    (1, "noassert"),
    (1, "nodynamic deep"),
    (1, "noassert deep"),
    (1, "nosplit"),
    (1, "nosplit deep"),
    (1, "noalloc except panics"),
    (1, "noalloc deep except panics"),
    (1, "noalloc deep after the first call"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """Where an ingredient stands; `allowed`: its allocations are exempt."""

    number: int
    ingredient: Ingredient
    allowed: bool
    counter: str
    """Under which the program counts how often it comes here."""


@dataclass(frozen=True, slots=True)
class Promised:
    """`line` is the comment's, 0 for one of the command line; `of` are the lines of which it
    speaks, `whole`: all of the function named."""

    file: str
    line: int
    text: str
    function: str
    of: tuple[Line, ...]
    whole: bool
    inlined: bool = False
    """Whether its function may be inlined: the stack is then checked by another's code."""


@dataclass(slots=True)
class _File:
    choices: Choices
    name: str
    release: tuple[int, int]
    text: list[str] = field(default_factory=list)
    promised: list[Promised] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """Go expressions of what main is to measure."""
    counters: int = 0
    units: list[Ingredient] = field(default_factory=list)
    """Calls of functions that stand before."""


def write(choices: Choices, release: tuple[int, int]) -> Program:
    files = [_package(choices, f"p{n}", release) for n in range(choices.between(1, 10))]
    imports = "".join(f'\t"{MODULE}/{f.name}"\n' for f in files)
    asked = "".join(f"\t\t{{{call}}},\n" for f in files for call in f.calls)
    counts = "".join(
        f'\t\tfor i, k := range {f.name}.Ran {{ fmt.Println("ran", "{f.name}", i, k) }}\n'
        for f in files
    )
    setup = "".join(f"\t{f.name}.Reassign()\n" for f in files)
    texts = {f"{f.name}/{f.name}.go": "\n".join(f.text) + "\n" for f in files}
    texts |= {f"{f.name}/{t}.go": _tagged(f.name, t) for f in files for t in ("plain", "extra")}
    promised = [p for f in files for p in f.promised]
    static = choices.chance(10)
    return Program(
        {"main.go": _MAIN % (imports, asked, setup, counts), **texts},
        {"promised": promised, "static": static},
        built=static,
    )


def _tagged(package: str, tag: str) -> str:
    """What a build tag chooses: it is loud or quiet."""
    constraint, body = ("extra", "return loud(n)") if tag == "extra" else ("!extra", "return n")
    function = f"//go:noinline\nfunc tagged(n int) int {{ {body} }}"
    return f"//go:build {constraint}\n\npackage {package}\n\n{function}\n"


def _package(choices: Choices, name: str, release: tuple[int, int]) -> _File:
    support = _SUPPORT + (_UP_TO if release >= (1, 23) else "")
    file = _File(choices, name, release)
    imports = [f'\t"{path}"' for path in _IMPORTS]
    uses = [
        "var _, _, _, _, _ = bytes.Equal, binary.LittleEndian, errors.New, fmt.Sprint, math.Sqrt",
        "var _, _, _, _ = bits.LeadingZeros64, slices.Sort[[]int], strconv.Itoa, utf8.RuneLen",
        "var _, _, _ = strings.Index, atomic.AddInt64, maps.Clone[map[string]int]",
        "var _ = io.Discard",
        "var Sum int",
    ]
    if release >= (1, 23):
        imports.append('\t"iter"')
    file.text = [f"package {name}", "", "import (", *imports, ")", "", *uses, *support.split("\n")]
    for number in range(choices.between(1, 12)):
        _unit(file, number)
    file.text.append(f"var Ran [{file.counters}]int")
    return file


_BY_INTERFACE = "interface {{ {n}(int, string, []byte) int }}"
_VARIABLE = "var "
_FORMS = (
    (6, ("func {n}(", "{p}.{n}", "")),
    (2, ("func (t *T) {n}(", "{p}.At.{n}", "")),
    (1, ("func (t T) {n}(", "{p}.At.{n}", "")),
    (2, ("func {n}[E int | string](e E, ", "", "")),
    # By wrappers, into which the compiler puts what is small.
    (2, ("func (t T) {n}(", "{p}.By{n}.{n}", f"var By{{n}} {_BY_INTERFACE} = T{{{{7}}}}")),
    (
        1,
        ("func (t *T) {n}(", "{p}.By{n}.{n}", f"var By{{n}} {_BY_INTERFACE} = embeds{{{{T: At}}}}"),
    ),
    (1, ("func (t T) {n}(", "{p}.Value{n}", "var Value{n} = At.{n}")),
    (2, ("func (g *bag[E]) {n}(", "{p}.Bag.{n}", "")),
    # What is in no function: of the literal alone the promise speaks.
    (1, (f"{_VARIABLE}{{n}} = func(", "{p}.{n}", "")),
)
"""How a function begins, what calls it, and the variable that this needs."""


def _unit(file: _File, number: int) -> None:
    """A function, its promises and what measures it."""
    choices, name = file.choices, f"Unit{number}"
    head, called, by = choices.weighted(*_FORMS)
    lines = _body(file, choices.between(1, 5))
    variable = head.startswith(_VARIABLE)
    inlined = choices.chance(25) or variable
    full = f"{MODULE}/{file.name}.{_receiver(head)}{name}"
    comment, named = "", list[str]()
    for _ in range(choices.weighted((5, 1), (3, 2), (1, 0))):
        text = choices.weighted(*_WORDS)
        if choices.chance(20) and not variable:
            named.append(f"{text} {full}")
        else:
            comment = comment or text
    if choices.chance(8):  # what follows is called otherwise
        file.text += ["", f"//line {file.name}_{number}.y:{choices.between(1, 500)}"]
    file.text += ["", *([f"//goprobe:{comment}"] if comment else [])]
    at = len(file.text)
    if not inlined:
        file.text += [*(["//"] if comment else []), "//go:noinline"]
    file.text += [f"{head.format(n=name)}n int, s string, b []byte) int {{", "\tacc := n"]
    moved = _moved(file, head) if choices.chance(12) else ()
    placed, extra = _written(file, lines)
    placed = (*moved, *placed)
    file.text += ["\treturn acc", "}"]
    path = f"{file.name}/{file.name}.go"
    file.promised += [Promised(path, 0, text, full, placed, True) for text in named]
    if comment:
        file.promised.append(Promised(path, at, comment, full, placed, True))
    file.promised += [replace(p, file=path, function=full) for p in extra]
    at = len(file.promised) - len(named) - len(extra) - bool(comment)
    file.promised[at:] = [replace(p, inlined=inlined) for p in file.promised[at:]]
    use = called.format(p=file.name, n=name) if called else f"{file.name}.{name}"
    calls = f"{use}(n, s, b)" if called else f"{use}(1, n, s, b) + {use}(s, n, s, b)"
    run = f"func(n int, s string, b []byte) {{ {file.name}.Sum += {calls} }}"
    file.calls.append(f'"{full}", {run}')
    if by:
        file.text.append(by.format(n=name))
    if called and not inlined and not by:
        file.units.append(_calling(use.removeprefix(f"{file.name}."), placed))


def _moved(file: _File, head: str) -> tuple[Line, ...]:
    """What moves a parameter, or a receiver, to the heap, as the function begins: that is made
    outside of the function's own code where it is inlined, and in no line of its body."""
    code = "sinkAny = &t" if "(t T)" in head else "sinkInt = &n"
    counter = f"{file.name} {file.counters}"
    file.text += [f"\tRan[{file.counters}]++", f"\t{code}"]
    file.counters += 1
    return (Line(len(file.text), Ingredient(code, Makes.OWN), False, counter),)


def _calling(use: str, lines: tuple[Line, ...]) -> Ingredient:
    """A call of a function of these lines, which is never inlined."""
    return Ingredient(f"acc += {use}(n, s, b)", Makes.CALLEE, calls=True, lines=lines)


def _receiver(head: str) -> str:
    forms = {"(t *T)": "(*T).", "(t T)": "T.", "(g *bag[E])": "(*bag[...])."}
    return next((name for form, name in forms.items() if form in head), "")


def _body(file: _File, count: int) -> list[Ingredient]:
    found: list[Ingredient] = []
    while len(found) < count:
        of = file.choices.weighted(*ALL, *([(2, file.units)] if file.units else []))
        ingredient = file.choices.one_of(of)
        if ingredient.since <= file.release:
            found.append(ingredient)
    return found


def _condition(file: _File) -> str:
    return file.choices.one_of(_CONDITIONS).format(100 + len(file.text))


def _written(file: _File, ingredients: list[Ingredient]) -> tuple[tuple[Line, ...], list[Promised]]:
    """The body's lines, some of them in branches, with exemptions and promises of their own."""
    choices = file.choices
    placed: list[Line] = []
    promised: list[Promised] = []
    for each in ingredients:
        shape = choices.weighted((6, ""), (2, "if"), (1, "for"), (1, "early"), (1, "switch"))
        if each.code.startswith("defer") and shape == "for":
            shape = ""
        indent = "\t\t" if shape in _BLOCKS else "\t"
        if shape == "if":
            file.text.append(f"\tif {_condition(file)} {{")
        elif shape == "for":
            file.text.append("\tfor range space[:2] {")
        elif shape == "switch":
            file.text += ["\tswitch {", f"\tcase {_condition(file)}:"]
        elif shape == "early":
            file.text += [f"\tif {_condition(file)} {{", "\t\treturn acc", "\t}"]
        code = each.code.replace("@", str(len(file.text)))
        remark = ""
        allowed = each.makes is not Makes.NOTHING and choices.chance(15)
        if allowed:
            remark = ' //goprobe:allow-alloc "it may"'
        elif each.makes is Makes.OWN and not each.dynamic and choices.chance(15):
            text = choices.weighted((2, "heap"), (1, "stack"))
            remark = f" //goprobe:{text}"
        elif choices.chance(15) and not _LITERAL_LINE.search(code):
            text = choices.weighted(*_WORDS[:4])
            remark = f" //goprobe:{text}"
        counter = ""
        if each.makes is not Makes.NOTHING:
            counter = f"{file.name} {file.counters}"
            file.text.append(f"{indent}Ran[{file.counters}]++")
            file.counters += 1
        file.text.append(f"{indent}{code}{remark}")
        line = Line(len(file.text), each, allowed, counter)
        placed.append(line)
        if remark and not allowed:
            promised.append(Promised("", line.number, text, "", (line,), False))
        if shape in _BLOCKS:
            file.text.append("\t}")
    return tuple(placed), promised
