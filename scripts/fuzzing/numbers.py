"""Numbers and bytes to put where others stood."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.truths.choices import Choices

_SMALL = (0, 1, 2, 3, 7, 8, 9, 16, 64, 255, 256, 1000, 4096, 8192)


def number(choices: Choices, size: int, old: int, near: Sequence[int] = ()) -> int:
    """A number of `size` bytes in the place of `old`; `near` are addresses of things around it."""
    mask = (1 << 8 * size) - 1
    bits = 8 * size
    way = choices.weighted(
        (3, "small"),
        (3, "power"),
        (2, "step"),
        (2, "bit"),
        (1, "all"),
        (2, "any"),
        (5 if near else 0, "near"),
    )
    match way:
        case "small":
            return choices.one_of(_SMALL) & mask
        case "power":
            value = (1 << choices.below(bits)) + choices.one_of((0, -1, 1, -8))
            return value & mask
        case "step":
            return (old + choices.one_of((1, -1, 8, -8, 16, 4096, -4096, old, 1 << 20))) & mask
        case "bit":
            return old ^ 1 << choices.below(bits)
        case "all":
            return mask - choices.below(16)
        case "near":
            offset = choices.weighted((6, 0), (1, 1), (2, 8), (1, -8), (1, -1))
            return (choices.one_of(near) + offset) & mask
    return choices.below(1 << bits)


def some_bytes(choices: Choices, size: int) -> bytes:
    """A run of bytes: of one value, or of any."""
    if choices.chance(60):
        return (
            bytes([choices.weighted((4, 0), (4, 0xFF), (3, 0x80), (2, 1), (1, 0x41), (1, 0x7F))])
            * size
        )
    return bytes(choices.below(256) for _ in range(min(size, 64))) * (size // 64 + 1)
