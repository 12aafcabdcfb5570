"""The loop of `speciallists`: lists of specials, one after the other."""

from __future__ import annotations

from goprobe.compiled import Row, loop

_PAGE_BITS, _PAGE, _PAGE_WORDS = 12, 4096, 512  # as speciallists has them, in words, too

# Why a list was left where it was.
UNREAD, MISSING = 0, 1


@loop
def walk(
    state: Row, heads: Row, rows: Row,
    numbers: Row, place: Row, words: Row, there: Row,
    size: int, next_at: int, kind_at: int, offset_at: int, offset_mask: int,
    at_out: Row, kind_out: Row, offset_out: Row, row_out: Row, left: Row, left_row: Row, why: Row,
) -> int:  # fmt: skip
    """Follows the lists that begin at `heads`, of the spans in `rows`. Ends where all are through,
    or `at_out` and what belongs to it are full.

    `state`: the list to go on with, where in it (0: at its beginning), and how many are left.
    `numbers` are those of the pages that were read, ascending; each one's words lie at its `place`
    in `words`, and it is `there`, or could not be read. Lists that go on in other pages, or in
    none, are put aside: where they were `left`, and `why`. Returns how many specials were found.
    """
    at_list, at, aside, count = state[0], state[1], state[2], 0
    known, known_place = -1, 0
    while at_list < len(heads):
        if at == 0:
            at = heads[at_list]
        while at != 0 and count < len(at_out):
            cause = MISSING if at < 0 or at & 7 else -1
            first, last = 0, 0
            for end in range(2):
                if cause >= 0:
                    break
                page = (at + end * (size - 1)) >> _PAGE_BITS
                if page != known:
                    low, high = 0, len(numbers)
                    while low < high:
                        middle = (low + high) >> 1
                        if numbers[middle] < page:
                            low = middle + 1
                        else:
                            high = middle
                    if low == len(numbers) or numbers[low] != page:
                        cause = UNREAD
                        break
                    known, known_place = page, place[low]
                if not there[known_place]:
                    cause = MISSING
                    break
                if end == 0:
                    first = known_place
                last = known_place
            if cause >= 0:
                left[aside], left_row[aside], why[aside] = at, rows[at_list], cause
                aside += 1
                break
            page = at >> _PAGE_BITS
            inside = at + kind_at
            row = first if inside >> _PAGE_BITS == page else last
            word = words[row * _PAGE_WORDS + ((inside & (_PAGE - 1)) >> 3)]
            kind_out[count] = (word >> ((inside & 7) << 3)) & 0xFF
            inside = at + offset_at
            row = first if inside >> _PAGE_BITS == page else last
            word = words[row * _PAGE_WORDS + ((inside & (_PAGE - 1)) >> 3)]
            offset_out[count] = (word >> ((inside & 7) << 3)) & offset_mask
            at_out[count], row_out[count] = at, rows[at_list]
            count += 1
            inside = at + next_at
            row = first if inside >> _PAGE_BITS == page else last
            at = words[row * _PAGE_WORDS + ((inside & (_PAGE - 1)) >> 3)]
        if count == len(at_out) and at != 0:
            break
        at_list, at = at_list + 1, 0
    state[0], state[1], state[2] = at_list, at, aside
    return count
