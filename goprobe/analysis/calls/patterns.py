"""Which functions a pattern means: `main.(*Store).*`, `main.add`, `net/http.*`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn

import msgspec

from goprobe.analysis.trace.breakpoints import function_matches, nearest_functions, of_plugins
from goprobe.binary.pcln.format import Function, plain_name
from goprobe.binary.pcln.inlining import inlined_names
from goprobe.errors import UsageError, telling
from goprobe.runtime.image.wrappers import Receiver, holders
from goprobe.runtime.world import World

_POINTER = "(*"


class Called(msgspec.Struct, frozen=True):
    """A function that is watched, under the name that its calls have: one that a wrapper of the
    compiler's holds may be called on something else. `world` is that of the program, or of the
    plugin whose code it is."""

    world: World
    function: Function
    name: str
    receiver: Receiver = Receiver.SAME


class Chosen(msgspec.Struct, frozen=True):
    """The functions that patterns mean; `inlined` are those of them that have no code of their own,
    `copies` how often others were inlined besides."""

    functions: tuple[Called, ...]
    inlined: tuple[str, ...]
    copies: dict[str, int]


def choose(worlds: Sequence[World], patterns: Sequence[str]) -> Chosen:
    """Of the program, which is the first, and of its plugins. Raises UsageError for a pattern that
    means nothing."""
    choice = _Choice()
    meant: set[str] = set()
    for world in worlds:
        with telling(f"the code of {world.program.elf.shown_as}"):
            meant.update(choice.add(world, patterns))
    for pattern in patterns:
        if pattern not in meant:
            _refuse(worlds, pattern)
    functions = tuple(choice.chosen[entry] for entry in sorted(choice.chosen))
    inlined = tuple(name for name in choice.inlined if name not in choice.names)
    return Chosen(functions, inlined, choice.copies)


def _refuse(worlds: Sequence[World], pattern: str) -> NoReturn:
    """Raises UsageError."""
    program = worlds[0].program
    with telling(f"the code of {program.elf.shown_as}"):
        hints = [nearest_functions(program, pattern.replace("*", ""))]
        hints += [of_plugins(program)] if len(worlds) == 1 else []
    hint = "; ".join(filter(None, hints))
    raise UsageError(f"no function of the program matches {pattern}", hint=hint)


class _Choice:
    """Gathers from one module after the other, by addresses of the process. `names` are those with
    code of their own."""

    def __init__(self) -> None:
        self.chosen: dict[int, Called] = {}
        self.inlined: dict[str, None] = {}
        self._copied: dict[tuple[int, str], int] = {}
        self.names: set[str] = set()

    def add(self, world: World, patterns: Sequence[str]) -> Iterator[str]:
        """The patterns that mean anything there."""
        program, bias = world.program, world.bias
        known = [(f.name, f) for f in program.lines.functions()]
        abstract = () if program.stripped else tuple(program.debug.index.abstract)
        for pattern in patterns:
            matches = _matcher(pattern)
            matching = [f for name, f in known if name and matches(name)]
            # Of a stripped program that is asked where nothing else is meant: it takes a while.
            everywhere = () if matching or not program.stripped else inlined_names(program.lines)
            gone = [name for name in abstract or sorted(everywhere) if matches(name)]
            if not matching and not gone:
                continue
            yield pattern
            written = [f for f in matching if not program.lines.is_wrapper(f.entry)]
            names = {f.name for f in written}
            # A stripped program does not say which code of generic types was inlined everywhere.
            generic = (f.name for f in matching if "[" in f.name and program.stripped)
            held = {h.wrapper.entry: h for h in holders(program, {*names, *gone, *generic})}
            known_as = {plain_name(h.held) for h in held.values()}
            unseen = (n for n in gone if n not in names and plain_name(n) not in known_as)
            self.inlined.update(dict.fromkeys(unseen))
            # The compiler's own, through which others are called, only where there is nothing else.
            plain = (Called(world, f, f.name) for f in written or matching)
            holding = (Called(world, h.wrapper, h.held, h.receiver) for h in held.values())
            for called in (*plain, *holding):
                self.chosen[called.function.entry + bias] = called
                self.names.add(called.name)
            for name in names.intersection(gone):
                copies = (holder.low for holder, _ in program.debug.inlined_ranges(name))
                self._copied[bias, name] = sum(1 for low in copies if low not in held)

    @property
    def copies(self) -> dict[str, int]:
        """How often functions with code of their own were inlined besides."""
        total: dict[str, int] = {}
        for (_, name), more in self._copied.items():
            total[name] = total.get(name, 0) + more
        return {name: more for name, more in total.items() if more}


def _matcher(pattern: str) -> Callable[[str], bool]:
    if not pattern.strip():
        raise UsageError("the pattern is empty", hint="it takes pkg.Func, pkg.(*T).Method or pkg.*")
    if "*" not in pattern.replace(_POINTER, ""):
        return lambda name: function_matches(name, pattern)
    parts = re.split(r"(?<!\()\*", pattern)
    wanted = re.compile(r"(?:.*/)?" + ".*".join(map(re.escape, parts)), re.DOTALL)
    return lambda name: any(map(wanted.fullmatch, _spellings(name)))


def _spellings(name: str) -> Iterable[str]:
    if "[" not in name and "%" not in name:
        return (name,)
    return name, plain_name(name), name.replace("go.shape.", "")
