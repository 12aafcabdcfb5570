"""Go's memory profile, read as an independent witness: profile.proto, as far as it is needed.

Format: github.com/google/pprof/proto/profile.proto; written by src/runtime/pprof/protomem.go.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

Field = tuple[int, int | bytes]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[Field]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif key & 7 == 2:
            size, at = _varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise AssertionError(f"unexpected wire type {key & 7} in a memory profile")


def _numbers(value: int | bytes) -> list[int]:
    """A repeated number, packed or single."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(number)
    return found


def _message(value: int | bytes) -> dict[int, list[int | bytes]]:
    assert isinstance(value, bytes)
    found: dict[int, list[int | bytes]] = {}
    for number, content in _fields(value):
        found.setdefault(number, []).append(content)
    return found


def _first(message: dict[int, list[int | bytes]], number: int) -> int:
    value = message.get(number, [0])[0]
    assert isinstance(value, int)
    return value


def allocations_by_line(path: Path) -> Counter[tuple[str, int]]:
    """Objects allocated, by the innermost line outside of the runtime (runtime/pprof hides its
    frames), from a profile of every allocation (-memprofilerate=1)."""
    strings: list[str] = []
    samples: list[dict[int, list[int | bytes]]] = []
    places: dict[int, tuple[int, int]] = {}  # location: innermost function and line
    files: dict[int, int] = {}
    for number, value in _fields(gzip.decompress(path.read_bytes())):
        if number == 2:
            samples.append(_message(value))
        elif number == 4:
            location = _message(value)
            line = _message(location[4][0])
            places[_first(location, 1)] = _first(line, 1), _first(line, 2)
        elif number == 5:
            function = _message(value)
            files[_first(function, 1)] = _first(function, 4)
        elif number == 6:
            assert isinstance(value, bytes)
            strings.append(value.decode())
    found: Counter[tuple[str, int]] = Counter()
    for sample in samples:
        locations = [n for part in sample.get(1, []) for n in _numbers(part)]
        if not locations:  # a stack that nobody could walk
            continue
        values = [n for part in sample[2] for n in _numbers(part)]
        function_id, line_number = places[locations[0]]
        found[strings[files[function_id]], line_number] += values[0]
    return +found
