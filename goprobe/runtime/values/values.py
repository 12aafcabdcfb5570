"""Decoding a Go value out of memory or registers: header, what it points at, its parts.

The target is hostile: lengths are bounded by `Limits`, cycles by the chain of pointees, the whole
of one variable by a budget of nodes. What cannot be read becomes text that says so.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from msgspec import UNSET, UnsetType

from goprobe.binary.dwarf.gotypes import GoKind, GoType, element_number
from goprobe.counts import counted
from goprobe.errors import NotGoError, UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import Location
from goprobe.model.value import Data, Element, Value
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.values.decoded import (
    Capture,
    Decoded,
    Limits,
    RuntimeTypes,
    ValueTypes,
    Walk,
    as_entry,
    boxed,
    header,
    inline,
    unreadable,
    with_dynamic,
)
from goprobe.runtime.values.gochan import Channel, read_channel
from goprobe.runtime.values.gomap import MapReader, until_unreadable
from goprobe.runtime.values.inuse import given_up
from goprobe.runtime.values.meanings import Meanings
from goprobe.runtime.values.scalars import natural, scalar
from goprobe.runtime.values.storage import (
    InBytes,
    InMemory,
    LeftOutError,
    Storage,
    must_be_kept,
    must_end_in_memory,
    words,
)
from goprobe.runtime.values.text import escape
from goprobe.runtime.values.typedfields import fields

Elements = tuple[Element, ...]
_WORD = 8
_ASIDE, _ASIDE_NODES = 2, 64  # how deep, and how many parts
_ANY_POINTER = "go.shape.*"  # in generic code: whatever it points to


class Decoder:
    """Decodes values of one stop.

    `locate` says where an address lies, `function` names the code at one, `captures` lists what
    the closure whose code starts at an address captured. `goroutine` is the one whose values these
    are, 0 where they are not one's.
    """

    def __init__(
        self,
        memory: Memory,
        types: ValueTypes,
        runtime_types: RuntimeTypes,
        locate: Callable[[int], Location],
        function: Callable[[int], str],
        captures: Callable[[int], tuple[Capture, ...]],
        limits: Limits | None = None,
        goroutine: int = 0,
    ) -> None:
        self._memory = memory
        self._goroutine = goroutine
        self.types = types
        self._runtime_types = runtime_types
        self._locate = locate
        self._function = function
        self._captures = captures
        self._limits = limits or Limits()
        self._maps = MapReader(memory, types)
        self._meanings = Meanings(memory, types, runtime_types, self._limits, self._aside)

    def decode(self, go_type: GoType, place: Storage) -> Decoded:
        """Raises UnreadableError where the value's own bytes cannot be read."""
        return self._value(go_type, place, Walk(self._limits.nodes), 0)

    def at(self, go_type: GoType, address: int) -> Decoded:
        """The value at an address of the target. Raises UnreadableError."""
        return self.decode(go_type, InMemory(self._memory, address))

    def _aside(self, go_type: GoType, address: int) -> Element:
        """A value that another's meaning is made of."""
        place, depth = InMemory(self._memory, address), self._limits.depth - _ASIDE
        return self._element("", go_type, place, Walk(_ASIDE_NODES), depth)

    def _follow(self, pointer: int, place: Storage | None = None, offset: int = 0) -> None:
        """Raises UnreadableError where what lies at a pointer is not what the program put there.
        `place` is the value's that has it, at an offset."""
        why = place.lost(offset, pointer) if place else ""
        why = why or given_up(self._locate(pointer), self._goroutine)
        if why:
            raise UnreadableError(pointer, 0, why)

    def _led(self, place: Storage, offset: int, pointer: int) -> InMemory:
        """What the pointer at an offset of a value leads to."""
        return InMemory(self._memory, pointer, place.beyond(offset, pointer))

    # One value

    def _value(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        walk.nodes -= 1
        return self._meanings.told(go_type, place, self._of_kind(go_type, place, walk, depth))

    def _of_kind(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        match go_type.kind:
            case GoKind.STRING:
                return self._string(place)
            case GoKind.SLICE:
                return self._slice(go_type, place, walk, depth)
            case GoKind.ARRAY:
                return self._array(go_type, place, walk, depth)
            case GoKind.STRUCT:
                return self._struct(go_type, place, walk, depth)
            case GoKind.POINTER:
                return self._pointer(go_type, place, walk, depth)
            case GoKind.INTERFACE:
                return self._interface(go_type, place, walk, depth)
            case GoKind.MAP:
                return self._map(go_type, place, walk, depth)
            case GoKind.CHAN:
                return self._chan(go_type, place, walk, depth)
            case GoKind.FUNC:
                return self._func(place, walk, depth)
            case GoKind.UNSAFE_POINTER:
                return self._bare(place)
        return Decoded(Value(scalar(go_type, place)))

    def _safe(
        self, go_type: GoType, place: Storage, walk: Walk, depth: int, pointer: int = 0
    ) -> Decoded:
        """A part of a value: what cannot be read is said in its text. `pointer` leads there."""
        if walk.nodes <= 0:
            return Decoded(Value("…"))
        try:
            if pointer:
                self._follow(pointer)
            return self._value(go_type, place, walk, depth)
        except UnreadableError as error:
            return unreadable(error.why)
        except (KeyError, NotGoError):
            return unreadable("its debug information does not describe it")

    # Strings, slices, arrays, structs

    def _string(self, place: Storage) -> Decoded:
        pointer, length, part = header(place, "bytes")
        if part:
            return part
        if not length:
            pointer = 0 if place.lost(0, pointer) else pointer
            return Decoded(Value("", len=0), self._data(pointer, "", size=0))
        self._follow(pointer, place)
        must_end_in_memory(self._memory, pointer, length, "string")
        raw = self._memory.read(pointer, min(length, self._limits.string))
        more = length - len(raw)
        text = escape(raw) + (f"… {counted(more, 'more byte')}" if more else "")
        return Decoded(Value(text, len=length), self._data(pointer, text, size=length))

    def _data(
        self, pointer: int, text: str, size: int, kind: str = "", elements: Elements = ()
    ) -> Data | UnsetType:
        if not pointer:
            return UNSET
        return Data(
            address=Address(pointer),
            location=self._locate(pointer),
            text=text,
            size=size,
            type=kind or UNSET,
            elements=elements or UNSET,
        )

    def _slice(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        pointer, length, part = header(place, "elements")
        if part:
            return part
        try:
            capacity = int.from_bytes(place.read(16, 8), "little")
            known: int | UnsetType = capacity
        except LeftOutError:  # the optimiser drops what nobody asks for any more
            capacity, known = length, UNSET
        if not pointer:
            return Decoded(Value("nil", len=length, cap=known))
        element = self.types.at(element_number(self.types, go_type))
        if length > 1 << 48 or capacity < length:
            raise UnreadableError(pointer, 0, f"a slice header of length {length}")
        if length and element.size:
            self._follow(pointer, place)
            must_end_in_memory(self._memory, pointer, capacity * element.size, "slice")
        parts = self._run(element, self._led(place, 0, pointer), length, walk, depth)
        text = self._limits.listed(element, parts, length, inline)
        size, name = capacity * element.size, f"[{capacity}]{element.name}"
        pointer = 0 if place.lost(0, pointer) else pointer
        data = self._data(pointer, text, size=size, kind=name, elements=parts)
        return Decoded(Value(text, len=length, cap=known), data)

    def _run(self, element: GoType, place: Storage, count: int, walk: Walk, depth: int) -> Elements:
        if depth >= self._limits.depth:
            return ()
        elements: list[Element] = []
        for i in range(min(count, self._limits.elements)):
            if walk.nodes <= 0:
                break
            part = place.part(i * element.size, element.size)
            elements.append(self._element(f"[{i}]", element, part, walk, depth + 1))
        return tuple(elements)

    def _element(
        self, name: str, go_type: GoType, place: Storage, walk: Walk, depth: int
    ) -> Element:
        made = self._safe(go_type, place, walk, depth)
        return made.as_element(name, go_type, place.address)

    def _array(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        element = self.types.at(go_type.elem)
        if go_type.size:
            place.look()
        parts = self._run(element, place, go_type.count, walk, depth)
        return Decoded(
            Value(self._limits.listed(element, parts, go_type.count, inline), len=go_type.count),
            elements=parts or UNSET,
        )

    def _struct(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        if go_type.size:
            place.look()
        if depth >= self._limits.depth:
            return Decoded(Value("{…}"))
        parts: list[Element] = []
        kinds: list[GoType] = []
        for member in islice(fields(self.types, go_type), self._limits.fields):
            part_type = self.types.at(member.type)
            part = self._element(
                member.name, part_type, place.part(member.offset, part_type.size), walk, depth + 1
            )
            parts.append(part)
            kinds.append(part_type)
        text = self._limits.in_braces(kinds, tuple(parts), inline)
        return Decoded(Value(text), elements=tuple(parts) or UNSET)

    # Pointers and interfaces

    def _bare(self, place: Storage) -> Decoded:
        """A pointer of which it is not known to what."""
        (pointer,) = words(place, 1)
        if not pointer:
            return Decoded(Value("nil"))
        must_be_kept(place, 0, pointer)
        return Decoded(Value(f"{pointer:#x}"), self._data(pointer, "", size=0))

    def _pointer(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        (pointer,) = words(place, 1)
        if not pointer:
            return Decoded(Value("nil"))
        if go_type.name.startswith(_ANY_POINTER):
            return self._bare(place)
        target = self.types.at(go_type.elem)
        must_be_kept(place, 0, pointer)
        return Decoded(
            Value(f"{pointer:#x}"), self._pointee(target, self._led(place, 0, pointer), walk, depth)
        )

    def _pointee(self, target: GoType, led: InMemory, walk: Walk, depth: int) -> Data:
        pointer = led.address
        link = (pointer, target.offset)
        if target.kind is GoKind.INVALID:
            raise NotGoError(f"the debug information does not describe {target.name}")
        if link in walk.chain:
            made = Decoded(Value("… (a cycle: this value again)"))
        elif depth >= self._limits.depth:
            made = Decoded(Value("…" if target.size else "{}"))
        else:
            walk.chain.append(link)
            used = pointer if target.size else 0  # of what has no size nothing is read
            made = self._safe(target, led, walk, depth + 1, used)
            walk.chain.pop()
        return made.as_data(target, Address(pointer), self._locate(pointer))

    def _interface(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        table, word = words(place, 2)
        if not table:
            return Decoded(Value("nil"))
        rtype = table
        if any(m.name == "tab" for m in self.types.at(go_type.underlying).members):
            rtype = u64(self._memory, table + 8)  # itab: the interface's type, then the value's
        type_kind = self._runtime_types.kind(rtype)
        if type_kind == GoKind.INVALID:
            raise UnreadableError(rtype, 8, "an interface's type word, but no type is there")
        name = self._runtime_types.name(rtype)
        target = self.types.of(rtype)
        if self._runtime_types.holds_pointer_directly(rtype):
            held = InBytes(word.to_bytes(_WORD, "little"), homes={0: place.part(_WORD, _WORD)})
            made = self._safe(target, held, walk, depth)
            return Decoded(
                boxed(made.value, target, name), with_dynamic(made.data, name), made.elements
            )
        must_be_kept(place, _WORD, word)
        led = self._led(place, _WORD, word)
        data = self._pointee(target, led, walk, depth)
        value = Value(data.text, meaning=data.meaning, reading=data.reading)
        return Decoded(boxed(value, target, name), with_dynamic(data, name))

    # Maps, channels, functions

    def _map(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        (pointer,) = words(place, 1)
        if not pointer:
            return Decoded(Value("nil", len=0))
        self._follow(pointer, place)
        led, header = self._led(place, 0, pointer), self._maps.header(go_type)
        self._maps.must_be_kept(go_type, led)
        count = self._maps.count(go_type, pointer)
        if depth >= self._limits.depth or (pointer, go_type.offset) in walk.chain:
            value = Value(f"map[… {count} entries]", len=count)
            return Decoded(value, self._data(pointer, value.text, size=header.size))
        walk.chain.append((pointer, go_type.offset))
        parts = self._entries(go_type, led, walk, depth)
        walk.chain.pop()
        text = self._limits.mapped(self.types.at(go_type.elem), parts, count, inline)
        data = self._data(pointer, text, size=header.size, kind=header.name, elements=parts)
        return Decoded(Value(text, len=count), data)

    def _entries(self, go_type: GoType, led: InMemory, walk: Walk, depth: int) -> Elements:
        entries: list[Element] = []
        scan = islice(self._maps.entries(go_type, led.address), self._limits.map_scan)
        for entry in until_unreadable(scan):
            if walk.nodes <= 0:
                break
            place = InMemory(self._memory, entry.key, led.keeper)
            key = self._element("key", entry.key_type, place, walk, depth + 1)
            place = InMemory(self._memory, entry.value, led.keeper)
            value = self._element("value", entry.value_type, place, walk, depth + 1)
            entries.append(as_entry(value, entry.key_type, key))
        entries.sort(key=lambda part: natural(part.name))
        return tuple(entries[: self._limits.elements])

    def _chan(self, go_type: GoType, place: Storage, walk: Walk, depth: int) -> Decoded:
        (pointer,) = words(place, 1)
        if not pointer:
            return Decoded(Value("nil", len=0, cap=0))
        self._follow(pointer, place)
        channel = read_channel(self._memory, self.types, go_type, pointer)
        count, capacity = channel.count, channel.capacity
        closed = " closed" if channel.closed else ""
        text = f"{go_type.name} {pointer:#x} len {count} cap {capacity}{closed}"
        parts = self._buffered(go_type, channel, walk, depth)
        size, name = channel.header.size, channel.header.name
        data = self._data(pointer, text, size=size, kind=name, elements=parts)
        return Decoded(Value(text, len=count, cap=capacity), data)

    def _buffered(self, go_type: GoType, channel: Channel, walk: Walk, depth: int) -> Elements:
        element = self.types.at(go_type.elem)
        if depth >= self._limits.depth:
            return ()
        elements: list[Element] = []
        for i, slot in enumerate(channel.slots(self._limits.elements)):
            place = InMemory(self._memory, channel.buffer + slot * element.size)
            elements.append(self._element(f"[{i}]", element, place, walk, depth + 1))
        return tuple(elements)

    def _func(self, place: Storage, walk: Walk, depth: int) -> Decoded:
        (pointer,) = words(place, 1)
        if not pointer:
            return Decoded(Value("nil"))
        self._follow(pointer, place)
        led, code = self._led(place, 0, pointer), u64(self._memory, pointer)
        name = self._function(code) or f"code at {code:#x}"
        captured: list[Element] = []
        end = 8
        if (pointer, -1) not in walk.chain and depth < self._limits.depth:
            walk.chain.append((pointer, -1))
            for capture in self._captures(code):
                place = led.part(capture.offset, capture.type.size)
                captured.append(self._element(capture.name, capture.type, place, walk, depth + 1))
                end = max(end, capture.offset + capture.type.size)
            walk.chain.pop()
        data = self._data(pointer, name, size=end, kind="func value", elements=tuple(captured))
        return Decoded(Value(name), data)
