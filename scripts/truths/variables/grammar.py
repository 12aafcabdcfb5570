"""What a body may be made of, and how often."""

from __future__ import annotations

from scripts.truths.variables import branches, calls, closures, loops, simple
from scripts.truths.variables.statements import Statements, Weighted
from scripts.truths.variables.writer import Writer

_SIMPLE: Weighted = (
    (6, simple.declare), (5, simple.checkpoint), (5, simple.assign), (3, calls.call),
    (2, simple.use), (1, simple.leave), (1, simple.panics), (2, simple.behind),
)  # fmt: skip
_NESTED: Weighted = (
    (3, branches.branch), (3, loops.loop), (3, closures.closure), (2, closures.guarded),
    (1, closures.deferred), (1, branches.type_switch), (1, branches.switch),
    (1, branches.bare_block), (1, branches.select), (1, closures.goroutine), (1, loops.jump),
)  # fmt: skip


def statements(writer: Writer) -> Statements:
    return Statements(writer, _SIMPLE, _NESTED)
