"""Reports to JSON and back, the only place that knows how addresses are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from goprobe.model.address import Address

T = TypeVar("T")


def _encode(value: object) -> object:
    if isinstance(value, Address):
        return str(value)
    raise NotImplementedError(f"no JSON form for {type(value).__name__}")


def _decode(struct: type, value: object) -> object:
    if struct is Address:
        return Address(int(str(value), 16))
    raise NotImplementedError(f"no decoder for {struct.__name__}")


_ENCODER = msgspec.json.Encoder(enc_hook=_encode)


def to_json(report: object) -> bytes:
    """The report as compact JSON (UTF-8)."""
    return _ENCODER.encode(report)


_PACKER = msgspec.msgpack.Encoder(enc_hook=_encode)


def packed(record: object) -> bytes:
    """As compact as can be: for another process of ours."""
    return _PACKER.encode(record)


def unpacker(type_: Any) -> Callable[[Any], Any]:
    """What makes a struct of this type, or of one of a union, of its packed bytes."""
    return msgspec.msgpack.Decoder(type_, dec_hook=_decode).decode


def to_builtins(report: object) -> Any:
    """The report as dicts, lists and strings, exactly as its JSON would read."""
    return msgspec.json.decode(to_json(report))


def from_json(data: bytes | str, struct: type[T]) -> T:
    """Raises msgspec.MsgspecError where `data` is not a report of this kind."""
    try:
        return msgspec.json.decode(data, type=struct, dec_hook=_decode)
    except (RecursionError, UnicodeDecodeError) as error:
        raise msgspec.ValidationError(str(error)) from None
