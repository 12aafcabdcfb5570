"""A heap report as a profile that `go tool pprof` opens.

The format: github.com/google/pprof, proto/profile.proto, a gzipped protocol buffer. Written by
hand: four kinds of message with numbers and packed numbers are all that is needed.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from goprobe.report.options import RenderOptions

# Stacks are what alone keeps an object, so what is summed up over them is retained: the cumulative
# figure of a frame. It is there under its own name, too.
_KINDS = (("inuse_objects", "count"), ("inuse_space", "bytes"), ("retained", "bytes"))


class PprofFormat:
    name = "pprof"

    def handles(self, report_type: type) -> bool:
        return report_type.__name__ == "HeapReport"

    def render(self, report: object, options: RenderOptions) -> bytes:
        from goprobe.model.heap import HeapReport

        assert isinstance(report, HeapReport)
        return gzip.compress(_Profile(report).encode(), mtime=0)


class _Profile:
    """One profile.proto Profile: field numbers as there."""

    def __init__(self, report: object) -> None:
        self._report = report
        self._strings: dict[str, int] = {"": 0}
        self._locations: dict[str, int] = {}

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _location(self, name: str) -> int:
        return self._locations.setdefault(name, len(self._locations) + 1)

    def encode(self) -> bytes:
        from goprobe.model.heap import HeapReport

        report = self._report
        assert isinstance(report, HeapReport)
        out = bytearray()
        for kind, unit in _KINDS:
            out += _message(1, _number(1, self._string(kind)) + _number(2, self._string(unit)))
        for sample in report.samples or ():
            where = [self._location(name) for name in sample.stack]
            out += _message(
                2, _packed(1, where) + _packed(2, (sample.objects, sample.bytes, sample.bytes))
            )
        for name, number in self._locations.items():
            out += _message(4, _number(1, number) + _message(4, _number(1, number)))
            text = self._string(name)
            out += _message(5, _number(1, number) + _number(2, text) + _number(3, text))
        comment = self._string(f"goprobe heap, process {report.pid}, Go {report.go.version}")
        space = self._string("inuse_space")
        for each in self._strings:
            out += _message(6, each.encode("utf-8", "backslashreplace"))
        return bytes(out + _packed(13, (comment,)) + _number(14, space))


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
