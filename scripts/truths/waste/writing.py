"""Random programs that waste memory in ways that they know: each variable in one way, or in none.

What is wasted is worked out by the programs themselves as they run (by the runtime's own table of
sizes), or here, by trying every order of a struct's fields.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from scripts.truths.choices import Choices
from scripts.truths.kind import Program, release

_SUPPORT = Path(__file__).with_name("support.go.txt")
_HEADERS_SINCE = (1, 22)  # malloc headers
_SWISS_SINCE = (1, 24)  # maps of groups


@dataclass(frozen=True)
class _Element:
    """A type, its size and alignment, and whether it has pointers."""

    text: str
    size: int
    align: int
    pointers: bool = False


_ELEMENTS = (
    _Element("byte", 1, 1), _Element("int64", 8, 8), _Element("int16", 2, 2),
    _Element("string", 16, 8, True), _Element("*int", 8, 8, True), _Element("[3]int64", 24, 8),
    _Element("struct{ a int32; b string }", 24, 8, True), _Element("[5]byte", 5, 1),
    _Element("any", 16, 8, True), _Element("float32", 4, 4),
)  # fmt: skip
_FIELDS = (
    _Element("bool", 1, 1), _Element("int64", 8, 8), _Element("int32", 4, 4),
    _Element("string", 16, 8, True), _Element("int16", 2, 2), _Element("[]byte", 24, 8, True),
    _Element("[3]byte", 3, 1), _Element("struct{}", 0, 1), _Element("*int", 8, 8, True),
    _Element("[2]int32", 8, 4), _Element("complex64", 8, 4), _Element("any", 16, 8, True),
)  # fmt: skip
_BOXED = (
    ("int64", "({n})", 8), ("int32", "({n})", 4), ("float64", "({n}) + 0.5", 8),
    ("uint16", "({n})", 2), ("[2]int64", "{{int64({n}), 7}}", 16),
    ("struct{{ a, b int32 }}", "{{int32({n}), 3}}", 8),
)  # fmt: skip


class Writer:
    def __init__(self, choices: Choices, go: str) -> None:
        self._choices = choices
        self._headers = release(go) >= _HEADERS_SINCE
        self._swiss = release(go) >= _SWISS_SINCE
        self._declared: list[str] = []

    def program(self) -> Program:
        count = self._choices.between(1, 8)
        fills = [self._section(number) for number in range(count)]
        text = [
            "package main\n",
            *(line for line in self._declared if line.startswith("import ")),
            f"const headers, swiss = {_go(self._headers)}, {_go(self._swiss)}\n",
            *(line for line in self._declared if not line.startswith("import ")),
            "func fill() {",
            *(f"\tfill{number}()" for number in range(count)),
            "}\n",
            *(f"func fill{n}() {{\n{body}\n}}\n" for n, body in enumerate(fills)),
        ]
        files = {"main.go": "\n".join(text), "support.go": _SUPPORT.read_text(), "u.go": _UNSAFE}
        return Program(files)

    def _section(self, number: int) -> str:
        kind = self._choices.one_of(
            (
                self._views, self._strings, self._slices, self._boxes, self._structs, self._maps,
                self._sparse, self._channels, self._pool, self._tiny, self._whole,
            )
        )  # fmt: skip
        return kind(number)

    def _held(self, number: int, kind: str, value: str) -> tuple[str, str]:
        """Of a variable of such values: how one is put in, and the field that leads to it."""
        if self._choices.chance(40):
            self._declared.append(f"type h{number} struct {{ pad int; body {kind} }}")
            self._declared.append(f"var v{number} []*h{number}\n")
            return f"v{number} = append(v{number}, &h{number}{{body: {value}}})", "body"
        self._declared.append(f"var v{number} []{kind}\n")
        return f"v{number} = append(v{number}, {value})", ""

    # Arrays

    def _views(self, number: int) -> str:
        choices = self._choices
        element = choices.one_of(_ELEMENTS)
        least = -(-24 // element.size)  # smaller ones share blocks
        n = choices.between(least, 3000 // element.size + least)
        if choices.chance(20):
            n *= choices.between(2, 40)
        views = []
        for _ in range(choices.weighted((6, 1), (2, 2), (1, 3))):
            a = choices.weighted((2, 0), (1, choices.below(n)))
            b = a + choices.below(n - a + 1)
            c = choices.weighted((3, n), (1, b + choices.below(n - b + 1)))
            views.append((a, b, c))
        count = choices.between(20, 60)
        fields = "; ".join(f"b{i} []e{number}" for i in range(len(views)))
        self._declared.append(f"type e{number} {element.text}")
        self._declared.append(f"type h{number} struct {{ {fields} }}")
        self._declared.append(f"var v{number} []*h{number}\n")
        made = ", ".join(f"a[{a}:{b}:{c}]" for a, b, c in views)
        told = ", ".join(f"{{{a}, {b}, {c}}}" for a, b, c in views)
        field = f"main.h{number}.b0" if len(views) == 1 else "*"
        return (
            f"\tfor i := 0; i < {count}; i++ {{\n\t\ta := make([]e{number}, {n})\n"
            f"\t\tv{number} = append(v{number}, &h{number}{{{made}}})\n\t}}\n"
            f"\tarrays({count}, {n}, {element.size}, {_go(element.pointers)}, "
            f'"[]main.e{number} backing", "main.v{number}", "{field}", [][3]int{{{told}}})'
        )

    def _whole(self, number: int) -> str:
        """Nothing of it is wasted: full slices of different content."""
        count, n = self._choices.between(20, 60), self._choices.between(32, 900)
        put, _ = self._held(number, f"[]e{number}", "a")
        self._declared.append(f"type e{number} int64")
        return (
            f"\tfor i := 0; i < {count}; i++ {{\n\t\ta := make([]e{number}, {n})\n"
            f"\t\tfor j := range a {{ a[j] = e{number}(i*7919 + j + 1) }}\n\t\t{put}\n\t}}\n"
            f'\ttell("nothing", "[]main.e{number} backing", "main.v{number}", "", 0, 0, 0)'
        )

    # Equal content

    def _strings(self, number: int) -> str:
        return self._alike(number, "string", "string(text)", "equal strings")

    def _slices(self, number: int) -> str:
        self._declared.append(f"type e{number} byte")
        value = f"copied{number}(text)"
        more = self._choices.weighted((3, 0), (1, self._choices.between(1, 40)))
        self._declared.append(
            f"func copied{number}(text []byte) []e{number} {{\n"
            f"\ta := make([]e{number}, len(text), len(text)+{more})\n"
            f"\tfor i := range text {{ a[i] = e{number}(text[i]) }}\n\treturn a\n}}\n"
        )
        return self._alike(number, f"[]e{number}", value, "equal byte slices", more)

    def _alike(self, number: int, kind: str, value: str, told: str, more: int = 0) -> str:
        choices = self._choices
        put, field = self._held(number, kind, value)
        body = []
        for content in range(choices.between(1, 4)):
            copies = choices.between(2, 80)
            length = choices.weighted(
                (2, choices.between(16, 200)), (1, choices.between(9, 15)),
                (1, choices.between(200, 40000)),
            )  # fmt: skip
            body.append(
                f"\tfor i := 0; i < {copies}; i++ {{\n"
                f'\t\ttext := filled("s{number}-{content}-", {length})\n\t\t{put}\n\t}}\n'
                f'\ttell("{told}", "\\"s{number}-{content}-", "main.v{number}", '
                f'"{_named(number, field)}", {copies}, '
                f"{copies - 1}*share({length}, {length + more}), 0)"
            )
        return "\n".join(body)

    def _boxes(self, number: int) -> str:
        choices = self._choices
        kind, literal, size = choices.one_of(_BOXED)
        value = literal.format(n="1000 + i%d")
        count = choices.between(100, 3000)
        different = choices.between(1, 50)
        self._declared.append(f"type e{number} {kind.format()}")
        value = value.replace("%d", f"%{different}")
        put, field = self._held(number, "any", f"e{number}{value}")
        cost = size if size < 16 else 16
        return (
            f"\tfor i := 0; i < {count}; i++ {{\n\t\t{put}\n\t}}\n"
            f'\ttell("equal boxed values", "main.e{number}", "main.v{number}", '
            f'"{_named(number, field)}", {count}, {cost * (count - different)}, 0)'
        )

    # Structs

    def _structs(self, number: int) -> str:
        choices = self._choices
        fields = [choices.one_of(_FIELDS) for _ in range(choices.between(2, 6))]
        size, best = _laid(fields), min(map(_laid, itertools.permutations(fields)))
        count = choices.between(200, 2000)
        text = "; ".join(f"f{i} {field.text}" for i, field in enumerate(fields))
        self._declared += [f"type e{number} struct {{ {text} }}", f"var v{number} []*e{number}\n"]
        pointers = any(field.pointers for field in fields)
        body = f"\tfor i := 0; i < {count}; i++ {{ v{number} = append(v{number}, new(e{number})) }}"
        if size < 16 and not pointers:
            return body  # in blocks that several share
        told = _go(pointers)
        rounded = f"slot({size}, {told}) - {size}"
        return (
            f"{body}\n\tif w := {rounded}; w > 0 && 2*w < slot({size}, {told}) {{\n"
            f'\t\ttell("rounded up", "main.e{number}", "", "", {count}, {count}*w, 0)\n\t}}\n'
            f"\tif w := slot({size}, {told}) - slot({best}, {told}); w > 0 {{\n"
            f'\t\ttell("field order", "main.e{number}", "", "", {count}, {count}*w, 0)\n\t}}'
        )

    # Maps, channels, pools, pointers

    def _maps(self, number: int) -> str:
        choices = self._choices
        count, key = choices.between(20, 200), choices.one_of(("int64", "string", "int32"))
        value = choices.one_of(("string", "int64", "[3]byte", "*int"))
        self._declared.append(f"type e{number} {value}")
        kind = f"map[{key}]e{number}"
        put, field = self._held(number, kind, "m")
        used = choices.chance(50)
        entry = f"\t\tvar k {key}\n\t\tm[k] = *new(e{number})\n\t\tdelete(m, k)\n" if used else ""
        inside = f"slot(int(groupOf[{key}, e{number}]()), true)" if used else "0"
        return (
            f"\tfor i := 0; i < {count}; i++ {{\n\t\tm := make({kind})\n{entry}\t\t{put}\n\t}}\n"
            f'\ttell("empty maps", "map[{key}]main.e{number}", "main.v{number}", '
            f'"{_named(number, field)}", {count}, {count}*(48+{inside}), 0)'
        )

    def _sparse(self, number: int) -> str:
        choices = self._choices
        entries = choices.between(100, 6000)
        left = choices.between(0, entries // 10)
        value = choices.one_of(("[64]byte", "string", "int64"))
        self._declared.append(f"type e{number} {value}")
        self._declared.append(f"var v{number} = map[string]e{number}{{}}\n")
        return (
            f"\tkeys := make([]string, {entries})\n"
            f'\tfor i := range keys {{ keys[i] = string(filled("k", 10)) + string(rune(i+33)) }}\n'
            f"\tfor _, k := range keys {{ v{number}[k] = *new(e{number}) }}\n"
            f"\tfor _, k := range keys[{left}:] {{ delete(v{number}, k) }}\n"
            f'\ttell("sparse map", "map[string]main.e{number}", "main.v{number}", "", {left}, '
            f"{entries}*(16 + int(sizeOf[e{number}]())), 0)"
        )

    def _channels(self, number: int) -> str:
        choices = self._choices
        element, room = choices.one_of(_ELEMENTS), choices.between(1, 300)
        count = choices.between(20, 60)
        self._declared.append(f"type e{number} {element.text}")
        put, field = self._held(number, f"chan e{number}", f"make(chan e{number}, {room})")
        return (
            f"\tfor i := 0; i < {count}; i++ {{\n\t\t{put}\n\t}}\n"
            f'\ttell("empty channels", "chan main.e{number}", "main.v{number}", '
            f'"{_named(number, field)}", {count}, {count * room * element.size}, 0)'
        )

    def _pool(self, number: int) -> str:
        choices = self._choices
        count, size = choices.between(3, 40), choices.between(300, 20000)
        self._declared += [
            f'import sync{number} "sync"',
            f"type e{number} struct {{ n int; buf []byte }}",
            f"var v{number} sync{number}.Pool\n",
        ]
        return (
            f"\tfor i := 0; i < {count}; i++ {{\n"
            f"\t\tv{number}.Put(&e{number}{{i, make([]byte, {size})}})\n\t}}\n"
            f'\ttell("pooled", "main.e{number}", "main.v{number}", "", {count}, '
            f"{count}*(slot(32, true)+slot({size}, false)), 0)"
        )

    def _tiny(self, number: int) -> str:
        choices = self._choices
        count = choices.between(10000, 12000)
        kind = choices.one_of(("int64", "[2]int32", "struct{ s string }", "[3]byte"))
        self._declared += [f"type e{number} {kind}", f"var v{number} []*e{number}\n"]
        return (
            f"\tfor i := 0; i < {count}; i++ {{ v{number} = append(v{number}, new(e{number})) }}\n"
            f'\ttell("tiny objects", "main.e{number}", "main.v{number}", "", {count}, '
            f"8*{count}, 0)"
        )


_UNSAFE = """package main

import "unsafe"

func sizeOf[T any]() uintptr {
	var t T
	return unsafe.Sizeof(t)
}

// groupOf is the size of what a small map keeps its entries in.
func groupOf[K, V any]() uintptr {
	if swiss {
		var g struct {
			control uint64
			slots   [8]struct {
				k K
				v V
			}
		}
		return unsafe.Sizeof(g)
	}
	var b struct {
		top      [8]uint8
		keys     [8]K
		values   [8]V
		overflow uintptr
	}
	return unsafe.Sizeof(b)
}

func filled(prefix string, size int) []byte {
	text := make([]byte, size)
	copy(text, prefix)
	for i := len(prefix); i < size; i++ {
		text[i] = byte('a' + i%26)
	}
	return text
}

// share is what a copy of so many bytes costs: below 16, with their room, several share a block.
func share(size, room int) int {
	if room < 16 {
		return size
	}
	return slot(size, false)
}
"""


def _go(truth: bool) -> str:
    return str(truth).lower()


def _named(number: int, field: str) -> str:
    return f"main.h{number}.{field}" if field else ""


def _laid(fields: tuple[_Element, ...] | list[_Element]) -> int:
    """The bytes of a struct, by the rules of the language's implementation (types/size.go)."""
    at, largest = 0, 1
    for field in fields:
        at = -(-at // field.align) * field.align + field.size
        largest = max(largest, field.align)
    if fields and at and not fields[-1].size:
        at += 1
    return -(-at // largest) * largest
