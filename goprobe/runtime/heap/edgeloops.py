"""The loop of `edges`: pointers, one after the other, and the objects that they lead to."""

from __future__ import annotations

from goprobe.compiled import Row, loop
from goprobe.runtime.heap.beside import BYTE_NOUGHT, BYTE_SET, NOUGHT, SECOND, STATIC

# As objects.py has them: numba compiles no names of other files.
_NOT_HEAP, _FREE_SLOT, _SPAN_TAIL = -1, -4, -5
_ARENA_BITS = 26  # logHeapArenaBytes on linux/amd64, runtime/malloc.go, Go 1.21 to 1.27
_OFFSET_LIMIT = (1 << 32) - 1

# To count the bits of a word: those of each two are summed up, of each four, of each byte, of all.
_PAIRS, _FOURS, _BYTES = 0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F
_SUM = 0x0101010101010101

# What the table has of each span, in one line of the processor's cache.
BASE, DIVIDE, ELEMSIZE, NELEMS, FIRST_SLOT = range(5)
OF_SPAN = 8


@loop
def follow_words(
    state: Row, words: Row, flags: Row, eights: Row, begin: int, owner: Row, page_bits: int,
    start: Row, live: Row, before: Row, spans: Row,
    top: Row, bottom: int, pages: Row, page_shift: int, per_block: int, low: int, high: int,
    first: Row, offset: Row, target: Row, into: Row,
    stray_source: Row, stray_offset: Row, stray_value: Row, stray_why: Row,
    static: int, numbers: Row, told: Row, notes: Row, heads: Row,
) -> int:  # fmt: skip
    """Follows the words from `begin` on that have a flag; `eights` are the flags of each eight
    words as one number. Ends where they end, or there is no room for another pointer that leads
    astray.

    `state`: how many edges there are, how many pointers were seen, the next flag, how many static
    addresses have a number. `numbers` has these, of each word from the address `static` on; `notes`
    and `heads` get what stands beside each pointer (see `beside`). Of each object
    with edges `first` gets their number, one place on. `live` has a bit for each slot that is
    allocated, `before` says how many are before each 64 of them: an object's number is how many
    there are before its slot. `spans` is a table of what is known of each span (see above). Returns
    how many lead astray.
    """
    count, seen, lost, at, known = state[0], state[1], 0, state[2], state[3]
    slot_before, source = -1, -1
    while at < len(flags) and lost < len(stray_source):
        if at & 7 == 0 and eights[at >> 3] == 0:
            at += 8
            continue
        place = begin + at
        at += 1
        if flags[at - 1] == 0:
            continue
        value = words[place]
        if value == 0:
            continue
        span = owner[place >> page_bits]
        within = place - start[span]
        if start[span] < 0:
            continue
        about = span * OF_SPAN
        index = ((within << 3) * spans[about + DIVIDE]) >> 32
        if index < 0 or index >= spans[about + NELEMS]:
            continue
        slot = spans[about + FIRST_SLOT] + index
        if slot != slot_before:  # most words are of the object of the word before
            slot_before, source = slot, -1
            bits, bit = live[slot >> 6], slot & 63
            if (bits >> bit) & 1 == 1:
                bits &= (1 << bit) - 1
                bits -= (bits >> 1) & _PAIRS
                bits = (bits & _FOURS) + ((bits >> 2) & _FOURS)
                bits = (bits + (bits >> 4)) & _BYTES
                source = before[slot >> 6] + (((bits * _SUM) >> 56) & 0xFF)
                head = start[span] + index * (spans[about + ELEMSIZE] >> 3)
                far = words[head] - static if head >= begin else -1
                if far >= 0 and far & 7 == 0 and far >> 3 < len(numbers):
                    if numbers[far >> 3] == 0 and known < len(told):
                        told[known] = words[head]
                        known += 1
                        numbers[far >> 3] = known
                    heads[source] = numbers[far >> 3]
                elif head >= begin:
                    heads[source] = BYTE_NOUGHT if words[head] & 0xFF == 0 else BYTE_SET
        if source < 0:
            continue
        seen += 1
        if value < low or value >= high:
            continue
        word = within - index * (spans[about + ELEMSIZE] >> 3)
        block = (value >> _ARENA_BITS) - bottom
        to = _NOT_HEAP
        if 0 <= block < len(top):
            to = pages[top[block] * per_block + ((value >> page_shift) & (per_block - 1))]
        inside = 0
        if to >= 0:
            about = to * OF_SPAN
            far = value - spans[about + BASE]
            index = (far * spans[about + DIVIDE]) >> 32
            inside = far - index * spans[about + ELEMSIZE]
            if index < 0 or index >= spans[about + NELEMS]:
                to = _SPAN_TAIL
            else:
                other = spans[about + FIRST_SLOT] + index
                bits, bit, to = live[other >> 6], other & 63, _FREE_SLOT
                if (bits >> bit) & 1 == 1:
                    bits &= (1 << bit) - 1
                    bits -= (bits >> 1) & _PAIRS
                    bits = (bits & _FOURS) + ((bits >> 2) & _FOURS)
                    bits = (bits + (bits >> 4)) & _BYTES
                    to = before[other >> 6] + (((bits * _SUM) >> 56) & 0xFF)
        if to >= 0:
            offset[count], target[count] = word, to
            if inside > 0:  # most is 0 already, in pages that take no memory as long as they are
                into[count] = inside if inside < _OFFSET_LIMIT else _OFFSET_LIMIT
            first[source + 1] += 1
            if place > begin or word == 0:
                far = words[place - 1] - static if word > 0 else -1
                if far >= 0 and far & 7 == 0 and far >> 3 < len(numbers):
                    if numbers[far >> 3] == 0 and known < len(told):
                        told[known] = words[place - 1]
                        known += 1
                        numbers[far >> 3] = known
                    if numbers[far >> 3] > 0:
                        notes[count] = STATIC + numbers[far >> 3] - 1
                elif place + 2 < begin + len(flags):
                    note = words[place + 2] + 1
                    if note <= 0 or note > SECOND:
                        note = SECOND
                    if words[place + 1] == 0:
                        note += NOUGHT
                    if note != SECOND:  # pages of notes that say nothing take no memory
                        notes[count] = note
            count += 1
        elif to != _NOT_HEAP:
            stray_source[lost], stray_offset[lost] = source, word
            stray_value[lost], stray_why[lost] = value, to
            lost += 1
    state[0], state[1], state[2], state[3] = count, seen, at, known
    return lost
