"""The choices behind random programs: the same again from what was drawn, and smaller ones."""

from __future__ import annotations

from random import Random

from scripts.truths.choices import Choices, shrink


def words(choices: Choices) -> list[int]:
    """A list as a generator would write it: its length, then each element."""
    return [choices.below(1000) for _ in range(choices.between(0, 20))]


def test_what_was_drawn_writes_the_same_again() -> None:
    first = Choices(Random(1))
    text = words(first)
    again = Choices(first.drawn)
    assert words(again) == text
    assert again.drawn == first.drawn


def test_beyond_the_end_everything_is_simplest() -> None:
    choices = Choices([])
    assert words(choices) == []
    assert not choices.chance(99)
    assert choices.one_of("ab") == "a"
    assert choices.weighted((1, "x"), (9, "y")) == "x"


def test_a_list_with_one_large_element_shrinks_to_just_that() -> None:
    def wrong(numbers: object) -> bool:
        assert isinstance(numbers, list)
        return any(word >= 500 for word in words(Choices(numbers)))

    seeds = (n for n in range(100) if wrong((c := Choices(Random(n)), words(c))[0].drawn))
    start = Choices(Random(next(seeds)))
    words(start)
    assert words(Choices(shrink(start.drawn, wrong, seconds=60))) == [500]


def test_shrinking_ends_in_time_and_never_returns_what_is_right() -> None:
    numbers = [5, 4, 3, 2, 1]
    assert shrink(numbers, lambda _: False, seconds=60) == numbers
    assert shrink(numbers, lambda _: True, seconds=0) == numbers
