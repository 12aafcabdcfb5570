"""From the compiler's messages to the sites that they speak of, one for each thing it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial

import msgspec
from msgspec.structs import replace

from goprobe.analysis.escape.expressions import (
    ExpressionShape,
    box_of,
    content_of,
    shape_of,
    unconverted,
)
from goprobe.analysis.escape.sources import Sources
from goprobe.model.escape import Prediction
from goprobe.runtime.allocatorcalls import Family
from goprobe.toolchain.diagnostics import Diagnostic, DiagnosticKind

_K = DiagnosticKind
_PREDICTIONS = {
    _K.ESCAPES: Prediction.HEAP,
    _K.MOVED: Prediction.HEAP,
    _K.DOES_NOT_ESCAPE: Prediction.STACK,
    _K.LEAKING_PARAM: Prediction.NONE,
    _K.LEAKING_CONTENT: Prediction.NONE,
    _K.LEAKING_RESULT: Prediction.NONE,
}
_OF_PARAMETERS = frozenset((_K.LEAKING_PARAM, _K.LEAKING_CONTENT, _K.LEAKING_RESULT))
_BESIDE = frozenset((_K.INLINING, _K.SELF_ASSIGNMENT, _K.DEVIRTUALIZING, _K.KEPT_ALIVE))
_CONVERTED = re.compile(r"from (.+) \(interface-converted\) at .+:(\d+):(\d+)", re.DOTALL)
_STEP = re.compile(r"(.*\) at )([^\n]+?)((?::\d+){1,2}:?)", re.DOTALL)
_NAME = re.compile(r"~?[\w·]+")
_FORMAL = re.compile(r"(?:([^\W\d]\w*)\.)?(?:~[rR]\d+|[^\W\d]\w*)")
_OF_RESULTS = re.compile(r"\.autotmp_\d+|[^()]+\(~[rR]\d+\)")
"""Several results that are handed on at once, and what a result is converted to."""
_INLINING = re.compile(r"inlining call to (.+?)(?: with score -?\d+)?", re.DOTALL)


def inlined_by(messages: Iterable[str]) -> tuple[str, ...]:
    """The functions that the compiler says it inlines in one place (inline/inl.go)."""
    matches = map(_INLINING.fullmatch, messages)
    return tuple(match[1] for match in matches if match)


class Predicted(msgspec.Struct):
    """What the compiler says of one thing. `file` is absolute where it is a file.

    `parameter`: it speaks of a parameter, which has no memory of its own. `global_`: the thing
    belongs to a package variable's initial value. `literal`: in which of the `literals` that begin
    on its line it stands, from 1 on; 0 for none. `in_signature`: it is a parameter that was moved
    to the heap. `function` is the compiler's name for the function, "" where it does not tell.
    `ends` is the column where its expression ends, as far as the line shows it. `after` are lines
    below that cannot run unless this one did.
    """

    file: str
    line: int
    col: int
    expression: str
    prediction: Prediction
    shape: ExpressionShape
    function: str = ""
    parameter: bool = False
    global_: bool = False
    zero_copy: bool = False
    moved: bool = False
    literal: int = 0
    literals: int = 0
    in_signature: bool = False
    ends: int = 0
    messages: list[str] = msgspec.field(default_factory=list)
    flow: tuple[str, ...] = ()
    after: tuple[int, ...] = ()

    @property
    def in_literal(self) -> bool:
        return self.literal > 0


def is_formal(predicted: Predicted) -> bool:
    """Whether an expression may be what an inlined function takes or gives back, which of another
    package is said with that one's name."""
    if _OF_RESULTS.fullmatch(predicted.expression):
        return True
    match = _FORMAL.fullmatch(predicted.expression)
    callees = inlined_by(predicted.messages)
    of = match[1] if match else None
    return bool(match) and (of is None or any(c.startswith(f"{of}.") for c in callees))


class Predictions(msgspec.Struct, frozen=True):
    """`inlined` are the calls that the compiler inlined: by (file, line), columns and names.
    `declared` are the functions that it compiled, by file: their first and last lines and names,
    in order."""

    sites: tuple[Predicted, ...]
    inlined: Mapping[tuple[str, int], list[tuple[int, str]]]
    declared: Mapping[str, list[tuple[int, int, str]]]


def predict(
    diagnostics: Iterable[Diagnostic], file_of: Callable[[Diagnostic], str], sources: Sources
) -> Predictions:
    """Sites in the order of files and positions; `file_of` gives a message's canonical file."""
    sites: dict[tuple[str, int, int, str, Prediction], Predicted] = {}
    inlined: dict[tuple[str, int], list[tuple[int, str]]] = {}
    declared: dict[str, list[tuple[int, str]]] = {}
    beside: dict[tuple[str, int, int], list[str]] = {}
    files: dict[tuple[str, str], str] = {}

    def place(d: Diagnostic, name: str) -> str:
        key = d.package, name
        if key not in files:
            files[key] = file_of(replace(d, file=name))
        return files[key]

    is_global_line = cache(partial(is_global, sources=sources))
    for d in diagnostics:
        file = place(d, d.file)
        if d.kind in _PREDICTIONS:
            _add(sites, d, file, sources, partial(place, d), is_global_line)
        elif d.kind is _K.INLINING:
            inlined.setdefault((file, d.line), []).append((d.col, d.expression))
        elif d.kind in (_K.CAN_INLINE, _K.CANNOT_INLINE) and not d.detail.startswith("into "):
            declared.setdefault(file, []).append((d.line, d.expression))
        if d.kind in _BESIDE or d.kind is _K.ZERO_COPY:
            beside.setdefault((file, d.line, d.col), []).append(d.text)
    _tell_boxes(sites)
    for site in sites.values():
        _add_beside(site, beside.get((site.file, site.line, site.col), []))
    ordered = sorted(sites.values(), key=lambda s: (s.file, s.line, s.col))
    _mark_literals(ordered, sources)
    _mark_ends(ordered, sources)
    return Predictions(
        tuple(ordered),
        inlined,
        {
            file: [
                (line, sources.last_line(file, line, name), name)
                for line, name in sorted(set(names))
            ]
            for file, names in declared.items()
        },
    )


def _add(
    sites: dict[tuple[str, int, int, str, Prediction], Predicted],
    d: Diagnostic,
    file: str,
    sources: Sources,
    place: Callable[[str], str],
    is_global_line: Callable[[str, int], bool],
) -> None:
    prediction = _PREDICTIONS[d.kind]
    parameter = d.kind in _OF_PARAMETERS or (
        d.kind is _K.DOES_NOT_ESCAPE and is_parameter(d, file, sources)
    )
    key = file, d.line, d.col, d.expression, prediction
    site = sites.get(key)
    if site is None:
        moved = d.kind is _K.MOVED
        in_signature = moved and is_parameter(d, file, sources)
        shape = shape_of(d.expression, moved)
        if d.flow and not d.converted:  # no way of it leads through an interface
            shape = unconverted(shape)
        if in_signature:
            shape = replace(shape, type=_type_beside(d, file, sources))
        site = sites[key] = Predicted(
            file,
            d.line,
            d.col,
            d.expression,
            prediction,
            shape,
            d.function,
            parameter,
            moved=moved,
            in_signature=in_signature,
            flow=tuple(step_with_file(step, place) for step in d.flow),
            global_=not parameter and is_global_line(file, d.line),
            after=sources.in_block_after(file, d.line) if prediction is Prediction.STACK else (),
        )
    site.messages.append(d.text)


def step_with_file(step: str, place: Callable[[str], str]) -> str:
    """A step of the compiler's reasoning with its file as `place` calls it."""
    at = _STEP.fullmatch(step)
    return f"{at[1]}{place(at[2])}{at[3]}" if at else step


def _tell_boxes(sites: Mapping[tuple[str, int, int, str, Prediction], Predicted]) -> None:
    """Of `f([]byte(s))`, where f takes an interface, the compiler says twice, in the same words,
    that it escapes: once of the bytes, whose flow names the place of the other, which is the box
    that the interface holds."""
    for site in tuple(sites.values()):
        for line, col in _converted_at(site):
            box = sites.get((site.file, line, col, site.expression, site.prediction))
            if box is not None and box is not site:
                box.shape = box_of(site.expression, site.shape)
                site.shape = content_of(site.shape)


def _converted_at(site: Predicted) -> Iterator[tuple[int, int]]:
    for step in site.flow:
        match = _CONVERTED.fullmatch(step)
        if match and match[1] == site.expression:
            yield int(match[2]), int(match[3])


def _add_beside(site: Predicted, texts: list[str]) -> None:
    for text in texts:
        if text.startswith("zero-copy"):
            site.zero_copy = Family.TO_BYTES in site.shape.families
            if not site.zero_copy:
                continue
        site.messages.append(text)


def _mark_literals(sites: Iterable[Predicted], sources: Sources) -> None:
    """Tells what stands inside the function literals of a line from what stands beside them."""
    by_line: dict[tuple[str, int], list[Predicted]] = {}
    for site in sites:
        by_line.setdefault((site.file, site.line), []).append(site)
    for (file, line), on_line in by_line.items():
        starts = sorted({s.col for s in on_line if s.expression == "func literal"})
        if starts and len(on_line) > 1:
            text = sources.line(file, line).encode()
            # Those of functions that were inlined are told where these are called.
            starts = [col for col in starts if text[col - 1 :].startswith(b"func")]
            ends = [_end_of_literal(text, col) for col in starts]
            for site in on_line:
                around = [low < site.col < high for low, high in zip(starts, ends, strict=True)]
                site.literals = len(starts)
                site.literal = max((n for n, holds in enumerate(around, 1) if holds), default=0)


def _mark_ends(sites: Sequence[Predicted], sources: Sources) -> None:
    """Tells, where several stand on a line, which of them is there before which: what a call or a
    literal takes is."""
    by_line: dict[tuple[str, int], list[Predicted]] = {}
    for site in sites:
        if not site.parameter:
            by_line.setdefault((site.file, site.line), []).append(site)
    for (file, line), on_line in by_line.items():
        if len({site.col for site in on_line}) > 1:
            text = _without_texts(sources.line(file, line).encode())
            for site in on_line:
                site.ends = _end_of_expression(text, site.col)


_TEXTS = re.compile(rb"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`")


def _without_texts(line: bytes) -> bytes:
    return _TEXTS.sub(lambda match: b"x" * len(match[0]), line)


def _end_of_expression(line: bytes, col: int) -> int:
    """Of what is told at a column: of a call and a literal that is its bracket, of operators their
    own place; of both sides of these."""
    start = line[col - 1 : col]
    if not start or start.isalnum() or start in b"_.\"'`":
        return col
    depth = 0
    for at in range(col - 1, len(line)):
        character = line[at : at + 1]
        opens, closes = character in b"([{", character in b")]}"
        if (closes and not depth) or (character in b",;" and not depth):
            return at + 1
        depth += opens - closes
        if closes and not depth and start in b"([{":
            return at + 1
    return len(line) + 1


def _end_of_literal(text: bytes, col: int) -> int:
    """The column of the brace that ends the function literal at `col`, behind the line's end where
    it goes on."""
    depth = 0
    for at in range(col - 1, len(text)):
        depth += (text[at : at + 1] == b"{") - (text[at : at + 1] == b"}")
        if depth == 0 and text[at : at + 1] == b"}":
            return at + 1
    return len(text) + 1


def is_parameter(d: Diagnostic, file: str, sources: Sources) -> bool:
    """Whether a bare name stands among the parameters of a function: the compiler's sentence is
    the same for those and for a variable that becomes an interface."""
    if not _NAME.fullmatch(d.expression):
        return False
    text = sources.before(file, d.line, d.col)
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        character = text[at]
        if character in ")]}":
            depth += 1
        elif character in "([{":
            if depth == 0:
                return character == "(" and bool(_FUNCTION_HEAD.search(text[:at]))
            depth -= 1
    return False


def _type_beside(d: Diagnostic, file: str, sources: Sources) -> str:
    """The type of a parameter, where it is written simply and on the same line, and is none of the
    function's own type parameters."""
    text = sources.line(file, d.line).encode()[max(0, d.col - 1) :].decode(errors="replace")
    match = _PARAMETER_TYPE.match(text)
    if not match:
        return ""
    before = sources.before(file, d.line, d.col)
    head = before[before.rfind("func") :]
    generic = re.search(rf"\[[^\[\]]*\b{re.escape(match[1].lstrip('*'))}\b", head)
    return "" if generic else match[1]


_PARAMETER_TYPE = re.compile(r"\w+(?:\s*,\s*\w+)*\s+([\w.*]+)\s*[,)]")


# What may stand before a parameter list: `func`, `func name`, `func name[T any]`, and, for
# methods, the receiver before the name.
_FUNCTION_HEAD = re.compile(
    r"\bfunc\s*(?:\([^()]*\)\s*)?(?:[\w·]+\s*(?:\[[^()]*\])?)?\s*$", re.DOTALL
)


def is_global(file: str, line: int, sources: Sources) -> bool:
    """Whether a line lies outside of all functions, judged by the last line not indented."""
    for number in range(line, max(0, line - 20000), -1):
        text = sources.line(file, number)
        if text and not text[0].isspace() and not text.startswith(("//", "/*", "*", "}", ")")):
            return text.startswith(("var ", "var("))
        if text.startswith(("}", ")")) and number != line:
            return False
    return False
