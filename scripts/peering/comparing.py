"""One variable as goprobe and as GDB tell it: numbers, strings, and what headers say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from goprobe.model.value import Variable
from goprobe.runtime.values.text import escape, go_float
from scripts.peering.asking import Told

_SHOWN = 64  # bytes of a string


@dataclass(frozen=True, slots=True)
class Pair:
    """A variable that both know. `None`: no value is told, or none of a kind that is compared."""

    name: str
    ours: str | None
    theirs: str | None
    why: str


def pairs(frame: Told, theirs: Sequence[Any]) -> Iterator[Pair]:
    """Frames are matched by number and line, variables by name and line; what either has two of is
    left out."""
    known = theirs[frame.number : frame.number + 1]
    if not known or known[0][1] != frame.line:
        return
    for variable in frame.variables:
        mine = [v for v in frame.variables if _place(v) == _place(variable)]
        same = [v for v in known[0][2] if (v[0], v[1]) == _place(variable)]
        if len(mine) == len(same) == 1:
            name, node = f"{variable.name} (line {variable.line})", same[0][3]
            # What is but a pointer to GDB has a length in Go: maps.
            told = node[0] == "pointer" and not variable.type.startswith("*")
            yield Pair(name, _ours(variable), None if told else _theirs(node), variable.why)


def _place(variable: Variable) -> tuple[str, int]:
    return variable.name, 0 if variable.line is UNSET else variable.line


def _ours(variable: Variable) -> str | None:
    value = variable.value
    if value is UNSET or value.unreadable or value.text.startswith(("unreadable", "…")):
        return None
    if variable.type == "uintptr":
        return str(int(value.text, 16))
    if variable.type == "string" or (value.len is not UNSET and value.cap is UNSET):
        return None if value.len is UNSET else f"{value.len} {value.text[:_SHOWN]}"
    if value.cap is not UNSET or variable.type.startswith("[]"):
        return "nil" if value.text == "nil" else f"{value.len} {value.cap}"
    if variable.type.startswith("*"):
        return "nil" if value.text == "nil" else "not nil"
    return value.text if variable.elements is UNSET and variable.data is UNSET else None


def _theirs(node: Sequence[Any]) -> str | None:
    match node[0]:
        case "number" if isinstance(node[2], list):
            return go_float(node[2][2], 8 * node[2][1])
        case "number":
            return str(node[2])
        case "string":
            return f"{node[2]} {escape(bytes.fromhex(node[3]))[:_SHOWN]}"
        case "slice":
            return "nil" if node[2] == "nil" else f"{node[2]} {node[3]}"
        case "pointer":
            return "nil" if node[2] == "nil" else "not nil"
    return None
