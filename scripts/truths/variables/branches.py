"""Blocks, branches, switches and selects."""

from __future__ import annotations

from scripts.truths.variables.scope import Block, Var
from scripts.truths.variables.statements import Statements
from scripts.truths.variables.types import ANY, BOOL, Type


def bare_block(s: Statements, block: Block, depth: int) -> None:
    s.w.put("{")
    s.inner(Block(block.body, block), depth)
    s.w.put("}")


def branch(s: Statements, block: Block, depth: int) -> None:
    w, c = s.w, s.c
    inside = Block(block.body, block)
    head = ""
    held: list[Var] = []
    if c.chance(30):
        kind = w.types.scalar()
        value = w.expression(block, kind, 0)
        made = w.declare(inside, w.fresh(inside), kind)
        held.append(made)
        head = f"{made.name} := {kind.text}({value}); "
    condition = w.condition(inside)
    opening = "".join(f" _ = {v.name}{w.held(v)}" for v in held)
    w.put(f"if {head}{condition} {{{opening}")
    s.inner(Block(block.body, inside), depth)
    if c.chance(25):
        w.put(f"}} else if {w.condition(inside)} {{{opening}")
        s.inner(Block(block.body, inside), depth)
    if c.chance(50):
        w.put(f"}} else {{{opening}")
        s.inner(Block(block.body, inside), depth)
    w.put("}")


def switch(s: Statements, block: Block, depth: int) -> None:
    w, c = s.w, s.c
    numbers = [(t, v) for t, k, v in w.paths(block) if k.text == "int" and not v.constant]
    if not numbers:
        return branch(s, block, depth)
    text, variable = c.one_of(numbers)
    block.body.mention(variable)
    w.put(f"switch {text} & 3 {{")
    last = c.between(1, 3)
    for i in range(last):
        w.put(f"case {i}:" if c.chance(75) else f"case {i}, {i + 7}:")
        s.inner(Block(block.body, Block(block.body, block)), depth)
        if i < last - 1 and c.chance(15):
            w.put("fallthrough")
    if c.chance(60):
        w.put("default:")
        s.inner(Block(block.body, Block(block.body, block)), depth)
    w.put("}")
    return None


def type_switch(s: Statements, block: Block, depth: int) -> None:
    """Its variable is of another type in each clause; with several types it keeps its own."""
    w, c = s.w, s.c
    value = w.expression(block, ANY)
    inside = Block(block.body, block)
    name = w.fresh(inside)
    w.put(f"switch {name} := ({value}).(type) {{")
    seen = {"any"}
    for _ in range(c.between(1, 3)):
        kinds: list[Type] = []
        for _ in range(c.weighted((3, 1), (1, 2), (1, 3))):
            kind = w.types.any_type(1)
            if kind.text not in seen and not (w.types.params and kind.kind == "param"):
                seen.add(kind.text)
                kinds.append(kind)
        if len(kinds) == 1:
            _clause(s, inside, depth, f"case {kinds[0].text}:", name, kinds[0])
        elif kinds:
            listed = [k.text for k in kinds]
            if "nil" not in seen and c.chance(30):
                seen.add("nil")
                listed.append("nil")
            _clause(s, inside, depth, f"case {', '.join(listed)}:", name, ANY)
    _clause(s, inside, depth, "default:", name, ANY)
    w.put("}")


def _clause(s: Statements, inside: Block, depth: int, label: str, name: str, kind: Type) -> None:
    clause = Block(inside.body, inside)
    made = s.w.declare(clause, name, kind)
    s.w.put(f"{label} _ = {name}{s.w.held(made)}")
    s.inner(clause, depth)


def select(s: Statements, block: Block, depth: int) -> None:
    """With one channel that is ready; or several, of which all bring the same."""
    w, c = s.w, s.c
    kind = w.types.any_type(1)
    ready = w.expression(block, kind, 1)
    if c.chance(35):
        given = w.declare(block, f"given{s.number('select')}", kind, fixed=True)
        w.put(f"var {given.name} {kind.text} = {ready}; _ = {given.name}{w.held(given)}")
        made = w.declare(block, w.fresh(block), kind, changes=True)
        w.put(f"var {made.name} {kind.text}; _ = {made.name}{w.held(made)}")
        w.put("select {")
        for _ in range(c.between(2, 3)):
            w.put(f"case {made.name} = <-filled[{kind.text}]({given.name}):")
        if c.chance(30):
            w.put(f"case make(chan {kind.text}, 1) <- {made.name}: {made.name} = {given.name}")
        w.put("}")
        return
    inside = Block(block.body, block)
    w.put("select {")
    clause = Block(block.body, inside)
    made = w.declare(clause, w.fresh(clause), kind)
    variables = [made]
    if c.chance(30):
        variables.append(w.declare(clause, "more", BOOL))
    names = ", ".join(v.name for v in variables)
    w.put(
        f"case {names} := <-filled[{kind.text}]({ready}): {', '.join('_' for _ in variables)} = "
        f"{names}{w.held(*variables)}"
    )
    s.inner(clause, depth)
    if c.chance(60):
        w.put("case <-(chan string)(nil):")
        w.put("\tkeep(1)")
    w.put("}")
