"""The objects that a heap's page names, each by itself: its value, the way to it, who has it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from goprobe.model.heap import Example
from goprobe.report import words
from goprobe.report.nested import brief, inside_of, lines, plain, worth_it
from goprobe.report.places import Places

_MOST_LINES, _MOST_PARTS = 40, 12
_MOST_STEPS = 24


class Step(msgspec.Struct, frozen=True):
    """A step of a way: how it goes on from the one before (`via`), and what is there."""

    via: str
    name: str
    address: str
    kind: str


class ExampleView(msgspec.Struct, frozen=True):
    id: str
    address: str
    type: str
    told: str
    path: str
    steps: Sequence[Step]
    value: str
    held: Sequence[tuple[str, str, str]]
    """Who points at it: name, field, address."""
    more: int
    region: str
    """The way to its row of the memory map."""


def example_views(examples: Sequence[Example], places: Places | None) -> list[ExampleView]:
    return [_view(e, places.region(e.address) if places else "") for e in examples]


def _view(example: Example, region: str) -> ExampleView:
    view = example.object
    told = words.size(example.size)
    if view.retained_bytes is not UNSET and view.retained_bytes != example.size:
        told += f", alone keeps {words.size(view.retained_bytes)}"
    if not view.reachable:
        told += ", garbage"
    return ExampleView(
        id=f"o{example.address}",
        address=str(example.address),
        type=view.type,
        told=told,
        path=example.path_text,
        steps=_steps(example),
        value=_value(example),
        held=[(r.source.name, r.field, str(r.source.address)) for r in example.referrers],
        more=example.pointers - len(example.referrers),
        region=region,
    )


def _steps(example: Example) -> list[Step]:
    """Of a long way its ends, and how many are between them."""
    steps = [
        Step(str(p.detail.get("via", "")), p.name, str(p.address) if p.address else "", p.kind)
        for p in example.path
    ]
    half = _MOST_STEPS // 2
    if (left := len(steps) - _MOST_STEPS) <= 0:
        return steps
    return [*steps[:half], Step("", f"… {left:,} more", "", ""), *steps[-half:]]


def _value(example: Example) -> str:
    view = example.object
    inside = inside_of(view.value, view.data, view.elements)
    if worth_it(inside):
        shown = [plain(line) for line in lines(inside, _MOST_PARTS)]
        more = [f"… {len(shown) - _MOST_LINES:,} more"] if len(shown) > _MOST_LINES else []
        return "\n".join([*shown[:_MOST_LINES], *more])
    if view.why:
        return f"its value is not told: {view.why}"
    return "" if view.value is UNSET else "\n".join(brief(view.type, view.value, view.data))
