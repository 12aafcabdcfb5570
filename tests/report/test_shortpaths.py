"""Package paths are as short as they stay clear."""

from __future__ import annotations

from goprobe.report.words import short_paths, shortened


def test_a_path_is_cut_to_what_no_other_ends_in() -> None:
    names = [
        "map[string]*net/http.Header",
        "github.com/a/regexp2/v2/syntax.Range",
        "[]regexp/syntax.Prog",
        "held by several: *example.com/x/time.Zone and time.Location",
        "main.store used by example.com/x/shop.(*Store).Get",
    ]
    short = short_paths(names)
    assert [shortened(name, short) for name in names] == [
        "map[string]*http.Header",
        "v2/syntax.Range",
        "[]regexp/syntax.Prog",
        "held by several: *x/time.Zone and time.Location",
        "main.store used by shop.(*Store).Get",
    ]


def test_a_package_is_told_from_another_of_its_name_by_functions_methods_and_types() -> None:
    names = ["x/b.T.m", "y/b.(*T).m", "gopkg.in/yaml.v2.Node.Decode", "a/yaml/ast.F[x/b.T]"]
    short = short_paths(names)
    assert [shortened(name, short) for name in names] == [
        "x/b.T.m",
        "y/b.(*T).m",
        "yaml.v2.Node.Decode",
        "ast.F[x/b.T]",
    ]


def test_what_a_string_says_stays_as_it_is() -> None:
    name = 'a/b.store.byPath["a/b.T"].next'
    assert shortened(name, short_paths([name])) == 'b.store.byPath["a/b.T"].next'
