"""Numbers and bytes as the standard library's types print themselves."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from goprobe.counts import counted
from goprobe.runtime.values.text import quote

# time/time.go, Go 1.21 to 1.27: Duration's units; Time.wall and Time.ext, wallToInternal
_NANO, _MICRO, _MILLI, _SECOND = 1, 1_000, 1_000_000, 1_000_000_000
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_MONOTONIC_SINCE = datetime(1885, 1, 1, tzinfo=UTC)
_HAS_MONOTONIC = 1 << 63  # hasMonotonic, time/time.go, Go 1.21 to 1.27
_NANOSECONDS = (1 << 30) - 1  # nsecMask, time/time.go, Go 1.21 to 1.27
_V4_IN_6 = bytes(10) + b"\xff\xff"
_MODES = "dalTLDpSugct?"  # from the highest bit on (io/fs, FileMode.String)
_RIGHTS = "rwxrwxrwx"
_LOCKED, _STARVING, _WAITERS = 1, 4, 3  # bits of a Mutex's state; whose shift (sync/mutex.go)
_PLAIN = "\n\r\t"


def duration(nanoseconds: int) -> str:
    """time.Duration.String: "1.5s", "2h0m0s", "1µs" (src/time/time.go, Go 1.21 to 1.27)."""
    left = abs(nanoseconds)
    sign = "-" if nanoseconds < 0 else ""
    if left < _SECOND:
        for unit, name in ((_MILLI, "ms"), (_MICRO, "µs"), (_NANO, "ns")):
            if left >= unit:
                return f"{sign}{_with_fraction(left, unit)}{name}"
        return "0s"
    minutes, seconds = divmod(left, 60 * _SECOND)
    text = f"{_with_fraction(seconds, _SECOND)}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{minutes}m{text}"
        text = f"{hours}h{text}" if hours else text
    return sign + text


def _with_fraction(value: int, unit: int) -> str:
    whole, part = divmod(value, unit)
    digits = f"{part:0{len(str(unit)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


def moment(wall: int, ext: int) -> str:
    """A time.Time in UTC: `wall` has the nanoseconds and, with a monotonic clock's reading in
    `ext`, the seconds since 1885; else `ext` has those since the year 1 (src/time/time.go). Raises
    OverflowError and ValueError for years that are not of four digits."""
    if wall & _HAS_MONOTONIC:
        at = _MONOTONIC_SINCE + timedelta(seconds=wall << 1 >> 31 & (1 << 33) - 1)
    else:
        at = _FIRST + timedelta(seconds=ext)
    nanoseconds = wall & _NANOSECONDS
    if nanoseconds >= _SECOND:
        raise ValueError("no nanoseconds")
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    # Years below 1000 have no leading zeros in strftime everywhere.
    return f"{at.year:04d}-{at:%m-%d %H:%M:%S}{fraction} UTC"


def big_integer(words: bytes, negative: bool) -> str:
    """A math/big.Int by its words, the least first."""
    value = int.from_bytes(words, "little")
    return str(-value if negative else value)


def ip_address(raw: bytes, *, mapped: bool = False) -> str:
    """An address of the network as net.IP and netip.Addr print it; `mapped` says that one of IPv4
    in IPv6 is told as that. Raises ValueError where it has another length."""
    if len(raw) == 16 and raw.startswith(_V4_IN_6):
        v4 = str(ipaddress.IPv4Address(raw[12:]))
        return f"::ffff:{v4}" if mapped else v4
    return str(ipaddress.ip_address(raw))


def file_mode(mode: int) -> str:
    """fs.FileMode.String: "drwxr-xr-x" (src/io/fs/fs.go, Go 1.21 to 1.27)."""
    kinds = "".join(c for i, c in enumerate(_MODES) if mode & 1 << 31 - i) or "-"
    return kinds + "".join(c if mode & 1 << 8 - i else "-" for i, c in enumerate(_RIGHTS))


def lock(state: int) -> str:
    """A sync.Mutex: a bit for locked, one for woken, one for starving, and how many wait behind
    these (src/sync/mutex.go, internal/sync/mutex.go, Go 1.21 to 1.27)."""
    waiting = (state & (1 << 32) - 1) >> _WAITERS
    told = "locked" if state & _LOCKED else "unlocked"
    told += f", {waiting} waiting" if waiting else ""
    return f"{told}, starving" if state & _STARVING else told


def wait_group(state: int) -> str:
    """A sync.WaitGroup's counter, and how many wait for it: the halves of a word, whose bit between
    them says since Go 1.25 that it belongs to a bubble (src/sync/waitgroup.go)."""
    counter, waiting = state >> 32, state & (1 << 31) - 1
    return f"counter {counter}" + (f", {waiting} waiting" if waiting else "")


def readable_text(raw: bytes, length: int) -> str:
    """Bytes that are a text, as Go quotes it; "" for others. `raw` are the first of `length`."""
    text = _decoded(raw, cut=len(raw) < length)
    if not text or not all(c.isprintable() or c in _PLAIN for c in text):
        return ""
    if not any(c.isalnum() for c in text):
        return ""
    more = length - len(text.encode())
    return quote(text.encode()) + (f"… {counted(more, 'more byte')}" if more else "")


def _decoded(raw: bytes, *, cut: bool) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        # What was cut may end within a character.
        ends = cut and error.reason == "unexpected end of data"
        return raw[: error.start].decode() if ends else ""
