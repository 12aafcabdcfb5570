"""Go's types as the generator knows them: what is declared, and literals of each."""

from __future__ import annotations

from dataclasses import dataclass, field

from scripts.truths.choices import Choices

SIGNED = {"int": 64, "int8": 8, "int16": 16, "int32": 32, "int64": 64}
UNSIGNED = {"uint": 64, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64, "uintptr": 64}
INTEGERS = (*SIGNED, *UNSIGNED)
_HASHABLE = ("int", "string", "bool", "uint8", "int64", "float64", "uint16", "int32", "complex128")
_STRINGS = (
    '"a"', '""', '"Grüße, 世界"', '"\\xff\\x00tail"', '"tab\\tquote\\"back\\\\"', '"two\\nlines"',
    '"0123456789abcdef0123456789abcdef"', '"\\u202eleft\\U0001f600"', '"x y"',
)  # fmt: skip
_FLOATS = ("1.5", "0", "-2.25", "1e30", "3.0000001", "-1e-20", "0.1", "16777217", "1e6", "999999.5")
_COMPLEX = ("complex(1, 2)", "complex(0, -1.5)", "complex(-0.25, 1e6)", "complex(0, 0)")


@dataclass(eq=False, slots=True)
class Type:
    """`kind` is the kind's name ("int8", "struct", …); `text` how the source writes the type,
    which tells types apart."""

    kind: str
    text: str
    elem: Type | None = None
    key: Type | None = None
    fields: list[tuple[str, Type]] = field(default_factory=list)
    embedded: frozenset[str] = frozenset()
    count: int = 0
    params: list[Type] = field(default_factory=list)
    results: list[Type] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    named: bool = False

    @property
    def element(self) -> Type:
        assert self.elem is not None
        return self.elem

    @property
    def keys(self) -> Type:
        assert self.key is not None
        return self.key


def basic(kind: str) -> Type:
    return Type(kind, kind)


INT, STRING, BOOL, ANY = basic("int"), basic("string"), basic("bool"), Type("interface", "any")


def pointer(to: Type) -> Type:
    return Type("pointer", f"*{to.text}", to)


def slice_of(elem: Type) -> Type:
    return Type("slice", f"[]{elem.text}", elem)


def array_of(elem: Type, count: int) -> Type:
    return Type("array", f"[{count}]{elem.text}", elem, count=count)


def map_of(key: Type, elem: Type) -> Type:
    return Type("map", f"map[{key.text}]{elem.text}", elem, key)


def chan_of(elem: Type) -> Type:
    inner = f"({elem.text})" if elem.text.startswith("<-") else elem.text
    return Type("chan", f"chan {inner}", elem)


def func_of(params: list[Type], results: list[Type]) -> Type:
    ins = ", ".join(t.text for t in params)
    outs = ", ".join(t.text for t in results)
    outs = f" ({outs})" if len(results) > 1 else f" {outs}" if outs else ""
    return Type("func", f"func({ins}){outs}", params=params, results=results)


def struct_of(fields: list[tuple[str, Type]], embedded: frozenset[str] = frozenset()) -> Type:
    parts = "; ".join(t.text if n in embedded else f"{n} {t.text}" for n, t in fields)
    text = f"struct{{ {parts} }}" if parts else "struct{}"
    return Type("struct", text, fields=fields, embedded=embedded)


def is_comparable(t: Type) -> bool:
    """Whether it may be a map's key (interfaces are left out)."""
    if t.kind in ("array",):
        return is_comparable(t.element)
    if t.kind == "struct":
        return all(is_comparable(f) for _, f in t.fields)
    return t.kind in _HASHABLE or t.kind in INTEGERS


class TypeMaker:
    """Random types; those that need a declaration are added to `declared`."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.declared: list[str] = []
        self.named: list[Type] = []

    def any_type(self, depth: int = 2) -> Type:
        c = self.choices
        if depth <= 0:
            return self.scalar()
        kind = c.weighted(
            (5, "scalar"), (3, "named"), (2, "slice"), (2, "struct"), (2, "array"), (2, "pointer"),
            (2, "map"), (2, "interface"), (1, "func"), (1, "chan"),
        )  # fmt: skip
        match kind:
            case "scalar":
                return self.scalar()
            case "named":
                return c.one_of(self.named) if self.named else self.scalar()
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
                return ANY
            case "func":
                return func_of([self.scalar() for _ in range(c.below(3))],
                               [self.scalar() for _ in range(c.below(2))])  # fmt: skip
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

    def hashable(self) -> Type:
        c = self.choices
        kind = c.weighted((6, "basic"), (1, "array"), (1, "struct"))
        if kind == "array":
            return array_of(basic(c.one_of(_HASHABLE)), 2)
        if kind == "struct":
            return struct_of([("k", basic(c.one_of(_HASHABLE))), ("l", basic(c.one_of(_HASHABLE)))])
        return basic(c.one_of(_HASHABLE))

    def struct(self, depth: int) -> Type:
        c = self.choices
        names = ("a", "b", "x", "y", "next", "name", "n")
        count = c.weighted((3, 2), (2, 1), (2, 3), (1, 4), (1, 0), (1, 6))
        return struct_of([(names[i], self.any_type(depth)) for i in range(count)])

    def declare(self) -> Type:
        """A named type: of any kind but a pointer; a struct may embed one declared before, or
        hold a pointer to itself."""
        name = f"T{len(self.named)}"
        made = self._underlying(name)
        body = made.text
        made.text, made.named = name, True
        self.declared.append(f"type {name} {body}")
        self.named.append(made)
        return made

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
        structs = [t for t in self.named if t.kind == "struct"]
        if structs and c.chance(40):
            base = c.one_of(structs)
            fields.append((base.text, base))
            embedded.add(base.text)
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
        case "string":
            return _typed(t, c.one_of(_STRINGS))
        case "bool":
            return _typed(t, c.one_of(("true", "false")))
        case "float32" | "float64":
            return f"{t.text}({c.one_of(_FLOATS)})"
        case "complex64" | "complex128":
            return f"{t.text}({c.one_of(_COMPLEX)})"
        case "struct":
            parts = ", ".join(f"{n}: {literal(maker, f, depth - 1)}" for n, f in t.fields)
            return f"{t.text}{{{parts}}}" if depth > -2 else f"{t.text}{{}}"
        case "array":
            parts = ", ".join(literal(maker, t.element, depth - 1) for _ in range(t.count))
            return f"{t.text}{{{parts}}}"
        case "interface":
            return _boxed(maker, depth)
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


def _boxed(maker: TypeMaker, depth: int) -> str:
    if depth <= 0 or not maker.choices.chance(80):
        return "any(nil)"
    return f"any({literal(maker, maker.any_type(depth - 1), depth - 1)})"


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
