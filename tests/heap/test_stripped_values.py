"""Values in programs without debug information, by the runtime's own descriptors: they are what
debug information makes of the same program's."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from msgspec import UNSET

from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heapasked import heap_asked
from goprobe.model.heap import ObjectView
from goprobe.model.value import Data, Element, Value
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running
from tests.support.heap import TESTDATA

_SOURCE = "plainvalues.go"
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_BY_NAME = ("do",)  # captures only debug information describes
_STRIPPED = {"stripped": ("-ldflags=-s -w",), "pie": ("-ldflags=-s -w", "-buildmode=pie")}
_DEEPEST = 4


def _told(
    name: str,
    value: Value | None,
    data: Data | None,
    elements: tuple[Element, ...],
    depth: int,
) -> Iterator[tuple[str, str]]:
    if value is not None:
        constant = value.meaning is not UNSET and value.meaning.startswith("main.")
        meaning = "" if value.meaning is UNSET or constant else f" = {value.meaning}"
        yield name, _ADDRESS.sub("0x", value.text) + meaning
    if depth > _DEEPEST or name.rpartition(".")[2] in _BY_NAME:
        return
    inside = elements
    for _ in range(_DEEPEST):
        if inside or data is None:
            break
        inside = () if data.elements is UNSET else data.elements
        data = None if data.data is UNSET else data.data
    for part in inside:
        of = None if part.data is UNSET else part.data
        more = () if part.elements is UNSET else part.elements
        yield from _told(f"{name}.{part.name}", part.value, of, more, depth + 1)


def _values(go: str, flags: tuple[str, ...]) -> list[tuple[str, str]]:
    with running(build(TESTDATA / _SOURCE, go=go, flags=flags)) as process:
        target = open_target(process.pid)
        every = []
        for number in (1, 2, 3):
            view = heap_asked(target, HeapQuestions(object=f"main.event#{number}")).object
            assert isinstance(view, ObjectView) and view.value is not UNSET, view
            elements = () if view.elements is UNSET else view.elements
            every += list(_told("", view.value, None, elements, 0))
        return every


@pytest.mark.parametrize("flags", _STRIPPED.values(), ids=_STRIPPED)
@pytest.mark.parametrize("go", matrix())
def test_descriptors_tell_what_debug_information_tells(go: str, flags: tuple[str, ...]) -> None:
    described, debug = _values(go, flags), _values(go, ())
    assert len(debug) > 200
    plain = [(name, text) for name, text in debug if not name.endswith(_BY_NAME) and name]
    stripped = [(name, text) for name, text in described if not name.endswith(_BY_NAME) and name]
    assert stripped == plain
    told = {name for name, _ in described}
    assert {".large.995.id", '.counts."a"', ".c.[0]"} <= told


@pytest.mark.parametrize("go", matrix())
def test_a_map_is_told_by_its_header_too(go: str) -> None:
    flags = _STRIPPED["stripped"]
    with running(build(TESTDATA / _SOURCE, go=go, flags=flags)) as process:
        target = open_target(process.pid)
        view = heap_asked(target, HeapQuestions(object="map[int32]main.inner#1")).object
    assert isinstance(view, ObjectView) and view.value is not UNSET, view
    assert view.value.len == 10 and '999:{id:999 ok:false name:"v"}' in view.value.text
