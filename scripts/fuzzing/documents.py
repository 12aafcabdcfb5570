"""JSON damaged: its bytes, or the values in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scripts.truths.choices import Choices

_NUMBERS = (0, -1, 1 << 31, 1 << 53, (1 << 63) - 1, 1 << 64, -(1 << 63), 10**400, 1.5, 1e308)
_TEXTS = ("", "\x1b[31m\x00\n", "\u202e\ufeff", "x" * 100_000, "0x" + "f" * 100, "0x-1",
          "-0x1", "é", "UnreadableError", "KeyboardInterrupt", "telling", "ℵ")  # fmt: skip


def damaged(data: bytes, choices: Choices) -> tuple[bytes, str]:
    """A document with one thing changed, and what that was."""
    way = choices.weighted((6, "value"), (2, "bytes"), (1, "cut"), (1, "deep"))
    if way == "value":
        try:
            return _value(data, choices)
        except (ValueError, RecursionError):  # an earlier step has made it none
            way = "bytes"
    at = choices.below(len(data) + 1)
    if way == "cut":
        return data[:at], f"cut off at {at}"
    if way == "deep":
        depth = 10 ** choices.below(6)
        opening, closing = choices.one_of(((b"[", b"]"), (b'{"a":', b"}")))
        return data[:at] + opening * depth + closing * depth + data[at:], f"{depth} deep at {at}"
    new = bytes(choices.below(256) for _ in range(1 + choices.below(4)))
    return data[:at] + new + data[at + len(new) :], f"at {at}: {new.hex(' ')}"


def _value(data: bytes, choices: Choices) -> tuple[bytes, str]:
    whole = {"": json.loads(data)}
    holder, key, path = choices.one_of(list(_places(whole, "")))
    if choices.chance(15):
        del holder[key]
        told = f"{path} is gone"
    else:
        new = _alike(holder[key], choices) if choices.chance(70) else _any(choices)
        holder[key] = new
        told = f"{path} becomes {repr(new)[:60]}"
    text = json.dumps(whole.get(""), ensure_ascii=choices.chance(50))
    return text.encode("utf-8", "surrogatepass"), told


def _alike(old: Any, choices: Choices) -> Any:
    """Another value of the same type, so that it is read on."""
    match old:
        case bool():
            return not old
        case int():
            return choices.one_of((*_NUMBERS[:7], old + 1, -old))
        case str() if old.startswith("0x"):
            return hex(1 << choices.below(70))
        case str():
            return choices.one_of(_TEXTS)
        case list():
            return choices.one_of(([], old * 2, old[:1] * 1000, old[::-1]))
    return _any(choices)


def _any(choices: Choices) -> Any:
    return choices.weighted(
        (3, choices.one_of(_NUMBERS)),
        (3, choices.one_of(_TEXTS)),
        (1, None),
        (1, True),
        (1, []),
        (1, {}),
        (1, [[], {}]),
    )


def _places(node: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """Everything that could be another value: what holds it, and at which key."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        here = f"{path}.{key}" if path else str(key)
        yield node, key, here
        if isinstance(value, (dict, list)):
            yield from _places(value, here)
