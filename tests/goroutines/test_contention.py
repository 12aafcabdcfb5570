"""Waits against what the program tells of its own profiles of blocking and of locks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goprobe.runtime.profiles.frames import frames_of
from tests.support.cli import goprobe as command
from tests.support.go import Running, build, running
from tests.support.heap import TESTDATA, standing_world
from tests.support.pprofdecode import decode

Waits = Counter[tuple[str, str, int, int]]


@pytest.fixture(scope="module", params=["", "-s -w"], ids=["whole", "stripped"])
def binary(request: pytest.FixtureRequest, go: str) -> Path:
    flags = [f"-ldflags={request.param}"] if request.param else []
    return build(TESTDATA / "sites.go", go=go, flags=flags)


@pytest.fixture
def program(binary: Path) -> Iterator[Running]:
    with running(binary, "rounds=10") as program:
        yield program


def _seen(sites: list[dict[str, Any]]) -> Waits:
    waits: Waits = Counter()
    for site in sites:
        stack = "".join(f"{f['function']}@{f['file']}:{f['line']};" for f in site["stack"])
        waits[site["kind"], stack, site["count"], site["cycles"]] += 1
    return waits


def _told(lines: list[str]) -> Waits:
    waits: Waits = Counter()
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind in ("block", "mutex"):
            count, cycles, stack = rest.split(" ", 2)
            waits[kind, stack, int(count), int(cycles)] += 1
    return waits


def test_waits_are_those_that_the_program_tells(program: Running) -> None:
    done = command("goroutines", str(program.pid), "--contention", "--json")
    assert done.code == 0, done.err
    contention = done.json["contention"]
    program.say("tell")
    told = _told(program.read_until("told"))
    assert {kind for kind, *_ in told} == {"block", "mutex"}
    assert any("main.locked@" in stack for _, stack, *_ in told)
    assert _seen(contention["sites"]) == told
    assert contention["block_rate"] == contention["mutex_fraction"] == 0
    assert "is off" in contention["why"][0]

    per_second = contention.get("cycles_per_second")
    # By now the program has measured its clock, for its own profiles.
    again = command("goroutines", str(program.pid), "--contention", "--json").json["contention"]
    for kind in ("block", "mutex"):
        delays = sorted(
            values[1] for values in decode(bytes.fromhex(program[f"proto_{kind}"])).samples.values()
        )
        ours = sorted(s["delay_us"] for s in again["sites"] if s["kind"] == kind)
        assert [d // 1000 for d in delays] == ours
    if per_second is not None:
        assert per_second == pytest.approx(again["cycles_per_second"], rel=0.005)
        assert all("delay_us" in site for site in contention["sites"])
    assert per_second is not None or "1.21" in done.json["go"]["version"]


def test_the_text_says_where_and_why_not(program: Running) -> None:
    text = " ".join(command("goroutines", str(program.pid), "--contention").text.split())
    assert "let others wait for a lock in sync.(*Mutex).Unlock" in text
    assert "main.locked sites.go:87" in text
    assert "the profile of blocking is off (runtime.SetBlockProfileRate), but was on before" in text


def test_what_stands_before_a_stack_of_the_runtimes_own_locks_is_no_frame(go: str) -> None:
    binary = build(TESTDATA / "sites.go", go=go)
    with running(binary, "rounds=1") as program, standing_world(program.pid, binary) as world:
        pc = world.program.lines.functions_named("main.main")[0].entry + world.bias + 1
        assert frames_of(world, (2**64 - 1, pc)) == frames_of(world, (pc,))
