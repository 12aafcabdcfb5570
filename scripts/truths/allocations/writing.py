"""A function's body being written: its lines, the names in scope, and what may be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from scripts.truths.choices import Choices

Release = tuple[int, int]

_INDENT = "\t"


@dataclass(slots=True)
class Shared:
    """What all functions of a program draw on: its types and package variables."""

    choices: Choices
    release: Release
    race: bool
    structs: list[str] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)
    sinks: dict[str, str] = field(default_factory=dict)
    lines: int = 0
    """How many have been written whose executions the program counts."""
    costs: dict[str, int] = field(default_factory=dict)
    """Functions of (n int, s string, b []byte) int that may be called: what a call of each does."""

    def sink(self, kind: str) -> str:
        """A package variable of a type: what is assigned to it escapes."""
        return self.sinks.setdefault(kind, f"sink{len(self.sinks)}")

    def element(self) -> str:
        """A type: of an element, a key, a value, something boxed."""
        return self.choices.one_of((*ELEMENTS, *self.structs))


ELEMENTS = (
    "int", "byte", "string", "*int", "[3]int", "struct{}", "any", "float64", "bool", "int32",
    "uint16", "[0]int", "[20]byte", "[200]byte", "[]int", "error", "func() int", "complex128",
    "[5]*int", "map[int]int", "struct{ a, b int }", "struct{ p *int; n int }", "[40]string",
)  # fmt: skip
_VALUES = {
    "int": "n", "byte": "byte(n)", "string": "s", "*int": "&global", "[3]int": "[3]int{n}",
    "struct{}": "struct{}{}", "float64": "float64(n)", "bool": "n > 2", "int32": "int32(n)",
    "uint16": "uint16(n)", "[0]int": "[0]int{}", "[20]byte": "[20]byte{byte(n)}",
    "[200]byte": "[200]byte{byte(n)}", "complex128": "complex(float64(n), 1)",
    "[5]*int": "[5]*int{&global}", "struct{ a, b int }": "struct{ a, b int }{n, n}",
    "struct{ p *int; n int }": "struct{ p *int; n int }{nil, n}", "[]int": "globals",
    "[40]string": "[40]string{s}",
}  # fmt: skip
COMPARABLE = (
    "int", "string", "byte", "[3]int", "float64", "int32", "bool", "[20]byte", "[200]byte",
    "struct{ a, b int }", "*int", "uint16", "struct{}", "any", "[40]string",
)  # fmt: skip


def value(kind: str) -> str:
    """An expression of a type, of the names that every body has; it allocates nothing itself."""
    if kind in _VALUES:
        return _VALUES[kind]
    return f"{kind}{{}}" if kind[:1] == "T" else "nil"


EACH = " // each"
LARGEST = 40
"""What `n` is at most in a function."""
_MANY = 10


def _most(count: str) -> int:
    factor = int(count[2:]) if count.startswith("n*") else 1
    return int(count) if count.isdigit() else LARGEST * factor


@dataclass(slots=True)
class Body:
    """The lines of a function that has `n int, s string, b []byte`, and sums up in `acc`."""

    shared: Shared
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    names: int = 0
    looped: bool = False
    times: int = 1
    """How often what is written now is executed, at most, in one call."""
    cost: int = 0
    returns: bool = True
    """Whether a return gives `acc`: not in a function literal."""
    marks: list[int] = field(default_factory=list)
    """Indices of lines at whose end a promise may stand."""

    @property
    def choices(self) -> Choices:
        return self.shared.choices

    def name(self, stem: str) -> str:
        self.names += 1
        return f"{stem}{self.names}"

    def __call__(self, line: str) -> None:
        self.lines.append(_INDENT * self.depth + line)

    def allocating(self, line: str) -> None:
        """A line of which a promise may speak; the program counts how often it is executed."""
        self(f"ran[{self.shared.lines}].Add(1)")
        self.shared.lines += 1
        self.marks.append(len(self.lines))
        self.cost += self.times
        self(line)

    def each(self, line: str) -> None:
        """A line each of whose sites makes one object each time, of those that are predicted to
        make one; the counter before it says so."""
        self.allocating(line)
        self.lines[-2] += EACH

    @contextmanager
    def block(self, head: str, tail: str = "}") -> Iterator[None]:
        self(f"{head} {{" if head else "{")
        self.depth += 1
        yield
        self.depth -= 1
        self(tail)

    @contextmanager
    def repeated(self, index: str, counts: tuple[str, ...]) -> Iterator[None]:
        """A loop; one in a loop is short."""
        count = self.choices.one_of(counts if self.times < _MANY else counts[:1])
        before = self.times, self.looped
        self.times, self.looped = self.times * _most(count), True
        with self.block(f"for {index} := 0; {index} < {count}; {index}++"):
            yield
        self.times, self.looped = before

    def keep(self, name: str, kind: str, use: str, pointer: str = "") -> None:
        """Let a value escape to a package variable, or only be used where it is; or look whether
        the `pointer` to what was made by the line before leads into the goroutine's stack."""
        if self.choices.chance(50):
            self(f"{self.shared.sink(kind)} = {name}")
        elif pointer and self.choices.chance(50):
            self(f"look({self.shared.lines - 1}, unsafe.Pointer({pointer}))")
        else:
            self(f"acc += {use}")
