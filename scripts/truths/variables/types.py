"""Go's types as the generator knows them."""

from __future__ import annotations

from dataclasses import dataclass, field

SIGNED = {"int": 64, "int8": 8, "int16": 16, "int32": 32, "int64": 64}
UNSIGNED = {"uint": 64, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64, "uintptr": 64}
INTEGERS = (*SIGNED, *UNSIGNED)


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
    named: bool = False
    implementers: list[Type] = field(default_factory=list)
    """Of an interface with methods: types that have them."""
    constraint: str = ""
    """Of a type parameter (kind "param")."""
    generic: object = None
    arguments: tuple[Type, ...] = ()
    """Of an instance of a generic type (generics.Generic)."""

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
ERROR = Type("interface", "error")


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
