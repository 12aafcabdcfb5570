"""Claims about variables: what they say follows from the value by Go's rules, and a wrong one is
found."""

from __future__ import annotations

from random import Random

from scripts.truths.choices import Choices
from scripts.truths.expressions import KIND
from scripts.truths.expressions.claims import Claim, claims, literal, text_of, wrapped
from scripts.truths.kind import PLAIN
from scripts.truths.variables.told import Node

_HEX = {name: name.encode().hex() for name in ("int8", "string", "interface {}", "main.T", "*int8")}


def _about(node: Node, count: int = 400) -> list[Claim]:
    return list(claims(Choices(Random(7)), "v", node, count))


def test_a_program_is_written_again_from_its_choices() -> None:
    drawn = Choices(Random(5))
    files = KIND.write(drawn, "1.27", PLAIN).files
    assert KIND.write(Choices(drawn.drawn), "1.27", PLAIN).files == files


def test_numbers_wrap_as_gos() -> None:
    assert [wrapped("int8", n) for n in (127, 128, -129)] == [127, -128, 127]
    assert [wrapped("uint8", n) for n in (256, -1)] == [0, 255]
    truths = {c.text: c.truth(["int8", _HEX["int8"], "127"]) for c in _about(["int8", "", "127"])}
    assert truths["-v == -127"] is truths["^v == -128"] is True
    assert any("int16(v)" in text for text in truths)
    assert {True, False} <= set(truths.values())
    assert all(truths[text] for text in truths if text.startswith("(v + 1) == -128"))


def test_strings_are_their_bytes() -> None:
    quoted = rb'"\xff\n\"a\u00e9"'.hex()
    node: Node = ["string", _HEX["string"], 6, quoted]
    assert text_of(node) == b'\xff\n"a\xc3\xa9'
    assert literal(text_of(node)) == r'"\xff\x0a\x22a\xc3\xa9"'
    truths = {claim.text: claim.truth(node) for claim in _about(node)}
    assert truths["v[0] == 255"] is truths[rf"v == {literal(text_of(node))}"] is True


def test_an_interface_with_a_nil_pointer_is_not_nil() -> None:
    holding: Node = ["interface", _HEX["interface {}"], ["ptr", _HEX["*int8"], "nil"]]
    truths = {claim.text: claim.truth(holding) for claim in _about(holding)}
    assert truths == {"v == nil": False, "v != nil": True}


def test_a_part_that_another_value_has_not_says_nothing() -> None:
    whole: Node = ["struct", _HEX["main.T"], [["a", ["int8", _HEX["int8"], "1"]]]]
    told = [claim for claim in _about(whole) if claim.path == ("a",)]
    assert told
    assert all(claim.truth(whole) is not None for claim in told)
    assert {claim.truth(["struct", _HEX["main.T"], []]) for claim in told} == {None}
