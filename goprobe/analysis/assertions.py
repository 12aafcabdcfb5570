"""`//goprobe:heap`, `//goprobe:stack` and `//goprobe:noalloc`: promises in the source, held or not.

A comment at the end of a line speaks of that line; one on a line of its own of the next line, and
above a function (its doc comment too) of the function's own code, wherever that was inlined. What
callees allocate counts for the callees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from goprobe.model.escape import Assertion, Site, Verdict

_COMMENT = re.compile(r"//goprobe:(\S+)")
_FUNCTION = re.compile(r"func\b")
WORDS = ("heap", "stack", "noalloc")

_V = Verdict
_ALLOCATED = frozenset((_V.CONFIRMED_HEAP, _V.DEFERRED_HEAP, _V.SPILLED_TO_HEAP, _V.UNPREDICTED))
_UNCLEAR = frozenset((_V.UNOBSERVED, _V.CONTRADICTED))
_FINE_ON_STACK = frozenset((_V.CONFIRMED_STACK, _V.STATIC, _V.ELIDED, _V.NO_COPY, _V.DEAD))


class Promise(msgspec.Struct, frozen=True):
    """A comment and the lines [first, last] of which it speaks. `function`: those of one."""

    file: str
    line: int
    word: str
    first: int
    last: int
    function: bool


def promises_in(file: str, text: str) -> Iterator[Promise]:
    """The promises of a source file."""
    code = code_only(text).split("\n")
    for token in _tokens(text):
        if found := _COMMENT.match(token[0]):
            number = text.count("\n", 0, token.start()) + 1
            yield _promise(file, number, found[1], code)


def _promise(file: str, number: int, word: str, code: Sequence[str]) -> Promise:
    if code[number - 1].strip():
        return Promise(file, number, word, number, number, False)
    below = next((n for n in range(number + 1, len(code) + 1) if code[n - 1].strip()), number)
    if below > number and _FUNCTION.match(code[below - 1]):
        return Promise(file, number, word, below, _end_of_function(code, below), True)
    return Promise(file, number, word, below, below, False)


def _end_of_function(code: Sequence[str], first: int) -> int:
    """The line of the brace that ends a function's body: nothing follows it on its line."""
    depth = 0
    for number in range(first, len(code) + 1):
        line = code[number - 1].rstrip()
        for at, character in enumerate(line):
            depth += (character == "{") - (character == "}")
            if character == "}" and depth == 0 and at == len(line) - 1:
                return number
    return first


def code_only(text: str) -> str:
    """Go source with comments blanked out and the insides of strings hidden, every line and
    column kept."""
    out: list[str] = []
    at = 0
    for token in _tokens(text):
        filler = " " if token[0].startswith("/") else "_"
        out += [text[at : token.start()], _NOT_A_LINE_FEED.sub(filler, token[0])]
        at = token.end()
    return "".join([*out, text[at:]])


_NOT_A_LINE_FEED = re.compile(r"[^\n]")
_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:\\.|[^"\\\n])*"|`[^`]*(?:`|\Z)|\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """Comments, strings and runes, in order."""
    return _TOKEN.finditer(text)


def check(
    promises: Iterable[Promise], sites: Iterable[Site], executed: dict[Promise, int], *, ran: bool
) -> tuple[Assertion, ...]:
    """Which promises were kept. `executed` says how often the code of each was seen to run."""
    by_file: dict[str, list[Site]] = {}
    for site in sites:
        by_file.setdefault(site.file, []).append(site)
    elsewhere = _inlined_sites(site for of_file in by_file.values() for site in of_file)
    made = []
    for promise in promises:
        inside = [
            s for s in by_file.get(promise.file, ()) if promise.first <= s.line <= promise.last
        ]
        for site in list(inside):
            if site.verdict is _V.DEAD:
                inside += elsewhere.get((_base(site.function), site.expression), [])
        held, why = _judge(promise, inside, executed.get(promise, 0), ran)
        made.append(Assertion(promise.file, promise.line, promise.word, held, why))
    return tuple(made)


_INLINING = "inlining call to "
_TYPE_ARGUMENTS = re.compile(r"\[.*\]", re.DOTALL)


def _inlined_sites(sites: Iterable[Site]) -> dict[tuple[str, str], list[Site]]:
    """The sites of inlined bodies by the function inlined (its last name) and their expression."""
    found: dict[tuple[str, str], list[Site]] = {}
    for site in sites:
        for message in site.messages:
            if message.startswith(_INLINING):
                name = _base(message.removeprefix(_INLINING))
                found.setdefault((name, site.expression), []).append(site)
    return found


def _base(function: str) -> str:
    return _TYPE_ARGUMENTS.sub("", function).rpartition(".")[2]


def _judge(promise: Promise, sites: Sequence[Site], executed: int, ran: bool) -> tuple[bool, str]:
    if promise.word not in WORDS:
        return False, f"there is no such promise; there are {', '.join(WORDS)}"
    allocated = [s for s in sites if s.verdict in _ALLOCATED or s.verdict is _V.SHARED]
    if promise.word == "heap":
        if allocated:
            return True, _said(allocated[0])
        return False, _why_not_heap(sites, ran)
    if allocated:
        return False, _said(allocated[0])
    unclear = [s for s in sites if s.verdict in _UNCLEAR]
    if unclear:
        return False, _said(unclear[0])
    possible = [s for s in sites if s.verdict is _V.NOT_REACHED]
    if promise.word == "stack" and not any(s.verdict in _FINE_ON_STACK for s in sites):
        return False, _said(possible[0]) if possible else "there is nothing here that needs memory"
    if possible and not executed:
        return False, f"{_where(possible[0])} can allocate, and this code never ran"
    return True, "nothing was allocated here" if possible else "its code cannot allocate"


def _why_not_heap(sites: Sequence[Site], ran: bool) -> str:
    if not sites:
        return "there is nothing here that needs memory"
    return _said(sites[0]) if ran else f"not run: {_said(sites[0])}"


def _said(site: Site) -> str:
    return f"{_where(site)}: {site.verdict}, {site.reason}"


def _where(site: Site) -> str:
    return f"{site.expression} (line {site.line})"
