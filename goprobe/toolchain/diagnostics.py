"""What `go build -gcflags=-m` and -m=2 print, as typed records.

The compiler has no format for it but these sentences. Where they are made (Go 1.21 to 1.27, under
src/cmd/compile/internal): escape/escape.go (finish, paramTag), escape/assign.go, escape/solve.go
and graph.go (-m=2: the flow that made something escape), inline/inl.go, devirtualize/, bloop/.
Every position is the outermost one (base.FmtPos): what lies in an inlined body is reported at the
call into which it was inlined. `go build` puts `# package` before each package's lines, shortens
paths below the current folder, and prints the lines again when it takes a package from its cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec
from msgspec.structs import replace


class DiagnosticKind(StrEnum):
    ESCAPES = "escapes"
    MOVED = "moved"
    DOES_NOT_ESCAPE = "does_not_escape"
    LEAKING_PARAM = "leaking_param"
    LEAKING_CONTENT = "leaking_content"
    LEAKING_RESULT = "leaking_result"
    ZERO_COPY = "zero_copy"
    SELF_ASSIGNMENT = "self_assignment"
    UINTPTR = "uintptr"
    CAPTURING = "capturing"
    CAN_INLINE = "can_inline"
    CANNOT_INLINE = "cannot_inline"
    INLINING = "inlining"
    DEVIRTUALIZING = "devirtualizing"
    KEPT_ALIVE = "kept_alive"
    BOUNDS_CHECK = "bounds_check"
    OTHER = "other"


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `col` is in bytes from 1; 0 where the compiler gives none (`//line` without).

    `file` is as printed: relative to the folder where Go ran, absolute, or what a `//line` says.
    `expression` is the compiler's rendering of what the message is about; `detail` what it adds
    (a result's name and level, why a function is not inlined). `function` is the function in which
    it stands, where the compiler says so (-m=2 from Go 1.25). `count` says how often the very same
    message came: once for each shape of a generic function, and for each test variant. `converted`:
    one of the ways on which it escapes here makes an interface's value of it, or may.
    """

    package: str
    file: str
    line: int
    col: int
    kind: DiagnosticKind
    expression: str
    text: str
    detail: str = ""
    function: str = ""
    flow: tuple[str, ...] = ()
    converted: bool = False
    count: int = 1


_K = DiagnosticKind
# In order: the first that fits is taken. Group 1 is the expression, group 2 the detail.
_SENTENCES: tuple[tuple[re.Pattern[str], DiagnosticKind], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (r"moved to heap: (.+)", _K.MOVED),
        (r"leaking param content: (.+)", _K.LEAKING_CONTENT),
        (r"leaking param: (.+?) to result (.+ level=-?\d+)", _K.LEAKING_RESULT),
        (r"leaking param: (.+)", _K.LEAKING_PARAM),
        (r"inlining call to (.+?)(?: with score (-?\d+))?", _K.INLINING),
        (r"can inline (.+?) with (cost \d+) as: .*", _K.CAN_INLINE),
        (r"can inline (.+)", _K.CAN_INLINE),
        (r"cannot inline (.+?) (into .+: .+)", _K.CANNOT_INLINE),
        (r"cannot inline (.+?): (.+)", _K.CANNOT_INLINE),
        (r"(zero-copy string->\[\]byte conversion)", _K.ZERO_COPY),
        (r"(.+) ignoring self-assignment in (.+)", _K.SELF_ASSIGNMENT),
        (r".+ capturing by (?:ref|value): (.+) \((addr=.*)\)", _K.CAPTURING),
        (r"assuming (.+) is unsafe uintptr", _K.UINTPTR),
        (r"marking (.+) as escaping (?:\.\.\.)?uintptr", _K.UINTPTR),
        (r"(?:partially |PGO )?devirtualizing (?:interface call |function call )?(.+) to (.+)",
         _K.DEVIRTUALIZING),
        (r"(?:cannot|failed to) devirtualize (.+?):? (shaped .+|\(.+\))", _K.DEVIRTUALIZING),
        (r"(.+) will be kept alive", _K.KEPT_ALIVE),
        (r"(index bounds check elided)", _K.BOUNDS_CHECK),
        (r"(.+) escapes to heap", _K.ESCAPES),
        (r"(.+) does not escape(, mutate, or call)?", _K.DOES_NOT_ESCAPE),
    )
)  # fmt: skip

_POSITION = re.compile(r"(?P<file>[^\s].*?):(?P<line>\d+)(?::(?P<col>\d+))?: (?P<text>.*)", re.S)
_HEADER = re.compile(r"# (\S.*)")
_FLOW_HEAD = re.compile(
    r"(?:parameter (?P<parameter>.+) leaks to .+ with derefs=-?\d+"
    r"|(?P<escaping>.+?) escapes to heap(?: in (?P<function>.+))?):",
    re.DOTALL,
)
_FLOW_END = re.compile(r":$| at \S+:\d+(?::\d+)?$")
# Why it is not in the frame, whatever becomes of it (escape/utils.go, HeapAllocReason).
TOO_MUCH = ("(too large for stack)", "(non-constant size)", "(zero-sized element)")
_TEXT_LIMIT = 1 << 16
_FLOW_LINE = re.compile(r"\s+(?:flow|from|warning)\b.*", re.DOTALL)
_APPEND = "append"
_LEAKS = (_K.LEAKING_PARAM, _K.LEAKING_CONTENT, _K.LEAKING_RESULT)


class _Flow(msgspec.Struct):
    """An explanation of -m=2, printed before the message that it explains."""

    expression: str
    parameter: bool
    function: str
    lines: list[str] = msgspec.field(default_factory=list)


class _Place(msgspec.Struct, frozen=True):
    package: str
    file: str
    line: int
    col: int


def parse_diagnostics(output: Iterable[bytes]) -> tuple[Diagnostic, ...]:
    """The messages of a build, given line by line, in the order of their first appearance, each
    once.

    Lines that are no message of the compiler (a linker's warning) are left out.
    """
    messages: dict[tuple[_Place, str], Diagnostic] = {}
    flows: dict[_Place, list[_Flow]] = {}
    for place, text in _positioned(map(_text, output)):
        if _FLOW_LINE.fullmatch(text):
            if flows.get(place):
                flows[place][-1].lines.append(text.strip())
        elif text.endswith(":") and (head := _FLOW_HEAD.fullmatch(text)):
            name = head["parameter"] or head["escaping"]
            function = head["function"] or ""
            flows.setdefault(place, []).append(_Flow(name, bool(head["parameter"]), function))
        else:
            key = place, text
            known = messages.get(key)
            messages[key] = (
                replace(known, count=known.count + 1) if known else _classified(place, text)
            )
    return tuple(
        explained
        for (place, _), message in messages.items()
        for explained in _explained(message, flows.get(place, ()))
    )


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")


def _positioned(lines: Iterable[str]) -> Iterator[tuple[_Place, str]]:
    """Each message with its position; up to Go 1.21 a raw string in it may go over many lines."""
    package, place, text, before = "", None, "", ""
    for line in lines:
        if place and before and line.startswith(before):  # most say more of the same place
            yield place, text
            text = line[len(before) :]
        elif header := _HEADER.fullmatch(line):
            package, before = header[1], ""
        elif match := _POSITION.fullmatch(line):
            if place:
                yield place, text
            place = _Place(package, match["file"], int(match["line"]), int(match["col"] or 0))
            text = match["text"]
            before = line[: match.start("text")]
        elif len(text) < _TEXT_LIMIT and not _complete(text):
            text += f"\n{line}"
    if place:
        yield place, text


def _complete(text: str) -> bool:
    return bool(_FLOW_END.search(text)) or any(p.fullmatch(text) for p, _ in _SENTENCES)


def _classified(place: _Place, text: str) -> Diagnostic:
    kind, expression, detail = _K.OTHER, "", ""
    for pattern, candidate in _SENTENCES:
        if match := pattern.fullmatch(text):
            kind, expression = candidate, match[1]
            detail = (match[2] or "") if pattern.groups > 1 else ""
            break
    return Diagnostic(
        package=place.package,
        file=place.file,
        line=place.line,
        col=place.col,
        kind=kind,
        expression=expression,
        text=text,
        detail=detail,
    )


def _explained(message: Diagnostic, flows: Sequence[_Flow]) -> Iterator[Diagnostic]:
    """With the flow that belongs to it: several things may escape at one place. The appends of a
    function that was inlined are all told in the same words at the call, and only their flows name
    them."""
    own: dict[str, _Flow] = {}
    for flow in flows:
        if _explains(flow, message):
            own.setdefault(flow.expression, flow)
    several = message.kind not in _LEAKS and message.expression == _APPEND
    for flow in list(own.values())[: None if several else 1]:
        named = message.expression if message.kind in _LEAKS else flow.expression
        own_step = f"from {flow.expression} (interface-converted) at "
        like = [f for f in flows if f.expression == flow.expression and not f.parameter]
        yield replace(
            message,
            expression=named,
            flow=tuple(flow.lines),
            function=flow.function,
            converted=any(
                line.startswith(own_step) or any(word in line for word in TOO_MUCH)
                for f in like
                for line in f.lines
            ),
        )
    if not own:
        yield message


def _explains(flow: _Flow, message: Diagnostic) -> bool:
    if message.kind in _LEAKS:
        return flow.parameter and flow.expression == message.expression
    if flow.parameter or message.kind not in (_K.ESCAPES, _K.MOVED):
        return False
    if message.expression == _APPEND:  # the flow names the whole expression
        return flow.expression.startswith("append(")
    return flow.expression == message.expression
