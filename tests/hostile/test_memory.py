"""A process whose runtime's structures lie: an answer in time, or a sentence that says why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import pytest

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.model.heap import HeapReport
from goprobe.process.memory.memory import u64
from goprobe.target.core import CoreTarget
from scripts.fuzzing.standing import Standing
from tests.hostile.conftest import Damaged
from tests.hostile.measured import asked

WORD = 8


def word(number: int) -> bytes:
    return number.to_bytes(WORD, "little")


def graph_of(target: CoreTarget) -> HeapReport:
    return heap(target, HeapQuestions(types=True, retained=True, dangling=True, unreachable=True))


def every(target: CoreTarget, addresses: Sequence[int] = ()) -> dict[str, Callable[[], object]]:
    return {
        "where": lambda: where(target, [*addresses, 0, 1 << 40, (1 << 64) - 1]),
        "maps": lambda: maps(target),
        "goroutines": lambda: goroutines(target, stacks=True),
        "heap": lambda: heap(target, HeapQuestions()),
        "graph": lambda: graph_of(target),
    }


def of_parked(stood: Standing) -> int:
    """The g of a goroutine that waits."""
    world = stood.world
    return next(g.address for g in world.goroutines.all if g.status == "waiting" and g.id > 20)


@pytest.mark.parametrize("high", [1 << 62, (1 << 64) - 8, 1 << 47])
def test_a_stack_without_a_bottom(stood: Standing, damaged: Damaged, high: int) -> None:
    at = of_parked(stood)
    target = damaged((at + stood.target.layout.offset("g", "stack.hi"), word(high)))
    for name, question in every(target, [at]).items():
        assert not asked(question).refused, name
    report = cast(HeapReport, asked(lambda: graph_of(target)).answer)
    assert any("cannot be read whole" in warning for warning in report.warnings)


def test_every_stack_without_a_bottom(stood: Standing, damaged: Damaged) -> None:
    offset = stood.target.layout.offset("g", "stack.hi")
    every_g = [g.address for g in stood.world.goroutines.all]
    target = damaged(*((at + offset, word(1 << 62)) for at in every_g))
    for question in every(target).values():
        asked(question)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_list_of_hardly_any_spans(stood: Standing, damaged: Damaged, count: int) -> None:
    world, layout = stood.world, stood.target.layout
    at = world.roots["mheap_"] + layout.offset("mheap", "allspans") + 8
    for question in every(damaged((at, word(count)))).values():
        asked(question)


@pytest.mark.parametrize("kind", [17, 25])
def test_types_that_are_all_of_one_kind(stood: Standing, damaged: Damaged, kind: int) -> None:
    """Arrays and structs then have parts as large as themselves, and many."""
    offset = stood.target.layout.offset("internal/abi.Type", "Kind_")
    low, high = (stood.world.modules.first[name] for name in ("types", "etypes"))
    known = stood.world.program.debug.index.runtime_types
    every_type = [a for key in known for a in (low + key, key + stood.world.bias)]
    described = [a for a in every_type if low <= a < high and stood.world.typedata.record(a)]
    assert len(described) > 200
    target = damaged(*((a + offset, bytes([kind])) for a in described))
    for question in every(target).values():
        asked(question)


@pytest.mark.parametrize("rtype", [(1 << 64) - 8, 1 << 63, 1 << 62, 8])
def test_an_interface_of_a_type_that_is_nowhere(
    stood: Standing, damaged: Damaged, rtype: int
) -> None:
    symbols = {s.name: s.address for s in stood.target.program.elf.symbols}
    at = symbols["main.holder"] + stood.world.bias
    for question in every(damaged((at, word(rtype)))).values():
        assert not asked(question).refused


def specials(stood: Standing) -> list[int]:
    """Of each span that has some, the first of its special records."""
    world, layout = stood.world, stood.target.layout
    offset = layout.offset("mspan", "specials")
    pointers = world.heap.span_pointers()
    return [first for span in pointers if (first := u64(world.memory, span + offset))]


def test_special_records_in_a_circle(stood: Standing, damaged: Damaged) -> None:
    layout = stood.target.layout
    firsts = specials(stood)
    assert firsts
    for first in firsts:
        target = damaged((first + layout.offset("special", "next"), word(first)))
        report = cast(HeapReport, asked(partial(graph_of, target)).answer)
        assert any("once more" in warning for warning in report.warnings)


def test_special_records_of_what_lies_outside(stood: Standing, damaged: Damaged) -> None:
    field = stood.target.layout.struct("special").fields["offset"]
    at = specials(stood)[0] + field.offset
    target = damaged((at, bytes(field.size - 1) + b"\xff"))
    report = cast(HeapReport, asked(lambda: graph_of(target)).answer)
    assert any("cannot be there" in warning for warning in report.warnings)


@pytest.mark.parametrize("words", [(1 << 62, 1), (0, 1 << 40), (8, 1 << 20), (1 << 64) - 1])
def test_arenas_that_are_none(
    stood: Standing, damaged: Damaged, words: tuple[int, int] | int
) -> None:
    layout, mheap = stood.target.layout, stood.target.root("mheap_")
    patches = []
    for name in ("allArenas", "heapArenas", "userArenaArenas"):
        if layout.has("mheap", name):
            at = mheap + layout.offset("mheap", name)
            new = word(words) if isinstance(words, int) else b"".join(map(word, words))
            patches.append((at, new))
    for question in every(damaged(*patches)).values():
        asked(question)


@pytest.mark.parametrize("count", [1 << 20, 1 << 24, 1 << 62])
def test_lists_that_claim_too_much(stood: Standing, damaged: Damaged, count: int) -> None:
    target = damaged((stood.target.root("allgs") + WORD, word(count)))
    for question in every(target).values():
        asked(question)


def test_threads_and_defers_in_a_circle(stood: Standing, damaged: Damaged) -> None:
    world, layout = stood.world, stood.target.layout
    first = u64(world.memory, stood.target.root("allm"))
    patches = [(first + layout.offset("m", "alllink"), word(first))]
    link = layout.offset("_defer", "link")
    for g in world.goroutines.all:
        deferred = u64(world.memory, g.address + layout.offset("g", "_defer"))
        if deferred:
            patches.append((deferred + link, word(deferred)))
    assert len(patches) > 1
    target = damaged(*patches)
    for name, question in every(target).items():
        assert not asked(question).refused, name


def types_of(stood: Standing, kind: int) -> list[int]:
    """Descriptors of the types of a kind (abi.Kind)."""
    world = stood.world
    low = world.modules.first["types"]
    known = world.program.debug.index.runtime_types
    candidates = {a for key in known for a in (low + key, key + stood.target.bias) if a >= low}
    return [a for a in sorted(candidates) if world.typedata.kind(a) == kind]


_ARRAY, _STRUCT = 17, 25


def test_types_that_hold_themselves(stood: Standing, damaged: Damaged) -> None:
    """In the runtime's own descriptors: fields and elements lead to the whole."""
    memory, size = stood.world.memory, stood.target.layout.struct("internal/abi.Type").size
    patches = []
    for at in types_of(stood, _STRUCT):
        fields, count = u64(memory, at + size + 8), u64(memory, at + size + 16)
        patches += [(fields + 24 * i + 8, word(at)) for i in range(count)]
    patches += [(at + size, word(at)) for at in types_of(stood, _ARRAY)]
    assert len(patches) > 20
    target = damaged(*patches)
    for question in every(target).values():
        asked(question)


@pytest.mark.parametrize(
    ("low", "high"),
    [(1 << 63, (1 << 64) - 1), (0, (1 << 64) - 1), ((1 << 64) - 8, 1 << 46), (1 << 46, 1 << 62)],
)
def test_types_in_no_sane_place(stood: Standing, damaged: Damaged, low: int, high: int) -> None:
    layout, module = stood.target.layout, stood.target.root("firstmoduledata")
    new = {"types": low, "etypes": high, "typedesclen": high}
    patches = [
        (module + layout.offset("moduledata", name), word(value))
        for name, value in new.items()
        if layout.has("moduledata", name)
    ]
    for changed in (patches, patches[:1], patches[1:]):
        for question in every(damaged(*changed)).values():
            asked(question)
