"""Which variables of a trace are the answer, and what is to be said of each, in one tree.

A format-neutral step: text draws these trees as lines, a page as boxes and arrows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.address import Address
from goprobe.model.location import PLACES, Kind, Location
from goprobe.model.trace import StopReport, TraceReport
from goprobe.model.value import Data, Element, State, Value, Variable, in_registers
from goprobe.report import words
from goprobe.runtime.values.decoded import is_boxed_text
from goprobe.runtime.values.text import quoted

MOST_VARIABLES = 6
_MOST_PARTS = 4
_DEEPEST = 4
_POINTER_SIZE = 8
_SHORT = 32
_NO_MEMORY = (State.CONSTANT, State.OPTIMIZED_OUT)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A thing in memory: a variable, what it points at, a part of it.

    `what` describes it ("string header, 16 bytes"), `value` is its value as Go source would have
    it. `quoted` says that the value is a string's.
    """

    name: str
    what: str
    value: str
    location: Location | UnsetType = UNSET
    address: Address | UnsetType = UNSET
    register: str = ""
    children: tuple[Node, ...] = ()
    left_out: int = 0

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


class Pick(msgspec.Struct, frozen=True):
    """A variable that the reader asked for, at the stop where there is most to say of it."""

    stop: StopReport
    variable: Variable
    node: Node


def picks(report: TraceReport, names: Sequence[str] = (), parts: int = _MOST_PARTS) -> list[Pick]:
    """The variables named; else main's strings; else what is next most telling."""
    tests = [_is_named(names)] if names else [_not_the_compilers(test) for test in _TESTS]
    for test in tests:
        for stop in reversed(report.stops):
            variables: dict[tuple[str, str], Variable] = {}
            for v in filter(test, stop.variables):  # the innermost frame's and block's come first
                variables.setdefault((v.function, v.name), v)
            if variables and not (
                names and _better_elsewhere(report, stop, list(variables.values()))
            ):
                chosen = list(variables.values())[:MOST_VARIABLES]
                return [Pick(stop, v, tree(v, parts)) for v in chosen]
    return []


def tree(variable: Variable, parts: int = _MOST_PARTS) -> Node:
    """The variable and all that it leads to, to a bounded depth."""
    string = is_string(variable.type, variable.value, variable.data)
    children, left_out = _children(variable.data, variable.elements, string, parts, _DEEPEST)
    return Node(
        name=variable.name,
        what=_shape(variable),
        value="" if children else value_text(variable.type, variable.value, variable.data),
        location=variable.location,
        address=variable.address,
        register="" if variable.register is UNSET else variable.register,
        children=children,
        left_out=left_out,
    )


def is_string(type_name: str, value: Value | UnsetType, data: Data | UnsetType) -> bool:
    """Whether a value is a string, of a named type too; its text then has no quotes yet."""
    if value is UNSET or value.unreadable:
        return False
    if value.dynamic_type is not UNSET:  # in a box, or a pointer to one
        return is_boxed_text(value, data)
    if not value.text or type_name == "string":
        return not value.text or value.len is not UNSET
    plain = value.len is not UNSET and value.cap is UNSET
    return plain and data is not UNSET and data.type is UNSET and data.size == value.len


def value_text(type_name: str, value: Value | UnsetType, data: Data | UnsetType = UNSET) -> str:
    """A value as Go source would have it: strings in quotes, dynamic types before it. Of a channel
    without its type, which is told beside it."""
    if value is UNSET:
        return ""
    text = quoted(value.text) if is_string(type_name, value, data) else meant(value, data)
    if value.dynamic_type is UNSET and value.cap is not UNSET:
        text = text.removeprefix(f"{type_name} ")
    if value.dynamic_type is not UNSET and value.dynamic_type != "string" and not value.holds_nil:
        return f"{value.dynamic_type}({text})"
    return text


def meant(told: Value | Data, data: Data | UnsetType = UNSET) -> str:
    """A value's text with what it stands for: a number is told beside it, what parts are told in
    place of what these are. A pointer's with what that stands for which it leads to, its `data`."""
    if told.meaning is not UNSET:
        return told.meaning if told.text.startswith(("{", "[")) else f"{told.text} = {told.meaning}"
    if data is not UNSET and data.meaning is not UNSET and told.text == f"{int(data.address):#x}":
        return f"{told.text} = {data.meaning}"
    return told.text if told.reading is UNSET else told.reading


def value_and_data(variable: Variable) -> str:
    """A variable's value, and what it points at where that is not in it already."""
    value, data = value_text(variable.type, variable.value, variable.data), variable.data
    if value and data is not UNSET and variable.value is not UNSET:
        same = data.text in value or data.text == variable.value.text or data.meaning is not UNSET
        return value if same else f"{value} {meant(data)}"
    return value


def _is_named(names: Sequence[str]) -> Callable[[Variable], bool]:
    return lambda variable: variable.name in names


def _not_the_compilers(test: Callable[[Variable], bool]) -> Callable[[Variable], bool]:
    """Temporaries (.autotmp_63, ~r0) are no answer to anybody's question."""
    return lambda variable: not variable.name.startswith((".", "~")) and test(variable)


def _better_elsewhere(report: TraceReport, stop: StopReport, variables: list[Variable]) -> bool:
    """None of them has a value here, but one has at another stop."""
    if any(_has_value(v) for v in variables):
        return False
    names = {v.name for v in variables}
    return any(
        v.name in names and _has_value(v)
        for s in report.stops
        if s is not stop
        for v in s.variables
    )


def _has_value(variable: Variable) -> bool:
    return variable.value is not UNSET


def _of_main(variable: Variable) -> bool:
    return variable.function.startswith("main.")


_TESTS: list[Callable[[Variable], bool]] = [
    lambda v: (
        _of_main(v)
        and _has_value(v)
        and v.state is not State.UNREADABLE
        and is_string(v.type, v.value, v.data)
    ),
    lambda v: _of_main(v) and _has_value(v) and (v.moved or v.data is not UNSET),
    lambda v: _of_main(v) and _has_value(v),
    lambda v: _has_value(v) and v.data is not UNSET,
    _has_value,
]


def _shape(variable: Variable) -> str:
    """ "string header, 16 bytes": what of the variable itself lies at its address."""
    value = variable.value
    name = variable.type
    if value is not UNSET and name == "string":
        name = "string header"
    elif value is not UNSET and value.cap is not UNSET and variable.size == 3 * _POINTER_SIZE:
        name = f"{name} header"
    return f"{name}, {words.size(variable.size)}" if variable.size is not UNSET else name


def _is_pointer(text: str) -> bool:
    return text.startswith("0x")


def _children(
    data: Data | UnsetType,
    elements: tuple[Element, ...] | UnsetType,
    string: bool,
    most: int,
    depth: int,
) -> tuple[tuple[Node, ...], int]:
    if depth <= 0:
        return (), 0
    made: list[Node] = [] if data is UNSET else [_of_data(data, string, most, depth - 1)]
    leading = [] if elements is UNSET else [e for e in elements if e.data is not UNSET]
    made += [_of_element(element, most, depth - 1) for element in leading[:most]]
    return tuple(made), max(len(leading) - most, 0)


def _of_data(data: Data, string: bool, most: int, depth: int) -> Node:
    header = string and data.data is not UNSET  # an interface's data: a string header once more
    what = "string header" if header else "" if data.type is UNSET else data.type
    if data.size is not UNSET and data.size:
        what = f"{what}, {words.size(data.size)}" if what else words.size(data.size)
    children, left_out = _children(data.data, data.elements, string, most, depth)
    text = quoted(data.text) if string else meant(data)
    value = "" if children or _is_pointer(text) else text
    return Node(
        name="",
        what=what,
        value=value,
        location=data.location,
        address=data.address,
        register="",
        children=children,
        left_out=left_out,
    )


def _of_element(element: Element, most: int, depth: int) -> Node:
    """A part lies where the whole lies: its address is told where it points elsewhere, there."""
    string = is_string(element.type, element.value, element.data)
    children, left_out = _children(element.data, element.elements, string, most, depth)
    shown = "" if children else value_text(element.type, element.value, element.data)
    return Node(
        name=element.name, what=element.type, value=shown, children=children, left_out=left_out
    )


def sentence(pick: Pick) -> str:
    """ "msg is a string header on the stack of goroutine 1; its 10 bytes …"."""
    variable = pick.variable
    if variable.value is UNSET:
        return f"{variable.name} has no value here: {variable.why or variable.state.value}."
    string = is_string(variable.type, variable.value, variable.data)
    if string and variable.state in _NO_MEMORY:
        return _of_no_memory(variable)
    what = "is a string header" if string else f"({variable.type}) is"
    if variable.data is UNSET and len(variable.value.text) <= _SHORT:
        what = f"is {value_text(variable.type, variable.value)} ({variable.type}),"
    told = f"{variable.name} {what} {place(variable)}"
    if variable.moved:
        told += ", where the compiler moved it"
    if variable.data is UNSET:
        return f"{told}."
    if string:
        return f"{told}; its {_bytes_of(variable.value, variable.data)}."
    strings = [n for n in pick.node.walk() if n.value.startswith('"') and n.location is not UNSET]
    if len(strings) == 1 and len(strings[0].value) <= _SHORT:
        (leaf,) = strings
        return f"{told}, and leads to {leaf.value}, {leaf.what} {_where(leaf.location)}."
    return f"{told}; what it points at is {_where(variable.data.location)}."


def _of_no_memory(variable: Variable) -> str:
    """Of a string that the optimiser left no variable for: its header may still be found."""
    header, data = variable.location, variable.data
    told = f"{variable.name} has no memory of its own in this build"
    if data is UNSET or variable.value is UNSET:
        return f"{told}."
    if header is UNSET:
        return f"{told}; its {_bytes_of(variable.value, data)}."
    same = header.kind is data.location.kind
    if not same:
        told += f": a string header for it is {_where(header)}"
        return f"{told}, and its {_bytes_of(variable.value, data)}."
    return f"{told}: a string header for it and its {_bytes_of(variable.value, data)}."


def _bytes_of(value: Value, data: Data) -> str:
    length = 0 if value.len is UNSET else value.len
    count = words.counted(length, "byte") if length else "bytes"
    text = f', "{data.text}",' if 0 < len(data.text) <= _SHORT else ""
    return f"{count}{text} {'is' if length == 1 else 'are'} {_where(data.location)}"


def place(variable: Variable) -> str:
    if variable.location is not UNSET:
        return _where(variable.location)
    if variable.register is not UNSET:
        return in_registers(variable)
    if variable.state is State.REGISTER:
        return "in pieces, which the optimiser keeps apart"
    return "in no memory"


def _where(location: Location | UnsetType) -> str:
    if location is UNSET:
        return "in no memory"
    goroutine = location.detail.get("goroutine")
    if location.kind is Kind.GOROUTINE_STACK and goroutine:
        return f"on the stack of goroutine {goroutine}"
    return PLACES[location.kind]
