"""Statements that hold others: loops, branches, literals, panics; and the weights of all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.truths.allocations.mixed import MIXED
from scripts.truths.allocations.selected import SELECTED
from scripts.truths.allocations.statements import SIMPLE, Statement
from scripts.truths.allocations.writing import LARGEST, Body


def range_over_function(body: Body) -> None:
    if body.shared.release < (1, 23):
        return
    index, before = body.name("i"), body.times
    if before > LARGEST:
        return
    with body.block(f"for {index} := range upTo(n)"):
        body.times *= LARGEST
        statements(body, 1)
        body.times = before
        body(f"acc += {index}")
        if body.choices.chance(30):
            body.allocating(f"defer sum({index})")
        if body.choices.chance(30):
            body(f"if {index} > 2 {{ break }}")


def loop(body: Body) -> None:
    with body.repeated(index := body.name("i"), ("3", "1", "n", "40", "0")):
        statements(body, body.choices.between(1, 2))
        body(f"acc += {index}")


def branch(body: Body) -> None:
    condition = body.choices.one_of(("n > 3", "n > 100", 's == ""', "len(b) > 2", "acc > 5"))
    with body.block(f"if {condition}"):
        statements(body, body.choices.between(1, 2))
        if body.choices.chance(20):
            body("return acc" if body.returns else "return")


def switch(body: Body) -> None:
    with body.block("switch"):
        for condition in ("n > 100", "n > 3", 's == ""')[: body.choices.between(1, 3)]:
            body(f"case {condition}:")
            body.depth += 1
            statements(body, 1)
            if body.choices.chance(20):
                body("return acc" if body.returns else "return")
            body.depth -= 1
        body("default:")
        body.depth += 1
        statements(body, 1)
        body.depth -= 1


def nested(body: Body) -> None:
    """Statements in a function literal that is called at once, deferred, or handed on."""
    head, tail = body.choices.one_of(
        (
            ("func()", "}()"),
            ("defer func()", "}()"),
            ("run(func()", "})"),
        )
    )
    if head.startswith("defer") and body.looped:
        head = "func()"
    with _literal(body, head, tail):
        statements(body, body.choices.between(1, 2))


def unwound(body: Body) -> None:
    """What a panic leaves, is made while it is on its way, and after it was recovered."""
    with _literal(body, "func()", "}()"):
        with body.block("defer func()", "}()"):
            body.allocating("r := recover()")
            body("acc := isNil(r == nil)")
            returns, body.returns = body.returns, False
            statements(body, 1)
            body.returns = returns
            body("_ = acc")
        statements(body, 1)
        body.allocating(
            body.choices.one_of(
                (
                    'if n > 3 { panic("over") }',
                    "acc += globals[n]",
                    "acc += 7 / n",
                    "panic(errors.New(s))",
                    "if n > 3 { runtime.Gosched(); panic(n * 1000) }",
                    "acc += *nowhere",
                    "acc += len(held.(fmt.Stringer).String())",
                )
            )
        )
        statements(body, 1)


@contextmanager
def _literal(body: Body, head: str, tail: str) -> Iterator[None]:
    """A function literal that has an `acc` of its own and returns nothing."""
    with body.block(head, tail):
        body("acc := acc")
        before, body.returns = body.returns, False
        yield
        body.returns = before
        body("_ = acc")


_COMPOUND: tuple[tuple[int, Statement], ...] = (
    (8, loop), (6, branch), (4, nested), (4, range_over_function), (2, switch), (2, unwound),
)  # fmt: skip
_LEAVES = (*((2 * weight, statement) for weight, statement in SIMPLE), *MIXED, *MIXED, *SELECTED)
_DEEPEST = 3


def statements(body: Body, count: int) -> None:
    for _ in range(count):
        deep = body.depth > _DEEPEST
        body.choices.weighted(*(_LEAVES if deep else (*_LEAVES, *_COMPOUND)))(body)
