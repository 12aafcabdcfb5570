"""The runtime's own figures as read from outside, against the program's own reading of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from goprobe.runtime.heap.classsizes import CLASS_TO_SIZE
from tests.support.cli import goprobe
from tests.support.gdb import write_core
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


_NOT_IN_STRIPPED = {"/godebug/"}
KINDS = (("", ""), ("limit", ""), ("", "-s -w"))


@pytest.fixture(scope="module", params=[(go, kind) for go in matrix() for kind in KINDS])
def told(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goprobe says of a program, and what the program then says of itself."""
    go, (limit, flags) = request.param
    binary = build(PROGRAM, go=go, flags=[f"-ldflags={flags}"])
    env = {"GODEBUG": "randautoseed=0,panicnil=1"} if limit else {}
    with running(binary, *filter(None, [limit]), env=env) as program:
        ran = goprobe("memory", str(program.pid), "--json")
        program.say("")
        own = json.loads(program.read_line())
    assert ran.code == 0, ran.err
    if limit:  # counters of GODEBUG that are not 0: of a package, of the runtime's own
        for name in ("randautoseed", "panicnil"):
            assert own["metrics"][f"/godebug/non-default-behavior/{name}:events"] > 0
    return ran.json, {**own, "stripped": bool(flags)}


def test_each_field_of_memstats_is_what_the_program_reads(
    told: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    report, own = told
    wrong = {
        name: (report["memstats"].get(name), value)
        for name, value in own["memstats"].items()
        if report["memstats"].get(name) != value and name not in {*_MOVED, "Sys"}
    }
    assert not wrong
    assert report["memstats"].keys() == own["memstats"].keys()
    mapped = sum(own["memstats"][n] - report["memstats"][n] for n in _MOVED)
    assert mapped == own["memstats"]["Sys"] - report["memstats"]["Sys"] >= 0
    assert own["memstats"]["NumGC"] > 0 and own["memstats"]["HeapObjects"] > 20_000


def test_each_metric_is_what_the_program_reads(
    told: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    report, own = told
    metrics = own["metrics"]
    wrong = {
        name: (report["metrics"].get(name), value)
        for name, value in metrics.items()
        if report["metrics"].get(name, value) != value and name not in _PASSING
    }
    assert not wrong
    left_out = metrics.keys() - report["metrics"].keys()
    not_told = report.get("not_told", {}).keys()
    assert not_told <= (_NOT_IN_STRIPPED if own["stripped"] else set())
    assert all(n.startswith(tuple(not_told)) for n in left_out) and len(report["metrics"]) > 40
    at_rest = [n for n in _PASSING & metrics.keys() if n.startswith("/sched/goroutines/")]
    assert sum(report["metrics"][n] for n in at_rest) == sum(metrics[n] for n in at_rest)


def test_collections_are_told_the_latest_first(
    told: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    report, own = told
    stats, latest = own["memstats"], report["runtime"]["collections"][0]
    assert latest["number"] == stats["NumGC"]
    assert latest["end_unix_ns"] == stats["PauseEnd"][(stats["NumGC"] + 255) % 256]
    state = report["runtime"]
    assert (state["gogc"], state["phase"], state["finalizers"]) == (150, "off", 5)
    assert 3 <= state["timers"] <= 5  # the runtime may have one or two of its own
    assert state.get("swept", own["stripped"]) is True


@pytest.mark.parametrize("go", matrix())
def test_size_classes_are_those_of_the_source(go: str) -> None:
    sources = (toolchain(go).parents[1] / "src").rglob("sizeclasses.go")
    tables = [re.findall(r"o_?[sS]ize *= .*?\{(.*?)\}", path.read_text()) for path in sources]
    table = next(found[0] for found in tables if found)
    assert tuple(map(int, table.split(", "))) == CLASS_TO_SIZE


def test_a_core_tells_what_its_process_told(tmp_path: Path) -> None:
    binary, file = build(PROGRAM), tmp_path / "core"
    with running(binary) as program:
        live = goprobe("memory", str(program.pid), "--json").json
        write_core(program.pid, file)
    ran = goprobe("memory", str(file), "--exe", str(binary), "--json")
    assert ran.code == 0, ran.err
    report = ran.json
    assert report["memstats"] == live["memstats"]
    passing = {*_PASSING, *(n for n in live["metrics"] if n.startswith("/sched/"))}
    apart = {n for n, v in live["metrics"].items() if report["metrics"][n] != v}
    assert apart <= passing
    assert sum(part["bytes"] for part in report["parts"]) == report["kernel"]["rss"] > 1 << 20
    assert "smaps_rss" not in report["kernel"]
    text = goprobe("memory", str(file), "--exe", str(binary)).text
    assert "in the core file" in text
