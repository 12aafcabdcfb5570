"""Whether what a pointer leads to may still be what the program put there."""

from __future__ import annotations

import pytest

from goprobe.model.address import Address
from goprobe.model.location import Kind, Location
from goprobe.runtime.values.inuse import given_up


def place(kind: Kind, **detail: bool | int | str) -> Location:
    return Location(kind=kind, address=Address(0x1000), name="", detail=detail, evidence=())


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (place(Kind.HEAP, allocated=True), ""),
        (place(Kind.HEAP, allocated=False), "free"),
        (place(Kind.RODATA), ""),
        (place(Kind.RUNTIME, what="stack cache"), "stack cache"),
        (place(Kind.RUNTIME, what="span metadata"), ""),
        (place(Kind.GOROUTINE_STACK, goroutine=7, live=True), ""),
        (place(Kind.GOROUTINE_STACK, goroutine=7, live=False), "unused part"),
        (place(Kind.GOROUTINE_STACK, goroutine=8, live=True), "another goroutine"),
    ],
)
def test_given_up(where: Location, why: str) -> None:
    said = given_up(where, 7)
    assert (why in said) if why else not said


def test_of_no_known_goroutine_no_stack_is_foreign() -> None:
    assert not given_up(place(Kind.GOROUTINE_STACK, goroutine=8, live=True), 0)
