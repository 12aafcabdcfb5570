"""Generic types and functions: types with parameters in them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scripts.truths.variables.types import (
    Type,
    array_of,
    chan_of,
    func_of,
    map_of,
    pointer,
    slice_of,
    struct_of,
)

NUMBERS = ("int", "uint8", "float64", "int16", "float32", "uint64", "int32")


def parameter(name: str, constraint: str) -> Type:
    """`constraint` is any, comparable, or number (helpers.go)."""
    return Type("param", name, constraint=constraint)


@dataclass(eq=False, slots=True)
class Generic:
    """A generic type: a struct of these fields, with `self` a pointer to its own type."""

    name: str
    params: Sequence[Type]
    fields: list[tuple[str, Type]]
    made: dict[tuple[str, ...], Type] = field(default_factory=dict)

    def of(self, arguments: Sequence[Type]) -> Type:
        text = f"{self.name}[{', '.join(a.text for a in arguments)}]"
        key = text, *(a.constraint for a in arguments)  # each function has a P of its own
        if key in self.made:
            return self.made[key]
        made = Type("struct", text, named=True, arguments=tuple(arguments), generic=self)
        self.made[key] = made
        by = {p.text: a for p, a in zip(self.params, arguments, strict=True)}
        made.fields = [(name, substituted(kind, by)) for name, kind in self.fields]
        made.fields.append(("self", pointer(made)))
        return made

    @property
    def declaration(self) -> str:
        head = ", ".join(f"{p.text} {p.constraint}" for p in self.params)
        own = f"{self.name}[{', '.join(p.text for p in self.params)}]"
        parts = "; ".join(f"{name} {kind.text}" for name, kind in self.fields)
        return f"type {self.name}[{head}] struct {{ {parts}; self *{own} }}"


def substituted(t: Type, by: Mapping[str, Type]) -> Type:
    """A type with arguments in place of its parameters."""
    if t.kind == "param":
        return by[t.text]
    if t.generic is not None:
        assert isinstance(t.generic, Generic)
        return t.generic.of([substituted(a, by) for a in t.arguments])
    if t.named or not _has_parameter(t):
        return t
    match t.kind:
        case "pointer":
            return pointer(substituted(t.element, by))
        case "slice":
            return slice_of(substituted(t.element, by))
        case "array":
            return array_of(substituted(t.element, by), t.count)
        case "map":
            return map_of(substituted(t.keys, by), substituted(t.element, by))
        case "chan":
            return chan_of(substituted(t.element, by))
        case "func":
            return func_of(
                [substituted(p, by) for p in t.params], [substituted(r, by) for r in t.results]
            )
    fields = [(name, substituted(kind, by)) for name, kind in t.fields]
    return struct_of(fields, t.embedded)


def _has_parameter(t: Type) -> bool:
    if t.kind == "param":
        return True
    if t.named and t.generic is None:
        return False
    parts = [t.elem, t.key, *t.arguments, *t.params, *t.results]
    if t.generic is None:
        parts += [kind for _, kind in t.fields]
    return any(part is not None and _has_parameter(part) for part in parts)
