"""The long-running programs of testdata/targets keep what their headers promise."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import go

TARGETS = Path(__file__).parent.parent / "testdata" / "targets"


@pytest.fixture(params=go.matrix())
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ends_well(program: go.Running) -> list[str]:
    """Closes its stdin; the lines that it still prints. It must exit with 0."""
    assert program.process.stdin and program.process.stdout
    program.process.stdin.close()
    rest = program.process.stdout.read().decode().splitlines()
    assert program.process.wait(60) == 0, program.complaints()
    return rest


@pytest.fixture(params=["allkinds", "allkinds_cgo"])
def kinds(request: pytest.FixtureRequest, release: str) -> Iterator[go.Running]:
    cgo = request.param == "allkinds_cgo"
    if cgo and not go.has_gcc():
        pytest.skip("no gcc")
    env = {"CGO_ENABLED": "1" if cgo else "0"}
    with go.running(go.build(TARGETS / f"{request.param}.go", go=release, env=env)) as program:
        yield program


def facts_of(program: go.Running) -> dict[str, tuple[int, dict[str, object]]]:
    """Name to address and what `goprobe where` must say of it."""
    told = (line.split(" ", 2) for line in program.lines if "{" in line)
    return {name: (int(address, 16), json.loads(says)) for name, address, says in told}


def test_kinds_are_told_with_addresses(kinds: go.Running) -> None:
    facts = facts_of(kinds)
    assert len(facts) >= 11
    mapped = Path(f"/proc/{kinds.pid}/maps").read_text()
    bounds = [re.split("[- ]", line)[:2] for line in mapped.splitlines()]
    ranges = [(int(low, 16), int(high, 16)) for low, high in bounds]
    for address, says in facts.values():
        here = any(low <= address < high for low, high in ranges)
        assert here == (says.get("kind") != "unmapped")
    ends_well(kinds)


def test_where_says_of_each_address_what_the_program_says(kinds: go.Running) -> None:
    facts = facts_of(kinds)
    command = [sys.executable, "-m", "goprobe", "where", str(kinds.pid), "--json"]
    command += [hex(address) for address, _ in facts.values()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    locations = json.loads(done.stdout)["locations"]
    for (name, (address, says)), location in zip(facts.items(), locations, strict=True):
        assert location["address"] == hex(address)
        assert location["evidence"]
        told = {"kind": location["kind"], **location["detail"]}
        assert {key: told.get(key) for key in says} == says, (name, location)


def test_a_busy_program_knows_its_result(release: str) -> None:
    binary = go.build(TARGETS / "busy.go", go=release)
    with go.running(binary, "4", "50") as program:
        program.say("")
        assert program.read_line().startswith("count ")
        assert ends_well(program) == ["sum 8285419981226606168"]


def test_a_heap_of_about_a_million_objects(release: str) -> None:
    with go.running(go.build(TARGETS / "million.go", go=release), "100000") as program:
        assert 100_000 <= int(program["objects"]) <= 110_000
        ends_well(program)


def test_a_heartbeat_tells_the_longest_gap(release: str) -> None:
    binary = go.build(TARGETS / "heartbeat.go", go=release)
    with go.running(binary, "1000", "10", "1") as program:
        program.say("")
        program.read_line()
        os.kill(program.pid, signal.SIGSTOP)
        time.sleep(0.2)  # the gap
        os.kill(program.pid, signal.SIGCONT)
        # Who answers may be awake before who looks at the clock.
        longest, until = 0, time.monotonic() + 5
        while longest < 150_000_000 and time.monotonic() < until:
            program.say("")
            word, nanoseconds = program.read_line().split()
            assert word == "gap"
            longest = max(longest, int(nanoseconds))
        assert longest >= 150_000_000
        assert ends_well(program)[-1].startswith("sum ")
