"""Roots that are put together: what is said of each part stays."""

from __future__ import annotations

from goprobe.runtime.roots.groups import RootGroup, RootKind, Roots, join


def _roots(*names: str, note: str) -> Roots:
    roots = Roots()
    for name in names:
        at = roots.group(RootGroup(kind=RootKind.GLOBAL, name=name))
        roots.group(RootGroup(kind=RootKind.GLOBAL, name=f"part of {name}", parent=at))
        roots.add(at, 8, 1)
    roots.lose(note)
    return roots


def test_what_is_said_of_parts_without_any_roots_stays() -> None:
    whole = join(_roots(note="first"), _roots("a", "b", note="second"), _roots("c", note="third"))
    assert [group.name for group in whole.groups] == [
        "a",
        "part of a",
        "b",
        "part of b",
        "c",
        "part of c",
    ]
    assert [group.parent for group in whole.groups] == [-1, 0, -1, 2, -1, 4]
    owners = [owner for part in whole.parts() for owner in part.owners.tolist()]
    assert owners == [0, 2, 4]
    assert whole.notes == whole.lost == ["first", "second", "third"]
