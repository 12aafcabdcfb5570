"""Which functions a pattern means: `main.(*Store).*`, `main.add`, `net/http.*`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from goprobe.analysis.trace.breakpoints import function_matches, nearest_functions
from goprobe.binary.pcln.format import Function, plain_name
from goprobe.errors import UsageError, telling
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.image.wrappers import Receiver, holders

_POINTER = "(*"


class Called(msgspec.Struct, frozen=True):
    """A function that is watched, under the name that its calls have: one that a wrapper of the
    compiler's holds may be called on something else."""

    function: Function
    name: str
    receiver: Receiver = Receiver.SAME


class Chosen(msgspec.Struct, frozen=True):
    """The functions that patterns mean; `inlined` are those of them that have no code of their own,
    `copies` how often others were inlined besides."""

    functions: tuple[Called, ...]
    inlined: tuple[str, ...]
    copies: dict[str, int]


def choose(program: GoProgram, patterns: Sequence[str]) -> Chosen:
    """Raises UsageError for a pattern that means nothing."""
    chosen: dict[int, Called] = {}
    inlined: dict[str, None] = {}
    copied: dict[str, int] = {}
    with telling(f"the code of {program.elf.shown_as}"):
        known = [(f.name, f) for f in program.lines.functions()]
        abstract = () if program.stripped else tuple(program.debug.index.abstract)
        for pattern in patterns:
            matches = _matcher(pattern)
            matching = [f for name, f in known if name and matches(name)]
            gone = [name for name in abstract if matches(name)]
            if not matching and not gone:
                raise UsageError(
                    f"no function of the program matches {pattern}",
                    hint=nearest_functions(program, pattern.replace("*", "")),
                )
            written = [f for f in matching if not program.lines.is_wrapper(f.entry)]
            names = {f.name for f in written}
            # A stripped program does not say which code of generic types was inlined everywhere.
            generic = (f.name for f in matching if "[" in f.name and program.stripped)
            held = {h.wrapper.entry: h for h in holders(program, {*names, *gone, *generic})}
            known_as = {plain_name(h.held) for h in held.values()}
            unseen = (n for n in gone if n not in names and plain_name(n) not in known_as)
            inlined.update(dict.fromkeys(unseen))
            # The compiler's own, through which others are called, only where there is nothing else.
            chosen.update({f.entry: Called(f, f.name) for f in written or matching})
            chosen.update({at: Called(h.wrapper, h.held, h.receiver) for at, h in held.items()})
            for name in names.intersection(gone):
                copies = (holder.low for holder, _ in program.debug.inlined_ranges(name))
                copied[name] = sum(1 for low in copies if low not in held)
    functions = tuple(chosen[entry] for entry in sorted(chosen))
    return Chosen(functions, tuple(inlined), {name: n for name, n in copied.items() if n})


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
