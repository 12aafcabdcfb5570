"""Loops: of every form, with labels, jumps out of them, and bodies that are functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.truths.variables.scope import Block, Body, Label, Var
from scripts.truths.variables.statements import Statements
from scripts.truths.variables.types import INT, Type


def loop(s: Statements, block: Block, depth: int) -> None:
    c, body = s.c, block.body
    kinds = [(4, "for"), (3, "slice"), (1, "array"), (1, "string"), (1, "map"), (1, "channel")]
    if s.w.language >= (1, 22):
        kinds.append((2, "int"))
    if s.w.language >= (1, 23):
        kinds.append((3, "func"))
    times = body.times
    chosen = c.weighted(*kinds)
    if chosen == "for":
        _for(s, block, depth)
    elif chosen == "func":
        _range_func(s, block, depth)
    else:
        _range(s, block, depth, chosen)
    body.times = times


@contextmanager
def _labelled(s: Statements, body: Body) -> Iterator[None]:
    """A loop that begins at the next line and may be named by what lies in it."""
    label, at = Label(f"Loop{s.number('label')}"), len(s.w.lines)
    body.labels.append(label)
    yield
    body.labels.remove(label)
    if label.used:
        line = s.w.lines[at].lstrip("\t")
        mark, _, rest = line.partition("»") if line.startswith("«") else ("", "", line)
        s.w.lines[at] = f"{mark}» {label.name}: {rest}" if mark else f"{label.name}: {rest}"


def _for(s: Statements, block: Block, depth: int) -> None:
    w, c = s.w, s.c
    inside = Block(block.body, block)
    name = c.one_of(("i", "j", "n"))
    with _labelled(s, block.body):
        made = w.declare(inside, name, INT, fixed=True, changes=True)
        rounds = c.between(1, 3)
        w.put(f"for {name} := 0; {name} < {rounds}; {name}++ {{«{w.handle(made)}»")
        block.body.times *= rounds
        _loop_body(s, inside, depth)


def _loop_body(s: Statements, inside: Block, depth: int) -> None:
    w, c = s.w, s.c
    body = Block(inside.body, inside)
    s.inner(body, depth)
    if c.chance(25):
        w.indent += 1
        jump = c.one_of(("continue", "break"))
        if c.chance(50) and inside.body.labels:
            label = c.one_of(inside.body.labels)
            label.used = True
            jump += f" {label.name}"
        w.put(f"if {w.condition(body)} {{ {jump} }}")
        w.indent -= 1
    w.put("}")


def _range(s: Statements, block: Block, depth: int, over: str) -> None:
    w, c = s.w, s.c
    inside = Block(block.body, block)
    rounds = c.between(1, 3)
    head, key, value = _ranged(s, block, over, rounds)
    with _labelled(s, block.body):
        first = w.declare(inside, c.one_of(("i", "k", "_")), key)
        names = first.name
        made = [first]
        if value is not None and c.chance(80):
            second = w.declare(inside, c.one_of(("v", "item", "x")), value)
            names += f", {second.name}"
            made.append(second)
        used = [v.name for v in made if v.name != "_"]
        use = f" {', '.join('_' for _ in used)} = {', '.join(used)}" if used else ""
        w.put(f"for {names} {':=' if used else '='} range {head} {{{use}{w.held(*made)}")
        block.body.times *= 2 if over == "string" else rounds
        _loop_body(s, inside, depth)


def _ranged(s: Statements, block: Block, over: str, rounds: int) -> tuple[str, Type, Type | None]:
    """What is ranged over, and the types of its keys and values."""
    w = s.w
    if over == "int":
        return str(rounds), INT, None
    if over == "string":
        return f'"{"gö"[:rounds]}"', INT, Type("int32", "int32")
    element = w.types.any_type(1)
    if over == "map":  # one entry: the order of more is not known
        only = w.expression(block, element, 1)
        return f"(map[int]{element.text}{{{rounds}: {only}}})", INT, element
    parts = ", ".join(w.expression(block, element, 1) for _ in range(rounds))
    if over == "channel":
        return f"closed[{element.text}]({parts})", element, None
    size = f"[{rounds}]" if over == "array" else "[]"
    return f"({size}{element.text}{{{parts}}})", INT, element


def _range_func(s: Statements, block: Block, depth: int) -> None:
    """A loop whose body is a function of its own, with one variable, two, or none."""
    w, c = s.w, s.c
    rounds = c.between(1, 3)
    kinds = [w.types.any_type(1) for _ in range(c.weighted((4, 1), (2, 2), (1, 0)))]
    given = [f"({k.text})({w.expression(block, k, 1)})" for k in kinds]
    outer = block.body
    body = Body(
        f"{outer.name}-range",
        outer,
        times=outer.times * rounds,
        loop_body=True,
        guarded=outer.guarded,
        labels=outer.labels,
    )
    body.cost = outer.cost
    inside = Block(body, block)
    over = ("again", "times", "pairs")[len(kinds)]
    with _labelled(s, outer):
        made: list[Var] = [
            w.declare(inside, name, k)
            for name, k in zip((c.one_of(("v", "item", "x")), "second"), kinds, strict=False)
        ]
        names = ", ".join(v.name for v in made)
        head = f"{names} := range" if made else "range"
        used = f" {', '.join('_' for _ in made)} = {names}" if made else ""
        before, site = w.calling(block), w.sites[-1]
        w.put(
            f"{before}for {head} {over}({', '.join([str(rounds), *given])}) {{{used}"
            f"«; at := at + 1; _ = at; {w.handle(*made)}»"
        )
        _loop_body(s, inside, depth)
        site.also = w.line - 1
    outer.cost = body.cost


def jump(s: Statements, block: Block, depth: int) -> None:
    """A goto: forwards out of a block, or back to its beginning."""
    w, c = s.w, s.c
    name = f"Jump{s.number('label')}"
    if c.chance(50):
        w.put("{")
        inside = Block(block.body, block)
        s.inner(inside, depth)
        w.put(f"if {w.condition(inside)} {{ goto {name} }}")
        s.inner(inside, depth)
        w.put("}")
        w.put(f"{name}: pass(0)")
        return
    w.put("{")
    around = Block(block.body, block)
    counter = w.declare(around, f"turn{s.number('turn')}", INT, fixed=True, changes=True)
    w.put(f"{counter.name} := 0{w.held(counter)}")
    times = block.body.times
    block.body.times *= 2
    w.put(f"{name}: {{")
    s.inner(Block(block.body, around), depth)
    w.put("}")
    w.put(f"{counter.name}++")
    w.put(f"if {counter.name} < 2 {{ goto {name} }}")
    w.put("}")
    block.body.times = times
