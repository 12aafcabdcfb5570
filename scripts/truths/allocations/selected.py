"""Statements each of whose sites makes one object each time: fields, variables and functions of
another package, several results that are handed on at once, and several of these on one line."""

from __future__ import annotations

from scripts.truths.allocations.statements import Statement
from scripts.truths.allocations.writing import Body

_FIELDS = ("{p}.x", "{p}.name", "{p}.in.a", "{p}.in", "{p}.at.s", "{p}.list[0].a", "{p}.list[0]",
           "*{p}.at", "{p}.in.deep.k", "{p}.list", "{p}.inside.s")  # fmt: skip
_OF_OTHERS = ("lib.Width", "lib.Name", "lib.Default.In.Depth", "lib.Default.At.Label",
              "lib.Default.In", "os.Args", "lib.Default.List[0].Depth")  # fmt: skip
_RESULTS = ("add(n, 3)", "lib.Add(n, 3)", "lib.Default.Sum(n)", "{p}.sum(n)", "apart(n)",
            "lib.Add(add(n, 1), 2)")  # fmt: skip
_SEVERAL = ("two(n)", "twoApart(n)", "lib.Two(n)", "lib.TwoApart(n)", "{p}.both()")
_TELLING = ("lib.Tell({0})", "lib.TellBoth({0}, long)", "lib.Default.Show()", "tellInt({0})",
            "lib.Default.ShowAt()", "lib.Text({0})", "{p}.show()", "lib.TellAgain({0})",
            "lib.TellAny({0})")  # fmt: skip
_MAKING = ("new(int)", "&inside{{n, s, nil}}", "make([]int, 3)", "{p}.name + long", "lib.New(n)",
           "[]byte({p}.name)", "lib.Bytes(100)", "&{p}.list[0].a", "lib.Point(n)",
           "[]int{{n, 2}}", "func() int {{ return n }}", "pointerTo({p}.x)",
           "map[int]string{{}}")  # fmt: skip


def _outside(body: Body) -> str:
    """A variable with fields, none of which is small or empty; on the heap or not."""
    name = body.name("o")
    body.allocating(f"{name} := {body.choices.one_of(('outsideOf', 'outsideAt'))}(n)")
    body(f"_ = {name}")
    return name


def _boxed(body: Body, name: str) -> str:
    """What becomes an interface, one object each."""
    of = body.choices.weighted((5, _FIELDS), (3, _OF_OTHERS), (2, _RESULTS))
    return body.choices.one_of(of).format(p=name)


def _number(body: Body, name: str) -> str:
    of = ("n + 1000", "{p}.x", "lib.Width", "add(n, 1)", "{p}.in.a", "lib.Default.In.Depth")
    return body.choices.one_of(of).format(p=name)


def fields_boxed(body: Body) -> None:
    """As arguments, by conversions, in literals, by assignment."""
    name = _outside(body)
    parts = [_boxed(body, name) for _ in range(body.choices.between(1, 4))]
    listed = ", ".join(parts)
    sink = body.shared.sink("any")
    body.each(
        body.choices.one_of(
            (
                f"acc += lib.Keep({listed})",
                f"acc += keepAll({listed})",
                f"fmt.Fprintln(io.Discard, {listed})",
                f"{sink} = {parts[0]}",
                f"{sink} = any({parts[0]})",
                f"{body.shared.sink('[]any')} = []any{{{listed}}}",
                f"{sink} = &[4]any{{{listed}}}",
                f"{sink} = &boxes{{{parts[0]}, {parts[-1]}}}",
                f"acc += lib.Keep(any({parts[0]}), {listed})",
            )
        )
    )
    if body.choices.chance(30):
        body.allocating(f"acc += lib.Use({listed})")


def handed_on(body: Body) -> None:
    """Several results at once."""
    name = _outside(body)
    result = body.choices.one_of(_SEVERAL).format(p=name)
    body.each(
        body.choices.one_of(
            (
                f"acc += lib.Keep({result})",
                f"acc += keepAll({result})",
                f"acc += len(fmt.Sprintln({result}))",
                f"{body.shared.sink('any')}, {body.shared.sink('error')} = twoApart(n)",
            )
        )
    )


def told_by_others(body: Body) -> None:
    """Parameters and receivers of functions that are inlined from another package."""
    name = _outside(body)
    calls = [
        body.choices.one_of(_TELLING).format(_number(body, name), p=name)
        for _ in range(body.choices.between(1, 3))
    ]
    body.each(f"acc += {' + '.join(calls)}")


def several_at_once(body: Body) -> None:
    """Any of these on one line."""
    name = _outside(body)
    made = []
    for _ in range(body.choices.between(2, 4)):
        if body.choices.chance(60):
            made.append(body.choices.one_of(_MAKING).format(p=name))
        else:
            made.append(f"any({_boxed(body, name)})")
    names = [body.name("x") for _ in made]
    body.each(f"{', '.join(names)} := {', '.join(made)}")
    for each in names:
        body(f"{body.shared.sink('any')} = {each}")


def with_room(body: Body) -> None:
    """Appends that never grow, beside what allocates."""
    name, room = _outside(body), body.name("r")
    body.allocating(f"var {room} [8]int")
    made = body.choices.one_of(_MAKING).format(p=name)
    x, y = body.name("x"), body.name("x")
    body.each(
        body.choices.one_of(
            (
                f"{x}, {y} := append({room}[:0], n), {made}",
                f"{y}, {x} := {made}, append({room}[:n%4], n, 2)",
                f"{x}, {y} := inlineAppend({room}[:n%4], n), any({name}.x)",
                f"{x}, {y} := append({room}[:0], globals...), any({name}.in.a)",
            )
        )
    )
    body(f"acc += len({x})")
    body(f"{body.shared.sink('any')} = {y}")


SELECTED: tuple[tuple[int, Statement], ...] = (
    (4, fields_boxed), (2, handed_on), (3, told_by_others), (4, several_at_once), (2, with_room),
)  # fmt: skip
