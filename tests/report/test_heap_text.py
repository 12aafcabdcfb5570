"""What the text report says of a heap's objects without a type."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from goprobe.model.address import Address
from goprobe.model.heap import (
    UNREACHED,
    GraphSummary,
    HeapCensus,
    HeapReport,
    SelfCheck,
    SpanStates,
    Untyped,
    Waste,
)
from goprobe.model.report import Tool
from goprobe.report.options import RenderOptions
from goprobe.report.text.heap import render

_KEPT = Untyped(32, False, 2, 64, "kept by an object without a type")


def _text(*untyped: Untyped, waste: tuple[Waste, ...] = ()) -> list[str]:
    report = HeapReport(
        pid=7,
        go=Tool("1.27.3"),
        pause_us=10,
        snapshot="fork",
        self_check=SelfCheck(1, 0, 0, 0, 0, ()),
        census=HeapCensus(
            objects=9,
            bytes=900,
            free_bytes=0,
            classes=(),
            span_bytes=8192,
            manual_bytes=0,
            fragmentation=0.0,
            tiny_slots=0,
            spans=SpanStates(1, 0, 0, 0),
        ),
        graph=GraphSummary(9, 0, 0, 900, 0, 1),
        untyped=untyped,
        waste=waste or UNSET,
    )
    return render(report, RenderOptions()).decode().splitlines()


@pytest.mark.parametrize("sizes", [1, 19])
def test_garbage_is_one_line(sizes: int) -> None:
    garbage = [Untyped(16 * i, True, 3, 48 * i, UNREACHED) for i in range(1, sizes + 1)]
    lines = _text(_KEPT, *garbage)
    told = "8.9 KiB" if sizes == 19 else "48 bytes"
    assert [line for line in lines if "garbage" in line] == [
        f"{3 * sizes} objects without a type, {told}: garbage that is not collected yet"
    ]
    assert not any(UNREACHED[:20] in line for line in lines)
    assert "No type found for 2 objects" in lines
    assert sum(_KEPT.reason in line for line in lines) == 1


def test_what_is_not_there_is_not_told() -> None:
    assert not any("garbage" in line for line in _text(_KEPT))
    assert not any("No type found" in line for line in _text(Untyped(16, True, 1, 16, UNREACHED)))


def test_columns_line_up_where_each_row_has_an_advice_of_its_own() -> None:
    rows = tuple(
        Waste(
            kind="sparse spans",
            type=f"size class {size}",
            field="",
            holder="",
            objects=objects,
            bytes=objects * size,
            example=Address(0xC000010000),
            advice=f"half of {size}",
        )
        for size, objects in ((48, 1217), (112, 50), (8, 7))
    )
    lines = _text(waste=rows)
    shown = [line for line in lines if "size class" in line]
    assert len(shown) == 3
    for column in ("size class", "0xc000010000"):
        assert len({line.index(column) for line in shown}) == 1
