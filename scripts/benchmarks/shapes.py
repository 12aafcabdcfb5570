"""`--types --retained` of heaps of every shape: CPU seconds and memory a million objects.

CPU time is that of the whole command, so that what else runs on the machine hardly matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scripts.benchmarks.heap import measured
from scripts.benchmarks.manytypes import many_structs, syntax_trees
from scripts.benchmarks.timing import Figure
from tests.support.go import Running, build, running

_HEAP = Path(__file__).resolve().parents[2] / "testdata" / "heap"
_MILLION = 1_000_000
_SECONDS, _BYTES = 1.0, 150e6
_SECONDS_AN_EDGE, _BYTES_AN_EDGE = 30e-9, 12
_FREE_EDGES = 3  # an object
_GOROUTINES, _GOROUTINE_SECONDS, _GOROUTINE_BYTES = 100_000, 3.0, 600e6


@dataclass(frozen=True, slots=True)
class Shape:
    """`program` builds it; `made` is how many objects of it are asked for."""

    name: str
    program: Callable[[], Path]
    made: int = _MILLION


def _fixed() -> Path:
    return build(_HEAP / "shapes.go")


def _mixed() -> Path:
    return build(_HEAP / "million.go")


def _trees() -> Path:
    return build(syntax_trees())


def _structs() -> Path:
    return build(many_structs())


SHAPES = (
    Shape("mixed", _mixed),
    *(Shape(name, _fixed, 2 * _MILLION) for name in ("list", "ring", "ladder")),
    *(Shape(name, _fixed) for name in ("large", "syncmap", "sparse", "arena")),
    *(Shape(name, _fixed) for name in ("layered", "random", "finalizers")),
    Shape("wide", _trees), Shape("deep", _trees), Shape("structs", _structs),
    *(
        Shape(f"chains-{kind}", _fixed)
        for kind in ("ab", "kids", "twice", "funcs", "maps", "any", "errors", "contexts")
    ),
    Shape("chain-ab", _fixed), Shape("goroutines", _fixed, _GOROUTINES),
    *(Shape(name, _fixed) for name in ("hub", "boxes", "nest", "fats", "doubly")),
    *(Shape(name, _fixed) for name in ("chain-funcs", "crumbs")),
    *(Shape(f"chain-{kind}", _fixed) for kind in ("maps", "hooks", "reflected", "cut")),
)  # fmt: skip


class _Census(msgspec.Struct):
    objects: int
    bytes: int


class _Graph(msgspec.Struct):
    edges: int
    reachable: int


class _Typed(msgspec.Struct):
    objects: int


class _Report(msgspec.Struct):
    census: _Census
    graph: _Graph
    types: list[_Typed]


@dataclass(frozen=True, slots=True)
class _Ran:
    seconds: float
    memory: int
    report: _Report


def _asked(pid: int) -> _Ran:
    """CPU seconds of one command, and the most memory that it took (bytes)."""
    ran = measured("heap", str(pid), "--types", "--retained", "--json")
    assert ran.code == 0, f"goprobe ended with code {ran.code}"
    return _Ran(ran.processor, ran.memory, msgspec.json.decode(ran.said, type=_Report))


def measure_shapes(names: list[str]) -> Iterator[Figure]:
    for shape in SHAPES:
        if not names or shape.name in names:
            named = () if shape.name == "mixed" else (shape.name,)
            arguments = (*named, str(shape.made))
            with running(shape.program(), *arguments, timeout=300) as program:
                yield from _figures(shape, program)


def _figures(shape: Shape, program: Running) -> Iterator[Figure]:
    ran = _asked(program.pid)
    objects, edges = ran.report.census.objects, ran.report.graph.edges
    more = max(edges - _FREE_EDGES * objects, 0)
    seconds = _SECONDS * objects / _MILLION + _SECONDS_AN_EDGE * more
    memory = _BYTES * objects / _MILLION + _BYTES_AN_EDGE * more
    if shape.name == "goroutines":
        seconds, memory = _GOROUTINE_SECONDS, _GOROUTINE_BYTES
    typed = sum(t.objects for t in ran.report.types) / max(ran.report.graph.reachable, 1)
    what = f"{shape.name}: {objects / 1e6:.2f} M objects, {edges / 1e6:.1f} M edges"
    yield Figure(f"{what}, {100 * typed:.1f} % typed", ran.seconds, "s", seconds)
    yield Figure("", ran.memory / 1e6, "MB", memory / 1e6)
