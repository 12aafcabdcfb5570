"""How text tells what values stand for: numbers beside it, parts in place of theirs."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from goprobe.model.address import Address
from goprobe.model.location import Kind, Location
from goprobe.model.value import Data, Element, Value
from goprobe.report.nested import Inside, brief, lines, plain
from goprobe.report.selection import value_text

_AT = Address(0xC000)
_HEAP = Location(Kind.HEAP, _AT, "an object", {}, ())


def _element(name: str, type_: str, value: Value, **more: object) -> Element:
    return Element(name=name, type=type_, value=value, **more)  # type: ignore[arg-type]


_WHEN = _element(
    "When",
    "time.Time",
    Value("{wall:1 ext:2}", meaning="2026-11-29 12:00:00 UTC"),
    elements=(_element("wall", "uint64", Value("1")), _element("ext", "int64", Value("2"))),
)
_EVERY = _element("Every", "time.Duration", Value("1500000000", meaning="1.5s"))
_BIG = _element(
    "N",
    "*math/big.Int",
    Value("0xc000"),
    data=Data(address=_AT, location=_HEAP, text="{neg:false}", type="math/big.Int", meaning="12"),
)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (_WHEN, "When time.Time 2026-11-29 12:00:00 UTC"),
        (_EVERY, "Every time.Duration 1500000000 = 1.5s"),
        (_BIG, "N *math/big.Int 0xc000 = 12"),
        (_element("_", "sync.noCopy", Value("{}")), None),
        (
            _element(
                "V",
                "sync/atomic.Value",
                Value("{v:1}"),
                elements=(_element("v", "interface {}", Value("1", dynamic_type="int")),),
            ),
            "V sync/atomic.Value(int) 1",
        ),
    ],
)
def test_a_line_for_each(part: Element, told: str | None) -> None:
    assert [plain(line) for line in lines(Inside((part,), 1), 24)] == ([told] if told else [])


def test_what_an_interface_holds_is_told_with_its_type() -> None:
    assert value_text("any", Value("2", dynamic_type="main.Color", meaning="main.Blue")) == (
        "main.Color(2 = main.Blue)"
    )


def test_a_reading_stands_for_the_text() -> None:
    value = Value("{Every:1500000000}", reading="{Every:1.5s}")
    assert value_text("main.T", value) == "{Every:1.5s}"
    assert list(brief("main.T", value, UNSET)) == ["{Every:1.5s}"]
