"""The zoo's checks find what is wrong: each on answers that are right but for one thing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts.zoology import CI
from scripts.zoology.__main__ import programs
from scripts.zoology.asking import Ran
from scripts.zoology.checks.answers import answers
from scripts.zoology.checks.kernel import kernel
from scripts.zoology.checks.runtime import dump, traced
from scripts.zoology.looks import Looks
from scripts.zoology.table import HEAD, Row, table

SMAPS = (
    "00400000-00402000 r-xp 00000000 fe:00 1 /bin/x\nRss: 8 kB\n7000-9000 rw-p 0 0 0\nRss: 4 kB\n"
)
Reports = dict[str, Any]


def ran(what: str, report: object, code: int = 0, err: str = "") -> Ran:
    out = report if isinstance(report, bytes) else json.dumps(report).encode()
    return Ran(what, code, out, err, 0.1, 0.1, 1)


def region(low: int, high: int, rss: int, kind: str = "text") -> dict[str, object]:
    return {
        "low": hex(low),
        "high": hex(high),
        "kind": kind,
        "label": kind,
        "size": high - low,
        "rss": rss,
    }


def reports() -> Reports:
    """What all commands said of a program in which nothing is wrong."""
    heap = {"self_check": {"popcount_mismatches": 0, "unreadable_spans": 0}, "audit": []}
    types = {
        "census": {"objects": 5, "bytes": 80},
        "graph": {"reachable": 4, "unreachable": 1},
        "types": [{"objects": 3, "bytes": 48, "retained_bytes": 64}],
        "untyped": [{"objects": 2, "bytes": 32}],
    }
    stack = {"kind": "system_stack", "name": "", "detail": {"thread": 7}}
    text = {"kind": "text", "address": "0x400010", "name": "", "detail": {}}
    return {
        "maps": {"map": [region(0x7000, 0x9000, 4096, "heap"), region(0x400000, 0x402000, 8192)]},
        "heap": heap,
        "types": {**heap, **types},
        "dangling": {**heap, "dangling": []},
        "pprof": b"\x1f\x8b",
        "threads": {"locations": [stack]},
        "where": {"locations": [text]},
    }


def failures(said: Reports, **changes: Any) -> set[str]:
    looks = Looks(ran("heap", said["heap"]), {what: ran(what, r) for what, r in said.items()})
    looks.smaps, looks.threads = (SMAPS, SMAPS), {7: 0x8000}
    for name, value in changes.items():
        setattr(looks, name, value)
    return {f.check for f in (*answers(looks), *kernel(looks)) if f.holds is not True}


def test_nothing_is_wrong() -> None:
    assert failures(reports()) == set()


def _set(*path: str | int) -> Callable[[Reports, object], None]:
    def change(said: Reports, value: object) -> None:
        place: Any = said
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "value", "check"),
    [
        (_set("types", "types", 0, "objects"), 4, "sums of objects"),
        (_set("types", "graph", "reachable"), 5, "sums of objects"),
        (_set("types", "types", 0, "retained_bytes"), 81, "retained within the heap"),
        (_set("heap", "self_check", "popcount_mismatches"), 1, "self-checks"),
        (_set("heap", "audit"), [{"check": "x", "holds": False, "says": "no"}], "self-checks"),
        (_set("maps", "map", 1, "rss"), 4096, "resident per mapping"),
        (_set("maps", "map", 1, "rss"), 12288, "resident in all"),
        (_set("where", "locations", 0, "kind"), "rodata", "where and maps"),
        (_set("threads", "locations", 0, "kind"), "runtime", "stacks of threads"),
        (_set("threads", "locations", 0, "detail"), {"thread": 8}, "stacks of threads"),
        (_set("pprof"), b"", "a profile"),
    ],
)
def test_what_is_wrong_is_found(
    change: Callable[[Reports, object], None], value: object, check: str
) -> None:
    said = reports()
    change(said, value)
    assert check in failures(said)


def test_a_pointer_to_nowhere_is_found() -> None:
    said = reports()
    edge = {"from": {"name": "a"}, "to": {"name": "b"}, "field": "f", "why": "?"}
    said["dangling"]["dangling"] = [edge]
    assert failures(said) == {"dangling pointers"}


@pytest.mark.parametrize(
    ("code", "err", "wrong"),
    [
        (0, "goprobe: reading 1\n", False),
        (2, "goprobe: 0x10 is a free slot of the heap\n", False),  # it was an object before
        (2, "goprobe: no such process\n", True),
        (1, "", True),
        (3, "", True),
        (0, "Traceback (most recent call last):\n", True),
    ],
)
def test_exit_codes(code: int, err: str, wrong: bool) -> None:
    said = reports()
    first = ran("heap 1 --object 0x10 --json", said["heap"], code, err)
    assert ("exit codes" in failures(said, first=first)) == wrong


def test_what_go_programs_write() -> None:
    lines = "x\ngc 7 @2.0s 0%: 0.06+4.0 ms clock, 5->6->3 MB, 7 MB goal (forced)\n"
    assert traced(lines) == [(5, 6, 3)]
    text = (
        "goroutine 1 gp=0xc0 m=nil [select (no cases), 2 minutes]:\nmain.wait(0x1, {0x2})\n"
        "\t/x.go\n\ngoroutine 18 [chan receive]:\nnet/http.(*Server).Serve.func1(...)\n\t/y.go:1\n"
    )
    assert dump(text) == {
        1: ("select (no cases)", "main.wait"),
        18: ("chan receive", "net/http.(*Server).Serve.func1"),
    }


def test_the_programs() -> None:
    known = programs()
    assert set(CI) <= set(known) and len(known) >= 20
    folders = [program.package.folder for program in known.values()]
    assert len(set(folders)) == len(folders)


def test_the_table() -> None:
    row = Row(
        "caddy",
        "1.26.8",
        "stripped",
        1 << 30,
        1234567,
        1 << 20,
        0.5,
        0.25,
        0.0012,
        1,
        0.5,
        2,
        1 << 26,
        20,
        1,
        0,
    )
    head, line = table([row]).splitlines()
    assert head.split()[0] == HEAD[0]
    for cell in ("1,234,567", "1,024 MiB", "1.0 MiB", "50.0%", "1.2 ms", "20 hold, 1 FAILED"):
        assert cell in line
