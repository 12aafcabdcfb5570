"""The compiler's messages, read from what the real compilers print."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from goprobe.toolchain.diagnostics import Diagnostic, DiagnosticKind, parse_diagnostics
from tests.support.go import matrix, toolchain

K = DiagnosticKind

SOURCE = """package main

import "fmt"

type node struct{ next *node; buf [4]byte; part []byte }

var sink any
var keep *int

func small(n int) *int { return &n }

func leak(p *int) { keep = p }

func content(p **int) { keep = *p }

func result(p *int, n int) *int { return p }

func clean(p *int) int { return *p }

//go:noinline
func spill(n int) int { s := make([]int, n); s[0] = n; return s[0] }

//go:noinline
func zero(s string) int { n := 0; for _, c := range []byte(s) { n += int(c) }; return n }

func (n *node) self() { n.part = n.part[1:2] }

func Generic[T any](v T) *T { return &v }

func grow(s []int) []int { return append(s, 1) }

type stringer interface{ String() string }
type name string

func (n name) String() string { return string(n) }

//go:noinline
func main() {
	sink = "a constant"
	x, y := 1, "two"
	p := &x
	f := func() int { x++; return x }
	fmt.Println(f(), *small(3), clean(p), result(p, 2), spill(4), zero(y))
	leak(small(5))
	content(&keep)
	sink = Generic(1)
	sink = Generic("x")
	n := &node{}
	n.self()
	sink = grow(nil)
	var s stringer = name("n")
	println(s.String())
	raw := []byte(`a raw string
of two lines`)
	sink = raw
	go func() { sink = x }()
}
"""


def release_at_least(go: str, other: str) -> bool:
    return [int(part) for part in go.split(".")] >= [int(part) for part in other.split(".")]


def said(
    folder: Path, go: str, flag: str, *, source: str = SOURCE, file: str = "main.go"
) -> list[bytes]:
    """What a compiler prints. A build from the cache prints the same again."""
    (folder / file).write_text(source)
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOPROXY": "off"}
    environment.pop("PWD", None)
    done = subprocess.run(
        [toolchain(go), "build", f"-gcflags={flag}", "-o", os.devnull, file],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def of(messages: tuple[Diagnostic, ...], kind: DiagnosticKind, expression: str) -> Diagnostic:
    found = [m for m in messages if m.kind is kind and m.expression == expression]
    assert found, f"no {kind} of {expression!r}: {[m.text for m in messages if m.kind is kind]}"
    return found[0]


@pytest.mark.parametrize("go", matrix())
def test_messages_of_each_kind_are_told_apart(go: str, tmp_path: Path) -> None:
    messages = parse_diagnostics(said(tmp_path, go, "-m=2"))
    here = tuple(m for m in messages if m.file == "./main.go")
    assert of(here, K.MOVED, "n").line == 10
    assert of(here, K.LEAKING_PARAM, "p").line == 12
    assert of(here, K.LEAKING_CONTENT, "p").line == 14
    assert of(here, K.LEAKING_RESULT, "p").detail == "~r0 level=0"
    assert of(here, K.DOES_NOT_ESCAPE, "p").line == 18
    assert of(here, K.ESCAPES, '"a constant"').col == 9
    assert of(here, K.INLINING, "small").count >= 1
    assert of(here, K.CAN_INLINE, "clean").detail.startswith("cost ")
    assert of(here, K.CANNOT_INLINE, "main")
    assert of(here, K.SELF_ASSIGNMENT, "(*node).self")
    assert of(here, K.CAPTURING, "x").detail.startswith("addr=")
    assert {m.package for m in messages} == {"command-line-arguments"}
    if release_at_least(go, "1.22"):
        assert [m.line for m in here if m.kind is K.ZERO_COPY] == [24]
    if release_at_least(go, "1.25"):
        assert of(here, K.DOES_NOT_ESCAPE, "make([]int, n)").line == 21
        assert any(m.expression.startswith("append(") for m in here if m.kind is K.ESCAPES)
    else:
        assert of(here, K.ESCAPES, "make([]int, n)").line == 21


@pytest.mark.parametrize("go", matrix())
def test_the_flow_goes_with_its_message(go: str, tmp_path: Path) -> None:
    messages = parse_diagnostics(said(tmp_path, go, "-m=2"))
    moved = next(m for m in messages if m.kind is K.MOVED and m.line == 10)
    assert moved.flow[0].startswith("flow: ~r0 ")
    assert any("(address-of)" in step for step in moved.flow)
    explained = [m for m in messages if m.kind in (K.ESCAPES, K.MOVED) and m.flow]
    unexplained = [m for m in messages if m.kind in (K.ESCAPES, K.MOVED) and not m.flow]
    assert len(explained) > 8 and not unexplained
    if release_at_least(go, "1.25"):
        assert moved.function == "small"


@pytest.mark.parametrize("go", matrix())
def test_raw_strings_of_many_lines_stay_whole(go: str, tmp_path: Path) -> None:
    messages = parse_diagnostics(said(tmp_path, go, "-m=2"))
    found = [m for m in messages if "raw string" in m.text and m.kind is K.ESCAPES]
    assert found and all("of two lines" in m.expression for m in found)


@pytest.mark.parametrize("go", matrix())
def test_one_message_for_each_shape_of_a_generic_function(go: str, tmp_path: Path) -> None:
    messages = parse_diagnostics(said(tmp_path, go, "-m=1"))
    texts = [(m.line, m.col, m.text) for m in messages]
    assert len(texts) == len(set(texts))
    assert max(m.count for m in messages) > 1


@pytest.mark.parametrize("go", matrix())
def test_plain_m_gives_the_same_predictions_without_the_flow(go: str, tmp_path: Path) -> None:
    short, long = (parse_diagnostics(said(tmp_path, go, f)) for f in ("-m", "-m=2"))
    kinds = (K.ESCAPES, K.MOVED, K.DOES_NOT_ESCAPE, K.LEAKING_PARAM)

    def predictions(messages: tuple[Diagnostic, ...]) -> set[tuple[int, int, str]]:
        return {(m.line, m.col, m.text) for m in messages if m.kind in kinds}

    assert predictions(short) == predictions(long)
    assert not any(m.flow for m in short)


@pytest.mark.parametrize("go", matrix())
def test_line_directives_name_files_and_may_leave_out_columns(go: str, tmp_path: Path) -> None:
    source = (
        "package main\n\nvar sink *int\n\n//line grammar.y:100\n"
        "func a(n int) { sink = &n }\n\n//line other.y:7:3\nfunc b(n int) { sink = &n }\n\n"
        "func main() { a(1); b(2) }\n"
    )
    messages = parse_diagnostics(said(tmp_path, go, "-m", source=source))
    moved = {(m.file.removeprefix("./"), m.line): m.col for m in messages if m.kind is K.MOVED}
    assert moved[("grammar.y", 100)] == 0
    assert moved[("other.y", 7)] > 0


def test_what_is_no_message_is_left_out() -> None:
    output = "# pkg\n/usr/bin/ld: warning: something\n./a.go:1:2: x escapes to heap\nfoo\n"
    (message,) = parse_diagnostics(output.encode().splitlines())
    assert (message.package, message.file, message.line, message.expression) == (
        "pkg",
        "./a.go",
        1,
        "x",
    )


def test_a_package_and_its_test_variant_are_told_apart() -> None:
    line = "./a.go:1:2: moved to heap: x\n"
    messages = parse_diagnostics(f"# p\n{line}# p [p.test]\n{line}".encode().splitlines())
    assert [m.package for m in messages] == ["p", "p [p.test]"]


def test_nothing_is_said_of_nothing() -> None:
    assert parse_diagnostics([]) == ()


def test_the_appends_of_an_inlined_function_are_told_apart_by_their_flows() -> None:
    """As Go 1.27 tells of them, where the function was called."""
    flows = "".join(
        f"./a.go:7:7: append({name}, 1) escapes to heap in f:\n"
        f"./a.go:7:7:   flow: {{heap}} <- {name}:\n"
        for name in ("x", "y")
    )
    output = f"# p\n{flows}" + "./a.go:7:7: append escapes to heap\n" * 2
    messages = parse_diagnostics(output.encode().splitlines())
    assert [(m.expression, m.flow) for m in messages] == [
        ("append(x, 1)", ("flow: {heap} <- x:",)),
        ("append(y, 1)", ("flow: {heap} <- y:",)),
    ]
