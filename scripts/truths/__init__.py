"""Random Go programs that know the truth, and what goprobe says of them.

A kind of program (`kind.Kind`) writes a program from choices and asks goprobe about it; each thing
asked is an `answer.Answer`: right, not told, or WRONG. `__main__` runs many, counts, and shrinks
what is wrong; a new kind is one module or package here, listed in `KINDS`.
"""

from __future__ import annotations

KINDS: tuple[str, ...] = (
    "allocations",
    "calls",
    "expressions",
    "goroutines",
    "heaps",
    "locals",
    "promises",
    "sites",
    "steps",
    "variables",
    "waste",
)
"""Each has a module of its name here, with `KIND: Kind` in it."""
