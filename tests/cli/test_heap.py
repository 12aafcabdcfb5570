"""`goprobe heap` as users type it: types, who keeps what, growth, profiles, findings."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.screen import lines, raw_characters
from tests.support.cli import environment, goprobe
from tests.support.gdb import gdbs, write_core
from tests.support.go import Running, build, running, toolchain

PROGRAM = """package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

type node struct {
	next *node
	name string
}

type cache struct {
	entries map[string]*node
	recent  []*node
}

var (
	kept  = cache{entries: map[string]*node{}}
	chain *node
	astray *node
	fixed = &node{name: "static"}
)

//go:noinline
func onStack() *node {
	var local [4]node
	local[2].name = "on the stack"
	// A pointer that Go forbids: into a stack, kept in a global.
	*(*uintptr)(unsafe.Pointer(&astray)) = uintptr(unsafe.Pointer(&local[2]))
	*(*uintptr)(unsafe.Pointer(&kept.recent[0])) = uintptr(unsafe.Pointer(&local[3]))
	*(*uintptr)(unsafe.Pointer(&fixed.next)) = uintptr(unsafe.Pointer(&local[1]))
	bufio.NewScanner(os.Stdin).Scan()
	runtime.KeepAlive(&local)
	return nil
}

func main() {
	for i := 0; i < 1000; i++ {
		chain = &node{chain, fmt.Sprint("number ", i, " of a thousand")}
	}
	entry := &node{name: "in the map"}
	kept.entries["some key"] = entry
	kept.recent = append(kept.recent, nil, entry)
	fmt.Printf("entry %p\\nthird %p\\n", entry, chain.next.next)
	runtime.GC()
	fmt.Println("ready")
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		if scanner.Text() == "dangle" {
			fmt.Println("dangling")
			onStack()
		}
		for i := 0; i < 500; i++ {
			chain = &node{chain, "more"}
		}
		fmt.Println("grown")
	}
}
"""


@pytest.fixture(scope="module")
def binary() -> Path:
    return build(PROGRAM)


@pytest.fixture
def program(binary: Path) -> Iterator[Running]:
    with running(binary) as found:
        yield found


def test_types_and_roots_are_counted(program: Running) -> None:
    ran = goprobe("heap", str(program.pid), "--types", "--retained", "--json")
    assert ran.code == 0, ran.err
    report = ran.json
    types = {t["type"]: t for t in report["types"]}
    assert types["main.node"]["objects"] == 1001
    roots = {r["name"]: r for r in report["roots"]}
    # A thousand nodes of 24 bytes, each with its string of more than 16.
    assert roots["main.chain"]["objects"] == 2000
    assert roots["main.chain"]["retained_bytes"] > 1000 * (24 + 16)
    assert (
        report["graph"]["reachable"] + report["graph"]["unreachable"]
        == (report["census"]["objects"])
    )
    assert report["self_check"]["popcount_mismatches"] == 0
    assert report["self_check"]["dangling_edges"] == 0


def test_a_path_is_told_with_field_names(program: Running) -> None:
    ran = goprobe("heap", str(program.pid), "--path", program["entry"], "--paths", "5", "--json")
    assert ran.code == 0, ran.err
    texts = ran.json["path_texts"]
    assert "main.kept.recent[1]" in texts
    assert 'main.kept.entries["some key"]' in texts
    ends = {path[-1]["address"] for path in ran.json["paths"]}
    assert ends == {program["entry"]}
    third = goprobe("heap", str(program.pid), "--path", program["third"], "--json").json
    assert third["path_texts"] == ["main.chain.next.next"]


def test_referrers_and_the_object_itself(program: Running) -> None:
    entry = program["entry"]
    ran = goprobe(
        "heap", str(program.pid), "--referrers", entry, "--object", entry, "--retained", "--json"
    )
    assert ran.code == 0, ran.err
    fields = {r["field"] for r in ran.json["referrers"]}
    assert {"[1]", '["some key"]'} <= fields
    view = ran.json["object"]
    assert view["type"] == "main.node"
    assert view["reachable"] is True
    assert "in the map" in view["value"]["text"]
    assert view["retained_bytes"] == 24


def test_growth_is_told(program: Running, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    pid = str(program.pid)
    assert goprobe("heap", pid, "--types", "--retained", "--json", "-o", str(old)).code == 0
    program.say("grow")
    program.read_until("grown")
    ran = goprobe("heap", pid, "--diff", str(old), "--json")
    assert ran.code == 0, ran.err
    types = {g["name"]: g for g in ran.json["diff"]["types"]}
    assert types["main.node"]["objects"] == 500
    roots = {g["name"]: g for g in ran.json["diff"]["roots"]}
    assert roots["main.chain"]["objects"] == 500
    assert not ran.json["diff"]["untold"]
    for asked, lacks in ((), "types, roots"), (("--types",), "roots"):  # no table is no empty one
        assert goprobe("heap", pid, *asked, "--json", "-o", str(old)).code == 0
        ran = goprobe("heap", pid, *asked, "--diff", str(old), "--json")
        diff = ran.json["diff"]
        assert ", ".join(x.split(":")[0].split()[-1] for x in diff["untold"]) == lacks
        assert not diff["roots"] and ("types" not in lacks or not diff["types"])
    ran = goprobe("heap", pid, "--diff", str(old))
    assert b"Not told: the older report says nothing of roots" in ran.out
    shown = goprobe("heap", pid, "--every", "50ms", "--count", "2")
    assert shown.code == 0, shown.err
    assert "Since then: +0 objects" in shown.text


def test_a_pointer_into_a_stack_is_a_finding(program: Running) -> None:
    pid = str(program.pid)
    assert goprobe("heap", pid, "--dangling").code == 0
    program.say("dangle")
    program.read_until("dangling")
    ran = goprobe("heap", pid, "--dangling", "--json")
    assert ran.code == 1, ran.err
    edges = {edge["field"]: edge for edge in ran.json["dangling"]}
    assert set(edges) == {"main.astray", "main.fixed.next", "[0]"}
    assert edges["main.astray"]["from"]["kind"] == "bss"
    assert edges["[0]"]["from"]["kind"] == "heap"
    assert {edge["to"]["kind"] for edge in edges.values()} == {"goroutine_stack"}
    shown = goprobe("heap", pid, "--dangling")
    assert shown.code == 1
    assert "into a goroutine's stack" in shown.text


def test_a_profile_that_pprof_reads(program: Running, tmp_path: Path) -> None:
    file = tmp_path / "heap.pb.gz"
    ran = goprobe("heap", str(program.pid), "--format", "pprof", "-o", str(file))
    assert ran.code == 0, ran.err
    assert gzip.decompress(file.read_bytes())
    told = subprocess.run(
        [toolchain(), "tool", "pprof", "-raw", file], capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 0, told.stderr
    kinds = told.stdout.split("Samples:\n")[1].split("\n")[0]
    assert [kind.partition("/")[0] for kind in kinds.split()] == [
        "inuse_objects",
        "inuse_space",
        "retained",
    ]
    assert "main.chain" in told.stdout
    assert "main.node" in told.stdout


def test_a_variable_by_the_end_of_its_packages_path(program: Running) -> None:
    short, whole = (
        goprobe("heap", str(program.pid), "--object", name, "--json").json["object"]
        for name in ("poll.ErrNoDeadline", "internal/poll.ErrNoDeadline")
    )
    assert short == whole and short["type"] == "error"


@pytest.mark.parametrize("width", [40, 80])
def test_text_fits_the_screen(program: Running, width: int) -> None:
    entry = program["entry"]
    ran = goprobe(
        "heap",
        str(program.pid),
        "--types",
        "--retained",
        "--unreachable",
        "--path",
        entry,
        "--referrers",
        entry,
        "--object",
        entry,
        env=environment(COLUMNS=str(width)),
    )
    assert ran.code == 0, ran.err
    assert "main.node" in ran.text
    assert "main.chain" in ran.text
    assert max(len(line) for line in lines(ran.out)) <= width
    assert not raw_characters(ran.out)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--path", "zebra"), "there is no address, variable or type 'zebra'"),
        (("--path", "runtime.buildVersion"), "is a variable that leads to no object of the heap"),
        (("--referrers", "runtime.mheap"), "no object of the heap is known to be a runtime.mheap"),
        (("--object", "0x0"), "0x0 is nil, and no object lies there"),
        (("--path", "0xzebra"), "'0xzebra' is not an address"),
        (("--path", ""), "'' is not an address"),
        (("--object", ""), "'' is not an address"),
        (("-o", "json=-"), "- is no file"),
        (("--path", "0x10"), "there is no object of the heap at 0x10"),
        (("--snapshot", "maybe"), "--snapshot takes stop or fork"),
        (("--every", "soon"), "'soon' is no length of time"),
        (
            ("--diff", "/nonexistent/old.json"),
            "no such report of goprobe heap: /nonexistent/old.json",
        ),
        (("--diff", "/etc/passwd"), "is no report of goprobe heap"),
        (("--diff", "/etc/passwd", "--every", "1s"), "contradict each other"),
        (("--every", "1s", "--count", "1"), "--count takes a number"),
        (("--count", "3"), "--count says how often --every looks"),
    ],
)
def test_wrong_usage_is_one_sentence(program: Running, options: tuple[str, ...], said: str) -> None:
    ran = goprobe("heap", str(program.pid), *options)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_core_file_is_asked_like_a_process(
    program: Running, binary: Path, tmp_path: Path
) -> None:
    core = tmp_path / "core"
    write_core(program.pid, core, gdbs()[0])
    ran = goprobe("heap", core, "--exe", binary, "--types", "--path", program["entry"], "--json")
    assert ran.code == 0, ran.err
    assert ran.json["snapshot"] == "core"
    assert ran.json["pid"] == program.pid
    assert ran.json["path_texts"][0].startswith("main.kept.")
    where = goprobe("where", core, program["entry"], "--exe", binary, "--json")
    assert where.json["locations"][0]["kind"] == "heap"
    wrong = goprobe("heap", core, "--exe", "/bin/true")
    assert wrong.code == 2 and "Traceback" not in wrong.err


def test_a_sample_counts_types_only(program: Running) -> None:
    ran = goprobe("heap", str(program.pid), "--types", "--sample", "--json")
    assert ran.code == 0, ran.err
    assert any(t["type"] == "main.node" for t in ran.json["types"])
    assert goprobe("heap", str(program.pid), "--retained", "--sample").code == 2
