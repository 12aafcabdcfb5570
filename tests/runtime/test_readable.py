"""Numbers and bytes as the standard library prints them: the limits of it, and what makes no
sense. What the library itself prints is held against it in tests/script/test_meanings.py."""

from __future__ import annotations

import pytest

from goprobe.runtime.values.readable import (
    duration,
    file_mode,
    ip_address,
    lock,
    moment,
    readable_text,
    wait_group,
)


@pytest.mark.parametrize(
    ("nanoseconds", "told"),
    [
        (-(1 << 63), "-2562047h47m16.854775808s"),
        ((1 << 63) - 1, "2562047h47m16.854775807s"),
        (0, "0s"),
        (-1, "-1ns"),
        (1_100, "1.1µs"),
        (999_999_999, "999.999999ms"),
        (60_000_000_000, "1m0s"),
        (3_600_000_000_001, "1h0m0.000000001s"),
    ],
)
def test_durations(nanoseconds: int, told: str) -> None:
    assert duration(nanoseconds) == told


def test_moments_that_are_none() -> None:
    assert moment(0, 0) == "0001-01-01 00:00:00 UTC"
    with pytest.raises(ValueError, match="nanoseconds"):
        moment(1 << 30 - 1 | 0x3FFFFFFF, 0)
    with pytest.raises(OverflowError):
        moment(0, 1 << 62)
    with pytest.raises(OverflowError):
        moment(0, -1)


def test_addresses() -> None:
    assert ip_address(bytes(16)) == "::"
    assert ip_address(bytes(10) + b"\xff\xff\x01\x02\x03\x04") == "1.2.3.4"
    assert ip_address(bytes(10) + b"\xff\xff\x01\x02\x03\x04", mapped=True) == "::ffff:1.2.3.4"
    with pytest.raises(ValueError, match="IPv4 or IPv6"):
        ip_address(b"\x01\x02")


def test_locks_and_groups() -> None:
    assert lock(0) == "unlocked"
    assert lock(2 << 3 | 1) == "locked, 2 waiting"
    assert lock(1 << 3 | 4) == "unlocked, 1 waiting, starving"
    assert lock(-(1 << 31) | 1) == f"locked, {1 << 28} waiting"
    assert wait_group(3 << 32 | 1 << 31 | 2) == "counter 3, 2 waiting"


def test_modes() -> None:
    assert file_mode(0) == "----------"
    assert file_mode(1 << 31 | 0o755) == "drwxr-xr-x"


def test_text_is_told_where_all_of_it_is_text() -> None:
    assert readable_text(b"a\x00b", 3) == "" and readable_text(b"\xff", 1) == ""
    assert readable_text(b"\n\n", 2) == "" and readable_text(b"", 0) == ""
    assert readable_text(b'a "b"\n', 6) == '"a \\"b\\"\\n"'
    assert readable_text("ab\u202ec".encode(), 6) == ""


def test_text_that_was_cut_within_a_character() -> None:
    whole = "abé".encode()
    assert readable_text(whole[:3], 4) == '"ab"… 2 more bytes'
    assert readable_text(whole[:3], 3) == ""
    assert readable_text(whole, 10) == '"abé"… 6 more bytes'
