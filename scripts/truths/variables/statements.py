"""Statements: what a body is made of, each written with its sites."""

from __future__ import annotations

from collections.abc import Callable

from scripts.truths.variables.scope import Block, Body, Var
from scripts.truths.variables.types import (
    ANY,
    BOOL,
    INT,
    INTEGERS,
    Type,
    chan_of,
    func_of,
    literal,
)
from scripts.truths.variables.writer import Function, Writer

_MOST_COST = 14
_DEEPEST = 4


class Statements:
    """Writes the statements of bodies."""

    def __init__(self, writer: Writer) -> None:
        self.w = writer
        self.c = writer.choices
        self.closures = 0

    def block(self, block: Block, depth: int, least: int = 0) -> None:
        """Some statements, the last of which does not leave the block."""
        for _ in range(least + self.c.weighted((3, 2), (3, 3), (3, 1), (2, 4), (1, 0))):
            self.statement(block, depth)

    def statement(self, block: Block, depth: int) -> None:
        simple: tuple[tuple[int, Callable[[Block, int], None]], ...] = (
            (6, self.declare), (5, self.checkpoint), (5, self.assign), (3, self.call),
            (2, self.use),
        )  # fmt: skip
        nested: tuple[tuple[int, Callable[[Block, int], None]], ...] = (
            (3, self.branch), (3, self.loop), (3, self.closure), (1, self.deferred),
            (1, self.type_switch), (1, self.switch), (1, self.bare_block), (1, self.select),
            (1, self.goroutine),
        )  # fmt: skip
        chosen = self.c.weighted(*simple, *(nested if depth > 0 else ()))
        chosen(block, depth)

    # Simple statements

    def declare(self, block: Block, _depth: int) -> None:
        w, c = self.w, self.c
        kind = w.types.any_type()
        how = c.weighted((4, "short"), (1, "zero"), (1, "var"), (1, "two"), (2, "copy"))
        visible = [v for v in block.visible() if v not in block.variables]
        if how == "copy" and visible:
            outer = c.one_of(visible)
            block.body.mention(outer)
            made = w.declare(block, outer.name, outer.type)
            w.put(f"{outer.name} := {outer.name}; _ = {outer.name}{w.held(made)}")
            return
        if how == "two":
            other = w.types.any_type()
            first, second = w.expression(block, kind), w.expression(block, other)
            one = w.declare(block, w.fresh(block), kind)
            two = w.declare(block, w.fresh(block), other)
            w.put(f"var {one.name}, {two.name} = ({kind.text})({first}), ({other.text})({second}); "
                  f"_, _ = {one.name}, {two.name}{w.held(one, two)}")  # fmt: skip
            return
        value = "" if how == "zero" else w.expression(block, kind)
        made = w.declare(block, w.fresh(block), kind)
        text = {
            "zero": f"var {made.name} {kind.text}",
            "var": f"var {made.name} {kind.text} = {value}",
        }.get(how, f"{made.name} := ({kind.text})({value})")
        w.put(f"{text}; _ = {made.name}{w.held(made)}")

    def checkpoint(self, block: Block, _depth: int) -> None:
        w, body = self.w, block.body
        if body.cost + 2 * body.times > _MOST_COST:
            self.use(block, 0)
            return
        site = w.site("check", block)
        how = self.c.weighted((4, ("line",)), (2, ("line", "cp")), (2, ("cp",)))
        site.stops = tuple(f"main.go:{site.line}" if h == "line" else "main.cp" for h in how)
        body.cost += len(how) * body.times
        call = "cp" if "cp" in how else "pass"
        w.put(f"«see({w.told(site)}); »{call}({site.number})‹{site.number}›")

    def use(self, block: Block, _depth: int) -> None:
        """A variable is wanted here, so that it lives until here."""
        visible = block.visible()
        if not visible:
            return
        variable = self.c.one_of(visible)
        block.body.mention(variable)
        if self.c.chance(70):
            self.w.put(f"keep({variable.name})")
        else:
            self.w.put(f"sink = {variable.name}")

    def assign(self, block: Block, _depth: int) -> None:
        w, c = self.w, self.c
        targets = [(t, k, v) for t, k, v in w.paths(block) if not v.fixed]
        if not targets:
            return self.declare(block, 0)
        text, kind, variable = c.one_of(targets)
        block.body.mention(variable)
        variable.changes = True
        if variable.body is not block.body:
            variable.boxed = True
        if kind.kind in INTEGERS and c.chance(50):
            how = c.one_of((f"{text}++", f"{text} += {w.expression(block, kind, 1)}",
                            f"{text} *= {w.expression(block, kind, 0)}", f"{text}--"))  # fmt: skip
            w.put(how)
        elif kind.kind == "slice" and c.chance(50):
            part = w.expression(block, kind.element)
            w.put(f"{text} = grown({text}, {part})")
        elif kind.kind == "map" and c.chance(60):
            key = literal(w.types, kind.keys, 0)
            w.put(f"if {text} != nil {{ {text}[{key}] = {w.expression(block, kind.element)} }}")
        else:
            w.put(f"{text} = {w.expression(block, kind)}")
        return None

    def call(self, block: Block, _depth: int) -> None:
        w, c, body = self.w, self.c, block.body
        fitting = [f for f in w.functions if body.cost + f.cost * body.times <= _MOST_COST]
        if not fitting:
            return self.declare(block, 0)
        function = c.one_of(fitting)
        body.cost += function.cost * body.times
        self._called(block, self._callee(block, function), function.params,
                     function.results, function.variadic)  # fmt: skip
        return None

    def _callee(self, block: Block, function: Function) -> str:
        if function.receiver is None:
            return function.name
        w = self.w
        value = function.receiver
        named = value.element if value.kind == "pointer" else value
        known = w.of_type(block, named)
        if known and self.c.chance(70):
            text, variable = self.c.one_of(known)
            block.body.mention(variable)
            if value.kind == "pointer":
                variable.boxed = True
            return f"{text}.{function.name}"
        made = literal(w.types, named)
        if value.kind == "pointer":
            return f"ptr({made}).{function.name}"
        return f"({made}).{function.name}"

    def _called(
        self, block: Block, callee: str, params: tuple[Type, ...],
        results: tuple[Type, ...], variadic: bool,
    ) -> None:  # fmt: skip
        """A call as a statement; its results become variables, or are assigned."""
        w, c = self.w, self.c
        fixed = params[:-1] if variadic else params
        arguments = [w.expression(block, p) for p in fixed]
        if variadic:
            element = params[-1].element
            arguments += [w.expression(block, element) for _ in range(c.below(3))]
        text = f"{callee}({', '.join(arguments)})"
        before = w.calling(block)
        if not results or c.chance(15):
            w.put(f"{before}{text}")
            return
        taken = [(t, v) for t, v in w.of_type(block, results[0]) if not v.fixed]
        if len(results) == 1 and taken and c.chance(40):
            target, variable = c.one_of(taken)
            block.body.mention(variable)
            variable.changes = True
            if variable.body is not block.body:
                variable.boxed = True
            w.put(f"{before}{target} = {text}")
            return
        made = [w.declare(block, w.fresh(block), kind) for kind in results]
        names = ", ".join(v.name for v in made)
        blanks = ", ".join("_" for _ in made)
        w.put(f"{before}{names} := {text}; {blanks} = {names}{w.held(*made)}")

    # Blocks

    def inner(self, block: Block, depth: int) -> None:
        """An inner block's statements."""
        w = self.w
        w.indent += 1
        self.block(block, depth - 1)
        w.indent -= 1

    def bare_block(self, block: Block, depth: int) -> None:
        self.w.put("{")
        self.inner(Block(block.body, block), depth)
        self.w.put("}")

    def branch(self, block: Block, depth: int) -> None:
        w, c = self.w, self.c
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
        self.inner(Block(block.body, inside), depth)
        if c.chance(50):
            w.put(f"}} else {{{opening}")
            self.inner(Block(block.body, inside), depth)
        w.put("}")

    def loop(self, block: Block, depth: int) -> None:
        c, body = self.c, block.body
        kinds = [(4, "for"), (3, "slice"), (1, "array"), (1, "string")]
        if self.w.language >= (1, 22):
            kinds.append((2, "int"))
        if self.w.language >= (1, 23):
            kinds.append((2, "func"))
        times = body.times
        match c.weighted(*kinds):
            case "for":
                self._for(block, depth)
            case "slice":
                self._range(block, depth, "slice")
            case "array":
                self._range(block, depth, "array")
            case "string":
                self._range(block, depth, "string")
            case "int":
                self._range(block, depth, "int")
            case _:
                self._range_func(block, depth)
        body.times = times

    def _for(self, block: Block, depth: int) -> None:
        w, c = self.w, self.c
        inside = Block(block.body, block)
        name = c.one_of(("i", "j", "n"))
        made = w.declare(inside, name, INT, fixed=True, changes=True)
        rounds = c.between(1, 3)
        w.put(f"for {name} := 0; {name} < {rounds}; {name}++ {{«{w.handle(made)}»")
        block.body.times *= rounds
        self._loop_body(inside, depth)

    def _loop_body(self, inside: Block, depth: int) -> None:
        w, c = self.w, self.c
        body = Block(inside.body, inside)
        self.inner(body, depth)
        if c.chance(20):
            w.indent += 1
            w.put(f"if {w.condition(body)} {{ {c.one_of(('continue', 'break'))} }}")
            w.indent -= 1
        w.put("}")

    def _range(self, block: Block, depth: int, over: str) -> None:
        w, c = self.w, self.c
        inside = Block(block.body, block)
        element, rounds = INT, c.between(1, 3)
        if over == "int":
            head, key, value = str(rounds), INT, None
        elif over == "string":
            head, key, value = f'"{"gö"[:rounds]}"', INT, Type("int32", "int32")
            rounds = 2
        else:
            element = w.types.any_type(1)
            parts = ", ".join(w.expression(block, element, 1) for _ in range(rounds))
            size = f"[{rounds}]" if over == "array" else "[]"
            head, key, value = f"({size}{element.text}{{{parts}}})", INT, element
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
        block.body.times *= rounds
        self._loop_body(inside, depth)

    def _range_func(self, block: Block, depth: int) -> None:
        """A loop whose body is a function of its own."""
        w, c = self.w, self.c
        rounds = c.between(1, 3)
        element = w.types.any_type(1)
        first = w.expression(block, element, 1)
        outer = block.body
        body = Body(f"{outer.name}-range", outer, times=outer.times * rounds, loop_body=True)
        body.cost = outer.cost
        inside = Block(body, block)
        made = w.declare(inside, c.one_of(("v", "item", "x")), element)
        before = w.calling(block)
        w.put(f"{before}for {made.name} := range times({rounds}, ({element.text})({first})) {{ "
              f"_ = {made.name}«; at := at + 1; _ = at; {w.handle(made)}»")  # fmt: skip
        self.inner(Block(body, inside), depth)
        w.put("}")
        outer.cost = body.cost

    # Switches

    def switch(self, block: Block, depth: int) -> None:
        w, c = self.w, self.c
        numbers = [(t, v) for t, k, v in w.paths(block) if k.text == "int"]
        if not numbers:
            return self.branch(block, depth)
        text, variable = c.one_of(numbers)
        block.body.mention(variable)
        w.put(f"switch {text} & 3 {{")
        for i in range(c.between(1, 3)):
            w.put(f"case {i}:")
            self.inner(Block(block.body, Block(block.body, block)), depth)
        if c.chance(60):
            w.put("default:")
            self.inner(Block(block.body, Block(block.body, block)), depth)
        w.put("}")
        return None

    def type_switch(self, block: Block, depth: int) -> None:
        w, c = self.w, self.c
        value = w.expression(block, ANY)
        inside = Block(block.body, block)
        name = w.fresh(inside)
        w.put(f"switch {name} := ({value}).(type) {{")
        seen: set[str] = set()
        for _ in range(c.between(1, 3)):
            kind = w.types.any_type(1)
            if kind.text in seen or kind.text == "any":
                continue
            seen.add(kind.text)
            self._clause(inside, depth, f"case {kind.text}:", name, kind)
        self._clause(inside, depth, "default:", name, ANY)
        w.put("}")

    def _clause(self, inside: Block, depth: int, label: str, name: str, kind: Type) -> None:
        w = self.w
        clause = Block(inside.body, inside)
        made = w.declare(clause, name, kind)
        w.put(f"{label} _ = {name}{w.held(made)}")
        self.inner(clause, depth)

    def select(self, block: Block, depth: int) -> None:
        """With one channel that is ready."""
        w, c = self.w, self.c
        kind = w.types.any_type(1)
        ready = w.expression(block, kind, 1)
        inside = Block(block.body, block)
        w.put("select {")
        clause = Block(block.body, inside)
        made = w.declare(clause, w.fresh(clause), kind)
        w.put(f"case {made.name} := <-filled[{kind.text}]({ready}): _ = {made.name}"
              f"{w.held(made)}")  # fmt: skip
        self.inner(clause, depth)
        if c.chance(60):
            w.put("case <-(chan string)(nil):")
            w.put("\tkeep(1)")
        w.put("}")

    # Closures

    def closure(self, block: Block, depth: int) -> None:
        """A function literal, called at once, later, or several times."""
        w, c = self.w, self.c
        params = [w.types.any_type(1) for _ in range(c.below(3))]
        results = [w.types.any_type(1) for _ in range(c.below(2))]
        self.closures += 1
        body = Body(f"{block.body.name}.func", block.body, list(results))
        inside = Block(body, block)
        name = f"f{self.closures}"
        names = [
            w.declare(inside, n, t, parameter=True) for n, t in zip("abcd", params, strict=False)
        ]
        ins = ", ".join(f"{v.name} {v.type.text}" for v in names)
        outs = f" {results[0].text}" if results else ""
        line = w.line
        w.put(f"{name} := func({ins}){outs} {{{self.opening(names)}")
        w.indent += 1
        self.block(inside, depth - 1, least=1)
        self.returns(inside)
        w.indent -= 1
        w.put("}")
        made = w.declare(block, name, func_of(params, results), fixed=True)
        made.line = line
        w.put(f"_ = {name}{w.held(made)}")
        calls = c.between(1, 2)
        if block.body.cost + body.cost * block.body.times * calls > 2 * _MOST_COST:
            calls = 0
        for _ in range(calls):
            block.body.cost += body.cost * block.body.times
            self._called(block, name, tuple(params), tuple(results), False)
            if c.chance(50):
                self.statement(block, 0)

    def opening(self, params: list[Var], level: str = "enter()") -> str:
        """What the witness does first in a body."""
        return f"«at := {level}; _ = at»{self.w.held(*params)}"

    def returns(self, block: Block) -> None:
        """The end of a body."""
        w, body = self.w, block.body
        if not body.results:
            w.put(f"{w.calling(block, loose=True)}")
            return
        values = ", ".join(w.expression(block, r) for r in body.results)
        w.put(f"{w.calling(block, loose=True)}return {values}")

    def deferred(self, block: Block, depth: int) -> None:
        w, c = self.w, self.c
        owner: Body = block.body
        if owner.loop_body or owner.times > 1:
            return self.declare(block, depth)
        body = Body(f"{owner.name}.func", owner)
        kind = w.types.any_type(1)
        value = w.expression(block, kind)
        inside = Block(body, block)
        made = w.declare(inside, c.one_of(("a", "x", "r")), kind, parameter=True)
        line, opening = w.line, self.opening([made], "at + 1")
        w.put(f"defer func({made.name} {kind.text}) {{{opening}")
        w.indent += 1
        self.block(inside, depth - 1, least=1)
        self.returns(inside)
        w.indent -= 1
        w.wrapped.update((line, w.line))
        w.put(f"}}({value})")
        owner.cost += body.cost
        return None

    def goroutine(self, block: Block, depth: int) -> None:
        """One that is waited for, so that all happens in one order."""
        w, c = self.w, self.c
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
        w.put(f"\tgo func({made.name} {kind.text}) {{«back := apart(); »"
              f"{self.opening([made])}")  # fmt: skip
        w.indent += 2
        body.cost = owner.cost
        w.put("defer close(done)«; defer back()»")
        self.block(inside, depth - 1, least=1)
        self.returns(inside)
        w.indent -= 2
        w.wrapped.update((line, w.line))
        w.put(f"\t}}({value})")
        w.put("\t<-done")
        w.put("}")
        owner.cost = body.cost
