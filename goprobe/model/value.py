"""A value of the Go program as it lies in memory: header, data, elements."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.address import Address
from goprobe.model.location import Location


class State(StrEnum):
    """Whether a variable has a value here. The contract fixes these names."""

    LIVE = "live"
    NOT_YET = "not_yet"
    REGISTER = "register"
    CONSTANT = "constant"
    OPTIMIZED_OUT = "optimized_out"
    UNREADABLE = "unreadable"


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value itself. `text` is escaped and cut at `text_limit` of the decoder.

    `len` and `cap` (elements) are there for strings, slices, maps and channels;
    `dynamic_type` for interfaces. `unreadable`: there is none, and `text` says why. `holds_nil`: an
    interface that holds a nil pointer, map, … of its dynamic type, and is not nil itself; `text`
    says the type as well (`*main.T(nil)`). `full_type`: the dynamic type as other types are called,
    by its package's whole path, where that differs (`*io/fs.PathError`). `meaning`: what it stands
    for, where its type has a way of its own to be read (a time, a duration, a named constant, the
    text in bytes). `reading`: `text` once more with what its parts stand for.
    """

    text: str
    len: int | UnsetType = UNSET
    cap: int | UnsetType = UNSET
    dynamic_type: str | UnsetType = UNSET
    unreadable: bool = False
    holds_nil: bool = False
    full_type: str | UnsetType = UNSET
    meaning: str | UnsetType = UNSET
    reading: str | UnsetType = UNSET


class Data(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a header points at: a string's bytes, a slice's array, a pointee, interface data. `len`
    is a pointee's (elements, bytes of a string), of which `elements` may be the first alone.
    `meaning` and `reading` as a value's."""

    address: Address
    location: Location
    text: str
    size: int | UnsetType = UNSET
    type: str | UnsetType = UNSET
    len: int | UnsetType = UNSET
    dynamic_type: str | UnsetType = UNSET
    elements: tuple[Element, ...] | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    meaning: str | UnsetType = UNSET
    reading: str | UnsetType = UNSET


class Element(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A part of a value: a struct's field, an array's element, a map's entry, a capture.

    `address` is where the part itself lies; unset where it lies nowhere (a register). `key` is an
    entry's in a map, where it is no number, truth value or string, which `name` says whole.
    """

    name: str
    type: str
    address: Address | UnsetType = UNSET
    value: Value
    data: Data | UnsetType = UNSET
    elements: tuple[Element, ...] | UnsetType = UNSET
    key: Element | UnsetType = UNSET


class Variable(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A variable of one frame. `frame` indexes the stop's frames; `size` is in bytes.

    `why` explains every state but `live`. `partly`: not all of it is in the registers named;
    `why` says where the rest lies. `moved` says that the compiler moved the variable to the
    heap; its address is then the heap's. `from_high` is its distance below the stack's high end,
    which stays the same when the stack moves.
    """

    name: str
    type: str
    frame: int
    function: str
    state: State
    why: str
    size: int | UnsetType = UNSET
    line: int | UnsetType = UNSET
    parameter: bool = False
    moved: bool = False
    address: Address | UnsetType = UNSET
    register: str | UnsetType = UNSET
    partly: bool = False
    location: Location | UnsetType = UNSET
    value: Value | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    elements: tuple[Element, ...] | UnsetType = UNSET


def in_registers(variable: Variable) -> str:
    """ "in registers rax, rbx": where a variable lies that is in some; "… and elsewhere" where not
    all of it is there."""
    names = "" if variable.register is UNSET else variable.register
    told = f"in register{'s' if ' ' in names else ''} {', '.join(names.split())}"
    return f"{told} and elsewhere" if variable.partly else told
