"""Calls: of functions and methods, by value, by expression, through interfaces, of generic ones."""

from __future__ import annotations

from dataclasses import replace

from scripts.truths.variables.generics import substituted
from scripts.truths.variables.making import literal
from scripts.truths.variables.scope import Block
from scripts.truths.variables.simple import declare
from scripts.truths.variables.statements import MOST_COST, Statements
from scripts.truths.variables.types import Type, func_of
from scripts.truths.variables.writer import Function


def call(s: Statements, block: Block, _depth: int = 0) -> None:
    w, c, body = s.w, s.c, block.body
    fitting = [
        f
        for f in w.functions
        if body.cost + f.cost * body.times <= MOST_COST and (body.guarded or not f.panics)
    ]
    if not fitting:
        return declare(s, block)
    function = c.one_of(fitting)
    body.cost += function.cost * body.times
    made, name = _instance(s, block, function)
    if made.receiver is None:
        called(s, block, name, made)
    else:
        _method(s, block, made, made.receiver)
    return None


def _instance(s: Statements, block: Block, function: Function) -> tuple[Function, str]:
    """A function with types in place of its type parameters, and how the source names it."""
    if not function.generics:
        return function, function.name
    w = s.w
    arguments = [w.types.argument(p.constraint) for p in function.generics]
    receiver = function.receiver
    if receiver is not None:
        known = [k for _, k, _ in w.paths(block) if k.generic is _named(receiver).generic]
        if known and s.c.chance(70):
            arguments = list(s.c.one_of(known).arguments)
    by = {p.text: a for p, a in zip(function.generics, arguments, strict=True)}
    made = replace(
        function,
        params=tuple(substituted(p, by) for p in function.params),
        results=tuple(substituted(r, by) for r in function.results),
        receiver=receiver and substituted(receiver, by),
    )
    return made, f"{function.name}[{', '.join(a.text for a in arguments)}]"


def _named(receiver: Type) -> Type:
    return receiver.element if receiver.kind == "pointer" else receiver


def _method(s: Statements, block: Block, function: Function, receiver: Type) -> None:
    w, c = s.w, s.c
    named = _named(receiver)
    by_pointer = receiver.kind == "pointer"
    known = [(t, v) for t, v in w.of_type(block, named) if not v.constant]
    value = ""
    if known and c.chance(70):
        value, variable = c.one_of(known)
        block.body.mention(variable)
        if by_pointer:
            variable.addressed = True
    made = value or literal(w.types, named)
    text = value or (f"ptr({made})" if by_pointer else f"({made})")
    through = [t for t in w.types.named if t.text == f"I{function.name}" and t.implementers]
    how = c.weighted((5, "call"), (1, "value"), (1, "expression"), (2, "interface"))
    held = f"&{value}" if value and by_pointer else text
    if how == "interface" and through:
        return called(s, block, f"{through[0].text}({held}).{function.name}", function)
    if how == "expression":
        direct = replace(function, params=(receiver, *function.params))
        return called(s, block, f"({receiver.text}).{function.name}", direct, held)
    if how == "value":
        kind = func_of(list(function.params), list(function.results))
        if not function.variadic:
            name = f"m{s.number('method value')}"
            method = w.declare(block, name, kind, fixed=True)
            w.put(f"{name} := {text}.{function.name}; _ = {name}{w.held(method)}")
            w.wrapped.add(w.line - 1)  # of a generic type it is a closure of its own
            return called(s, block, name, function, also=w.line - 1)
    return called(s, block, f"{text}.{function.name}", function)


def called(
    s: Statements,
    block: Block,
    callee: str,
    function: Function,
    first: str = "",
    also: int = 0,
) -> None:
    """A call as a statement; its results become variables, or are assigned. `first` is what is
    passed first, where that is known; `also` another line that the call may have."""
    w, c = s.w, s.c
    params, results = list(function.params), function.results
    arguments = [first] if first else []
    if function.recursive:
        arguments.append(str(c.below(3)))
    rest = params[len(arguments) :]
    fixed = rest[:-1] if function.variadic else rest
    arguments += [w.expression(block, p) for p in fixed]
    if function.variadic:
        element = params[-1].element
        arguments += [w.expression(block, element) for _ in range(c.below(3))]
    text = f"{callee}({', '.join(arguments)})"
    before = w.calling(block)
    w.sites[-1].also = also
    if not results or c.chance(15):
        w.put(f"{before}{text}")
        return
    taken = [(t, v) for t, v in w.of_type(block, results[0]) if not v.fixed]
    if len(results) == 1 and taken and c.chance(40):
        target, variable = c.one_of(taken)
        block.body.change(variable)
        w.put(f"{before}{target} = {text}")
        return
    left_out = c.below(len(results)) if len(results) > 1 and c.chance(25) else -1
    made = [
        w.declare(block, "_" if i == left_out else w.fresh(block), kind)
        for i, kind in enumerate(results)
    ]
    names = ", ".join(v.name for v in made)
    used = [v.name for v in made if v.name != "_"]
    w.put(
        f"{before}{names} := {text}; {', '.join('_' for _ in used)} = {', '.join(used)}"
        f"{w.held(*made)}"
    )
