"""Programs that misbehave, and packages that are laid out unusually."""

from __future__ import annotations

import os
import re
import textwrap
import time
from pathlib import Path

import pytest

import goprobe
from goprobe.errors import BuildError, UsageError
from goprobe.model.escape import EscapeReport, Site, Verdict
from goprobe.model.trace import Exit
from goprobe.report import render
from goprobe.report.options import RenderOptions
from tests.escape.corpus import go_environment
from tests.support.go import has_gcc, toolchain

GO = str(toolchain())


def escape(folder: Path, *targets: str, **options: object) -> EscapeReport:
    """The report on packages in a folder, the program's own output thrown away."""
    with go_environment(), Path(os.devnull).open("w") as nothing:
        return goprobe.escape(
            *(targets or (".",)),
            go=GO,
            cwd=folder,
            stdout=nothing.fileno(),
            stderr=nothing.fileno(),
            **{"timeout": 120.0, **options},  # type: ignore[arg-type]
        )


def module(folder: Path, files: dict[str, str], name: str = "example.com/m") -> Path:
    """A module with these files."""
    for path, text in {"go.mod": f"module {name}\n\ngo 1.21\n", **files}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return folder


def at(report: EscapeReport, file: str, line: int) -> list[Site]:
    return [s for s in report.sites if s.file == file and s.line == line and not s.parameter]


def program(body: str) -> dict[str, str]:
    """main.go with a function that allocates; `body` is that of main."""
    return with_imports(body)


def with_imports(body: str, *names: str) -> dict[str, str]:
    """The same with imports."""
    listed = "".join(f'    "{name}"\n' for name in names)
    text = (
        f"package main\n\nimport (\n{listed})\n\n//go:noinline\n"
        "func allocate(i int) *[4]int { return &[4]int{i} }\n\nvar sink *[4]int\n\n"
        f"func main() {{\n{body}\n}}\n"
    )
    return {"main.go": text}


def the_allocation(report: EscapeReport) -> Site:
    """The site of `&[4]int{...}`."""
    found = [s for s in report.sites if s.expression == "&[4]int{...}"]
    (site,) = [s for s in found if s.function == "main.allocate"]
    return site


# What cannot be looked at


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


# How programs end


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
        assert "allocated 744 times; of 32 inspected 32 in static memory" in found[line][2]
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


# How packages are laid out


def test_a_source_file_changed_since_the_build(tmp_path: Path) -> None:
    body = '\tsink = allocate(1)\n\tos.Chtimes("main.go", time.Now(), time.Now().Add(time.Hour))'
    module(tmp_path, with_imports(body, "os", "time"))
    (warning,) = escape(tmp_path).warnings
    assert "main.go" in warning and "changed" in warning


def test_vendored_and_replaced_modules(tmp_path: Path) -> None:
    lib = "package lib\n\nfunc New(i int) *int { p := new(int); *p = i; return p }\n"
    module(tmp_path / "lib", {"lib.go": lib}, "example.com/lib")
    app = module(
        tmp_path / "app",
        {
            "go.mod": "module example.com/app\n\ngo 1.21\n\nrequire example.com/lib v0.0.0\n\n"
            "replace example.com/lib => ../lib\n",
            "main.go": 'package main\n\nimport "example.com/lib"\n\nvar sink *int\n\n'
            "func main() { sink = lib.New(3) }\n",
        },
    )
    (site,) = at(escape(app, "."), "main.go", 7)
    assert (site.verdict, site.hits) == (Verdict.CONFIRMED_HEAP, 1)
    assert site.calls[0].inlined_at and site.calls[0].file.endswith("lib/lib.go")
    both = escape(app, ".", "example.com/lib")
    assert [s.verdict for s in both.sites if s.file.endswith("lib.go") and not s.parameter] == [
        Verdict.DEAD
    ]


def test_messages_repeated_from_a_build_elsewhere(tmp_path: Path) -> None:
    """Go's build cache repeats them relative to the folder of whoever built first."""
    keeps = "package lib\n\nvar kept *int\n\n//go:noinline\nfunc F(i int) { kept = &i }\n"
    calls = 'package main\n\nimport "example.com/m/lib"\n\nfunc main() { lib.F(3) }\n'
    module(tmp_path, {"lib/main.go": keeps, "sub/main.go": calls})
    for folder, targets in ((".", ("./...",)), ("lib", ("../sub", ".")), ("sub", ("../...",))):
        (site,) = escape(tmp_path / folder, *targets).sites
        assert (site.line, site.expression) == (6, "i"), folder
        assert site.verdict is Verdict.CONFIRMED_HEAP, folder


def test_build_tags_choose_the_files(tmp_path: Path) -> None:
    files = program("\tsink = allocate(extra())")
    files["on.go"] = "//go:build special\n\npackage main\n\nfunc extra() int { return *new(int) }\n"
    files["off.go"] = "//go:build !special\n\npackage main\n\nfunc extra() int { return 1 }\n"
    module(tmp_path, files)
    assert not any(s.file == "on.go" for s in escape(tmp_path).sites)
    assert any(s.file == "on.go" for s in escape(tmp_path, flags=("-tags=special",)).sites)


@pytest.mark.parametrize("flag", ["-trimpath", "-buildmode=pie", "-ldflags=-s -w", "-race"])
def test_flags_of_the_build(tmp_path: Path, flag: str) -> None:
    module(tmp_path, program("\tfor i := 0; i < 5; i++ { sink = allocate(i) }"))
    if flag == "-race" and not has_gcc():
        pytest.skip("no C compiler for the race detector")
    site = the_allocation(escape(tmp_path, flags=(flag,)))
    assert (site.hits, site.verdict, site.file) == (5, Verdict.CONFIRMED_HEAP, "main.go")


def test_goflags_that_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(tmp_path, program("\tsink = allocate(1)"))
    monkeypatch.setenv("GOFLAGS", "'-ldflags=-s -w -X main.version=1'")
    with Path(os.devnull).open("w") as nothing:
        report = goprobe.escape(".", go=GO, cwd=tmp_path, stdout=2, stderr=nothing.fileno())
    assert the_allocation(report).verdict is Verdict.CONFIRMED_HEAP
    assert "-X main.version=1 -s=0 -w=0" in report.build.go_line


def test_what_the_user_has_the_compiler_do_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-m=2 is added to the -gcflags that count for a package; it does not take their place."""
    module(tmp_path, program("\tkept = inlined(1)"))
    text = "package main\n\nvar kept *int\n\nfunc inlined(n int) *int { return &n }\n"
    (tmp_path / "more.go").write_text(text)

    def inlines(report: EscapeReport) -> bool:
        return any("inlining call" in text for s in report.sites for text in s.messages)

    assert inlines(escape(tmp_path))
    for flag in ("-gcflags=-l", "-gcflags=all=-N -l", "-gcflags=example.com/...=-l"):
        assert not inlines(escape(tmp_path, flags=(flag,))), flag
    monkeypatch.setenv("GOFLAGS", "'-gcflags=all=-N -l'")
    with Path(os.devnull).open("w") as nothing:
        for flags, expected in (((), False), (("-gcflags=",), True)):
            report = goprobe.escape(
                ".", go=GO, cwd=tmp_path, flags=flags, stdout=2, stderr=nothing.fileno()
            )
            assert inlines(report) is expected


def test_generated_code_and_line_directives(tmp_path: Path) -> None:
    source = """\
    // Code generated by hand. DO NOT EDIT.

    package main

    var sink *int

    //line grammar.y:100
    func made(n int) { sink = &n }

    func main() { made(1); made(2) }
    """
    module(tmp_path, {"main.go": source})
    report = escape(tmp_path)
    found = {(s.file, s.line): s.verdict for s in report.sites if s.expression == "n"}
    assert found[("grammar.y", 102)] is Verdict.CONFIRMED_HEAP
    assert found[("grammar.y", 100)] is Verdict.DEAD


@pytest.mark.skipif(not has_gcc(), reason="no C compiler for cgo")
def test_cgo_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CGO_ENABLED", "1")
    source = """\
    package main

    // static int twice(int x) { return 2 * x; }
    import "C"

    var sink *int

    //go:noinline
    func fresh(i int) *int { v := int(C.twice(C.int(i))); return &v }

    func main() {
        for i := 0; i < 4; i++ { sink = fresh(i) }
    }
    """
    module(tmp_path, {"main.go": source})
    found = {s.expression: s for s in at(escape(tmp_path), "main.go", 9)}
    assert (found["v"].verdict, found["v"].hits) == (Verdict.CONFIRMED_HEAP, 4)


def test_tests_and_benchmarks_of_a_library(tmp_path: Path) -> None:
    module(
        tmp_path,
        {
            "lib.go": "package lib\n\n//go:noinline\nfunc New(i int) *int { return &i }\n",
            "lib_test.go": 'package lib\n\nimport "testing"\n\nvar sink *int\n\n'
            "func TestNew(t *testing.T) { sink = New(1) }\n\n"
            "func TestMore(t *testing.T) { sink = New(1); sink = New(2) }\n\n"
            "func BenchmarkNew(b *testing.B) {\n\tfor i := 0; i < b.N; i++ { sink = New(i) }\n}\n",
        },
    )

    def hits(**options: object) -> int:
        (site,) = [s for s in escape(tmp_path, **options).sites if s.expression == "i"]
        assert site.verdict is Verdict.CONFIRMED_HEAP
        return site.hits

    assert hits(test=True) == 3
    assert hits(run_tests="TestMore") == 2
    assert hits(bench="New") == 101  # one to begin with, then a hundred
    assert hits(bench="New", args=("-test.benchtime=7x",)) == 8
    assert hits(run_tests="No|TestM(ore|any)/nothing") == 2
    with pytest.raises(UsageError, match="matches no benchmark"):
        hits(bench="More")
    with pytest.raises(UsageError, match="matches no test"):
        hits(run_tests="Bench|^New")


def test_deep_takes_in_what_callees_allocate(tmp_path: Path) -> None:
    body = '    for i := 0; i < 3; i++ { fmt.Fprintf(io.Discard, "%d", i) ; sink = allocate(i) }'
    module(tmp_path, with_imports(body, "fmt", "io"))
    shallow, deep = escape(tmp_path), escape(tmp_path, deep=True)
    assert not any("fmt/" in s.file for s in shallow.sites)
    (printer,) = [s for s in deep.sites if s.file.endswith("fmt/print.go") and s.hits]
    assert printer.verdict is Verdict.UNPREDICTED and "not asked for" in printer.reason
    assert all(s.hits for s in deep.sites if s.file.endswith("fmt/print.go"))
    mine = [(s.line, s.col, s.verdict, s.hits) for s in deep.sites if s.file == "main.go"]
    assert mine == [(s.line, s.col, s.verdict, s.hits) for s in shallow.sites]


def test_several_packages_of_which_some_have_tests(tmp_path: Path) -> None:
    test = 'package a\n\nimport "testing"\n\nvar s any\n\nfunc TestA(t *testing.T) { s = New(5) }\n'
    module(
        tmp_path,
        {
            "a/a.go": "package a\n\n//go:noinline\nfunc New(i int) *int { return &i }\n",
            "a/a_test.go": test,
            "b/b.go": "package b\n\nfunc New(i int) *int { return &i }\n",
        },
    )
    report = escape(tmp_path, "./...", test=True)
    assert {Path(s.file).name for s in report.sites} == {"a.go", "a_test.go"}


# Nothing is run


def test_static_looks_at_the_code_alone(tmp_path: Path) -> None:
    body = (
        '\tsink = allocate(1)\n\tvar s any = "constant"\n\tprintln(s.(string))\n'
        '\tos.WriteFile("ran", nil, 0o666)'
    )
    module(tmp_path, with_imports(body, "os"))
    report = escape(tmp_path, static=True)
    assert not (tmp_path / "ran").exists()
    assert not report.ran
    site = the_allocation(report)
    assert (site.verdict, site.hits) == (Verdict.UNOBSERVED, 0)
    assert site.reason.startswith("not run: the code calls runtime.")
    assert {s.verdict for s in report.sites} <= {
        Verdict.UNOBSERVED,
        Verdict.ELIDED,
        Verdict.STATIC,
        Verdict.DEAD,
    }


# Promises


PROMISING = """\
package main

var sink *[1]int
var box any

//go:noinline
func fresh(i int) *[1]int {
	return &[1]int{i} //goprobe:heap
}

// adds never allocates.
//
//goprobe:noalloc
//go:noinline
func adds(a, b int) int {
	return a + b
}

//goprobe:noalloc
//go:noinline
func broken(i int) {
	sink = fresh(i)
	box = i
}

//go:noinline
func local() int {
	//goprobe:stack
	s := make([]int, 4)
	return sum(s)
}

//go:noinline
func sum(s []int) int {
	n := 0
	for _, v := range s {
		n += v
	}
	return n
}

//goprobe:nonsense
func main() {
	text := "//goprobe:heap"
	println(adds(1, 2), local(), len(text))
	broken(1000)
}
"""


def test_a_promise_speaks_of_inlined_code_too(tmp_path: Path) -> None:
    source = """\
    package main

    var kept *int

    //goprobe:noalloc
    func made(i int) *int { return &i }

    //goprobe:heap
    func also(i int) *int { return &i }

    func main() {
        kept = made(1)
        kept = also(2)
    }
    """
    module(tmp_path, {"main.go": source})
    report = escape(tmp_path)
    assert [(a.line, a.held) for a in report.assertions] == [(5, False), (8, True)]
    assert "(line 12)" in report.assertions[0].why


def test_promises_in_the_source(tmp_path: Path) -> None:
    module(tmp_path, {"main.go": PROMISING})
    report = escape(tmp_path)
    held = {a.line: (a.text, a.held, a.why) for a in report.assertions}
    assert held[8][:2] == ("heap", True)
    assert held[13][:2] == ("noalloc", True)
    assert held[19][:2] == ("noalloc", False) and "i (line 23)" in held[19][2]
    assert held[28][:2] == ("stack", True)
    assert held[42][:2] == ("nonsense", False) and "noalloc" in held[42][2]
    assert len(held) == 5
    with pytest.raises(AssertionError, match=r"main\.go:19: goprobe:noalloc"):
        goprobe.assert_promises(report)
    goprobe.assert_no_allocation(report, "main.local")
    with pytest.raises(AssertionError, match="i: confirmed_heap"):
        goprobe.assert_no_allocation(report, "main.go:23")
    with pytest.raises(UsageError, match="no site"):
        goprobe.assert_no_allocation(report, "main.absent")
