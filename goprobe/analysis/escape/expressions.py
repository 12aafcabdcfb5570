"""What an expression of the compiler's messages can be in the code: which calls, which type.

The compiler prints expressions its own way (src/cmd/compile/internal/ir/fmt.go): `&T{...}`,
`[]int{...}`, `make([]int, n)`, `func literal`, `... argument`, `([]byte)(s)`, `a + b`, and plain
expressions for the operand of a conversion to an interface.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

from goprobe.runtime.allocatorcalls import Family

_F = Family


class ExpressionShape(msgspec.Struct, frozen=True):
    """`families` are the calls that can make it; `type` the type that such a call would name, ""
    where the expression does not tell; `exact` whether `type` is the whole name, else it is how it
    begins, or where it is an array's what follows its length. `constant`: a
    literal, which as an interface's value is laid out by the compiler. `temporary`: a string made
    of bytes, which without a call is the very bytes. `boxed`: where it becomes an interface's value
    the compiler speaks in one sentence of what it makes and of the box."""

    families: frozenset[Family]
    type: str = ""
    exact: bool = True
    constant: bool = False
    temporary: bool = False
    boxed: bool = False


def _shape(*families: Family, named: str = "", exact: bool = True) -> ExpressionShape:
    return ExpressionShape(frozenset(families), named, exact)


def _boxed(*families: Family, named: str = "", exact: bool = True) -> ExpressionShape:
    return ExpressionShape(frozenset((*families, _F.CONVERT)), named, exact, boxed=True)


CLOSURE = "struct { F uintptr"
_METHOD_TYPE = "struct { F uintptr; R "

# What the compiler writes of a literal's elements (ir/fmt.go, OCOMPLIT); a type may have braces of
# its own before.
_ELEMENTS = r"\{(?:\.\.\.)?\}"

# In order: the first pattern that fits decides; group 1 is the type where there is one.
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[str], ExpressionShape]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), make)
    for pattern, make in (
        (r'()"(?:[^"\\]|\\.)*(?:"|\.\.\.)|-?\.?\d[\w.+]*|\'.+\'|true|false',
         lambda _: ExpressionShape(frozenset((_F.CONVERT,)), constant=True)),
        (r"()func literal", lambda _: _shape(_F.OBJECT, named=CLOSURE, exact=False)),
        (r"()\.\.\. argument", lambda _: _shape(_F.OBJECT, named="[", exact=False)),
        (r"()append(?:\(.*\))?", lambda _: _boxed(_F.GROW)),
        (r"make\(\[\](.+?)(?:, [^\[\]{}]+)?\)", lambda t: _boxed(_F.SLICE, _F.OBJECT, named=t)),
        (r"make\((map\[.+?)(?:, [^\[\]{}]+)?\)", lambda t: _shape(_F.MAP, _F.OBJECT, named=t)),
        (r"make\((.*chan.+?)(?:, [^\[\]{}]+)?\)", lambda t: _shape(_F.CHANNEL, named=t)),
        (r"()make\(.+\)", lambda _: _shape(_F.SLICE, _F.MAP, _F.CHANNEL, _F.OBJECT)),
        (r"()new\(<node DYNAMICTYPE>\)", lambda _: _shape(_F.OBJECT)),
        (r"new\((.+)\)", lambda t: _shape(_F.OBJECT, named=t)),
        (rf"&(.+?){_ELEMENTS}", lambda t: _shape(_F.OBJECT, named=t)),
        (rf"(map\[.+?){_ELEMENTS}", lambda t: _shape(_F.MAP, _F.OBJECT, _F.ASSIGN, named=t)),
        (rf"\[\](.+?){_ELEMENTS}", lambda t: _shape(_F.OBJECT, _F.CONVERT, _F.SLICE, named=f"]{t}",
                                              exact=False)),
        (rf"(\[\d+\].+?|struct {{.*}}){_ELEMENTS}",
         lambda t: _shape(_F.OBJECT, _F.CONVERT, named=t)),
        # A literal of a named type, which may be a map's or a slice's.
        (r"([\w.]+(?:\[.+\])?)\{.*\}",
         lambda t: _shape(_F.OBJECT, _F.CONVERT, _F.MAP, _F.ASSIGN, _F.SLICE, named=t)),
        (r"()\(?\[\](?:byte|uint8)\)?\(.*\)",
         lambda _: _boxed(_F.TO_BYTES, _F.CONCAT, _F.OBJECT, named="]byte", exact=False)),
        (r"()\(?\[\](?:rune|int32)\)?\(.*\)", lambda _: _boxed(_F.TO_RUNES)),
        (r"()string\(.*\)", lambda _: ExpressionShape(frozenset((_F.TO_STRING, _F.CONVERT)),
                                              temporary=True)),
        (r"()(?:any|error)\(.*\)", lambda _: _shape(_F.CONVERT)),
        (r"()(?:bool|u?int(?:8|16|32|64|ptr)?|float\d+|complex\d+)\(.*\)",
         lambda _: _shape(_F.CONVERT, _F.OBJECT)),
        (r"()[\w.\[\],*]+\(.*\)", lambda _: _shape(_F.CONVERT, _F.TO_STRING, _F.TO_BYTES)),
    )
)  # fmt: skip
_SELECTOR = re.compile(r".+\.\w+")


def shape_of(expression: str, moved: bool) -> ExpressionShape:
    """What a message's expression can be; `moved` for "moved to heap" (a variable's name)."""
    if moved:
        return _shape(_F.OBJECT)
    if " + " in expression and " + " in outside(expression):
        return _boxed(_F.CONCAT)
    for pattern, make in _PATTERNS:
        if match := pattern.fullmatch(expression):
            return make(match[1])
    if _SELECTOR.fullmatch(expression):  # a field, or a method value
        return _shape(_F.CONVERT, _F.OBJECT, named=_METHOD_TYPE, exact=False)
    return _shape(_F.CONVERT, _F.OBJECT)


def outside(text: str) -> str:
    """The text with all that is in brackets or quotes made x."""
    out, depth = [], 0
    for character in quoted_away(text):
        depth -= character in ")]}"
        out.append(character if depth <= 0 else "x")
        depth += character in "([{"
    return "".join(out)


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`', re.DOTALL)


def quoted_away(text: str) -> str:
    return _QUOTED.sub(lambda match: "x" * len(match[0]), text)


def opening(text: str) -> int:
    """Where the bracket opens that the text ends with; its end where it ends with none."""
    if text[-1] not in ")]}":
        return len(text)
    plain, depth = quoted_away(text), 0
    for at in range(len(plain) - 1, -1, -1):
        depth += (plain[at] in ")]}") - (plain[at] in "([{")
        if not depth:
            return at
    return 0


def box_of(expression: str, shape: ExpressionShape) -> ExpressionShape:
    """What an interface holds of such an expression, a conversion: its header."""
    named = expression.partition("(")[0] if expression[:1] != "(" else expression[1:].split(")")[0]
    return msgspec.structs.replace(
        shape, families=frozenset((_F.CONVERT, _F.OBJECT)), type=named, exact=True, boxed=False
    )


def content_of(shape: ExpressionShape) -> ExpressionShape:
    """What the expression itself makes, where the box is a site of its own."""
    return msgspec.structs.replace(shape, families=shape.families - {_F.CONVERT}, boxed=False)


def unconverted(shape: ExpressionShape) -> ExpressionShape:
    """What an expression is whose own memory becomes no interface's value. (Of a number that +
    makes, and up to Go 1.24 of what is appended, the compiler speaks of nothing but the box.)"""
    if _F.GROW in shape.families or not (shape.boxed or shape.type.startswith("]")):
        return shape
    if shape == _boxed(_F.CONCAT):
        return msgspec.structs.replace(shape, boxed=False)
    return content_of(shape)


_KEPT = 1 << 14  # names of types: each is asked for with every call of its line
_QUALIFIER = re.compile(r"(?:[\w~%-]+[./])+(?=[\w*\[(])|go\.shape\.")
_SPELLINGS = (("interface {}", "any"), ("uint8", "byte"), ("int32", "rune"))


def same_type(expression_type: str, runtime_type: str, exact: bool) -> bool:
    """Whether the compiler's and the runtime's spelling can mean the same type.

    Package qualifiers are left out: the compiler's messages drop those of the own package.
    """
    wanted, actual = _plain(expression_type), _plain(runtime_type)
    if not exact and wanted.startswith("]"):
        return re.fullmatch(rf"\[\d+{re.escape(wanted)}", actual) is not None
    return wanted == actual if exact else actual.startswith(wanted)


@lru_cache(_KEPT)
def _plain(name: str) -> str:
    name = _QUALIFIER.sub("", name)
    for long, short in _SPELLINGS:
        name = re.sub(rf"(?<!\w){re.escape(long)}(?!\w)", short, name)
    return name.replace(" ", "")
