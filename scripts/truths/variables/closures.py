"""Function literals: called at once or later, deferred, in goroutines, recovering."""

from __future__ import annotations

from scripts.truths.variables.calls import called
from scripts.truths.variables.scope import Block, Body, Var
from scripts.truths.variables.simple import declare, panics
from scripts.truths.variables.statements import MOST_COST, Statements
from scripts.truths.variables.types import ANY, BOOL, Type, chan_of, func_of
from scripts.truths.variables.writer import Function


def closure(s: Statements, block: Block, depth: int) -> None:
    """A function literal, called at once, later, or several times."""
    c = s.c
    params = [s.w.types.any_type(1) for _ in range(c.below(3))]
    results = [s.w.types.any_type(1) for _ in range(c.below(2))]
    body = Body(f"{block.body.name}.func", block.body, results, guarded=block.body.guarded)
    _literal(s, block, body, params, depth)


def guarded(s: Statements, block: Block, depth: int) -> None:
    """A function literal that recovers from what panics in it, or in what it calls."""
    c = s.c
    results = [s.w.types.any_type(1) for _ in range(c.weighted((2, 1), (1, 0), (2, 2)))]
    body = Body(f"{block.body.name}.func", block.body, results, guarded=True)
    _literal(s, block, body, [s.w.types.any_type(1) for _ in range(c.below(2))], depth)


def _literal(s: Statements, block: Block, body: Body, params: list[Type], depth: int) -> None:
    w, c = s.w, s.c
    inside = Block(body, block)
    name = f"f{s.number('closure')}"
    parameters = [
        w.declare(inside, n, t, parameter=True) for n, t in zip("abcd", params, strict=False)
    ]
    recovers = body.guarded and not block.body.guarded
    outs, named = results_of(s, inside, body, recovers or c.chance(25))
    ins = ", ".join(f"{v.name} {v.type.text}" for v in parameters)
    line = w.line
    w.put(f"{name} := func({ins}){outs} {{{s.opening([*parameters, *named])}")
    w.indent += 1
    if recovers:
        recovering(s, inside, depth)
    s.body(inside, depth - 1)
    if recovers and c.chance(50):
        w.lines.pop()
        panics(s, inside)
        s.returns(inside)
    w.indent -= 1
    w.put("}")
    made = w.declare(block, name, func_of(params, body.results), fixed=True)
    made.line = line
    w.put(f"_ = {name}{w.held(made)}")
    calls = c.between(1, 2)
    if block.body.cost + body.cost * block.body.times * calls > 2 * MOST_COST:
        calls = 0
    function = Function(name, tuple(params), tuple(body.results), body.cost)
    for _ in range(calls):
        block.body.cost += body.cost * block.body.times
        called(s, block, name, function)
        if c.chance(50):
            s.statement(block, 0)


def results_of(s: Statements, inside: Block, body: Body, named: bool) -> tuple[str, list[Var]]:
    """The results of a function as its head has them, and their variables where they have names."""
    if not named or not body.results:
        outs = ", ".join(t.text for t in body.results)
        return (f" ({outs})" if body.results else ""), []
    for i, kind in enumerate(body.results):
        made = s.w.declare(inside, f"out{i}", kind, parameter=True)
        body.named_results.append(made)
    outs = ", ".join(f"{v.name} {v.type.text}" for v in body.named_results)
    return f" ({outs})", body.named_results


def recovering(s: Statements, block: Block, depth: int) -> None:
    """The deferred call that recovers, looks about, and sets the results."""
    w, c = s.w, s.c
    owner = block.body
    body = Body(f"{owner.name}.func", owner)
    inside = Block(body, block)
    line = w.line
    w.put(f"defer func() {{{s.opening([], 'over(fn)')}")
    w.indent += 1
    found = Block(body, inside)
    made = w.declare(found, c.one_of(("r", "x", "err")), ANY)
    w.put(f"if {made.name} := recover(); {made.name} != nil {{«back(); »{w.held(made)}")
    w.indent += 1
    within = Block(body, found)
    s.block(within, min(depth - 1, 1), least=1)
    for result in owner.named_results:
        if c.chance(70) and result in within.visible():
            body.change(result)
            w.put(f"{result.name} = {w.expression(within, result.type)}")
    w.indent -= 1
    w.put("}")
    w.put(w.calling(inside, loose=True))
    w.indent -= 1
    w.wrapped.update((line, w.line))
    w.put("}()")
    owner.cost += body.cost


def deferred(s: Statements, block: Block, depth: int) -> None:
    w, c = s.w, s.c
    owner = block.body
    body = Body(f"{owner.name}.func", owner, times=owner.times)
    if owner.cost > MOST_COST:
        return declare(s, block)
    kind = w.types.any_type(1)
    value = w.expression(block, kind)
    inside = Block(body, block)
    made = w.declare(inside, c.one_of(("a", "x", "r")), kind, parameter=True)
    line, opening = w.line, s.opening([made], "over(fn)")
    w.put(f"defer func({made.name} {kind.text}) {{{opening}")
    w.indent += 1
    body.cost = owner.cost
    s.body(inside, depth - 1)
    w.indent -= 1
    w.wrapped.update((line, w.line))
    w.put(f"}}({value})")
    owner.cost = body.cost
    return None


def goroutine(s: Statements, block: Block, depth: int) -> None:
    """One that is waited for, so that all happens in one order."""
    w, c = s.w, s.c
    owner = block.body
    body = Body(f"{owner.name}.gofunc", owner, times=owner.times)
    kind = w.types.any_type(1)
    value = w.expression(block, kind)
    w.put("{")
    around = Block(owner, block)
    done = w.declare(around, "done", chan_of(BOOL), fixed=True)
    w.put(f"\tdone := make(chan bool){w.held(done)}")
    inside = Block(body, around)
    made = w.declare(inside, c.one_of(("a", "x", "r")), kind, parameter=True)
    body.mention(done)
    line = w.line
    w.put(f"\tgo func({made.name} {kind.text}) {{«together := apart(); »{s.opening([made])}")
    w.indent += 2
    body.cost = owner.cost
    w.put("defer close(done)«; defer together()»")
    s.body(inside, depth - 1)
    w.indent -= 2
    w.wrapped.update((line, w.line))
    w.put(f"\t}}({value})")
    w.put("\t<-done")
    w.put("}")
    owner.cost = body.cost
