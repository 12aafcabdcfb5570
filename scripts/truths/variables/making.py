"""Random types, and literals of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.truths.choices import Choices
from scripts.truths.variables.generics import NUMBERS, Generic, parameter
from scripts.truths.variables.types import (
    ANY,
    ERROR,
    INTEGERS,
    SIGNED,
    UNSIGNED,
    Type,
    array_of,
    basic,
    chan_of,
    func_of,
    map_of,
    pointer,
    slice_of,
    struct_of,
)

_HASHABLE = ("int", "string", "bool", "uint8", "int64", "float64", "uint16", "int32", "complex128")
_STRINGS = (
    '"a"', '""', '"Grüße, 世界"', '"\\xff\\x00tail"', '"tab\\tquote\\"back\\\\"', '"two\\nlines"',
    '"0123456789abcdef0123456789abcdef"', '"\\u202eleft\\U0001f600"', '"x y"',
)  # fmt: skip
_FLOATS = ("1.5", "0", "-2.25", "1e30", "3.0000001", "-1e-20", "0.1", "16777217", "1e6", "999999.5")
_COMPLEX = ("complex(1, 2)", "complex(0, -1.5)", "complex(-0.25, 1e6)", "complex(0, 0)")
_ERRORS = ('fault("broken")', '&trouble{3, fault("lost")}', "trouble{}")


class TypeMaker:
    """Random types; those that need a declaration are added to `declared`. `named`, `params` (type
    parameters) and `generics` are those that may be named at the place being written."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.declared: list[str] = []
        self.named: list[Type] = []
        self.params: list[Type] = []
        self.generics: list[Generic] = []
        self.locals = 0

    @contextmanager
    def scope(self, *params: Type) -> Iterator[None]:
        """Where a function's own type parameters and types may be named."""
        named, outer = list(self.named), list(self.params)
        self.params.extend(params)
        yield
        self.named, self.params = named, outer

    def any_type(self, depth: int = 2) -> Type:
        c = self.choices
        if self.params and c.chance(35):
            return c.one_of(self.params)
        if depth <= 0:
            return self.scalar()
        kind = c.weighted(
            (5, "scalar"),
            (3, "named"),
            (2, "slice"),
            (2, "struct"),
            (2, "array"),
            (2, "pointer"),
            (2, "map"),
            (2, "interface"),
            (1, "func"),
            (1, "chan"),
            (1, "generic"),
        )
        match kind:
            case "scalar":
                return self.scalar()
            case "named":
                return c.one_of(self.named) if self.named else self.scalar()
            case "generic":
                return self.instance(c.one_of(self.generics)) if self.generics else self.scalar()
            case "slice":
                return slice_of(self.any_type(depth - 1))
            case "struct":
                return self.struct(depth - 1)
            case "array":
                return array_of(
                    self.any_type(depth - 1), c.weighted((3, 2), (2, 1), (2, 3), (1, 0))
                )
            case "pointer":
                return pointer(self.any_type(depth - 1))
            case "map":
                return map_of(self.hashable(), self.any_type(depth - 1))
            case "interface":
                named = [t for t in self.named if t.kind == "interface"]
                return c.weighted((4, ANY), (1, ERROR), *((2, t) for t in named))
            case "func":
                return func_of(
                    [self.scalar() for _ in range(c.below(3))],
                    [self.scalar() for _ in range(c.below(2))],
                )
        return chan_of(self.any_type(depth - 1))

    def scalar(self) -> Type:
        c = self.choices
        return basic(
            c.weighted(
                (6, "int"),
                (5, "string"),
                (2, "bool"),
                (3, "float64"),
                (2, "uint8"),
                (1, "int8"),
                (1, "int16"),
                (1, "uint16"),
                (2, "int32"),
                (1, "uint32"),
                (1, "int64"),
                (1, "uint64"),
                (1, "uint"),
                (1, "uintptr"),
                (2, "float32"),
                (1, "complex128"),
                (1, "complex64"),
            )
        )

    def argument(self, constraint: str) -> Type:
        """A type that may stand for a type parameter. Of the parameters in scope it is one as it
        is, or has none in it, nor is a type of a generic function's own, which has its parameters:
        or types would be made of types of types without an end."""
        c = self.choices
        fitting = [
            p
            for p in self.params
            if constraint in ("any", p.constraint) or p.constraint == "number"
        ]
        if fitting and c.chance(40):
            return c.one_of(fitting)
        params, named = self.params, self.named
        usable = [t for t in named if not (params and t.text.startswith("L"))]
        if constraint == "number":
            return c.one_of([*map(basic, NUMBERS), *(t for t in usable if t.kind in NUMBERS)])
        self.params, self.named = [], usable
        if constraint == "comparable":
            made = self.hashable()
        else:
            made = pointer(self.any_type(1)) if c.chance(25) else self.any_type(1)
        self.params, self.named = params, named
        return made

    def instance(self, generic: Generic) -> Type:
        return generic.of([self.argument(p.constraint) for p in generic.params])

    def hashable(self) -> Type:
        c = self.choices
        keys = [p for p in self.params if p.constraint != "any"]
        if keys and c.chance(40):
            return c.one_of(keys)
        kind = c.weighted((6, "basic"), (1, "array"), (1, "struct"))
        if kind == "array":
            return array_of(basic(c.one_of(_HASHABLE)), 2)
        if kind == "struct":
            return struct_of([("k", basic(c.one_of(_HASHABLE))), ("l", basic(c.one_of(_HASHABLE)))])
        return basic(c.one_of(_HASHABLE))

    def struct(self, depth: int) -> Type:
        c = self.choices
        names = ("a", "b", "x", "y", "next", "_" if c.chance(10) else "name", "n")
        count = c.weighted((3, 2), (2, 1), (2, 3), (1, 4), (1, 0), (1, 6))
        return struct_of([(names[i], self.any_type(depth)) for i in range(count)])

    def declare(self) -> None:
        """A named type: of any kind but a pointer; a struct may embed one declared before, or
        hold a pointer to itself."""
        self.declared.append(self._declared(f"T{len(self.named)}"))

    def declare_local(self) -> str:
        """The declaration of a type within a function."""
        self.locals += 1
        return self._declared(f"L{self.locals}")

    def _declared(self, name: str) -> str:
        made = self._underlying(name)
        body = made.text
        made.text, made.named = name, True
        self.named.append(made)
        return f"type {name} {body}"

    def declare_generic(self) -> None:
        c = self.choices
        name = f"G{len(self.generics)}"
        params = [parameter("P", c.one_of(("any", "comparable", "number")))]
        if c.chance(40):
            params.append(parameter("Q", "any"))
        with self.scope(*params):
            fields = [("v", c.one_of(params))]
            names = ("list", "more", "m")
            fields += [(n, self.any_type(2)) for n in names[: c.below(4)]]
        made = Generic(name, params, fields)
        self.declared.append(made.declaration)
        self.generics.append(made)

    def _underlying(self, name: str) -> Type:
        c = self.choices
        match c.weighted(
            (4, "struct"), (2, "scalar"), (1, "slice"), (1, "array"), (1, "map"), (1, "func")
        ):
            case "scalar":
                t = self.scalar()
                return Type(t.kind, t.text)
            case "slice":
                return slice_of(self.any_type(1))
            case "array":
                return array_of(self.any_type(1), c.between(1, 3))
            case "map":
                return map_of(self.hashable(), self.any_type(1))
            case "func":
                return func_of([self.scalar()], [self.scalar()])
        made = self.struct(2)
        fields, embedded = list(made.fields), set[str]()
        bases = [t for t in self.named if t.kind in ("struct", "interface")]
        if bases and c.chance(40):
            base = c.one_of(bases)
            by_pointer = base.kind == "struct" and c.chance(30)
            fields.append((base.text, pointer(base) if by_pointer else base))
            embedded.add(base.text)
        if c.chance(10):
            fields.append(("error", ERROR))
            embedded.add("error")
        made = struct_of(fields, frozenset(embedded))
        if c.chance(25):
            own = Type("pointer", f"*{name}")
            fields.append(("self", own))
            made = struct_of(fields, frozenset(embedded))
            own.elem = made
        return made


def literal(maker: TypeMaker, t: Type, depth: int = 2) -> str:
    """An expression of the type that names no variable; the simplest is the zero value's."""
    c = maker.choices
    if t.kind in INTEGERS:
        return _integer(c, t)
    match t.kind:
        case "param":
            return f"zero[{t.text}]()"
        case "string":
            return _typed(t, c.one_of(_STRINGS))
        case "bool":
            return _typed(t, c.one_of(("true", "false")))
        case "float32" | "float64":
            return f"{t.text}({c.one_of(_FLOATS)})"
        case "complex64" | "complex128":
            return f"{t.text}({c.one_of(_COMPLEX)})"
        case "struct":
            parts = ", ".join(
                f"{n}: {literal(maker, f, depth - 1)}" for n, f in t.fields if n != "_"
            )
            return f"{t.text}{{{parts}}}" if depth > -2 else f"{t.text}{{}}"
        case "array":
            parts = ", ".join(literal(maker, t.element, depth - 1) for _ in range(t.count))
            return f"{t.text}{{{parts}}}"
        case "interface":
            return _boxed(maker, t, depth)
    return _reference(maker, t, depth)


def _reference(maker: TypeMaker, t: Type, depth: int) -> str:
    """Of what may be nil."""
    c = maker.choices
    if depth <= 0 or not c.chance(75):
        return f"({t.text})(nil)"
    match t.kind:
        case "pointer":
            return f"ptr({literal(maker, t.element, depth - 1)})"
        case "slice":
            parts = [literal(maker, t.element, depth - 1) for _ in range(c.below(4))]
            made = f"{t.text}{{{', '.join(parts)}}}"
            return f"{made}[1:]" if len(parts) > 1 and c.chance(20) else made
        case "map":
            keys = sorted({key_literal(c, t.keys) for _ in range(c.below(4))})
            parts = [f"{k}: {literal(maker, t.element, depth - 1)}" for k in keys]
            return f"{t.text}{{{', '.join(parts)}}}"
        case "chan":
            parts = [literal(maker, t.element, depth - 1) for _ in range(c.below(3))]
            return f"filled[{t.element.text}]({', '.join(parts)})"
    names = ", ".join(f"q{i} {p.text}" for i, p in enumerate(t.params))
    outs = ", ".join(r.text for r in t.results)
    body = f"return {', '.join(literal(maker, r, 0) for r in t.results)}" if t.results else ""
    made = f"func({names}) ({outs}) {{ {body} }}"
    return f"{t.text}({made})" if t.named else made


def key_literal(c: Choices, t: Type) -> str:
    """Of keys with different texts none are equal."""
    if t.kind in INTEGERS:
        return _typed(t, str(c.below(100)))
    match t.kind:
        case "param":
            return f"zero[{t.text}]()"
        case "string":
            return _typed(t, f'"k{c.below(100)}"')
        case "bool":
            return _typed(t, c.one_of(("true", "false")))
        case "float64" | "float32":
            return f"{t.text}({c.below(100)}.5)"
        case "complex128":
            return f"{t.text}(complex({c.below(9)}, 2))"
        case "array":
            return f"{t.text}{{{', '.join(key_literal(c, t.element) for _ in range(t.count))}}}"
    parts = ", ".join(f"{n}: {key_literal(c, f)}" for n, f in t.fields)
    return f"{t.text}{{{parts}}}"


def _boxed(maker: TypeMaker, t: Type, depth: int) -> str:
    """In an interface."""
    c = maker.choices
    if depth <= 0 or not c.chance(80):
        return f"{t.text}(nil)"
    if t is ERROR:
        return f"error({c.one_of(_ERRORS)})"
    held = c.one_of(t.implementers) if t.implementers else maker.any_type(depth - 1)
    return f"{t.text}({literal(maker, held, depth - 1)})"


def _typed(t: Type, text: str) -> str:
    return text if t.text in ("string", "bool", "int") else f"{t.text}({text})"


def _integer(c: Choices, t: Type) -> str:
    small = c.below(8)
    if small:
        return _typed(t, str(small * small))
    bits = SIGNED.get(t.kind) or UNSIGNED[t.kind]
    most = (1 << (bits - 1)) - 1 if t.kind in SIGNED else (1 << bits) - 1
    others = [0, most, most // 3]
    if t.kind in SIGNED:
        others += [-1, -most - 1]
    return _typed(t, str(c.one_of(others)))
