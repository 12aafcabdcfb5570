"""A program's code in stretches, which are read, changed in copies, and written back as a whole."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from goprobe.arch.elsewhere import MAX_INSTRUCTION
from goprobe.arch.patches import CALL_SIZE

COVERED = CALL_SIZE - 1 + MAX_INSTRUCTION
"""As much as a jump may cover: up to its end whole instructions."""
_RUN_GAP = 4096  # bytes: what lies closer than a page is read and written in one go


def runs_of(addresses: Sequence[int]) -> list[tuple[int, int]]:
    """Stretches of code that hold all addresses, with room for what may be covered at each."""
    runs: list[tuple[int, int]] = []
    for address in sorted(addresses):
        if runs and address - runs[-1][1] < _RUN_GAP:
            runs[-1] = (runs[-1][0], address + COVERED)
        else:
            runs.append((address, address + COVERED))
    return runs


def located(
    where: Mapping[int, bytearray], starts: Sequence[int], address: int
) -> tuple[bytearray, int]:
    """The stretch that holds an address (`starts` are theirs, sorted), and how far in it lies."""
    start = starts[bisect_right(starts, address) - 1]
    return where[start], address - start
