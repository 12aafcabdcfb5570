"""A heap report as a profile that `go tool pprof` opens.

The format: github.com/google/pprof, proto/profile.proto, a gzipped protocol buffer. Written by
hand: five kinds of message with numbers and packed numbers are all that is needed.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from goprobe.report.options import RenderOptions

if TYPE_CHECKING:
    from goprobe.model.heap import HeapReport
    from goprobe.model.sites import Sampling, Site, SiteFrame

# Stacks are what alone keeps an object, so what is summed up over them is retained: the cumulative
# figure of a frame. It is there under its own name, too.
_KEPT = (("inuse_objects", "count"), ("inuse_space", "bytes"), ("retained", "bytes"))
# As runtime/pprof has them (writeHeapProto, protomem.go, Go 1.21 to 1.27).
_ALLOCATED = (
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
)
_GOROUTINE_END = "runtime.goexit"
_MICROSECOND = 1000  # nanoseconds

Place = tuple[str, str, int, int]
"""A frame of a profile: function, its file and the line at which it begins, and the line; "" and 0
for what is none."""


class PprofFormat:
    name = "pprof"

    def handles(self, report_type: type) -> bool:
        return report_type.__name__ == "HeapReport"

    def render(self, report: object, options: RenderOptions) -> bytes:
        from msgspec import UNSET

        from goprobe.model.heap import HeapReport

        assert isinstance(report, HeapReport)
        if report.sites is not UNSET and report.sampling is not UNSET:
            encoded = _allocated(report, report.sampling, report.sites)
        else:
            encoded = _kept(report)
        return gzip.compress(encoded, mtime=0)


def _kept(report: HeapReport) -> bytes:
    """Objects by what alone keeps them."""
    profile = _Profile(_KEPT)
    for sample in report.samples or ():
        stack = [(name, "", 0, 0) for name in sample.stack]
        profile.add(stack, (sample.objects, sample.bytes, sample.bytes))
    return profile.encode(report)


def _allocated(report: HeapReport, sampling: Sampling, sites: Sequence[Site]) -> bytes:
    """Objects by the stacks that allocated them, each size by itself, as runtime/pprof has it."""
    from goprobe.model.sites import scaled

    profile = _Profile(_ALLOCATED)
    rate = sampling.rate if sampling.scaled else 1
    for site in sites:
        stack = [_place(f) for f in site.stack[site.allocator :] if f.function != _GOROUTINE_END]
        for size in site.sizes:
            counts = [
                count
                for objects in (size.alloc_objects, size.inuse_objects)
                for count in scaled(objects, size.size, rate)
            ]
            profile.add(stack, counts, bytes_each=size.size)
    return profile.encode(report, period=sampling.rate)


def _place(frame: SiteFrame) -> Place:
    return frame.linked_as, frame.file, frame.start, frame.line


class _Profile:
    """One profile.proto Profile: field numbers as there."""

    def __init__(self, kinds: Sequence[tuple[str, str]]) -> None:
        self._strings: dict[str, int] = {"": 0}
        self._locations: dict[Place, int] = {}
        self._functions: dict[tuple[str, str, int], int] = {}
        self._samples = bytearray()
        self._kinds = b"".join(_message(1, self._value_type(*kind)) for kind in kinds)

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _value_type(self, kind: str, unit: str) -> bytes:
        return _number(1, self._string(kind)) + _number(2, self._string(unit))

    def add(self, stack: Sequence[Place], values: Sequence[int], *, bytes_each: int = 0) -> None:
        """A sample, with a label for the size of its objects."""
        known = self._locations
        where = [known.setdefault(place, len(known) + 1) for place in stack]
        body = _packed(1, where) + _packed(2, values)
        if bytes_each:
            label = _number(1, self._string("bytes")) + _number(3, bytes_each)
            body += _message(3, label)
        self._samples += _message(2, body)

    def encode(self, report: HeapReport, *, period: int = 0) -> bytes:
        out = bytearray(self._kinds + self._samples)
        for (name, file, start, line), number in self._locations.items():
            known = self._functions
            at = known.setdefault((name, file, start), len(known) + 1)
            lines = _number(1, at) + (_number(2, line) if line else b"")
            out += _message(4, _number(1, number) + _message(4, lines))
        for (name, file, start), number in self._functions.items():
            text = self._string(name)
            told = _number(1, number) + _number(2, text) + _number(3, text)
            told += _number(4, self._string(file)) if file else b""
            out += _message(5, told + (_number(5, start) if start else b""))
        comment = f"goprobe heap, process {report.pid}, Go {report.go.version}"
        out += _packed(13, (self._string(comment),)) + _number(14, self._string("inuse_space"))
        if period:
            when = datetime.fromisoformat(report.time).timestamp() * 1e6 if report.time else 0
            out += _number(9, int(when) * _MICROSECOND) if when else b""
            out += _message(11, self._value_type("space", "bytes"))
            out += _number(12, period) if period > 0 else b""
        for each in self._strings:
            out += _message(6, each.encode("utf-8", "backslashreplace"))
        return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))
