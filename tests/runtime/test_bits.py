"""Bitmaps of the runtime, cut into runs."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from goprobe.runtime.heap.heap import bit_runs


@given(st.integers(0, (1 << 600) - 1), st.integers(0, 512))
def test_runs_are_the_bits(bits: int, count: int) -> None:
    runs = list(bit_runs(bits, count))
    assert [now for length, now in runs for _ in range(length)] == [
        bool(bits >> i & 1) for i in range(count)
    ]
    assert all(length > 0 for length, _ in runs)
    assert all(a[1] != b[1] for a, b in pairwise(runs))
