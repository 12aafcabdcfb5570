"""What a script asks of values by their type and address: whole ones, elements, entries of maps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from goprobe.analysis.trace.stopview import StopView
from goprobe.binary.dwarf.called import full_names
from goprobe.binary.dwarf.constants import integer_constant
from goprobe.binary.dwarf.gotypes import GoKind, GoType, Types, element_number
from goprobe.counts import counted
from goprobe.errors import NoSuchElementError, UnreadableError, UsageError
from goprobe.model.address import Address
from goprobe.model.value import Element, Value
from goprobe.process.memory.memory import u64
from goprobe.runtime.values.gomap import MapEntry, MapReader
from goprobe.runtime.values.storage import InBytes, InMemory

_AT_ONCE = 1 << 12
_ENTRIES = 1 << 20  # looked at for one key
_STRING = 1 << 20  # bytes of a key
_WORD = 8
_HEADERS = {GoKind.STRING, GoKind.SLICE, GoKind.INTERFACE, GoKind.COMPLEX128}


def value(view: StopView, type_name: str, address: int) -> Element:
    return _element(view, type_name, _named(view, type_name), address)


def headed(view: StopView, type_name: str, address: int) -> Element:
    """The map or channel whose header is at an address: its value is a pointer to that."""
    made = view.decoder.decode(_named(view, type_name), InBytes(address.to_bytes(_WORD, "little")))
    return Element(
        name=type_name, type=type_name, value=made.value, data=made.data, elements=made.elements
    )


def global_variable(view: StopView, name: str) -> Element:
    """A variable of a package, or an integer constant of it, which lies nowhere. The package may be
    called by its name alone, where no other has it."""
    debug = view.world.program.debug
    for known in full_names(debug, name):
        if entry := debug.globals.get(known):
            return _element(view, name, debug.types.at(entry.type), entry.address + view.world.bias)
        if constant := integer_constant(debug, known):
            go_type, number = constant
            return Element(name=name, type=go_type.name, value=Value(str(number)))
    from difflib import get_close_matches  # for mistakes only

    close = get_close_matches(name, debug.globals, n=3)
    hint = f"nearest: {', '.join(close)}" if close else ""
    raise NoSuchElementError(
        f"the program has no variable {name} of a package, and no such integer constant", hint=hint
    )


def extent(view: StopView, type_name: str) -> tuple[int, int]:
    go_type = _named(view, type_name)
    if go_type.kind == GoKind.STRING:
        return go_type.size, 1
    if go_type.kind in (GoKind.INTERFACE, GoKind.COMPLEX128):
        return go_type.size, -1
    return go_type.size, _element_of(view, go_type).size if go_type.kind == GoKind.SLICE else 0


def headers(view: StopView, type_name: str, size: int) -> tuple[tuple[int, int], ...]:
    """What of a value of `size` bytes is written by several words that belong together: offsets and
    sizes of strings, slices, interfaces, complex numbers. None of a type that is not known."""
    if not type_name:
        return ()
    return tuple(_headers(view.decoder.types, _named(view, type_name), 0, size))


def _headers(types: Types, go_type: GoType, at: int, end: int) -> Iterator[tuple[int, int]]:
    if not 0 < go_type.size <= end - at:
        return
    if go_type.kind in _HEADERS:
        yield at, go_type.size
    elif go_type.kind is GoKind.STRUCT:
        for member in go_type.members:
            yield from _headers(types, types.at(member.type), at + member.offset, end)
    elif go_type.kind is GoKind.ARRAY:
        element = types.at(go_type.elem)
        for index in range(go_type.count if element.size else 0):
            yield from _headers(types, element, at + index * element.size, end)


def kind(view: StopView, type_name: str) -> str:
    go_type = _named(view, type_name)
    if go_type.kind is GoKind.INTERFACE:
        itself = view.decoder.types.at(go_type.underlying)
        if any(member.name == "tab" for member in itself.members):  # runtime.iface (runtime2.go)
            return "interface with methods"
    return go_type.kind.name.lower()


def items(
    view: StopView, type_name: str, address: int, start: int, count: int
) -> tuple[Element, ...]:
    go_type = _named(view, type_name)
    if go_type.kind == GoKind.POINTER:
        go_type = view.decoder.types.at(go_type.elem)
    if go_type.kind not in (GoKind.SLICE, GoKind.ARRAY):
        raise UsageError(f"a {type_name} has no elements by number")
    if not 0 <= count <= _AT_ONCE or start < 0:
        raise UsageError(f"cannot read {counted(count, 'element')} at once")
    element = _element_of(view, go_type)
    return tuple(
        _element(view, f"[{i}]", element, address + i * element.size)
        for i in range(start, start + count)
    )


def entry(view: StopView, type_name: str, address: int, kind: str, key: str) -> Element | None:
    map_type = _named(view, type_name)
    matches = _string_matches if kind == "string" else _number_matches
    last: MapEntry | None = None
    for pair in islice(_entries(view, map_type, address), _ENTRIES):
        if matches(view, pair, key):
            if last is not None:
                raise UsageError(f"several keys of the {type_name} are {key}: go through items()")
            last = pair
            if pair.key_type.kind is not GoKind.INTERFACE:
                break
    return _element(view, key, last.value_type, last.value) if last else None


class MapWalk:
    """Entries of maps, some at each question: a map is gone through once, and not from its
    beginning every time."""

    def __init__(self) -> None:
        self._view: StopView | None = None
        self._next: tuple[str, int, int] | None = None
        self._pairs: Iterator[MapEntry] = iter(())

    def entries(
        self, view: StopView, type_name: str, address: int, start: int, count: int
    ) -> tuple[Element, ...]:
        if self._view is not view or self._next != (type_name, address, start):
            map_type = _named(view, type_name)
            self._pairs = islice(_entries(view, map_type, address), start, None)
        self._view, self._next = view, None  # until it is known where the next begin
        told: list[Element] = []
        for each in islice(self._pairs, min(count, _AT_ONCE)):
            told.append(_element(view, "key", each.key_type, each.key))
            told.append(_element(view, told[-1].value.text, each.value_type, each.value))
        self._next = (type_name, address, start + len(told) // 2)
        return tuple(told)


def _named(view: StopView, type_name: str) -> GoType:
    known = view.decoder.types.named(type_name)
    if known is None:
        raise UsageError(f"the program has no type {type_name}")
    return known


def _element(view: StopView, name: str, go_type: GoType, address: int) -> Element:
    try:
        place = InMemory(view.world.memory, address, view.keeping)
        made = view.decoder.decode(go_type, place)
    except UnreadableError as error:
        raise UsageError(f"cannot read a {go_type.name} at {address:#x}: {error}") from None
    return Element(
        name=name,
        type=go_type.name,
        address=Address(address),
        value=made.value,
        data=made.data,
        elements=made.elements,
    )


def _element_of(view: StopView, go_type: GoType) -> GoType:
    types = view.decoder.types
    return types.at(element_number(types, go_type))


def _entries(view: StopView, go_type: GoType, address: int) -> Iterator[MapEntry]:
    if go_type.kind != GoKind.MAP:
        raise UsageError(f"{go_type.name} is no map")
    reader = MapReader(view.world.memory, view.decoder.types)
    try:
        yield from reader.entries(go_type, address)
    except UnreadableError as error:
        raise UsageError(f"the map at {address:#x} cannot be read: {error}") from None


def _string_matches(view: StopView, pair: MapEntry, key: str) -> bool:
    memory, wanted = view.world.memory, key.encode("utf-8", "surrogateescape")
    at = pair.key
    if pair.key_type.kind == GoKind.INTERFACE:
        boxed = _element(view, "key", pair.key_type, at)
        if boxed.value.dynamic_type != "string" or not boxed.data:
            return False
        at = int(boxed.data.address)
    elif pair.key_type.kind != GoKind.STRING:
        return False
    try:
        length = u64(memory, at + 8)
        if length != len(wanted) or length > _STRING:
            return False
        return not length or memory.read(u64(memory, at), length) == wanted
    except UnreadableError:
        return False


def _number_matches(view: StopView, pair: MapEntry, key: str) -> bool:
    if pair.key_type.kind == GoKind.STRING:
        return False
    told = _element(view, "key", pair.key_type, pair.key).value
    if told.dynamic_type == "string":
        return False
    for number in (lambda text: int(text, 0), float):
        with suppress(ValueError):
            return bool(number(told.text) == number(key))
    return told.text == key
