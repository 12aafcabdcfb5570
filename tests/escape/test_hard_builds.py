"""Packages that are laid out or built unusually, and promises in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import goprobe
from goprobe.analysis.escape.request import EscapeRequest, require_tests
from goprobe.errors import UsageError
from goprobe.model.escape import EscapeReport, Site, Verdict
from goprobe.model.trace import Exit
from goprobe.toolchain.escapebuild import EscapeBuild, GoPackage
from tests.escape.hardship import GO, escape, module, program, the_allocation, with_imports
from tests.support.go import build, has_gcc, matrix, toolchain


def at(report: EscapeReport, file: str, line: int) -> list[Site]:
    return [s for s in report.sites if s.file == file and s.line == line and not s.parameter]


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


@pytest.mark.parametrize("go", matrix())
def test_generated_code_and_line_directives(tmp_path: Path, go: str) -> None:
    source = """\
    // Code generated by hand. DO NOT EDIT.

    package main

    var sink *int

    //line grammar.y:100
    func made(n int) { sink = &n }

    func main() { made(1); made(2); other.Made(3) }
    """
    source = source.replace("var sink", 'import "example.com/m/other"\n\n    var sink')
    other = """\
    package other

    var sink *int

    //line other.y:200

    //goprobe:noalloc
    //go:noinline
    func Made(n int) { sink = &n }

    //go:noinline
    func Later() { defer func() { sink = new(int) }() }
    """
    source = source.replace("other.Made(3)", "other.Made(3); other.Later()")
    module(tmp_path, {"main.go": source, "other/other.go": other})
    named = ("other.Later noalloc",)
    report = escape(tmp_path, "./...", go=str(toolchain(go)), promises=named)
    found = {(s.file, s.line): s.verdict for s in report.sites if s.expression == "n"}
    assert found[("grammar.y", 102)] is Verdict.CONFIRMED_HEAP
    assert found[("grammar.y", 100)] is Verdict.DEAD
    assert found[("other/other.y", 203)] is Verdict.CONFIRMED_HEAP
    for promise in report.assertions:
        assert promise.known and not promise.held, promise.why


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


@pytest.mark.skipif(not has_gcc(), reason="no C compiler for cgo")
def test_a_program_that_ends_before_the_runtime_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CGO_ENABLED", "1")
    source = """\
    package main

    // #include <stdlib.h>
    // __attribute__((constructor)) static void early(void) { exit(3); }
    import "C"

    var sink *int

    func main() { n := 3; sink = &n }
    """
    module(tmp_path, {"main.go": source})
    report = escape(tmp_path)
    assert report.exit == Exit(code=3)
    assert not [s for s in report.sites if s.hits]


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
    assert hits(bench="New", run_tests="^$") == 101
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


def test_that_code_allocates_nothing_is_not_said_where_there_is_none(tmp_path: Path) -> None:
    library = """\
    package a

    func unused(n int) []int { return make([]int, n) }

    func Unused(n int) []int { return unused(n) }

    //go:noinline
    func Used(n int) int { if n > 1000 { _ = make([]int, 3); n++ }; return n }
    """
    test = 'package a\n\nimport "testing"\n\nfunc TestA(t *testing.T) { println(Used(1)) }\n'
    module(tmp_path, {"a/a.go": library, "a/a_test.go": test})
    report = escape(tmp_path, "./...", test=True)
    for name in ("a.go:3", "a.go:5", "Unused", "a.Unused", "example.com/m/a.unused"):
        with pytest.raises(AssertionError, match="its code is not in this binary"):
            goprobe.assert_no_allocation(report, name)
    for name in ("a.go:8", "a.Used"):
        goprobe.assert_no_allocation(report, name)


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


def test_a_package_whose_path_ends_with_a_version_is_named_as_it_is_imported(
    tmp_path: Path,
) -> None:
    """Its symbols have lib%2ev3."""
    library = "package lib\n\nvar Sink any\n\n//go:noinline\nfunc F(n int) { Sink = &n }\n"
    main = 'package main\n\nimport lib "example.com/m/lib.v3"\n\nfunc main() { lib.F(1000) }\n'
    module(tmp_path, {"main.go": main, "lib.v3/l.go": library})
    names = ("lib.v3.F", "example.com/m/lib.v3.F", "lib%2ev3.F", "example.com/m/lib%2ev3.F")
    report = escape(tmp_path, "./...", promises=tuple(f"{name} noalloc" for name in names))
    assert len(report.assertions) == len(names)
    assert all("n (line 6): confirmed_heap" in a.why for a in report.assertions)
    for name in names:
        with pytest.raises(AssertionError, match="n: confirmed_heap"):
            goprobe.assert_no_allocation(report, name)


def test_what_another_method_with_types_of_its_own_makes_is_not_a_promises(tmp_path: Path) -> None:
    """As Go has them since 1.27; both are inlined, and the one of the promise does not run."""
    source = """
        package main

        import "os"

        var sink any

        type T[A any] struct{ a A }

        //goprobe:noalloc
        func (t *T[A]) M[B any](b B) { x := 1; sink = &x }

        func (t *T[A]) N[B any](b B) { x := 2; sink = &x }

        func main() {
            t := &T[int]{}
            if len(os.Args) > 3 {
                t.M("s")
            }
            t.N("s")
        }
        """
    module(tmp_path, {"main.go": source, "go.mod": "module example.com/m\n\ngo 1.27\n"})
    (promise,) = escape(tmp_path).assertions
    assert (promise.held, promise.known) == (False, False)
    assert promise.why == "x (line 18) can allocate, and this code never ran"


def test_binaries_are_read_until_a_test_is_found(tmp_path: Path) -> None:
    """Of many packages their names alone take hundreds of MB."""
    body = "//go:noinline\nfunc TestOne() {}\n\nfunc main() { TestOne() }\n"
    package = GoPackage("p", "main", tmp_path, (), ("p",), tmp_path, False)
    one = EscapeBuild(build(f"package main\n\n{body}"), (), (), tmp_path, package, (package,), 0.0)

    def builds() -> Iterator[EscapeBuild]:
        yield one
        raise AssertionError("another binary was asked for")

    require_tests(EscapeRequest(targets=("p",), run="One", bench=""), builds())
    with pytest.raises(UsageError, match="matches no test of p"):
        require_tests(EscapeRequest(targets=("p",), run="Two"), (one, one))
