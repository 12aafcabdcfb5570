"""Go values as text, the way Go prints them."""

from __future__ import annotations

import math
import re
import struct
from contextlib import suppress

_ESCAPES = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\"}
_EXPONENT_LOW, _EXPONENT_HIGH = -4, 6  # where %v turns to the exponent form: strconv/ftoa.go


def escape(raw: bytes) -> str:
    """Bytes of a Go string as strconv.Quote would show them, without the quotes.

    Control characters, invalid UTF-8 and everything that does not print become escapes, so that
    the text is safe on a terminal.
    """
    out: list[str] = []
    for char in raw.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if code in _ESCAPES:
            out.append(_ESCAPES[code])
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable():
            out.append(char)
        elif code < 0x80:
            out.append(f"\\x{code:02x}")
        else:
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join(out)


def quote(raw: bytes) -> str:
    """A Go string literal."""
    return quoted(escape(raw))


def quoted(escaped: str) -> str:
    """The same of what is escaped already but for its quotes, as values' texts are."""
    return '"' + escaped.replace('"', '\\"') + '"'


_UNESCAPED = {name: bytes([code]) for code, name in _ESCAPES.items()} | {'\\"': b'"'}
_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|.)", re.DOTALL)


def unquoted(literal: str) -> bytes:
    """The bytes of a string literal that `quote` made."""
    made, at = bytearray(), 1
    for each in _ESCAPED.finditer(literal, 1, len(literal) - 1):
        made += literal[at : each.start()].encode("utf-8", "surrogateescape")
        byte, *points = each.groups()
        point = next(filter(None, points), None)
        if byte:
            made.append(int(byte, 16))
        elif point:
            made += chr(int(point, 16)).encode("utf-8", "surrogatepass")
        else:
            made += _UNESCAPED.get(each[0], each[0].encode())
        at = each.end()
    return bytes(made + literal[at:-1].encode("utf-8", "surrogateescape"))


def _shortest(value: float, bits: int) -> str:
    if bits == 64:
        return repr(value)
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        with suppress(OverflowError):  # the largest, rounded up, are no float32 any more
            if struct.pack("<f", float(text)) == struct.pack("<f", value):
                return text
    return repr(value)


def go_float(value: float, bits: int) -> str:
    """As fmt's %v: the shortest digits that give the same float back."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    mantissa, _, exponent = f"{_shortest(value, bits)}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0"
    scale = point - 1
    if scale < _EXPONENT_LOW or scale >= _EXPONENT_HIGH:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'+' if scale >= 0 else '-'}{abs(scale):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    padded = digits.ljust(point, "0")
    return sign + padded[:point] + (f".{padded[point:]}" if padded[point:] else "")


def go_complex(real: float, imaginary: float, bits: int) -> str:
    """As fmt's %v: (1+2i); `bits` of one half."""
    second = go_float(imaginary, bits)
    return f"({go_float(real, bits)}{'' if second[0] in '+-' else '+'}{second}i)"
