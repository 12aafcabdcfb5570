"""Reads profiles of pprof's format, by hand: what goprobe writes is held against what Go writes."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

Frame = tuple[str, str, int]
Fields = dict[int, list[int | bytes]]


@dataclass(frozen=True)
class Profile:
    """`samples`: the sums of each stack and numeric label, innermost frame first."""

    kinds: list[tuple[str, str]]
    samples: dict[tuple[tuple[Frame, ...], int], tuple[int, ...]]
    period: int
    period_type: tuple[str, str]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def _fields(data: bytes) -> Fields:
    fields: Fields = defaultdict(list)
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value, at = _varint(data, at)
        if key & 7 == 2:
            fields[key >> 3].append(data[at : at + value])
            at += value
        else:
            assert key & 7 == 0, key
            fields[key >> 3].append(value)
    return fields


def _numbers(entries: list[int | bytes]) -> Iterator[int]:
    for entry in entries:
        if isinstance(entry, int):
            yield entry
            continue
        at = 0
        while at < len(entry):
            value, at = _varint(entry, at)
            yield value


def _number(fields: Fields, field: int) -> int:
    return next(_numbers(fields[field]), 0)


def _messages(fields: Fields, field: int) -> Iterator[Fields]:
    for entry in fields[field]:
        assert isinstance(entry, bytes)
        yield _fields(entry)


def decode(data: bytes) -> Profile:
    profile = _fields(gzip.decompress(data))
    strings = [s.decode() for s in profile[6] if isinstance(s, bytes)]
    functions = {
        _number(f, 1): (strings[_number(f, 2)], strings[_number(f, 4)])
        for f in _messages(profile, 5)
    }
    locations: dict[int, list[Frame]] = {}
    for location in _messages(profile, 4):
        lines = _messages(location, 4)
        locations[_number(location, 1)] = [
            (*functions[_number(line, 1)], _number(line, 2)) for line in lines
        ]
    sums: dict[tuple[tuple[Frame, ...], int], Counter[int]] = defaultdict(Counter)
    kinds = [_value_type(kind, strings) for kind in _messages(profile, 1)]
    for sample in _messages(profile, 2):
        stack = tuple(f for place in _numbers(sample[1]) for f in locations[place])
        label = next((_number(each, 3) for each in _messages(sample, 3)), 0)
        for i, value in enumerate(_numbers(sample[2])):
            sums[stack, label][i] += value
    period_type: Fields = next(_messages(profile, 11), defaultdict(list))
    return Profile(
        kinds,
        {key: tuple(each[i] for i in range(len(kinds))) for key, each in sums.items()},
        _number(profile, 12),
        _value_type(period_type, strings),
    )


def _value_type(fields: Fields, strings: list[str]) -> tuple[str, str]:
    return strings[_number(fields, 1)], strings[_number(fields, 2)]
