"""A program of random objects, which link to each other, written as Go.

Objects are made from the roots down: a variable of a random type is filled, what its pointers lead
to is made and filled in turn, or is something that was made before (or lies inside of it). For each
object and pointer the program tells what it is (prelude.go).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scripts.truths.choices import Choices
from scripts.truths.heaps import library, recipes
from scripts.truths.heaps.imports import importing
from scripts.truths.heaps.parked import Parked, worth_it
from scripts.truths.heaps.specials import attach
from scripts.truths.heaps.types import GENERIC, Sort, Ty, declared, draw_types, pointer
from scripts.truths.kind import Program

_PRELUDE = Path(__file__).with_name("prelude.go")
_WALK = Path(__file__).with_name("walk.go")
_UNIFIED = Path(__file__).with_name("unified.go")
_WHOLE = re.compile(r"o\d+")
_DEPTH = 5


@dataclass(slots=True)
class _Made:
    """Go expressions of what was made so far, by type: pointers to values, slices."""

    values: dict[str, list[str]] = field(default_factory=dict)
    arrays: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """By the name of the elements' type: slice and length."""
    texts: list[str] = field(default_factory=list)


class Writer:
    def __init__(self, choices: Choices, go: str, *, race: bool) -> None:
        self.choices = self._c = choices
        self.types = self._types = draw_types(choices, library.library_of(go))
        self.race = race
        self._go = go
        self._parked = Parked()
        self._made = _Made()
        self._lines: list[str] = []
        self._globals: list[tuple[str, Ty]] = []
        self._left = choices.between(1, 120)  # objects that may still be made
        self._names = 0

    def program(self) -> Program:
        for i in range(self._c.between(1, 9)):
            name, kind = f"g{i}", self._types.draw(self._c)
            if self._c.chance(30):
                kind = self._types.named(self._c)
            self._globals.append((name, kind))
            self._fill(name, kind, _DEPTH)
        kept = self._recipes()
        self._specials()
        self._park()
        drops = self._drops()
        files = {"prelude.go": _PRELUDE.read_text(), "main.go": self._source(drops)}
        for name in kept:
            files[f"{name}_recipe.go"] = recipes.source(name)
        if kept:
            files["walk.go"] = _WALK.read_text()
        if "unique." in files["main.go"]:
            files["unified.go"] = _UNIFIED.read_text()
        return Program(files)

    def _recipes(self) -> list[str]:
        """Values as the library makes them, of which their own pointers tell."""
        chosen: list[str] = []
        if self._c.chance(35):
            chosen = [self._c.one_of(recipes.names()) for _ in range(self._c.between(1, 3))]
        chosen = list(dict.fromkeys(chosen))
        self._lines += [f"kept_{name} = make_{name}(); walk(&kept_{name})" for name in chosen]
        return chosen

    def _specials(self) -> None:
        """Objects with finalizers, cleanups, weak pointers; each has one at most."""
        whole = [
            (name, kind)
            for kind, made in self._made.values.items()
            for name in made
            if _WHOLE.fullmatch(name)
        ]
        if self._c.chance(40):
            for name, kind in self._c.some(whole)[:6]:
                attach(self, name, kind, self._go)

    def _park(self) -> None:
        made = self._made
        shared = [(name, kind) for kind, names in made.values.items() for name in names]
        starts: list[str] = []
        lines, self._lines = self._lines, []
        for _ in range(worth_it(self._c)):
            self._made = _Made()
            given = self._c.one_of(shared) if shared and self._c.chance(40) else None
            self._left = max(self._left, 6)
            self._parked.add(self, self._lines, (given[0], f"*{given[1]}") if given else None)
        starts, self._lines, self._made = self._parked.starts, lines, made
        self._lines += starts

    # The source

    def _source(self, drops: list[str]) -> str:
        parts = ["type Shape interface{ Area() int }"]
        for name, fields in self._types.structs.items():
            lines = "".join(f"\t{declared(p)}\n" for p in fields)
            parts.append(f"type {name} struct {{\n{lines}}}")
            parts.append(f"func (t *{name}) Area() int {{ return {len(name)} }}")
            parts.append(f"func (t *{name}) Do() {{ length += 0 }}")
        parts.append(GENERIC)
        parts += [f"type {n.name} {n.literal}" for n in self._types.named_types]
        parts += [f"var {name} {kind.name}" for name, kind in self._globals]
        body = "".join(f"\t{line}\n" for line in self._lines)
        parts.append(f"//go:noinline\nfunc build() {{\n{body}}}")
        roots = "".join(
            f'\troot("main.{name}", unsafe.Pointer(&{name}), unsafe.Sizeof({name}))\n'
            for name, _ in self._globals
        )
        parts.append(f"func roots() {{\n{roots}}}")
        dropped = "".join(f"\t{line}\n" for line in drops)
        parts.append(f"//go:noinline\nfunc drop() {{\n{dropped}}}")
        source = "\n\n".join([*parts, *self._parked.functions]) + "\n"
        return importing(source)

    def _drops(self) -> list[str]:
        """Global pointers that are cleared at the end, so that there is garbage."""
        plain = [name for name, kind in self._globals if kind.sort in (Sort.POINTER, Sort.MAP)]
        chosen = [name for name in plain if self._c.chance(15)]
        return [f"letGo(unsafe.Pointer(&{name}))" for name in chosen]

    def name(self) -> str:
        self._names += 1
        return f"o{self._names}"

    def say(self, line: str) -> None:
        self._lines.append(line)

    # Values

    def _fill(self, place: str, kind: Ty, depth: int) -> None:
        """Give an addressable place a value; what it points at is told."""
        match kind.sort:
            case Sort.STRUCT:
                for part in self._types.parts(kind):
                    self._fill(f"{place}.{part.name}", part.type, depth)
            case Sort.ARRAY:
                if kind.of.sort is not Sort.SCALAR:
                    for i in sorted({0, kind.count - 1}):
                        self._fill(f"{place}[{i}]", kind.of, depth - 1)
            case Sort.SCALAR:
                pass
            case Sort.LIBRARY:
                if depth > 0 and self._left > 0:
                    self._left -= 1
                    library.fill(self, place, kind, depth)
            case _:
                if value := self.value(kind, depth):
                    if kind.sort is Sort.STRING and kind.literal:
                        value = f"{kind.name}({value})"
                    self.say(f"{place} = {value}")
                    self._point(place, kind)

    def _point(self, place: str, kind: Ty) -> None:
        tell = "second" if kind.sort in (Sort.ANY, Sort.SHAPE) else "edge"
        self.say(f"{tell}(unsafe.Pointer(&{place}))")

    def value(self, kind: Ty, depth: int) -> str:
        """An expression of a value that points somewhere, "" for none."""
        old = self._known(kind)
        if old and self._c.chance(40):
            return self._c.one_of(old)
        if depth <= 0 or self._left <= 0:
            return self._c.one_of(old) if old and self._c.chance(50) else ""
        make: dict[Sort, Callable[[Ty, int], str]] = {
            Sort.STRING: lambda kind, depth: self._string(),
            Sort.POINTER: self._pointer,
            Sort.SLICE: self._slice,
            Sort.MAP: self._map,
            Sort.CHAN: self._chan,
            Sort.FUNC: lambda kind, depth: self.closure(depth),
            Sort.ANY: lambda kind, depth: self._any(depth),
            Sort.SHAPE: lambda kind, depth: self._shape(depth),
            Sort.UNSAFE: lambda kind, depth: self._unsafe(depth),
        }
        self._left -= 1
        return make[kind.sort](kind, depth)

    def _known(self, kind: Ty) -> list[str]:
        """What there is already that such a value may point at."""
        if kind.sort is Sort.POINTER:
            return self._made.values.get(kind.of.name, [])
        if kind.sort is Sort.SLICE:
            found = []
            for name, count in self._made.arrays.get(kind.of.name, []):
                found.append(name)
                if count > 1:
                    found.append(f"{name}[{count // 2}:]")
                    found.append(f"{name}[1:{count}:{count}]")
            # What was made may be of another named type of such elements.
            return [f"{kind.name}({made})" for made in found] if kind.literal else found
        if kind.sort is Sort.STRING:
            return [made for name in self._made.texts for made in (name, f"{name}[1:]")]
        if kind.sort is Sort.UNSAFE:
            every = [made for some in self._made.values.values() for made in some]
            return [f"unsafe.Pointer({made})" for made in every]
        return []

    def _offer(self, place: str, kind: Ty, depth: int = 2) -> None:
        """Let pointers lead to a place of the heap, and to its parts."""
        if kind.sort is Sort.ARRAY and kind.count > 1000:
            return
        self._made.values.setdefault(kind.name, []).append(f"&{place}")
        if kind.sort is Sort.STRUCT and depth:
            for part in self._types.parts(kind):
                self._offer(f"{place}.{part.name}", part.type, depth - 1)
        if kind.sort is Sort.ARRAY:
            slices = self._made.arrays.setdefault(kind.of.name, [])
            slices.append((f"{place}[:]", kind.count))
        if kind.sort is Sort.ARRAY and kind.of.sort is not Sort.SCALAR:
            self._offer(f"{place}[{kind.count - 1}]", kind.of, depth - 1 if depth else 0)

    def _string(self) -> str:
        name = self.name()
        self.say(f"{name} := text({self._c.between(1, 3) * self._c.one_of((1, 20, 400))})")
        self._made.texts.append(name)
        return name

    def _unsafe(self, depth: int) -> str:
        made = self.value(pointer(self._types.named(self._c)), depth - 1)
        return f"unsafe.Pointer({made})" if made else ""

    def _inside(self, kind: Ty, depth: int) -> str:
        """A pointer to a part of a new object, "" where no struct has such a part."""
        found = [
            (Ty(Sort.STRUCT, name), part.name)
            for name, parts in self._types.structs.items()
            for part in parts
            if part.type.name == kind.of.name
        ]
        if not found:
            return ""
        outer, part = self._c.one_of(found)
        made = self._pointer(pointer(outer), depth)
        return f"&{made.removeprefix('&')}.{part}"

    def _pointer(self, kind: Ty, depth: int) -> str:
        if depth > 1 and self._c.chance(20) and (inside := self._inside(kind, depth - 1)):
            return inside
        name, of = self.name(), kind.of
        self.say(f"{name} := value(new({of.name}))")
        place = f"(*{name})" if of.sort is not Sort.STRUCT else name
        self._offer(place if of.sort is Sort.STRUCT else f"(*{name})", of)
        if of.sort is Sort.STRUCT:  # &*p is p
            self._made.values[of.name][self._made.values[of.name].index(f"&{name}")] = name
        self._fill(place, of, depth - 1)
        return name

    def _slice(self, kind: Ty, depth: int) -> str:
        name = self.name()
        count = self._c.between(1, 3) * self._c.one_of((1, 2, 10, 70))
        if kind.of.sort is not Sort.STRUCT and self._c.chance(5):
            count *= 100
        self.say(f"{name} := array(make({kind.name}, {count}))")
        self._made.arrays.setdefault(kind.of.name, []).append((name, count))
        self._offer(f"{name}[{count - 1}]", kind.of, 1)
        for i in sorted({0, count // 2, count - 1}):
            self._fill(f"{name}[{i}]", kind.of, depth - 1)
        return name

    def _map(self, kind: Ty, depth: int) -> str:
        assert kind.key
        name = self.name()
        large = kind.of.sort in (Sort.STRUCT, Sort.ARRAY)
        count = self._c.one_of((1, 3, 9) if large else (1, 3, 8, 9, 40, 2000))
        self.say(f"{name} := table(make({kind.name}))")
        entry = f"{name}v"
        self.say(f"var {entry} {kind.of.name}")
        if self._c.chance(20):  # grown, and emptied again
            last = self._c.one_of((9, 60) if large else (9, 60, 1500))
            key = self._key(kind.key, "i")
            self.say(f"for i := 0; i < {last}; i++ {{ {name}[{key}] = {entry} }}")
            self.say(f"for i := 0; i < {last}; i++ {{ delete({name}, {key}) }}")
            if self._c.chance(30):
                return name
        for i in range(min(count, 2)):
            self._held(name, entry, kind.of, depth)
            self.say(f"{name}[{self._key(kind.key, str(i))}] = {entry}")
        if count > 2:
            loop = (
                f"for i := 2; i < {count}; i++ {{ {name}[{self._key(kind.key, 'i')}] = {entry} }}"
            )
            self.say(loop)
        return name

    def _key(self, kind: Ty, number: str) -> str:
        if kind.sort is Sort.STRING:
            return f"numbered({number})"
        if kind.sort is Sort.STRUCT:
            return f"{kind.name}{{a: numbered({number})}}"
        return number

    def _held(self, container: str, value: str, kind: Ty, depth: int) -> None:
        """Put a new pointer into a value that a container is to get a copy of."""
        if kind.sort is Sort.STRUCT:
            for part in self._types.parts(kind):
                self._held(container, f"{value}.{part.name}", part.type, depth)
        if kind.sort in (Sort.POINTER, Sort.SLICE, Sort.STRING, Sort.MAP, Sort.CHAN, Sort.FUNC):
            made = self.value(kind, depth - 1)
            if made:
                if kind.sort is Sort.STRING and kind.literal:
                    made = f"{kind.name}({made})"
                self.say(f"{value} = {made}")
                self.say(f"holds(pointer({container}), pointer({value}))")

    def _chan(self, kind: Ty, depth: int) -> str:
        name = self.name()
        room = self._c.one_of((0, 1, 3, 20))
        self.say(f"{name} := channel(make({kind.name}, {room}))")
        if room:
            value = f"{name}v"
            self.say(f"var {value} {kind.of.name}; _ = {value}")
            for _ in range(min(self._c.between(0, 2), room)):
                self._held(name, value, kind.of, depth)
                self.say(f"{name} <- {value}")
        return name

    def closure(self, depth: int) -> str:
        name = self.name()
        if self._c.chance(30):  # by reference
            self.say(f"var {name}c int")
            self.say(f"{name} := closure(func() {{ {name}c++ }})")
            return name
        if self._c.chance(20):  # a bound method
            receiver = self.value(pointer(self._types.named(self._c)), depth - 1)
            if receiver:
                self.say(f"{name} := closure({_selected(receiver)}.Do)")
                self.say(f"holds(pointer({name}), unsafe.Pointer({receiver}))")
                return name
        captured: list[str] = []
        for _ in range(self._c.between(1, 3)):
            kind = pointer(self._types.named(self._c))
            value = self.value(kind, depth - 1)
            if value:
                inner = f"{name}c{len(captured)}"
                self.say(f"{inner} := {value}")
                captured.append(inner)
        if not captured:
            return ""
        uses = " + ".join(f"{c}.Area()" for c in captured)
        self.say(f"{name} := closure(func() {{ length += 0 * ({uses}) }})")
        for inner in captured:
            self.say(f"holds(pointer({name}), unsafe.Pointer({inner}))")
        return name

    def _any(self, depth: int) -> str:
        kind = self._types.draw(self._c, depth=2)
        if self._c.chance(25):
            kind = self._types.named(self._c)
        elif self._c.chance(60) or kind.sort in (
            Sort.SCALAR,
            Sort.STRING,
            Sort.ANY,
            Sort.SHAPE,
            Sort.LIBRARY,
        ):
            made = self.value(pointer(self._types.named(self._c)), depth - 1)
            return f"any({made})" if made else ""
        if kind.sort in (Sort.POINTER, Sort.MAP, Sort.CHAN, Sort.FUNC):
            made = self.value(kind, depth - 1)
            return f"any({made})" if made else ""
        name = self.name()
        self.say(f"var {name} {kind.name}")
        if kind.sort is Sort.STRUCT:
            for part in self._types.parts(kind):
                self._fill_copied(f"{name}.{part.name}", part.type, depth - 1)
        self._fill_copied(name, kind, depth)
        return f"boxed({name})"

    def _fill_copied(self, name: str, kind: Ty, depth: int) -> None:
        """Fill a value that is copied afterwards; only what it points at is told."""
        if kind.sort in (Sort.SLICE, Sort.STRING):
            made = self.value(kind, depth - 1)
            if made:
                made = f"{kind.name}({made})" if kind.literal else made
                self.say(f"{name} = {made}")

    def _shape(self, depth: int) -> str:
        return self.value(pointer(self._types.named(self._c)), depth - 1)


def _selected(pointer: str) -> str:
    """An operand of a selector."""
    return f"({pointer})" if pointer.startswith("&") else pointer
