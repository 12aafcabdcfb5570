"""Statements without blocks: declarations, checkpoints, uses, assignments, returns, panics."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.truths.variables.making import literal
from scripts.truths.variables.scope import Block
from scripts.truths.variables.statements import MOST_COST, Statements
from scripts.truths.variables.types import ANY, ERROR, INT, INTEGERS, STRING, Type


def declare(s: Statements, block: Block, _depth: int = 0) -> None:
    w, c = s.w, s.c
    kind = w.types.any_type()
    how = c.weighted(
        (8, "short"),
        (2, "zero"),
        (2, "var"),
        (2, "two"),
        (4, "copy"),
        (2, "constant"),
        (1, "blank"),
    )
    visible = [v for v in block.visible() if v not in block.variables]
    if how == "constant":
        return _constant(s, block)
    if how == "copy" and visible:
        outer = c.one_of(visible)
        block.body.mention(outer)
        made = w.declare(block, outer.name, outer.type)
        w.put(f"{outer.name} := {outer.name}; _ = {outer.name}{w.held(made)}")
        return None
    if how == "two":
        other = w.types.any_type()
        first, second = w.expression(block, kind), w.expression(block, other)
        one = w.declare(block, w.fresh(block), kind)
        two = w.declare(block, w.fresh(block), other)
        w.put(
            f"var {one.name}, {two.name} = ({kind.text})({first}), ({other.text})({second}); "
            f"_, _ = {one.name}, {two.name}{w.held(one, two)}"
        )
        return None
    value = "" if how == "zero" else w.expression(block, kind)
    if how == "blank":
        w.put(f"var _ {kind.text} = {value}")
        return None
    made = w.declare(block, w.fresh(block), kind)
    text = {
        "zero": f"var {made.name} {kind.text}",
        "var": f"var {made.name} {kind.text} = {value}",
    }.get(how, f"{made.name} := ({kind.text})({value})")
    w.put(f"{text}; _ = {made.name}{w.held(made)}")
    return None


def _constant(s: Statements, block: Block) -> None:
    """A constant, and a variable that begins as it."""
    w = s.w
    kind = w.types.scalar()
    value = literal(w.types, kind)
    constant = w.declare(block, w.fresh(block), kind, constant=True, fixed=True)
    w.put(f"const {constant.name} {kind.text} = {value}")
    made = w.declare(block, w.fresh(block), kind)
    w.put(f"{made.name} := {constant.name}; _ = {made.name}{w.held(made)}")


def checkpoint(s: Statements, block: Block, _depth: int = 0) -> None:
    w, body = s.w, block.body
    if body.cost + 2 * body.times > MOST_COST:
        return use(s, block)
    w.put(f"‹{len(w.sites)}›")
    site = w.site("check", block)
    how = s.c.weighted((4, ("line",)), (2, ("line", "cp")), (2, ("cp",)))
    site.stops = tuple(f"main.go:{site.line}" if h == "line" else "main.cp" for h in how)
    body.cost += len(how) * body.times
    call = "cp" if "cp" in how else "pass"
    w.put(f"«see({w.told(site)}); »{call}({site.number})")
    return None


def use(s: Statements, block: Block, _depth: int = 0) -> None:
    """A variable is wanted here, so that it lives until here."""
    visible = block.visible()
    if not visible:
        return
    variable = s.c.one_of(visible)
    block.body.mention(variable)
    if s.c.chance(70):
        s.w.put(f"keep({variable.name})")
    else:
        s.w.put(f"sink = {variable.name}")


def assign(s: Statements, block: Block, _depth: int = 0) -> None:
    w, c = s.w, s.c
    targets = [(t, k, v) for t, k, v in w.paths(block) if not v.fixed]
    if not targets:
        return declare(s, block)
    text, kind, variable = c.one_of(targets)
    block.body.change(variable)
    if kind.kind in INTEGERS and c.chance(50):
        how = c.one_of(
            (
                f"{text}++",
                f"{text} += {w.expression(block, kind, 1)}",
                f"{text} *= {w.expression(block, kind, 0)}",
                f"{text}--",
            )
        )
        w.put(how)
    elif kind.kind in ("slice", "map") and c.chance(10):
        w.put(f"clear({text})")
    elif kind.kind == "slice" and c.chance(50):
        part = w.expression(block, kind.element)
        w.put(f"{text} = grown({text}, {part})")
    elif kind.kind == "map" and c.chance(60):
        key = literal(w.types, kind.keys, 0)
        w.put(f"if {text} != nil {{ {text}[{key}] = {w.expression(block, kind.element)} }}")
    else:
        w.put(f"{text} = {w.expression(block, kind)}")
    return None


_SCALARS = (*INTEGERS, "string", "bool", "float64")


def behind(s: Statements, block: Block, depth: int = 0) -> None:
    """Something that a variable leads to gets another value; the variable itself does not."""
    w, c = s.w, s.c
    targets = [
        (before, text, kind, variable)
        for path, type_, variable in w.paths(block)
        if not variable.constant
        for before, text, kind in _led_to(path, type_)
        if kind.kind in _SCALARS
    ]
    if not targets:
        return assign(s, block, depth)
    before, text, kind, variable = c.one_of(targets)
    block.body.mention(variable)
    does = f"{text} = {w.expression(block, kind, 1)}"
    if kind.kind in INTEGERS and c.chance(40):
        does = f"{text}++"
    w.put(f"if {before} {{ {does} }}")
    return None


def _led_to(path: str, kind: Type) -> Iterator[tuple[str, str, Type]]:
    """A condition, what may be assigned to where it holds, and that one's type."""
    if kind.kind == "slice":
        yield f"len({path}) > 0", f"{path}[0]", kind.element
    elif kind.kind == "pointer" and kind.element.kind == "struct":
        for name, part in kind.element.fields:
            if name != "_":
                yield f"{path} != nil", f"{path}.{name}", part
    elif kind.kind == "pointer":
        yield f"{path} != nil", f"*{path}", kind.element


def leave(s: Statements, block: Block, _depth: int = 0) -> None:
    """An early return; not of main, behind which nothing is left."""
    if block.body.owner.name == "main":
        return assign(s, block)
    s.w.put(f"if {s.w.condition(block)} {{")
    s.w.indent += 1
    s.w.put(f"{s.w.calling(block, loose=True)}return {s.results(block)}".rstrip())
    s.w.indent -= 1
    s.w.put("}")
    return None


_BROKEN = (
    "keep([]int{1, 2}[none()+2])",
    "keep(1 / none())",
    "keep(*nothing())",
    'map[string]int(nil)["a"] = none()',
    "close((chan int)(nil))",
    "keep([]int{1}[none()-1:])",
)
"""What the runtime panics for."""


def panics(s: Statements, block: Block, _depth: int = 0) -> None:
    """A panic, where a caller recovers it."""
    w, c = s.w, s.c
    if not block.body.guarded:
        return leave(s, block)
    w.put(f"if {w.condition(block)} {{")
    w.indent += 1
    does = c.one_of(_BROKEN)
    if c.chance(50):
        does = f"panic({w.expression(block, c.one_of((ANY, STRING, INT, ERROR)))})"
    w.put(f"{w.calling(block)}«raised(at); »{does}")
    w.indent -= 1
    w.put("}")
    return None
