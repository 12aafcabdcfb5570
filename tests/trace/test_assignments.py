"""Which assignments of a source may have given a variable its value at a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.analysis.trace.assignments import Assignments, assignments
from goprobe.analysis.trace.goscopes import NameScope, named_results, names_outer, scope_of
from goprobe.analysis.trace.gosyntax import Literal, functions_of
from goprobe.binary.dwarf.gotypes import GoKind

HEAD = "package p\n"  # a function's body begins at line 3


def function(tmp_path: Path, *body: str, head: str = "func f(a int, b []int) (c int)") -> Literal:
    file = tmp_path / "p.go"
    file.write_text(HEAD + head + " {\n" + "\n".join(body) + "\n}\n")
    return functions_of(str(file))[0]


def at(code: Literal, name: str, declared: int, line: int) -> Assignments:
    found = assignments(code, name, declared, line)
    assert found is not None
    return found


def reaching(code: Literal, name: str, declared: int, line: int) -> set[int]:
    return {site.line for site in at(code, name, declared, line).reaching}


def test_the_last_assignment_holds(tmp_path: Path) -> None:
    code = function(tmp_path, "x := 1", "use(x)", "x = 2", "x++", "use(x)")
    assert reaching(code, "x", 3, 4) == {3}
    assert reaching(code, "x", 3, 7) == {6}
    assert {site.line for site in at(code, "x", 3, 7).others} == {3, 5}


def test_a_parameter_is_given_by_the_call(tmp_path: Path) -> None:
    code = function(tmp_path, "use(a)", "a = 3", "use(a)")
    assert reaching(code, "a", 2, 3) == {2}
    assert reaching(code, "a", 2, 5) == {4}


def test_ways_join(tmp_path: Path) -> None:
    code = function(
        tmp_path,
        "x := 1",
        "if a > 3 {",
        "x = 2",
        "} else if a > 2 {",
        "return",
        "} else {",
        "x = 4",
        "}",
        "use(x)",
    )
    assert reaching(code, "x", 3, 11) == {5, 9}


def test_a_loop_comes_back(tmp_path: Path) -> None:
    code = function(
        tmp_path,
        "x := 1",
        "for i := 0; i < 3; i++ {",
        "use(x)",
        "if i == 2 { break }",
        "x = 2",
        "}",
        "use(x)",
    )
    assert reaching(code, "x", 3, 5) == {3, 7}
    assert reaching(code, "x", 3, 9) == {3, 7}
    assert {(s.line, s.part) for s in at(code, "i", 4, 5).reaching} == {(4, 0), (4, 1)}


def test_clauses_of_a_switch(tmp_path: Path) -> None:
    code = function(
        tmp_path,
        "x := 1",
        "switch a {",
        "case 1:",
        "x = 2",
        "case 2:",
        "x = 3",
        "fallthrough",
        "default:",
        "use(x)",
        "}",
        "use(x)",
    )
    assert reaching(code, "x", 3, 11) == {3, 8}
    assert reaching(code, "x", 3, 13) == {3, 6, 8}


def test_an_inner_variable_of_the_name_is_another(tmp_path: Path) -> None:
    code = function(tmp_path, "x := 1", "if true {", "x := x", "x = 5", "use(x)", "}", "use(x)")
    assert reaching(code, "x", 3, 9) == {3}
    assert reaching(code, "x", 5, 7) == {6}


def test_a_statement_has_all_of_its_lines(tmp_path: Path) -> None:
    code = function(tmp_path, "x := T{", "a: 1,", "b: 2,", "}", "use(x)")
    (site,) = at(code, "x", 3, 7).reaching
    assert list(site.lines) == [3, 4, 5, 6]


def test_parts_methods_and_slices(tmp_path: Path) -> None:
    code = function(
        tmp_path, "x := T{}", "x.a = 2", "x.b[1]++", "x.grow(3)", "y := x.b[1:]", "use(x.a, y)"
    )
    known = at(code, "x", 3, 8)
    assert {site.line for site in known.partial} == {4, 5}
    assert {site.line for site in known.reaching} == {3, 4, 5}
    assert known.changed == {6, 7}
    assert not known.shares


@pytest.mark.parametrize(
    ("line", "shares"),
    [
        ("p := &x", True),
        ("y := a & x", False),
        ("g := func() { x = 2 }", True),
        ("g := func() { x := x; x++ }", False),
        ("g := func() { h := func() { x++ } }", True),
        ("g := func(x int) { x++ }", False),
        ("g := func() { use(x) }", False),
    ],
)
def test_who_else_may_assign(tmp_path: Path, line: str, shares: bool) -> None:
    code = function(tmp_path, "x := 1", line, "use(x)")
    known = at(code, "x", 3, 5)
    assert known.shares is shares
    assert known.shared is shares
    assert known.changed == ({4} if "&x" in line and shares else frozenset())


def test_what_a_closure_assigns(tmp_path: Path) -> None:
    code = function(tmp_path, "x := 1", "g := func() {", "x = 2", "}", "g()", "use(x)")
    (far,) = at(code, "x", 3, 8).remote
    assert (far.site.line, far.first, far.last) == (5, 4, 6)


def test_named_results_hold_at_the_end(tmp_path: Path) -> None:
    code = function(tmp_path, "c = 1", "if a > 3 {", "c = 2", "return", "}", "return c")
    assert reaching(code, "c", 2, 9) == {3, 5}


def test_scopes(tmp_path: Path) -> None:
    code = function(
        tmp_path,
        "x := 1",
        "for i, y := range b {",
        "z := i",
        "use(z, y)",
        "}",
        "switch v := any(x).(type) {",
        "case int:",
        "use(v)",
        "default:",
        "use(v)",
        "}",
    )
    assert scope_of(code, "a", 2) == NameScope(2, 14)
    assert scope_of(code, "x", 3) == NameScope(3, 14)
    assert scope_of(code, "y", 4) == NameScope(4, 7)
    assert scope_of(code, "z", 5) == NameScope(5, 7)
    assert scope_of(code, "v", 9) == NameScope(9, 10)
    assert scope_of(code, "v", 11) == NameScope(11, 13)
    assert scope_of(code, "w", 3) is None


def test_a_goto_is_not_followed(tmp_path: Path) -> None:
    code = function(tmp_path, "x := 1", "again:", "x = 2", "goto again", "use(x)")
    known = at(code, "x", 3, 5)
    assert known.jumps and not known.shares


def test_a_declaration_that_also_means_the_variable_outside(tmp_path: Path) -> None:
    code = function(tmp_path, "x := a", "if x > 1 {", "x, y := x + 1, 2", "use(x, y)", "}")
    assert not names_outer(code, "x", 3)
    assert names_outer(code, "x", 5)
    assert not names_outer(code, "y", 5)


def test_return_gives_a_named_result_its_value(tmp_path: Path) -> None:
    code = function(tmp_path, "use(c)", "if a > 3 {", "return a", "}", "return 2")
    known = at(code, "c", 2, 3)
    assert {site.line for site in known.reaching} == {2}
    assert {site.line for site in known.others} == {5, 7}
    assert reaching(code, "c", 2, 8) == {5, 7}
    assert not at(code, "a", 2, 3).others


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("func f(a int, b []int) (c int, d func(e int) int)", {"c", "d"}),
        ("func (r *T) f(a int) (c int)", {"c"}),
        ("func (r *T) f(a int) int", set()),
        ("func f(a int) func(b int) (c int)", {"c"}),
        ("func f(a int)", set()),
    ],
)
def test_names_of_results(tmp_path: Path, head: str, names: set[str]) -> None:
    assert named_results(function(tmp_path, head=head).signature) == names


def test_what_a_pointer_leads_to_is_no_part_of_it(tmp_path: Path) -> None:
    body = ("use(p)", "p.f = 1", "p.g[2]++", "q := &p.h", "p.M(q)", "p = p.next", "use(p)")
    code = function(tmp_path, *body, head="func f(p *T)")
    led = assignments(code, "p", 2, 9, GoKind.POINTER)
    assert led is not None and not (led.partial or led.shares or led.changed)
    assert {site.line for site in led.reaching} == {8}
    struct = assignments(code, "p", 2, 9, GoKind.STRUCT)
    assert struct is not None and struct.shares
    assert {site.line for site in struct.partial} == {4, 5} and struct.changed == {6, 7}


def test_elements_of_slices_and_maps_are_no_part_of_them(tmp_path: Path) -> None:
    code = function(tmp_path, "b[0] = 1", "q := &b[1]", "b = b[1:]", "use(b, q)")
    found = assignments(code, "b", 2, 6, GoKind.SLICE)
    assert found is not None and not (found.partial or found.shares)
    assert {site.line for site in found.reaching} == {5}
    array = assignments(code, "b", 2, 6, GoKind.ARRAY)
    assert array is not None and array.partial and array.shares
