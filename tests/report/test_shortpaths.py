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
