"""Go's statements, as far as it takes to follow variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.analysis.trace.gosource import line_of
from goprobe.analysis.trace.gosyntax import Block, Literal, functions_of
from goprobe.analysis.trace.gotokens import tokens_of


def functions(tmp_path: Path, text: str) -> tuple[Literal, ...]:
    file = tmp_path / "p.go"
    file.write_text(text)
    return functions_of(str(file))


def outline(block: Block) -> list[object]:
    """Each statement's keyword and lines, and what it holds."""
    return [
        (s.keyword, s.first, s.last, *([outline(b) for b in s.blocks])) for s in block.statements
    ]


def test_functions_and_literals(tmp_path: Path) -> None:
    found = functions(
        tmp_path,
        "package p\n\nvar v = func() int {\n\treturn 1\n}\n\n"
        "func (t *T) m(f func(int) struct{ a int }) (x interface{ m() }) {\n"
        "\tgo func() {\n\t\tdefer func() {}()\n\t}()\n}\n",
    )
    assert sorted((f.line, f.body.first, f.body.last) for f in found) == [
        (3, 3, 5),
        (7, 7, 11),
        (8, 8, 10),
        (9, 9, 9),
    ]


def test_a_literal_in_a_header_is_no_block(tmp_path: Path) -> None:
    (code,) = functions(
        tmp_path,
        "package p\nfunc f() {\n\tfor _, x := range []T{{1}, {2}} {\n\t\tuse(x)\n\t}\n"
        "\tif v := (T{3}); v.a > 1 {\n\t\tuse(v)\n"
        "\t} else if g() {\n\t\tuse()\n\t} else {\n\t}\n}\n",
    )
    assert outline(code.body) == [
        ("for", 3, 5, [("", 4, 4)]),
        ("if", 6, 11, [("", 7, 7)], [("if", 8, 11, [("", 9, 9)], [])]),
    ]


def test_clauses(tmp_path: Path) -> None:
    (code,) = functions(
        tmp_path,
        "package p\nfunc f() {\n\tselect {\n\tcase x := <-c:\n\t\tuse(x)\n\tdefault:\n\t}\n}\n",
    )
    assert outline(code.body) == [
        ("select", 3, 7, [("case", 4, 5, [("", 5, 5)]), ("case", 6, 7, [])])
    ]


def test_what_is_no_go_is_taken_as_it_comes(tmp_path: Path) -> None:
    assert functions(tmp_path, "") == ()
    functions(tmp_path / ".", "func f( { ) } if { case ] else")
    deep = "func f() " + "{ if x " * 5000
    (tmp_path / "deep.go").write_text(deep)
    functions_of(str(tmp_path / "deep.go"))
    assert functions_of(str(tmp_path / "missing.go")) == ()


def test_labels_are_no_statements(tmp_path: Path) -> None:
    (code,) = functions(
        tmp_path,
        "package p\nfunc f() {\nagain: for i := range b {\n\t\tcontinue again\n\t}\n"
        "there:\n\t{\n\t\tuse()\n\t}\nend:\n}\n",
    )
    assert outline(code.body) == [
        ("for", 3, 5, [("", 4, 4)]),
        ("", 7, 9, [("", 8, 8)]),
    ]


def test_what_trimpath_left_of_a_path_is_no_file_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "main.go").write_text("package main\n")
    monkeypatch.chdir(tmp_path)
    assert not tokens_of("truth/main.go")
    assert not line_of("truth/main.go", 1)
    assert tokens_of(str(tmp_path / "truth" / "main.go"))
    assert line_of(str(tmp_path / "truth" / "main.go"), 1) == "package main"
    assert not tokens_of("/truth\0/main.go")
