"""`goprobe heap --waste` on programs that know their waste."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import goprobe as api
from goprobe.analysis.waste import boxes
from goprobe.model.heap import OTHERS
from tests.support.cli import goprobe
from tests.support.go import Running, build, matrix, running
from tests.support.needed import needed

PROGRAM = Path("testdata/targets/waste.go")
_KINDS = [(go, flags) for go in matrix() for flags in ("", "-s -w")]


@pytest.fixture(scope="module", params=_KINDS)
def program(request: pytest.FixtureRequest) -> Iterator[tuple[Running, bool]]:
    go, flags = request.param
    with running(build(PROGRAM, go=go, flags=[f"-ldflags={flags}"])) as started:
        yield started, bool(flags)


def _rows(report: dict[str, Any], kind: str) -> dict[str, Any]:
    """The largest row of each type of a kind."""
    rows = [row for row in report["waste"] if row["kind"] == kind]
    return {row["type"]: row for row in reversed(rows)}


def _by_field(report: dict[str, Any], kind: str) -> dict[tuple[str, str], Any]:
    """The rows of a kind by type and field; those of the program's own, that are held by few."""
    rows = [row for row in report["waste"] if row["kind"] == kind]
    return {(row["type"], row["field"]): row for row in reversed(rows)}


def test_each_kind_of_waste_is_as_large_as_the_program_made_it(
    program: tuple[Running, bool],
) -> None:
    started, stripped = program
    ran = goprobe("heap", str(started.pid), "--waste", "--json")
    assert ran.code == 0, ran.err
    report = ran.json

    if any("pointers without a known type" in warning for warning in report["warnings"]):
        assert stripped, "debug information tells the types of all variables"
        return
    out_of_reach = _by_field(report, "array out of reach")
    headers = out_of_reach["[]uint8 backing", ""]
    assert (headers["objects"], headers["bytes"]) == (100, 100 * (65536 - 16))
    bodies = out_of_reach["[]uint8 backing", "main.page.body"]
    assert (bodies["objects"], bodies["bytes"]) == (100, 100 * (4096 - 8))
    texts = out_of_reach["string data", ""]
    assert texts["objects"] == 100
    assert texts["bytes"] == 100 * (9472 - 32)  # the slots of strings of 8,193 bytes
    (keys,) = [row for row in report["waste"] if row["field"] == 'map[string]int["…"]']
    assert (keys["kind"], keys["objects"]) == ("array out of reach", 1000)
    assert keys["bytes"] == 1000 * (32 - 20)

    assert not [row for row in report["waste"] if "main.table" in row["type"]]
    # What a frame has a pointer to, and no length of, is not told as short.
    large = [row for row in report["waste"] if row["bytes"] > 1 << 19 and row["objects"] == 1]
    assert not [row for row in large if row["kind"] == "array out of reach"]

    spare = _rows(report, "spare capacity")["[]int64 backing"]
    assert (spare["objects"], spare["bytes"]) == (100, 100 * 8 * (1024 - 600))

    equal = next(r for r in report["waste"] if r["kind"] == "equal strings" and "dup" in r["type"])
    assert equal["objects"] == 100 and equal["bytes"] == 99 * 1536  # 1,500 bytes in slots of 1,536
    blocks = next(r for r in report["waste"] if "the same block" in r["type"])
    assert (blocks["kind"], blocks["bytes"]) == ("equal byte slices", 99 * 3072)
    boxes = _rows(report, "equal boxed values")["int64"]
    assert (boxes["objects"], boxes["bytes"]) == (10_000, 8 * (10_000 - 10))

    record = _rows(report, "rounded up")["main.rec"]
    assert (record["objects"], record["bytes"]) == (10_000, 10_000 * (48 - 40))
    order = _rows(report, "field order")["main.rec"]
    assert (order["objects"], order["bytes"]) == (10_000, 10_000 * (48 - 24))
    assert "b, d, a, c, e" in order["advice"]
    points = _rows(report, "tiny objects")["[2]int32"]
    assert (points["objects"], points["bytes"]) == (20_000, 8 * 20_000)

    unfilled = _rows(report, "empty slices")["[]int32 backing"]
    assert (unfilled["objects"], unfilled["bytes"]) == (100, 100 * 64 * 4)
    quiet = _rows(report, "empty channels")["chan [100]int64"]
    assert (quiet["objects"], quiet["bytes"]) == (100, 100 * 10 * 800)
    nothing = _rows(report, "empty maps")["map[string]string"]
    assert (nothing["objects"], nothing["bytes"]) == (100, 100 * 48)
    pooled = _rows(report, "pooled")["bytes.Buffer"]
    assert pooled["objects"] == 20 and pooled["bytes"] > 20 * (100 << 10)

    if not stripped:  # nothing tells the type of the map there: it has no pointers at all
        emptied = _rows(report, "sparse map")["map[int64][64]uint8"]
        assert emptied["bytes"] > 2_000_000
        assert re.match(r"10 entries in room for [\d,]+:", emptied["advice"])
        held = {"headers": headers, "pages": bodies, "texts": texts, "spare": spare}
        held |= {"blocks": blocks, "boxes": boxes, "points": points, "unfilled": unfilled}
        held |= {"quiet": quiet, "nothing": nothing, "pool": pooled, "emptied": emptied}
        assert {f"main.{name}": row["holder"] for name, row in held.items()} == {
            f"main.{name}": f"main.{name}" for name in held
        }
    whole = [r for r in report["waste"] if "main.whole" in r["holder"] and r["objects"] == 100]
    assert not whole, "what is in reach as a whole is not wasted"


def test_text_has_what_helps_in_80_columns(program: tuple[Running, bool]) -> None:
    started, stripped = program
    text = goprobe("heap", str(started.pid), "--waste").text
    assert stripped or ("strings.Clone" in text and "array out of reach: 7.6 MiB" in text)
    assert max(map(len, text.splitlines())) <= 80


def test_python_has_it_as_objects_and_notebooks_as_a_page() -> None:
    with running(build(PROGRAM)) as started, api.attach(started.pid) as process:
        report, memory = process.waste(), process.memory()
    assert "main.headers" in {row.holder for row in report.waste or ()}
    assert sum(part.bytes for part in memory.parts) == memory.kernel.rss
    for each in (report, memory):
        shown = each._repr_html_()
        assert shown.startswith("<iframe") and f"{started.pid}" in shown


def test_boxed_types_that_are_too_many_are_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "MOST_ROWS", 0)
    with running(build(PROGRAM)) as started, api.attach(started.pid) as process:
        report = process.waste()
    (row,) = (row for row in report.waste or () if row.kind == boxes.BOXED)
    assert row.type == OTHERS
    assert row.objects >= 10_000 and row.bytes >= 8 * (10_000 - 10)


def test_tables_are_data_frames() -> None:
    pandas = needed("pandas")
    with running(build(PROGRAM)) as started, api.attach(started.pid) as process:
        report, memory = process.waste(), process.memory()
    frame = report.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == list(report.waste[0].__struct_fields__)  # type: ignore[index]
    assert memory.to_pandas().bytes.sum() == memory.kernel.rss
    with pytest.raises(KeyError, match="no table 'nothing'"):
        memory.to_pandas("nothing")
