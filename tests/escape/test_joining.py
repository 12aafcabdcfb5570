"""The pieces that join the compiler's words with the code: expressions, parameters, promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from goprobe.analysis.escape.expressions import same_type, shape_of
from goprobe.analysis.escape.predictions import is_global, is_parameter
from goprobe.analysis.escape.promises import promises_in
from goprobe.analysis.escape.score import same_function
from goprobe.analysis.escape.sources import Sources
from goprobe.runtime.allocatorcalls import Family
from goprobe.toolchain.diagnostics import Diagnostic, DiagnosticKind
from goprobe.toolchain.gosource import code_only

F = Family


@pytest.mark.parametrize(
    ("expression", "family", "kind"),
    [
        ("&point{...}", F.OBJECT, "point"),
        (
            "&pair[go.shape.int,go.shape.string]{...}",
            F.OBJECT,
            "pair[go.shape.int,go.shape.string]",
        ),
        ("new(int)", F.OBJECT, "int"),
        ("func literal", F.OBJECT, "struct { F uintptr"),
        ("... argument", F.OBJECT, "["),
        ("c.add", F.OBJECT, "struct { F uintptr; R "),
        ("[]int{...}", F.OBJECT, "]int"),
        ("make([]int, n)", F.SLICE, "int"),
        ("make([]pair, n, 2 * n)", F.SLICE, "pair"),
        ("make([]map[string][]int, f(x))", F.SLICE, "map[string][]int"),
        ("make(map[int]int)", F.MAP, "map[int]int"),
        ("make(map[string]int, 10)", F.MAP, "map[string]int"),
        ("map[string]int{...}", F.MAP, "map[string]int"),
        ("make(chan int, 4)", F.CHANNEL, "chan int"),
        ("append", F.GROW, ""),
        ("append(s, f(x)...)", F.GROW, ""),
        ("a + b", F.CONCAT, ""),
        ("string(b)", F.TO_STRING, ""),
        ("([]byte)(s)", F.TO_BYTES, "]byte"),
        ("([]rune)(s)", F.TO_RUNES, ""),
        ("x", F.CONVERT, ""),
        ('"text with + and make([]int, n)"', F.CONVERT, ""),
        ("1.5", F.CONVERT, ""),
    ],
)
def test_what_an_expression_can_be_made_by(expression: str, family: Family, kind: str) -> None:
    shape = shape_of(expression, moved=False)
    assert family in shape.families
    assert shape.type == kind


def test_literals_as_values_of_interfaces_are_constants() -> None:
    assert all(shape_of(e, moved=False).constant for e in ('"a"', "7", "-1", "'x'", "true"))
    assert not any(shape_of(e, moved=False).constant for e in ("a", "x1", "f(1)", 'a + "b"'))


def test_a_moved_variable_is_an_object_whatever_its_name() -> None:
    assert shape_of("append", moved=True).families == {F.OBJECT}


@pytest.mark.parametrize(
    ("compiler", "runtime", "same"),
    [
        ("point", "main.point", True),
        ("*point", "*main.point", True),
        ("errors.errorString", "errors.errorString", True),
        ("[4]byte", "[4]uint8", True),
        ("map[string]any", "map[string]interface {}", True),
        ("pair[go.shape.int]", "main.pair[go.shape.int]", True),
        ("struct {}", "struct {}", True),
        ("int", "main.pint", False),
        ("point", "main.pointer", False),
        ("int32", "int64", False),
    ],
)
def test_two_spellings_of_a_type(compiler: str, runtime: str, same: bool) -> None:
    assert same_type(compiler, runtime, exact=True) is same


@pytest.mark.parametrize(
    ("expression", "runtime", "same"),
    [
        ("[]int{...}", "[3]int", True),
        ("[]int{...}", "[2][]int", False),
        ("[]int{...}", "map[string]int", False),
        ("[]go.shape.[]int{...}", "[1][]int", True),
        ("... argument", "[2][]int", True),
        ("... argument", "map[string]int", False),
        ("func literal", "struct { F uintptr; X0 int }", True),
        ("([]byte)(s)", "[32]uint8", True),
    ],
)
def test_of_arrays_the_length_is_not_told(expression: str, runtime: str, same: bool) -> None:
    assert same_type(shape_of(expression, moved=False).type, runtime, exact=False) is same


SOURCE = """\
package main

var table = map[string]int{
	"a": 1,
}

func plain(a int, b *T) int {
	call(a, b)
	return f(func(c any) { keep(c) })
}

func (r *T) method(
	x, y int,
) (out int) {
	keep(x)
}

func generic[P any](v P) { keep(v) }

type t struct{}

var late any = global
"""


@pytest.mark.parametrize(
    ("where", "name", "parameter"),
    [
        ("(a int", "a", True),
        ("b *T", "b", True),
        ("call(a", "a", False),
        ("b)\n", "b", False),
        ("(c any)", "c", True),
        ("keep(c", "c", False),
        ("(r *T)", "r", True),
        ("x, y int", "x", True),
        ("y int", "y", True),
        ("keep(x", "x", False),
        ("[P any]", "P", False),
        ("(v P)", "v", True),
        ("keep(v", "v", False),
    ],
)
def test_parameters_are_told_from_arguments(
    tmp_path: Path, where: str, name: str, parameter: bool
) -> None:
    file = tmp_path / "a.go"
    file.write_text(SOURCE)
    at = SOURCE.index(where) + where.index(name if name in where else where)
    line = SOURCE.count("\n", 0, at) + 1
    col = at - (SOURCE.rfind("\n", 0, at) + 1) + 1
    message = Diagnostic(
        package="p",
        file=str(file),
        line=line,
        col=col,
        kind=DiagnosticKind.DOES_NOT_ESCAPE,
        expression=name,
        text="",
    )
    assert is_parameter(message, str(file), Sources()) is parameter


def test_package_variables_are_told_from_functions(tmp_path: Path) -> None:
    file = tmp_path / "a.go"
    file.write_text(SOURCE)
    lines = SOURCE.splitlines()
    found = {n for n, text in enumerate(lines, 1) if text and is_global(str(file), n, Sources())}
    assert found == {3, 4, 5, 22}


def test_sources_that_are_not_there_have_no_lines(tmp_path: Path) -> None:
    sources = Sources()
    assert sources.line(str(tmp_path / "none.go"), 3) == ""
    assert sources.before(str(tmp_path), 1, 1) == ""
    assert not is_global(str(tmp_path / "none.go"), 3, sources)


PROMISES = """\
package p

//goprobe:noalloc
func one() { return }

// two does it.
//
//goprobe:stack
func two(m map[string]struct{ a int }) interface{} {
	x := "//goprobe:heap" // not this
	y := `//goprobe:heap
	//goprobe:heap`
	/* //goprobe:heap */
	return x + y //goprobe:heap
}

func three() {
	//goprobe:noalloc
	z := 1
	// a remark: //goprobe:heap is a comment
}
"""


def test_where_promises_stand_and_what_of() -> None:
    found = [
        (p.line, p.word, p.spans[0].first, p.spans[0].last, p.function)
        for p in promises_in("p.go", PROMISES)
    ]
    assert found == [
        (3, "noalloc", 4, 4, True),
        (8, "stack", 9, 15, True),
        (14, "heap", 14, 14, False),
        (18, "noalloc", 19, 19, False),
    ]


@pytest.mark.parametrize(
    ("words", "other"),
    [
        ("noalloc deep nosplit", "nosplit"), ("noalloc, nosplit", "nosplit"),
        ("stack and noalloc", "noalloc"), ("nodynamic noalloc deep", "noalloc"),
        ("noalloc deep except panics && noassert", "noassert"),
        ("noalloc because it is hot", ""), ("noalloc deep // nosplit is not needed", ""),
        ("noalloc (nosplit is not)", ""), ("nosplit deep", ""),
    ],
)  # fmt: skip
def test_a_promise_drops_no_other(words: str, other: str) -> None:
    (promise,) = promises_in("p.go", f"package p\n\n//goprobe:{words}\nfunc f() {{\n}}\n")
    assert promise.problem == (
        other and f"it promises one thing: {other} needs a comment of its own"
    )


BLOCKS = """\
package p

//goprobe:noalloc
var handler = func(n int) {
	sink = &n
}

func f(n int) {
	for i := range n { //goprobe:noalloc deep
		g(i)
	}
	//goprobe:allow-alloc "cold"
	if n > 3 {
		g(n)
	} else {
		h(n)
	}
	go func() { //goprobe:stack
		g(n)
	}()
	switch n {
	case 1: //goprobe:noalloc
		g(map[int]int{
			1: n,
		})
	//goprobe:noalloc
	default:
		h(n)
	}
	g(n) //goprobe:noalloc
}
"""


def test_promises_of_lines_that_open_a_block() -> None:
    spans = [(p.spans[0].first, p.spans[0].last) for p in promises_in("p.go", BLOCKS)]
    assert spans == [(4, 6), (9, 11), (13, 17), (18, 18), (22, 26), (27, 28), (30, 30)]


@given(st.text(alphabet="a\"`'/*\\\n{}() ", max_size=60))
def test_blanking_comments_keeps_every_line_and_column(text: str) -> None:
    plain = code_only(text)
    assert [len(line) for line in plain.split("\n")] == [len(line) for line in text.split("\n")]
    list(promises_in("x.go", text + "\n//goprobe:heap"))


def test_a_quote_that_is_a_rune_begins_no_string() -> None:
    """An exported function behind it belongs to the program that is made of a library."""
    text = "var a = '`'\n\nfunc F() {}\n\nvar b = '`'"
    assert code_only(text) == "var a = ___\n\nfunc F() {}\n\nvar b = ___"


@pytest.mark.parametrize(
    "expression, runtime",
    [
        ("[]struct { Name string; Age int }{...}", "[4]struct { Name string; Age int }"),
        ("[]map[string]struct {}{...}", "[2]map[string]struct {}"),
        ("&struct { a, b int }{...}", "struct { a, b int }"),
        ("&struct {}{}", "struct {}"),
        ("map[string]struct {}{...}", "map[string]struct {}"),
    ],
)
def test_types_with_braces_of_their_own(expression: str, runtime: str) -> None:
    shape = shape_of(expression, moved=False)
    assert same_type(shape.type, runtime, shape.exact)
    assert not same_type(shape.type, runtime.replace("struct {", "struct { z int;"), shape.exact)


@pytest.mark.parametrize(
    ("full", "short", "same"),
    [
        ("example.com/a.F", "F", True),
        ("example.com/a.F", "a.F", True),
        ("example.com/a.(*T).M", "(*T).M", True),
        ("example.com/a.(*T).M", "(*T).N", False),
        ("a.aF", "F", False),
        # All from the first bracket to the last was one up to Go 1.26.
        ("a.(*T[...]).M[...]", "(*T[int]).M[string]", True),
        ("a.(*T[...]).M[...]", "(*T[int]).N[string]", False),
        ("a.(*T[...]", "(*T[int]).M[string]", True),
        ("a.F[...]", "F[func(b[int]) []c]", True),
        ("a.F[...].func1", "F[map[b]c].func1", True),
        ("a.F[go.shape.int]", "F[go.shape.int]", True),
        # The compiler says the package's name, the linker its path.
        ("example.com/yaml/v2.Parse", "yaml.Parse", True),
        ("gopkg.in/yaml%2ev3.(*T).Parse", "yaml.(*T).Parse", True),
        ("example.com/yaml/v2.F[...]", "yaml.F[int]", True),
        ("example.com/yaml/v2.Parse", "json.Parse", False),
    ],
)
def test_two_names_of_a_function(full: str, short: str, same: bool) -> None:
    assert same_function(full, short) is same
