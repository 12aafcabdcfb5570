"""Which functions a pattern means: `main.(*Store).*`, `main.add`, `net/http.*`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from goprobe.analysis.trace.breakpoints import function_matches, nearest_functions
from goprobe.binary.pcln.format import Function, plain_name
from goprobe.errors import UsageError, telling
from goprobe.runtime.image.program import GoProgram

_POINTER = "(*"


class Chosen(msgspec.Struct, frozen=True):
    """The functions that patterns mean; `inlined` are those of them that have no code of their own,
    `copies` how often others were inlined besides."""

    functions: tuple[Function, ...]
    inlined: tuple[str, ...]
    copies: dict[str, int]


def choose(program: GoProgram, patterns: Sequence[str]) -> Chosen:
    """Raises UsageError for a pattern that means nothing."""
    chosen: dict[int, Function] = {}
    inlined: dict[str, None] = {}
    copies: dict[str, int] = {}
    with telling(f"the code of {program.elf.shown_as}"):
        known = [(f.name, f) for f in program.lines.functions()]
        abstract = () if program.stripped else tuple(program.debug.index.abstract)
        for pattern in patterns:
            matches = _matcher(pattern)
            matching = _written([f for name, f in known if name and matches(name)])
            gone = [name for name in abstract if matches(name)]
            if not matching and not gone:
                raise UsageError(
                    f"no function of the program matches {pattern}",
                    hint=nearest_functions(program, pattern.replace("*", "")),
                )
            names = {f.name for f in matching}
            inlined.update(dict.fromkeys(name for name in gone if name not in names))
            chosen.update({f.entry: f for f in matching})
            for name in names.intersection(gone):
                copies[name] = sum(1 for _ in program.debug.inlined_ranges(name))
    functions = tuple(chosen[entry] for entry in sorted(chosen))
    return Chosen(functions, tuple(inlined), copies)


def _written(functions: list[Function]) -> list[Function]:
    """Those of the source; the compiler's wrappers, through which methods are called by interfaces,
    only where there is nothing else."""
    own = [f for f in functions if not f.table.is_wrapper(f.entry)]
    return own or functions


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
