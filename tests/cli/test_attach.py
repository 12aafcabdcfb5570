"""The commands that look at a running process, as users type them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from tests.report.screen import cells, lines, raw_characters
from tests.support.cli import goprobe
from tests.support.go import Running, build, running

PROGRAM = """package main

import (
	"fmt"
	"time"
)

var global = "a global"

type node struct {
	next *node
	name string
}

func main() {
	var head *node
	for i := 0; i < 5000; i++ {
		head = &node{head, fmt.Sprint("node", i)}
	}
	for i := 0; i < 20; i++ {
		go func() { time.Sleep(time.Hour) }()
	}
	time.Sleep(10 * time.Millisecond)
	fmt.Printf("head %p\\nglobal %p\\ncode %p\\nready\\n", head, &global, main)
	time.Sleep(time.Hour)
	fmt.Println(head)
}
"""


@pytest.fixture(scope="module")
def program() -> Iterator[Running]:
    with running(build(PROGRAM)) as found:
        yield found


def test_where_says_what_addresses_are(program: Running) -> None:
    names = ("head", "global", "code")
    ran = goprobe("where", str(program.pid), *(program[name] for name in names), "0x10", "--json")
    assert ran.code == 0
    kinds = [found["kind"] for found in ran.json["locations"]]
    assert kinds == ["heap", "data", "text", "unmapped"]
    assert ran.json["locations"][0]["address"] == program["head"]


def test_where_in_text_shows_the_evidence(program: Running) -> None:
    ran = goprobe("where", str(program.pid), program["code"])
    assert ran.code == 0
    first, *evidence = lines(ran.out)
    assert first.startswith(f"{program['code']}  main.main in .text")
    assert any("section .text" in line for line in evidence)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("options", [[], ["-v"]])
@pytest.mark.parametrize("command", ["maps", "heap", "where"])
def test_pictures_fit(program: Running, command: str, options: list[str], width: int) -> None:
    addresses = [program["head"]] if command == "where" else []
    ran = goprobe(command, str(program.pid), *addresses, *options, env={"COLUMNS": str(width)})
    assert (ran.code, raw_characters(ran.out)) == (0, set())
    assert max(map(cells, lines(ran.out))) <= width


def test_maps_attributes_every_byte(program: Running) -> None:
    ran = goprobe("maps", str(program.pid), "--json")
    assert sum(region["rss"] for region in ran.json["map"]) == ran.json["rss"]
    text = goprobe("maps", str(program.pid)).text
    assert "Go heap" in text
    assert "├─ objects" in text


def test_heap_counts_and_checks_itself(program: Running) -> None:
    ran = goprobe("heap", str(program.pid), "--json")
    assert ran.json["census"]["objects"] >= 10_000
    assert ran.json["self_check"]["popcount_mismatches"] == 0
    assert "Self-check: the allocation bits of all" in goprobe("heap", str(program.pid)).text


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        (["heap"], 2, "missing argument 'PROCESS'"),
        (["heap", "nobody-is-called-so"], 2, "'nobody-is-called-so' is not a process number"),
        (["heap", "-1"], 2, "-1"),
        (["heap", "٣"], 2, "is not a process number"),
        (["heap", "4194305"], 2, "4194305"),
        (["where", "1", "0xzz"], 2, "'0xzz' is not an address"),
        (["where", "1", "0x10000000000000000"], 2, "is not an address"),
        (["where", "1", "1_0"], 2, "is not an address"),
        (["where", "1"], 2, "missing argument"),
        (["maps", "1", "--format", "svg"], 2, "no format 'svg'"),
    ],
)
def test_wrong_usage_is_one_sentence(line: list[str], code: int, told: str) -> None:
    ran = goprobe(*line)
    assert (ran.code, ran.out) == (code, b"")
    assert ran.err.startswith("goprobe: ")
    assert told in ran.err.splitlines()[0]


def test_a_process_is_called_by_its_name_unless_two_are(program: Running, tmp_path: Path) -> None:
    """Under a name that no other run of the tests has at the same time."""
    binary = tmp_path / f"named-{os.getpid()}"
    copyfile(f"/proc/{program.pid}/exe", binary)
    binary.chmod(0o755)
    with running(binary) as one:
        assert goprobe("heap", binary.name, "--json").json["pid"] == one.pid
        with running(binary) as other:
            ran = goprobe("heap", binary.name)
    assert ran.code == 2
    numbers = ran.err.partition("processes of that name: ")[2].partition(";")[0].split(", ")
    assert {one.pid, other.pid} == set(map(int, numbers))


def test_goroutines_are_grouped_and_each_is_listed_on_demand(program: Running) -> None:
    ran = goprobe("goroutines", str(program.pid), "--json")
    assert max(group["count"] for group in ran.json["groups"]) == 20
    every = goprobe("goroutines", str(program.pid), "--all", "--stacks", "--json")
    assert every.json["groups"] == []
    assert all(g["frames"] for g in every.json["goroutines"] if g["status"] == "waiting")
    text = goprobe("goroutines", str(program.pid)).text
    assert "20 goroutines  waiting: sleep" in text


def test_doctor_finds_the_tools_and_tries_them() -> None:
    ran = goprobe("doctor", "--json")
    assert (ran.code, ran.json["works"]) == (0, True)
    broken = goprobe("doctor", "--gdb", "/nonexistent/gdb")
    assert broken.code == 3
    assert "/nonexistent/gdb" in broken.text
