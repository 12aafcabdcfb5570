"""Programs that misbehave while they are looked at."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import goprobe
from goprobe.errors import BuildError, UsageError
from goprobe.model.escape import Verdict
from goprobe.model.trace import Exit
from goprobe.report import render
from goprobe.report.options import RenderOptions
from tests.escape.hardship import escape, module, program, the_allocation, with_imports
from tests.support.cli import environment
from tests.support.go import matrix, toolchain


def test_code_that_does_not_build(tmp_path: Path) -> None:
    module(tmp_path, {"main.go": 'package main\n\nfunc main() { x := 1; println("a" + 2) }\n'})
    with pytest.raises(BuildError) as caught:
        escape(tmp_path)
    assert "main.go:3" in caught.value.output and "can inline" not in caught.value.output


def test_a_package_that_is_no_program(tmp_path: Path) -> None:
    module(tmp_path, {"lib.go": "package lib\n\nfunc F() *int { return new(int) }\n"})
    with pytest.raises(UsageError, match="not a program") as caught:
        escape(tmp_path)
    assert "--test" in caught.value.hint


def test_a_package_without_tests(tmp_path: Path) -> None:
    module(tmp_path, {"lib.go": "package lib\n\nfunc F() *int { return new(int) }\n"})
    with pytest.raises(UsageError, match="has no tests"):
        escape(tmp_path, test=True)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere.go", "no such file"),
        ("/nowhere/at/all", "no such file"),
        ("empty", "no Go files"),
        ("text.txt", "neither"),
        ("example.com/unknown/pkg", "unknown"),
    ],
)
def test_what_is_not_there(tmp_path: Path, target: str, words: str) -> None:
    module(tmp_path, {"main.go": "package main\n\nfunc main() {}\n", "text.txt": "text\n"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        escape(tmp_path, target)
    output = caught.value.output if isinstance(caught.value, BuildError) else ""
    assert words in f"{caught.value.message} {caught.value.hint} {output}"


def test_several_programs_at_once(tmp_path: Path) -> None:
    main = "package main\n\nfunc main() {}\n"
    module(tmp_path, {"a/main.go": main, "b/main.go": main})
    with pytest.raises(UsageError, match="several programs"):
        escape(tmp_path, "./a", "./b")


def test_a_program_that_panics_to_death(tmp_path: Path) -> None:
    module(tmp_path, with_imports('\tsink = allocate(len(os.Args))\n\tpanic("the end")', "os"))
    report = escape(tmp_path)
    assert report.exit == Exit(code=2)
    assert the_allocation(report).hits == 1
    assert not report.partial


def test_a_program_that_panics_and_recovers(tmp_path: Path) -> None:
    body = """
    for i := 0; i < 10; i++ {
        func() {
            defer func() { _ = recover() }()
            sink = allocate(i)
            if i%2 == 0 { panic(i) }
            var p *int
            _ = *p + i
            println(*p)
        }()
    }"""
    module(tmp_path, program(body))
    report = escape(tmp_path)
    assert report.exit == Exit(code=0)
    assert (the_allocation(report).hits, the_allocation(report).verdict) == (
        10,
        Verdict.CONFIRMED_HEAP,
    )


def test_a_program_that_deadlocks(tmp_path: Path) -> None:
    module(tmp_path, program("\tsink = allocate(1)\n\t<-make(chan int)"))
    report = escape(tmp_path)
    assert report.exit == Exit(code=2)
    assert the_allocation(report).verdict is Verdict.CONFIRMED_HEAP


def test_a_program_that_a_signal_kills(tmp_path: Path) -> None:
    body = "\tsink = allocate(1)\n\tsyscall.Kill(syscall.Getpid(), syscall.SIGKILL)\n\tselect {}"
    module(tmp_path, with_imports(body, "syscall"))
    report = escape(tmp_path)
    assert report.exit == Exit(signal="SIGKILL")
    assert the_allocation(report).hits == 1


def test_a_program_that_never_ends(tmp_path: Path) -> None:
    module(tmp_path, program("\tfor i := 0; ; i++ { sink = allocate(i) }"))
    began = time.monotonic()
    report = escape(tmp_path, timeout=2.0)
    assert time.monotonic() - began < 60
    assert "2 s" in report.partial
    assert the_allocation(report).hits > 1000
    assert the_allocation(report).verdict is Verdict.CONFIRMED_HEAP


def test_a_program_that_replaces_itself(tmp_path: Path) -> None:
    body = '\tsink = allocate(1)\n\tsyscall.Exec("/bin/true", []string{"true"}, nil)'
    module(tmp_path, with_imports(body, "syscall"))
    report = escape(tmp_path)
    assert "exec" in report.partial
    assert the_allocation(report).hits == 1


def test_a_program_that_starts_others(tmp_path: Path) -> None:
    body = """
    for i := 0; i < 3; i++ {
        sink = allocate(i)
        if err := exec.Command("/bin/sh", "-c", "exit 0").Run(); err != nil { panic(err) }
    }"""
    module(tmp_path, with_imports(body, "os/exec"))
    report = escape(tmp_path)
    assert (report.exit, report.partial) == (Exit(code=0), "")
    assert the_allocation(report).hits == 3


def test_a_thousand_goroutines_at_one_site(tmp_path: Path) -> None:
    body = """
    var wg sync.WaitGroup
    for i := 0; i < 1000; i++ {
        wg.Add(1)
        go func(i int) {
            defer wg.Done()
            for j := 0; j < 100; j++ { _ = allocate(i + j)[0] }
        }(i)
    }
    wg.Wait()"""
    module(tmp_path, with_imports(body, "sync"))
    report = escape(tmp_path)
    assert the_allocation(report).hits == 100_000
    assert the_allocation(report).verdict is Verdict.CONFIRMED_HEAP


def test_defer_in_a_range_over_a_function(tmp_path: Path) -> None:
    """Each such loop makes a list of its own for its defers, beside their records."""
    source = """\
    package main

    var total int

    //go:noinline
    func each(yield func(int) bool) { _ = yield(1) && yield(2) }

    //go:noinline
    func loop() {
        for i := range each {
            defer func() { total += i }()
        }
    }

    func main() { loop(); loop() }
    """
    module(tmp_path, {"main.go": source, "go.mod": "module example.com/m\n\ngo 1.23\n"})
    report = escape(tmp_path)
    calls = [c for s in report.sites for c in s.calls if c.callee == "runtime.deferrangefunc"]
    assert sum(c.hits for c in calls) == 2
    assert sum(c.allocations for c in calls) >= 2


def test_what_allocates_only_after_the_hits_looked_at(tmp_path: Path) -> None:
    source = """\
    package main

    var sink any
    var total int
    var kept string

    //go:noinline
    func box(i int) { sink = i }

    //go:noinline
    func box16(i int16) { sink = i }

    //go:noinline
    func small(i int) { sink = i % 256 }

    //go:noinline
    func text(s string) { sink = s }

    //go:noinline
    func passing(b []byte) {
        s := string(b)
        total += len(s)
        if total < 0 { kept = s[1:] + s }
    }

    func main() {
        long := make([]byte, 100)
        for i := 0; i < 1000; i++ {
            box(i)
            box16(int16(i))
            small(i)
            text(string(long[:i/999]))
            passing(long[:i/20])
        }
    }
    """
    module(tmp_path, {"main.go": source})
    report = escape(tmp_path)
    found = {s.line: (s.verdict, s.hits, s.reason) for s in report.sites if not s.parameter}
    for line in (8, 11):
        assert found[line][:2] == (Verdict.CONFIRMED_HEAP, 1000)
        assert "allocated 744 times; of 8 inspected 8 in static memory" in found[line][2]
    assert found[14][:2] == (Verdict.STATIC, 1000)
    assert found[17][:2] == (Verdict.CONFIRMED_HEAP, 1000) and "allocated once" in found[17][2]
    assert (
        found[21][:2] == (Verdict.SPILLED_TO_HEAP, 1000) and "allocated 340 times" in found[21][2]
    )


def test_hits_are_told_as_counted_only_where_they_are_all(tmp_path: Path) -> None:
    source = """\
    package main

    var number, total int
    var sink any

    //go:noinline
    func sum(s []int) int { return s[0] + s[1] }

    func main() {
        for i := 0; i < 100; i++ {
            total += sum([]int{number, i})
            if i < 5 {
                total += sum([]int{i, number})
            }
            if number > i {
                total += sum([]int{1, number})
            }
            sink = "constant"
        }
    }
    """
    module(tmp_path, {"main.go": source})
    report = escape(tmp_path, hits=8)
    found = {s.line: (s.hits, s.counted) for s in report.sites if not s.parameter}
    assert found == {11: (8, False), 13: (5, True), 16: (0, True), 18: (0, False)}
    text = render(report, "text", RenderOptions(width=100)).decode()
    shown = re.findall(r"^ +(\d+):.* (\S+)$", text, re.MULTILINE)
    assert shown == [("11", "8+"), ("13", "5"), ("16", "0"), ("18", "-")]


def test_a_stack_that_grows_at_the_site(tmp_path: Path) -> None:
    body = """
    println(deep(2000))
}

func deep(n int) int {
    var room [64]int
    room[n%64] = n
    p := allocate(n)
    if n > 0 {
        return deep(n-1) + room[n%64] + p[0]
    }
    return 0"""
    module(tmp_path, program(body))
    report = escape(tmp_path, hits=3000)
    site = the_allocation(report)
    assert (site.hits, site.inspected, site.verdict) == (2001, 2001, Verdict.CONFIRMED_HEAP)


def test_the_pointers_into_stacks_are_found(tmp_path: Path) -> None:
    source = """\
    package main

    import "unsafe"

    var global *int
    var sink []int

    //go:nosplit
    func hidden(p *int) *int {
        x := uintptr(unsafe.Pointer(p))
        return (*int)(unsafe.Pointer(x ^ 0))
    }

    //go:noinline
    func leaks() {
        v := 42
        global = hidden(&v)
        sink = make([]int, v)
    }

    func main() { leaks() }
    """
    module(tmp_path, {"main.go": source})
    report = escape(tmp_path, check_pointers=1)
    (alarm,) = [s for s in report.sites if s.verdict is Verdict.CONTRADICTED]
    assert "main.global" in alarm.expression
    assert alarm.function == "main.leaks" and alarm.file == "main.go"
    (at_end,) = escape(tmp_path).dangling
    assert at_end.when == "at the end of the run"
    with pytest.raises(AssertionError, match=r"main\.global"):
        goprobe.assert_promises(report)


_BY_RIGHT = """\
    package main

    import (
        "os"
        "runtime"
        "unsafe"
    )

    type held struct{ next *held }

    var all = make([]*held, 100)

    func main() {
        one := held{}
        for i := range all {
            all[i] = &held{&held{}}
            runtime.SetFinalizer(all[i], func(h *held) { h.next = nil })
        }
        go func() { make(chan held) <- one }()
        runtime.GC()
        if len(os.Args) > 1 {
            var here held
            all[70].next = hidden(&here)
        }
    }

    //go:nosplit
    func hidden(p *held) *held {
        x := uintptr(unsafe.Pointer(p))
        return (*held)(unsafe.Pointer(x ^ 0))
    }
"""


@pytest.mark.parametrize("go", matrix())
def test_a_graph_of_the_heap_is_made_only_where_a_word_may_lead_into_a_stack(
    go: str, tmp_path: Path
) -> None:
    folder = module(tmp_path, {"main.go": _BY_RIGHT})
    asked = (
        "import sys; from goprobe.cli import main; import atexit;"
        "atexit.register(lambda: print('goprobe.analysis.heap.graph' in sys.modules)); main()"
    )
    for more, found in ((), False), (("--", "stray"), True):
        arguments = ("escape", "--json", "-o", "report.json", "--go", toolchain(go), ".", *more)
        command = [sys.executable, "-c", asked, *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True)
        report = json.loads((folder / "report.json").read_bytes())
        assert done.stdout.split() == [str(found).encode()], (more, report["warnings"])
        assert bool(report["dangling"]) == found
