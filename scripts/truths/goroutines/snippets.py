"""Pieces of Go, kept in text files beside this one.

    == name | inline | once | since 1.23 | weight 2 | import fmt, sort
    declarations
    =>
    statements

In both, $ is a number of the piece's own and NEXT the statement that it is to make happen. `once`:
in one place of a program; `once X`: that or another one of X. `inline`: also without go:noinline.
`cgo`: in builds with C only; `asm`: in those without (a package has one or the other). `late`: it
may never begin, as one finalizer blocks all others. `many`: it makes thousands of goroutines;
`large` and `thread`: it takes much of a stack, or a thread.
`foreign`: on a thread of C's, where nothing may exit; `whole`: what it is to make happen may not
exit either (OnceValue panics with nil then); `ends`: it may.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scripts.truths.goroutines.text import Text
from scripts.truths.kind import release

_WEIGHT = 3
_FIRST = (1, 21)


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str
    declared: str
    call: str
    imports: tuple[str, ...] = ()
    since: tuple[int, int] = _FIRST
    weight: int = _WEIGHT
    flags: frozenset[str] = frozenset()
    once: str = ""


@cache
def snippets(file: str) -> tuple[Snippet, ...]:
    """All of one file ("steps")."""
    text = Path(__file__).with_name(f"{file}.txt").read_text()
    return tuple(_read(part) for part in text.split("\n== ")[1:])


def _read(text: str) -> Snippet:
    head, _, body = text.partition("\n")
    name, *words = head.split(" | ")
    declared, _, call = body.partition("=>")
    values = dict(word.split(" ", 1) for word in words if " " in word)
    imports = values.get("import", "")
    return Snippet(
        name,
        declared.strip("\n"),
        call.strip("\n"),
        tuple(imports.split(", ")) if imports else (),
        release(values["since"]) if "since" in values else _FIRST,
        int(values.get("weight", _WEIGHT)),
        frozenset(w for w in words if " " not in w),
        values.get("once", name if "once" in words else ""),
    )


def choose(text: Text, file: str, *, but: Collection[str] = ()) -> Snippet:
    """One that this program may have, with none of the flags `but`; the first of the file is the
    simplest."""
    known = [s for s in snippets(file) if _allowed(text, s) and s.flags.isdisjoint(but)]
    chosen = text.choices.weighted(*((s.weight, s) for s in known))
    text.used.add(chosen.once or chosen.name)
    return chosen


def _allowed(text: Text, s: Snippet) -> bool:
    if s.since > text.go or ("cgo" in s.flags and not text.cgo):
        return False
    if "asm" in s.flags and text.cgo:
        return False
    return not s.once or s.once not in text.used


def place(text: Text, s: Snippet, following: str, *, change: Callable[[str], str] = str) -> str:
    """Declare what it declares, with `following` for NEXT; the statements that make it happen."""
    number = str(text.fresh())
    text.need(*s.imports)
    text.flags |= s.flags
    if s.declared:
        text.declare(change(s.declared.replace("$", number).replace("NEXT", following)))
    return s.call.replace("$", number).replace("NEXT", following)
