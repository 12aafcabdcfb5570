"""How things look in text: the colour of each kind of memory, the words for each state."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from goprobe.model.location import Kind, Location
from goprobe.model.value import State

# The sixteen colours of the terminal's own theme: they can be read on dark and on light.
KIND_STYLES: dict[Kind, str] = {
    Kind.TEXT: "blue",
    Kind.RODATA: "cyan",
    Kind.DATA: "green",
    Kind.BSS: "green",
    Kind.HEAP: "yellow",
    Kind.GOROUTINE_STACK: "magenta",
    Kind.SYSTEM_STACK: "red",
    Kind.RUNTIME: "bright_black",
    Kind.C_HEAP: "red",
    Kind.LIBRARY: "bright_black",
    Kind.FILE: "bright_black",
    Kind.VDSO: "bright_black",
    Kind.RESERVED: "bright_black",
    Kind.UNMAPPED: "bright_black",
}

STATE_WORDS: dict[State, str] = {
    State.LIVE: "live",
    State.NOT_YET: "not yet",
    State.REGISTER: "in a register",
    State.CONSTANT: "a constant",
    State.OPTIMIZED_OUT: "optimised out",
    State.UNREADABLE: "unreadable",
}


def style_of(location: Location | UnsetType) -> str:
    """The colour of the memory that a location is in."""
    return "" if location is UNSET else KIND_STYLES[location.kind]
