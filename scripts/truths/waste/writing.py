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
# For slots that do not fill a span: addresses show where one ends. (With a type's header, too.)
_ODD_SIZES = (48, 96, 144, 320, 448, 696, 1144, 1784, 2680, 5368)
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
        if self._choices.chance(8):  # alone: objects of others would fill the slots
            fills = [self._spans()]
        else:
            count = self._choices.between(1, 8)
            fills = [self._section(number) for number in range(count)]
        count = len(fills)
        text = [
            "package main\n",
            f"const headers, swiss = {_go(self._headers)}, {_go(self._swiss)}\n",
            *self._declared,
            "func fill() {",
            *(f"\tfill{number}()" for number in range(count)),
            "}\n",
            *(f"func fill{n}() {{\n{body}\n}}\n" for n, body in enumerate(fills)),
        ]
        files = {"main.go": "\n".join(text), "support.go": _SUPPORT.read_text()}
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
            put = f"v{number} = append(v{number}, &h{number}{{body: {value}}})"
            return put, f"main.h{number}.body"
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
        put = f"v{number} = append(v{number}, &h{number}{{{made}}})"
        return _times(count, f"a := make([]e{number}, {n})", put) + (
            f"\tarrays({count}, {n}, {element.size}, {_go(element.pointers)}, "
            f'"[]main.e{number} backing", "main.v{number}", "{field}", [][3]int{{{told}}})'
        )

    def _whole(self, number: int) -> str:
        """Nothing of it is wasted: full slices of different content."""
        count, n = self._choices.between(20, 60), self._choices.between(32, 900)
        put, _ = self._held(number, f"[]e{number}", "a")
        self._declared.append(f"type e{number} int64")
        fill = f"for j := range a {{ a[j] = e{number}(i*7919 + j + 1) }}"
        made = _times(count, f"a := make([]e{number}, {n})", fill, put)
        return made + _told(number, "nothing", f"[]main.e{number} backing", 0, 0)

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
            begin = f"s{number}-{content}-"
            made = _times(copies, f'text := filled("{begin}", {length})', put)
            wasted = f"{copies - 1}*share({length}, {length + more})"
            body.append(made + _told(number, told, f'\\"{begin}', copies, wasted, field))
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
        wasted = cost * (count - different)
        told = _told(number, "equal boxed values", f"main.e{number}", count, wasted, field)
        return _times(count, put) + told

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
        entry = (f"var k {key}", f"m[k] = *new(e{number})", "delete(m, k)") if used else ()
        inside = f"slot(int(groupOf[{key}, e{number}]()), true)" if used else "0"
        told = f"map[{key}]main.e{number}"
        return _times(count, f"m := make({kind})", *entry, put) + _told(
            number, "empty maps", told, count, f"{count}*(48+{inside})", field
        )

    def _sparse(self, number: int) -> str:
        choices = self._choices
        entries = choices.weighted((5, choices.between(100, 6000)), (1, 70_000))
        left = choices.between(0, min(entries // 10, 600))
        value = choices.one_of(("[64]byte", "string", "int64"))
        self._declared.append(f"type e{number} {value}")
        self._declared.append(f"var v{number} = map[string]e{number}{{}}\n")
        return (
            f"\tkeys := make([]string, {entries})\n"
            "\tfor i := range keys { keys[i] = key(i) }\n"
            f"\tfor _, k := range keys {{ v{number}[k] = *new(e{number}) }}\n"
            f"\tfor _, k := range keys[{left}:] {{ delete(v{number}, k) }}\n"
        ) + _told(
            number, "sparse map", f"map[string]main.e{number}", left,
            f"{entries}*(16 + int(sizeOf[e{number}]()))",
        )  # fmt: skip

    def _spans(self) -> str:
        """Most objects of some sizes freed, a few left in nearly every span."""
        body = []
        sizes = list(_ODD_SIZES)
        for number in range(self._choices.between(1, 3)):
            size = sizes.pop(self._choices.below(len(sizes)))
            pointers = self._choices.chance(50)
            first = "*int" if pointers else "int"
            self._declared.append(f"type s{number} struct {{ a {first}; b [{size - 8}]byte }}")
            self._declared.append(f"var w{number} []*s{number}\n")
            count, step = self._choices.between(200, 3000), self._choices.between(5, 40)
            made = _times(count, f"w{number} = append(w{number}, new(s{number}))")
            body.append(f"{made}\tspans(w{number}, {size}, {_go(pointers)}, {step})")
        return "\n".join(body)

    def _channels(self, number: int) -> str:
        choices = self._choices
        element, room = choices.one_of(_ELEMENTS), choices.between(1, 300)
        count = choices.between(20, 60)
        self._declared.append(f"type e{number} {element.text}")
        put, field = self._held(number, f"chan e{number}", f"make(chan e{number}, {room})")
        wasted = count * room * element.size
        told = _told(number, "empty channels", f"chan main.e{number}", count, wasted, field)
        return _times(count, put) + told

    def _pool(self, number: int) -> str:
        choices = self._choices
        count, size = choices.between(3, 40), choices.between(300, 20000)
        self._declared += [
            f"type e{number} struct {{ n int; buf []byte }}",
            f"var v{number} pool\n",
        ]
        put = f"v{number}.Put(&e{number}{{i, make([]byte, {size})}})"
        wasted = f"{count}*(slot(32, true)+slot({size}, false))"
        return _times(count, put) + _told(number, "pooled", f"main.e{number}", count, wasted)

    def _tiny(self, number: int) -> str:
        choices = self._choices
        count = choices.between(10000, 12000)
        kind = choices.one_of(("int64", "[2]int32", "struct{ s string }", "[3]byte"))
        self._declared += [f"type e{number} {kind}", f"var v{number} []*e{number}\n"]
        return (
            f"\tfor i := 0; i < {count}; i++ {{ v{number} = append(v{number}, new(e{number})) }}\n"
        ) + _told(number, "tiny objects", f"main.e{number}", count, f"8*{count}")


def _times(count: int, *lines: str) -> str:
    """A loop that does this so many times."""
    body = "".join(f"\t\t{line}\n" for line in lines)
    return f"\tfor i := 0; i < {count}; i++ {{\n{body}\t}}\n"


def _told(number: int, kind: str, of: str, objects: int, wasted: int | str, field: str = "") -> str:
    """That the section's variable wastes so many bytes, by so many objects of a type."""
    return f'\ttell("{kind}", "{of}", "main.v{number}", "{field}", {objects}, {wasted}, 0)'


def _go(truth: bool) -> str:
    return str(truth).lower()


def _laid(fields: tuple[_Element, ...] | list[_Element]) -> int:
    """The bytes of a struct, by the rules of the language's implementation (types/size.go)."""
    at, largest = 0, 1
    for field in fields:
        at = -(-at // field.align) * field.align + field.size
        largest = max(largest, field.align)
    if fields and at and not fields[-1].size:
        at += 1
    return -(-at // largest) * largest
