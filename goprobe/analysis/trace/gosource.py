"""The little of Go's syntax that is read out of source files: the arguments of one call.

Only used to name what debug information leaves nameless, and only where it is unambiguous.
"""

from __future__ import annotations

import re
from functools import lru_cache

from goprobe.analysis.trace.gotokens import source_text

_LINES_LIMIT = 40
_BODY_LIMIT = 2000
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@lru_cache(maxsize=64)
def _lines(file: str) -> tuple[str, ...]:
    text = source_text(file)
    return tuple(text.split("\n")) if text else ()


def line_of(file: str, line: int) -> str:
    """A line of a source file (from 1), "" where it cannot be read."""
    lines = _lines(file)
    return lines[line - 1] if 0 < line <= len(lines) else ""


def call_arguments(file: str, line: int, name: str) -> tuple[str, ...] | None:
    """The argument expressions of the one call of `name` on a line; None where there is none,
    more than one, or the source is not there."""
    first = line_of(file, line)
    if first.count(f"{name}(") != 1:
        return None
    text = "\n".join(_lines(file)[line - 1 : line - 1 + _LINES_LIMIT])
    start = text.index(f"{name}(")
    if start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        return None
    return _split(text[start + len(name) :])


def parameters_of(file: str, line: int, name: str) -> tuple[str, ...] | None:
    """The parameters of the function declared at a line, as they are written; None where the
    source is not there."""
    text = "\n".join(_lines(file)[line - 1 : line - 1 + _LINES_LIMIT])
    start = text.find(f"{name}(")
    return _split(text[start + len(name) :]) if start >= 0 else None


def may_change(file: str, line: int, name: str) -> bool:
    """Whether the function declared at a line may give its parameter `name` another value, a
    closure of it included. True too where the source is not there."""
    body = _body(_lines(file)[line - 1 : line - 1 + _BODY_LIMIT])
    path = rf"(?<![\w.]){re.escape(name)}\b"
    assigned = r"\s*(?:\+\+|--|(?:[-+*/%&|^:]|<<|>>|&\^)?=(?!=))"
    inside = r"(?:\.\w+|\[[^\]\n]*\])+"
    changes = (
        rf"{path}{assigned}",
        rf"{path}{inside}(?:{assigned}|\()",
        rf"{path}\s*,[^=;{{}}\n]*=(?!=)",
        rf"&\s*{path}",
    )
    return body is None or any(re.search(change, body) for change in changes)


def _body(lines: tuple[str, ...]) -> str | None:
    """A function's text, from its declaration's line to the line of the brace that closes it,
    without comments and literals; None where it does not end."""
    text, depth, parens, opened, body = "\n".join(lines), 0, 0, False, ""
    at = 0
    while at < len(text):
        char = text[at]
        if char in "\"'`":
            at = _after_literal(text, at)
            continue
        if text.startswith(("//", "/*"), at):
            end = text.find("\n" if text[at + 1] == "/" else "*/", at + 2)
            at = end if end >= 0 else len(text)
            continue
        depth += (char == "{") - (char == "}")
        parens += (char == "(") - (char == ")")
        opened |= char == "{" and not parens  # not one of the parameters' types
        body += char
        at += 1
        if char == "\n" and opened and not depth and not parens:
            return body
    return body if opened and not depth and not parens else None


def _split(text: str) -> tuple[str, ...] | None:
    """Splits "(a, b(c), …)" at its top-level commas; None where it does not end."""
    parts: list[str] = []
    depth: list[str] = []
    current = ""
    at = 0
    while at < len(text):
        char = text[at]
        if char in "\"'`":
            end = _after_literal(text, at)
            current += text[at:end]
            at = end
            continue
        if text.startswith("//", at):
            end = text.find("\n", at)
            at = end if end >= 0 else len(text)
            continue
        if char in _PAIRS:
            depth.append(_PAIRS[char])
            if len(depth) == 1:
                at += 1
                continue
        elif depth and char == depth[-1]:
            depth.pop()
            if not depth:
                if current.strip():
                    parts.append(current.strip())
                return tuple(parts)
        if char == "," and len(depth) == 1:
            parts.append(current.strip())
            current = ""
        else:
            current += char
        at += 1
    return None


def _after_literal(text: str, at: int) -> int:
    mark = text[at]
    end = at + 1
    while end < len(text) and text[end] != mark:
        end += 2 if text[end] == "\\" and mark != "`" else 1
    return end + 1
