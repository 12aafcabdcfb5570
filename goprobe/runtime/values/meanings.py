"""What values stand for, where their type has a way of its own to be read.

A time, a duration, a large number, an address of the network, a lock, the text in bytes: as the
type's own String method writes it, or as one would say it. Each is made of the value's parts as
they were decoded: where one of them is not there, nothing is told.
Source: the packages' own files, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoKind, GoType, element_number
from goprobe.errors import UnreadableError
from goprobe.model.value import Element
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.values.decoded import (
    Decoded,
    Limits,
    RuntimeTypes,
    ValueTypes,
    as_entry,
    has_meaning,
    inline_meaning,
)
from goprobe.runtime.values.readable import (
    big_integer,
    duration,
    file_mode,
    ip_address,
    lock,
    moment,
    readable_text,
    wait_group,
)
from goprobe.runtime.values.scalars import SIGNED, UNSIGNED, natural
from goprobe.runtime.values.storage import Storage
from goprobe.runtime.values.syncmap import ANY, MOST_COUNTED, SyncMapReader
from goprobe.runtime.values.typedfields import fields

_MOST_BYTES = 1 << 10  # of a text, a number
_WORD = 8
_DESCRIPTORS = ("internal/abi.Type", "reflect.rtype")
_TELL_NOTHING = {
    GoKind.POINTER, GoKind.UNSAFE_POINTER, GoKind.STRING, GoKind.FUNC, GoKind.CHAN, GoKind.BOOL,
    GoKind.INTERFACE,
}  # fmt: skip
_ATOMIC = "sync/atomic."
_ATOMIC_NUMBERS = ("Int32", "Int64", "Uint32", "Uint64", "Uintptr")


class _UntoldError(Exception):
    """A part that is needed is not there."""


class Parts(msgspec.Struct, frozen=True):
    """A struct's fields, or an element's, by their names."""

    elements: tuple[Element, ...]

    def field(self, *path: str) -> Element:
        """Raises _UntoldError."""
        *above, last = path
        elements = self.elements
        for name in above:
            inner = Parts(elements).field(name).elements
            elements = () if inner is UNSET else inner
        for each in elements:
            if each.name == last:
                return each
        raise _UntoldError

    def has(self, name: str) -> bool:
        return any(e.name == name for e in self.elements)

    def number(self, *path: str) -> int:
        """An integer, of an atomic one's field, too. Raises _UntoldError."""
        part = self.field(*path)
        if part.elements is not UNSET and any(e.name == "v" for e in part.elements):
            part = self.field(*path, "v")
        try:
            return int(part.value.text, 0)
        except ValueError:
            raise _UntoldError from None


class Meanings:
    """Of the values of one process. `part` decodes a value at an address, not far down."""

    def __init__(
        self,
        memory: Memory,
        types: ValueTypes,
        runtime_types: RuntimeTypes,
        limits: Limits,
        part: Callable[[GoType, int], Element],
    ) -> None:
        self._memory = memory
        self._types = types
        self._runtime_types = runtime_types
        self._limits = limits
        self._part = part

    def told(self, go_type: GoType, place: Storage, made: Decoded) -> Decoded:
        """A value with what it, or what its parts, stand for."""
        if made.value.unreadable or go_type.kind in _TELL_NOTHING:
            return made
        if meaning := self._meaning(go_type, place, made):
            return replace(made, value=replace(made.value, meaning=meaning))
        if reading := self._reading(go_type, made):
            return replace(made, value=replace(made.value, reading=reading))
        return made

    def _reading(self, go_type: GoType, made: Decoded) -> str:
        """The value's text with what its parts stand for, "" where that is the same."""
        parts = made.elements if made.data is UNSET else made.data.elements
        if parts is UNSET or not any(map(has_meaning, parts)):
            return ""
        limits, count, how = self._limits, made.value.len or 0, inline_meaning
        match go_type.kind:
            case GoKind.STRUCT:
                kinds = [self._types.at(m.type) for m in fields(self._types, go_type)]
                return limits.in_braces(kinds[: len(parts)], parts, how)
            case GoKind.ARRAY | GoKind.SLICE:
                return limits.listed(self._element(go_type), parts, count, how)
            case GoKind.MAP:
                return limits.mapped(self._types.at(go_type.elem), parts, count, how)
        return ""

    def _element(self, go_type: GoType) -> GoType:
        return self._types.at(element_number(self._types, go_type))

    def _meaning(self, go_type: GoType, place: Storage, made: Decoded) -> str:
        try:
            return self._of(go_type, place, made)
        except (_UntoldError, UnreadableError, KeyError, ValueError, OverflowError):
            return ""

    def _of(self, go_type: GoType, place: Storage, made: Decoded) -> str:
        if go_type.kind is GoKind.STRUCT:
            return self._of_struct(go_type, place, made)
        if go_type.kind in SIGNED or go_type.kind in UNSIGNED:
            return of_number(self._types, go_type, int(made.value.text))
        of_elements = go_type.kind in (GoKind.SLICE, GoKind.ARRAY) and made.value.len
        if of_elements and self._element(go_type).kind is GoKind.UINT8:
            return self._of_bytes(go_type, made)
        return ""

    def _of_bytes(self, go_type: GoType, made: Decoded) -> str:
        length = made.value.len or 0
        if go_type.name == "net.IP":
            return ip_address(self._bytes(made, length))
        raw = self._bytes(made, min(length, _MOST_BYTES))
        return readable_text(raw, length)

    def _bytes(self, made: Decoded | Element, length: int, begin: int = 0) -> bytes:
        """Of a slice, or of an array in memory. Raises _UntoldError, UnreadableError."""
        if not length:
            return b""
        if made.data is not UNSET:
            return self._memory.read(int(made.data.address) + begin, length)
        parts = () if made.elements is UNSET else made.elements
        if len(parts) < length:
            raise _UntoldError
        return bytes(int(each.value.text) for each in parts[begin : begin + length])

    def _of_struct(self, go_type: GoType, place: Storage, made: Decoded) -> str:
        parts = Parts(() if made.elements is UNSET else made.elements)
        name = go_type.name
        if name in _DESCRIPTORS:
            return self._described(place)
        if name.startswith(_ATOMIC) and name.removeprefix(_ATOMIC) in _ATOMIC_NUMBERS:
            return str(parts.number("v"))
        if name == "sync.Map":
            return self._sync_map(go_type, place)
        if name.startswith("weak.Pointer["):
            return self._weak(parts)
        known = _OF_STRUCTS.get(name)
        return known(self, parts) if known else ""

    def _described(self, place: Storage) -> str:
        """A type's descriptor: the type. A copy of one is none."""
        address = place.address
        if address is None or not self._runtime_types.is_laid_out(address):
            return ""
        return self._runtime_types.name(address)

    # Structs of the standard library

    def _time(self, parts: Parts) -> str:
        return moment(parts.number("wall"), parts.number("ext"))

    def _atomic_bool(self, parts: Parts) -> str:
        return "true" if parts.number("v") else "false"

    def _big_int(self, parts: Parts) -> str:
        digits = parts.field("abs")
        length = digits.value.len
        if length is UNSET or length > _MOST_BYTES // _WORD:
            raise _UntoldError
        return big_integer(
            self._bytes(digits, length * _WORD), parts.field("neg").value.text == "true"
        )

    def _builder(self, parts: Parts) -> str:
        return self._text_from(parts.field("buf"), 0)

    def _buffer(self, parts: Parts) -> str:
        return self._text_from(parts.field("buf"), parts.number("off"))

    def _text_from(self, buffer: Element, begin: int) -> str:
        length = buffer.value.len
        if length is UNSET or not 0 <= begin <= length or buffer.value.unreadable:
            raise _UntoldError
        left = length - begin
        raw = self._bytes(buffer, min(left, _MOST_BYTES), begin)
        return readable_text(raw, left) if left else '""'

    def _netip(self, parts: Parts) -> str:
        """netip.Addr: what z leads to tells IPv4 from IPv6, and a zone (Go 1.23 and later)."""
        z = parts.field("z", "value")
        if z.value.text == "nil":
            return "invalid IP"
        if z.data is UNSET or z.data.elements is UNSET:
            raise _UntoldError
        detail = Parts(z.data.elements)
        high, low = parts.number("addr", "hi"), parts.number("addr", "lo")
        raw = high.to_bytes(_WORD, "big") + low.to_bytes(_WORD, "big")
        if detail.field("isV6").value.text != "true":
            return ip_address(raw[-4:])
        zone = detail.field("zoneV6").value.text
        return ip_address(raw, mapped=True) + (f"%{zone}" if zone else "")

    def _netip_port(self, parts: Parts) -> str:
        address = _meant(parts.field("ip"))
        port = parts.number("port")
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def _netip_prefix(self, parts: Parts) -> str:
        bits = parts.number("bitsPlusOne") - 1
        return f"{_meant(parts.field('ip'))}/{bits}" if bits >= 0 else "invalid Prefix"

    def _reflected(self, parts: Parts) -> str:
        """reflect.Value: of which type."""
        rtype = parts.number("typ_") if parts.field("typ_").value.text != "nil" else 0
        if not rtype:
            return "no value"
        if not self._runtime_types.is_laid_out(rtype):
            raise _UntoldError
        return f"a value of type {self._runtime_types.name(rtype)}"

    def _mutex(self, parts: Parts) -> str:
        """A sync.Mutex; since Go 1.24 it has one of internal/sync."""
        return _meant(parts.field("mu")) if parts.has("mu") else lock(parts.number("state"))

    def _weak(self, parts: Parts) -> str:
        """A weak.Pointer: its handle's word is 0 from when the object is gone
        (getOrAddWeakHandle, src/runtime/mheap.go, Go 1.24 to 1.27)."""
        if parts.field("u").value.text == "nil":
            return "nil"
        led = u64(self._memory, parts.number("u"))
        return f"weakly {led:#x}" if led else "nil: what it led to is gone"

    def _sync_map(self, go_type: GoType, place: Storage) -> str:
        """A sync.Map's entries, as a map's."""
        held = self._types.named(ANY)
        if held is None:
            raise _UntoldError
        entries, total = list[Element](), 0
        for key, value in SyncMapReader(self._memory, self._types).entries(go_type, place):
            total += 1
            if total <= self._limits.elements:
                entries.append(as_entry(self._part(held, value), held, self._part(held, key)))
            elif total > MOST_COUNTED:
                break
        shown = tuple(sorted(entries, key=lambda entry: natural(entry.name)))
        told = self._limits.mapped(held, shown, min(total, MOST_COUNTED), inline_meaning)
        least = total > MOST_COUNTED and told.endswith(" more]")
        return f"{told[:-1]} at least]" if least else told

    def _once(self, parts: Parts) -> str:
        return "done" if parts.number("done") else "not done"

    def _wait_group(self, parts: Parts) -> str:
        return wait_group(parts.number("state"))


def of_number(types: ValueTypes, go_type: GoType, value: int) -> str:
    """What an integer stands for: a duration, constants of its type; "" where nothing."""
    if "." not in go_type.name:  # a type that the language itself has
        return ""
    if go_type.name == "time.Duration":
        return duration(value)
    if go_type.name == "io/fs.FileMode":
        return file_mode(value)
    return types.constant(go_type, value)


def _meant(part: Element) -> str:
    """Raises _UntoldError."""
    if part.value.meaning is UNSET:
        raise _UntoldError
    return part.value.meaning


_OF_STRUCTS: dict[str, Callable[[Meanings, Parts], str]] = {
    "time.Time": Meanings._time,
    "math/big.Int": Meanings._big_int,
    "strings.Builder": Meanings._builder,
    "bytes.Buffer": Meanings._buffer,
    "net/netip.Addr": Meanings._netip,
    "net/netip.AddrPort": Meanings._netip_port,
    "net/netip.Prefix": Meanings._netip_prefix,
    "reflect.Value": Meanings._reflected,
    "sync.Mutex": Meanings._mutex,
    "internal/sync.Mutex": Meanings._mutex,
    "sync.Once": Meanings._once,
    "sync.WaitGroup": Meanings._wait_group,
    "sync/atomic.Bool": Meanings._atomic_bool,
}
