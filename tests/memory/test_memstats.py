"""The runtime's own figures as read from outside, against the program's own reading of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from goprobe.report.schema import shipped
from goprobe.runtime.stats.sizeclasses import CLASS_TO_SIZE
from tests.support.cli import goprobe
from tests.support.go import build, matrix, running, toolchain

PROGRAM = Path("testdata/targets/memorystats.go")
# ReadMemStats gives spans back, and may need memory for the lists they go to: it takes that from
# what it had for other things.
_MOVED = {"GCSys", "OtherSys"}
# What goes on between the look and the program's own: it is woken up.
_PASSING = {
    "/sched/latencies:seconds",
    "/sched/goroutines/running:goroutines",
    "/sched/goroutines/waiting:goroutines",
}


@pytest.fixture(scope="module", params=[(go, limit) for go in matrix() for limit in ("", "limit")])
def told(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goprobe says of a program, and what the program then says of itself."""
    go, limit = request.param
    with running(build(PROGRAM, go=go), *filter(None, [limit])) as program:
        ran = goprobe("memory", str(program.pid), "--json")
        program.say("")
        own = json.loads(program.read_line())
    assert ran.code == 0, ran.err
    return ran.json, own


def test_each_field_of_memstats_is_what_the_program_reads(
    told: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    report, own = told
    wrong = {
        name: (report["memstats"].get(name), value)
        for name, value in own["memstats"].items()
        if report["memstats"].get(name) != value and name not in _MOVED
    }
    assert not wrong
    assert report["memstats"].keys() == own["memstats"].keys()
    assert sum(report["memstats"][n] for n in _MOVED) == sum(own["memstats"][n] for n in _MOVED)
    assert own["memstats"]["NumGC"] > 0 and own["memstats"]["HeapObjects"] > 20_000


def test_each_metric_is_what_the_program_reads(
    told: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    report, own = told
    metrics = {n: v for n, v in own["metrics"].items() if not n.startswith("/godebug/")}
    wrong = {
        name: (report["metrics"].get(name), value)
        for name, value in metrics.items()
        if report["metrics"].get(name) != value and name not in _PASSING
    }
    assert not wrong
    assert report["metrics"].keys() == metrics.keys()
    at_rest = [n for n in _PASSING & metrics.keys() if n.startswith("/sched/goroutines/")]
    assert sum(report["metrics"][n] for n in at_rest) == sum(metrics[n] for n in at_rest)
    assert not report.get("not_told")
    Draft202012Validator(shipped("goprobe.memory/1")).validate(report)


def test_collections_are_told_the_latest_first(
    told: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    report, own = told
    stats, latest = own["memstats"], report["runtime"]["collections"][0]
    assert latest["number"] == stats["NumGC"]
    assert latest["end_unix_ns"] == stats["PauseEnd"][(stats["NumGC"] + 255) % 256]
    assert report["runtime"]["gogc"] == 150


@pytest.mark.parametrize("go", matrix())
def test_size_classes_are_those_of_the_source(go: str) -> None:
    sources = (toolchain(go).parents[1] / "src").rglob("sizeclasses.go")
    tables = [re.findall(r"o_?[sS]ize *= .*?\{(.*?)\}", path.read_text()) for path in sources]
    table = next(found[0] for found in tables if found)
    assert tuple(map(int, table.split(", "))) == CLASS_TO_SIZE
