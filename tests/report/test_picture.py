from __future__ import annotations

import random

from hypothesis import given, strategies as st
from msgspec import structs

from goprobe.model.location import Kind, Region
from goprobe.report.picture import Mark, Row, rows, totals
from goprobe.report.text.memorypicture import notes
from goprobe.report.uses import present, use_of
from tests.report.samples import LITERAL, MSG, STACK, memory, region


def test_hello_fits_on_a_screen_lowest_address_first() -> None:
    found = rows(memory())
    assert len(found) <= 14
    assert [row.low for row in found] == sorted(row.low for row in found)


def test_no_byte_is_lost_or_counted_twice() -> None:
    whole = [row for row in rows(memory()) if not row.inside]
    assert sum(row.size for row in whole) == sum(region.size for region in memory())


def test_sections_of_one_kind_are_one_row() -> None:
    kinds = [row.kind for row in rows(memory()) if row.low < 0x600000]
    assert kinds == [Kind.TEXT, Kind.RODATA, Kind.DATA, Kind.BSS]


def test_the_arena_is_one_row_and_a_marked_stack_is_shown_inside_it() -> None:
    found = rows(memory(), [Mark(MSG, "msg's header"), Mark(LITERAL, '"Hello, Go!"')])
    arena = next(row for row in found if row.arena)
    inside = [row for row in found if row.inside]
    assert arena.low == 0xC000000000
    assert arena.kinds[Kind.GOROUTINE_STACK] == 5 * 0x2000
    assert [(row.low, row.label) for row in inside] == [(STACK.low, "stack of goroutine 1")]
    assert [mark.label for mark in inside[0].marks] == ["msg's header"]
    rodata = next(row for row in found if row.kind is Kind.RODATA)
    assert [mark.address for mark in rodata.marks] == [LITERAL]


def test_every_mark_in_mapped_memory_appears_once() -> None:
    regions = memory()
    marks = [Mark(region.low + region.size // 2, str(i)) for i, region in enumerate(regions)]
    shown = [mark.label for row in rows(regions, marks) for mark in row.marks]
    assert sorted(shown) == sorted(mark.label for mark in marks)


def test_the_unused_end_of_an_arena_is_a_row_of_its_own() -> None:
    reserved = next(row for row in rows(memory()) if row.low == 0xC000400000)
    assert (reserved.kind, reserved.perms) == (Kind.RESERVED, "---")


# Takes minutes, and so shows, where every merge looks at all rows again.
def test_a_process_with_as_many_mappings_as_linux_allows_is_drawn_at_once() -> None:
    chance = random.Random(1)
    kinds = [Kind.HEAP, Kind.RUNTIME, Kind.LIBRARY, Kind.FILE, Kind.C_HEAP, Kind.TEXT]
    regions: list[Region] = []
    low = 0x10000
    for _ in range(65_530):
        low += chance.choice([0, 0x1000, 1 << 30])
        regions.append(region(low, 0x1000, "rw-p", chance.choice(kinds), "x"))
        low += 0x1000
    found = rows(regions)
    assert len(found) <= 28
    assert sum(row.size for row in found) == 65_530 * 0x1000


# What is small, and what is far

_KINDS_OF_NO_BINARY = [
    kind
    for kind in Kind
    if kind not in (Kind.UNMAPPED, Kind.TEXT, Kind.RODATA, Kind.DATA, Kind.BSS)
]


@given(
    st.lists(
        st.tuples(st.sampled_from(_KINDS_OF_NO_BINARY), st.integers(1, 12), st.booleans()),
        min_size=2,
        max_size=60,
    )
)
def test_the_smallest_piece_of_memory_counts_as_what_it_is(
    drawn: list[tuple[Kind, int, bool]],
) -> None:
    """Two goroutines' stacks of 2 KiB share a page; a span of free ones may lie beside them."""
    regions: list[Region] = []
    at = 0xC000000000
    for kind, pieces, apart in drawn:
        at += 0x1000 if apart else 0
        regions.append(region(at, pieces * 512, "rw-p", kind, f"{kind} at {at:#x}"))
        at = regions[-1].high
    whole = {part.use: part.size for part in totals(rows(regions))}
    for use in {use_of(r) for r in regions}:
        assert whole[use] == sum(r.size for r in regions if use_of(r) == use)


def test_what_a_gap_lies_between_is_never_one_row() -> None:
    """As goprobe's user found it: Go's reserved arena and glibc's arenas, 93 TiB apart."""
    binary = [Kind.TEXT, Kind.RODATA, Kind.DATA, Kind.BSS]
    reserved = region(0x1D6418800000, 56 << 20, "---p", Kind.RESERVED, "heap address space")
    of_c = region(0x7F17FC000000, 0x21000, "rw-p", Kind.C_HEAP, "C memory")
    regions = [
        *(region(0x400000 + i * 4096, 4096, "rw-p", kind, "x") for i, kind in enumerate(binary)),
        region(0x1D6418400000, 4 << 20, "rw-p", Kind.HEAP, "heap"),
        reserved,
        of_c,
        region(of_c.high, 0x3FDF000, "---p", Kind.RESERVED, "reserved address space"),
    ]
    for i, kind in enumerate([Kind.LIBRARY, Kind.RUNTIME, Kind.FILE, Kind.VDSO] * 6):
        regions.append(region(0x7F1800000000 + i * 0x100000, 0x1000, "rw-p", kind, "x"))
    for limit in (7, 14, 20):
        drawn = rows(regions, limit=limit)
        row = next(row for row in drawn if row.low == reserved.low)
        assert (row.kind, row.high) == (Kind.RESERVED, reserved.high)
        row = next(row for row in drawn if row.low == of_c.low)
        assert row.gap == of_c.low - reserved.high


# What differs in a row is kept apart


def rights(row: Row) -> set[str]:
    """Each combination of rights, without the dashes of those that are not there."""
    return {each.replace("-", "") for each in row.perms.split()}


def test_a_library_is_never_more_than_any_of_its_mappings() -> None:
    pieces = [
        region(0x7F0000000000 + i * 0x10000, 0x10000, perms, Kind.LIBRARY, "/lib/libc.so.6")
        for i, perms in enumerate(("r--p", "r-xp", "r--p", "rw-p"))
    ]
    (row,) = rows(pieces)
    assert row.perms == "r rx rw"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["r--p", "r-xp", "rw-p", "rw-s", "---p"]),
            st.sampled_from([k for k in Kind if k is not Kind.UNMAPPED]),
            st.sampled_from([0, 0x1000, 1 << 26, 1 << 40]),
            st.integers(1, 1 << 20),
            st.sampled_from(["x", "free heap pages", "scavenged heap pages"]),
        ),
        min_size=1,
        max_size=80,
    ),
    st.integers(3, 20),
)
def test_rows_lose_no_use_no_right_and_no_byte(
    drawn: list[tuple[str, Kind, int, int, str]], limit: int
) -> None:
    regions: list[Region] = []
    at = 0x10000
    for perms, kind, gap, pages, label in drawn:
        at += gap
        made = region(at, pages * 0x1000, perms, kind, label)
        regions.append(structs.replace(made, rss=pages * 7))
        at = made.high
    found = [row for row in rows(regions, limit=limit) if not row.inside]
    whole = {part.use: (part.size, part.present) for part in totals(found)}
    for use in {use_of(r) for r in regions}:
        mine = [r for r in regions if use_of(r) == use]
        assert whole[use] == (sum(r.size for r in mine), sum(present(r) for r in mine))
    for row in found:
        inside = [r for r in regions if row.low <= r.low < row.high]
        used = [r for r in inside if r.kind is not Kind.RESERVED] or inside
        assert rights(row) == {r.perms[:3].replace("-", "") for r in used}
        assert {part.use for part in row.parts} == {use_of(r) for r in inside}
        # What is told of a row in text names every use of it.
        if len(row.parts) > 1 and not row.arena:
            told = " ".join(notes(row, verbose=False))
            assert all(part.use.name in told for part in row.parts)
