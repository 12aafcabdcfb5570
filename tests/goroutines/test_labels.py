"""The pprof labels of goroutines, against what the program says and its own goroutine profile."""

from __future__ import annotations

import ast
import re
import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from goprobe.analysis.goroutines.goroutines import goroutine_states, goroutines
from goprobe.binary.elf.buildinfo import GoVersion
from goprobe.errors import UnreadableError
from goprobe.model.attached import GoroutinesReport
from goprobe.process.memory.memory import Buffer, Range, read_or_none
from goprobe.report import render
from goprobe.report.options import RenderOptions
from goprobe.runtime.goroutines.labels import Labels, read_labels
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.shipped import shipped_layout
from goprobe.runtime.values.text import escape
from goprobe.target.live import open_target, stopped_target
from tests.support.go import Running, build, matrix, running

SOURCE = Path(__file__).parents[2] / "testdata" / "targets" / "labels.go"
Sets = dict[int, dict[str, str]]


def said(program: Running) -> Sets:
    """What the program printed of each goroutine, in the spelling of reports."""
    found: Sets = {}
    for line in program.lines:
        word, _, rest = line.partition(" ")
        if word == "goroutine":
            labels = found.setdefault(int(rest), {})
        elif word == "label":
            key, value = (_plain(q) for q in re.findall(r'"(?:[^"\\]|\\.)*"', rest))
            labels[key] = value
    return found


def _plain(quoted: str) -> str:
    """Go's \\x escapes are bytes, all else is UTF-8."""
    parts = re.split(r"(\\x[0-9a-f]{2})", quoted[1:-1])
    raw = b"".join(
        bytes([int(part[2:], 16)]) if part.startswith("\\x") else _text(part) for part in parts
    )
    return escape(raw)


def _text(part: str) -> bytes:
    text: str = ast.literal_eval(f'"{part}"')
    return text.encode()


def told(report: GoroutinesReport) -> Sets:
    return {g.id: g.labels for g in report.goroutines if not g.system}


@pytest.mark.parametrize("flags", [(), ("-ldflags=-s -w",)], ids=["symbols", "stripped"])
@pytest.mark.parametrize("go", matrix())
def test_labels_are_those_that_the_program_tells(go: str, flags: tuple[str, ...]) -> None:
    with running(build(SOURCE, go=go, flags=flags)) as program:
        target = open_target(program.pid)
        report = goroutines(target)
        with stopped_target(target) as stopped:
            again = goroutine_states(stopped.world, 0)
        truth = {1: {}, **said(program)}
        assert len(truth) > 14
        assert told(report) == truth
        assert {g.id: g.labels for g in again if not g.system} == truth
        assert not any(g.why_no_labels for g in report.goroutines)
        assert not any(g.labels for g in report.goroutines if g.system)
        _as_profiled(program, report)


def _as_profiled(program: Running, report: GoroutinesReport) -> None:
    """The profile has labels of goroutines with one stack together, and no ids."""
    program.lines.clear()
    program.say("")
    program.read_until("ready")
    profiled = Counter[frozenset[str]]()
    entries = "\n".join(program.lines).split("\n\n")
    for entry in entries:
        count = re.search(r"^(\d+) @", entry, re.MULTILINE)
        labels = re.search(r"^# labels: \{(.*)\}$", entry, re.MULTILINE)
        if count and labels:
            pairs = re.findall(r'("(?:[^"\\]|\\.)*"):', labels[1])
            profiled[frozenset(map(_plain, pairs))] += int(count[1])
    keys = Counter(frozenset(g.labels) for g in report.goroutines if g.labels)
    assert sum(profiled.values()) > 12
    assert Counter({k: n for k, n in profiled.items() if k}) == keys


@pytest.mark.parametrize("verbose", [False, True])
def test_text_tells_labels_where_more_is_wanted(verbose: bool) -> None:
    with running(build(SOURCE, go=matrix()[-1])) as program:
        target = open_target(program.pid)
        reports = [
            goroutines(target, each=each, stacks=stacks)
            for each, stacks in ((False, False), (True, False), (True, True))
        ]
    for report in reports:
        text = render(report, "text", RenderOptions(verbose=verbose, width=200)).decode()
        assert ("worker=0" in text) == ("worker=2" in text) == verbose
        assert "\u202e" not in text
        if verbose:
            assert '""="empty key"' in text


class Parts:
    """Memory with some bytes at some addresses."""

    def __init__(self, parts: dict[int, bytes]) -> None:
        self._parts = parts

    def read(self, address: int, size: int) -> bytes:
        found = self._parts.get(address, b"")[:size]
        if len(found) < size:
            raise UnreadableError(address, size, "nothing is there")
        return found

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return [read_or_none(self, *r) for r in ranges]

    def read_into(self, address: int, buffer: Buffer) -> None:
        raise UnreadableError(address, len(buffer), "nothing is there")


def _words(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}Q", *words)


def _why(parts: dict[int, bytes], minor: int) -> str:
    layout = shipped_layout(GoVersion(1, minor))
    found = read_labels(Parts(parts), layout, [0, 8])
    assert list(found) == [8] and not found[8].pairs
    return found[8].why


@pytest.mark.parametrize(
    "parts, why",
    [
        ({}, "cannot be read"),
        ({8: _words(64, 5, 4)}, "no slice"),
        ({8: _words(0, 1, 1)}, "no slice"),
        ({8: _words(64, 1 << 60, 1 << 60)}, "labels"),
        ({8: _words(64, 1, 1)}, "cannot be read"),
        ({8: _words(64, 1, 1), 64: _words(128, 1, 256, 1), 128: b"k"}, "cannot be read"),
        ({8: _words(64, 1, 1), 64: _words(128, 1, 256, 1 << 40), 128: b"k"}, "longer"),
        ({8: _words(64, 2, 2), 64: _words(*(0, 0, 0, 0) * 2)}, "twice"),
    ],
)
def test_a_set_that_holds_not_together_is_told_as_a_reason(
    parts: dict[int, bytes], why: str
) -> None:
    assert why in _why(parts, 27)
    assert why in _why(parts, 24)


def _hmap(count: int, bits: int, buckets: int, old: int = 0) -> dict[int, bytes]:
    return {8: _words(64), 64: struct.pack("<QBBHIQQQQ", count, 0, bits, 0, 0, buckets, old, 0, 0)}


@pytest.mark.parametrize(
    "parts, why",
    [
        ({}, "cannot be read"),
        ({8: _words(64)}, "cannot be read"),
        (_hmap(1, 0, 512), "cannot be read"),
        (_hmap(1, 60, 512), "2^60"),
        (_hmap(1 << 40, 0, 512), "labels"),
        (_hmap(3, 0, 512) | {512: bytes(272)}, "a map of 3, but 0"),
        # A chain of buckets that leads to itself.
        (_hmap(3, 0, 512) | {512: bytes(264) + _words(512)}, "a map of 3, but 0"),
    ],
)
def test_so_is_a_map_up_to_1_23(parts: dict[int, bytes], why: str) -> None:
    assert why in _why(parts, 22)


def test_no_labels_are_no_reason() -> None:
    for minor in (22, 27):
        layout = shipped_layout(GoVersion(1, minor))
        assert read_labels(Parts({8: _words(0, 0, 0)}), layout, [8]) == {8: Labels()}
    structs = {n: s for n, s in layout.structs.items() if "label" not in n}
    unknown = read_labels(Parts({}), Layout("go1.25", structs, {}), [8])
    assert "does not say" in unknown[8].why
