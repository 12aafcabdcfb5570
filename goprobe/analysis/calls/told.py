"""Values of calls as they are told: the common kinds straight out of registers, others as they were
decoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.counts import counted
from goprobe.model.calls import CallValue, Plain
from goprobe.model.value import Data, Element
from goprobe.process.calltracer.plan import Hit
from goprobe.runtime.values.decoded import is_boxed_text
from goprobe.runtime.values.text import quote, quoted

STRING_LIMIT = 256
"""Bytes of a string that are shown."""
SIGNED = {GoKind.INT: 8, GoKind.INT8: 1, GoKind.INT16: 2, GoKind.INT32: 4, GoKind.INT64: 8}
UNSIGNED = {
    GoKind.UINT: 8, GoKind.UINT8: 1, GoKind.UINT16: 2, GoKind.UINT32: 4, GoKind.UINT64: 8,
}  # fmt: skip
_POINTERS = 4  # to pointers, that are followed
_NUMBER = re.compile(r"-?\d+")
_FLOAT = re.compile(r"-?\d+(\.\d*)?(e[-+]\d+)?")


class Reading(msgspec.Struct, frozen=True):
    """How a value is read. Where the `words` are all zero, its registers alone say what it is;
    None: it always takes memory as well."""

    read: Callable[[Hit], CallValue]
    words: tuple[int, ...] | None = None


def integer(
    name: str, go_type: GoType, word: int, meaning: Callable[[GoType, int], str]
) -> Reading:
    signed = go_type.kind in SIGNED
    bits = 8 * (SIGNED.get(go_type.kind) or UNSIGNED[go_type.kind])
    mask, top, kind = (1 << bits) - 1, 1 << (bits - 1), go_type.name

    def read(hit: Hit) -> CallValue:
        value = hit.words[word] & mask
        if signed and value & top:
            value -= mask + 1
        meant = meaning(go_type, value) or UNSET
        return CallValue(name, kind, str(value), value, meaning=meant)

    return Reading(read, ())


def truth(name: str, go_type: GoType, word: int) -> Reading:
    kind = go_type.name

    def read(hit: Hit) -> CallValue:
        value = bool(hit.words[word] & 0xFF)
        return CallValue(name, kind, "true" if value else "false", value)

    return Reading(read, ())


def string(name: str, go_type: GoType, pointer: int, length: int) -> Reading:
    kind = go_type.name

    def read(hit: Hit) -> CallValue:
        size = hit.words[length]
        raw = hit.read(hit.words[pointer], min(size, STRING_LIMIT)) if size else b""
        if len(raw) < min(size, STRING_LIMIT) or size >> 48:
            return CallValue(
                name, kind, why=f"unreadable: a string header of {counted(size, 'byte')}"
            )
        if size > len(raw):
            return CallValue(
                name, kind, f"{quote(raw)}… {counted(size - len(raw), 'more byte')}", len=size
            )
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return CallValue(name, kind, quote(raw), len=size)
        return CallValue(name, kind, quote(raw), text, size)

    return Reading(read, (length,))


def unless_nil(name: str, go_type: GoType, word: int, read: Callable[[Hit], CallValue]) -> Reading:
    nil = CallValue(name, go_type.name, "nil", None)
    return Reading(lambda hit: read(hit) if hit.words[word] else nil, (word,))


def as_value(part: Element) -> CallValue:
    """A decoded value as calls tell it: through pointers, without where things lie."""
    data = part.data if part.data is not UNSET else None
    elements, length = part.elements, part.value.len
    for led in _led_to(data):
        elements = led.elements if elements is UNSET else elements
        length = led.len if length is UNSET else length
    text, plain = _shown(part, data)
    why = text if text.startswith("unreadable: ") else ""
    return CallValue(
        name=part.name,
        type=part.type,
        text="" if why else text,
        meaning=UNSET if why else _meaning(part, text),
        value=UNSET if why else plain,
        len=length,
        dynamic_type=part.value.dynamic_type,
        address=data.address if data else UNSET,
        elements=UNSET if elements is UNSET else tuple(map(as_value, elements)),
        why=why,
        key=UNSET if part.key is UNSET else as_value(part.key),
    )


def _led_to(data: Data | None) -> Iterator[Data]:
    """What a pointer leads to, and that, to the parts of what it leads to in the end."""
    for _ in range(_POINTERS):
        if data is None:
            return
        yield data
        if data.elements is not UNSET:
            return
        data = data.data if data.data is not UNSET else None


def _shown(part: Element, data: Data | None) -> tuple[str, Plain | UnsetType]:
    """A value's text as it reads in a call, and Python's own where it has one."""
    value = part.value
    held = value.dynamic_type is not UNSET
    if _is_string(part, data, held=held):
        whole = "\\" not in value.text and "…" not in value.text
        return quoted(value.text), value.text if whole else UNSET
    if value.holds_nil:
        return value.text, UNSET
    if value.text == "nil":
        return "nil", None
    # A pointer's text is where it leads; that of a uintptr in an interface only looks like it.
    if data and data.type is not UNSET and value.text == f"{int(data.address):#x}":
        named = ""
        if value.dynamic_type is not UNSET and data.text.startswith("{"):
            named = value.dynamic_type.removeprefix("*")
        return f"&{named}{quoted(data.text) if _is_of_string(data) else data.text}", UNSET
    return value.text, _plain(value.text)


def _meaning(part: Element, text: str) -> str | UnsetType:
    """What a value, or what a pointer leads to, stands for; the same of its parts."""
    value, data = part.value, part.data
    own = value.meaning if value.meaning is not UNSET else value.reading
    if own is not UNSET or data is UNSET or not text.startswith("&"):
        return own
    led = data.meaning if data.meaning is not UNSET else data.reading
    return led if led is UNSET else f"&{led}"


def _is_string(part: Element, data: Data | None, *, held: bool) -> bool:
    value = part.value
    if held:
        return data is not None and is_boxed_text(value, data)
    if value.len is UNSET or value.cap is not UNSET or part.elements is not UNSET:
        return False
    return not value.text if data is None else data.type is UNSET


def _is_of_string(pointee: Data) -> bool:
    """Whether a pointer leads to a string: that leads on to its bytes, which have no type."""
    if not pointee.text:
        return pointee.len == 0
    content = pointee.data
    if content is UNSET or pointee.elements is not UNSET:
        return False
    return content.type is UNSET and content.elements is UNSET and content.size == pointee.len


def _plain(text: str) -> Plain | UnsetType:
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text) and text != "-0":  # a float's
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else UNSET
