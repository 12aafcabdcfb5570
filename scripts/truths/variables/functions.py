"""Top-level functions and methods: generic ones, with arguments that registers cannot hold all,
recursive, recovering, panicking ones."""

from __future__ import annotations

from scripts.truths.choices import Choices
from scripts.truths.variables.closures import recovering, results_of
from scripts.truths.variables.generics import Generic, parameter
from scripts.truths.variables.making import TypeMaker
from scripts.truths.variables.scope import Block, Body, Var
from scripts.truths.variables.statements import Statements
from scripts.truths.variables.types import (
    ANY,
    INT,
    INTEGERS,
    STRING,
    Type,
    array_of,
    basic,
    pointer,
    slice_of,
    struct_of,
)
from scripts.truths.variables.writer import NAMES, Function

_CONSTRAINTS = ("any", "comparable", "number")


def function(s: Statements, number: int) -> None:
    """Write one; then, sometimes, an interface that it is a method of."""
    w, c = s.w, s.c
    w.put("")
    receiver, generics = _receiver(s)
    with w.types.scope(*generics):
        made = _function(s, number, receiver, generics)
    if receiver is not None and not generics and not made.variadic and c.chance(50):
        _interface(s, made, receiver)


def _receiver(s: Statements) -> tuple[Type | None, tuple[Type, ...]]:
    """Whose method it is, if any one's, and its type parameters."""
    w, c = s.w, s.c
    receiver: Type | None = None
    generics: tuple[Type, ...] = ()
    kind = c.weighted((10, "function"), (5, "method"), (3, "generic"), (2, "generic method"))
    named = [t for t in w.types.named if t.kind not in ("interface", "pointer")]
    if kind == "method" and named:
        receiver = c.one_of(named)
    elif kind == "generic":
        names = ("P", "Q")[: c.between(1, 2)]
        generics = tuple(parameter(n, c.one_of(_CONSTRAINTS)) for n in names)
    elif kind == "generic method" and w.types.generics:
        generic: Generic = c.one_of(w.types.generics)
        generics = tuple(generic.params)
        receiver = generic.of(generics)
    if receiver is not None and c.chance(50):
        receiver = pointer(receiver)
    return receiver, generics


def _function(
    s: Statements, number: int, receiver: Type | None, generics: tuple[Type, ...]
) -> Function:
    w, c = s.w, s.c
    noinline = c.chance(70)
    name = f"f{chr(ord('A') + number)}" if receiver is None else f"M{number}"
    symbol = name if receiver is None else _symbol(receiver, name)
    recursive = noinline and receiver is None and c.chance(12)
    body = Body(symbol, noinline=noinline, guarded=c.chance(25), times=3 if recursive else 1)
    block = Block(body)
    params = _signature(c, w.types)
    if recursive:
        params.insert(0, INT)
    variadic = bool(params) and not recursive and c.chance(15)
    if variadic:
        params[-1] = slice_of(params[-1])
    body.results = _results(c, w.types)
    if noinline:
        w.put("//go:noinline")
    held: list[Var] = []
    head = "func "
    if receiver is not None:
        held.append(w.declare(block, "r", receiver, parameter=True))
        head += f"(r {receiver.text}) "
    parts = []
    for i, (kind, param) in enumerate(zip(params, _names(c, len(params), recursive), strict=True)):
        held.append(w.declare(block, param, kind, parameter=True, fixed=recursive and not i))
        last = variadic and i == len(params) - 1
        parts.append(f"{param} ...{kind.element.text}" if last else f"{param} {kind.text}")
    recovers = body.guarded and c.chance(60)
    outs, named = results_of(s, block, body, recovers or c.chance(30))
    entry = ""
    if noinline:
        site = w.site("entry", block)
        site.stops = (f"main.{symbol}",)
        body.cost += body.times
        entry = f"«; see({w.told(site)})»"
    head += name
    if generics and receiver is None:
        head += f"[{', '.join(f'{p.text} {p.constraint}' for p in generics)}]"
    if generics:
        w.wrapped.add(w.line)
    w.put(f"{head}({', '.join(parts)}){outs} {{{s.opening([*held, *named])}{entry}")
    w.indent += 1
    if recovers:
        recovering(s, block, 2)
    s.block(block, 2, least=1)
    made = Function(
        name,
        tuple(params),
        tuple(body.results),
        0,
        variadic,
        receiver,
        generics,
        panics=body.guarded and not recovers,
        recursive=recursive,
    )
    if recursive:
        _recursion(s, block, made)
    s.returns(block)
    w.indent -= 1
    w.put("}")
    made = Function(
        name,
        made.params,
        made.results,
        body.cost,
        variadic,
        receiver,
        generics,
        made.panics,
        recursive,
    )
    w.functions.append(made)
    return made


def _symbol(receiver: Type, method: str) -> str:
    """As a WHERE names it: without type arguments."""
    base = receiver.text.lstrip("*").partition("[")[0]
    return f"(*{base}).{method}" if receiver.kind == "pointer" else f"{base}.{method}"


def _recursion(s: Statements, block: Block, made: Function) -> None:
    """A call of itself, as long as the first parameter lasts."""
    w = s.w
    arguments = ["deep-1", *(w.expression(block, p) for p in made.params[1:])]
    generics = f"[{', '.join(p.text for p in made.generics)}]" if made.generics else ""
    deep = next(v for v in block.variables if v.name == "deep")
    block.body.mention(deep)
    w.put(f"if deep > 0 {{ {w.calling(block)}{made.name}{generics}({', '.join(arguments)}) }}")


def _interface(s: Statements, made: Function, receiver: Type) -> None:
    """An interface of this one method; its name tells that of the method."""
    w = s.w
    name = f"I{made.name}"
    ins = ", ".join(p.text for p in made.params)
    outs = ", ".join(r.text for r in made.results)
    w.put("")
    w.put(f"type {name} interface {{ {made.name}({ins}) ({outs}) }}")
    w.types.named.append(Type("interface", name, named=True, implementers=[receiver]))


# Signatures


def _signature(c: Choices, types: TypeMaker) -> list[Type]:
    if c.chance(25):
        return _wide(c, types)
    return [types.any_type() for _ in range(c.weighted((3, 2), (3, 3), (2, 1), (2, 5), (1, 9)))]


def _results(c: Choices, types: TypeMaker) -> list[Type]:
    if c.chance(12):
        return _wide(c, types)
    return [types.any_type() for _ in range(c.weighted((3, 1), (2, 2), (2, 0), (1, 3)))]


def _wide(c: Choices, types: TypeMaker) -> list[Type]:
    """More than registers hold, of one sort or of several: what does not fit whole is passed on
    the stack, and what comes after it may fit again (cmd/compile/abi-internal.md)."""
    pair = struct_of([("a", INT), ("x", basic("float64"))])
    single = struct_of([("n", array_of(STRING, 1))])
    sorts: tuple[tuple[Type, ...], ...] = (
        tuple(map(basic, INTEGERS)),
        (basic("float64"), basic("float32")),
        (STRING, slice_of(basic("uint8")), ANY),
        (basic("complex128"), basic("complex64"), basic("float32")),
        (pair, single, struct_of([("y", pair), ("b", STRING)]), INT),
        (array_of(INT, 1), array_of(INT, 2), array_of(STRING, 1), basic("bool"), array_of(INT, 0)),
        (INT, basic("float64"), STRING, ANY, pair, array_of(INT, 2), basic("complex128"), BYTES),
    )
    sort = c.one_of(sorts)
    room = {0: 14, 1: 18, 2: 7, 3: 12}.get(sorts.index(sort), 9)
    return [
        types.any_type(1) if c.chance(8) else c.one_of(sort)
        for _ in range(c.between(room // 2, room))
    ]


BYTES = slice_of(basic("uint8"))


def _names(c: Choices, count: int, recursive: bool) -> list[str]:
    free = [*NAMES, *(f"e{i}" for i in range(max(0, count - len(NAMES))))]
    names = ["_" if c.chance(6) else free.pop(c.below(len(free))) for _ in range(count)]
    return ["deep", *names[1:]] if recursive else names
